// What a step that starts a server leaves behind of it.
import { z } from 'zod';

/** What runs in a container, and on what. */
const image = {
  engine: z.string().describe('its address'),
  engineVersion: z.string(),
  image: z.string().describe('as it was asked for'),
  imageId: z.string(),
  digest: z.string().nullable().describe('in its registry; null for an image that was made here'),
  pulled: z.boolean(),
  name: z.string(),
};

export const serverEvidence = z.strictObject({
  runtime: z.enum(['embedded', 'containers']),
  version: z.string().describe('as the server itself says, 18.4'),
  package: z.string().describe('the npm package or image that it came from'),
  runsAs: z.enum(['nobody', 'the user of the drill', 'container']),
  tcpPorts: z.int().describe('ports opened; 0: reached through a Unix socket only'),
  initialiseMs: z.int(),
  startMs: z.int(),
  chosen: z.string().optional().describe('why this runtime'),
  container: z.strictObject({
    ...image,
    network: z.literal('none'),
    data: z.enum(['memory', 'volume']),
    dataLimitBytes: z.number().nullable().describe('null on a volume: what the disk has'),
    memoryLimitBytes: z.number(),
  }).optional(),
});

export type ServerEvidence = z.infer<typeof serverEvidence>;

export const objectStoreEvidence = z.strictObject({
  runtime: z.enum(['embedded', 'containers']),
  kind: z.string().describe('which server it is'),
  startMs: z.int(),
  chosen: z.string().optional().describe('why this runtime'),
  container: z.strictObject(image).optional(),
});

export type ObjectStoreEvidence = z.infer<typeof objectStoreEvidence>;
