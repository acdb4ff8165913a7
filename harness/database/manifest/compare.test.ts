// A copy of the source agrees in everything; break one thing in the copy, and exactly its finding comes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareManifests, compareSchema, restoredFacts } from './compare.ts';
import { contentEvidence, databaseEvidence, largeObjectsEvidence, manifestEvidence, schemaEvidence, sequencesEvidence, tablesEvidence } from './evidence.ts';
import { describeManifest } from './compare.ts';
import type { Manifest, Row } from './manifest.ts';
import { openScene, type Scene } from './scene.ts';

const source = `
  CREATE ROLE app NOLOGIN; CREATE ROLE reader NOLOGIN;
  CREATE EXTENSION citext; CREATE EXTENSION fuzzystrmatch;
  CREATE TYPE mood AS ENUM ('sad', 'ok');
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  COMMENT ON CONSTRAINT positive_check ON DOMAIN positive IS 'of a domain';
  CREATE TYPE pair AS (a int, b text);
  CREATE TABLE clients (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name citext NOT NULL UNIQUE, mood mood DEFAULT 'ok', note text COLLATE "C");
  COMMENT ON TABLE clients IS 'who we serve'; COMMENT ON COLUMN clients.note IS 'free';
  CREATE TABLE messages (id bigserial PRIMARY KEY, client bigint NOT NULL REFERENCES clients (id), body text, amount numeric(10,2) DEFAULT 0 CHECK (amount >= 0), twice numeric GENERATED ALWAYS AS (amount * 2) STORED);
  CREATE UNIQUE INDEX messages_body ON messages (body) WHERE body <> '';
  CREATE INDEX messages_client ON messages (client);
  INSERT INTO clients (name) SELECT 'client ' || g FROM generate_series(1, 5) AS g;
  INSERT INTO messages (client, body, amount) SELECT 1 + g % 5, 'message ' || g, g FROM generate_series(1, 100) AS g;
  CREATE FUNCTION shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(t)';
  CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
  CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int, initcond = '0');
  CREATE TRIGGER messages_touched BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION touched();
  ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON messages FOR SELECT TO app USING (client = 1);
  CREATE RULE quiet AS ON DELETE TO clients DO INSTEAD NOTHING;
  CREATE VIEW bodies AS SELECT id, body FROM messages;
  CREATE MATERIALIZED VIEW counts AS SELECT client, count(*) FROM messages GROUP BY client;
  CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
  CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE INDEX events_at ON events (at);
  INSERT INTO events VALUES ('2026-11-23', 'x');
  CREATE SEQUENCE tickets START 10; SELECT nextval('tickets');
  CREATE SEQUENCE down INCREMENT -1; SELECT nextval('down');
  CREATE SEQUENCE wheel MAXVALUE 3 CYCLE; SELECT nextval('wheel');
  CREATE TABLE empty (a int);
  CREATE TABLE twin (a int); CREATE TABLE twin_1 () INHERITS (twin); CREATE TABLE twin_2 () INHERITS (twin); INSERT INTO twin_1 VALUES (1); INSERT INTO twin_2 VALUES (2);
  CREATE AGGREGATE running (int) (sfunc = int4pl, stype = int, msfunc = int4pl, minvfunc = int4mi, mstype = int, minitcond = '0');
  REVOKE EXECUTE ON FUNCTION soundex(text) FROM PUBLIC;
  CREATE PUBLICATION feed FOR TABLE messages (id, body) WHERE (id > 0);
  CREATE TYPE span AS RANGE (subtype = text, subtype_opclass = text_pattern_ops);
  CREATE CONVERSION own_latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
  CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION event_noop();
  CREATE STATISTICS related ON client, amount FROM messages;
  GRANT SELECT ON messages TO reader; GRANT USAGE ON SCHEMA public TO reader; ALTER TABLE clients OWNER TO app;
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;
  SELECT lo_from_bytea(4711, convert_to(repeat('large', 2000), 'UTF8')); SELECT lo_from_bytea(4712, '\\x00');
`.replace('CREATE EVENT TRIGGER watch', "CREATE FUNCTION event_noop() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watch");

let scene: Scene;
let manifest: Manifest;
beforeAll(async () => {
  scene = await openScene();
  await scene.create('source', source);
  // A database with an open session cannot be copied.
  await scene.create('template', undefined, 'source');
  manifest = await scene.manifest('source');
});
afterAll(async () => scene[Symbol.asyncDispose]());

let copies = 0;
/** The rows of the source as they were after that SQL. */
async function broken(sql: string): Promise<Row[]> {
  // Sequences are not part of a transaction; all else is broken in one and comes back with its end.
  if (!/setval|nextval/.test(sql)) return scene.rowsAfter('source', sql);
  const name = `copy_${copies++}`;
  await scene.create(name, sql, 'template');
  return scene.rows(name);
}

