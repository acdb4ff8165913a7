// What a drill of the whole unit has to say of itself.
import { defect, defineFindings, obstacle } from '../run/finding.ts';

export const unitFindings = defineFindings({
  'run.store-changed': obstacle<{ changed: number }>(
    ({ changed }) => `the drill changed the store that it read: ${changed} ${changed === 1 ? 'entry' : 'entries'} of it came or went`,
    () => 'A drill never writes to a store. This is a defect of the harness: do not point it at real backups, and report it with record.json.',
  ),
  'live.tools-missing': obstacle<{ servers: readonly string[]; found: readonly string[] }>(
    ({ servers, found }) => `a live rehearsal needs psql, pg_dump and pg_dumpall in one directory, as new as a server that it can start (Postgres ${servers.join(', ')}); ${found.length === 0 ? 'there are none' : `there is only ${found.join(', ')}`}`,
    ({ servers }) => `Install the client programs of Postgres ${servers.at(-1) ?? ''} (on Debian: apt-get install postgresql-client), so that they lie on PATH or under /usr/lib/postgresql, and run it again.`,
  ),
  'live.host-unfit': obstacle<{ script: string; missing: readonly string[] }>(
    ({ script, missing }) => `a live rehearsal runs ${script}, and this machine lacks ${missing.join(' and ')}`,
    ({ missing }) => `Install ${missing.join(' and ')} (on Debian: apt-get install bash util-linux) and run it again.`,
  ),
  'live.refused': defect<{ script: string; words: string; said: readonly string[] }>(
    ({ script, words }) => `${script} refused to take the backup: ${words}`,
    () => 'Put right what it names: the sample meets all that a database must, so the script, the expected tables of the configuration or this machine is at fault. Its last lines are in the evidence of the step.',
  ),
  'live.broken': obstacle<{ script: string; ended: string; words: string; said: readonly string[] }>(
    ({ script, ended, words }) => `${script} could not take the backup and ended with ${ended}${words === '' ? '' : `: ${words}`}`,
    () => 'See to what it names, on this machine, and run it again. Its last lines are in the evidence of the step.',
  ),
  'live.set-incomplete': defect<{ script: string; files: readonly string[] }>(
    ({ script, files }) => `${script} said that all is well and left no whole set: ${files.length === 0 ? 'nothing' : files.join(', ')}`,
    () => 'A dump, its manifest and its globals of one id are a set, and nothing else may lie beside them: mend the script.',
  ),
  'live.no-writes': defect<{ script: string; connections: number }>(
    ({ connections }) => `none of ${connections} connections could commit a write while pg_dump ran: nothing is proven of a backup beside an application at work`,
    ({ script }) => `Look whether ${script} keeps writers out (its locks, its lines "dump begins" and "dump ends" in the evidence), mend that, and run it again.`,
  ),
  'live.load-broken': obstacle<{ error: string }>(
    ({ error }) => `a connection that wrote to the sample database stopped before it was told to (${error})`,
    () => 'This is a defect of the rehearsal, or of its server, and says nothing about the backup: run it again, and if it happens again report it with record.json.',
  ),
});
