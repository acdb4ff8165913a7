// What of two definitions of one object counts as a difference, and what of the objects that one side lacks is to be told.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { settled } from '../wording.ts';
import { alike } from './majors.ts';
import type { Facts, RowOf } from './manifest.ts';

export type SchemaObject = RowOf<'object'>;

const relations = new Set(['table', 'view', 'materialised view', 'foreign table']);
/** Keys that hold text which the server makes of a parse tree. */
export const wordings = new Set(['definition', 'default', 'generation', 'using', 'check', 'constraints', 'columns', 'partitionBy', 'partitionBound', 'rows', 'arguments', 'atomicBody']);


export const major = (facts: Facts): number => Math.floor(facts.database.serverVersionNum / 10_000);

// Names may hold any character, so keys are JSON and not joined by dots.
export const relationKey = (row: { schema: string | null; name: string }): string => JSON.stringify([row.schema, row.name]);
export const relationName = (row: { schema: string | null; name: string }): string => (row.schema === null ? row.name : `${row.schema}.${row.name}`);
export const objectKey = (row: SchemaObject): string => JSON.stringify([row.type, row.schema, row.table, row.name]);
export const objectName = (row: SchemaObject): string => {
  if (row.type === 'database') return 'the database itself';
  if (row.type === 'schema') return `schema ${row.name}`;
  if (row.type === 'column') return `column ${row.schema}.${row.table}.${row.name}`;
  const place = row.table === null || row.type === 'index' ? '' : ` on ${row.schema}.${row.table}`;
  return `${row.type} ${place === '' ? relationName(row) : row.name}${place}`;
};


/**
 * What a dump by the manifest's own role can hold. pg_dump leaves out an index that is invalid at the source, unless it is a
 * partitioned table's; and of a role that may not read them, subscriptions and the options of user mappings.
 */
export function dumpable(objects: readonly SchemaObject[]): SchemaObject[] {
  const partitioned = new Set(objects.filter((object) => object.definition['partitionBy'] !== undefined).map(relationKey));
  return objects
    .filter((object) => object.type !== 'index' || object.definition['valid'] !== false || partitioned.has(relationKey({ schema: object.schema, name: object.table ?? '' })))
    .filter((object) => object.type !== 'subscription' || object.definition['dumped'] !== false)
    .map((object) => (object.type === 'user mapping' && object.definition['dumped'] === false ? { ...object, definition: { ...object.definition, options: {} } } : object));
}

/** Of objects that one side lacks: not what hangs on a relation that it lacks as well, nor a table, which compareTables names. */
export function withoutDependants(objects: readonly SchemaObject[], here: Facts, there: Facts): SchemaObject[] {
  const tables = new Set(here.tables.map(relationKey));
  const known = new Set([...there.tables.map(relationKey), ...there.objects.filter((object) => relations.has(object.type)).map(relationKey)]);
  return objects.filter((object) => {
    if (object.type === 'table' && tables.has(relationKey(object))) return false;
    // An extension has a finding of its own.
    if (object.type === 'extension') return false;
    if (object.table !== null) return known.has(relationKey({ schema: object.schema, name: object.table }));
    const owner = object.definition['ownedBy'];
    return !(Array.isArray(owner) && !known.has(JSON.stringify(owner.slice(0, 2))));
  });
}

/** The keys of a definition that differ, but for what a restore may change. */
export function changedKeys(was: SchemaObject, is: SchemaObject, expected: Facts, actual: Facts): string[] {
  if (was.hash === is.hash) return [];
  const keys = [...new Set([...Object.keys(was.definition), ...Object.keys(is.definition)])].sort();
  const sameServer = major(expected) === major(actual) && expected.database.encoding === actual.database.encoding;
  const apart = keys.filter((key) => !isDeepStrictEqual(was.definition[key], is.definition[key]));
  const differing = apart.filter((key) => !wordings.has(key) || !isDeepStrictEqual(settled(was.definition[key]), settled(is.definition[key])));
  // Bytes that are no UTF-8 (SQL_ASCII) may read alike and be others.
  if (apart.length === 0) return sameServer ? ['bytes'] : [];
  return differing.filter((key) => {
    if (key === 'owner') return was.definition['owner'] !== '(default)';
    if (major(expected) !== major(actual) && alike(was.type, key, was.definition[key], is.definition[key], [major(expected), major(actual)])) return false;
    // Whoever reads a database that PUBLIC may not connect to was granted it by name.
    if (key === 'privileges' && was.type === 'database') return !isDeepStrictEqual(was.definition[key], withoutChecker(is.definition[key]));
    // Who read it, not what it is.
    if (key === 'dumped') return false;
    // Before 14 not even whoever reads all data could.
    if (is.type === 'user mapping' && key === 'options') return is.definition['options'] !== undefined && was.definition['options'] !== undefined;
    if (is.type === 'subscription' && key === 'connection') return is.definition['connection'] !== undefined && was.definition['connection'] !== undefined;
    return true;
  });
}

const withoutChecker = (list: unknown): unknown => (Array.isArray(list) ? list.filter((entry) => !/^checker_[0-9a-f]{16} CONNECT$/.test(String(entry))) : list);

export function fingerprint(objects: readonly SchemaObject[]): string {
  const hash = createHash('sha256');
  for (const line of objects.map((object) => `${objectKey(object)} ${object.hash}\n`).sort()) hash.update(line);
  return hash.digest('hex');
}
