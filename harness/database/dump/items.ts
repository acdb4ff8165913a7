// What a plain SQL dump consists of, in file order. The reader yields these; inventory, plan and restore take them.

/** Where something stands in the decompressed dump: byte offset from 0, line from 1. */
export interface Place {
  readonly offset: number;
  readonly line: number;
}

export type DumpItem =
  /** One SQL statement, its final semicolon included, leading blanks and comments left off. Bytes in the dump's client_encoding. */
  | { readonly kind: 'statement'; readonly sql: Buffer; readonly at: Place }
  /** `COPY … FROM stdin;`: its rows follow as copy-data, then one copy-end. */
  | { readonly kind: 'copy'; readonly sql: Buffer; readonly at: Place }
  /** A run of whole rows, line feeds included, the terminating `\.` left off. */
  | { readonly kind: 'copy-data'; readonly data: Buffer; readonly rows: number; readonly at: Place }
  | { readonly kind: 'copy-end'; readonly rows: number; readonly bytes: number; readonly at: Place }
  /** A psql meta-command, the whole line: `\restrict abc`. */
  | { readonly kind: 'meta'; readonly line: Buffer; readonly at: Place }
  /** A `--` comment line outside any statement, without its line feed; pg_dump's header, footer and entry titles are such. */
  | { readonly kind: 'comment'; readonly line: Buffer; readonly at: Place };

/** What a statement is and what it is about, as far as its first words tell. */
export interface Classified {
  /** Upper case, as far as needed to tell kinds apart: `CREATE TABLE`, `CREATE UNIQUE INDEX`, `ALTER TABLE … OWNER TO`, `SET`, `INSERT`; `UNKNOWN` when not understood. */
  readonly kind: string;
  /** Unquoted parts of the object's name, schema first; empty where there is none. */
  readonly name: readonly string[];
  /** Unquoted names of roles that the statement mentions (owner, grantee, policy role, FOR ROLE). */
  readonly roles: readonly string[];
}
