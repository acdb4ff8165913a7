// The whole command, as it is typed: what it prints, how it exits and what it leaves. What takes long, or ends it by force,
// is in drill.long.test.ts.
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, test } from 'vitest';
import { CommandPlace, freshSet } from '../../fixtures/command.ts';
import { truncate } from '../../fixtures/sabotage.ts';
import { needing } from '../../fixtures/tools.ts';
import { recordSchema } from '../run/record.ts';

const checkout = join(import.meta.dirname, '..', '..');
const base = realpathSync(mkdtempSync(join(tmpdir(), 'drill-')));
chmodSync(base, 0o755);
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const place = (): CommandPlace => new CommandPlace(join(base, String(count++)), true);
const day = 24 * 3_600_000;
const patience = 60_000;
const escape = '\u001B';

describe('what is typed wrongly ends before anything is made', () => {
  test.concurrent('--help says what there is, and the exit codes', async ({ expect }) => {
    const here = place();
    const { code, stdout, stderr } = await here.start(['--help']).ended;
    expect([code, stderr]).toEqual([0, '']);
    for (const word of ['--store', '--date', '--random-older', '--seed', '--live', '--real', '--keep', '--remove', '--json', '--quiet', 'Exit codes: 0 verified, 1 unverified, 2 inconclusive']) expect(stdout).toContain(word);
  });

  test.concurrent.for<[string, string[], RegExp]>([
    ['an unknown option', ['--stroe', '/x'], /unknown option '--stroe'[\s\S]*did you mean --store/i],
    ['a seed for nothing', ['--seed', 'x'], /--seed goes with --random-older/],
    ['a date and a random one', ['--date', '2026-11-24', '--random-older'], /--date and --random-older exclude each other/],
    ['two places', ['--store', '/x', '--from', 'local'], /--store and --from exclude each other/],
    ['a store that is not configured', ['--from', 'offsite'], /no store is named 'offsite'; there are: local/],
    ['to remove a run that never was', ['--remove', 'r1'], /nothing of run r1 is left: there is no .*backup-drills-r1/],
    ['to remove what is no scratch directory', ['--remove', '/etc'], /teardown\.refused: \/etc is not torn down/],
  ])('%s', async ([, words, complaint], { expect }) => {
    const here = place();
    here.configure();
    const { code, stdout, stderr } = await here.drill(words).ended;
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(complaint);
    expect(existsSync(here.reports)).toBe(false);
    here.expectNothingLeft();
  });

  test.concurrent.for<[string, string[], RegExp]>([
    ['--real', ['--real'], /--real refuses to rehearse: .*drill\.config\.ts names no stores/],
    ['a date', ['--date', '2026-11-24'], /a rehearsal has one set/],
    ['a random one', ['--random-older'], /a rehearsal has one set/],
    ['a store by name', ['--from', 'local'], /no store is named 'local'; none is configured/],
  ])('a rehearsal refuses %s', async ([, words, complaint], { expect }) => {
    const here = place();
    here.configure({ stores: undefined });
    const { code, stdout, stderr } = await here.drill(words).ended;
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(complaint);
    expect(existsSync(here.reports)).toBe(false);
  });

  test.concurrent.for<[string, string | null, readonly RegExp[]]>([
    ['every error at once', `export default { application: 'a', database: { name: 'x', roll: 'y' }, stores: [], cadence: 'daily', reports: '~/r' };`, [/: 4 errors in the configuration/, /database\.roll/, /stores is empty/, /cadence/, /reports is "~\/r"/]],
    ['a file that is not there', null, [/drill\.config\.ts: 1 error.*\n.*does not exist/]],
    ['a file that does not parse', 'export default {', [/could not be loaded/]],
    ['a file that throws', `throw new Error('the reason');`, [/could not be loaded: the reason/]],
    ['a variable that is not set', `export default { application: 'a', database: { name: 'x', role: 'y' }, stores: [{ name: 'local', kind: 'directory', path: { env: 'DRILL_TEST_UNSET' } }], keys: { identity: { env: 'DRILL_TEST_UNSET_KEY' } } };`, [/2 errors/, /takes DRILL_TEST_UNSET from the environment, where it is not set/, /DRILL_TEST_UNSET_KEY/]],
  ])('configuration: %s', async ([, text, complaints], { expect }) => {
    const here = place();
    if (text !== null) here.write(text);
    const { code, stdout, stderr } = await here.drill().ended;
    expect([code, stdout]).toEqual([2, '']);
    for (const complaint of complaints) expect(stderr).toMatch(complaint);
    expect(stderr).not.toMatch(/\n\s+at |The harness itself broke/);
  });
});

