// What the smoke checks have to say: what must hold in the restored database whatever the manifest says.
import { defect, defineFindings, note, obstacle, warning } from '../../run/finding.ts';

type At = { readonly table: string };
type Column = At & { readonly column: string };
type Doubtful = Column & { readonly rows: string; readonly scanned: string };

const compareWithSource = 'Compare with the live database before you rely on this backup, and take the set before it if they differ.';

export const { find, rows: smokeFindings } = defineFindings({
  'smoke.table-missing': defect<At & { found: string }>(
    ({ table, found }) => (found === 'nothing' ? `the expected table ${table} is missing` : `the expected table ${table} is a ${found}, which holds no rows of its own`),
    ({ table }) => `The dump does not bring back ${table}: take an older set, and check which database and which tables backup-db.sh dumps; if the application renamed it, change expected.tables.`,
  ),
  'smoke.too-few-rows': defect<At & { rows: string; atLeast: string }>(
    ({ table, rows, atLeast }) => `${table} holds ${rows} rows, expected at least ${atLeast}`,
    ({ table }) => `Take an older set; if ${table} really is that small, lower minRows in expected.tables.`,
  ),
  'smoke.no-rows': defect<{ tables: number }>(
    ({ tables }) => (tables === 0 ? 'the restored database holds no table' : `all ${tables} tables of the restored database are empty`),
    () => 'An empty dump proves nothing: check which database backup-db.sh connects to, and take an older set.',
  ),
  'smoke.rows-stale': defect<Column & { newestAt: string; ageHours: number; maxAgeHours: number }>(
    ({ table, column, ageHours, maxAgeHours }) => `the newest ${table}.${column} was ${ageHours} hours old when the dump was taken, allowed are ${maxAgeHours}`,
    ({ table }) => `The dump may be an old one under a new date, or taken of an idle copy: check what backup-db.sh dumps; if nothing was written to ${table} for that long, raise its maxAge.`,
  ),
  'smoke.rows-from-future': defect<Column & { rows: string }>(
    ({ table, column, rows }) => `${rows} rows of ${table} have a ${column} later than now`,
    () => 'Compare the clock of this machine with the production host: one of them is wrong, or the application writes times that have not come; how old the data is cannot be told until then.',
  ),
  'smoke.newest-unreadable': defect<Column & { reason: string }>(
    ({ table, column, reason }) => `how new ${table} is cannot be told from ${column}: ${reason}`,
    () => 'Name a column of type date, timestamp or timestamptz that every row fills under newest in expected.tables.',
  ),
  'smoke.newest-is-oldest': warning<Column & { rows: string }>(
    ({ table, column, rows }) => `all ${rows} rows of ${table} have the same ${column}`,
    () => `The times look as if filled in by a load, not by the application. ${compareWithSource}`,
  ),
  'smoke.orphans': defect<At & { constraint: string; references: string; rows: string; validated: boolean }>(
    ({ table, constraint, references, rows }) => `${rows} rows of ${table} break the foreign key ${constraint}: what they name in ${references} is not there`,
    ({ validated, references }) => (validated
      ? `Rows of ${references} are lost, or were loaded with triggers off: take an older set and compare both tables with the live database.`
      : `The key is NOT VALID, so the live database may break it too: count there, repair the rows and VALIDATE the key, or find out when rows of ${references} were lost.`),
  ),
  'smoke.foreign-key-not-judged': note<At & { constraint: string }>(
    ({ table, constraint }) => `the foreign key ${constraint} of ${table} is one over periods, which this check does not judge`,
    () => 'Add a query under smoke that counts its orphans.',
  ),
  'smoke.names-not-judged': note<{ objects: number }>(
    ({ objects }) => `${objects} ${objects === 1 ? 'object has a name' : 'objects have names'} that cannot be read as text, and ${objects === 1 ? 'was' : 'were'} not checked here`,
    () => 'The database has no encoding (SQL_ASCII) and these names no UTF-8: the comparison with the manifest covers their rows; queries under smoke can count more.',
  ),
  'smoke.sequence-behind': defect<Column & { sequence: string; rows: string }>(
    ({ sequence, table, column, rows }) => `the sequence ${sequence} will hand out ${rows} values that ${table}.${column} holds already`,
    ({ sequence, table }) => `After a restore inserts into ${table} would fail: the dump lost the sequence's state. Take an older set, or call setval on ${sequence} with the column's greatest value after the restore.`,
  ),
  'smoke.sequence-behind-before': warning<Column & { sequence: string; rows: string }>(
    ({ sequence, table, column, rows }) => `the sequence ${sequence} will hand out ${rows} values that ${table}.${column} holds already, and stood so when the dump was taken`,
    ({ sequence, table }) => `The restore is faithful: in production inserts into ${table} that draw from it fail as well, unless the application sets the column itself. Ask it, or call setval on ${sequence} there with the column's greatest value.`,
  ),
  'smoke.enforcement-off': defect<At & { triggers: number }>(
    ({ table, triggers }) => `${triggers} triggers that enforce foreign keys of ${table} are disabled`,
    ({ table }) => `A load ended before it enabled triggers again: take a dump that was not made with --disable-triggers, or run ALTER TABLE ${table} ENABLE TRIGGER ALL and check the keys.`,
  ),
  'smoke.migration-drift': defect<{ expected: string; found: string }>(
    ({ expected, found }) => `the newest migration is ${found}, expected ${expected}`,
    () => 'Either the backup is older than the last deploy, so run the migrations after the restore, or expected.migration.head was not raised with the deploy.',
  ),
  'smoke.extension-missing': defect<{ extension: string }>(
    ({ extension }) => `the expected extension ${extension} is not installed`,
    ({ extension }) => `Look whether the dump holds CREATE EXTENSION ${extension}, and whether the server that restores has it.`,
  ),
  'smoke.role-without-access': defect<At & { role: string }>(
    ({ role, table }) => `the application's role ${role} may not read ${table}`,
    ({ role, table }) => `The application would not start: look for the OWNER and GRANT statements of ${table} in the dump; if the application uses another role than ${role}, change database.role.`,
  ),
  'smoke.query-unexpected': defect<{ query: string; expected: string; count?: string }>(
    ({ query, expected, count }) => `"${query}" was not answered as expected: ${count === undefined ? 'expected' : `counted ${count}, expected`} ${expected}`,
    () => 'Run the query on the live database: where it answers as expected, take an older set; else change the query under smoke.',
  ),
  'smoke.query-failed': defect<{ query: string; sqlstate: string }>(
    ({ query, sqlstate }) => `"${query}" failed with SQLSTATE ${sqlstate}`,
    ({ sqlstate }) => (sqlstate === '42501'
      ? 'The checker only reads, and what it may not read was not restored as a table of the dump: look at the query.'
      : 'Run the query on the live database: where it works, something it names did not come back; else change the query.'),
  ),
  'smoke.query-shape': defect<{ query: string; reason: string }>(
    ({ query, reason }) => `"${query}" must answer with one row of one column, ${reason}`,
    () => 'Change the query so that it answers with one value, a count for example.',
  ),
  'smoke.query-timeout': obstacle<{ query: string; seconds: number }>(
    ({ query, seconds }) => `"${query}" had no answer after ${seconds} seconds`,
    () => 'Make the query cheaper or give the drill a faster machine; until then the backup is not judged by it.',
  ),
  'smoke.not-judged': obstacle<{ what: string; sqlstate: string }>(
    ({ what, sqlstate }) => `${what} could not be checked: SQLSTATE ${sqlstate}`,
    ({ sqlstate }) => (sqlstate === '57014'
      ? 'It took longer than allowed: give the drill a faster machine or a longer limit.'
      : 'The checker could not read it: see whether the restore step ended well, and report this if it did.'),
  ),
  'smoke.primary-key-missing': warning<At>(
    ({ table }) => `${table} has neither a primary key nor a unique index`,
    ({ table }) => `Nothing keeps doubled rows out of ${table}: if the live database has a key there, the dump lost it.`,
  ),
  'smoke.table-unlogged': warning<At>(
    ({ table }) => `the expected table ${table} is UNLOGGED`,
    ({ table }) => `Postgres empties ${table} after a crash and never replicates it: run ALTER TABLE ${table} SET LOGGED in production if its rows matter.`,
  ),
  'smoke.view-unusable': warning<{ view: string; sqlstate: string }>(
    ({ view, sqlstate }) => `the view ${view} cannot be selected from: SQLSTATE ${sqlstate}`,
    ({ view }) => `Select from ${view} in the live database: where it works there, a grant or a function did not come back.`,
  ),
  'smoke.text-replaced': warning<Doubtful>(
    ({ table, column, rows, scanned }) => `${rows} of ${scanned} values of ${table}.${column} consist of characters that an encoding lost`,
    () => `Text was converted to an encoding that could not hold it. ${compareWithSource}`,
  ),
  'smoke.text-double-encoded': warning<Doubtful>(
    ({ table, column, rows, scanned }) => `${rows} of ${scanned} values of ${table}.${column} look like UTF-8 that was encoded twice`,
    () => `Look for a wrong client_encoding between the database and the dump. ${compareWithSource}`,
  ),
  'smoke.nulls-as-text': warning<Doubtful>(
    ({ table, column, rows, scanned }) => `${rows} of ${scanned} values of ${table}.${column} are the letters of NULL, not NULL`,
    () => `A load took one COPY format for another. ${compareWithSource}`,
  ),
  'smoke.bytes-as-text': warning<Doubtful>(
    ({ table, column, rows, scanned }) => `${rows} of ${scanned} values of ${table}.${column} hold the hex text of bytes, not the bytes`,
    () => `A load escaped bytea twice. ${compareWithSource}`,
  ),
});
