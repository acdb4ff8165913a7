import { z } from 'zod';

export const objectivesEvidence = z.strictObject({
  snapshotAt: z.string().nullable().describe('UTC; null without a manifest'),
  rpoMs: z.number().nullable().describe("measured RPO: the run's clock less the snapshot; null where a set was asked for that need not be the newest"),
  rpoGoalMs: z.number().nullable(),
  restoreMs: z.number().describe('from the first byte fetched to the last statement restored: a lower bound on the RTO'),
  restoreGoalMs: z.number().nullable(),
});
