import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startFaults } from '../../fixtures/object-store-faults.ts';
import { startOurs, startSeaweedFs, type StoreUnderTest } from '../../fixtures/object-stores.ts';
import { needing } from '../../fixtures/tools.ts';
import { StepEnded } from '../run/finding.ts';
import { type S3StoreConfig, normaliseS3 } from './config.ts';
import { s3Publisher } from './publish-s3.ts';
import { s3Store } from './s3.ts';

const { signal } = new AbortController();
const seaweedFs = needing('container engine', 'image of SeaweedFS');
describe('into our server', () => suite(() => startOurs('backups')));
seaweedFs.describe('into SeaweedFS', () => suite(() => startSeaweedFs('backups')));

async function* bytes(...chunks: (string | Buffer)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

async function codesOf(promise: Promise<unknown>): Promise<string[]> {
  const outcome: unknown = await promise.then(() => null, (error: unknown) => error);
  if (outcome === null) return [];
  if (!(outcome instanceof StepEnded)) throw outcome as Error;
  return outcome.findings.map((finding) => finding.code);
}

function suite(start: () => Promise<StoreUnderTest>): void {
  let real: StoreUnderTest;
  beforeAll(async () => {
    real = await start();
  });
  afterAll(async () => real.close());
  const config = (prefix: string, endpoint = real.endpoint): S3StoreConfig => normaliseS3({ name: 'offsite', kind: 's3', endpoint, bucket: real.bucket, prefix, accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'SECRET' } });

  async function read(prefix: string, key: string): Promise<Buffer | null> {
    const store = s3Store(config(prefix), real.reader);
    const object = await store.head(key, signal);
    return object === null ? null : buffer(await store.open(object, signal));
  }

  test('what is published is there whole, its size known or not, in one part or in many', async () => {
    const large = randomBytes(40_000_000);
    const publisher = s3Publisher(config('whole'), real.writer);
    const object = await publisher.put('audit/a.jsonl', bytes('one', 'two'), signal);
    expect(object).toMatchObject({ key: 'audit/a.jsonl', size: 6, sha256: '25b6746d5172ed6352966a013d93ac846e1110d5a25e8f183b5931f4688842a1' });
    expect((await read('whole', 'audit/a.jsonl'))?.toString()).toBe('onetwo');
    const parted = await publisher.put('large', bytes(...Array.from({ length: 40 }, (_, at) => large.subarray(at * 1_000_000, (at + 1) * 1_000_000))), signal, large.length);
    expect(parted).toMatchObject({ size: large.length, sha256: createHash('sha256').update(large).digest('hex') });
    expect((await read('whole', 'large'))?.equals(large)).toBe(true);
  });

  test('an existing name is refused, and its bytes stay', async () => {
    const publisher = s3Publisher(config('taken'), real.writer);
    await publisher.put('file', bytes('first'), signal);
    expect(await codesOf(publisher.put('file', bytes('second'), signal))).toEqual(['publish.exists']);
    expect((await read('taken', 'file'))?.toString()).toBe('first');
  });

  test('what does not read back as it was written is told', async () => {
    const faulty = await startFaults(real, (call) => (call.method === 'GET' && call.key === 'decayed/file' ? { change: () => Buffer.from('decayed') } : null));
    onTestFinished(faulty.close);
    expect(await codesOf(s3Publisher(config('decayed', faulty.endpoint), real.writer).put('file', bytes('written'), signal))).toEqual(['publish.unverified']);
    expect(faulty.hits()).toBe(1);
  });

  test('a source that breaks off publishes nothing', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      throw new Error('pg_dump died');
    };
    await expect(s3Publisher(config('broken'), real.writer).put('file', broken(), signal)).rejects.toThrow('pg_dump died');
    await expect(s3Publisher(config('broken'), real.writer).put('file', broken(), signal, 9)).rejects.toThrow('pg_dump died');
    expect(await read('broken', 'file')).toBeNull();
  });
}
