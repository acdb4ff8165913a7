// The verdict of a run, and the one map of exit codes.
import type { Outcome } from './execute.ts';

export type Verdict = 'verified' | 'unverified' | 'inconclusive';

/** How a run came to its end; anything but `finished` leaves it inconclusive at best. */
export type Ended = 'running' | 'finished' | 'interrupted' | 'abandoned';

export const exitCodes: Readonly<Record<Verdict, 0 | 1 | 2>> = { verified: 0, unverified: 1, inconclusive: 2 };

/**
 * Any failed step: unverified. Else any step that is not passed, an end that is none, or nothing that was compared
 * with the time of the dump: inconclusive. Only else verified.
 */
export function verdictOf(steps: readonly { readonly outcome: Outcome; readonly compares: boolean }[], ended: Ended): Verdict {
  if (steps.some((step) => step.outcome === 'failed')) return 'unverified';
  if (ended !== 'finished') return 'inconclusive';
  if (steps.some((step) => step.outcome !== 'passed')) return 'inconclusive';
  if (!steps.some((step) => step.compares)) return 'inconclusive';
  return 'verified';
}
