// The manifest of a set: what was true in the database in the dump's own snapshot. `db-<id>.manifest.json`, UTF-8:
//
//   {
//   "format": "backup-drills/manifest/1",
//   "id": "2026-11-23",
//   "dump": {"name": "db-2026-11-23.sql.gz", "sha256": "…", "bytes": 12345},
//   "tools": {"pgDump": "18.6", "psql": "18.6"},
//   "rows": [
//   … the lines of manifest.sql as psql printed them, a comma after each but the last
//   ]
//   }
//
// The lines are taken as they are, so that a shell script writes it without parsing JSON. The algorithm of the digests
// stands in the row of kind `database`, where manifest.sql itself puts it.
import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import type { Finding } from '../../run/finding.ts';
import { StepEnded } from '../../run/finding.ts';
import { manifestFindings } from './findings.ts';

const formatPrefix = 'backup-drills/manifest/';
const format = `${formatPrefix}1`;
/** The digest algorithms that this harness can compute. */
export const knownAlgorithms = ['row-chain-1'] as const;
export type Algorithm = (typeof knownAlgorithms)[number];

const natural = z.string().regex(/^\d{1,30}$/, 'not a decimal count').transform(BigInt);
const integer = z.string().regex(/^-?\d{1,60}$/, 'not a decimal number').transform(BigInt);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a sha256 in lower-case hex');
/** `2026-11-23T02:00:00.123456Z` */
const instant = z.string().regex(/^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'not a UTC time').refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');

const databaseRow = z.strictObject({
  kind: z.literal('database'),
  algorithm: z.string().min(1),
  name: z.string(),
  serverVersion: z.string(),
  serverVersionNum: z.int().min(130000),
  encoding: z.string(),
  provider: z.string(),
  collate: z.string().nullable(),
  ctype: z.string().nullable(),
  locale: z.string().nullable(),
  collationVersion: z.string().nullable(),
});
const snapshotRow = z.strictObject({ kind: z.literal('snapshot'), snapshot: z.string().min(1), time: instant, recovery: z.boolean() });
const sequenceRow = z.strictObject({
  kind: z.literal('sequence'), schema: z.string(), name: z.string(), increment: integer, cycle: z.boolean(), lastValue: integer, isCalled: z.boolean(),
});
const extensionRow = z.strictObject({ kind: z.literal('extension'), name: z.string(), version: z.string(), schema: z.string() });
const objectRow = z.strictObject({
  kind: z.literal('object'), type: z.string(), schema: z.string().nullable(), table: z.string().nullable(), name: z.string(),
  /** sha256 over the definition as the server wrote it. */
  hash: sha256,
  /** Schema text; never shown in findings. */
  definition: z.record(z.string(), z.json()),
});
const largeObjectsRow = z.strictObject({ kind: z.literal('large-objects'), count: natural, bytes: natural, digest: integer, grants: integer });
const tableRow = z.strictObject({
  kind: z.literal('table'), schema: z.string(), name: z.string(), persistence: z.enum(['permanent', 'unlogged']),
  /** sha256 over names and types of the digested columns; digests compare only where it agrees. */
  shape: sha256,
  rows: natural,
  digest: integer,
});
const endRow = z.strictObject({ kind: z.literal('end') });

/** One line of manifest.sql. */
export const rowSchema = z.discriminatedUnion('kind', [databaseRow, snapshotRow, sequenceRow, extensionRow, objectRow, largeObjectsRow, tableRow, endRow]);
export type Row = z.output<typeof rowSchema>;
export type RowOf<K extends Row['kind']> = Extract<Row, { kind: K }>;

const envelopeSchema = z.strictObject({
  format: z.literal(format),
  id: z.string().refine((id) => daysOf(id) !== null, 'not a set id'),
  /** The dump it binds, by its decrypted bytes. */
  dump: z.strictObject({ name: z.string().min(1), sha256, bytes: z.int().nonnegative() }),
  tools: z.strictObject({ pgDump: z.string().min(1), psql: z.string().min(1) }),
});
const fileSchema = envelopeSchema.extend({ rows: z.array(rowSchema) });
export type Envelope = Omit<z.input<typeof envelopeSchema>, 'format'>;

