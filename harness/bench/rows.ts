// What is measured, against what, and how each result is checked.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { needing, postgresImage, seaweedFsImage, tool } from '../../fixtures/tools.ts';
import type { EmbeddedServer } from '../servers/embedded.ts';
import { backupRow } from './backup-row.ts';
import { checkRow } from './check-row.ts';
import { type GeneratedDump, writeTables, writeWide } from './data.ts';
import { containerRow } from './container.ts';
import { differs, ours, type PlannedRow, shell } from './contenders.ts';
import { measure } from './measure.ts';
import { offsiteRow } from './offsite-row.ts';
import type { Row } from './pair.ts';
import { storeCheckRow } from './store-check-row.ts';
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
  'restore tables': restoreTablesRow,
  'restore wide': restoreWideRow,
  backup: backupRow,
  offsite: offsiteRow,
  'check store': storeCheckRow,
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

/** One dump through ours and through psql, on one server. */
function restoring(row: Pick<Row, 'name' | 'what' | 'goal'>, { work, server, signal }: BenchPlace, dump: GeneratedDump, counted: Restored): PlannedRow {
  const result = join(work, `${row.name.replaceAll(' ', '-')}.json`);
  const psql = tool('psql18') ?? tool('psql');
  if (psql === null) return { row, lacks: 'psql' };
  const { admin } = server;
  const roles = 'DO $$ BEGIN CREATE ROLE app; CREATE ROLE reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$';
  const script = `"$2" -Xqc "$3" -c 'CREATE DATABASE theirs TEMPLATE template0' -d postgres && gunzip -c -- "$1" | "$2" -Xq -v ON_ERROR_STOP=1 -d theirs > /dev/null`;
  return {
    row: {
      ...row,
      ours: {
        label: 'restore',
        run: async () => measure({ ...ours(['restore', dump.path, result], signal), input: JSON.stringify(server) }),
        check: async () => checkRestored(server, (JSON.parse(readFileSync(result, 'utf8')) as { database: string }).database, dump, counted),
      },
      theirs: shell('gunzip | psql', script, [dump.path, psql, roles], { PGHOST: admin.host, PGPORT: String(admin.port), PGUSER: admin.user, PGPASSWORD: admin.password }, signal, async () => checkRestored(server, 'theirs', dump, counted)),
    },
  };
}

function restoreRow(place: BenchPlace): PlannedRow {
  return restoring({ name: 'restore', what: 'restore a gzipped plain dump into the same server: ours inspects it first', goal: 1 }, place, place.dump, { indexes: 3, references: 1 });
}

async function restoreTablesRow(place: BenchPlace): Promise<PlannedRow> {
  // As many as the largest dump that is asked for is worth.
  const tables = Math.max(10, Math.min(2000, Math.round(place.dump.plainBytes / 40_000)));
  const dump = await writeTables(join(place.work, 'small-tables.sql.gz'), { tables, rows: 100, signal: place.signal });
  return restoring({ name: 'restore tables', what: `restore ${tables.toLocaleString('en')} tables of 100 rows, each with an identity, a key, an index and a reference: ours inspects first`, goal: 0.75 }, place, dump, { indexes: 2 * tables, references: tables });
}

async function restoreWideRow(place: BenchPlace): Promise<PlannedRow> {
  const dump = await writeWide(join(place.work, 'wide.sql.gz'), { seed: 1, bytes: place.dump.plainBytes, signal: place.signal });
  return restoring({ name: 'restore wide', what: 'restore rows of a megabyte each, half bytea, half jsonb: ours inspects first', goal: 0.6 }, place, dump, { indexes: 1, references: 0 });
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

interface Restored {
  readonly indexes: number;
  readonly references: number;
}

/** Counts what arrived, then drops the database, so that each run finds the same server. */
async function checkRestored(server: EmbeddedServer, database: string, dump: GeneratedDump, counted: Restored): Promise<string | null> {
  const rows = await query(server, database, `SELECT pg_catalog.jsonb_object_agg(relname, (pg_catalog.xpath('//c/text()', pg_catalog.query_to_xml(pg_catalog.format('SELECT count(*) AS c FROM public.%I', relname), true, false, '')))[1]::text::int) AS rows FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`);
  const found = await query(server, database, "SELECT (SELECT count(*)::int FROM pg_index WHERE indisvalid AND indrelid >= 16384 AND indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)) AS indexes, (SELECT count(*)::int FROM pg_constraint WHERE convalidated AND contype = 'f') AS \"references\"");
  // WITH (FORCE): a session of the restore may still be on its way out.
  await query(server, 'postgres', `DROP DATABASE ${pg.escapeIdentifier(database)} WITH (FORCE)`);
  const byName = (record: Readonly<Record<string, number>>): [string, number][] => Object.entries(record).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return differs(byName((rows as { rows: Record<string, number> }).rows), byName(dump.rows)) ?? differs(found, counted);
}

async function query(server: EmbeddedServer, database: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ ...server.admin, database, options: '-c search_path=public,pg_catalog' });
  await client.connect();
  try {
    return (await client.query(sql)).rows[0];
  } finally {
    await client.end();
  }
}
