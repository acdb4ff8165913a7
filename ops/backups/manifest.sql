-- What is true in this database in the snapshot of the open transaction: one JSON object per line.
-- The same text feeds psql when a backup is taken (psql -AtXq on stdin) and the harness when it is restored, on servers 13 to 18.
-- The caller has opened BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY. Nothing is written, nothing is created, no code of the
-- database's own runs: every name resolves in pg_catalog, and columns are read through output functions, never through casts that
-- the database may define. A statement ends with a semicolon at the end of a line, and no other line ends with one.
--
-- Rights: pg_read_all_data (14 and later) and BYPASSRLS are enough; a row-level policy that would filter a count is an error.

-- Everything that changes how a value or a definition is written.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL lc_numeric = 'C';
SET LOCAL lc_time = 'C';
SET LOCAL xmloption = 'content';
SET LOCAL xmlbinary = 'base64';
SET LOCAL standard_conforming_strings = on;
SET LOCAL quote_all_identifiers = off;
SET LOCAL transform_null_equals = off;
-- A filtered count would agree with a filtered dump, both wrong: refuse instead.
SET LOCAL row_security = off;
-- Compiling the chain of a wide table costs far more than running it.
SET LOCAL jit = off;
-- pg_dump lifts these limits for itself, too; only servers from 17 on have the last one. No row comes of it.
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = 0;
SELECT WHERE CASE WHEN current_setting('server_version_num')::int >= 170000 THEN set_config('transaction_timeout', '0', true) IS NULL END;
-- Lines are UTF-8; a database without an encoding hands out its bytes as they are. No row comes of this.
SELECT WHERE set_config('client_encoding', CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true) IS NULL;

-- A column that only some majors have is read as to_jsonb(row) ->> 'name': null where there is none.
SELECT jsonb_build_object(
  'kind', 'database',
  'algorithm', 'row-chain-1',
  'name', d.datname,
  'serverVersion', current_setting('server_version'),
  'serverVersionNum', current_setting('server_version_num')::int,
  'encoding', pg_encoding_to_char(d.encoding),
  'provider', CASE coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'other' END,
  'collate', d.datcollate,
  'ctype', d.datctype,
  'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
  'collationVersion', to_jsonb(d) ->> 'datcollversion'
)::text
FROM pg_database AS d
WHERE d.datname = current_database();

