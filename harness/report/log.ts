// The logs of drills and of checks: one line per run in a Markdown table that lives in git, where an auditor reads it.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DrillRun } from '../run/record.ts';
import { figuresOf } from './figures.ts';
import { duration, printable, verdictWithScope } from './words.ts';

const table = (title: string, ...lines: readonly string[]): string => [`# ${title}`, '', ...lines, ''].join('\n');

const drillLogHead = table(
  'Drill log',
  'One line per drill, appended by the drill itself and never rewritten. Times are UTC. The RPO is measured: the time of the drill less the snapshot of the set it restored.',
  'The restore duration is a lower bound on the RTO. The last column is the sha256 of the record under `records/`.',
  '',
  '| date | verdict and scope | set | RPO | restore | run | sha256 of the record |',
  '|---|---|---|---|---|---|---|',
);

const checkLogHead = table(
  'Check log',
  'One line per check, appended by the check itself and never rewritten. Times are UTC. A check restores nothing: its scope says what it speaks of. The age is that of the snapshot of the set it read.',
  'The last column is the sha256 of the record that the check wrote to `out/`, which whoever ran it keeps.',
  '',
  '| date | verdict and scope | set | age | run | sha256 of the record |',
  '|---|---|---|---|---|---|',
);

const isCheck = (kind: DrillRun['kind']): boolean => kind === 'check' || kind === 'check-rehearsal';
export const logHead = (kind: DrillRun['kind']): string => (isCheck(kind) ? checkLogHead : drillLogHead);

/** Appends the line of one run; makes the log where there is none. @throws the file system's error. */
export function appendToLog(path: string, record: DrillRun, recordSha256: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const head = existsSync(path) ? '' : logHead(record.kind);
  appendFileSync(path, head + logLine(record, recordSha256), { flush: true });
}

/** The sha256 in the last line of a log, or null: each record names the one before it. @throws the file system's error. */
export function lastLogged(path: string): string | null {
  if (!existsSync(path)) return null;
  try {
    return readFileSync(path, 'utf8').match(/\| ([0-9a-f]{64}) \|\s*$/)?.[1] ?? null;
  } catch (error) {
    // Reading a directory fails without naming it.
    throw Object.assign(error as Error, { path });
  }
}

export function logLine(record: DrillRun, recordSha256: string): string {
  const figures = figuresOf(record);
  const told = (ms: number | null): string => (ms === null ? 'not measured' : duration(ms));
  const how = record.ended === 'finished' ? '' : ` (${record.ended})`;
  const measured = isCheck(record.kind) ? [told(figures.ageMs)] : [told(figures.rpoMs), told(figures.restoreMs)];
  const cells = [record.startedAt.slice(0, 16).replace('T', ' '), verdictWithScope(record) + how, figures.set ?? 'none', ...measured, record.run, recordSha256];
  return `| ${cells.map(cell).join(' | ')} |\n`;
}

/** Nothing in a cell may end it, start markup, or be taken for a formula when the table lands in a spreadsheet. */
function cell(text: string): string {
  const safe = printable(text).replaceAll(/[\\|`<>[\]*_]/g, (character) => `\\${character}`);
  return /^[=+\-@]/.test(safe) ? `'${safe}` : safe;
}