describe('which set', () => {
  test.concurrent('the newest, when it is too old', async ({ expect }) => {
    const here = place();
    freshSet(here.store, {}, 3 * day);
    here.configure();
    const { code, stdout } = await here.drill().ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/error select\.stale: the newest backup set .* is 3 days old/);
    expect(here.records().map(({ kind, verdict, ended }) => ({ kind, verdict, ended }))).toEqual([{ kind: 'drill', verdict: 'unverified', ended: 'finished' }]);
    here.expectNothingLeft();
  });

  test.concurrent('a date; a date that has none; a random older one, the same for the same seed', async ({ expect }) => {
    const here = place();
    // Cut, so that each drill ends once it has chosen.
    const ids = [0, 1, 2, 3].map((age) => basename(freshSet(here.store, { dumpFile: truncate(0.5), rebind: false }, age * day + 3_600_000).dumpFile).slice(3, 13)).toSorted();
    here.configure();
    const chosen = async (...words: string[]): Promise<[number | null, unknown, unknown]> => {
      const { code, stdout } = await here.drill(['--json', ...words]).ended;
      const evidence = recordSchema.parse(JSON.parse(stdout)).steps.find((step) => step.id === 'database.select')?.evidence;
      return [code, evidence?.['set'], evidence?.['seed']];
    };
    expect(await chosen('--date', ids[1] ?? '')).toEqual([1, ids[1], null]);
    const none = await here.drill(['--date', '2001-01-01']).ended;
    expect([none.code, none.stdout.includes('there is no backup set of 2001-01-01; the nearest:')]).toEqual([2, true]);
    const [code, set, seed] = await chosen('--random-older');
    expect([code, ids.slice(0, -1).includes(String(set))]).toEqual([1, true]);
    expect(await chosen('--random-older', '--seed', String(seed))).toEqual([1, set, seed]);
    here.expectNothingLeft();
  }, patience);
});

test.concurrent('--json: the record on stdout and nothing else, whatever a check prints; --store without a manifest of where', async ({ expect }) => {
  const here = place();
  freshSet(here.store);
  here.check('prints', `check('prints', async ({ db }) => { process.stdout.write('NOISE'); console.log('NOISE'); const { rows } = await db.query('select count(*) from clients'); expect(rows[0].count).toBe('12'); });`);
  here.configure({ stores: undefined });
  const { code, stdout, stderr } = await here.drill(['--json', '--real', '--trigger', 'schedule', '--store', here.store]).ended;
  expect(code).toBe(0);
  const record = recordSchema.parse(JSON.parse(stdout));
  expect(here.records()).toEqual([record]);
  expect(record).toMatchObject({ kind: 'drill', trigger: 'schedule', verdict: 'verified', ended: 'finished', clock: { shiftMs: 0 }, previous: null });
  expect(record.steps.filter((step) => step.outcome !== 'passed' || step.evidence === null)).toEqual([]);
  expect(stderr).toContain('verified: database · not covered: media, audit, ledger, recovery key');
  expect(stdout + stderr).not.toContain('NOISE');
  // One line, with the hash of the record that git keeps.
  const committed = readFileSync(join(here.reports, 'records', `${record.run}.json`));
  expect(committed.equals(readFileSync(join(here.reports, 'out', record.run, 'record.json')))).toBe(true);
  expect(here.log()).toEqual([expect.stringMatching(new RegExp(`\\| verified: database .* \\| ${record.run} \\| ${createHash('sha256').update(committed).digest('hex')} \\|$`))]);
  expect(readFileSync(join(here.reports, 'out', record.run, 'junit.xml'), 'utf8')).toMatch(/failures="0" errors="0" skipped="0"/);
  here.expectNothingLeft();
}, patience);

