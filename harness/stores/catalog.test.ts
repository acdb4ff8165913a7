import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { CatalogRead } from './catalog.ts';
import { readCatalog } from './catalog.ts';
import { directoryStore } from './directory.ts';
import { catalogEvidence } from './evidence.ts';
import type { Entry, ReadableStore } from './store.ts';

const { signal } = new AbortController();
const now = (): Date => new Date('2026-11-23T12:00:00Z');
const healthy = ['db-2026-11-22.sql.gz.age', 'db-2026-11-22.manifest.json.age', 'db-2026-11-23.sql.gz.age', 'db-2026-11-23.manifest.json.age', 'db-2026-11-23.globals.sql.age'];

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'backup-drills-test-'));
  for (const name of healthy) await writeFile(join(path, name), 'x');
});

async function read(at = now, store: ReadableStore = directoryStore(path)): Promise<CatalogRead> {
  const done = await readCatalog(store, { now: at, signal });
  catalogEvidence.parse(done.evidence);
  return done;
}

const codes = ({ findings }: CatalogRead): string[] => findings.map((finding) => finding.code);
const ids = ({ catalog }: CatalogRead): string[] => catalog?.sets.filter((set) => set.quarantine === null).map((set) => set.id) ?? [];
const put = (name: string, content = 'x'): Promise<void> => writeFile(join(path, name), content);
const remove = (name: string): Promise<void> => rm(join(path, name));

/** The directory's entries, and more that a file system of ours cannot show. */
function withEntries(...more: Entry[]): ReadableStore {
  const store = directoryStore(path);
  return { description: store.description, head: store.head.bind(store), open: store.open.bind(store), list: async function* (...given) { yield* store.list(...given); yield* more; } };
}

beforeEach(() => onTestFinished(() => rm(path, { recursive: true, force: true })));

test('a healthy store: its sets, in order, with their artifacts, and nothing to say', async () => {
  await mkdir(join(path, 'media-objects/ab'), { recursive: true });
  await put('media-objects/ab/x.age');
  await mkdir(join(path, 'media-2026-11-23'));
  await put('media-2026-11-23/index.age');
  await mkdir(join(path, 'audit'));
  await put('ledger.jsonl');
  await put('store.json');
  const done = await read();
  expect(codes(done)).toEqual([]);
  expect(done.catalog?.sets.map((set) => [set.id, set.dump?.object.key, set.manifest?.object.key, set.globals?.encrypted])).toEqual([
    ['2026-11-22', 'db-2026-11-22.sql.gz.age', 'db-2026-11-22.manifest.json.age', undefined],
    ['2026-11-23', 'db-2026-11-23.sql.gz.age', 'db-2026-11-23.manifest.json.age', true],
  ]);
  expect(done.evidence).toMatchObject({ sets: 2, quarantined: [], oldest: '2026-11-22', newest: '2026-11-23', others: { media: 2, audit: 1, ledger: 1, store: 1 }, strays: 0 });
});

test('a media tree is named and never walked', async () => {
  const asked: unknown[] = [];
  const store = directoryStore(path);
  await read(now, { description: 'x', head: store.head.bind(store), open: store.open.bind(store), list: (aborted, options) => { asked.push(options); return store.list(aborted, options); } });
  expect(asked).toEqual([{ folders: 'named' }]);
});

describe('each fault has its own finding, and the other set is still catalogued', () => {
  const faults: [string, string, () => Promise<unknown>, string[]][] = [
    ['a stray file', 'catalog.stray', () => put('notes.txt'), ['2026-11-22', '2026-11-23']],
    ['a stray folder, closed ones included', 'catalog.stray', () => mkdir(join(path, 'lost+found')), ['2026-11-22', '2026-11-23']],
    ['a symlink of a stray name', 'catalog.stray', () => symlink('db-2026-11-23.sql.gz.age', join(path, 'latest')), ['2026-11-22', '2026-11-23']],
    ['no real date', 'catalog.unparseable-set-name', () => put('db-2026-02-30.sql.gz'), ['2026-11-22', '2026-11-23']],
    ['a name that only looks like one', 'catalog.unparseable-set-name', () => put('db-latest.sql.gz'), ['2026-11-22', '2026-11-23']],
    ['tomorrow', 'catalog.future', () => put('db-2026-11-24.sql.gz'), ['2026-11-22', '2026-11-23']],
    ['a timestamp in the future', 'catalog.future', () => put('db-2026-11-23T120501Z.sql.gz'), ['2026-11-22', '2026-11-23']],
    ['a symlink in a dump\'s place', 'catalog.irregular', async () => { await remove('db-2026-11-23.sql.gz.age'); await symlink('db-2026-11-22.sql.gz.age', join(path, 'db-2026-11-23.sql.gz.age')); }, ['2026-11-22']],
    ['a FIFO in a manifest\'s place', 'catalog.irregular', async () => { await remove('db-2026-11-23.manifest.json.age'); execFileSync('mkfifo', [join(path, 'db-2026-11-23.manifest.json.age')]); }, ['2026-11-22']],
    ['a directory in a dump\'s place', 'catalog.irregular', async () => { await remove('db-2026-11-23.sql.gz.age'); await mkdir(join(path, 'db-2026-11-23.sql.gz.age')); }, ['2026-11-22']],
    ['both plain and encrypted', 'catalog.ambiguous', () => put('db-2026-11-23.sql.gz'), ['2026-11-22', '2026-11-23']],
    ['a dump that is gone', 'catalog.dump-missing', () => remove('db-2026-11-23.sql.gz.age'), ['2026-11-22']],
    ['an unfinished upload', 'catalog.unfinished-upload', () => put('db-2026-11-23.sql.gz.age.a1.tmp'), ['2026-11-22', '2026-11-23']],
  ];
  test.each(faults)('%s: %s', async (_name, code, mutilate, left) => {
    expect(codes(await read())).toEqual([]);
    await mutilate();
    const done = await read();
    expect(codes(done)).toEqual([code]);
    expect(ids(done)).toEqual(left);
  });

  test('an artifact that may not be looked at: catalog.denied', async () => {
    const done = await read(now, withEntries({ kind: 'denied', key: 'db-2026-11-23.globals.sql', reason: 'EACCES' }));
    expect(codes(done)).toEqual(['catalog.denied']);
    expect(done.findings[0]?.judged).toBe(false);
    expect(ids(done)).toEqual(['2026-11-22']);
    expect(codes(await read(now, withEntries({ kind: 'denied', key: 'db-x.sql.gz', reason: 'EACCES' })))).toEqual(['catalog.denied']);
    expect(codes(await read(now, withEntries({ kind: 'denied', key: 'lost+found', reason: 'EACCES' })))).toEqual(['catalog.stray']);
    expect(codes(await read(now, withEntries({ kind: 'denied', key: 'media-objects', reason: 'EACCES' })))).toEqual([]);
  });
});

