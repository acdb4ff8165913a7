// Teardown: ends and removes what a run registered, then looks again and says what is left. A drill whose teardown is not
// proven has not ended well: what stays behind is a copy of production data that nobody looks after.
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, constants, lchownSync, lstatSync, openSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Finding } from './finding.ts';
import { commandNames, fateOf, lies, runningProcess, runningProcesses, type RunningProcess } from './register-processes.ts';
import { readRegister, registerPath, type Register } from './register.ts';
import { countsOf, removeContainers } from './teardown-containers.ts';
import { scratchFindings } from './scratch-findings.ts';
import { scratchPrefix } from './scratch.ts';

export const teardownEvidence = z.strictObject({
  processesBefore: z.int(),
  processesAfter: z.int(),
  entriesBefore: z.int().describe('files, directories, links and sockets in all of the run\'s directories'),
  entriesAfter: z.int(),
  directories: z.int().describe('the scratch directory, and those it registered elsewhere'),
  sharedMemoryBefore: z.int().describe('System V segments of its servers'),
  sharedMemoryAfter: z.int(),
  containersBefore: z.int().describe('on the engines that the register names; -1 where one did not answer'),
  containersAfter: z.int(),
  volumesBefore: z.int(),
  volumesAfter: z.int(),
  serversStopped: z.enum(['none ran', 'fast', 'immediate', 'killed']).describe('how far the last of its servers had to be asked'),
  durationMs: z.int(),
});

export type TeardownEvidence = z.infer<typeof teardownEvidence>;

export interface TeardownProof {
  /** Empty when nothing is left. */
  readonly findings: readonly Finding[];
  readonly evidence: TeardownEvidence;
}

/**
 * Tears one run down, from its own process or when its owner is gone. Touches nothing that does not begin with
 * `backup-drills-` and hold our register. Never throws for what it meets: it goes on, and what remains is a finding.
 */
export async function teardown(scratchPath: string): Promise<TeardownProof> {
  const register = readRegister(scratchPath);
  const why = register === null ? 'it holds no register of a run' : refusal(scratchPath, register);
  if (why !== null) return { findings: [scratchFindings.find('teardown.refused', { path: scratchPath, why })], evidence: nothing };
  return tearDown(scratchPath, register);
}

/** As `teardown`, once it is settled that the directory is ours to remove; a register may be missing. */
export async function tearDown(path: string, register: Register | null): Promise<TeardownProof> {
  const began = performance.now();
  const run: Belongings = { path, register, directories: [...elsewhere(path, register), path] };
  const processes = belonging(run);
  const segments = sharedMemory(run);
  const engines = await removeContainers(register);
  const before = { processes: processes.length, entries: countEntries(run.directories), segments: segments.filter(segmentExists).length };

  const serversStopped = await stopServers(run);
  await killRest(run);
  for (const segment of segments) removeSegment(segment);
  // An engine that cannot be asked keeps the register, by which the next run knows what to look for.
  const keepNote = engines.silent.length > 0;
  for (const directory of run.directories) await removeDirectory(directory, keepNote && directory === path);

  const left = belonging(run);
  const noted = new Set(keepNote ? [path, registerPath(path)] : []);
  const paths = run.directories.flatMap((directory) => entriesOf(directory)).filter((entry) => !noted.has(entry));
  const segmentsLeft = segments.filter(segmentExists);
  const onEngines = [...engines.after.containers, ...engines.after.volumes];
  const clean = left.length === 0 && paths.length === 0 && segmentsLeft.length === 0 && onEngines.length === 0;
  return {
    findings: [
      ...(clean ? [] : [scratchFindings.find('teardown.left-over', {
        path,
        processes: left.map((one) => `${one.pid} ${one.command.split(' ')[0]}`),
        paths: [...paths.slice(0, 20), ...segmentsLeft.map(({ id }) => `shared memory ${id}`)],
        containers: onEngines,
      })]),
      ...engines.silent.map((silent) => scratchFindings.find('teardown.engine-silent', { path, ...silent })),
    ],
    evidence: {
      processesBefore: before.processes, processesAfter: left.length,
      entriesBefore: before.entries, entriesAfter: paths.length,
      directories: run.directories.length,
      sharedMemoryBefore: before.segments, sharedMemoryAfter: segmentsLeft.length,
      ...countsOf(engines),
      serversStopped,
      durationMs: Math.round(performance.now() - began),
    },
  };
}

