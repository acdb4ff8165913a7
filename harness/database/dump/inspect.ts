// Inspects a dump: one pass over it, no server. What it holds, whether it is whole, and whether it holds what no pg_dump writes.
import type { Finding } from '../../run/finding.ts';
import { StepEnded } from '../../run/finding.ts';
import { classify, copyOf, extensionOf, identitySequenceOf, isPartitioned, settingOf } from './classify.ts';
import { dumpFindings } from './findings.ts';
import type { Caps, GunzipOptions, Measured } from './gunzip.ts';
import { defaultCaps, gunzip } from './gunzip.ts';
import type { CopyBlock, Inventory, Name, PlanEntry, TableEntry } from './inventory.ts';
import type { Classified, DumpItem, Place } from './items.ts';
import { MetaCommands } from './meta.ts';
import type { ReaderOptions } from './reader.ts';
import { defaultReaderOptions, readItems } from './reader.ts';

export interface InspectOptions extends Partial<ReaderOptions>, Pick<GunzipOptions, 'signal' | 'progress'> {
  readonly caps?: Caps | undefined;
}

/** @throws StepEnded with every `dump.*` finding there is; the file system's error. */
export async function inspectDump(file: string, options: InspectOptions = {}): Promise<Inventory> {
  let measured: Measured | null = null;
  const chunks = gunzip(file, { caps: options.caps ?? defaultCaps, signal: options.signal, progress: options.progress, ended: (result) => (measured = result) });
  const inspection = new Inspection();
  try {
    for await (const items of readItems(withHeader(chunks), { maxStatementBytes: options.maxStatementBytes ?? defaultReaderOptions.maxStatementBytes })) {
      for (const item of items) inspection.take(item);
    }
  } catch (error) {
    if (error instanceof StepEnded) throw new StepEnded([...inspection.findings, ...error.findings]);
    throw error;
  }
  if (measured === null) throw new Error('the dump was not read to its end');
  return inspection.end(measured);
}

const headerBytes = 64;

/** Passes the chunks on once the first bytes are pg_dump's. */
async function* withHeader(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    if (head.length < headerBytes) continue;
    checkHeader(head);
    yield head;
    head = null;
  }
  if (head !== null && head.length > 0) {
    checkHeader(head);
    yield head;
  }
}

function checkHeader(head: Buffer): void {
  const text = head.toString('latin1', 0, 512);
  if (/^--\r?\n-- PostgreSQL database dump\r?\n/.test(text)) return;
  const looksLike = text.startsWith('PGDMP') ? 'a custom-format dump (pg_dump -Fc)'
    : text.startsWith('toc.dat\0') ? 'a tar-format dump (pg_dump -Ft)'
    : /^--\r?\n-- PostgreSQL database cluster dump\r?\n/.test(text) ? 'the output of pg_dumpall'
    : /^(?:\xff\xfe|\xfe\xff|\xef\xbb\xbf)/.test(text) ? 'text with a byte order mark, as PowerShell writes it'
    : text.startsWith('\x1f\x8b') ? 'gzip data once more'
    : 'something else';
  throw new StepEnded(dumpFindings.find('dump.header-missing', { looksLike }));
}

const placesKept = 100;
const foldable = new Set(['INSERT', 'SELECT lowrite', 'UNKNOWN']);
type Open<T> = { -readonly [K in keyof T]: T[K] };

class Inspection {
  readonly findings: Finding[] = [];
  readonly #entries: Open<PlanEntry>[] = [];
  readonly #copies: Open<CopyBlock>[] = [];
  readonly #inserts = new Map<string, { readonly name: Name; count: number }>();
  readonly #kinds = new Map<string, number>();
  readonly #roles = new Set<string>();
  readonly #extensions: { name: string; schema: string | null }[] = [];
  readonly #tables: TableEntry[] = [];
  readonly #names = new Map<keyof typeof groups, Name[]>();
  readonly #unknownPlaces: Place[] = [];
  readonly #meta = new MetaCommands();
  #serverVersion: string | null = null;
  #dumpVersion: string | null = null;
  #encoding: string | null = null;
  #standardStrings = true;
  #database: string | null = null;
  #ordinal = 0;
  /** 1: its line was seen, 2: the `--` behind it too. */
  #footer = 0;
  #line = 1;

  take(item: DumpItem): void {
    this.#line = item.at.line;
    if (this.#footer > 0) this.#behindFooter(item);
    switch (item.kind) {
      case 'comment':
        this.#comment(item.line.toString('latin1'));
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
        const copy = this.#copies.at(-1) as Open<CopyBlock>;
        copy.rows = item.rows;
        copy.bytes = item.bytes;
      }
    }
  }

