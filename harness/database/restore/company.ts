// Which of the dump's tables may be worked on beside others, as the server's catalog has them by now. A table whose rows
// or definition call code of the dump's is none of them: that code may look anywhere, and would find another order.
import type { Client } from 'pg';
import { type Beside, besideOf, copiedTable, relationKey } from './beside.ts';
import type { Operation } from './plan.ts';
import { transactionStatus } from './sessions.ts';
import type { Shared } from './shared.ts';

interface Suited {
  /** Ordinary tables that call no code of the dump's. */
  readonly tables: ReadonlySet<string>;
  /** Those of them whose rows may come in any order: nothing fires, nothing filters. */
  readonly loadable: ReadonlySet<string>;
  readonly enums: ReadonlySet<string>;
}

// Code is what is neither the server's nor an extension's native own, and whatever depends on it by whatever way: a type, an
// operator, a partition key. A constraint or default that calls it is held against its table, a domain's against the type.
const suited = `WITH RECURSIVE code (classid, objid) AS (
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND NOT (l.lanname IN ('internal', 'c') AND EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = p.oid AND e.deptype = 'e'))
    UNION
    SELECT more.classid, more.objid FROM code c CROSS JOIN LATERAL (
      SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.refclassid = c.classid AND d.refobjid = c.objid
      UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, k.contypid FROM pg_catalog.pg_constraint k WHERE c.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = c.objid AND k.contypid <> 0
      UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, k.conrelid FROM pg_catalog.pg_constraint k WHERE c.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = c.objid AND k.conrelid <> 0
      UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, a.adrelid FROM pg_catalog.pg_attrdef a WHERE c.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = c.objid
    ) more)
  SELECT n.nspname AS schema, c.relname AS name, NOT (c.relhasrules OR c.relrowsecurity OR EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid)) AS loadable, false AS enum
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.oid >= 16384
    AND NOT EXISTS (SELECT FROM code WHERE code.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND code.objid = c.oid)
  UNION ALL
  SELECT n.nspname, t.typname, false, true FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e'`;

async function suitedTables(control: Client): Promise<Suited> {
  const { rows } = await control.query<{ schema: string; name: string; loadable: boolean; enum: boolean }>(suited);
  const keys = (wanted: (row: (typeof rows)[number]) => boolean): Set<string> => new Set(rows.filter(wanted).map(({ schema, name }) => relationKey(schema, name)));
  return { tables: keys((row) => !row.enum), loadable: keys((row) => row.loadable), enums: keys((row) => row.enum) };
}

// Names mean what they say under pg_dump's empty search_path alone.
const emptySearchPath = "SELECT pg_catalog.set_config('search_path', '', false);";

/** Says of each statement whether it may run beside others, by its text and by what the catalog says of what it names. */
export class Company {
  readonly #shared: Shared;
  /** As of the last look; null where something ran since that may have changed it. */
  #suited: Suited | null = null;
  #looks = 0;
  /** Tables that fire a trigger by now. */
  readonly #firing = new Set<string>();
  /** A setting of one session that the others have not. */
  #solo = false;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** Null: a barrier. */
  async beside(sql: Buffer, operation: Operation): Promise<Beside | null> {
    if (!/^CREATE (?:UNIQUE )?INDEX$|^CREATE TRIGGER$|^SELECT setval$|^ALTER TABLE … ADD CONSTRAINT /.test(operation.kind) || !(await this.#mayLook())) return null;
    const beside = this.early(sql);
    if (operation.kind === 'CREATE TRIGGER') for (const table of beside?.tables ?? []) this.#firing.add(table);
    return beside;
  }

  /** The same of what is built upon a table that was let in, ahead of its place. */
  early(sql: Buffer): Beside | null {
    const beside = this.#suited === null ? null : besideOf(sql);
    return beside !== null && beside.tables.every((table) => this.#suited?.tables.has(table)) && beside.types.every((type) => this.#suited?.enums.has(type)) ? beside : null;
  }

  /** The table whose rows may come beside other work, by `relationKey`; null where its COPY is a barrier. */
  async loadable(sql: Buffer): Promise<string | null> {
    const table = (await this.#mayLook()) ? copiedTable(sql) : null;
    return table !== null && this.#suited?.loadable.has(table) === true && !this.#firing.has(table) ? table : null;
  }

  /** A statement ran alone: the catalog may say something else now. */
  ranAlone(kind: string, everywhere: boolean): void {
    if (/^(?:SET|RESET)\b/.test(kind)) this.#solo ||= !everywhere;
    else if (!/^(?:BEGIN|COMMIT|INSERT)\b|^SELECT /.test(kind)) this.#suited = null;
  }

  async #mayLook(): Promise<boolean> {
    const { places, settings } = this.#shared;
    // A transaction of the dump's belongs to the session that began it.
    if (this.#solo || transactionStatus(places.crew[0] as Client) !== 'I' || settings.get('search_path')?.toString('latin1') !== emptySearchPath) return false;
    if (this.#suited === null) {
      // A dump in which definitions and rows take turns would be looked at again and again.
      if (this.#looks === 50) return false;
      this.#looks++;
      this.#suited = await suitedTables(places.control);
    }
    return true;
  }
}