const nothing: TeardownEvidence = {
  processesBefore: 0, processesAfter: 0, entriesBefore: 0, entriesAfter: 0, directories: 0,
  sharedMemoryBefore: 0, sharedMemoryAfter: 0, containersBefore: 0, containersAfter: 0, volumesBefore: 0, volumesAfter: 0, serversStopped: 'none ran', durationMs: 0,
};

interface Belongings {
  readonly path: string;
  readonly register: Register | null;
  readonly directories: readonly string[];
}

/** Why a directory is not ours to remove; null when it is. */
function refusal(path: string, register: Register): string | null {
  if (!basename(path).startsWith(scratchPrefix)) return `its name does not begin with ${scratchPrefix}`;
  const stat = lstatSync(path);
  if (!stat.isDirectory()) return 'it is no directory';
  if (stat.uid !== process.getuid?.()) return 'it belongs to another user';
  const fate = fateOf(register.owner);
  if (fate === 'elsewhere') return `its owner runs on ${register.owner.host}`;
  if (fate === 'alive' && !self().has(register.owner.pid)) return `run ${register.owner.run} is still going on (process ${register.owner.pid})`;
  return null;
}

/** Registered directories outside the scratch directory: those only that say themselves that they serve it. */
function elsewhere(path: string, register: Register | null): string[] {
  return (register?.resources ?? []).flatMap((resource) => {
    if (resource.kind !== 'directory' || resource.path.startsWith(`${path}/`)) return [];
    const other = basename(resource.path).startsWith(scratchPrefix) ? readRegister(resource.path) : null;
    return other?.owner.partOf === path ? [resource.path] : [];
  });
}

/** This process and those that it descends from: never ended by itself. */
function self(): Set<number> {
  const pids = new Set<number>();
  for (let pid = process.pid; pid > 1 && !pids.has(pid); pid = runningProcess(pid)?.parent ?? 0) pids.add(pid);
  return pids;
}

/**
 * The processes of a run. Told by what they run, where they work and what they were called with, and not by a pid that was
 * written down once: that may be somebody else's by now. A person's shell that stands in the directory is not among them,
 * nor is a search or a backup that walks through it.
 */
function belonging(run: Belongings): RunningProcess[] {
  const spared = self();
  const session = run.register?.owner.session ?? -1;
  const programs = new Set(run.register?.resources.flatMap((resource) => (resource.kind === 'process' ? resource.program ?? [] : [])));
  const everything = runningProcesses();
  const sparedSessions = new Set([session, 0, ...everything.filter((one) => spared.has(one.pid)).map((one) => one.session)]);
  const candidates = everything.filter((one) => !one.zombie && !spared.has(one.pid) && (!one.terminal || one.session === session));
  const direct = (one: RunningProcess): boolean =>
    run.directories.some((directory) =>
      lies(one.executable, directory) || commandNames(one, directory)
      || (lies(one.directory, directory) && (one.session === session || programs.has(one.executable ?? ''))));
  const found = new Map(candidates.filter((one) => ours(one) && direct(one)).map((one) => [one.pid, one]));
  // And what those started, whatever it looks like.
  for (let size = -1; size !== found.size;) {
    size = found.size;
    const sessions = new Set([...found.values()].map((one) => one.session).filter((id) => !sparedSessions.has(id)));
    for (const one of candidates) if (found.has(one.parent) || sessions.has(one.session)) found.set(one.pid, one);
  }
  return [...found.values()];
}

/** Of this user; as root also of another one, since servers run as `nobody` there. */
function ours(one: RunningProcess): boolean {
  const me = process.getuid?.();
  return me === 0 || one.user === me;
}

/** Asks the servers to end: fast, then at once. Both take their shared memory with them; a kill does not. */
async function stopServers(run: Belongings): Promise<TeardownEvidence['serversStopped']> {
  let asked: TeardownEvidence['serversStopped'] = 'none ran';
  for (const [signal, how] of [['SIGINT', 'fast'], ['SIGQUIT', 'immediate']] as const) {
    const postmasters = belonging(run).filter(isPostmaster);
    if (postmasters.length === 0) return asked;
    asked = how;
    for (const one of postmasters) end(one, signal);
    await until(() => postmasters.every(isGone), 5_000);
  }
  return belonging(run).some(isPostmaster) ? 'killed' : asked;
}

