// What the configuration expects of a healthy restore: tables, rows and how new they are, extensions, the newest migration.
import type { Client } from 'pg';
import type { Finding } from '../../run/finding.ts';
import type { DatabaseConfig, ExpectedTable } from '../config.ts';
import type { ExpectedEvidence } from './evidence.ts';
import { find } from './findings.ts';
import { ask } from './queries.ts';
import { guarded, isFinding, notJudged, readOnly, rowsOf, type Checked, type Reading } from './reading.ts';

export interface ExpectedFrame {
  /** The run's clock: no row can be later. */
  readonly now: Date;
  /** When the dump was taken, by its manifest: how old rows were is told from there. Null where none tells, and from now. */
  readonly takenAt: Date | null;
  /** For tables that name none of their own: the cadence and its slack. */
  readonly maxAgeMs: number;
  /** The application's role, as `database.role` of the configuration says. */
  readonly role: string;
}

/** Judges the restored database against `expected`. @throws when the server or the connection is gone. */
export async function checkExpected(reading: Reading, expected: Omit<DatabaseConfig['expected'], 'schemaReference'>, frame: ExpectedFrame): Promise<Checked<ExpectedEvidence>> {
  return readOnly(reading, async () => {
    const { client } = reading;
    const findings: Finding[] = [];
    const tables: ExpectedEvidence['tables'] = [];
    for (const table of expected.tables) {
      const judged = await judgeTable(client, table, frame);
      findings.push(...judged.findings);
      tables.push(judged.evidence);
    }
    const extensions = await rowsOf<{ name: string; version: string }>(client, 'SELECT extname AS name, extversion AS version FROM pg_catalog.pg_extension');
    const installed = expected.extensions.map((name) => ({ name, installed: extensions.find((has) => has.name === name)?.version ?? null }));
    findings.push(...installed.filter((extension) => extension.installed === null).map(({ name }) => find('smoke.extension-missing', { extension: name })));
    return { findings, evidence: { tables, extensions: installed, migration: await judgeMigration(reading, expected.migration, findings) } };
  });
}

/** Behind this a row's time is no clock's inaccuracy. */
const CLOCK_SLACK_MS = 10 * 60_000;
const DAY_MS = 24 * 3600_000;
const MANY = 100;

