// What follows once all data is in: owners, grants, materialised views as their owners, and last what nothing of the dump may follow.
import { escapeIdentifier, escapeLiteral } from 'pg';
import { StepEnded } from '../../run/finding.ts';
import type { PostgresServer } from '../../servers/postgres.ts';
import { type AdminLane, dblink } from './admin-lane.ts';
import { restoreFindings } from './findings.ts';
import { type Phase, phases } from './lanes.ts';
import { createActor, ensureConnect, login } from './roles.ts';
import type { Shared } from './shared.ts';
import { runSimple, runSingle } from './wire.ts';

export class Settling {
  readonly #shared: Shared;
  readonly #admin: AdminLane;
  readonly #server: PostgresServer;
  /** Who shall own what the dump names no owner for; null: a role of our own without rights. */
  readonly #heir: string | null;

  constructor(shared: Shared, admin: AdminLane, server: PostgresServer, heir: string | null) {
    this.#shared = shared;
    this.#admin = admin;
    this.#server = server;
    this.#heir = heir;
  }

  /** Nothing stays with the restorer, whose session has ended. Before the grants, which mean the owner's own. */
  async owners(): Promise<void> {
    const { control, restorer } = this.#shared.places;
    const waiting = this.#shared.deferred;
    await control.query(shellsTo(restorer.user));
    await control.query(`CREATE TEMP TABLE mine AS SELECT classid, objid FROM pg_catalog.pg_shdepend WHERE ${ownedHere} AND refobjid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = ${escapeLiteral(restorer.user)})`);
    await this.#phase('owners');
    const { rows } = await control.query<{ object: string }>(
      `SELECT (pg_catalog.pg_identify_object(classid, objid, 0)).identity AS object FROM pg_catalog.pg_shdepend s
       WHERE ${ownedHere} AND NOT EXISTS (SELECT FROM pg_temp.mine m WHERE m.classid = s.classid AND m.objid = s.objid)
       AND classid NOT IN ('pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, 'pg_catalog.pg_publication'::pg_catalog.regclass, 'pg_catalog.pg_user_mapping'::pg_catalog.regclass)
       AND NOT (classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND objid = COALESCE((SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public'), 0)) LIMIT 1`,
    );
    const stolen = rows[0];
    if (stolen !== undefined) throw this.#shared.refused('ALTER … OWNER TO', stolen.object, waiting.owners[0]?.at ?? { line: 0, offset: 0 }, 'the object is not of the dump’s making');
    await this.#settleOwnership();
  }

  /** Grants, and materialised views. */
  async grants(): Promise<void> {
    const waiting = this.#shared.deferred;
    const foreign = await this.#extensionMembers();
    waiting.late.unshift(...waiting.grants.filter((one) => foreign(one.sql)));
    waiting.grants = waiting.grants.filter((one) => !foreign(one.sql));
    await this.#phase('grants');
    await this.#shared.places.admin.query('RESET SESSION AUTHORIZATION');
    if (waiting.views.length > 0) await this.#views();
  }

