import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { StepEnded } from '../run/finding.ts';
import { directoryPublisher } from './publish.ts';
import * as store from './store.ts';
import * as directory from './directory.ts';

const { signal } = new AbortController();

async function directoryPath(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'backup-drills-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function* bytes(...chunks: string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

test('what is published is there whole, once, and nothing else is', async () => {
  const path = await directoryPath();
  const object = await directoryPublisher(join(path, 'new')).put('audit/a.jsonl', bytes('one', 'two'), signal);
  expect(object).toMatchObject({ key: 'audit/a.jsonl', size: 6, sha256: '25b6746d5172ed6352966a013d93ac846e1110d5a25e8f183b5931f4688842a1' });
  expect(await readFile(join(path, 'new/audit/a.jsonl'), 'utf8')).toBe('onetwo');
  expect(await readdir(join(path, 'new/audit'))).toEqual(['a.jsonl']);
});

test('an existing name is refused, its bytes stay, and no temporary file is left', async () => {
  const path = await directoryPath();
  await writeFile(join(path, 'file'), 'first');
  const error: unknown = await directoryPublisher(path).put('file', bytes('second'), signal).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StepEnded);
  expect((error as StepEnded).findings.map((finding) => finding.code)).toEqual(['publish.exists']);
  expect(await readFile(join(path, 'file'), 'utf8')).toBe('first');
  expect(await readdir(path)).toEqual(['file']);
});

test('a source that breaks off publishes nothing', async () => {
  const path = await directoryPath();
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw new Error('pg_dump died');
  };
  await expect(directoryPublisher(path).put('file', broken(), signal)).rejects.toThrow('pg_dump died');
  expect(await readdir(path)).toEqual([]);
});

test('what does not read back as it was written is not published', async () => {
  const path = await directoryPath();
  const tampering = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('written');
    // What a failing disk does: the bytes that were written are others when they are read.
    const [temporary] = await readdir(path);
    await writeFile(join(path, temporary ?? ''), 'decayed');
  };
  const error: unknown = await directoryPublisher(path).put('file', tampering(), signal).catch((thrown: unknown) => thrown);
  expect((error as StepEnded).findings.map((finding) => finding.code)).toEqual(['publish.unverified']);
  expect(await readdir(path)).toEqual([]);
});

test('no key leads out of the directory', async () => {
  const path = await directoryPath();
  await expect(directoryPublisher(join(path, 'in')).put('../file', bytes('x'), signal)).rejects.toThrow('no key of a store');
  expect(await readdir(path)).toEqual([]);
});

test('a store to read from offers no way to write', () => {
  const offered = directory.directoryStore('/nowhere');
  expect(Object.keys({ ...store, ...directory })).not.toContain('directoryPublisher');
  expect('put' in offered).toBe(false);
});
