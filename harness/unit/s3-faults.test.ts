// The faults of a store on whole drills of an S3 bucket: the healthy unit passes, each fault raises its own codes, and its
// verdict is the catalogue's. The numbers are those of the catalogue.
import { mkdtempSync, readFileSync, realpathSync, chmodSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as aws from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Drilled, type DrillOnce, drillOnce } from '../../fixtures/drill.ts';
import { type Call, type Fate, startFaults } from '../../fixtures/object-store-faults.ts';
import { startOurs, startSeaweedFs, type StoreUnderTest } from '../../fixtures/object-stores.ts';
import { sampleUnit } from '../../fixtures/sample/unit.ts';
import { needing } from '../../fixtures/tools.ts';
import { contentsOf, type StoreKeys } from '../servers/object-store/object-store.ts';
import { normaliseS3 } from '../stores/config.ts';
import { s3Store } from '../stores/s3.ts';

const sample = sampleUnit();
const hours = 3_600_000;
const morning = new Date(sample.snapshotAt.getTime() + 4 * hours);
const [dump, manifest] = [`db-${sample.id}.sql.gz`, `db-${sample.id}.manifest.json`];
const root = realpathSync(mkdtempSync(join(tmpdir(), 's3-faults-')));
chmodSync(root, 0o755); // as root the servers run as nobody, who must get past it
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Fault {
  readonly name: string;
  readonly codes: readonly string[];
  readonly verdict?: 'inconclusive';
  /** What is done to the healthy unit. */
  readonly change?: (folder: string) => Promise<unknown>;
  readonly fault?: (call: Call) => Fate;
  readonly now?: Date;
  readonly ageless?: true;
  /** Of one call; far off where it is not told, since a busy machine is no slow store. */
  readonly callMs?: number;
}
describe('in our own store', () => suite(() => startOurs('backups')));
needing('container engine', 'image of SeaweedFS').describe('in SeaweedFS', () => suite(() => startSeaweedFs('backups')));

