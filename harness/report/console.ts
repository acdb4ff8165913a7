// What a person sees: a line per step, live progress while one runs, and at the end what came out and what to do.
import type { Progress } from '../run/plan.ts';
import type { RunEvent } from '../run/execute.ts';
import type { DrillRun, RecordedStep } from '../run/record.ts';
import { figuresOf } from './figures.ts';
import { bytes, duration, printable, verdictWithScope } from './words.ts';

export interface ConsoleOptions {
  readonly out: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  readonly colour: boolean;
  readonly quiet: boolean;
}

const plainEveryMs = 10_000;
const marks = { passed: 'ok  ', failed: 'FAIL', errored: 'ERR ', skipped: 'skip' } as const;
const colours = { passed: 32, failed: 31, errored: 33, skipped: 33, verified: 32, unverified: 31, inconclusive: 33, dim: 2 } as const;

/** Prints a run as it goes: a moving line on a terminal, plain lines elsewhere. */
export class ConsoleReport {
  readonly #options: ConsoleOptions;
  #live = false;
  /** The last reason for a choice that was printed: two servers may have the same. */
  #chosen = '';
  #running: { step: RecordedStep; since: number; said: number } | null = null;

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  say(text: string): void {
    if (!this.#options.quiet) this.#line(text);
  }

  /** Takes one event, and the step it speaks of as the record has it by now. */
  take(event: RunEvent, step: RecordedStep | undefined): void {
    if (step === undefined || this.#options.quiet) return;
    if (event.event === 'started') {
      this.#running = { step, since: Date.now(), said: Date.now() };
      if (this.#isTerminal()) this.#paint(`…      ${printable(step.title)}`);
    }
    if (event.event === 'progress') this.#progress(event.progress);
    if (event.event === 'ended') {
      this.#running = null;
      const took = step.startedAt === null || step.endedAt === null ? '' : ` ${this.#dim(duration(Date.parse(step.endedAt) - Date.parse(step.startedAt)))}`;
      this.#line(`${this.#colour(step.outcome, marks[step.outcome])} ${printable(step.title)}${took}${step.outcome === 'skipped' ? this.#dim(`  ${printable(step.reason ?? '')}`) : ''}`);
      const chosen = step.evidence?.['chosen'];
      if (typeof chosen === 'string' && chosen !== this.#chosen) this.#line(`     ${this.#dim(printable(chosen))}`);
      if (typeof chosen === 'string') this.#chosen = chosen;
      for (const finding of step.findings) {
        this.#line(`     ${finding.severity} ${finding.code}: ${printable(finding.message)}`);
        this.#line(`     ${this.#dim('->')} ${printable(finding.hint)}`);
      }
    }
  }

  /** The end: verdict with its scope, which set, how old, how long, what to do, where the reports are. */
  end(record: DrillRun, files: readonly (readonly [string, string])[], after: readonly string[]): void {
    const figures = figuresOf(record);
    const counts = (['passed', 'failed', 'errored', 'skipped'] as const).map((outcome) => `${record.steps.filter((step) => step.outcome === outcome).length} ${outcome}`);
    this.#line('');
    this.#line(this.#colour(record.verdict, verdictWithScope(record)));
    const set = figures.set === null ? 'no set was chosen' : `set ${figures.set}`;
    const isCheck = record.kind === 'check' || record.kind === 'check-rehearsal';
    const ageMs = figures.rpoMs ?? figures.ageMs;
    const age = ageMs === null ? 'age not measured' : `snapshot ${duration(ageMs)} old${figures.rpoMs === null ? '' : ' (RPO)'}`;
    const took = isCheck ? 'read, not restored' : figures.restoreMs === null ? 'not restored' : `restored in ${duration(figures.restoreMs)} (a lower bound on the RTO)`;
    this.#line(`${record.kind} · ${set} · ${age} · ${took}`);
    this.#line(`${record.steps.length} step${record.steps.length === 1 ? '' : 's'}: ${counts.join(', ')}${record.endedAt === null ? '' : ` · ${duration(Date.parse(record.endedAt) - Date.parse(record.startedAt))} in all`}`);
    // Where nothing was printed on the way, a warning would never be read.
    const told = (severity: string): boolean => severity === 'error' || (this.#options.quiet && severity === 'warning');
    const todo = record.steps.flatMap((step) => step.findings.filter((finding) => told(finding.severity)).map((finding) => ({ step, finding })));
    const silent = record.steps.filter((step) => step.outcome !== 'passed' && !step.findings.some((finding) => finding.severity === 'error'));
    if (todo.length > 0) this.#line('\nWhat to do:');
    for (const { step, finding } of todo) {
      this.#line(`  ${finding.code} (${step.id}): ${printable(finding.message)}`);
      this.#line(`    ${printable(finding.hint)}`);
    }
    const [first] = silent;
    if (record.ended === 'interrupted') this.#line('\nInterrupted before its end: start it again.');
    else if (todo.length === 0 && first !== undefined && record.verdict !== 'verified') this.#line(`\nNot proven: ${printable(`${first.id} (${first.reason ?? 'no reason'})`)}${silent.length === 1 ? '' : `, and ${silent.length - 1} more`}`);
    this.#line('');
    for (const [name, path] of files) this.#line(`${name.padEnd(9)}${path}`);
    for (const line of after) this.#line(line);
  }

  #progress(progress: Progress): void {
    const running = this.#running;
    if (running === null) return;
    const since = Date.now() - running.since;
    // What is about to be fetched is said at once, in a log too.
    const begins = progress.unit === 'bytes' && progress.done === 0;
    if (!this.#isTerminal() && !begins && Date.now() - running.said < plainEveryMs) return;
    running.said = Date.now();
    const count = (amount: number): string => (progress.unit === 'bytes' ? bytes(amount) : `${amount.toLocaleString('en')} ${progress.unit}`);
    const share = progress.total !== null && progress.total > 0 ? ` ${Math.floor((100 * progress.done) / progress.total)} %` : '';
    const of = progress.total === null ? '' : ` of ${count(progress.total)}`;
    const rate = since > 1000 && progress.unit === 'bytes' ? `, ${bytes((1000 * progress.done) / since)}/s` : '';
    const what = progress.what === undefined ? '' : ` · ${printable(progress.what)}`;
    this.#paint(`…${share.padStart(5)} ${printable(running.step.title)}: ${count(progress.done)}${of}${rate}, ${duration(since)}${what}`);
  }

  /** The moving line on a terminal; elsewhere a line of its own. */
  #paint(text: string): void {
    if (!this.#isTerminal()) {
      this.#options.out.write(`${text}\n`);
      return;
    }
    const width = (this.#options.out.columns ?? 80) - 1;
    this.#options.out.write(`\r\u001B[2K${text.slice(0, width)}`);
    this.#live = true;
  }

  #line(text: string): void {
    this.#options.out.write(`${this.#live ? '\r\u001B[2K' : ''}${text}\n`);
    this.#live = false;
  }

  #isTerminal(): boolean {
    return this.#options.out.isTTY === true && this.#options.colour;
  }
  #colour(name: keyof typeof colours, text: string): string {
    return this.#options.colour ? `\u001B[${colours[name]}m${text}\u001B[0m` : text;
  }
  #dim(text: string): string {
    return this.#colour('dim', text);
  }
}
