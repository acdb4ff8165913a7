-- Each table's name twice, by its OID: as the manifest writes it (JSON, in UTF-8), then as the dump does (the database's encoding).
-- For psql, in the transaction of the snapshot. Control characters that would end a line or a field are escaped.
SELECT concat_ws(E'\x1f', 'dump', c.oid, replace(replace(n.nspname, '\', '\\'), E'\n', '\n'), replace(replace(c.relname, '\', '\\'), E'\n', '\n'))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND :carried;
SELECT WHERE set_config('client_encoding', CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true) IS NULL;
SELECT concat_ws(E'\x1f', 'manifest', c.oid, to_jsonb(n.nspname::text)::text, to_jsonb(c.relname::text)::text)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND :carried;
