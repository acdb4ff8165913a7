import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inspectDump } from '../database/dump/inspect.ts';
import { writeDump, writeTables } from './data.ts';
import { measure } from './measure.ts';
import { type Contender, pair, spread } from './pair.ts';

const signal = new AbortController().signal;

describe('a pair', () => {
  let order: string[];
  beforeEach(() => {
    order = [];
  });

  function contender(label: string, times: readonly number[], wrongAt = -1): Contender {
    let at = -1;
    return {
      label,
      run: async () => {
        at += 1;
        order.push(label);
        return { ms: times[at] ?? Number.NaN, peakBytes: 1000 * (at + 1), stdout: '' };
      },
      check: async () => (at === wrongAt ? 'lost a row' : null),
    };
  }

  const row = (ours: Contender, theirs: Contender | null) => ({ name: 'n', what: 'w', ours, theirs, goal: 0.5 });

  test('runs alternately, leaves the warm-up out, and takes ratios pair by pair', async () => {
    const result = await pair(row(contender('a', [999, 10, 40, 20]), contender('b', [999, 20, 40, 100])), { warmUps: 1, repeats: 3 });
    expect(order.join('')).toBe('abababab');
    expect(result).toMatchObject({
      problem: null,
      ours: { label: 'a', ms: { median: 20, min: 10, max: 40 }, peakBytes: 4000 },
      theirs: { label: 'b', ms: { median: 40, min: 20, max: 100 } },
      ratio: { median: 0.5, min: 0.2, max: 1 },
      pairs: [{ oursMs: 10, theirsMs: 20 }, { oursMs: 40, theirsMs: 40 }, { oursMs: 20, theirsMs: 100 }],
    });
  });

  test.each([
    ['ours, in its last run', contender('a', [1, 1, 1], 2), contender('b', [1, 1, 1]), 'a: lost a row'],
    ['theirs, while warming up', contender('a', [1, 1, 1]), contender('b', [1, 1, 1], 0), 'b: lost a row'],
  ])('has no figure where %s answers wrong', async (_name, ours, theirs, problem) => {
    expect(await pair(row(ours, theirs), { warmUps: 1, repeats: 2 })).toMatchObject({ problem, ours: null, theirs: null, ratio: null, pairs: [] });
  });

  test('has no figure where a contender cannot be run', async () => {
    const broken = { ...contender('b', []), run: async () => measure({ program: 'sh', words: ['-c', 'exit 3'], signal }) };
    expect(await pair(row(contender('a', [1]), broken), { warmUps: 0, repeats: 1 })).toMatchObject({ problem: 'b: sh ended with 3: ', ours: null, ratio: null });
  });

  test('may lack theirs', async () => {
    expect(await pair(row(contender('a', [3, 4]), null), { warmUps: 0, repeats: 2 })).toMatchObject({ ours: { ms: { median: 3.5 } }, theirs: null, ratio: null });
  });

  test('of no runs is no figure', async () => {
    expect(() => spread([])).toThrow(RangeError);
    await expect(pair(row(contender('a', []), null), { warmUps: 0, repeats: 0 })).rejects.toThrow(RangeError);
  });
});

describe('a measured command', () => {
  test('gives its output, and the memory of its largest process even when that is a grandchild', async () => {
    const big = `const held = Buffer.alloc(150e6, 1); setTimeout(() => console.log(held.length), 100)`;
    const { stdout, ms, peakBytes } = await measure({ program: 'sh', words: ['-c', `'${process.execPath}' -e '${big}'; echo done`], signal });
    expect(stdout).toBe('150000000\ndone\n');
    expect(ms).toBeGreaterThan(0);
    expect(peakBytes).toBeGreaterThan(150e6);
  });

  test('that fails is no figure, and says why', async () => {
    await expect(measure({ program: 'sh', words: ['-c', 'echo no such table >&2; exit 3'], signal })).rejects.toThrow('sh ended with 3: no such table');
    await expect(measure({ program: 'sh', words: ['-c', 'kill -9 $$'], signal })).rejects.toThrow('sh ended with SIGKILL');
    await expect(measure({ program: '/nonexistent', words: [], signal })).rejects.toThrow('ENOENT');
  });

  test('that is aborted has ended by the time that it is told', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'backup-drills-bench-'));
    try {
      const abort = new AbortController();
      const removed = join(directory, 'removed');
      const up = once(watch(directory, { signal: abort.signal }).on('error', () => undefined), 'change');
      const script = `const { writeFileSync } = require('node:fs'); const [file] = process.argv.slice(1);
        process.on('SIGTERM', () => { writeFileSync(file, ''); process.exit(1); }); writeFileSync(file + '.up', ''); setInterval(() => {}, 1000)`;
      const measured = measure({ program: process.execPath, words: ['-e', script, removed], signal: abort.signal, killSignal: 'SIGTERM' });
      await up;
      abort.abort(new Error('enough'));
      await expect(measured).rejects.toThrow(/abort/i);
      expect(existsSync(removed)).toBe(true);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('the generated dump', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'backup-drills-bench-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('is the same for the same seed, another for another, of about the size that was asked for, and whole', async () => {
    const made = await Promise.all([1, 1, 2].map(async (seed, at) => writeDump(join(directory, `${at}.sql.gz`), { seed, bytes: 2e6 })));
    const digests = [0, 1, 2].map((at) => createHash('sha256').update(gunzipSync(readFileSync(join(directory, `${at}.sql.gz`)))).digest('hex'));
    expect(digests[0]).toBe(digests[1]);
    expect(digests[0]).not.toBe(digests[2]);
    const text = gunzipSync(readFileSync(join(directory, '0.sql.gz'))).toString();
    expect(Math.abs(text.length / 2e6 - 1)).toBeLessThan(0.1);
    expect(made[0]?.plainBytes).toBe(Buffer.byteLength(text));
    const [head, ...blocks] = text.split(/^COPY .*$/m);
    expect(head).toContain('Dumped from database version 18');
    expect(blocks.map((block) => block.slice(1, block.indexOf('\n\\.')).split('\n').length)).toEqual(Object.values(made[0]?.rows ?? {}));
    expect(text.slice(-100)).toContain('PostgreSQL database dump complete');
  });

  test('of many tables is read as what it says that it is', async () => {
    const made = await writeTables(join(directory, 'tables.sql.gz'), { tables: 30 });
    const { tables, copies, constraints, indexes, sequences, roles, unknown, decompressedBytes } = await inspectDump(made.path);
    expect({ rows: Object.fromEntries(copies.map(({ name, rows }) => [name.at(-1), rows])), unknown: unknown.count, roles, decompressedBytes }).toEqual({ rows: made.rows, unknown: 0, roles: ['app', 'reader'], decompressedBytes: made.plainBytes });
    expect([tables, constraints, indexes, sequences].map((list) => list.length)).toEqual([30, 60, 30, 30]);
  });
});
