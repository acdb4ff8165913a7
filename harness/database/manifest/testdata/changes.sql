-- One small object of every kind, for changes.ts to change. `-- since N` begins what a major before N does not know.
SET search_path = s, public;
CREATE SCHEMA s; CREATE SCHEMA spare; CREATE SCHEMA lone; CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION fuzzystrmatch SCHEMA ext;
REVOKE EXECUTE ON FUNCTION ext.soundex(text) FROM PUBLIC;

CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int DEFAULT 1 CONSTRAINT above CHECK (VALUE > 0); CREATE DOMAIN words AS text COLLATE "C";
COMMENT ON CONSTRAINT above ON DOMAIN positive IS 'of a domain';
CREATE TYPE pair AS (a int, b text); COMMENT ON COLUMN pair.a IS 'of a composite';
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE base; CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'textin'; CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, INTERNALLENGTH = VARIABLE);
CREATE TYPE shell; CREATE TYPE loose;
CREATE COLLATION sorted FROM "C"; CREATE CONVERSION own_latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;

CREATE FUNCTION plain(x int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION many() RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION leaf_function() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION of_library(text) RETURNS text LANGUAGE c STRICT AS '$libdir/fuzzystrmatch', 'soundex';
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE FUNCTION other_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE FUNCTION watched() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE FUNCTION other_watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION equal(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2'; CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE FUNCTION to_pair(int) RETURNS pair LANGUAGE sql IMMUTABLE AS 'SELECT ROW($1, NULL)::s.pair';
CREATE PROCEDURE act(x int) LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
CREATE AGGREGATE moving(int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int);
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = equal); CREATE OPERATOR !== (LEFTARG = int, RIGHTARG = int, FUNCTION = equal);
CREATE OPERATOR CLASS classed FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
CREATE OPERATOR CLASS of_mood FOR TYPE mood USING hash AS OPERATOR 1 = (anyenum, anyenum), FUNCTION 1 hashenum(anyenum);
CREATE OPERATOR FAMILY family USING btree; ALTER OPERATOR FAMILY family USING btree ADD OPERATOR 1 < (int, int), FUNCTION 1 (int, int) btint4cmp(int, int);
CREATE CAST (int AS pair) WITH FUNCTION to_pair(int); CREATE CAST (mood AS positive) WITH INOUT;

CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int NOT NULL DEFAULT 5, b text COLLATE "C", c numeric(10, 2), g numeric GENERATED ALWAYS AS (c * 2) STORED, d text, e int, f int);
INSERT INTO t (a, b, c, e, f) VALUES (1, 'one', 1.5, 1, 1), (2, 'two', 2.5, 2, 2);
CREATE TABLE child (own int, more int) INHERITS (t); CREATE TABLE leaf (x int, y text);
CREATE TABLE parent2 (z int); CREATE TABLE heir () INHERITS (parent2);
CREATE TABLE p (k int, v text) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p DEFAULT; CREATE INDEX p_v ON p (v);
CREATE TABLE typed OF pair; CREATE UNLOGGED TABLE unlogged (a int, b int); CREATE TABLE by_list (k int) PARTITION BY LIST (k);
ALTER TABLE t ADD CONSTRAINT t_check CHECK (e > 0), ADD CONSTRAINT t_unique UNIQUE (f) DEFERRABLE, ADD CONSTRAINT t_key UNIQUE (a), ADD CONSTRAINT t_self FOREIGN KEY (e) REFERENCES t (a) ON DELETE CASCADE;
ALTER TABLE leaf ADD CONSTRAINT apart EXCLUDE USING gist (int4range(x, x + 1) WITH &&), ADD CONSTRAINT later CHECK (x <> 7) NOT VALID;
CREATE UNIQUE INDEX t_b ON t (b) WHERE b <> ''; CREATE INDEX t_e ON t (e); CREATE INDEX t_lower ON t (lower(b));
CREATE TRIGGER trig BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touched(); CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION touched();
CREATE POLICY pol ON t FOR SELECT TO app USING (e = 1); CREATE POLICY checked ON t FOR INSERT WITH CHECK (e = 1);
CREATE RULE quiet AS ON DELETE TO leaf DO INSTEAD NOTHING;
CREATE VIEW v WITH (security_barrier) AS SELECT id, b FROM t; CREATE VIEW v_leaf AS SELECT x FROM leaf;
CREATE MATERIALIZED VIEW m AS SELECT e, count(*) AS n FROM t GROUP BY e; CREATE INDEX m_e ON m (e); CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE STATISTICS related (dependencies) ON e, f FROM t;
CREATE SEQUENCE seq; CREATE SEQUENCE owned OWNED BY t.e; CREATE SEQUENCE wheel MAXVALUE 9 CYCLE;

