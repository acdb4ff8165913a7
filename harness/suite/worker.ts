// The worker's side of a run: the steps of a plan as vitest's tests, in order, in the one process that does the work.
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Executor } from '../run/execute.ts';
import { JournalWriter } from '../run/journal.ts';
import type { Plan } from '../run/plan.ts';

/** What the command hands to the worker: plain data. */
export interface WorkerOrder<Settings> {
  readonly journal: string;
  /** Added to the machine's clock, in ms: 0 but in a rehearsal. */
  readonly clockShiftMs: number;
  readonly settings: Settings;
}

declare module 'vitest' {
  interface ProvidedContext {
    order: string;
  }
  interface TaskMeta {
    /** The planned step that this test is. */
    step?: string;
  }
}

/** Declares one vitest test per step of the plan. Outcomes travel by the journal; vitest's own word must agree with it. */
export function suite(title: string, makePlan: (settings: never) => Plan): void {
  // The command planned from the same settings, so they are what the plan takes.
  const order = JSON.parse(inject('order')) as WorkerOrder<never>;
  const journal = new JournalWriter(order.journal);
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  const executor = new Executor({ signal: abort.signal, now: () => new Date(Date.now() + order.clockShiftMs), emit: journal.write });
  describe(title, () => {
    // Ctrl-C reaches the worker too: the stage at work then stops at its next chunk, and the command tears down.
    beforeAll(() => {
      journal.write({ event: 'worker', pid: process.pid });
      process.on('SIGINT', stop).on('SIGTERM', stop);
    });
    afterAll(() => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
    });
    for (const step of makePlan(order.settings).steps) {
      it(step.title, { meta: { step: step.id } }, async (test) => {
        const result = await executor.run(step);
        if (result.outcome === 'skipped') test.skip(result.reason ?? 'skipped');
        expect(result.outcome, result.reason ?? '').toBe('passed');
      });
    }
  });
}