/** What manifest.sql says of one database, sorted by kind. */
export interface Facts {
  readonly database: RowOf<'database'>;
  readonly snapshot: RowOf<'snapshot'>;
  readonly tables: readonly RowOf<'table'>[];
  readonly sequences: readonly RowOf<'sequence'>[];
  readonly extensions: readonly RowOf<'extension'>[];
  readonly objects: readonly RowOf<'object'>[];
  readonly largeObjects: RowOf<'large-objects'>;
}

export interface Manifest extends Facts {
  readonly format: typeof format;
  /** The set it says it belongs to. */
  readonly id: string;
  readonly dump: { readonly name: string; readonly sha256: string; readonly bytes: number };
  readonly tools: { readonly pgDump: string; readonly psql: string };
  readonly algorithm: Algorithm;
  /** When the snapshot was taken, by the source's clock. RPO is now − this. */
  readonly snapshotTime: Date;
  /** Of the file that it was read from, hex; what the ledger binds. */
  readonly sha256: string;
}

/**
 * Reads a manifest's bytes.
 * @throws StepEnded manifest.unparseable (defect: cut, no JSON, unknown keys, a row twice, no end), manifest.format-unknown or
 *   manifest.algorithm-unknown (obstacle: written by a newer version).
 */
export function parseManifest(bytes: Uint8Array, name: string): Manifest {
  const { json, utf8 } = jsonOf(bytes, name);
  const said = z.object({ format: z.string() }).safeParse(json);
  if (said.success && said.data.format !== format && said.data.format.startsWith(formatPrefix)) {
    throw new StepEnded(manifestFindings.find('manifest.format-unknown', { name, format: said.data.format.slice(0, 80) }));
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw unparseable(name, parsed.error.issues.map(problemOf));
  const { rows, ...envelope } = parsed.data;
  const facts = factsOf(rows);
  if (!facts.ok) throw unparseable(name, facts.problems);
  // Such a database holds bytes of any encoding, in names and definitions too; hashes tell them apart.
  if (!utf8 && facts.value.database.encoding !== 'SQL_ASCII') throw unparseable(name, ['it is not UTF-8']);
  const algorithm = knownAlgorithms.find((known) => known === facts.value.database.algorithm);
  if (algorithm === undefined) {
    throw new StepEnded(manifestFindings.find('manifest.algorithm-unknown', { name, algorithm: facts.value.database.algorithm.slice(0, 80) }));
  }
  return { ...envelope, ...facts.value, algorithm, snapshotTime: new Date(facts.value.snapshot.time), sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** The bytes of a manifest file, from the lines of manifest.sql as they were printed. @throws Error where they are no manifest. */
export function buildManifest(envelope: Envelope, lines: readonly string[]): Buffer {
  const head = { format, id: envelope.id, dump: envelope.dump, tools: envelope.tools };
  const members = Object.entries(head).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)},`);
  const bytes = Buffer.from(`{\n${members.join('\n')}\n"rows": [\n${lines.join(',\n')}\n]\n}\n`);
  parseManifest(bytes, `the manifest of set ${envelope.id}`);
  return bytes;
}

/** What a manifest should fit. */
export interface Expected {
  /** The set under whose name it was found. */
  readonly id: string;
  /** The configured name of the database. */
  readonly database: string;
  /** The run's clock. */
  readonly now: Date;
}

const clockSkewMs = 5 * 60_000;
/** A backup names its set when it starts, and takes its snapshot once every table is locked. */
const lockWaitMs = 6 * 3_600_000;

/** Whether a manifest is about what it should be about: one finding per thing that does not fit. */
export function judgeManifest(manifest: Manifest, name: string, expected: Expected): Finding[] {
  const findings: Finding[] = [];
  if (manifest.tables.length === 0) findings.push(manifestFindings.find('manifest.no-tables', { name }));
  if (manifest.database.name !== expected.database) {
    findings.push(manifestFindings.find('manifest.wrong-database', { expected: expected.database, found: manifest.database.name }));
  }
  const other = manifest.id !== expected.id;
  if (other) findings.push(manifestFindings.find('manifest.other-set', { expected: expected.id, found: manifest.id }));
  const taken = manifest.snapshotTime.getTime();
  const days = daysOf(manifest.id);
  if (taken > expected.now.getTime() + clockSkewMs) {
    findings.push(manifestFindings.find('manifest.future', { snapshotTime: manifest.snapshot.time, now: expected.now.toISOString() }));
  } else if (!other && (days === null || taken < days.from - clockSkewMs || taken > days.to + lockWaitMs)) {
    // Whether another set's manifest fits the date of that set says nothing of this one.
    findings.push(manifestFindings.find('manifest.stale-copy', { set: manifest.id, snapshotTime: manifest.snapshot.time }));
  }
  return findings;
}

/** Sorts rows by kind and sees to it that none is missing or there twice. */
export function factsOf(rows: readonly Row[]): { readonly ok: true; readonly value: Facts } | { readonly ok: false; readonly problems: string[] } {
  const problems: string[] = [];
  const of = <K extends Row['kind']>(kind: K): RowOf<K>[] => rows.filter((row): row is RowOf<K> => row.kind === kind);
  const only = <K extends Row['kind']>(kind: K): RowOf<K> | undefined => {
    const found = of(kind);
    if (found.length !== 1) problems.push(`rows: ${found.length} of kind ${kind}, not one`);
    return found[0];
  };
  const seen = new Set<string>();
  for (const row of rows) {
    if (!('name' in row)) continue;
    const key = JSON.stringify([row.kind, 'type' in row ? row.type : null, 'schema' in row && row.kind !== 'extension' ? row.schema : null, 'table' in row ? row.table : null, row.name]);
    if (seen.has(key)) problems.push(`rows: ${row.kind} ${row.name} stands there twice`);
    seen.add(key);
  }
  if (rows.at(-1)?.kind !== 'end') problems.push('rows: the last is not of kind end, so the reading was cut short');
  const database = only('database');
  const snapshot = only('snapshot');
  const largeObjects = only('large-objects');
  only('end');
  if (problems.length > 0 || database === undefined || snapshot === undefined || largeObjects === undefined) return { ok: false, problems };
  return { ok: true, value: { database, snapshot, largeObjects, tables: of('table'), sequences: of('sequence'), extensions: of('extension'), objects: of('object') } };
}

/** What must not be said of a value: zod's own words repeat none, and its paths hold names and places only. */
const problemOf = (issue: z.core.$ZodIssue): string => `${issue.path.join('.') || 'the file'}: ${issue.message}`;

function unparseable(name: string, problems: readonly string[]): StepEnded {
  const shown = problems.slice(0, 5).map((problem) => problem.slice(0, 200));
  return new StepEnded(manifestFindings.find('manifest.unparseable', { name, problems: shown, more: problems.length - shown.length }));
}

function jsonOf(bytes: Uint8Array, name: string): { readonly json: unknown; readonly utf8: boolean } {
  const text = new TextDecoder('utf-8').decode(bytes);
  try {
    return { json: JSON.parse(text) as unknown, utf8: isUtf8(bytes) };
  } catch (error) {
    // Its message may quote what stands around the fault, which may be a definition: only the place is told.
    const said = error instanceof Error ? error.message : '';
    const place = /position (\d+)/.exec(said)?.[1];
    const short = said.includes('end of JSON') || said.startsWith('Unterminated');
    throw unparseable(name, [short ? `it is cut short after ${bytes.length} bytes` : `it is no JSON${place === undefined ? '' : ` from character ${place} of ${text.length} on`}`]);
  }
}

/** The times (ms, UTC) in which a set of that id was begun: a day, or a second. Null where it is no id. */
function daysOf(id: string): { readonly from: number; readonly to: number } | null {
  const parts = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(\d\d)(\d\d)Z)?$/.exec(id);
  if (parts === null) return null;
  const [, date = '', hour, minute, second] = parts;
  const from = Date.parse(`${date}T${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}Z`);
  // Date.parse takes 2026-02-31 for the third of March.
  if (Number.isNaN(from) || new Date(from).toISOString().slice(0, 10) !== date) return null;
  return { from, to: hour === undefined ? from + 86_400_000 : from + 1000 };
}
