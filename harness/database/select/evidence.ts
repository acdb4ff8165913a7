// What choosing a set and verifying its dump measured.
import { z } from 'zod';

const count = z.number().int().nonnegative();

export const selectEvidence = z.strictObject({
  set: z.string(),
  how: z.enum(['newest', 'date', 'random-older']),
  asked: z.string().nullable().describe('the date that was asked for'),
  seed: z.string().nullable().describe('picks the same older set again, while it is retained'),
  snapshotAt: z.iso.datetime().nullable().describe("UTC; by the set's manifest"),
  ageMs: z.number().describe('at the least: without a manifest, from the end of the day that its name says'),
  newest: z.string(),
  candidates: count,
  manifestsRead: count,
});
export type SelectEvidence = z.infer<typeof selectEvidence>;

export const verifyDumpEvidence = z.strictObject({
  set: z.string(),
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bound: z.boolean().describe('false: there is no manifest to compare with'),
});
export type VerifyDumpEvidence = z.infer<typeof verifyDumpEvidence>;
