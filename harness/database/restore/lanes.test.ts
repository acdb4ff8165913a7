// The closed list, row by row: an ordinary role is refused what the row takes from the restorer, with the row it is restored
// and counted, and what is near to its text stays with the restorer.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StepEnded } from '../../run/finding.ts';
import type { Login } from '../../servers/postgres.ts';
import { classify } from '../dump/classify.ts';
import { adminRow, adminRows } from './lanes.ts';
import { openRig, query, type Rig } from './rig.ts';

interface Case {
  /** What of the dump it stands on. */
  readonly before?: string;
  /** A statement that the row takes. */
  readonly sql: string;
  /** Without the row: how the restore ends, where it does not say that the rights are missing. Empty: it does not, the row says when. */
  readonly refused?: string;
  /** Where the restorer may run it, too: a query whose answer shows what would be wrong then. */
  readonly shows?: readonly [query: string, withRow: string, withoutRow: string];
  /** Only where a container holds what it lets in. */
  readonly contained?: true;
  /** Texts that no row takes. */
  readonly near: readonly string[];
}

const head = `SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
`;
const table = 'CREATE TABLE public.t (id integer);\n';
const baseFunctions = (name: string) => `CREATE FUNCTION public.${name}_in(cstring) RETURNS public.${name} LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION public.${name}_out(public.${name}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
`;
const baseType = (name: string) => `CREATE TYPE public.${name} (INTERNALLENGTH = variable, INPUT = public.${name}_in, OUTPUT = public.${name}_out);\n`;
const eventTrigger = 'CREATE FUNCTION public.fire() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;\nCREATE EVENT TRIGGER lanes ON ddl_command_end EXECUTE FUNCTION public.fire();\n';
const subscription = "CREATE SUBSCRIPTION lanes CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = 'lanes');\n";

