// One bucket: its objects with all their versions, its uploads, and the pages of their listings.
import { createHash } from 'node:crypto';
import type { Body } from './body.ts';
import { ServiceError } from './answers.ts';

export interface Version {
  readonly key: string;
  readonly id: string;
  readonly modifiedAt: Date;
  /** Null in a delete marker. */
  readonly body: Body | null;
  /** Without quotes. */
  readonly etag: string;
  /** As the uploader set them, given back as they are. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Upload {
  readonly key: string;
  readonly id: string;
  readonly startedAt: Date;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, Body>;
}

/** One page of a listing. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly prefixes: readonly string[];
  /** What the next page starts after; null in the last. */
  readonly next: string | null;
}

export interface PageQuery {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly most: number;
}

export class Bucket {
  readonly versioned: boolean;
  readonly uploads = new Map<string, Upload>();
  /** How often anything in it was changed. */
  changes = 0;
  /** Newest first. */
  readonly #versions = new Map<string, Version[]>();
  #sorted: string[] | null = null;
  #serial = 0;

  constructor(versioned: boolean) {
    this.versioned = versioned;
  }

  /** Ids that tell nobody how many there are, and sort as they were made. */
  nextId(): string {
    this.#serial += 1;
    return createHash('sha256').update(`${this.#serial}`).digest('base64url').slice(0, 32);
  }

  put(key: string, body: Body | null, etag: string, headers: Readonly<Record<string, string>>): Version {
    const version: Version = { key, id: this.versioned ? this.nextId() : 'null', modifiedAt: new Date(), body, etag, headers };
    const versions = this.#versions.get(key) ?? [];
    if (versions.length === 0) this.#sorted = null;
    this.#versions.set(key, this.versioned ? [version, ...versions] : [version]);
    this.changes += 1;
    return version;
  }

  /** @returns the delete marker, or null where the version itself is gone or never was */
  delete(key: string, id: string | null): Version | null {
    if (id === null && this.versioned) return this.put(key, null, '', {});
    const versions = this.#versions.get(key) ?? [];
    const left = id === null ? [] : versions.filter((version) => version.id !== id);
    if (left.length === versions.length) return null;
    this.changes += 1;
    if (left.length > 0) this.#versions.set(key, left);
    else this.#versions.delete(key);
    this.#sorted = null;
    return null;
  }

  /** The version asked for, or the newest. @throws ServiceError where there is none, or a delete marker. */
  get(key: string, id: string | null): Version & { readonly body: Body } {
    const versions = this.#versions.get(key) ?? [];
    const version = id === null ? versions[0] : versions.find((one) => one.id === id);
    if (version === undefined) throw new ServiceError(404, id === null ? 'NoSuchKey' : 'NoSuchVersion', 'there is no such object');
    if (version.body === null) throw new ServiceError(404, 'NoSuchKey', 'the newest version is a delete marker');
    return version as Version & { readonly body: Body };
  }

  has(key: string): boolean {
    return (this.#versions.get(key)?.[0]?.body ?? null) !== null;
  }

  /** Keys that are there, in the order of their bytes. */
  current(query: PageQuery): Page<Version> {
    return this.#page(query, (key) => (this.has(key) ? (this.#versions.get(key) ?? []).slice(0, 1) : []));
  }

  /** All versions, delete markers among them; a key's versions are never parted between pages. */
  history(query: PageQuery): Page<Version> {
    return this.#page(query, (key) => this.#versions.get(key) ?? []);
  }

  isLatest(version: Version): boolean {
    return this.#versions.get(version.key)?.[0] === version;
  }

  #page({ prefix, delimiter, after, most }: PageQuery, take: (key: string) => readonly Version[]): Page<Version> {
    const keys = (this.#sorted ??= [...this.#versions.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    const [items, prefixes]: [Version[], string[]] = [[], []];
    let at = firstAfter(keys, after, prefix);
    let last = after;
    for (; at < keys.length && items.length + prefixes.length < most; at += 1) {
      const key = keys[at] ?? '';
      if (!key.startsWith(prefix)) break;
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      const folder = cut < 0 ? null : key.slice(0, cut + delimiter.length);
      const found = take(key);
      if (found.length === 0 || (folder !== null && (folder === prefixes.at(-1) || folder === after))) continue;
      if (folder === null) items.push(...found);
      else prefixes.push(folder);
      last = folder ?? key;
    }
    // What follows in the folder that was named last is not another page.
    if (delimiter !== '' && last.endsWith(delimiter)) while (keys[at]?.startsWith(last) === true) at += 1;
    const more = at < keys.length && (keys[at] ?? '').startsWith(prefix) && items.length + prefixes.length >= most;
    return { items, prefixes, next: more ? last : null };
  }
}

/** Where the keys after `after` begin that may have the prefix. */
function firstAfter(keys: readonly string[], after: string, prefix: string): number {
  const from = Buffer.from(after > prefix ? after : prefix);
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = Buffer.compare(Buffer.from(keys[middle] ?? ''), from);
    if (order < 0 || (order === 0 && after !== '' && after >= prefix)) low = middle + 1;
    else high = middle;
  }
  return low;
}
