// What is to be run for a dump, read off its inventory before anything runs: the roles and extensions it needs, and
// each statement's place. Where a statement may leave the restorer's hands, its text has the last word (lanes.ts).
import type { Classified } from '../dump/items.ts';
import { besideOf, mayComeEarly, relationKey } from './beside.ts';
import { mayLeaveRestorer } from './lanes.ts';

/** One entry of the inventory, in file order: a statement, or a run of like ones in a row (a table's INSERTs). */
export interface StatementEntry extends Classified {
  readonly ordinal: number;
  /** Of the first. */
  readonly at: { readonly offset: number; readonly line: number };
  readonly count: number;
}

export interface Operation {
  readonly ordinal: number;
  /** Byte offset of its first statement in the decompressed dump. */
  readonly offset: number;
  /** How many statements in a row it stands for. */
  readonly count: number;
  readonly kind: string;
  /** `public.messages`; empty where the statement names nothing. */
  readonly object: string;
  /** False: runs as the restorer, in place. True: the closed list decides by the statement's text. */
  readonly listed: boolean;
}

export interface RestorePlan {
  /** In file order. */
  readonly operations: readonly Operation[];
  /** Of the dump, COPYs included. */
  readonly statements: number;
  /** The database as the dump names it, where it was made with --create. */
  readonly database: string | null;
  readonly roles: readonly string[];
  readonly extensions: readonly string[];
  /** That the dump makes itself, with handlers of its own. */
  readonly languages: readonly string[];
  readonly unknown: number;
  /** Bytes of the rows that the dump holds for each table, by `relationKey`. */
  readonly bytes: ReadonlyMap<string, number>;
  /** What is built upon a table as soon as its rows are in, ahead of its place; by `relationKey`, in file order. */
  readonly early: ReadonlyMap<string, readonly Early[]>;
}

/** A statement that need not wait for its place. */
export interface Early {
  readonly operation: Operation;
  readonly at: StatementEntry['at'];
  readonly sql: Buffer;
}

/** The texts of what is built upon tables, as inspection comes by them; the first few megabytes of them. */
export class Builds {
  readonly #kept: { readonly offset: number; readonly sql: Buffer }[] = [];
  #room = 4 * 2 ** 20;

