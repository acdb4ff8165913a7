// A dump that somebody wrote to get out of the throw-away database: each way is tried on a real server, where it must end
// with a finding that names it, or come back as harmless as it would be from psql, and leave no trace in the cluster.
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Finding, StepEnded } from '../../run/finding.ts';
import { openRig, query, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
}, 60_000);
afterAll(async () => {
  await rig.close();
}, 60_000);

const head = `SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
`;
const table = 'CREATE TABLE public.t (id integer);\nINSERT INTO public.t VALUES (1);\nALTER TABLE public.t OWNER TO wa;\n';
// Code that makes a superuser wherever it runs with the right to, and says nothing where it does not.
const evil = `CREATE FUNCTION public.try() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN BEGIN EXECUTE 'CREATE ROLE pwned SUPERUSER'; EXCEPTION WHEN insufficient_privilege THEN NULL; END; RETURN 1; END $$;
CREATE FUNCTION public.evil(integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN public.try(); END $$;
CREATE FUNCTION public.evil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.try(); RETURN NEW; END $$;
`;
const view = (called: string) => `CREATE MATERIALIZED VIEW public.mv AS SELECT ${called} AS it WITH NO DATA;\nALTER MATERIALIZED VIEW public.mv OWNER TO wa;\n`;
const refresh = 'REFRESH MATERIALIZED VIEW public.mv;\n';
const reads = `CREATE FUNCTION public.reads() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN pg_catalog.length(pg_catalog.pg_read_file('PG_VERSION')); END $$;\n`;
const baseType = (name: string, more = '') => `CREATE TYPE public.${name};
CREATE FUNCTION public.${name}_in(cstring) RETURNS public.${name} LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION public.${name}_out(public.${name}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE public.${name} (INTERNALLENGTH = variable, INPUT = public.${name}_in, OUTPUT = public.${name}_out${more});
`;

let made = 0;
async function findingsOf(sql: string, options: Parameters<Rig['restore']>[1] = {}): Promise<readonly Finding[]> {
  made += 1;
  return rig.restore(rig.dump(`hostile${made}`, head + sql), options).then(({ findings }) => findings, (error: unknown) => {
    if (error instanceof StepEnded) return error.findings;
    throw error;
  });
}

/** The codes that the restore of a dump ends with, none where it comes back; in every case nobody has become a superuser. */
async function codesOf(sql: string): Promise<string[]> {
  const codes = (await findingsOf(sql)).map(({ code }) => code);
  expect(await query(rig.target.admin, "SELECT rolname FROM pg_roles WHERE rolname = 'pwned' OR rolsuper AND rolname !~ '^drill_'")).toEqual([]);
  return codes;
}