async function judgeTable(client: Client, expected: ExpectedTable, frame: ExpectedFrame): Promise<Checked<ExpectedEvidence['tables'][number]>> {
  const table = `${expected.schema}.${expected.name}`;
  const maxAgeMs = expected.newest === undefined ? null : (expected.maxAgeMs ?? frame.maxAgeMs);
  const findings: Finding[] = [];
  const leave = (rows: string | null, newestAt: string | null = null) => ({ findings, evidence: { table, rows, newestAt, maxAgeMs } });

  const [relation] = await rowsOf<Relation>(client, RELATION, [expected.schema, expected.name, expected.newest ?? null, frame.role]);
  if (relation === undefined || relation.what !== 'table') {
    findings.push(find('smoke.table-missing', { table, found: relation?.what ?? 'nothing' }));
    return leave(null);
  }
  if (relation.keyed === 'f') findings.push(find('smoke.primary-key-missing', { table }));
  if (relation.unlogged === 't') findings.push(find('smoke.table-unlogged', { table }));
  if (relation.readable !== 't') findings.push(find('smoke.role-without-access', { table, role: frame.role }));

  const from = `${client.escapeIdentifier(expected.schema)}.${client.escapeIdentifier(expected.name)}`;
  const timed = expected.newest !== undefined && ['date', 'timestamp', 'timestamptz'].includes(relation.type ?? '');
  const measured = await guarded(client, () => rowsOf<Measured>(client, timed ? measureTimes(from, client.escapeIdentifier(expected.newest ?? '')) : `SELECT pg_catalog.count(*) AS rows FROM ${from}`,
    timed ? [new Date(frame.now.getTime() + CLOCK_SLACK_MS).toISOString()] : []), notJudged(`table ${table}`));
  if (isFinding(measured)) {
    findings.push(measured);
    return leave(null);
  }
  const found = measured[0] as Measured;
  // Of no rows nothing can be the newest.
  const atLeast = Math.max(expected.minRows ?? 0, expected.newest === undefined ? 0 : 1);
  if (BigInt(found.rows) < BigInt(atLeast)) findings.push(find('smoke.too-few-rows', { table, rows: found.rows, atLeast: String(atLeast) }));
  if (expected.newest === undefined) return leave(found.rows);

  const column = expected.newest;
  if (!timed) {
    findings.push(find('smoke.newest-unreadable', { table, column, reason: relation.type === null ? 'there is no such column' : 'its type is none of date, timestamp, timestamptz' }));
    return leave(found.rows);
  }
  if (found.rows === '0') return leave(found.rows);
  if (found.future !== '0') findings.push(find('smoke.rows-from-future', { table, column, rows: found.future }));
  if (found.newest === null) {
    if (found.future === '0') findings.push(find('smoke.newest-unreadable', { table, column, reason: 'no row has a time there' }));
    return leave(found.rows);
  }
  // A date speaks of all its day.
  const newest = Number(found.newest) * 1000 + (relation.type === 'date' ? DAY_MS - 1 : 0);
  const age = Math.max(0, (frame.takenAt ?? frame.now).getTime() - newest);
  const newestAt = new Date(newest).toISOString();
  if (maxAgeMs !== null && age > maxAgeMs) findings.push(find('smoke.rows-stale', { table, column, newestAt, ageHours: hours(age), maxAgeHours: hours(maxAgeMs) }));
  if (found.constant === 't' && Number(found.rows) >= MANY && relation.type !== 'date') findings.push(find('smoke.newest-is-oldest', { table, column, rows: found.rows }));
  return leave(found.rows, newestAt);
}

interface Relation {
  readonly what: string;
  readonly unlogged: 't' | 'f';
  readonly keyed: 't' | 'f';
  /** Null where there is no such role. */
  readonly readable: 't' | 'f' | null;
  /** Of the newest column; null where there is none. */
  readonly type: string | null;
}
const RELATION = `
  SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'thing' END AS what,
    c.relpersistence = 'u' AS unlogged,
    EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL) AS keyed,
    (SELECT pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') FROM pg_catalog.pg_roles r WHERE r.rolname = $4) AS readable,
    (SELECT CASE WHEN t.typtype = 'd' THEN b.typname ELSE t.typname END FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype WHERE a.attrelid = c.oid AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped) AS type
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

interface Measured {
  readonly rows: string;
  readonly future: string;
  /** Seconds since 1970. */
  readonly newest: string | null;
  readonly constant: 't' | 'f' | null;
}
const measureTimes = (from: string, column: string) => `
  SELECT pg_catalog.count(*) AS rows,
    pg_catalog.count(*) FILTER (WHERE ${column} > $1::timestamptz) AS future,
    extract(epoch FROM pg_catalog.max(${column}) FILTER (WHERE pg_catalog.isfinite(${column}) AND ${column} <= $1::timestamptz)) AS newest,
    pg_catalog.min(${column}) = pg_catalog.max(${column}) AND pg_catalog.count(*) = pg_catalog.count(${column}) AS constant
  FROM ${from}`;

async function judgeMigration(reading: Reading, migration: DatabaseConfig['expected']['migration'], findings: Finding[]): Promise<ExpectedEvidence['migration']> {
  if (migration === undefined) return null;
  const answer = await ask(reading, 'the newest migration', migration.sql);
  const asExpected = !isFinding(answer) && answer.value === migration.head;
  if (isFinding(answer)) findings.push(answer);
  else if (!asExpected) findings.push(find('smoke.migration-drift', { expected: migration.head, found: answer.value ?? 'none' }));
  return { expected: migration.head, asExpected };
}

const hours = (ms: number): number => Math.round(ms / 360_000) / 10;
