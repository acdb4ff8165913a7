// Inspects a dump: one pass over it, no server. What it holds, whether it is whole, and whether it holds what no pg_dump writes.
import type { Finding } from '../../run/finding.ts';
import { StepEnded } from '../../run/finding.ts';
import { classify, copyOf, extensionOf, identitySequenceOf, isPartitioned, settingOf } from './classify.ts';
import { EntryList } from './entries.ts';
import { dumpFindings } from './findings.ts';
import type { Caps, GunzipOptions, Measured } from './gunzip.ts';
import { defaultCaps, gunzip } from './gunzip.ts';
import { withHeader } from './header.ts';
import type { Inventory, Name } from './inventory.ts';
import type { Classified, DumpItem, Place } from './items.ts';
import { Lists } from './lists.ts';
import { MetaCommands } from './meta.ts';
import type { ReaderOptions } from './reader.ts';
import { DumpReader, defaultReaderOptions } from './reader.ts';

export interface InspectOptions extends Partial<ReaderOptions>, Pick<GunzipOptions, 'signal' | 'progress'> {
  readonly caps?: Caps | undefined;
  /** About the most memory that the inventory may take. Default: 1 GiB; a dump of 20,000 tables takes 20 MB. */
  readonly maxInventoryBytes?: number;
  /** Sees every statement as it comes by, COPY and INSERT left out. @param encoding the dump's client_encoding, once it is known */
  readonly onStatement?: (seen: Classified, sql: Buffer, at: Place, encoding: string | undefined) => void;
}

/** @throws StepEnded with every `dump.*` finding there is; the file system's error. */
export async function inspectDump(file: string, options: InspectOptions = {}): Promise<Inventory> {
  let measured: Measured | null = null;
  const chunks = gunzip(file, { caps: options.caps ?? defaultCaps, signal: options.signal, progress: options.progress, ended: (result) => (measured = result) });
  return inspectChunks(chunks, () => measured, options);
}

/** The same of what is decompressed already. @param measured asked once, when the last chunk was taken. */
export async function inspectChunks(chunks: AsyncIterable<Buffer>, measured: () => Measured | null, options: InspectOptions = {}): Promise<Inventory> {
  const inspection = new Inspection(options);
  try {
    const reader = new DumpReader({ maxStatementBytes: options.maxStatementBytes ?? defaultReaderOptions.maxStatementBytes });
    for await (const chunk of withHeader(chunks)) {
      for (const item of reader.push(chunk)) inspection.take(item);
    }
    reader.end();
  } catch (error) {
    if (error instanceof StepEnded) throw new StepEnded([...inspection.findings, ...error.findings]);
    throw error;
  }
  const result = measured();
  if (result === null) throw new Error('the dump was not read to its end');
  return inspection.end(result);
}

const placesKept = 100;
// About what one takes: packed, and as an object.
const [bytesPerEntry, bytesPerObject] = [80, 400];
const foldable = new Set(['INSERT', 'SELECT lowrite', 'UNKNOWN']);

class Inspection {
  readonly findings: Finding[] = [];
  readonly #maxBytes: number;
  /** About what is kept so far. */
  #bytes = 0;
  readonly #entries = new EntryList();
  readonly #lists = new Lists();
  readonly #inserts = new Map<string, { readonly name: Name; count: number }>();
  readonly #kinds = new Map<string, number>();
  readonly #roles = new Set<string>();
  readonly #extensions: { name: string; schema: string | null }[] = [];
  readonly #unknownPlaces: Place[] = [];
  readonly #meta = new MetaCommands();
  #serverVersion: string | null = null;
  #dumpVersion: string | null = null;
  #encoding: string | null = null;
  #standardStrings = true;
  #database: string | null = null;
  /** 1: its line was seen, 2: the `--` behind it too. */
  #footer = 0;
  #line = 1;
  readonly #onStatement: InspectOptions['onStatement'];

  constructor({ maxInventoryBytes = 2 ** 30, onStatement }: InspectOptions) {
    this.#maxBytes = maxInventoryBytes;
    this.#onStatement = onStatement;
  }

