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
  /** How often a cut or stalled body is asked for. Default: 3. */
  readonly attempts?: number;
}

const oneMinute = 60_000;

/**
 * Fetches an object into `workDir`, named as its key is.
 * @throws StepEnded fetch.*, scratch.full, and what the store throws.
 */
export async function fetchArtifact(store: ReadableStore, object: StoredObject, workDir: string, options: FetchOptions): Promise<Fetched> {
  const startedAt = performance.now();
  const path = join(workDir, encodeURIComponent(object.key));
  const deadline = options.totalMs === undefined ? Infinity : startedAt + options.totalMs;
  for (let attempt = 1; ; attempt += 1) {
    await confirm(store, object, options.signal);
    try {
      const spilled = await transfer(store, object, path, deadline, options);
      await confirm(store, object, options.signal).catch(async (error: unknown) => {
        await rm(path, { force: true });
        throw error;
      });
      return { ...spilled, object, attempts: attempt, durationMs: Math.round(performance.now() - startedAt) };
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
      // A body that ends early because the object itself changed is told as that.
      await confirm(store, object, options.signal);
      if (!error.again || attempt >= (options.attempts ?? 3)) throw new StepEnded(error.tell(attempt));
    }
  }
}

/** @throws StepEnded fetch.gone, fetch.changed: the object is no longer what was listed. */
async function confirm(store: ReadableStore, object: StoredObject, signal: AbortSignal): Promise<void> {
  const now = await store.head(object.key, signal);
  if (now === null) throw new StepEnded(storeFindings.find('fetch.gone', { object: shown(object.key) }));
  if (now.size !== object.size) throw changed(object, `it has ${now.size} bytes now, and had ${object.size}`);
  if (now.version !== object.version || now.modifiedAt.getTime() !== object.modifiedAt.getTime()) throw changed(object, 'it was written again since it was listed');
}

/** One attempt. @throws Cut where another may do better. */
async function transfer(store: ReadableStore, object: StoredObject, path: string, deadline: number, options: FetchOptions): Promise<Spilled> {
  const idleMs = options.idleMs ?? oneMinute;
  const name = shown(object.key);
  const watch = new Watch(options.signal, idleMs, deadline);
  let bytes = 0;
  try {
    const body = await watch.guard(store.open(object, watch.signal));
    return await spill(watch.through(body, (total) => {
      if (total < object.size) throw new Cut(true, (attempts) => storeFindings.find('fetch.short', { object: name, bytes: total, expected: object.size, attempts }));
    }), path, {
      expected: object.size,
      onBytes: (done) => {
        bytes = done;
        if (done > object.size) throw new Cut(false, () => storeFindings.find('fetch.long', { object: name, expected: object.size }));
        options.progress({ done, total: object.size, unit: 'bytes', what: name });
      },
    });
  } catch (error) {
    options.signal.throwIfAborted();
    if (watch.ended === 'stalled') throw new Cut(true, (attempts) => storeFindings.find('fetch.stalled', { object: name, bytes, idleMs, attempts }));
    if (watch.ended === 'timeout') throw new Cut(false, () => storeFindings.find('fetch.timeout', { object: name, bytes, totalMs: options.totalMs ?? 0 }));
    if (error instanceof BodyBroke) {
      const { cause } = error;
      if (cause instanceof StepEnded) throw cause;
      throw new Cut(true, () => storeFindings.find('fetch.read-failed', { object: name, error: codeOf(cause), bytes }));
    }
    throw error;
  } finally {
    watch.end();
  }
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

  /** The body's chunks; each one resets the timer for silence. At its end `onEnd` is told their length. @throws BodyBroke. */
  async *through(body: Readable, onEnd: (bytes: number) => void): AsyncGenerator<Uint8Array> {
    // Between: a body that hangs may not even be destroyed without hanging; this one can.
    const between = new PassThrough({ highWaterMark: 1 << 20 });
    pipeline(body, between, () => undefined);
    const onAbort = (): void => void between.destroy(new Error('ended by the watch'));
    this.signal.addEventListener('abort', onAbort, { once: true });
    // It may have ended before anybody listened.
    if (this.signal.aborted) onAbort();
    let bytes = 0;
    try {
      for await (const chunk of between as AsyncIterable<Uint8Array>) {
        this.#idle.refresh();
        bytes += chunk.length;
        yield chunk;
      }
    } catch (error) {
      throw new BodyBroke('the body broke off', { cause: error });
    } finally {
      this.signal.removeEventListener('abort', onAbort);
      between.destroy();
      body.destroy();
    }
    onEnd(bytes);
  }

  end(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#total);
  }
}

function changed(object: StoredObject, how: string): StepEnded {
  return new StepEnded(storeFindings.find('fetch.changed', { object: shown(object.key), how }));
}
