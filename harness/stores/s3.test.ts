// The S3 store: each fault exactly its own finding, on our own server and, where the machine has one, on a real one.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as aws from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Call, type Fate, type FaultyStore, startFaults } from '../../fixtures/object-store-faults.ts';
import { startOurs, startSeaweedFs, type StoreUnderTest } from '../../fixtures/object-stores.ts';
import { needing } from '../../fixtures/tools.ts';
import { StepEnded } from '../run/finding.ts';
import { redact } from '../run/redact.ts';
import { readCatalog } from './catalog.ts';
import type { S3Credential, S3StoreConfig } from './config.ts';
import { normaliseS3 } from './config.ts';
import { catalogEvidence } from './evidence.ts';
import { type FetchOptions, fetchArtifact } from './fetch.ts';
import { checkLabel } from './label.ts';
import { s3Store } from './s3.ts';
import type { Entry, ReadableStore } from './store.ts';

const { signal } = new AbortController();
const now = (): Date => new Date('2026-11-23T12:00:00Z');
/** Deadlines far off: a busy machine is no slow store. */
const calm = { callMs: 25_000, attempts: 2 };
const newest = 'db-2026-11-23.sql.gz.age';
const healthy = ['db-2026-11-22.sql.gz.age', 'db-2026-11-22.manifest.json.age', newest, 'db-2026-11-23.manifest.json.age'];
const content = randomBytes(300_000);

function configOf(endpoint: string, bucket: string, prefix?: string): S3StoreConfig {
  return normaliseS3({ name: 'offsite', kind: 's3', endpoint, bucket, accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'SECRET' }, ...(prefix === undefined ? {} : { prefix }) });
}

async function workDirectory(): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), 'backup-drills-test-'));
  onTestFinished(() => rm(work, { recursive: true, force: true }));
  return work;
}

async function codesOf(promise: Promise<unknown>): Promise<string[]> {
  const outcome: unknown = await promise.then(() => null, (error: unknown) => error);
  if (outcome === null) return [];
  if (!(outcome instanceof StepEnded)) throw outcome as Error;
  return outcome.findings.map((finding) => finding.code);
}

const seaweedFs = needing('container engine', 'image of SeaweedFS');
describe('on our server', () => suite(() => startOurs('backups')));
seaweedFs.describe('on SeaweedFS', () => suite(() => startSeaweedFs('backups')));

