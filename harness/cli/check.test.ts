// npm run check as an operator and a schedule start it.
import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { CommandPlace, type Ended } from '../../fixtures/command.ts';

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
  expect([unknown.code, unknown.stderr.trim()]).toEqual([2, "no check is named 'retentoin'; there is: retention"]);
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
