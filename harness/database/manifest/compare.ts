// The restored database's own manifest against the one of the dump. One function per step of the plan; each fault raises one code:
// what belongs to a missing table is folded into the table, and digests are compared only where counts and columns agree.
import type { Finding } from '../../run/finding.ts';
import { changedKeys, dumpable, fingerprint, major, objectKey, objectName, relationKey, relationName, type SchemaObject, withoutDependants, wordings } from './definitions.ts';
import type { ContentEvidence, DatabaseEvidence, LargeObjectsEvidence, ManifestEvidence, SchemaEvidence, SequencesEvidence, TablesEvidence } from './evidence.ts';
import { manifestFindings } from './findings.ts';
import type { Facts, Manifest, Row, RowOf } from './manifest.ts';
import { factsOf } from './manifest.ts';

export interface Compared<E> {
  readonly findings: readonly Finding[];
  readonly evidence: E;
}

export interface CompareOptions {
  /** `at-least` by default: sequences are read before the dump, and may have been drawn from since. */
  readonly sequences?: 'at-least' | 'exact';
  /** Whether the dump brought its database (--create). Only then are the database's own settings, rights and comment in it. */
  readonly database?: 'brought' | 'made for it';
}

/** All comparisons at once; the plan takes them one by one. `rows` are readManifestRows's of the restored database. */
export function compareManifests(expected: Manifest, rows: readonly Row[], options: CompareOptions = {}) {
  const actual = restoredFacts(expected, rows);
  const pieces = {
    database: compareDatabase(expected, actual),
    tables: compareTables(expected, actual),
    content: compareContent(expected, actual),
    schema: compareSchema(expected, actual, options),
    sequences: compareSequences(expected, actual, options),
    largeObjects: compareLargeObjects(expected, actual),
  };
  return { findings: Object.values(pieces).flatMap((piece) => piece.findings), pieces };
}

/** What was read back, sorted. @throws Error when rows are missing or digested otherwise: a broken harness. */
export function restoredFacts(expected: Manifest, rows: readonly Row[]): Facts {
  const facts = factsOf(rows);
  if (!facts.ok) throw new Error(`the restored database's manifest is not whole: ${facts.problems.join('; ')}`);
  if (facts.value.database.algorithm !== expected.algorithm) {
    throw new Error(`the restored database was digested by ${facts.value.database.algorithm}, not by ${expected.algorithm}`);
  }
  return facts.value;
}

/** What a manifest says, for the step that reads it. */
export function describeManifest(manifest: Manifest): ManifestEvidence {
  return {
    id: manifest.id,
    snapshotTime: manifest.snapshot.time,
    snapshot: manifest.snapshot.snapshot,
    serverVersion: manifest.database.serverVersion,
    pgDumpVersion: manifest.tools.pgDump,
    algorithm: manifest.algorithm,
    tables: manifest.tables.length,
    rows: String(sum(manifest.tables.map((table) => table.rows))),
    objects: manifest.objects.length,
    sequences: manifest.sequences.length,
  };
}

/** Encoding and collation. The throw-away database's own name and owner, and the server's minor version, are not compared. */
export function compareDatabase(expected: Facts, actual: Facts): Compared<DatabaseEvidence> {
  const findings: Finding[] = [];
  const [was, is] = [expected.database, actual.database];
  if (was.encoding !== is.encoding) findings.push(manifestFindings.find('compare.encoding-differs', { expected: was.encoding, found: is.encoding }));
  if (collation(was) !== collation(is)) {
    findings.push(manifestFindings.find('compare.collation-differs', { expected: collation(was), found: collation(is) }));
  } else if (was.collationVersion !== null && is.collationVersion !== null && was.collationVersion !== is.collationVersion) {
    findings.push(manifestFindings.find('compare.collation-version-differs', { expected: was.collationVersion, found: is.collationVersion }));
  }
  if (major(expected) !== major(actual)) {
    findings.push(manifestFindings.find('compare.major-differs', { manifestMajor: major(expected), serverMajor: major(actual) }));
  }
  return {
    findings,
    evidence: {
      serverVersionExpected: was.serverVersion,
      serverVersionFound: is.serverVersion,
      encodingExpected: was.encoding,
      encodingFound: is.encoding,
      collationExpected: collation(was),
      collationFound: collation(is),
    },
  };
}

/** The set of tables both ways, and exact counts. */
export function compareTables(expected: Facts, actual: Facts): Compared<TablesEvidence> {
  const pairs = pair(expected.tables, actual.tables, relationKey);
  const findings = [
    ...named('compare.table-missing', pairs.missing.map(relationName)),
    ...named('compare.table-extra', pairs.extra.map(relationName)),
    ...offCounts('compare.rows-missing', pairs.both.filter(([was, is]) => is.rows < was.rows)),
    ...offCounts('compare.rows-extra', pairs.both.filter(([was, is]) => is.rows > was.rows)),
  ];
  return {
    findings,
    evidence: {
      tablesExpected: expected.tables.length,
      tablesFound: actual.tables.length,
      rowsExpected: String(sum(expected.tables.map((table) => table.rows))),
      rowsFound: String(sum(actual.tables.map((table) => table.rows))),
    },
  };
}

