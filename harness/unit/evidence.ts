import { z } from 'zod';
import { objectStoreEvidence } from '../servers/evidence.ts';

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
