import { describe, expect, it } from 'vitest';
import { grammarKind, grammarStatements } from '../../../fixtures/grammar.ts';
import { classify, copyOf, extensionOf, identitySequenceOf, isPartitioned, settingOf } from './classify.ts';

type Row = readonly [kind: string, name: readonly string[], roles: readonly string[], sql: string];

// One statement of every kind, as pg_dump 18 wrote it (plain, --create --clean, --column-inserts --statistics, --use-set-session-authorization).
const written: readonly Row[] = [
  ['ALTER AGGREGATE … OWNER TO', ['app', 'agg'], ['app'], 'ALTER AGGREGATE app.agg(integer) OWNER TO app;'],
  ['ALTER COLLATION … OWNER TO', ['app', 'coll'], ['postgres'], 'ALTER COLLATION app.coll OWNER TO postgres;'],
  ['ALTER CONVERSION … OWNER TO', ['app', 'conv'], ['postgres'], 'ALTER CONVERSION app.conv OWNER TO postgres;'],
  ['ALTER DATABASE … OWNER TO', ['we\'ird db=x'], ['postgres'], 'ALTER DATABASE "we\'ird db=x" OWNER TO postgres;'],
  ['ALTER DEFAULT PRIVILEGES', ['app'], ['app', 'reader'], 'ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA app GRANT SELECT ON TABLES TO reader;'],
  ['ALTER DOMAIN … OWNER TO', ['app', 'pos'], ['postgres'], 'ALTER DOMAIN app.pos OWNER TO postgres;'],
  ['ALTER EVENT TRIGGER … DISABLE', ['evt'], [], 'ALTER EVENT TRIGGER evt DISABLE;'],
  ['ALTER EVENT TRIGGER … OWNER TO', ['evt'], ['postgres'], 'ALTER EVENT TRIGGER evt OWNER TO postgres;'],
  ['ALTER FOREIGN DATA WRAPPER … OWNER TO', ['w'], ['postgres'], 'ALTER FOREIGN DATA WRAPPER w OWNER TO postgres;'],
  ['ALTER FOREIGN TABLE … ALTER COLUMN OPTIONS', ['app', 'ft', 'a'], [], 'ALTER FOREIGN TABLE ONLY app.ft ALTER COLUMN a OPTIONS (\n    column_name \'z\'\n);'],
  ['ALTER FOREIGN TABLE … OWNER TO', ['app', 'ft'], ['postgres'], 'ALTER FOREIGN TABLE app.ft OWNER TO postgres;'],
  ['ALTER FUNCTION … OWNER TO', ['app', 'f'], ['postgres'], 'ALTER FUNCTION app.f() OWNER TO postgres;'],
  ['ALTER INDEX … ALTER COLUMN SET STATISTICS', ['app', 'ei', '1'], [], 'ALTER INDEX app.ei ALTER COLUMN 1 SET STATISTICS 50;'],
  ['ALTER INDEX … ATTACH PARTITION', ['app', 'pi'], [], 'ALTER INDEX app.pi ATTACH PARTITION app.p1_b_idx;'],
  ['ALTER LANGUAGE … OWNER TO', ['foo'], ['postgres'], 'ALTER PROCEDURAL LANGUAGE foo OWNER TO postgres;'],
  ['ALTER LARGE OBJECT … OWNER TO', ['4711'], ['postgres'], 'ALTER LARGE OBJECT 4711 OWNER TO postgres;'],
  ['ALTER MATERIALIZED VIEW … OWNER TO', ['app', 'mv'], ['postgres'], 'ALTER MATERIALIZED VIEW app.mv OWNER TO postgres;'],
  ['ALTER OPERATOR CLASS … OWNER TO', ['app', 'oc'], ['postgres'], 'ALTER OPERATOR CLASS app.oc USING hash OWNER TO postgres;'],
  ['ALTER OPERATOR FAMILY … OWNER TO', ['app', 'oc'], ['postgres'], 'ALTER OPERATOR FAMILY app.oc USING hash OWNER TO postgres;'],
  ['ALTER OPERATOR … OWNER TO', ['app', '==='], ['app'], 'ALTER OPERATOR app.=== (integer, integer) OWNER TO app;'],
  ['ALTER PROCEDURE … OWNER TO', ['app', 'p'], ['postgres'], 'ALTER PROCEDURE app.p(IN x integer) OWNER TO postgres;'],
  ['ALTER PUBLICATION … ADD TABLE', ['pub'], [], 'ALTER PUBLICATION pub ADD TABLE ONLY app.one;'],
  ['ALTER PUBLICATION … ADD TABLES', ['pubs'], [], 'ALTER PUBLICATION pubs ADD TABLES IN SCHEMA app;'],
  ['ALTER PUBLICATION … OWNER TO', ['pub'], ['postgres'], 'ALTER PUBLICATION pub OWNER TO postgres;'],
  ['ALTER SCHEMA … OWNER TO', ['Sch.ema'], ['postgres'], 'ALTER SCHEMA "Sch.ema" OWNER TO postgres;'],
  ['ALTER SEQUENCE … OWNED BY', ['Sch.ema', 'T.2;_s_seq'], [], 'ALTER SEQUENCE "Sch.ema"."T.2;_s_seq" OWNED BY "Sch.ema"."T.2;".s;'],
  ['ALTER SEQUENCE … OWNER TO', ['Sch.ema', 'T.2;_s_seq'], ['postgres'], 'ALTER SEQUENCE "Sch.ema"."T.2;_s_seq" OWNER TO postgres;'],
  ['ALTER SERVER … OWNER TO', ['sv'], ['postgres'], 'ALTER SERVER sv OWNER TO postgres;'],
  ['ALTER STATISTICS … OWNER TO', ['app', 'st'], ['postgres'], 'ALTER STATISTICS app.st OWNER TO postgres;'],
  ['ALTER STATISTICS … SET STATISTICS', ['app', 'st'], [], 'ALTER STATISTICS app.st SET STATISTICS 10;'],
  ['ALTER SUBSCRIPTION … OWNER TO', ['sub'], ['postgres'], 'ALTER SUBSCRIPTION sub OWNER TO postgres;'],
  ['ALTER TABLE … ADD CONSTRAINT CHECK', ['app', 't1', 'nvck'], [], 'ALTER TABLE app.t1\n    ADD CONSTRAINT nvck CHECK ((g > 0)) NOT VALID;'],
  ['ALTER TABLE … ADD CONSTRAINT EXCLUDE', ['app', 't1', 't1_r_excl'], [], 'ALTER TABLE ONLY app.t1\n    ADD CONSTRAINT t1_r_excl EXCLUDE USING gist (r WITH &&);'],
  ['ALTER TABLE … ADD CONSTRAINT FOREIGN KEY', ['Sch.ema', 'T.2;', 'fk;2'], [], 'ALTER TABLE ONLY "Sch.ema"."T.2;"\n    ADD CONSTRAINT "fk;2" FOREIGN KEY (s) REFERENCES app.t1(id);'],
  ['ALTER TABLE … ADD CONSTRAINT PRIMARY KEY', ['app', 't1', 't1_pkey'], [], 'ALTER TABLE ONLY app.t1\n    ADD CONSTRAINT t1_pkey PRIMARY KEY (id);'],
  ['ALTER TABLE … ADD CONSTRAINT UNIQUE', ['app', 't1', 'u'], [], 'ALTER TABLE ONLY app.t1\n    ADD CONSTRAINT u UNIQUE (b);'],
  ['ALTER TABLE … ALTER COLUMN ADD GENERATED', ['app', 't1', 'id'], [], 'ALTER TABLE app.t1 ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (\n    SEQUENCE NAME app.t1_id_seq\n    START WITH 1\n    INCREMENT BY 1\n    NO MINVALUE\n    NO MAXVALUE\n    CACHE 1\n);'],
  ['ALTER TABLE … ALTER COLUMN DROP DEFAULT', ['Sch.ema', 'T.2;', 's'], [], 'ALTER TABLE "Sch.ema"."T.2;" ALTER COLUMN s DROP DEFAULT;'],
  ['ALTER TABLE … ALTER COLUMN SET', ['app', 't1', 'b'], [], 'ALTER TABLE ONLY app.t1 ALTER COLUMN b SET (n_distinct=5);'],
  ['ALTER TABLE … ALTER COLUMN SET COMPRESSION', ['app', 't1', 'b'], [], 'ALTER TABLE ONLY app.t1 ALTER COLUMN b SET COMPRESSION pglz;'],
  ['ALTER TABLE … ALTER COLUMN SET DEFAULT', ['app', 'v', 'b'], [], 'ALTER TABLE ONLY app.v ALTER COLUMN b SET DEFAULT \'q\'::text;'],
  ['ALTER TABLE … ALTER COLUMN SET STATISTICS', ['app', 't1', 'b'], [], 'ALTER TABLE ONLY app.t1 ALTER COLUMN b SET STATISTICS 100;'],
  ['ALTER TABLE … ALTER COLUMN SET STORAGE', ['app', 't1', 'b'], [], 'ALTER TABLE ONLY app.t1 ALTER COLUMN b SET STORAGE EXTERNAL;'],
  ['ALTER TABLE … ATTACH PARTITION', ['app', 'part'], [], 'ALTER TABLE ONLY app.part ATTACH PARTITION app.p2 DEFAULT;'],
  ['ALTER TABLE … CLUSTER ON', ['app', 't1'], [], 'ALTER TABLE app.t1 CLUSTER ON t1_pkey;'],
  ['ALTER TABLE … DISABLE RULE', ['app', 't1'], [], 'ALTER TABLE app.t1 DISABLE RULE "r 2";'],
  ['ALTER TABLE … DISABLE TRIGGER', ['app', 't1'], [], 'ALTER TABLE app.t1 DISABLE TRIGGER ct;'],
  ['ALTER TABLE … DROP CONSTRAINT', ['Sch.ema', 'T.2;', 'fk;2'], [], 'ALTER TABLE ONLY "Sch.ema"."T.2;" DROP CONSTRAINT "fk;2";'],
  ['ALTER TABLE … ENABLE ALWAYS TRIGGER', ['app', 't1'], [], 'ALTER TABLE app.t1 ENABLE ALWAYS TRIGGER tr;'],
  ['ALTER TABLE … ENABLE ROW LEVEL SECURITY', ['app', 't1'], [], 'ALTER TABLE app.t1 ENABLE ROW LEVEL SECURITY;'],
  ['ALTER TABLE … FORCE ROW LEVEL SECURITY', ['app', 't1'], [], 'ALTER TABLE ONLY app.t1 FORCE ROW LEVEL SECURITY;'],
  ['ALTER TABLE … OWNER TO', ['app', 't1'], ['Odd "Role'], 'ALTER TABLE app.t1 OWNER TO "Odd ""Role";'],
  ['ALTER TABLE … REPLICA IDENTITY', ['app', 'one'], [], 'ALTER TABLE ONLY app.one REPLICA IDENTITY FULL;'],
  ['ALTER TEXT SEARCH CONFIGURATION … ADD MAPPING', ['app', 'c'], [], 'ALTER TEXT SEARCH CONFIGURATION app.c\n    ADD MAPPING FOR "int" WITH simple;'],
  ['ALTER TEXT SEARCH CONFIGURATION … OWNER TO', ['app', 'c'], ['postgres'], 'ALTER TEXT SEARCH CONFIGURATION app.c OWNER TO postgres;'],
  ['ALTER TEXT SEARCH DICTIONARY … OWNER TO', ['app', 'd'], ['postgres'], 'ALTER TEXT SEARCH DICTIONARY app.d OWNER TO postgres;'],
  ['ALTER TYPE … OWNER TO', ['app', 'shell'], ['app'], 'ALTER TYPE app.shell OWNER TO app;'],
  ['ALTER VIEW … OWNER TO', ['app', 'v'], ['postgres'], 'ALTER VIEW app.v OWNER TO postgres;'],
  ['BEGIN', [], [], 'BEGIN;'],
  ['COMMENT ON AGGREGATE', ['app', 'agg'], [], 'COMMENT ON AGGREGATE app.agg(integer) IS \'x\';'],
  ['COMMENT ON CAST', ['app . comp as text'], [], 'COMMENT ON CAST (app.comp AS text) IS \'c\';'],
  ['COMMENT ON COLUMN', ['app', 't1', 'b'], [], 'COMMENT ON COLUMN app.t1.b IS \'c\';'],
  ['COMMENT ON CONSTRAINT', ['app', 't1', 'ck'], [], 'COMMENT ON CONSTRAINT ck ON app.t1 IS \'x\';'],
  ['COMMENT ON DATABASE', ['we\'ird db=x'], [], 'COMMENT ON DATABASE "we\'ird db=x" IS \'db\';'],
  ['COMMENT ON EXTENSION', ['hstore'], [], 'COMMENT ON EXTENSION hstore IS \'z\';'],
  ['COMMENT ON LARGE OBJECT', ['4711'], [], 'COMMENT ON LARGE OBJECT 4711 IS \'lo\';'],
  ['COMMENT ON OPERATOR', ['app', '==='], [], 'COMMENT ON OPERATOR app.=== (integer, integer) IS \'o\';'],
  ['COMMENT ON OPERATOR CLASS', ['app', 'oc'], [], 'COMMENT ON OPERATOR CLASS app.oc USING btree IS \'x\';'],
  ['COMMENT ON POLICY', ['app', 't1', 'p2'], [], 'COMMENT ON POLICY p2 ON app.t1 IS \'x\';'],
  ['COMMENT ON RULE', ['app', 't1', 'r 2'], [], 'COMMENT ON RULE "r 2" ON app.t1 IS \'x\';'],
  ['COMMENT ON SCHEMA', ['app'], [], 'COMMENT ON SCHEMA app IS \'it\'\'s; a -- schema\';'],
  ['COMMENT ON TEXT SEARCH CONFIGURATION', ['app', 'c'], [], 'COMMENT ON TEXT SEARCH CONFIGURATION app.c IS \'x\';'],
  ['COMMENT ON TRIGGER', ['app', 't1', 'tr'], [], 'COMMENT ON TRIGGER tr ON app.t1 IS \'x\';'],
  ['COMMENT ON TYPE', ['app', 'mood'], [], 'COMMENT ON TYPE app.mood IS \'m\';'],
  ['COMMIT', [], [], 'COMMIT;'],
  ['CREATE ACCESS METHOD', ['am'], [], 'CREATE ACCESS METHOD am TYPE TABLE HANDLER heap_tableam_handler;'],
  ['CREATE AGGREGATE', ['app', 'agg'], [], 'CREATE AGGREGATE app.agg(integer) (\n    SFUNC = app.g,\n    STYPE = integer\n);'],
  ['CREATE CAST', ['app . comp as text'], [], 'CREATE CAST (app.comp AS text) WITH INOUT AS ASSIGNMENT;'],
  ['CREATE COLLATION', ['app', 'coll'], [], 'CREATE COLLATION app.coll (provider = libc, locale = \'C\');'],
  ['CREATE CONSTRAINT TRIGGER', ['app', 't1', 'ct'], [], 'CREATE CONSTRAINT TRIGGER ct AFTER INSERT ON app.t1 DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION app.t();'],
  ['CREATE CONVERSION', ['app', 'conv'], [], 'CREATE CONVERSION app.conv FOR \'LATIN1\' TO \'UTF8\' FROM iso8859_1_to_utf8;'],
  ['CREATE DATABASE', ['we\'ird db=x'], [], 'CREATE DATABASE "we\'ird db=x" WITH TEMPLATE = template0 ENCODING = \'UTF8\' LOCALE_PROVIDER = libc LOCALE = \'C\';'],
  ['CREATE DOMAIN', ['app', 'pos'], [], 'CREATE DOMAIN app.pos AS integer DEFAULT 3\n\tCONSTRAINT pos_c CHECK ((VALUE > 0));'],
  ['CREATE EVENT TRIGGER', ['evt'], [], 'CREATE EVENT TRIGGER evt ON ddl_command_end\n         WHEN TAG IN (\'DROP TABLE\')\n   EXECUTE FUNCTION app.et();'],
  ['CREATE EXTENSION', ['citext'], [], 'CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA app;'],
  ['CREATE FOREIGN DATA WRAPPER', ['w'], [], 'CREATE FOREIGN DATA WRAPPER w;'],
  ['CREATE FOREIGN TABLE', ['app', 'ft'], [], 'CREATE FOREIGN TABLE app.ft (\n    a integer,\n    CONSTRAINT ck CHECK ((a > 0))\n)\nSERVER sv\nOPTIONS (\n    table_name \'q\'\n);'],
  ['CREATE FUNCTION', ['app', 'et'], [], 'CREATE FUNCTION app.et() RETURNS event_trigger\n    LANGUAGE plpgsql\n    AS $$BEGIN END;$$;'],
  ['CREATE INDEX', ['app', 'p1_b_idx'], [], 'CREATE INDEX p1_b_idx ON app.p1 USING btree (b);'],
  ['CREATE LANGUAGE', ['foo'], [], 'CREATE OR REPLACE PROCEDURAL LANGUAGE foo;'],
  ['CREATE MATERIALIZED VIEW', ['app', 'mv2'], [], 'CREATE MATERIALIZED VIEW app.mv2 AS\n SELECT 1 AS "?column?"\n  WITH NO DATA;'],
  ['CREATE OPERATOR', ['app', '==='], [], 'CREATE OPERATOR app.=== (\n    FUNCTION = app.g,\n    LEFTARG = integer,\n    RIGHTARG = integer\n);'],
  ['CREATE OPERATOR CLASS', ['app', 'oc'], [], 'CREATE OPERATOR CLASS app.oc\n    FOR TYPE integer USING hash FAMILY app.oc AS\n    OPERATOR 1 =(integer,integer);'],
  ['CREATE OPERATOR FAMILY', ['app', 'oc'], [], 'CREATE OPERATOR FAMILY app.oc USING hash;'],
  ['CREATE POLICY', ['app', 't1', 'pol 1'], ['app', 'Odd "Role'], 'CREATE POLICY "pol 1" ON app.t1 AS RESTRICTIVE FOR SELECT TO app, "Odd ""Role" USING ((b <> \'TO\'::text));'],
  ['CREATE PROCEDURE', ['app', 'p'], [], 'CREATE PROCEDURE app.p(IN x integer)\n    LANGUAGE sql\n    AS $$select 1$$;'],
  ['CREATE PUBLICATION', ['pub'], [], 'CREATE PUBLICATION pub WITH (publish = \'insert, update, delete, truncate\');'],
  ['CREATE RULE', ['app', 't1', 'r 2'], [], 'CREATE RULE "r 2" AS\n    ON UPDATE TO app.t1 DO NOTHING;'],
  ['CREATE SCHEMA', ['Sch.ema'], [], 'CREATE SCHEMA "Sch.ema";'],
  ['CREATE SEQUENCE', ['Sch.ema', 'T.2;_s_seq'], [], 'CREATE SEQUENCE "Sch.ema"."T.2;_s_seq"\n    AS integer\n    START WITH 1\n    INCREMENT BY 1\n    NO MINVALUE\n    NO MAXVALUE\n    CACHE 1;'],
  ['CREATE SERVER', ['sv'], [], 'CREATE SERVER sv FOREIGN DATA WRAPPER postgres_fdw OPTIONS (\n    host \'x;y\'\n);'],
  ['CREATE STATISTICS', ['app', 'st'], [], 'CREATE STATISTICS app.st ON id, b FROM app.t1;'],
  ['CREATE SUBSCRIPTION', ['sub'], [], 'CREATE SUBSCRIPTION sub CONNECTION \'host=x\' PUBLICATION pub WITH (connect = false, slot_name = \'sub\', streaming = parallel);'],
  ['CREATE TABLE', ['app', 'nocols'], [], 'CREATE TABLE app.nocols (\n);'],
  ['CREATE TEXT SEARCH CONFIGURATION', ['app', 'c'], [], 'CREATE TEXT SEARCH CONFIGURATION app.c (\n    PARSER = pg_catalog."default" );'],
  ['CREATE TEXT SEARCH DICTIONARY', ['app', 'd'], [], 'CREATE TEXT SEARCH DICTIONARY app.d (\n    TEMPLATE = pg_catalog.simple );'],
  ['CREATE TEXT SEARCH PARSER', ['app', 'pa'], [], 'CREATE TEXT SEARCH PARSER app.pa (\n    START = prsd_start,\n    GETTOKEN = prsd_nexttoken,\n    END = prsd_end,\n    LEXTYPES = prsd_lextype );'],
  ['CREATE TEXT SEARCH TEMPLATE', ['app', 'te'], [], 'CREATE TEXT SEARCH TEMPLATE app.te (\n    LEXIZE = dsimple_lexize );'],
  ['CREATE TRANSFORM', ['public', 'hstore', 'sql'], [], 'CREATE TRANSFORM FOR public.hstore LANGUAGE sql (FROM SQL WITH FUNCTION pg_catalog.prsd_lextype(internal));'],
  ['CREATE TRIGGER', ['app', 't1', 'tr'], [], 'CREATE TRIGGER tr BEFORE INSERT OR UPDATE OF b ON app.t1 FOR EACH ROW WHEN ((new.b = \'on\'::text)) EXECUTE FUNCTION app.t();'],
  ['CREATE TYPE COMPOSITE', ['app', 'comp'], [], 'CREATE TYPE app.comp AS (\n\ta integer,\n\tb text\n);'],
  ['CREATE TYPE ENUM', ['app', 'mood'], [], 'CREATE TYPE app.mood AS ENUM (\n    \'a;\',\n    \'b\'\'c\'\n);'],
  ['CREATE TYPE RANGE', ['app', 'fr'], [], 'CREATE TYPE app.fr AS RANGE (\n    subtype = double precision,\n    multirange_type_name = app.fr_multirange\n);'],
  ['CREATE TYPE SHELL', ['app', 'shell'], [], 'CREATE TYPE app.shell;'],
  ['CREATE UNIQUE INDEX', ['app', 'mvi'], [], 'CREATE UNIQUE INDEX mvi ON app.mv USING btree (id);'],
  ['CREATE UNLOGGED SEQUENCE', ['app', 'usq'], [], 'CREATE UNLOGGED SEQUENCE app.usq\n    START WITH 1\n    INCREMENT BY 1\n    NO MINVALUE\n    NO MAXVALUE\n    CACHE 1;'],
  ['CREATE UNLOGGED TABLE', ['app', 'ul'], [], 'CREATE UNLOGGED TABLE app.ul (\n    a integer\n);'],
  ['CREATE USER MAPPING', ['sv'], ['app'], 'CREATE USER MAPPING FOR app SERVER sv OPTIONS (\n    password \'p\'\n);'],
  ['CREATE VIEW', ['app', 'v'], [], 'CREATE VIEW app.v AS\n SELECT id,\n    b\n   FROM app.t1;'],
  ['DROP ACCESS METHOD', ['am'], [], 'DROP ACCESS METHOD am;'],
  ['DROP AGGREGATE', ['app', 'agg'], [], 'DROP AGGREGATE app.agg(integer);'],
  ['DROP CAST', ['app . comp as text'], [], 'DROP CAST (app.comp AS text);'],
  ['DROP COLLATION', ['app', 'coll'], [], 'DROP COLLATION app.coll;'],
  ['DROP CONVERSION', ['app', 'conv'], [], 'DROP CONVERSION app.conv;'],
  ['DROP DATABASE', ['we\'ird db=x'], [], 'DROP DATABASE IF EXISTS "we\'ird db=x";'],
  ['DROP DOMAIN', ['app', 'pos'], [], 'DROP DOMAIN app.pos;'],
  ['DROP EVENT TRIGGER', ['evt'], [], 'DROP EVENT TRIGGER evt;'],
  ['DROP EXTENSION', ['citext'], [], 'DROP EXTENSION citext;'],
  ['DROP FOREIGN DATA WRAPPER', ['w'], [], 'DROP FOREIGN DATA WRAPPER w;'],
  ['DROP FOREIGN TABLE', ['app', 'ft'], [], 'DROP FOREIGN TABLE app.ft;'],
  ['DROP FUNCTION', ['app', 't'], [], 'DROP FUNCTION app.t();'],
  ['DROP INDEX', ['app', 'ui'], [], 'DROP INDEX app.ui;'],
  ['DROP LANGUAGE', ['foo'], [], 'DROP PROCEDURAL LANGUAGE foo;'],
  ['DROP MATERIALIZED VIEW', ['app', 'mv'], [], 'DROP MATERIALIZED VIEW app.mv;'],
  ['DROP OPERATOR', ['app', '==='], [], 'DROP OPERATOR app.=== (integer, integer);'],
  ['DROP OPERATOR CLASS', ['app', 'oc'], [], 'DROP OPERATOR CLASS app.oc USING hash;'],
  ['DROP OPERATOR FAMILY', ['app', 'oc'], [], 'DROP OPERATOR FAMILY app.oc USING hash;'],
  ['DROP POLICY', ['app', 't1', 'pol 1'], [], 'DROP POLICY "pol 1" ON app.t1;'],
  ['DROP PROCEDURE', ['app', 'p'], [], 'DROP PROCEDURE app.p(IN x integer);'],
  ['DROP PUBLICATION', ['pub'], [], 'DROP PUBLICATION pub;'],
  ['DROP RULE', ['app', 't1', 'r 2'], [], 'DROP RULE "r 2" ON app.t1;'],
  ['DROP SCHEMA', ['Sch.ema'], [], 'DROP SCHEMA "Sch.ema";'],
  ['DROP SEQUENCE', ['Sch.ema', 'T.2;_s_seq'], [], 'DROP SEQUENCE "Sch.ema"."T.2;_s_seq";'],
  ['DROP SERVER', ['sv'], [], 'DROP SERVER sv;'],
  ['DROP STATISTICS', ['app', 'st'], [], 'DROP STATISTICS app.st;'],
  ['DROP SUBSCRIPTION', ['sub'], [], 'DROP SUBSCRIPTION sub;'],
  ['DROP TABLE', ['Sch.ema', 'T.2;'], [], 'DROP TABLE "Sch.ema"."T.2;";'],
  ['DROP TEXT SEARCH CONFIGURATION', ['app', 'c'], [], 'DROP TEXT SEARCH CONFIGURATION app.c;'],
  ['DROP TEXT SEARCH DICTIONARY', ['app', 'd'], [], 'DROP TEXT SEARCH DICTIONARY app.d;'],
  ['DROP TEXT SEARCH PARSER', ['app', 'pa'], [], 'DROP TEXT SEARCH PARSER app.pa;'],
  ['DROP TEXT SEARCH TEMPLATE', ['app', 'te'], [], 'DROP TEXT SEARCH TEMPLATE app.te;'],
  ['DROP TRANSFORM', ['public', 'hstore', 'sql'], [], 'DROP TRANSFORM FOR public.hstore LANGUAGE sql;'],
  ['DROP TRIGGER', ['app', 't1', 'tr'], [], 'DROP TRIGGER tr ON app.t1;'],
  ['DROP TYPE', ['app', 'fr'], [], 'DROP TYPE app.fr;'],
  ['DROP USER MAPPING', ['sv'], ['app'], 'DROP USER MAPPING FOR app SERVER sv;'],
  ['DROP VIEW', ['app', 'v'], [], 'DROP VIEW app.v;'],
  ['GRANT', ['we\'ird db=x'], ['reader'], 'GRANT CONNECT ON DATABASE "we\'ird db=x" TO reader;'],
  ['INSERT', ['app', 'one'], [], 'INSERT INTO app.one VALUES (\'\');'],
  ['REFRESH MATERIALIZED VIEW', ['app', 'mv'], [], 'REFRESH MATERIALIZED VIEW app.mv;'],
  ['REVOKE', ['we\'ird db=x'], [], 'REVOKE CONNECT,TEMPORARY ON DATABASE "we\'ird db=x" FROM PUBLIC;'],
  ['SELECT lo_close', ['0'], [], 'SELECT pg_catalog.lo_close(0);'],
  ['SELECT lo_create', ['4711'], [], 'SELECT pg_catalog.lo_create(\'4711\');'],
  ['SELECT lo_open', ['4711'], [], 'SELECT pg_catalog.lo_open(\'4711\', 131072);'],
  ['SELECT lo_unlink', ['4711'], [], 'SELECT pg_catalog.lo_unlink(\'4711\');'],
  ['SELECT lowrite', [], [], 'SELECT pg_catalog.lowrite(0, \'\\x616263\');'],
  ['SELECT pg_restore_attribute_stats', ['app', 't1'], [], 'SELECT * FROM pg_catalog.pg_restore_attribute_stats(\n\t\'version\', \'180006\'::integer,\n\t\'schemaname\', \'app\',\n\t\'relname\', \'t1\',\n\t\'attname\', \'c\',\n\t\'inherited\', \'f\'::boolean,\n\t\'null_frac\', \'1\'::real,\n\t\'avg_width\', \'4\'::integer,\n\t\'n_distinct\', \'0\'::real\n);'],
  ['SELECT pg_restore_relation_stats', ['app', 'u'], [], 'SELECT * FROM pg_catalog.pg_restore_relation_stats(\n\t\'version\', \'180006\'::integer,\n\t\'schemaname\', \'app\',\n\t\'relname\', \'u\',\n\t\'relpages\', \'2\'::integer,\n\t\'reltuples\', \'4\'::real,\n\t\'relallvisible\', \'0\'::integer,\n\t\'relallfrozen\', \'0\'::integer\n);'],
  ['SELECT set_config', ['search_path'], [], 'SELECT pg_catalog.set_config(\'search_path\', \'\', false);'],
  ['SELECT setval', ['Sch.ema', 'T.2;_s_seq'], [], 'SELECT pg_catalog.setval(\'"Sch.ema"."T.2;_s_seq"\', 1, false);'],
  ['SET', ['lock_timeout'], [], 'SET lock_timeout = 0;'],
  ['SET SESSION AUTHORIZATION', [], ['Odd "Role'], 'SET SESSION AUTHORIZATION \'Odd "Role\';'],
];

