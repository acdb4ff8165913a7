import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { StepEnded } from '../../run/finding.ts';
import type { AgeKey, Plain } from '../../stores/age.ts';
import { decryptArtifact, encryptFile, generateKey } from '../../stores/age.ts';
import { readCatalog } from '../../stores/catalog.ts';
import { directoryStore } from '../../stores/directory.ts';
import type { Fetched } from '../../stores/fetch.ts';
import { fetchArtifact } from '../../stores/fetch.ts';
import type { VerifiedStored } from '../../stores/verify.ts';
import { verifyStored } from '../../stores/verify.ts';
import { buildManifest } from '../manifest/manifest.ts';
import { selectEvidence, verifyDumpEvidence } from './evidence.ts';
import { lasting } from './findings.ts';
import { readManifests } from './manifests.ts';
import type { How, Selection } from './select.ts';
import { selectSet } from './select.ts';
import type { VerifiedDump } from './verify-dump.ts';
import { verifyDump } from './verify-dump.ts';

const hour = 3_600_000;
const cadenceMs = 24 * hour;
const quiet = { signal: new AbortController().signal, progress: (): void => undefined };
const noon = '2026-11-23T12:00:00Z';
const newest: How = { kind: 'newest' };

let store: string;
let work: string;
let key: AgeKey;
beforeAll(async () => {
  key = await generateKey();
});
beforeEach(async () => {
  const path = await mkdtemp(join(tmpdir(), 'backup-drills-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  [store, work] = [join(path, 'store'), join(path, 'work')];
  await mkdir(store);
  await mkdir(work);
});

interface Made {
  readonly at?: string;
  readonly id?: string;
  readonly database?: string;
  readonly dump?: string;
}

/** What backup-db.sh would have written; `id` and `at` (the snapshot's time) default to what fits the name. */
function manifestOf(set: string, made: Made = {}): Buffer {
  const dump = Buffer.from(made.dump ?? `dump of ${set}`);
  const time = (made.at ?? `${set.slice(0, 10)}T02:00:00Z`).replace('Z', '.000000Z');
  const hash = createHash('sha256').update('').digest('hex');
  const rows = [
    { kind: 'database', algorithm: 'row-chain-1', name: made.database ?? 'wa_mcp', serverVersion: '18.4', serverVersionNum: 180004, encoding: 'UTF8', provider: 'libc', collate: 'C', ctype: 'C', locale: null, collationVersion: null },
    { kind: 'snapshot', snapshot: '00000003-00000001-1', time, recovery: false },
    { kind: 'large-objects', count: '0', bytes: '0', digest: '0', grants: '0' },
    { kind: 'table', schema: 'public', name: 'clients', persistence: 'permanent', shape: hash, rows: '1', digest: '7' },
    { kind: 'end' },
  ];
  const id = made.id ?? set;
  const envelope = { id, dump: { name: `db-${id}.sql.gz`, sha256: createHash('sha256').update(dump).digest('hex'), bytes: dump.length }, tools: { pgDump: '18.6', psql: '18.6' } };
  return buildManifest(envelope, rows.map((row) => JSON.stringify(row)));
}

const put = (name: string, bytes: string | Uint8Array): Promise<void> => writeFile(join(store, name), bytes);

async function publish(set: string, made: Made = {}): Promise<void> {
  await put(`db-${set}.sql.gz`, made.dump ?? `dump of ${set}`);
  await put(`db-${set}.manifest.json`, manifestOf(set, made));
}

async function select(how: How = newest, at = noon, identities: string | null = null): Promise<Selection> {
  const now = (): Date => new Date(at);
  const source = directoryStore(store);
  const { catalog } = await readCatalog(source, { now, signal: quiet.signal });
  if (catalog === null) throw new Error('nothing to choose from');
  const candidates = await readManifests(source, catalog, work, { ...quiet, identities, database: 'wa_mcp', now });
  expect(await readdir(work), 'no manifest is left in scratch').toEqual([]);
  const selection = selectSet(candidates, how, { now, cadenceMs });
  selectEvidence.parse(selection.evidence);
  return selection;
}

const codes = (selection: Selection): string[] => selection.findings.map((finding) => finding.code);
async function told(promise: Promise<unknown>): Promise<StepEnded> {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  if (error instanceof StepEnded) return error;
  throw error instanceof Error ? error : new Error('nothing was thrown');
}

describe('newest', () => {
  test('by the manifests, and nothing to say of a healthy store', async () => {
    await publish('2026-11-21');
    await publish('2026-11-22');
    await publish('2026-11-23');
    const selection = await select();
    expect(codes(selection)).toEqual([]);
    expect(selection.selected).toMatchObject({ id: '2026-11-23', manifestState: 'usable', manifest: { id: '2026-11-23' } });
    expect(selection.evidence).toMatchObject({ ageMs: 10 * hour, candidates: 3, manifestsRead: 3, snapshotAt: '2026-11-23T02:00:00.000Z' });
  });

  test('by the snapshot, not by the name, of two sets of one day', async () => {
    await publish('2026-11-23', { at: '2026-11-23T11:00:00Z' });
    await publish('2026-11-23T080000Z', { at: '2026-11-23T08:00:01Z' });
    expect((await select()).selected.id).toBe('2026-11-23');
  });

  test('encrypted manifests are read like plain ones', async () => {
    for (const set of ['2026-11-22', '2026-11-23']) {
      await writeFile(join(work, 'm'), manifestOf(set));
      await encryptFile(join(work, 'm'), join(store, `db-${set}.manifest.json.age`), [key.recipient], quiet.signal);
      await rm(join(work, 'm'));
      await put(`db-${set}.sql.gz.age`, 'x');
    }
    const selection = await select(newest, noon, key.identity);
    expect(codes(selection)).toEqual([]);
    expect(selection.selected).toMatchObject({ id: '2026-11-23', manifestState: 'usable' });
    expect((await told(select(newest, noon, null))).findings.map((finding) => finding.code)).toEqual(['decrypt.no-identity']);
    expect(codes(await select(newest, noon, (await generateKey()).identity))).toEqual(['decrypt.wrong-recipient']);
  });

  test('a set without a manifest is not passed over when it is the newest', async () => {
    await publish('2026-11-22');
    await publish('2026-11-23');
    await rm(join(store, 'db-2026-11-23.manifest.json'));
    const selection = await select();
    expect(codes(selection)).toEqual([]);
    expect(selection.selected).toMatchObject({ id: '2026-11-23', manifest: null, manifestState: 'missing' });
  });

  test('an older set without a manifest changes nothing', async () => {
    await publish('2026-11-22');
    await publish('2026-11-23');
    await rm(join(store, 'db-2026-11-22.manifest.json'));
    const selection = await select();
    expect(codes(selection)).toEqual([]);
    expect(selection.selected.id).toBe('2026-11-23');
  });

  test('a dump that nobody prepared is a choice too', async () => {
    await put('db-2026-11-23.sql.gz', 'x');
    expect((await select()).selected).toMatchObject({ id: '2026-11-23', manifest: null, manifestState: 'missing' });
  });

  test('a future set is never newest, and one whose dump is gone neither', async () => {
    await publish('2026-11-23');
    await publish('2027-01-01');
    expect((await select()).selected.id).toBe('2026-11-23');
    await rm(join(store, 'db-2026-11-23.sql.gz'));
    await publish('2026-11-22');
    const selection = await select(newest, '2026-11-23T23:00:00Z');
    expect(selection.selected.id).toBe('2026-11-22');
    // The catalog has told that a later one arrived and what is wrong with it: it is not stale on top of that.
    expect(codes(selection)).toEqual([]);
  });
});

describe('a broken manifest', () => {
  const faults: [string, string, (set: string) => Promise<unknown>, 'usable' | 'unusable'][] = [
    ['cut', 'manifest.unparseable', (set) => truncate(join(store, `db-${set}.manifest.json`), 100), 'unusable'],
    ['empty', 'manifest.unparseable', (set) => truncate(join(store, `db-${set}.manifest.json`), 0), 'unusable'],
    ['huge', 'select.manifest-oversized', (set) => truncate(join(store, `db-${set}.manifest.json`), 65 * 2 ** 20), 'unusable'],
    ['of another set', 'manifest.other-set', (set) => put(`db-${set}.manifest.json`, manifestOf(set, { id: '2026-11-20', at: '2026-11-20T02:00:00Z' })), 'unusable'],
    ['stale under a new date', 'manifest.stale-copy', (set) => put(`db-${set}.manifest.json`, manifestOf(set, { at: '2026-11-10T02:00:00Z' })), 'usable'],
    ['from after now', 'manifest.future', (set) => put(`db-${set}.manifest.json`, manifestOf(set, { at: '2026-11-23T12:06:00Z' })), 'usable'],
    ['of another database', 'manifest.wrong-database', (set) => put(`db-${set}.manifest.json`, manifestOf(set, { database: 'postgres' })), 'usable'],
    ['encrypted under a plain name', 'decrypt.suffix-missing', (set) => put(`db-${set}.manifest.json`, 'age-encryption.org/v1\n'), 'unusable'],
  ];
  beforeEach(async () => {
    await publish('2026-11-22');
    await publish('2026-11-23');
  });

  test.each(faults)('%s, of the newest set: %s, and that set is chosen', async (_name, code, mutilate, state) => {
    await mutilate('2026-11-23');
    const selection = await select();
    expect(codes(selection)).toEqual([code]);
    expect(selection.selected).toMatchObject({ id: '2026-11-23', manifestState: state });
  });

  test.each(faults)('%s, of another set (%s), is a warning', async (_name, code, mutilate) => {
    await mutilate('2026-11-22');
    const selection = await select();
    expect(codes(selection)).toEqual(['select.other-manifests-broken']);
    expect(selection.findings[0]).toMatchObject({ severity: 'warning', facts: { sets: ['2026-11-22'], count: 1, codes: [code] } });
    expect(selection.selected.id).toBe('2026-11-23');
  });
});

describe('by date', () => {
  beforeEach(async () => {
    for (const set of ['2026-11-01', '2026-11-20', '2026-11-23', '2026-11-23T080000Z']) await publish(set, set.includes('T') ? { at: '2026-11-23T08:00:00Z' } : {});
  });

  test('the set of that day, the newest of several, or exactly that timestamp; its age is nobody\'s fault', async () => {
    const chosen = await select({ kind: 'date', date: '2026-11-01' });
    expect(chosen.selected.id).toBe('2026-11-01');
    expect(codes(chosen)).toEqual([]);
    expect((await select({ kind: 'date', date: '2026-11-23' })).selected.id).toBe('2026-11-23T080000Z');
    expect((await select({ kind: 'date', date: '2026-11-23T080000Z' })).evidence).toMatchObject({ set: '2026-11-23T080000Z', asked: '2026-11-23T080000Z', how: 'date' });
  });

  test('no such set: the nearest are named', async () => {
    const error = await told(select({ kind: 'date', date: '2026-11-21' }));
    expect(error.findings.map((finding) => [finding.code, finding.facts['nearest']])).toEqual([['select.no-such-set', ['2026-11-20', '2026-11-23', '2026-11-23T080000Z']]]);
    expect((await told(select({ kind: 'date', date: '\u001b[2J' }))).findings[0]).toMatchObject({ code: 'select.no-such-set', facts: { asked: '\\u{1b}[2J', nearest: ['2026-11-23T080000Z', '2026-11-23', '2026-11-20'] } });
  });

  test('a set that is set aside is not drilled on demand either', async () => {
    await publish('2026-11-25');
    expect((await told(select({ kind: 'date', date: '2026-11-25' }))).findings.map((finding) => finding.code)).toEqual(['select.quarantined']);
  });
});

describe('a random older one', () => {
  const random = (seed: string): How => ({ kind: 'random-older', seed });
  const sets = Array.from({ length: 8 }, (_, index) => `2026-11-${String(16 + index)}`);

  test('the same seed chooses the same set, never the newest, whatever is added or removed beside it', async () => {
    for (const set of sets) await publish(set);
    const seen = new Set<string>();
    for (const seed of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']) {
      const { selected, evidence } = await select(random(seed));
      expect((await select(random(seed))).selected.id).toBe(selected.id);
      expect(evidence).toMatchObject({ seed, how: 'random-older', newest: '2026-11-23' });
      expect(selected.id).not.toBe('2026-11-23');
      seen.add(selected.id);
    }
    expect(seen.size).toBeGreaterThan(2);
    const { selected } = await select(random('a'));
    const other = sets.find((set) => set !== selected.id && set !== '2026-11-23');
    await rm(join(store, `db-${other ?? ''}.sql.gz`));
    await rm(join(store, `db-${other ?? ''}.manifest.json`));
    expect((await select(random('a'))).selected.id).toBe(selected.id);
  });

  test('with one set there is none', async () => {
    await publish('2026-11-23');
    expect(codes(await select())).toEqual([]);
    expect((await told(select(random('a')))).findings.map((finding) => finding.code)).toEqual(['select.no-older-set']);
  });
});

describe('the age of the newest set', () => {
  test('exactly one cadence is in time, a moment more is stale, and the older name changes nothing', async () => {
    await publish('2026-11-22', { at: '2026-11-22T12:00:00Z' });
    expect(codes(await select(newest, '2026-11-23T12:00:00Z'))).toEqual([]);
    const stale = await select(newest, '2026-11-23T12:00:00.001Z');
    expect(codes(stale)).toEqual(['select.stale']);
    expect(stale.findings[0]?.facts).toMatchObject({ ageMs: cadenceMs + 1, by: 'manifest' });
    expect(codes(await select(newest, '2027-01-23T12:00:00Z'))).toEqual(['select.stale']);
  });

  test('without a manifest it is never overstated: the name means the whole day', async () => {
    await put('db-2026-11-22.sql.gz', 'x');
    expect(codes(await select(newest, '2026-11-23T23:59:59Z'))).toEqual([]);
    expect(codes(await select(newest, '2026-11-24T00:00:01Z'))).toEqual(['select.stale']);
  });

  test('also when an older set is drilled', async () => {
    await publish('2026-11-10');
    await publish('2026-11-11');
    expect(codes(await select({ kind: 'random-older', seed: 'x' }))).toEqual(['select.stale']);
    expect(codes(await select({ kind: 'date', date: '2026-11-10' }))).toEqual([]);
  });

  test('a future set does not hide that backups have stopped', async () => {
    await publish('2026-11-10');
    await publish('2026-12-24');
    expect(codes(await select())).toEqual(['select.stale']);
  });

  test.each([
    ['a backup at 23:59 read at midnight', '2026-11-22', '2026-11-22T23:59:30Z', '2026-11-23T00:00:00Z'],
    ['a backup begun before midnight whose snapshot is of the next day', '2026-11-22', '2026-11-23T00:00:40Z', '2026-11-23T00:05:00Z'],
    ['a clock four minutes ahead at the source', '2026-11-23', '2026-11-23T12:04:00Z', noon],
    ['the day on which Europe leaves daylight saving time, 25 hours of local time later', '2026-10-24', '2026-10-24T23:30:00Z', '2026-10-25T23:30:00Z'],
    ['the day on which it enters it', '2027-03-27', '2027-03-27T12:00:00Z', '2027-03-28T12:00:00Z'],
    ['February 29', '2028-02-29', '2028-02-29T02:00:00Z', '2028-03-01T02:00:00Z'],
    ['New Year', '2026-12-31', '2026-12-31T23:00:00Z', '2027-01-01T22:00:00Z'],
  ])('no false alarm: %s', async (_name, set, at, now) => {
    await publish(set, { at });
    expect(codes(await select(newest, now))).toEqual([]);
  });

  test('daily backups are in time at every minute of two years, in every time zone of the reader', async () => {
    const set = { quarantine: null, manifest: null, globals: null } as const;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 * 365 * 24 * 60 }), fc.integer({ min: -12 * 60, max: 14 * 60 }), (minute, zone) => {
        const now = new Date(Date.UTC(2026, 0, 1, 2, 0) + minute * 60_000);
        const taken = new Date(Math.floor((now.getTime() - 2 * hour) / cadenceMs) * cadenceMs + 2 * hour);
        const id = taken.toISOString().slice(0, 10) as never;
        const dump = { object: { key: '', size: 0, modifiedAt: now }, set: id, artifact: 'dump', encrypted: false } as const;
        // An instant has no zone; a reader's zone may only change how it is written down.
        const local = new Date(new Date(now.getTime() + zone * 60_000).toISOString().replace('Z', `${zone < 0 ? '-' : '+'}${new Date(Math.abs(zone) * 60_000).toISOString().slice(11, 16)}`));
        expect(codes(selectSet([{ set: { ...set, id, dump }, manifest: null, snapshotAt: taken, problems: [] }], newest, { now: () => local, cadenceMs }))).toEqual([]);
      }),
    );
  });

  test('is told in words', () => {
    expect([59_000, hour, 26 * hour + 5 * 60_000 + 59_999, 48 * hour, 75 * hour].map(lasting)).toEqual(['0 min', '1 h', '26 h 5 min', '2 days', '3 days 3 h']);
  });
});

