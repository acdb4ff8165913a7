// Publishes into an S3 bucket through minio-js: another client than the one that reads, so that neither proves itself.
// S3 has no rename, and who publishes cannot delete: what is uploaded stands under its final name at once. It is read back
// all the same, and a set counts only once its manifest, which comes last, is there.
import { createHash } from 'node:crypto';
import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Client } from 'minio';
import { StepEnded } from '../run/finding.ts';
import type { S3Credential, S3StoreConfig } from './config.ts';
import { storeFindings } from './findings.ts';
import { shown } from './names.ts';
import type { WritableStore } from './publish.ts';
import type { StoredObject } from './store.ts';

const partBytes = 16 * 2 ** 20;

/** Publishes into a bucket that is there. `config` says where, `credential` who writes. */
export function s3Publisher(config: S3StoreConfig, credential: S3Credential): WritableStore {
  const { hostname, port, protocol, host } = new URL(config.endpoint);
  const secure = protocol === 'https:';
  const client = new Client({
    endPoint: hostname.replaceAll(/[[\]]/g, ''), useSSL: secure, region: config.region, pathStyle: config.pathStyle, partSize: partBytes,
    accessKey: credential.accessKeyId, secretKey: credential.secretAccessKey,
    ...(port === '' ? {} : { port: Number(port) }),
    ...(credential.sessionToken === undefined ? {} : { sessionToken: credential.sessionToken }),
    // Its own: a process-wide one may keep the process alive.
    ...(secure ? {} : { transportAgent: new Agent() }),
  });
  return { description: `s3 bucket ${config.bucket} at ${host}`, put: (key, source, signal, size) => put(client, config, key, source, signal, size) };
}

async function put(client: Client, { bucket, prefix }: S3StoreConfig, key: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal, size: number | undefined): Promise<StoredObject & { readonly sha256: string }> {
  const name = prefix + key;
  const sizeNow = async (): Promise<number | null> => client.statObject(bucket, name).then((stat) => stat.size, (error: { code?: string }) => {
    if (error.code === 'NotFound' || error.code === 'NoSuchKey') return null;
    throw error;
  });
  if ((await sizeNow()) !== null) throw new StepEnded(storeFindings.find('publish.exists', { object: shown(key) }));
  const hash = createHash('sha256');
  const hashed = Readable.from(through(source, hash, signal));
  // The client parts an upload by its size; one whose size nobody knows is small enough to be held.
  if (size === undefined) await client.putObject(bucket, name, await buffer(hashed));
  else await client.putObject(bucket, name, hashed, size);
  const sha256 = hash.digest('hex');
  const again = createHash('sha256');
  for await (const chunk of (await client.getObject(bucket, name)) as AsyncIterable<Uint8Array>) {
    signal.throwIfAborted();
    again.update(chunk);
  }
  if (again.digest('hex') !== sha256) throw new StepEnded(storeFindings.find('publish.unverified', { object: shown(key) }));
  const { size: bytes, lastModified, etag, versionId } = await client.statObject(bucket, name);
  return { key, size: bytes, modifiedAt: lastModified, etag, ...(typeof versionId === 'string' ? { version: versionId } : {}), sha256 };
}

async function* through(source: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    hash.update(chunk);
    yield chunk;
  }
}