  readonly see = (seen: Classified, sql: Buffer, at: StatementEntry['at']): void => {
    if (!mayComeEarly(seen.kind) || sql.length > this.#room) return;
    this.#room -= sql.length;
    this.#kept.push({ offset: at.offset, sql: Buffer.from(sql) });
  };

  *[Symbol.iterator](): Generator<{ readonly offset: number; readonly sql: Buffer }, void, undefined> {
    yield* this.#kept;
  }
}

export interface Planned {
  readonly entries: Iterable<StatementEntry>;
  readonly copies?: Iterable<{ readonly name: readonly string[]; readonly bytes: number }>;
}

/** @param builds as inspection saw them; without them all is built in its place @param earlyBytes the fewest bytes of rows for which it is worth it to build ahead */
export function planRestore({ entries, copies = [] }: Planned, builds: Builds = new Builds(), earlyBytes = 2 ** 18): RestorePlan {
  const operations: Operation[] = [];
  let statements = 0;
  const roles = new Set<string>();
  const extensions = new Set<string>();
  const languages = new Set<string>();
  let database: string | null = null;
  let unknown = 0;
  const ahead = new Ahead(copies, builds, earlyBytes);
  for (const [before, entry, behind] of withNeighbours(entries)) {
    const listed = /SESSION AUTHORIZATION/.test(entry.kind) ? isGrant(/^RESET/.test(entry.kind) ? before : behind) : mayLeaveRestorer(entry.kind);
    const operation = { ordinal: entry.ordinal, offset: entry.at.offset, count: entry.count, kind: entry.kind, object: entry.name.join('.'), listed };
    operations.push(operation);
    ahead.see(entry, operation);
    statements += entry.count;
    for (const role of entry.roles) roles.add(role);
    if (/^CREATE EXTENSION/.test(entry.kind) && entry.name[0] !== undefined) extensions.add(entry.name.at(-1) as string);
    if (/^CREATE LANGUAGE/.test(entry.kind) && entry.name[0] !== undefined && entry.name[0] !== 'plpgsql') languages.add(entry.name[0]);
    if (entry.kind === 'CREATE DATABASE') database ??= entry.name[0] ?? null;
    if (entry.kind === 'UNKNOWN') unknown += entry.count;
  }
  return { operations, statements, database, roles: [...roles].toSorted(), extensions: [...extensions].toSorted(), languages: [...languages].toSorted(), unknown, bytes: ahead.bytes, early: ahead.early };
}

// Between a table's rows and what is built upon them nothing may stand that could mean something for it. What changes a
// table ends what might come early for that one; what is named nowhere here, and what nobody understood, for all.
const passable = /^COPY$|^SELECT (?:setval$|lo)|^BEGIN$|^COMMIT$|^CREATE (?:UNIQUE )?INDEX$|^CREATE (?:OR REPLACE )?(?:CONSTRAINT TRIGGER|FUNCTION|POLICY|PROCEDURE|RULE|STATISTICS|TRIGGER|VIEW)$|^ALTER (?:DOMAIN|FUNCTION|INDEX|STATISTICS) … |^ALTER TABLE … ADD CONSTRAINT (?:FOREIGN KEY|PRIMARY KEY|UNIQUE)$|^COMMENT|OWNER TO$|^GRANT|^REVOKE/;
const ofTable = /^ALTER TABLE … /;

class Ahead {
  readonly bytes = new Map<string, number>();
  readonly early = new Map<string, Early[]>();
  readonly #builds = new Map<number, Buffer>();
  /** Tables whose one COPY stands behind the last statement that ends all. */
  readonly #open = new Set<string>();
  readonly #seen = new Set<string>();
  readonly #least: number;

  constructor(copies: Iterable<{ readonly name: readonly string[]; readonly bytes: number }>, builds: Builds, least: number) {
    for (const { name: [schema, name], bytes } of copies) {
      if (schema === undefined || name === undefined) continue;
      const key = relationKey(schema, name);
      this.bytes.set(key, (this.bytes.get(key) ?? 0) + bytes);
    }
    for (const { offset, sql } of builds) this.#builds.set(offset, sql);
    this.#least = least;
  }

  see({ kind, name: [schema, name], at }: StatementEntry, operation: Operation): void {
    const sql = this.#builds.get(at.offset);
    const table = sql === undefined ? undefined : besideOf(sql)?.tables[0];
    if (sql !== undefined && table !== undefined && this.#open.has(table)) this.early.set(table, [...(this.early.get(table) ?? []), { operation, at, sql }]);
    const key = schema === undefined || name === undefined ? null : relationKey(schema, name);
    if (!passable.test(kind)) {
      if (ofTable.test(kind) && key !== null) this.#open.delete(key);
      else this.#open.clear();
    }
    if (kind !== 'COPY' || key === null) return;
    // A second COPY into it would come after what was built upon the first.
    if (this.#seen.has(key)) {
      this.#open.delete(key);
      this.early.delete(key);
    } else if ((this.bytes.get(key) ?? 0) >= this.#least) this.#open.add(key);
    this.#seen.add(key);
  }
}

// pg_dump wraps grants that a grantee passed on; `--use-set-session-authorization` wraps what makes objects, too, and
// that stays with the restorer, who is refused: owners would be lost silently.
function isGrant(neighbour: StatementEntry | null): boolean {
  return neighbour !== null && /^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES)/.test(neighbour.kind);
}

/** Each entry between the one before and the one behind it. */
function* withNeighbours(entries: Iterable<StatementEntry>): Generator<[StatementEntry | null, StatementEntry, StatementEntry | null], void, undefined> {
  let before: StatementEntry | null = null;
  let entry: StatementEntry | null = null;
  for (const behind of entries) {
    if (entry !== null) yield [before, entry, behind];
    [before, entry] = [entry, behind];
  }
  if (entry !== null) yield [before, entry, null];
}
