// Where a restore's time went, as text: a line for each of the jobs that took longest, and when it ran.
import { z } from 'zod';
import { duration, printable } from './words.ts';

// What the restore step measured, as far as it is drawn here.
const drawn = z.object({
  durationMs: z.number(),
  parallel: z.object({ sessions: z.int(), atOnce: z.int(), beside: z.int(), ahead: z.int(), divided: z.int() }),
  longest: z.array(z.object({ what: z.string(), session: z.int(), from: z.int(), to: z.int() })),
});

const columns = 40;

/** @param evidence of the step `database.restore`; null where nothing was restored @returns lines, the first a heading */
export function timeline(evidence: unknown): string[] {
  const read = drawn.safeParse(evidence);
  if (!read.success) return ['Nothing was restored, so there is no plan to explain.'];
  const { durationMs, parallel, longest } = read.data;
  const { sessions, atOnce, beside, ahead, divided } = parallel;
  const end = Math.max(1, ...longest.map(({ to }) => to));
  return [
    `Where the restore's ${duration(durationMs)} went: ${sessions} ${sessions === 1 ? 'session' : 'sessions'}, ${atOnce} of them at once`,
    `  ${beside} ${beside === 1 ? 'statement' : 'statements'} ran beside others, ${ahead} of them ahead of their place; the rows of ${divided} ${divided === 1 ? 'table' : 'tables'} went over more than one session; all else ran alone, in the dump's order`,
    ...longest.map(({ what, session, from, to }) => `  ${session + 1} ${bar(from / end, to / end)} ${duration(to - from).padStart(8)}  ${printable(what)}`),
  ];
}

function bar(from: number, to: number): string {
  const first = Math.min(columns - 1, Math.floor(from * columns));
  const last = Math.max(first + 1, Math.round(to * columns));
  return '·'.repeat(first) + '█'.repeat(last - first) + '·'.repeat(columns - last);
}