describe('code that would run with the admin session’s rights', () => {
  const statements: readonly (readonly [string, string, string | null])[] = [
    ['a second action behind a change of owner', `${table}${evil}ALTER TABLE public.t OWNER TO wa, ADD COLUMN z integer DEFAULT public.evil(1), OWNER TO wa;\n`, 'restore.permission-denied'],
    ['the same behind two blanks', `${table}${evil}ALTER  TABLE public.t OWNER TO wa, ADD CHECK (public.evil(id) = 1), OWNER TO wa;\n`, 'restore.permission-denied'],
    ['the modifiers of a type', `${evil}CREATE FUNCTION public.mods(cstring[]) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN public.try(); END $$;\n${baseType('b', ', TYPMOD_IN = public.mods')}CREATE FUNCTION public.f(public.b) RETURNS integer LANGUAGE sql AS 'SELECT 1';\nCOMMENT ON FUNCTION public.f(public.b(1)) IS 'x';\n`, 'restore.statement-refused'],
    ['the modifiers of a type, changed once it is made', `${evil}CREATE FUNCTION public.mods(cstring[]) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';\n${baseType('b', ', TYPMOD_IN = public.mods')}CREATE OR REPLACE FUNCTION public.mods(cstring[]) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN public.try(); END $$;\nCOMMENT ON TYPE public.b(1) IS 'x';\n`, 'restore.statement-refused'],
    ['a literal in a default, read through the CHECK of a domain', `${evil}CREATE DOMAIN public.d AS integer CHECK (public.evil(VALUE) = 1);\nCREATE TYPE public.c AS (a public.d);\nCREATE FUNCTION public.f(a public.c DEFAULT '(1)') RETURNS boolean LANGUAGE sql LEAKPROOF AS $$ SELECT true $$;\n`, null],
    ['the same in a function by symbol', `${evil}CREATE DOMAIN public.d AS integer CHECK (public.evil(VALUE) = 1);\nCREATE TYPE public.c AS (a public.d);\nCREATE FUNCTION public.f(x cstring, a public.c DEFAULT $$(1)$$) RETURNS integer LANGUAGE internal AS 'int4in';\n`, 'restore.permission-denied'],
    ['a body that is parsed at once', `${evil}CREATE DOMAIN public.d AS integer CHECK (public.evil(VALUE) = 1);\nCREATE TYPE public.c AS (a public.d);\nCREATE FUNCTION public.f() RETURNS public.c LANGUAGE sql LEAKPROOF BEGIN ATOMIC SELECT '(1)'::public.c; END;\n`, null],
    ['an extension into a schema that the dump has filled', `CREATE SCHEMA s;\nCREATE FUNCTION s.f() RETURNS integer LANGUAGE sql AS 'SELECT 1';\nCREATE EXTENSION dblink WITH SCHEMA s;\n`, 'restore.permission-denied'],
    ['a trigger that fires while the rows of a grantor come back', `${table}${evil}CREATE TRIGGER e BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.evil();\nINSERT INTO public.t VALUES (2);\n`, null],
    ['a rule', `${table}${evil}CREATE RULE r AS ON INSERT TO public.t DO ALSO SELECT public.evil(1);\nINSERT INTO public.t VALUES (2);\n`, null],
    ['a rule that stands for a view', `${table}${evil}CREATE TABLE public.v (it integer);\nCREATE RULE "_RETURN" AS ON SELECT TO public.v DO INSTEAD SELECT public.evil(1) AS it;\n`, 'restore.statement-failed'],
    ['a cast', `${evil}CREATE TYPE public.c AS (a integer);\nCREATE FUNCTION public.cast(public.c) RETURNS text LANGUAGE sql AS $$ SELECT public.evil(1)::text $$;\nCREATE CAST (public.c AS text) WITH FUNCTION public.cast(public.c) AS IMPLICIT;\nCOMMENT ON CAST (public.c AS text) IS 'x';\n`, null],
    ['an operator of an index', `${table}${evil}CREATE FUNCTION public.cmp(integer, integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.evil(1); RETURN $1 - $2; END $$;\nCREATE OPERATOR CLASS public.ops FOR TYPE integer USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 public.cmp(integer,integer);\nINSERT INTO public.t VALUES (3), (2);\nCREATE INDEX ON public.t (id public.ops);\n`, null],
    ['functions that are called as ours are', `CREATE FUNCTION public.format(text, name) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;\nCREATE FUNCTION public.pg_get_userbyid(oid) RETURNS name LANGUAGE sql AS $$ SELECT 'x'::name $$;\nCREATE OPERATOR public.= (FUNCTION = pg_catalog.nameeq, LEFTARG = name, RIGHTARG = name);\nALTER DATABASE restored SET search_path = public, pg_catalog;\n${view('1')}${refresh}`, null],
    ['a view, once a function of the server was granted to its owner', `${reads}${view('public.reads()')}GRANT EXECUTE ON FUNCTION pg_read_file(text) TO wa;\n${refresh}`, 'restore.permission-denied'],
    ['the same in a list', `${reads}${view('public.reads()')}GRANT ALL ON FUNCTION public.reads(), pg_catalog.pg_read_file(text) TO wa;\n${refresh}`, 'restore.permission-denied'],
    ['the server’s own schema, taken over', `${view('1')}ALTER SCHEMA pg_catalog OWNER TO wa;\n${refresh}`, 'restore.statement-refused'],
    ['a function with the rights of its owner', `${evil}CREATE FUNCTION public.definer() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN public.try(); END $$;\nALTER FUNCTION public.definer() OWNER TO wa;\n${view('public.definer()')}${refresh}`, null],
  ];
  test.each(statements)('%s', async (_name, sql, code) => {
    expect(await codesOf(sql)).toEqual(code === null ? [] : [code]);
  });

  test('of what the server keeps, LEAKPROOF is set on the one function that asked for it', async () => {
    const { admin } = await rig.restore(rig.dump('leakproof', `${head}CREATE FUNCTION public.loose() RETURNS integer LANGUAGE sql AS 'SELECT 1';\nCREATE FUNCTION public.tight(a text DEFAULT 'x') RETURNS boolean\n    LANGUAGE sql IMMUTABLE LEAKPROOF\n    AS $_$ SELECT ' LEAKPROOF ' = $1 $_$;\nALTER FUNCTION public.tight(a text) OWNER TO wa;\n`));
    expect(await query(admin, "SELECT proname, proleakproof, pg_get_userbyid(proowner) AS owner FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1")).toEqual([{ proname: 'loose', proleakproof: false, owner: 'restored_owner' }, { proname: 'tight', proleakproof: true, owner: 'wa' }]);
  });
});

