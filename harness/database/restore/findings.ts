import { defect, defineFindings, note, obstacle } from '../../run/finding.ts';

/** Where and on what a statement failed. Postgres' own message is left out: it may quote a row. */
type Failed = {
  readonly sqlstate: string;
  /** The SQLSTATE in words: `undefined table`. */
  readonly condition: string;
  readonly kind: string;
  readonly object: string;
  readonly line: number;
  readonly offset: number;
  /** Row within the COPY block, from 1; null outside COPY or where the server did not say. */
  readonly copyRow: number | null;
};

const about = (facts: { readonly kind: string; readonly object: string }) => (facts.object === '' ? facts.kind : `${facts.kind} ${facts.object}`);
const place = (facts: Failed) => `line ${facts.line}${facts.copyRow === null ? '' : `, row ${facts.copyRow} of its COPY`}`;
const shownBy = (line: number) => `gunzip -c DUMP | sed -n ${line}p`;

export const restoreFindings = defineFindings({
  'restore.statement-failed': defect<Failed>(
    (facts) => `${about(facts)} failed at ${place(facts)} of the dump: ${facts.condition} (${facts.sqlstate})`,
    (facts) => `Look at that line (${shownBy(facts.line)}); restore the previous set meanwhile, and take a new backup once the cause is known.`,
  ),
  'restore.permission-denied': defect<Failed>(
    (facts) => `${about(facts)} at ${place(facts)} asks for rights that no dump is given (${facts.sqlstate})`,
    (facts) => `Read that line (${shownBy(facts.line)}): an ordinary dump needs no such statement, so find out who put it there before you restore this set by hand.`,
  ),
  'restore.constraint-violated': defect<Failed & { readonly constraint: string; readonly table: string }>(
    (facts) => `the rows of ${facts.table} break ${facts.constraint === '' ? 'a constraint' : facts.constraint}: ${facts.condition} (${facts.sqlstate})`,
    (facts) => `The data was already so when it was dumped, or the dump was altered: check ${facts.table} at the source (a corrupt index hides duplicates), and restore the previous set meanwhile.`,
  ),
  'restore.extension-unavailable': obstacle<{ readonly extensions: readonly string[]; readonly major: number; readonly runtime: string; readonly packages: readonly string[]; readonly images: readonly string[] }>(
    (facts) => `the throw-away server lacks ${facts.extensions.join(', ')}`,
    (facts) => `${facts.runtime === 'containers' ? 'Set images.postgres to an image' : 'Set the runtime to containers with an image'} of Postgres ${facts.major} that carries them (Debian: ${facts.packages.join(', ')}${facts.images.length === 0 ? '' : `; ready-made: ${facts.images.join(', ')}`}), then run again; the dump itself was not judged.`,
  ),
  'restore.untrusted-code': obstacle<{ readonly what: readonly string[]; readonly line: number }>(
    (facts) => `the dump needs ${facts.what.join(', ')}, whose code would run on this host${facts.line === 0 ? '' : ` (line ${facts.line} of the dump)`}`,
    () => 'Set the runtime to containers: there it may do what it likes, without a network and without this host. The dump itself was not judged.',
  ),
  'restore.library-refused': defect<{ readonly library: string; readonly object: string; readonly line: number }>(
    (facts) => `the function ${facts.object} is native code out of ${facts.library}, which is not under $libdir`,
    (facts) => `Read line ${facts.line} of the dump (${shownBy(facts.line)}): if the library is yours, install it under $libdir at the source and make the function anew; else find out who put it there.`,
  ),
  'restore.library-missing': obstacle<{ readonly library: string; readonly object: string; readonly line: number; readonly major: number }>(
    (facts) => `the function ${facts.object} needs the library ${facts.library}, which the throw-away server has not`,
    (facts) => `Set images.postgres to an image of Postgres ${facts.major} that carries it, and the runtime to containers, then run again; the dump itself was not judged.`,
  ),
  'restore.needs-superuser': defect<{ readonly statements: readonly string[]; readonly count: number }>(
    (facts) => `${facts.count} ${facts.count === 1 ? 'statement needs' : 'statements need'} a superuser, whom the configuration says there is not: ${facts.statements.join(', ')}`,
    () => 'Restored where you mean to restore it, this database would lack them: keep a server with a superuser for it, or leave them out of the dump. Take restore.admin out of the configuration to drill it whole.',
  ),
  'restore.connects-out': defect<{ readonly kind: string; readonly object: string; readonly line: number }>(
    (facts) => `${about(facts)} at line ${facts.line} of the dump reaches for another server, which a drill never lets it`,
    (facts) => `Read that line (${shownBy(facts.line)}): if it is yours, no restore of this dump is whole without that server, so leave it out of the dump; else find out who put it there.`,
  ),
  'restore.statement-overdue': obstacle<{ readonly kind: string; readonly object: string; readonly line: number; readonly minutes: number }>(
    (facts) => `${about(facts)} at line ${facts.line} of the dump ran for more than ${facts.minutes} minutes and was ended`,
    (facts) => `Read that line (${shownBy(facts.line)}): if it only takes long, raise restore.statement in the configuration; else it was made to never end.`,
  ),
  'restore.tablespaces-mapped': note<{ readonly tablespaces: readonly string[] }>(
    (facts) => `what lay in the ${facts.tablespaces.length === 1 ? 'tablespace' : 'tablespaces'} ${facts.tablespaces.join(', ')} was put into the default one`,
    () => 'Nothing of it is lost, but a real restore needs them made first: a dump of one database does not hold them.',
  ),
  'restore.locale-unavailable': obstacle<{ readonly encoding: string; readonly locale: string }>(
    (facts) => `the throw-away server cannot make a database with encoding ${facts.encoding} and locale ${facts.locale}`,
    (facts) => `Generate ${facts.locale} on this host (localedef) or use the containers runtime, then run again: another collation would sort and compare differently.`,
  ),
  'restore.copy-count-differs': defect<{ readonly table: string; readonly line: number; readonly sent: number; readonly stored: number }>(
    (facts) => `${facts.table} took ${facts.stored} of ${facts.sent} rows that the dump holds for it`,
    (facts) => `A rule, a trigger or a filter swallowed rows of the COPY at line ${facts.line}: look for what stands before it in the dump, and do not rely on this set.`,
  ),
  'restore.statement-refused': defect<{ readonly kind: string; readonly object: string; readonly line: number; readonly why: string }>(
    (facts) => `${about(facts)} is refused: ${facts.why}`,
    (facts) => `Read that line (${shownBy(facts.line)}): pg_dump does not write this, so find out who put it there before you use this set.`,
  ),
  'restore.transaction-open': defect<{ readonly line: number }>(
    () => 'the dump begins a transaction and never ends it, so its rows would be rolled back',
    () => 'Take the backup with plain pg_dump; if the dump was cut, restore the previous set.',
  ),
  'restore.dump-changed': obstacle<{ readonly planned: number; readonly run: number }>(
    (facts) => `the dump no longer reads as it was inspected: ${facts.run} statements instead of ${facts.planned}`,
    () => 'Something rewrote the file in scratch during the run; run again, and look for what else uses that directory.',
  ),
  'restore.server-died': obstacle<{ readonly line: number }>(
    (facts) => `the throw-away server went away while line ${facts.line} of the dump was restored`,
    () => 'Look at the kernel log for an out-of-memory kill and at free space, then run again; the dump itself was not judged.',
  ),
  'restore.disk-full': obstacle<{ readonly line: number }>(
    (facts) => `the disk filled up while line ${facts.line} of the dump was restored`,
    () => 'Free space where scratch lies (scratch in the configuration moves it; plan three times the decompressed dump), or raise containerMemory where a container held the data, then run again.',
  ),
  'restore.out-of-memory': obstacle<{ readonly line: number }>(
    (facts) => `the throw-away server ran out of memory at line ${facts.line} of the dump`,
    () => 'Give this host or the container more memory, then run again; the dump itself was not judged.',
  ),
  'restore.cancelled': obstacle<{ readonly line: number }>(
    (facts) => `the restore was stopped at line ${facts.line} of the dump`,
    () => 'Run it again and let it end; what was restored by then proves nothing.',
  ),
});
