// The recorded steps while a run goes on: whoever carries the plan out, what it tells is taken in here.
import type { RunEvent, StepResult } from '../run/execute.ts';
import { notRun } from '../run/execute.ts';
import type { RecordedStep } from '../run/record.ts';
import type { WorkerOrder } from './worker.ts';

/** A run whose plan is to be carried out. */
export interface Carried<Settings> {
  /** A directory that goes with the run. */
  readonly work: string;
  readonly order: WorkerOrder<Settings>;
  /** The planned steps, each born not run; updated in place of the array as the run goes on. */
  readonly steps: RecordedStep[];
  readonly signal: AbortSignal;
  /** Called for every event, after `steps` took it in. */
  readonly onEvent: (event: RunEvent) => void;
}

/** A result as the record has it. */
export const bare = (result: StepResult): Omit<RecordedStep, 'id' | 'part' | 'title' | 'compares'> => ({ ...result, findings: result.findings.map((finding) => ({ ...finding, facts: finding.facts as RecordedStep['findings'][number]['facts'] })), evidence: result.evidence === null ? null : { ...result.evidence } });

export function setStep(steps: RecordedStep[], id: string, result: StepResult): void {
  const index = steps.findIndex((step) => step.id === id);
  const step = steps[index];
  if (step !== undefined) steps[index] = { ...step, ...bare(result) };
}

/** Takes in that a step began, or how it ended. */
export function takeEvent(steps: RecordedStep[], event: RunEvent): void {
  if (event.event === 'started') setStep(steps, event.step, { ...notRun, reason: 'not ended', startedAt: event.at });
  if (event.event === 'ended') setStep(steps, event.step, event.result);
}
