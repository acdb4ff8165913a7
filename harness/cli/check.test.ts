// npm run check as an operator and a schedule start it.
import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { CommandPlace, type Ended } from '../../fixtures/command.ts';
import { startOurs } from '../../fixtures/object-stores.ts';
import type { DrillRun } from '../run/record.ts';
import { normaliseS3 } from '../stores/config.ts';
import { s3Publisher } from '../stores/publish-s3.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'check-')));
chmodSync(base, 0o755);
afterAll(() => rmSync(base, { recursive: true, force: true }));
const places: CommandPlace[] = [];
afterEach(async () => {
  for (const place of places.splice(0)) await place.close();
});

function place(config: Record<string, unknown> = {}): CommandPlace {
  const here = new CommandPlace(mkdtempSync(join(base, 'place-')), true);
  here.configure({ checks: [], retention: { daily: 5, monthly: 1, since: day(4) }, ...config });
  places.push(here);
  return here;
}
const check = async (here: CommandPlace, ...words: string[]): Promise<Ended> => here.start(['--config', here.config, ...words], { command: 'check' }).ended;
const day = (back: number): string => new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);
const put = (here: CommandPlace, ...backs: number[]): void => {
  for (const back of backs) for (const suffix of ['sql.gz.age', 'manifest.json.age']) writeFileSync(join(here.store, `db-${day(back)}.${suffix}`), 'not read');
};

test('what is retained is verified by its names alone, recorded and logged; what is missing is 1, and named', async () => {
  const here = place();
  put(here, 0, 1, 2, 3, 4);
  for (const words of [['retention'], []]) {
    const ended = await check(here, ...words);
    expect([ended.code, ended.stderr], ended.stdout).toEqual([0, '']);
    expect(ended.stdout).toContain('verified: retained sets by name and size · not covered: content, restore');
  }
  rmSync(join(here.store, `db-${day(2)}.manifest.json.age`));
  const ended = await check(here, 'retention');
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain(`retention.day-missing: 1 of the last 5 days has no whole set: ${day(2)}`);
  const records = here.records();
  expect(records.map(({ kind, verdict }) => `${kind} ${verdict}`).sort()).toEqual(['check unverified', 'check verified', 'check verified']);
  expect(readFileSync(join(here.reports, 'backup-checks.md'), 'utf8').split('\n').filter((line) => /^\| \d{4}-/.test(line))).toHaveLength(3);
  expect(readFileSync(join(here.reports, 'out', records.find(({ verdict }) => verdict === 'unverified')!.run, 'junit.xml'), 'utf8')).toContain('retention.day-missing');
  here.expectNothingLeft();
}, 60_000);

test('what stands in the way is 2: no store, a name that is no check, no stores, no retention', async () => {
  const here = place();
  rmSync(here.store, { recursive: true });
  const gone = await check(here, 'retention');
  expect([gone.code, gone.stdout.includes('store.missing')]).toEqual([2, true]);
  const unknown = await check(here, 'retentoin');
  expect([unknown.code, unknown.stderr.trim()]).toEqual([2, "no check is named 'retentoin'; there are: retention, ledger, store"]);
  const schema = await check(here, 'schema');
  expect(schema.stderr).toContain('npm run check:schema');
  here.configure({ checks: [], stores: undefined });
  const sample = await check(here);
  expect([sample.code, sample.stderr.includes('--store DIR')]).toEqual([2, true]);
  here.configure({ checks: [] });
  const nothing = await check(here);
  expect([nothing.code, nothing.stderr.includes('retention: { daily: 30, monthly: 12 }')]).toEqual([2, true]);
  expect(existsSync(join(here.reports, 'records'))).toBe(false);
}, 60_000);

test('of a bucket by its name, with a credential that can only list and read, and without a key; nothing in it changes', async () => {
  const ours = await startOurs('backups');
  try {
    const bucket = { name: 'offsite', kind: 's3' as const, endpoint: ours.endpoint, bucket: 'backups', prefix: 'nightly', accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'KEY' } };
    const publisher = s3Publisher(normaliseS3(bucket), ours.writer);
    const bytes = async function* (): AsyncGenerator<Uint8Array> { yield Buffer.from('not read'); };
    for (const back of [0, 1, 3, 4]) for (const suffix of ['sql.gz.age', 'manifest.json.age']) await publisher.put(`db-${day(back)}.${suffix}`, bytes(), new AbortController().signal);
    const before = ours.changes();
    const here = place({ stores: [{ name: 'local', kind: 'directory', path: '/nonexistent' }, bucket] });
    const from = async (secret: string): Promise<Ended> => here.start(['--config', here.config, 'retention', '--from', 'offsite', '--json'], { command: 'check', env: { ID: ours.reader.accessKeyId, KEY: secret } }).ended;
    const ended = await from(ours.reader.secretAccessKey);
    expect(ended.code, ended.stderr).toBe(1);
    const { verdict, steps } = JSON.parse(ended.stdout) as DrillRun;
    expect([verdict, steps.flatMap(({ findings }) => findings.filter(({ severity }) => severity === 'error').map(({ message }) => message))]).toEqual(['unverified', [`1 of the last 5 days has no whole set: ${day(2)}`]]);
    const denied = await from('x'.repeat(40));
    expect(denied.code).toBe(2);
    expect((JSON.parse(denied.stdout) as DrillRun).steps.flatMap(({ findings }) => findings.map(({ code }) => code))).toContain('store.wrong-secret');
    expect(ours.changes()).toBe(before);
    here.expectNothingLeft();
  } finally {
    await ours.close();
  }
}, 60_000);

test('a beginning that is still to come is 2, and no pass', async () => {
  const here = place({ retention: { daily: 5, monthly: 1, since: day(-400) } });
  put(here, 0);
  const ended = await check(here, 'retention');
  expect([ended.code, ended.stdout.includes('retention.since-future')], ended.stdout).toEqual([2, true]);
  here.expectNothingLeft();
}, 60_000);
