// The whole command, ended by force, short of room, several at once: whatever happens to it, it never calls green what it did
// not prove, never tells a value, and leaves nothing behind, if need be by way of the next run.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CommandPlace, type Running, endlessRestore, freshSet } from '../../fixtures/command.ts';
import { appendSql, both, changeValue } from '../../fixtures/sabotage.ts';
import { needing } from '../../fixtures/tools.ts';
import type { DrillRun } from '../run/record.ts';
import { runningProcess } from '../run/register-processes.ts';
import { encryptFile, generateKey } from '../stores/age.ts';

vi.setConfig({ testTimeout: 120_000 });
const patience = { timeout: 60_000, interval: 50 };
const base = realpathSync(mkdtempSync(join(tmpdir(), 'drill-long-')));
chmodSync(base, 0o755);
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
let here: CommandPlace;
beforeEach(() => {
  here = new CommandPlace(join(base, String(count++)));
});
afterEach(async () => {
  try {
    here.expectNothingLeft();
  } finally {
    await here.close();
  }
});

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const codesOf = (record: DrillRun | undefined): string[] => (record?.steps ?? []).flatMap((step) => step.findings.map((finding) => finding.code));
const reasonOf = (record: DrillRun | undefined, id: string): string | null | undefined => record?.steps.find((step) => step.id === id)?.reason;
const outcomeOf = (record: DrillRun | undefined, id: string): string | undefined => record?.steps.find((step) => step.id === id)?.outcome;

/** Of a drill that is in a restore that never ends: the command, its worker and the server's processes. */
async function inRestore(words: readonly string[] = []): Promise<{ running: Running; command: number; worker: number; postmaster: number; backend: number }> {
  freshSet(here.store, { sql: endlessRestore });
  here.configure();
  const running = here.drill(words);
  await expect.poll(() => here.servers().endless?.pid, patience).toBeDefined();
  expect(here.inStep()).toBe('database.restore');
  const { postmaster, endless } = here.servers();
  const worker = here.journal().find((event) => event.event === 'worker');
  return { running, command: running.child.pid ?? 0, worker: worker?.pid ?? 0, postmaster: postmaster?.pid ?? 0, backend: endless?.pid ?? 0 };
}

/** The System V segments that a process made. */
const segmentsOf = (creator: number): string[] => readFileSync('/proc/sysvipc/shm', 'utf8').split('\n').filter((line) => line.trim().split(/\s+/)[4] === String(creator));

async function endsInterrupted(running: Running, signal: string, step: string): Promise<void> {
  const { code, stdout } = await running.ended;
  expect(code).toBe(2);
  expect(stdout).toContain(`${signal}: stopping, and tearing down what is there …\n`);
  expect(stdout).toContain('Interrupted before its end: start it again.');
  const record = here.records().at(-1);
  expect(record).toMatchObject({ ended: 'interrupted', verdict: 'inconclusive' });
  expect([outcomeOf(record, step), reasonOf(record, step), outcomeOf(record, 'run.teardown')]).toEqual(['errored', 'interrupted', 'passed']);
  expect(codesOf(record)).toEqual([]);
  expect(here.log()).toEqual([expect.stringMatching(/\| inconclusive: database .* \(interrupted\) \|/)]);
}

describe('a signal', () => {
  test.each(signals)('%s in the middle of a restore', async (signal) => {
    const { running, command, postmaster } = await inRestore();
    process.kill(command, signal);
    await endsInterrupted(running, signal, 'database.restore');
    expect(segmentsOf(postmaster)).toEqual([]);
  });

  test('^C, which reaches the worker as well; in spite of --keep nothing is kept', async () => {
    const { running, command, postmaster } = await inRestore(['--keep']);
    process.kill(-command, 'SIGINT');
    process.kill(-command, 'SIGINT');
    await endsInterrupted(running, 'SIGINT', 'database.restore');
    expect((await running.ended).stdout).not.toContain('--remove');
    expect(segmentsOf(postmaster)).toEqual([]);
  });

  // A comment, so that reading the dump takes long and restoring it would not.
  const line = Buffer.from(`-- ${'x'.repeat(96)}\n`);
  const longToRead = appendSql(Buffer.concat(Array.from({ length: 2_000_000 }, () => line)).toString());
  test.each(signals)('%s in the middle of reading the dump', async (signal) => {
    freshSet(here.store, { sql: longToRead });
    here.configure({ caps: { maxRatio: 1_000_000 } });
    const running = here.drill();
    await expect.poll(() => here.inStep(), { ...patience, interval: 2 }).toBe('database.inspect');
    process.kill(running.child.pid ?? 0, signal);
    await endsInterrupted(running, signal, 'database.inspect');
    expect(outcomeOf(here.records()[0], 'database.server')).toBe('errored');
  });

  test('as soon as the worker is there', async () => {
    freshSet(here.store, { sql: endlessRestore });
    here.configure();
    const running = here.drill();
    await expect.poll(() => here.journal().length, { ...patience, interval: 2 }).toBeGreaterThan(0);
    process.kill(running.child.pid ?? 0, 'SIGTERM');
    expect((await running.ended).code).toBe(2);
    expect(here.records()).toEqual([expect.objectContaining({ ended: 'interrupted', verdict: 'inconclusive' })]);
  });

  test.each([['waits', 'await new Promise(() => {});', '"hangs" has not ended'], ['spins, and so tells nothing more', 'for (;;);', 'not run']])('ends a check that for ever %s', async (_, body, reason) => {
    freshSet(here.store);
    here.check('a', `check('hangs', async () => { expect(1).toBe(1); process.title = 'a check that hangs'; ${body} });`);
    here.configure();
    const running = here.drill();
    const worker = (): number => here.journal().find((event) => event.event === 'worker')?.pid ?? 0;
    await expect.poll(() => runningProcess(worker())?.command, patience).toBe('a check that hangs');
    await expect.poll(() => reasonOf(here.records()[0], 'check.a'), patience).toBe(reason);
    process.kill(running.child.pid ?? 0, 'SIGINT');
    expect((await running.ended).code).toBe(2);
    const [record] = here.records();
    expect(record).toMatchObject({ ended: 'interrupted', verdict: 'inconclusive' });
    expect([reasonOf(record, 'check.a'), outcomeOf(record, 'run.teardown')]).toEqual([reason, 'passed']);
  });
});

