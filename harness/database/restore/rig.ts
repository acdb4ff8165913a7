// What the tests of the restore stand on: a source server that real dumps are made on and psql restores into, and a
// throw-away one for ours. Imported by tests alone.
import { execFile } from 'node:child_process';
import { createReadStream, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { StepEnded, type Finding } from '../../run/finding.ts';
import { openScratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { startEmbedded, type EmbeddedServer } from '../../servers/embedded.ts';
import type { Login, PostgresServer } from '../../servers/postgres.ts';
import { classify, copyOf } from '../dump/classify.ts';
import type { DumpItem } from '../dump/items.ts';
import { readItems } from '../dump/reader.ts';
import { executeRestore, type Restored, type RestoreInput } from './execute.ts';
import { Builds, planRestore, type RestorePlan, type StatementEntry } from './plan.ts';

const run = promisify(execFile);

export interface Rig {
  readonly work: string;
  readonly target: EmbeddedServer;
  /** Starts another server in the same scratch directory. */
  server(settings?: Readonly<Record<string, string>>): Promise<EmbeddedServer>;
  /** Writes a plain dump; returns its path. */
  dump(name: string, sql: string | Buffer): string;
  restore(file: string, options?: RestoreOptions): Promise<Restored>;
  /** The findings that a restore ends with. @throws when it does not end with any */
  findings(file: string, options?: RestoreOptions): Promise<readonly Finding[]>;
  close(): Promise<void>;
}

export interface RestoreOptions {
  readonly settings?: RestoreInput['settings'];
  readonly owner?: string;
  readonly server?: PostgresServer;
  readonly signal?: AbortSignal;
  readonly items?: RestoreInput['items'];
  /** Changes the plan before it is carried out. */
  readonly plan?: (plan: RestorePlan) => RestorePlan;
  readonly policy?: Partial<RestoreInput['policy']>;
  /** The fewest bytes of a table's rows for which something is built ahead of its place. */
  readonly earlyBytes?: number;
  readonly progress?: (progress: { readonly done: number }) => void;
}

export async function openRig(): Promise<Rig> {
  const scratch = openScratch({ root: tmpdir(), runId: `restore-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}` });
  const signal = new AbortController().signal;
  const server = (settings?: Readonly<Record<string, string>>) => startEmbedded({ scratch, major: 18, signal, ...(settings === undefined ? {} : { settings }) });
  const target = await server();
  const restore = async (file: string, options: RestoreOptions = {}): Promise<Restored> => {
    const at = options.server ?? target;
    const inspected = await inspect(file);
    const planned = planRestore(inspected, inspected.builds, options.earlyBytes);
    const plan = options.plan?.(planned) ?? planned;
    await dropDatabase(at, plan.database ?? 'restored');
    return await executeRestore(
      { items: options.items ?? (() => items(file)), plan, server: at, settings: options.settings ?? null, owner: options.owner ?? null, totalBytes: null, policy: { admin: true, statementMs: 600_000, sessions: 2, ...options.policy } },
      { signal: options.signal ?? signal, progress: options.progress ?? (() => {}) },
    );
  };
  return {
    work: scratch.work,
    target,
    server,
    dump(name, sql) {
      const file = join(scratch.work, `${name}.sql`);
      writeFileSync(file, sql);
      return file;
    },
    restore,
    async findings(file, options) {
      try {
        await restore(file, options);
      } catch (error) {
        if (error instanceof StepEnded) return error.findings;
        throw error;
      }
      throw new Error('the restore ended without a finding');
    },
    async close() {
      const proof = await teardown(scratch.path);
      if (proof.findings.length > 0) throw new Error(JSON.stringify(proof.findings));
    },
  };
}

/** A plain, uncompressed dump. */
export const items = (file: string): AsyncIterable<DumpItem[]> => readItems(createReadStream(file) as AsyncIterable<Buffer>);

/** The statements of a dump as its inventory has them. */
async function inspect(file: string): Promise<{ entries: StatementEntry[]; copies: { name: readonly string[]; bytes: number }[]; builds: Builds }> {
  const statements: StatementEntry[] = [];
  const copies: { name: readonly string[]; bytes: number }[] = [];
  const builds = new Builds();
  for await (const batch of items(file)) {
    for (const item of batch) {
      if (item.kind === 'statement') {
        const seen = classify(item.sql);
        builds.see(seen, item.sql, item.at);
        statements.push({ ordinal: statements.length, ...seen, at: item.at, count: 1 });
      }
      if (item.kind === 'copy-end') copies.push({ name: statements.at(-1)?.name ?? [], bytes: item.bytes });
      if (item.kind === 'copy') statements.push({ ordinal: statements.length, kind: 'COPY', name: copyOf(item.sql)?.name ?? [], roles: [], at: item.at, count: 1 });
    }
  }
  return { entries: statements, copies, builds };
}

export async function query(login: Login, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ ...login });
  client.on('error', () => {});
  await client.connect();
  try {
    const result = (await client.query(sql)) as unknown;
    const last = (Array.isArray(result) ? result.at(-1) : result) as { rows: Record<string, unknown>[] };
    return last.rows;
  } finally {
    await client.end();
  }
}

/** With the subscriptions in it, for which DROP DATABASE refuses it. */
export async function dropDatabase(server: Pick<PostgresServer, 'admin'>, name: string): Promise<void> {
  const [there] = await query(server.admin, `SELECT FROM pg_database WHERE datname = '${name}'`);
  if (there === undefined) return;
  const login = { ...server.admin, database: name };
  for (const { name: subscription } of await query(login, 'SELECT quote_ident(subname) AS name FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())')) {
    await query(login, `ALTER SUBSCRIPTION ${String(subscription)} SET (slot_name = NONE)`);
    await query(login, `DROP SUBSCRIPTION ${String(subscription)}`);
  }
  await query(server.admin, `DROP DATABASE "${name}" WITH (FORCE)`);
}

/** A program of Postgres against a server; what it printed. */
export async function program(path: string, login: Login, args: readonly string[]): Promise<string> {
  const env = { ...process.env, PGHOST: login.host, PGPORT: String(login.port), PGUSER: login.user, PGPASSWORD: login.password, PGDATABASE: login.database, LC_ALL: 'C' };
  const { stdout } = await run(path, [...args], { env, maxBuffer: 1 << 30, encoding: 'latin1' });
  return stdout;
}
