// The fault catalogue, on whole drills: the healthy unit passes; each fault raises the codes named for it and no other.
// The numbers are those of the catalogue that the project was planned with; the rest are our own.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { type DrillOnce, drillOnce } from '../../fixtures/drill.ts';
import * as break_ from '../../fixtures/sabotage.ts';
import { sampleUnit } from '../../fixtures/sample/unit.ts';
import type { Config } from '../config/schema.ts';
import { encryptFile, generateKey } from '../stores/age.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'faults-')));
chmodSync(base, 0o755); // as root the servers run as nobody, who must get past it
afterAll(() => rmSync(base, { recursive: true, force: true }));
const sample = sampleUnit();
const hours = 3_600_000;
const morning = new Date(sample.snapshotAt.getTime() + 4 * hours);
const never = new AbortController().signal;

let count = 0;
function directory(): string {
  count += 1;
  const made = join(base, `store-${count}`);
  mkdirSync(made);
  return made;
}
const drill = async (store: string, options: Partial<DrillOnce> = {}) => drillOnce({ directory: store, root: join(base, 'scratch'), now: morning, ...options });

function healthy(): string {
  const store = directory();
  copyFileSync(sample.dumpFile, join(store, `db-${sample.id}.sql.gz`));
  copyFileSync(sample.manifestFile, join(store, `db-${sample.id}.manifest.json`));
  return store;
}
function broken(what: break_.Sabotage): string {
  const store = directory();
  break_.sabotage(sample, store, what);
  return store;
}

test('the healthy unit is verified, and says so on evidence', async () => {
  const drilled = await drill(healthy());
  expect(drilled.codes).toStrictEqual([]);
  expect(drilled.asides).toStrictEqual([]);
  expect(drilled.verdict).toBe('verified');
  expect([...drilled.steps.values()].every((step) => step.evidence !== null)).toBe(true);
});

/** Removes one table's COPY block whole. */
const removeCopy = (table: string): break_.SqlMutation => (sql) => {
  const start = sql.indexOf(`COPY public.${table} (`);
  const end = sql.indexOf('\n\\.\n', start);
  if (start < 0 || end < 0) return sql;
  return Buffer.concat([sql.subarray(0, start), sql.subarray(end + 4)]);
};
const nextMorning = new Date(morning.getTime() + 24 * hours);
const nextDay = new Date(Date.parse(sample.id) + 24 * hours).toISOString().slice(0, 10);
/** What the sample says of how new it is would speak too, and is not what is tested. */
const ageless = (config: Config): Config => ({ ...config, objectives: { rpoMs: null, restoreDurationMs: null }, expected: { ...config.expected, tables: config.expected.tables.map(({ newest: _, ...table }) => table) } });

interface Fault {
  readonly name: string;
  readonly what?: break_.Sabotage;
  readonly store?: () => string | Promise<string>;
  readonly options?: Partial<DrillOnce>;
  readonly codes: readonly string[];
  readonly verdict?: 'unverified' | 'inconclusive';
}
const rowless = { rebind: true } as const;

