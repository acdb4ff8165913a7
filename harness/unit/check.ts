// The plan of a check: what can be asserted of the backups without restoring any.
import type { How } from '../database/select/select.ts';
import { planSchemaCheck } from '../database/schema/steps.ts';
import { Plan } from '../run/plan.ts';
import type { Scope } from '../run/record.ts';
import { planSource, type SourceSettings } from './open.ts';

export interface CheckSettings extends SourceSettings {
  readonly how: How;
}

/** A schema that is as it should be says nothing of the rows, nor that they can be restored. */
export const schemaScope = (how: How): Scope => ({ covered: [how.kind === 'date' ? `schema of the dump of ${how.date}` : 'schema of the newest dump'], notCovered: ['rows', 'restore', 'media', 'audit', 'ledger', 'recovery key'] });

export function schemaCheckPlan(settings: CheckSettings): Plan {
  const plan = new Plan();
  const { source, close } = planSource(plan, withoutEngine(settings));
  planSchemaCheck(plan, source, settings);
  close();
  return plan;
}

/** A check starts no container: the store of its rehearsal is the small one that comes along. */
export const withoutEngine = <S extends SourceSettings>(settings: S): S => ({ ...settings, config: { ...settings.config, runtime: 'embedded' } });