const codes = (rows: readonly Row[], options = {}): string[] => compareManifests(manifest, rows, options).findings.map((finding) => finding.code);

test('a copy agrees in everything, and each step has evidence of it', async () => {
  const rows = await broken('SELECT 1');
  const { findings, pieces } = compareManifests(manifest, rows);
  expect(findings).toEqual([]);
  expect(tablesEvidence.parse(pieces.tables.evidence)).toEqual({ tablesExpected: 7, tablesFound: 7, rowsExpected: '108', rowsFound: '108' });
  expect(contentEvidence.parse(pieces.content.evidence)).toEqual({ algorithm: 'row-chain-1', tablesCompared: 7, rowsCompared: '108', tablesNotComparable: 0 });
  const schema = schemaEvidence.parse(pieces.schema.evidence);
  expect(schema.objectsCompared).toBe(schema.objectsExpected);
  expect(schema.fingerprintFound).toBe(schema.fingerprintExpected);
  expect(Object.keys(schema.byType).sort()).toEqual([
    'aggregate', 'column', 'composite type', 'constraint', 'conversion', 'default privileges', 'domain', 'enum', 'event trigger', 'extension', 'extension member', 'function', 'index', 'materialised view',
    'policy', 'publication', 'range type', 'rule', 'schema', 'sequence', 'statistics', 'table', 'trigger', 'view',
  ]);
  expect(sequencesEvidence.parse(pieces.sequences.evidence)).toEqual({ mode: 'at-least', sequencesExpected: 5, sequencesCompared: 4, sequencesCycling: 1 });
  expect(largeObjectsEvidence.parse(pieces.largeObjects.evidence).countExpected).toBe('2');
  expect(databaseEvidence.parse(pieces.database.evidence).encodingFound).toBe('UTF8');
  expect(manifestEvidence.parse(describeManifest(manifest))).toMatchObject({ tables: 7, rows: '108', algorithm: 'row-chain-1' });
  expect(codes(rows, { sequences: 'exact' })).toEqual([]);
});

test('what the database itself has is compared where the dump brought it, and told of where none did', async () => {
  const rows = await scene.rowsAfter('source', 'ALTER DATABASE source RESET work_mem; REVOKE CONNECT ON DATABASE source FROM PUBLIC');
  const having = { ...manifest, objects: manifest.objects.map((object) => (object.type === 'database' ? { ...object, hash: '0'.repeat(64), definition: { ...object.definition, settings: { '(all)': ['work_mem=1MB'] } } } : object)) };
  expect(compareManifests(having, rows).findings.map(({ code, severity, facts }) => ({ code, severity, facts }))).toEqual([{ code: 'compare.database-left-behind', severity: 'note', facts: { what: ['settings'] } }]);
  expect(compareManifests(having, rows, { database: 'brought' }).findings.map(({ code, facts }) => [code, facts['names']])).toEqual([['compare.object-differs', ['the database itself [privileges, settings]']]]);
  const connecting = await scene.rowsAfter('source', 'CREATE ROLE checker_0123456789abcdef; GRANT CONNECT ON DATABASE source TO checker_0123456789abcdef');
  expect(compareManifests(manifest, connecting, { database: 'brought' }).findings).toEqual([]);
});

test('what a dump by a role without the rights cannot hold is not missed', async () => {
  const base = await scene.rowsAfter('source', "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER server FOREIGN DATA WRAPPER w; CREATE USER MAPPING FOR app SERVER server; CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere.invalid' PUBLICATION a WITH (connect = false)");
  const byWhom = (dumped: boolean): Manifest => ({ ...manifest, objects: base.filter((row) => row.kind === 'object').map((row) => (row.type === 'user mapping' || row.type === 'subscription' ? { ...row, hash: '0'.repeat(64), definition: { ...row.definition, dumped, ...(row.type === 'user mapping' ? { options: { password: 'f'.repeat(64) } } : {}) } } : row)) });
  const restored = base.filter((row) => row.kind !== 'object' || row.type !== 'subscription');
  expect(compareManifests(byWhom(false), restored).findings).toEqual([]);
  expect(compareManifests(byWhom(true), restored).findings.map(({ code, facts }) => [code, facts['names']])).toEqual([['compare.object-missing', ['subscription sub']], ['compare.object-differs', ['user mapping server for app [options]']]]);
});

