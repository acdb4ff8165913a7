// Runs manifest.sql on a database: the same text that psql ran at the source, statement by statement.
import { readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import type { Progress } from '../../run/plan.ts';
import type { Algorithm, Row } from './manifest.ts';
import { rowSchema } from './manifest.ts';

/** One text per algorithm: a new one is added, so that retained sets keep theirs. */
const texts: Readonly<Record<Algorithm, URL>> = { 'row-chain-1': new URL('../../../ops/backups/manifest.sql', import.meta.url) };

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Counts tables; how many there are is not known beforehand. */
  readonly progress?: (progress: Progress) => void;
  readonly algorithm?: Algorithm;
}

/**
 * The rows of the database that the client is connected to, in one read-only snapshot.
 * @throws the signal's reason when aborted (a running statement is left to whoever closes the client), pg's error, or Error where a
 *   row is none: all of them a broken harness, never a finding.
 */
export async function readManifestRows(client: Client, options: ReadOptions): Promise<Row[]> {
  return (await readManifestLines(client, options)).map((line) => rowSchema.parse(JSON.parse(line)));
}

/** The same as the lines that psql prints, for buildManifest. */
export async function readManifestLines(client: Client, options: ReadOptions): Promise<string[]> {
  return inSnapshot(client, options.signal, (run) => readLines(run, options));
}

/** Runs one statement and returns the first column of its rows. */
export type Run = (statement: string) => Promise<string[]>;

/** Reads inside a transaction that the caller has opened. */
export async function readLines(run: Run, options: Omit<ReadOptions, 'signal'>): Promise<string[]> {
  const lines: string[] = [];
  let tables = 0;
  for (const statement of statementsOf(await readFile(texts[options.algorithm ?? 'row-chain-1'], 'utf8'))) {
    if (statement.startsWith('SET LOCAL ')) {
      await run(statement);
      continue;
    }
    // Through a cursor, so that each table is told of when it is done, and a signal is heard between two.
    await run(`DECLARE manifest NO SCROLL CURSOR FOR ${statement}`);
    for (let wanted = 1; ; ) {
      const found = await run(`FETCH FORWARD ${wanted} FROM manifest`);
      if (found.length === 0) break;
      lines.push(...found);
      const last = JSON.parse(found.at(-1) ?? '{}') as { kind?: string; schema?: string; name?: string };
      // Only a table takes long: rows of the other kinds come by the thousand.
      wanted = last.kind === 'table' ? 1 : 1000;
      if (last.kind !== 'table') continue;
      tables += 1;
      options.progress?.({ done: tables, total: null, unit: 'tables', what: `${last.schema}.${last.name}` });
    }
    await run('CLOSE manifest');
  }
  return lines;
}

/** A statement ends with a semicolon at the end of a line, and no other line ends with one. */
export function statementsOf(text: string): string[] {
  const code = text.replaceAll(/^\s*--.*\n/gm, '');
  return code.split(/;\s*$/m).map((statement) => statement.trim()).filter((statement) => statement !== '');
}

async function inSnapshot<T>(client: Client, signal: AbortSignal, body: (run: Run) => Promise<T>): Promise<T> {
  const run: Run = async (statement) => {
    signal.throwIfAborted();
    const answer = client.query<unknown[]>({ text: statement, rowMode: 'array' });
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return (await Promise.race([answer, aborted.promise])).rows.map((row) => String(row[0]));
    } finally {
      signal.removeEventListener('abort', onAbort);
      // Whoever aborts has gone; what the server still answers is nobody's.
      answer.catch(() => undefined);
    }
  };
  await run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    const value = await body(run);
    await run('ROLLBACK');
    return value;
  } catch (error) {
    // The first error is the one to tell of; on a dead connection this is a second one.
    if (!signal.aborted) await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
