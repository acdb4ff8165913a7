// The figures that every report leads with, out of the evidence of the steps that measured them.
import { objectivesEvidence } from '../database/objectives/evidence.ts';
import { selectEvidence } from '../database/select/evidence.ts';
import type { DrillRun } from '../run/record.ts';

export interface Figures {
  /** Set id, or null where none was chosen. */
  readonly set: string | null;
  /** How old the set's snapshot was when it was chosen; null without a manifest that tells. */
  readonly ageMs: number | null;
  /** UTC. */
  readonly snapshotAt: string | null;
  readonly rpoMs: number | null;
  /** A lower bound on the RTO. */
  readonly restoreMs: number | null;
}

export function figuresOf(record: DrillRun): Figures {
  const evidence = (id: string): Readonly<Record<string, unknown>> | null | undefined => record.steps.find((step) => step.id === id)?.evidence;
  const chosen = evidence('database.select');
  const set = typeof chosen?.['set'] === 'string' ? chosen['set'] : null;
  const selected = selectEvidence.safeParse(chosen);
  const ageMs = selected.success && selected.data.snapshotAt !== null ? selected.data.ageMs : null;
  const measured = objectivesEvidence.safeParse(evidence('database.objectives'));
  if (!measured.success) return { set, ageMs, snapshotAt: null, rpoMs: null, restoreMs: null };
  return { set, ageMs, snapshotAt: measured.data.snapshotAt, rpoMs: measured.data.rpoMs, restoreMs: measured.data.restoreMs };
}
