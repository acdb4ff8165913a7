import { createHash } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { StepEnded } from '../run/finding.ts';
import type { Progress } from '../run/plan.ts';
import { directoryStore } from './directory.ts';
import { fetchEvidence, fetchedFacts, verifiedStoredFacts, verifyStoredEvidence } from './evidence.ts';
import type { Fetched, FetchOptions } from './fetch.ts';
import { fetchArtifact } from './fetch.ts';
import type { ReadableStore, StoredObject } from './store.ts';
import { verifyStored } from './verify.ts';

const key = 'db-2026-11-23.sql.gz';
const content = Buffer.alloc(700_000, 'abcdefg\n');
const quiet = { signal: new AbortController().signal, progress: (): void => undefined };

let source: string;
let work: string;
beforeEach(async () => {
  const path = await mkdtemp(join(tmpdir(), 'backup-drills-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  [source, work] = [join(path, 'store'), join(path, 'work')];
  await mkdir(source);
  await mkdir(work);
  await writeFile(join(source, key), content);
});

async function listed(): Promise<StoredObject> {
  const object = await directoryStore(source).head(key, quiet.signal);
  if (object === null) throw new Error('not there');
  return object;
}

/** The directory store, its bodies replaced; the number of times it was opened. */
function withBody(body: (attempt: number, from: number) => Readable | Promise<Readable>): ReadableStore & { opened: number } {
  const store = directoryStore(source);
  const faulty = { opened: 0, description: 'faulty', list: store.list.bind(store), head: store.head.bind(store), open: async (_object: StoredObject, _signal: AbortSignal, from = 0) => body((faulty.opened += 1), from) };
  return faulty;
}

async function ending(store: ReadableStore, options: Partial<FetchOptions> = {}): Promise<string[]> {
  const outcome: unknown = await fetchArtifact(store, await listed(), work, { ...quiet, ...options }).catch((error: unknown) => error);
  if (!(outcome instanceof Error)) return [];
  expect(await readdir(work), 'nothing is left in scratch').toEqual([]);
  if (!(outcome instanceof StepEnded)) throw outcome;
  return outcome.findings.map((finding) => finding.code);
}

test('a healthy object arrives whole, 0600, hashed and counted', async () => {
  const seen: Progress[] = [];
  const fetched: Fetched = await fetchArtifact(directoryStore(source), await listed(), work, { ...quiet, progress: (progress) => seen.push(progress) });
  expect(await readFile(fetched.path)).toEqual(content);
  expect(fetched).toMatchObject({ bytes: content.length, sha256: createHash('sha256').update(content).digest('hex'), attempts: 1 });
  expect((await stat(fetched.path)).mode & 0o777).toBe(0o600);
  expect(seen.at(-1)).toMatchObject({ done: content.length, total: content.length, unit: 'bytes' });
  expect(await readdir(work)).toEqual([key]);
  expect(fetchEvidence.parse(fetchedFacts(fetched)).object).toBe(key);
  expect(verifyStoredEvidence.parse(verifiedStoredFacts(verifyStored(fetched), null)).witness).toBeNull();
});

test('an empty object arrives empty: what that means is for a later stage to say', async () => {
  await writeFile(join(source, key), '');
  expect((await fetchArtifact(directoryStore(source), await listed(), work, quiet)).bytes).toBe(0);
});

test('a body that is cut is asked for again, then told as short', async () => {
  const cut = withBody(() => Readable.from([content.subarray(0, 1000)]));
  expect(await ending(cut)).toEqual(['fetch.short']);
  expect(cut.opened).toBe(3);
  const asked: number[] = [];
  const once = withBody((attempt, from) => { asked.push(from); return Readable.from([attempt === 1 ? content.subarray(0, 1000) : content.subarray(from)]); });
  expect(await fetchArtifact(once, await listed(), work, quiet)).toMatchObject({ attempts: 2, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') });
  expect(asked).toEqual([0, 1000]);
});

test('a body that stalls is asked for again, then told as stalled', async () => {
  const stalling = withBody(() => Readable.from((async function* () { yield content.subarray(0, 10); await new Promise(() => undefined); })()));
  expect(await ending(stalling, { idleMs: 15, attempts: 2 })).toEqual(['fetch.stalled']);
  expect(stalling.opened).toBe(2);
  expect(await ending(withBody(() => new Promise<Readable>(() => undefined)), { idleMs: 15, attempts: 1 })).toEqual(['fetch.stalled']);
});

test('a slow body is no stalled one: each byte starts the wait anew', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let arrived = Promise.withResolvers<void>();
  const slow = withBody(() => Readable.from((async function* () {
    for (let from = 0; from < content.length; from += 100_000) {
      yield content.subarray(from, from + 100_000);
      await arrived.promise;
      arrived = Promise.withResolvers();
    }
  })()));
  const progress = (): void => {
    vi.advanceTimersByTime(50_000);
    arrived.resolve();
  };
  expect(await fetchArtifact(slow, await listed(), work, { ...quiet, progress, idleMs: 60_000 })).toMatchObject({ bytes: content.length, attempts: 1 });
});

test('a body that trickles on and on ends at the deadline of the whole', async () => {
  const trickle = withBody(() => Readable.from((async function* () { for (;;) { yield Buffer.from('x'); await new Promise((done) => setImmediate(done)); } })(), { objectMode: false }));
  expect(await ending(trickle, { totalMs: 40 })).toEqual(['fetch.timeout']);
  expect(trickle.opened).toBe(1);
});

test('a body longer than listed is not read to its end', async () => {
  const endless = withBody(() => Readable.from((function* () { for (;;) yield content; })(), { objectMode: false }));
  expect(await ending(endless)).toEqual(['fetch.long']);
});

test('a failing disk is told as that', async () => {
  const failing = withBody(() => Readable.from((function* () { yield content.subarray(0, 10); throw Object.assign(new Error('i/o'), { code: 'EIO' }); })()));
  expect(await ending(failing)).toEqual(['fetch.read-failed']);
});

test('an object that is gone, before and during', async () => {
  const object = await listed();
  const store = withBody(async () => { await rm(join(source, key)); return Readable.from([content.subarray(0, 10)]); });
  const during: unknown = await fetchArtifact(store, object, work, quiet).catch((error: unknown) => error);
  expect((during as StepEnded).findings.map((finding) => finding.code)).toEqual(['fetch.gone']);
  const before: unknown = await fetchArtifact(directoryStore(source), object, work, quiet).catch((error: unknown) => error);
  expect((before as StepEnded).findings.map((finding) => finding.code)).toEqual(['fetch.gone']);
  expect(await readdir(work)).toEqual([]);
});

test.each([
  ['grows', () => appendFile(join(source, key), 'more')],
  ['is replaced by as many other bytes', async () => { await writeFile(join(source, key), Buffer.alloc(content.length, 'x')); await utimes(join(source, key), 5, 5); }],
])('an object that %s while it is read', async (_name, change) => {
  const object = await listed();
  const store = withBody(async () => { await change(); return Readable.from([content]); });
  const outcome: unknown = await fetchArtifact(store, object, work, quiet).catch((error: unknown) => error);
  expect((outcome as StepEnded).findings.map((finding) => finding.code)).toEqual(['fetch.changed']);
  expect(await readdir(work)).toEqual([]);
});

test('an interrupt ends it at once and is no finding', async () => {
  const stop = new AbortController();
  const waiting = withBody(() => { setImmediate(() => stop.abort(new Error('SIGTERM'))); return Readable.from((async function* () { await new Promise(() => undefined); yield ''; })()); });
  await expect(fetchArtifact(waiting, await listed(), work, { ...quiet, signal: stop.signal })).rejects.toThrow('SIGTERM');
  expect(await readdir(work)).toEqual([]);
});

test('room is made sure of before the first byte', async () => {
  const object = { ...(await listed()), size: Number.MAX_SAFE_INTEGER };
  const store = withBody(() => Readable.from([content]));
  const claims: ReadableStore = { ...store, head: async () => object };
  const outcome: unknown = await fetchArtifact(claims, object, work, quiet).catch((error: unknown) => error);
  expect((outcome as StepEnded).findings.map((finding) => finding.code)).toEqual(['scratch.full']);
  expect(await readdir(work)).toEqual([]);
});
