// However large a backup, what reads it stays small: each stage in a process of its own, over a dump and one nine times as large.
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needing } from '../../fixtures/tools.ts';
import { query } from '../database/restore/rig.ts';
import { openScratch, type Scratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { type EmbeddedServer, startEmbedded } from '../servers/embedded.ts';
import { type AgeKey, encryptFile, generateKey } from '../stores/age.ts';
import { judgeCheck, prepareCheck } from './check-row.ts';
import { type GeneratedDump, writeDump, writeTables } from './data.ts';
import { measure } from './measure.ts';

const signal = new AbortController().signal;
const limitBytes = 200_000_000;
/** Far below what 320 MB more would cost if any of it were kept; heaps grow and shrink by less. */
const growthBytes = 60_000_000;

let scratch: Scratch;
let dumps: GeneratedDump[];
beforeAll(async () => {
  scratch = openScratch({ root: tmpdir(), runId: `memory-test-${process.pid}` });
  dumps = [];
  for (const bytes of [40e6, 360e6]) dumps.push(await writeDump(join(scratch.work, `${bytes}.sql.gz`), { seed: 1, bytes }));
}, 180_000);
afterAll(async () => {
  const { findings } = await teardown(scratch.path);
  if (findings.length > 0) throw new Error(JSON.stringify(findings));
}, 60_000);

/** Runs a stage over both dumps; `input` goes to its stdin. */
async function peaks(stage: string, words: (dump: GeneratedDump, result: string) => readonly string[], input: string, check: (dump: GeneratedDump, result: Record<string, unknown>) => Promise<void>): Promise<void> {
  const found: number[] = [];
  for (const dump of dumps) {
    const result = join(scratch.work, 'result.json');
    const { peakBytes } = await measure({ program: process.execPath, words: [join(import.meta.dirname, 'ours.ts'), stage, ...words(dump, result)], input, signal });
    await check(dump, JSON.parse(readFileSync(result, 'utf8')) as Record<string, unknown>);
    found.push(peakBytes ?? Number.NaN);
  }
  const [small = Number.NaN, large = Number.NaN] = found;
  expect(Math.max(small, large)).toBeLessThan(limitBytes);
  expect(large - small).toBeLessThan(growthBytes);
}

describe.runIf(process.platform === 'linux')('memory does not grow with the backup', () => {
  test('while it is inspected', async () => {
    await peaks('inspect', (dump, result) => [dump.path, result], '', async (dump, result) => {
      expect(result).toEqual({ rows: dump.rows, plainBytes: dump.plainBytes });
    });
  }, 60_000);

  test('while it is inspected, with as many tables as there may be', async () => {
    const dump = await writeTables(join(scratch.work, 'tables.sql.gz'), { tables: 20_000, signal });
    const result = join(scratch.work, 'result.json');
    const { peakBytes } = await measure({ program: process.execPath, words: [join(import.meta.dirname, 'ours.ts'), 'inspect', dump.path, result], signal });
    expect(JSON.parse(readFileSync(result, 'utf8'))).toEqual({ rows: dump.rows, plainBytes: dump.plainBytes });
    expect(peakBytes ?? Number.NaN).toBeLessThan(limitBytes);
  }, 60_000);

  test('while its schema is checked, by the whole command', async () => {
    const found: number[] = [];
    for (const dump of dumps) {
      const measured = await measure(await prepareCheck(scratch.work, dump, signal));
      expect(judgeCheck(measured)).toBeNull();
      found.push(measured.peakBytes ?? Number.NaN);
    }
    const [small = Number.NaN, large = Number.NaN] = found;
    expect(Math.max(small, large)).toBeLessThan(limitBytes);
    expect(large - small).toBeLessThan(growthBytes);
  }, 60_000);

  test('while it is restored', async () => {
    const server: EmbeddedServer = await startEmbedded({ scratch, major: 18, signal });
    await peaks('restore', (dump, result) => [dump.path, result], JSON.stringify(server), async (dump, { database }) => {
      expect(await query({ ...server.admin, database: String(database) }, 'SELECT (SELECT count(*)::int FROM public.media_objects) AS media_objects, (SELECT count(*)::int FROM public.messages) AS messages')).toEqual([dump.rows]);
      await query(server.admin, 'DROP DATABASE restored WITH (FORCE)');
    });
  }, 120_000);

  const fetched = async (engine: 'binary' | 'library'): Promise<void> => {
    const key: AgeKey = await generateKey();
    const store = join(scratch.work, `store-${engine}`);
    mkdirSync(store);
    const names = new Map<GeneratedDump, string>();
    for (const dump of dumps) {
      const name = `db-2026-11-2${names.size}.sql.gz.age`;
      names.set(dump, name);
      await encryptFile(dump.path, join(store, name), [key.recipient], signal);
    }
    await peaks('decrypt', (dump, result) => [store, result, names.get(dump) ?? '', engine], key.identity, async (dump, result) => {
      const hash = createHash('sha256');
      await pipeline(createReadStream(dump.path), hash);
      expect(result).toMatchObject({ engine, sha256: hash.digest('hex') });
    });
  };
  test('while it is fetched and decrypted by the library', async () => fetched('library'), 60_000);
  needing('age').test('while it is fetched and decrypted by the age program', async () => fetched('binary'), 60_000);
});
