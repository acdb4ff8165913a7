// age, both ways (https://age-encryption.org/v1): decrypts what was fetched, encrypts what a rehearsal publishes.
//
// The header is always judged by the age-encryption library: which key, if any, it is for, and whether it is whole. The
// payload goes through the age binary where there is one, since it is three times as fast. The binary is believed
// only when it ends well and its output has exactly the length that the input's implies; otherwise the library decides,
// so that a killed or odd binary never makes a good backup look bad.
import { open, rm } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { ReadableStream } from 'node:stream/web';
import type { Stanza } from 'age-encryption';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { StepEnded } from '../run/finding.ts';
import type { Progress } from '../run/plan.ts';
import { decryptByBinary } from './age-binary.ts';
import { ageHeaderLimit as headerLimit, ageIntro as intro } from './age-header.ts';
import { storeFindings } from './findings.ts';
import { shown } from './names.ts';
import type { Spilled } from './spill.ts';
import { spill } from './spill.ts';
import type { StoredObject } from './store.ts';
import type { VerifiedStored } from './verify.ts';

declare const plain: unique symbol;

/** What took the encryption off; `none` where there was none. */
export type AgeEngine = 'none' | 'binary' | 'library';

/** An artifact's own bytes in scratch, authenticated to their end where they were encrypted. */
export interface Plain extends Spilled {
  readonly [plain]: true;
  readonly object: StoredObject;
  readonly engine: AgeEngine;
  /** The public key that it was encrypted to and that this drill could use; null where it was not encrypted. */
  readonly recipient: string | null;
  readonly durationMs: number;
}

export interface DecryptOptions {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  /** `auto` (default): the age binary on PATH, else the library. */
  readonly ageBinary?: 'auto' | 'library';
}

const armor = '-----BEGIN AGE ENCRYPTED FILE-----';
/** age's payload: chunks of this many bytes, each followed by a tag (https://c2sp.org/age#payload). Read in pieces no larger,
 * the library hands on every valid chunk before it refuses one. */
const chunkBytes = 64 * 1024;

/**
 * Takes age's encryption off; an artifact that is plain by its name passes as it is, and must be plain by its bytes.
 * @param identities one AGE-SECRET-KEY-1… per line, `#` comments allowed; null where none is configured.
 * @throws StepEnded decrypt.*, scratch.full. No partial plaintext is left then.
 */
export async function decryptArtifact(stored: VerifiedStored, identities: string | null, workDir: string, options: DecryptOptions): Promise<Plain> {
  const startedAt = performance.now();
  const object = shown(stored.object.key);
  const done = (spilled: Spilled, engine: AgeEngine, recipient: string | null): Plain =>
    ({ path: spilled.path, bytes: spilled.bytes, sha256: spilled.sha256, object: stored.object, engine, recipient, durationMs: Math.round(performance.now() - startedAt) }) as Plain;
  const start = await startOf(stored.path);
  if (!stored.object.key.endsWith('.age')) {
    if (start.subarray(0, intro.length).toString('latin1') === intro || isArmored(start)) throw new StepEnded(storeFindings.find('decrypt.suffix-missing', { object }));
    return done(stored, 'none', null);
  }
  const headerBytes = headerOf(start, stored.bytes, object);
  const key = await unlock(start.subarray(0, headerBytes), await parseIdentities(identities, object), object);
  const path = join(workDir, encodeURIComponent(stored.object.key.slice(0, -'.age'.length)));
  const { spilled, engine } = await decryptPayload(stored, start, key, path, options);
  if (spilled.bytes === 0) {
    await rm(spilled.path, { force: true });
    throw new StepEnded(storeFindings.find('decrypt.empty', { object }));
  }
  return done(spilled, engine, key.recipient);
}

interface Identity {
  readonly secret: string;
  readonly recipient: string;
}

/** @throws StepEnded decrypt.no-identity, decrypt.bad-identity; never quotes a line. */
async function parseIdentities(text: string | null, object: string): Promise<Identity[]> {
  const identities: Identity[] = [];
  for (const [index, raw] of (text ?? '').split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const bad = (why: string): StepEnded => new StepEnded(storeFindings.find('decrypt.bad-identity', { line: index + 1, why }));
    if (line.startsWith('age1')) throw bad('it is a public key');
    if (line.startsWith('age-encryption.org/') || line.startsWith(armor)) throw bad('the identity file itself is encrypted');
    if (!line.startsWith('AGE-SECRET-KEY-')) throw bad('it does not start with AGE-SECRET-KEY-');
    try {
      identities.push({ secret: line, recipient: await identityToRecipient(line) });
    } catch {
      throw bad('its checksum is wrong, a character is missing or mistyped');
    }
  }
  if (identities.length === 0) throw new StepEnded(storeFindings.find('decrypt.no-identity', { object }));
  return identities;
}

async function startOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(headerLimit);
    let filled = 0;
    for (let read = -1; read !== 0 && filled < buffer.length; filled += read) ({ bytesRead: read } = await file.read(buffer, filled, buffer.length - filled, filled));
    return buffer.subarray(0, filled);
  } finally {
    await file.close();
  }
}

function isArmored(start: Buffer): boolean {
  return start.toString('latin1', 0, 256).trimStart().startsWith(armor);
}

