// What the inspect step leaves in the record: counts and names, never a statement's text.
import { z } from 'zod';
import type { Inventory } from './inventory.ts';

const count = z.number().int().nonnegative();

export const inspectEvidence = z.strictObject({
  serverVersion: z.string(),
  dumpVersion: z.string(),
  clientEncoding: z.string().nullable(),
  restricted: z.boolean().describe('the dump guards psql by \\restrict'),
  compressedBytes: z.string().describe('decimal'),
  decompressedBytes: z.string().describe('decimal'),
  sha256: z.string().describe('of the compressed dump'),
  extensions: z.array(z.string()),
  roles: z.array(z.string()),
  schemas: count,
  tables: count,
  copyBlocks: count,
  copyRows: z.string().describe('decimal'),
  insertStatements: z.string().describe('decimal'),
  constraints: count,
  indexes: count,
  sequences: count,
  triggers: count,
  policies: count,
  functions: count,
  views: count,
  materializedViews: count,
  eventTriggers: count,
  publications: count,
  largeObjects: count,
  unknownStatements: count,
  unknownAtLines: z.array(z.number().int()).describe('the first hundred'),
  durationMs: z.number().nonnegative(),
});

export type InspectEvidence = z.infer<typeof inspectEvidence>;

/** @param durationMs how long the inspection took. */
export function evidenceOf(inventory: Inventory, durationMs: number): InspectEvidence {
  const total = (counts: readonly number[]): string => String(counts.reduce((sum, one) => sum + one, 0));
  return {
    serverVersion: inventory.serverVersion,
    dumpVersion: inventory.dumpVersion,
    clientEncoding: inventory.clientEncoding,
    restricted: inventory.restricted,
    compressedBytes: String(inventory.compressedBytes),
    decompressedBytes: String(inventory.decompressedBytes),
    sha256: inventory.sha256,
    extensions: inventory.extensions.map((extension) => extension.name),
    roles: [...inventory.roles],
    schemas: inventory.schemas.length,
    tables: inventory.tables.length,
    copyBlocks: inventory.copies.length,
    copyRows: total(inventory.copies.map((copy) => copy.rows)),
    insertStatements: total(inventory.inserts.map((run) => run.count)),
    constraints: inventory.constraints.length,
    indexes: inventory.indexes.length,
    sequences: inventory.sequences.length,
    triggers: inventory.triggers.length,
    policies: inventory.policies.length,
    functions: inventory.functions.length,
    views: inventory.views.length,
    materializedViews: inventory.materializedViews.length,
    eventTriggers: inventory.eventTriggers.length,
    publications: inventory.publications.length,
    largeObjects: inventory.largeObjects,
    unknownStatements: inventory.unknown.count,
    unknownAtLines: inventory.unknown.places.map((place) => place.line),
    durationMs,
  };
}