test.concurrent('--quiet prints the end only; not on a terminal there is neither colour nor a moving line', async ({ expect }) => {
  const here = place();
  here.configure();
  const loud = await here.drill().ended;
  const quiet = await here.drill(['--quiet']).ended;
  expect([loud.code, quiet.code, loud.stderr, quiet.stderr]).toEqual([1, 1, '', '']);
  expect(loud.stdout).toMatch(/^drill of whatsapp-mcp · run [\s\S]*\nok {3}open the store[\s\S]*\nFAIL read the catalog/);
  expect(quiet.stdout).toMatch(/^\nunverified: database/);
  expect(quiet.stdout).toContain('catalog.empty (database.catalog)');
  expect(loud.stdout + quiet.stdout).not.toMatch(/[\u001B\r]/);
});

needing('script').describe('on a terminal', () => {
  test.concurrent('there is colour, and with NO_COLOR none', async ({ expect }) => {
    const here = place();
    here.configure();
    const typed = [process.execPath, join(checkout, 'harness', 'enter.mjs'), 'drill', '--config', here.config].join(' ');
    const on = async (env: Record<string, string>): Promise<string> => (await promisify(execFile)('script', ['-qc', typed, '/dev/null'], { env: { PATH: process.env['PATH'], TMPDIR: here.temporary, TERM: 'xterm', ...env } })).stdout;
    expect(await on({})).toMatch(/\u001B\[31munverified/);
    expect(await on({ NO_COLOR: '1' })).not.toContain(escape);
  });
});

needing('git').describe('on a bare checkout', () => {
  test.concurrent('a rehearsal is verified, says that it is none of your backups, and leaves git nothing to see', async ({ expect }) => {
    const here = place();
    const own = join(here.root, 'a checkout – mine');
    cpSync(checkout, own, { recursive: true, filter: (from) => !/\/(?:node_modules|\.git|reports)$/.test(from) });
    symlinkSync(join(checkout, 'node_modules'), join(own, 'node_modules'));
    const git = (...words: string[]): string => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...words], { cwd: own, encoding: 'utf8' });
    git('init', '-q');
    git('add', '--all');
    git('commit', '-qm', 'as cloned');
    const { code, stdout, stderr } = await here.start([], { checkout: own }).ended;
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^rehearsal of whatsapp-mcp · run .*\nSample data, and a clock set to .* UTC: this proves the harness, none of your backups\.\n/);
    expect(stdout).toMatch(/\nverified: database · not covered: [^\n]*\nrehearsal · set \d{4}-\d\d-\d\d · snapshot 4 h 0 min old/);
    for (const next of ['1. stores', '2. keys', '3. expected', '--store /path/to/backups', 'record   reports/out/', 'log      reports/out/rehearsals.md']) expect(stdout).toContain(next);
    expect(git('status', '--porcelain')).toBe('');
    expect(readFileSync(join(own, 'reports', 'out', 'rehearsals.md'), 'utf8')).toContain('| verified: database');
    here.expectNothingLeft();
  }, patience);
});

describe('a report that cannot be written is never a pass', () => {
  test.concurrent('reports is a file: nothing is begun', async ({ expect }) => {
    const here = place();
    freshSet(here.store);
    here.configure();
    writeFileSync(here.reports, '');
    const { code, stderr } = await here.drill().ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/^inconclusive: nothing can be recorded under .*reports \(ENOTDIR\)\. .* set reports in .*drill\.config\.ts\.\n$/);
    here.expectNothingLeft();
  });

  test.concurrent('the drill log is a directory: record and JUnit take the pass back', async ({ expect }) => {
    const here = place();
    freshSet(here.store);
    here.configure();
    mkdirSync(join(here.reports, 'backup-drills.md'), { recursive: true });
    const { code, stdout } = await here.drill().ended;
    expect(code).toBe(2);
    expect(stdout).toMatch(/\ninconclusive: database[\s\S]*run\.report-unwritten \(run\.report\): the report .*backup-drills\.md could not be written: EISDIR/);
    const [record] = here.records();
    expect(record).toMatchObject({ verdict: 'inconclusive', ended: 'finished' });
    expect(record?.steps.filter((step) => step.outcome !== 'passed').map((step) => step.findings.map((finding) => finding.code))).toEqual([['run.report-unwritten']]);
    expect(readFileSync(join(here.reports, 'out', record?.run ?? '', 'junit.xml'), 'utf8')).toContain('type="run.report-unwritten"');
    expect(existsSync(join(here.reports, 'records', `${record?.run}.json`))).toBe(false);
    here.expectNothingLeft();
  }, patience);
});

