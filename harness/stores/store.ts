// A store to read from: list, head, open. Writing is another type, in publish.ts, which drills cannot name.
import type { Readable } from 'node:stream';

/** One stored object as the store tells of it. */
export interface StoredObject {
  /** Name inside the store, `/`-separated, no leading slash. */
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** UTC; says when it was written, never how old its content is. */
  readonly modifiedAt: Date;
  /** What the store gives to these very bytes and to no others of that name: an ETag, which is no digest. */
  readonly etag?: string;
  /** The store's own version id, where it keeps versions and told it: a head tells it, a listing does not. */
  readonly version?: string;
}

/** What a listing yields: an object, or the reason why an entry is none. */
export type Entry =
  | { readonly kind: 'object'; readonly object: StoredObject }
  /** A symlink, FIFO, socket, device: never followed, never opened. */
  | { readonly kind: 'irregular'; readonly key: string; readonly what: string }
  /** The store refuses to show it: not the same as missing. */
  | { readonly kind: 'denied'; readonly key: string; readonly reason: string }
  /** A folder that was named and not entered; `key` has no trailing slash. Only where the listing asked for it. */
  | { readonly kind: 'folder'; readonly key: string };

export interface ListOptions {
  /** `named`: only the top level, each folder as one entry; a media tree is then not walked. Default: `entered`. */
  readonly folders?: 'entered' | 'named';
}

/** What a store told, or why this credential cannot know it: what was not judged is never "none". */
export type Judged<T> = { readonly judged: true; readonly found: T } | { readonly judged: false; readonly why: string };

/** Keys of artifacts by their newest version. */
export interface History {
  readonly current: readonly string[];
  /** The newest version is a delete marker: older ones exist, and no listing shows them. */
  readonly hidden: readonly string[];
}

/** An upload in parts that was begun and neither ended nor given up. */
export interface UnfinishedUpload {
  readonly key: string;
  readonly startedAt: Date;
}

/** Whether this credential may change the store. */
export type Writes = 'denied' | 'allowed' | 'not judged';

export interface ReadableStore {
  /** For people: `directory /var/backups`. No credentials. */
  readonly description: string;
  /** Every entry, in no promised order. @throws StepEnded (obstacle) when the store itself cannot be read. */
  list(signal: AbortSignal, options?: ListOptions): AsyncIterable<Entry>;
  /** The object as it is now, or null when it is not there. @throws StepEnded (obstacle) when that cannot be told. */
  head(key: string, signal: AbortSignal): Promise<StoredObject | null>;
  /**
   * Its bytes, from an offset (default: the first) to its end.
   * @throws StepEnded (obstacle when denied or changed, defect when it is gone).
   */
  open(object: StoredObject, signal: AbortSignal, from?: number): Promise<Readable>;
  /** Where the store keeps versions: those of artifacts at the top level. */
  history?(signal: AbortSignal): Promise<Judged<History>>;
  /** Where uploads come in parts: those of artifacts at the top level. */
  unfinished?(signal: AbortSignal): Promise<Judged<readonly UnfinishedUpload[]>>;
  /** Where it can be asked without changing anything. */
  writes?(signal: AbortSignal): Promise<Writes>;
}