// What other majors and options write, and what is rare.
const further: readonly Row[] = [
  ['ALTER TABLE … ADD CONSTRAINT NOT NULL', ['public', 't', 'n'], [], 'ALTER TABLE public.t\n    ADD CONSTRAINT n NOT NULL c NOT VALID;'],
  ['ALTER TABLE … INHERIT', ['public', 'c'], [], 'ALTER TABLE public.c INHERIT public.p;'],
  ['ALTER ROLE … IN DATABASE', ['app'], ['app'], "ALTER ROLE app IN DATABASE wa SET work_mem TO '6MB';"],
  ['ALTER DATABASE … SET', ['wa'], [], "ALTER DATABASE wa SET work_mem TO '5MB';"],
  ['ALTER SERVER … OPTIONS', ['s'], [], "ALTER SERVER s OPTIONS (ADD host 'x');"],
  ['CREATE USER MAPPING', ['s'], ['Odd "Role'], 'CREATE USER MAPPING FOR "Odd ""Role" SERVER s;'],
  ['CREATE SCHEMA', ['x'], ['o'], 'CREATE SCHEMA x AUTHORIZATION o;'],
  ['CREATE SCHEMA', ['o'], ['o'], 'CREATE SCHEMA AUTHORIZATION o;'],
  ['CREATE TYPE BASE', ['public', 'b'], [], 'CREATE TYPE public.b (\n    INTERNALLENGTH = 4\n);'],
  ['CREATE FUNCTION', ['public', 'f'], [], 'CREATE OR REPLACE FUNCTION public.f() RETURNS void LANGUAGE c AS \'$libdir/x\', \'f\';'],
  ['CREATE TABLE', ['public', 'größe'], [], 'CREATE TABLE public."größe" ();'],
  ['CREATE TABLE', ['a.b', 'c"d'], [], 'CREATE TABLE "a.b"."c""d" ();'],
  ['CREATE TABLE', ['t'], [], '/* a; */ CREATE -- b;\n TEMP TABLE IF NOT EXISTS T ();'],
  ['GRANT', ['public', 't'], ['a', 'B', 'g'], 'GRANT SELECT(a, b),INSERT ON TABLE public.t TO a, GROUP "B", PUBLIC WITH GRANT OPTION GRANTED BY g;'],
  ['GRANT ROLE', [], ['a', 'b'], 'GRANT a TO b;'],
  ['REVOKE', ['s'], ['r'], 'REVOKE GRANT OPTION FOR USAGE ON SCHEMA s FROM r;'],
  ['ALTER DEFAULT PRIVILEGES', ['public', 's'], ['o', 'r'], 'ALTER DEFAULT PRIVILEGES FOR ROLE o IN SCHEMA public, s GRANT ALL ON TABLES TO r;'],
  ['ALTER DEFAULT PRIVILEGES', [], ['o', 'r'], 'ALTER DEFAULT PRIVILEGES FOR ROLE o REVOKE ALL ON TABLES FROM PUBLIC, r;'],
  ['CREATE POLICY', ['public', 't', 'p'], ['current_user'], 'CREATE POLICY p ON public.t FOR SELECT TO "public", "current_user", CURRENT_ROLE USING ((a = \'TO x\'::text));'],
  ['SECURITY LABEL ON TABLE', ['public', 't'], [], "SECURITY LABEL FOR anon ON TABLE public.t IS 'x';"],
  ['SELECT lo_from_bytea', ['7'], [], "SELECT pg_catalog.lo_from_bytea(7, '\\x00');"],
  ['SELECT setval', ['public', 'a b_seq'], [], `SELECT pg_catalog.setval('public."a b_seq"', 1, false);`],
  ['SET SESSION AUTHORIZATION', [], ['wa'], "SET SESSION AUTHORIZATION 'wa';"],
  ['SET SESSION AUTHORIZATION', [], [], 'SET SESSION AUTHORIZATION DEFAULT;'],
  ['DROP TRIGGER', ['public', 't', 'x'], [], 'DROP TRIGGER IF EXISTS x ON public.t;'],
];

