// Why a server in a container is gone: asked of the engine, and told apart, since each asks for something else to be done.
import type Dockerode from 'dockerode';
import { engineGone, engineProblem } from '../run/engine.ts';
import type { Finding } from '../run/finding.ts';
import { serverFindings } from './findings.ts';
import { lastWords } from './log-words.ts';

export type Fate =
  | { readonly state: 'running' }
  | { readonly state: 'ended'; readonly exitCode: number; readonly outOfMemory: boolean; readonly diskFull: boolean; readonly log: readonly string[] }
  /** Somebody removed it. */
  | { readonly state: 'removed' }
  | { readonly state: 'engine gone'; readonly error: string };

/** A postmaster whose backend was killed takes a moment to end itself. */
const endingMs = 5_000;

/** What became of a container whose connection broke. */
export async function fateOfContainer(container: Dockerode.Container): Promise<Fate> {
  try {
    await endedWithin(container, endingMs);
    const { State } = await container.inspect();
    if (State.Running) return { state: 'running' };
    const text = String(await container.logs({ stdout: true, stderr: true, tail: 200 }));
    // 137 by the kernel's hand alone: by anybody else's it is a server that died.
    return { state: 'ended', exitCode: State.ExitCode, outOfMemory: State.OOMKilled, diskFull: /No space left on device/.test(text), log: lastWords(text) };
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return { state: 'removed' };
    if (engineGone(error)) return { state: 'engine gone', error: engineProblem(error) };
    throw error;
  }
}

/** The finding for it; null while it runs. */
export function deathOf(fate: Fate, about: { readonly engine: string; readonly image: string; readonly memoryLimitBytes: number; readonly dataLimitBytes: number | null }, what = 'Postgres'): Finding | null {
  if (fate.state === 'running') return null;
  if (fate.state === 'engine gone') return serverFindings.find('engine.lost', { engine: about.engine, error: fate.error });
  if (fate.state === 'removed') return serverFindings.find('server.died', { what, exit: 'its container removed', log: [] });
  if (fate.outOfMemory) return serverFindings.find('server.out-of-memory', { what, limitBytes: about.memoryLimitBytes, image: about.image });
  if (fate.diskFull) return serverFindings.find('server.disk-full', { what, limitBytes: about.dataLimitBytes, log: fate.log });
  return serverFindings.find('server.died', { what, exit: `exit code ${fate.exitCode}`, log: fate.log });
}

async function endedWithin(container: Dockerode.Container, ms: number): Promise<void> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ms);
  try {
    await container.wait({ abortSignal: abort.signal });
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}