SELECT jsonb_build_object(
  'kind', 'snapshot',
  'snapshot', pg_current_snapshot()::text,
  'time', to_char(transaction_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'recovery', pg_is_in_recovery()
)::text;

-- Sequences are not MVCC: they come before the long reading of the tables, so that a caller's pg_dump can only see later values.
SELECT (
  jsonb_build_object('kind', 'sequence', 'schema', n.nspname, 'name', c.relname, 'increment', s.seqincrement::text, 'cycle', s.seqcycle)
  || substring(query_to_xml(format('SELECT jsonb_build_object(''lastValue'', last_value::text, ''isCalled'', is_called) AS j FROM %I.%I', n.nspname, c.relname), true, true, '')::text from '[{].*[}]')::jsonb
)::text
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_sequence AS s ON s.seqrelid = c.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
  AND NOT EXISTS (
    SELECT FROM pg_depend AS e
    WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
      AND NOT EXISTS (SELECT FROM pg_extension AS x WHERE x.oid = e.refobjid AND c.oid = ANY (x.extconfig)))
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C";

-- A dump may begin here: backup-db.sh reads on from this line beside its pg_dump.
SELECT jsonb_build_object('kind', 'extension', 'name', x.extname, 'version', x.extversion, 'schema', n.nspname)::text
FROM pg_extension AS x
JOIN pg_namespace AS n ON n.oid = x.extnamespace
ORDER BY x.extname COLLATE "C";

-- Definitions: schema text, never a row's value. Objects of an extension are its own affair; pg_dump leaves them out as well.
-- `tbl` names the table an object belongs to, where its own name is unique only there. Definitions leave out what a restore may
-- change: OIDs, column numbers, the tablespace. `parent` is the relation that an object hangs on, whose extension is its own.
-- Options of foreign objects may hold a password: they are told apart by a hash of each, never written down.
WITH space AS MATERIALIZED (
  SELECT n.* FROM pg_namespace AS n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
),
object (type, class, oid, sub, schema, tbl, name, owner, acl, aclkind, parent, definition) AS (
  SELECT 'schema', 'pg_namespace'::regclass, n.oid, 0, n.nspname::text, NULL::text, n.nspname::text, n.nspowner, n.nspacl, 'n'::"char", 0::oid, '{}'::jsonb
  FROM space AS n
  UNION ALL
  SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
    'pg_class'::regclass, c.oid, 0, n.nspname, NULL, c.relname, c.relowner, c.relacl, 'r', 0,
    jsonb_build_object(
      'persistence', c.relpersistence,
      'options', (SELECT jsonb_agg(o ORDER BY o COLLATE "C") FROM unnest(c.reloptions) AS o),
      'toastOptions', (SELECT jsonb_agg(o ORDER BY o COLLATE "C") FROM pg_class AS toast, unnest(toast.reloptions) AS o WHERE toast.oid = c.reltoastrelid),
      'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
      'columns', CASE WHEN c.relkind IN ('v', 'm') THEN (
        SELECT jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(ad.adbin, ad.adrelid)) ORDER BY a.attnum)
        FROM pg_attribute AS a LEFT JOIN pg_attrdef AS ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
      -- What a table's columns say for themselves.
      'columnPrivileges', CASE WHEN c.relkind IN ('v', 'm') THEN (
        SELECT jsonb_agg(x.entry ORDER BY x.entry COLLATE "C") FROM (
          SELECT concat(quote_ident(a.attname), ' ', CASE WHEN p.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(p.grantee)) END, ' ', p.privilege_type, CASE WHEN p.is_grantable THEN ' WITH GRANT OPTION' END, CASE WHEN p.grantor <> c.relowner THEN ' BY ' || quote_ident(pg_get_userbyid(p.grantor)) END) AS entry
          FROM pg_attribute AS a, aclexplode(a.attacl) AS p WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS x) END,
      'columnComments', CASE WHEN c.relkind IN ('v', 'm') THEN (
        SELECT jsonb_object_agg(a.attname, d.description) FROM pg_attribute AS a
        JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0) END,
      'columnLabels', CASE WHEN c.relkind IN ('v', 'm') THEN (
        SELECT jsonb_object_agg(concat(a.attname, ' ', l.provider), l.label) FROM pg_attribute AS a
        JOIN pg_seclabel AS l ON l.classoid = 'pg_class'::regclass AND l.objoid = a.attrelid AND l.objsubid = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0) END,
      'columnSettings', CASE WHEN c.relkind = 'm' THEN (
        SELECT jsonb_object_agg(x.name, x.setting) FROM (
          SELECT a.attname AS name, jsonb_strip_nulls(jsonb_build_object(
            'storage', CASE WHEN a.attstorage <> ty.typstorage THEN a.attstorage END,
            'compression', nullif(to_jsonb(a) ->> 'attcompression', ''),
            'statistics', nullif(to_jsonb(a) ->> 'attstattarget', '-1'),
            'options', (SELECT jsonb_agg(o ORDER BY o COLLATE "C") FROM unnest(a.attoptions) AS o WHERE split_part(o, '=', 1) <> 'pg_attver'))) AS setting
          FROM pg_attribute AS a JOIN pg_type AS ty ON ty.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS x WHERE x.setting <> '{}') END,
      'populated', CASE WHEN c.relkind = 'm' THEN c.relispopulated END,
      'accessMethod', (SELECT am.amname FROM pg_am AS am WHERE am.oid = c.relam),
      'partitionBy', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
      'partitionBound', pg_get_expr(c.relpartbound, c.oid),
      'inherits', (SELECT jsonb_agg(i.inhparent::regclass::text ORDER BY i.inhseqno) FROM pg_inherits AS i WHERE i.inhrelid = c.oid),
      'ofType', CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
      'rowSecurity', CASE WHEN c.relkind IN ('r', 'p') THEN c.relrowsecurity END,
      'forceRowSecurity', CASE WHEN c.relkind IN ('r', 'p') THEN c.relforcerowsecurity END,
      'replicaIdentity', CASE WHEN c.relkind IN ('r', 'p', 'm') THEN c.relreplident END,
      'foreign', (SELECT jsonb_build_object('server', fs.srvname, 'options', (SELECT jsonb_object_agg(split_part(o, '=', 1), encode(sha256(convert_to(o, getdatabaseencoding())), 'hex')) FROM unnest(ft.ftoptions) AS o)) FROM pg_foreign_table AS ft JOIN pg_foreign_server AS fs ON fs.oid = ft.ftserver WHERE ft.ftrelid = c.oid))
  FROM pg_class AS c JOIN space AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't'
  UNION ALL
  SELECT 'column', 'pg_class'::regclass, c.oid, a.attnum, n.nspname, c.relname, a.attname, NULL, a.attacl, 'c', c.oid,
    jsonb_build_object(
      'type', format_type(a.atttypid, a.atttypmod),
      -- From 18 on it is a constraint of its own, with a name (which pg_dump leaves out where it is this one), and never checked
      -- perhaps: what inherits from such a one comes back as a child's own.
      'notNull', CASE WHEN NOT a.attnotnull THEN 'no' WHEN NOT k.convalidated THEN 'not validated' ELSE 'yes' END,
      'notNullName', CASE WHEN o.own OR c.relispartition THEN nullif(k.conname, concat(c.relname, '_', a.attname, '_not_null')) END,
      'notNullNoInherit', nullif(k.connoinherit, false),
      'notNullLocal', CASE WHEN i.child AND k.convalidated THEN o.own END,
      'notNullComment', (SELECT d.description FROM pg_description AS d WHERE d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid),
      'local', CASE WHEN i.child THEN a.attislocal END,
      'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(ad.adbin, ad.adrelid) END,
      'generated', nullif(a.attgenerated::text, ''),
      'generation', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(ad.adbin, ad.adrelid) END,
      'identity', nullif(a.attidentity::text, ''),
      'collation', CASE WHEN a.attcollation <> ty.typcollation THEN (SELECT format('%I.%I', cn.nspname, co.collname) FROM pg_collation AS co JOIN pg_namespace AS cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END,
      'storage', CASE WHEN a.attstorage <> ty.typstorage THEN a.attstorage END,
      'compression', nullif(to_jsonb(a) ->> 'attcompression', ''),
      'statistics', nullif(to_jsonb(a) ->> 'attstattarget', '-1'),
      -- Later minor versions keep a mark of their own among them, another in each cluster, which pg_dump leaves out.
      'options', (SELECT jsonb_agg(o ORDER BY o COLLATE "C") FROM unnest(a.attoptions) AS o WHERE split_part(o, '=', 1) <> 'pg_attver'),
      'foreignOptions', (SELECT jsonb_object_agg(split_part(o, '=', 1), encode(sha256(convert_to(o, getdatabaseencoding())), 'hex')) FROM unnest(a.attfdwoptions) AS o),
      -- Inherited columns may legitimately come back in another order, and before what a child has of its own.
      'position', CASE WHEN NOT i.child THEN (SELECT count(*) FROM pg_attribute AS b WHERE b.attrelid = c.oid AND b.attnum BETWEEN 1 AND a.attnum AND NOT b.attisdropped)
        WHEN a.attinhcount = 0 THEN (SELECT count(*) FROM pg_attribute AS b WHERE b.attrelid = c.oid AND b.attnum BETWEEN 1 AND a.attnum AND NOT b.attisdropped AND b.attinhcount = 0) END)
  FROM pg_class AS c
  JOIN space AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type AS ty ON ty.oid = a.atttypid
  LEFT JOIN pg_attrdef AS ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
  LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
  -- Not of a partition, which has its columns by itself.
  CROSS JOIN LATERAL (SELECT NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhrelid = c.oid) AS child) AS i
  CROSS JOIN LATERAL (SELECT k.conislocal OR NOT k.convalidated OR (i.child AND k.oid IS NOT NULL AND EXISTS (
    SELECT FROM pg_inherits AS h
    JOIN pg_attribute AS pa ON pa.attrelid = h.inhparent AND pa.attname = a.attname
    JOIN pg_constraint AS pk ON pk.conrelid = h.inhparent AND pk.contype = 'n' AND pk.conkey = ARRAY[pa.attnum] AND NOT pk.convalidated
    WHERE h.inhrelid = c.oid)) AS own) AS o
  WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
  UNION ALL
  -- NOT NULL lives with its column, a domain's constraints with the domain, a constraint trigger with the triggers; the foreign
  -- keys that partitions get from their parent bear names of the server's choice.
  SELECT 'constraint', 'pg_constraint'::regclass, k.oid, 0, n.nspname, c.relname, k.conname, NULL, NULL, NULL, c.oid,
    jsonb_build_object(
      'kind', k.contype,
      'definition', pg_get_constraintdef(k.oid),
      'validated', k.convalidated,
      'deferrable', k.condeferrable,
      'deferred', k.condeferred,
      'noInherit', k.connoinherit AND k.contype = 'c',
      'local', CASE WHEN k.contype = 'c' AND NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhrelid = c.oid) THEN k.conislocal END,
      'enforced', coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true))
  FROM pg_constraint AS k
  JOIN pg_class AS c ON c.oid = k.conrelid
  JOIN space AS n ON n.oid = c.relnamespace
  WHERE k.contype NOT IN ('n', 't') AND NOT (k.contype = 'f' AND k.conparentid <> 0) AND c.relpersistence <> 't'
  UNION ALL
  SELECT 'index', 'pg_class'::regclass, ic.oid, 0, n.nspname, c.relname, ic.relname, NULL, NULL, NULL, c.oid,
    jsonb_build_object(
      'definition', pg_get_indexdef(i.indexrelid),
      'unique', i.indisunique,
      'primary', i.indisprimary,
      'exclusion', i.indisexclusion,
      'immediate', i.indimmediate,
      'valid', i.indisvalid,
      'ready', i.indisready,
      'nullsNotDistinct', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
      'replicaIdentity', i.indisreplident,
      'clustered', i.indisclustered,
      'partitionOf', (SELECT h.inhparent::regclass::text FROM pg_inherits AS h WHERE h.inhrelid = ic.oid),
      'statistics', (SELECT jsonb_agg(s.target ORDER BY s.position) FROM (
        SELECT a.attnum AS position, jsonb_build_array(a.attnum, to_jsonb(a) ->> 'attstattarget') AS target
        FROM pg_attribute AS a WHERE a.attrelid = ic.oid AND coalesce(to_jsonb(a) ->> 'attstattarget', '-1') <> '-1') AS s))
  FROM pg_index AS i
  JOIN pg_class AS ic ON ic.oid = i.indexrelid
  JOIN pg_class AS c ON c.oid = i.indrelid
  JOIN space AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
  UNION ALL
  SELECT 'trigger', 'pg_trigger'::regclass, g.oid, 0, n.nspname, c.relname, g.tgname, NULL, NULL, NULL, c.oid,
    jsonb_build_object('definition', pg_get_triggerdef(g.oid), 'enabled', g.tgenabled)
  FROM pg_trigger AS g
  JOIN pg_class AS c ON c.oid = g.tgrelid
  JOIN space AS n ON n.oid = c.relnamespace
  -- Before 15 what a partition has of its parent counts as internal; one that was disabled there alone is dumped so.
  WHERE NOT g.tgisinternal OR (g.tgparentid <> 0 AND g.tgconstraint = 0)
  UNION ALL
  SELECT 'policy', 'pg_policy'::regclass, p.oid, 0, n.nspname, c.relname, p.polname, NULL, NULL, NULL, c.oid,
    jsonb_build_object(
      'command', p.polcmd,
      'permissive', p.polpermissive,
      'roles', (SELECT jsonb_agg(CASE WHEN r.id = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r.id)) END ORDER BY pg_get_userbyid(r.id) COLLATE "C") FROM unnest(p.polroles) AS r (id)),
      'using', pg_get_expr(p.polqual, p.polrelid),
      'check', pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy AS p
  JOIN pg_class AS c ON c.oid = p.polrelid
  JOIN space AS n ON n.oid = c.relnamespace
  UNION ALL
  SELECT 'rule', 'pg_rewrite'::regclass, w.oid, 0, n.nspname, c.relname, w.rulename, NULL, NULL, NULL, c.oid,
    jsonb_build_object('definition', pg_get_ruledef(w.oid), 'enabled', w.ev_enabled)
  FROM pg_rewrite AS w
  JOIN pg_class AS c ON c.oid = w.ev_class
  JOIN space AS n ON n.oid = c.relnamespace
  WHERE w.rulename <> '_RETURN'
  UNION ALL
  SELECT 'sequence', 'pg_class'::regclass, c.oid, 0, n.nspname, NULL, c.relname, c.relowner, c.relacl, 's', 0,
    jsonb_build_object(
      'type', format_type(s.seqtypid, NULL), 'start', s.seqstart::text, 'increment', s.seqincrement::text,
      'minimum', s.seqmin::text, 'maximum', s.seqmax::text, 'cache', s.seqcache::text, 'cycle', s.seqcycle, 'persistence', c.relpersistence,
      'ownedBy', (SELECT jsonb_build_array(tn.nspname, tc.relname, a.attname) FROM pg_depend AS e
        JOIN pg_class AS tc ON tc.oid = e.refobjid JOIN pg_namespace AS tn ON tn.oid = tc.relnamespace
        JOIN pg_attribute AS a ON a.attrelid = tc.oid AND a.attnum = e.refobjsubid
        WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.refclassid = 'pg_class'::regclass AND e.deptype IN ('a', 'i') AND e.refobjsubid > 0))
  FROM pg_class AS c
  JOIN space AS n ON n.oid = c.relnamespace
  JOIN pg_sequence AS s ON s.seqrelid = c.oid
  WHERE c.relpersistence <> 't'
  UNION ALL
  SELECT CASE f.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
    'pg_proc'::regclass, f.oid, 0, n.nspname, NULL, format('%s(%s)', f.proname, oidvectortypes(f.proargtypes)), f.proowner, f.proacl, 'f', 0,
    jsonb_build_object('arguments', pg_get_function_arguments(f.oid), 'result', pg_get_function_result(f.oid), 'parallel', f.proparallel)
    || CASE WHEN f.prokind <> 'a' THEN jsonb_build_object(
      'language', (SELECT l.lanname FROM pg_language AS l WHERE l.oid = f.prolang),
      'body', f.prosrc,
      'library', f.probin,
      -- Of a body in the style of SQL's standard only the parse tree is kept.
      'atomicBody', CASE WHEN f.prosrc = '' THEN substring(pg_get_functiondef(f.oid) from E'\n((?:BEGIN ATOMIC|RETURN ).*)$') END,
      'window', nullif(f.prokind = 'w', false),
      'volatility', f.provolatile, 'strict', f.proisstrict, 'leakproof', f.proleakproof, 'securityDefiner', f.prosecdef, 'cost', f.procost, 'rows', f.prorows,
      'settings', to_jsonb(f.proconfig),
      'support', nullif(f.prosupport::oid, 0)::regprocedure,
      'transforms', (SELECT jsonb_agg(format_type(t.type, NULL) ORDER BY t.at) FROM unnest(f.protrftypes) WITH ORDINALITY AS t (type, at)))
    ELSE (SELECT jsonb_build_object(
        'kind', g.aggkind, 'directArguments', g.aggnumdirectargs,
        'transition', g.aggtransfn::oid::regprocedure, 'final', g.aggfinalfn::oid::regprocedure, 'combine', g.aggcombinefn::oid::regprocedure, 'serial', g.aggserialfn::oid::regprocedure, 'deserial', g.aggdeserialfn::oid::regprocedure,
        'movingTransition', g.aggmtransfn::oid::regprocedure, 'movingInverse', g.aggminvtransfn::oid::regprocedure, 'movingFinal', g.aggmfinalfn::oid::regprocedure,
        'finalModify', CASE WHEN g.aggfinalfn <> 0 THEN g.aggfinalmodify END, 'finalExtra', CASE WHEN g.aggfinalfn <> 0 THEN g.aggfinalextra END, 'sortOperator', g.aggsortop::regoperator::text,
        'stateType', format_type(g.aggtranstype, NULL), 'stateSpace', g.aggtransspace, 'initial', g.agginitval,
        'movingStateType', CASE WHEN g.aggmtranstype <> 0 THEN format_type(g.aggmtranstype, NULL) END, 'movingStateSpace', nullif(g.aggmtransspace, 0), 'movingInitial', g.aggminitval,
        'movingFinalModify', CASE WHEN g.aggmfinalfn <> 0 THEN g.aggmfinalmodify END, 'movingFinalExtra', CASE WHEN g.aggmfinalfn <> 0 THEN g.aggmfinalextra END)
      FROM pg_aggregate AS g WHERE g.aggfnoid = f.oid) END
  FROM pg_proc AS f JOIN space AS n ON n.oid = f.pronamespace
  -- The functions that make a range type are made with it.
  WHERE NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_proc'::regclass AND e.objid = f.oid AND e.deptype = 'i')
  UNION ALL
  SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite type' WHEN 'r' THEN 'range type' ELSE 'base type' END,
    'pg_type'::regclass, t.oid, 0, n.nspname, NULL, t.typname, t.typowner, t.typacl, 'T', 0,
    CASE t.typtype
      WHEN 'e' THEN jsonb_build_object('labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid))
      WHEN 'd' THEN jsonb_build_object(
        'base', format_type(t.typbasetype, t.typtypmod), 'notNull', t.typnotnull,
        'notNullName', (SELECT nullif(k.conname, concat(t.typname, '_not_null')) FROM pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'n' AND current_setting('server_version_num')::int >= 180000), 'default', pg_get_expr(t.typdefaultbin, 0), 'collation', t.typcollation::regcollation::text,
        'constraints', (SELECT jsonb_agg(jsonb_build_array(k.conname, pg_get_constraintdef(k.oid), k.convalidated) ORDER BY k.conname COLLATE "C") FROM pg_constraint AS k WHERE k.contypid = t.oid AND k.contype <> 'n'),
        'constraintComments', (SELECT jsonb_object_agg(k.conname, d.description) FROM pg_constraint AS k
          JOIN pg_description AS d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid WHERE k.contypid = t.oid))
      WHEN 'c' THEN jsonb_build_object('attributes', (
        SELECT jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation::text) ORDER BY a.attnum)
        FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
        'attributeComments', (SELECT jsonb_object_agg(a.attname, d.description) FROM pg_attribute AS a
          JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum WHERE a.attrelid = t.typrelid AND a.attnum > 0))
      WHEN 'r' THEN (SELECT jsonb_build_object('subtype', format_type(r.rngsubtype, NULL), 'collation', r.rngcollation::regcollation::text,
        'multirange', format_type((to_jsonb(r) ->> 'rngmultitypid')::oid, NULL), 'canonical', r.rngcanonical::oid::regprocedure, 'difference', r.rngsubdiff::oid::regprocedure,
        'operatorClass', (SELECT format('%I.%I', cn.nspname, oc.opcname) FROM pg_opclass AS oc JOIN pg_namespace AS cn ON cn.oid = oc.opcnamespace WHERE oc.oid = r.rngsubopc AND NOT oc.opcdefault)) FROM pg_range AS r WHERE r.rngtypid = t.oid)
      ELSE jsonb_build_object(
        'defined', t.typisdefined, 'length', t.typlen, 'byValue', t.typbyval, 'alignment', t.typalign, 'storage', t.typstorage, 'category', t.typcategory, 'preferred', t.typispreferred,
        'delimiter', t.typdelim, 'collatable', t.typcollation <> 0, 'subscript', nullif(to_jsonb(t) ->> 'typsubscript', '-'), 'input', t.typinput::oid::regprocedure, 'output', t.typoutput::oid::regprocedure, 'receive', t.typreceive::oid::regprocedure, 'send', t.typsend::oid::regprocedure,
        'modifierIn', t.typmodin::oid::regprocedure, 'modifierOut', t.typmodout::oid::regprocedure, 'analyze', t.typanalyze::oid::regprocedure, 'default', t.typdefault, 'element', CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END)
    END
  FROM pg_type AS t JOIN space AS n ON n.oid = t.typnamespace
  -- Not the row type of a table, nor an array or multirange type: they are made with their own.
  WHERE (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
    AND t.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type AS el WHERE el.typarray = t.oid)
  UNION ALL
  SELECT 'statistics', 'pg_statistic_ext'::regclass, x.oid, 0, n.nspname, NULL, x.stxname, x.stxowner, NULL, NULL, 0,
    jsonb_build_object('definition', pg_get_statisticsobjdef(x.oid), 'target', nullif(to_jsonb(x) ->> 'stxstattarget', '-1'))
  FROM pg_statistic_ext AS x JOIN space AS n ON n.oid = x.stxnamespace
  UNION ALL
  SELECT 'collation', 'pg_collation'::regclass, o.oid, 0, n.nspname, NULL, o.collname, o.collowner, NULL, NULL, 0,
    jsonb_build_object('provider', o.collprovider, 'deterministic', o.collisdeterministic, 'collate', CASE WHEN o.collprovider = 'c' THEN to_jsonb(o) ->> 'collcollate' END, 'ctype', CASE WHEN o.collprovider = 'c' THEN to_jsonb(o) ->> 'collctype' END,
      'locale', CASE WHEN o.collprovider <> 'c' THEN coalesce(to_jsonb(o) ->> 'colllocale', to_jsonb(o) ->> 'colliculocale', to_jsonb(o) ->> 'collcollate') END, 'rules', to_jsonb(o) ->> 'collicurules')
  FROM pg_collation AS o JOIN space AS n ON n.oid = o.collnamespace
  UNION ALL
  SELECT 'conversion', 'pg_conversion'::regclass, o.oid, 0, n.nspname, NULL, o.conname, o.conowner, NULL, NULL, 0,
    jsonb_build_object('from', pg_encoding_to_char(o.conforencoding), 'to', pg_encoding_to_char(o.contoencoding), 'function', o.conproc, 'default', o.condefault)
  FROM pg_conversion AS o JOIN space AS n ON n.oid = o.connamespace
  UNION ALL
  SELECT 'operator', 'pg_operator'::regclass, o.oid, 0, n.nspname, NULL,
    format('%s(%s,%s)', o.oprname, CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END, CASE WHEN o.oprright = 0 THEN 'NONE' ELSE format_type(o.oprright, NULL) END), o.oprowner, NULL, NULL, 0,
    jsonb_build_object('function', o.oprcode::oid::regprocedure, 'commutator', o.oprcom::regoperator::text, 'negator', o.oprnegate::regoperator::text, 'restrict', o.oprrest::oid::regprocedure, 'join', o.oprjoin::oid::regprocedure, 'merges', o.oprcanmerge, 'hashes', o.oprcanhash)
  FROM pg_operator AS o JOIN space AS n ON n.oid = o.oprnamespace
  -- Only named by another so far, which names it again.
  WHERE o.oprcode <> 0
  UNION ALL
  SELECT 'operator class', 'pg_opclass'::regclass, o.oid, 0, n.nspname, NULL, format('%s using %s', o.opcname, am.amname), o.opcowner, NULL, NULL, 0,
    jsonb_build_object('type', format_type(o.opcintype, NULL), 'default', o.opcdefault, 'key', CASE WHEN o.opckeytype <> 0 THEN format_type(o.opckeytype, NULL) END, 'family', (SELECT format('%I.%I', fn.nspname, f.opfname) FROM pg_opfamily AS f JOIN pg_namespace AS fn ON fn.oid = f.opfnamespace WHERE f.oid = o.opcfamily))
  FROM pg_opclass AS o JOIN space AS n ON n.oid = o.opcnamespace JOIN pg_am AS am ON am.oid = o.opcmethod
  UNION ALL
  SELECT 'operator family', 'pg_opfamily'::regclass, o.oid, 0, n.nspname, NULL, format('%s using %s', o.opfname, am.amname), o.opfowner, NULL, NULL, 0,
    jsonb_build_object(
      -- `members`: what cannot be without a class.
      'operators', (SELECT jsonb_agg(x.j ORDER BY x.j) FROM (SELECT jsonb_build_array(p.amopstrategy, p.amoppurpose, p.amopopr::regoperator::text, format_type(p.amoplefttype, NULL), format_type(p.amoprighttype, NULL),
        (SELECT format('%I.%I', fn.nspname, f.opfname) FROM pg_opfamily AS f JOIN pg_namespace AS fn ON fn.oid = f.opfnamespace WHERE f.oid = p.amopsortfamily)) AS j FROM pg_amop AS p WHERE p.amopfamily = o.oid) AS x),
      'functions', (SELECT jsonb_agg(x.j ORDER BY x.j) FROM (SELECT jsonb_build_array(p.amprocnum, p.amproc::oid::regprocedure, format_type(p.amproclefttype, NULL), format_type(p.amprocrighttype, NULL)) AS j FROM pg_amproc AS p WHERE p.amprocfamily = o.oid) AS x),
      'members', (SELECT jsonb_agg(x.j ORDER BY x.j) FROM (SELECT jsonb_build_array(k.opcname, p.amopstrategy, p.amopopr::regoperator::text) AS j
        FROM pg_amop AS p JOIN pg_depend AS e ON e.classid = 'pg_amop'::regclass AND e.objid = p.oid AND e.refclassid = 'pg_opclass'::regclass JOIN pg_opclass AS k ON k.oid = e.refobjid WHERE p.amopfamily = o.oid
        UNION ALL SELECT jsonb_build_array(k.opcname, p.amprocnum, p.amproc::oid::regprocedure)
        FROM pg_amproc AS p JOIN pg_depend AS e ON e.classid = 'pg_amproc'::regclass AND e.objid = p.oid AND e.refclassid = 'pg_opclass'::regclass JOIN pg_opclass AS k ON k.oid = e.refobjid WHERE p.amprocfamily = o.oid) AS x))
  FROM pg_opfamily AS o JOIN space AS n ON n.oid = o.opfnamespace JOIN pg_am AS am ON am.oid = o.opfmethod
  UNION ALL
  SELECT 'text search configuration', 'pg_ts_config'::regclass, o.oid, 0, n.nspname, NULL, o.cfgname, o.cfgowner, NULL, NULL, 0,
    jsonb_build_object('parser', (SELECT format('%I.%I', pn.nspname, p.prsname) FROM pg_ts_parser AS p JOIN pg_namespace AS pn ON pn.oid = p.prsnamespace WHERE p.oid = o.cfgparser), 'map', (SELECT jsonb_agg(jsonb_build_array(m.maptokentype, m.mapseqno, m.mapdict::regdictionary::text) ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map AS m WHERE m.mapcfg = o.oid))
  FROM pg_ts_config AS o JOIN space AS n ON n.oid = o.cfgnamespace
  UNION ALL
  SELECT 'text search dictionary', 'pg_ts_dict'::regclass, o.oid, 0, n.nspname, NULL, o.dictname, o.dictowner, NULL, NULL, 0,
    jsonb_build_object('template', (SELECT format('%I.%I', pn.nspname, p.tmplname) FROM pg_ts_template AS p JOIN pg_namespace AS pn ON pn.oid = p.tmplnamespace WHERE p.oid = o.dicttemplate), 'options', o.dictinitoption)
  FROM pg_ts_dict AS o JOIN space AS n ON n.oid = o.dictnamespace
  UNION ALL
  SELECT 'text search parser', 'pg_ts_parser'::regclass, o.oid, 0, n.nspname, NULL, o.prsname, NULL, NULL, NULL, 0,
    jsonb_build_object('start', o.prsstart::oid::regprocedure, 'token', o.prstoken::oid::regprocedure, 'end', o.prsend::oid::regprocedure, 'headline', o.prsheadline::oid::regprocedure, 'types', o.prslextype::oid::regprocedure)
  FROM pg_ts_parser AS o JOIN space AS n ON n.oid = o.prsnamespace
  UNION ALL
  SELECT 'text search template', 'pg_ts_template'::regclass, o.oid, 0, n.nspname, NULL, o.tmplname, NULL, NULL, NULL, 0,
    jsonb_build_object('initialise', o.tmplinit::oid::regprocedure, 'lexize', o.tmpllexize::oid::regprocedure)
  FROM pg_ts_template AS o JOIN space AS n ON n.oid = o.tmplnamespace
  UNION ALL
  -- From here: objects of the whole database, in no schema. OIDs below 16384 are Postgres's own.
  SELECT 'event trigger', 'pg_event_trigger'::regclass, g.oid, 0, NULL, NULL, g.evtname, g.evtowner, NULL, NULL, 0,
    jsonb_build_object('event', g.evtevent, 'enabled', g.evtenabled, 'function', g.evtfoid::regprocedure::text, 'tags', to_jsonb(g.evttags))
  FROM pg_event_trigger AS g
  UNION ALL
  SELECT 'cast', 'pg_cast'::regclass, k.oid, 0, NULL, NULL, format('%s AS %s', format_type(k.castsource, NULL), format_type(k.casttarget, NULL)), NULL, NULL, NULL, 0,
    jsonb_build_object('context', k.castcontext, 'method', k.castmethod, 'function', k.castfunc::regprocedure::text)
  -- The cast of a range type is made with it.
  FROM pg_cast AS k WHERE k.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_cast'::regclass AND e.objid = k.oid AND e.deptype = 'i')
  UNION ALL
  SELECT 'transform', 'pg_transform'::regclass, f.oid, 0, NULL, NULL, format('%s for %s', format_type(f.trftype, NULL), l.lanname), NULL, NULL, NULL, 0,
    jsonb_build_object('from', f.trffromsql::regprocedure::text, 'to', f.trftosql::regprocedure::text)
  FROM pg_transform AS f JOIN pg_language AS l ON l.oid = f.trflang
  UNION ALL
  SELECT 'language', 'pg_language'::regclass, l.oid, 0, NULL, NULL, l.lanname, l.lanowner, l.lanacl, 'l', 0,
    jsonb_build_object('trusted', l.lanpltrusted, 'handler', l.lanplcallfoid::regprocedure, 'inline', l.laninline::regprocedure, 'validator', l.lanvalidator::regprocedure)
  FROM pg_language AS l WHERE l.oid >= 16384
  UNION ALL
  SELECT 'access method', 'pg_am'::regclass, a.oid, 0, NULL, NULL, a.amname, NULL, NULL, NULL, 0, jsonb_build_object('handler', a.amhandler::oid::regprocedure, 'type', a.amtype)
  FROM pg_am AS a WHERE a.oid >= 16384
  UNION ALL
  SELECT 'foreign-data wrapper', 'pg_foreign_data_wrapper'::regclass, f.oid, 0, NULL, NULL, f.fdwname, f.fdwowner, f.fdwacl, 'F', 0,
    jsonb_build_object('handler', f.fdwhandler::regprocedure, 'validator', f.fdwvalidator::regprocedure,
      'options', (SELECT jsonb_object_agg(split_part(o, '=', 1), encode(sha256(convert_to(o, getdatabaseencoding())), 'hex')) FROM unnest(f.fdwoptions) AS o))
  FROM pg_foreign_data_wrapper AS f
  UNION ALL
  SELECT 'foreign server', 'pg_foreign_server'::regclass, s.oid, 0, NULL, NULL, s.srvname, s.srvowner, s.srvacl, 'S', 0,
    jsonb_build_object('wrapper', f.fdwname, 'type', s.srvtype, 'version', s.srvversion,
      'options', (SELECT jsonb_object_agg(split_part(o, '=', 1), encode(sha256(convert_to(o, getdatabaseencoding())), 'hex')) FROM unnest(s.srvoptions) AS o))
  FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS f ON f.oid = s.srvfdw
  UNION ALL
  -- Whoever reads all data reads the options too, and pg_dump writes those that the view shows to its role: `dumped` is no part
  -- of the definition, but says what a dump by this role can hold.
  SELECT 'user mapping', 'pg_foreign_server'::regclass, u.srvid, -1, NULL, NULL, format('%s for %s', u.srvname, u.usename), NULL, NULL, NULL, 0,
    jsonb_build_object('dumped', u.umoptions IS NOT NULL OR current_setting('is_superuser') = 'on') || CASE WHEN has_table_privilege('pg_user_mapping', 'SELECT') THEN
      substring(query_to_xml(format($query$
        SELECT jsonb_build_object('options', coalesce((SELECT jsonb_object_agg(split_part(o, '=', 1), encode(sha256(convert_to(o, getdatabaseencoding())), 'hex')) FROM unnest(m.umoptions) AS o), '{}')) AS j
        FROM pg_user_mapping AS m WHERE m.oid = %s$query$, u.umid), true, true, '')::text from '[{].*[}]')::jsonb ELSE '{}' END
  FROM pg_user_mappings AS u
  UNION ALL
  SELECT 'publication', 'pg_publication'::regclass, p.oid, 0, NULL, NULL, p.pubname, p.pubowner, NULL, NULL, 0,
    jsonb_build_object('allTables', p.puballtables, 'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete, 'truncate', p.pubtruncate, 'viaRoot', p.pubviaroot, 'generatedColumns', nullif(to_jsonb(p) ->> 'pubgencols', 'n'))
    -- 15 brought columns, conditions and whole schemas. JSON within XML: what XML escapes is put back.
    || CASE WHEN to_regclass('pg_publication_namespace') IS NULL THEN jsonb_build_object('tables', (
        SELECT jsonb_agg(jsonb_build_array(r.prrelid::regclass, NULL) ORDER BY r.prrelid::regclass::text COLLATE "C") FROM pg_publication_rel AS r WHERE r.prpubid = p.oid))
      ELSE replace(replace(replace(substring(query_to_xml(format($query$
        SELECT jsonb_build_object(
          'tables', (SELECT jsonb_agg(jsonb_build_array(r.prrelid::regclass, (SELECT jsonb_agg(a.attname ORDER BY c.at) FROM unnest(r.prattrs::int2[]) WITH ORDINALITY AS c (attnum, at) JOIN pg_attribute AS a ON a.attrelid = r.prrelid AND a.attnum = c.attnum))
            ORDER BY r.prrelid::regclass::text COLLATE "C") FROM pg_publication_rel AS r WHERE r.prpubid = %1$s),
          'rows', (SELECT jsonb_object_agg(r.prrelid::regclass, pg_get_expr(r.prqual, r.prrelid)) FROM pg_publication_rel AS r WHERE r.prpubid = %1$s AND r.prqual IS NOT NULL),
          'schemas', (SELECT jsonb_agg(n.pnnspid::regnamespace ORDER BY n.pnnspid::regnamespace::text COLLATE "C") FROM pg_publication_namespace AS n WHERE n.pnpubid = %1$s)) AS j$query$, p.oid), true, true, '')::text from '[{].*[}]'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&')::jsonb END
  FROM pg_publication AS p
  UNION ALL
  -- Whether one is enabled is left out: pg_dump has them all come back disabled. It dumps them for a superuser alone.
  SELECT 'subscription', 'pg_subscription'::regclass, s.oid, 0, NULL, NULL, s.subname, s.subowner, NULL, NULL, 0,
    jsonb_build_object('dumped', current_setting('is_superuser') = 'on')
    || replace(replace(replace(substring(query_to_xml(format($query$
      SELECT jsonb_build_object(
        'slot', j ->> 'subslotname', 'publications', j -> 'subpublications', 'binary', j ->> 'subbinary', 'commit', j ->> 'subsynccommit', 'origin', j ->> 'suborigin',
        'streaming', left(j ->> 'substream', 1), 'twoPhase', (j ->> 'subtwophasestate') <> 'd', 'disableOnError', j ->> 'subdisableonerr', 'passwordRequired', j ->> 'subpasswordrequired',
        'runAsOwner', j ->> 'subrunasowner', 'failover', j ->> 'subfailover', 'connection', encode(sha256(convert_to(j ->> 'subconninfo', 'UTF8')), 'hex')) AS j
      FROM (SELECT to_jsonb(x) AS j FROM (SELECT %s FROM pg_subscription WHERE oid = %s) AS x) AS y$query$,
      (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute AS a WHERE a.attrelid = 'pg_subscription'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege('pg_subscription', a.attnum, 'SELECT')),
      s.oid), true, true, '')::text from '[{].*[}]'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&')::jsonb
  FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datname = current_database()
  UNION ALL
  SELECT 'extension', 'pg_extension'::regclass, x.oid, 0, NULL, NULL, x.extname, NULL, NULL, NULL, 0, '{}'
  FROM pg_extension AS x WHERE x.oid >= 16384
  UNION ALL
  -- What pg_dump writes of the database itself with --create, and with that alone. Applications keep secrets in settings of their own.
  SELECT 'database', 'pg_database'::regclass, d.oid, -1, NULL, NULL, '(this one)', d.datdba, d.datacl, 'd', 0,
    jsonb_build_object(
      'connectionLimit', nullif(d.datconnlimit, -1),
      'isTemplate', nullif(d.datistemplate, false),
      'settings', (SELECT jsonb_object_agg(coalesce(quote_ident(r.rolname), '(all)'), (SELECT jsonb_object_agg(split_part(o, '=', 1), encode(sha256(convert_to(o, getdatabaseencoding())), 'hex')) FROM unnest(s.setconfig) AS o)) FROM pg_db_role_setting AS s LEFT JOIN pg_roles AS r ON r.oid = s.setrole WHERE s.setdatabase = d.oid),
      'comment', shobj_description(d.oid, 'pg_database'))
  FROM pg_database AS d WHERE d.datname = current_database()
  UNION ALL
  SELECT 'default privileges', 'pg_default_acl'::regclass, a.oid, 0, NULL, NULL, format('%s for %s%s', pg_get_userbyid(a.defaclrole), a.defaclobjtype, ' in ' || n.nspname), a.defaclrole, a.defaclacl, NULL, 0, '{}'
  FROM pg_default_acl AS a LEFT JOIN pg_namespace AS n ON n.oid = a.defaclnamespace
  UNION ALL
  -- What an extension made is its own affair, but for rights that were granted or revoked since, which pg_dump carries.
  -- An owner's, granted by himself, are left out, since whoever runs CREATE EXTENSION owns it all, and may hand it on.
  SELECT 'extension member', NULL, m.oid, -1, NULL, NULL, (SELECT format('%s %s', i.type, i.identity) FROM pg_identify_object(m.class, m.oid, 0) AS i), NULL, NULL, NULL, 0,
    jsonb_build_object('rights', coalesce(m.rights, '[]'))
  FROM (
    SELECT a.class, a.oid, now.rights, was.rights AS initially
    FROM (
      SELECT 'pg_proc'::regclass AS class, f.oid, f.proowner AS owner, f.proacl AS acl, 'f'::"char" AS kind FROM pg_proc AS f
      UNION ALL SELECT 'pg_class'::regclass, c.oid, c.relowner, c.relacl, CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END FROM pg_class AS c
      UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typowner, t.typacl, 'T' FROM pg_type AS t
      UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.nspowner, n.nspacl, 'n' FROM pg_namespace AS n
      UNION ALL SELECT 'pg_language'::regclass, l.oid, l.lanowner, l.lanacl, 'l' FROM pg_language AS l
      UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, f.oid, f.fdwowner, f.fdwacl, 'F' FROM pg_foreign_data_wrapper AS f
    ) AS a
    JOIN pg_depend AS e ON e.classid = a.class AND e.objid = a.oid AND e.objsubid = 0 AND e.deptype = 'e'
    LEFT JOIN pg_init_privs AS i ON i.classoid = a.class AND i.objoid = a.oid AND i.objsubid = 0
    CROSS JOIN LATERAL (
      SELECT jsonb_agg(x.entry ORDER BY x.entry COLLATE "C") AS rights FROM (
        SELECT concat(CASE WHEN p.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(p.grantee)) END, ' ', p.privilege_type, CASE WHEN p.is_grantable THEN ' WITH GRANT OPTION' END) AS entry
        FROM aclexplode(coalesce(a.acl, acldefault(a.kind, a.owner))) AS p WHERE p.grantee <> p.grantor) AS x) AS now
    CROSS JOIN LATERAL (
      SELECT jsonb_agg(x.entry ORDER BY x.entry COLLATE "C") AS rights FROM (
        SELECT concat(CASE WHEN p.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(p.grantee)) END, ' ', p.privilege_type, CASE WHEN p.is_grantable THEN ' WITH GRANT OPTION' END) AS entry
        FROM aclexplode(coalesce(i.initprivs, acldefault(a.kind, a.owner))) AS p WHERE p.grantee <> p.grantor) AS x) AS was
    WHERE a.acl IS DISTINCT FROM i.initprivs
  ) AS m
  WHERE m.rights IS DISTINCT FROM m.initially
),
described AS (
  SELECT o.type, o.schema, o.tbl, o.name,
    jsonb_strip_nulls(o.definition || jsonb_build_object(
      -- Before 15 the schema public belongs to the superuser who made the cluster, whatever his name.
      'owner', CASE WHEN o.owner IS NULL OR o.type = 'default privileges' THEN NULL WHEN o.type = 'schema' AND o.name = 'public' AND (o.owner = 10 OR pg_get_userbyid(o.owner) = 'pg_database_owner') THEN '(default)' ELSE quote_ident(pg_get_userbyid(o.owner)) END,
      'privileges', (
        SELECT jsonb_agg(x.entry ORDER BY x.entry COLLATE "C") FROM (
          SELECT concat(
            CASE WHEN a.grantee = 0 THEN 'PUBLIC' WHEN a.grantee = o.owner THEN '(owner)' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, ' ', a.privilege_type,
            CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END,
            CASE WHEN a.grantor <> coalesce(o.owner, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = o.parent)) THEN ' BY ' || quote_ident(pg_get_userbyid(a.grantor)) END) AS entry
          FROM aclexplode(coalesce(o.acl, acldefault(o.aclkind, o.owner))) AS a) AS x),
      'comment', CASE WHEN o.sub < 0 THEN o.definition ->> 'comment' WHEN o.sub > 0 THEN col_description(o.oid, o.sub) WHEN o.sub = 0 THEN (SELECT d.description FROM pg_description AS d WHERE d.classoid = o.class AND d.objoid = o.oid AND d.objsubid = 0) END,
      'securityLabels', CASE WHEN o.sub >= 0 THEN (SELECT jsonb_object_agg(l.provider, l.label) FROM pg_seclabel AS l WHERE l.classoid = o.class AND l.objoid = o.oid AND l.objsubid = o.sub) END)) AS definition
  FROM object AS o
  WHERE NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = o.class AND e.objid = o.oid AND e.deptype = 'e')
    -- What belongs to an extension's table belongs to the extension, but for policies, which pg_dump carries.
    AND (o.type = 'policy' OR NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_class'::regclass AND e.objid = o.parent AND e.objsubid = 0 AND e.deptype = 'e'))
)
SELECT jsonb_build_object(
  'kind', 'object', 'type', d.type, 'schema', d.schema, 'table', d.tbl, 'name', d.name,
  -- Over the bytes as they are, so that it works in SQL_ASCII too.
  'hash', encode(sha256(convert_to(d.definition::text, getdatabaseencoding())), 'hex'),
  'definition', d.definition
)::text
FROM described AS d
ORDER BY d.type COLLATE "C", d.schema COLLATE "C" NULLS FIRST, d.tbl COLLATE "C" NULLS FIRST, d.name COLLATE "C";

-- Large objects, page by page, so that one of 4 TB takes no more memory than one of 4 bytes, and no right on each is needed (lo_get
-- needs one, and cannot return more than 1 GB). A missing page of a sparse object comes back from a restore as zeros: pages are
-- padded, pages of zeros left out, and the length counted by itself. Not read at all where there is none: before 14 the catalog of
-- pages is for superusers only.
SELECT (
  jsonb_build_object('kind', 'large-objects')
  || CASE WHEN NOT EXISTS (SELECT FROM pg_largeobject_metadata) THEN jsonb_build_object('count', '0', 'bytes', '0', 'digest', '0', 'grants', '0')
  ELSE substring(query_to_xml($query$
    SELECT jsonb_build_object(
      'count', (SELECT count(*) FROM pg_largeobject_metadata)::text,
      'bytes', (SELECT coalesce(sum(o.bytes), 0) FROM (
        SELECT max(p.pageno::bigint * (current_setting('block_size')::bigint / 4) + length(p.data)) AS bytes FROM pg_largeobject AS p GROUP BY p.loid) AS o)::text,
      'digest', ((SELECT coalesce(sum(hashint8extended(m.oid::bigint, 1)), 0) FROM pg_largeobject_metadata AS m)
        + (SELECT coalesce(sum(hashtextextended(encode(sha256(p.data || decode(repeat('00', current_setting('block_size')::int / 4 - length(p.data)), 'hex')), 'hex') COLLATE "C", hashint4extended(p.pageno, hashint8extended(p.loid::bigint, 2)))), 0)
          FROM pg_largeobject AS p WHERE p.data <> decode(repeat('00', length(p.data)), 'hex'))
        + (SELECT coalesce(sum(hashint8extended(o.bytes, hashint8extended(o.loid::bigint, 3))), 0) FROM (
          SELECT p.loid, max(p.pageno::bigint * (current_setting('block_size')::bigint / 4) + length(p.data)) AS bytes FROM pg_largeobject AS p GROUP BY p.loid) AS o))::text,
      'grants', (SELECT coalesce(sum(hashtextextended(concat(
        pg_get_userbyid(m.lomowner), ' ', (
          SELECT string_agg(concat(CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, ' ', a.privilege_type, a.is_grantable), ',' ORDER BY pg_get_userbyid(a.grantee) COLLATE "C", a.privilege_type COLLATE "C")
          FROM aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) AS a),
        ' ' || (SELECT d.description FROM pg_description AS d WHERE d.classoid = 'pg_largeobject'::regclass AND d.objoid = m.oid),
        ' ' || (SELECT string_agg(concat(l.provider, '=', l.label), ',' ORDER BY l.provider COLLATE "C") FROM pg_seclabel AS l WHERE l.classoid = 'pg_largeobject'::regclass AND l.objoid = m.oid)) COLLATE "C", hashint8extended(m.oid::bigint, 4))), 0) FROM pg_largeobject_metadata AS m)::text
    ) AS j
    $query$, true, true, '')::text from '[{].*[}]')::jsonb END
)::text;

-- Tables, counted and digested. row-chain-1: a row's hash chains its columns, in the order of their names (COLLATE "C"), through the
-- seed argument of Postgres's extended hash functions, from seed 0; after every 30 columns and after the last one goes a bit set of
-- which of them were NULL; a table's digest is the sum over its rows, as numeric, so that order is nothing and a doubled row shows.
--   int2, int4, bool, "char"   hashint4extended of the number
--   int8                       hashint8extended (which folds its two halves), then hashint4extended of the upper half
--   timestamp[tz]              hashtextextended of its eight bytes in hex
--   uuid                       uuid_hash_extended
--   bytea                      hashtextextended of the hex of its sha256, so that 600 MB do not become 1.2 GB of text
--   text, varchar              hashtextextended under COLLATE "C" (a nondeterministic collation calls different values equal)
--   "char"[]                   as int4[]: how a "char" above 127 is written changed in 15
--   everything else            hashtextextended of what its output function writes, which is what pg_dump carries
-- A domain counts as its base type. Generated columns count where they are stored; virtual ones (18) hold nothing, and reading
-- them could raise an error. `shape` hashes names and types of the columns: digests compare only where it agrees.
-- Partition parents and foreign tables hold no rows of their own; an extension's configuration table counts the rows that
-- pg_dump carries, by the extension's own condition.
WITH RECURSIVE counted AS MATERIALIZED (
  SELECT c.oid, n.nspname, c.relname, c.relpersistence, x.condition
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
    SELECT config.condition FROM pg_depend AS e
    LEFT JOIN LATERAL (
      SELECT coalesce(u.condition, '') AS condition FROM pg_extension AS ex, unnest(ex.extconfig, ex.extcondition) AS u (id, condition)
      WHERE ex.oid = e.refobjid AND u.id = c.oid) AS config ON true
    WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.objsubid = 0 AND e.deptype = 'e') AS x ON true
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND (x.condition IS NOT NULL OR NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.objsubid = 0 AND e.deptype = 'e'))
),
based (type, base) AS (
  SELECT DISTINCT a.atttypid, a.atttypid FROM counted JOIN pg_attribute AS a ON a.attrelid = counted.oid WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT b.type, t.typbasetype FROM based AS b JOIN pg_type AS t ON t.oid = b.base WHERE t.typtype = 'd'
),
columns AS (
  SELECT counted.oid, a.attname, format('t.%I', a.attname) AS value, format_type(a.atttypid, a.atttypmod) AS type, t.oid AS base,
    row_number() OVER (PARTITION BY counted.oid ORDER BY a.attname COLLATE "C") - 1 AS position
  FROM counted
  JOIN pg_attribute AS a ON a.attrelid = counted.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
  JOIN based AS b ON b.type = a.atttypid
  JOIN pg_type AS t ON t.oid = b.base AND t.typtype <> 'd'
),
links (oid, bundle, step, position, opening, closing) AS (
  SELECT oid, position / 30, 0, position,
    CASE
      WHEN base IN ('int2'::regtype, 'int4'::regtype, 'bool'::regtype, '"char"'::regtype) THEN format('hashint4extended(coalesce(%s::int4,0),', value)
      WHEN base = 'int8'::regtype THEN format('hashint4extended((coalesce(%1$s::int8,0)>>32)::int4,hashint8extended(coalesce(%1$s::int8,0),', value)
      WHEN base = 'timestamp'::regtype THEN format('hashtextextended(coalesce(encode(timestamp_send(%s::timestamp),''hex''),'''')COLLATE "C",', value)
      WHEN base = 'timestamptz'::regtype THEN format('hashtextextended(coalesce(encode(timestamptz_send(%s::timestamptz),''hex''),'''')COLLATE "C",', value)
      WHEN base = 'uuid'::regtype THEN format('uuid_hash_extended(coalesce(%s::uuid,''00000000-0000-0000-0000-000000000000''),', value)
      WHEN base = 'bytea'::regtype THEN format('hashtextextended(coalesce(encode(sha256(%s::bytea),''hex''),'''')COLLATE "C",', value)
      WHEN base IN ('text'::regtype, 'varchar'::regtype) THEN format('hashtextextended(coalesce(%s::text,'''')COLLATE "C",', value)
      WHEN base = '"char"[]'::regtype THEN format('hashtextextended(concat(%s::int4[])COLLATE "C",', value)
      ELSE format('hashtextextended(concat(%s)COLLATE "C",', value)
    END,
    CASE WHEN base = 'int8'::regtype THEN 2 ELSE 1 END
  FROM columns
  UNION ALL
  -- IS NOT DISTINCT FROM NULL, since a composite of NULLs IS NULL and is not NULL.
  SELECT oid, position / 30, 1, 0, format('hashint4extended(%s,', string_agg(format('CASE WHEN %s IS NOT DISTINCT FROM NULL THEN %s ELSE 0 END', value, (1::bigint << (position % 30)::int)), '+' ORDER BY position)), 1
  FROM columns GROUP BY oid, position / 30
),
chains AS (
  SELECT oid, string_agg(opening, '' ORDER BY bundle DESC, step DESC, position DESC) || '0' || repeat(')', sum(closing)::int) AS chain FROM links GROUP BY oid
),
shapes AS (
  SELECT oid, encode(sha256(convert_to(jsonb_agg(jsonb_build_array(attname, type) ORDER BY position)::text, getdatabaseencoding())), 'hex') AS shape FROM columns GROUP BY oid
),
ordered AS MATERIALIZED (
  SELECT counted.nspname, counted.relname, counted.relpersistence, coalesce(s.shape, encode(sha256(''), 'hex')) AS shape,
    format('SELECT jsonb_build_object(''rows'',count(*)::text,''digest'',coalesce(sum(%s),0)::text) AS j FROM ONLY %I.%I AS t %s', coalesce(k.chain, '0::int8'), counted.nspname, counted.relname, counted.condition) AS query
  FROM counted LEFT JOIN chains AS k ON k.oid = counted.oid LEFT JOIN shapes AS s ON s.oid = counted.oid
  ORDER BY counted.nspname COLLATE "C", counted.relname COLLATE "C"
)
SELECT (
  jsonb_build_object('kind', 'table', 'schema', o.nspname, 'name', o.relname, 'persistence', CASE o.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END, 'shape', o.shape)
  || substring(query_to_xml(o.query, true, true, '')::text from '[{].*[}]')::jsonb
)::text
FROM ordered AS o;

-- Without this line the reading was cut short.
SELECT jsonb_build_object('kind', 'end')::text;
