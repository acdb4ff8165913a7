// The same text through psql and through the harness, with the rights that a dump has, and on other majors.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startOther } from '../../../fixtures/other-server.ts';
import { needing } from '../../../fixtures/tools.ts';
import type { Login } from '../../servers/postgres.ts';
import { compareManifests } from './compare.ts';
import { parseManifest } from './manifest.ts';
import { readManifestRows } from './read.ts';
import { openScene, sceneOn, type Scene } from './scene.ts';

const sql = readFileSync(new URL('../../../ops/backups/manifest.sql', import.meta.url), 'utf8');

/** Nothing in it depends on when it is made, so that its digests are the same on every major. */
const source = `
  CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS bigint CHECK (VALUE > 0);
  CREATE TABLE every (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int2, b int4, c bool, d "char", e "char"[], f uuid, g timestamp, h timestamptz, i bytea, j text, k varchar(20), l bpchar, m numeric,
    n float4, o float8, p money, q jsonb, r json, s interval, t date, u time, v timetz, w inet, x int4range, y int4multirange, z text[], aa mood, ab pair, ac positive, ad tsvector, ae xid8, af varbit, ag macaddr, ah point, ai name, aj oid, ak pg_lsn, al int8);
  INSERT INTO every (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab, ac, ad, ae, af, ag, ah, ai, aj, ak, al) VALUES
    (-1, 2, true, (-1)::"char", ARRAY['a'::"char", (-2)::"char"], '00000000-0000-0000-0000-00000000000a', '2000-01-01 01:02:03.4', '2026-11-23 12:00+02', '\\x00ff5c', E'é\\n\\\\,"', 'v', 'b  ', 1.00, '-0', 0.1, 12.34, '{"a": [1.0, null]}', '{"a" :1}', '1 mon -2 days 03:00', '2026-11-23', '24:00', '01:00+02', '10.0.0.1/8', '[1,5)', '{[1,2),[4,5)}', '{NULL,"NULL",""}', 'ok', row(NULL, ','), 5000000000, 'a:1A b', '9999999999', B'0101', '08:00:2b:01:02:03', '(1,-0)', 'n', 4294967295, '1/2', 9223372036854775807),
    (NULL, NULL, NULL, NULL, NULL, NULL, 'infinity', '-infinity', NULL, NULL, NULL, NULL, 'NaN', 'NaN', '-Infinity', NULL, NULL, NULL, NULL, 'infinity', NULL, NULL, NULL, 'empty', '{}', '{}', NULL, row(NULL, NULL), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
  CREATE TABLE part (a int) PARTITION BY LIST (a); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); INSERT INTO part VALUES (1);
  CREATE TABLE guarded (a text); INSERT INTO guarded VALUES ('1'), ('2'); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
  CREATE UNIQUE INDEX every_j ON every (lower(j)) WHERE b > 0;
  CREATE VIEW seen AS SELECT id, j FROM every WHERE b > 0; CREATE MATERIALIZED VIEW kept AS SELECT count(*) FROM every;
  SELECT lo_from_bytea(99, convert_to(repeat('x', 5000), 'UTF8'));
`;
/** A retained set's digests must never change: what row-chain-1 says of the rows above. */
const everyDigest = { rows: 2n, digest: -2_032_473_829_356_234_182n };

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  await scene.create('source', source);
});
afterAll(async () => scene[Symbol.asyncDispose]());

test('row-chain-1 is what it always was', async () => {
  expect((await scene.manifest('source')).tables.find((table) => table.name === 'every')).toMatchObject(everyDigest);
});

test('a session that writes values another way reads the same, and keeps its ways', async () => {
  const strange = "SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -5; SET bytea_output = 'escape'; SET quote_all_identifiers = on; SET transform_null_equals = on; SET search_path = public; SET statement_timeout = '5ms'; SET standard_conforming_strings = on";
  const client = new Client({ ...scene.admin, database: 'source' });
  await client.connect();
  try {
    await client.query(strange);
    const rows = await readManifestRows(client, { signal: new AbortController().signal });
    expect(compareManifests(await scene.manifest('source'), rows, { sequences: 'exact' }).findings).toEqual([]);
    expect((await client.query<{ DateStyle: string }>('SHOW datestyle')).rows[0]?.DateStyle).toBe('German, DMY');
  } finally {
    await client.end();
  }
});

