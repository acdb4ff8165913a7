-- What the snapshot still sees, and somebody has changed or dropped since: pg_dump reads a part of each definition as of the snapshot
-- and a part as of now, so that a dump taken meanwhile may hold what never was. For psql, in the transaction of the snapshot, once
-- pg_dump has ended. A row's xmax is whoever replaced it; what is merely new does not matter, nor what was rolled back.
WITH replaced (what, name, xmax) AS (
  SELECT 'relation', relname::text, xmax FROM pg_class UNION ALL
  SELECT 'column', concat(attrelid::regclass, '.', attname), xmax FROM pg_attribute UNION ALL
  SELECT 'default of', adrelid::regclass::text, xmax FROM pg_attrdef UNION ALL
  SELECT 'constraint', conname, xmax FROM pg_constraint UNION ALL
  SELECT 'index', indexrelid::regclass::text, xmax FROM pg_index UNION ALL
  SELECT 'inheritance of', inhrelid::regclass::text, xmax FROM pg_inherits UNION ALL
  SELECT 'partitioning of', partrelid::regclass::text, xmax FROM pg_partitioned_table UNION ALL
  SELECT 'rule or view', ev_class::regclass::text, xmax FROM pg_rewrite UNION ALL
  SELECT 'trigger', tgname, xmax FROM pg_trigger UNION ALL
  SELECT 'policy', polname, xmax FROM pg_policy UNION ALL
  SELECT 'statistics', stxname, xmax FROM pg_statistic_ext UNION ALL
  SELECT 'function', proname, xmax FROM pg_proc UNION ALL
  SELECT 'aggregate', aggfnoid::regproc::text, xmax FROM pg_aggregate UNION ALL
  SELECT 'type', typname, xmax FROM pg_type UNION ALL
  SELECT 'label', enumlabel, xmax FROM pg_enum UNION ALL
  SELECT 'range', rngtypid::regtype::text, xmax FROM pg_range UNION ALL
  SELECT 'operator', oprname, xmax FROM pg_operator UNION ALL
  SELECT 'operator class', opcname, xmax FROM pg_opclass UNION ALL
  SELECT 'operator family', opfname, xmax FROM pg_opfamily UNION ALL
  SELECT 'cast', concat(castsource::regtype, ' to ', casttarget::regtype), xmax FROM pg_cast UNION ALL
  SELECT 'collation', collname, xmax FROM pg_collation UNION ALL
  SELECT 'schema', nspname, xmax FROM pg_namespace UNION ALL
  SELECT 'extension', extname, xmax FROM pg_extension UNION ALL
  SELECT 'language', lanname, xmax FROM pg_language UNION ALL
  SELECT 'event trigger', evtname, xmax FROM pg_event_trigger UNION ALL
  SELECT 'default privileges', defaclnamespace::regnamespace::text, xmax FROM pg_default_acl UNION ALL
  SELECT 'publication', pubname, xmax FROM pg_publication UNION ALL
  SELECT 'table of a publication', prrelid::regclass::text, xmax FROM pg_publication_rel UNION ALL
  SELECT 'foreign server', srvname, xmax FROM pg_foreign_server UNION ALL
  SELECT 'foreign table', ftrelid::regclass::text, xmax FROM pg_foreign_table UNION ALL
  SELECT 'text search', cfgname, xmax FROM pg_ts_config UNION ALL
  SELECT 'text search', dictname, xmax FROM pg_ts_dict UNION ALL
  SELECT 'comment on', objoid::text, xmax FROM pg_description
),
numbered AS (
  -- The 64-bit id of the 32-bit one: the nearest to the snapshot's.
  SELECT what, name, s.upper + ((xmax::text::bigint - s.upper % 4294967296 + 6442450944) % 4294967296 - 2147483648) AS id, s.now
  FROM replaced, LATERAL (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS upper, pg_current_snapshot() AS now) AS s
  WHERE xmax::text <> '0'
)
SELECT concat_ws(' ', 'changed', what, quote_ident(name)) FROM numbered
WHERE id > 0 AND NOT pg_visible_in_snapshot(id::text::xid8, now) AND pg_xact_status(id::text::xid8) = 'committed'
ORDER BY what, name LIMIT 10;
