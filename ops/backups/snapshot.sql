-- Locks every table whose rows a dump carries, then takes the snapshot. For psql, after preflight.sql, with `lock_timeout` in ms.
-- The list is made before BEGIN, and the locks come before the first SELECT inside: a TRUNCATE that slipped in between the snapshot
-- and pg_dump's own lock would leave a dump and a manifest that agree on no rows at all. What fails leaves no line `snapshot`.
SELECT s FROM (
  SELECT 0 AS n, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' AS s
  UNION ALL
  SELECT 1, format('SET LOCAL lock_timeout = %L', :'lock_timeout')
  UNION ALL
  SELECT 2, format('LOCK TABLE %s IN ACCESS SHARE MODE', string_agg(format('ONLY %I.%I', n.nspname, c.relname), ', '))
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND :carried
  GROUP BY c.oid::bigint / 1000
) AS statements ORDER BY n
\gexec

SELECT concat('snapshot ', pg_export_snapshot());

-- A table that came to be since the list was made.
SELECT format('unlocked %I.%I', n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND :carried
  AND NOT EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation = c.oid AND l.mode = 'AccessShareLock' AND l.granted);
