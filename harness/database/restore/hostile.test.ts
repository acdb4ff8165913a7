// A dump that somebody wrote to get out of the throw-away database: each way is tried on a real server, where it must end
// with a finding that names it, or come back as harmless as it would be from psql, and leave no trace in the cluster.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StepEnded } from '../../run/finding.ts';
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
/** The codes that the restore of a dump ends with, none where it comes back; in every case nobody has become a superuser. */
async function codesOf(sql: string): Promise<string[]> {
  made += 1;
  const codes = await rig.restore(rig.dump(`hostile${made}`, head + sql)).then(() => [], (error: unknown) => {
    if (error instanceof StepEnded) return error.findings.map(({ code }) => code);
    throw error;
  });
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
