import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATION_HEAD } from '../../../fixtures/sample/data.ts';
import { loadSample } from '../../../fixtures/sample/load.ts';
import type { Finding } from '../../run/finding.ts';
import { openScratch, type Scratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { startEmbedded, type EmbeddedServer } from '../../servers/embedded.ts';
import type { DatabaseConfig, SmokeQuery } from '../config.ts';
import { expectedEvidence, integrityEvidence, plausibleEvidence, queriesEvidence } from './evidence.ts';
import { checkExpected } from './expected.ts';
import { smokeFindings } from './findings.ts';
import { checkIntegrity, type Stood } from './integrity.ts';
import { checkPlausible } from './plausible.ts';
import { checkQueries } from './queries.ts';

const until = new Date('2026-11-20T02:00:00Z');
const now = new Date('2026-11-20T08:00:00Z');
const HOUR = 3600_000;

let scratch: Scratch;
let server: EmbeddedServer;

beforeAll(async () => {
  scratch = openScratch({ root: tmpdir(), runId: `smoke-${randomBytes(4).toString('hex')}` });
  server = await startEmbedded({ scratch, major: 18, signal: AbortSignal.timeout(60_000) });
  await as('admin', 'postgres', async (client) => {
    await client.query("CREATE ROLE wa LOGIN PASSWORD 'x'; CREATE ROLE wa_readonly; CREATE ROLE checker LOGIN BYPASSRLS PASSWORD 'x' IN ROLE pg_read_all_data");
    await client.query('CREATE DATABASE healthy OWNER wa');
  });
  await as('wa', 'healthy', (client) => loadSample(client, { seed: 7, messages: 600, until }));
});
afterAll(async () => {
  await teardown(scratch.path);
});

async function as<T>(who: 'admin' | 'wa' | 'checker' | 'visitor', database: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ ...server.admin, ...(who === 'admin' ? {} : { user: who, password: 'x' }), database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const tables: DatabaseConfig['expected']['tables'] = [
  { schema: 'public', name: 'clients', minRows: 10 },
  { schema: 'public', name: 'api_keys', minRows: 10 },
  { schema: 'public', name: 'messages', minRows: 600, newest: 'created_at' },
  { schema: 'public', name: 'media_objects', minRows: 1, newest: 'created_at', maxAgeMs: 96 * HOUR },
  { schema: 'public', name: 'message_events', minRows: 1 },
  { schema: 'public', name: 'client_attributes' },
  { schema: 'public', name: 'audit_events', minRows: 1, newest: 'at' },
];
const expected: Omit<DatabaseConfig['expected'], 'schemaReference'> = { tables, extensions: ['citext', 'pgcrypto'], migration: { sql: 'select max(version) from schema_migrations', head: MIGRATION_HEAD } };
const queries: readonly SmokeQuery[] = [
  { name: 'messages', sql: 'select count(*) from messages; ', atLeast: 1, atMost: 1e6 },
  { name: 'one head', sql: '-- with a comment\nselect true -- and one at its end', equals: 't' },
];

interface Asked {
  readonly expected?: Partial<DatabaseConfig['expected']>;
  readonly queries?: readonly SmokeQuery[];
  readonly role?: string;
  readonly now?: Date;
  readonly takenAt?: Date;
  readonly timeoutMs?: number;
  /** Where sequences stood when the dump was taken. */
  readonly before?: readonly Stood[];
}

/** Everything the smoke checks find in a copy of the healthy database that `harm` has been done to. */
async function smoke(harm: string, asked: Asked = {}): Promise<Finding[]> {
  if (harm === '') return ask('healthy', asked);
  const database = `copy_${randomBytes(4).toString('hex')}`;
  await as('admin', 'postgres', (client) => client.query(`CREATE DATABASE ${database} TEMPLATE healthy`));
  try {
    await as('admin', database, (client) => client.query(harm));
    return await ask(database, asked);
  } finally {
    await as('admin', 'postgres', (client) => client.query(`DROP DATABASE ${database} WITH (FORCE)`));
  }
}

function ask(database: string, asked: Asked): Promise<Finding[]> {
  return as('checker', database, async (client) => {
      const reading = { client, ...(asked.timeoutMs === undefined ? {} : { timeoutMs: asked.timeoutMs }) };
      const wanted = { ...expected, ...asked.expected };
      const results = [
        [expectedEvidence, await checkExpected(reading, wanted, { now: asked.now ?? now, takenAt: asked.takenAt ?? null, maxAgeMs: 26 * HOUR, role: asked.role ?? 'wa' })],
        [integrityEvidence, await checkIntegrity(reading, asked.before)],
        [plausibleEvidence, await checkPlausible(reading, wanted.tables)],
        [queriesEvidence, await checkQueries(reading, asked.queries ?? queries)],
      ] as const;
      for (const [schema, { evidence }] of results) schema.parse(evidence);
      return results.flatMap(([, { findings }]) => [...findings]);
    });
}

const codes = (findings: readonly Finding[]): string[] => findings.map(({ code }) => code);
const stood = (name: string, lastValue: bigint, isCalled = true): Asked => ({ before: [{ schema: 'public', name, lastValue, isCalled }] });
const table = (name: string, more: object = {}): Asked => ({ expected: { tables: [{ schema: 'public', name, ...more }] } });

describe('a healthy database', () => {
  test('raises nothing', async () => {
    expect(await smoke('')).toEqual([]);
  });

  const honest: Record<string, readonly [harm: string, asked?: Asked]> = {
    'a sequence far ahead': ["SELECT setval('messages_id_seq', 1000000)"],
    'a sequence as far as at the dump': ['SELECT 1', stood('messages_id_seq', 600n)],
    'a sequence never called, its start free': ["CREATE TABLE fresh (id serial PRIMARY KEY); INSERT INTO fresh VALUES (-5), (0)"],
    'values that a step of the sequence jumps over': ['CREATE TABLE odd (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT 2) PRIMARY KEY); INSERT INTO odd VALUES (2), (4)'],
    'values beyond the sequence\'s end': ['CREATE TABLE capped (id bigint GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 100) PRIMARY KEY); INSERT INTO capped VALUES (1000)'],
    'a cycling sequence that began anew': ["CREATE TABLE ring (id int GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 9 CYCLE) PRIMARY KEY); INSERT INTO ring VALUES (5)"],
    'a used-up sequence': ["CREATE TABLE full_up (id smallint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY); INSERT INTO full_up VALUES (32767); SELECT setval('full_up_id_seq', 32767)"],
    'a default computed from nextval': ["CREATE SEQUENCE s; CREATE TABLE scaled (id bigint PRIMARY KEY DEFAULT nextval('s') * 1000); INSERT INTO scaled DEFAULT VALUES"],
    'a hand-sorted column that is not unique': ['CREATE TABLE sorted (place serial); INSERT INTO sorted VALUES (500)'],
    'a descending sequence': ["CREATE TABLE down (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY); INSERT INTO down DEFAULT VALUES; INSERT INTO down DEFAULT VALUES"],
    'nulls under MATCH SIMPLE': ['CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE half (a int, b int, FOREIGN KEY (a, b) REFERENCES pair); INSERT INTO half VALUES (1, NULL), (NULL, 2), (NULL, NULL)'],
    'all nulls under MATCH FULL': ['CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE whole (a int, b int, FOREIGN KEY (a, b) REFERENCES pair MATCH FULL); INSERT INTO whole VALUES (NULL, NULL)'],
    'keys between other types and names': ['CREATE TABLE "Big Parent" ("The Id" bigint PRIMARY KEY, slug citext UNIQUE); INSERT INTO "Big Parent" VALUES (1, \'Ab\'); CREATE TABLE "o\'child" (p int REFERENCES "Big Parent", s citext REFERENCES "Big Parent" (slug)); INSERT INTO "o\'child" VALUES (1, \'aB\')'],
    'a key to a partitioned table': ['CREATE TABLE part (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE part0 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0); INSERT INTO part VALUES (1); CREATE TABLE to_part (id int REFERENCES part); INSERT INTO to_part VALUES (1)'],
    'keys under two collations': ['CREATE TABLE en (n text COLLATE "C" PRIMARY KEY); INSERT INTO en VALUES (\'a\'); CREATE TABLE de (n text COLLATE "POSIX" REFERENCES en); INSERT INTO de VALUES (\'a\')'],
    'a view whose owner a forced policy filters': ["ALTER TABLE api_keys FORCE ROW LEVEL SECURITY; CREATE VIEW of_owner AS SELECT id FROM api_keys; ALTER VIEW of_owner OWNER TO wa"],
    'a key that is NOT ENFORCED': ['CREATE TABLE wild (c uuid, FOREIGN KEY (c) REFERENCES clients NOT ENFORCED); INSERT INTO wild VALUES (gen_random_uuid())'],
    'a key NOT VALID that holds': ['ALTER TABLE support_tickets DROP CONSTRAINT support_tickets_client_id_fkey, ADD FOREIGN KEY (client_id) REFERENCES clients NOT VALID'],
    'a disabled trigger of the user': ['ALTER TABLE clients DISABLE TRIGGER USER'],
    'a row a minute ahead of the clock': ["UPDATE messages SET created_at = '2026-11-20T08:01:00Z' WHERE id = 600"],
    'a table filled in one go, its times unasked': ["UPDATE media_objects SET created_at = '2026-11-19'"],
    'a few replaced characters in much text': ["UPDATE messages SET body = U&'na\\FFFD ve' WHERE id < 12"],
    'capital letters with tilde': ["UPDATE messages SET body = 'NÃO, SÃO JOÃO, ÂNGELA'"],
    'numbers and questions': ["UPDATE messages SET body = 'what? who??'"],
    'an old set whose rows were new when it was taken': ['', { ...table('messages', { newest: 'created_at' }), now: new Date('2027-11-22T02:00:00Z'), takenAt: now }],
    'a date as newest, of today': ['ALTER TABLE messages ADD day date; UPDATE messages SET day = \'2026-11-19\'', table('messages', { newest: 'day', maxAgeMs: 10 * HOUR })],
  };
  test.each(Object.entries(honest))('raises nothing for %s', async (_, [harm, asked]) => {
    expect(await smoke(harm, asked)).toEqual([]);
  });
});

const faults: Record<string, readonly [code: string, harm: string, facts: object, asked?: Asked]> = {
  'a table is gone': ['smoke.table-missing', 'DROP TABLE client_attributes', { table: 'public.client_attributes', found: 'nothing' }],
  'a view stands where a table was': ['smoke.table-missing', 'ALTER TABLE client_attributes RENAME TO x; CREATE VIEW client_attributes AS SELECT * FROM x', { found: 'view' }],
  'rows are gone': ['smoke.too-few-rows', 'DELETE FROM message_events; DELETE FROM messages WHERE id = 600', { table: 'public.messages', rows: '599', atLeast: '600' }, table('messages', { minRows: 600 })],
  'no row can be the newest': ['smoke.too-few-rows', 'CREATE TABLE empty_one (id int PRIMARY KEY, at timestamptz)', { rows: '0', atLeast: '1' }, { ...table('empty_one', { newest: 'at' }), role: 'checker' }],
  'every table is empty': ['smoke.no-rows', 'SET session_replication_role = replica; TRUNCATE clients, schema_migrations, maintenance_windows CASCADE; ALTER TABLE audit_events DISABLE TRIGGER ALL; TRUNCATE audit_events; ALTER TABLE audit_events ENABLE TRIGGER ALL', { tables: 12 }, { expected: { tables: [] , migration: { sql: "select 'a'", head: 'a' } }, queries: [] }],
  'the newest row is old': ['smoke.rows-stale', '', { table: 'public.messages', column: 'created_at', ageHours: 48.8, maxAgeHours: 26 }, { ...table('messages', { newest: 'created_at' }), now: new Date('2026-11-22T02:00:00Z') }],
  'the newest row was old when the dump was taken, long ago': ['smoke.rows-stale', '', { ageHours: 48.8 }, { ...table('messages', { newest: 'created_at' }), now: new Date('2027-11-22T02:00:00Z'), takenAt: new Date('2026-11-22T02:00:00Z') }],
  'the table\'s own age is passed': ['smoke.rows-stale', '', { maxAgeHours: 1 }, table('messages', { newest: 'created_at', maxAgeMs: HOUR })],
  'rows come from the future': ['smoke.rows-from-future', "UPDATE messages SET created_at = '2026-11-20T08:20:00Z' WHERE id > 598", { rows: '2' }],
  'rows come from the future, and the dump brought another meaning of later': ['smoke.rows-from-future', `UPDATE messages SET created_at = '2026-11-20T08:20:00Z' WHERE id > 598; CREATE SCHEMA evil;
    CREATE FUNCTION evil.never(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS 'SELECT false'; CREATE OPERATOR evil.> (FUNCTION = evil.never, LEFTARG = timestamptz, RIGHTARG = timestamptz);
    GRANT USAGE ON SCHEMA evil TO PUBLIC; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = evil, public, pg_catalog', current_database()); END $$`, { rows: '2' }],
  'rows come from infinity': ['smoke.rows-from-future', "UPDATE messages SET created_at = 'infinity' WHERE id = 5", { rows: '1' }],
  'all rows come from the future': ['smoke.rows-from-future', '', { rows: '600' }, { ...table('messages', { newest: 'created_at' }), now: new Date('2020-01-01T00:00:00Z') }],
  'the newest column is gone': ['smoke.newest-unreadable', '', { reason: 'there is no such column' }, table('messages', { newest: 'sent_at' })],
  'the newest column is no time': ['smoke.newest-unreadable', '', { column: 'body' }, table('messages', { newest: 'body' })],
  'the newest column is all null': ['smoke.newest-unreadable', 'ALTER TABLE messages ADD seen_at timestamptz', { reason: 'no row has a time there' }, table('messages', { newest: 'seen_at' })],
  'a load filled in the times': ['smoke.newest-is-oldest', "UPDATE messages SET created_at = '2026-11-20T03:00:00Z'", { rows: '600' }],
  'an orphan came with triggers off': ['smoke.orphans', 'SET session_replication_role = replica; UPDATE support_tickets SET client_id = gen_random_uuid() WHERE number < 1020', { constraint: 'support_tickets_client_id_fkey', rows: '2', validated: true }],
  'a key NOT VALID hides orphans': ['smoke.orphans', 'ALTER TABLE support_tickets DROP CONSTRAINT support_tickets_client_id_fkey; UPDATE support_tickets SET client_id = gen_random_uuid(); ALTER TABLE support_tickets ADD FOREIGN KEY (client_id) REFERENCES clients NOT VALID', { rows: '40', validated: false }],
  'a partition holds orphans': ['smoke.orphans', 'SET session_replication_role = replica; UPDATE message_events SET message_id = 99999 WHERE message_id = 13', { table: 'public.message_events', rows: '1' }],
  'a quoted message is gone': ['smoke.orphans', 'SET session_replication_role = replica; UPDATE messages SET quoted_id = 77777 WHERE id = 9', { table: 'public.messages', references: 'public.messages', rows: '1' }],
  'a composite key names another client\'s': ['smoke.orphans', 'SET session_replication_role = replica; UPDATE clients SET default_api_key_id = 1 WHERE default_api_key_id = 4', { constraint: 'clients_default_api_key_fkey', rows: '1' }],
  'half a key under MATCH FULL': ['smoke.orphans', 'CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE whole (a int, b int, FOREIGN KEY (a, b) REFERENCES pair MATCH FULL); SET session_replication_role = replica; INSERT INTO whole VALUES (1, NULL)', { rows: '1' }],
  'a key to a partitioned table is broken': ['smoke.orphans', 'CREATE TABLE part (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE part0 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE TABLE to_part (id int REFERENCES part); SET session_replication_role = replica; INSERT INTO to_part VALUES (1)', { rows: '1' }],
  'an inheriting child is no stand-in': ['smoke.orphans', 'CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE heir () INHERITS (base); INSERT INTO heir VALUES (1); CREATE TABLE to_base (id int REFERENCES base); SET session_replication_role = replica; INSERT INTO to_base VALUES (1)', { rows: '1' }],
  'a key over periods': ['smoke.foreign-key-not-judged', "CREATE EXTENSION btree_gist; CREATE TABLE stay (id int, d daterange, PRIMARY KEY (id, d WITHOUT OVERLAPS)); CREATE TABLE visit (id int, d daterange, FOREIGN KEY (id, PERIOD d) REFERENCES stay (id, PERIOD d))", { table: 'public.visit' }],
  'an identity began anew': ['smoke.sequence-behind', 'ALTER TABLE messages ALTER id RESTART', { sequence: 'public.messages_id_seq', column: 'id', rows: '600' }],
  'a serial is one behind': ['smoke.sequence-behind', "SELECT setval('api_keys_id_seq', 36, false)", { rows: '1' }],
  'a default of nobody\'s sequence is behind': ['smoke.sequence-behind', "SELECT setval('ticket_number_seq', 1000)", { sequence: 'public.ticket_number_seq', table: 'public.support_tickets', rows: '39' }],
  'a descending sequence began anew': ['smoke.sequence-behind', 'CREATE TABLE down (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY); INSERT INTO down VALUES (-1), (-2)', { rows: '2' }],
  'a sequence at the type\'s end': ['smoke.sequence-behind', "CREATE TABLE last_one (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY); INSERT INTO last_one VALUES (9223372036854775807)", { rows: '1' }],
  'an owned sequence that the application calls': ['smoke.sequence-behind', 'CREATE TABLE called (id int PRIMARY KEY); CREATE SEQUENCE called_seq OWNED BY called.id; INSERT INTO called VALUES (3)', { rows: '1' }],
  'a partitioned table\'s identity began anew': ['smoke.sequence-behind', 'CREATE TABLE logs (id bigint GENERATED BY DEFAULT AS IDENTITY, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE logs0 PARTITION OF logs DEFAULT; INSERT INTO logs VALUES (4, \'2026-01-01\')', { table: 'public.logs', rows: '1' }],
  'a sequence was as far behind at the dump': ['smoke.sequence-behind-before', 'ALTER TABLE messages ALTER id RESTART', { sequence: 'public.messages_id_seq', rows: '600' }, stood('messages_id_seq', 1n, false)],
  'a descending sequence was further behind at the dump': ['smoke.sequence-behind-before', 'CREATE TABLE down (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY); INSERT INTO down VALUES (-1), (-5)', { rows: '2' }, stood('down_id_seq', 3n)],
  'a sequence was behind at the dump, and less so': ['smoke.sequence-behind', 'ALTER TABLE messages ALTER id RESTART', { rows: '600' }, stood('messages_id_seq', 1n)],
  'a descending sequence was less far behind at the dump': ['smoke.sequence-behind', 'CREATE TABLE down (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY); INSERT INTO down VALUES (-1), (-5)', { rows: '2' }, stood('down_id_seq', -4n)],
  'keys are no longer enforced': ['smoke.enforcement-off', 'ALTER TABLE support_tickets DISABLE TRIGGER ALL', { table: 'public.support_tickets', triggers: 2 }],
  'the newest migration is missing': ['smoke.migration-drift', `DELETE FROM schema_migrations WHERE version = '${MIGRATION_HEAD}'`, { found: '0011_support_tickets' }],
  'the migrations are gone': ['smoke.query-failed', 'DROP TABLE schema_migrations', { query: 'the newest migration', sqlstate: '42P01' }],
  'an extension is gone': ['smoke.extension-missing', 'DROP EXTENSION pgcrypto CASCADE', { extension: 'pgcrypto' }],
  'the application lost its grant': ['smoke.role-without-access', 'ALTER TABLE client_attributes OWNER TO wa_readonly; REVOKE ALL ON client_attributes FROM wa', { role: 'wa', table: 'public.client_attributes' }],
  'the application\'s role is gone': ['smoke.role-without-access', '', { role: 'app' }, { ...table('messages'), role: 'app' }],
  'the key was lost': ['smoke.primary-key-missing', 'ALTER TABLE client_attributes DROP CONSTRAINT client_attributes_pkey', { table: 'public.client_attributes' }],
  'a table is not logged': ['smoke.table-unlogged', 'ALTER TABLE client_attributes SET UNLOGGED', { table: 'public.client_attributes' }],
  'a view lost its grant': ['smoke.view-unusable', 'CREATE ROLE viewer; CREATE VIEW seen AS SELECT id FROM messages; ALTER VIEW seen OWNER TO viewer', { view: 'public.seen', sqlstate: '42501' }],
  'text lost its letters': ['smoke.text-replaced', "UPDATE messages SET body = U&'\\FFFD\\FFFD stra\\FFFD e'", { column: 'body', rows: '600' }],
  'text became question marks': ['smoke.text-replaced', "UPDATE messages SET body = '???? ??????'", { column: 'body' }],
  'text was encoded twice': ['smoke.text-double-encoded', "UPDATE messages SET body = convert_from(convert_to('schöne Grüße aus ' || id, 'UTF8'), 'LATIN1')", { column: 'body', rows: '600' }],
  'text went through Windows-1252': ['smoke.text-double-encoded', "UPDATE messages SET body = convert_from(convert_to('das ist groß, Österreich – ' || id, 'UTF8'), 'WIN1252') WHERE id % 2 = 0; UPDATE messages SET body = 'plain' WHERE id % 2 = 1", { rows: '300' }],
  'nulls became their letters': ['smoke.nulls-as-text', "UPDATE messages SET body = '\\N'", { column: 'body', rows: '600', scanned: '600' }],
  'bytes became their text': ['smoke.bytes-as-text', "SET session_replication_role = replica; UPDATE audit_events SET previous_hash = convert_to('\\x' || encode(hash, 'hex'), 'UTF8')", { column: 'previous_hash', rows: '24' }],
  'a query answers otherwise': ['smoke.query-unexpected', '', { query: 'q', expected: 'at least 601', count: '600' }, { queries: [{ name: 'q', sql: 'select count(*) from messages', atLeast: 601 }] }],
  'a query answers too much': ['smoke.query-unexpected', '', { expected: 'at least 1 and at most 2' }, { queries: [{ name: 'q', sql: 'select 3', atLeast: 1, atMost: 2 }] }],
  'a query answers with NULL': ['smoke.query-unexpected', '', {}, { queries: [{ name: 'q', sql: 'select null::int', atMost: 2 }] }],
  'a query names what is gone': ['smoke.query-failed', '', { sqlstate: '42703' }, { queries: [{ name: 'q', sql: 'select nothing from messages', equals: '' }] }],
  'a query divides by nothing': ['smoke.query-failed', '', { sqlstate: '22012' }, { queries: [{ name: 'q', sql: 'select 1 / (count(*) - 600) from messages', equals: '1' }] }],
  'a query is two': ['smoke.query-failed', '', { sqlstate: '42601' }, { queries: [{ name: 'q', sql: 'select 1; select 1', equals: '1' }] }],
  'a query writes': ['smoke.query-failed', '', {}, { queries: [{ name: 'q', sql: "select setval('messages_id_seq', 1)", equals: '1' }] }],
  'a query has two columns': ['smoke.query-shape', '', { reason: 'but has 2 columns' }, { queries: [{ name: 'q', sql: 'select 1, 2', equals: '1' }] }],
  'a query has no row': ['smoke.query-shape', '', {}, { queries: [{ name: 'q', sql: 'select 1 where false', equals: '1' }] }],
  'a query has many rows': ['smoke.query-shape', '', {}, { queries: [{ name: 'q', sql: 'select id from messages', equals: '1' }] }],
  'a query answers no number': ['smoke.query-shape', '', {}, { queries: [{ name: 'q', sql: "select 'many'", atLeast: 1 }] }],
  'a query takes too long': ['smoke.query-timeout', '', { seconds: 0.3 }, { timeoutMs: 300, queries: [{ name: 'q', sql: 'select count(*) from generate_series(1, 1e12)', atLeast: 1 }] }],
};

describe('a database that was harmed raises one code and no other', () => {
  test.each(Object.entries(faults))('%s', async (_, [code, harm, facts, asked]) => {
    const findings = await smoke(harm, asked);
    expect(codes(findings)).toEqual([code]);
    expect(findings[0]?.facts).toMatchObject(facts);
  });

  test('each code is raised by one of them', () => {
    expect(Object.keys(smokeFindings).filter((code) => !Object.values(faults).some(([raised]) => raised === code))).toEqual(['smoke.names-not-judged', 'smoke.not-judged']);
  });
});

test('what may not be read, or only in part, is not judged', async () => {
  await as('admin', 'healthy', (client) => client.query("CREATE ROLE visitor LOGIN PASSWORD 'x'; GRANT SELECT ON api_keys, clients TO visitor"));
  const findings = await as('visitor', 'healthy', async (client) => [
    // No right at all; and one that a row-level policy narrows to no rows, which must not be counted as none.
    ...(await checkExpected({ client }, { tables: [{ schema: 'public', name: 'messages' }, { schema: 'public', name: 'api_keys' }, { schema: 'public', name: 'clients' }], extensions: [] }, { now, takenAt: null, maxAgeMs: HOUR, role: 'wa' })).findings,
  ]);
  expect(findings.map(({ code, judged, facts }) => ({ code, judged, facts }))).toEqual(['messages', 'api_keys'].map((name) => (
    { code: 'smoke.not-judged', judged: false, facts: { what: `table public.${name}`, sqlstate: '42501' } })));
});

test('a database without an encoding is read whatever bytes it holds; names that are no text are counted', async () => {
  await as('admin', 'postgres', (client) => client.query("CREATE DATABASE raw TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"));
  await as('admin', 'raw', (client) => client.query(String.raw`CREATE TABLE bytes (id int PRIMARY KEY, t text); INSERT INTO bytes VALUES (1, E'caf\xe9');
    DO $$ BEGIN EXECUTE E'CREATE TABLE "caf\xe9" (id serial PRIMARY KEY, up int REFERENCES bytes); CREATE VIEW "voir_\xe9" AS SELECT 1'; END $$`));
  await as('checker', 'raw', async (client) => {
    // One key, one sequence, one table, one view.
    expect((await checkIntegrity({ client })).findings.map(({ code, severity, facts }) => ({ code, severity, facts }))).toEqual([{ code: 'smoke.names-not-judged', severity: 'note', facts: { objects: 4 } }]);
    expect((await checkPlausible({ client }, [{ schema: 'public', name: 'bytes' }])).findings).toEqual([]);
    expect((await checkQueries({ client }, [{ name: 'q', sql: 'select t from bytes', equals: 'caf\uFFFD' }])).findings).toEqual([]);
  });
});

test('findings tell counts and names, and no value of a row', async () => {
  const findings = await smoke("SET session_replication_role = replica; UPDATE support_tickets SET client_id = 'deadbeef-0000-4000-8000-000000000001'; UPDATE messages SET body = '\\N'", {
    queries: [{ name: 'q', sql: "select 'secret-' || max(id) from messages", equals: 'x' }, { name: 'r', sql: "select ('secret-' || id)::int from messages", equals: 'x' }],
  });
  expect(codes(findings).sort()).toEqual(['smoke.nulls-as-text', 'smoke.orphans', 'smoke.query-failed', 'smoke.query-unexpected']);
  expect(JSON.stringify(findings)).not.toMatch(/deadbeef|secret/);
});

test('a lost server is an exception, never a finding', async () => {
  await expect(as('checker', 'healthy', async (client) => {
    client.on('error', () => undefined);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await as('admin', 'postgres', (admin) => admin.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid]));
    return checkIntegrity({ client });
  })).rejects.toThrow(/terminat|not queryable/i);
});