CREATE TEXT SEARCH PARSER parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype); CREATE TEXT SEARCH PARSER parser2 (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE template (LEXIZE = dsimple_lexize); CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple, STOPWORDS = english); CREATE TEXT SEARCH CONFIGURATION config (COPY = simple);
CREATE FUNCTION call_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'; CREATE FUNCTION call_inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE TRUSTED LANGUAGE lang HANDLER call_handler; CREATE TRANSFORM FOR bigint LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int8recv(internal));
CREATE ACCESS METHOD tree TYPE INDEX HANDLER bthandler; CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler;
CREATE FOREIGN DATA WRAPPER fw OPTIONS (debug 'true'); CREATE SERVER fs TYPE 'oracle' VERSION '1' FOREIGN DATA WRAPPER fw OPTIONS (host 'x', password 'secret'); CREATE USER MAPPING FOR app SERVER fs OPTIONS (password 'secret');
CREATE FOREIGN DATA WRAPPER fw2; CREATE SERVER fs2 FOREIGN DATA WRAPPER fw; CREATE FOREIGN TABLE ft (a int OPTIONS (name 'k')) SERVER fs OPTIONS (path 'u');
CREATE PUBLICATION pub FOR TABLE t; CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert'); CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere.invalid password=secret' PUBLICATION a, b WITH (connect = false);
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION watched();
ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO reader;
SELECT lo_from_bytea(4711, 'large'); SELECT lo_from_bytea(4712, '\x00');

GRANT USAGE ON SCHEMA s TO PUBLIC; GRANT SELECT ON leaf TO app WITH GRANT OPTION; GRANT SELECT (y) ON leaf TO reader; GRANT UPDATE (y) ON leaf TO app WITH GRANT OPTION; GRANT INSERT ON leaf TO reader;
SET SESSION AUTHORIZATION app; GRANT SELECT ON s.leaf TO other; GRANT UPDATE (y) ON s.leaf TO other; RESET SESSION AUTHORIZATION;
GRANT SELECT (x) ON v_leaf TO reader; COMMENT ON COLUMN v_leaf.x IS 'of a view'; COMMENT ON TABLE leaf IS 'a leaf'; COMMENT ON COLUMN leaf.y IS 'a column';
ALTER TABLE leaf CLUSTER ON apart;

-- since 14
SET search_path = s, public;
CREATE FUNCTION atomic(x int) RETURNS int RETURN x + 1;
CREATE STATISTICS of_expression ON (e + f) FROM t;
-- since 15
SET search_path = s, public;
CREATE PUBLICATION narrow FOR TABLE t (id, e) WHERE (id > 0); CREATE PUBLICATION schemas FOR TABLES IN SCHEMA spare;
CREATE UNIQUE INDEX t_nulls ON t (a, d) NULLS NOT DISTINCT;
-- since 18
SET search_path = s, public;
CREATE TABLE needs (a int CONSTRAINT a_needed NOT NULL, b int NOT NULL, c int); COMMENT ON CONSTRAINT a_needed ON needs IS 'a not null';
CREATE TABLE needs_child (q int) INHERITS (needs);
CREATE TABLE needs_parted (a int NOT NULL) PARTITION BY LIST (a); CREATE TABLE needs_part PARTITION OF needs_parted FOR VALUES IN (1);
CREATE DOMAIN needed AS int CONSTRAINT needed_so NOT NULL;
ALTER TABLE needs ADD CONSTRAINT unenforced CHECK (c > 0) NOT ENFORCED;