function suite(start: () => Promise<StoreUnderTest>): void {
  let real: StoreUnderTest;
  let admin: aws.S3Client;
  beforeAll(async () => {
    real = await start();
    admin = new aws.S3Client({ endpoint: real.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: real.writer, requestChecksumCalculation: 'WHEN_REQUIRED' });
  });
  afterAll(async () => {
    admin.destroy();
    await real.close();
  });

  let folders = 0;
  /** A folder of the test's own in the bucket, with a healthy unit in it. */
  async function unit(names: readonly string[] = healthy): Promise<string> {
    folders += 1;
    const folder = `test-${folders}/`;
    for (const name of names) await put(folder + name);
    return folder;
  }
  const put = async (key: string, body: Buffer | string = content, more: Partial<aws.PutObjectCommandInput> = {}): Promise<void> => void (await admin.send(new aws.PutObjectCommand({ Bucket: real.bucket, Key: key, Body: body, ...more })));
  const remove = async (key: string): Promise<void> => void (await admin.send(new aws.DeleteObjectCommand({ Bucket: real.bucket, Key: key })));

  function open(folder: string, { endpoint = real.endpoint, credential = real.reader, bucket = real.bucket, ...options }: { endpoint?: string; credential?: S3Credential; bucket?: string; callMs?: number; pageKeys?: number } = {}): ReadableStore {
    return s3Store(configOf(endpoint, bucket, folder), credential, { ...calm, ...options });
  }
  async function faults(fault: (call: Call) => Fate): Promise<FaultyStore> {
    const faulty = await startFaults(real, fault);
    onTestFinished(faulty.close);
    return faulty;
  }
  async function catalog(store: ReadableStore): Promise<{ codes: string[]; sets: string[]; evidence: Awaited<ReturnType<typeof readCatalog>>['evidence'] }> {
    const done = await readCatalog(store, { now, signal });
    catalogEvidence.parse(done.evidence);
    return { codes: done.findings.map((finding) => finding.code), sets: done.catalog?.sets.filter((set) => set.quarantine === null).map((set) => set.id) ?? [], evidence: done.evidence };
  }
  async function fetched(store: ReadableStore, options: Partial<FetchOptions> = {}, listed: ReadableStore = store): Promise<{ sha256: string; attempts: number }> {
    const work = await workDirectory();
    const object = await listed.head(newest, signal);
    if (object === null) throw new Error(`${newest} is not there`);
    const outcome = await fetchArtifact(store, object, work, { signal, progress: () => undefined, ...options }).catch((error: unknown) => error as Error);
    expect(await readdir(work), 'whole, or nothing is left in scratch').toEqual(outcome instanceof Error ? [] : [newest]);
    if (outcome instanceof Error) throw outcome;
    expect(await readFile(outcome.path)).toEqual(content);
    return outcome;
  }
  const sound = createHash('sha256').update(content).digest('hex');

  test('a healthy folder: its sets, and the newest dump whole', async () => {
    const folder = await unit();
    await put(`${folder}media-objects/ab/x.age`, 'x');
    await put(`${folder}media-objects/ab/y.age`, 'x');
    await put('elsewhere/db-2026-11-24.sql.gz', 'x');
    const { codes, sets, evidence } = await catalog(open(folder, { credential: real.writer }));
    expect({ codes, sets }).toEqual({ codes: [], sets: ['2026-11-22', '2026-11-23'] });
    expect(evidence).toMatchObject({ unfinishedUploads: 0, deleteMarkers: 0, others: { media: 1 } });
    const entries: Entry[] = [];
    for await (const entry of open(folder).list(signal, { folders: 'named' })) entries.push(entry);
    expect(entries.map((entry) => (entry.kind === 'object' ? entry.object.key : `${entry.kind} ${entry.key}`)).sort()).toEqual([...healthy, 'folder media-objects'].sort());
    const listed = entries.flatMap((entry) => (entry.kind === 'object' && entry.object.key === newest ? [entry.object] : []));
    expect(await fetched(open(folder))).toMatchObject({ sha256: sound, attempts: 1 });
    // What was listed, compared with what a head says of it.
    expect(await codesOf(fetchArtifact(open(folder), listed[0] ?? { key: 'never', size: 0, modifiedAt: now() }, await workDirectory(), { signal, progress: () => undefined }))).toEqual([]);
  });

  test('nothing but GET and HEAD is asked, and a media tree is not walked', async () => {
    const folder = await unit();
    for (const name of ['1', '2', '3']) await put(`${folder}media-objects/ab/${name}.age`, 'x');
    const faulty = await faults(() => null);
    const store = open(folder, { endpoint: faulty.endpoint });
    await catalog(store);
    await fetched(store);
    await checkLabel(store, 'whatsapp-mcp', signal);
    expect(new Set(faulty.calls.map((call) => call.method))).toEqual(new Set(['GET', 'HEAD']));
    expect(faulty.calls.filter((call) => call.key?.includes('media-objects') === true)).toEqual([]);
  });

  test('the probe: what a reader and a writer may do is told, and nothing is changed by it', async () => {
    const folder = await unit();
    const faulty = await faults(() => null);
    const all = async (): Promise<unknown> => {
      const { Versions = [], DeleteMarkers = [] } = await admin.send(new aws.ListObjectVersionsCommand({ Bucket: real.bucket, Prefix: folder }));
      return [Versions, DeleteMarkers].map((list) => list.map((one) => `${one.Key} ${one.VersionId}`).sort());
    };
    const before = await all();
    expect(await open(folder, { endpoint: faulty.endpoint }).writes?.(signal)).toBe('denied');
    expect(await open(folder, { endpoint: faulty.endpoint, credential: real.writer }).writes?.(signal)).toBe('allowed');
    expect(faulty.calls.map((call) => call.method)).toEqual(['PUT', 'DELETE', 'PUT', 'DELETE']);
    expect(await all()).toEqual(before);
  });

  describe('41, 42: what no listing shows', () => {
    test('a delete marker that hides the newest set, or all of them', async () => {
      const folder = await unit();
      await remove(`${folder}${newest}`);
      expect(await catalog(open(folder, { credential: real.writer }))).toMatchObject({ codes: ['catalog.hidden'], sets: ['2026-11-22'], evidence: { deleteMarkers: 1 } });
      for (const name of healthy) await remove(folder + name);
      expect((await catalog(open(folder, { credential: real.writer }))).codes).toEqual(['catalog.hidden']);
    });

    test('retention that deleted old sets is no finding', async () => {
      const folder = await unit();
      for (const name of healthy.filter((one) => one.includes('22'))) await remove(folder + name);
      expect(await catalog(open(folder, { credential: real.writer }))).toMatchObject({ codes: [], sets: ['2026-11-23'], evidence: { deleteMarkers: 2 } });
    });

    test('an upload in parts that never ended', async () => {
      const folder = await unit();
      const { UploadId } = await admin.send(new aws.CreateMultipartUploadCommand({ Bucket: real.bucket, Key: `${folder}db-2026-11-24.sql.gz.age` }));
      await admin.send(new aws.UploadPartCommand({ Bucket: real.bucket, Key: `${folder}db-2026-11-24.sql.gz.age`, UploadId, PartNumber: 1, Body: 'x' }));
      expect(await catalog(open(folder, { credential: real.writer }))).toMatchObject({ codes: ['catalog.unfinished-upload'], evidence: { unfinishedUploads: 1 } });
      // As MinIO has it: nothing is shown of what a prefix asks for.
      const shy = await faults((call) => (call.query.has('uploads') && (call.query.get('prefix') ?? '') !== '' ? { change: (body) => Buffer.from(body.toString().replaceAll(/<Upload>.*?<\/Upload>/gs, '')) } : null));
      expect(await catalog(open(folder, { credential: real.writer, endpoint: shy.endpoint }))).toMatchObject({ codes: ['catalog.unfinished-upload'], evidence: { unfinishedUploads: 1 } });
      expect(shy.hits()).toBe(1);
    });

    test.each([['denied', [403, 'AccessDenied']], ['unknown to the store', [501, 'NotImplemented']]] as const)('where the right is %s it is not judged, and never none', async (_name, refuse) => {
      const folder = await unit();
      const faulty = await faults((call) => (call.query.has('versions') || call.query.has('uploads') ? { refuse } : null));
      const done = await catalog(open(folder, { endpoint: faulty.endpoint }));
      expect(done).toMatchObject({ codes: ['catalog.not-judged'], evidence: { unfinishedUploads: 'not judged', deleteMarkers: 'not judged' } });
      expect(faulty.hits()).toBe(2);
    });
  });

  describe('35, 36: listings', () => {
    const listing = (call: Call): boolean => call.query.has('list-type');
    const edit = (change: (xml: string) => string): Fate => ({ change: (body) => Buffer.from(change(body.toString())) });

    test('every page is read, and truncated=false with a token is no end', async () => {
      const folder = await unit();
      const faulty = await faults((call) => (listing(call) ? edit((xml) => xml.replace('<IsTruncated>true', '<IsTruncated>false')) : null));
      expect(await catalog(open(folder, { endpoint: faulty.endpoint, credential: real.writer, pageKeys: 1 }))).toMatchObject({ codes: [], sets: ['2026-11-22', '2026-11-23'] });
      expect(faulty.hits()).toBeGreaterThanOrEqual(4);
    });

    const truncated = /<IsTruncated>(?:true|false)<\/IsTruncated>/;
    const lies: [string, (folder: string) => (call: Call) => Fate][] = [
      ['a page that comes twice', () => {
        let [first, count]: [string | null, number] = [null, 0];
        return () => edit((xml) => (first ??= xml).replace(/(<NextContinuationToken>)[^<]*/, `$1${(count += 1)}`));
      }],
      ['a token that leads in a circle', (folder) => (call) => edit((xml) => xml.replaceAll(`<Key>${folder}db-`, `<Key>${folder}db-${call.nth}`).replace(/<NextContinuationToken>.*?<\/NextContinuationToken>/, '').replace(truncated, '<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>'))],
      ['more, and not where', () => () => edit((xml) => xml.replace(truncated, '<IsTruncated>true</IsTruncated>').replace(/<NextContinuationToken>.*?<\/NextContinuationToken>/, ''))],
      ['a key outside the folder', (folder) => () => edit((xml) => xml.replaceAll(`<Key>${folder}`, '<Key>other/'))],
    ];
    test.each(lies)('%s', async (_name, make) => {
      const folder = await unit();
      const lie = make(folder);
      const faulty = await faults((call) => (listing(call) ? lie(call) : null));
      expect(await codesOf(catalog(open(folder, { endpoint: faulty.endpoint, pageKeys: 2 })))).toEqual(['store.listing-unsound']);
    });

    test('a ghost is found by its head', async () => {
      const folder = await unit();
      const store = open(folder);
      const object = await store.head(newest, signal);
      await remove(folder + newest);
      expect(await codesOf(fetchArtifact(store, object ?? { key: '', size: 0, modifiedAt: new Date(0) }, tmpdir(), { signal, progress: () => undefined }))).toEqual(['fetch.gone']);
    });

    test('what is there and not listed is told, where the versions can be read', async () => {
      const folder = await unit();
      const faulty = await faults((call) => (call.query.has('list-type') ? { change: (body) => Buffer.from(body.toString().replaceAll(/<Contents>(?:(?!<\/Contents>).)*2026-11-23\.sql.*?<\/Contents>/gs, '')) } : null));
      expect(await catalog(open(folder, { endpoint: faulty.endpoint, credential: real.writer }))).toMatchObject({ codes: ['catalog.dump-missing', 'catalog.listing-incomplete'], sets: ['2026-11-22'] });
    });

    test('an empty folder, and one with many strays', async () => {
      expect((await catalog(open('nothing-here/', { credential: real.writer }))).codes).toEqual(['catalog.empty']);
      const folder = await unit();
      await Promise.all(Array.from({ length: 60 }, (_, at) => put(`${folder}stray-${at}`, 'x')));
      expect(await catalog(open(folder, { credential: real.writer }))).toMatchObject({ codes: ['catalog.stray'], evidence: { strays: 60 } });
    });
  });

  describe('40: what keeps the store from being read, each by its own finding', () => {
    const answers: [string, Fate, string][] = [
      ['denied', { refuse: [403, 'AccessDenied'] }, 'store.denied'],
      ['no such bucket', { refuse: [404, 'NoSuchBucket'] }, 'store.missing'],
      ['slow down', { refuse: [503, 'SlowDown'] }, 'store.slow'],
      ['no answer', { stallAfter: -1 }, 'store.slow'],
      ['an answer that never ends', { stallAfter: 20 }, 'store.slow'],
      ['a failing server', { refuse: [500, 'InternalError'] }, 'store.failing'],
      ['an expired token', { refuse: [400, 'ExpiredToken'] }, 'store.expired'],
      ['a clock that is off', { refuse: [403, 'RequestTimeTooSkewed'] }, 'store.clock-skew'],
      ['another region', { refuse: [301, 'PermanentRedirect'], headers: { 'x-amz-bucket-region': 'eu-west-1' } }, 'store.wrong-region'],
      ['a redirect without a reason', { refuse: [301, 'Moved'] }, 'store.wrong-region'],
      ['another region, by the signature', { refuse: [400, 'AuthorizationHeaderMalformed'], inside: '<Region>eu-west-1</Region>' }, 'store.wrong-region'],
      ['a connection that breaks', { cutAfter: -1 }, 'store.unreachable'],
      ['a request it does not understand', { refuse: [400, 'InvalidRequest'] }, 'store.refused'],
    ];
    test.each(answers)('%s', async (_name, fate, code) => {
      const folder = await unit([]);
      const faulty = await faults((call) => (call.query.has('list-type') ? fate : null));
      expect(await codesOf(catalog(open(folder, { endpoint: faulty.endpoint, ...(fate !== null && 'stallAfter' in fate ? { callMs: 500 } : {}) })))).toEqual([code]);
      expect(faulty.hits()).toBeGreaterThan(0);
    });

    // A head has no body: what is wrong is only told to a get.
    test.each([['an expired token', [400, 'ExpiredToken'], 'store.expired'], ['denied', [403, 'AccessDenied'], 'fetch.denied'], ['an archived object', [403, 'InvalidObjectState'], 'fetch.archived']] as const)('%s, to a head', async (_name, refuse, code) => {
      const folder = await unit();
      const faulty = await faults((call) => (call.key === folder + newest ? { refuse } : null));
      expect(await codesOf(open(folder, { endpoint: faulty.endpoint }).head(newest, signal))).toEqual([code]);
    });

    test('a wrong secret, an unknown key, another bucket, nobody there', async () => {
      expect(await codesOf(catalog(open('', { credential: { ...real.reader, secretAccessKey: 'canary-of-a-wrong-secret' } })))).toEqual(['store.wrong-secret']);
      expect(await codesOf(catalog(open('', { credential: { ...real.reader, accessKeyId: 'AKIANOSUCHKEY' } })))).toEqual(['store.unknown-key']);
      expect(await codesOf(catalog(open('', { bucket: 'no-such-bucket', credential: real.writer })))).toEqual(['store.missing']);
      const faulty = await startFaults(real, () => null);
      await faulty.close();
      expect(await codesOf(catalog(open('', { endpoint: faulty.endpoint })))).toEqual(['store.unreachable']);
    });

    test('no finding says a credential', async () => {
      const credential = { accessKeyId: 'AKIACANARYCANARY', secretAccessKey: 'canary-canary-canary' };
      const outcome: unknown = await catalog(open('', { credential })).catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(StepEnded);
      const told = JSON.stringify((outcome as StepEnded).findings) + (outcome as StepEnded).message;
      expect(told).not.toContain('canary');
      expect(redact(told)).toBe(told);
    });
  });

  describe('37, 38, 39: bodies', () => {
    const isBody = (call: Call): boolean => call.method === 'GET' && call.key?.endsWith(newest) === true;

    test('a body that is cut is resumed where it ended, and is whole', async () => {
      const folder = await unit();
      const faulty = await faults((call) => (isBody(call) && call.nth < 3 ? { cutAfter: 70_000 } : null));
      expect(await fetched(open(folder, { endpoint: faulty.endpoint }), {}, open(folder))).toMatchObject({ sha256: sound, attempts: 3 });
      const ranges = faulty.calls.filter(isBody).map((call) => call.headers.range);
      expect(ranges[0]).toBeUndefined();
      expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true);
      expect(faulty.calls.filter(isBody).every((call) => call.headers['if-match'] !== undefined)).toBe(true);
    });

    const broken: [string, Fate, string][] = [
      ['cut, again and again', { cutAfter: 1000 }, 'fetch.short'],
      ['that ends well, and too early', { endAfter: 1000 }, 'fetch.short'],
      ['that stalls', { stallAfter: 1000 }, 'fetch.stalled'],
      ['that never begins', { stallAfter: -1 }, 'fetch.stalled'],
      ['that is longer than it was listed', { change: (body) => Buffer.concat([body, body]) }, 'fetch.long'],
      ['refused', { refuse: [403, 'AccessDenied'] }, 'fetch.denied'],
      ['that a slow store puts off', { refuse: [503, 'SlowDown'] }, 'store.slow'],
      ['of an object that is another now', { refuse: [412, 'PreconditionFailed'] }, 'fetch.changed'],
      ['of another object, by a store that knows no conditions', { change: (body) => body, etag: '"another"' }, 'fetch.changed'],
      ['in an archive', { refuse: [403, 'InvalidObjectState'] }, 'fetch.archived'],
    ];
    test.each(broken)('one %s', async (_name, fate, code) => {
      const folder = await unit();
      expect(await fetched(open(folder))).toMatchObject({ sha256: sound });
      const faulty = await faults((call) => (isBody(call) ? fate : null));
      expect(await codesOf(fetched(open(folder, { endpoint: faulty.endpoint }), fate !== null && 'stallAfter' in fate ? { idleMs: 200 } : {}))).toEqual([code]);
      expect(faulty.hits()).toBeGreaterThan(0);
    });

    test('a store that cannot resume is told, not believed', async () => {
      const folder = await unit();
      const faulty = await faults((call) => (!isBody(call) ? null : call.nth === 1 ? { cutAfter: 50_000 } : { change: () => content, as: 200 }));
      expect(await codesOf(fetched(open(folder, { endpoint: faulty.endpoint })))).toEqual(['fetch.unresumable']);
      expect(faulty.hits()).toBe(2);
    });

    test('the credential expires in mid-fetch', async () => {
      const folder = await unit();
      const faulty = await faults((call) => (!isBody(call) ? null : call.nth === 1 ? { cutAfter: 50_000 } : { refuse: [400, 'ExpiredToken'] }));
      expect(await codesOf(fetched(open(folder, { endpoint: faulty.endpoint })))).toEqual(['store.expired']);
    });

    test('the store is stopped in mid-fetch', async () => {
      const folder = await unit();
      const faulty = await startFaults(real, (call) => (isBody(call) ? { cutAfter: 50_000 } : call.method === 'HEAD' && call.nth > 2 ? { cutAfter: -1 } : null));
      onTestFinished(faulty.close);
      expect(await codesOf(fetched(open(folder, { endpoint: faulty.endpoint })))).toEqual(['store.unreachable']);
    });

    test('an object that is replaced between listing and reading, and between two parts of its body', async () => {
      const folder = await unit();
      const store = open(folder);
      const object = (await store.head(newest, signal)) ?? { key: 'never', size: 0, modifiedAt: now() };
      const other = randomBytes(content.length);
      const faulty = await faults((call) => (!isBody(call) ? null : call.nth === 1 ? { cutAfter: 50_000 } : { first: async () => put(folder + newest, other) }));
      expect(await codesOf(fetched(open(folder, { endpoint: faulty.endpoint })))).toEqual(['fetch.changed']);
      expect(faulty.hits()).toBe(2);
      expect(await codesOf(store.open(object, signal).then((body) => body.destroy()))).toEqual(['fetch.changed']);
    });

    test('what an uploader set changes no byte', async () => {
      const folder = await unit();
      await put(folder + newest, content, { ContentEncoding: 'gzip', ContentType: 'text/html', Metadata: { note: 'x' } });
      expect(await fetched(open(folder))).toMatchObject({ sha256: sound });
    });
  });

  describe("44: a store's label", () => {
    test('its own, none, another, no label at all', async () => {
      const folder = await unit();
      expect(await checkLabel(open(folder), 'whatsapp-mcp', signal)).toBeNull();
      await put(`${folder}store.json`, JSON.stringify({ application: 'whatsapp-mcp' }));
      expect(await checkLabel(open(folder), 'whatsapp-mcp', signal)).toBe('whatsapp-mcp');
      expect(await codesOf(checkLabel(open(folder), 'billing', signal))).toEqual(['store.other-application']);
      await put(`${folder}store.json`, '{');
      expect(await codesOf(checkLabel(open(folder), 'whatsapp-mcp', signal))).toEqual(['store.label-unreadable']);
    });

    test.each([['stalls', { stallAfter: 2 }, 300, 'fetch.stalled'], ['is cut', { cutAfter: 2 }, 30_000, 'fetch.short']] as const)('one that %s is told, and waited for no longer than for a backup', async (_name, fate, idleMs, code) => {
      const folder = await unit();
      await put(`${folder}store.json`, JSON.stringify({ application: 'whatsapp-mcp' }));
      const faulty = await faults((call) => (call.method === 'GET' && call.key?.endsWith('store.json') === true ? fate : null));
      expect(await codesOf(checkLabel(open(folder, { endpoint: faulty.endpoint }), 'whatsapp-mcp', signal, { idleMs }))).toEqual([code]);
      expect(faulty.hits()).toBe(3);
    });
  });

  test('what rclone crypt wrote is recognised by its mark', async () => {
    const folder = await unit([]);
    await put(`${folder}0b3c6s9l8k5v1o2m7n4p`, Buffer.concat([Buffer.from('RCLONE\0\0'), randomBytes(100)]));
    expect((await catalog(open(folder, { credential: real.writer }))).codes).toEqual(['catalog.rclone-crypt']);
  });

  test('two at once do not disturb each other', async () => {
    const folder = await unit();
    const both = await Promise.all([open(folder), open(folder)].map(async (store) => [(await catalog(store)).sets.length, (await fetched(store)).sha256]));
    expect(both).toEqual([[2, sound], [2, sound]]);
  });
}