  take(item: DumpItem): void {
    this.#line = item.at.line;
    if (this.#footer > 0) this.#behindFooter(item);
    switch (item.kind) {
      case 'comment':
        this.#comment(item.line);
        return;
      case 'meta': {
        const refused = this.#meta.refuses(item.line.toString('utf8'), this.#database);
        if (refused !== null) this.#find(dumpFindings.find('dump.meta-command', { command: refused, line: item.at.line }));
        return;
      }
      case 'statement':
        this.#statement(item.sql, item.at);
        return;
      case 'copy':
        this.#copy(item.sql, item.at);
        return;
      case 'copy-data':
        return;
      case 'copy-end': {
        this.#lists.copies.end(item.rows, item.bytes);
      }
    }
  }

  /** @throws StepEnded when there are findings. */
  end(measured: Measured): Inventory {
    if (this.#footer < 2 || this.#meta.isOpen) {
      this.#find(dumpFindings.find('dump.footer-missing', { where: this.#where(), line: this.#line }));
    } else if (this.#lists.tables === 0) {
      this.#find(dumpFindings.find('dump.no-tables', { statements: String(this.#entries.statements) }));
    }
    if (this.findings.length > 0) throw new StepEnded(this.findings);
    return this.#inventory(measured);
  }

  #inventory(measured: Measured): Inventory {
    return this.#lists.beside({
      serverVersion: this.#serverVersion as string,
      serverMajor: Number.parseInt(this.#serverVersion as string, 10),
      dumpVersion: this.#dumpVersion as string,
      dumpMajor: Number.parseInt(this.#dumpVersion as string, 10),
      clientEncoding: this.#encoding,
      standardConformingStrings: this.#standardStrings,
      restricted: this.#meta.restricted,
      database: this.#database,
      ...measured,
      extensions: this.#extensions,
      roles: [...this.#roles].sort(),
      inserts: [...this.#inserts.values()],
      largeObjects: (this.#kinds.get('SELECT lo_create') ?? 0) + (this.#kinds.get('SELECT lo_creat') ?? 0) + (this.#kinds.get('SELECT lo_from_bytea') ?? 0),
      kinds: Object.fromEntries([...this.#kinds].sort(([a], [b]) => (a < b ? -1 : 1))),
      unknown: { count: this.#kinds.get('UNKNOWN') ?? 0, places: this.#unknownPlaces },
      entries: this.#entries,
    });
  }

  #comment(line: Buffer): void {
    // Most are the lines around an entry's title, and its title.
    if (this.#footer === 0 && this.#entries.statements > 0 && line[3] !== 0x50) return;
    const text = line.toString('latin1');
    if (this.#entries.statements === 0) {
      this.#serverVersion ??= /^-- Dumped from database version (\d.*)$/.exec(text)?.[1] ?? null;
      this.#dumpVersion ??= /^-- Dumped by pg_dump version (\d.*)$/.exec(text)?.[1] ?? null;
    }
    if (text === '-- PostgreSQL database dump complete') this.#footer = Math.max(this.#footer, 1);
    else if (text === '--' && this.#footer === 1) this.#footer = 2;
  }

  #behindFooter(item: DumpItem): void {
    const what = item.kind === 'statement' ? 'a statement'
      : item.kind === 'copy' ? 'a COPY'
      : item.kind === 'comment' && item.line.toString('latin1') === '-- PostgreSQL database dump' ? 'another dump'
      : null;
    if (what !== null && !this.findings.some((finding) => finding.code === 'dump.after-footer')) {
      this.#find(dumpFindings.find('dump.after-footer', { line: item.at.line, what }));
    }
  }

  #statement(sql: Buffer, at: Place): void {
    this.#checkVersions();
    const seen = classify(sql, this.#encoding ?? undefined);
    if (seen.kind === 'COPY') {
      // Rows from stdin are another item, so this one is of the other kinds.
      const target = copyOf(sql);
      const what = target?.from === 'program' ? 'PROGRAM' : target?.from === 'file' ? 'a file on the server' : null;
      if (what !== null) this.#find(dumpFindings.find('dump.copy-program', { what, line: at.line }));
      this.#enter({ ...seen, kind: 'UNKNOWN' }, at);
      return;
    }
    this.#enter(seen, at);
    this.#note(seen, sql, at);
    if (seen.kind !== 'INSERT') this.#onStatement?.(seen, sql, at, this.#encoding ?? undefined);
  }

  #copy(sql: Buffer, at: Place): void {
    this.#checkVersions();
    const { name, columns } = copyOf(sql, this.#encoding ?? undefined) ?? { name: [], columns: null };
    this.#keep(bytesPerEntry, columns ?? [], at);
    this.#lists.copies.push(name, columns, at);
    this.#enter({ kind: 'COPY', name, roles: [] }, at);
  }

  #checkVersions(): void {
    if (this.#serverVersion === null || this.#dumpVersion === null) {
      throw new StepEnded(dumpFindings.find('dump.header-missing', { looksLike: 'one whose header does not tell its versions' }));
    }
  }

  #enter(seen: Classified, at: Place): void {
    if (!foldable.has(seen.kind) || !this.#entries.fold(seen)) {
      this.#keep(bytesPerEntry, [...seen.name, ...seen.roles], at);
      this.#entries.push(seen, at);
    }
    this.#kinds.set(seen.kind, (this.#kinds.get(seen.kind) ?? 0) + 1);
    for (const role of seen.roles) {
      if (this.#roles.has(role)) continue;
      this.#keep(bytesPerObject, [role], at);
      this.#roles.add(role);
    }
    if (seen.kind === 'UNKNOWN' && this.#unknownPlaces.length < placesKept) this.#unknownPlaces.push(at);
  }

  /** Counts what is kept of a statement. @throws StepEnded where that is too much: small statements come without an end, too. */
  #keep(bytes: number, names: Name, at: Place): void {
    // Most names stand in a list of their kind as well.
    this.#bytes += names.reduce((sum, name) => sum + 2 * name.length, bytes);
    if (this.#bytes > this.#maxBytes) throw new StepEnded(dumpFindings.find('dump.too-many-statements', { line: at.line, limitBytes: this.#maxBytes }));
  }

  /** What one statement adds to the lists. */
  #note(seen: Classified, sql: Buffer, at: Place): void {
    const { kind, name } = seen;
    this.#lists.add(kind, name);
    switch (kind) {
      case 'SET': {
        const setting = settingOf(sql);
        if (setting?.name === 'client_encoding') this.#encoding = setting.value;
        if (setting?.name === 'standard_conforming_strings') this.#standardStrings = setting.value === 'on';
        return;
      }
      case 'INSERT': {
        const key = JSON.stringify(name);
        const run = this.#inserts.get(key);
        if (run === undefined) {
          this.#keep(bytesPerObject, name, at);
          this.#inserts.set(key, { name, count: 1 });
        } else run.count += 1;
        return;
      }
      case 'CREATE TABLE':
        this.#lists.addTable(name, isPartitioned(sql) ? 'partitioned' : 'table');
        return;
      case 'CREATE UNLOGGED TABLE':
        this.#lists.addTable(name, isPartitioned(sql) ? 'partitioned' : 'unlogged');
        return;
      case 'CREATE FOREIGN TABLE':
        this.#lists.addTable(name, 'foreign');
        return;
      case 'CREATE EXTENSION':
        this.#keep(bytesPerObject, name, at);
        this.#extensions.push(extensionOf(sql, this.#encoding ?? undefined));
        return;
      case 'CREATE DATABASE':
        this.#database = name[0] ?? null;
        return;
      case 'ALTER TABLE … ALTER COLUMN ADD GENERATED': {
        const sequence = identitySequenceOf(sql, this.#encoding ?? undefined);
        if (sequence !== null) this.#lists.addSequence(sequence);
      }
    }
  }

  /** The first hundred of a code are told: a file may be made of nothing else. */
  #find(finding: Finding): void {
    if (this.findings.filter(({ code }) => code === finding.code).length < placesKept) this.findings.push(finding);
  }

  #where(): string {
    if (this.#footer === 2) return 'before its closing \\unrestrict';
    if (this.#footer === 1) return 'in its footer';
    const last = this.#entries.lastKind;
    return last === null ? 'in its header' : last === 'COPY' ? 'behind the rows of a COPY' : 'behind a statement';
  }
}
