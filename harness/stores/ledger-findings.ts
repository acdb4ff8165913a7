// What the ledger, and a store held against it, have to say.
import { defect, defineFindings, note, obstacle, warning } from '../run/finding.ts';

const spelled = (list: readonly string[]): string => list.join(', ');
const some = (count: number, one: string, many: string): string => (count === 1 ? one : `${count} ${many}`);
const fromTheLogServer = "Fetch the ledger again from the log server, where the audit sync keeps every line that ever came; if its own copy differs there too, treat the production host as taken over, and read the store's versions.";

export const ledgerFindings = defineFindings({
  'ledger.unreadable': obstacle<{ path: string; why: string }>(
    ({ path, why }) => `the ledger ${path} cannot be read: ${why}`,
    () => 'Without it nobody else bears witness of what is stored. See whether the audit sync still brings it here, and whether this user may read it.',
  ),
  'ledger.store-unknown': obstacle<{ store: string }>(
    ({ store }) => `${store} has no store.json that may be read, so that the ledger cannot be told to be that store's`,
    () => 'Give the credential the right to read store.json; a store that has none was never begun by sync-offsite.sh --init.',
  ),
  'ledger.empty': defect<{ path: string }>(
    ({ path }) => `the ledger ${path} has no line`,
    () => fromTheLogServer,
  ),
  'ledger.line-unparseable': defect<{ line: number; why: string }>(
    ({ line, why }) => `line ${line} of the ledger is none: ${why}`,
    () => fromTheLogServer,
  ),
  'ledger.chain-broken': defect<{ line: number }>(
    ({ line }) => `line ${line} of the ledger does not continue the one before it: a line was changed, removed or put in`,
    () => fromTheLogServer,
  ),
  'ledger.other-application': defect<{ expected: string; actual: string }>(
    ({ expected, actual }) => `the ledger is of '${actual}', not of '${expected}'`,
    () => "Correct ledger.path, or APPLICATION in the production host's backup.env.",
  ),
  'ledger.other-store': defect<{ store: string }>(
    ({ store }) => `the ledger's first line names another store than ${store}`,
    () => 'Each store has a ledger of its own. Correct ledger.path or the store; if both are right, the store was made anew, or its store.json was replaced.',
  ),
  'ledger.name-twice': defect<{ artifact: string; line: number }>(
    ({ artifact, line }) => `line ${line} of the ledger publishes ${artifact} a second time`,
    () => 'Nothing is ever published twice under one name: two hosts publish to this store, or the ledger was put together by hand.',
  ),
  'ledger.rewound': defect<{ lines: number; seen: number }>(
    ({ lines, seen }) => `the ledger has ${lines} lines, and had ${seen} when it was last seen here`,
    () => fromTheLogServer,
  ),
  'ledger.forked': defect<{ line: number }>(
    ({ line }) => `line ${line} of the ledger is not the one that was seen here: everything up to it was written anew`,
    () => fromTheLogServer,
  ),
  'ledger.seen-unreadable': obstacle<{ path: string; why: string }>(
    ({ path, why }) => `what was last seen of the ledger cannot be read from ${path}: ${why}`,
    () => 'It is what tells a ledger that was written anew as a whole. Put it right; remove it only when you know that the ledger is the old one.',
  ),
  'ledger.unwitnessed': defect<{ count: number; artifacts: readonly string[] }>(
    ({ count, artifacts }) => `${some(count, 'an artifact has', 'artifacts have')} no line of the ledger: ${spelled(artifacts)}`,
    () => 'Whoever put it there is not sync-offsite.sh with this ledger. Restore from none of them before you know who did.',
  ),
  'ledger.pending': note<{ count: number; artifacts: readonly string[]; withinHours: number }>(
    ({ count, artifacts, withinHours }) => `${some(count, 'an artifact of today has', 'artifacts of today have')} no line of the ledger yet, which may take ${withinHours} h to come here: ${spelled(artifacts)}`,
    () => 'Nothing to do: the next check expects the line.',
  ),
  'ledger.artifact-gone': defect<{ count: number; artifacts: readonly string[] }>(
    ({ count, artifacts }) => `${some(count, 'an artifact is', 'artifacts are')} in the ledger and inside retention, and not in the store: ${spelled(artifacts)}`,
    () => 'Something removed it. Look at the versions and delete markers of the bucket, and stop whatever removes; pruning never touches what retention keeps.',
  ),
  'ledger.size-differs': defect<{ artifact: string; bytes: number; expected: number }>(
    ({ artifact, bytes, expected }) => `${artifact} has ${bytes} bytes in the store, and had ${expected} when it was published`,
    () => 'It was replaced. Look for its older version in the bucket, and for who could write there; restore another set meanwhile.',
  ),
  'ledger.sha256-differs': defect<{ artifact: string; sha256: string; expected: string }>(
    ({ artifact }) => `the stored bytes of ${artifact} are not those that were published`,
    () => 'It was replaced or has rotted. Look for its older version in the bucket, and for who could write there; restore another set meanwhile.',
  ),
  'ledger.plain-differs': defect<{ artifact: string; sha256: string; expected: string }>(
    ({ artifact }) => `what ${artifact} holds is not what the ledger says was encrypted`,
    () => 'The stored bytes are those that were published, and hold something else: the line was forged with them. Treat the production host as taken over at that time.',
  ),
  'ledger.manifest-differs': defect<{ set: string; sha256: string; expected: string }>(
    ({ set }) => `the manifest of ${set} is not the one that the ledger binds`,
    () => 'Dump and manifest agree with each other and not with the witness: both were replaced. Restore another set, and look for the older versions in the bucket.',
  ),
  'ledger.adopted': warning<{ count: number; artifacts: readonly string[] }>(
    ({ count, artifacts }) => `${some(count, 'a line witnesses', 'lines witness')} what was found in the store after a ledger was lost, and not what was sent: ${spelled(artifacts)}`,
    () => 'Drill one of those sets: its manifest tells whether its dump is what was taken.',
  ),
});
