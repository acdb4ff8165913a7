// One gzip member that ends where its file ends; whatever else a file may be has its own code.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { needing } from '../../../fixtures/tools.ts';
import { StepEnded } from '../../run/finding.ts';
import { type Caps, type Measured, gunzip } from './gunzip.ts';

const directory = mkdtempSync(join(tmpdir(), 'gunzip-'));
afterAll(() => rmSync(directory, { recursive: true }));
const roomy: Caps = { maxBytes: 1e9, maxRatio: 1e6 };

async function read(file: Buffer, caps = roomy): Promise<{ text: Buffer; measured: Measured | null; code: string }> {
  const path = join(directory, 'file');
  writeFileSync(path, file);
  const chunks: Buffer[] = [];
  let measured: Measured | null = null;
  try {
    for await (const chunk of gunzip(path, { caps, ended: (result) => (measured = result) })) chunks.push(chunk);
    return { text: Buffer.concat(chunks), measured, code: 'none' };
  } catch (error) {
    if (!(error instanceof StepEnded)) throw error;
    return { text: Buffer.concat(chunks), measured, code: error.findings.map((finding) => finding.code).join(',') };
  }
}
const codeOf = async (file: Buffer, caps?: Caps): Promise<string> => (await read(file, caps)).code;

/** Incompressible, so that cutting the file cuts the data. */
const plain = randomBytes(600_000);
const healthy = gzipSync(plain);

/** A header with every optional field (RFC 1952, 2.3.1). */
function withFields(flags: number): Buffer {
  const head = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3]),
    (flags & 4) === 0 ? Buffer.alloc(0) : Buffer.from([3, 0, 1, 2, 3]),
    (flags & 8) === 0 ? Buffer.alloc(0) : Buffer.from('db.sql\0'),
    (flags & 16) === 0 ? Buffer.alloc(0) : Buffer.from('comment\0'),
  ]);
  const check = Buffer.alloc(2);
  check.writeUInt16LE(crc32(head) & 0xffff);
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(plain));
  tail.writeUInt32LE(plain.length, 4);
  return Buffer.concat([head, ...((flags & 2) === 0 ? [] : [check]), deflateRawSync(plain), tail]);
}

test('a healthy file comes out as it went in, measured', async () => {
  const { text, measured, code } = await read(healthy);
  expect([code, text.equals(plain)]).toEqual(['none', true]);
  expect(measured).toMatchObject({ compressedBytes: healthy.length, decompressedBytes: plain.length });
});

test.each([0, 4, 8, 16, 2, 30])('with the optional header fields of flags %i', async (flags) => {
  const { text, code } = await read(withFields(flags));
  expect([code, text.equals(plain)]).toEqual(['none', true]);
});

needing('pigz').test('as pigz writes it, from several threads', async () => {
  const { text, code } = await read(execFileSync('pigz', ['-p', '2', '-c'], { input: plain, maxBuffer: 1 << 26 }));
  expect([code, text.equals(plain)]).toEqual(['none', true]);
});

describe('each way of being no whole gzip file', () => {
  const flipped = (at: number): Buffer => {
    const file = Buffer.from(healthy);
    file[at] = (file[at] ?? 0) ^ 1;
    return file;
  };
  test.each<[string, Buffer, string]>([
    ['no byte at all', Buffer.alloc(0), 'dump.empty'],
    ['the gzip of nothing', gzipSync(''), 'dump.empty'],
    ['only its first byte', healthy.subarray(0, 1), 'dump.gzip-truncated'],
    ['cut in its header', healthy.subarray(0, 9), 'dump.gzip-truncated'],
    ['cut behind its header', healthy.subarray(0, 10), 'dump.gzip-truncated'],
    ['cut in a name that its header announces', withFields(8).subarray(0, 13), 'dump.gzip-truncated'],
    ['cut in the middle', healthy.subarray(0, healthy.length / 2), 'dump.gzip-truncated'],
    ['cut before its trailer', healthy.subarray(0, -8), 'dump.gzip-truncated'],
    ['cut in its trailer', healthy.subarray(0, -1), 'dump.gzip-truncated'],
    ['another checksum', flipped(healthy.length - 8), 'dump.gzip-corrupt'],
    ['another length', flipped(healthy.length - 1), 'dump.gzip-corrupt'],
    ['another compression method', flipped(2), 'dump.gzip-corrupt'],
    ['reserved flags', Buffer.concat([healthy.subarray(0, 3), Buffer.from([0x80]), healthy.subarray(4)]), 'dump.gzip-corrupt'],
    ['a header checksum that does not fit', (() => { const file = withFields(2); file[10] = (file[10] ?? 0) ^ 1; return file; })(), 'dump.gzip-corrupt'],
    ['a second member', Buffer.concat([healthy, healthy]), 'dump.gzip-trailing'],
    ['the empty member of another job', Buffer.concat([healthy, gzipSync('')]), 'dump.gzip-trailing'],
    ['zero bytes behind', Buffer.concat([healthy, Buffer.alloc(512)]), 'dump.gzip-trailing'],
    ['one byte behind', Buffer.concat([healthy, Buffer.from('\n')]), 'dump.gzip-trailing'],
    ['plain SQL', Buffer.from('--\n-- PostgreSQL database dump\n--\n'), 'dump.not-gzip'],
    ['still encrypted', Buffer.from('age-encryption.org/v1\n-> X25519 x\n'), 'dump.not-gzip'],
    ['zstd data', zstdCompressSync(plain), 'dump.not-gzip'],
    ['zero bytes, as a lost disk block reads', Buffer.alloc(4096), 'dump.not-gzip'],
    ['one byte of something else', Buffer.from('x'), 'dump.not-gzip'],
    ['a custom-format dump', Buffer.from('PGDMP\x01\x0e\x00'), 'dump.header-missing'],
  ])('%s', async (_, file, code) => {
    expect(await codeOf(file)).toBe(code);
  });

  test('any one bit, anywhere: never the same bytes without a finding', async () => {
    for (let at = 10; at < healthy.length; at += 40_009) expect(await codeOf(flipped(at))).toMatch(/^dump\.gzip-(?:corrupt|truncated|trailing)$/);
  });
});

describe('caps', () => {
  test('on bytes: the very number passes, one more does not', async () => {
    expect(await codeOf(healthy, { ...roomy, maxBytes: plain.length })).toBe('none');
    expect(await codeOf(healthy, { ...roomy, maxBytes: plain.length - 1 })).toBe('dump.too-large');
  });

  test('on the ratio, judged from 16 MiB on: a small dump of one repeated row is honest', async () => {
    expect(await codeOf(gzipSync(Buffer.alloc(16 << 20)), { ...roomy, maxRatio: 2 })).toBe('none');
    const { code, text } = await read(gzipSync(Buffer.alloc(200 << 20)), { ...roomy, maxRatio: 2 });
    expect(code).toBe('dump.ratio');
    expect(text.length).toBeLessThan(17 << 20); // The bomb was not let out.
  });
});

test('a reader that has enough, or is interrupted, leaves nothing running', async () => {
  const path = join(directory, 'left');
  writeFileSync(path, healthy);
  for await (const chunk of gunzip(path, { caps: roomy })) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  const abort = new AbortController();
  const interrupted = (async () => {
    for await (const chunk of gunzip(path, { caps: roomy, signal: abort.signal })) abort.abort(new Error(`after ${chunk.length > 0}`));
  })();
  await expect(interrupted).rejects.toThrow('after true');
});
