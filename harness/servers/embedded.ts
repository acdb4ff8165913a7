// A throw-away Postgres out of an npm package: made anew for each run, reached through a Unix socket in a private directory
// only. It opens no port, so that two drills, or a drill beside the real database, never meet.
import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, closeSync, constants, cpSync, existsSync, lchownSync, mkdirSync, openSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import type { Finding } from '../run/finding.ts';
import { StepEnded } from '../run/finding.ts';
import { socketDirectory, type Scratch } from '../run/scratch.ts';
import { embeddedPackages, libraryLinks, packageOf, type EmbeddedPackage } from './embedded-package.ts';
import { embeddedSettings, settingsText, type Settings } from './server-settings.ts';
import type { ServerEvidence } from './evidence.ts';
import { serverFindings } from './findings.ts';
import { lastWords } from './log-words.ts';
import type { Login, PostgresServer } from './postgres.ts';

export interface EmbeddedOptions {
  readonly scratch: Scratch;
  /** 18 */
  readonly major: number;
  readonly signal: AbortSignal;
  /** On top of the defaults, by their names in postgresql.conf. */
  readonly settings?: Settings;
  /** The `node_modules` directories to look in; this module's own when absent. */
  readonly modules?: readonly string[];
}

export interface EmbeddedServer extends PostgresServer {
  readonly runtime: 'embedded';
  readonly dataDirectory: string;
  /** The postmaster's. */
  readonly pid: number;
  readonly evidence: ServerEvidence;
  readonly died: () => Finding | null;
  /** Has it end by itself, and waits until it has; what it wrote stays until the teardown. Never throws. */
  readonly stop: () => Promise<void>;
}

/** Majors that can be started here, ascending. */
export function embeddedMajors(modules?: readonly string[]): number[] {
  return embeddedPackages(modules).map((one) => one.major);
}

/**
 * Starts a server that `teardown` of its scratch directory stops and removes. It outlives the process that started it, so
 * that a worker's end or a Ctrl-C never leaves the stopping to chance.
 * @throws StepEnded server.major-unavailable, server.binaries-missing, server.start-failed
 * @throws the signal's reason when aborted
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { scratch, major, signal } = options;
  const began = performance.now();
  const source = packageOf(major, options.modules);
  const user = serverUser();

  // Short: the path of its socket has a limit.
  const home = join(scratch.server, randomBytes(3).toString('hex'));
  scratch.register({ kind: 'directory', path: home });
  const own = (path: string): string => {
    mkdirSync(path, { mode: 0o700 });
    if (user !== null) chownSync(path, user.uid, user.gid);
    return path;
  };
  own(home);
  const native = stage(source, join(home, 'native'), user);
  scratch.register({ kind: 'process', what: `postgres ${major}`, under: home, program: join(realpathSync(native), 'bin', 'postgres') });
  const short = socketDirectory(scratch, home, socketName);
  const socket = short.made ? own(join(short.path, 's')) : home;
  const run: Launch = { home, native, user, signal };
  const admin: Login = { host: socket, port, user: `drill_${randomBytes(8).toString('hex')}`, password: randomBytes(24).toString('base64url'), database: 'postgres' };

  signal.throwIfAborted();
  const data = await initialise(run, major, admin);
  const initialised = performance.now();
  writeFileSync(join(data, 'postgresql.conf'), settingsText({ ...embeddedSettings(major, socket), ...options.settings }), { flag: 'a' });
  const { child, version } = await launch(run, data, admin);
  const ended = performance.now();

  let exit: string | null = null;
  child.once('exit', (code, killed) => { exit = killed ?? `exit code ${code}`; });
  child.unref();
  return {
    runtime: 'embedded',
    major,
    version,
    admin,
    dataDirectory: data,
    pid: child.pid!,
    evidence: {
      runtime: 'embedded', version, package: source.name, runsAs: user === null ? 'the user of the drill' : 'nobody', tcpPorts: 0,
      initialiseMs: Math.round(initialised - began), startMs: Math.round(ended - initialised),
    },
    died: (): Finding | null => {
      if (exit === null && child.exitCode === null && child.signalCode === null) return null;
      return serverFindings.find('server.died', { what: 'Postgres', exit: exit ?? child.signalCode ?? `exit code ${child.exitCode}`, log: lastWords(logText(join(home, 'log'))) });
    },
    stop: async () => stopServer(child),
  };
}

/** Names the socket's file only; no TCP port is opened. */
const port = 5432;
const socketName = `.s.PGSQL.${port}`;

interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

interface Launch {
  readonly home: string;
  readonly native: string;
  readonly user: ServerUser | null;
  readonly signal: AbortSignal;
}

/** Postgres refuses root: there it runs as `nobody`, whatever the ids of that are. Null: as ourselves. */
function serverUser(): ServerUser | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' })) >>> 0;
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    throw new StepEnded(serverFindings.find('server.start-failed', { what: 'Postgres', during: 'id nobody', exit: 'no such user', log: [] }));
  }
}

/**
 * The directory to run from: the package's own, or a copy where `nobody` may not walk to it (a clone under a home of 0700),
 * or where npm left out the links between the libraries (`--ignore-scripts`). node_modules itself is never written to.
 */