// Never called: here the compiler is the test.
void ((fetched: Fetched, stored: VerifiedStored, plain: Plain) => {
  // @ts-expect-error bytes that were not decrypted cannot be verified against the manifest
  verifyDump(fetched, { id: 'x' as never, manifest: null });
  // @ts-expect-error nor can verified but encrypted ones
  verifyDump(stored, { id: 'x' as never, manifest: null });
  // @ts-expect-error and plain ones are no verified dump
  const dump: VerifiedDump = { ...plain, boundTo: null };
  return dump;
});

describe('the dump against its manifest', () => {
  async function verified(): Promise<ReturnType<typeof verifyDump>> {
    const { selected } = await select();
    const fetched = await fetchArtifact(directoryStore(store), selected.dump.object, work, quiet);
    return verifyDump(await decryptArtifact(verifyStored(fetched), null, work, quiet), selected);
  }

  test('the bytes that were dumped', async () => {
    await publish('2026-11-23');
    const { dump, evidence } = await verified();
    expect(dump.boundTo?.id).toBe('2026-11-23');
    expect(await readFile(dump.path, 'utf8')).toBe('dump of 2026-11-23');
    expect(verifyDumpEvidence.parse(evidence).bound).toBe(true);
  });

  test.each([
    ['one byte fewer', 'dump of 2026-11-2', 'dump.size-mismatch'],
    ['one byte more', 'dump of 2026-11-23\n', 'dump.size-mismatch'],
    ['one bit changed', 'eump of 2026-11-23', 'dump.sha256-mismatch'],
    ['nothing', '', 'dump.size-mismatch'],
  ])('%s', async (_name, bytes, code) => {
    await publish('2026-11-23');
    await put('db-2026-11-23.sql.gz', bytes);
    const error = await told(verified());
    expect(error.findings.map((finding) => finding.code)).toEqual([code]);
    expect(verifyDumpEvidence.parse(error.evidence).set).toBe('2026-11-23');
  });

  test('without a manifest nothing binds it, and the type says so', async () => {
    await put('db-2026-11-23.sql.gz', 'x');
    const { dump, evidence } = await verified();
    expect(dump.boundTo).toBeNull();
    expect(evidence.bound).toBe(false);
  });
});
