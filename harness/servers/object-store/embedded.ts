// The object store of a rehearsal without containers: our own small server, in this process.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Scratch } from '../../run/scratch.ts';
import { newStoreKeys, type ObjectStoreServer, storeRegion } from './object-store.ts';
import { startS3Server } from './server.ts';

/** Starts it, with its bodies in the run's scratch directory. It ends with this process, whatever ends that: so the register has no line for it. */
export async function startEmbeddedStore({ scratch, bucket }: { readonly scratch: Scratch; readonly bucket: string }): Promise<ObjectStoreServer> {
  const began = performance.now();
  const directory = join(scratch.work, 'store');
  mkdirSync(directory, { mode: 0o700 });
  const [writer, reader] = [newStoreKeys(), newStoreKeys()];
  const server = await startS3Server({ directory, bucket, identities: [{ ...writer, may: ['list', 'get', 'put', 'list-versions', 'list-uploads'] }, { ...reader, may: ['list', 'get', 'list-versions', 'list-uploads'] }] });
  return { endpoint: server.endpoint, region: storeRegion, bucket, writer, reader, close: server.close, evidence: { runtime: 'embedded', kind: 'our own', startMs: Math.round(performance.now() - began) } };
}
