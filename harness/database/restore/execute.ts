// Carries out a restore plan over the wire: no psql, no shell. What the dump brought runs as the restorer, a role
// without rights that owns all it makes; the closed list of lanes.ts runs in an admin session; owners, grants,
// materialised views and event triggers follow once all data is in. What is left equals what a superuser's psql leaves.
import { performance } from 'node:perf_hooks';
import { Client, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import type { StepContext } from '../../run/plan.ts';
import { type Finding, StepEnded } from '../../run/finding.ts';
import type { Login, PostgresServer } from '../../servers/postgres.ts';
import type { DumpItem, Place } from '../dump/items.ts';
import type { DatabaseSettings, SettingsSource } from './create.ts';
import { createDatabase, readHead } from './create.ts';
import { serverGone, statementFinding } from './errors.ts';
import type { RestoreEvidence } from './evidence.ts';
import { restoreFindings } from './findings.ts';
import type { AdminRow, Phase } from './lanes.ts';
import { adminRow, isAdminSetting, phases } from './lanes.ts';
import type { Operation, RestorePlan } from './plan.ts';
import { judgeLibrary, preflight, wantingSuperuser } from './preflight.ts';
import type { Actor } from './roles.ts';
import { createActor, createChecker, createDumpRoles, ensureConnect, guardLogins, login } from './roles.ts';
import type { CopyIn } from './wire.ts';
import { runSimple, runSingle, startCopy } from './wire.ts';

export interface RestoreInput {
  /** Reads the dump from its start; called twice, once for its head and once for all of it. */
  readonly items: () => AsyncIterable<readonly DumpItem[]>;
  readonly plan: RestorePlan;
  readonly server: PostgresServer;
  /** As the manifest recorded them; null asks the dump itself. */
  readonly settings: DatabaseSettings | null;
  /** Who shall own what the dump names no owner for (`--no-owner`); null: a role of our own without rights. */
  readonly owner: string | null;
  /** Bytes of the decompressed dump, for progress; null where unknown. */
  readonly totalBytes: number | null;
  readonly policy: {
    /** False: whatever wants a superuser is a finding, and nothing is restored. */
    readonly admin: boolean;
    /** How long one statement, or one piece of a COPY, may take. */
    readonly statementMs: number;
  };
}

export interface Restored {
  readonly database: string;
  /** Reads all rows past row-level security, writes nothing, is no superuser. */
  readonly checker: Login;
  readonly admin: Login;
  readonly evidence: RestoreEvidence;
  /** What fails nothing. */
  readonly findings: readonly Finding[];
}

/**
 * Restores a dump into a new database of the server.
 * @throws StepEnded with a `restore.*` finding at the first statement that fails; whatever else is thrown is a fault of ours.
 */
export async function executeRestore(input: RestoreInput, context: Pick<StepContext, 'signal' | 'progress'>): Promise<Restored> {
  const started = performance.now();
  await using sessions = new Sessions(context.signal);
  const at = { line: 0 };
  try {
    return await run(input, context, sessions, at, started);
  } catch (error) {
    if (error instanceof StepEnded) throw error;
    if (context.signal.aborted) throw new StepEnded(restoreFindings.find('restore.cancelled', { line: at.line }));
    if (serverGone(error)) throw new StepEnded(restoreFindings.find('restore.server-died', { line: at.line }));
    throw error;
  }
}

async function run(input: RestoreInput, context: Pick<StepContext, 'signal' | 'progress'>, sessions: Sessions, at: { line: number }, started: number): Promise<Restored> {
  const { plan, server } = input;
  const head = await readHead(input.items());
  const maintenance = await sessions.open({ ...server.admin, database: plan.database === server.admin.database ? 'template1' : server.admin.database });
  const restorer = await createActor(maintenance, server.major, 'restorer');
  const made = await createDatabase(maintenance, { name: plan.database, owner: restorer.user, settings: input.settings, head });
  await sessions.close(maintenance);

  const adminLogin: Login = { ...server.admin, database: made.name };
  const control = await sessions.open(adminLogin);
  await control.query(pinned(server.major));
  // Before 15 the public schema is the superuser's, and the restorer could neither drop nor make it anew.
  if (server.major < 15) await control.query(`ALTER SCHEMA public OWNER TO ${escapeIdentifier(restorer.user)}`);
  await preflight(control, plan, server);
  if (!input.policy.admin) {
    const wanting = await wantingSuperuser(control, input.items(), plan);
    if (wanting.length > 0) throw new StepEnded(restoreFindings.find('restore.needs-superuser', { statements: wanting.slice(0, 20), count: wanting.length }));
  }
  const rolesCreated = await createDumpRoles(control, input.owner === null ? plan.roles : [...plan.roles, input.owner]);
  const admin = await sessions.open(adminLogin);
  await admin.query(`${pinned(server.major)}; SET check_function_bodies = off; SET lock_timeout = '60s'`);
  const owner = await sessions.open(login(server, restorer, made.name));
  // Nothing here must survive a crash: the server is thrown away.
  await owner.query('SET synchronous_commit = off');

  const run = new Run(input, context, sessions, { control, admin, owner, restorer, database: made.name }, at);
  await run.main();
  await sessions.close(owner);
  await run.owners();
  await run.grants();
  await run.last();
  await guardLogins(control, server.major, server.admin.user);
  const checker = await createChecker(control, server.major, made.name);
  const { rows } = await control.query<{ encoding: string; collation: string }>('SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collation FROM pg_database WHERE datname = current_database()');
  return {
    database: made.name,
    checker: login(server, checker, made.name),
    admin: adminLogin,
    findings: run.notes(),
    evidence: {
      database: made.name,
      encoding: rows[0]?.encoding ?? '',
      collation: rows[0]?.collation ?? '',
      settingsFrom: made.from satisfies SettingsSource,
      ...run.measured(),
      rolesCreated,
      extensions: [...plan.extensions],
      analyzed: false,
      durationMs: performance.now() - started,
    },
  };
}

const pinned = (major: number): string => `SET search_path = ''${major >= 17 ? '; SET event_triggers = off' : ''}`;

interface Deferred {
  readonly sql: Buffer;
  readonly at: Place;
  readonly operation: Operation;
  readonly row: AdminRow;
}

interface Places {
  /** Our own queries, in UTF-8. */
  readonly control: Client;
  /** The closed list, in the dump's bytes. */
  readonly admin: Client;
  /** The restorer's session. */
  readonly owner: Client;
  readonly restorer: Actor;
  readonly database: string;
}

class Run {
  readonly #input: RestoreInput;
  readonly #context: Pick<StepContext, 'signal' | 'progress'>;
  readonly #sessions: Sessions;
  readonly #places: Places;
  readonly #at: { line: number };
  readonly #deferred: Record<Phase, Deferred[]> = { main: [], owners: [], grants: [], views: [], late: [], triggers: [] };
  /** The dump's SETs, for every session that is opened later; the last of each name counts. */
  readonly #settings = new Map<string, Buffer>();
  readonly #count = { restorer: 0, admin: 0, viewOwner: 0, mapped: 0, deferred: 0, absentDrops: 0, unknownSettings: 0, tablespaces: 0 };
  /** How often each row of the closed list was used. */
  readonly #rowsUsed = new Map<string, number>();
  readonly #tablespaces = new Set<string>();
  #seen = 0;
  #current = -1;
  #made = false;
  /** Something of the dump's is there that could be called. */
  #code = false;
  /** A type of the dump's takes modifiers. */
  #typmods = false;
  #tables = 0;
  #rows = 0n;
  #bytes = 0n;
  #copy: { readonly session: CopyIn; readonly item: Extract<DumpItem, { kind: 'copy' }>; readonly operation: Operation } | null = null;

  constructor(input: RestoreInput, context: Pick<StepContext, 'signal' | 'progress'>, sessions: Sessions, places: Places, at: { line: number }) {
    this.#input = input;
    this.#context = context;
    this.#sessions = sessions;
    this.#places = places;
    this.#at = at;
  }

  measured(): Pick<RestoreEvidence, 'statements' | 'closedList' | 'tablesCopied' | 'rowsCopied' | 'bytesCopied'> {
    return { statements: { ...this.#count, unknown: this.#input.plan.unknown }, closedList: Object.fromEntries([...this.#rowsUsed].toSorted(([a], [b]) => (a < b ? -1 : 1))), tablesCopied: this.#tables, rowsCopied: String(this.#rows), bytesCopied: String(this.#bytes) };
  }

  notes(): Finding[] {
    return this.#tablespaces.size === 0 ? [] : [restoreFindings.find('restore.tablespaces-mapped', { tablespaces: [...this.#tablespaces].toSorted() })];
  }

  /** The dump in file order, all that is deferred kept for later. */
  async main(): Promise<void> {
    for await (const batch of this.#input.items()) {
      for (const item of batch) {
        this.#context.signal.throwIfAborted();
        this.#at.line = item.at.line;
        await this.#item(item);
      }
      const last = batch.at(-1);
      if (last !== undefined) this.#context.progress({ done: last.at.offset, total: this.#input.totalBytes, unit: 'bytes', ...(this.#copy === null ? {} : { what: this.#copy.operation.object }) });
    }
    const { statements } = this.#input.plan;
    if (this.#seen !== statements || this.#copy !== null) throw new StepEnded(restoreFindings.find('restore.dump-changed', { planned: statements, run: this.#seen }));
    if (transactionStatus(this.#places.owner) !== 'I') throw new StepEnded(restoreFindings.find('restore.transaction-open', { line: this.#at.line }));
  }

  async #item(item: DumpItem): Promise<void> {
    switch (item.kind) {
      case 'statement':
        return await this.#statement(item.sql, item.at, this.#operation(item.at));
      case 'copy': {
        const operation = this.#operation(item.at);
        this.#copy = { session: startCopy(this.#places.owner, item.sql), item, operation };
        return;
      }
      case 'copy-data': {
        const copy = this.#copy;
        if (copy === null) throw new Error('COPY data outside a COPY block');
        return await this.#named(copy.operation, copy.item.at, () => copy.session.write(item.data));
      }
      case 'copy-end': {
        const copy = this.#copy;
        if (copy === null) throw new Error('the end of a COPY block outside one');
        const stored = await this.#named(copy.operation, copy.item.at, () => copy.session.end());
        if (stored !== item.rows) throw new StepEnded(restoreFindings.find('restore.copy-count-differs', { table: copy.operation.object, line: copy.item.at.line, sent: item.rows, stored }));
        this.#copy = null;
        this.#tables++;
        this.#rows += BigInt(item.rows);
        this.#bytes += BigInt(item.bytes);
        this.#count.restorer++;
        this.#made = true;
        return;
      }
      case 'meta': {
        const word = /^\\(?:\w+|.)/.exec(item.line.toString('latin1'))?.[0] ?? '\\';
        // Inspect has refused the others already; this is the second lock on the same door.
        if (!['\\restrict', '\\unrestrict', '\\connect', '\\c'].includes(word)) throw this.#refused(word, '', item.at, 'it is a command to psql');
        return;
      }
      case 'comment':
        return;
    }
  }

  #operation(at: Place): Operation {
    const { operations, statements } = this.#input.plan;
    const current = operations[this.#current];
    const within = current !== undefined && this.#seen < current.ordinal + current.count;
    if (!within) this.#current++;
    const operation = operations[this.#current];
    // Inside a run only its first statement's place is planned; the next one's tells whether the run was as long.
    if (operation === undefined || (!within && operation.offset !== at.offset)) throw new StepEnded(restoreFindings.find('restore.dump-changed', { planned: statements, run: this.#seen }));
    this.#seen++;
    return operation;
  }

  async #statement(sql: Buffer, at: Place, operation: Operation): Promise<void> {
    const row = await this.#leaves(operation, sql, at);
    if (row !== undefined) {
      this.#rowsUsed.set(row.id, (this.#rowsUsed.get(row.id) ?? 0) + 1);
      if (row.lane === 'none') {
        this.#count.mapped++;
      } else if (row.phase === 'main') {
        await this.#admin({ sql, at, operation, row });
      } else {
        this.#count.deferred++;
        this.#deferred[row.phase].push({ sql, at, operation, row });
      }
      return;
    }
    await this.#restorer(sql, at, operation);
  }

  /** The row by which a statement leaves the restorer's hands; undefined where it stays. @throws StepEnded for native code that nobody runs here */
  async #leaves(operation: Operation, sql: Buffer, at: Place): Promise<AdminRow | undefined> {
    const row = operation.listed ? adminRow(operation.kind, sql) : undefined;
    if (row === undefined || (row.beforeCode === true && this.#code)) return undefined;
    const { runtime } = this.#input.server;
    if (row.symbol === true && !(await this.#mayCallSymbol(row, sql))) {
      const { first, second } = row.text.exec(sql.toString('latin1'))?.groups ?? {};
      if (first === undefined || second === undefined) return undefined;
      const facts = { library: first, object: operation.object, line: at.line };
      const judged = await judgeLibrary(this.#places.control, first);
      if (judged === 'elsewhere') throw new StepEnded(restoreFindings.find('restore.library-refused', facts));
      if (judged === 'missing') throw new StepEnded(restoreFindings.find('restore.library-missing', { ...facts, major: this.#input.server.major }));
      if (runtime !== 'containers') throw new StepEnded(restoreFindings.find('restore.untrusted-code', { what: [`${second} of the library ${first}`], line: at.line }));
    }
    if (row.contained === true && (runtime !== 'containers' || !(await this.#isUntrusted(row, sql)))) return undefined;
    if (row.ofPlpgsql === true && !(await this.#ofPlpgsql(row, sql))) return undefined;
    return row;
  }

  /** Of what the server knows; a language that is not there is being made. */
  async #isUntrusted(row: AdminRow, sql: Buffer): Promise<boolean> {
    const name = (row.text.exec(sql.toString('latin1'))?.groups?.['language'] ?? '').replaceAll(/^"|"$/g, '');
    const { rows } = await this.#places.control.query<{ trusted: boolean }>('SELECT lanpltrusted AS trusted FROM pg_catalog.pg_language WHERE lanname = $1', [name]);
    return rows[0]?.trusted !== true;
  }

  async #restorer(sql: Buffer, at: Place, operation: Operation): Promise<void> {
    const { owner, admin } = this.#places;
    const setting = operation.kind.startsWith('SET') || operation.kind.startsWith('SELECT') ? settingName(sql) : null;
    if (setting === 'default_tablespace' && !/=\s*''/.test(sql.toString('latin1'))) {
      this.#count.tablespaces++;
      this.#tablespaces.add(/=\s*(?:'((?:[^']|'')+)'|"((?:[^"]|"")+)"|([^;]+));$/.exec(sql.toString())?.slice(1).find((part) => part !== undefined) ?? '');
      return;
    }
    const forgiven = await this.#named(operation, at, async () => {
      try {
        await runSimple(owner, sql);
        return null;
      } catch (error) {
        const reason = error instanceof DatabaseError ? this.#forgives(sql, error.code ?? '') : null;
        if (reason === null) throw error;
        return reason;
      }
    });
    if (forgiven !== null) {
      this.#count[forgiven]++;
      return;
    }
    if (setting !== null) this.#settings.set(setting, sql);
    if (isAdminSetting(sql)) await runSingle(admin, sql);
    if (operation.kind.startsWith('CREATE') && !placeholder.test(sql.toString('latin1', 0, 4000))) this.#made = true;
    if (runnable.test(operation.kind)) this.#code = true;
    this.#count.restorer++;
  }

  /** Why a statement that failed is passed over, as psql reads on past it; null where it is not. */
  #forgives(sql: Buffer, sqlstate: string): 'absentDrops' | 'unknownSettings' | null {
    const text = sql.toString('latin1', 0, 4000);
    // pg_dump --clean begins by dropping everything; a new database holds nothing.
    const absent = ['42P01', '42704', '42883', '3F000', '42703'];
    if (!this.#made && absent.includes(sqlstate) && (placeholder.test(text) || /^(?:DROP\b|ALTER\b.*\bDROP\b|SELECT pg_catalog\.lo_unlink\()/s.test(text))) return 'absentDrops';
    // A pg_dump newer than its server lifts a timeout that the server has not; one older than its server takes for a
    // column's option what is the server's own mark (manifest.sql). Nothing of the database is lost with either.
    if (sqlstate === '42704' && /^SET \w+_timeout = 0;$/.test(text)) return 'unknownSettings';
    if (sqlstate === '22023' && /^ALTER (?:FOREIGN )?TABLE .* ALTER COLUMN .* SET \(pg_attver=\d+\);$/s.test(text)) return 'unknownSettings';
    return null;
  }

  async #admin({ sql, at, operation, row }: Deferred): Promise<void> {
    const { admin, control, restorer } = this.#places;
    // The one thing of a type that the server calls as soon as the type is named, as in `b(1)`.
    if (this.#typmods) {
      const { rows } = await control.query<{ type: string }>(ownTypmods);
      if (rows[0] !== undefined) throw this.#refused('TYPMOD_IN', rows[0].type, at, 'its function is code of the dump');
    }
    await this.#named(operation, at, async () => {
      if (row.without !== undefined) {
        const head = row.text.exec(sql.toString('latin1'))?.groups?.['head']?.length ?? 0;
        await runSimple(this.#places.owner, Buffer.concat([sql.subarray(0, head), sql.subarray(head + row.without.length)]));
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
    if (runnable.test(operation.kind)) this.#code = true;
    this.#count.admin++;
  }

  // An alias of a function would go past the rights on the function itself (pg_read_file as "internal"), so the
  // restorer must be able to call every function of that symbol that the server brought.
  async #mayCallSymbol(row: AdminRow, sql: Buffer): Promise<boolean> {
    const groups = row.text.exec(sql.toString('latin1'))?.groups ?? {};
    const first = groups['first'] ?? groups['dollar'] ?? '';
    const second = groups['second'];
    const { rows } = await this.#places.control.query<{ may: boolean | null }>(
      `SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege($1, oid, 'EXECUTE')) AS may FROM pg_catalog.pg_proc
       WHERE proowner = 10 AND CASE WHEN $3::text IS NULL THEN prolang = 12 AND prosrc = $2 ELSE prolang = 13 AND probin = $2 AND prosrc = $3 END`,
      [this.#places.restorer.user, first, second ?? null],
    );
    return rows[0]?.may === true;
  }

  // A handler out of any other library would make an untrusted language one that everybody may use.
  async #ofPlpgsql(row: AdminRow, sql: Buffer): Promise<boolean> {
    const functions = Object.values(row.text.exec(sql.toString('latin1'))?.groups ?? {}).filter((name) => name !== undefined);
    const { rows } = await this.#places.control.query<{ all: boolean | null }>(
      `SELECT pg_catalog.bool_and(p.probin IS NOT DISTINCT FROM '$libdir/plpgsql') AS all FROM pg_catalog.unnest($1::text[]) AS f (name)
       LEFT JOIN pg_catalog.pg_proc p ON p.oid = pg_catalog.to_regproc(f.name)`,
      [functions],
    );
    return rows[0]?.all === true;
  }

  /** Nothing stays with the restorer, whose session has ended. Before the grants, which mean the owner's own. */
  async owners(): Promise<void> {
    const { control, restorer } = this.#places;
    const waiting = this.#deferred;
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
    if (stolen !== undefined) throw this.#refused('ALTER … OWNER TO', stolen.object, waiting.owners[0]?.at ?? { line: 0, offset: 0 }, 'the object is not of the dump’s making');
    await this.#settleOwnership();
  }

  /** Grants, and materialised views. */
  async grants(): Promise<void> {
    const waiting = this.#deferred;
    const foreign = await this.#extensionMembers();
    waiting.late.unshift(...waiting.grants.filter((one) => foreign(one.sql)));
    waiting.grants = waiting.grants.filter((one) => !foreign(one.sql));
    await this.#phase('grants');
    await this.#places.admin.query('RESET SESSION AUTHORIZATION');
    if (waiting.views.length > 0) await this.#views();
  }

  // Postgres runs a view's query as the view's owner, whoever asks; who asks must be its owner's member and may look up
  // its name in any schema. A superuser would do, but code that found its way out of the query would then be one.
  async #views(): Promise<void> {
    const { server } = this.#input;
    const { control, admin, database } = this.#places;
    const filler = await createActor(control, server.major, 'filler');
    if (server.major >= 14) await control.query(`GRANT pg_read_all_data TO ${escapeIdentifier(filler.user)}`);
    await ensureConnect(control, filler.user, database);
    const session = await this.#sessions.open(login(server, filler, database));
    for (const setting of this.#settings.values()) await runSimple(session, setting);
    const { rows: outside } = await control.query<{ name: string }>(viewsOverForeignTables);
    for (const view of this.#deferred.views) {
      this.#at.line = view.at.line;
      if (outside.some(({ name }) => name === view.operation.object)) throw new StepEnded(restoreFindings.find('restore.connects-out', { kind: view.operation.kind, object: view.operation.object, line: view.at.line }));
      const name = view.row.text.exec(view.sql.toString('latin1'))?.groups?.['name'] ?? '';
      const literal = Buffer.from(`'${name.replaceAll("'", "''")}'`, 'latin1');
      await this.#named(view.operation, view.at, async () => {
        await runSingle(admin, doWithOwner(literal, `'GRANT %I TO ${escapeIdentifier(filler.user)}'`));
        await runSingle(session, view.sql);
        await runSingle(admin, doWithOwner(literal, `'REVOKE %I FROM ${escapeIdentifier(filler.user)}'`));
      });
      this.#count.viewOwner++;
    }
    await this.#sessions.close(session);
    await control.query(`DROP OWNED BY ${escapeIdentifier(filler.user)}; DROP ROLE ${escapeIdentifier(filler.user)}`);
  }

  /** What the dump names no owner for goes to the configured role. */
  async #settleOwnership(): Promise<void> {
    const { control, restorer } = this.#places;
    const name = escapeIdentifier(restorer.user);
    let heir = this.#input.owner;
    if (heir === null) {
      const taken = await control.query("SELECT FROM pg_catalog.pg_roles WHERE rolname = 'restored_owner'");
      // An ordinary role, never the superuser: SECURITY DEFINER functions of the dump would run with its rights.
      if (taken.rowCount === 0) await control.query('CREATE ROLE restored_owner NOLOGIN');
      heir = 'restored_owner';
    }
    if (this.#input.server.major < 15) await control.query(publicBackToAdmin(restorer.user));
    await control.query(`REASSIGN OWNED BY ${name} TO ${escapeIdentifier(heir)}`);
    await control.query(`DROP OWNED BY ${name}`);
    await control.query(`DROP ROLE ${name}`);
  }

  /** What may follow only when nothing of the dump is evaluated any more. */
  async last(): Promise<void> {
    await this.#places.control.query(dblink('GRANT', 'TO'));
    await this.#phase('late');
    await this.#places.admin.query('RESET SESSION AUTHORIZATION');
    await this.#phase('triggers');
  }

  async #phase(phase: Phase): Promise<void> {
    for (const one of this.#deferred[phase]) {
      this.#context.signal.throwIfAborted();
      this.#at.line = one.at.line;
      await this.#admin(one);
      this.#context.progress({ done: phases.indexOf(phase), total: phases.length, unit: 'statements', what: one.operation.object });
    }
  }

  // Grants on an extension's functions wait until nothing of the dump can call them any more (dblink_connect_u).
  async #extensionMembers(): Promise<(sql: Buffer) => boolean> {
    const { rows } = await this.#places.control.query<{ name: string }>(
      `SELECT p.proname AS name FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid
       WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype = 'e'`,
    );
    const names = new Set(rows.map((row) => row.name));
    const target = /^(?:GRANT|REVOKE) .*? ON (?:FUNCTION|PROCEDURE|ROUTINE) (?:(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)\.)?"?((?:[^"(]|"")+)"?\(/s;
    return (sql) => names.has(target.exec(sql.toString('latin1'))?.[1] ?? '');
  }

  #refused(kind: string, object: string, at: Place, why: string): StepEnded {
    return new StepEnded(restoreFindings.find('restore.statement-refused', { kind, object, line: at.line, why }));
  }

  async #named<T>(operation: Operation, at: Place, work: () => Promise<T>): Promise<T> {
    const { statementMs } = this.#input.policy;
    const { promise: overdue, reject } = Promise.withResolvers<never>();
    overdue.catch(() => {});
    const limit = () => new StepEnded(restoreFindings.find('restore.statement-overdue', { kind: operation.kind, object: operation.object, line: at.line, minutes: Math.round(statementMs / 600) / 100 }));
    let reached = false;
    // The sessions are ended, not the statement: code of the dump's may catch a cancel and go on.
    let timer = setTimeout(() => {
      reached = true;
      timer = setTimeout(() => reject(limit()), 10_000);
      this.#places.control.query(endOthers).catch(reject);
    }, statementMs);
    try {
      return await Promise.race([work(), overdue]);
    } catch (error) {
      if (reached) throw limit();
      if (error instanceof StepEnded || this.#context.signal.aborted) throw error;
      const finding = statementFinding(error, operation, at);
      throw finding === null ? error : new StepEnded(finding);
    } finally {
      clearTimeout(timer);
    }
  }
}

const endOthers = 'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()';

const ownedHere = "deptype = 'o' AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";

// `SET name = …`, or pg_dump's `SELECT pg_catalog.set_config('search_path', '', false)`.
function settingName(sql: Buffer): string | null {
  if (sql.length > 1000) return null;
  const match = /^(?:SET (?!SESSION |LOCAL |ROLE )(\w+) ?(?:=|TO) ?|SELECT pg_catalog\.set_config\('(\w+)', '[^']*', false\);$)/i.exec(sql.toString('latin1'));
  return (match?.[1] ?? match?.[2] ?? null)?.toLowerCase() ?? null;
}

// Views whose query reads a foreign table, by whatever views stand between.
const viewsOverForeignTables = `WITH RECURSIVE reads AS (
    SELECT r.ev_class AS view, d.refobjid AS relation FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
    WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class),
  outside AS (SELECT oid AS relation FROM pg_catalog.pg_class WHERE relkind = 'f' UNION SELECT r.view FROM reads r JOIN outside o USING (relation))
  SELECT DISTINCT n.nspname || '.' || c.relname AS name FROM outside o JOIN pg_catalog.pg_class c ON c.oid = o.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm'`;

// While the dump is restored nobody may connect by it; then PUBLIC may again what the extension lets it.
const dblink = (verb: string, to: string): string => `DO $dblink$ DECLARE called record; BEGIN
  FOR called IN SELECT p.oid::pg_catalog.regprocedure AS it FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.oid = d.refobjid
    WHERE e.extname = 'dblink' AND p.proname ~ '^dblink(_connect|_exec|_open|_send_query)?$' AND NOT EXISTS (SELECT FROM pg_catalog.pg_init_privs i WHERE i.classoid = d.classid AND i.objoid = p.oid)
  LOOP EXECUTE pg_catalog.format('${verb} EXECUTE ON FUNCTION %s ${to} PUBLIC', called.it); END LOOP; END $dblink$`;
// How --clean takes a view out of a circle before it drops it; only an empty view may stand there when nothing else does.
const placeholder = /^CREATE OR REPLACE VIEW \S.* AS\s+SELECT\s+NULL::/s;

const runnable = /^(?:UNKNOWN|DO)\b|^CREATE (?:OR REPLACE )?(?:AGGREGATE|CAST|CONVERSION|DOMAIN|FUNCTION|OPERATOR|PROCEDURE|TEXT SEARCH|TRANSFORM|TYPE)/;

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

// `pg` follows the server's ReadyForQuery: I idle, T in a transaction, E in a failed one.
function transactionStatus(client: Client): string {
  return (client as unknown as { _txStatus: string | null })._txStatus ?? 'I';
}

/** The connections of one restore. An abort cuts them all, so that a long index build does not hold up a SIGINT. */
class Sessions {
  readonly #open = new Set<Client>();
  readonly #signal: AbortSignal;
  readonly #cut = () => {
    for (const client of this.#open) (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#cut);
  }

  async open(to: Login): Promise<Client> {
    this.#signal.throwIfAborted();
    const client = new Client({ host: to.host, port: to.port, user: to.user, password: to.password, database: to.database, application_name: 'backup-drills restore' });
    // The query in hand hears of a lost connection itself; without a listener Node would end the process.
    client.on('error', () => {});
    await client.connect();
    this.#open.add(client);
    return client;
  }

  async close(client: Client): Promise<void> {
    this.#open.delete(client);
    await client.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#cut);
    this.#cut();
    this.#open.clear();
  }
}
