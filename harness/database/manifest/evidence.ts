// What the steps about manifests measure. Counts that may pass 2^53 are decimal strings.
import { z } from 'zod';

const count = z.int().nonnegative();
const big = z.string().regex(/^\d+$/);

export const manifestEvidence = z.strictObject({
  id: z.string(),
  /** UTC, by the source's clock. */
  snapshotTime: z.string(),
  snapshot: z.string(),
  serverVersion: z.string(),
  pgDumpVersion: z.string(),
  algorithm: z.string(),
  tables: count,
  rows: big,
  objects: count,
  sequences: count,
});
export type ManifestEvidence = z.infer<typeof manifestEvidence>;

export const tablesEvidence = z.strictObject({ tablesExpected: count, tablesFound: count, rowsExpected: big, rowsFound: big });
export type TablesEvidence = z.infer<typeof tablesEvidence>;

export const contentEvidence = z.strictObject({
  algorithm: z.string(),
  /** Tables whose digests were compared. */
  tablesCompared: count,
  rowsCompared: big,
  /** Tables that another finding speaks of already: missing, of another count, or of other columns. */
  tablesNotComparable: count,
});
export type ContentEvidence = z.infer<typeof contentEvidence>;

export const schemaEvidence = z.strictObject({
  objectsExpected: count,
  objectsFound: count,
  objectsCompared: count,
  /** Expected objects by type: `index`, `trigger`, … */
  byType: z.record(z.string(), count),
  extensionsCompared: count,
  /** sha256 over names and hashes of all expected objects, and of those found. */
  fingerprintExpected: z.string(),
  fingerprintFound: z.string(),
});
export type SchemaEvidence = z.infer<typeof schemaEvidence>;

export const sequencesEvidence = z.strictObject({
  mode: z.enum(['at-least', 'exact']),
  sequencesExpected: count,
  sequencesCompared: count,
  /** A cycling sequence may be anywhere: only `exact` can judge it. */
  sequencesCycling: count,
});
export type SequencesEvidence = z.infer<typeof sequencesEvidence>;

export const largeObjectsEvidence = z.strictObject({ countExpected: big, countFound: big, bytesExpected: big, bytesFound: big });
export type LargeObjectsEvidence = z.infer<typeof largeObjectsEvidence>;

export const databaseEvidence = z.strictObject({
  serverVersionExpected: z.string(),
  serverVersionFound: z.string(),
  encodingExpected: z.string(),
  encodingFound: z.string(),
  collationExpected: z.string(),
  collationFound: z.string(),
});
export type DatabaseEvidence = z.infer<typeof databaseEvidence>;
