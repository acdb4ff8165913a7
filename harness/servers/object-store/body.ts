// The body of an upload: taken out of its aws-chunked wrapping, and kept only where every digest that came with it agrees.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { ServiceError } from './answers.ts';

/** A stored body: a file, and what was measured while it was written. */
export interface Body {
  readonly file: string;
  readonly size: number;
  /** Hex. */
  readonly md5: string;
}

const chunkedWithTrailer = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

/** Writes the request's body to `file`. @throws ServiceError where it is not what its headers say; no file is left then. */
export async function receive(request: IncomingMessage, file: string): Promise<Body> {
  const declared = String(request.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD');
  if (declared.startsWith('STREAMING-') && declared !== chunkedWithTrailer) throw new ServiceError(501, 'NotImplemented', `${declared} is not implemented`);
  const trailers = new Map<string, string>();
  const [md5, sha256] = [createHash('md5'), createHash('sha256')];
  let [size, crc] = [0, 0];
  const measured = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of declared === chunkedWithTrailer ? unwrapped(request, trailers) : (request as AsyncIterable<Buffer>)) {
      md5.update(chunk);
      sha256.update(chunk);
      crc = crc32(chunk, crc);
      size += chunk.length;
      yield chunk;
    }
  };
  await pipeline(Readable.from(measured()), createWriteStream(file, { mode: 0o600 }));
  const [md5Hex, sha256Hex] = [md5.digest('hex'), sha256.digest('hex')];
  const refuse = async (code: string): Promise<never> => {
    await rm(file, { force: true });
    throw new ServiceError(400, code, 'the body is not what its digest says');
  };
  const wanted = request.headers['content-md5'];
  if (wanted !== undefined && Buffer.from(String(wanted), 'base64').toString('hex') !== md5Hex) return refuse('BadDigest');
  if (/^[0-9a-f]{64}$/.test(declared) && declared !== sha256Hex) return refuse('XAmzContentSHA256Mismatch');
  const sum = trailers.get('x-amz-checksum-crc32') ?? request.headers['x-amz-checksum-crc32'];
  if (sum !== undefined && Buffer.from(String(sum), 'base64').readUInt32BE() !== crc) return refuse('BadDigest');
  const length = request.headers['x-amz-decoded-content-length'];
  if (length !== undefined && Number(length) !== size) return refuse('IncompleteBody');
  return { file, size, md5: md5Hex };
}

/** The data of `size in hex CRLF data CRLF … 0 CRLF trailers CRLF`, its trailers set aside. */
async function* unwrapped(source: AsyncIterable<Uint8Array>, trailers: Map<string, string>): AsyncGenerator<Uint8Array> {
  let held = Buffer.alloc(0);
  let left = 0;
  let ended = false;
  for await (const piece of source) {
    held = Buffer.concat([held, piece]);
    for (;;) {
      if (left > 0) {
        const data = held.subarray(0, left);
        held = held.subarray(data.length);
        left -= data.length;
        if (data.length > 0) yield data;
        if (left > 0) break;
      }
      const end = held.indexOf('\r\n');
      if (end < 0) break;
      const line = held.toString('latin1', 0, end);
      held = held.subarray(end + 2);
      if (ended) {
        const at = line.indexOf(':');
        if (at > 0) trailers.set(line.slice(0, at).toLowerCase(), line.slice(at + 1).trim());
      } else if (line !== '') {
        left = Number.parseInt(line, 16);
        ended = left === 0;
        if (Number.isNaN(left)) throw new ServiceError(400, 'InvalidRequest', 'the body is not chunked as its headers say');
      }
    }
  }
  if (!ended) throw new ServiceError(400, 'IncompleteBody', 'the body ended before its last chunk');
}