describe('a subscription', () => {
  test('cannot be enabled by its owner’s code, and no worker would serve it', async () => {
    const subscription = "CREATE SUBSCRIPTION s CONNECTION 'host=localhost port=1' PUBLICATION p WITH (connect = false, slot_name = 's');\nALTER SUBSCRIPTION s OWNER TO wa;\n";
    const enables = "CREATE FUNCTION public.enables() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER SUBSCRIPTION s ENABLE'; RETURN 1; END $$;\n";
    expect(await codesOf(`${subscription}${enables}${view('public.enables()')}${refresh}`)).toEqual(['restore.permission-denied']);
    const { admin } = await rig.restore(rig.dump('subscription', head + subscription));
    expect(await query(admin, 'SELECT subenabled, subowner::regrole::text AS owner FROM pg_subscription')).toEqual([{ subenabled: false, owner: 'wa' }]);
    expect(await query(admin, 'SHOW max_logical_replication_workers')).toEqual([{ max_logical_replication_workers: '0' }]);
  });
});

describe('native code', () => {
  const contained = () => ({ server: { ...rig.target, runtime: 'containers' } as const });
  const c = (library: string, symbol = 'f') => `${table}CREATE FUNCTION public.f(bytea) RETURNS bytea LANGUAGE c IMMUTABLE STRICT AS '${library}', '${symbol}';\n`;

  test('of an untrusted language is refused on this host before anything runs, by name', async () => {
    const [finding, ...more] = await findingsOf(`CREATE EXTENSION plpython3u WITH SCHEMA pg_catalog;\nCREATE EXTENSION plperlu WITH SCHEMA pg_catalog;\nCREATE PROCEDURAL LANGUAGE plwild HANDLER pg_catalog.plpgsql_call_handler;\n${table}`);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ code: 'restore.untrusted-code', judged: false, facts: { what: ['the language plperlu', 'the language plpython3u', 'the language plwild'] } });
    expect(await query({ ...rig.target.admin, database: 'restored' }, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")).toEqual([]);
  });

  test('of an untrusted language needs an image that has it, whose package is named', async () => {
    const [finding, ...more] = await findingsOf(`CREATE EXTENSION plpython3u WITH SCHEMA pg_catalog;\nCREATE EXTENSION postgis WITH SCHEMA public;\n${table}`, contained());
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ code: 'restore.extension-unavailable', facts: { packages: ['postgresql-plpython3-18', 'postgresql-18-postgis-3'], images: ['postgis/postgis:18-3.5'] } });
    expect(finding?.hint).toMatch(/^Set images\.postgres to an image of Postgres 18/);
    expect((await findingsOf(`CREATE EXTENSION vector;\n${table}`))[0]?.hint).toMatch(/^Set the runtime to containers .*pgvector\/pgvector:pg18/);
  });

  test('of an untrusted language is restored in a container', async () => {
    const wild = 'CREATE PROCEDURAL LANGUAGE plwild HANDLER pg_catalog.plpgsql_call_handler;\nCREATE FUNCTION public.wild() RETURNS integer LANGUAGE plwild AS $$ BEGIN RETURN 7; END $$;\nALTER FUNCTION public.wild() OWNER TO wa;\n';
    const { admin } = await rig.restore(rig.dump('wild', head + wild), contained());
    expect(await query(admin, "SELECT public.wild(), pg_get_userbyid(proowner) AS owner FROM pg_proc WHERE proname = 'wild'")).toEqual([{ wild: 7, owner: 'wa' }]);
  });

  test.each(['/tmp/evil.so', '$libdir/../../../tmp/evil', './evil', '$libdir/.evil'])('out of %s is refused', async (library) => {
    expect(await findingsOf(c(library))).toMatchObject([{ code: 'restore.library-refused', judged: true, facts: { library, object: 'public.f', line: 8 } }]);
    expect(await findingsOf(c(library), contained())).toMatchObject([{ code: 'restore.library-refused' }]);
  });

  test('out of a library that is not installed is named', async () => {
    expect(await findingsOf(c('$libdir/no_such_library'))).toMatchObject([{ code: 'restore.library-missing', judged: false, facts: { library: '$libdir/no_such_library' } }]);
  });

  test('out of an installed library runs in a container; on this host only what an extension of the dump’s lets everybody call', async () => {
    const crypt = c('$libdir/pgcrypto', 'pg_random_bytes').replaceAll('bytea) RETURNS', 'integer) RETURNS');
    expect(await findingsOf(crypt)).toMatchObject([{ code: 'restore.untrusted-code', judged: false, facts: { what: ['pg_random_bytes of the library $libdir/pgcrypto'], line: 8 } }]);
    expect(await findingsOf(crypt, contained())).toEqual([]);
    const { admin } = await rig.restore(rig.dump('crypt', `${head}CREATE EXTENSION pgcrypto WITH SCHEMA public;\n${crypt}`));
    expect(await query(admin, 'SELECT length(public.f(5))')).toEqual([{ length: 5 }]);
  });
});

