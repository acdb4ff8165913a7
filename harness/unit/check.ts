// The plan of a check: what can be asserted of the backups without restoring any.
import type { Config } from '../config/schema.ts';
import { planCatalog } from '../database/fetching.ts';
import type { How } from '../database/select/select.ts';
import { planSchemaCheck } from '../database/schema/steps.ts';
import { Plan, type StepRef } from '../run/plan.ts';
import type { Scope } from '../run/record.ts';
import type { Catalog } from '../stores/catalog.ts';
import { judgeRetention, retentionEvidence } from '../stores/retention.ts';
import { planSource, type SourceSettings } from './open.ts';

export interface CheckSettings extends SourceSettings {
  readonly how: How;
}

/** A schema that is as it should be says nothing of the rows, nor that they can be restored. */
export const schemaScope = (how: How): Scope => ({ covered: [how.kind === 'date' ? `schema of the dump of ${how.date}` : 'schema of the newest dump'], notCovered: ['rows', 'restore', 'media', 'audit', 'ledger', 'recovery key'] });

/** What each check by name is told to cover, and how it is planned. */
export const storeChecks = {
  retention: { covers: 'retained sets by name and size', plan: planRetention },
} as const;
export type StoreCheckName = keyof typeof storeChecks;

export interface StoreCheckSettings extends SourceSettings {
  readonly checks: readonly StoreCheckName[];
}

/** Names and sizes say nothing of what is in the sets. */
export const storeScope = (checks: readonly StoreCheckName[]): Scope => ({ covered: checks.map((name) => storeChecks[name].covers), notCovered: ['content', 'restore', 'media', 'audit', 'ledger', 'recovery key'] });

export function storeCheckPlan(settings: StoreCheckSettings): Plan {
  const plan = new Plan();
  const { source, close } = planSource(plan, settings);
  const catalog = planCatalog(plan, source);
  for (const name of settings.checks) storeChecks[name].plan(plan, catalog, settings.config);
  close();
  return plan;
}

function planRetention(plan: Plan, catalog: StepRef<Catalog>, { retention, cadenceMs, slackMs }: Config): void {
  plan.step({
    id: 'database.retention',
    part: 'database',
    title: 'hold the retained days and months against what retention asks for',
    needs: { catalog },
    // With what the calendar says should be there.
    compares: true,
    evidence: retentionEvidence,
    run: async ({ catalog: { store, sets } }, { now }) => {
      if (retention === null) throw new Error('no retention is configured');
      return judgeRetention(store, sets, { ...retention, cadenceMs, slackMs }, now());
    },
  });
}

export function schemaCheckPlan(settings: CheckSettings): Plan {
  const plan = new Plan();
  const { source, close } = planSource(plan, withoutEngine(settings));
  planSchemaCheck(plan, source, settings);
  close();
  return plan;
}

/** A check starts no container: the store of its rehearsal is the small one that comes along. */
export const withoutEngine = <S extends SourceSettings>(settings: S): S => ({ ...settings, config: { ...settings.config, runtime: 'embedded' } });
