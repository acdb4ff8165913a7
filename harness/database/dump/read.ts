// A dump file as its items: what inspection reads once and the restore reads again.
import type { Caps, GunzipOptions } from './gunzip.ts';
import { defaultCaps, gunzip } from './gunzip.ts';
import type { DumpItem } from './items.ts';
import type { ReaderOptions } from './reader.ts';
import { defaultReaderOptions, readItems } from './reader.ts';

export interface ReadOptions extends Partial<ReaderOptions>, Omit<GunzipOptions, 'caps'> {
  readonly caps?: Caps | undefined;
}

/**
 * The items of a `.sql.gz`, in batches of about one chunk; reading again gives the same. Items come before the file is known to be whole: a restore takes a dump that was inspected.
 * @throws StepEnded with a `dump.*` code; the file system's error.
 */
export function readDump(file: string, options: ReadOptions = {}): AsyncGenerator<DumpItem[], void, undefined> {
  return readItems(gunzip(file, { ...options, caps: options.caps ?? defaultCaps }), { maxStatementBytes: options.maxStatementBytes ?? defaultReaderOptions.maxStatementBytes });
}
