// How amounts read in every report.
import type { Scope } from '../run/record.ts';
import type { Verdict } from '../run/verdict.ts';

/** Milliseconds as seconds, a number with three places. */
export const seconds = (ms: number): number => Math.round(ms) / 1000;

/** `340 ms`, `2.4 s`, `3 min 10 s`, `5 h 20 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `812 B`, `1.4 MB`: powers of 1000. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let amount = count;
  let unit = 0;
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit] ?? 'B'}`;
}

/** `verified: database · not covered: media, audit`. A verdict is never told without its scope. */
export function verdictWithScope(record: { readonly verdict: Verdict; readonly scope: Scope }): string {
  const left = record.scope.notCovered.length === 0 ? '' : ` · not covered: ${record.scope.notCovered.join(', ')}`;
  return `${record.verdict}: ${record.scope.covered.join(', ')}${left}`;
}

/** Text from a backup may hold control characters that would move a terminal's cursor or end a table's cell. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
