// npm run drill -- --live, ended by force while pg_dump runs: nothing of server, script, load and sets is left, if need be by way
// of the next run.
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CommandPlace, type Running } from '../../fixtures/command.ts';
import { needing } from '../../fixtures/tools.ts';
import type { DrillRun, RecordedStep } from '../run/record.ts';
import { lies, type RunningProcess, runningProcesses } from '../run/register-processes.ts';

vi.setConfig({ testTimeout: 120_000 });
const patience = { timeout: 60_000, interval: 50 };
const base = realpathSync(mkdtempSync(join(tmpdir(), 'live-long-')));
chmodSync(base, 0o755);
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
let here: CommandPlace;
beforeEach(() => {
  here = new CommandPlace(join(base, String(count++)));
  here.configure({ stores: undefined });
});
afterEach(async () => {
  try {
    here.expectNothingLeft();
  } finally {
    await here.close();
  }
});

const stepOf = (record: DrillRun | undefined, id: string): RecordedStep | undefined => record?.steps.find((step) => step.id === id);
const codesOf = (record: DrillRun | undefined): string[] => (record?.steps ?? []).flatMap((step) => step.findings.map((finding) => finding.code));

const tools = needing('psql18', 'pg_dump18', 'pg_dumpall18', 'embedded Postgres 18', 'bash', 'setpriv');
tools.describe('in the middle of the backup', () => {
  const path = (directory: string): { PATH: string } => ({ PATH: [directory, process.env['PATH']].join(delimiter) });

  /** The real programs, but for a pg_dump that connects to nothing and never ends. */
  function endlessTools(): string {
    const directory = join(here.root, 'tools');
    mkdirSync(directory);
    for (const name of ['psql', 'pg_dump', 'pg_dumpall'] as const) {
      const real = `exec '${tools.path(`${name}18`)}' "$@"`;
      writeFileSync(join(directory, name), `#!/bin/sh\n${name === 'pg_dump' ? `[ "$1" = --version ] || exec sleep 86400\n` : ''}${real}\n`, { mode: 0o755 });
    }
    return directory;
  }

  interface Met {
    readonly running: Running;
    readonly command: number;
    /** The script, its pg_dump, and the postmaster of the sample. */
    readonly script: number;
    readonly dump: number;
    readonly postmaster: number;
  }

  async function inBackup(): Promise<Met> {
    const running = here.drill(['--live'], { env: path(endlessTools()) });
    await expect.poll(() => here.inStep(), patience).toBe('run.backup');
    const of = (matches: (one: RunningProcess) => boolean): RunningProcess | undefined => runningProcesses().find((one) => !one.zombie && lies(one.directory, here.scratch) && matches(one));
    await expect.poll(() => of((one) => one.command === 'sleep 86400')?.pid, patience).toBeDefined();
    const worker = here.journal().find((event) => event.event === 'worker')?.pid ?? 0;
    const [dump, script] = [of((one) => one.command === 'sleep 86400'), of((one) => one.parent === worker && one.command.includes('backup-db.sh'))];
    expect(script).toBeDefined();
    return { running, command: running.child.pid ?? 0, script: script?.pid ?? 0, dump: dump?.pid ?? 0, postmaster: here.servers().postmaster?.pid ?? 0 };
  }

  /** Each was there, and none is. */
  function allGone({ script, dump, postmaster }: Met): void {
    expect(Math.min(script, dump, postmaster)).toBeGreaterThan(0);
    expect(runningProcesses().filter((one) => !one.zombie && [script, dump, postmaster].includes(one.pid))).toEqual([]);
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('%s: interrupted, and proven to be gone', async (signal) => {
    const met = await inBackup();
    process.kill(met.command, signal);
    const { code, stdout } = await met.running.ended;
    expect(code).toBe(2);
    expect(stdout).toContain(`${signal}: stopping, and tearing down what is there …\n`);
    const [record] = here.records();
    expect(record).toMatchObject({ kind: 'rehearsal', ended: 'interrupted', verdict: 'inconclusive' });
    expect([stepOf(record, 'run.backup')?.reason, stepOf(record, 'run.teardown')?.outcome]).toEqual(['interrupted', 'passed']);
    expect(stepOf(record, 'run.teardown')?.evidence).toMatchObject({ processesAfter: 0, entriesAfter: 0 });
    expect(stepOf(record, 'run.teardown')?.evidence?.['processesBefore']).toBeGreaterThan(3);
    allGone(met);
  });

  test('^C, which reaches worker and script as well', async () => {
    const met = await inBackup();
    process.kill(-met.command, 'SIGINT');
    expect((await met.running.ended).code).toBe(2);
    expect(here.records()).toEqual([expect.objectContaining({ ended: 'interrupted', verdict: 'inconclusive' })]);
    allGone(met);
  });

  test.each([['the command alone', 1], ['its whole process group', -1]])('kill -9 of %s: the next run removes what is left, and is verified itself', async (_, sign) => {
    const met = await inBackup();
    process.kill(sign * met.command, 'SIGKILL');
    expect((await met.running.ended).signal).toBe('SIGKILL');
    expect(here.records()).toEqual([expect.objectContaining({ ended: 'running', verdict: 'inconclusive' })]);
    const next = await here.drill(['--live'], { env: path(dirname(tools.path('pg_dump18'))) }).ended;
    expect(next.code, next.stdout).toBe(0);
    const [killed, record] = here.records();
    expect([killed?.ended, record?.verdict, codesOf(record).toSorted()]).toEqual(['abandoned', 'verified', ['run.abandoned', 'teardown.reaped']]);
    allGone(met);
  });

  test('kill -9 of the script: not judged, its pg_dump ends with it, and the rest is torn down', async () => {
    const met = await inBackup();
    process.kill(met.script, 'SIGKILL');
    const { code, stdout } = await met.running.ended;
    expect(code).toBe(2);
    expect(stdout).toMatch(/live\.broken \(run\.backup\): ops\/backups\/backup-db\.sh could not take the backup and ended with SIGKILL/);
    const [record] = here.records();
    expect(record).toMatchObject({ ended: 'finished', verdict: 'inconclusive' });
    expect(stepOf(record, 'run.backup')).toMatchObject({ outcome: 'errored', evidence: { ended: 'SIGKILL', set: null } });
    expect(stepOf(record, 'run.backup')?.evidence?.['said']).toContainEqual(expect.stringMatching(/ dump begins$/));
    expect(stepOf(record, 'run.publish')?.outcome).toBe('skipped');
    allGone(met);
  });

  test('the database stops: the server is told, not the script', async () => {
    const met = await inBackup();
    process.kill(met.postmaster, 'SIGQUIT');
    process.kill(met.dump, 'SIGTERM');
    expect((await met.running.ended).code).toBe(2);
    const [record] = here.records();
    expect([record?.verdict, codesOf(record)]).toEqual(['inconclusive', ['server.died']]);
    allGone(met);
  });
});
