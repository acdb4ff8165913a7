// Asks whether this credential may write or delete, by calls that can change nothing. It belongs to the reading side all
// the same: a drill that holds a credential which could destroy the backups has to say so, and cannot know it otherwise.
//
// Why nothing can change: the object's name is random, so there is nothing to overwrite or to delete; the put carries a
// digest that its body does not have, twice over (Content-MD5 and the signed sha256), and asks for an object to be there
// that is not; the delete names a version that does not exist.
import { randomBytes } from 'node:crypto';
import { DeleteObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { isDenied, toldBy } from './s3-errors.ts';
import type { Writes } from './store.ts';

/** How a store answers a put or a delete that it would have carried out, had it been a real one. */
const wouldHave = ['BadDigest', 'XAmzContentSHA256Mismatch', 'PreconditionFailed', 'NoSuchKey', 'NoSuchVersion'];

export async function probeWrites(client: S3Client, Bucket: string, prefix: string, abortSignal: AbortSignal): Promise<Writes> {
  const Key = `${prefix}backup-drills-probe-${randomBytes(16).toString('hex')}`;
  const put = new PutObjectCommand({ Bucket, Key, Body: 'x', ContentMD5: Buffer.alloc(16).toString('base64'), IfMatch: '"00000000000000000000000000000000"' });
  put.middlewareStack.add((next) => async (call) => {
    (call.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = '0'.repeat(64);
    return next(call);
  }, { step: 'build', name: 'digest of another body' });
  const answers = [await ask(client.send(put, { abortSignal })), await ask(client.send(new DeleteObjectCommand({ Bucket, Key, VersionId: randomBytes(16).toString('hex') }), { abortSignal }))];
  if (answers.includes('allowed')) return 'allowed';
  return answers.every((answer) => answer === 'denied') ? 'denied' : 'not judged';
}

async function ask(call: Promise<unknown>): Promise<Writes> {
  try {
    await call;
    return 'allowed';
  } catch (error) {
    if (isDenied(error)) return 'denied';
    return wouldHave.includes(toldBy(error).name) ? 'allowed' : 'not judged';
  }
}
