import { z } from 'zod';
import { objectStoreEvidence, serverEvidence } from '../servers/evidence.ts';

export const publishEvidence = z.strictObject({
  set: z.string(),
  store: z.string(),
  chosen: z.string().optional().describe('why the store is carried by what carries it'),
  server: objectStoreEvidence.omit({ chosen: true }),
  objects: z.array(z.strictObject({ key: z.string(), bytes: z.int() })),
  recipient: z.string().describe('the throw-away public key that it was encrypted for'),
});

export const untouchedEvidence = z.strictObject({
  entries: z.int().describe('versions, delete markers and unfinished uploads that the store holds'),
  changed: z.int().describe('those of them that came or went after it was published'),
  port: z.int().describe('where it listened; closed by now, or with its container'),
});

export const keepEvidence = z.strictObject({
  connect: z.string().describe('how to connect, read-only; the password lies in the file that it names'),
});

const written = z.strictObject({
  transactions: z.int(),
  inserted: z.int(),
  updated: z.int(),
  deleted: z.int(),
  drawn: z.int().describe('values taken out of sequences'),
});

/** Of the database that a live rehearsal backs up. */
export const liveSampleEvidence = z.strictObject({
  server: serverEvidence,
  clients: z.strictObject({ directory: z.string(), pgDump: z.string().describe('as it says of itself') }).describe('psql, pg_dump and pg_dumpall'),
  messages: z.int().describe('rows of the largest table, before anybody wrote to it'),
});

/** How a live rehearsal's backup was taken. */
export const liveBackupEvidence = z.strictObject({
  script: z.string(),
  ended: z.string().describe('its exit code, or the signal that ended it'),
  durationMs: z.int(),
  set: z.string().nullable().describe('null: it left none'),
  files: z.array(z.strictObject({ name: z.string(), bytes: z.int() })).describe('all that it left in its directory'),
  connections: z.int().describe('that wrote to the database all the while'),
  writtenDuringDump: written.describe("what they committed between the script's words that pg_dump begins and that it has ended"),
  written: written.describe('what they committed in all'),
  said: z.array(z.string()).describe("the script's last lines"),
});
