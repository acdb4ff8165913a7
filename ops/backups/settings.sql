-- What a dump leaves out and pg_dumpall --roles-only does too: settings of this database, for all and for one role in it.
-- For psql, in the transaction of the snapshot. Lists are kept quoted element by element, as pg_dump knows them by name.
SELECT format('%s SET %I TO %s;',
  CASE s.setrole WHEN 0 THEN format('ALTER DATABASE %I', d.datname) ELSE format('ALTER ROLE %I IN DATABASE %I', r.rolname, d.datname) END,
  c.name, CASE WHEN c.name IN ('local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries', 'temp_tablespaces', 'unix_socket_directories') THEN c.value ELSE quote_literal(c.value) END)
FROM pg_db_role_setting AS s
JOIN pg_database AS d ON d.oid = s.setdatabase AND d.datname = current_database()
LEFT JOIN pg_roles AS r ON r.oid = s.setrole
CROSS JOIN LATERAL (SELECT split_part(t, '=', 1) AS name, substr(t, strpos(t, '=') + 1) AS value FROM unnest(s.setconfig) AS t) AS c
ORDER BY r.rolname COLLATE "C" NULLS FIRST, c.name COLLATE "C";