test('functions and casts of the database that shadow ours are never run', async () => {
  await scene.create('hostile', `CREATE SCHEMA evil; CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''run''; END';
    CREATE TYPE odd AS ENUM ('a'); CREATE FUNCTION public.shout(odd) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''run''; END'; CREATE CAST (odd AS text) WITH FUNCTION public.shout(odd) AS ASSIGNMENT;
    CREATE FUNCTION public.hashtextextended(text, bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''run''; END';
    CREATE TABLE t (a odd, b odd[]); INSERT INTO t VALUES ('a', '{a}'); ALTER DATABASE hostile SET search_path = public, pg_catalog`);
  expect((await scene.manifest('hostile')).tables.map((table) => table.rows)).toEqual([1n]);
});

test('progress names each table, and a signal ends the reading between two', async () => {
  const client = new Client({ ...scene.admin, database: 'source' });
  await client.connect();
  try {
    const told: string[] = [];
    const stop = new AbortController();
    const reading = readManifestRows(client, { signal: stop.signal, progress: ({ done, what }) => { told.push(`${done} ${what}`); if (done === 2) stop.abort(new Error('enough')); } });
    await expect(reading).rejects.toThrow('enough');
    expect(told).toEqual(['1 public.every', '2 public.guarded']);
  } finally {
    await client.end();
  }
});

describe('a role with no more rights than a dump needs', () => {
  const login = async (attributes: string): Promise<Scene> => {
    const user = `reader_${attributes.length}`;
    await scene.run('postgres', `CREATE ROLE ${user} LOGIN PASSWORD 'reader' ${attributes}; GRANT pg_read_all_data TO ${user}`);
    return sceneOn({ ...scene.admin, user, password: 'reader' }, async () => undefined);
  };
  test('reads all that the superuser reads, large objects included', async () => {
    const reader = await login('BYPASSRLS');
    const found = compareManifests(await scene.manifest('source'), await reader.rows('source'), { sequences: 'exact' });
    expect(found.findings).toEqual([]);
    expect(found.pieces.largeObjects.evidence.bytesFound).toBe('5000');
  });
  test('is refused where row-level security would filter a count', async () => {
    const reader = await login('NOBYPASSRLS');
    await expect(reader.rows('source')).rejects.toMatchObject({ code: '42501' });
  });
});

const psql = needing('psql18');
psql.test('psql prints, one to a line, what the harness reads in the same snapshot', async () => {
  const client = new Client({ ...scene.admin, database: 'source' });
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const snapshot = (await client.query<{ id: string }>('SELECT pg_export_snapshot() AS id')).rows[0]!.id;
    const printed = runPsql(psql.path('psql18'), { ...scene.admin, database: 'source' }, `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSET TRANSACTION SNAPSHOT '${snapshot}';\n${sql}\nROLLBACK;\n`);
    const apart = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/"time": "[^"]*"/, ''));
    expect(apart(printed)).toEqual(apart(await scene.lines('source')));
    // As backup-db.sh writes the file: lines, joined.
    const file = `{\n"format": "backup-drills/manifest/1",\n"id": "2026-11-23",\n"dump": {"name": "d", "sha256": "${'0'.repeat(64)}", "bytes": 1},\n"tools": {"pgDump": "18", "psql": "18"},\n"rows": [\n${printed.join(',\n')}\n]\n}\n`;
    expect(parseManifest(Buffer.from(file), 'm').tables).toHaveLength(3);
  } finally {
    await client.end();
  }
});