const cases: Readonly<Record<string, Case>> = {
  'create-database': { sql: "CREATE DATABASE lanes WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C';\n\\connect lanes\n", near: ["CREATE TABLESPACE d LOCATION '/tmp';", 'CREATE USER d SUPERUSER;'] },
  'alter-database': { before: "CREATE DATABASE lanes WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C';\n\\connect lanes\n", sql: 'ALTER DATABASE lanes CONNECTION LIMIT = 7;', shows: ["SELECT datconnlimit AS it FROM pg_database WHERE datname = 'lanes'", '-1', '7'], near: ["ALTER DATABASE lanes SET session_preload_libraries = 'x';", 'ALTER DATABASE lanes RENAME TO other;', 'ALTER DATABASE lanes SET TABLESPACE x;'] },
  'database-setting': { before: "CREATE DATABASE lanes WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C';\n\\connect lanes\n", sql: `ALTER DATABASE lanes SET "app.secret" TO E'it''s \\\\';`, near: [
    "ALTER DATABASE lanes SET session_preload_libraries TO 'x';", "ALTER DATABASE lanes SET dynamic_library_path TO '/tmp';", `ALTER DATABASE lanes SET "plperl.on_plperl_init" TO 'x';`, `ALTER DATABASE lanes SET "PLv8.start_proc" TO 'x';`,
    "ALTER DATABASE lanes SET log_statement TO 'all', SET work_mem TO '1MB';", "ALTER DATABASE lanes SET log_statement FROM CURRENT;", `ALTER DATABASE lanes SET "app.secret" TO E'\\'' || public.evil(1);`, "ALTER DATABASE lanes SET work_mem TO '1MB';",
  ] },
  'role-in-database': { sql: "ALTER ROLE alice IN DATABASE restored SET work_mem TO '8MB';", near: ['ALTER ROLE alice SUPERUSER;', "ALTER ROLE ALL IN DATABASE restored SET work_mem TO '8MB';", "ALTER ROLE CURRENT_USER IN DATABASE restored SET role TO 'x';", "ALTER ROLE alice SET session_preload_libraries TO 'x';", "ALTER USER alice PASSWORD 'x';"] },
  extension: { sql: 'CREATE EXTENSION dblink WITH SCHEMA public;', near: ['CREATE EXTENSION dblink CASCADE;', "CREATE EXTENSION dblink VERSION '1.0';", 'CREATE EXTENSION dblink WITH SCHEMA public CASCADE;', 'ALTER EXTENSION dblink UPDATE;', 'ALTER EXTENSION dblink ADD FUNCTION public.evil();'] },
  language: {
    before: "CREATE FUNCTION public.handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';\nCREATE FUNCTION public.check_it(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator';\n",
    sql: 'CREATE TRUSTED PROCEDURAL LANGUAGE mine HANDLER public.handler VALIDATOR public.check_it;', near: ['CREATE LANGUAGE plpython3u;', 'CREATE LANGUAGE mine HANDLER public.handler INLINE public.a(1);', 'ALTER LANGUAGE mine RENAME TO yours;'],
  },
  'comment-on-event-trigger': { before: eventTrigger, sql: "COMMENT ON EVENT TRIGGER lanes IS 'x';", refused: 'restore.statement-failed', near: [] },
  comment: { before: 'CREATE EXTENSION dblink WITH SCHEMA public;\n', sql: "COMMENT ON EXTENSION dblink IS 'x';", near: ["SECURITY LABEL FOR x ON TABLE public.t IS 'y';"] },
  'shell-type': { sql: 'CREATE TYPE public.shell;', near: ["CREATE TYPE public.shell AS ENUM ('a');", 'CREATE TYPE public.shell AS RANGE (subtype = integer, canonical = public.evil);', 'CREATE DOMAIN public.shell AS integer CHECK (public.evil(VALUE));'] },
  'base-type': { before: `CREATE TYPE public.base;\n${baseFunctions('base')}`, sql: baseType('base').trim(), near: ['CREATE TYPE public.base AS (a integer);', 'ALTER TYPE public.base SET (TYPMOD_IN = public.evil);'] },
  'function-by-symbol': { sql: "CREATE FUNCTION public.number(cstring) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'int4in';", near: ["CREATE FUNCTION public.f(a public.c DEFAULT '(1)') RETURNS integer LANGUAGE internal AS 'int4in';", "CREATE FUNCTION public.f(a public.c DEFAULT $$(1)$$) RETURNS integer LANGUAGE internal AS 'int4in';", "CREATE FUNCTION public.f() RETURNS integer LANGUAGE internal SET x TO $$y$$ AS 'int4in';", "CREATE FUNCTION public.f() RETURNS integer LANGUAGE internal AS $a$int4in$a$;"] },
  'leakproof-function': { sql: "CREATE FUNCTION public.tight(a integer DEFAULT 3) RETURNS boolean LANGUAGE sql IMMUTABLE LEAKPROOF AS $$ SELECT a > 1 $$;", near: ["CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS ' LEAKPROOF ';", 'CREATE FUNCTION public.f() RETURNS integer LANGUAGE internal LEAKPROOF AS $a$int4in$a$;', 'ALTER FUNCTION public.f() LEAKPROOF;'] },
  'untrusted-language': { contained: true, sql: 'CREATE PROCEDURAL LANGUAGE plwild HANDLER pg_catalog.plpgsql_call_handler VALIDATOR pg_catalog.plpgsql_validator;', near: ['CREATE LANGUAGE plwild HANDLER pg_catalog.plpgsql_call_handler VALIDATOR public.evil;'] },
  'untrusted-function': { contained: true, before: 'CREATE PROCEDURAL LANGUAGE plwild HANDLER pg_catalog.plpgsql_call_handler VALIDATOR pg_catalog.plpgsql_validator;\n', sql: "CREATE FUNCTION public.wild() RETURNS integer LANGUAGE plwild AS $$ BEGIN RETURN 1; END $$;", near: ["CREATE FUNCTION public.f() RETURNS integer LANGUAGE plpgsql AS ' LANGUAGE plwild ';"] },
  'internal-aggregate': {
    sql: 'CREATE AGGREGATE public.middle(double precision ORDER BY integer) (\n    SFUNC = ordered_set_transition,\n    STYPE = internal,\n    FINALFUNC = percentile_disc_final,\n    FINALFUNC_EXTRA\n);', refused: 'restore.statement-failed',
    near: ["CREATE AGGREGATE public.a(integer) (SFUNC = public.evil, STYPE = public.c, INITCOND = '(1)', MSTYPE = internal);", "CREATE AGGREGATE public.a(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');"],
  },
  'operator-class': { sql: 'CREATE OPERATOR CLASS public.ints FOR TYPE integer USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(integer,integer);', near: ['CREATE OPERATOR public.= (FUNCTION = public.evil, LEFTARG = integer, RIGHTARG = integer);'] },
  'binary-cast': { before: `CREATE TYPE public.cast_me;\n${baseFunctions('cast_me')}${baseType('cast_me')}`, sql: 'CREATE CAST (public.cast_me AS text) WITHOUT FUNCTION;', near: ['CREATE CAST (public.t AS text) WITH FUNCTION public.evil(public.t);', 'CREATE CAST (public.t AS text) WITH INOUT;'] },
  transform: { sql: 'CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));', near: [] },
  'text-search-code': { sql: 'CREATE TEXT SEARCH TEMPLATE public.simplest (INIT = dsimple_init, LEXIZE = dsimple_lexize);', near: ['CREATE TEXT SEARCH DICTIONARY public.d (TEMPLATE = public.simplest);', 'CREATE TEXT SEARCH CONFIGURATION public.c (PARSER = public.evil);'] },
  'access-method': { sql: 'CREATE ACCESS METHOD heaped TYPE TABLE HANDLER heap_tableam_handler;', near: ['CREATE ACCESS METHOD heaped TYPE TABLE HANDLER public.evil;', 'CREATE ACCESS METHOD heaped TYPE TABLE HANDLER pg_catalog.evil.evil;'] },
  'foreign-data-wrapper': { sql: 'CREATE FOREIGN DATA WRAPPER dummy VALIDATOR postgresql_fdw_validator;', near: ['CREATE FOREIGN DATA WRAPPER dummy VALIDATOR public.evil;', 'CREATE FOREIGN DATA WRAPPER dummy HANDLER public.evil VALIDATOR postgresql_fdw_validator;', 'ALTER FOREIGN DATA WRAPPER dummy VALIDATOR public.evil;'] },
  'foreign-server': { before: 'CREATE FOREIGN DATA WRAPPER dummy2;\n', sql: "CREATE SERVER there FOREIGN DATA WRAPPER dummy2 OPTIONS (host 'nowhere');", near: ["ALTER SERVER there OPTIONS (SET host 'elsewhere');", 'CREATE FOREIGN TABLE public.ft (a integer) SERVER there;'] },
  'publication-of-all': { sql: "CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert');", near: ['CREATE PUBLICATION everything FOR TABLE public.t WHERE (public.evil(id) = 1);', 'CREATE PUBLICATION everything FOR TABLES IN SCHEMA public, TABLE app.t WHERE (public.evil(id) = 1);'] },
  'publication-of-schema': { before: 'CREATE PUBLICATION schemas;\n', sql: 'ALTER PUBLICATION schemas ADD TABLES IN SCHEMA public;', near: ['ALTER PUBLICATION some ADD TABLES IN SCHEMA public, TABLE app.t WHERE (public.evil(id) = 1);', 'ALTER PUBLICATION some ADD TABLE public.t WHERE (public.evil(id) = 1);'] },
  subscription: { sql: subscription.trim(), near: ["CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p;", "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = true);", "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, enabled = true);", 'ALTER SUBSCRIPTION s ENABLE;', "ALTER SUBSCRIPTION s CONNECTION 'host=elsewhere';", 'ALTER SUBSCRIPTION s REFRESH PUBLICATION;'] },
  'all-triggers': { before: `CREATE TABLE public.p (id integer PRIMARY KEY);\nCREATE TABLE public.c (id integer REFERENCES public.p);\n`, sql: 'ALTER TABLE public.c DISABLE TRIGGER ALL;', near: ['ALTER TABLE public.c DISABLE TRIGGER ALL, ADD CHECK (public.evil(id) = 1);', 'ALTER TABLE public.c DISABLE TRIGGER "ALL";'] },
  'owner-of-event-trigger': { before: eventTrigger, sql: 'ALTER EVENT TRIGGER lanes OWNER TO alice;', refused: 'restore.statement-failed', near: ['ALTER EVENT TRIGGER lanes OWNER TO CURRENT_USER;'] },
  'owner-by-superuser': { before: 'CREATE FOREIGN DATA WRAPPER dummy3;\n', sql: 'ALTER FOREIGN DATA WRAPPER dummy3 OWNER TO alice;', near: ['ALTER FOREIGN DATA WRAPPER dummy3 OWNER TO SESSION_USER;', 'ALTER FOREIGN DATA WRAPPER dummy3 OWNER TO alice SUPERUSER;'] },
  'owner-of-subscription': { before: subscription, sql: 'ALTER SUBSCRIPTION lanes OWNER TO alice;', near: ['ALTER SUBSCRIPTION lanes OWNER TO CURRENT_ROLE;'] },
  owner: { before: table, sql: 'ALTER TABLE public.t OWNER TO alice;', near: ['ALTER TABLE public.t OWNER TO alice, ADD COLUMN z integer DEFAULT public.evil(1), OWNER TO alice;', 'ALTER  TABLE public.t OWNER TO alice, ADD CHECK (public.evil(id) = 1), OWNER TO alice;', 'ALTER/**/TABLE public.t OWNER TO alice, ADD CHECK (public.evil(id) = 1), OWNER TO alice;', 'ALTER VIEW public.v OWNER TO alice, ALTER COLUMN a SET DEFAULT public.evil(), OWNER TO alice;', 'ALTER FUNCTION public.f() OWNER TO CURRENT_USER;', 'ALTER TABLE public.t OWNER TO PUBLIC;', 'REASSIGN OWNED BY alice TO bob;'] },
  grant: { before: `${table}ALTER TABLE public.t OWNER TO alice;\n`, sql: 'REVOKE ALL ON TABLE public.t FROM alice;', shows: ["SELECT relacl::text AS it FROM pg_class WHERE oid = 'public.t'::regclass", '{}', '{alice=arwdDxtm/alice}'], near: ['GRANT pg_execute_server_program TO bob;', 'GRANT alice TO bob;', 'GRANT pg_read_server_files TO "x ON TABLE y";'] },
  'grant-on-other': { sql: 'GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO alice;', near: [] },
  'default-privileges': { sql: 'ALTER DEFAULT PRIVILEGES FOR ROLE alice IN SCHEMA public GRANT SELECT ON TABLES TO bob;', near: ['ALTER DEFAULT PRIVILEGES FOR ROLE CURRENT_USER GRANT ALL ON TABLES TO bob;', 'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO bob;'] },
  'user-mapping': { before: 'CREATE FOREIGN DATA WRAPPER dummy4;\nCREATE SERVER there4 FOREIGN DATA WRAPPER dummy4;\n', sql: "CREATE USER MAPPING FOR alice SERVER there4 OPTIONS (user 'x');", refused: '', near: ["CREATE USER MAPPING FOR CURRENT_USER SERVER there4 OPTIONS (user 'x');", "ALTER USER MAPPING FOR alice SERVER there4 OPTIONS (SET user 'y');"] },
  'session-authorization': { before: `${table}ALTER TABLE public.t OWNER TO alice;\n`, sql: 'SET SESSION AUTHORIZATION alice;\nGRANT SELECT ON TABLE public.t TO bob;\nRESET SESSION AUTHORIZATION;', near: ['SET SESSION AUTHORIZATION alice, bob;', 'SET LOCAL SESSION AUTHORIZATION alice;', 'SET ROLE alice;', 'SET SESSION ROLE alice;'] },
  refresh: { before: 'CREATE MATERIALIZED VIEW public.who AS SELECT current_user AS it WITH NO DATA;\nALTER MATERIALIZED VIEW public.who OWNER TO alice;\n', sql: 'REFRESH MATERIALIZED VIEW public.who;', shows: ['SELECT it::text ~ $$^restorer_$$ AS it FROM public.who', 'false', 'true'], near: ['REFRESH MATERIALIZED VIEW CONCURRENTLY public.who;', 'REFRESH MATERIALIZED VIEW public.who WITH NO DATA;'] },
  'event-trigger': { before: 'CREATE FUNCTION public.fire() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;\n', sql: 'CREATE EVENT TRIGGER lanes ON ddl_command_end EXECUTE FUNCTION public.fire();', near: ['ALTER EVENT TRIGGER lanes RENAME TO other;'] },
};

