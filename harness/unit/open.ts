// Where a run's backups come from: a configured store, or, while none is, a sample that is published for it.
import type { Config } from '../config/schema.ts';
import { resolveSecrets } from '../config/secrets.ts';
import type { Source } from '../database/fetching.ts';
import type { Plan, StepRef } from '../run/plan.ts';
import { openStore } from '../stores/open.ts';
import { planRehearsal } from './rehearsal.ts';
import { openSource, openSourceEvidence } from './source.ts';

/** Plain data, for a process of its own. */
export interface SourceSettings {
  readonly config: Config;
  /** Name of the store to read, or null for the first. */
  readonly store: string | null;
  /** The run's scratch directory; empty in the command, which plans but does not run. */
  readonly scratch: string;
  /** A rehearsal takes its backup itself, of a database under write load. */
  readonly live?: boolean;
}

/** Opens it; `close` plans its end, after all that reads from it. */
export function planSource(plan: Plan, settings: SourceSettings): { readonly source: StepRef<Source>; readonly close: () => void } {
  return settings.config.mode === 'rehearsal' ? planRehearsal(plan, settings) : { source: planOpen(plan, settings), close: () => {} };
}

function planOpen(plan: Plan, { config, store: name }: SourceSettings): StepRef<Source> {
  return plan.step({
    id: 'run.open',
    part: 'run',
    title: 'open the store and the keys',
    needs: {},
    evidence: openSourceEvidence,
    run: async (_, { signal }) => {
      const chosen = name === null ? config.stores[0] : config.stores.find((one) => one.name === name);
      if (chosen === undefined) throw new Error(`no store is named ${name ?? '(first)'}`);
      const { identities, stores } = await resolveSecrets(config, process.env);
      return openSource(await openStore(chosen, stores), identities, config.application, signal);
    },
  });
}
