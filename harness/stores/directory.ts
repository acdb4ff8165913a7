// A directory as a store. The directory itself may be a symlink, since the operator named it (a mount, `current`);
// below it no link is followed, and nothing but a regular file is opened.
import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import type { BigIntStats, Dirent, Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { StepEnded } from '../run/finding.ts';
import { storeFindings } from './findings.ts';
import { shown } from './names.ts';
import type { Entry, ListOptions, ReadableStore, StoredObject } from './store.ts';

const chunkBytes = 256 * 1024;
/** Entries looked at side by side. */
const atOnce = 256;

/** The store that a directory is. Looks at nothing yet; a missing or unreadable directory is told by the first call. */
export function directoryStore(path: string): ReadableStore {
  return new DirectoryStore(resolve(path));
}

class DirectoryStore implements ReadableStore {
  readonly description: string;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.description = `directory ${shown(path)}`;
  }

  async *list(signal: AbortSignal, options: ListOptions = {}): AsyncGenerator<Entry> {
    const root = await this.#root();
    const folders: string[] = [''];
    for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
      for await (const entry of this.#entries(root, folder)) {
        signal.throwIfAborted();
        if (entry.kind !== 'folder' || options.folders === 'named') yield entry;
        else folders.push(entry.key);
      }
    }
  }

  async head(key: string, _signal: AbortSignal): Promise<StoredObject | null> {
    const path = join(await this.#root(), inside(key));
    try {
      const stats = await lstat(path);
      return stats.isFile() && (await unlinked(path)) ? objectOf(key, stats) : null;
    } catch (error) {
      if (isAbsent(error)) return null;
      throw this.#refused(key, error);
    }
  }

  async open(object: StoredObject, _signal: AbortSignal, from = 0): Promise<Readable> {
    const path = join(await this.#root(), inside(object.key));
    let handle: FileHandle;
    try {
      // O_NONBLOCK: opening a FIFO that took the file's place must not hang.
      handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (isAbsent(error)) throw new StepEnded(storeFindings.find('fetch.gone', { object: shown(object.key) }));
      if (codeOf(error) === 'ELOOP') throw changed(object, 'it is a symlink now');
      throw this.#refused(object.key, error);
    }
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw changed(object, `it is a ${whatIs(stats)} now`);
      if (!(await unlinked(path))) throw changed(object, 'a symlink stands in its path now');
      if (stats.size !== object.size) throw changed(object, `it has ${stats.size} bytes now, and had ${object.size}`);
      if (stats.mtime.getTime() !== object.modifiedAt.getTime()) throw changed(object, 'it was written again since it was listed');
      return handle.createReadStream({ start: from, highWaterMark: chunkBytes });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The directory's real path. @throws StepEnded store.missing, store.unreadable. */
  async #root(): Promise<string> {
    try {
      const root = await realpath(this.#path);
      if (!(await lstat(root)).isDirectory()) throw new StepEnded(storeFindings.find('store.missing', { store: this.description, why: 'it is no directory' }));
      return root;
    } catch (error) {
      if (error instanceof StepEnded) throw error;
      if (isAbsent(error)) throw new StepEnded(storeFindings.find('store.missing', { store: this.description, why: 'it does not exist' }));
      throw new StepEnded(storeFindings.find('store.unreadable', { store: this.description, error: codeOf(error) }));
    }
  }

  async *#entries(root: string, folder: string): AsyncGenerator<Entry> {
    let names: Dirent<Buffer>[];
    try {
      // Buffers: a name that is no UTF-8 would come back as another name, which does not exist.
      names = await readdir(join(root, folder), { withFileTypes: true, encoding: 'buffer' });
    } catch (error) {
      if (folder === '') throw new StepEnded(storeFindings.find('store.unreadable', { store: this.description, error: codeOf(error) }));
      // Gone since its parent was read: as good as never listed.
      if (!isAbsent(error)) yield { kind: 'denied', key: folder, reason: codeOf(error) };
      return;
    }
    if (names.length === 0 && folder !== '') yield { kind: 'irregular', key: folder, what: 'empty directory' };
    for (let from = 0; from < names.length; from += atOnce) {
      const entries = await Promise.all(names.slice(from, from + atOnce).map((name) => entryOf(root, folder, name.name)));
      yield* entries.filter((entry) => entry !== null);
    }
  }

  #refused(key: string, error: unknown): Error {
    return new StepEnded(storeFindings.find('fetch.denied', { object: shown(key), error: codeOf(error) }));
  }
}

async function entryOf(root: string, folder: string, name: Buffer): Promise<Entry | null> {
  const prefix = folder === '' ? '' : `${folder}/`;
  if (!isUtf8(name)) return { kind: 'irregular', key: `${prefix}${escaped(name)}`, what: 'name that is not UTF-8' };
  const key = `${prefix}${name.toString()}`;
  try {
    const stats = await lstat(join(root, key));
    if (stats.isDirectory()) return { kind: 'folder', key };
    return stats.isFile() ? { kind: 'object', object: objectOf(key, stats) } : { kind: 'irregular', key, what: whatIs(stats) };
  } catch (error) {
    return isAbsent(error) ? null : { kind: 'denied', key, reason: codeOf(error) };
  }
}

function objectOf(key: string, stats: Stats): StoredObject {
  return { key, size: stats.size, modifiedAt: stats.mtime };
}

function whatIs(stats: Stats | BigIntStats): string {
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'FIFO';
  if (stats.isSocket()) return 'socket';
  if (stats.isDirectory()) return 'directory';
  return 'device';
}

/** Whether no folder on the way to the file is a symlink. `path` starts with the root's real path. */
async function unlinked(path: string): Promise<boolean> {
  return (await realpath(dirname(path))) === dirname(path);
}

/** @throws when the key would lead out of the store: no listing of ours yields such a one. */
function inside(key: string): string {
  if (key.includes('\0') || key.split('/').some((part) => part === '' || part === '.' || part === '..')) throw new Error(`no key of a store: ${shown(key)}`);
  return key;
}

function changed(object: StoredObject, how: string): StepEnded {
  return new StepEnded(storeFindings.find('fetch.changed', { object: shown(object.key), how }));
}

function escaped(name: Buffer): string {
  return [...name].map((byte) => (byte >= 0x20 && byte < 0x7f && byte !== 0x5c ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`)).join('');
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
}

/** The system's name of what went wrong: EACCES, EIO. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
