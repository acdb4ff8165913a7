// Findings of the scratch directory, its teardown and its lock.
import { defineFindings, note, obstacle, warning } from './finding.ts';

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

export const scratchFindings = defineFindings({
  'scratch.unwritable': obstacle<{ path: string; error: string }>(
    ({ path, error }) => `the scratch directory ${path} cannot be made (${error})`,
    () => 'Make its parent directory writable for this user, or name another one with enough room, and run the drill again.',
  ),
  'scratch.full': obstacle<{ path: string; neededBytes: number; freeBytes: number }>(
    ({ path, neededBytes, freeBytes }) => `${path} has ${mebibytes(freeBytes)} free, and ${mebibytes(neededBytes)} are needed`,
    () => 'Free some space there, or name a scratch directory on a larger disk, and run the drill again.',
  ),
  'scratch.unsafe': obstacle<{ path: string; why: string }>(
    ({ path, why }) => `${path} is no safe place for a backup's content: ${why}`,
    () => 'Name a scratch directory that this user owns, or one like /tmp that is sticky, and run the drill again.',
  ),
  'scratch.locked': obstacle<{ path: string; pid: number; host: string; waitedMs: number }>(
    ({ path, pid, host, waitedMs }) => `${path} has been held by process ${pid} on ${host} for more than ${Math.round(waitedMs / 1000)} s`,
    ({ pid, host }) => `Look what process ${pid} on ${host} does; when it is no drill, end it, and run this again.`,
  ),
  'teardown.left-over': obstacle<{ path: string; processes: readonly string[]; paths: readonly string[] }>(
    ({ path, processes, paths }) => `${path} is not wholly torn down: ${processes.length} processes and ${paths.length} paths remain`,
    ({ path }) => `It holds restored data: end the processes named here, then remove ${path} by hand.`,
  ),
  'teardown.refused': obstacle<{ path: string; why: string }>(
    ({ path, why }) => `${path} is not torn down: ${why}`,
    () => 'Nothing was touched there: look at it, and if it is a leftover of a drill remove it by hand.',
  ),
  'teardown.reaped': note<{ run: string; path: string; processes: number; entries: number }>(
    ({ run, path, processes, entries }) => `run ${run} had left ${path} behind (${processes} processes, ${entries} entries); it is removed`,
    () => 'Nothing is left to do here; if nobody killed that run, look into the system log for what did.',
  ),
  'teardown.kept': warning<{ run: string; path: string; keptAt: string }>(
    ({ run, path, keptAt }) => `run ${run} was kept on ${keptAt} and its database is still in ${path}`,
    ({ path }) => `It holds restored data: remove it with npm run drill -- --remove ${path} as soon as nobody needs it.`,
  ),
});
