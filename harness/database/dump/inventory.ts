// What one pass over a dump finds. Restore planning, role and extension preflight and the schema check all read it.
import type { EntryList } from './entries.ts';
import type { Classified, Place } from './items.ts';

/** Unquoted parts, schema first. */
export type Name = readonly string[];

export interface TableEntry {
  readonly name: Name;
  readonly kind: 'table' | 'unlogged' | 'partitioned' | 'foreign';
}

export interface CopyBlock {
  readonly name: Name;
  /** Null when the COPY names none. */
  readonly columns: readonly string[] | null;
  readonly rows: number;
  /** Of its rows, line feeds included. */
  readonly bytes: number;
  readonly at: Place;
}

/** One statement or COPY in file order; a run of equal INSERTs, lowrites or unknown statements is one entry. */
export interface PlanEntry extends Classified {
  /** Position among the dump's statements and COPYs, from 0; a run's is its first. */
  readonly ordinal: number;
  readonly at: Place;
  /** How many statements it stands for. */
  readonly count: number;
}

export interface Inventory {
  /** `18.4 (Debian 18.4-1)`, as the header says. */
  readonly serverVersion: string;
  readonly serverMajor: number;
  readonly dumpVersion: string;
  readonly dumpMajor: number;
  /** As the dump sets it; null when it does not. */
  readonly clientEncoding: string | null;
  readonly standardConformingStrings: boolean;
  /** Whether psql is kept from meta-commands by \restrict, as pg_dump does since August 2025. */
  readonly restricted: boolean;
  /** The database that the dump itself creates (pg_dump --create). */
  readonly database: string | null;
  readonly compressedBytes: number;
  readonly decompressedBytes: number;
  /** Of the file, hex. */
  readonly sha256: string;
  readonly extensions: readonly { readonly name: string; readonly schema: string | null }[];
  readonly roles: readonly string[];
  readonly schemas: readonly Name[];
  readonly tables: readonly TableEntry[];
  readonly copies: readonly CopyBlock[];
  readonly inserts: readonly { readonly name: Name; readonly count: number }[];
  readonly constraints: readonly Name[];
  readonly indexes: readonly Name[];
  readonly sequences: readonly Name[];
  readonly triggers: readonly Name[];
  readonly policies: readonly Name[];
  /** Procedures and aggregates too; overloaded ones as often as they are. */
  readonly functions: readonly Name[];
  readonly views: readonly Name[];
  readonly materializedViews: readonly Name[];
  readonly eventTriggers: readonly Name[];
  readonly publications: readonly Name[];
  readonly largeObjects: number;
  /** Statements by kind, COPY included. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Statements that we do not understand: how many, and where the first hundred stand. */
  readonly unknown: { readonly count: number; readonly places: readonly Place[] };
  readonly entries: EntryList;
}
