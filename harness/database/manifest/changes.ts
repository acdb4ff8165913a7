// One change of each kind, by SQL, to the database of testdata/changes.sql, and what a comparison must say of it: that one
// finding and no other. For the tests of this folder.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Change {
  readonly sql: string;
  readonly code: string;
  /** What the finding names; the table's own order. */
  readonly names: readonly string[];
  /** The first major that knows what the change says, and the last. */
  readonly since: number;
  readonly until: number;
}

/** `object [keys]` came back changed, `- object` is missing, `+ object` came on top; else a code of its own. */
type Says = string | readonly string[] | { readonly code: string; readonly names?: readonly string[] };
type Row = readonly [sql: string, says: Says, since?: number, until?: number];

/** The roles that testdata/changes.sql speaks of, once for each server. */
export const changeRoles = 'CREATE ROLE app; CREATE ROLE reader; CREATE ROLE other';

/** The database to change, for a server of that major. */
export function changedDatabase(major: number): string {
  const [always = '', ...later] = readFileSync(join(import.meta.dirname, 'testdata/changes.sql'), 'utf8').split(/^-- since (?=\d)/m);
  return [always.replace('SET search_path = s, public;\nCREATE SCHEMA s;', 'CREATE SCHEMA s; SET search_path = s, public;'), ...later.filter((part) => Number.parseInt(part, 10) <= major).map((part) => part.replace(/^\d+/, ''))].join('\n');
}

/** How an object is spoken of, and which of the general things can be done to it. */
interface Kind {
  /** As ALTER and COMMENT ON name it. */
  readonly sql: string;
  /** As findings name it. */
  readonly says: string;
  /** Its class and OID, for a security label. */
  readonly label?: readonly [catalog: string, oid: string];
  readonly comment?: boolean;
  readonly owner?: boolean | readonly string[];
  /** As GRANT names it. */
  readonly grant?: string;
  /** What PUBLIC has of it. */
  readonly public?: string;
  readonly drop?: boolean | readonly string[] | { readonly code: string; readonly names: readonly string[] };
  readonly since?: number;
}

const oidOf = (type: string, name: string): string => `'${name}'::${type}`;
const by = (catalog: string, column: string, name: string): readonly [string, string] => [catalog, `(SELECT oid FROM ${catalog} WHERE ${column} = '${name}')`];

const kinds: readonly Kind[] = [
  { sql: 'SCHEMA spare', says: 'schema spare', label: ['pg_namespace', oidOf('regnamespace', 'spare')], grant: 'SCHEMA spare', drop: false },
  { sql: 'SCHEMA lone', says: 'schema lone' },
  { sql: 'TYPE s.mood', says: 'enum s.mood', label: ['pg_type', oidOf('regtype', 's.mood')], grant: 'TYPE s.mood', public: 'USAGE', drop: false },
  { sql: 'DOMAIN s.positive', says: 'domain s.positive', label: ['pg_type', oidOf('regtype', 's.positive')], grant: 'DOMAIN s.positive', public: 'USAGE', drop: false },
  { sql: 'DOMAIN s.words', says: 'domain s.words', label: ['pg_type', oidOf('regtype', 's.words')], grant: 'DOMAIN s.words', public: 'USAGE' },
  { sql: 'TYPE s.pair', says: 'composite type s.pair', label: ['pg_type', oidOf('regtype', 's.pair')], grant: 'TYPE s.pair', public: 'USAGE', drop: false },
  { sql: 'TYPE s.span', says: 'range type s.span', label: ['pg_type', oidOf('regtype', 's.span')], grant: 'TYPE s.span', public: 'USAGE' },
  { sql: 'TYPE s.base', says: 'base type s.base', label: ['pg_type', oidOf('regtype', 's.base')], grant: 'TYPE s.base', public: 'USAGE', drop: false },
  { sql: 'TYPE s.loose', says: 'base type s.loose', comment: false, owner: false },
  { sql: 'COLLATION s.sorted', says: 'collation s.sorted', label: by('pg_collation', 'collname', 'sorted') },
  { sql: 'CONVERSION s.own_latin', says: 'conversion s.own_latin', label: by('pg_conversion', 'conname', 'own_latin') },
  { sql: 'FUNCTION s.leaf_function()', says: 'function s.leaf_function()', label: ['pg_proc', oidOf('regprocedure', 's.leaf_function()')], grant: 'FUNCTION s.leaf_function()', public: 'EXECUTE' },
  { sql: 'PROCEDURE s.act(int)', says: 'procedure s.act(integer)', label: ['pg_proc', oidOf('regprocedure', 's.act(int)')], grant: 'PROCEDURE s.act(int)', public: 'EXECUTE' },
  { sql: 'AGGREGATE s.total(int)', says: 'aggregate s.total(integer)', label: ['pg_proc', oidOf('regprocedure', 's.total(int)')], grant: 'FUNCTION s.total(int)', public: 'EXECUTE' },
  { sql: 'OPERATOR s.=== (int, int)', says: 'operator s.===(integer,integer)', label: by('pg_operator', 'oprname', '===') },
  { sql: 'OPERATOR CLASS s.classed USING btree', says: 'operator class s.classed using btree', label: by('pg_opclass', 'opcname', 'classed'), drop: false },
  { sql: 'OPERATOR FAMILY s.family USING btree', says: 'operator family s.family using btree', label: by('pg_opfamily', 'opfname', 'family') },
  { sql: 'CAST (s.mood AS s.positive)', says: 'cast s.mood AS s.positive', label: ['pg_cast', "(SELECT oid FROM pg_cast WHERE castsource = 's.mood'::regtype AND castmethod = 'i')"], owner: false },
  { sql: 'TABLE s.leaf', says: 'table s.leaf', label: ['pg_class', oidOf('regclass', 's.leaf')], grant: 'TABLE s.leaf', owner: false, drop: false },
  { sql: 'TABLE s.unlogged', says: 'table s.unlogged', label: ['pg_class', oidOf('regclass', 's.unlogged')], grant: 'TABLE s.unlogged', drop: { code: 'compare.table-missing', names: ['s.unlogged'] } },
  { sql: 'TABLE s.p1', says: 'table s.p1', label: ['pg_class', oidOf('regclass', 's.p1')], grant: 'TABLE s.p1', drop: { code: 'compare.table-missing', names: ['s.p1'] } },
  { sql: 'FOREIGN TABLE s.ft', says: 'foreign table s.ft', label: ['pg_class', oidOf('regclass', 's.ft')], grant: 'TABLE s.ft' },
  { sql: 'VIEW s.v', says: 'view s.v', label: ['pg_class', oidOf('regclass', 's.v')], grant: 'TABLE s.v' },
  { sql: 'MATERIALIZED VIEW s.m', says: 'materialised view s.m', label: ['pg_class', oidOf('regclass', 's.m')], grant: 'TABLE s.m' },
  { sql: 'SEQUENCE s.seq', says: 'sequence s.seq', label: ['pg_class', oidOf('regclass', 's.seq')], grant: 'SEQUENCE s.seq' },
  { sql: 'COLUMN s.t.b', says: 'column s.t.b', label: ['pg_class', oidOf('regclass', 's.t')], owner: false, drop: false },
  { sql: 'INDEX s.t_e', says: 'index s.t_e', label: ['pg_class', oidOf('regclass', 's.t_e')], owner: false },
  { sql: 'INDEX s.m_e', says: 'index s.m_e', owner: false },
  { sql: 'CONSTRAINT t_check ON s.t', says: 'constraint t_check on s.t', label: ['pg_constraint', "(SELECT oid FROM pg_constraint WHERE conname = 't_check' AND conrelid = 's.t'::regclass)"], owner: false, drop: false },
  { sql: 'CONSTRAINT t_unique ON s.t', says: 'constraint t_unique on s.t', owner: false, drop: false },
  { sql: 'TRIGGER trig ON s.t', says: 'trigger trig on s.t', label: by('pg_trigger', 'tgname', 'trig'), owner: false },
  { sql: 'TRIGGER late ON s.t', says: 'trigger late on s.t', owner: false },
  { sql: 'POLICY pol ON s.t', says: 'policy pol on s.t', label: by('pg_policy', 'polname', 'pol'), owner: false },
  { sql: 'RULE quiet ON s.leaf', says: 'rule quiet on s.leaf', label: by('pg_rewrite', 'rulename', 'quiet'), owner: false },
  { sql: 'STATISTICS s.related', says: 'statistics s.related', label: by('pg_statistic_ext', 'stxname', 'related') },
  { sql: 'STATISTICS s.of_expression', says: 'statistics s.of_expression', since: 14 },
  { sql: 'TEXT SEARCH CONFIGURATION s.config', says: 'text search configuration s.config', label: by('pg_ts_config', 'cfgname', 'config') },
  { sql: 'TEXT SEARCH DICTIONARY s.dict', says: 'text search dictionary s.dict', label: by('pg_ts_dict', 'dictname', 'dict') },
  { sql: 'TEXT SEARCH PARSER s.parser', says: 'text search parser s.parser', label: by('pg_ts_parser', 'prsname', 'parser'), owner: false },
  { sql: 'TEXT SEARCH TEMPLATE s.template', says: 'text search template s.template', label: by('pg_ts_template', 'tmplname', 'template'), owner: false },
  { sql: 'EVENT TRIGGER watch', says: 'event trigger watch', label: by('pg_event_trigger', 'evtname', 'watch'), owner: false },
  { sql: 'LANGUAGE lang', says: 'language lang', label: by('pg_language', 'lanname', 'lang'), grant: 'LANGUAGE lang', public: 'USAGE' },
  { sql: 'TRANSFORM FOR bigint LANGUAGE sql', says: 'transform bigint for sql', label: ['pg_transform', '(SELECT oid FROM pg_transform)'], owner: false },
  { sql: 'ACCESS METHOD tree', says: 'access method tree', label: by('pg_am', 'amname', 'tree'), owner: false },
  { sql: 'FOREIGN DATA WRAPPER fw', says: 'foreign-data wrapper fw', label: by('pg_foreign_data_wrapper', 'fdwname', 'fw'), grant: 'FOREIGN DATA WRAPPER fw', owner: false, drop: false },
  { sql: 'SERVER fs2', says: 'foreign server fs2', label: by('pg_foreign_server', 'srvname', 'fs2'), grant: 'FOREIGN SERVER fs2' },
  { sql: 'PUBLICATION pub', says: 'publication pub', label: by('pg_publication', 'pubname', 'pub') },
  { sql: 'SUBSCRIPTION sub', says: 'subscription sub', drop: false, owner: false },
  { sql: 'EXTENSION citext', says: 'extension citext', label: by('pg_extension', 'extname', 'citext'), owner: false, drop: { code: 'compare.extension-missing', names: ['citext'] } },
];

