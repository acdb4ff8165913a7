// What is to be run for a dump, read off its inventory before anything runs: the roles and extensions it needs, and
// each statement's place. Where a statement may leave the restorer's hands, its text has the last word (lanes.ts).
import type { Classified } from '../dump/items.ts';
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
}

export function planRestore({ entries }: { readonly entries: Iterable<StatementEntry> }): RestorePlan {
  const operations: Operation[] = [];
  let statements = 0;
  const roles = new Set<string>();
  const extensions = new Set<string>();
  const languages = new Set<string>();
  let database: string | null = null;
  let unknown = 0;
  for (const [before, entry, behind] of withNeighbours(entries)) {
    const listed = /SESSION AUTHORIZATION/.test(entry.kind) ? isGrant(/^RESET/.test(entry.kind) ? before : behind) : mayLeaveRestorer(entry.kind);
    operations.push({ ordinal: entry.ordinal, offset: entry.at.offset, count: entry.count, kind: entry.kind, object: entry.name.join('.'), listed });
    statements += entry.count;
    for (const role of entry.roles) roles.add(role);
    if (/^CREATE EXTENSION/.test(entry.kind) && entry.name[0] !== undefined) extensions.add(entry.name.at(-1) as string);
    if (/^CREATE LANGUAGE/.test(entry.kind) && entry.name[0] !== undefined && entry.name[0] !== 'plpgsql') languages.add(entry.name[0]);
    if (entry.kind === 'CREATE DATABASE') database ??= entry.name[0] ?? null;
    if (entry.kind === 'UNKNOWN') unknown += entry.count;
  }
  return { operations, statements, database, roles: [...roles].toSorted(), extensions: [...extensions].toSorted(), languages: [...languages].toSorted(), unknown };
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
