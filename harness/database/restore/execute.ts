// Carries out a restore plan over the wire: no psql, no shell. What the dump brought runs as the restorer, a role
// without rights that owns all it makes; the closed list of lanes.ts runs in an admin session; owners, grants,
// materialised views and event triggers follow once all data is in. What is left equals what a superuser's psql leaves.
import { performance } from 'node:perf_hooks';
import { type Client, escapeIdentifier } from 'pg';
import type { StepContext } from '../../run/plan.ts';
import { type Finding, StepEnded } from '../../run/finding.ts';
import type { Login, PostgresServer } from '../../servers/postgres.ts';
import type { DumpItem } from '../dump/items.ts';
import { AdminLane } from './admin-lane.ts';
import { Course } from './course.ts';
import type { DatabaseSettings, SettingsSource } from './create.ts';
import { createDatabase, readHead } from './create.ts';
import { serverGone } from './errors.ts';
import type { RestoreEvidence } from './evidence.ts';
import { restoreFindings } from './findings.ts';
import type { RestorePlan } from './plan.ts';
import { preflight, wantingSuperuser } from './preflight.ts';
import { createActor, createChecker, createDumpRoles, guardLogins, login } from './roles.ts';
import { Sessions } from './sessions.ts';
import { Settling } from './settling.ts';
import { Shared } from './shared.ts';

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
    /** How many sessions of the restorer work at once, at most. */
    readonly sessions: number;
    /** The fewest bytes of rows for which a table's COPY is divided, and a key or reference made in pieces; 0: always, and at once. */
    readonly divideBytes?: number;
    /** Which of so many jobs starts next; for tests. */
    readonly choose?: (among: number) => number;
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
  const crew: Client[] = [];
  while (crew.length < Math.max(1, input.policy.sessions)) {
    const session = await sessions.open(login(server, restorer, made.name));
    // Nothing here must survive a crash: the server is thrown away.
    await session.query('SET synchronous_commit = off');
    crew.push(session);
  }

  const shared = new Shared(context, sessions, { control, admin, crew, restorer, database: made.name }, at, input.policy.statementMs);
  const lane = new AdminLane(shared, server);
  const course = new Course(shared, lane, { plan, totalBytes: input.totalBytes, divideBytes: input.policy.divideBytes, choose: input.policy.choose });
  await course.main(input.items());
  for (const session of crew) await sessions.close(session);
  const settling = new Settling(shared, lane, server, input.owner);
  await settling.owners();
  await settling.grants();
  await settling.last();
  await guardLogins(control, server.major, server.admin.user);
  const checker = await createChecker(control, server.major, made.name);
  const { rows } = await control.query<{ encoding: string; collation: string }>('SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collation FROM pg_database WHERE datname = current_database()');
  return {
    database: made.name,
    checker: login(server, checker, made.name),
    admin: adminLogin,
    findings: course.notes(),
    evidence: {
      database: made.name,
      encoding: rows[0]?.encoding ?? '',
      collation: rows[0]?.collation ?? '',
      settingsFrom: made.from satisfies SettingsSource,
      ...course.measured(),
      rolesCreated,
      extensions: [...plan.extensions],
      analyzed: false,
      durationMs: performance.now() - started,
    },
  };
}

const pinned = (major: number): string => `SET search_path = ''${major >= 17 ? '; SET event_triggers = off' : ''}`;