const notOurs: readonly string[] = [
  'DO $$ BEGIN END $$;', 'SELECT 1;', 'SELECT public.setval(\'x\', 1);', 'SELECT pg_catalog.pg_read_file(\'x\');', 'UPDATE t SET a = 1;', 'DELETE FROM t;', 'VACUUM;', 'CREATE;', 'ALTER TABLE;', 'ALTER TABLE t EXPLODE;', 'ALTER TABLE t ENABLE ROW;',
  'CREATE ROUTINE x;', 'CREATE ROLE x SUPERUSER;', 'LOAD \'x\';', '"SET" x;', '(SELECT 1);', 'GRANT;', 'GRANT SELECT ON TABLE t;', 'COMMENT ON;', 'TRUNCATE t;', ';', '', '\u{feff}SET a = 1;',
];

describe('classify', () => {
  it.each([...written, ...further])('%s %j', (kind, name, roles, sql) => {
    expect(classify(Buffer.from(sql))).toEqual({ kind, name, roles });
    const [statement, ...others] = grammarStatements(sql);
    const told = grammarKind(statement as NonNullable<typeof statement>);
    expect(others).toEqual([]);
    expect({ ...told, name: told?.name ?? name }).toEqual({ kind, name, roles: [...roles].sort() });
  });

  it.each(notOurs)('never guesses: %j', (sql) => {
    expect(classify(Buffer.from(sql)).kind).toBe('UNKNOWN');
  });

  it('reads names in the encoding of the dump', () => {
    const latin1 = Buffer.from('CREATE TABLE public."größe" ();', 'latin1');
    expect(classify(latin1, 'LATIN1').name).toEqual(['public', 'größe']);
    expect(classify(latin1).name).toEqual(['public', 'größe']);
    const lookalike = Buffer.from('CREATE TABLE "Ã¤" ();', 'latin1');
    expect(classify(lookalike, 'LATIN1').name).toEqual(['Ã¤']);
    expect(classify(lookalike, 'UTF8').name).toEqual(['ä']);
    expect(classify(Buffer.from([...Buffer.from('CREATE TABLE "'), 0xbc, ...Buffer.from('" ();')]), 'LATIN9').name).toEqual(['Œ']);
  });
});

