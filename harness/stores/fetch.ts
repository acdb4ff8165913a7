// Brings one object to scratch, whole: the bytes that were listed, all of them and no other, or a finding.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { PassThrough, pipeline } from 'node:stream';
import { StepEnded } from '../run/finding.ts';
import type { Finding } from '../run/finding.ts';
import type { Progress } from '../run/plan.ts';
import { codeOf } from './directory.ts';
import { storeFindings } from './findings.ts';
import { shown } from './names.ts';
import type { Spilled } from './spill.ts';
import { spill } from './spill.ts';
import type { ReadableStore, StoredObject } from './store.ts';

/** An object in scratch, as it was listed. Nothing says yet that these are the bytes that were published. */
export interface Fetched extends Spilled {
  readonly object: StoredObject;
  readonly attempts: number;
  readonly durationMs: number;
}

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  /** The longest time without a byte, ms. Default: one minute. */
  readonly idleMs?: number;
  /** The longest time for all attempts together, ms. Default: none. */
  readonly totalMs?: number;
  /** How often in a row a cut or stalled body is asked for, each time from where the last one ended. Default: 3. */
  readonly attempts?: number;
}

const oneMinute = 60_000;
/** A body that brought as much has earned its attempts anew: a long one may be cut more often than a short one. */
const progressBytes = 8 * 2 ** 20;

/**
 * Fetches an object into `workDir`, named as its key is.
 * @throws StepEnded fetch.*, scratch.full, and what the store throws.
 */
export async function fetchArtifact(store: ReadableStore, object: StoredObject, workDir: string, options: FetchOptions): Promise<Fetched> {
  const startedAt = performance.now();
  const path = join(workDir, encodeURIComponent(object.key));
  const what = shown(object.key);
  const told = (done: number): void => options.progress({ done, total: object.size, unit: 'bytes', what });
  // Before the first byte: what it will be, and how much.
  told(0);
  const body = new WholeBody(store, object, startedAt, options);
  const spilled = await spill(body.chunks(), path, { expected: object.size, onBytes: told });
  try {
    await confirm(store, object, options.signal);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return { ...spilled, object: body.confirmed, attempts: body.attempts, durationMs: Math.round(performance.now() - startedAt) };
}

/**
 * An object's bytes, kept nowhere, by the same deadlines and attempts.
 * @throws StepEnded fetch.*, and what the store throws.
 */
export async function* readThrough(store: ReadableStore, object: StoredObject, options: Omit<FetchOptions, 'progress'>): AsyncGenerator<Uint8Array> {
  yield* new WholeBody(store, object, performance.now(), options).chunks();
  await confirm(store, object, options.signal);
}

/**
 * The first bytes of an object, `most` of them at most, by the same deadlines and attempts.
 * @throws StepEnded fetch.*, and what the store throws.
 */
export async function readStart(store: ReadableStore, object: StoredObject, most: number, options: Omit<FetchOptions, 'progress'>): Promise<Buffer> {
  const held: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of new WholeBody(store, object, performance.now(), options).chunks()) {
    held.push(chunk);
    bytes += chunk.length;
    if (bytes >= most) break;
  }
  return Buffer.concat(held).subarray(0, most);
}

/** One object's bytes from the first to the last, in as many bodies as it takes: each goes on where the one before was cut. */
class WholeBody {
  attempts = 0;
  /** The object as it was found when it was last looked at; it may know its version, which a listing does not tell. */
  confirmed: StoredObject;
  #bytes = 0;
  readonly #store: ReadableStore;
  readonly #options: Omit<FetchOptions, 'progress'>;
  readonly #deadline: number;

