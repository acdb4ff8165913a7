// The schema that a dump holds, read without a server: the same off every pg_dump and in every variant, each change of its own
// one finding, and nothing that only looks like a statement.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadCorpus, prepareCorpus, wholeCorpus } from '../../../fixtures/corpus/load.ts';
import { appendSql, both, emptyTable, removeStatement, replaceStatement, replaceText, type SqlMutation } from '../../../fixtures/sabotage.ts';
import { sampleUnit } from '../../../fixtures/sample/unit.ts';
import { needing } from '../../../fixtures/tools.ts';
import { type Finding, StepEnded } from '../../run/finding.ts';
import { openScratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { startEmbedded } from '../../servers/embedded.ts';
import type { Login } from '../../servers/postgres.ts';
import { inspectDump } from '../dump/inspect.ts';
import { buildManifest, type Manifest, parseManifest } from '../manifest/manifest.ts';
import { readManifestLines } from '../manifest/read.ts';
import { program } from '../restore/rig.ts';
import { compareWithExpected, compareWithManifest, compareWithReference, differences } from './compare.ts';
import { SchemaReading } from './read.ts';
import { readReference, referenceText } from './reference.ts';
import { nameOf, type Schema } from './schema.ts';
import type { ReadSchema } from './steps.ts';

const directory = mkdtempSync(join(tmpdir(), 'schema-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function read(sql: Buffer, reading = new SchemaReading()): Promise<ReadSchema> {
  const file = join(directory, 'dump.sql.gz');
  writeFileSync(file, gzipSync(sql, { level: 1 }));
  const inventory = await inspectDump(file, { onStatement: (...seen) => reading.take(...seen) });
  return { schema: reading.end(inventory.serverMajor), inventory };
}

const shrink = both(...['messages', 'message_events_2026_h2', 'message_events_rest', 'media_objects'].map((table) => emptyTable(table)));
const sample = shrink(gunzipSync(readFileSync(sampleUnit().dumpFile)));
const shipped = join(import.meta.dirname, '../../../checks/schema.reference.json');
const coded = (findings: readonly Finding[]): string[] => findings.map(({ code, message }) => `${code}: ${message}`);

describe('the reference', () => {
  test('that is committed is the schema of the sample that ships here, as it would be written', async () => {
    expect(readFileSync(shipped, 'utf8')).toBe(referenceText((await read(sample)).schema, 'whatsapp-mcp'));
  });

  test.each<[string, string | null, string]>([
    ['is not there', null, 'schema.reference-missing'],
    ['is no JSON', '{"format": ', 'schema.reference-unreadable'],
    ['holds a merge conflict', '<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n', 'schema.reference-unreadable'],
    ['holds no object', JSON.stringify({ format: 'backup-drills/schema/1', application: 'whatsapp-mcp', major: 18, objects: [] }), 'schema.reference-unreadable'],
    ['is of a later version', JSON.stringify({ format: 'backup-drills/schema/2' }), 'schema.reference-format'],
    ['is of another application', JSON.stringify({ format: 'backup-drills/schema/1', application: 'other', major: 18, objects: [{ kind: 'table', name: 'a' }] }), 'schema.reference-other-application'],
  ])('%s: nothing was judged', (_, text, code) => {
    const file = join(directory, 'reference.json');
    rmSync(file, { force: true });
    if (text !== null) writeFileSync(file, text);
    let thrown: unknown;
    try {
      readReference(file, 'whatsapp-mcp');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(StepEnded);
    expect((thrown as StepEnded).findings.map((finding) => [finding.code, finding.judged])).toEqual([[code, false]]);
  });
});

describe('against the reference', () => {
  let reference: Schema;
  beforeAll(() => {
    reference = readReference(shipped, 'whatsapp-mcp');
  });
  const changed = async (mutation: SqlMutation): Promise<string[]> => coded(compareWithReference(reference, (await read(mutation(sample))).schema).findings);

  test.each<[string, SqlMutation, string]>([
    ['a table less', removeStatement(/^CREATE TABLE public\.schema_migrations /), 'schema.object-missing: table public.schema_migrations is not in the dump'],
    ['a type of a column', replaceText('display_name text NOT NULL', 'display_name character varying(80) NOT NULL'), 'schema.object-changed: column display_name of public.clients has changed: type character varying(80), was text'],
    ['a NOT NULL', replaceText('display_name text NOT NULL', 'display_name text'), 'schema.object-changed: column display_name of public.clients has changed: not null none, was yes'],
    ['a column less', replaceText('    display_name text NOT NULL,\n', ''), 'schema.object-missing: column display_name of public.clients is not in the dump'],
    ['a default', replaceText("settings jsonb DEFAULT '{}'::jsonb", `settings jsonb DEFAULT '{"a": 1}'::jsonb`), 'schema.object-changed: column settings of public.clients has changed: default'],
    ['an index less', removeStatement(/^CREATE INDEX messages_chat_idx/), 'schema.object-missing: index public.messages_chat_idx is not in the dump'],
    ['an index of other columns', replaceText('(client_id, chat, created_at DESC)', '(client_id, chat, created_at)'), 'schema.object-changed: index public.messages_chat_idx has changed: definition'],
    ['a constraint less', removeStatement(/ADD CONSTRAINT api_keys_client_id_fkey /), 'schema.object-missing: constraint api_keys_client_id_fkey of public.api_keys is not in the dump'],
    ['a check that checks less', replaceText('CHECK ((octet_length(key_hash) = 32))', 'CHECK ((octet_length(key_hash) > 0))'), 'schema.object-changed: constraint api_keys_key_hash_check of public.api_keys has changed: definition'],
    ['an enum of one value more', replaceText("    'failed'\n", "    'failed',\n    'lost'\n"), 'schema.object-changed: type public.message_status has changed: definition'],
    ['a trigger less', removeStatement(/^CREATE TRIGGER audit_events_append_only/), 'schema.object-missing: trigger audit_events_append_only of public.audit_events is not in the dump'],
    ['a trigger that does not fire', appendSql('ALTER TABLE public.clients DISABLE TRIGGER clients_touch;'), 'schema.object-changed: trigger clients_touch of public.clients has changed: fires disable, was none'],
    ['a policy of all rows', replaceText('USING ((revoked_at IS NULL))', 'USING (true)'), 'schema.object-changed: policy readonly_sees_live_keys of public.api_keys has changed: definition'],
    ['row security that is off', removeStatement(/ENABLE ROW LEVEL SECURITY;$/), 'schema.object-changed: table public.api_keys has changed: row security none, was enabled'],
    ['a view of other rows', replaceStatement(/^CREATE VIEW reporting\.volume_by_slug/, (text) => text.replace(/;$/, ' LIMIT 3;')), 'schema.object-changed: view reporting.volume_by_slug has changed: definition'],
    ['a body of a function', replaceText('RETURNS bytea\n    LANGUAGE sql IMMUTABLE', 'RETURNS bytea\n    LANGUAGE sql STABLE'), 'schema.object-changed: function public.hash_api_key(api_key text) has changed: attributes'],
    ['an extension less', removeStatement(/^CREATE EXTENSION IF NOT EXISTS pgcrypto/), 'schema.object-missing: extension pgcrypto is not in the dump'],
    ['a schema less', removeStatement(/^CREATE SCHEMA reporting/), 'schema.object-missing: schema reporting is not in the dump'],
    ['a sequence of other steps', replaceText('INCREMENT BY 1', 'INCREMENT BY 2'), 'schema.object-changed: sequence public.api_keys_id_seq has changed: definition'],
    ['a table more, with all that is its own', appendSql('CREATE TABLE public.spare (id integer NOT NULL, note text);\n\nCREATE INDEX spare_idx ON public.spare USING btree (id);'), 'schema.object-unexpected: table public.spare is in the dump and not in the reference schema, with 3 that belong to it'],
    ['a drop at the end', appendSql('DROP INDEX public.clients_tags_idx;'), 'schema.object-missing: index public.clients_tags_idx is not in the dump'],
    ['what a trigger hands to its function', replaceText('EXECUTE FUNCTION public.touch_updated_at()', "EXECUTE FUNCTION public.touch_updated_at('x')"), 'schema.object-changed: trigger clients_touch of public.clients has changed: arguments'],
    ['a statement that nobody knows', appendSql('FROBNICATE the database;'), 'schema.object-unexpected: statement '],
  ])('%s', async (_, mutation, told) => {
    const findings = await changed(mutation);
    expect(findings[0]).toContain(told);
    // A table of the sample goes with its parts or its statements that follow; a drop is seen as well as its effect.
    expect(findings.length).toBeLessThanOrEqual(/table less|drop/.test(_) ? 3 : 1);
  });

  test('a CREATE TABLE in data, in a comment or in the body of a function is none', async () => {
    const { schema } = await read(both(
      removeStatement(/^CREATE TABLE public\.clients /),
      appendSql(`-- CREATE TABLE public.clients (id uuid);\n/* CREATE TABLE public.clients (id uuid); */\nCREATE FUNCTION public.trap() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\nCREATE TABLE public.clients (id uuid);\nEND $$;\n\nCOMMENT ON FUNCTION public.trap() IS '\nCREATE TABLE public.clients (id uuid);\n';\n\nCREATE TABLE public.notes (body text);\n\nCOPY public.notes (body) FROM stdin;\nCREATE TABLE public.clients (id uuid);\n\\.\n`),
    )(sample));
    const { findings } = compareWithExpected({ tables: [{ schema: 'public', name: 'clients' }, { schema: 'public', name: 'notes' }, { schema: 'reporting', name: 'volume_by_slug' }], extensions: ['citext', 'postgis'], schemaReference: '' }, schema);
    expect(coded(findings)).toEqual([
      'schema.expected-table-missing: the dump makes no table public.clients, which the configuration expects; it makes nothing of that name',
      'schema.expected-table-missing: the dump makes no table reporting.volume_by_slug, which the configuration expects; it makes a view of that name',
      'schema.expected-extension-missing: the dump makes no extension postgis, which the configuration expects',
    ]);
  });

  test('a table that is only altered is none', async () => {
    const { schema } = await read(removeStatement(/^CREATE TABLE public\.api_keys /)(sample));
    expect(coded(compareWithExpected({ tables: [{ schema: 'public', name: 'api_keys' }], extensions: [], schemaReference: '' }, schema).findings)).toEqual([expect.stringContaining('schema.expected-table-missing: the dump makes no table public.api_keys')]);
    expect(coded(compareWithReference(reference, schema).findings)).toContainEqual(expect.stringContaining('schema.object-missing: table public.api_keys is not in the dump'));
  });

  test('an array reads alike before its first restore and after', async () => {
    const worded = async (list: string): Promise<Schema> => (await read(appendSql(`CREATE TABLE public.jobs (state character varying(9), CONSTRAINT state CHECK (((state)::text = ANY (${list}))));\n\nCREATE INDEX live ON public.jobs USING btree (state) WHERE ((state)::text = ANY (${list}));`)(sample))).schema;
    const [before, after] = [await worded("(ARRAY['a'::character varying, 'b'::character varying])::text[]"), await worded("ARRAY[('a'::character varying)::text, ('b'::character varying)::text]")];
    expect(differences(before, after)).toEqual([]);
    expect(differences(before, await worded("(ARRAY['a'::character varying, 'c'::character varying])::text[]"))).toHaveLength(2);
  });

  test('statements without an end are not kept without an end, and those of one object cost no more each', async () => {
    const many = async (statement: (at: number) => string, reading?: SchemaReading): Promise<ReadSchema> => read(appendSql(Array.from({ length: 20_000 }, (_, at) => statement(at)).join('\n'))(sample), reading);
    await expect(many((at) => `FROBNICATE ${at};`, new SchemaReading(1_000_000))).rejects.toMatchObject({ findings: [{ code: 'dump.too-many-statements', judged: false }] });
    const { schema } = await many(() => 'FROBNICATE;');
    expect(schema.objects).toHaveLength(reference.objects.length + 1);
    expect(Math.max(...schema.objects.flatMap(({ facets }) => Object.values(facets).map(({ length }) => length)))).toBeLessThan(1001);
  });

  test('another database is told in a hundred findings and a sum', async () => {
    const { schema } = await read(sample);
    const other = { ...schema, major: 17, objects: schema.objects.map((object) => ({ ...object, on: null, name: `x.${object.name}` })) };
    const { findings } = compareWithReference(reference, other);
    expect(findings).toHaveLength(102);
    expect(findings.slice(-2).map(({ code }) => code)).toEqual(['schema.more-differences', 'schema.other-major']);
  });

  test('no password is in it', async () => {
    const { schema } = await read(appendSql(`CREATE USER MAPPING FOR wa SERVER s OPTIONS (user 'told not', password 'told not');\n\nCREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', password 'told not');\n\nCREATE SUBSCRIPTION sub CONNECTION 'password=told not' PUBLICATION p WITH (connect = false);\n\nCREATE TRIGGER hook AFTER INSERT ON public.clients FOR EACH ROW EXECUTE FUNCTION public.hook('https://example.invalid', 'Bearer told not');\n\nCREATE SERVER t FOREIGN DATA WRAPPER w OPTIONS (aws_secret 'told not', access_key_id 'told not');`)(sample));
    expect(referenceText(schema, 'a')).not.toContain('told not');
  });
});

test('against the manifest: a table that only one side has', async () => {
  const { inventory } = await read(sample);
  const manifest = parseManifest(readFileSync(sampleUnit().manifestFile), 'm');
  expect(compareWithManifest(manifest, inventory)).toMatchObject({ findings: [], evidence: { missing: 0, extra: 0 } });
  const [first, ...rest] = manifest.tables;
  expect(coded(compareWithManifest({ ...manifest, tables: [{ ...first!, name: 'lost' }, ...rest] }, inventory).findings)).toEqual([
    'schema.dump-lacks-table: the dump lacks a table that the manifest counted in the same snapshot: public.lost',
    `schema.manifest-lacks-table: the dump makes a table that its manifest does not know: public.${first!.name}`,
  ]);
});

const tools = needing('pg_dump15', 'pg_dump16', 'pg_dump17', 'pg_dump18', 'embedded Postgres 15', 'embedded Postgres 18');
tools.test('every pg_dump, in every variant, says the same of the corpus, and so does a server of a later major', async () => {
  const scratch = openScratch({ root: tmpdir(), runId: `schema-test-${process.pid}` });
  try {
    const loaded = async (major: 15 | 18): Promise<Login> => loadCorpus(await prepareCorpus(await startEmbedded({ scratch, major, signal: AbortSignal.timeout(60_000) })), 15, wholeCorpus);
    const login = await loaded(15);
    const dumped = async (major: 15 | 16 | 17 | 18, from: Login, ...words: string[]): Promise<ReadSchema> => read(Buffer.from(await program(tools.path(`pg_dump${major}`), from, words), 'latin1'));
    const schemaOf = async (major: 15 | 16 | 17 | 18, ...words: string[]): Promise<Schema> => (await dumped(major, login, '--schema-only', ...words)).schema;
    const one = await schemaOf(15);
    expect(one.objects.length).toBeGreaterThan(200);
    const variants: [15 | 16 | 17 | 18, ...string[]][] = [[16], [17], [18], [15, '--quote-all-identifiers'], [18, '--quote-all-identifiers'], [18, '--clean', '--if-exists', '--create'], [18, '--no-owner', '--no-privileges', '--no-comments'], [18, '--disable-dollar-quoting']];
    const told = (other: Schema): string[] => differences(one, other).map((difference) => `${difference.what} ${nameOf(difference.object)}${difference.what === 'changed' ? ` ${difference.facets.join()}` : ''}`);
    for (const variant of variants) expect(told(await schemaOf(...variant)), variant.join(' ')).toEqual([]);
    const later = await loaded(18);
    const { schema, inventory } = await dumped(18, later);
    expect(told(schema)).toEqual([]);
    expect(schema.major).toBe(18);
    // What pg_dump leaves to an extension is no table that is lacking.
    expect(compareWithManifest(await manifestOf(later), inventory).findings).toEqual([]);
  } finally {
    expect((await teardown(scratch.path)).findings).toEqual([]);
  }
}, 90_000);

async function manifestOf(login: Login): Promise<Manifest> {
  const client = new Client({ ...login });
  await client.connect();
  try {
    const lines = await readManifestLines(client, { signal: AbortSignal.timeout(60_000) });
    return parseManifest(buildManifest({ id: '2026-11-23', dump: { name: 'db-2026-11-23.sql.gz', sha256: 'a'.repeat(64), bytes: 1 }, tools: { pgDump: '18', psql: '18' } }, lines), 'corpus');
  } finally {
    await client.end();
  }
}