function stage(source: EmbeddedPackage, copy: string, user: ServerUser | null): string {
  const links = libraryLinks(source).filter(({ link }) => !existsSync(join(source.native, link)));
  if (user === null && links.length === 0) return source.native;
  mkdirSync(copy, { mode: 0o700 });
  // Static libraries and headers are for compilers.
  const wanted = (path: string): boolean => !path.endsWith('.a') && !['pkgconfig', 'include'].includes(basename(path));
  for (const part of ['bin', 'lib', 'share']) {
    cpSync(join(source.native, part), join(copy, part), { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE, filter: wanted });
  }
  for (const { link, target } of links) symlinkSync(relative(dirname(link), target), join(copy, link));
  // Whatever the umask was when npm wrote them: their owner may read and run them.
  if (user !== null) {
    lchownSync(copy, user.uid, user.gid);
    for (const path of readdirSync(copy, { recursive: true })) lchownSync(join(copy, String(path)), user.uid, user.gid);
  }
  return copy;
}

async function initialise(run: Launch, major: number, admin: Login): Promise<string> {
  const data = join(run.home, 'data');
  const secret = join(run.home, 'pw');
  const args = ['-D', data, '-U', admin.user, `--pwfile=${secret}`, '-A', 'scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
  if (major >= 14) args.push('--no-instructions');
  if (major >= 18) args.push('--no-data-checksums');
  writeFileSync(secret, `${admin.password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    if (run.user !== null) chownSync(secret, run.user.uid, run.user.gid);
    const child = spawnServerProgram(run, 'initdb', args);
    const exit = await ended(child, run.signal);
    if (exit !== 'exit code 0') throw startFailed(run, 'initdb', exit);
  } finally {
    rmSync(secret, { force: true });
  }
  return data;
}

async function launch(run: Launch, data: string, admin: Login): Promise<{ child: ChildProcess; version: string }> {
  const child = spawnServerProgram(run, 'postgres', ['-D', data]);
  const gone = new AbortController();
  const exit = ended(child, gone.signal);
  try {
    return { child, version: await ready(child, admin, run.signal) };
  } catch (error) {
    // Asked to end at once, it takes its shared memory with it; killed, it cannot.
    child.kill('SIGQUIT');
    const hard = setTimeout(() => killGroup(child), 5_000);
    const how = await exit;
    clearTimeout(hard);
    if (error instanceof NotReady) throw startFailed(run, 'postgres', error.why ?? how);
    throw error;
  }
}

/** Fast, then at once: both take its shared memory with them, which a kill does not. */
async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGINT');
  const harder = [setTimeout(() => child.kill('SIGQUIT'), 5_000), setTimeout(() => killGroup(child), 10_000)];
  await gone;
  for (const timer of harder) clearTimeout(timer);
}

class NotReady extends Error {
  readonly why: string | null;
  constructor(why: string | null) {
    super('the server is not ready');
    this.why = why;
  }
}

const patienceMs = 120_000;

/** Asks over the socket until the server answers, ends, or the signal comes. Returns its version. */
async function ready(child: ChildProcess, admin: Login, signal: AbortSignal): Promise<string> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    signal.throwIfAborted();
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) throw new NotReady(null);
    if (performance.now() > deadline) throw new NotReady(`no answer within ${patienceMs / 1000} s`);
    if (existsSync(join(admin.host, socketName))) {
      const client = new Client({ ...admin, connectionTimeoutMillis: 10_000 });
      client.on('error', () => {}); // A connection cut while the server ends is told by its exit.
      try {
        await client.connect();
        const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
        return rows[0]!.version.split(' ')[0]!;
      } catch (error) {
        // 57P03: still starting.
        if (error instanceof DatabaseError && error.code !== '57P03') throw new NotReady(`SQLSTATE ${error.code}`);
      } finally {
        await client.end().catch(() => {});
      }
    }
    await pause(10, undefined, { signal });
  }
}

/**
 * Starts a program of the server: in a session of its own, where the terminal's Ctrl-C does not reach it; in its home, by
 * which teardown knows it; without our environment and what secrets are in it; its words in a file of the scratch directory.
 */
function spawnServerProgram(run: Launch, program: string, args: readonly string[]): ChildProcess {
  const log = openSync(join(run.home, 'log'), 'a', 0o600);
  const options: SpawnOptions = {
    cwd: run.home,
    env: { PATH: '/usr/bin:/bin', HOME: run.home, LC_ALL: 'C', TZ: 'UTC', PGTZ: 'UTC' },
    stdio: ['ignore', log, log],
    detached: true,
    ...run.user,
  };
  try {
    return spawn(join(run.native, 'bin', program), args, options);
  } catch (error) {
    throw startFailed(run, program, (error as NodeJS.ErrnoException).code ?? 'an unknown error');
  } finally {
    closeSync(log);
  }
}

/** How a program ended, once it has. Aborted, it is killed with all its children, and the signal's reason thrown after that. */
async function ended(child: ChildProcess, signal: AbortSignal): Promise<string> {
  const kill = (): void => killGroup(child);
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  try {
    const how = await new Promise<string>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'an unknown error'));
      child.once('exit', (code, killed) => resolve(killed ?? `exit code ${code}`));
    });
    signal.throwIfAborted();
    return how;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

function startFailed(run: Launch, during: string, exit: string): StepEnded {
  const program = join(run.native, 'bin', during);
  if (exit === 'ENOENT' && existsSync(program)) {
    return new StepEnded(serverFindings.find('server.binaries-missing', { package: basename(run.native), problem: `${during} was built for another C library` }));
  }
  const log = lastWords(logText(join(run.home, 'log')));
  if (exit === 'exit code 127') {
    return new StepEnded(serverFindings.find('server.binaries-missing', { package: basename(run.native), problem: log.at(-1) ?? 'a library is missing' }));
  }
  return new StepEnded(serverFindings.find('server.start-failed', { what: 'Postgres', during, exit, log }));
}

/** Empty where there is no log, or so long a one that something else is wrong. */
function logText(log: string): string {
  try {
    return statSync(log).size > 1 << 20 ? '' : readFileSync(log, 'utf8');
  } catch {
    return '';
  }
}
