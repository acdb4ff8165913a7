-- What would keep a backup of this database from being whole, a line each: `problem CODE TEXT`; before them one line of facts.
-- For psql, in the session that will hold the snapshot. Changes nothing, holds nothing.
-- `required` is `schema.table:rows`, divided by spaces; `pg_dump` the major of pg_dump.
SET search_path = pg_catalog, pg_temp;
-- What pg_dump takes rows of. Tables of extensions are their own affair, but for those that an extension marks as configuration.
\set carried 'c.relpersistence <> \'t\' AND n.nspname !~ \'^pg_\' AND n.nspname <> \'information_schema\' AND NOT EXISTS (SELECT FROM pg_depend AS e JOIN pg_extension AS x ON x.oid = e.refobjid WHERE e.classid = \'pg_class\'::regclass AND e.objid = c.oid AND e.deptype = \'e\' AND c.oid <> ALL (coalesce(x.extconfig, \'{}\')))'

SELECT concat_ws(' ', 'facts', extract(epoch FROM clock_timestamp())::bigint, current_setting('server_version_num')::int / 10000,
  pg_database_size(current_database()), coalesce(current_setting('backup_drills.session', true), 'none'));

SELECT 'problem standby this server is in recovery: its snapshot can be lost to replay. Point the settings at the primary' WHERE pg_is_in_recovery();

SELECT format('problem version pg_dump is of major %s, the server of %s, and refuses to dump it: install postgresql-client-%2$s, or set PG_BIN', :'pg_dump', current_setting('server_version_num')::int / 10000)
WHERE :'pg_dump'::int < current_setting('server_version_num')::int / 10000;

SELECT format('problem policies row-level policies hide rows of %s tables from %s, the first %s: ALTER ROLE %2$s BYPASSRLS', count(*), quote_ident(current_user), min(format('%I.%I', n.nspname, c.relname) COLLATE "C"))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND :carried AND row_security_active(c.oid) HAVING count(*) > 0;

SELECT format('problem rights %s may not read %s tables and sequences, the first %s: GRANT pg_read_all_data TO %1$s', quote_ident(current_user), count(*), min(format('%I.%I', n.nspname, c.relname) COLLATE "C"))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND :carried
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END)
HAVING count(*) > 0;

SELECT format('problem rights %s may not read %s large objects: ALTER ROLE %1$s SET lo_compat_privileges = on', quote_ident(current_user), count(*))
FROM pg_largeobject_metadata AS o
WHERE NOT current_setting('lo_compat_privileges')::bool AND NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user)
  AND NOT EXISTS (SELECT FROM aclexplode(coalesce(o.lomacl, acldefault('L', o.lomowner))) AS a WHERE a.privilege_type = 'SELECT' AND CASE a.grantee WHEN 0 THEN true ELSE pg_has_role(a.grantee, 'USAGE') END)
HAVING count(*) > 0;