/** The digests of the tables whose counts and columns agree. */
export function compareContent(expected: Manifest, actual: Facts): Compared<ContentEvidence> {
  const both = pair(expected.tables, actual.tables, relationKey).both.filter(([was, is]) => was.rows === is.rows);
  // Another encoding makes other bytes of the same text; compare.encoding-differs has failed the restore already.
  const comparable = expected.database.encoding === actual.database.encoding ? both.filter(([was, is]) => was.shape === is.shape) : [];
  const differing = comparable.filter(([was, is]) => was.digest !== is.digest).map(([was]) => relationName(was));
  // Other columns are the schema's finding, which never sees an extension's own tables.
  const spokenOf = new Set(expected.objects.filter((object) => object.type === 'table').map(relationKey));
  const unspoken = both.filter(([was, is]) => was.shape !== is.shape && !spokenOf.has(relationKey(was))).map(([was]) => `${relationName(was)} (columns)`);
  return {
    findings: named('compare.content-differs', [...differing, ...unspoken]),
    evidence: {
      algorithm: expected.algorithm,
      tablesCompared: comparable.length,
      rowsCompared: String(sum(comparable.map(([was]) => was.rows))),
      tablesNotComparable: expected.tables.length - comparable.length,
    },
  };
}

/** Every schema object by its definition, and the extensions. */
export function compareSchema(expected: Facts, actual: Facts, options: CompareOptions = {}): Compared<SchemaEvidence> {
  const brought = options.database === 'brought';
  const judged = (objects: readonly SchemaObject[]): SchemaObject[] => objects.filter((object) => object.type !== 'database' || brought);
  const [wanted, there] = [judged(expected.objects), judged(actual.objects)];
  const pairs = pair(dumpable(wanted), there, objectKey);
  const changed = pairs.both
    .map(([was, is]) => ({ name: objectName(was), was, is, keys: changedKeys(was, is, expected, actual) }))
    .filter((change) => change.keys.length > 0);
  const invalid = changed.filter(({ is, keys }) => keys.includes('valid') && is.definition['valid'] === false);
  // Majors word the same definition differently; what is no wording (unique, validated, enabled …) is judged all the same.
  const unproven = major(expected) === major(actual) ? [] : changed.filter(({ keys }) => keys.every((key) => wordings.has(key)));
  const differing = changed.filter((change) => !invalid.includes(change) && !unproven.includes(change));
  const worded = (change: (typeof changed)[number]): string => `${change.name} [${change.keys.join(', ')}]`;
  return {
    findings: [
      ...named('compare.object-missing', withoutDependants(pairs.missing, expected, actual).map(objectName)),
      ...named('compare.object-extra', withoutDependants(pairs.extra, actual, expected).map(objectName)),
      ...(differing.length === 0
        ? []
        : [manifestFindings.find('compare.object-differs', { ...capped(differing.map(worded)), hashes: differing.slice(0, shown).map(({ was, is }) => `${was.hash} -> ${is.hash}`) })]),
      ...named('compare.index-invalid', invalid.map((change) => change.name)),
      ...(unproven.length === 0
        ? []
        : [manifestFindings.find('compare.definition-unproven', { ...capped(unproven.map(worded)), manifestMajor: major(expected), serverMajor: major(actual) })]),
      ...compareExtensions(expected, actual),
      ...(brought ? [] : leftBehind(expected)),
    ],
    evidence: {
      objectsExpected: wanted.length,
      objectsFound: there.length,
      objectsCompared: pairs.both.length,
      byType: Object.fromEntries([...Map.groupBy(wanted, (object) => object.type)].map(([type, list]) => [type, list.length])),
      extensionsCompared: pair(expected.extensions, actual.extensions, (extension) => extension.name).both.length,
      fingerprintExpected: fingerprint(wanted),
      fingerprintFound: fingerprint(there),
    },
  };
}

/** Sequences stand where they stood, or further on. A missing one is the schema's finding. */
export function compareSequences(expected: Facts, actual: Facts, options: CompareOptions = {}): Compared<SequencesEvidence> {
  const mode = options.sequences ?? 'at-least';
  const pairs = pair(expected.sequences, actual.sequences, relationKey);
  const judged = mode === 'exact' ? pairs.both : pairs.both.filter(([was]) => !was.cycle);
  const apart = ([was, is]: readonly [Sequence, Sequence]): string => `${relationName(was)} (${standing(is)}, was ${standing(was)})`;
  const objects = new Set(expected.objects.filter((object) => object.type === 'sequence').map(relationKey));
  return {
    findings: [
      ...(mode === 'exact'
        ? named('compare.sequence-differs', judged.filter(([was, is]) => was.lastValue !== is.lastValue || was.isCalled !== is.isCalled).map(apart))
        : named('compare.sequence-behind', judged.filter(([was, is]) => isBehind(is, was)).map(apart))),
      // An extension's own sequences are no schema objects of ours.
      ...named('compare.sequence-missing', pairs.missing.filter((sequence) => !objects.has(relationKey(sequence))).map(relationName)),
    ],
    evidence: { mode, sequencesExpected: expected.sequences.length, sequencesCompared: judged.length, sequencesCycling: expected.sequences.filter((sequence) => sequence.cycle).length },
  };
}

