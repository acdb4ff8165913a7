// RPO and restore duration, measured, against what was promised.
import type { z } from 'zod';
import type { Finding } from '../../run/finding.ts';
import type { objectivesEvidence } from './evidence.ts';
import { objectiveFindings } from './findings.ts';

export interface Measured {
  /** Null without a manifest: then nothing says when the data was true. */
  readonly snapshotAt: Date | null;
  /** Whether it is the newest set: what a restore now would lose is told by that alone. */
  readonly newest: boolean;
  /** The run's clock. */
  readonly now: Date;
  readonly restoreMs: number;
}

/** Null where nothing was promised. */
export interface Objectives {
  readonly rpoMs: number | null;
  readonly restoreDurationMs: number | null;
}

export function judgeObjectives({ snapshotAt, newest, now, restoreMs }: Measured, goals: Objectives): { findings: Finding[]; evidence: z.infer<typeof objectivesEvidence> } {
  const rpoMs = snapshotAt === null || !newest ? null : now.getTime() - snapshotAt.getTime();
  const findings: Finding[] = [];
  if (rpoMs !== null && goals.rpoMs !== null && rpoMs > goals.rpoMs) findings.push(objectiveFindings.find('objective.rpo-missed', { measuredMs: rpoMs, goalMs: goals.rpoMs }));
  if (goals.restoreDurationMs !== null && restoreMs > goals.restoreDurationMs) findings.push(objectiveFindings.find('objective.restore-too-slow', { measuredMs: restoreMs, goalMs: goals.restoreDurationMs }));
  return { findings, evidence: { snapshotAt: snapshotAt?.toISOString() ?? null, rpoMs, rpoGoalMs: goals.rpoMs, restoreMs, restoreGoalMs: goals.restoreDurationMs } };
}
