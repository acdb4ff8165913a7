-- The tables that must be there, with the rows that they must hold: asked before the snapshot and once more within it.
SELECT CASE
    WHEN c.oid IS NULL THEN format('problem missing-table %s is not in this database', r.name)
    WHEN c.relkind NOT IN ('r', 'p') THEN format('problem missing-table %s is no table', r.name)
    WHEN c.relpersistence = 'u' THEN format('problem unlogged-table %s is unlogged: a crash of the server empties it. ALTER TABLE %1$s SET LOGGED', r.name)
    ELSE format('problem too-few-rows %s holds %s rows; REQUIRED_TABLES asks for %s', r.name, found.rows, r.least)
  END
FROM (SELECT regexp_replace(split_part(t, ':', 1), '^([^.]*)$', 'public.\1') AS name, split_part(t, ':', 2)::bigint AS least FROM regexp_split_to_table(:'required', ' ') AS t) AS r
LEFT JOIN pg_class AS c ON c.oid = to_regclass(r.name)
LEFT JOIN LATERAL (
  SELECT CASE WHEN c.relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid) THEN
    (xpath('//c/text()', query_to_xml(format('SELECT count(*) AS c FROM (SELECT FROM %s LIMIT %s) AS t', r.name, r.least), false, true, '')))[1]::text::bigint END AS rows
) AS found ON true
WHERE c.oid IS NULL OR c.relkind NOT IN ('r', 'p') OR c.relpersistence = 'u' OR found.rows < r.least;