const pasted = needing('bash', 'psql18', 'pg_dump18');
pasted.describe('what docs/manifest.md says to paste', () => {
  const page = readFileSync(new URL('../../../docs/manifest.md', import.meta.url), 'utf8');
  const block = /^```bash\n(.*?)^```$/ms.exec(page)?.[1] ?? '';
  let store: string;
  beforeAll(() => {
    store = mkdtempSync(join(tmpdir(), 'backup-drills-paste-'));
  });
  afterAll(() => rmSync(store, { recursive: true, force: true }));

  const paste = (database: string): void => {
    const { admin } = scene;
    const text = block.replace(/^DB=\S+/m, `DB=${database}`).replace(/^STORE=\S+/m, `STORE='${store}'`).replace(/^SQL=\S+/m, `SQL='${join(import.meta.dirname, '../../../ops/backups/manifest.sql')}'`);
    const env = { ...process.env, PATH: `${dirname(pasted.path('psql18'))}:${process.env['PATH'] ?? ''}`, PGHOST: admin.host, PGPORT: String(admin.port), PGUSER: admin.user, PGPASSWORD: admin.password };
    execFileSync(pasted.path('bash'), { input: text, env, stdio: ['pipe', 'ignore', 'pipe'] });
  };

  test('leaves no set where the dump fails', () => {
    expect(() => paste('no_such_database')).toThrow(/no_such_database/);
    expect(readdirSync(store).filter((name) => !name.endsWith('.tmp'))).toEqual([]);
  });

  test('writes a dump and the manifest that binds it', async () => {
    paste('source');
    const [dump = '', manifest = '', ...more] = readdirSync(store).filter((name) => !name.endsWith('.rows.tmp')).sort().reverse();
    expect(more).toEqual([]);
    const said = parseManifest(readFileSync(join(store, manifest)), manifest);
    const bytes = readFileSync(join(store, dump));
    expect(said).toMatchObject({ id: /^db-(.*)\.sql\.gz$/.exec(dump)?.[1], dump: { name: dump, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') } });
    expect(compareManifests(said, await scene.rows('source'), { sequences: 'exact' }).findings).toEqual([]);
    expect(gunzipSync(bytes).toString()).toContain('PostgreSQL database dump complete');
  });

  test('overwrites no set', () => {
    expect(() => paste('source')).toThrow(/is there already/);
  });
});

const other = needing('initdb15', 'postgres15');
other.describe('against Postgres 15', () => {
  let older: Scene;
  beforeAll(async () => {
    const server = await startOther(other.path('initdb15'), other.path('postgres15'));
    older = sceneOn(server.admin, server.stop);
    await older.create('source', source);
  });
  afterAll(async () => older?.[Symbol.asyncDispose]());

  test('rows, sequences, large objects and definitions agree, however the two word them', async () => {
    const manifest = await older.manifest('source');
    expect(manifest.database.serverVersionNum).toBeLessThan(160_000);
    expect(manifest.tables.find((table) => table.name === 'every')).toMatchObject(everyDigest);
    // Owners bear the name of either cluster's superuser.
    const rows = (await scene.rows('source')).map((row) =>
      row.kind === 'object' && row.definition['owner'] === scene.admin.user ? { ...row, definition: { ...row.definition, owner: older.admin.user } } : row.kind === 'large-objects' ? { ...row, grants: manifest.largeObjects.grants } : row,
    );
    const { findings } = compareManifests(manifest, rows, { sequences: 'exact' });
    expect(findings.map((finding) => finding.code).filter((code) => code !== 'compare.collation-differs')).toEqual(['compare.major-differs']);
  });
});

function runPsql(program: string, login: Login, input: string): string[] {
  const env = { ...process.env, PGPASSWORD: login.password };
  const out = execFileSync(program, ['-AtXq', '-v', 'ON_ERROR_STOP=1', '-h', login.host, '-p', String(login.port), '-U', login.user, login.database], { input, env, encoding: 'utf8', maxBuffer: 1 << 28 });
  return out.trimEnd().split('\n');
}
