// What the steps over a store measured.
import { z } from 'zod';
import type { Plain } from './age.ts';
import type { Fetched } from './fetch.ts';
import type { VerifiedStored } from './verify.ts';

const count = z.number().int().nonnegative();
const bytes = count;
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const durationMs = z.number().nonnegative();

export const catalogEvidence = z.strictObject({
  store: z.string(),
  sets: count,
  quarantined: z.array(z.string()).describe('ids of sets that are never chosen'),
  oldest: z.string().nullable().describe('id of the oldest set that may be chosen'),
  newest: z.string().nullable().describe('id of the newest set that may be chosen, by its name alone'),
  others: z.strictObject({ media: count, audit: count, ledger: count, store: count }).describe('top-level entries of other parts'),
  strays: count,
  unfinishedUploads: z.union([count, z.literal('not judged')]),
  deleteMarkers: z.union([count, z.literal('not judged')]).nullable().describe('artifacts that a delete marker hides; null: the store keeps no versions'),
});
export type CatalogEvidence = z.infer<typeof catalogEvidence>;

export const fetchEvidence = z.strictObject({
  object: z.string(),
  version: z.string().nullable(),
  etag: z.string().nullable().describe("the store's own mark of these very bytes; no digest"),
  modifiedAt: z.iso.datetime().describe('UTC; when the object was written, not how old its content is'),
  bytes,
  sha256,
  attempts: count,
  durationMs,
});
export type FetchEvidence = z.infer<typeof fetchEvidence>;

export function fetchedFacts({ object, bytes, sha256, attempts, durationMs }: Fetched): FetchEvidence {
  return { object: object.key, version: object.version ?? null, etag: object.etag ?? null, modifiedAt: object.modifiedAt.toISOString(), bytes, sha256, attempts, durationMs };
}

export const verifyStoredEvidence = z.strictObject({
  object: z.string(),
  bytes,
  sha256,
  witness: z.enum(['line', 'pending']).nullable().describe('whether the bytes are those of a line of the ledger, or of one that is still to come; null: there is no ledger'),
});
export type VerifyStoredEvidence = z.infer<typeof verifyStoredEvidence>;

export function verifiedStoredFacts({ object, bytes, sha256 }: VerifiedStored, witness: VerifyStoredEvidence['witness']): VerifyStoredEvidence {
  return { object: object.key, bytes, sha256, witness };
}

export const decryptEvidence = z.strictObject({
  object: z.string(),
  engine: z.enum(['none', 'binary', 'library']).describe('what decrypted it; none: it is not encrypted'),
  recipient: z.string().nullable().describe('the public age key that opened it'),
  bytes,
  sha256,
  durationMs,
});
export type DecryptEvidence = z.infer<typeof decryptEvidence>;

export function plainFacts({ object, engine, recipient, bytes, sha256, durationMs }: Plain): DecryptEvidence {
  return { object: object.key, engine, recipient, bytes, sha256, durationMs };
}