function general(kind: Kind): Row[] {
  const { sql, says, since } = kind;
  const rows: Row[] = [];
  const row = (text: string, what: Says): void => void rows.push(since === undefined ? [text, what] : [text, what, since]);
  if (kind.comment !== false) row(`COMMENT ON ${sql} IS 'another comment'`, `${says} [comment]`);
  if (kind.label !== undefined) {
    const sub = sql === 'COLUMN s.t.b' ? 3 : 0;
    row(`INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label) VALUES (${kind.label[1]}, '${kind.label[0]}'::regclass, ${sub}, 'selinux', 'secret')`, `${says} [securityLabels]`);
  }
  if (kind.owner !== false) row(`ALTER ${sql} OWNER TO other`, Array.isArray(kind.owner) ? kind.owner : `${says} [owner]`);
  if (kind.grant !== undefined) {
    row(`GRANT ALL ON ${kind.grant} TO reader`, `${says} [privileges]`);
    row(`GRANT ALL ON ${kind.grant} TO other WITH GRANT OPTION`, `${says} [privileges]`);
    row(`REVOKE ALL ON ${kind.grant} FROM CURRENT_USER`, `${says} [privileges]`);
    row(kind.public === undefined ? `GRANT ALL ON ${kind.grant} TO PUBLIC` : `REVOKE ${kind.public} ON ${kind.grant} FROM PUBLIC`, `${says} [privileges]`);
  }
  if (kind.drop !== false) row(`DROP ${sql}`, typeof kind.drop === 'object' ? kind.drop : `- ${says}`);
  return rows;
}