describe('the text of each row', () => {
  test('every row has its case, and no case is without a row', () => {
    expect(Object.keys(cases).toSorted()).toEqual(adminRows.map((row) => row.id).toSorted());
  });

  test.each(Object.entries(cases))('of %s takes its own and nothing that is only near to it', (id, { sql, near }) => {
    const first = Buffer.from(/^[^;]*;/.exec(sql)?.[0] ?? '');
    expect(adminRow(classify(first).kind, first)?.id).toBe(id);
    expect(near.filter((text) => adminRow(classify(Buffer.from(text)).kind, Buffer.from(text)) !== undefined)).toEqual([]);
  });

  // What is not in the server's own schemas, one object, named with its schema: all else waits until nothing of the dump runs.
  test.each([
    'GRANT EXECUTE ON FUNCTION lo_export(oid,text) TO alice;',
    'GRANT EXECUTE ON FUNCTION public.f(), pg_catalog.lo_export(oid,text) TO alice;',
    'GRANT EXECUTE ON FUNCTION "pg_catalog".lo_export(oid,text) TO alice;',
    'GRANT EXECUTE ON FUNCTION U&"pg_c\\0061talog".lo_export(oid,text) TO alice;',
    'GRANT CREATE ON SCHEMA pg_catalog TO alice;',
    'GRANT SELECT ON TABLE public.t, pg_catalog.pg_authid TO alice;',
    'GRANT ALL ON ALL FUNCTIONS IN SCHEMA pg_catalog TO alice;',
    'GRANT USAGE ON LANGUAGE plpgsql TO alice;',
    'GRANT SET ON PARAMETER session_preload_libraries TO alice;',
  ])('%s comes last', (sql) => {
    expect(adminRow(classify(Buffer.from(sql)).kind === 'UNKNOWN' ? 'GRANT' : classify(Buffer.from(sql)).kind, Buffer.from(sql))?.phase).toBe('late');
  });

  test('says of each row why', () => {
    expect(adminRows.filter((row) => row.why.length < 5 || row.harmless.length < 5)).toEqual([]);
  });
});

