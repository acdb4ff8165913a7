// The figures that every report leads with, out of the evidence of the steps that measured them.
import { objectivesEvidence } from '../database/objectives/evidence.ts';
import type { DrillRun } from '../run/record.ts';

export interface Figures {
  /** Set id, or null where none was chosen. */
  readonly set: string | null;
  /** UTC. */
  readonly snapshotAt: string | null;
  readonly rpoMs: number | null;
  /** A lower bound on the RTO. */
  readonly restoreMs: number | null;
}

export function figuresOf(record: DrillRun): Figures {
  const chosen = record.steps.find((step) => step.id === 'database.select')?.evidence;
  const measured = objectivesEvidence.safeParse(record.steps.find((step) => step.id === 'database.objectives')?.evidence);
  const set = typeof chosen?.['set'] === 'string' ? chosen['set'] : null;
  if (!measured.success) return { set, snapshotAt: null, rpoMs: null, restoreMs: null };
  return { set, snapshotAt: measured.data.snapshotAt, rpoMs: measured.data.rpoMs, restoreMs: measured.data.restoreMs };
}
