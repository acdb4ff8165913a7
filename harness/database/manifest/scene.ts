// For the tests of this folder: one server, a database of every kind of object, copies of it to break.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { Client } from 'pg';
import { openScratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { startEmbedded } from '../../servers/embedded.ts';
import type { Login } from '../../servers/postgres.ts';
import type { Manifest, Row } from './manifest.ts';
import { buildManifest, parseManifest, rowSchema } from './manifest.ts';
import { readLines, readManifestLines, readManifestRows } from './read.ts';

export interface Scene {
  readonly admin: Login;
  /** Makes a database, from a template where one is named, and runs SQL in it. */
  create(name: string, sql?: string, template?: string): Promise<void>;
  run(database: string, sql: string): Promise<void>;
  rows(database: string): Promise<Row[]>;
  /** The rows of a database as they were if that SQL were run in it; nothing of it stays, but what setval() does. */
  rowsAfter(database: string, sql: string): Promise<Row[]>;
  lines(database: string): Promise<string[]>;
  manifest(database: string): Promise<Manifest>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openScene(): Promise<Scene> {
  const scratch = openScratch({ root: tmpdir(), runId: `manifest-${randomBytes(4).toString('hex')}` });
  const dispose = async (): Promise<void> => {
    const { findings } = await teardown(scratch.path);
    if (findings.length > 0) throw new Error(`left behind: ${findings.map((finding) => finding.message).join('; ')}`);
  };
  try {
    const server = await startEmbedded({ scratch, major: 18, signal: AbortSignal.timeout(60_000) });
    return sceneOn(server.admin, dispose);
  } catch (error) {
    await dispose();
    throw error;
  }
}

export function sceneOn(admin: Login, dispose: () => Promise<void>): Scene {
  const signal = new AbortController().signal;
  const using = async <T>(database: string, body: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ ...admin, database });
    await client.connect();
    try {
      return await body(client);
    } finally {
      await client.end();
    }
  };
  // A session that has read the catalogs once reads them faster.
  const sessions = new Map<string, Client>();
  const kept = async (database: string): Promise<Client> => {
    const client = sessions.get(database) ?? new Client({ ...admin, database });
    if (!sessions.has(database)) await client.connect();
    sessions.set(database, client);
    return client;
  };
  const run = async (database: string, sql: string): Promise<void> => using(database, async (client) => void (await client.query(sql)));
  const lines = (database: string): Promise<string[]> => using(database, (client) => readManifestLines(client, { signal }));
  return {
    admin,
    run,
    lines,
    create: async (name, sql, template = 'template0') => {
      await run('postgres', `CREATE DATABASE "${name}" TEMPLATE "${template}"`);
      if (sql !== undefined) await run(name, sql);
    },
    rows: (database) => using(database, (client) => readManifestRows(client, { signal })),
    rowsAfter: async (database, sql) => {
      const client = await kept(database);
      try {
        await client.query(`BEGIN; ${sql}`);
        const found = await readLines(async (statement) => (await client.query<unknown[]>({ text: statement, rowMode: 'array' })).rows.map((row) => String(row[0])), {});
        return found.map((line) => rowSchema.parse(JSON.parse(line)));
      } finally {
        await client.query('ROLLBACK');
      }
    },
    manifest: async (database) => parseManifest(buildManifest(envelope, await lines(database)), 'db-2026-11-23.manifest.json'),
    [Symbol.asyncDispose]: async () => {
      for (const client of sessions.values()) await client.end();
      await dispose();
    },
  };
}

const envelope = {
  id: '2026-11-23',
  dump: { name: 'db-2026-11-23.sql.gz', sha256: 'a'.repeat(64), bytes: 1234 },
  tools: { pgDump: '18.6', psql: '18.6' },
};