/** Length of the header, its last line feed included. @throws StepEnded: not age, armored, or cut within. */
function headerOf(start: Buffer, fileBytes: number, object: string): number {
  const first = start.toString('latin1', 0, intro.length);
  if (first !== intro) {
    if (intro.startsWith(first)) throw truncated(object, first === '' ? 'it is empty' : 'it ends in its first line');
    if (isArmored(start)) throw new StepEnded(storeFindings.find('decrypt.armored', { object }));
    throw new StepEnded(storeFindings.find('decrypt.not-age', { object, startsWith: kindOf(start) }));
  }
  const mac = start.indexOf('\n--- ');
  const end = mac === -1 ? -1 : start.indexOf('\n', mac + 1);
  if (end !== -1) return end + 1;
  if (fileBytes <= start.length) throw truncated(object, 'it ends in its header');
  throw corrupt(object, 'its header has no end');
}

/** What a file is by its first bytes, in a word; never the bytes themselves. */
function kindOf(start: Buffer): string {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  if (start[0] === 0x7b) return 'JSON';
  return start.subarray(0, 64).every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) ? 'text' : 'unknown bytes';
}

/** The one identity that opens the header. @throws StepEnded decrypt.wrong-recipient, decrypt.corrupt. */
async function unlock(header: Buffer, identities: readonly Identity[], object: string): Promise<Identity> {
  let recipients: string[] = [];
  for (const identity of identities) {
    let matched = true;
    const decrypter = decrypterOf(identity);
    // Asked only when the identity before it did not match.
    decrypter.addIdentity({
      unwrapFileKey(stanzas: Stanza[]) {
        matched = false;
        recipients = stanzas.map((stanza) => stanza.args[0] ?? '');
        return null;
      },
    });
    try {
      await decrypter.decryptHeader(header);
      return identity;
    } catch {
      if (matched) throw corrupt(object, 'its header');
    }
  }
  const kinds = [...new Set(recipients)].slice(0, 10).map(shown);
  throw new StepEnded(storeFindings.find('decrypt.wrong-recipient', { object, recipients: kinds, tried: identities.map((identity) => identity.recipient) }));
}

async function decryptPayload(stored: VerifiedStored, start: Buffer, key: Identity, path: string, options: DecryptOptions): Promise<{ spilled: Spilled; engine: AgeEngine }> {
  const object = shown(stored.object.key);
  const expected = await plainLength(start, stored.bytes, key, object);
  let bytes = 0;
  const spilling = {
    expected,
    onBytes: (now: number): void => {
      bytes = now;
      options.signal.throwIfAborted();
      options.progress({ done: now, total: expected, unit: 'bytes', what: object });
    },
  };
  // Older binaries know no post-quantum keys.
  if (options.ageBinary !== 'library' && key.secret.startsWith('AGE-SECRET-KEY-1')) {
    const spilled = await decryptByBinary(key.secret, stored.path, path, spilling, options.signal);
    if (spilled !== null) return { spilled, engine: 'binary' };
    bytes = 0;
  }
  const reading = createReadStream(stored.path, { highWaterMark: chunkBytes });
  try {
    const stream = await decrypterOf(key).decrypt(pulled(reading));
    return { spilled: await spill(unsealed(stream), path, spilling), engine: 'library' };
  } catch (error) {
    if (!(error instanceof Unsealed)) throw error;
    // A cut file and one whose last chunk was altered look the same: neither has a valid last chunk.
    const lastFrom = Math.max(0, Math.ceil(expected / chunkBytes) - 1) * chunkBytes;
    throw bytes >= lastFrom ? truncated(object, `from byte ${lastFrom} of the plain data on it is not valid`) : corrupt(object, `from byte ${bytes} of the plain data on`);
  } finally {
    reading.destroy();
  }
}

/** As the library wants it. Not Readable.toWeb: that pushes on into a stream that was just cancelled, and the process dies of it. */
function pulled(reading: AsyncIterable<Uint8Array>): globalThis.ReadableStream<Uint8Array> {
  return ReadableStream.from<Uint8Array>(reading);
}

/** How long the plain data is, as the length of the file implies. @throws StepEnded decrypt.truncated where no plain data has that length. */
async function plainLength(start: Buffer, fileBytes: number, key: Identity, object: string): Promise<number> {
  try {
    const stream = await decrypterOf(key).decrypt(new Blob([new Uint8Array(start)]).stream());
    const length = stream.size(fileBytes);
    await stream.cancel();
    return length;
  } catch {
    // The header is known to be good: what is missing is the nonce or a whole tag.
    throw truncated(object, 'its length is none that age writes');
  }
}

function decrypterOf(key: Identity): Decrypter {
  const decrypter = new Decrypter();
  decrypter.addIdentity(key.secret);
  return decrypter;
}

/** The library refused a chunk, as against scratch refusing the file. */
class Unsealed extends Error {}

async function* unsealed(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    throw new Unsealed('a chunk is not valid', { cause: error });
  }
}

function truncated(object: string, where: string): StepEnded {
  return new StepEnded(storeFindings.find('decrypt.truncated', { object, where }));
}

function corrupt(object: string, where: string): StepEnded {
  return new StepEnded(storeFindings.find('decrypt.corrupt', { object, where }));
}

export interface AgeKey {
  /** AGE-SECRET-KEY-1…; a secret. */
  readonly identity: string;
  /** age1… */
  readonly recipient: string;
}

/** A new X25519 key, as age-keygen makes. */
export async function generateKey(): Promise<AgeKey> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/**
 * Encrypts a file for all recipients. A post-quantum recipient (age1pq1…) beside an ordinary one protects no more than
 * the ordinary one does: whoever breaks that has the file.
 */
export async function encryptFile(from: string, to: string, recipients: readonly string[], signal: AbortSignal): Promise<Spilled> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const reading = createReadStream(from, { highWaterMark: chunkBytes });
  try {
    const stream = await encrypter.encrypt(pulled(reading));
    return await spill(stream as ReadableStream<Uint8Array>, to, { expected: 0, onBytes: () => signal.throwIfAborted() });
  } finally {
    reading.destroy();
  }
}