  /** @throws StepEnded when there are findings. */
  end(measured: Measured): Inventory {
    if (this.#footer < 2 || this.#meta.isOpen) {
      this.#find(dumpFindings.find('dump.footer-missing', { where: this.#where(), line: this.#line }));
    } else if (this.#tables.length === 0) {
      this.#find(dumpFindings.find('dump.no-tables', { statements: String(this.#ordinal) }));
    }
    if (this.findings.length > 0) throw new StepEnded(this.findings);
    const names = (group: keyof typeof groups): readonly Name[] => this.#names.get(group) ?? [];
    return {
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
      schemas: names('schemas'),
      tables: this.#tables,
      copies: this.#copies,
      inserts: [...this.#inserts.values()],
      constraints: names('constraints'),
      indexes: names('indexes'),
      sequences: names('sequences'),
      triggers: names('triggers'),
      policies: names('policies'),
      functions: names('functions'),
      views: names('views'),
      materializedViews: names('materializedViews'),
      eventTriggers: names('eventTriggers'),
      publications: names('publications'),
      largeObjects: (this.#kinds.get('SELECT lo_create') ?? 0) + (this.#kinds.get('SELECT lo_creat') ?? 0) + (this.#kinds.get('SELECT lo_from_bytea') ?? 0),
      kinds: Object.fromEntries([...this.#kinds].sort(([a], [b]) => (a < b ? -1 : 1))),
      unknown: { count: this.#kinds.get('UNKNOWN') ?? 0, places: this.#unknownPlaces },
      entries: this.#entries,
    };
  }

  #comment(text: string): void {
    if (this.#ordinal === 0) {
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
      this.#enter({ ...seen, kind: 'UNKNOWN' }, sql, at, null);
      return;
    }
    this.#enter(seen, sql, at, null);
    this.#note(seen, sql);
  }

  #copy(sql: Buffer, at: Place): void {
    this.#checkVersions();
    const target = copyOf(sql, this.#encoding ?? undefined);
    const name = target?.name ?? [];
    this.#copies.push({ name, columns: target?.columns ?? null, rows: 0, bytes: 0, at });
    this.#enter({ kind: 'COPY', name, roles: [] }, sql, at, this.#copies.length - 1);
  }

  #checkVersions(): void {
    if (this.#serverVersion === null || this.#dumpVersion === null) {
      throw new StepEnded(dumpFindings.find('dump.header-missing', { looksLike: 'one whose header does not tell its versions' }));
    }
  }

  #enter(seen: Classified, sql: Buffer, at: Place, copy: number | null): void {
    const last = this.#entries.at(-1);
    if (last !== undefined && foldable.has(seen.kind) && last.kind === seen.kind && sameName(last.name, seen.name)) {
      last.count += 1;
      last.bytes += sql.length;
    } else {
      this.#entries.push({ ...seen, ordinal: this.#ordinal, at, bytes: sql.length, count: 1, copy });
    }
    this.#ordinal += 1;
    this.#kinds.set(seen.kind, (this.#kinds.get(seen.kind) ?? 0) + 1);
    for (const role of seen.roles) this.#roles.add(role);
    if (seen.kind === 'UNKNOWN' && this.#unknownPlaces.length < placesKept) this.#unknownPlaces.push(at);
  }

  /** What one statement adds to the lists. */
  #note(seen: Classified, sql: Buffer): void {
    const { kind, name } = seen;
    for (const [group, pattern] of Object.entries(groups) as [keyof typeof groups, RegExp][]) {
      if (pattern.test(kind)) this.#add(group, name);
    }
    switch (kind) {
      case 'SET': {
        const setting = settingOf(sql);
        if (setting?.name === 'client_encoding') this.#encoding = setting.value;
        if (setting?.name === 'standard_conforming_strings') this.#standardStrings = setting.value === 'on';
        return;
      }
      case 'INSERT': {
        const key = JSON.stringify(name);
        const run = this.#inserts.get(key) ?? { name, count: 0 };
        run.count += 1;
        this.#inserts.set(key, run);
        return;
      }
      case 'CREATE TABLE':
        this.#tables.push({ name, kind: isPartitioned(sql) ? 'partitioned' : 'table' });
        return;
      case 'CREATE UNLOGGED TABLE':
        this.#tables.push({ name, kind: isPartitioned(sql) ? 'partitioned' : 'unlogged' });
        return;
      case 'CREATE FOREIGN TABLE':
        this.#tables.push({ name, kind: 'foreign' });
        return;
      case 'CREATE EXTENSION':
        this.#extensions.push(extensionOf(sql, this.#encoding ?? undefined));
        return;
      case 'CREATE DATABASE':
        this.#database = name[0] ?? null;
        return;
      case 'ALTER TABLE … ALTER COLUMN ADD GENERATED': {
        const sequence = identitySequenceOf(sql, this.#encoding ?? undefined);
        if (sequence !== null) this.#add('sequences', sequence);
      }
    }
  }

  #add(group: keyof typeof groups, name: Name): void {
    const list = this.#names.get(group);
    if (list === undefined) this.#names.set(group, [name]);
    else list.push(name);
  }

  #find(finding: Finding): void {
    this.findings.push(finding);
  }

  #where(): string {
    if (this.#footer === 2) return 'before its closing \\unrestrict';
    if (this.#footer === 1) return 'in its footer';
    const last = this.#entries.at(-1);
    return last === undefined ? 'in its header' : last.kind === 'COPY' ? 'behind the rows of a COPY' : 'behind a statement';
  }
}

const groups = {
  schemas: /^CREATE SCHEMA$/,
  constraints: /^ALTER (?:FOREIGN )?TABLE … ADD CONSTRAINT /,
  indexes: /^CREATE (?:UNIQUE )?INDEX$/,
  sequences: /^CREATE (?:UNLOGGED )?SEQUENCE$/,
  triggers: /^CREATE (?:CONSTRAINT )?TRIGGER$/,
  policies: /^CREATE POLICY$/,
  functions: /^CREATE (?:FUNCTION|PROCEDURE|AGGREGATE)$/,
  views: /^CREATE VIEW$/,
  materializedViews: /^CREATE MATERIALIZED VIEW$/,
  eventTriggers: /^CREATE EVENT TRIGGER$/,
  publications: /^CREATE PUBLICATION$/,
} as const;

function sameName(a: Name, b: Name): boolean {
  return a.length === b.length && a.every((part, index) => part === b[index]);
}
