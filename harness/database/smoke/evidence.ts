// What the smoke steps measured. Counts are decimal strings: a table may hold more rows than a double can count.
import { z } from 'zod';

const count = z.string().regex(/^\d+$/);

export const expectedEvidence = z.strictObject({
  tables: z.array(z.strictObject({
    table: z.string(),
    /** Null where the table is missing or could not be read. */
    rows: count.nullable(),
    /** UTC; null where none is asked for or none could be read. */
    newestAt: z.iso.datetime().nullable(),
    maxAgeMs: z.number().nullable(),
  })),
  extensions: z.array(z.strictObject({ name: z.string(), installed: z.string().nullable() })),
  migration: z.strictObject({ expected: z.string(), asExpected: z.boolean() }).nullable(),
});
export type ExpectedEvidence = z.infer<typeof expectedEvidence>;

export const integrityEvidence = z.strictObject({
  foreignKeys: z.array(z.strictObject({ table: z.string(), constraint: z.string(), validated: z.boolean(), orphans: count })),
  /** Left out on purpose: keys over periods, and such as are NOT ENFORCED. */
  foreignKeysNotJudged: z.number().int(),
  sequences: z.array(z.strictObject({ sequence: z.string(), table: z.string(), column: z.string(), collisions: count })),
  tables: z.number().int(),
  tablesWithRows: z.number().int(),
  views: z.number().int(),
});
export type IntegrityEvidence = z.infer<typeof integrityEvidence>;

export const plausibleEvidence = z.strictObject({
  /** At most so many rows of each expected table are looked at. */
  rowCap: z.number().int(),
  columns: z.array(z.strictObject({ table: z.string(), column: z.string(), scanned: count, doubtful: count })),
});
export type PlausibleEvidence = z.infer<typeof plausibleEvidence>;

export const queriesEvidence = z.strictObject({
  queries: z.array(z.strictObject({ name: z.string(), asExpected: z.boolean(), durationMs: z.number() })),
});
export type QueriesEvidence = z.infer<typeof queriesEvidence>;
