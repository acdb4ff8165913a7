// The whole command, ended by force, short of room, several at once: whatever happens to it, it never calls green what it did
// not prove, never tells a value, and leaves nothing behind, if need be by way of the next run.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CommandPlace, type Running, endlessRestore, freshSet } from '../../fixtures/command.ts';
import { type SqlMutation, appendSql, changeValue } from '../../fixtures/sabotage.ts';
import { needing } from '../../fixtures/tools.ts';
import type { DrillRun } from '../run/record.ts';
import { runningProcess, runningProcesses } from '../run/register-processes.ts';
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
  // The journal first: to look through all processes again and again would slow down what is waited for.
  await expect.poll(() => here.inStep(), patience).toBe('database.restore');
  await expect.poll(() => here.servers().endless?.pid, patience).toBeDefined();
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
  const longToRead = appendSql(Buffer.concat(Array.from({ length: 1_200_000 }, () => line)).toString());
  test.each(signals)('%s in the middle of reading the dump', async (signal) => {
    freshSet(here.store, { sql: longToRead });
    here.configure({ caps: { maxRatio: 1_000_000 } });
    const running = here.drill();
    await expect.poll(() => here.inStep(), { ...patience, interval: 2 }).toBe('database.inspect');
    process.kill(running.child.pid ?? 0, signal);
    await endsInterrupted(running, signal, 'database.inspect');
    expect(outcomeOf(here.records()[0], 'database.server')).toBe('errored');
  });

  test('while the worker starts, and has told nobody that it is there', async () => {
    freshSet(here.store, { sql: endlessRestore });
    here.configure();
    const running = here.drill();
    const worker = (): boolean => runningProcesses().some((one) => one.parent === running.child.pid && one.command.includes('/workers/forks.js'));
    await expect.poll(worker, patience).toBe(true);
    expect(here.journal()).toEqual([]);
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
    here.configure();
    expect((await here.drill().ended).code).toBe(1);
    const { running, command, postmaster } = await inRestore();
    process.kill(sign * command, 'SIGKILL');
    expect((await running.ended).signal).toBe('SIGKILL');
    expect(here.records().at(-1)).toMatchObject({ ended: 'running', verdict: 'inconclusive' });
    freshSet(here.store);
    const next = await Promise.all([here.drill().ended, here.drill().ended]);
    expect(next.map(({ code }) => code)).toEqual([0, 0]);
    const [, killed, ...others] = here.records();
    expect(killed).toMatchObject({ ended: 'abandoned', verdict: 'inconclusive' });
    expect(others.map(({ ended, verdict }) => `${ended} ${verdict}`)).toEqual(['finished verified', 'finished verified']);
    expect(others.flatMap(codesOf).filter((code) => code === 'run.abandoned')).toHaveLength(1);
    expect(others.flatMap(codesOf)).toContain('teardown.reaped');
    expect(here.log().map((each) => /\((\w+)\)/.exec(each)?.[1] ?? 'finished')).toEqual(['finished', 'abandoned', 'finished', 'finished']);
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


needing('psql').describe('--keep', () => {
  test('leaves the database up until --remove; the next run tells of it, and a live run is not removed', async () => {
    freshSet(here.store);
    here.configure();
    const kept = await here.drill(['--keep']).ended;
    expect(kept.code).toBe(0);
    const [, connect = ''] = /The restored database is up: {2}(.*)\n/.exec(kept.stdout) ?? [];
    const [, removal = ''] = /npm run drill -- --remove (\S+)\n/.exec(kept.stdout) ?? [];
    const shell = (command: string) => promisify(execFile)('sh', ['-c', command], { env: { PATH: `${dirname(needing('psql').path('psql'))}:${process.env['PATH']}` } });
    expect((await shell(`${connect} -Atc 'select count(*) from clients'`)).stdout).toBe('12\n');
    await expect(shell(`${connect} -Atc 'delete from clients'`)).rejects.toThrow(/permission denied|read-only/);
    const scratch = here.records()[0]?.scratch ?? '';
    expect(statSync(join(scratch, 'work')).mode & 0o077).toBe(0);

    const next = await here.drill(['--quiet']).ended;
    expect([next.code, next.stdout.includes(`teardown.kept (run.prepare): run ${removal} was kept`)]).toEqual([0, true]);
    expect(here.records().map(({ verdict }) => verdict)).toEqual(['verified', 'verified']);
    expect(next.stdout).toContain(`--remove ${scratch}`);

    // By the directory as that hint has it; the second time there is nothing, and the words list nothing.
    expect(await here.drill(['--remove', scratch]).ended).toMatchObject({ code: 0, stdout: `removed what run ${removal} had left\n` });
    expect(await here.drill(['--remove', removal]).ended).toMatchObject({ code: 2, stdout: '', stderr: `nothing of run ${removal} is left: there is no ${scratch}\n` });

    rmSync(here.store, { recursive: true });
    const { running, command } = await inRestore();
    const live = here.records().at(-1)?.run ?? '';
    const refused = await here.drill(['--remove', live]).ended;
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(new RegExp(`^teardown\\.refused: .* is not torn down: run ${live} is still going on \\(process ${command}\\)\n`));
    expect((await here.drill(['--remove', 'r1']).ended).stderr).toContain(`; there is something of ${live}\n`);
    expect(here.servers().endless).toBeDefined();
    process.kill(command, 'SIGINT');
    await running.ended;
  });
});

describe('no room, and no right', () => {
  const record = (): DrillRun | undefined => here.records().at(-1);

  test('records/ is a file, and an earlier record is none: the drill goes on, and is no pass', async () => {
    freshSet(here.store);
    here.configure();
    mkdirSync(join(here.reports, 'out', '2001'), { recursive: true });
    writeFileSync(join(here.reports, 'out', '2001', 'record.json'), '{"format": "backup-drills/record/9"}');
    writeFileSync(join(here.reports, 'records'), '');
    const { code, stdout } = await here.drill().ended;
    expect(code).toBe(2);
    const [ours] = readdirSync(join(here.reports, 'out')).filter((name) => name !== '2001' && !name.startsWith('.'));
    const written = JSON.parse(readFileSync(join(here.reports, 'out', ours ?? '', 'record.json'), 'utf8')) as DrillRun;
    expect([written.verdict, codesOf(written)]).toEqual(['inconclusive', ['run.record-unreadable', 'run.report-unwritten']]);
    expect(stdout).toMatch(/the report .*records could not be written/);
    expect(readFileSync(join(here.reports, 'out', ours ?? '', 'junit.xml'), 'utf8')).toContain('type="run.report-unwritten"');
    expect(here.log()).toEqual([]);
  });

  test('a scratch directory that is not there', async () => {
    freshSet(here.store);
    here.configure({ scratch: join(here.root, 'not-there') });
    expect((await here.drill(['--keep']).ended).code).toBe(2);
    expect([codesOf(record()), record()?.scratch]).toEqual([['scratch.unwritable'], null]);
  });

  const mounted = (options: string, at: string): string[] => ['unshare', '--mount', 'sh', '-c', `mount -t tmpfs -o ${options} none '${at}' && exec "$@"`, 'sh'];
  needing('root', 'unshare').describe('in a small file system', () => {
    test.each([['of nothing', '1m', ['scratch.full']], ['that the server alone does not fit', '68m', ['server.start-failed']]])('scratch %s', async (_, size, codes) => {
      freshSet(here.store);
      here.configure();
      const { code } = await here.drill([], { under: mounted(`size=${size},mode=755`, here.scratch) }).ended;
      expect([code, codesOf(record()), record()?.verdict, outcomeOf(record(), 'run.teardown')]).toEqual([2, codes, 'inconclusive', 'passed']);
    });

    test('scratch from which nothing may be run', async () => {
      freshSet(here.store);
      here.configure();
      const { code, stdout } = await here.drill([], { under: mounted('noexec,mode=755', here.scratch) }).ended;
      expect([code, codesOf(record())]).toEqual([2, ['server.start-failed']]);
      expect(stdout).toContain('noexec');
    });

    test('reports that may not be written', async () => {
      freshSet(here.store);
      here.configure();
      mkdirSync(here.reports);
      const { code, stderr } = await here.drill([], { under: mounted('ro', here.reports) }).ended;
      expect([code, stderr.includes('nothing can be recorded under')]).toEqual([2, true]);
    });

    // In KB: where the first record just fits, where the journal ends in the middle of a line, where the last record does not fit.
    test.each([4, 12, 16, 20, 24, 28, 32])('reports that fill up on the way, at %i KB: torn down all the same, and no pass', async (size) => {
      freshSet(here.store);
      here.configure();
      mkdirSync(here.reports);
      const { code, stdout, stderr } = await here.drill([], { under: mounted(`size=${size}k,mode=755`, here.reports) }).ended;
      expect(code).toBe(2);
      expect(stdout + stderr).toMatch(/could not be written: ENOSPC|nothing can be recorded/);
      expect(stdout + stderr).not.toMatch(/\nverified|the harness broke|worker-died/);
    });
  });

  needing('root', 'setpriv').describe('as another user', () => {
    test('who is no root: verified, with nothing left', async () => {
      freshSet(here.store);
      here.configure();
      mkdirSync(here.reports);
      for (const path of [here.reports, here.scratch, here.temporary]) chownSync(path, 65534, 65534);
      const { code } = await here.drill([], { under: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'], env: { HOME: '/nonexistent' } }).ended;
      expect([code, record()?.operator, record()?.verdict]).toEqual([0, 'nobody', 'verified']);
      expect(record()?.steps.find((step) => step.id === 'database.server')?.evidence).toMatchObject({ runsAs: 'the user of the drill' });
    });

    test('who has no name: told by number, and by what Postgres says', async () => {
      freshSet(here.store);
      here.configure();
      mkdirSync(here.reports);
      for (const path of [here.reports, here.scratch, here.temporary]) chownSync(path, 54321, 54321);
      const { code } = await here.drill([], { under: ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups'] }).ended;
      expect([code, record()?.operator, codesOf(record())]).toEqual([2, 'uid 54321', ['server.start-failed']]);
    });
  });
});

describe('nothing secret is told anywhere', () => {
  const environment = { PGPASSWORD: 'canary-of-PGPASSWORD', AWS_SECRET_ACCESS_KEY: 'canary-of-AWS', WHATEVER: 'canary-of-the-environment' };
  /** Values of rows: the sample's own, which a healthy set has too, and those that the faults bring in. */
  const rows = ['42972451104', 'Blumenladen am Eck', 'Clínica São João', 'canary-of-a-row'];

  /** The store of a sabotaged set, encrypted; the identity in a file that a variable names. */
  async function encrypted(sql: SqlMutation | null): Promise<{ env: Record<string, string>; canaries: string[] }> {
    const plain = join(here.root, 'plain');
    const { dumpFile, manifestFile } = freshSet(plain, sql === null ? {} : { sql });
    const key = await generateKey();
    for (const file of [dumpFile, manifestFile]) await encryptFile(file, join(here.store, `${basename(file)}.age`), [key.recipient], new AbortController().signal);
    rmSync(plain, { recursive: true });
    const file = join(here.root, 'identity');
    writeFileSync(file, `# canary-of-a-comment\n${key.identity}\n`, { mode: 0o600 });
    here.configure({ keys: { identity: { env: 'DRILL_TEST_IDENTITY' } } });
    const secrets = [key.identity, key.identity.slice(15, 40), 'canary-of-a-comment', ...Object.values(environment)];
    return { env: { ...environment, DRILL_TEST_IDENTITY_FILE: file }, canaries: [...secrets, ...rows].flatMap((secret) => [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64').slice(0, -4)]) };
  }

  /** Every command line that there is while the command runs, and what is in the environment of servers. */
  function watch(running: Running): { readonly seen: Set<string>; readonly servers: () => number } {
    const seen = new Set<string>();
    let servers = 0;
    const timer = setInterval(() => {
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
          seen.add(command);
          if (!command.includes('/bin/postgres -D') || !command.includes(here.scratch)) continue;
          seen.add(readFileSync(`/proc/${pid}/environ`, 'latin1'));
          servers += 1;
        } catch {
          // Ended meanwhile.
        }
      }
    }, 25);
    void running.ended.then(() => clearInterval(timer));
    return { seen, servers: () => servers };
  }

  const failing = `check('fails on a row', async ({ db }) => { const { rows } = await db.query("select * from clients where slug = 'ramen'"); expect(rows[0].display_name).toBe('Nobody'); });`;
  test.each<[string, SqlMutation | null, number, string[]]>([
    ['a drill that passes', null, 0, []],
    ['a drill that fails', changeValue('clients', 'display_name', () => 'canary-of-a-row'), 1, ['compare.content-differs', 'check.failed']],
    ['a row that does not fit', changeValue('clients', 'created_at', () => 'canary-of-a-row'), 1, ['restore.statement-failed']],
    ['a key that stands twice', changeValue('clients', 'slug', () => 'ramen', (slug) => slug !== 'ramen'), 1, ['restore.constraint-violated']],
    ['a statement that breaks', appendSql(`INSERT INTO public.clients (slug, display_name) VALUES ('canary-of-a-row', 'canary-of-a-row'), ('canary-of-a-row', NULL);`), 1, ['restore.statement-failed']],
    ['an exception of the dump', appendSql(`CREATE FUNCTION public.tells(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'canary-of-a-row %', $1; END $$;\n\nCREATE INDEX tells ON public.clients (public.tells(display_name));`), 1, ['restore.statement-failed']],
  ])('%s', async (_, sql, expected, codes) => {
    if (expected === 1) here.check('a', failing);
    const { env, canaries } = await encrypted(sql);
    const running = here.drill(['--json'], { env });
    const { seen, servers } = watch(running);
    const { code, stdout, stderr } = await running.ended;
    expect([code, codesOf(here.records()[0])]).toEqual([expected, codes]);
    expect(servers()).toBeGreaterThan(0);
    expectUntold([stdout, stderr, ...here.reported().values(), ...seen], canaries);
  });

  test('a drill that is interrupted, and the run that finds one that was killed', async () => {
    const { env, canaries } = await encrypted(endlessRestore);
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const running = here.drill([], { env });
      const { seen, servers } = watch(running);
      await expect.poll(() => here.inStep(), patience).toBe('database.restore');
      await expect.poll(() => here.servers().endless?.pid, patience).toBeDefined();
      running.child.kill(signal);
      const { stdout, stderr } = await running.ended;
      expect(servers()).toBeGreaterThan(0);
      expectUntold([stdout, stderr, ...here.reported().values(), ...seen], canaries);
    }
    rmSync(here.store, { recursive: true });
    mkdirSync(here.store);
    const { code, stdout, stderr } = await here.drill([], { env }).ended;
    expect([code, codesOf(here.records().at(-1))]).toEqual([1, ['run.abandoned', 'teardown.reaped', 'catalog.empty']]);
    expectUntold([stdout, stderr, ...here.reported().values()], canaries);
  });

  function expectUntold(texts: readonly string[], canaries: readonly string[]): void {
    expect(texts.join('').length).toBeGreaterThan(1000);
    expect(canaries.filter((canary) => texts.some((text) => text.includes(canary)))).toEqual([]);
  }
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
