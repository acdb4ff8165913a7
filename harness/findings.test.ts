// Every finding there is, gathered from every table: its code is expected by a test, and its words are as the design asks.
import { globSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { faults } from '../fixtures/faults.ts';
import type { FindingRow } from './run/finding.ts';

type Row = FindingRow<never>;
const root = resolve(import.meta.dirname, '..');
const files = globSync('harness/**/{findings,*-findings}.ts', { cwd: root }).sort();

/** A module's tables, whether it exports the table or its rows. */
function rowsOf(module: object): (readonly [string, Row])[] {
  return Object.values(module).flatMap((value: unknown) => {
    const rows: unknown = typeof value === 'object' && value !== null && 'rows' in value ? value.rows : value;
    return typeof rows === 'object' && rows !== null ? (Object.entries(rows) as [string, Row][]) : [];
  });
}

const tables = await Promise.all(files.map(async (file) => ({ file, rows: rowsOf((await import(pathToFileURL(join(root, file)).href)) as object) })));
const all = tables.flatMap(({ rows }) => rows);
const codes = all.map(([code]) => code);

describe('the tables', () => {
  test('are all found, and none is empty', () => {
    expect(tables.filter(({ rows }) => rows.length === 0).map(({ file }) => file)).toEqual([]);
    const defining = globSync('harness/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts') && /\bdefineFindings\(\{/.test(readFileSync(join(root, file), 'utf8'))).sort();
    expect(defining).toEqual(files);
    expect(codes.length).toBeGreaterThan(140);
  });

  test('name no code twice', () => {
    expect(codes.filter((code, at) => codes.indexOf(code) !== at)).toEqual([]);
    expect(codes.filter((code) => !/^[a-z]+\.[a-z]+[a-z0-9-]*$/.test(code))).toEqual([]);
  });
});

describe('each code is expected by a test', () => {
  const tests = globSync('{fixtures,harness,drills,checks}/**/*.test.ts', { cwd: root }).filter((file) => basename(file) !== basename(import.meta.filename));
  const text = tests.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const faulted = new Set(faults.flatMap((fault) => fault.codes));
  const expected = (code: string, by: string): boolean => faulted.has(code) || new RegExp(`(?<![\\w.-])${code}(?![\\w.-])`).test(by);

  test('by name, in the catalogue of faults or beside what raises it', () => {
    expect(codes.filter((code) => !expected(code, text))).toEqual([]);
  });

  test('a code that nothing raises would be noticed', () => {
    expect(expected('dump.never-raised', text)).toBe(false);
    expect(expected('dump.empt', `'dump.empty', 'a.dump.empt', dump.empt-y`)).toBe(false);
  });

  test('the catalogue of faults names only codes that are in a table, or that the configuration raises', () => {
    expect([...faulted].filter((code) => !codes.includes(code))).toEqual(['keys.world-readable']);
  });
});

// Stands for any fact: a count of two, a text, a list of one.
class Sample extends Array<string> {
  toFixed(): string {
    return '2.0';
  }
  override toString(): string {
    return 'sample';
  }
  [Symbol.toPrimitive](hint: string): string | number {
    return hint === 'number' ? 2 : 'sample';
  }
}
const sample = new Proxy(Sample.of('sample'), {
  get: (list, key): unknown => {
    const own: unknown = Reflect.get(list, key);
    const method: unknown = own === undefined ? Reflect.get(String.prototype, key) : null;
    return typeof method === 'function' ? (method.bind('sample') as unknown) : own;
  },
});
const facts = new Proxy({}, { get: () => sample }) as never;

describe('the words', () => {
  test.each(all)('of %s: a message in lower case without a full stop, a hint of whole sentences', (_, row) => {
    const message = row.message(facts);
    const hint = row.hint(facts);
    // A name may come first (UTF-8, "query"), a capital that begins a sentence may not.
    expect(message).toMatch(/^(?![A-Z][a-z])\S.*[^.!?\s]$/s);
    expect(hint).toMatch(/^(?:["A-Z]|pg_dump |psql ).*[^.]\.$/s);
    expect(`${message} ${hint}`).not.toMatch(/undefined|null|NaN|\[object|\n| {2}/);
  });
});
