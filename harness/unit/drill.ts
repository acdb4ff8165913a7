// The plan of a drill over the parts of the unit that this version knows: where the backups come from, then each part.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ledgerOf } from '../database/fetching.ts';
import type { How } from '../database/select/select.ts';
import { type RestoredAt, planDatabase } from '../database/steps.ts';
import { Plan, type StepRef } from '../run/plan.ts';
import type { Scope } from '../run/record.ts';
import { attachScratch } from '../run/scratch.ts';
import { leaveRestored } from '../suite/restored.ts';
import { keepEvidence } from './evidence.ts';
import { planSource, type SourceSettings } from './open.ts';

/** What the worker needs to know, as plain data; the command plans from the same to know the steps beforehand. */
export interface DrillSettings extends SourceSettings {
  readonly how: How;
  /** The restored database stays up after the run. */
  readonly keep: boolean;
}

/** The ledger counts where there is one to hold the set against. */
export function drillScope(settings: Pick<SourceSettings, 'config' | 'store'>): Scope {
  const ledger = ledgerOf(settings) === null ? [] : ['ledger'];
  return { covered: ['database', ...ledger], notCovered: ['media', 'audit', 'ledger', 'recovery key'].filter((part) => !ledger.includes(part)) };
}

export function drillPlan(settings: DrillSettings): Plan {
  const plan = new Plan();
  const { source, close } = planSource(plan, settings);
  const restored = planDatabase(plan, source, settings, leaveRestored);
  close();
  if (settings.keep) planKeep(plan, restored, settings);
  return plan;
}

/** Leaves a way in: the password in a file that only this user can read, never in a report. */
function planKeep(plan: Plan, restored: StepRef<RestoredAt>, { scratch }: DrillSettings): void {
  plan.step({
    id: 'run.keep',
    part: 'run',
    title: 'keep the restored database',
    needs: { restored },
    evidence: keepEvidence,
    run: async ({ restored: { checker, server } }) => {
      const file = join(attachScratch(scratch).work, 'pgpass');
      const escaped = [checker.host, String(checker.port), checker.database, checker.user, checker.password].map((field) => field.replaceAll(/[\\:]/g, '\\$&'));
      writeFileSync(file, `${escaped.join(':')}\n`, { mode: 0o600 });
      const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
      const inside = server.psql?.(checker);
      if (inside !== undefined) return { evidence: { connect: `PGPASSWORD="$(cut -d: -f5 ${quoted(file)})" ${inside.program} -h ${inside.host} -p ${inside.port} -U ${quoted(checker.user)} -d ${quoted(checker.database)}` } };
      return { evidence: { connect: `PGPASSFILE=${quoted(file)} psql -h ${quoted(checker.host)} -p ${checker.port} -U ${quoted(checker.user)} -d ${quoted(checker.database)}` } };
    },
  });
}
