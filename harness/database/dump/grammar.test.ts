// Reader and classify against Postgres' own grammar: the same statements, of the same kind, about the same objects.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { grammarKind, grammarStatements, withoutRows } from '../../../fixtures/grammar.ts';
import { sampleUnit } from '../../../fixtures/sample/unit.ts';
import { classify } from './classify.ts';
import type { DumpItem } from './items.ts';
import { DumpReader } from './reader.ts';

const dumps: readonly (readonly [name: string, sql: () => Buffer])[] = [
  ['the sample', () => gunzipSync(readFileSync(sampleUnit().dumpFile))],
];

function itemsOf(dump: Buffer): DumpItem[] {
  const reader = new DumpReader();
  const items = [...reader.push(dump)];
  reader.end();
  return items;
}

describe.each(dumps)('%s', (_, read) => {
  const dump = read();
  const items = itemsOf(dump);
  const ours = items.filter((item) => item.kind === 'statement' || item.kind === 'copy');
  const theirs = grammarStatements(withoutRows(dump, items).toString());

  test('has the same statements for the reader as for the grammar', () => {
    expect(ours.length).toBeGreaterThan(10);
    expect(ours.map(({ at, sql }) => [at.offset, at.offset + sql.length - 1])).toEqual(theirs.map(({ start, end }) => [start, end]));
    expect(ours.filter(({ kind }) => kind === 'copy').map(({ at }) => at.offset)).toEqual(theirs.filter(({ tag, body }) => tag === 'CopyStmt' && body['is_from'] === true && body['filename'] === undefined).map(({ start }) => start));
  });

  test('and each is of the kind, and about the object and the roles, that the grammar says', () => {
    const seen = ours.map(({ sql }) => classify(sql)).map(({ kind, name, roles }) => ({ kind, name, roles: [...roles].sort() }));
    expect(seen).toEqual(theirs.map((statement, at) => {
      const told = grammarKind(statement);
      return told === null ? { kind: 'UNKNOWN', name: [], roles: [] } : { ...told, name: told.name ?? seen[at]?.name };
    }));
  });
});
