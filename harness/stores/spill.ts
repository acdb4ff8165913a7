// Streams bytes into a file of scratch. Under its final name a file is whole or absent, whatever happens on the way.
import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ensureFree } from '../run/scratch.ts';

/** A file of scratch, mode 0600, and what was measured while it was written. */
export interface Spilled {
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export interface SpillOptions {
  /** How many bytes are expected; that many must be free before the first is written. */
  readonly expected: number;
  /** Called after each chunk with the bytes so far. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Writes all of `source` to `path`. What `source` throws passes through; nothing is left then.
 * @throws StepEnded scratch.full.
 */
export async function spill(source: AsyncIterable<Uint8Array>, path: string, { expected, onBytes }: SpillOptions): Promise<Spilled> {
  ensureFree(dirname(path), expected);
  const partial = `${path}.part`;
  await rm(partial, { force: true });
  const file = await open(partial, 'wx', 0o600);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of source) {
      hash.update(chunk);
      bytes += chunk.length;
      // Of all writes of a handle, only this one goes on until every byte is written.
      await file.writeFile(chunk).catch((error: unknown) => rethrow(error, path, expected - bytes));
      onBytes(bytes);
    }
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
  return { path, bytes, sha256: hash.digest('hex') };
}

/** Another process may have filled the disk since it was checked. */
function rethrow(error: unknown, path: string, missing: number): never {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) ensureFree(dirname(path), Math.max(missing, 1 << 20));
  throw error;
}