test.concurrent('checks of an operator, good and bad: none of them stops another, no value of a row is told, and no name of theirs breaks a report', async ({ expect }) => {
  const here = place();
  freshSet(here.store);
  here.check('a', `check('holds', async ({ db, now }) => { const { rows } = await db.query('select count(*) from clients where created_at < $1', [now]); expect(rows[0].count).toBe('12'); });`);
  here.check('b', `
    const phone = async (db) => (await db.query("select phone from clients where slug = 'ramen'")).rows[0].phone;
    check('fails on a text', async ({ db }) => { expect(await phone(db)).toBe('+15551234567'); });
    check('fails on digits', async ({ db }) => { expect(Number(await phone(db))).toBe(15551234567); });
    check('fails on an object', async ({ db }) => { expect({ phone: await phone(db) }).toEqual({ phone: null }); });
    check('parses what is no JSON', async ({ db }) => { JSON.parse(await phone(db)); });
    check('says it itself', async ({ db }) => { throw new Error(await phone(db)); });
    check('asks wrongly', async ({ db }) => { await db.query("select phone::uuid from clients where slug = 'ramen'"); });
    check('writes', async ({ db }) => { await db.query("update clients set phone = '1'"); });
    check('prints', async ({ db }) => { console.error(await phone(db)); expect(1).toBe(1); });`);
  here.check('c', `check('exits', async () => { process.exit(0); });`);
  here.check('d', `check(']]><script>\\u001B[31m\\n| forged | verified | "\\u202E', () => { expect(1).toBe(2); });`);
  here.check('e', `throw new TypeError('at import');`);
  here.check('f', `check('throws beside', async ({ db }) => { void db.query('select 1/0'); await db.query('select 1'); expect(1).toBe(1); });`);
  // Another file of the same name, for which there is no second id.
  mkdirSync(join(here.checks, 'more'));
  writeFileSync(join(here.checks, 'more', 'a.check.ts'), readFileSync(join(here.checks, 'a.check.ts')));
  here.configure({ checks: [join(here.checks, '**/*.check.ts')] });
  const { code, stdout, stderr } = await here.drill().ended;
  expect(code).toBe(1);
  const [record] = here.records();
  const told = (record?.steps ?? []).filter((step) => step.id.startsWith('check.')).map((step) => `${step.id} ${step.outcome} ${step.findings.map((finding) => finding.code).join()}`.trim());
  expect(told).toEqual([
    'check.a.holds passed',
    'check.b.fails-on-a-text failed check.failed', 'check.b.fails-on-digits failed check.failed', 'check.b.fails-on-an-object failed check.failed',
    'check.b.parses-what-is-no-json errored check.broken', 'check.b.says-it-itself errored check.broken', 'check.b.asks-wrongly errored check.broken', 'check.b.writes errored check.broken', 'check.b.prints passed',
    'check.c.exits errored check.broken',
    'check.d.script-31m-forged-verified failed check.failed',
    'check.e errored check.not-loaded',
    'check.f.throws-beside passed',
    'check.a-2.holds passed',
    'check.loose-error errored check.loose-error',
  ]);
  const everything = [stdout, stderr, ...here.reported().values()].join('\n');
  expect(everything).toContain('SQLSTATE 22P02');
  // The sample's own number of that client.
  expect(everything).not.toContain('42972451104');
  expect(stdout).not.toMatch(/[\u001B\u202E]/);
  expect(here.log()).toHaveLength(1);
  here.expectNothingLeft();
}, patience);
