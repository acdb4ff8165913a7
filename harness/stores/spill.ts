// Streams bytes into a file of scratch. Under its final name a file is whole or absent, whatever happens on the way.
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
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

/** How much is written at once: a chunk of the network's is small, and each write is a trip to another thread. */
const writeBytes = 1 << 20;

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
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let writing: Promise<void> = Promise.resolve();
  /** Starts to write what is held, once what was held before is written: the next bytes arrive and are hashed meanwhile. */
  const write = async (): Promise<void> => {
    await writing;
    writing = writeAll(file, held, heldBytes).catch((error: unknown) => rethrow(error, path, expected - bytes));
    // It is awaited before anything else is done with the file; until then its failure is nobody's.
    writing.catch(() => undefined);
    [held, heldBytes] = [[], 0];
  };
  try {
    for await (const chunk of source) {
      hash.update(chunk);
      bytes += chunk.length;
      heldBytes += chunk.length;
      held.push(chunk);
      if (heldBytes >= writeBytes) await write();
      onBytes(bytes);
    }
    if (heldBytes > 0) await write();
    await writing;
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await writing.catch(() => undefined);
    await file.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
  return { path, bytes, sha256: hash.digest('hex') };
}

/** A write of several pieces may end early, as one of a single piece may; only writeFile goes on until every byte is written. */
async function writeAll(file: FileHandle, pieces: readonly Uint8Array[], bytes: number): Promise<void> {
  const { bytesWritten } = await file.writev([...pieces]);
  if (bytesWritten < bytes) await file.writeFile(Buffer.concat(pieces).subarray(bytesWritten));
}

/** Another process may have filled the disk since it was checked. */
function rethrow(error: unknown, path: string, missing: number): never {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) ensureFree(dirname(path), Math.max(missing, 1 << 20));
  throw error;
}
