// Carries a plan out in the command's own process: for what runs no code of the operator's and starts no server. A test
// runner and a second process would cost more than such a check itself does.
import { Executor } from '../run/execute.ts';
import type { Plan } from '../run/plan.ts';
import { type Carried, takeEvent } from './steps.ts';

/** Runs the steps in order, up to a signal. Afterwards every step that did not end by itself is still `errored`. */
export async function carryHere<Settings>(makePlan: (settings: Settings) => Plan, { order, steps, signal, onEvent }: Carried<Settings>): Promise<void> {
  const executor = new Executor({
    signal,
    now: () => new Date(Date.now() + order.clockShiftMs),
    emit: (event) => {
      takeEvent(steps, event);
      onEvent(event);
    },
  });
  for (const step of makePlan(order.settings).steps) {
    if (signal.aborted) return;
    await executor.run(step);
  }
}