/** Found in the stored bytes, or on the way to the restore: no server is started. */
const beforeRestore: readonly Fault[] = [
  { name: '1 a gz that is cut, the manifest of the whole one', what: { dumpFile: break_.truncate(0.5), rebind: false }, codes: ['dump.size-mismatch'] },
  { name: '1 a gz that is cut, and a manifest made after it', what: { dumpFile: break_.truncate(0.5), ...rowless }, codes: ['dump.gzip-truncated'] },
  { name: '2 one bit flipped', what: { dumpFile: break_.flipBit(), rebind: false }, codes: ['dump.sha256-mismatch'] },
  { name: '2 one bit flipped, and a manifest made after it', what: { dumpFile: break_.flipBit() }, codes: ['dump.gzip-corrupt'] },
  { name: '3 valid gz of SQL that is cut in a COPY block', what: { sql: break_.truncate(0.5) }, codes: ['dump.footer-missing'] },
  { name: '3 valid gz of SQL that is cut behind the last COPY block', what: { sql: (sql) => sql.subarray(0, sql.lastIndexOf('\n\\.\n') + 4) }, codes: ['dump.footer-missing'] },
  { name: '4 the empty gz of 20 bytes', what: { dumpFile: () => gzipSync('') }, codes: ['dump.empty'] },
  { name: '6 a second gz behind the first', what: { dumpFile: break_.append(gzipSync('SELECT 1;\n')) }, codes: ['dump.gzip-trailing'] },
  { name: '6 garbage behind the gz', what: { dumpFile: break_.append('garbage') }, codes: ['dump.gzip-trailing'] },
  { name: '75 a shell escape among the statements', what: { sql: break_.appendSql('\\! touch /tmp/owned') }, codes: ['dump.meta-command'] },
  { name: '76 COPY FROM PROGRAM', what: { sql: break_.appendSql("COPY public.clients FROM PROGRAM 'id';") }, codes: ['dump.copy-program'] },
  { name: '83 a gzip bomb', options: { config: (config) => ({ ...config, caps: { ...config.caps, maxRatio: 20 } }) }, store: () => broken({ sql: break_.appendSql(`/*${' '.repeat(200_000_000)}*/`) }), codes: ['dump.ratio'] },
  { name: '83 more SQL than the cap', options: { config: (config) => ({ ...config, caps: { ...config.caps, maxBytes: 1_000_000 } }) }, store: healthy, codes: ['dump.too-large'] },
  { name: '22 a manifest that is cut', what: { manifestFile: break_.truncate(0.9) }, codes: ['manifest.unparseable'] },
  { name: '22 a manifest from the future format', what: { manifest: (manifest) => { manifest.format = 'backup-drills/manifest/2'; } }, codes: ['manifest.format-unknown'], verdict: 'inconclusive' },
  { name: '33 nothing newer than two days', store: healthy, options: { now: new Date(morning.getTime() + 48 * hours), config: ageless }, codes: ['select.stale'] },
  { name: 'the clock of this machine set back', store: healthy, options: { now: new Date(sample.snapshotAt.getTime() - 1 * hours), config: ageless }, codes: ['manifest.future'] },
  { name: '65 a set of tomorrow', store: () => { const store = healthy(); break_.sabotage(sample, store, { id: nextDay }); return store; }, codes: ['catalog.future'] },
  { name: '65 a set of no day', store: () => { const store = healthy(); writeFileSync(join(store, 'db-2026-02-30.sql.gz'), 'x'); return store; }, codes: ['catalog.unparseable-set-name'] },
  { name: '32 the dump gone, its manifest there', store: () => { const store = healthy(); rmSync(join(store, `db-${sample.id}.sql.gz`)); return store; }, codes: ['catalog.dump-missing'] },
  { name: 'an empty directory', store: directory, codes: ['catalog.empty'] },
  { name: 'a directory that is not there', store: () => join(base, 'not-there'), codes: ['store.missing'], verdict: 'inconclusive' },
  { name: '27 encrypted for another key', store: () => encryptedFor('other'), codes: ['decrypt.wrong-recipient'] },
  { name: '27 encrypted, and no key at hand', store: () => encryptedFor('none'), codes: ['decrypt.no-identity'], verdict: 'inconclusive' },
  { name: '28 an age file that is cut', store: () => encryptedFor('this', break_.truncate(0.7)), codes: ['decrypt.truncated'] },
  { name: '29 the age of nothing', store: () => encryptedFor('this', undefined, Buffer.alloc(0)), codes: ['decrypt.empty'] },
  { name: '30 plaintext under an age name', store: () => { const store = healthy(); writeFileSync(join(store, `db-${sample.id}.sql.gz.age`), readFileSync(sample.dumpFile)); rmSync(join(store, `db-${sample.id}.sql.gz`)); return store; }, codes: ['decrypt.not-age'] },
];

const key = await generateKey();
async function encryptedFor(whom: 'this' | 'other' | 'none', change?: break_.FileMutation, content?: Buffer): Promise<string> {
  const store = directory();
  const recipient = whom === 'other' ? (await generateKey()).recipient : key.recipient;
  const plain = join(base, `plain-${count}`);
  writeFileSync(plain, content ?? readFileSync(sample.dumpFile));
  const stored = join(store, `db-${sample.id}.sql.gz.age`);
  await encryptFile(plain, stored, [recipient], never);
  if (change !== undefined) writeFileSync(stored, change(readFileSync(stored)));
  copyFileSync(sample.manifestFile, join(store, `db-${sample.id}.manifest.json`));
  return store;
}

