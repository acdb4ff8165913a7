// The digest changes when any one value changes, two rows or two columns swap a value, or a row is doubled; and never else.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openScene, type Scene } from './scene.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  await scene.create('digest', `CREATE TYPE mood AS ENUM ('sad', 'ok', '', 'NULL'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS bigint CHECK (VALUE > 0);
    CREATE DOMAIN named AS text; CREATE DOMAIN stricter AS named CHECK (length(VALUE) < 100);
    CREATE FUNCTION lie(mood) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''same'''; CREATE CAST (mood AS text) WITH FUNCTION lie(mood)`);
});
afterAll(async () => scene[Symbol.asyncDispose]());

/** Values of one type that all differ: type → SQL expressions. */
const values: Readonly<Record<string, readonly string[]>> = {
  int2: ['0', '1', '-1', '32767', '-32768'],
  int4: ['0', '1', '-1', '2147483647', '-2147483648'],
  // hashint8 folds its halves: 1 and 2^32 have one hash, and so have -1 and its kin.
  int8: ['0', '1', '-1', '4294967296', '4294967297', '-4294967297', '-4294967296', '9223372036854775807', '-9223372036854775808'],
  numeric: ["'1.0'", "'1.00'", "'1'", "'0'", "'0.0'", "'NaN'", "'Infinity'", "'-Infinity'", "'1e400'", "'-1.0'", "'0.000000000000000000000000001'"],
  'numeric(10,2)': ['1.00', '1.01'],
  float4: ["'0'", "'-0'", "'NaN'", "'Infinity'", "'-Infinity'", "'1.1'", "'1.1000001'", "'1e-45'"],
  float8: ["'0'", "'-0'", "'NaN'", "'Infinity'", "'-Infinity'", "'0.1'", "'0.30000000000000004'", "'0.3'", "'5e-324'"],
  money: ["'1.00'", "'-1.00'", "'1.01'", "'92233720368547758.07'"],
  bool: ['true', 'false'],
  text: ["''", "'NULL'", "'null'", "' '", "'a'", "'A'", "'a '", "E'a\\n'", "E'\\\\N'", "'{}'", `'"'`, "','", "'é'", "E'e\\u0301'", "'a,b'", "E'\\t'", "repeat('x', 10000)", "repeat('x', 10001)"],
  varchar: ["''", "'NULL'", "'a'", "'a '"],
  bpchar: ["''", "'a'", "'a '"],
  'char(4)': ["''", "'a'", "'b'"],
  '"char"': ["''", "'a'", "'A'", "127::\"char\"", "(-1)::\"char\"", "(-128)::\"char\""],
  '"char"[]': [`'{}'`, `'{a}'`, `'{b}'`, `ARRAY[(-1)::"char"]`, `ARRAY[(-2)::"char"]`, `ARRAY[NULL]::"char"[]`],
  name: ["''", "'a'", "'NULL'"],
  bytea: ["''", "'\\x00'", "'\\x0000'", "'NULL'", "'\\xff'", "'\\x5c78'"],
  uuid: ["'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'", "'10000000-0000-0000-0000-000000000000'"],
  date: ["'2026-11-23'", "'2026-11-24'", "'infinity'", "'-infinity'", "'0001-01-01 BC'"],
  time: ["'00:00'", "'24:00'", "'12:00:00.000001'"],
  timetz: ["'00:00+00'", "'00:00+01'", "'01:00+01'"],
  // The eight bytes of one 71 minutes later, less a microsecond or so, fold to the same number.
  timestamp: ["'2000-01-01'", "'2000-01-01 00:00:00.000001'", "'2000-01-01 01:11:34.967296'", "'2000-01-01 01:11:34.967297'", "'infinity'", "'-infinity'", "'4713-01-01 BC'"],
  timestamptz: ["'2000-01-01Z'", "'2000-01-01 00:00:00.000001Z'", "'2000-01-01 01:11:34.967296Z'", "'infinity'", "'-infinity'"],
  interval: ["'1 day'", "'24 hours'", "'1 mon'", "'30 days'", "'-1 day'", "'0'"],
  json: [`'{"a":1}'`, `'{"a": 1}'`, `'null'`, `'{}'`, `'[]'`, `'""'`],
  jsonb: [`'{"a":1}'`, `'{"a":1.0}'`, `'{"a":"1"}'`, `'{"a":null}'`, `'null'`, `'{}'`, `'[]'`, `'""'`],
  xml: [`'<a/>'::text::xml`, `'<a></a>'::text::xml`, `''::text::xml`],
  jsonpath: ["'$.a'", "'$.b'"],
  inet: ["'10.0.0.1'", "'10.0.0.1/24'", "'::1'"],
  cidr: ["'10.0.0.0/8'", "'10.0.0.0/16'"],
  macaddr: ["'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"],
  macaddr8: ["'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"],
  'bit(3)': ["B'000'", "B'001'"],
  varbit: ["B''", "B'0'", "B'00'", "B'1'"],
  tsvector: ["''", "'a'", "'a:1'", "'a:1A'"],
  tsquery: ["'a'", "'a & b'", "'a | b'"],
  point: ["'(0,0)'", "'(-0,0)'", "'(0,1)'", "'(1,0)'"],
  line: ["'{1,2,3}'", "'{1,2,4}'"],
  lseg: ["'[(0,0),(1,1)]'", "'[(1,1),(0,0)]'"],
  box: ["'(1,1),(0,0)'", "'(2,1),(0,0)'"],
  path: ["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"],
  polygon: ["'((0,0),(1,1))'", "'((1,1),(0,0))'"],
  circle: ["'<(0,0),1>'", "'<(0,0),2>'"],
  oid: ['0', '1', '4294967295'],
  regclass: ["'pg_class'", "'pg_proc'"],
  pg_lsn: ["'0/0'", "'1/0'", "'0/1'"],
  xid8: ["'0'", "'1'", "'4294967296'"],
  pg_snapshot: ["'10:20:'", "'10:20:15'"],
  tid: ["'(0,1)'", "'(1,0)'"],
  int4range: ["'empty'", "'[1,2)'", "'[1,3)'", "'(,)'", "'[1,)'"],
  tstzrange: ["'empty'", "'[2000-01-01Z,)'", "'[2000-01-01Z,2001-01-01Z)'"],
  int4multirange: ["'{}'", "'{[1,2)}'", "'{[1,2),[3,4)}'", "'{[1,4)}'"],
  'int4[]': ["'{}'", "'{1}'", "'{NULL}'", "'{1,2}'", "'{{1,2}}'", "'[0:1]={1,2}'", "'{2,1}'"],
  'text[]': ["'{}'", "'{NULL}'", `'{"NULL"}'`, `'{""}'`, `'{"a,b"}'`, "'{a,b}'", `'{"{a}"}'`],
  'bytea[]': ["'{}'", `ARRAY['\\x00'::bytea]`, `ARRAY['\\x0000'::bytea]`],
  mood: ["'sad'", "'ok'", "''", "'NULL'"],
  'mood[]': ["'{sad}'", "'{ok}'", `'{"NULL"}'`, "'{NULL}'"],
  // A composite of NULLs IS NULL, and is another value than NULL.
  pair: ['row(NULL, NULL)', `row(NULL, '')`, `row(1, 'a')`, `row(1, 'b')`, `row(2, 'a')`, `row(1, ',')`, `row(1, '"')`],
  positive: ['1', '4294967296', '2'],
  stricter: ["''", "'NULL'", "'a'"],
};

/** Every table's digest, by its name. */
async function digests(database: string): Promise<Map<string, { rows: bigint; digest: bigint }>> {
  const rows = await scene.rows(database);
  return new Map(rows.flatMap((row) => (row.kind === 'table' ? [[row.name, row]] : [])));
}

test('any one value of any type gives another digest, and NULL another still', async () => {
  const tables = Object.entries(values).flatMap(([type, list], number) =>
    [...list, 'NULL'].map((value, at) => ({ type, value, name: `v_${number}_${at}`, sql: `CREATE TABLE v_${number}_${at} (k int, v ${type}); INSERT INTO v_${number}_${at} VALUES (1, (${value})::${type});` })),
  );
  await scene.create('values', tables.map((table) => table.sql).join('\n'), 'digest');
  const found = await digests('values');
  const alike = [...Map.groupBy(tables, (table) => `${table.type} ${found.get(table.name)?.digest}`).values()].filter((group) => group.length > 1);
  expect(alike.map((group) => group.map((table) => `${table.type} ${table.value}`))).toEqual([]);
  expect(found.size).toBe(tables.length);
  expect([...found.values()].every((table) => table.rows === 1n)).toBe(true);
});

test('two tables have one digest exactly where they hold the same rows, in whatever order', async () => {
  // Few values, so that many tables are nearly alike: swaps, doublings, values that moved to the next column.
  const text = fc.constantFrom(null, '', 'NULL', 'a', 'b', 'ab', ',', '"', '\\N', '{}', ' ');
  const row = fc.tuple(text, text, fc.constantFrom(null, '0', '1', '4294967296', '-1'), fc.constantFrom(null, '', '\\x00', '\\x61'), fc.constantFrom(null, '0', '-0', 'NaN'));
  const table = fc.array(row, { minLength: 0, maxLength: 3 });
  const quoted = (value: string | null): string => (value === null ? 'NULL' : `'${value}'`);
  let run = 0;
  let equal = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(table, { minLength: 80, maxLength: 80 }), async (tables) => {
      const database = `fuzz_${run++}`;
      const both = tables.flatMap((rows) => [rows, rows.toReversed()]);
      const sql = both.map((rows, at) => {
        const filled = rows.length === 0 ? '' : `INSERT INTO f${at} VALUES ${rows.map((cells) => `(${cells.map(quoted).join(', ')})`).join(', ')};`;
        return `CREATE TABLE f${at} (a text, b text, c bigint, d bytea, e float8); ${filled}`;
      });
      await scene.create(database, sql.join('\n'));
      const found = await digests(database);
      const model = new Map<string, string>();
      const reverse = new Map<string, string>();
      for (const [at, rows] of both.entries()) {
        const content = JSON.stringify(rows.map((cells) => JSON.stringify(cells)).sort());
        const digest = `${found.get(`f${at}`)?.rows} ${found.get(`f${at}`)?.digest}`;
        if (model.has(content)) equal += 1;
        expect(model.get(content) ?? digest).toBe(digest);
        expect(reverse.get(digest) ?? content).toBe(content);
        model.set(content, digest);
        reverse.set(digest, content);
      }
    }),
    { numRuns: 3, seed: 20_261_123 },
  );
  expect(equal).toBeGreaterThan(50);
});

describe('what the digest sees and does not see', () => {
  let found: Map<string, { rows: bigint; digest: bigint }>;
  const digest = (name: string): bigint => {
    const table = found.get(name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table.digest;
  };
  const wide = Array.from({ length: 1600 }, (_, at) => `c${at} ${['int', 'text', 'int8', 'bool'][at % 4]}`).join(', ');

  beforeAll(async () => {
    await scene.create('cases', `
      CREATE TABLE base (a text, b text); INSERT INTO base VALUES ('1', '2'), ('3', '4');
      CREATE TABLE swapped_rows (a text, b text); INSERT INTO swapped_rows VALUES ('1', '4'), ('3', '2');
      CREATE TABLE swapped_columns (a text, b text); INSERT INTO swapped_columns VALUES ('2', '1'), ('3', '4');
      CREATE TABLE other_order (b text, a text); INSERT INTO other_order (a, b) VALUES ('3', '4'), ('1', '2');
      CREATE TABLE doubled (a text, b text); INSERT INTO doubled VALUES ('1', '2'), ('3', '4'), ('3', '4');
      CREATE TABLE doubled_other (a text, b text); INSERT INTO doubled_other VALUES ('1', '2'), ('3', '4'), ('1', '2');
      CREATE TABLE dropped (a text, gone int, b text); INSERT INTO dropped VALUES ('1', 7, '2'), ('3', 8, '4'); ALTER TABLE dropped DROP COLUMN gone;
      CREATE TABLE shifted (a text, b text); INSERT INTO shifted VALUES ('12', ''), ('3', '4');
      CREATE TABLE shifted_back (a text, b text); INSERT INTO shifted_back VALUES ('1', '2'), ('3', '4');
      CREATE TABLE nowhere (); CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
      CREATE TABLE "t" ("t" text, "select" int, "T""x.y" text, ctid_ int); INSERT INTO "t" VALUES ('row', 1, 'q', NULL);
      CREATE TABLE "T%s;t" ("a%I" text); INSERT INTO "T%s;t" VALUES ('x');
      CREATE TABLE parent (a int); CREATE TABLE child () INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3);
      CREATE TABLE part (a int) PARTITION BY LIST (a); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); INSERT INTO part VALUES (1);
      CREATE TABLE made (a int, s int GENERATED ALWAYS AS (a * 2) STORED, v int GENERATED ALWAYS AS (1 / a) VIRTUAL); INSERT INTO made (a) VALUES (0);
      CREATE TABLE made_plain (a int, s int); INSERT INTO made_plain VALUES (0, 0);
      CREATE TABLE made_other (a int, s int); INSERT INTO made_other VALUES (0, 1);
      CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
      CREATE TABLE loose_1 (a text COLLATE loose, b varchar COLLATE loose, c bpchar COLLATE loose); INSERT INTO loose_1 VALUES ('a', 'a', 'a');
      CREATE TABLE loose_2 (a text COLLATE loose, b varchar COLLATE loose, c bpchar COLLATE loose); INSERT INTO loose_2 VALUES ('A', 'a', 'a');
      CREATE TABLE loose_3 (a text COLLATE loose, b varchar COLLATE loose, c bpchar COLLATE loose); INSERT INTO loose_3 VALUES ('a', 'a', 'A');
      CREATE TABLE wide_1 (${wide}); INSERT INTO wide_1 DEFAULT VALUES;
      CREATE TABLE wide_2 (${wide}); INSERT INTO wide_2 (c1599) VALUES (false);
      CREATE TABLE wide_3 (${wide}); INSERT INTO wide_3 (c0) VALUES (0);
      CREATE UNLOGGED TABLE unlogged (a int); CREATE TEMP TABLE passing (a int);
      CREATE TABLE infinite AS SELECT 'infinity'::date AS d;
    `);
    found = await digests('cases');
  });

  test('swaps between rows and between columns, doubled rows, and values that move to the next column', () => {
    const all = ['base', 'swapped_rows', 'swapped_columns', 'doubled', 'doubled_other', 'shifted'].map(digest);
    expect(new Set(all).size).toBe(all.length);
  });
  test('not the order of rows, the order of columns, or dropped columns', () => {
    expect([digest('other_order'), digest('dropped'), digest('shifted_back')]).toEqual([digest('base'), digest('base'), digest('base')]);
  });
  test('tables without columns, and names that are keywords, aliases and formats', () => {
    expect([found.get('nowhere')?.rows, found.get('nothing')?.rows, found.get('t')?.rows, found.get('T%s;t')?.rows]).toEqual([0n, 2n, 1n, 1n]);
    expect(digest('t')).not.toBe(0n);
  });
  test('each row once: parents without their children, no partition parents, no temporary tables', () => {
    expect([found.get('parent')?.rows, found.get('child')?.rows, found.get('part_1')?.rows, found.has('part'), found.has('passing'), found.has('unlogged')]).toEqual([1n, 2n, 1n, false, false, true]);
  });
  test('generated columns where they are stored, and virtual ones never, whose reading would fail', () => {
    expect(digest('made')).toBe(digest('made_plain'));
    expect(digest('made')).not.toBe(digest('made_other'));
  });
  test('case under a collation that calls a and A equal', () => {
    expect(new Set([digest('loose_1'), digest('loose_2'), digest('loose_3')]).size).toBe(3);
  });
  test('the first and the last of 1600 columns', () => {
    expect(new Set([digest('wide_1'), digest('wide_2'), digest('wide_3')]).size).toBe(3);
  });
});

test('of an extension\'s tables, only the rows that pg_dump carries: those of its own condition', async () => {
  await scene.create('extended', `CREATE EXTENSION citext; CREATE TABLE config (a int); CREATE TABLE inner_only (a int); CREATE TABLE ours (a int);
    INSERT INTO config VALUES (1), (2), (3); INSERT INTO inner_only VALUES (1); INSERT INTO ours VALUES (1);
    ALTER EXTENSION citext ADD TABLE config; ALTER EXTENSION citext ADD TABLE inner_only;
    UPDATE pg_extension SET extconfig = ARRAY['config'::regclass::oid], extcondition = ARRAY['WHERE a > 1'] WHERE extname = 'citext'`);
  const found = await digests('extended');
  expect([found.size, found.get('config')?.rows, found.get('ours')?.rows]).toEqual([2, 2n, 1n]);
});
