// Decompresses a dump: exactly one gzip member (RFC 1952) that ends where the file ends. Node's own gunzip carries on
// silently with a second member, so the member's head and tail are read here and zlib only inflates what is between.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { StepEnded } from '../../run/finding.ts';
import { dumpFindings } from './findings.ts';

export interface Caps {
  /** The most bytes that a dump may decompress to. */
  readonly maxBytes: number;
  /** The most decompressed bytes per byte of the file; judged past 16 MiB, since small dumps of one repeated row are honest. */
  readonly maxRatio: number;
}

/** 1 TiB; DEFLATE itself ends at 1,032, and tables of near-equal rows were seen at some 200. */
export const defaultCaps: Caps = { maxBytes: 2 ** 40, maxRatio: 400 };

export interface GunzipOptions {
  readonly caps: Caps;
  readonly signal?: AbortSignal | undefined;
  /** Called per block read, with compressed bytes read so far and the file's size. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /** Called once, after the last chunk was taken and the member proved whole. */
  readonly ended?: ((measured: Measured) => void) | undefined;
}

export interface Measured {
  readonly compressedBytes: number;
  readonly decompressedBytes: number;
  /** Of the file as it was read, hex. The content itself is guarded by gzip's CRC-32, which is checked. */
  readonly sha256: string;
}

const chunkBytes = 256 * 1024;
const blockBytes = 256 * 1024;
const ratioJudgedFrom = 16 * 1024 * 1024;
const trailerBytes = 8;
const maxHeaderBytes = 256 * 1024;

/**
 * The decompressed bytes in chunks of up to 256 KiB, each its own memory. Chunks come before the checksum is known: trust nothing until the iteration ends.
 * @throws StepEnded with `dump.empty`, `dump.not-gzip`, `dump.gzip-*`, `dump.too-large`, `dump.ratio`, `dump.header-missing` (a custom-format dump); the file system's error.
 */
export async function* gunzip(path: string, options: GunzipOptions): AsyncGenerator<Buffer, void, undefined> {
  const { caps, signal } = options;
  await using file = await open(path, 'r');
  const size = (await file.stat()).size;
  const start = await headerLength(file, size);
  const hash = createHash('sha256');
  // zlib hands stream options on, though its types do not say so: some chunks of head start for the other thread.
  const streaming = { chunkSize: chunkBytes, highWaterMark: 4 * chunkBytes };
  const inflate = createInflateRaw(streaming);
  let failure = null as Error | null;
  const feeding = feed(file, size, start, hash, inflate, options).catch((error: Error) => {
    failure = error;
    inflate.destroy();
  });
  let bytes = 0;
  let crc = 0;
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      bytes += chunk.length;
      if (bytes > caps.maxBytes) throw new StepEnded(dumpFindings.find('dump.too-large', { limitBytes: String(caps.maxBytes) }));
      if (bytes > ratioJudgedFrom && bytes > caps.maxRatio * size) {
        throw new StepEnded(dumpFindings.find('dump.ratio', { limitRatio: caps.maxRatio, compressedBytes: String(size) }));
      }
      crc = crc32(chunk, crc);
      yield chunk;
    }
    await feeding;
    if (failure !== null) throw failure;
  } catch (error) {
    signal?.throwIfAborted();
    throw failure ?? zlibProblem(error, size, bytes);
  } finally {
    inflate.destroy();
    await feeding;
  }
  signal?.throwIfAborted();
  await checkEnd(file, size, start + inflate.bytesWritten, crc, bytes);
  if (bytes === 0) throw new StepEnded(dumpFindings.find('dump.empty', { compressedBytes: String(size) }));
  options.ended?.({ compressedBytes: size, decompressedBytes: bytes, sha256: hash.digest('hex') });
}

/** Reads the file into the inflater until that has its end or was given up, and hashes the whole file on the way. */
async function feed(file: FileHandle, size: number, start: number, hash: ReturnType<typeof createHash>, inflate: ReturnType<typeof createInflateRaw>, options: GunzipOptions): Promise<void> {
  for (let at = 0; at < size && !inflate.destroyed; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(blockBytes, size - at)), 0, null, at);
    if (bytesRead === 0) break;
    options.signal?.throwIfAborted();
    const block = buffer.subarray(0, bytesRead);
    hash.update(block);
    const skip = Math.max(0, start - at);
    at += bytesRead;
    options.progress?.(at, size);
    if (skip >= bytesRead || inflate.destroyed || inflate.writableEnded || inflate.readableEnded) continue;
    if (!inflate.write(block.subarray(skip))) await drained(inflate);
  }
  if (!inflate.destroyed) inflate.end();
}