test.each(beforeRestore)('$name', async ({ what, store, options, codes, verdict, name }) => {
  const identities = name.includes('no key') ? null : key.identity;
  const drilled = await drill((await store?.()) ?? broken(what ?? {}), { identities, ...options });
  expect(drilled.codes).toStrictEqual(codes);
  expect(drilled.verdict).toBe(verdict ?? 'unverified');
});

test('encrypted for this key: verified', async () => {
  expect(await drill(await encryptedFor('this'), { identities: key.identity })).toMatchObject({ codes: [], verdict: 'verified' });
});

/** Every byte is as it was published; what was published is wrong. */
const afterRestore: readonly Fault[] = [
  { name: '7 another database', what: { manifest: (manifest) => { for (const row of break_.manifestRows(manifest, 'database')) row['name'] = 'wa_mcp_staging'; } }, codes: ['manifest.wrong-database'] },
  { name: '8 a stale copy under a new date', store: () => broken({ id: nextDay }), options: { now: nextMorning, config: ageless }, codes: ['manifest.stale-copy'] },
  { name: '9 a table missing', what: { sql: break_.both(removeCopy('maintenance_windows'), break_.removeStatement(/maintenance_windows/)) }, codes: ['compare.table-missing'] },
  { name: '10 one row missing', what: { sql: break_.dropRows('client_attributes') }, codes: ['compare.rows-missing'] },
  { name: '11 one value changed, all counts equal', what: { sql: break_.changeValue('client_attributes', 'text_value', (value) => `${value}x`) }, codes: ['compare.content-differs'] },
  { name: '12 a row doubled, and no key to notice', what: { sql: break_.both(break_.duplicateRow('client_attributes'), break_.removeStatement(/client_attributes_pkey/)) }, codes: ['compare.rows-extra', 'compare.object-missing'] },
  { name: '13 a foreign key missing', what: { sql: break_.removeStatement(/support_tickets_client_id_fkey/) }, codes: ['compare.object-missing'] },
  { name: '13 an index missing', what: { sql: break_.removeStatement(/CREATE INDEX messages_chat_idx/) }, codes: ['compare.object-missing'] },
  { name: '13 a trigger missing', what: { sql: break_.removeStatement(/CREATE TRIGGER clients_touch/) }, codes: ['compare.object-missing'] },
  { name: '14 a sequence set back', what: { sql: break_.replaceStatement(/setval\('public\.client_attributes_id_seq'/, (statement) => statement.replace(/, \d+, true/, ', 1, true')) }, codes: ['compare.sequence-behind', 'smoke.sequence-behind'] },
  { name: '17 a migration that the code expects is not there', store: healthy, options: { config: (config) => ({ ...config, expected: { ...config.expected, migration: { sql: 'select max(version) from schema_migrations', head: '0013_next' } } }) }, codes: ['smoke.migration-drift'] },
  { name: '22 no manifest', store: () => { const store = healthy(); rmSync(join(store, `db-${sample.id}.manifest.json`)); return store; }, codes: ['manifest.missing'] },
  { name: '23 counted outside the snapshot', what: { manifest: (manifest) => { for (const row of break_.manifestRows(manifest, 'table', 'messages')) row['rows'] = String(Number(row['rows']) + 1); } }, codes: ['compare.rows-missing'] },
  { name: "25 another set's manifest", what: { manifest: (manifest) => { manifest.id = '2026-01-01'; } }, codes: ['manifest.other-set'] },
  { name: '26 a manifest that lists no table', what: { manifest: (manifest) => { manifest.rows = manifest.rows.filter((row) => row['kind'] !== 'table'); } }, codes: ['manifest.no-tables', 'compare.table-extra'] },
  { name: 'the newest rows too old, whatever the manifest says', what: { manifest: (manifest) => { for (const row of break_.manifestRows(manifest, 'snapshot')) row['time'] = morning.toISOString().replace('Z', '000Z'); }, id: morning.toISOString().slice(0, 10) }, options: { now: new Date(morning.getTime() + 25 * hours) }, codes: ['smoke.rows-stale'] },
  // Every count agrees, and the data is wrong.
  { name: 'two rows swap a value', what: { sql: break_.swapValues('client_attributes', 'text_value') }, codes: ['compare.content-differs'] },
  { name: 'NULL becomes an empty text', what: { sql: break_.changeValue('client_attributes', 'text_value', () => '', (value) => value === '\\N') }, codes: ['compare.content-differs'] },
  { name: 'a numeric loses its scale', what: { sql: break_.changeValue('client_attributes', 'number_value', (value) => (/\..*0$/.test(value) ? value.replace(/0$/, '') : `${value}${value.includes('.') ? '0' : '.0'}`), (value) => /^\d+(\.\d+)?$/.test(value)) }, codes: ['compare.content-differs'] },
  { name: 'a unique index that is one no more', what: { sql: break_.replaceStatement(/CREATE UNIQUE INDEX clients_display_name_idx/, (statement) => statement.replace('UNIQUE ', '')) }, codes: ['compare.object-differs'] },
  { name: 'a foreign key that was not validated', what: { sql: break_.replaceStatement(/support_tickets_client_id_fkey/, (statement) => statement.replace(/;$/, ' NOT VALID;')) }, codes: ['compare.object-differs'] },
  { name: 'a trigger that is disabled', what: { sql: break_.appendSql('ALTER TABLE public.clients DISABLE TRIGGER clients_touch;') }, codes: ['compare.object-differs'] },
  { name: 'a policy that lets everybody see', what: { sql: break_.replaceStatement(/CREATE POLICY readonly_sees_live_keys/, (statement) => statement.replace(/USING \(.*\)/s, 'USING (true)')) }, codes: ['compare.object-differs'] },
  { name: 'row-level security left off', what: { sql: break_.removeStatement(/api_keys ENABLE ROW LEVEL SECURITY/) }, codes: ['compare.object-differs'] },
  { name: 'a view over other rows', what: { sql: break_.replaceStatement(/CREATE VIEW public\.active_api_keys/, (statement) => statement.replace(/revoked_at IS NULL/, 'revoked_at IS NOT NULL')) }, codes: ['compare.object-differs'] },
  { name: 'a column default changed', what: { sql: break_.replaceStatement(/CREATE TABLE public\.maintenance_windows/, (statement) => statement.replace("'upgrade;", "'downgrade;")) }, codes: ['compare.object-differs'] },
  { name: 'a table that anybody may read', what: { sql: break_.appendSql('GRANT SELECT ON TABLE public.api_keys TO PUBLIC;') }, codes: ['compare.object-differs'] },
  { name: 'a materialised view left empty', what: { sql: break_.removeStatement(/REFRESH MATERIALIZED VIEW/) }, codes: ['compare.object-differs'] },
];

test.each(afterRestore)('$name', async ({ what, store, options, codes, verdict }) => {
  const drilled = await drill((await store?.()) ?? broken(what ?? {}), options);
  expect(drilled.codes).toStrictEqual(codes);
  expect(drilled.verdict).toBe(verdict ?? 'unverified');
});

test('34 one second past midnight nothing is missing yet', async () => {
  const midnight = new Date(Date.parse(sample.id) + 24 * hours + 1000);
  expect(await drill(healthy(), { now: midnight })).toMatchObject({ codes: [], verdict: 'verified' });
});

test('a stray is a warning and takes no verdict away', async () => {
  const store = healthy();
  writeFileSync(join(store, 'notes.txt'), 'x');
  expect(await drill(store)).toMatchObject({ codes: [], asides: ['catalog.stray'], verdict: 'verified' });
});

test('without a manifest every other step still runs', async () => {
  const store = healthy();
  rmSync(join(store, `db-${sample.id}.manifest.json`));
  const { steps } = await drill(store);
  const outcomes = Object.fromEntries([...steps].map(([id, step]) => [id, step.outcome]));
  expect(outcomes).toMatchObject({ 'database.manifest': 'failed', 'database.restore': 'passed', 'database.measure': 'passed', 'database.smoke.expected': 'passed', 'database.compare.tables': 'skipped', 'database.objectives': 'passed' });
});
