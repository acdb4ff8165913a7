import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectNothingLeft, snapshotMachine } from '../../fixtures/leaks.ts';
import { needing } from '../../fixtures/tools.ts';
import { fateOf, runningProcess, thisProcess } from './register-processes.ts';
import { registerPath } from './register.ts';
import { openScratch, socketDirectory, type Scratch } from './scratch.ts';
import { reapAbandoned } from './teardown-reap.ts';
import { teardown } from './teardown.ts';

const top = mkdtempSync(join(tmpdir(), 'teardown-'));
chmodSync(top, 0o755);
const children: ChildProcess[] = [];
afterAll(() => rmSync(top, { recursive: true, force: true }));
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});
let root = '';
let count = 0;
beforeEach(() => {
  root = join(top, String(count++));
  mkdirSync(root);
});

const alive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null && !(runningProcess(child.pid!)?.zombie ?? true);
const codes = ({ findings }: { findings: readonly { code: string }[] }): string[] => findings.map(({ code }) => code);

async function start(command: string, args: readonly string[], options: { cwd?: string; detached?: boolean; says?: string }): Promise<ChildProcess> {
  const child = spawn(command, args, { cwd: options.cwd ?? '/', detached: options.detached ?? false, stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  await (options.says === undefined ? once(child, 'spawn') : once(child.stdout, 'data'));
  return child;
}

/** A run of its own process, which opens its scratch directory, does `more`, and stays. */
async function otherRun(runId: string, more = ''): Promise<{ owner: ChildProcess; path: string }> {
  const script = `
    const { openScratch, socketDirectory } = await import(${JSON.stringify(new URL('scratch.ts', import.meta.url).href)});
    const { spawn } = await import('node:child_process');
    const scratch = openScratch({ root: process.argv[1], runId: process.argv[2] });
    ${more}
    console.log('open'); setInterval(() => {}, 1000);`;
  const owner = await start(process.execPath, ['--input-type=module', '-e', script, root, runId], { says: 'open' });
  return { owner, path: join(root, `backup-drills-${runId}`) };
}

async function kill9(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('teardown', () => {
  test('ends what works in the directory or names it, stubborn or in a session of its own, and removes everything', async () => {
    const before = snapshotMachine({ roots: [root] });
    const scratch = openScratch({ root, runId: 'r1' });
    writeFileSync(join(scratch.work, 'dump.sql'), 'x');
    const stubborn = await start('sh', ['-c', 'trap "" TERM; echo up; read -r line'], { cwd: scratch.work, says: 'up' });
    const named = await start('sh', ['-c', `: ${scratch.work}/dump.sql; echo up; read -r line`], { detached: true, says: 'up' });
    const proof = await teardown(scratch.path);
    expect(codes(proof)).toEqual([]);
    expect(proof.evidence).toMatchObject({ processesAfter: 0, entriesBefore: 5, entriesAfter: 0, directories: 1, serversStopped: 'none ran' });
    expect(proof.evidence.processesBefore).toBeGreaterThanOrEqual(2);
    expect([stubborn, named].map(alive)).toEqual([false, false]);
    expectNothingLeft(before, snapshotMachine({ roots: [root] }));
  });

  test('leaves alone what walks through, what names a neighbour, and where a link leads', async () => {
    const scratch = openScratch({ root, runId: 'r1' });
    const outside = join(root, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'precious'), 'x');
    symlinkSync(outside, join(scratch.work, 'link'));
    symlinkSync(join(outside, 'precious'), join(scratch.work, 'file'));
    symlinkSync(outside, join(scratch.server, 'home'));
    const search = await start('sleep', ['1000'], { cwd: scratch.work, detached: true });
    const neighbour = await start('sh', ['-c', `: ${scratch.path}2/x; echo up; read -r line`], { says: 'up' });
    const proof = await teardown(scratch.path);
    expect(codes(proof)).toEqual([]);
    expect([search, neighbour].map(alive)).toEqual([true, true]);
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('x');
    expect(existsSync(scratch.path)).toBe(false);
  });

  test('removes directories that deny themselves to their own user', async () => {
    const scratch = openScratch({ root, runId: 'r1' });
    mkdirSync(join(scratch.work, 'a', 'b'), { recursive: true });
    writeFileSync(join(scratch.work, 'a', 'b', 'c'), '');
    chmodSync(join(scratch.work, 'a', 'b'), 0);
    chmodSync(join(scratch.work, 'a'), 0o500);
    expect(codes(await teardown(scratch.path))).toEqual([]);
    expect(existsSync(scratch.path)).toBe(false);
  });

  test('follows the register to a socket directory elsewhere, and never to anything that does not say it serves this run', async () => {
    const far = openScratch({ root, runId: 'r'.repeat(100) });
    const { path: socket } = socketDirectory(far, far.server, '.s.PGSQL.5432');
    const precious = join(root, 'precious');
    mkdirSync(precious);
    const other = openScratch({ root, runId: 'r2' });
    far.register({ kind: 'directory', path: precious });
    far.register({ kind: 'directory', path: other.path });
    expect(codes(await teardown(far.path))).toEqual([]);
    expect([socket, precious, other.path].map((path) => existsSync(path))).toEqual([false, true, true]);
  });

  test('refuses what is no scratch directory, and what a live run owns', async () => {
    const noRegister = join(root, 'backup-drills-x');
    mkdirSync(noRegister);
    const wrongName = join(root, 'photos');
    mkdirSync(wrongName);
    const mine = openScratch({ root, runId: 'r1' });
    writeFileSync(registerPath(wrongName), readFileSync(registerPath(mine.path)));
    const link = join(root, 'backup-drills-link');
    symlinkSync(mine.path, link);
    const { owner, path: live } = await otherRun('live');
    for (const path of [noRegister, wrongName, link, live]) {
      expect(codes(await teardown(path))).toEqual(['teardown.refused']);
      expect(existsSync(path)).toBe(true);
    }
    expect(alive(owner)).toBe(true);
  });

  needing('root', 'unshare').test('says what it could not remove', () => {
    const script = `
      const { openScratch } = await import(${JSON.stringify(new URL('scratch.ts', import.meta.url).href)});
      const { teardown } = await import(${JSON.stringify(new URL('teardown.ts', import.meta.url).href)});
      const { mkdirSync } = await import('node:fs'); const { execFileSync } = await import('node:child_process');
      const scratch = openScratch({ root: process.argv[1], runId: 'r1' });
      mkdirSync(scratch.work + '/disk'); mkdirSync(scratch.work + '/gone');
      execFileSync('mount', ['-t', 'tmpfs', 'none', scratch.work + '/disk']);
      console.log(JSON.stringify(await teardown(scratch.path)));`;
    const proof = JSON.parse(execFileSync('unshare', ['--mount', process.execPath, '--input-type=module', '-e', script, root], { encoding: 'utf8' })) as Awaited<ReturnType<typeof teardown>>;
    expect(codes(proof)).toEqual(['teardown.left-over']);
    const path = join(root, 'backup-drills-r1');
    expect(proof.findings[0]!.facts['paths']).toEqual([path, join(path, 'work'), join(path, 'work', 'disk')]);
    expect(proof.evidence.entriesAfter).toBe(3);
  });
});

describe('the reaper', () => {
  test('removes what a killed run left, with its processes, and leaves a live run alone', async () => {
    const before = snapshotMachine({ roots: [root] });
    const orphan = `spawn('sh', ['-c', ': ' + scratch.server + '; sleep 1000; :'], { detached: true, stdio: 'ignore', cwd: scratch.server });`;
    const dead = await otherRun('dead', orphan);
    const live = await otherRun('live', orphan);
    await kill9(dead.owner);
    const reaped = await reapAbandoned({ roots: [root] });
    expect(reaped.map(({ run, finding }) => [run, finding.code])).toEqual([['dead', 'teardown.reaped']]);
    expect(reaped[0]!.finding.facts['processes']).toBe(2);
    expect([dead.path, live.path].map((path) => existsSync(path))).toEqual([false, true]);
    expect(alive(live.owner)).toBe(true);
    await kill9(live.owner);
    expect((await reapAbandoned({ roots: [root] })).map(({ run, finding }) => [run, finding.code])).toEqual([['live', 'teardown.reaped']]);
    expectNothingLeft(before, snapshotMachine({ roots: [root] }));
    expect(await reapAbandoned({ roots: [root] })).toEqual([]);
  });

  test('leaves a kept one up and says how to remove it; removing it then works', async () => {
    const { owner, path } = await otherRun('kept', 'scratch.keep();');
    await kill9(owner);
    const [reaped, ...more] = await reapAbandoned({ roots: [root] });
    expect(more).toEqual([]);
    expect(reaped!.finding).toMatchObject({ code: 'teardown.kept', severity: 'warning' });
    expect(reaped!.finding.hint).toContain(path);
    expect(existsSync(path)).toBe(true);
    expect(codes(await teardown(path))).toEqual([]);
    expect(existsSync(path)).toBe(false);
  });

  test('removes one without a register only once it is a minute old', async () => {
    const path = join(root, 'backup-drills-x');
    mkdirSync(path);
    expect(await reapAbandoned({ roots: [root] })).toEqual([]);
    const later = (): Date => new Date(Date.now() + 61_000);
    expect((await reapAbandoned({ roots: [root], now: later })).map(({ run, finding }) => [run, finding.code])).toEqual([['x', 'teardown.reaped']]);
    expect(existsSync(path)).toBe(false);
  });

  test('takes another boot of this machine for dead, and never another host or container', async () => {
    const rewrite = (scratch: Scratch, change: object): void => {
      const [line] = readFileSync(registerPath(scratch.path), 'utf8').split('\n');
      writeFileSync(registerPath(scratch.path), `${JSON.stringify({ ...(JSON.parse(line!) as object), ...change })}\n`);
    };
    rewrite(openScratch({ root, runId: 'rebooted' }), { boot: 'earlier' });
    rewrite(openScratch({ root, runId: 'reused' }), { start: '1' });
    rewrite(openScratch({ root, runId: 'elsewhere' }), { boot: 'other', host: 'other' });
    rewrite(openScratch({ root, runId: 'container' }), { namespace: 'pid:[1]' });
    openScratch({ root, runId: 'mine' });
    const reaped = await reapAbandoned({ roots: [root] });
    expect(reaped.map(({ run }) => run)).toEqual(['rebooted', 'reused']);
  });

  test('takes a socket directory whose run is gone without it', async () => {
    const { owner, path } = await otherRun('r'.repeat(100), `console.error = () => {}; console.log(socketDirectory(scratch, scratch.server, '.s.PGSQL.5432').path);`);
    const socket = JSON.parse(readFileSync(registerPath(path), 'utf8').trimEnd().split('\n')[1]!) as { path: string };
    expect(existsSync(socket.path)).toBe(true);
    await kill9(owner);
    rmSync(path, { recursive: true });
    const reaped = await reapAbandoned({ roots: [root] });
    expect(reaped.filter((one) => one.path === socket.path).map(({ finding }) => finding.code)).toEqual(['teardown.reaped']);
    expect(existsSync(socket.path)).toBe(false);
  });
});

test('a process is known again by its start, not by its number', () => {
  expect(fateOf(thisProcess())).toBe('alive');
  expect(fateOf({ ...thisProcess(), start: '1' })).toBe('gone');
});

describe('containers on an engine that does not answer', () => {
  const silent = { kind: 'container', what: 'postgres 17', engine: 'unix:///nonexistent/docker.sock', id: '0123456789abcdef', made: true } as const;

  test('are not proven to be gone, and the note of them stays for the next run', async () => {
    const scratch = openScratch({ root, runId: 'r1' });
    scratch.register(silent);
    writeFileSync(join(scratch.work, 'dump.sql'), 'x');
    const proof = await teardown(scratch.path);
    expect(codes(proof)).toEqual(['teardown.engine-silent']);
    expect(proof.findings[0]).toMatchObject({ judged: false, facts: { engine: silent.engine, error: 'ENOENT', ids: [silent.id] } });
    expect(proof.findings[0]!.hint).toContain(`label=backup-drills.id=${silent.id}`);
    expect(proof.evidence).toMatchObject({ entriesAfter: 0, containersBefore: -1, containersAfter: -1 });
    expect(readdirSync(scratch.path)).toEqual(['register.jsonl']);
  });

  test('of a killed run keep no later drill from its verdict', async () => {
    const { owner, path } = await otherRun('dead', `scratch.register(${JSON.stringify(silent)});`);
    await kill9(owner);
    for (let run = 0; run < 2; run += 1) {
      const [reaped, ...more] = await reapAbandoned({ roots: [root], engine: silent.engine });
      expect(more).toEqual([]);
      expect(reaped!.finding).toMatchObject({ code: 'teardown.engine-still-silent', severity: 'warning' });
      expect(readdirSync(path)).toEqual(['register.jsonl']);
    }
  });
});
