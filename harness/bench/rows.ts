// What is measured, against what, and how each result is checked.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { needing, postgresImage, seaweedFsImage, tool } from '../../fixtures/tools.ts';
import type { EmbeddedServer } from '../servers/embedded.ts';
import { backupRow } from './backup-row.ts';
import { checkRow } from './check-row.ts';
import { type GeneratedDump, writeTables } from './data.ts';
import { containerRow } from './container.ts';
import { differs, ours, type PlannedRow, shell } from './contenders.ts';
import { measure } from './measure.ts';
import { offsiteRow } from './offsite-row.ts';
import type { Row } from './pair.ts';
import { type BenchStore, fetchRow, listRow } from './store-rows.ts';

export interface BenchPlace {
  /** An empty directory of the run's own. */
  readonly work: string;
  readonly dump: GeneratedDump;
  readonly server: EmbeddedServer;
  /** Filled when a row first asks for it. */
  readonly store: () => Promise<BenchStore>;
  readonly signal: AbortSignal;
}

const checkout = resolve(import.meta.dirname, '../..');

const rows: Readonly<Record<string, (place: BenchPlace) => PlannedRow | Promise<PlannedRow>>> = {
  inspect: inspectRow,
  tables: tablesRow,
  'check:schema': checkRow,
  restore: restoreRow,
  backup: backupRow,
  offsite: offsiteRow,
  rehearsal: rehearsalRow,
  containers: containersRehearsalRow,
  container: containerRow,
  fetch: async ({ store, signal }) => fetchRow(await store(), signal),
  list: async ({ store, signal }) => listRow(await store(), signal),
};
export const rowNames: readonly string[] = Object.keys(rows);

/** The rows of these names; all of them where none is named. */
export async function planRows(place: BenchPlace, names: readonly string[]): Promise<PlannedRow[]> {
  return Promise.all(Object.entries(rows).filter(([name]) => names.length === 0 || names.includes(name)).map(async ([, plan]) => plan(place)));
}

function inspectRow({ dump, work, signal }: BenchPlace): PlannedRow {
  const result = join(work, 'inspected.json');
  const row = { name: 'inspect', what: 'read a gzipped dump to its end: ours parses and counts it, zcat throws it away', goal: 0.7 };
  if (tool('zcat') === null) return { row, lacks: 'zcat' };
  return {
    row: {
      ...row,
      ours: {
        label: 'inspect',
        run: async () => measure(ours(['inspect', dump.path, result], signal)),
        check: async () => differs(JSON.parse(readFileSync(result, 'utf8')), { rows: dump.rows, plainBytes: dump.plainBytes }),
      },
      theirs: shell('zcat', 'zcat -- "$1" > /dev/null', [dump.path], {}, signal, async () => null),
    },
  };
}

/** Ours against ours: one process each, so that what a start costs is on both sides. */
async function tablesRow({ work, signal }: BenchPlace): Promise<PlannedRow> {
  const [count, times] = [20_000, 4];
  const result = join(work, 'tables.json');
  const of = async (tables: number, repeated: number): Promise<Row['ours']> => {
    const dump = await writeTables(join(work, `${tables}-tables.sql.gz`), { tables, signal });
    return {
      label: `${repeated === 1 ? '' : `${repeated} times `}${tables.toLocaleString('en')} tables`,
      run: async () => measure(ours(['inspect', dump.path, result, String(repeated)], signal)),
      check: async () => {
        const { rows: found, plainBytes } = JSON.parse(readFileSync(result, 'utf8')) as Pick<GeneratedDump, 'rows' | 'plainBytes'>;
        return differs([Object.keys(found).length, plainBytes], [tables, dump.plainBytes]);
      },
    };
  };
  return {
    row: {
      name: 'tables',
      what: `inspect a dump of ${count.toLocaleString('en')} tables, against one of a quarter of them four times over: 1 where a table costs the same in both`,
      goal: 1.1,
      ours: await of(count, 1),
      theirs: await of(count / times, times),
    },
  };
}

