// What the steps of the schema check leave in the record: counts and names.
import { z } from 'zod';
import { inspectEvidence } from '../dump/evidence.ts';

const count = z.int().nonnegative();

/** What inspection leaves, and how many objects it read. */
export const readEvidence = inspectEvidence.extend({ objects: count.describe('of the schema, columns and constraints counted one by one') });

export const expectedEvidence = z.strictObject({ tables: z.array(z.string()), extensions: z.array(z.string()), missing: count });
export type ExpectedEvidence = z.infer<typeof expectedEvidence>;

export const manifestEvidence = z.strictObject({
  counted: count.describe('tables that the manifest counted'),
  tables: count.describe('tables that the dump makes'),
  missing: count,
  extra: count,
});
export type ManifestEvidence = z.infer<typeof manifestEvidence>;

export const referenceEvidence = z.strictObject({
  referenceMajor: count.describe('of the Postgres that the reference was read of'),
  dumpMajor: count,
  referenceObjects: count,
  objects: count,
  missing: count,
  unexpected: count,
  changed: count,
});
export type ReferenceEvidence = z.infer<typeof referenceEvidence>;