describe('another server', () => {
  let connections = 0;
  const listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    listener.close();
  });
  const at = () => `host=127.0.0.1 port=${(listener.address() as AddressInfo).port} user=u password=p dbname=d`;
  const dblink = 'CREATE EXTENSION dblink WITH SCHEMA public;\n';
  const calls = () => `CREATE FUNCTION public.calls(integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN PERFORM public.dblink_connect('${at()}'); RETURN 1; END $$;\n`;
  const foreign = () => `CREATE EXTENSION postgres_fdw WITH SCHEMA public;\nCREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${(listener.address() as AddressInfo).port}', dbname 'd');\nCREATE USER MAPPING FOR PUBLIC SERVER there OPTIONS (user 'u', password 'p');\nCREATE FOREIGN TABLE public.ft (a integer) SERVER there;\n`;
  const ways: readonly (readonly [string, () => string])[] = [
    ['a block', () => `${dblink}DO $$ BEGIN PERFORM public.dblink_connect('${at()}'); END $$;\n`],
    ['a query', () => `${dblink}SELECT * FROM public.dblink('${at()}', 'select 1') AS t(a integer);\n`],
    ['a CHECK', () => `${dblink}${calls()}CREATE TABLE public.e (a integer CHECK (public.calls(a) = 1));\nCOPY public.e (a) FROM stdin;\n1\n\\.\n`],
    ['a materialised view', () => `${dblink}${calls()}${view('public.calls(1)')}${refresh}`],
    ['a materialised view over a foreign table', () => `${foreign()}CREATE VIEW public.between AS SELECT a FROM public.ft;\nCREATE MATERIALIZED VIEW public.mv AS SELECT a FROM public.between WITH NO DATA;\n${refresh}`],
    ['a block that reads a foreign table', () => `${foreign()}DO $$ BEGIN PERFORM a FROM public.ft; END $$;\n`],
  ];
  test.each(ways)('is named and not reached by %s', async (_name, sql) => {
    expect(await codesOf(sql())).toEqual(['restore.connects-out']);
    expect(connections).toBe(0);
  });

  test('may be known to a dump that does not call it, and everybody may call dblink again', async () => {
    const { admin, findings } = await rig.restore(rig.dump('knows', head + dblink + foreign() + calls()));
    expect(findings).toEqual([]);
    expect(await query(admin, "SELECT has_function_privilege('restored_owner', 'public.dblink_connect(text)', 'EXECUTE') AS may, has_function_privilege('restored_owner', 'public.dblink_connect_u(text)', 'EXECUTE') AS unsafe, (SELECT count(*)::int FROM pg_user_mappings) AS mappings")).toEqual([{ may: true, unsafe: false, mappings: 1 }]);
    expect(connections).toBe(0);
  });
});

