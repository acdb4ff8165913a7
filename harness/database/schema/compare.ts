// A dump's schema against the reference, the expected tables and the manifest: each difference is one finding.
import type { Finding } from '../../run/finding.ts';
import type { DatabaseConfig } from '../config.ts';
import type { Inventory, Name } from '../dump/inventory.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { dotted, looseText } from './definition.ts';
import type { ExpectedEvidence, ManifestEvidence, ReferenceEvidence } from './evidence.ts';
import { schemaFindings } from './findings.ts';
import { keyOf, nameOf, type Schema, type SchemaObject } from './schema.ts';

/** What differs between two schemas. */
export type Difference =
  /** `parts`: how many objects that belong to it are missing with it, or come with it. */
  | { readonly what: 'missing' | 'unexpected'; readonly object: SchemaObject; readonly parts: number }
  | { readonly what: 'changed'; readonly object: SchemaObject; readonly facets: readonly string[]; readonly was: SchemaObject };

/** Facets that say what kind of thing it is in a word, and no expression: told as they were and are. */
const plain = new Set(['type', 'collation', 'not null', 'storage', 'compression', 'statistics', 'unlogged', 'unique', 'row security', 'fires', 'schema', 'owned by', 'of']);
const shown = 100;

/** In the order of the objects. Between majors of Postgres a definition counts as the same where only its wording may differ. */
export function differences(reference: Schema, found: Schema): Difference[] {
  const sameMajor = reference.major === found.major;
  const [before, after] = [reference, found].map(({ objects }) => new Map(objects.map((object) => [keyOf(object), object]))) as [Map<string, SchemaObject>, Map<string, SchemaObject>];
  const only = (here: Map<string, SchemaObject>, there: Map<string, SchemaObject>): SchemaObject[] => [...here].filter(([key]) => !there.has(key)).map(([, object]) => object);
  const heirs = new Set(reference.objects.filter(({ on, facets }) => on === null && /\binherits\(/.test(facets['definition'] ?? '')).map(({ name }) => name));
  const changed = [...after].flatMap(([key, object]): Difference[] => {
    const was = before.get(key);
    if (was === undefined) return [];
    // Of a NOT NULL that a parent has as well, pg_dump says nothing until 17.
    const facets = changedFacets(was, object, sameMajor).filter((facet) => sameMajor || facet !== 'not null' || !heirs.has(object.on ?? ''));
    return facets.length === 0 ? [] : [{ what: 'changed', object, facets, was }];
  });
  return [...oneSided('missing', only(before, after)), ...oneSided('unexpected', only(after, before)), ...changed];
}

/** What belongs to a relation that goes or comes goes or comes with it. */
function oneSided(what: 'missing' | 'unexpected', objects: readonly SchemaObject[]): Difference[] {
  const owners = new Set(objects.filter(({ on, kind }) => on === null && /^(?:foreign )?table$|view$/.test(kind)).map(({ name }) => name));
  const parts = Map.groupBy(objects.filter(({ on }) => on !== null && owners.has(on)), ({ on }) => on);
  return objects.filter(({ on }) => on === null || !owners.has(on)).map((object) => ({ what, object, parts: owners.has(object.name) ? (parts.get(object.name)?.length ?? 0) : 0 }));
}

function changedFacets(was: SchemaObject, is: SchemaObject, sameMajor: boolean): string[] {
  const facets = [...new Set([...Object.keys(was.facets), ...Object.keys(is.facets)])].sort();
  return facets.filter((facet) => {
    const [before, after] = [was.facets[facet] ?? '', is.facets[facet] ?? ''];
    // Digests of a text and of its loose form stand side by side, each for its own case.
    if ('loose' in was.facets && 'loose' in is.facets && (facet === 'definition' || facet === 'loose')) return (facet === 'definition') === sameMajor && before !== after;
    return before !== after && (sameMajor || looseText(before) !== looseText(after));
  });
}

/** `type text, was public.citext` where that can be told, else the facet's name. */
export const toldFacet = ({ object, was }: Extract<Difference, { what: 'changed' }>, facet: string): string =>
  plain.has(facet) ? `${facet} ${object.facets[facet] ?? 'none'}, was ${was.facets[facet] ?? 'none'}` : facet === 'loose' ? 'definition' : facet;

export function compareWithReference(reference: Schema, found: Schema): { readonly findings: Finding[]; readonly evidence: ReferenceEvidence } {
  const all = differences(reference, found);
  const findings = all.slice(0, shown).map((difference): Finding => {
    const { object } = difference;
    const about = { kind: object.kind, object: object.name, on: object.on, named: nameOf(object) };
    if (difference.what === 'changed') return schemaFindings.find('schema.object-changed', { ...about, changed: difference.facets.map((facet) => toldFacet(difference, facet)) });
    return schemaFindings.find(difference.what === 'missing' ? 'schema.object-missing' : 'schema.object-unexpected', { ...about, parts: difference.parts });
  });
  if (all.length > shown) findings.push(schemaFindings.find('schema.more-differences', { count: all.length, told: shown }));
  if (reference.major !== found.major) findings.push(schemaFindings.find('schema.other-major', { reference: reference.major, dump: found.major }));
  const count = (what: Difference['what']): number => all.filter((difference) => difference.what === what).length;
  return { findings, evidence: { referenceMajor: reference.major, dumpMajor: found.major, referenceObjects: reference.objects.length, objects: found.objects.length, missing: count('missing'), unexpected: count('unexpected'), changed: count('changed') } };
}

/** The tables and extensions that the configuration expects. */
export function compareWithExpected({ tables, extensions }: DatabaseConfig['expected'], found: Schema): { readonly findings: Finding[]; readonly evidence: ExpectedEvidence } {
  const relations = new Map(found.objects.filter(({ on, kind }) => on === null && /^(?:foreign )?table$|view$/.test(kind)).map(({ name, kind }) => [name, kind]));
  const installed = new Set(found.objects.filter(({ kind }) => kind === 'extension').map(({ name }) => name));
  const wanted = tables.map(({ schema, name }) => ({ table: dotted([schema, name]), found: relations.get(dotted([schema, name])) ?? 'nothing' }));
  const missing = extensions.filter((extension) => !installed.has(dotted([extension])));
  return {
    findings: [
      ...wanted.filter((each) => each.found !== 'table').map((each) => schemaFindings.find('schema.expected-table-missing', each)),
      ...missing.map((extension) => schemaFindings.find('schema.expected-extension-missing', { extension })),
    ],
    evidence: { tables: wanted.map(({ table }) => table), extensions: [...extensions], missing: wanted.filter((each) => each.found !== 'table').length + missing.length },
  };
}

/** The tables that the manifest counted in the dump's own snapshot. Those of extensions come with their extension: only their rows are dumped. */
export function compareWithManifest({ tables }: Manifest, { tables: made, copies, inserts }: Inventory): { readonly findings: Finding[]; readonly evidence: ManifestEvidence } {
  const names = (list: readonly { readonly name: Name }[]): Set<string> => new Set(list.map(({ name }) => dotted(name)));
  const counted = new Set(tables.map(({ schema, name }) => dotted([schema, name])));
  const own = names(made.filter(({ kind }) => kind === 'table' || kind === 'unlogged'));
  const there = own.union(names(copies)).union(names(inserts));
  const [missing, extra] = [[...counted.difference(there)].sort(), [...own.difference(counted)].sort()];
  const finding = (code: 'schema.dump-lacks-table' | 'schema.manifest-lacks-table', list: readonly string[]): Finding[] => (list.length === 0 ? [] : [schemaFindings.find(code, { count: list.length, tables: list.slice(0, 20) })]);
  return { findings: [...finding('schema.dump-lacks-table', missing), ...finding('schema.manifest-lacks-table', extra)], evidence: { counted: counted.size, tables: own.size, missing: missing.length, extra: extra.length } };
}
