// For the tests of this folder: a database that one change at a time is made to, in a transaction that is rolled back.
import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import type { Finding } from '../../run/finding.ts';
import type { Login, PostgresServer } from '../../servers/postgres.ts';
import { changedDatabase, changeRoles, type Change } from './changes.ts';
import { compareManifests } from './compare.ts';
import type { Manifest } from './manifest.ts';
import { buildManifest, parseManifest, rowSchema, type Row, type RowOf } from './manifest.ts';
import { statementsOf } from './read.ts';

export interface Changed {
  readonly login: Login;
  readonly manifest: Manifest;
  /** What a comparison says once that SQL has run, and the rows it is said of. */
  after(sql: string): Promise<{ readonly findings: readonly Finding[]; readonly rows: readonly Row[] }>;
  close(): Promise<void>;
}

export async function openChanged({ admin, major }: Pick<PostgresServer, 'admin' | 'major'>): Promise<Changed> {
  const login = { ...admin, database: 'changes' };
  const maintenance = new Client({ ...admin });
  await maintenance.connect();
  try {
    await maintenance.query(changeRoles);
    await maintenance.query("CREATE DATABASE changes TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
  } finally {
    await maintenance.end();
  }
  const client = new Client({ ...login });
  await client.connect();
  await client.query(changedDatabase(major));
  // A plan is made once for hundreds of readings.
  await client.query('VACUUM ANALYZE');
  await client.query('SET plan_cache_mode = force_generic_plan');
  const statements = statementsOf(await readFile(new URL('../../../ops/backups/manifest.sql', import.meta.url), 'utf8'));
  const settings = statements.filter((statement) => statement.startsWith('SET LOCAL ')).join(';');
  const readings = statements.filter((statement) => !statement.startsWith('SET LOCAL '));
  const lines = async (): Promise<string[]> => {
    await client.query(settings);
    const found: string[] = [];
    for (const [at, text] of readings.entries()) found.push(...(await client.query<string[]>({ name: `reading_${at}`, text, rowMode: 'array' })).rows.map(([line]) => line ?? ''));
    return found;
  };
  // One change leaves most lines as they were.
  const known = new Map<string, Row>();
  const rowOf = (line: string): Row => {
    const row = known.get(line) ?? rowSchema.parse(JSON.parse(line));
    known.set(line, row);
    return row;
  };
  const undone = async <T>(work: () => Promise<T>): Promise<T> => {
    await client.query('BEGIN');
    try {
      return await work();
    } finally {
      await client.query('ROLLBACK');
    }
  };
  const manifest = parseManifest(buildManifest({ id: '2026-11-23', dump: { name: 'db-2026-11-23.sql.gz', sha256: 'a'.repeat(64), bytes: 1 }, tools: { pgDump: '18', psql: '18' } }, await undone(lines)), 'changes');
  return {
    login,
    manifest,
    after: (sql) => undone(async () => {
      await client.query(sql);
      const rows = (await lines()).map(rowOf);
      return { rows, findings: compareManifests(manifest, rows, { sequences: 'exact', database: 'brought' }).findings };
    }),
    close: () => client.end(),
  };
}

export interface Tried {
  /** Changes that raised anything but what they must, in words. */
  readonly wrong: readonly string[];
  /** `table [options]`: the parts of definitions that some change moved, and all that were ever written. */
  readonly moved: ReadonlySet<string>;
  readonly seen: ReadonlySet<string>;
}

/** Makes each change for itself. */
export async function wrongly(changed: Changed, changes: readonly Change[]): Promise<Tried> {
  const wrong: string[] = [];
  const moved = new Set<string>();
  const seen = new Set(changed.manifest.objects.flatMap(partsOf));
  for (const change of changes) {
    const { findings, rows } = await changed.after(change.sql).catch((error: unknown) => {
      throw new Error(`${change.sql}: ${String(error)}`);
    });
    const [must, did] = [wanted(change, changed), raised(findings, change)].map((words) => words.join(', '));
    if (must !== did) wrong.push(`${change.sql}: ${did}, not ${must}`);
    for (const part of movedParts(changed.manifest.objects, rows)) moved.add(part);
    for (const row of rows) if (row.kind === 'object') for (const part of partsOf(row)) seen.add(part);
  }
  return { wrong, moved, seen };
}

/** What a change is to raise on that server, and what it raised, in the same words. */
const wanted = ({ code, names }: Change, { login }: Changed): string[] => [code, ...names.map((name) => name.replace('@', login.user))];
const raised = (findings: readonly Finding[], { names }: Change): string[] =>
  findings.flatMap(({ code, facts }) => [code, ...(names.length === 0 ? [] : [facts['names'], facts['tables']].flatMap((list) => (Array.isArray(list) ? list.map(String) : [])))]);

const partsOf = (row: RowOf<'object'>): string[] => Object.keys(row.definition).map((part) => `${row.type} [${part}]`);

/** Each part of a definition that differs between two readings. */
function movedParts(was: readonly RowOf<'object'>[], rows: readonly Row[]): Set<string> {
  const key = (row: RowOf<'object'>): string => JSON.stringify([row.type, row.schema, row.table, row.name]);
  const before = new Map(was.map((row) => [key(row), row]));
  const parts = new Set<string>();
  for (const row of rows) {
    const other = row.kind === 'object' ? before.get(key(row)) : undefined;
    if (row.kind !== 'object' || other === undefined || other.hash === row.hash) continue;
    for (const part of new Set([...Object.keys(row.definition), ...Object.keys(other.definition)])) if (JSON.stringify(row.definition[part]) !== JSON.stringify(other.definition[part])) parts.add(`${row.type} [${part}]`);
  }
  return parts;
}