const codesOf = (error: unknown): string => {
  if (error instanceof StepEnded) return error.findings.map(({ code }) => code).join();
  throw error;
};

describe('on a server', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig();
    await query(rig.target.admin, 'CREATE ROLE alice; CREATE ROLE bob');
  }, 60_000);
  afterAll(async () => {
    await rig.close();
  }, 60_000);

  for (const [id, { before = '', sql, refused = 'restore.permission-denied', shows, contained }] of Object.entries(cases)) {
    test(`${id} is refused to an ordinary role, and restored`, async () => {
      const file = rig.dump(id, `${head}${before}${sql}\n`);
      const server = { ...rig.target, runtime: contained === true ? 'containers' : 'embedded' } as const;
      const { admin, evidence } = await rig.restore(file, { server });
      expect(evidence.closedList[id]).toBeGreaterThanOrEqual(1);
      const answer = async (login: Login) => (shows === undefined ? null : String((await query(login, shows[0]))[0]?.['it']));
      const at = head.length + before.length;
      const plan: Parameters<Rig['restore']>[1] = { server, plan: (planned) => ({ ...planned, operations: planned.operations.map((one) => (one.offset === at ? { ...one, listed: false } : one)) }) };
      const withRow = await answer(admin);
      const without = shows === undefined ? await rig.restore(file, plan).then(() => '', codesOf) : await answer((await rig.restore(file, plan)).admin);
      expect([withRow, without]).toEqual(shows === undefined ? [null, refused] : [shows[1], shows[2]]);
    });
  }

  test('no handler but plpgsql’s own makes a language', async () => {
    const file = rig.dump('handler', `${head}CREATE FUNCTION public.handler() RETURNS language_handler LANGUAGE internal AS 'int4in';\nCREATE TRUSTED PROCEDURAL LANGUAGE mine HANDLER public.handler;\n`);
    expect((await rig.findings(file)).map(({ code }) => code)).toEqual(['restore.permission-denied']);
  });
});