function suite(start: () => Promise<StoreUnderTest>): void {
  let real: StoreUnderTest;
  let admin: aws.S3Client;
  beforeAll(async () => {
    real = await start();
    admin = new aws.S3Client({ endpoint: real.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: real.writer });
  });
  afterAll(async () => {
    admin.destroy();
    await real.close();
  });
  const contents = async (): Promise<readonly string[]> => contentsOf(real);

  let folders = 0;
  const put = async (Key: string, Body: Buffer | string): Promise<void> => void (await admin.send(new aws.PutObjectCommand({ Bucket: 'backups', Key, Body })));
  const remove = async (Key: string): Promise<void> => void (await admin.send(new aws.DeleteObjectCommand({ Bucket: 'backups', Key })));

  async function healthy(): Promise<string> {
    folders += 1;
    const folder = `unit-${folders}/`;
    await put(folder + dump, readFileSync(sample.dumpFile));
    await put(folder + manifest, readFileSync(sample.manifestFile));
    return folder;
  }

  async function drill(folder: string, { fault = () => null, as = real.reader, now = morning, callMs = 25_000, config }: { callMs?: number; fault?: (call: Call) => Fate; as?: StoreKeys; now?: Date; config?: NonNullable<DrillOnce['config']> } = {}): Promise<Drilled & { calls: readonly Call[]; hits: number }> {
    const faulty = await startFaults(real, fault);
    onTestFinished(faulty.close);
    const store = s3Store(normaliseS3({ name: 'offsite', kind: 's3', endpoint: faulty.endpoint, bucket: 'backups', prefix: folder, accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'SECRET' } }), as, { callMs, attempts: 2 });
    const drilled = await drillOnce({ store, root: join(root, 'scratch'), now, ...(config === undefined ? {} : { config }) });
    return { ...drilled, calls: faulty.calls, hits: faulty.hits() };
  }

  test('the healthy unit is verified, and nothing is written: but for the probe only GET and HEAD are asked; 34, 35, 45', async () => {
    const folder = await healthy();
    const before = await contents();
    // 45: what refuses the checksums that the SDK adds by itself, as B2 did. 35: every page but the last has one entry.
    const picky = (call: Call): Fate => (Object.keys(call.headers).some((name) => /^x-amz-(?:checksum|sdk-checksum)/.test(name)) ? { refuse: [400, 'InvalidArgument'] } : null);
    const drilled = await drill(folder, { fault: picky, now: new Date(Date.parse(sample.id) + 24 * hours + 1000) });
    expect(drilled).toMatchObject({ codes: [], asides: [], verdict: 'verified', hits: 0 });
    expect(drilled.steps.get('run.open')?.evidence).toMatchObject({ writes: 'denied', application: null });
    expect(drilled.steps.get('database.catalog')?.evidence).toMatchObject({ deleteMarkers: 0, unfinishedUploads: 0 });
    expect(drilled.steps.get('database.fetch')?.evidence).toMatchObject({ version: expect.any(String), etag: expect.any(String) });
    expect(await contents()).toEqual(before);
    const others = drilled.calls.filter((call) => call.method !== 'GET' && call.method !== 'HEAD');
    expect(others.map((call) => [call.method, call.key?.includes('backup-drills-probe-')])).toEqual([['PUT', true], ['DELETE', true]]);
  });

  test('40 a credential that may write is a warning, 42 so is an upload that never ended; both leave the verdict', async () => {
    const folder = await healthy();
    await admin.send(new aws.CreateMultipartUploadCommand({ Bucket: 'backups', Key: `${folder}db-2026-11-25.sql.gz` }));
    const drilled = await drill(folder, { as: real.writer });
    expect(drilled).toMatchObject({ codes: [], asides: ['store.writable', 'catalog.unfinished-upload'], verdict: 'verified' });
    expect(drilled.steps.get('run.open')?.evidence).toMatchObject({ writes: 'allowed' });
  });

  const listing = (fate: Fate) => (call: Call): Fate => (call.query.has('list-type') ? fate : null);
  const cutBody = (fate: Fate) => (call: Call): Fate => (call.method === 'GET' && call.key?.endsWith(dump) === true ? fate : null);

  const faults: readonly Fault[] = [
    { name: '32 the dump gone, its manifest there, and no version kept', codes: ['catalog.dump-missing'], change: async (folder) => { const { Versions } = await admin.send(new aws.ListObjectVersionsCommand({ Bucket: 'backups', Prefix: folder + dump })); await admin.send(new aws.DeleteObjectCommand({ Bucket: 'backups', Key: folder + dump, VersionId: Versions?.[0]?.VersionId })); } },
    { name: '33 nothing newer than two days', codes: ['select.stale'], now: new Date(morning.getTime() + 48 * hours), ageless: true },
    { name: '36 a ghost: listed, and not there', codes: ['fetch.gone'], fault: (call) => (call.method === 'HEAD' && call.key?.endsWith(dump) === true ? { refuse: [404, 'NotFound'] } : null) },
    { name: '37 a store that asks to slow down', codes: ['store.slow'], verdict: 'inconclusive', fault: listing({ refuse: [503, 'SlowDown'] }) },
    { name: '37 a store that fails', codes: ['store.failing'], verdict: 'inconclusive', fault: listing({ refuse: [500, 'InternalError'] }) },
    { name: '38 a body that is cut, again and again', codes: ['fetch.short'], verdict: 'inconclusive', fault: cutBody({ cutAfter: 1000 }) },
    { name: '38 a chunked body that ends well, and too early', codes: ['fetch.short'], verdict: 'inconclusive', fault: cutBody({ endAfter: 1000 }) },
    { name: '38 other bytes of the same length', codes: ['dump.sha256-mismatch'], fault: cutBody({ change: (bytes) => { const other = Buffer.from(bytes); other[1000] = (other[1000] ?? 0) ^ 1; return other; } }) },
    { name: '39 a store that does not answer', codes: ['store.slow'], verdict: 'inconclusive', fault: listing({ stallAfter: -1 }), callMs: 500 },
    { name: '40 a credential that may not list', codes: ['store.denied'], verdict: 'inconclusive', fault: listing({ refuse: [403, 'AccessDenied'] }) },
    { name: '40 a credential that may list and not read', codes: ['fetch.denied'], verdict: 'inconclusive', fault: cutBody({ refuse: [403, 'AccessDenied'] }) },
    { name: '40 a credential that has expired', codes: ['store.expired'], verdict: 'inconclusive', fault: listing({ refuse: [400, 'ExpiredToken'] }) },
    { name: '41 a delete marker that hides the newest', codes: ['catalog.hidden'], change: async (folder) => { await remove(folder + dump); await remove(folder + manifest); } },
    { name: '43 a failed dump under a final name', codes: ['dump.size-mismatch'], change: async (folder) => put(folder + dump, readFileSync(sample.dumpFile).subarray(0, 5000)) },
    { name: "44 another application's bucket", codes: ['store.other-application'], change: async (folder) => put(`${folder}store.json`, JSON.stringify({ application: 'billing' })) },
  ];

  test.each(faults)('$name', async ({ codes, verdict, change, fault, now, ageless, callMs }) => {
    const folder = await healthy();
    await change?.(folder);
    const drilled = await drill(folder, {
      ...(fault === undefined ? {} : { fault }),
      ...(now === undefined ? {} : { now }),
      ...(callMs === undefined ? {} : { callMs }),
      // What the sample says of how new it is would speak too, and is not what is tested.
      ...(ageless === undefined ? {} : { config: (config) => ({ ...config, objectives: { rpoMs: null, restoreDurationMs: null }, expected: { ...config.expected, tables: config.expected.tables.map(({ newest: _, ...table }) => table) } }) }),
    });
    expect(drilled.codes).toStrictEqual(codes);
    expect(drilled.verdict).toBe(verdict ?? 'unverified');
    expect(drilled.hits > 0, 'the fault came to pass').toBe(fault !== undefined);
  });

  test('two drills of one bucket at once do not disturb each other', async () => {
    const folder = await healthy();
    const both = await Promise.all([drill(folder), drill(folder)]);
    expect(both.map(({ verdict, codes }) => [verdict, codes])).toEqual([['verified', []], ['verified', []]]);
  });
}
