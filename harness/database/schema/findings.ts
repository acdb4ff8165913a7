// What can be said of the schema that a dump holds, against what is committed, expected and counted.
import { defect, defineFindings, note, obstacle } from '../../run/finding.ts';

type About = { kind: string; object: string; on: string | null; named: string };
const parts = (count: number): string => (count === 0 ? '' : `, with ${count} that belong${count === 1 ? 's' : ''} to it`);
const few = (tables: readonly string[], count: number): string => `${tables.join(', ')}${count > tables.length ? ` and ${count - tables.length} more` : ''}`;
const accept = 'accept it with npm run check:schema -- --accept, read the diff of the reference and commit it';

export const schemaFindings = defineFindings({
  'schema.object-missing': defect<About & { parts: number }>(
    ({ named, parts: count }) => `${named} is not in the dump${parts(count)}`,
    () => `Where a migration dropped it, ${accept}. Else find out who did, before the last backup that holds it is pruned.`,
  ),
  'schema.object-unexpected': defect<About & { parts: number }>(
    ({ named, parts: count }) => `${named} is in the dump and not in the reference schema${parts(count)}`,
    () => `Where a migration made it, ${accept}. Else find out who did.`,
  ),
  'schema.object-changed': defect<About & { changed: readonly string[] }>(
    ({ named, changed }) => `${named} has changed: ${changed.join('; ')}`,
    () => `Where a migration changed it, ${accept}. Else find out who did.`,
  ),
  'schema.more-differences': defect<{ count: number; told: number }>(
    ({ count, told }) => `the schema differs in ${count} places, of which ${told} are told`,
    () => 'Either the dump is of another database, or the reference has not been accepted for long: npm run check:schema -- --accept shows all of it as a diff, and git checkout takes that back.',
  ),
  'schema.other-major': note<{ reference: number; dump: number }>(
    ({ reference, dump }) => `the reference was read of Postgres ${reference}, the dump is of ${dump}: what these word differently is compared loosely`,
    () => 'Accept the schema anew, with npm run check:schema -- --accept, to have every definition compared to the letter again.',
  ),
  'schema.expected-table-missing': defect<{ table: string; found: string }>(
    ({ table, found }) => `the dump makes no table ${table}, which the configuration expects; it makes ${found === 'nothing' ? 'nothing of that name' : `a ${found} of that name`}`,
    () => 'Look at the options of pg_dump in the backup script and at the role that it logs in as; where the table is gone for good, take it out of expected.tables.',
  ),
  'schema.expected-extension-missing': defect<{ extension: string }>(
    ({ extension }) => `the dump makes no extension ${extension}, which the configuration expects`,
    () => 'Look whether it is still installed in the database; where it is gone for good, take it out of expected.extensions.',
  ),
  'schema.dump-lacks-table': defect<{ count: number; tables: readonly string[] }>(
    ({ count, tables }) => `the dump lacks ${count === 1 ? 'a table' : `${count} tables`} that the manifest counted in the same snapshot: ${few(tables, count)}`,
    () => 'The dump was filtered, or is of another database than its manifest. Look at the options of pg_dump in the backup script, and take a new backup.',
  ),
  'schema.manifest-lacks-table': defect<{ count: number; tables: readonly string[] }>(
    ({ count, tables }) => `the dump makes ${count === 1 ? 'a table' : `${count} tables`} that its manifest does not know: ${few(tables, count)}`,
    () => 'The schema changed between manifest and dump, or they are not of one database. Take a new backup while no migration runs.',
  ),
  'schema.reference-missing': obstacle<{ path: string }>(
    ({ path }) => `there is no reference schema at ${path}, so that nothing tells what the dump should hold`,
    () => 'Where it lies elsewhere, name it in expected.schemaReference of the configuration. Else make it of a schema that you know to be right, with npm run check:schema -- --accept, read it and commit it.',
  ),
  'schema.reference-unreadable': obstacle<{ path: string; problem: string }>(
    ({ path, problem }) => `the reference schema ${path} cannot be read (${problem})`,
    () => 'Take it out of git again, or make it anew with npm run check:schema -- --accept.',
  ),
  'schema.reference-unwritable': obstacle<{ path: string; error: string }>(
    ({ path, error }) => `the reference schema ${path} could not be written (${error})`,
    () => 'Make its directory writable for this user, or name another file in expected.schemaReference; what was there before is unharmed.',
  ),
  'schema.reference-format': obstacle<{ path: string; format: string; known: string }>(
    ({ path, format, known }) => `the reference schema ${path} has the format ${format}, and this version reads ${known}`,
    () => 'Check with the version that wrote it, or make it anew with npm run check:schema -- --accept.',
  ),
  'schema.reference-other-application': obstacle<{ path: string; expected: string; actual: string }>(
    ({ path, expected, actual }) => `the reference schema ${path} is that of ${actual}, not of ${expected}`,
    () => 'Name its own file in expected.schemaReference of the configuration, or make it anew with npm run check:schema -- --accept.',
  ),
  'schema.source-failed': obstacle<{ program: string; problem: string }>(
    ({ program, problem }) => `${program} did not give the schema of the database: ${problem}`,
    () => 'Try the same connection with psql; a password belongs into PGPASSWORD or ~/.pgpass. pg_dump must be of the major of the server or later.',
  ),
});
