// Damage that leaves every count right: text that an encoding lost, NULLs and bytes that came back as their own spelling.
// All of it is a warning: the live database may look the same.
import type { Client } from 'pg';
import type { Finding } from '../../run/finding.ts';
import type { ExpectedTable } from '../config.ts';
import type { PlausibleEvidence } from './evidence.ts';
import { find } from './findings.ts';
import { guarded, isFinding, notJudged, readOnly, rowsOf, type Checked, type Reading } from './reading.ts';

const ROW_CAP = 100_000;
/** A column is doubtful when so many of its values are, and at least half of those that could be. */
const FEW = 10;

/** Looks at text and bytea columns of the expected tables. A table that is not there is another check's finding. */
export async function checkPlausible(reading: Reading, tables: readonly ExpectedTable[]): Promise<Checked<PlausibleEvidence>> {
  return readOnly(reading, async () => {
    const { client } = reading;
    const [server] = await rowsOf<{ encoding: string }>(client, "SELECT pg_catalog.current_setting('server_encoding') AS encoding");
    const suspicions = SUSPICIONS.filter((suspicion) => !suspicion.unicode || server?.encoding === 'UTF8');
    const findings: Finding[] = [];
    const columns: PlausibleEvidence['columns'] = [];
    for (const { schema, name } of tables) {
      const table = `${schema}.${name}`;
      const measured = await guarded(client, () => measure(client, schema, name, suspicions), notJudged(`the text of ${table}`));
      if (isFinding(measured)) {
        findings.push(measured);
        continue;
      }
      for (const { column, suspicion, scanned, doubtful } of measured) {
        const rows = BigInt(doubtful);
        const bad = rows >= FEW && rows * 2n >= BigInt(scanned);
        if (bad) findings.push(find(suspicion.code, { table, column, rows: doubtful, scanned }));
        if (bad || suspicion.always) columns.push({ table, column, scanned, doubtful });
      }
    }
    return { findings, evidence: { rowCap: ROW_CAP, columns } };
  });
}

interface Suspicion {
  readonly code: 'smoke.text-replaced' | 'smoke.text-double-encoded' | 'smoke.nulls-as-text' | 'smoke.bytes-as-text';
  readonly of: 'text' | 'bytes';
  /** Its patterns hold characters that only a UTF-8 database knows. */
  readonly unicode: boolean;
  /** Conditions on a value `v`: of which values it speaks, and which of them are doubtful. */
  readonly speaksOf: string;
  readonly doubtful: string;
  /** Also evidence where nothing was found, so that a column looked at is known as such. */
  readonly always: boolean;
}

// Cheap tests first: a regular expression over every value would be most of the check's time.
const NON_ASCII = 'pg_catalog.octet_length(v) <> pg_catalog.length(v)';
const QUESTIONS = `(v LIKE '%???%' AND v ~ '^[? ]+$')`;
// Latin capital A with tilde or circumflex, then what the second byte of a UTF-8 pair becomes in Latin-1 or Windows-1252.
const TWICE = `v ~ '[\\u00C2\\u00C3\\u00D0\\u00D1\\u00D7\\u00D8\\u00D9\\u00E2\\u00E3\\u00F0][\\u0080-\\u00BF\\u0152\\u0153\\u0160\\u0161\\u0178\\u017D\\u017E\\u0192\\u02C6\\u02DC\\u2013-\\u2026\\u2030\\u2039\\u203A\\u20AC\\u2122]'`;

const SUSPICIONS: readonly Suspicion[] = [
  // Values that hold a replacement character, or nothing but the question marks that a narrow encoding leaves of a foreign script.
  { code: 'smoke.text-replaced', of: 'text', unicode: true, speaksOf: `(${NON_ASCII} OR ${QUESTIONS})`, doubtful: `(pg_catalog.strpos(v, U&'\\FFFD') > 0 OR ${QUESTIONS})`, always: true },
  { code: 'smoke.text-double-encoded', of: 'text', unicode: true, speaksOf: NON_ASCII, doubtful: TWICE, always: false },
  { code: 'smoke.nulls-as-text', of: 'text', unicode: false, speaksOf: 'true', doubtful: `v IN ('NULL', 'null', '\\N', '(null)')`, always: false },
  { code: 'smoke.bytes-as-text', of: 'bytes', unicode: false, speaksOf: 'pg_catalog.octet_length(v) > 2', doubtful: `pg_catalog.substring(v, 1, 2) = '\\x5c78'::bytea`, always: true },
];

interface MeasuredColumn {
  readonly column: string;
  readonly suspicion: Suspicion;
  readonly scanned: string;
  readonly doubtful: string;
}

/** One scan of the table for all its columns. */
async function measure(client: Client, schema: string, name: string, suspicions: readonly Suspicion[]): Promise<MeasuredColumn[]> {
  const columns = await rowsOf<{ column: string; bytes: 't' | 'f' }>(client, COLUMNS, [schema, name]);
  const wanted = columns.flatMap(({ column, bytes }) => suspicions.filter(({ of }) => of === (bytes === 't' ? 'bytes' : 'text')).map((suspicion) => ({ column, suspicion })));
  if (wanted.length === 0) return [];
  const named = new Map(columns.map(({ column }, i) => [column, `c${i}`]));
  const counts = wanted.map(({ column, suspicion }, i) => {
    const on = (condition: string) => condition.replaceAll(/\bv\b/g, named.get(column) ?? '');
    return `pg_catalog.count(*) FILTER (WHERE ${on(suspicion.speaksOf)} AND ${named.get(column)} IS NOT NULL) AS s${i}, pg_catalog.count(*) FILTER (WHERE ${on(suspicion.speaksOf)} AND ${on(suspicion.doubtful)}) AS d${i}`;
  });
  const picked = columns.map(({ column, bytes }, i) => `${client.escapeIdentifier(column)}::pg_catalog.${bytes === 't' ? 'bytea' : 'text'} AS c${i}`);
  const [row] = await rowsOf<Record<string, string>>(client,
    `SELECT ${counts.join(', ')} FROM (SELECT ${picked.join(', ')} FROM ${client.escapeIdentifier(schema)}.${client.escapeIdentifier(name)} LIMIT ${ROW_CAP}) looked_at`);
  return wanted.map((one, i) => ({ ...one, scanned: row?.[`s${i}`] ?? '0', doubtful: row?.[`d${i}`] ?? '0' }));
}

// Text of any spelling (varchar, citext, domains over them) and bytea; of stored tables only.
const COLUMNS = `
  SELECT a.attname AS column, t.typname = 'bytea' AS bytes
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND (t.typname = 'bytea' OR t.typcategory = 'S') ORDER BY a.attnum`;