  // Postgres runs a view's query as the view's owner, whoever asks; who asks must be its owner's member and may look up
  // its name in any schema. A superuser would do, but code that found its way out of the query would then be one.
  async #views(): Promise<void> {
    const server = this.#server;
    const { control, admin, database } = this.#shared.places;
    const filler = await createActor(control, server.major, 'filler');
    if (server.major >= 14) await control.query(`GRANT pg_read_all_data TO ${escapeIdentifier(filler.user)}`);
    await ensureConnect(control, filler.user, database);
    const session = await this.#shared.sessions.open(login(server, filler, database));
    for (const setting of this.#shared.settings.values()) await runSimple(session, setting);
    const { rows: outside } = await control.query<{ name: string }>(viewsOverForeignTables);
    for (const view of this.#shared.deferred.views) {
      this.#shared.at.line = view.at.line;
      if (outside.some(({ name }) => name === view.operation.object)) throw new StepEnded(restoreFindings.find('restore.connects-out', { kind: view.operation.kind, object: view.operation.object, line: view.at.line }));
      const name = view.row.text.exec(view.sql.toString('latin1'))?.groups?.['name'] ?? '';
      const literal = Buffer.from(`'${name.replaceAll("'", "''")}'`, 'latin1');
      await this.#shared.named(view.operation, view.at, async () => {
        await runSingle(admin, doWithOwner(literal, `'GRANT %I TO ${escapeIdentifier(filler.user)}'`));
        await runSingle(session, view.sql);
        await runSingle(admin, doWithOwner(literal, `'REVOKE %I FROM ${escapeIdentifier(filler.user)}'`));
      });
      this.#shared.count.viewOwner++;
    }
    await this.#shared.sessions.close(session);
    await control.query(`DROP OWNED BY ${escapeIdentifier(filler.user)}; DROP ROLE ${escapeIdentifier(filler.user)}`);
  }

  /** What the dump names no owner for goes to the configured role. */
  async #settleOwnership(): Promise<void> {
    const { control, restorer } = this.#shared.places;
    const name = escapeIdentifier(restorer.user);
    let heir = this.#heir;
    if (heir === null) {
      const taken = await control.query("SELECT FROM pg_catalog.pg_roles WHERE rolname = 'restored_owner'");
      // An ordinary role, never the superuser: SECURITY DEFINER functions of the dump would run with its rights.
      if (taken.rowCount === 0) await control.query('CREATE ROLE restored_owner NOLOGIN');
      heir = 'restored_owner';
    }
    if (this.#server.major < 15) await control.query(publicBackToAdmin(restorer.user));
    await control.query(`REASSIGN OWNED BY ${name} TO ${escapeIdentifier(heir)}`);
    await control.query(`DROP OWNED BY ${name}`);
    await control.query(`DROP ROLE ${name}`);
  }

  /** What may follow only when nothing of the dump is evaluated any more. */
  async last(): Promise<void> {
    await this.#shared.places.control.query(dblink('GRANT', 'TO'));
    await this.#phase('late');
    await this.#shared.places.admin.query('RESET SESSION AUTHORIZATION');
    await this.#phase('triggers');
  }

  async #phase(phase: Phase): Promise<void> {
    for (const one of this.#shared.deferred[phase]) {
      this.#shared.context.signal.throwIfAborted();
      this.#shared.at.line = one.at.line;
      await this.#admin.run(one);
      this.#shared.context.progress({ done: phases.indexOf(phase), total: phases.length, unit: 'statements', what: one.operation.object });
    }
  }

  // Grants on an extension's functions wait until nothing of the dump can call them any more (dblink_connect_u).
  async #extensionMembers(): Promise<(sql: Buffer) => boolean> {
    const { rows } = await this.#shared.places.control.query<{ name: string }>(
      `SELECT p.proname AS name FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid
       WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype = 'e'`,
    );
    const names = new Set(rows.map((row) => row.name));
    const target = /^(?:GRANT|REVOKE) .*? ON (?:FUNCTION|PROCEDURE|ROUTINE) (?:(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)\.)?"?((?:[^"(]|"")+)"?\(/s;
    return (sql) => names.has(target.exec(sql.toString('latin1'))?.[1] ?? '');
  }
}

const ownedHere = "deptype = 'o' AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";

// Views whose query reads a foreign table, by whatever views stand between.
const viewsOverForeignTables = `WITH RECURSIVE reads AS (
    SELECT r.ev_class AS view, d.refobjid AS relation FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
    WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class),
  outside AS (SELECT oid AS relation FROM pg_catalog.pg_class WHERE relkind = 'f' UNION SELECT r.view FROM reads r JOIN outside o USING (relation))
  SELECT DISTINCT n.nspname || '.' || c.relname AS name FROM outside o JOIN pg_catalog.pg_class c ON c.oid = o.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm'`;

// A shell type that nothing filled: the admin had to make it, the dump says whose it is.
const shellsTo = (restorer: string): string => `DO $shells$ DECLARE shell text; BEGIN
  FOR shell IN SELECT pg_catalog.format_type(oid, NULL) FROM pg_catalog.pg_type t WHERE NOT typisdefined AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND objid = t.oid AND deptype = 'e')
  LOOP EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO %I', shell, ${escapeLiteral(restorer)}); END LOOP; END $shells$`;

const publicBackToAdmin = (restorer: string): string => `DO $public$ BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public' AND pg_catalog.pg_get_userbyid(nspowner) = ${escapeLiteral(restorer)}) THEN ALTER SCHEMA public OWNER TO CURRENT_USER; END IF; END $public$`;

// The view's name stays in the dump's bytes; a quote in it is doubled, and the body is a plain string literal.
function doWithOwner(view: Buffer, format: string): Buffer {
  const body = Buffer.concat([
    Buffer.from(`BEGIN EXECUTE pg_catalog.format(${format}, (SELECT pg_catalog.pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE oid = `),
    view,
    Buffer.from('::pg_catalog.regclass)); END'),
  ]);
  return Buffer.concat([Buffer.from('DO '), Buffer.from(`'${body.toString('latin1').replaceAll("'", "''")}'`, 'latin1')]);
}