describe('a statement without an end', () => {
  const bombs: readonly (readonly [string, string, number])[] = [
    ['in a block that catches what would cancel it', "DO $$ BEGIN LOOP BEGIN PERFORM count(*) FROM generate_series(1, 1000000000000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;\n", 5],
    ['in the CHECK of a table whose rows come', 'CREATE FUNCTION public.forever(integer) RETURNS boolean LANGUAGE sql AS $$ SELECT count(*) > 0 FROM generate_series(1, 1000000000000) $$;\nCREATE TABLE public.e (a integer CHECK (public.forever(a)));\nCOPY public.e (a) FROM stdin;\n1\n\\.\n', 7],
  ];
  test.each(bombs)('%s is ended and named', async (_name, sql, line) => {
    expect(await findingsOf(sql, { policy: { statementMs: 1500 } })).toMatchObject([{ code: 'restore.statement-overdue', judged: false, facts: { line, minutes: 0.03 } }]);
    // Postgres waits five seconds for whoever is still in it, and refuses then.
    expect(await query(rig.target.admin, 'DROP DATABASE restored')).toEqual([]);
  });
});

describe('a server that has no superuser', () => {
  const wants = `CREATE EXTENSION dblink WITH SCHEMA public;\nCREATE EXTENSION citext WITH SCHEMA public;\n${table}CREATE PUBLICATION everything FOR ALL TABLES;\nGRANT SELECT ON TABLE public.t TO bob;\n`;
  test('is told all that would want one, at once', async () => {
    expect(await findingsOf(wants, { policy: { admin: false } })).toMatchObject([{ code: 'restore.needs-superuser', judged: true, facts: { count: 2, statements: ['CREATE EXTENSION dblink (line 5)', 'CREATE PUBLICATION everything (line 10)'] } }]);
  });
  test('takes a dump that wants none', async () => {
    expect(await findingsOf(wants.replaceAll(/^CREATE (?:EXTENSION dblink|PUBLICATION).*\n/gm, ''), { policy: { admin: false } })).toEqual([]);
  });
});

test('tablespaces are the default one’s, and said', async () => {
  expect(await findingsOf(`SET default_tablespace = fast;\n${table}SET default_tablespace = '';\nSET default_tablespace = "Slow one";\nCREATE TABLE public.u (a integer);\n`)).toMatchObject([{ code: 'restore.tablespaces-mapped', severity: 'note', facts: { tablespaces: ['Slow one', 'fast'] } }]);
});

test('passwords of user mappings and subscriptions reach no finding, no record and no log', async () => {
  const canary = 'canary4711';
  const server = `CREATE FOREIGN DATA WRAPPER w;\nCREATE SERVER there FOREIGN DATA WRAPPER w;\n`;
  const subscription = `CREATE SUBSCRIPTION s CONNECTION 'host=nowhere password=${canary}' PUBLICATION p WITH (connect = false, slot_name = 's');\n`;
  const mapping = `CREATE USER MAPPING FOR PUBLIC SERVER there OPTIONS (user 'u', password '${canary}');\n`;
  const { admin, evidence, findings } = await rig.restore(rig.dump('canary', head + server + subscription + mapping));
  expect(await query(admin, "SELECT array_to_string(umoptions, ',') AS options, (SELECT subconninfo FROM pg_subscription) AS conninfo FROM pg_user_mappings")).toEqual([{ options: `user=u,password=${canary}`, conninfo: `host=nowhere password=${canary}` }]);
  const failing = [mapping, `${server}${mapping}${mapping}`, subscription + subscription, `ALTER SUBSCRIPTION s CONNECTION 'password=${canary}';\n`];
  const said: unknown[] = [evidence, findings];
  for (const sql of failing) {
    const found = await findingsOf(sql);
    expect(found).toHaveLength(1);
    said.push(found);
  }
  expect(JSON.stringify(said)).not.toContain(canary);
  const log = readFileSync(join(dirname(rig.target.dataDirectory), 'log'), 'utf8');
  expect(log).toContain('database system is ready');
  expect(log).not.toContain(canary);
});
