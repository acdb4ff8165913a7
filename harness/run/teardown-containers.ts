// The half of teardown that speaks to container engines. Loaded with the client only where a register names one: a machine
// without containers pays nothing for them.
import { setTimeout as pause } from 'node:timers/promises';
import type { Belongings } from './register-containers.ts';
import type { Register } from './register.ts';

export interface EngineProof {
  readonly before: Belongings;
  readonly after: Belongings;
  /** Engines that did not answer, with what may still be there. */
  readonly silent: readonly { readonly engine: string; readonly error: string; readonly ids: readonly string[] }[];
}

const nothing: Belongings = { containers: [], volumes: [] };

/** How long an engine may be at making what a killed process had asked it for. */
const makingMs = 10_000;

/** Removes what the register names on any engine. Never throws: an engine that does not answer is told as silent. */
export async function removeContainers(register: Register | null): Promise<EngineProof> {
  const named = (register?.resources ?? []).filter((resource) => resource.kind === 'container');
  if (named.length === 0) return { before: nothing, after: nothing, silent: [] };
  const { engineAt, engineProblem } = await import('./engine.ts');
  const { findBelongings, removeBelongings } = await import('./register-containers.ts');
  const made = new Set(named.filter((one) => one.made).map(({ id }) => id));
  const proofs = await Promise.all([...new Set(named.map(({ engine }) => engine))].map(async (uri): Promise<EngineProof> => {
    const here = named.filter(({ engine }) => engine === uri);
    const ids = [...new Set(here.map(({ id }) => id))];
    try {
      const engine = engineAt(uri);
      // What was asked for and never answered may yet appear: it is waited for, and no longer than an engine takes.
      const until = Math.max(0, ...here.filter(({ id }) => !made.has(id)).map(({ at }) => Math.min(Date.parse(at), Date.now()) + makingMs));
      let before = await findBelongings(engine, ids);
      while (before.containers.length === 0 && Date.now() < until) {
        await pause(50);
        before = await findBelongings(engine, ids);
      }
      return { before, after: await removeBelongings(engine, ids), silent: [] };
    } catch (error) {
      return { before: nothing, after: nothing, silent: [{ engine: uri, error: engineProblem(error), ids }] };
    }
  }));
  const all = (of: 'before' | 'after'): Belongings => ({ containers: proofs.flatMap((proof) => proof[of].containers), volumes: proofs.flatMap((proof) => proof[of].volumes) });
  return { before: all('before'), after: all('after'), silent: proofs.flatMap(({ silent }) => silent) };
}

/** For the evidence. What nobody could count is -1, never 0. */
export function countsOf({ before, after, silent }: EngineProof) {
  if (silent.length > 0) return { containersBefore: -1, containersAfter: -1, volumesBefore: -1, volumesAfter: -1 };
  return { containersBefore: before.containers.length, containersAfter: after.containers.length, volumesBefore: before.volumes.length, volumesAfter: after.volumes.length };
}
