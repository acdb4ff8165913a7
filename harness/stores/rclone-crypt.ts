// Recognises what an rclone crypt remote wrote: its content has a mark of its own, whatever its names look like.
import { readStart } from './fetch.ts';
import { shown } from './names.ts';
import type { ReadableStore, StoredObject } from './store.ts';

const mark = Buffer.from('RCLONE\0\0');

/** Which of the objects bear the mark. Reads no more than their first bytes. */
export async function writtenByCrypt(store: ReadableStore, objects: readonly StoredObject[], signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  for (const object of objects) {
    if (object.size < mark.length) continue;
    if ((await readStart(store, object, mark.length, { signal })).equals(mark)) found.push(shown(object.key));
  }
  return found;
}
