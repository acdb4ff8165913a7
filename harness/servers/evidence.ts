// What a step that starts a server leaves behind of it.
import { z } from 'zod';

export const serverEvidence = z.strictObject({
  runtime: z.enum(['embedded', 'containers']),
  version: z.string().describe('as the server itself says, 18.4'),
  package: z.string().describe('the npm package or image that it came from'),
  runsAs: z.enum(['nobody', 'the user of the drill', 'container']),
  tcpPorts: z.int().describe('ports opened; 0: reached through a Unix socket only'),
  initialiseMs: z.int(),
  startMs: z.int(),
});

export type ServerEvidence = z.infer<typeof serverEvidence>;