test('the encrypted artifact is the one that is used where there are both', async () => {
  await put('db-2026-11-23.sql.gz');
  expect((await read()).catalog?.sets.at(-1)?.dump?.object.key).toBe('db-2026-11-23.sql.gz.age');
});

describe('a store without a set', () => {
  beforeEach(() => Promise.all(healthy.map(remove)));

  test('empty', async () => {
    const done = await read();
    expect(codes(done)).toEqual(['catalog.empty']);
    expect(done.catalog).toBeNull();
    expect(done.findings[0]?.message).toContain('it is empty');
  });

  test('other names: says what was found, and how a dump is named', async () => {
    await put('wa_mcp\u001b[31m.dump');
    await mkdir(join(path, 'daily'));
    const done = await read();
    expect(codes(done)).toEqual(['catalog.empty']);
    expect(done.findings[0]?.message).toContain('daily/');
    expect(done.findings[0]?.message).toContain('wa_mcp\\u{1b}[31m.dump');
    expect(done.findings[0]?.hint).toContain('db-YYYY-MM-DD.sql.gz');
  });

  test('the other parts alone are no backup of the database', async () => {
    await mkdir(join(path, 'media-objects'));
    await put('media-objects/x');
    const done = await read();
    expect(codes(done)).toEqual(['catalog.empty']);
    expect(done.findings[0]?.message).toContain('found instead: media-objects/');
  });

  test('one misnamed dump is told as that alone, and nothing can be chosen', async () => {
    await put('db-2026-11-23.sql');
    const done = await read();
    expect(codes(done)).toEqual(['catalog.unparseable-set-name']);
    expect(done.catalog).toBeNull();
  });

  test('a dump alone is a set', async () => {
    await put('db-2026-11-23.sql.gz');
    const done = await read();
    expect(codes(done)).toEqual([]);
    expect(done.catalog?.sets).toMatchObject([{ id: '2026-11-23', manifest: null, globals: null, quarantine: null }]);
  });
});

describe('clocks', () => {
  const at = (text: string) => (): Date => new Date(text);

  test.each([
    ['at midnight', '2026-11-23T00:00:00Z'],
    ['a second before midnight, the other host being ahead by no more than that', '2026-11-22T23:59:59Z'],
    ['four minutes before midnight', '2026-11-22T23:56:00Z'],
    ['when Europe leaves daylight saving time', '2026-10-25T01:00:00+00:00'],
    ['with the local time zone a day ahead', '2026-11-23T00:30:00+14:00'],
  ])('%s the set of the day is no future one', async (_name, text) => {
    const day = new Date(new Date(text).getTime() + 5 * 60_000).toISOString().slice(0, 10);
    for (const name of healthy) await remove(name);
    await put(`db-${day}.sql.gz`);
    expect(codes(await read(at(text)))).toEqual([]);
  });

  test('a clock set back makes the sets of the days since future ones, and none of them newest', async () => {
    const done = await read(at('2026-11-22T12:00:00Z'));
    expect(codes(done)).toEqual(['catalog.future']);
    expect(ids(done)).toEqual(['2026-11-22']);
    expect(codes(await read(at('2026-11-22T23:54:59Z')))).toEqual(['catalog.future']);
  });

  test('a timestamp may be five minutes ahead, no more', async () => {
    await put('db-2026-11-23T120500Z.sql.gz');
    expect(codes(await read())).toEqual([]);
    expect(codes(await read(at('2026-11-23T11:59:59.999Z')))).toEqual(['catalog.future']);
  });
});
