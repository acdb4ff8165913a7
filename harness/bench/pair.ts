// Ours and theirs, alternately in one run, so that whatever else the machine does falls on both. A figure stands only
// where every run's result was checked and right: the time of a wrong answer means nothing.
import type { Measured } from './measure.ts';

export interface Contender {
  readonly label: string;
  readonly run: () => Promise<Measured>;
  /** What is wrong with the result of the run just measured; null when nothing is. */
  readonly check: (measured: Measured) => Promise<string | null>;
}

export interface Row {
  readonly name: string;
  readonly what: string;
  readonly ours: Contender;
  /** Null where nobody else does the same. */
  readonly theirs: Contender | null;
  /** The largest ratio of ours to theirs that we want; null where none is set. */
  readonly goal: number | null;
  /** How much longer than theirs ours may take, in ms; where a ratio would say little. */
  readonly goalMs?: number;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Figures {
  readonly label: string;
  readonly ms: Spread;
  /** Resident, of the largest process; null where the system does not tell. */
  readonly peakBytes: number | null;
}

export interface RowResult {
  readonly name: string;
  readonly what: string;
  /** Why there is no figure; null where there is one. */
  readonly problem: string | null;
  readonly ours: Figures | null;
  readonly theirs: Figures | null;
  /** Ours to theirs, taken pair by pair. */
  readonly ratio: Spread | null;
  readonly goal: number | null;
  readonly goalMs: number | null;
  /** How much longer ours took, taken pair by pair, in ms. */
  readonly gapMs: Spread | null;
  readonly pairs: readonly { readonly oursMs: number; readonly theirsMs: number | null }[];
}

/** Measures one row: `warmUps` pairs that do not count, then `repeats` that do. @throws RangeError without repeats. */
export async function pair(row: Row, times: { readonly warmUps: number; readonly repeats: number }): Promise<RowResult> {
  const runs: { ours: Measured; theirs: Measured | null }[] = [];
  for (let at = -times.warmUps; at < times.repeats; at += 1) {
    const ours = await checked(row.ours);
    const theirs = row.theirs === null ? null : await checked(row.theirs);
    if ('problem' in ours) return withoutFigure(row, ours.problem);
    if (theirs !== null && 'problem' in theirs) return withoutFigure(row, theirs.problem);
    if (at >= 0) runs.push({ ours: ours.measured, theirs: theirs?.measured ?? null });
  }
  const theirRuns = runs.flatMap((run) => run.theirs ?? []);
  return {
    name: row.name,
    what: row.what,
    problem: null,
    ours: figures(row.ours.label, runs.map((run) => run.ours)),
    theirs: row.theirs === null ? null : figures(row.theirs.label, theirRuns),
    ratio: row.theirs === null ? null : spread(runs.flatMap((run) => (run.theirs === null ? [] : run.ours.ms / run.theirs.ms))),
    goal: row.goal,
    goalMs: row.goalMs ?? null,
    gapMs: row.theirs === null ? null : spread(runs.flatMap((run) => (run.theirs === null ? [] : run.ours.ms - run.theirs.ms))),
    pairs: runs.map((run) => ({ oursMs: run.ours.ms, theirsMs: run.theirs?.ms ?? null })),
  };
}

/** A row that was not run, or whose result was wrong. */
export function withoutFigure(row: Pick<Row, 'name' | 'what' | 'goal' | 'goalMs'>, problem: string): RowResult {
  return { name: row.name, what: row.what, problem, ours: null, theirs: null, ratio: null, goal: row.goal, goalMs: row.goalMs ?? null, gapMs: null, pairs: [] };
}

async function checked(contender: Contender): Promise<{ readonly measured: Measured } | { readonly problem: string }> {
  try {
    const measured = await contender.run();
    const problem = await contender.check(measured);
    return problem === null ? { measured } : { problem: `${contender.label}: ${problem}` };
  } catch (error) {
    // One that cannot be run, or whose result cannot be read, costs its own row and no other.
    return { problem: `${contender.label}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function figures(label: string, runs: readonly Measured[]): Figures {
  const peaks = runs.flatMap((run) => run.peakBytes ?? []);
  return { label, ms: spread(runs.map((run) => run.ms)), peakBytes: peaks.length === 0 ? null : Math.max(...peaks) };
}

/** @throws RangeError where there is no value */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  if (low === undefined || high === undefined) throw new RangeError('no value to take a median of');
  return { median: (low + high) / 2, min: Math.min(...sorted), max: Math.max(...sorted) };
}
