// The age program, where the machine has it: three times as fast as the library.
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import type { SpillOptions, Spilled } from './spill.ts';
import { spill } from './spill.ts';

/**
 * Decrypts `from` into `to`. Null where there is no such program or where it did not end well, with exactly as many bytes
 * as are expected: that proves nothing about the file. Nothing is left under `to` then.
 */
export async function decryptByBinary(identity: string, from: string, to: string, spilling: SpillOptions, signal: AbortSignal): Promise<Spilled | null> {
  const age = await findAge();
  if (age === null) return null;
  try {
    return await spill(outputOf(age, identity, from, spilling.expected, signal), to, spilling);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BinaryFailed) return null;
    throw error;
  }
}

/** @throws BinaryFailed unless age ended well, with exactly as many bytes as expected. */
async function* outputOf(age: string, identity: string, from: string, expected: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  // Started only now that its output is read: execa discards what nobody reads. The identity goes through stdin:
  // neither argv, nor environment, nor a file.
  const child = execa(age, ['--decrypt', '--identity', '-', from], {
    input: `${identity}\n`, stderr: 'ignore', buffer: false, reject: false, extendEnv: false, env: {}, cancelSignal: signal, forceKillAfterDelay: 1000,
  });
  let bytes = 0;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > expected) break;
      yield chunk;
    }
    if (bytes !== expected || (await child).exitCode !== 0) throw new BinaryFailed('age did not end well');
  } finally {
    child.kill();
    await child;
  }
}

class BinaryFailed extends Error {}

async function findAge(): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, 'age');
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  return null;
}
