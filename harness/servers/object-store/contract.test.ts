// What every object store of ours must do, by both clients: our own small server, and each real one that the machine has.
// What only ours promises is not asked here.
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import * as aws from '@aws-sdk/client-s3';
import { Client as MinioClient } from 'minio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Keys, startMinio, startOurs, startSeaweedFs, type StoreUnderTest } from '../../../fixtures/object-stores.ts';
import { needing } from '../../../fixtures/tools.ts';

const weed = needing('weed');
const minio = needing('minio');
describe('our server', () => contract(() => startOurs('backups')));
weed.describe('SeaweedFS', () => contract(() => startSeaweedFs(weed.path('weed'), 'backups')));
minio.describe('MinIO', () => contract(() => startMinio(minio.path('minio'), 'backups')));

/** What both clients are asked to do. */
interface Client {
  readonly name: string;
  put(key: string, body: Buffer, headers?: Record<string, string>): Promise<{ etag: string; version: string | null }>;
  /** In parts of 5 MiB. */
  putParted(key: string, body: Buffer): Promise<{ etag: string }>;
  get(key: string, range?: { from: number; to?: number }): Promise<Buffer>;
  head(key: string): Promise<{ size: number; etag: string; modifiedAt: Date; version: string | null; headers: Record<string, string> }>;
  list(prefix: string, folders: boolean): Promise<string[]>;
  remove(key: string): Promise<void>;
}

const part = 5 * 2 ** 20;
const bare = (etag: string | undefined): string => (etag ?? '').replaceAll('"', '');

function awsClient({ endpoint, bucket: Bucket }: StoreUnderTest, credentials: Keys): Client & { s3: aws.S3Client } {
  const s3 = new aws.S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1, requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' });
  return {
    name: 'the AWS SDK',
    s3,
    put: async (Key, Body, headers = {}) => {
      const done = await s3.send(new aws.PutObjectCommand({ Bucket, Key, Body, ContentEncoding: headers['content-encoding'], ContentType: headers['content-type'] }));
      return { etag: bare(done.ETag), version: done.VersionId ?? null };
    },
    putParted: async (Key, body) => {
      const { UploadId } = await s3.send(new aws.CreateMultipartUploadCommand({ Bucket, Key }));
      const Parts: aws.CompletedPart[] = [];
      for (let at = 0; at < body.length; at += part) {
        const PartNumber = Parts.length + 1;
        const { ETag } = await s3.send(new aws.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: body.subarray(at, at + part) }));
        Parts.push({ ETag, PartNumber });
      }
      const done = await s3.send(new aws.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
      return { etag: bare(done.ETag) };
    },
    get: async (Key, range) => {
      const done = await s3.send(new aws.GetObjectCommand({ Bucket, Key, ...(range === undefined ? {} : { Range: `bytes=${range.from}-${range.to ?? ''}` }) }));
      return Buffer.from(await (done.Body as { transformToByteArray(): Promise<Uint8Array> }).transformToByteArray());
    },
    head: async (Key) => {
      const done = await s3.send(new aws.HeadObjectCommand({ Bucket, Key }));
      return { size: done.ContentLength ?? -1, etag: bare(done.ETag), modifiedAt: done.LastModified ?? new Date(0), version: done.VersionId ?? null, headers: { 'content-encoding': done.ContentEncoding ?? '', 'content-type': done.ContentType ?? '' } };
    },
    list: async (Prefix, folders) => {
      const found: string[] = [];
      for (let ContinuationToken: string | undefined; ; ) {
        const page = await s3.send(new aws.ListObjectsV2Command({ Bucket, Prefix, MaxKeys: 3, ContinuationToken, ...(folders ? { Delimiter: '/' } : {}) }));
        found.push(...(page.Contents ?? []).map((one) => one.Key ?? ''), ...(page.CommonPrefixes ?? []).map((one) => one.Prefix ?? ''));
        ContinuationToken = page.NextContinuationToken;
        if (ContinuationToken === undefined) return found.sort();
      }
    },
    remove: async (Key) => void (await s3.send(new aws.DeleteObjectCommand({ Bucket, Key }))),
  };
}

function minioClient({ endpoint, bucket }: StoreUnderTest, keys: Keys): Client {
  const url = new URL(endpoint);
  const client = new MinioClient({ endPoint: url.hostname, port: Number(url.port), useSSL: false, accessKey: keys.accessKeyId, secretKey: keys.secretAccessKey, ...(keys.sessionToken === undefined ? {} : { sessionToken: keys.sessionToken }), region: 'us-east-1', partSize: part });
  return {
    name: 'minio-js',
    put: async (key, body, headers = {}) => {
      const done = await client.putObject(bucket, key, body, body.length, headers);
      return { etag: bare(done.etag), version: done.versionId ?? null };
    },
    putParted: async (key, body) => ({ etag: bare((await client.putObject(bucket, key, body, body.length)).etag) }),
    get: async (key, range) => buffer(await (range === undefined ? client.getObject(bucket, key) : client.getPartialObject(bucket, key, range.from, range.to === undefined ? 0 : range.to - range.from + 1))),
    head: async (key) => {
      const done = await client.statObject(bucket, key);
      return { size: done.size, etag: done.etag, modifiedAt: done.lastModified, version: done.versionId ?? null, headers: done.metaData };
    },
    list: async (prefix, folders) => {
      const found = (await client.listObjectsV2(bucket, prefix, !folders).toArray()) as { name?: string; prefix?: string }[];
      return found.map((one) => one.name ?? one.prefix ?? '').sort();
    },
    remove: async (key) => client.removeObject(bucket, key),
  };
}

