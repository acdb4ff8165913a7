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
  'teardown.left-over': obstacle<{ path: string; processes: readonly string[]; paths: readonly string[]; containers: readonly string[] }>(
    ({ path, processes, paths, containers }) => `${path} is not wholly torn down: ${processes.length} processes, ${paths.length} paths and ${containers.length} containers and volumes remain`,
    ({ path }) => `It holds restored data: end the processes and remove the containers named here, then remove ${path} by hand.`,
  ),
  'teardown.engine-silent': obstacle<{ path: string; engine: string; error: string; ids: readonly string[] }>(
    ({ engine, error }) => `the container engine at ${engine} does not answer (${error}): whether a container with restored data is left there is not proven`,
    ({ path, ids }) => `Start that engine and run the next drill, which then removes what is there, or find it by hand with docker ps -a ${ids.map((id) => `--filter label=backup-drills.id=${id}`).join(' ')}; until then ${path} keeps the note of it.`,
  ),
  'teardown.engine-still-silent': warning<{ run: string; path: string; engine: string; error: string }>(
    ({ run, engine, error }) => `run ${run} may have left a container with restored data on the engine at ${engine}, which does not answer (${error})`,
    ({ path }) => `Start that engine, and the next drill removes it; where that engine is gone for ever, remove ${path}.`,
  ),
  'teardown.refused': obstacle<{ path: string; why: string }>(
    ({ path, why }) => `${path} is not torn down: ${why}`,
    () => 'Nothing was touched there: look at it, and if it is a leftover of a drill remove it by hand.',
  ),
  'teardown.reaped': note<{ run: string; path: string; processes: number; entries: number; containers: number }>(
    ({ run, path, processes, entries, containers }) => `run ${run} had left ${path} behind (${processes} processes, ${entries} entries, ${containers} containers); it is removed`,
    () => 'Nothing is left to do here; if nobody killed that run, look into the system log for what did.',
  ),
  'teardown.kept': warning<{ run: string; path: string; keptAt: string }>(
    ({ run, path, keptAt }) => `run ${run} was kept on ${keptAt} and its database is still in ${path}`,
    ({ path }) => `It holds restored data: remove it with npm run drill -- --remove ${path} as soon as nobody needs it.`,
  ),
});
