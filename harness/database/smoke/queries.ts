// The operator's own queries, each answered with one value.
import type { Client } from 'pg';
import type { Finding } from '../../run/finding.ts';
import type { SmokeQuery } from '../config.ts';
import type { QueriesEvidence } from './evidence.ts';
import { find } from './findings.ts';
import { AS_PRINTED, DEFAULT_TIMEOUT_MS, guarded, isFinding, readOnly, searchPath, type Checked, type Reading } from './reading.ts';

/** Asks every query and compares its answer. Facts name the query and what was expected; the answer only where it is a count. */
export async function checkQueries(reading: Reading, queries: readonly SmokeQuery[]): Promise<Checked<QueriesEvidence>> {
  const findings: Finding[] = [];
  const evidence: QueriesEvidence['queries'] = [];
  for (const query of queries) {
    const start = performance.now();
    const finding = await readOnly(reading, async () => {
      const answer = await ask(reading, query.name, query.sql);
      return isFinding(answer) ? answer : judge(query, answer.value);
    });
    if (finding !== null) findings.push(finding);
    evidence.push({ name: query.name, asExpected: finding === null, durationMs: Math.round(performance.now() - start) });
  }
  return { findings, evidence: { queries: evidence } };
}

/** The one value that a query answers with, as Postgres prints it, or why there is none. Call it inside readOnly. */
export async function ask({ client, timeoutMs = DEFAULT_TIMEOUT_MS }: Reading, name: string, sql: string): Promise<{ value: string | null } | Finding> {
  return guarded(client, () => fetchOne(client, name, sql), (state) => (state === '57014'
    ? find('smoke.query-timeout', { query: name, seconds: timeoutMs / 1000 })
    : find('smoke.query-failed', { query: name, sqlstate: state })));
}

// A cursor: it takes a query and nothing else, and a million rows are known as too many after two.
async function fetchOne(client: Client, name: string, sql: string): Promise<{ value: string | null } | Finding> {
  // The extended protocol refuses a second statement. (Its types do not know the option.)
  const declare = { text: `DECLARE smoke_answer NO SCROLL CURSOR FOR ${sql.replace(/[;\s]+$/, '')}`, queryMode: 'extended' };
  await client.query(searchPath.theirs);
  await client.query(declare);
  const { rows, fields } = await client.query<(string | null)[]>({ text: 'FETCH 2 FROM smoke_answer', rowMode: 'array', types: AS_PRINTED });
  await client.query('CLOSE smoke_answer');
  await client.query(searchPath.ours);
  if (fields.length !== 1) return find('smoke.query-shape', { query: name, reason: `but has ${fields.length} columns` });
  const row = rows[0];
  if (row === undefined) return find('smoke.query-shape', { query: name, reason: 'but answered with no row' });
  if (rows.length > 1) return find('smoke.query-shape', { query: name, reason: 'but answered with more rows' });
  return { value: row[0] ?? null };
}

function judge(query: SmokeQuery, value: string | null): Finding | null {
  const expected = expectation(query);
  const unexpected = () => find('smoke.query-unexpected', {
    query: query.name, expected,
    // Any other answer may be a row's value, which no report may hold.
    ...(value !== null && /^\s*select\s+count\s*\(/i.test(query.sql) ? { count: value } : {}),
  });
  if (query.equals !== undefined) return value === query.equals ? null : unexpected();
  if (value === null) return unexpected();
  const number = Number(value);
  if (value.trim() === '' || Number.isNaN(number)) return find('smoke.query-shape', { query: query.name, reason: 'and a number where atLeast or atMost compares it' });
  return number >= (query.atLeast ?? -Infinity) && number <= (query.atMost ?? Infinity) ? null : unexpected();
}

function expectation({ equals, atLeast, atMost }: SmokeQuery): string {
  if (equals !== undefined) return equals;
  return [atLeast === undefined ? [] : [`at least ${atLeast}`], atMost === undefined ? [] : [`at most ${atMost}`]].flat().join(' and ');
}
