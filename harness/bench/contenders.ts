// What rows are made of: ours as a process of its own, theirs as a line of shell, and how a result is held against the right one.
import { join } from 'node:path';
import { type Command, measure } from './measure.ts';
import type { Contender, Row } from './pair.ts';

/** A row, or why this machine cannot run it. */
export type PlannedRow = { readonly row: Row } | { readonly row: Pick<Row, 'name' | 'what' | 'goal' | 'goalMs'>; readonly lacks: string };

export function ours(words: readonly string[], signal: AbortSignal): Command {
  return { program: process.execPath, words: [join(import.meta.dirname, 'ours.ts'), ...words], signal };
}

export function shell(label: string, script: string, words: readonly string[], env: Readonly<Record<string, string>>, signal: AbortSignal, check: Contender['check']): Contender {
  return { label, run: async () => measure({ program: 'bash', words: ['-c', `set -euo pipefail; ${script}`, label, ...words], env, signal }), check };
}

export function differs(found: unknown, expected: unknown): string | null {
  const [is, should] = [JSON.stringify(found), JSON.stringify(expected)];
  return is === should ? null : `gave ${is} where ${should} is right`;
}
