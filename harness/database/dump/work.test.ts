// What reading costs is told by how long a dump is, and by nothing that it says: no bytes make the reader hang.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { workOf } from './work.ts';
import { mutate, sparks } from '../../../fixtures/random-dump.ts';
import { Random } from '../../../fixtures/random.ts';
import { sampleUnit } from '../../../fixtures/sample/unit.ts';
import { StepEnded } from '../../run/finding.ts';
import { inspectChunks } from './inspect.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_126);
const rounds = Number(process.env['FUZZ'] ?? 20);
const head = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 18.4\n-- Dumped by pg_dump version 18.4\n\n";

async function* chunked(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 4096) yield bytes.subarray(at, at + 4096);
}

const workFor = (bytes: Buffer): Promise<number> => workOf(async () => {
  try {
    await inspectChunks(chunked(bytes), () => ({ compressedBytes: 0, decompressedBytes: 0, sha256: '' }));
  } catch (error) {
    if (!(error instanceof StepEnded)) throw error;
  }
});

test(`a dump that chance changed costs no more than one that is whole (${rounds} rounds, seed ${seed})`, { timeout: 30_000 + rounds * 150 }, async () => {
  const sample = gunzipSync(readFileSync(sampleUnit().dumpFile));
  const whole = await workFor(sample);
  // It counts: each byte was looked at.
  expect(whole).toBeGreaterThan(sample.length);
  for (let round = 0; round < rounds; round += 1) {
    const bytes = mutate(sample, new Random(seed + round));
    const work = await workFor(bytes);
    expect(work / bytes.length, `again with FUZZ_SEED=${seed + round} FUZZ=1`).toBeLessThan(2 * whole / sample.length);
  }
});

// Each opens something, or seems to, again and again, in a statement that then does not end or that does.
test.each(sparks.flatMap((spark) => ['', ';', '\n;\n'].map((end) => [spark, end] as const)))('%j over and over, before %j, costs twice as much when it is twice as long', async (spark, end) => {
  const of = (times: number): Buffer => Buffer.from(`${head}SELECT ${`${spark} `.repeat(times)}${end}`, 'latin1');
  const [once, twice] = [await workFor(of(3000)), await workFor(of(6000))];
  expect(twice).toBeLessThan(2.2 * once);
});
