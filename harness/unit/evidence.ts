import { z } from 'zod';

export const publishEvidence = z.strictObject({
  set: z.string(),
  store: z.string(),
  objects: z.array(z.strictObject({ key: z.string(), bytes: z.int() })),
  recipient: z.string().describe('the throw-away public key that it was encrypted for'),
});

export const untouchedEvidence = z.strictObject({
  changed: z.int().describe('how often anything in the store was changed after it was published'),
  port: z.int().describe('where it listened; closed by now'),
});

export const keepEvidence = z.strictObject({
  connect: z.string().describe('how to connect, read-only; the password lies in the file that it names'),
});