function contract(start: () => Promise<StoreUnderTest>): void {
  let store: StoreUnderTest;
  beforeAll(async () => {
    store = await start();
  });
  afterAll(async () => store.close());
  const refusal = async (promise: Promise<unknown>): Promise<string> => {
    const error: unknown = await promise.then(() => null, (reason: unknown) => reason);
    const { name, code } = (error ?? { name: 'no refusal' }) as { name: string; code?: string };
    return code ?? name;
  };

  describe.each([['the AWS SDK', awsClient], ['minio-js', minioClient]] as const)('by %s', (name, make) => {
    const at = `${name === 'minio-js' ? 'm' : 'a'}/`;

    test('what is put is got back: whole, in ranges, its size and its digest told', async () => {
      const client = make(store, store.writer);
      const body = randomBytes(100_000);
      const put = await client.put(`${at}db-2026-11-23.sql.gz`, body);
      expect(await client.get(`${at}db-2026-11-23.sql.gz`)).toEqual(body);
      expect(await client.get(`${at}db-2026-11-23.sql.gz`, { from: 99_990 })).toEqual(body.subarray(99_990));
      expect(await client.get(`${at}db-2026-11-23.sql.gz`, { from: 10, to: 19 })).toEqual(body.subarray(10, 20));
      const head = await client.head(`${at}db-2026-11-23.sql.gz`);
      expect(head).toMatchObject({ size: body.length, etag: put.etag });
      expect(head.modifiedAt.getTime()).toBeGreaterThan(Date.parse('2026-01-01'));
      expect(head.version).toBe(put.version);
    });

    test('names of every kind, an empty body, an upload in parts', async () => {
      const client = make(store, store.writer);
      for (const key of ['names/a b+c&d=e%20f', 'names/ünïcode 写真', "names/it's (1)!*~", 'names/empty']) {
        const body = key.endsWith('empty') ? Buffer.alloc(0) : Buffer.from(key);
        await client.put(at + key, body);
        expect(await client.get(at + key)).toEqual(body);
      }
      expect(await client.list(`${at}names/`, false)).toEqual(["a b+c&d=e%20f", 'empty', "it's (1)!*~", 'ünïcode 写真'].map((key) => `${at}names/${key}`));
      const large = randomBytes(2 * part + 1000);
      const { etag } = await client.putParted(`${at}parted`, large);
      expect(etag, 'no digest of the object').toMatch(/-\d$/);
      expect((await client.get(`${at}parted`)).equals(large)).toBe(true);
      expect(await client.head(`${at}parted`)).toMatchObject({ size: large.length, etag });
    });

    test('pages to the last one, and folders as one entry each', async () => {
      const client = make(store, store.writer);
      const keys = ['1', '2', '3', '4', '5', '6', '7', 'tree/a', 'tree/b', 'tree/c', 'tree/d', 'woods/x', 'z'].map((key) => `${at}list/${key}`);
      for (const key of keys) await client.put(key, Buffer.from('x'));
      expect(await client.list(`${at}list/`, false)).toEqual(keys);
      expect(await client.list(`${at}list/`, true)).toEqual([...keys.filter((key) => !/tree|woods/.test(key)), `${at}list/tree/`, `${at}list/woods/`].sort());
      expect(await client.list(`${at}nothing/`, false)).toEqual([]);
    });

    test('what an uploader sets is kept, and changes no byte', async () => {
      const client = make(store, store.writer);
      await client.put(`${at}labelled`, Buffer.from('not gzip at all'), { 'content-encoding': 'gzip', 'content-type': 'application/sql' });
      expect(await client.get(`${at}labelled`)).toEqual(Buffer.from('not gzip at all'));
      expect((await client.head(`${at}labelled`)).headers).toMatchObject({ 'content-encoding': 'gzip', 'content-type': 'application/sql' });
    });

    test('a deleted object is gone, and no other', async () => {
      const client = make(store, store.writer);
      await client.put(`${at}gone/one`, Buffer.from('1'));
      await client.put(`${at}gone/two`, Buffer.from('2'));
      await client.remove(`${at}gone/one`);
      expect(await refusal(client.get(`${at}gone/one`))).toBe('NoSuchKey');
      expect(await client.list(`${at}gone/`, false)).toEqual([`${at}gone/two`]);
    });

    test('a reader reads and lists; it neither writes nor deletes', async () => {
      await make(store, store.writer).put(`${at}read`, Buffer.from('x'));
      const client = make(store, store.reader);
      expect(await client.get(`${at}read`)).toEqual(Buffer.from('x'));
      expect(await client.list(`${at}read`, false)).toEqual([`${at}read`]);
      expect(await refusal(client.put(`${at}read`, Buffer.from('y')))).toBe('AccessDenied');
      expect(await refusal(client.remove(`${at}read`))).toBe('AccessDenied');
      expect(await client.get(`${at}read`)).toEqual(Buffer.from('x'));
    });

    test('a wrong secret and an unknown key are refused, each by its own code', async () => {
      expect(await refusal(make(store, { ...store.writer, secretAccessKey: 'x'.repeat(32) }).get('x'))).toBe('SignatureDoesNotMatch');
      expect(await refusal(make(store, { ...store.writer, accessKeyId: 'NOSUCHKEY' }).get('x'))).toBe('InvalidAccessKeyId');
    });
  });

  test('what stands in another bucket is not there', async () => {
    expect(await refusal(awsClient({ ...store, bucket: 'elsewhere' }, store.writer).list('', false))).toBe('NoSuchBucket');
  });

  test('nobody without a signature gets anything', async () => {
    await awsClient(store, store.writer).put('signed', Buffer.from('x'));
    expect((await fetch(`${store.endpoint}/${store.bucket}/signed`)).status).toBe(403);
    expect((await fetch(`${store.endpoint}/${store.bucket}`)).status).toBe(403);
  });

  test('a delete hides, a second put covers, and each version can be read', async () => {
    const { s3, ...client } = awsClient(store, store.writer);
    const Bucket = store.bucket;
    const first = await client.put('versions/key', Buffer.from('first'));
    await client.put('versions/key', Buffer.from('second'));
    await client.remove('versions/key');
    const listed = await s3.send(new aws.ListObjectVersionsCommand({ Bucket, Prefix: 'versions/' }));
    expect(listed.DeleteMarkers?.map((one) => [one.Key, one.IsLatest])).toEqual([['versions/key', true]]);
    expect(listed.Versions?.map((one) => [one.Key, one.IsLatest, one.Size]).sort((a, b) => Number(a[2]) - Number(b[2]))).toEqual([['versions/key', false, 5], ['versions/key', false, 6]]);
    const old = await s3.send(new aws.GetObjectCommand({ Bucket, Key: 'versions/key', VersionId: first.version ?? '' }));
    expect(await old.Body?.transformToString()).toBe('first');
  });

  test('an unfinished upload is no object, and is listed as what it is', async () => {
    const { s3, ...client } = awsClient(store, store.writer);
    const Bucket = store.bucket;
    const { UploadId } = await s3.send(new aws.CreateMultipartUploadCommand({ Bucket, Key: 'unfinished/key' }));
    await s3.send(new aws.UploadPartCommand({ Bucket, Key: 'unfinished/key', UploadId, PartNumber: 1, Body: Buffer.from('x') }));
    expect(await client.list('unfinished/', false)).toEqual([]);
    const listed = await s3.send(new aws.ListMultipartUploadsCommand({ Bucket, Prefix: 'unfinished/' }));
    expect(listed.Uploads?.map((upload) => upload.Key)).toEqual(['unfinished/key']);
    await s3.send(new aws.AbortMultipartUploadCommand({ Bucket, Key: 'unfinished/key', UploadId }));
    expect((await s3.send(new aws.ListMultipartUploadsCommand({ Bucket, Prefix: 'unfinished/' }))).Uploads ?? []).toEqual([]);
  });

  test('a condition that does not hold is refused: an existing name, another object', async () => {
    const { s3, ...client } = awsClient(store, store.writer);
    const Bucket = store.bucket;
    const { etag } = await client.put('conditions', Buffer.from('x'));
    expect(await refusal(s3.send(new aws.PutObjectCommand({ Bucket, Key: 'conditions', Body: 'y', IfNoneMatch: '*' })))).toBe('PreconditionFailed');
    expect(await refusal(s3.send(new aws.GetObjectCommand({ Bucket, Key: 'conditions', IfMatch: '"0123456789abcdef0123456789abcdef"' })))).toBe('PreconditionFailed');
    expect(await (await s3.send(new aws.GetObjectCommand({ Bucket, Key: 'conditions', IfMatch: `"${etag}"` }))).Body?.transformToString()).toBe('x');
  });

  test('a body that its digest disowns is not stored', async () => {
    const { s3, ...client } = awsClient(store, store.writer);
    expect(await refusal(s3.send(new aws.PutObjectCommand({ Bucket: store.bucket, Key: 'disowned', Body: 'x', ContentMD5: Buffer.alloc(16).toString('base64') })))).toBe('BadDigest');
    expect(await client.list('disowned', false)).toEqual([]);
  });

  test('the default checksums of the SDK, in trailers of chunks, are understood', async () => {
    const s3 = new aws.S3Client({ endpoint: store.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: store.writer, requestChecksumCalculation: 'WHEN_SUPPORTED' });
    const body = randomBytes(200_000);
    await s3.send(new aws.PutObjectCommand({ Bucket: store.bucket, Key: 'chunked', Body: body, ChecksumAlgorithm: 'CRC32' }));
    expect(await awsClient(store, store.writer).get('chunked')).toEqual(body);
    s3.destroy();
  });
}
