// Recognises what an rclone crypt remote wrote: its content has a mark of its own, whatever its names look like.
import { shown } from './names.ts';
import type { ReadableStore, StoredObject } from './store.ts';

const mark = Buffer.from('RCLONE\0\0');

/** Which of the objects bear the mark. Reads no more than their first bytes. */
export async function writtenByCrypt(store: ReadableStore, objects: readonly StoredObject[], signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  for (const object of objects) {
    if (object.size < mark.length) continue;
    const body = await store.open(object, signal);
    const first: Buffer[] = [];
    for await (const chunk of body as AsyncIterable<Buffer>) {
      first.push(chunk);
      // Leaving the loop destroys the body.
      if (first.reduce((sum, each) => sum + each.length, 0) >= mark.length) break;
    }
    if (Buffer.concat(first).subarray(0, mark.length).equals(mark)) found.push(shown(object.key));
  }
  return found;
}