describe('copyOf', () => {
  it.each([
    ['COPY public.t (a, "b,c") FROM stdin;', { name: ['public', 't'], columns: ['a', 'b,c'], direction: 'from', from: 'stdin' }],
    ['COPY "x FROM stdin" FROM \'/etc/passwd\';', { name: ['x FROM stdin'], columns: null, direction: 'from', from: 'file' }],
    ['COPY t FROM/**/PROGRAM \'id\';', { name: ['t'], columns: null, direction: 'from', from: 'program' }],
    ['COPY (SELECT \')\' FROM stdin) TO PROGRAM \'id\';', { name: [], columns: null, direction: 'to', from: 'program' }],
    ['COPY t TO STDOUT;', { name: ['t'], columns: null, direction: 'to', from: 'stdout' }],
  ])('%s', (sql, expected) => {
    expect(copyOf(Buffer.from(sql))).toEqual(expected);
  });

  it.each(['COPY;', 'COPY t;', 'COPY t FROM x;', 'COPYING t FROM stdin;'])('is null for %s', (sql) => {
    expect(copyOf(Buffer.from(sql))).toBeNull();
  });
});

describe('details of single statements', () => {
  it('reads settings', () => {
    expect(settingOf(Buffer.from("SET client_encoding = 'UTF8';"))).toEqual({ name: 'client_encoding', value: 'UTF8' });
    expect(settingOf(Buffer.from('SET LOCAL a.b TO off;'))).toEqual({ name: 'a.b', value: 'off' });
    expect(settingOf(Buffer.from('SET ROLE x;'))).toBeNull();
  });

  it('reads extensions and identity sequences', () => {
    expect(extensionOf(Buffer.from('CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;'))).toEqual({ name: 'uuid-ossp', schema: 'public' });
    expect(extensionOf(Buffer.from('CREATE EXTENSION x;'))).toEqual({ name: 'x', schema: null });
    expect(identitySequenceOf(Buffer.from('ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (\n    SEQUENCE NAME public.t_id_seq\n    START WITH 1\n);'))).toEqual(['public', 't_id_seq']);
  });

  it('tells a partitioned table from one that only mentions it', () => {
    expect(isPartitioned(Buffer.from('CREATE TABLE t (\n a int\n)\nPARTITION BY RANGE (a);'))).toBe(true);
    expect(isPartitioned(Buffer.from("CREATE TABLE t (\n a text DEFAULT ') PARTITION BY RANGE (a)', \"PARTITION\" int\n);"))).toBe(false);
  });
});
