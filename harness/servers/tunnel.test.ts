import { expect, test } from 'vitest';
import { Unframed } from './tunnel.ts';

const frame = (stream: number, text: string): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

async function unframe(bytes: Buffer, pieces: number): Promise<string> {
  const stream = new Unframed();
  const read = stream.toArray();
  for (let at = 0; at < bytes.length; at += pieces) stream.write(bytes.subarray(at, at + pieces));
  stream.end();
  return Buffer.concat((await read) as Buffer[]).toString();
}

test.each([1, 3, 8, 9, 1000])('what an engine frames comes out whole, cut into pieces of %i, and without what is no output', async (pieces) => {
  expect(await unframe(Buffer.concat([frame(1, 'one'), frame(2, 'a complaint'), frame(1, ''), frame(1, 'two\n')]), pieces)).toBe('onetwo\n');
});

test('what is no frame is an error, and not data', async () => {
  await expect(unframe(Buffer.from('OCI runtime exec failed'), 100)).rejects.toThrow('no frame');
});