function restoreRow({ dump, work, server, signal }: BenchPlace): PlannedRow {
  const result = join(work, 'restored.json');
  const row = { name: 'restore', what: 'restore a gzipped plain dump into the same server: ours inspects it first', goal: 1 };
  const psql = tool('psql18') ?? tool('psql');
  if (psql === null) return { row, lacks: 'psql' };
  const { admin } = server;
  const script = `"$2" -Xqc 'CREATE DATABASE theirs TEMPLATE template0' -d postgres && gunzip -c -- "$1" | "$2" -Xq -v ON_ERROR_STOP=1 -d theirs > /dev/null`;
  return {
    row: {
      ...row,
      ours: {
        label: 'restore',
        run: async () => measure({ ...ours(['restore', dump.path, result], signal), input: JSON.stringify(server) }),
        check: async () => checkRestored(server, (JSON.parse(readFileSync(result, 'utf8')) as { database: string }).database, dump),
      },
      theirs: shell('gunzip | psql', script, [dump.path, psql], { PGHOST: admin.host, PGPORT: String(admin.port), PGUSER: admin.user, PGPASSWORD: admin.password }, signal, async () => checkRestored(server, 'theirs', dump)),
    },
  };
}

function rehearsalRow({ work, signal }: BenchPlace): PlannedRow {
  return { row: rehearsal('rehearsal', "the whole drill of the sample unit, as npm run drill does it without an engine", { runtime: 'embedded' }, work, signal) };
}

function containersRehearsalRow({ work, signal }: BenchPlace): PlannedRow {
  const { lacking } = needing('container engine', 'image of Postgres 18', 'image of SeaweedFS');
  const row = rehearsal('containers', 'the same in containers of images that are there', { runtime: 'containers', images: { postgres: postgresImage, objectStore: { kind: 'seaweedfs', image: seaweedFsImage } } }, work, signal);
  return lacking.length === 0 ? { row } : { row, lacks: lacking.join(', ') };
}

function rehearsal(name: string, what: string, servers: object, work: string, signal: AbortSignal): Row {
  const config = join(work, `${name}.config.ts`);
  // Its scratch is its own, as ever: ours is closed to the user that a drill of root runs its server as.
  const base = pathToFileURL(join(checkout, 'drill.config.ts')).href;
  const own = { reports: join(work, `${name}-reports`), checks: [join(checkout, 'checks/*.check.ts')], ...servers };
  writeFileSync(config, `import base from ${JSON.stringify(base)};\nexport default { ...base, ...${JSON.stringify(own)} };\n`);
  return {
    name,
    what,
    goal: null,
    ours: {
      label: name,
      run: async () => measure({ program: process.execPath, words: [join(checkout, 'harness/enter.mjs'), 'drill', '--config', config, '--json'], cwd: checkout, signal, killSignal: 'SIGTERM' }),
      check: async ({ stdout }) => differs((JSON.parse(stdout) as { verdict: string }).verdict, 'verified'),
    },
    theirs: null,
  };
}

/** Counts what arrived, then drops the database, so that each run finds the same server. */
async function checkRestored(server: EmbeddedServer, database: string, dump: GeneratedDump): Promise<string | null> {
  const counts = Object.keys(dump.rows).map((table) => `(SELECT count(*)::int FROM public.${table}) AS ${table}`);
  const found = await query(server, database, `SELECT ${counts.join(', ')}, (SELECT count(*)::int FROM pg_index WHERE indisvalid AND indrelid::regclass::text = ANY ($1)) AS indexes, (SELECT count(*)::int FROM pg_constraint WHERE convalidated AND contype = 'f') AS keys`, [Object.keys(dump.rows)]);
  // WITH (FORCE): a session of the restore may still be on its way out.
  await query(server, 'postgres', `DROP DATABASE ${pg.escapeIdentifier(database)} WITH (FORCE)`, []);
  return differs(found, { ...dump.rows, indexes: 3, keys: 1 });
}

async function query(server: EmbeddedServer, database: string, sql: string, values: readonly unknown[]): Promise<unknown> {
  const client = new pg.Client({ ...server.admin, database, options: '-c search_path=public,pg_catalog' });
  await client.connect();
  try {
    return (await client.query(sql, [...values])).rows[0];
  } finally {
    await client.end();
  }
}