describe('one fault, one code', () => {
  const faults: readonly [name: string, sql: string, code: string, says: RegExp][] = [
    ['a table is gone, with all that hangs on it', 'DROP TABLE empty', 'compare.table-missing', /^1 table of the manifest did not come back: public\.empty$/],
    ['a table came on top', 'CREATE TABLE more (id serial PRIMARY KEY)', 'compare.table-extra', /public\.more/],
    ['rows are gone', 'DELETE FROM messages WHERE id > 97', 'compare.rows-missing', /^3 rows .* public\.messages \(3: 97, was 100\)$/],
    ['all rows of a partition are gone', 'TRUNCATE events_2026', 'compare.rows-missing', /public\.events_2026/],
    ['rows were doubled where the key went', "INSERT INTO events SELECT * FROM events", 'compare.rows-extra', /public\.events_2026 \(1: 2, was 1\)/],
    ['a value changed', "UPDATE messages SET body = 'other' WHERE id = 7", 'compare.content-differs', /public\.messages$/],
    ['two rows swapped a value', 'UPDATE messages SET client = 3 - client WHERE id IN (5, 6)', 'compare.content-differs', /public\.messages$/],
    ['NULL became empty', "UPDATE clients SET note = '' WHERE id = 1", 'compare.content-differs', /public\.clients$/],
    ['an index is gone', 'DROP INDEX messages_client', 'compare.object-missing', /index public\.messages_client$/],
    ['an index came on top', 'CREATE INDEX messages_more ON messages (amount)', 'compare.object-extra', /index public\.messages_more$/],
    ['an index lost UNIQUE', "DROP INDEX messages_body; CREATE INDEX messages_body ON messages (body) WHERE body <> ''", 'compare.object-differs', /index public\.messages_body \[definition, unique\]$/],
    ['an index lost its condition', 'DROP INDEX messages_body; CREATE UNIQUE INDEX messages_body ON messages (body)', 'compare.object-differs', /messages_body \[definition\]$/],
    ['an index is invalid', "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'messages_client'::regclass", 'compare.index-invalid', /public\.messages_client$/],
    ['the primary key is gone', 'ALTER TABLE messages DROP CONSTRAINT messages_pkey', 'compare.object-missing', /constraint messages_pkey on public\.messages, index public\.messages_pkey$/],
    ['a foreign key is gone', 'ALTER TABLE messages DROP CONSTRAINT messages_client_fkey', 'compare.object-missing', /constraint messages_client_fkey on public\.messages$/],
    ['a foreign key is NOT VALID', 'ALTER TABLE messages DROP CONSTRAINT messages_client_fkey; ALTER TABLE messages ADD CONSTRAINT messages_client_fkey FOREIGN KEY (client) REFERENCES clients (id) NOT VALID', 'compare.object-differs', /messages_client_fkey on public\.messages \[definition, validated\]$/],
    ['a check is not enforced', 'ALTER TABLE messages DROP CONSTRAINT messages_amount_check; ALTER TABLE messages ADD CONSTRAINT messages_amount_check CHECK (amount >= 0) NOT ENFORCED', 'compare.object-differs', /messages_amount_check/],
    ['a check checks something else', 'ALTER TABLE messages DROP CONSTRAINT messages_amount_check; ALTER TABLE messages ADD CONSTRAINT messages_amount_check CHECK (amount >= -1)', 'compare.object-differs', /messages_amount_check on public\.messages \[definition\]$/],
    ['a foreign key cascades', 'ALTER TABLE messages DROP CONSTRAINT messages_client_fkey; ALTER TABLE messages ADD CONSTRAINT messages_client_fkey FOREIGN KEY (client) REFERENCES clients (id) ON DELETE CASCADE', 'compare.object-differs', /messages_client_fkey on public\.messages \[definition\]$/],
    ['a foreign key waits for the end', 'ALTER TABLE messages ALTER CONSTRAINT messages_client_fkey DEFERRABLE INITIALLY DEFERRED', 'compare.object-differs', /messages_client_fkey on public\.messages \[deferrable, deferred, definition\]$/],
    ['a trigger calls another function', 'CREATE OR REPLACE TRIGGER messages_touched BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', 'compare.object-differs', /trigger messages_touched on public\.messages \[definition\]$/],
    ['a trigger is disabled', 'ALTER TABLE messages DISABLE TRIGGER messages_touched', 'compare.object-differs', /trigger messages_touched on public\.messages \[enabled\]$/],
    ['a trigger is gone', 'DROP TRIGGER messages_touched ON messages', 'compare.object-missing', /trigger messages_touched on public\.messages$/],
    ['a policy is gone', 'DROP POLICY own ON messages', 'compare.object-missing', /policy own on public\.messages$/],
    ['a policy is for everyone', 'ALTER POLICY own ON messages TO PUBLIC', 'compare.object-differs', /policy own on public\.messages \[roles\]$/],
    ['row security is off', 'ALTER TABLE messages DISABLE ROW LEVEL SECURITY', 'compare.object-differs', /table public\.messages \[rowSecurity\]$/],
    ['a function does something else', "CREATE OR REPLACE FUNCTION shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)'", 'compare.object-differs', /function public\.shout\(text\) \[body\]$/],
    ['a function runs as its owner', 'ALTER FUNCTION shout(text) SECURITY DEFINER', 'compare.object-differs', /function public\.shout\(text\) \[securityDefiner\]$/],
    ['a function has one character more', "CREATE OR REPLACE FUNCTION shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(t) '", 'compare.object-differs', /function public\.shout\(text\) \[body\]$/],
    ['a function of an extension is for nobody', 'REVOKE EXECUTE ON FUNCTION text_soundex(text) FROM PUBLIC', 'compare.object-extra', /extension member function public\.text_soundex\(pg_catalog\.text\)$/],
    ['a function of an extension is for others too', 'GRANT EXECUTE ON FUNCTION soundex(text) TO app', 'compare.object-differs', /extension member function public\.soundex\(pg_catalog\.text\) \[rights\]$/],
    ['a function looks for names elsewhere', "ALTER FUNCTION shout(text) SET search_path = 'evil'", 'compare.object-differs', /function public\.shout\(text\) \[settings\]$/],
    ['a function belongs to another', 'ALTER FUNCTION shout(text) OWNER TO app', 'compare.object-differs', /function public\.shout\(text\) \[owner\]$/],
    ['an aggregate begins elsewhere', "CREATE OR REPLACE AGGREGATE total (int) (sfunc = int4pl, stype = int, initcond = '1')", 'compare.object-differs', /aggregate public\.total\(integer\) \[initial\]$/],
    ['a moving aggregate begins elsewhere', "CREATE OR REPLACE AGGREGATE running (int) (sfunc = int4pl, stype = int, msfunc = int4pl, minvfunc = int4mi, mstype = int, minitcond = '1')", 'compare.object-differs', /aggregate public\.running\(integer\) \[movingInitial\]$/],
    ['a publication tells other rows', 'ALTER PUBLICATION feed SET TABLE messages (id, body) WHERE (id > 1)', 'compare.object-differs', /publication feed \[rows\]$/],
    ['a publication tells another column', 'ALTER PUBLICATION feed SET TABLE messages (id, client) WHERE (id > 0)', 'compare.object-differs', /publication feed \[tables\]$/],
    ['a publication tells of a schema more', 'CREATE PUBLICATION more FOR TABLES IN SCHEMA public', 'compare.object-extra', /publication more$/],
    ['a range is ordered otherwise', 'DROP TYPE span; CREATE TYPE span AS RANGE (subtype = text)', 'compare.object-differs', /range type public\.span \[operatorClass\]$/],
    ['a conversion is gone', 'DROP CONVERSION own_latin', 'compare.object-missing', /conversion public\.own_latin$/],
    ['a default changed', 'ALTER TABLE messages ALTER amount SET DEFAULT 1', 'compare.object-differs', /column public\.messages\.amount \[default\]$/],
    ['a generated column says the same in other words', 'ALTER TABLE messages ALTER twice SET EXPRESSION AS (amount + amount)', 'compare.object-differs', /column public\.messages\.twice \[generation\]$/],
    ['a default is gone', 'ALTER TABLE messages ALTER id DROP DEFAULT', 'compare.object-differs', /column public\.messages\.id \[default\]$/],
    ['NOT NULL is gone', 'ALTER TABLE messages ALTER client DROP NOT NULL', 'compare.object-differs', /column public\.messages\.client \[notNull\]$/],
    ['NOT NULL was never checked', 'ALTER TABLE messages ALTER client DROP NOT NULL; ALTER TABLE messages ADD CONSTRAINT messages_client_not_null NOT NULL client NOT VALID', 'compare.object-differs', /column public\.messages\.client \[notNull\]$/],
    ['an identity is gone, its sequence with it', 'ALTER TABLE clients ALTER id DROP IDENTITY; CREATE SEQUENCE clients_id_seq; ALTER SEQUENCE clients_id_seq OWNER TO app; ALTER SEQUENCE clients_id_seq OWNED BY clients.id; SELECT setval(\'clients_id_seq\', 5)', 'compare.object-differs', /column public\.clients\.id \[identity\]$/],
    ['an identity takes any value', 'ALTER TABLE clients ALTER id SET GENERATED BY DEFAULT', 'compare.object-differs', /column public\.clients\.id \[identity\]$/],
    ['a column is gone', 'ALTER TABLE clients DROP COLUMN note', 'compare.object-missing', /column public\.clients\.note$/],
    ['a column has another type', 'ALTER TABLE clients ALTER note TYPE varchar(50)', 'compare.object-differs', /column public\.clients\.note \[collation, type\]$/],
    ['a column sorts otherwise', 'ALTER TABLE clients ALTER note TYPE text COLLATE "POSIX"', 'compare.object-differs', /column public\.clients\.note \[collation\]$/],
    ['a column is planned otherwise', 'ALTER TABLE clients ALTER note SET (n_distinct = 5)', 'compare.object-differs', /column public\.clients\.note \[options\]$/],
    ['a column is sampled otherwise', 'ALTER TABLE clients ALTER note SET STATISTICS 500', 'compare.object-differs', /column public\.clients\.note \[statistics\]$/],
    ['a column is stored otherwise', 'ALTER TABLE clients ALTER note SET STORAGE EXTERNAL', 'compare.object-differs', /column public\.clients\.note \[storage\]$/],
    ['a table is replicated by all its columns', 'ALTER TABLE messages REPLICA IDENTITY FULL', 'compare.object-differs', /table public\.messages \[replicaIdentity\]$/],
    ['a table is vacuumed otherwise', 'ALTER TABLE messages SET (autovacuum_enabled = false)', 'compare.object-differs', /table public\.messages \[options\]$/],
    ['a table is unlogged', 'ALTER TABLE empty SET UNLOGGED', 'compare.object-differs', /table public\.empty \[persistence\]$/],
    ['a view shows something else', 'CREATE OR REPLACE VIEW bodies AS SELECT id, lower(body) AS body FROM messages', 'compare.object-differs', /view public\.bodies \[definition\]$/],
    ['a materialised view is not filled', 'REFRESH MATERIALIZED VIEW counts WITH NO DATA', 'compare.object-differs', /materialised view public\.counts \[populated\]$/],
    ['a rule is gone', 'DROP RULE quiet ON clients', 'compare.object-missing', /rule quiet on public\.clients$/],
    ['a rule is off', 'ALTER TABLE clients DISABLE RULE quiet', 'compare.object-differs', /rule quiet on public\.clients \[enabled\]$/],
    ['a view lets conditions leak', 'ALTER VIEW bodies SET (security_invoker = true)', 'compare.object-differs', /view public\.bodies \[options\]$/],
    ['a column of a view may be read', 'GRANT SELECT (id) ON bodies TO reader', 'compare.object-differs', /view public\.bodies \[columnPrivileges\]$/],
    ['a column of a view has a comment', "COMMENT ON COLUMN bodies.id IS 'x'", 'compare.object-differs', /view public\.bodies \[columnComments\]$/],
    ['statistics are kept of other kinds', 'DROP STATISTICS related; CREATE STATISTICS related (ndistinct) ON client, amount FROM messages', 'compare.object-differs', /statistics public\.related \[definition\]$/],
    ['an enum is in another order', "ALTER TABLE clients ALTER mood DROP DEFAULT; ALTER TABLE clients ALTER mood TYPE text; DROP TYPE mood; CREATE TYPE mood AS ENUM ('ok', 'sad'); ALTER TABLE clients ALTER mood TYPE mood USING mood::mood; ALTER TABLE clients ALTER mood SET DEFAULT 'ok'", 'compare.object-differs', /enum public\.mood \[labels\]$/],
    ['an enum has another label', "ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok'", 'compare.object-differs', /enum public\.mood \[labels\]$/],
    ['a domain takes anything', 'ALTER DOMAIN positive DROP CONSTRAINT positive_check', 'compare.object-differs', /domain public\.positive \[constraintComments, constraints\]$/],
    ['a domain takes more', 'ALTER DOMAIN positive DROP CONSTRAINT positive_check; ALTER DOMAIN positive ADD CONSTRAINT positive_check CHECK (VALUE >= 0)', 'compare.object-differs', /domain public\.positive \[constraintComments, constraints\]$/],
    ['a comment of a domain\'s constraint is gone', 'COMMENT ON CONSTRAINT positive_check ON DOMAIN positive IS NULL', 'compare.object-differs', /domain public\.positive \[constraintComments\]$/],
    ['a publication tells generated columns', 'ALTER PUBLICATION feed SET (publish_generated_columns = stored)', 'compare.object-differs', /publication feed \[generatedColumns\]$/],
    ['a composite has a comment on an attribute', "COMMENT ON COLUMN pair.a IS 'x'", 'compare.object-differs', /composite type public\.pair \[attributeComments\]$/],
    ['a composite has another attribute', 'ALTER TYPE pair ADD ATTRIBUTE c int', 'compare.object-differs', /composite type public\.pair \[attributes\]$/],
    ['a partition takes other rows', "ALTER TABLE events DETACH PARTITION events_2026; ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2025-01-01') TO ('2027-01-01')", 'compare.object-differs', /table public\.events_2026 \[partitionBound\]$/],
    ['a grant is gone', 'REVOKE SELECT ON messages FROM reader', 'compare.object-differs', /table public\.messages \[privileges\]$/],
    ['a grant can be handed on', 'GRANT SELECT ON messages TO reader WITH GRANT OPTION', 'compare.object-differs', /table public\.messages \[privileges\]$/],
    ['a table belongs to another', 'ALTER TABLE messages OWNER TO app; ALTER SEQUENCE messages_id_seq OWNER TO app', 'compare.object-differs', /table public\.messages \[owner\]/],
    ['a column may be read', 'GRANT SELECT (note) ON clients TO reader', 'compare.object-differs', /column public\.clients\.note \[privileges\]$/],
    ['a comment is gone', 'COMMENT ON TABLE clients IS NULL', 'compare.object-differs', /table public\.clients \[comment\]$/],
    ['an event trigger is off', 'ALTER EVENT TRIGGER watch DISABLE', 'compare.object-differs', /event trigger watch \[enabled\]$/],
    ['default privileges are gone', 'ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM reader', 'compare.object-missing', /default privileges/],
    ['a schema came on top', 'CREATE SCHEMA more', 'compare.object-extra', /schema more$/],
    ['a sequence was reset', "SELECT setval('tickets', 1, false)", 'compare.sequence-behind', /public\.tickets \(1, not yet drawn, was 10\)$/],
    ['a sequence was never drawn from', "SELECT setval('tickets', 10, false)", 'compare.sequence-behind', /public\.tickets/],
    ['a falling sequence was reset', "SELECT setval('down', -1, false)", 'compare.sequence-behind', /public\.down/],
    ['a sequence counts otherwise', 'ALTER SEQUENCE tickets INCREMENT 2', 'compare.object-differs', /sequence public\.tickets \[increment\]$/],
    ['a sequence belongs to no column', 'ALTER SEQUENCE messages_id_seq OWNED BY NONE', 'compare.object-differs', /sequence public\.messages_id_seq \[ownedBy\]$/],
    ['a sequence belongs to another column', 'ALTER SEQUENCE messages_id_seq OWNED BY messages.client', 'compare.object-differs', /sequence public\.messages_id_seq \[ownedBy\]$/],
    ['rows lie in the twin of their table', 'WITH moved AS (DELETE FROM twin_1 RETURNING a), back AS (DELETE FROM twin_2 RETURNING a), one AS (INSERT INTO twin_2 SELECT a FROM moved) INSERT INTO twin_1 SELECT a FROM back', 'compare.content-differs', /^2 tables have .* public\.twin_1, public\.twin_2$/],
    ['a large object has a comment', "COMMENT ON LARGE OBJECT 4711 IS 'x'", 'compare.large-objects-differ', /owners, privileges or comments: 2 of 2/],
    ['a large object may be read', 'GRANT SELECT ON LARGE OBJECT 4711 TO reader', 'compare.large-objects-differ', /owners, privileges or comments: 2 of 2/],
    ['a large object changed', "SELECT lo_put(4711, 5000, 'X')", 'compare.large-objects-differ', /content: 2 of 2, 10001 of 10001 bytes$/],
    ['a large object is cut', 'SELECT lo_truncate(lo_open(4711, 131072), 100)', 'compare.large-objects-differ', /size, content/],
    ['a large object is gone', 'SELECT lo_unlink(4712)', 'compare.large-objects-differ', /number, size: 1 of 2/],
    ['a large object lost a byte of zero', 'SELECT lo_truncate(lo_open(4712, 131072), 0)', 'compare.large-objects-differ', /size, content/],
    ['a large object has another number', "SELECT lo_unlink(4712), lo_from_bytea(4713, '\\x00')", 'compare.large-objects-differ', /content, owners, privileges or comments: 2 of 2, 10001/],
    ['a large object belongs to another', 'ALTER LARGE OBJECT 4711 OWNER TO app', 'compare.large-objects-differ', /owners, privileges or comments/],
    ['an extension is in another schema', 'CREATE SCHEMA IF NOT EXISTS public; ALTER EXTENSION citext SET SCHEMA pg_catalog', 'compare.extension-moved', /citext \(pg_catalog, was public\)/],
  ];
  test.each(faults)('%s', async (_, sql, code, says) => {
    const { findings } = compareManifests(manifest, await broken(sql));
    const found = findings.map((finding) => finding.code);
    // The type of a column that uses an extension's moves with it: the one fault that truly shows in two places.
    expect(code === 'compare.extension-moved' ? found.filter((one) => one !== 'compare.object-differs') : found).toEqual([code]);
    expect(findings.at(-1)?.message).toMatch(says);
  });

  test('sequences may run ahead of the manifest, unless exactness was asked for', async () => {
    const rows = await broken("SELECT nextval('tickets'), nextval('down'), nextval('wheel'), nextval('wheel'), nextval('wheel')");
    expect(codes(rows)).toEqual([]);
    expect(codes(rows, { sequences: 'exact' })).toEqual(['compare.sequence-differs']);
  });

  test('a large object with a hole equals one that holds the zeros', async () => {
    await scene.create('sparse', "SELECT lo_create(1); SELECT lo_put(1, 100000, 'x'); SELECT lo_create(2)");
    await scene.create('filled', "SELECT lo_from_bytea(1, decode(repeat('00', 100000), 'hex') || 'x'); SELECT lo_create(2)");
    const sparse = await scene.manifest('sparse');
    expect(sparse.largeObjects).toMatchObject({ count: 2n, bytes: 100_001n });
    expect(compareManifests(sparse, await scene.rows('filled')).findings).toEqual([]);
  });

  test('an index that was invalid at the source is not missed, since pg_dump leaves it out', async () => {
    await scene.create('failed', "CREATE TABLE t (a int); CREATE INDEX i ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass");
    await scene.create('restored', 'CREATE TABLE t (a int)');
    expect(compareManifests(await scene.manifest('failed'), await scene.rows('restored')).findings).toEqual([]);
  });

  test('a function of an extension that was handed on has the rights that it had', async () => {
    // Before 17 the initial rights keep naming whoever owned it then.
    expect(codes(await broken(`INSERT INTO pg_init_privs VALUES ('text_soundex(text)'::regprocedure, 'pg_proc'::regclass, 0, 'e', '{app=X/app}');
      UPDATE pg_proc SET proacl = format('{%s=X/%1$s}', current_user)::aclitem[] WHERE oid = 'text_soundex(text)'::regprocedure`))).toEqual([]);
  });

  test('the mark that later minor versions keep among the options of a column is none of the schema', async () => {
    expect(codes(await broken("UPDATE pg_attribute SET attoptions = '{pg_attver=22168832}' WHERE attrelid = 'clients'::regclass AND attnum > 0"))).toEqual([]);
  });

  test('an extension is gone, or in another version', async () => {
    await scene.create('with', 'CREATE EXTENSION hstore');
    await scene.create('without');
    const [having, lacking] = [await scene.manifest('with'), await scene.manifest('without')];
    expect(compareManifests(having, await scene.rows('without')).findings.map((finding) => finding.code)).toEqual(['compare.extension-missing']);
    expect(compareManifests(lacking, await scene.rows('with')).findings.map((finding) => finding.code)).toEqual(['compare.extension-extra']);
    const newer = (await scene.rows('with')).map((row) => (row.kind === 'extension' && row.name === 'hstore' ? { ...row, version: '99' } : row));
    expect(compareManifests(having, newer).findings.map((finding) => [finding.code, finding.severity])).toEqual([['compare.extension-version-differs', 'warning']]);
  });

  test('encoding and collation', async () => {
    await scene.run('postgres', "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    await scene.run('latin', "CREATE TABLE t (a text); INSERT INTO t VALUES ('é')");
    await scene.create('utf', "CREATE TABLE t (a text); INSERT INTO t VALUES ('é')");
    await scene.run('postgres', "CREATE DATABASE other TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'");
    await scene.run('other', "CREATE TABLE t (a text); INSERT INTO t VALUES ('é')");
    const latin = await scene.manifest('latin');
    expect(compareManifests(latin, await scene.rows('utf')).findings.map((finding) => finding.code)).toEqual(['compare.encoding-differs']);
    expect(compareManifests(await scene.manifest('utf'), await scene.rows('other')).findings.map((finding) => [finding.code, finding.severity])).toEqual([['compare.collation-differs', 'warning']]);
  });

  test('bytes that are no UTF-8 differ in a database without an encoding, in values and in definitions', async () => {
    await scene.run('postgres', "CREATE DATABASE raw_1 TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
    await scene.run('postgres', "CREATE DATABASE raw_2 TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
    await scene.run('raw_1', "CREATE TABLE t (a text); INSERT INTO t VALUES (E'\\xE9'); DO $$BEGIN EXECUTE E'COMMENT ON TABLE t IS ''\\xE9'''; END$$");
    await scene.run('raw_2', "CREATE TABLE t (a text); INSERT INTO t VALUES (E'\\xE8'); DO $$BEGIN EXECUTE E'COMMENT ON TABLE t IS ''\\xE8'''; END$$");
    const { findings } = compareManifests(await scene.manifest('raw_1'), await scene.rows('raw_2'));
    expect(findings.map((finding) => [finding.code, finding.facts['names']])).toEqual([
      ['compare.content-differs', ['public.t']],
      ['compare.object-differs', ['table public.t [bytes]']],
    ]);
  });
});

describe('what a comparison of rows alone can show', () => {
  const changed = (change: (row: Row) => Row): Row[] => base.map(change);
  let base: Row[];
  beforeAll(async () => {
    base = await broken('SELECT 1');
  });

  test('another version of the collation is a note, another minor version and name of the database nothing', () => {
    const versioned = { ...manifest, database: { ...manifest.database, collationVersion: '2.36' } };
    const rows = changed((row) => (row.kind === 'database' ? { ...row, collationVersion: '2.41' } : row));
    expect(compareManifests(versioned, rows).findings.map((finding) => [finding.code, finding.severity])).toEqual([['compare.collation-version-differs', 'note']]);
    expect(codes(changed((row) => (row.kind === 'database' ? { ...row, name: 'drill_x', serverVersion: '18.99', serverVersionNum: 180_099 } : row)))).toEqual([]);
  });

  test('on another major, words may differ and facts may not', () => {
    const older = (change: (row: Row & { kind: 'object' }) => object): Row[] =>
      changed((row) => {
        if (row.kind === 'database') return { ...row, serverVersionNum: 160_004 };
        if (row.kind !== 'object') return row;
        const privileges = row.definition['privileges'];
        const definition = { ...row.definition, ...(Array.isArray(privileges) ? { privileges: privileges.filter((entry) => !(entry as string).includes('MAINTAIN')) } : {}), ...change(row) } as typeof row.definition;
        return { ...row, definition, hash: 'f'.repeat(64) };
      });
    expect(codes(older(() => ({})))).toEqual(['compare.major-differs']);
    expect(codes(older((row) => (row.type === 'view' ? { definition: 'SELECT worded otherwise' } : {})))).toEqual(['compare.major-differs', 'compare.definition-unproven']);
    expect(codes(older((row) => (row.name === 'messages_body' ? { definition: 'CREATE INDEX', unique: false } : {})))).toEqual(['compare.major-differs', 'compare.object-differs']);
  });

  test('the owner of public is the throw-away cluster\'s own affair where it was the default', () => {
    const rows = changed((row) => (row.kind === 'object' && row.type === 'schema' ? { ...row, hash: 'f'.repeat(64), definition: { ...row.definition, owner: 'postgres' } } : row));
    expect(codes(rows)).toEqual([]);
  });

  test('a sequence of an extension that is not there', () => {
    const row = base.find((one) => one.kind === 'sequence')!;
    const having = { ...manifest, sequences: [...manifest.sequences, { ...row, name: 'of_an_extension' }] };
    expect(compareManifests(having, base).findings.map((finding) => finding.code)).toEqual(['compare.sequence-missing']);
  });

  test('other columns of an extension\'s table are not passed over', () => {
    const table = { ...manifest.tables[0]!, name: 'config' };
    const having = { ...manifest, tables: [...manifest.tables, table] };
    const rows = [...base.slice(0, -1), { ...table, shape: '0'.repeat(64) }, base.at(-1)!];
    expect(compareManifests(having, rows).findings.map((finding) => finding.code)).toEqual(['compare.content-differs']);
  });

  test('long lists are cut, and say by how much', () => {
    const rows = base.filter((row) => row.kind !== 'object' || row.type !== 'column');
    const found = compareSchema(manifest, restoredFacts(manifest, rows)).findings;
    const columns = manifest.objects.filter((object) => object.type === 'column').length;
    expect(columns).toBe(17);
    const many = { ...manifest, objects: [...manifest.objects, ...Array.from({ length: 30 }, (_, at) => ({ ...manifest.objects[0]!, type: 'view', schema: 'public', table: null, name: `v${at}` }))] };
    const cut = compareSchema(many, restoredFacts(many, base)).findings;
    expect([found.length, cut[0]?.facts['count'], cut[0]?.facts['more'], (cut[0]?.facts['names'] as string[] | undefined)?.length]).toEqual([1, 30, 10, 20]);
    expect(cut[0]?.message).toMatch(/ and 10 more$/);
  });

  test('rows that were cut short, or digested otherwise, are a broken harness', () => {
    expect(() => restoredFacts(manifest, base.slice(0, -1))).toThrow(/not whole/);
    expect(() => restoredFacts(manifest, changed((row) => (row.kind === 'database' ? { ...row, algorithm: 'row-chain-2' } : row)))).toThrow(/row-chain-2/);
  });

  test('no finding repeats a row\'s value or a definition', async () => {
    const { findings } = compareManifests(manifest, await broken("UPDATE messages SET body = 'sekrit' WHERE id = 1; CREATE OR REPLACE FUNCTION shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'sekrit'$$"));
    expect(findings.map((finding) => finding.code)).toEqual(['compare.content-differs', 'compare.object-differs']);
    expect(JSON.stringify(findings)).not.toMatch(/sekrit|message 1|SELECT/);
  });
});
