// Runs the steps of a plan, one at a time. Knows no test runner: the drill's suites and the real restore both use it.
import type { Finding } from './finding.ts';
import { StepEnded } from './finding.ts';
import { runFindings } from './findings.ts';
import type { Plan, Progress, Step, StepContext } from './plan.ts';
import { redact, redactFinding } from './redact.ts';

export type Outcome = 'passed' | 'failed' | 'errored' | 'skipped';

/** What became of one step. Instants are ISO 8601 in UTC, of the machine's own clock. */
export interface StepResult {
  readonly outcome: Outcome;
  /** Why it is not `passed`, in a phrase; null when it is. */
  readonly reason: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly findings: readonly Finding[];
  /** Measured facts, of the step's own schema. */
  readonly evidence: Readonly<Record<string, unknown>> | null;
}

/** What a run tells while it goes on, in order. */
export type RunEvent =
  | { readonly event: 'worker'; readonly pid: number }
  | { readonly event: 'started'; readonly step: string; readonly at: string }
  | { readonly event: 'progress'; readonly step: string; readonly progress: Progress }
  | { readonly event: 'ended'; readonly step: string; readonly result: StepResult };

/** How every planned step is born: nothing proven is not a pass. */
export const notRun: StepResult = { outcome: 'errored', reason: 'not run', startedAt: null, endedAt: null, findings: [], evidence: null };

export interface ExecutorOptions {
  readonly signal: AbortSignal;
  /** The run's clock, in UTC. */
  readonly now: () => Date;
  readonly emit: (event: RunEvent) => void;
}

const progressEveryMs = 100;

export class Executor {
  readonly #values = new Map<string, unknown>();
  readonly #results = new Map<string, StepResult>();
  readonly #options: ExecutorOptions;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Runs every step of the plan in order, as the real restore does. */
  async runAll(plan: Plan): Promise<void> {
    for (const step of plan.steps) await this.run(step);
  }

  /** Runs one step, if what it needs is there. Never throws: what goes wrong is its result. */
  async run(step: Step): Promise<StepResult> {
    const startedAt = new Date().toISOString();
    this.#options.emit({ event: 'started', step: step.id, at: startedAt });
    const result = await this.#attempt(step, startedAt);
    this.#results.set(step.id, result);
    this.#options.emit({ event: 'ended', step: step.id, result });
    return result;
  }

  async #attempt(step: Step, startedAt: string): Promise<StepResult> {
    const blocker = Object.values(step.needs).find((id) => !this.#values.has(id));
    const ended = (part: Omit<StepResult, 'startedAt' | 'endedAt'>): StepResult => ({ ...part, startedAt, endedAt: new Date().toISOString() });
    if (blocker !== undefined) {
      const outcome = this.#results.get(blocker)?.outcome ?? 'errored';
      return ended({ outcome: 'skipped', reason: `needs ${blocker}, which is ${outcome}`, findings: [], evidence: null });
    }
    try {
      this.#options.signal.throwIfAborted();
      const inputs = Object.fromEntries(Object.entries(step.needs).map(([name, id]) => [name, this.#values.get(id)]));
      const done = await step.run(inputs, this.#context(step));
      // A stage that overlooks an abort must not pass on half of its work.
      this.#options.signal.throwIfAborted();
      const evidence = step.evidence.safeParse(done.evidence);
      const findings = (done.findings ?? []).map(redactFinding);
      if (!evidence.success) {
        return ended({ ...judge([...findings, runFindings.find('run.evidence-invalid', { step: step.id, problem: evidence.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`) })]), evidence: null });
      }
      if ('value' in done) this.#values.set(step.id, done.value);
      return ended({ ...judge(findings), evidence: evidence.data as Record<string, unknown> });
    } catch (error) {
      if (this.#options.signal.aborted) {
        return ended({ outcome: 'errored', reason: 'interrupted', findings: [], evidence: null });
      }
      if (error instanceof StepEnded) return ended({ ...judge(error.findings.map(redactFinding)), evidence: error.evidence });
      return ended({ ...judge([redactFinding(brokenHarness(step.id, error))]), evidence: null });
    }
  }

  #context(step: Step): StepContext {
    let last = 0;
    return {
      signal: this.#options.signal,
      now: this.#options.now,
      progress: (progress) => {
        const at = performance.now();
        if (at - last < progressEveryMs) return;
        last = at;
        this.#options.emit({ event: 'progress', step: step.id, progress });
      },
    };
  }
}

/** The outcome that findings give: a defect fails a step, an obstacle alone errs it. */
export function judge(findings: readonly Finding[]): Pick<StepResult, 'outcome' | 'reason' | 'findings'> {
  const errors = findings.filter((finding) => finding.severity === 'error');
  const worst = errors.find((finding) => finding.judged) ?? errors[0];
  if (worst === undefined) return { outcome: 'passed', reason: null, findings };
  return { outcome: worst.judged ? 'failed' : 'errored', reason: worst.message, findings };
}

/**
 * The finding for an exception that no stage foresaw. A database error's own text may quote a row,
 * so of such an error only the SQLSTATE is told.
 */
export function brokenHarness(step: string, error: unknown): Finding {
  if (!(error instanceof Error)) return runFindings.find('run.broken', { step, error: typeof error, where: null });
  const state = 'code' in error && 'severity' in error ? String(error.code) : null;
  const where = /\n\s+at (?:.*\()?(?:file:\/\/)?[^\n]*?((?:harness|checks|drills|fixtures)\/[^\n)]+)/.exec(error.stack ?? '')?.[1] ?? null;
  const text = state === null ? redact(`${error.name}: ${error.message.split('\n')[0] ?? ''}`) : `database error, SQLSTATE ${state}`;
  return runFindings.find('run.broken', { step, error: text, where });
}