  constructor(store: ReadableStore, object: StoredObject, startedAt: number, options: Omit<FetchOptions, 'progress'>) {
    this.#store = store;
    this.confirmed = object;
    this.#options = options;
    this.#deadline = options.totalMs === undefined ? Infinity : startedAt + options.totalMs;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const { signal, attempts = 3 } = this.#options;
    for (let failures = 0; ; ) {
      this.confirmed = await confirm(this.#store, this.confirmed, signal);
      this.attempts += 1;
      const before = this.#bytes;
      try {
        yield* this.#attempt();
        return;
      } catch (error) {
        if (!(error instanceof Cut)) throw error;
        // A body that ends early because the object itself changed is told as that.
        await confirm(this.#store, this.confirmed, signal);
        failures = this.#bytes - before >= progressBytes ? 1 : failures + 1;
        if (!error.again || failures >= attempts) throw new StepEnded(error.tell(this.attempts));
      }
    }
  }

  /** What is missing. @throws Cut where another attempt may do better. */
  async *#attempt(): AsyncGenerator<Uint8Array> {
    const { size } = this.confirmed;
    const object = shown(this.confirmed.key);
    const idleMs = this.#options.idleMs ?? oneMinute;
    const watch = new Watch(this.#options.signal, idleMs, this.#deadline);
    const short = (attempts: number): Finding => storeFindings.find('fetch.short', { object, bytes: this.#bytes, expected: size, attempts });
    try {
      const body = await watch.guard(this.#store.open(this.confirmed, watch.signal, this.#bytes));
      for await (const chunk of watch.through(body)) {
        this.#bytes += chunk.length;
        if (this.#bytes > size) throw new Cut(false, () => storeFindings.find('fetch.long', { object, expected: size }));
        yield chunk;
      }
      if (this.#bytes < size) throw new Cut(true, short);
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (watch.ended === 'stalled') throw new Cut(true, (attempts) => storeFindings.find('fetch.stalled', { object, bytes: this.#bytes, idleMs, attempts }));
      if (watch.ended === 'timeout') throw new Cut(false, () => storeFindings.find('fetch.timeout', { object, bytes: this.#bytes, totalMs: this.#options.totalMs ?? 0 }));
      if (!(error instanceof BodyBroke)) throw error;
      const { cause } = error;
      if (cause instanceof StepEnded) throw cause;
      if (cutCodes.includes(codeOf(cause))) throw new Cut(true, short);
      throw new Cut(true, () => storeFindings.find('fetch.read-failed', { object, error: codeOf(cause), bytes: this.#bytes }));
    } finally {
      watch.end();
    }
  }
}

/** How a connection that was cut shows in a body. */
const cutCodes = ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'EPIPE'];

/** The object as it is now. @throws StepEnded fetch.gone, fetch.changed: it is no longer what was listed. */
async function confirm(store: ReadableStore, object: StoredObject, signal: AbortSignal): Promise<StoredObject> {
  const now = await store.head(object.key, signal);
  if (now === null) throw new StepEnded(storeFindings.find('fetch.gone', { object: shown(object.key) }));
  if (now.size !== object.size) throw changed(object, `it has ${now.size} bytes now, and had ${object.size}`);
  const other = (was: string | undefined, is: string | undefined): boolean => was !== undefined && is !== undefined && was !== is;
  if (other(object.version, now.version) || other(object.etag, now.etag) || now.modifiedAt.getTime() !== object.modifiedAt.getTime()) throw changed(object, 'it was written again since it was listed');
  return now;
}

/** A transfer that came to nothing, how it is told, and whether another attempt may help. */
class Cut extends Error {
  readonly again: boolean;
  readonly tell: (attempts: number) => Finding;
  constructor(again: boolean, tell: (attempts: number) => Finding) {
    super('cut');
    this.again = again;
    this.tell = tell;
  }
}

/** The store's stream failed, as against the file that it is written to. */
class BodyBroke extends Error {}

/** Ends a transfer that no longer moves: one timer for silence, one for the whole. */
class Watch {
  ended: 'stalled' | 'timeout' | null = null;
  readonly #stop = new AbortController();
  readonly signal: AbortSignal;
  readonly #idle: NodeJS.Timeout;
  readonly #total: NodeJS.Timeout | undefined;

  constructor(signal: AbortSignal, idleMs: number, deadline: number) {
    this.signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#idle = setTimeout(() => this.#give('stalled'), idleMs);
    if (deadline !== Infinity) this.#total = setTimeout(() => this.#give('timeout'), Math.max(0, deadline - performance.now()));
  }

  #give(why: 'stalled' | 'timeout'): void {
    this.ended ??= why;
    this.#stop.abort();
  }

  /** The promise, or a rejection as soon as the watch ends. */
  async guard<T>(promise: Promise<T>): Promise<T> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(new Error('ended by the watch'));
    this.signal.addEventListener('abort', onAbort, { once: true });
    if (this.signal.aborted) onAbort();
    try {
      return await Promise.race([promise, stopped]);
    } finally {
      this.signal.removeEventListener('abort', onAbort);
      // A body that opens after nobody waits for it any more would stay open.
      if (this.signal.aborted) promise.then((late) => (late as { destroy?: () => void }).destroy?.(), () => undefined);
    }
  }

  /** The body's chunks; each one resets the timer for silence. @throws BodyBroke. */
  async *through(body: Readable): AsyncGenerator<Uint8Array> {
    // Between: a body that hangs may not even be destroyed without hanging; this one can.
    const between = new PassThrough({ highWaterMark: 1 << 20 });
    pipeline(body, between, () => undefined);
    const onAbort = (): void => void between.destroy(new Error('ended by the watch'));
    this.signal.addEventListener('abort', onAbort, { once: true });
    // It may have ended before anybody listened.
    if (this.signal.aborted) onAbort();
    try {
      for await (const chunk of between as AsyncIterable<Uint8Array>) {
        this.#idle.refresh();
        yield chunk;
      }
    } catch (error) {
      throw new BodyBroke('the body broke off', { cause: error });
    } finally {
      this.signal.removeEventListener('abort', onAbort);
      between.destroy();
      body.destroy();
    }
  }

  end(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#total);
  }
}

function changed(object: StoredObject, how: string): StepEnded {
  return new StepEnded(storeFindings.find('fetch.changed', { object: shown(object.key), how }));
}
