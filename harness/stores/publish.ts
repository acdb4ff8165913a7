// Publishes into a store. Never imported by drills, and never told to them: a ReadableStore has no way to write.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StepEnded } from '../run/finding.ts';
import { storeFindings } from './findings.ts';
import { shown } from './names.ts';
import type { StoredObject } from './store.ts';

export interface WritableStore {
  /** For people; no credentials. */
  readonly description: string;
  /**
   * Publishes bytes under a name that is free: afterwards they are there whole, durably and read back, or not at all.
   * @param size of the source in bytes, where it is known beforehand: a large upload is then parted by it
   * @throws StepEnded publish.exists, publish.unverified.
   */
  put(key: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal, size?: number): Promise<StoredObject & { readonly sha256: string }>;
}

/** Publishes into a directory, which is created where it is missing. */
export function directoryPublisher(path: string): WritableStore {
  const root = resolve(path);
  return { description: `directory ${shown(root)}`, put: (key, source, signal) => put(root, key, source, signal) };
}

async function put(root: string, key: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<StoredObject & { readonly sha256: string }> {
  if (key.split('/').some((part) => part === '' || part === '.' || part === '..')) throw new Error(`no key of a store: ${shown(key)}`);
  const target = join(root, key);
  await mkdir(dirname(target), { recursive: true, mode: 0o750 });
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const sha256 = await write(temporary, source, signal);
    if ((await hashOf(temporary)) !== sha256) throw new StepEnded(storeFindings.find('publish.unverified', { object: shown(key) }));
    // A link, because a rename would overwrite.
    await link(temporary, target).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EEXIST' ? new StepEnded(storeFindings.find('publish.exists', { object: shown(key) })) : error;
    });
    const stats = await stat(target);
    return { key, size: stats.size, modifiedAt: stats.mtime, sha256 };
  } finally {
    await rm(temporary, { force: true });
    await sync(dirname(target));
  }
}

async function write(path: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o640);
  try {
    for await (const chunk of source) {
      signal.throwIfAborted();
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Makes the directory's own entries durable. */
async function sync(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