export function compareLargeObjects(expected: Facts, actual: Facts): Compared<LargeObjectsEvidence> {
  const [was, is] = [expected.largeObjects, actual.largeObjects];
  const what = [
    ...(was.count === is.count ? [] : ['number']),
    ...(was.bytes === is.bytes ? [] : ['size']),
    // With other numbers these differ as a matter of course.
    ...(was.count !== is.count || was.digest === is.digest ? [] : ['content']),
    ...(was.count !== is.count || was.grants === is.grants ? [] : ['owners, privileges or comments']),
  ];
  const evidence = { countExpected: String(was.count), countFound: String(is.count), bytesExpected: String(was.bytes), bytesFound: String(is.bytes) };
  return {
    findings:
      what.length === 0
        ? []
        : [manifestFindings.find('compare.large-objects-differ', { expectedCount: evidence.countExpected, foundCount: evidence.countFound, expectedBytes: evidence.bytesExpected, foundBytes: evidence.bytesFound, what })],
    evidence,
  };
}

function compareExtensions(expected: Facts, actual: Facts): Finding[] {
  const pairs = pair(expected.extensions, actual.extensions, (extension) => extension.name);
  return [
    ...named('compare.extension-missing', pairs.missing.map((extension) => extension.name)),
    ...named('compare.extension-extra', pairs.extra.map((extension) => extension.name)),
    ...named('compare.extension-moved', pairs.both.filter(([was, is]) => was.schema !== is.schema).map(([was, is]) => `${was.name} (${is.schema}, was ${was.schema})`)),
    ...named('compare.extension-version-differs', pairs.both.filter(([was, is]) => was.version !== is.version).map(([was, is]) => `${was.name} ${is.version}, was ${was.version}`)),
  ];
}

type Sequence = RowOf<'sequence'>;

/** Long lists are cut in facts; `more` says how much was cut. */
const shown = 20;
const sum = (numbers: readonly bigint[]): bigint => numbers.reduce((total, number) => total + number, 0n);
const collation = (row: RowOf<'database'>): string => [row.provider, row.locale ?? row.collate, row.ctype === row.collate ? null : row.ctype].filter((part) => part !== null).join(' ');

function pair<T>(expected: readonly T[], actual: readonly T[], key: (row: T) => string): { both: (readonly [T, T])[]; missing: T[]; extra: T[] } {
  const found = new Map(actual.map((row) => [key(row), row]));
  const both: (readonly [T, T])[] = [];
  const missing: T[] = [];
  for (const row of expected) {
    const other = found.get(key(row));
    if (other === undefined) missing.push(row);
    else both.push([row, other]);
    found.delete(key(row));
  }
  return { both, missing, extra: [...found.values()] };
}

type NamedCode =
  | 'compare.table-missing' | 'compare.table-extra' | 'compare.content-differs' | 'compare.object-missing' | 'compare.object-extra' | 'compare.index-invalid'
  | 'compare.sequence-behind' | 'compare.sequence-differs' | 'compare.sequence-missing'
  | 'compare.extension-missing' | 'compare.extension-extra' | 'compare.extension-moved' | 'compare.extension-version-differs';

function named(code: NamedCode, names: readonly string[]): Finding[] {
  return names.length === 0 ? [] : [manifestFindings.find(code, capped(names))];
}

function capped(names: readonly string[]): { count: number; names: readonly string[]; more: number } {
  return { count: names.length, names: names.slice(0, shown), more: Math.max(0, names.length - shown) };
}

function offCounts(code: 'compare.rows-missing' | 'compare.rows-extra', off: readonly (readonly [RowOf<'table'>, RowOf<'table'>])[]): Finding[] {
  if (off.length === 0) return [];
  const difference = (was: bigint, is: bigint): bigint => (was > is ? was - is : is - was);
  const lines = off.map(([was, is]) => `${relationName(was)} (${difference(was.rows, is.rows)}: ${is.rows}, was ${was.rows})`);
  const { count, names, more } = capped(lines);
  return [manifestFindings.find(code, { count, rows: String(sum(off.map(([was, is]) => difference(was.rows, is.rows)))), tables: names, more })];
}

/** What the database itself has at the source, and a dump without --create does not carry. */
function leftBehind(expected: Facts): Finding[] {
  const definition = expected.objects.find((object) => object.type === 'database')?.definition ?? {};
  const what = ['settings', 'connectionLimit', 'isTemplate', 'comment'].filter((key) => definition[key] !== undefined);
  return what.length === 0 ? [] : [manifestFindings.find('compare.database-left-behind', { what })];
}

const standing = (sequence: Sequence): string => `${sequence.lastValue}${sequence.isCalled ? '' : ', not yet drawn'}`;

function isBehind(is: Sequence, was: Sequence): boolean {
  const way = was.increment < 0n ? -1n : 1n;
  const ahead = (is.lastValue - was.lastValue) * way;
  return ahead < 0n || (ahead === 0n && was.isCalled && !is.isCalled);
}
