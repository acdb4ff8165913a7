// What leaves the restorer's hands: whether a statement may (lanes.ts, and what the server says of what it names), and how.
import { type Client, escapeLiteral } from 'pg';
import { StepEnded } from '../../run/finding.ts';
import type { PostgresServer } from '../../servers/postgres.ts';
import type { Place } from '../dump/items.ts';
import { restoreFindings } from './findings.ts';
import { type AdminRow, adminRow } from './lanes.ts';
import type { Operation } from './plan.ts';
import { judgeLibrary } from './preflight.ts';
import type { Listed, Shared } from './shared.ts';
import { runSimple, runSingle } from './wire.ts';

export class AdminLane {
  readonly #shared: Shared;
  readonly #server: PostgresServer;
  /** A type of the dump's takes modifiers. */
  #typmods = false;

  constructor(shared: Shared, server: PostgresServer) {
    this.#shared = shared;
    this.#server = server;
  }

  /** The row by which a statement leaves the restorer's hands; undefined where it stays. @throws StepEnded for native code that nobody runs here */
  async leaves(operation: Operation, sql: Buffer, at: Place): Promise<AdminRow | undefined> {
    const row = operation.listed ? adminRow(operation.kind, sql) : undefined;
    if (row === undefined || (row.beforeCode === true && this.#shared.code)) return undefined;
    const { runtime } = this.#server;
    if (row.symbol === true && !(await this.#mayCallSymbol(row, sql))) {
      const { first, second } = row.text.exec(sql.toString('latin1'))?.groups ?? {};
      if (first === undefined || second === undefined) return undefined;
      const facts = { library: first, object: operation.object, line: at.line };
      const judged = await judgeLibrary(this.#shared.places.control, first);
      if (judged === 'elsewhere') throw new StepEnded(restoreFindings.find('restore.library-refused', facts));
      if (judged === 'missing') throw new StepEnded(restoreFindings.find('restore.library-missing', { ...facts, major: this.#server.major }));
      if (runtime !== 'containers') throw new StepEnded(restoreFindings.find('restore.untrusted-code', { what: [`${second} of the library ${first}`], line: at.line }));
    }
    if (row.contained === true && (runtime !== 'containers' || !(await this.#isUntrusted(row, sql)))) return undefined;
    if (row.ofPlpgsql === true && !(await this.#ofPlpgsql(row, sql))) return undefined;
    return row;
  }

  /** Of what the server knows; a language that is not there is being made. */
  async #isUntrusted(row: AdminRow, sql: Buffer): Promise<boolean> {
    const name = (row.text.exec(sql.toString('latin1'))?.groups?.['language'] ?? '').replaceAll(/^"|"$/g, '');
    const { rows } = await this.#shared.places.control.query<{ trusted: boolean }>('SELECT lanpltrusted AS trusted FROM pg_catalog.pg_language WHERE lanname = $1', [name]);
    return rows[0]?.trusted !== true;
  }

  /** Runs it where its row says. @throws StepEnded with its finding */
  async run({ sql, at, operation, row }: Listed): Promise<void> {
    const { admin, control, restorer } = this.#shared.places;
    // The one thing of a type that the server calls as soon as the type is named, as in `b(1)`.
    if (this.#typmods) {
      const { rows } = await control.query<{ type: string }>(ownTypmods);
      if (rows[0] !== undefined) throw this.#shared.refused('TYPMOD_IN', rows[0].type, at, 'its function is code of the dump');
    }
    await this.#shared.named(operation, at, async () => {
      if (row.without !== undefined) {
        const head = row.text.exec(sql.toString('latin1'))?.groups?.['head']?.length ?? 0;
        await runSimple((this.#shared.places.crew[0] as Client), Buffer.concat([sql.subarray(0, head), sql.subarray(head + row.without.length)]));
        await admin.query(markNewest(restorer.user, row.without));
      } else if (row.handOver === true) {
        await admin.query('BEGIN');
        await runSingle(admin, sql);
        await admin.query(handOverTo(restorer.user));
        await admin.query('COMMIT');
      } else if (row.ownerRaised === true) {
        const role = Buffer.from(row.text.exec(sql.toString('latin1'))?.groups?.['role'] ?? '', 'latin1');
        await admin.query('BEGIN');
        await runSingle(admin, Buffer.concat([Buffer.from('ALTER ROLE '), role, Buffer.from(' SUPERUSER')]));
        await runSingle(admin, sql);
        await runSingle(admin, Buffer.concat([Buffer.from('ALTER ROLE '), role, Buffer.from(' NOSUPERUSER')]));
        await admin.query('COMMIT');
      } else {
        await runSingle(admin, sql);
      }
    });
    if (row.id === 'extension' && operation.object === 'dblink') await control.query(dblink('REVOKE', 'FROM'));
    if (row.id === 'base-type' && /typmod_in/i.test(sql.toString('latin1'))) this.#typmods = true;
    if (runnable.test(operation.kind)) this.#shared.code = true;
    this.#shared.count.admin++;
  }

  // An alias of a function would go past the rights on the function itself (pg_read_file as "internal"), so the
  // restorer must be able to call every function of that symbol that the server brought.
  async #mayCallSymbol(row: AdminRow, sql: Buffer): Promise<boolean> {
    const groups = row.text.exec(sql.toString('latin1'))?.groups ?? {};
    const first = groups['first'] ?? groups['dollar'] ?? '';
    const second = groups['second'];
    const { rows } = await this.#shared.places.control.query<{ may: boolean | null }>(
      `SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege($1, oid, 'EXECUTE')) AS may FROM pg_catalog.pg_proc
       WHERE proowner = 10 AND CASE WHEN $3::text IS NULL THEN prolang = 12 AND prosrc = $2 ELSE prolang = 13 AND probin = $2 AND prosrc = $3 END`,
      [this.#shared.places.restorer.user, first, second ?? null],
    );
    return rows[0]?.may === true;
  }

  // A handler out of any other library would make an untrusted language one that everybody may use.
  async #ofPlpgsql(row: AdminRow, sql: Buffer): Promise<boolean> {
    const functions = Object.values(row.text.exec(sql.toString('latin1'))?.groups ?? {}).filter((name) => name !== undefined);
    const { rows } = await this.#shared.places.control.query<{ all: boolean | null }>(
      `SELECT pg_catalog.bool_and(p.probin IS NOT DISTINCT FROM '$libdir/plpgsql') AS all FROM pg_catalog.unnest($1::text[]) AS f (name)
       LEFT JOIN pg_catalog.pg_proc p ON p.oid = pg_catalog.to_regproc(f.name)`,
      [functions],
    );
    return rows[0]?.all === true;
  }
}

/** What the dump may bring to life: whatever it defines that could be called. */
export const runnable = /^(?:UNKNOWN|DO)\b|^CREATE (?:OR REPLACE )?(?:AGGREGATE|CAST|CONVERSION|DOMAIN|FUNCTION|OPERATOR|PROCEDURE|TEXT SEARCH|TRANSFORM|TYPE)/;

const ownTypmods = `SELECT pg_catalog.format_type(t.oid, NULL) AS type FROM pg_catalog.pg_type t JOIN pg_catalog.pg_proc p ON p.oid = t.typmodin
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE l.lanname NOT IN ('internal', 'c') LIMIT 1`;

// The function that the restorer made last.
const markNewest = (restorer: string, mark: string): string => `DO $mark$ BEGIN EXECUTE (SELECT 'ALTER FUNCTION ' || p.oid::pg_catalog.regprocedure || ' ${mark}' FROM pg_catalog.pg_proc p
  WHERE pg_catalog.pg_get_userbyid(p.proowner) = ${escapeLiteral(restorer)} ORDER BY pg_catalog.age(p.xmin), p.oid DESC LIMIT 1); END $mark$`;

// Runs inside the transaction that made the objects; the names never leave the server, so no encoding can harm them.
const handOverTo = (restorer: string): string => `DO $handover$ DECLARE made record; BEGIN
  FOR made IN
    SELECT 'ROUTINE ' || oid::pg_catalog.regprocedure AS what FROM pg_catalog.pg_proc WHERE xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
    UNION ALL SELECT pg_catalog.format('LANGUAGE %I', lanname) FROM pg_catalog.pg_language WHERE xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
    UNION ALL SELECT 'TYPE ' || pg_catalog.format_type(oid, NULL) FROM pg_catalog.pg_type WHERE xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid AND typtype IN ('b', 'p') AND typcategory <> 'A'
    UNION ALL SELECT pg_catalog.format('OPERATOR FAMILY %I.%I USING %I', n.nspname, f.opfname, a.amname) FROM pg_catalog.pg_opfamily f JOIN pg_catalog.pg_namespace n ON n.oid = f.opfnamespace JOIN pg_catalog.pg_am a ON a.oid = f.opfmethod WHERE f.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
    UNION ALL SELECT pg_catalog.format('OPERATOR CLASS %I.%I USING %I', n.nspname, c.opcname, a.amname) FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_namespace n ON n.oid = c.opcnamespace JOIN pg_catalog.pg_am a ON a.oid = c.opcmethod WHERE c.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
    UNION ALL SELECT pg_catalog.format('LANGUAGE %I', lanname) FROM pg_catalog.pg_language WHERE xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
    UNION ALL SELECT pg_catalog.format('SERVER %I', srvname) FROM pg_catalog.pg_foreign_server WHERE xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
  LOOP EXECUTE pg_catalog.format('ALTER %s OWNER TO %I', made.what, ${escapeLiteral(restorer)}); END LOOP; END $handover$`;

// While the dump is restored nobody may connect by it; then PUBLIC may again what the extension lets it.
export const dblink = (verb: string, to: string): string => `DO $dblink$ DECLARE called record; BEGIN
  FOR called IN SELECT p.oid::pg_catalog.regprocedure AS it FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.oid = d.refobjid
    WHERE e.extname = 'dblink' AND p.proname ~ '^dblink(_connect|_exec|_open|_send_query)?$' AND NOT EXISTS (SELECT FROM pg_catalog.pg_init_privs i WHERE i.classoid = d.classid AND i.objoid = p.oid)
  LOOP EXECUTE pg_catalog.format('${verb} EXECUTE ON FUNCTION %s ${to} PUBLIC', called.it); END LOOP; END $dblink$`;