const t = (what: string): string => `table s.t [${what}]`;
const specific: readonly Row[] = [
  // Tables.
  ['ALTER TABLE s.leaf SET UNLOGGED', 'table s.leaf [persistence]'],
  ['ALTER TABLE s.unlogged SET LOGGED', 'table s.unlogged [persistence]'],
  ['ALTER TABLE s.leaf SET (fillfactor = 50)', 'table s.leaf [options]'],
  ['ALTER TABLE s.leaf SET (toast.autovacuum_enabled = false)', 'table s.leaf [toastOptions]'],
  ['ALTER TABLE s.t ENABLE ROW LEVEL SECURITY', t('rowSecurity')],
  ['ALTER TABLE s.t FORCE ROW LEVEL SECURITY', t('forceRowSecurity')],
  ['ALTER TABLE s.t REPLICA IDENTITY FULL', t('replicaIdentity')],
  ['ALTER TABLE s.t REPLICA IDENTITY NOTHING', t('replicaIdentity')],
  ['ALTER TABLE s.t REPLICA IDENTITY USING INDEX t_pkey', ['index s.t_pkey [replicaIdentity]', t('replicaIdentity')]],
  ['ALTER TABLE s.t CLUSTER ON t_e', 'index s.t_e [clustered]'],
  ['ALTER TABLE s.leaf SET WITHOUT CLUSTER', 'index s.apart [clustered]'],
  ['ALTER TABLE s.typed NOT OF', 'table s.typed [ofType]'],
  ["ALTER TABLE s.p DETACH PARTITION s.p1; ALTER TABLE s.p ATTACH PARTITION s.p1 FOR VALUES FROM (0) TO (11)", 'table s.p1 [partitionBound]'],
  ['ALTER TABLE s.p DETACH PARTITION s.p2; ALTER TABLE s.p ATTACH PARTITION s.p2 FOR VALUES FROM (90) TO (91)', 'table s.p2 [partitionBound]'],
  ['ALTER TABLE s.p DETACH PARTITION s.p1', ['index s.p1_v_idx [partitionOf]', 'table s.p1 [inherits, partitionBound]']],
  ['ALTER TABLE s.heir NO INHERIT s.parent2', ['column s.heir.z [local, position]', 'table s.heir [inherits]']],
  ['CREATE TABLE s.parent3 (z int); ALTER TABLE s.heir INHERIT s.parent3; ALTER TABLE s.heir NO INHERIT s.parent3; DROP TABLE s.parent3; ALTER TABLE s.heir ALTER z SET DEFAULT 3', 'column s.heir.z [default]'],
  ["UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'pile') WHERE oid = 's.leaf'::regclass", 'table s.leaf [accessMethod]'],
  ['CREATE TABLE s.extra (a int)', { code: 'compare.table-extra', names: ['s.extra'] }],
  ['DROP TABLE s.typed', { code: 'compare.table-missing', names: ['s.typed'] }],
  ['CREATE TABLE s.extra (k int) PARTITION BY LIST (k)', '+ table s.extra'],
  ['DROP TABLE s.by_list; CREATE TABLE s.by_list (k int) PARTITION BY HASH (k)', 'table s.by_list [partitionBy, privileges]'],
  ["ALTER FOREIGN TABLE s.ft OPTIONS (SET path 'w')", 'foreign table s.ft [foreign]'],
  ["ALTER FOREIGN TABLE s.ft OPTIONS (ADD more 'w')", 'foreign table s.ft [foreign]'],
  ['ALTER FOREIGN TABLE s.ft OPTIONS (DROP path)', 'foreign table s.ft [foreign]'],
  ["ALTER FOREIGN TABLE s.ft ALTER a OPTIONS (SET name 'w')", 'column s.ft.a [foreignOptions]'],
  ['ALTER FOREIGN TABLE s.ft ALTER a SET STATISTICS 7', 'column s.ft.a [statistics]'],
  // What a table's rights say: who granted, what may be handed on.
  ['GRANT INSERT ON s.leaf TO reader WITH GRANT OPTION', 'table s.leaf [privileges]'],
  ['REVOKE GRANT OPTION FOR SELECT ON s.leaf FROM app CASCADE; GRANT SELECT ON s.leaf TO other', 'table s.leaf [privileges]'],
  ['SET SESSION AUTHORIZATION app; REVOKE SELECT ON s.leaf FROM other; RESET SESSION AUTHORIZATION; GRANT SELECT ON s.leaf TO other', 'table s.leaf [privileges]'],
  ['REVOKE INSERT ON s.leaf FROM reader', 'table s.leaf [privileges]'],
  ['GRANT SELECT (y) ON s.leaf TO reader WITH GRANT OPTION', 'column s.leaf.y [privileges]'],
  ['REVOKE SELECT (y) ON s.leaf FROM reader', 'column s.leaf.y [privileges]'],
  ['SET SESSION AUTHORIZATION app; REVOKE UPDATE (y) ON s.leaf FROM other; RESET SESSION AUTHORIZATION; GRANT UPDATE (y) ON s.leaf TO other', 'column s.leaf.y [privileges]'],
  // Columns.
  ['ALTER TABLE s.leaf ALTER y TYPE varchar(9)', 'column s.leaf.y [type]'],
  ['ALTER TABLE s.leaf ALTER y TYPE text COLLATE "C"', 'column s.leaf.y [collation]'],
  ['ALTER TABLE s.t ALTER d SET DEFAULT 3', ['column s.child.d [default]', 'column s.t.d [default]']],
  ['ALTER TABLE ONLY s.t ALTER a SET DEFAULT 6', 'column s.t.a [default]'],
  ['ALTER TABLE ONLY s.t ALTER a DROP DEFAULT', 'column s.t.a [default]'],
  ['ALTER TABLE s.leaf ALTER x SET NOT NULL', 'column s.leaf.x [notNull]'],
  ['ALTER TABLE s.t ALTER id SET GENERATED BY DEFAULT', 'column s.t.id [identity]'],
  ['ALTER TABLE s.t ALTER id SET INCREMENT 5', 'sequence s.t_id_seq [increment]'],
  ['ALTER TABLE s.t ALTER id SET START 5', 'sequence s.t_id_seq [start]'],
  ['ALTER TABLE s.t ALTER id SET CACHE 5', 'sequence s.t_id_seq [cache]'],
  ['ALTER TABLE s.t ALTER g DROP EXPRESSION', ['column s.child.g [generated, generation]', 'column s.t.g [generated, generation]']],
  ['ALTER TABLE ONLY s.t ALTER d SET STORAGE external', 'column s.t.d [storage]'],
  ['ALTER TABLE s.leaf ALTER y SET STORAGE main', 'column s.leaf.y [storage]'],
  ['ALTER TABLE s.leaf ALTER y SET COMPRESSION pglz', 'column s.leaf.y [compression]', 14],
  ['ALTER TABLE s.leaf ALTER y SET STATISTICS 300', 'column s.leaf.y [statistics]'],
  ['ALTER TABLE s.leaf ALTER y SET STATISTICS 0', 'column s.leaf.y [statistics]'],
  ['ALTER TABLE s.leaf ALTER y SET (n_distinct = 5)', 'column s.leaf.y [options]'],
  ['ALTER TABLE s.leaf ADD z int', '+ column s.leaf.z'],
  ['ALTER TABLE s.leaf DROP y', '- column s.leaf.y'],
  ['ALTER TABLE s.child DROP more', '- column s.child.more'],
  ['ALTER TABLE s.parent2 ADD w int', ['+ column s.heir.w', '+ column s.parent2.w']],
  ["UPDATE pg_attribute SET attislocal = true WHERE attrelid = 's.child'::regclass AND attname = 'a'", 'column s.child.a [local]'],
  ['DROP TABLE s.unlogged; CREATE UNLOGGED TABLE s.unlogged (b int, a int)', ['column s.unlogged.a [position]', 'column s.unlogged.b [position]', 'table s.unlogged [privileges]']],
  ['COMMENT ON COLUMN s.leaf.y IS NULL', 'column s.leaf.y [comment]'],
  ['COMMENT ON TABLE s.leaf IS NULL', 'table s.leaf [comment]'],
  ['ALTER TABLE s.needs RENAME CONSTRAINT a_needed TO a_wanted', ['column s.needs.a [notNullName]'], 18],
  ['ALTER TABLE s.needs RENAME CONSTRAINT needs_b_not_null TO b_wanted', ['column s.needs.b [notNullName]'], 18],
  ["COMMENT ON CONSTRAINT a_needed ON s.needs IS 'other'", 'column s.needs.a [notNullComment]', 18],
  ['ALTER TABLE s.leaf ADD CONSTRAINT leaf_x_not_null NOT NULL x NO INHERIT', 'column s.leaf.x [notNull, notNullNoInherit]', 18],
  ["UPDATE pg_constraint SET conislocal = true WHERE conrelid = 's.needs_child'::regclass AND conname = 'a_needed'", 'column s.needs_child.a [notNullLocal, notNullName]', 18],
  ["UPDATE pg_constraint SET conname = 'other' WHERE conrelid = 's.needs_part'::regclass AND contype = 'n'", 'column s.needs_part.a [notNullName]', 18],
  // Constraints.
  ['ALTER TABLE s.t DROP CONSTRAINT t_check', ['- constraint t_check on s.child', '- constraint t_check on s.t']],
  ['ALTER TABLE s.leaf ADD CONSTRAINT more CHECK (x > 0)', '+ constraint more on s.leaf'],
  ['ALTER TABLE s.leaf VALIDATE CONSTRAINT later', 'constraint later on s.leaf [definition, validated]'],
  ['ALTER TABLE s.leaf DROP CONSTRAINT later, ADD CONSTRAINT later CHECK (x <> 8) NOT VALID', 'constraint later on s.leaf [definition]'],
  ['ALTER TABLE s.leaf DROP CONSTRAINT later, ADD CONSTRAINT later CHECK (x <> 7) NO INHERIT NOT VALID', 'constraint later on s.leaf [definition, noInherit]'],
  ["UPDATE pg_constraint SET conislocal = true WHERE conrelid = 's.child'::regclass AND conname = 't_check'", 'constraint t_check on s.child [local]'],
  ['ALTER TABLE s.t ALTER CONSTRAINT t_self DEFERRABLE', 'constraint t_self on s.t [deferrable, definition]'],
  ['ALTER TABLE s.t ALTER CONSTRAINT t_self DEFERRABLE INITIALLY DEFERRED', 'constraint t_self on s.t [deferrable, deferred, definition]'],
  ['ALTER TABLE s.t DROP CONSTRAINT t_self', '- constraint t_self on s.t'],
  ['ALTER TABLE s.t DROP CONSTRAINT t_self, ADD CONSTRAINT t_self FOREIGN KEY (e) REFERENCES s.t (a) ON DELETE SET NULL', 'constraint t_self on s.t [definition]'],
  ['ALTER TABLE s.t DROP CONSTRAINT t_self, ADD CONSTRAINT t_self FOREIGN KEY (e) REFERENCES s.t (a) MATCH FULL ON DELETE CASCADE', 'constraint t_self on s.t [definition]'],
  ['ALTER TABLE s.t DROP CONSTRAINT t_self, ADD CONSTRAINT t_self FOREIGN KEY (e) REFERENCES s.t (a) ON DELETE CASCADE NOT VALID', 'constraint t_self on s.t [definition, validated]'],
  ['ALTER TABLE s.leaf DROP CONSTRAINT apart', ['- constraint apart on s.leaf', '- index s.apart']],
  ['ALTER TABLE s.leaf DROP CONSTRAINT apart; ALTER TABLE s.leaf ADD CONSTRAINT apart EXCLUDE USING gist (int4range(x, x + 2) WITH &&); ALTER TABLE s.leaf CLUSTER ON apart', ['constraint apart on s.leaf [definition]', 'index s.apart [definition]']],
  ["UPDATE pg_constraint SET contype = 'u' WHERE conname = 't_pkey'", 'constraint t_pkey on s.t [definition, kind]'],
  ['ALTER TABLE s.t DROP CONSTRAINT t_pkey', ['- constraint t_pkey on s.t', '- index s.t_pkey']],
  ['ALTER TABLE s.needs DROP CONSTRAINT unenforced, ADD CONSTRAINT unenforced CHECK (c > 0)', ['constraint unenforced on s.needs [definition, enforced, validated]', 'constraint unenforced on s.needs_child [definition, enforced, validated]'], 18],
  // Indexes.
  ["DROP INDEX s.t_b; CREATE UNIQUE INDEX t_b ON s.t (b)", 'index s.t_b [definition]'],
  ["DROP INDEX s.t_b; CREATE INDEX t_b ON s.t (b) WHERE b <> ''", 'index s.t_b [definition, unique]'],
  ['DROP INDEX s.t_e; CREATE INDEX t_e ON s.t (e DESC)', 'index s.t_e [definition]'],
  ['DROP INDEX s.t_e; CREATE INDEX t_e ON s.t USING hash (e)', 'index s.t_e [definition]'],
  ['DROP INDEX s.t_e; CREATE INDEX t_e ON s.t (e) INCLUDE (a)', 'index s.t_e [definition]'],
  ['DROP INDEX s.t_e; CREATE INDEX t_e ON s.t (e s.classed)', 'index s.t_e [definition]'],
  ['ALTER INDEX s.t_e SET (fillfactor = 50)', 'index s.t_e [definition]'],
  ['DROP INDEX s.t_lower; CREATE INDEX t_lower ON s.t (upper(b))', 'index s.t_lower [definition]'],
  ['ALTER INDEX s.t_lower ALTER COLUMN 1 SET STATISTICS 99', 'index s.t_lower [statistics]'],
  ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 's.t_e'::regclass", { code: 'compare.index-invalid', names: ['index s.t_e'] }],
  ["UPDATE pg_index SET indisready = false WHERE indexrelid = 's.t_e'::regclass", 'index s.t_e [ready]'],
  ["UPDATE pg_index SET indimmediate = false WHERE indexrelid = 's.t_e'::regclass", 'index s.t_e [immediate]'],
  ["UPDATE pg_index SET indisexclusion = true WHERE indexrelid = 's.t_e'::regclass", 'index s.t_e [exclusion]'],
  ["UPDATE pg_index SET indisprimary = false WHERE indexrelid = 's.t_pkey'::regclass", 'index s.t_pkey [primary]'],
  ['DROP INDEX s.t_nulls; CREATE UNIQUE INDEX t_nulls ON s.t (a, d)', 'index s.t_nulls [definition, nullsNotDistinct]', 15],
  ['CREATE INDEX more ON s.t (a)', '+ index s.more'],
  // Triggers, policies, rules.
  ['ALTER TABLE s.t DISABLE TRIGGER trig', 'trigger trig on s.t [enabled]'],
  ['ALTER TABLE s.t ENABLE ALWAYS TRIGGER trig', 'trigger trig on s.t [enabled]'],
  ['ALTER TABLE s.t ENABLE REPLICA TRIGGER late', 'trigger late on s.t [enabled]'],
  ['DROP TRIGGER trig ON s.t; CREATE TRIGGER trig AFTER UPDATE ON s.t FOR EACH ROW EXECUTE FUNCTION s.touched()', 'trigger trig on s.t [definition]'],
  ['DROP TRIGGER trig ON s.t; CREATE TRIGGER trig BEFORE UPDATE ON s.t FOR EACH ROW EXECUTE FUNCTION s.other_trigger()', 'trigger trig on s.t [definition]'],
  ['DROP TRIGGER trig ON s.t; CREATE TRIGGER trig BEFORE UPDATE OF e ON s.t FOR EACH ROW EXECUTE FUNCTION s.touched()', 'trigger trig on s.t [definition]'],
  ['DROP TRIGGER trig ON s.t; CREATE TRIGGER trig BEFORE UPDATE ON s.t FOR EACH ROW WHEN (new.e > 0) EXECUTE FUNCTION s.touched()', 'trigger trig on s.t [definition]'],
  ['CREATE TRIGGER more AFTER INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.touched()', '+ trigger more on s.t'],
  ['ALTER POLICY pol ON s.t TO PUBLIC', 'policy pol on s.t [roles]'],
  ['ALTER POLICY pol ON s.t TO app, reader', 'policy pol on s.t [roles]'],
  ['ALTER POLICY pol ON s.t USING (e = 2)', 'policy pol on s.t [using]'],
  ['ALTER POLICY checked ON s.t WITH CHECK (e = 2)', 'policy checked on s.t [check]'],
  ['DROP POLICY pol ON s.t; CREATE POLICY pol ON s.t AS RESTRICTIVE FOR SELECT TO app USING (e = 1)', 'policy pol on s.t [permissive]'],
  ['DROP POLICY pol ON s.t; CREATE POLICY pol ON s.t FOR UPDATE TO app USING (e = 1)', 'policy pol on s.t [command]'],
  ['CREATE POLICY more ON s.t USING (true)', '+ policy more on s.t'],
  ['ALTER TABLE s.leaf DISABLE RULE quiet', 'rule quiet on s.leaf [enabled]'],
  ['CREATE OR REPLACE RULE quiet AS ON DELETE TO s.leaf DO ALSO NOTHING', 'rule quiet on s.leaf [definition]'],
  ['CREATE RULE more AS ON DELETE TO s.leaf DO ALSO NOTHING', '+ rule more on s.leaf'],
  // Views.
  ['CREATE OR REPLACE VIEW s.v WITH (security_barrier) AS SELECT id, b FROM s.t WHERE e > 0', 'view s.v [definition]'],
  ['ALTER VIEW s.v RESET (security_barrier)', 'view s.v [options]'],
  ['ALTER VIEW s.v SET (check_option = local)', 'view s.v [options]'],
  ['ALTER VIEW s.v SET (security_invoker = true)', 'view s.v [options]', 15],
  ['ALTER VIEW s.v ALTER id SET DEFAULT 5', 'view s.v [columns]'],
  ['CREATE OR REPLACE VIEW s.v_leaf AS SELECT x, y FROM s.leaf', 'view s.v_leaf [columns, definition]'],
  ['COMMENT ON COLUMN s.v_leaf.x IS NULL', 'view s.v_leaf [columnComments]'],
  ['REVOKE SELECT (x) ON s.v_leaf FROM reader', 'view s.v_leaf [columnPrivileges]'],
  ['GRANT SELECT (x) ON s.v_leaf TO reader WITH GRANT OPTION', 'view s.v_leaf [columnPrivileges]'],
  ["INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label) VALUES ('s.v'::regclass, 'pg_class'::regclass, 1, 'selinux', 'secret')", 'view s.v [columnLabels]'],
  ['CREATE VIEW s.more AS SELECT 1 AS one', '+ view s.more'],
  ['REFRESH MATERIALIZED VIEW s.m WITH NO DATA', 'materialised view s.m [populated]'],
  ['REFRESH MATERIALIZED VIEW s.unfilled', 'materialised view s.unfilled [populated]'],
  ['ALTER MATERIALIZED VIEW s.m SET (fillfactor = 50)', 'materialised view s.m [options]'],
  ['ALTER MATERIALIZED VIEW s.m ALTER n SET STATISTICS 7', 'materialised view s.m [columnSettings]'],
  ['ALTER MATERIALIZED VIEW s.m ALTER n SET (n_distinct = 7)', 'materialised view s.m [columnSettings]'],
  ['ALTER MATERIALIZED VIEW s.m CLUSTER ON m_e', 'index s.m_e [clustered]'],
  ["COMMENT ON COLUMN s.m.n IS 'x'", 'materialised view s.m [columnComments]'],
  ['GRANT SELECT (n) ON s.m TO reader', 'materialised view s.m [columnPrivileges]'],
  ["INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label) VALUES ('s.m'::regclass, 'pg_class'::regclass, 1, 'selinux', 'secret')", 'materialised view s.m [columnLabels]'],
  ['DROP MATERIALIZED VIEW s.unfilled; CREATE MATERIALIZED VIEW s.unfilled AS SELECT 2 AS one WITH NO DATA', 'materialised view s.unfilled [definition, privileges]'],
  ['DROP MATERIALIZED VIEW s.unfilled; CREATE MATERIALIZED VIEW s.unfilled AS SELECT 1 AS two WITH NO DATA', 'materialised view s.unfilled [columns, definition, privileges]'],
  ["UPDATE pg_class SET relreplident = 'f' WHERE oid = 's.m'::regclass", 'materialised view s.m [replicaIdentity]'],
  ["UPDATE pg_class SET relpersistence = 'u' WHERE oid = 's.m'::regclass", 'materialised view s.m [persistence]'],
  ["UPDATE pg_class SET relpersistence = 'u' WHERE oid = 's.v'::regclass", 'view s.v [persistence]'],
  ["UPDATE pg_class SET relpersistence = 'u' WHERE oid = 's.ft'::regclass", 'foreign table s.ft [persistence]'],
  ["UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'pile') WHERE oid = 's.m'::regclass", 'materialised view s.m [accessMethod]'],
  // Sequences.
  ['ALTER SEQUENCE s.seq INCREMENT 2', 'sequence s.seq [increment]'],
  ['ALTER SEQUENCE s.seq START 2', 'sequence s.seq [start]'],
  ['ALTER SEQUENCE s.seq MINVALUE -5', 'sequence s.seq [minimum]'],
  ['ALTER SEQUENCE s.seq MAXVALUE 50', 'sequence s.seq [maximum]'],
  ['ALTER SEQUENCE s.seq CACHE 2', 'sequence s.seq [cache]'],
  ['ALTER SEQUENCE s.seq CYCLE', 'sequence s.seq [cycle]'],
  ['ALTER SEQUENCE s.wheel NO CYCLE', 'sequence s.wheel [cycle]'],
  ['ALTER SEQUENCE s.wheel AS smallint', 'sequence s.wheel [type]'],
  ['ALTER SEQUENCE s.owned OWNED BY NONE', 'sequence s.owned [ownedBy]'],
  ['ALTER SEQUENCE s.owned OWNED BY s.t.f', 'sequence s.owned [ownedBy]'],
  ["UPDATE pg_class SET relpersistence = 'u' WHERE oid = 's.seq'::regclass", 'sequence s.seq [persistence]'],
  ['CREATE SEQUENCE s.more', '+ sequence s.more'],
  // Functions.
  ["CREATE OR REPLACE FUNCTION s.plain(x int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 2'", 'function s.plain(integer) [body]'],
  ["CREATE OR REPLACE FUNCTION s.plain(x int DEFAULT 2) RETURNS int LANGUAGE sql AS 'SELECT 1'", 'function s.plain(integer) [arguments]'],
  ["DROP FUNCTION s.plain; CREATE FUNCTION s.plain(y int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1'", 'function s.plain(integer) [arguments]'],
  ["DROP FUNCTION s.plain; CREATE FUNCTION s.plain(x int DEFAULT 1) RETURNS bigint LANGUAGE sql AS 'SELECT 1'", 'function s.plain(integer) [result]'],
  ["UPDATE pg_proc SET prolang = (SELECT oid FROM pg_language WHERE lanname = 'lang') WHERE proname = 'plain'", 'function s.plain(integer) [language]'],
  ['ALTER FUNCTION s.plain IMMUTABLE', 'function s.plain(integer) [volatility]'],
  ['ALTER FUNCTION s.plain STABLE', 'function s.plain(integer) [volatility]'],
  ['ALTER FUNCTION s.plain STRICT', 'function s.plain(integer) [strict]'],
  ['ALTER FUNCTION s.plain LEAKPROOF', 'function s.plain(integer) [leakproof]'],
  ['ALTER FUNCTION s.plain SECURITY DEFINER', 'function s.plain(integer) [securityDefiner]'],
  ['ALTER FUNCTION s.plain PARALLEL SAFE', 'function s.plain(integer) [parallel]'],
  ['ALTER FUNCTION s.plain PARALLEL RESTRICTED', 'function s.plain(integer) [parallel]'],
  ['ALTER FUNCTION s.plain COST 7', 'function s.plain(integer) [cost]'],
  ['ALTER FUNCTION s.many ROWS 7', 'function s.many() [rows]'],
  ['ALTER FUNCTION s.many SUPPORT generate_series_int4_support', 'function s.many() [support]'],
  ["ALTER FUNCTION s.plain SET search_path = 'evil'", 'function s.plain(integer) [settings]'],
  ["CREATE OR REPLACE FUNCTION s.plain(x int DEFAULT 1) RETURNS int LANGUAGE sql TRANSFORM FOR TYPE bigint AS 'SELECT 1'", 'function s.plain(integer) [transforms]'],
  ["CREATE OR REPLACE FUNCTION s.of_library(text) RETURNS text LANGUAGE c STRICT AS '$libdir/fuzzystrmatch', 'metaphone'", 'function s.of_library(text) [body]'],
  ["CREATE OR REPLACE FUNCTION s.of_library(text) RETURNS text LANGUAGE c STRICT AS 'fuzzystrmatch', 'soundex'", 'function s.of_library(text) [library]'],
  ["UPDATE pg_proc SET prokind = 'w' WHERE proname = 'plain'", 'function s.plain(integer) [window]'],
  ['CREATE OR REPLACE FUNCTION s.atomic(x int) RETURNS int RETURN x + 2', 'function s.atomic(integer) [atomicBody]', 14],
  ['CREATE FUNCTION s.more() RETURNS int LANGUAGE sql AS $$SELECT 1$$', '+ function s.more()'],
  ["CREATE OR REPLACE PROCEDURE s.act(x int) LANGUAGE plpgsql AS 'BEGIN NULL; END'", 'procedure s.act(integer) [body]'],
  ['ALTER PROCEDURE s.act SECURITY DEFINER', 'procedure s.act(integer) [securityDefiner]'],
  ["ALTER PROCEDURE s.act SET work_mem = '1MB'", 'procedure s.act(integer) [settings]'],
  ["CREATE OR REPLACE PROCEDURE s.act(x int DEFAULT 1) LANGUAGE plpgsql AS 'BEGIN END'", 'procedure s.act(integer) [arguments]'],
  ["UPDATE pg_proc SET prolang = (SELECT oid FROM pg_language WHERE lanname = 'lang') WHERE proname = 'act'", 'procedure s.act(integer) [language]'],
  ...(['provolatile:i:volatility', 'proisstrict:t:strict', 'proleakproof:t:leakproof', 'proparallel:s:parallel', 'procost:7:cost', 'prorows:7:rows'] as const).map((one): Row => {
    const [column = '', value = '', key = ''] = one.split(':');
    return [`UPDATE pg_proc SET ${column} = '${value}' WHERE proname = 'act'`, `procedure s.act(integer) [${key}]`];
  }),
  // Aggregates.
  ['DROP AGGREGATE s.total(int); CREATE AGGREGATE s.total(int) (SFUNC = int4mi, STYPE = int)', 'aggregate s.total(integer) [transition]'],
  ['DROP AGGREGATE s.total(int); CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int, FINALFUNC = int4abs)', 'aggregate s.total(integer) [final, finalExtra, finalModify]'],
  ['DROP AGGREGATE s.total(int); CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int, COMBINEFUNC = int4pl)', 'aggregate s.total(integer) [combine]'],
  ["DROP AGGREGATE s.total(int); CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '5')", 'aggregate s.total(integer) [initial]'],
  ['DROP AGGREGATE s.total(int); CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int, SSPACE = 5)', 'aggregate s.total(integer) [stateSpace]'],
  ['DROP AGGREGATE s.total(int); CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int, SORTOP = <)', 'aggregate s.total(integer) [sortOperator]'],
  ['DROP AGGREGATE s.total(int); CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int, PARALLEL = safe)', 'aggregate s.total(integer) [parallel]'],
  ['DROP AGGREGATE s.total(int); CREATE AGGREGATE s.total(x int) (SFUNC = int4pl, STYPE = int)', 'aggregate s.total(integer) [arguments]'],
  ['DROP AGGREGATE s.moving(int); CREATE AGGREGATE s.moving(int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4mi, MINVFUNC = int4mi, MSTYPE = int)', 'aggregate s.moving(integer) [movingTransition]'],
  ['DROP AGGREGATE s.moving(int); CREATE AGGREGATE s.moving(int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl, MINVFUNC = int4pl, MSTYPE = int)', 'aggregate s.moving(integer) [movingInverse]'],
  ["DROP AGGREGATE s.moving(int); CREATE AGGREGATE s.moving(int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '5')", 'aggregate s.moving(integer) [movingInitial]'],
  ['DROP AGGREGATE s.moving(int); CREATE AGGREGATE s.moving(int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MSSPACE = 5)', 'aggregate s.moving(integer) [movingStateSpace]'],
  ['DROP AGGREGATE s.moving(int); CREATE AGGREGATE s.moving(int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MFINALFUNC = int4abs)', 'aggregate s.moving(integer) [movingFinal, movingFinalExtra, movingFinalModify]'],
  ...(["aggkind = 'o':arguments, kind", 'aggnumdirectargs = 1:directArguments', "aggserialfn = 'int4abs':serial", "aggdeserialfn = 'int4abs':deserial", "aggtranstype = 'bigint'::regtype:stateType", "aggmtranstype = 'bigint'::regtype:movingStateType"] as const).map((one): Row => {
    const at = one.lastIndexOf(':');
    return [`UPDATE pg_aggregate SET ${one.slice(0, at)} WHERE aggfnoid = 's.moving'::regproc`, `aggregate s.moving(integer) [${one.slice(at + 1)}]`];
  }),
  ["UPDATE pg_proc SET prorettype = 'bigint'::regtype WHERE oid = 's.total(int)'::regprocedure", 'aggregate s.total(integer) [result]'],
  // Types.
  ["ALTER TYPE s.mood ADD VALUE 'meh' BEFORE 'ok'", 'enum s.mood [labels]'],
  ["ALTER TYPE s.mood RENAME VALUE 'ok' TO 'fine'", 'enum s.mood [labels]'],
  ["UPDATE pg_enum SET enumsortorder = enumsortorder + 10 WHERE enumlabel = 'sad'", 'enum s.mood [labels]'],
  ['ALTER DOMAIN s.positive DROP DEFAULT', 'domain s.positive [default]'],
  ['ALTER DOMAIN s.positive SET DEFAULT 2', 'domain s.positive [default]'],
  ['ALTER DOMAIN s.positive SET NOT NULL', 'domain s.positive [notNull]'],
  ['ALTER DOMAIN s.positive ADD CONSTRAINT below CHECK (VALUE < 9)', 'domain s.positive [constraints]'],
  ['ALTER DOMAIN s.positive ADD CONSTRAINT below CHECK (VALUE < 9) NOT VALID', 'domain s.positive [constraints]'],
  ['COMMENT ON CONSTRAINT above ON DOMAIN s.positive IS NULL', 'domain s.positive [constraintComments]'],
  ['DROP DOMAIN s.words; CREATE DOMAIN s.words AS text', 'domain s.words [collation]'],
  ['DROP DOMAIN s.words; CREATE DOMAIN s.words AS varchar(5) COLLATE "C"', 'domain s.words [base]'],
  ['ALTER DOMAIN s.needed RENAME CONSTRAINT needed_so TO needed_thus', 'domain s.needed [notNullName]', 18],
  ['COMMENT ON COLUMN s.pair.a IS NULL', 'composite type s.pair [attributeComments]'],
  ["UPDATE pg_attribute SET attcollation = '\"C\"'::regcollation WHERE attrelid = 's.pair'::regclass AND attname = 'b'", 'composite type s.pair [attributes]'],
  ['DROP TYPE s.span; CREATE TYPE s.span AS RANGE (subtype = float8)', 'range type s.span [difference]'],
  ['DROP TYPE s.span; CREATE TYPE s.span AS RANGE (subtype = numeric)', 'range type s.span [difference, subtype]'],
  ['DROP TYPE s.span; CREATE TYPE s.span AS RANGE (subtype = float8, subtype_diff = float8mi, multirange_type_name = spans)', 'range type s.span [multirange]', 14],
  ["UPDATE pg_range SET rngcollation = '\"C\"'::regcollation WHERE rngtypid = 's.span'::regtype", 'range type s.span [collation]'],
  ["UPDATE pg_range SET rngcanonical = 'int4range_canonical' WHERE rngtypid = 's.span'::regtype", 'range type s.span [canonical]'],
  ["UPDATE pg_range SET rngsubopc = (SELECT oid FROM pg_opclass WHERE opcname = 'text_pattern_ops' LIMIT 1) WHERE rngtypid = 's.span'::regtype", 'range type s.span [operatorClass]'],
  ...([
    "typlen = 4:length", "typbyval = true:byValue", "typalign = 'd':alignment", "typstorage = 'x':storage", "typcategory = 'S':category", 'typispreferred = true:preferred', "typdelim = ';':delimiter", "typcollation = '\"C\"'::regcollation:collatable",
    "typinput = 'textin':input", "typoutput = 'textout':output", "typreceive = 'textrecv':receive", "typsend = 'textsend':send", "typmodin = 'varchartypmodin':modifierIn", "typmodout = 'varchartypmodout':modifierOut", "typanalyze = 'array_typanalyze':analyze",
    "typdefault = 'x':default", "typelem = 'int'::regtype:element", 'typisdefined = false:defined',
  ] as const).map((one): Row => {
    const at = one.lastIndexOf(':');
    return [`UPDATE pg_type SET ${one.slice(0, at)} WHERE oid = 's.base'::regtype`, `base type s.base [${one.slice(at + 1)}]`];
  }),
  ["UPDATE pg_type SET typsubscript = 'jsonb_subscript_handler' WHERE oid = 's.base'::regtype", 'base type s.base [subscript]', 14],
  // Operators, casts and the like.
  ['DROP OPERATOR s.=== (int, int); CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = s.same)', 'operator s.===(integer,integer) [function]'],
  ['ALTER OPERATOR s.=== (int, int) SET (RESTRICT = eqsel)', 'operator s.===(integer,integer) [restrict]'],
  ['ALTER OPERATOR s.=== (int, int) SET (JOIN = eqjoinsel)', 'operator s.===(integer,integer) [join]'],
  ['DROP OPERATOR s.=== (int, int); CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = s.equal, HASHES)', 'operator s.===(integer,integer) [hashes]'],
  ['DROP OPERATOR s.=== (int, int); CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = s.equal, MERGES)', 'operator s.===(integer,integer) [merges]'],
  ['DROP OPERATOR s.=== (int, int); CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = s.equal, COMMUTATOR = OPERATOR(s.===))', 'operator s.===(integer,integer) [commutator]'],
  ["UPDATE pg_operator SET oprnegate = (SELECT oid FROM pg_operator WHERE oprname = '!==') WHERE oprname = '==='", 'operator s.===(integer,integer) [negator]'],
  ["UPDATE pg_opclass SET opcintype = 'bigint'::regtype WHERE opcname = 'classed'", 'operator class s.classed using btree [type]'],
  ["UPDATE pg_opclass SET opcdefault = true WHERE opcname = 'of_mood'", 'operator class s.of_mood using hash [default]'],
  ["UPDATE pg_opclass SET opckeytype = 'bigint'::regtype WHERE opcname = 'classed'", 'operator class s.classed using btree [key]'],
  ["UPDATE pg_opclass SET opcfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'family') WHERE opcname = 'classed'", 'operator class s.classed using btree [family]'],
  ['ALTER OPERATOR FAMILY s.family USING btree ADD OPERATOR 2 <= (int, int)', 'operator family s.family using btree [operators]'],
  ['ALTER OPERATOR FAMILY s.family USING btree DROP FUNCTION 1 (int, int)', 'operator family s.family using btree [functions]'],
  ["DELETE FROM pg_depend WHERE classid = 'pg_amop'::regclass AND refclassid = 'pg_opclass'::regclass AND refobjid = (SELECT oid FROM pg_opclass WHERE opcname = 'classed')", 'operator family s.classed using btree [members]'],
  ['DROP CAST (int AS s.pair); CREATE CAST (int AS s.pair) WITH FUNCTION s.to_pair(int) AS ASSIGNMENT', 'cast integer AS s.pair [context]'],
  ['DROP CAST (int AS s.pair); CREATE CAST (int AS s.pair) WITH INOUT', 'cast integer AS s.pair [function, method]'],
  ['CREATE CAST (s.pair AS text) WITH INOUT', '+ cast s.pair AS text'],
  ['DROP CONVERSION s.own_latin; CREATE DEFAULT CONVERSION s.own_latin FOR \'LATIN1\' TO \'UTF8\' FROM iso8859_1_to_utf8', 'conversion s.own_latin [default]'],
  ['UPDATE pg_conversion SET conforencoding = 9 WHERE conname = \'own_latin\'', 'conversion s.own_latin [from]'],
  ['UPDATE pg_conversion SET contoencoding = 9 WHERE conname = \'own_latin\'', 'conversion s.own_latin [to]'],
  ["UPDATE pg_conversion SET conproc = 'iso8859_to_utf8' WHERE conname = 'own_latin'", 'conversion s.own_latin [function]'],
  ["DROP COLLATION s.sorted; CREATE COLLATION s.sorted (provider = libc, lc_collate = 'POSIX', lc_ctype = 'C')", 'collation s.sorted [collate]'],
  ["DROP COLLATION s.sorted; CREATE COLLATION s.sorted (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX')", 'collation s.sorted [ctype]'],
  ["UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'sorted'", 'collation s.sorted [deterministic]'],
  ["UPDATE pg_collation SET collprovider = 'i' WHERE collname = 'sorted'", 'collation s.sorted [collate, ctype, locale, provider]', 13, 14],
  ["UPDATE pg_collation SET collprovider = 'i', colliculocale = 'und', collcollate = NULL, collctype = NULL WHERE collname = 'sorted'", 'collation s.sorted [collate, ctype, locale, provider]', 15, 16],
  ["UPDATE pg_collation SET collprovider = 'i', colllocale = 'und', collcollate = NULL, collctype = NULL WHERE collname = 'sorted'", 'collation s.sorted [collate, ctype, locale, provider]', 17],
  ["UPDATE pg_collation SET collicurules = '&a < b' WHERE collname = 'sorted'", 'collation s.sorted [rules]', 16],
  // Statistics.
  ['ALTER STATISTICS s.related SET STATISTICS 7', 'statistics s.related [target]'],
  ['DROP STATISTICS s.related; CREATE STATISTICS s.related (ndistinct) ON e, f FROM s.t', 'statistics s.related [definition]'],
  ['DROP STATISTICS s.related; CREATE STATISTICS s.related (dependencies) ON e, a FROM s.t', 'statistics s.related [definition]'],
  ['CREATE STATISTICS s.more ON a, f FROM s.t', '+ statistics s.more'],
  // Text search.
  ['ALTER TEXT SEARCH CONFIGURATION s.config DROP MAPPING FOR url', 'text search configuration s.config [map]'],
  ['ALTER TEXT SEARCH CONFIGURATION s.config ALTER MAPPING FOR word WITH s.dict', 'text search configuration s.config [map]'],
  ['ALTER TEXT SEARCH CONFIGURATION s.config ALTER MAPPING FOR word WITH simple, s.dict', 'text search configuration s.config [map]'],
  ["UPDATE pg_ts_config SET cfgparser = (SELECT oid FROM pg_ts_parser WHERE prsname = 'parser2') WHERE cfgname = 'config'", 'text search configuration s.config [parser]'],
  ['ALTER TEXT SEARCH DICTIONARY s.dict (STOPWORDS = french)', 'text search dictionary s.dict [options]'],
  ["UPDATE pg_ts_dict SET dicttemplate = (SELECT oid FROM pg_ts_template WHERE tmplname = 'template') WHERE dictname = 'dict'", 'text search dictionary s.dict [template]'],
  ...(['prsstart:start', 'prstoken:token', 'prsend:end', 'prsheadline:headline', 'prslextype:types'] as const).map((one): Row => {
    const [column, key] = one.split(':');
    return [`UPDATE pg_ts_parser SET ${column} = 'int4abs' WHERE prsname = 'parser'`, `text search parser s.parser [${key}]`];
  }),
  ["UPDATE pg_ts_template SET tmplinit = 'dsimple_init' WHERE tmplname = 'template'", 'text search template s.template [initialise]'],
  ["UPDATE pg_ts_template SET tmpllexize = 'dispell_lexize' WHERE tmplname = 'template'", 'text search template s.template [lexize]'],
  // Objects of the whole database.
  ['ALTER EVENT TRIGGER watch DISABLE', 'event trigger watch [enabled]'],
  ['ALTER EVENT TRIGGER watch ENABLE ALWAYS', 'event trigger watch [enabled]'],
  ["UPDATE pg_event_trigger SET evtowner = 'other'::regrole", 'event trigger watch [owner]'],
  ["DROP EVENT TRIGGER watch; CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'DROP VIEW') EXECUTE FUNCTION s.watched()", 'event trigger watch [tags]'],
  ["DROP EVENT TRIGGER watch; CREATE EVENT TRIGGER watch ON ddl_command_start WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION s.watched()", 'event trigger watch [event]'],
  ["DROP EVENT TRIGGER watch; CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION s.other_watch()", 'event trigger watch [function]'],
  ['CREATE OR REPLACE LANGUAGE lang HANDLER s.call_handler', 'language lang [trusted]'],
  ['CREATE OR REPLACE TRUSTED LANGUAGE lang HANDLER s.call_handler INLINE s.call_inline', 'language lang [inline]'],
  ['CREATE OR REPLACE TRUSTED LANGUAGE lang HANDLER s.call_handler VALIDATOR plpgsql_validator', 'language lang [validator]'],
  ['CREATE OR REPLACE TRUSTED LANGUAGE lang HANDLER plpgsql_call_handler', 'language lang [handler]'],
  ["UPDATE pg_transform SET trffromsql = 'prsd_end'", 'transform bigint for sql [from]'],
  ["UPDATE pg_transform SET trftosql = 'int4recv'", 'transform bigint for sql [to]'],
  ["UPDATE pg_am SET amhandler = 'hashhandler' WHERE amname = 'tree'", 'access method tree [handler]'],
  ["UPDATE pg_am SET amtype = 't' WHERE amname = 'tree'", 'access method tree [type]'],
  ['ALTER FOREIGN DATA WRAPPER fw VALIDATOR postgresql_fdw_validator', 'foreign-data wrapper fw [validator]'],
  ["UPDATE pg_foreign_data_wrapper SET fdwhandler = 'int4abs'::regproc WHERE fdwname = 'fw'", 'foreign-data wrapper fw [handler]'],
  ["ALTER FOREIGN DATA WRAPPER fw OPTIONS (SET debug 'false')", 'foreign-data wrapper fw [options]'],
  ["UPDATE pg_foreign_data_wrapper SET fdwowner = 'other'::regrole WHERE fdwname = 'fw'", 'foreign-data wrapper fw [owner]'],
  ["ALTER SERVER fs VERSION '2'", 'foreign server fs [version]'],
  ["ALTER SERVER fs OPTIONS (SET host 'y')", 'foreign server fs [options]'],
  ["ALTER SERVER fs OPTIONS (SET password 'other')", 'foreign server fs [options]'],
  ["UPDATE pg_foreign_server SET srvtype = 'x' WHERE srvname = 'fs'", 'foreign server fs [type]'],
  ['CREATE FOREIGN DATA WRAPPER fw3', '+ foreign-data wrapper fw3'],
  ["UPDATE pg_foreign_server SET srvfdw = (SELECT oid FROM pg_foreign_data_wrapper WHERE fdwname = 'fw2') WHERE srvname = 'fs2'", 'foreign server fs2 [wrapper]'],
  ["ALTER USER MAPPING FOR app SERVER fs OPTIONS (SET password 'other')", 'user mapping fs for app [options]'],
  ["ALTER USER MAPPING FOR app SERVER fs OPTIONS (ADD \"user\" 'u')", 'user mapping fs for app [options]'],
  ['DROP USER MAPPING FOR app SERVER fs', '- user mapping fs for app'],
  ['CREATE USER MAPPING FOR PUBLIC SERVER fs', '+ user mapping fs for public'],
  // Publications and subscriptions.
  ["ALTER PUBLICATION pub SET (publish = 'insert, update, delete')", 'publication pub [truncate]'],
  ["ALTER PUBLICATION pub SET (publish = 'insert, update, truncate')", 'publication pub [delete]'],
  ["ALTER PUBLICATION pub SET (publish = 'insert, delete, truncate')", 'publication pub [update]'],
  ["ALTER PUBLICATION pub SET (publish = 'update, delete, truncate')", 'publication pub [insert]'],
  ['ALTER PUBLICATION pub SET (publish_via_partition_root = true)', 'publication pub [viaRoot]'],
  ['ALTER PUBLICATION pub SET (publish_generated_columns = stored)', 'publication pub [generatedColumns]', 18],
  ['ALTER PUBLICATION pub ADD TABLE s.leaf', 'publication pub [tables]'],
  ['ALTER PUBLICATION pub DROP TABLE s.t', 'publication pub [tables]'],
  ['DROP PUBLICATION everything; CREATE PUBLICATION everything WITH (publish = \'insert\')', 'publication everything [allTables]'],
  ['ALTER PUBLICATION narrow SET TABLE s.t (id, e, f) WHERE (id > 0)', 'publication narrow [tables]', 15],
  ['ALTER PUBLICATION narrow SET TABLE s.t WHERE (id > 0)', 'publication narrow [tables]', 15],
  ['ALTER PUBLICATION narrow SET TABLE s.t (id, e) WHERE (id > 1)', 'publication narrow [rows]', 15],
  ['ALTER PUBLICATION narrow SET TABLE s.t (id, e)', 'publication narrow [rows]', 15],
  ['ALTER PUBLICATION schemas DROP TABLES IN SCHEMA spare', 'publication schemas [schemas]', 15],
  ['ALTER PUBLICATION schemas ADD TABLES IN SCHEMA s', 'publication schemas [schemas]', 15],
  ['CREATE PUBLICATION more', '+ publication more'],
  ["ALTER SUBSCRIPTION sub CONNECTION 'host=nowhere.invalid password=other'", 'subscription sub [connection]'],
  ['ALTER SUBSCRIPTION sub SET PUBLICATION a, c WITH (refresh = false)', 'subscription sub [publications]'],
  ["ALTER SUBSCRIPTION sub SET (slot_name = 'other')", 'subscription sub [slot]'],
  ["ALTER SUBSCRIPTION sub SET (synchronous_commit = 'local')", 'subscription sub [commit]'],
  ['ALTER SUBSCRIPTION sub SET (binary = true)', 'subscription sub [binary]', 14],
  ['ALTER SUBSCRIPTION sub SET (streaming = on)', 'subscription sub [streaming]', 14],
  ["UPDATE pg_subscription SET subtwophasestate = 'p'", 'subscription sub [twoPhase]', 15],
  ['ALTER SUBSCRIPTION sub SET (disable_on_error = true)', 'subscription sub [disableOnError]', 15],
  ['ALTER SUBSCRIPTION sub SET (origin = none)', 'subscription sub [origin]', 16],
  ['ALTER SUBSCRIPTION sub SET (password_required = false)', 'subscription sub [passwordRequired]', 16],
  ['ALTER SUBSCRIPTION sub SET (run_as_owner = true)', 'subscription sub [runAsOwner]', 16],
  ['UPDATE pg_subscription SET subfailover = true', 'subscription sub [failover]', 17],
  ["UPDATE pg_subscription SET subowner = 'other'::regrole", 'subscription sub [owner]'],
  ['ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub', '- subscription sub'],
  // Rights that come by default, and those of an extension's members.
  ['ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT INSERT ON TABLES TO reader', 'default privileges @ for r in s [privileges]'],
  ['ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO reader WITH GRANT OPTION', 'default privileges @ for r in s [privileges]'],
  ['ALTER DEFAULT PRIVILEGES IN SCHEMA s REVOKE SELECT ON TABLES FROM reader', '- default privileges @ for r in s'],
  ['ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', '+ default privileges @ for f'],
  ['ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT USAGE ON TYPES TO reader', '+ default privileges app for T'],
  ['GRANT EXECUTE ON FUNCTION ext.soundex(text) TO app', 'extension member function ext.soundex(pg_catalog.text) [rights]'],
  ['GRANT EXECUTE ON FUNCTION ext.soundex(text) TO PUBLIC', '- extension member function ext.soundex(pg_catalog.text)'],
  ['REVOKE EXECUTE ON FUNCTION ext.text_soundex(text) FROM PUBLIC', '+ extension member function ext.text_soundex(pg_catalog.text)'],
  // The database itself, where the dump brings it.
  ["ALTER ROLE app IN DATABASE changes SET work_mem = '8MB'", 'the database itself [settings]'],
  ["ALTER DATABASE changes SET work_mem = '8MB'", 'the database itself [settings]'],
  ["COMMENT ON DATABASE changes IS 'x'", 'the database itself [comment]'],
  ['GRANT CREATE ON DATABASE changes TO reader', 'the database itself [privileges]'],
  ['REVOKE CONNECT ON DATABASE changes FROM PUBLIC', 'the database itself [privileges]'],
  ['ALTER DATABASE changes CONNECTION LIMIT 5', 'the database itself [connectionLimit]'],
  ['UPDATE pg_database SET datistemplate = true WHERE datname = current_database()', 'the database itself [isTemplate]'],
  ['ALTER DATABASE changes OWNER TO other', 'the database itself [owner]'],
  // Extensions.
  ["UPDATE pg_extension SET extversion = '99' WHERE extname = 'citext'", { code: 'compare.extension-version-differs' }],
  ['ALTER EXTENSION citext SET SCHEMA spare', { code: 'compare.extension-moved' }],
  ['CREATE EXTENSION hstore SCHEMA ext', { code: 'compare.extension-extra', names: ['hstore'] }],
  // Rows.
  ["UPDATE ONLY s.t SET b = 'One' WHERE a = 1", { code: 'compare.content-differs', names: ['s.t'] }],
  ['DELETE FROM ONLY s.t', { code: 'compare.rows-missing' }],
  ['INSERT INTO s.leaf VALUES (1)', { code: 'compare.rows-extra' }],
  ["SELECT lo_put(4711, 1, 'X')", { code: 'compare.large-objects-differ' }],
  ['ALTER LARGE OBJECT 4711 OWNER TO app', { code: 'compare.large-objects-differ' }],
  ['GRANT SELECT ON LARGE OBJECT 4711 TO app', { code: 'compare.large-objects-differ' }],
  ["COMMENT ON LARGE OBJECT 4711 IS 'x'", { code: 'compare.large-objects-differ' }],
  ["INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label) VALUES (4711, 'pg_largeobject'::regclass, 0, 'selinux', 'secret')", { code: 'compare.large-objects-differ' }],
  ['SELECT lo_unlink(4712)', { code: 'compare.large-objects-differ' }],
  // Schemas.
  ['CREATE SCHEMA more', '+ schema more'],
];

export const changes: readonly Change[] = [...kinds.flatMap(general), ...specific].map(([sql, says, since = 13, until = 99]) => {
  const range = { sql, since, until };
  if (typeof says === 'object' && 'code' in says) return { ...range, code: says.code, names: says.names ?? [] };
  const names = typeof says === 'string' ? [says] : [...says];
  const mark = names.every((name) => name.startsWith('- ')) ? '- ' : names.every((name) => name.startsWith('+ ')) ? '+ ' : '';
  return { ...range, code: mark === '- ' ? 'compare.object-missing' : mark === '+ ' ? 'compare.object-extra' : 'compare.object-differs', names: names.map((name) => name.slice(mark.length)) };
});