async function drained(inflate: ReturnType<typeof createInflateRaw>): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  const given = (event: string): Promise<unknown> => once(inflate, event, { signal }).catch(() => undefined);
  await Promise.race([given('drain'), given('close'), given('end')]);
  done.abort();
}

/** Length of the member's header: fixed ten bytes, then what its flags announce. */
async function headerLength(file: FileHandle, size: number): Promise<number> {
  if (size === 0) throw new StepEnded(dumpFindings.find('dump.empty', { compressedBytes: '0' }));
  const head = Buffer.alloc(Math.min(size, maxHeaderBytes));
  let filled = 0;
  while (filled < head.length) {
    const { bytesRead } = await file.read(head, filled, head.length - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  const truncated = (): StepEnded => new StepEnded(dumpFindings.find('dump.gzip-truncated', { compressedBytes: String(size), decompressedBytes: '0' }));
  if (head[0] !== 0x1f || (head.length > 1 && head[1] !== 0x8b)) throw new StepEnded(notGzip(head));
  if (head.length < 10) throw truncated();
  if (head[2] !== 8) throw new StepEnded(corrupt('unknown compression method', 0));
  const flags = head[3] as number;
  if ((flags & 0xe0) !== 0) throw new StepEnded(corrupt('reserved flags in its header', 0));
  let at = 10;
  if ((flags & 4) !== 0) at += 2 + (head[at] ?? 0) + 256 * (head[at + 1] ?? 0);
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const end = head.indexOf(0, at);
    if (end === -1) throw head.length < maxHeaderBytes ? truncated() : new StepEnded(corrupt('endless name in its header', 0));
    at = end + 1;
  }
  if ((flags & 2) !== 0) {
    if (at + 2 <= head.length && head.readUInt16LE(at) !== (crc32(head.subarray(0, at)) & 0xffff)) throw new StepEnded(corrupt('checksum of its header', 0));
    at += 2;
  }
  if (at >= size) throw truncated();
  return at;
}

function notGzip(head: Buffer): ReturnType<typeof dumpFindings.find> {
  if (head.toString('latin1', 0, 5) === 'PGDMP') return dumpFindings.find('dump.header-missing', { looksLike: 'a custom-format dump (pg_dump -Fc)' });
  const looksLike = head.every((byte) => byte === 0) ? 'zero bytes'
    : head.toString('latin1', 0, 2) === '--' ? 'plain SQL text'
    : head.toString('latin1', 0, 22) === 'age-encryption.org/v1\n' ? 'still encrypted by age'
    : head.readUInt8(0) === 0x28 && head.length > 3 && head.readUInt32LE(0) === 0xfd2fb528 ? 'zstd data'
    : 'something else';
  return dumpFindings.find('dump.not-gzip', { looksLike });
}

function corrupt(problem: string, bytes: number): ReturnType<typeof dumpFindings.find> {
  return dumpFindings.find('dump.gzip-corrupt', { problem, decompressedBytes: String(bytes) });
}

/** zlib's own error → finding; anything else stays what it is. */
function zlibProblem(error: unknown, size: number, bytes: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'Z_BUF_ERROR') return new StepEnded(dumpFindings.find('dump.gzip-truncated', { compressedBytes: String(size), decompressedBytes: String(bytes) }));
  if (code === 'Z_DATA_ERROR' || code === 'Z_NEED_DICT') return new StepEnded(corrupt((error as Error).message, bytes));
  return error;
}

/** CRC-32 and length behind the data, and nothing behind them. */
async function checkEnd(file: FileHandle, size: number, end: number, crc: number, bytes: number): Promise<void> {
  if (end + trailerBytes > size) {
    throw new StepEnded(dumpFindings.find('dump.gzip-truncated', { compressedBytes: String(size), decompressedBytes: String(bytes) }));
  }
  const tail = Buffer.alloc(Math.min(size - end, trailerBytes + 64));
  await file.read(tail, 0, tail.length, end);
  if (tail.readUInt32LE(0) !== crc) throw new StepEnded(corrupt('its CRC-32 differs', bytes));
  if (tail.readUInt32LE(4) !== bytes % 2 ** 32) throw new StepEnded(corrupt('its length differs', bytes));
  const rest = size - end - trailerBytes;
  if (rest === 0) return;
  const behind = tail.subarray(trailerBytes);
  const what = behind[0] === 0x1f && behind[1] === 0x8b ? 'a second gzip member' : behind.every((byte) => byte === 0) ? 'zero bytes' : 'no gzip data';
  throw new StepEnded(dumpFindings.find('dump.gzip-trailing', { offset: String(end + trailerBytes), trailingBytes: String(rest), what }));
}
