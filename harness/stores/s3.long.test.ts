// A bucket of a hundred thousand artifacts: every one is found, and the process does not grow with what it passes by.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bucket } from '../servers/object-store/bucket.ts';
import { type S3Server, startS3Server } from '../servers/object-store/server.ts';
import { readCatalog } from './catalog.ts';
import { normaliseS3 } from './config.ts';
import { s3Store } from './s3.ts';
import type { ReadableStore } from './store.ts';

const { signal } = new AbortController();
const directory = mkdtempSync(join(tmpdir(), 'backup-drills-test-'));
const credential = { accessKeyId: 'READER', secretAccessKey: randomBytes(20).toString('hex') };
const day = (at: number): string => new Date(Date.UTC(2025, 0, 1) + at * 1000).toISOString().slice(0, 19).replaceAll(':', '') + 'Z';
let server: S3Server;

beforeAll(async () => {
  const contents = new Bucket(true);
  const body = { file: join(directory, 'x'), size: 1, md5: createHash('md5').update('x').digest('hex') };
  writeFileSync(body.file, 'x');
  for (let at = 0; at < 100_000; at += 1) contents.put(`sets/db-${day(at)}.sql.gz.age`, body, body.md5, {});
  for (let at = 0; at < 1_000_000; at += 1) contents.put(`tree/media-objects/${at.toString(16).padStart(5, '0')}.age`, body, body.md5, {});
  contents.put('tree/db-2026-11-23.sql.gz.age', body, body.md5, {});
  for (let at = 0; at < 1_000_000; at += 1) contents.put(`strays/${at.toString(36)}`, body, body.md5, {});
  contents.put('strays/db-2026-11-23.sql.gz.age', body, body.md5, {});
  server = await startS3Server({ directory, bucket: 'backups', contents, identities: [{ ...credential, may: ['list', 'get', 'list-versions', 'list-uploads'] }] });
}, 300_000);
afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

const open = (prefix: string): ReadableStore => s3Store(normaliseS3({ name: 'x', kind: 's3', endpoint: server.endpoint, bucket: 'backups', prefix, accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'SECRET' } }), credential);
const now = (): Date => new Date('2026-11-23T12:00:00Z');

test('a hundred thousand sets: every one is catalogued', async () => {
  const { catalog, findings, evidence } = await readCatalog(open('sets'), { now, signal });
  expect(findings).toEqual([]);
  expect(catalog?.sets.length).toBe(100_000);
  expect(evidence).toMatchObject({ oldest: day(0).replaceAll(':', ''), newest: day(99_999) });
}, 300_000);

test('a media tree of a million objects is one entry, and not walked', async () => {
  const { catalog, findings, evidence } = await readCatalog(open('tree'), { now, signal });
  expect(findings).toEqual([]);
  expect(catalog?.sets.length).toBe(1);
  expect(evidence.others.media).toBe(1);
}, 300_000);

test('a million strays beside one set are counted, and the set is found', async () => {
  const { catalog, findings, evidence } = await readCatalog(open('strays'), { now, signal });
  expect(findings.map((finding) => finding.code)).toEqual(['catalog.stray']);
  expect(evidence.strays).toBe(1_000_000);
  expect(catalog?.sets.map((set) => set.id)).toEqual(['2026-11-23']);
}, 300_000);
