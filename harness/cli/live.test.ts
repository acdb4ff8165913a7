// npm run drill -- --live as it is typed, with the real script on real tools. What ends it by force is in live.long.test.ts.
import { chmodSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, describe, test } from 'vitest';
import { CommandPlace, freshSet } from '../../fixtures/command.ts';
import { needing } from '../../fixtures/tools.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'live-')));
chmodSync(base, 0o755);
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const place = (): CommandPlace => new CommandPlace(join(base, String(count++)), true);
const patience = 120_000;
const tables = (minRows: number): object => ({ tables: [{ name: 'clients', minRows: 1 }, { name: 'messages', minRows, newest: 'created_at', maxAge: '1h' }, { name: 'audit_events', newest: 'at', maxAge: '1h' }] });

describe('what does not go with --live is said before anything is made', () => {
  test.concurrent.for<[string, string[], boolean, RegExp]>([
    ['--real', ['--real'], false, /--live and --real exclude each other/],
    ['--store', ['--store', '/x'], false, /--live and --store exclude each other/],
    ['configured stores', [], true, /--live rehearses on a sample database, and .*drill\.config\.ts names stores/],
    ['a date', ['--date', '2026-11-24'], false, /a rehearsal has one set/],
  ])('%s', async ([, words, stores, complaint], { expect }) => {
    const here = place();
    if (stores) freshSet(here.store);
    here.configure(stores ? {} : { stores: undefined });
    const { code, stdout, stderr } = await here.drill(['--live', ...words]).ended;
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(complaint);
    expect(existsSync(here.reports)).toBe(false);
    here.expectNothingLeft();
  });
});

const newest = needing('psql18', 'pg_dump18', 'pg_dumpall18', 'embedded Postgres 18', 'bash', 'setpriv');
newest.describe('with the newest tools', () => {
  const env = (): { PATH: string } => ({ PATH: [dirname(newest.path('pg_dump18')), process.env['PATH']].join(delimiter) });

  test.concurrent('a backup beside an application at work is verified, and the run says what it was', async ({ expect }) => {
    const here = place();
    here.configure({ stores: undefined, expected: tables(50_000) });
    const { code, stdout, stderr } = await here.drill(['--live'], { env: env() }).ended;
    expect([code, stderr], stdout).toEqual([0, '']);
    expect(stdout).toMatch(/^rehearsal of whatsapp-mcp · run .*\nlive rehearsal: the sample database under write load, backed up by ops\/backups\/backup-db\.sh: this proves the script and the harness, none of your backups\.\n/);
    const [record] = here.records();
    expect(record).toMatchObject({ kind: 'rehearsal', verdict: 'verified', clock: { shiftMs: 0 } });
    expect(record?.steps.filter((step) => step.outcome !== 'passed' || step.findings.length > 0).map(({ id, findings }) => ({ id, findings }))).toEqual([]);
    const backup = record?.steps.find((step) => step.id === 'run.backup');
    expect(backup).toMatchObject({ title: expect.stringMatching(/^live rehearsal: /), evidence: { ended: 'exit code 0', connections: 4, said: expect.arrayContaining([expect.stringMatching(/ended exit=0/)]) } });
    const { writtenDuringDump, written } = (backup?.evidence ?? {}) as Record<string, Record<string, number>>;
    for (const kind of ['transactions', 'inserted', 'updated', 'deleted', 'drawn']) {
      expect(writtenDuringDump?.[kind], kind).toBeGreaterThan(0);
      expect(written?.[kind], kind).toBeGreaterThan(writtenDuringDump?.[kind] ?? 0);
    }
    expect(existsSync(join(here.reports, 'backup-drills.md'))).toBe(false);
    here.expectNothingLeft();
  }, patience);

  test.concurrent('what the drill expects the script requires: it refuses a database without, in words that the run repeats', async ({ expect }) => {
    const here = place();
    here.configure({ stores: undefined, expected: tables(999_999_999) });
    const { code, stdout } = await here.drill(['--live'], { env: env() }).ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/live\.refused \(run\.backup\): ops\/backups\/backup-db\.sh refused to take the backup: problem too-few-rows: public\.messages holds 50\d+ rows; REQUIRED_TABLES asks for 999999999; refused too-few-rows: /);
    const [record] = here.records();
    expect(record?.verdict).toBe('unverified');
    const backup = record?.steps.find((step) => step.id === 'run.backup');
    expect(backup).toMatchObject({ outcome: 'failed', evidence: { ended: 'exit code 1', set: null } });
    expect(record?.steps.find((step) => step.id === 'run.publish')).toMatchObject({ outcome: 'skipped' });
    here.expectNothingLeft();
  }, patience);
});

// The psql of Debian's own is a wrapper, which another package puts on PATH.
needing('psql15', 'pg_dump15', 'embedded Postgres 15', 'bash', 'setpriv').test('with older tools: a server of their own major', async () => {
  const { expect } = await import('vitest');
  const here = new CommandPlace(join(base, String(count++)), true);
  here.configure({ stores: undefined });
  const { code, stdout } = await here.drill(['--live'], { env: { PATH: dirname(needing('pg_dump15').path('pg_dump15')) + delimiter + '/usr/bin:/bin' } }).ended;
  expect(code, stdout).toBe(0);
  expect(here.records()[0]?.steps.find((step) => step.id === 'run.sample')?.evidence).toMatchObject({ server: { version: expect.stringMatching(/^15\./) as unknown } });
  here.expectNothingLeft();
}, patience);

needing('root', 'unshare').test('on a machine without psql and pg_dump: inconclusive, and one sentence on what to install', async () => {
  const { expect } = await import('vitest');
  const here = new CommandPlace(join(base, String(count++)), true);
  here.configure({ stores: undefined });
  const hide = '[ ! -d /usr/lib/postgresql ] || mount -t tmpfs none /usr/lib/postgresql; exec "$@"';
  const { code, stdout } = await here.drill(['--live'], { env: { PATH: here.temporary }, under: ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', `PATH=/usr/bin:/bin; ${hide.replace('exec', `PATH='${here.temporary}'; exec`)}`, 'sh'] }).ended;
  expect(code, stdout).toBe(2);
  expect(stdout).toMatch(/live\.tools-missing \(run\.sample\): .*there are none\n *Install the client programs of Postgres 18 [^\n]*\.\n/);
  expect(here.records()).toEqual([expect.objectContaining({ kind: 'rehearsal', verdict: 'inconclusive', ended: 'finished' })]);
  here.expectNothingLeft();
}, patience);
