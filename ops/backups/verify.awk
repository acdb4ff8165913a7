# Reads a dump as it was stored, and holds it against the manifest's rows: usage: awk -f verify.awk NAMES ROWS - <DUMP
# Prints `problem CODE TEXT` for each thing that is wrong, then `dump BYTES TABLES ROWS`. Lines are bytes (LC_ALL=C).
# NAMES is what names.sql printed, ROWS what manifest.sql printed.
function between(text, start, end,    from) {
  from = index(text, start)
  if (from == 0) return ""
  text = substr(text, from + length(start))
  return substr(text, 1, index(text, end) - 1)
}
# An identifier as it stands in the dump, without its quotes.
function bare(identifier) {
  if (identifier !~ /^"/) return identifier
  identifier = substr(identifier, 2, length(identifier) - 2)
  gsub(/""/, "\"", identifier)
  return identifier
}
# Whose rows follow; `text` is the COPY statement, its lines joined by \n.
function table_of(text,    schema, name) {
  text = substr(text, 6)
  match(text, /^("([^"]|"")*"|[^".]+)/)
  schema = bare(substr(text, 1, RLENGTH))
  text = substr(text, RLENGTH + 2)
  match(text, /^("([^"]|"")*"|[^" ]+)/)
  name = bare(substr(text, 1, RLENGTH))
  return schema FS name
}
function escaped(text) {
  gsub(/\\/, "&&", text)
  return text
}
# A table as it is told to a person: nothing of a name can look like more than one line.
function told(table,    parts) {
  split(table, parts, FS)
  table = parts[1] "." parts[2]
  gsub(/[^ -~]/, "?", table)
  return table
}
function problem(code, text) {
  print "problem " code " " text
}
BEGIN { FS = "\037" }

FILENAME == ARGV[1] {
  if ($1 == "dump") dumped[$2] = $3 FS $4
  else oid_of[$3 FS $4] = $2
  next
}
FILENAME == ARGV[2] {
  if ($0 !~ /^\{"kind": "table"/) next
  key = "\"" between($0, "\", \"schema\": \"", "\", \"persistence\": \"") "\"" FS "\"" between($0, "{\"kind\": \"table\", \"name\": \"", "\", \"rows\": \"") "\""
  if (!(key in oid_of)) problem("manifest-rows", "the manifest counts a table that the snapshot does not list")
  else expected[dumped[oid_of[key]]] = between($0, "\", \"rows\": \"", "\", \"shape\": \"") + 0
  next
}

{ bytes += length($0) + 1 }
# Within rows nothing else is looked at: one comparison a line.
in_rows {
  if ($0 != "\\.") { rows++; next }
  in_rows = 0
  if (!(table in expected)) problem("dump-rows", told(table) ": the dump holds its rows, and the manifest does not count it")
  else if (expected[table] != rows) problem("dump-rows", sprintf("%s: %d rows in the dump and %d in the manifest", told(table), rows, expected[table]))
  delete expected[table]
  total += rows
  tables++
  next
}
copy != "" { copy = copy "\\n" escaped($0) }
# Only behind pg_dump's own heading: the same words in a function's body are no rows.
heading > 0 && copy == "" && /^COPY / { copy = escaped($0) }
copy ~ / FROM stdin;$/ { table = table_of(copy); copy = ""; heading = 0; in_rows = 1; rows = 0; next }
/^-- (Data for )?Name: .*; Type: TABLE DATA; / { heading = 5 }
heading > 0 && copy == "" { heading-- }
/^-- PostgreSQL database dump complete$/ { complete = NR }
/^-- PostgreSQL database dump$/ && FNR == 2 { started = 1 }
$0 != "" { last = NR }

END {
  if (!started) problem("dump-header", "it does not begin as a dump of pg_dump does")
  if (in_rows || !complete || last - complete > 4) problem("dump-footer", "pg_dump's footer does not end it: it was cut short")
  for (table in expected) problem("dump-rows", told(table) ": the manifest counts it, and the dump has no block of its rows")
  printf "dump %.0f %d %.0f\n", bytes, tables, total
}
