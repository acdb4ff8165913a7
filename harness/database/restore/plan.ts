// What is to be run for a dump, read off its inventory before anything runs: the roles and extensions it needs, and
// each statement's place. Where a statement may leave the restorer's hands, its text has the last word (lanes.ts).
import type { Classified } from '../dump/items.ts';
import { mayLeaveRestorer } from './lanes.ts';

/** One entry of the inventory, in file order. */
export interface StatementEntry extends Classified {
  readonly ordinal: number;
  readonly at: { readonly offset: number; readonly line: number };
}

export interface Operation {
  readonly ordinal: number;
  readonly kind: string;
  /** `public.messages`; empty where the statement names nothing. */
  readonly object: string;
  /** False: runs as the restorer, in place. True: the closed list decides by the statement's text. */
  readonly listed: boolean;
}

export interface RestorePlan {
  /** Keyed by byte offset in the decompressed dump. */
  readonly operations: ReadonlyMap<number, Operation>;
  /** The database as the dump names it, where it was made with --create. */
  readonly database: string | null;
  readonly roles: readonly string[];
  readonly extensions: readonly string[];
  readonly unknown: number;
}

export function planRestore(inventory: { readonly statements: readonly StatementEntry[] }): RestorePlan {
  const operations = new Map<number, Operation>();
  const roles = new Set<string>();
  const extensions = new Set<string>();
  let database: string | null = null;
  let unknown = 0;
  inventory.statements.forEach((entry, index) => {
    const listed = /SESSION AUTHORIZATION/.test(entry.kind) ? aroundGrants(inventory.statements, index) : mayLeaveRestorer(entry.kind);
    operations.set(entry.at.offset, { ordinal: entry.ordinal, kind: entry.kind, object: entry.name.join('.'), listed });
    for (const role of entry.roles) roles.add(role);
    if (/^CREATE EXTENSION/.test(entry.kind) && entry.name[0] !== undefined) extensions.add(entry.name.at(-1) as string);
    if (entry.kind === 'CREATE DATABASE') database ??= entry.name[0] ?? null;
    if (entry.kind === 'UNKNOWN') unknown++;
  });
  return { operations, database, roles: [...roles].toSorted(), extensions: [...extensions].toSorted(), unknown };
}

// pg_dump wraps grants that a grantee passed on; `--use-set-session-authorization` wraps what makes objects, too, and
// that stays with the restorer, who is refused: owners would be lost silently.
function aroundGrants(statements: readonly StatementEntry[], index: number): boolean {
  const grant = /^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES)/;
  const neighbour = statements[/^RESET/.test(statements[index]?.kind ?? '') ? index - 1 : index + 1];
  return neighbour !== undefined && grant.test(neighbour.kind);
}
