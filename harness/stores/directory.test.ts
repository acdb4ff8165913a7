import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { StepEnded } from '../run/finding.ts';
import { directoryStore } from './directory.ts';
import type { Entry, ListOptions, ReadableStore, StoredObject } from './store.ts';

const { signal } = new AbortController();

async function directory(files: Record<string, string> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'backup-drills-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true });
    await writeFile(join(path, name), content);
  }
  return path;
}

async function listed(store: ReadableStore, options?: ListOptions): Promise<string[]> {
  const entries: Entry[] = [];
  for await (const entry of store.list(signal, options)) entries.push(entry);
  return entries.map((entry) => (entry.kind === 'object' ? `${entry.object.key} ${entry.object.size}` : entry.kind === 'irregular' ? `${entry.key} is ${entry.what}` : `${entry.key} ${entry.kind}`)).sort();
}

async function head(path: string, key: string): Promise<StoredObject> {
  const object = await directoryStore(path).head(key, signal);
  if (object === null) throw new Error(`${key} is not there`);
  return object;
}

async function codes(promise: Promise<unknown>): Promise<string[]> {
  try {
    await promise;
    return [];
  } catch (error) {
    if (!(error instanceof StepEnded)) throw error;
    return error.findings.map((finding) => finding.code);
  }
}

test('lists what lies there, at every depth, and reads it', async () => {
  const path = await directory({ 'db-2026-11-23.sql.gz': 'dump', 'media-objects/ab/one.age': 'x', 'ünïcode 写真': '', 'line\nfeed': '12' });
  const store = directoryStore(path);
  expect(await listed(store)).toEqual(['db-2026-11-23.sql.gz 4', 'line\nfeed 2', 'media-objects/ab/one.age 1', 'ünïcode 写真 0']);
  expect(await listed(store, { folders: 'named' })).toEqual(['db-2026-11-23.sql.gz 4', 'line\nfeed 2', 'media-objects folder', 'ünïcode 写真 0']);
  expect(await text(await store.open(await head(path, 'media-objects/ab/one.age'), signal))).toBe('x');
  expect(await text(await store.open(await head(path, 'line\nfeed'), signal))).toBe('12');
  expect(await text(await store.open(await head(path, 'db-2026-11-23.sql.gz'), signal, 2))).toBe('mp');
  expect(await store.head('db-2026-11-24.sql.gz', signal)).toBeNull();
  expect(await store.head('db-2026-11-23.sql.gz/x', signal)).toBeNull();
});

test('the directory itself may be a symlink, as of a mount; nothing below it may', async () => {
  const outside = await directory({ secret: 'not a backup' });
  const path = await directory({ file: 'x' });
  await symlink(join(outside, 'secret'), join(path, 'link'));
  await symlink(outside, join(path, 'folder'));
  await symlink('nowhere', join(path, 'dangling'));
  execFileSync('mkfifo', [join(path, 'fifo')]);
  await mkdir(join(path, 'empty'));
  const through = join(outside, 'current');
  await symlink(path, through);
  const store = directoryStore(through);
  expect(await listed(store)).toEqual(['dangling is symlink', 'empty is empty directory', 'fifo is FIFO', 'file 1', 'folder is symlink', 'link is symlink']);
  expect(await store.head('link', signal)).toBeNull();
  expect(await store.head('fifo', signal)).toBeNull();
  expect(await store.head('folder/secret', signal)).toBeNull();
  const listedEarlier = { ...(await head(outside, 'secret')), key: 'folder/secret' };
  expect(await codes(store.open(listedEarlier, signal))).toEqual(['fetch.changed']);
});

test('a name that is no UTF-8 is told, and no other is hidden by it', async () => {
  const path = await directory({ file: 'x' });
  await writeFile(Buffer.concat([Buffer.from(`${path}/caf`), Buffer.from([0xe9])]), '');
  expect(await listed(directoryStore(path))).toEqual(['caf\\xe9 is name that is not UTF-8', 'file 1']);
});

test('no key leads out of the directory', async () => {
  const path = await directory({ file: 'x' });
  for (const key of ['../x', 'a/../../x', '/etc/passwd', '', '.', 'a//b', 'a\0b']) {
    await expect(directoryStore(path).head(key, signal)).rejects.toThrow('no key of a store');
  }
});

test('a store that is not there is no empty store', async () => {
  const path = await directory({ file: 'x' });
  expect(await codes(listed(directoryStore(path)))).toEqual([]);
  expect(await codes(listed(directoryStore(join(path, 'missing'))))).toEqual(['store.missing']);
  expect(await codes(listed(directoryStore(join(path, 'file'))))).toEqual(['store.missing']);
  expect(await codes(directoryStore(join(path, 'missing')).head('x', signal))).toEqual(['store.missing']);
});

test('what changed between listing and opening is not read', async () => {
  const path = await directory({ file: 'before' });
  const store = directoryStore(path);
  const object = await head(path, 'file');
  expect(await codes(store.open(object, signal).then((body) => body.destroy()))).toEqual([]);
  await truncate(join(path, 'file'), 3);
  expect(await codes(store.open(object, signal))).toEqual(['fetch.changed']);
  await writeFile(join(path, 'file'), 'BEFORE');
  await utimes(join(path, 'file'), 1, 1);
  expect(await codes(store.open(object, signal))).toEqual(['fetch.changed']);
  await rm(join(path, 'file'));
  expect(await codes(store.open(object, signal))).toEqual(['fetch.gone']);
  await writeFile(join(path, 'twin'), 'secret');
  await utimes(join(path, 'twin'), object.modifiedAt.getTime() / 1000, object.modifiedAt.getTime() / 1000);
  await symlink('twin', join(path, 'file'));
  expect(await codes(store.open(object, signal))).toEqual(['fetch.changed']);
  await rm(join(path, 'file'));
  execFileSync('mkfifo', [join(path, 'file')]);
  expect(await codes(store.open(object, signal))).toEqual(['fetch.changed']);
});

test('an aborted listing ends', async () => {
  const path = await directory({ file: 'x' });
  const iterator = directoryStore(path).list(AbortSignal.abort(new Error('stop')))[Symbol.asyncIterator]();
  await expect(iterator.next()).rejects.toThrow('stop');
});

test('what may not be read is told as that, never as missing', async () => {
  const path = await directory({ 'db-2026-11-23.sql.gz': 'x', 'closed/file': 'x', 'open/file': 'x' });
  await chmod(path, 0o755);
  await chmod(join(path, 'closed'), 0o000);
  await chmod(join(path, 'db-2026-11-23.sql.gz'), 0o000);
  const store = directoryStore(path);
  const object = await head(path, 'db-2026-11-23.sql.gz');
  await asOrdinaryUser(async () => {
    expect(await listed(store)).toEqual(['closed denied', 'db-2026-11-23.sql.gz 1', 'open/file 1']);
    expect(await codes(store.open(object, signal))).toEqual(['fetch.denied']);
    expect(await codes(store.head('closed/file', signal))).toEqual(['fetch.denied']);
    expect(await codes(listed(directoryStore(join(path, 'closed'))))).toEqual(['store.unreadable']);
    expect(await codes(listed(directoryStore(join(path, 'closed', 'file'))))).toEqual(['store.unreadable']);
  });
  await chmod(join(path, 'closed'), 0o755);
});

/** Root may read everything. */
async function asOrdinaryUser(body: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return body();
  process.seteuid?.('nobody');
  try {
    await body();
  } finally {
    process.seteuid?.(0);
  }
}