describe('the way to the store', () => {
  let ours: StoreUnderTest;
  beforeAll(async () => {
    ours = await startOurs('backups');
  });
  afterAll(async () => ours.close());
  const list = async (store: ReadableStore): Promise<string[]> => codesOf((async () => { for await (const entry of store.list(signal)) void entry; })());

  test('a proxy of the environment is used, and not for this machine', async () => {
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(403, { 'content-type': 'application/xml' }).end('<Error><Code>AccessDenied</Code></Error>');
    });
    vi.stubEnv('HTTP_PROXY', await listen(proxy, '127.0.0.1'));
    vi.stubEnv('http_proxy', '');
    vi.stubEnv('NO_PROXY', 'not.this.test');
    expect(await list(s3Store(configOf('http://store.test:9000', 'backups'), ours.reader, calm))).toEqual(['store.denied']);
    expect(asked).toEqual([expect.stringContaining('http://store.test:9000/backups')]);
    expect(await list(s3Store(configOf(ours.endpoint, 'backups'), ours.reader, calm))).toEqual([]);
    expect(asked.length).toBe(1);
  });

  needing('openssl').test('a certificate that does not fit is refused, whatever the environment says', async () => {
    const home = await workDirectory();
    const [keyFile, certFile] = [join(home, 'key'), join(home, 'cert')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile, '-out', certFile, '-subj', '/CN=another.test'], { stdio: 'ignore' });
    const server = createTlsServer({ key: await readFile(keyFile), cert: await readFile(certFile) }, (_, response) => void response.end());
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    expect(await list(s3Store(configOf((await listen(server, '127.0.0.1')).replace('http:', 'https:'), 'backups'), ours.reader, calm))).toEqual(['store.tls']);
  });

  test('plain HTTP where TLS is meant is told as that', async () => {
    expect(await list(s3Store(configOf(ours.endpoint.replace('http:', 'https:'), 'backups'), ours.reader, calm))).toEqual(['store.tls']);
  });

  test('an IPv6 endpoint', async () => {
    const server = createServer((_, response) => void response.writeHead(403, { 'content-type': 'application/xml' }).end('<Error><Code>AccessDenied</Code></Error>'));
    expect(await list(s3Store(configOf(await listen(server, '::1'), 'backups'), ours.reader, calm))).toEqual(['store.denied']);
  });
});

/** Listens until the test ends; gives its URL. */
async function listen(server: Server, host: string): Promise<string> {
  onTestFinished(() => { server.close(); server.closeAllConnections(); });
  await new Promise((done, failed) => server.once('error', failed).listen(0, host, () => done(null)));
  return `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`;
}
