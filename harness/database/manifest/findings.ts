// What can be wrong with a manifest, and what comparing a restored database with it can find.
import { defect, defineFindings, note, obstacle, warning } from '../../run/finding.ts';

const few = (list: readonly string[], more: number): string => `${list.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

type Named = { count: number; names: readonly string[]; more: number };
type Tables = { count: number; rows: string; tables: readonly string[]; more: number };

const olderSet = 'Drill an older set (--random-older or --date) to learn whether it has them, and keep every retained set until you know.';

export const manifestFindings = defineFindings({
  'manifest.missing': defect<{ set: string; expected: string }>(
    ({ set, expected }) => `set ${set} has no manifest ${expected}`,
    ({ expected }) =>
      `Nothing says what this dump should hold, and its manifest cannot be made afterwards. Take the next backup as docs/manifest.md shows, some lines to paste on the database's host: they write ${expected.replace(/\d{4}-.*?(?=\.)/, '<date>')} beside the dump, of the same snapshot.`,
  ),
  'manifest.unparseable': defect<{ name: string; problems: readonly string[]; more: number }>(
    ({ name, problems, more }) => `${name} cannot be read as a manifest: ${few(problems, more)}`,
    () => 'Compare its size with that of the local copy: an upload or a disk that filled up cuts it short. Do not repair it by hand; drill another set.',
  ),
  'manifest.format-unknown': obstacle<{ name: string; format: string }>(
    ({ name, format }) => `${name} has the format ${format}, which this harness does not know`,
    () => 'A newer backup script wrote it: update this checkout to the version that the production host runs.',
  ),
  'manifest.algorithm-unknown': obstacle<{ name: string; algorithm: string }>(
    ({ name, algorithm }) => `${name} digests its tables by ${algorithm}, which this harness does not know`,
    () => 'A newer backup script wrote it: update this checkout to the version that the production host runs.',
  ),
  'manifest.no-tables': defect<{ name: string }>(
    ({ name }) => `${name} lists no table`,
    () => 'A backup of an empty or a wrong database agrees with such a manifest. Look which database the backup script connects to.',
  ),
  'manifest.wrong-database': defect<{ expected: string; found: string }>(
    ({ expected, found }) => `the manifest speaks of database ${found}, not of ${expected}`,
    ({ expected }) => `Look which database the backup script connects to, and whether database.name in drill.config.ts should really be ${expected}.`,
  ),
  'manifest.other-set': defect<{ expected: string; found: string }>(
    ({ expected, found }) => `the manifest of set ${expected} says that it belongs to set ${found}`,
    () => 'Files were renamed or copied over each other. Find the set by the hashes in the manifests, and restore nothing by its date alone.',
  ),
  'manifest.future': defect<{ snapshotTime: string; now: string }>(
    ({ snapshotTime, now }) => `the manifest's snapshot time ${snapshotTime} is after now, ${now}`,
    () => 'Check the clocks of the database host and of this host (timedatectl); a set from the future would hide every newer one.',
  ),
  'manifest.stale-copy': defect<{ set: string; snapshotTime: string }>(
    ({ set, snapshotTime }) => `set ${set} holds what was true at ${snapshotTime}, which does not fit its date`,
    () => 'An old backup stands under a new date. Look whether the backup job still runs, and count this set as one of its snapshot time.',
  ),

  'compare.table-missing': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'table', 'tables')} of the manifest did not come back: ${few(names, more)}`,
    () => `The dump does not hold them: look at pg_dump's options (-t, -n, --exclude-table) in the backup script. ${olderSet}`,
  ),
  'compare.table-extra': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'table', 'tables')} came back that the manifest does not know: ${few(names, more)}`,
    () => 'Dump and manifest were not made in one snapshot, or not of one database. Look at the backup script, and take a new backup.',
  ),
  'compare.rows-missing': defect<Tables>(
    ({ rows, tables, more }) => `${rows} rows did not come back: ${few(tables, more)}`,
    () => `Find out whether the dump is cut, filtered by a row-level policy, or older than its manifest. ${olderSet}`,
  ),
  'compare.rows-extra': defect<Tables>(
    ({ rows, tables, more }) => `${rows} rows too many came back: ${few(tables, more)}`,
    () => 'Rows were doubled, or dump and manifest were not made in one snapshot. Look at the backup script, and take a new backup.',
  ),
  'compare.content-differs': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'table has', 'tables have')} as many rows as at the dump, but other values: ${few(names, more)}`,
    () => 'Values changed between the source and the restore. Do not restore this set over anything; drill an older one, and compare the table with production.',
  ),
  'compare.object-missing': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'schema object', 'schema objects')} did not come back: ${few(names, more)}`,
    () => 'The data may be whole, yet the application would run without them. Read the restore step for statements that failed, and make sure that the dump was not taken with --section or -a.',
  ),
  'compare.object-extra': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'schema object', 'schema objects')} came back that the manifest does not know: ${few(names, more)}`,
    () => 'The schema changed between manifest and dump, or the dump is of another database. Take a new backup while no migration runs.',
  ),
  'compare.object-differs': defect<Named & { hashes: readonly string[] }>(
    ({ count, names, more }) => `${counted(count, 'schema object', 'schema objects')} came back changed: ${few(names, more)}`,
    () => 'In brackets stands what changed of each. Compare its definition in the manifest with that in the dump before anybody relies on this set.',
  ),
  'compare.definition-unproven': note<Named & { manifestMajor: number; serverMajor: number }>(
    ({ count, names, more, manifestMajor, serverMajor }) =>
      `${counted(count, 'definition is', 'definitions are')} worded differently by Postgres ${manifestMajor} and ${serverMajor}, so that equality is not proven: ${few(names, more)}`,
    ({ manifestMajor }) => `Drill with a server of major ${manifestMajor} to have them compared.`,
  ),
  'compare.database-left-behind': note<{ what: readonly string[] }>(
    ({ what }) => `what the database itself has at the source is in no dump without --create: ${what.join(', ')}`,
    () => 'ALTER DATABASE … SET and its like do not come back. Give pg_dump --create in the backup script, or keep what pg_dumpall says of the database beside the dump.',
  ),
  'compare.index-invalid': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'index', 'indexes')} came back invalid: ${few(names, more)}`,
    () => 'Postgres does not use an invalid index and does not enforce it. Run REINDEX on it in the restored database and read the error.',
  ),
  'compare.sequence-behind': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'sequence stands', 'sequences stand')} behind where it was at the dump: ${few(names, more)}`,
    () => 'The next inserts would collide with rows that exist. After a restore of this set, run setval() on each before the application starts.',
  ),
  'compare.sequence-differs': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'sequence stands', 'sequences stand')} elsewhere than at the dump: ${few(names, more)}`,
    () => 'Exact sequences were asked for (an idle database). Something drew from them between manifest and dump, or the dump changed them.',
  ),
  'compare.sequence-missing': defect<Named>(
    ({ count, names, more }) => `the value of ${counted(count, 'sequence', 'sequences')} could not be compared, since only one side has it: ${few(names, more)}`,
    () => 'Take a new backup while no migration runs, and look at the options of pg_dump in the backup script.',
  ),
  'compare.large-objects-differ': defect<{ expectedCount: string; foundCount: string; expectedBytes: string; foundBytes: string; what: readonly string[] }>(
    ({ expectedCount, foundCount, expectedBytes, foundBytes, what }) =>
      `large objects differ in ${what.join(', ')}: ${foundCount} of ${expectedCount}, ${foundBytes} of ${expectedBytes} bytes`,
    () => 'pg_dump leaves them out with -n, -t or --no-large-objects. Look at its options in the backup script.',
  ),
  'compare.encoding-differs': defect<{ expected: string; found: string }>(
    ({ expected, found }) => `the restored database is encoded in ${found}, the source was in ${expected}`,
    ({ expected }) => `Text may have changed on its way. Restore into a database made with ENCODING '${expected}' TEMPLATE template0.`,
  ),
  'compare.collation-differs': warning<{ expected: string; found: string }>(
    ({ expected, found }) => `the restored database sorts by ${found}, the source by ${expected}`,
    ({ expected }) => `Sort order and unique text indexes may behave differently here. A real restore needs a host that has ${expected}.`,
  ),
  'compare.collation-version-differs': note<{ expected: string; found: string }>(
    ({ expected, found }) => `the collation has version ${found} here, ${expected} at the source`,
    () => 'Sort order may differ a little. A logical restore builds its indexes anew, so nothing needs to be done.',
  ),
  'compare.major-differs': note<{ manifestMajor: number; serverMajor: number }>(
    ({ manifestMajor, serverMajor }) => `the manifest was made by Postgres ${manifestMajor}, the restore by ${serverMajor}`,
    ({ manifestMajor }) => `Rows compare all the same; definitions compare fully only on major ${manifestMajor}.`,
  ),
  'compare.extension-missing': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'extension', 'extensions')} did not come back: ${few(names, more)}`,
    () => 'Restore on a server that has them installed; the image or the package list of the restore host lacks them.',
  ),
  'compare.extension-extra': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'extension', 'extensions')} came back that the manifest does not know: ${few(names, more)}`,
    () => 'The schema changed between manifest and dump. Take a new backup while no migration runs.',
  ),
  'compare.extension-moved': defect<Named>(
    ({ count, names, more }) => `${counted(count, 'extension came', 'extensions came')} back in another schema: ${few(names, more)}`,
    () => 'Functions that name the old schema would fail. Look which CREATE EXTENSION the restore ran.',
  ),
  'compare.extension-version-differs': warning<Named>(
    ({ count, names, more }) => `${counted(count, 'extension came', 'extensions came')} back in another version: ${few(names, more)}`,
    () => 'CREATE EXTENSION takes the version that the server has. Install the same version on the restore host before you rely on it.',
  ),
});
