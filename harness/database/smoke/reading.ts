// How smoke checks read: in a transaction that cannot write, for a bounded time, with settings of their own.
import type { Client } from 'pg';
import type { Finding } from '../../run/finding.ts';
import { find } from './findings.ts';

/** What a check leaves. */
export interface Checked<E> {
  readonly findings: readonly Finding[];
  readonly evidence: E;
}

/** Where and for how long a check may read. */
export interface Reading {
  /** Logged in as a role that reads everything (row-level policies included) and writes nothing. */
  readonly client: Client;
  /** For one statement. Default 10 minutes. */
  readonly timeoutMs?: number;
}

export const DEFAULT_TIMEOUT_MS = 600_000;

/**
 * Where names without a schema are looked up. What the dump holds must not stand in for the server's own operators, and
 * its ALTER DATABASE … SET may put its schemas first: only an operator's SQL, and what a view calls, needs that.
 */
export const searchPath = { ours: 'SET LOCAL search_path = pg_catalog', theirs: 'SET LOCAL search_path TO DEFAULT' } as const;

/** Runs `work` in one read-only snapshot. Nothing it changes in the session outlives it. @throws what `work` throws. */
export async function readOnly<T>({ client, timeoutMs = DEFAULT_TIMEOUT_MS }: Reading, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    // Compiling many small counts costs more than running them. With row_security off Postgres refuses what it would have to filter: half the rows are never taken for all.
    await client.query(`SET LOCAL statement_timeout = ${Math.ceil(timeoutMs)}; SET LOCAL row_security = off; SET LOCAL jit = off; SET LOCAL TimeZone = 'UTC'; SET LOCAL standard_conforming_strings = on; ${searchPath.ours}`);
    // A database without an encoding may hold any bytes, which Postgres would refuse to hand out as UTF-8.
    await client.query("SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', true) WHERE pg_catalog.getdatabaseencoding() = 'SQL_ASCII'");
    return await work();
  } finally {
    // A lost connection makes this fail too; what `work` threw says more.
    await client.query('ROLLBACK').catch(() => undefined);
  }
}

/** Runs `work` inside readOnly; where Postgres refuses it, `refused` words the SQLSTATE. @throws when the server or the connection is gone. */
export async function guarded<T>(client: Client, work: () => Promise<T>, refused: (sqlstate: string) => Finding): Promise<T | Finding> {
  await client.query('SAVEPOINT guarded');
  try {
    const result = await work();
    await client.query('RELEASE SAVEPOINT guarded');
    return result;
  } catch (error) {
    const state = sqlstate(error);
    if (state === null || /^(08|57P|58|XX)/.test(state)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT guarded');
    return refused(state);
  }
}

export const notJudged = (what: string) => (state: string): Finding => find('smoke.not-judged', { what, sqlstate: state });

export const isFinding = (value: unknown): value is Finding => typeof value === 'object' && value !== null && 'code' in value && 'judged' in value;

/** Every value as Postgres prints it. */
export async function rowsOf<R extends object>(client: Client, text: string, values: readonly unknown[] = []): Promise<R[]> {
  const result = await client.query<R>({ text, values: [...values], types: AS_PRINTED });
  return result.rows;
}

export const AS_PRINTED = { getTypeParser: () => (value: string) => value };

function sqlstate(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : null;
}