test('a reader that leaves the pipe stops nothing', async () => {
  freshSet(here.store);
  here.configure();
  const running = here.drill();
  await expect.poll(() => running.said(), patience).toContain('ok ');
  running.child.stdout?.destroy();
  running.child.stderr?.destroy();
  await once(running.child, 'exit');
  expect(running.child.exitCode).toBe(0);
  expect(here.records()).toEqual([expect.objectContaining({ ended: 'finished', verdict: 'verified' })]);
});

describe('kill -9', () => {
  test.each([['the command alone', 1], ['its whole process group', -1]])('of %s: two next runs at once log it once, remove it once, and keep the chain', async (_, sign) => {
    const { running, command, postmaster } = await inRestore();
    process.kill(sign * command, 'SIGKILL');
    expect((await running.ended).signal).toBe('SIGKILL');
    expect(here.records()).toEqual([expect.objectContaining({ ended: 'running', verdict: 'inconclusive' })]);
    freshSet(here.store);
    const next = await Promise.all([here.drill().ended, here.drill().ended]);
    expect(next.map(({ code }) => code)).toEqual([0, 0]);
    const [killed, ...others] = here.records();
    expect(killed).toMatchObject({ ended: 'abandoned', verdict: 'inconclusive' });
    expect(others.map(({ ended, verdict }) => `${ended} ${verdict}`)).toEqual(['finished verified', 'finished verified']);
    expect(others.flatMap(codesOf).filter((code) => code === 'run.abandoned')).toHaveLength(1);
    expect(others.flatMap(codesOf)).toContain('teardown.reaped');
    expect(here.log().map((each) => /\((\w+)\)/.exec(each)?.[1] ?? 'finished')).toEqual(['abandoned', 'finished', 'finished']);
    expectChain();
    expect(segmentsOf(postmaster)).toEqual([]);
  });

  test('of the worker', async () => {
    const { running, worker, postmaster } = await inRestore();
    process.kill(worker, 'SIGKILL');
    expect((await running.ended).code).toBe(2);
    const [record] = here.records();
    expect(record).toMatchObject({ ended: 'finished', verdict: 'inconclusive' });
    expect(codesOf(record)).toEqual(['run.worker-died']);
    expect(outcomeOf(record, 'database.restore')).toBe('errored');
    expect(segmentsOf(postmaster)).toEqual([]);
  });

  test('of the worker in a check', async () => {
    freshSet(here.store);
    here.check('a', `check('is killed', async () => { expect(1).toBe(1); process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); });`);
    here.check('b', `check('holds', () => { expect(1).toBe(1); });`);
    here.configure();
    expect((await here.drill().ended).code).toBe(2);
    const [record] = here.records();
    expect([codesOf(record), outcomeOf(record, 'check.a'), outcomeOf(record, 'check.b')]).toEqual([['run.worker-died'], 'errored', 'errored']);
  });

  test.each([['the postmaster', 'postmaster'], ['a backend', 'backend']] as const)('of %s', async (_, which) => {
    const found = await inRestore();
    process.kill(found[which], 'SIGKILL');
    expect((await found.running.ended).code).toBe(2);
    const [record] = here.records();
    expect(record).toMatchObject({ ended: 'finished', verdict: 'inconclusive' });
    expect([codesOf(record), outcomeOf(record, 'database.restore'), outcomeOf(record, 'run.teardown')]).toEqual([['restore.server-died'], 'errored', 'passed']);
    expect(segmentsOf(found.postmaster)).toEqual([]);
  });
});

/** Every line of the log has its committed record, which names the hash of the line before. */
function expectChain(): void {
  let before: string | null = null;
  for (const logged of here.log()) {
    const [, run, sha256 = ''] = /\| (\S+) \| ([0-9a-f]{64}) \|$/.exec(logged) ?? [];
    const text = readFileSync(join(here.reports, 'records', `${run}.json`), 'utf8');
    expect(createHash('sha256').update(text).digest('hex')).toBe(sha256);
    expect((JSON.parse(text) as DrillRun).previous).toBe(before);
    before = sha256;
  }
}