const isPostmaster = (one: RunningProcess): boolean => /(?:^|\/)postgres -D /.test(one.command);

/** Until a look finds none: a process may start another between the look and the kill. */
async function killRest(run: Belongings): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGKILL', 'SIGKILL'] as const) {
    const rest = belonging(run);
    if (rest.length === 0) return;
    for (const one of rest) end(one, signal);
    await until(() => rest.every(isGone), 2_000);
  }
}

function isGone(one: RunningProcess): boolean {
  const now = runningProcess(one.pid);
  return now === null || now.zombie || now.start !== one.start;
}

function end(one: RunningProcess, signal: NodeJS.Signals): void {
  if (isGone(one)) return;
  try {
    process.kill(one.pid, signal);
  } catch {
    // Gone meanwhile, or not ours to end: the last look tells.
  }
}

async function until(condition: () => boolean, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition() && performance.now() < deadline) await pause(10);
}

interface Segment {
  readonly id: string;
  readonly creator: string;
}

/** The System V segment that each server wrote into its postmaster.pid: line 1 its pid, line 7 key and id. */
function sharedMemory(run: Belongings): Segment[] {
  const server = join(run.path, 'server');
  return namesIn(server).flatMap((home) => {
    try {
      const file = openSync(join(server, home, 'data', 'postmaster.pid'), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const lines = readFileSync(file, 'utf8').split('\n');
        const id = lines[6]?.trim().split(/\s+/)[1];
        return id === undefined || lines[0] === undefined ? [] : [{ id, creator: lines[0].trim() }];
      } finally {
        closeSync(file);
      }
    } catch {
      return [];
    }
  });
}

/** Only Linux can be asked who made a segment; elsewhere a killed server's segment (56 bytes) stays until the next boot. */
function segmentExists({ id, creator }: Segment): boolean {
  try {
    return readFileSync('/proc/sysvipc/shm', 'utf8').split('\n').some((line) => {
      const [, shmid, , , cpid] = line.trim().split(/\s+/);
      return shmid === id && cpid === creator;
    });
  } catch {
    return false;
  }
}

function removeSegment(segment: Segment): void {
  if (!segmentExists(segment)) return;
  try {
    execFileSync('ipcrm', ['-m', segment.id], { stdio: 'ignore' });
  } catch {
    // The last look tells.
  }
}

/** Removes a directory, its register last, so that a teardown which is cut off can be taken up again. Follows no link. */
async function removeDirectory(path: string, keepNote: boolean): Promise<void> {
  shutOut(path);
  const register = basename(registerPath(path));
  for (const name of [...namesIn(path).filter((each) => each !== register), ...(keepNote ? [] : [register])]) {
    const entry = join(path, name);
    try {
      await rm(entry, { recursive: true, force: true });
    } catch {
      openUp(entry);
      await rm(entry, { recursive: true, force: true }).catch(() => {});
    }
  }
  try {
    rmdirSync(path);
  } catch {
    // The last look tells.
  }
}

/** Before root removes what `nobody` owned, nobody may reach it any more, and so swap a directory for a link meanwhile. */
function shutOut(path: string): void {
  for (const directory of [path, ...namesIn(join(path, 'server')).map((name) => join(path, 'server', name)), join(path, 'server')]) {
    try {
      if (!lstatSync(directory).isDirectory()) continue;
      if (process.getuid?.() === 0) lchownSync(directory, 0, 0);
      chmodSync(directory, 0o700);
    } catch {
      // The removal tells.
    }
  }
}

/** Directories without rights for their own user keep what is in them. */
function openUp(path: string): void {
  try {
    if (!lstatSync(path).isDirectory()) return;
    chmodSync(path, 0o700);
  } catch {
    return;
  }
  for (const name of namesIn(path)) openUp(join(path, name));
}

/** Every entry of a directory, itself included; empty when it is not there. */
export function entriesOf(path: string): string[] {
  try {
    if (!lstatSync(path).isDirectory()) return [path];
  } catch {
    return [];
  }
  return [path, ...namesIn(path).flatMap((name) => entriesOf(join(path, name)))];
}

const countEntries = (directories: readonly string[]): number => directories.reduce((sum, directory) => sum + entriesOf(directory).length, 0);

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
