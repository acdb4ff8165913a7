// One run from its first written record to its last: whatever happens in between, what stands on disk never says more
// than was proven by then.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { appendToLog, lastLogged } from '../report/drill-log.ts';
import { junitOf } from '../report/junit.ts';
import type { RunEvent } from '../run/execute.ts';
import { judge, notRun } from '../run/execute.ts';
import { type Finding, StepEnded } from '../run/finding.ts';
import { runFindings } from '../run/findings.ts';
import { withLock } from '../run/lock.ts';
import type { Plan } from '../run/plan.ts';
import { type DrillRun, type RecordedStep, writeDurably, writeRecord } from '../run/record.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { verdictOf } from '../run/verdict.ts';
import { drive, plannedCheck } from './drive.ts';

/** What the envelope of a record says before anything ran. */
export type Envelope = Pick<DrillRun, 'run' | 'kind' | 'application' | 'trigger' | 'operator' | 'host' | 'versions' | 'config' | 'clock' | 'scope' | 'process'>;

export interface RunOptions<Settings> {
  readonly root: string;
  readonly envelope: Envelope;
  /** `reports/`: holds out/, records/ and the drill log. */
  readonly reports: string;
  readonly scratchRoot: string;
  readonly drill: string;
  readonly checks: readonly string[];
  readonly plan: Plan;
  /** Plain data for the worker, once the scratch directory is known. */
  readonly settings: (scratch: string) => Settings;
  /** Leaves the database up and the scratch directory in place. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  /** What the start of this run found of earlier ones. */
  readonly found: readonly Finding[];
  readonly onEvent: (event: RunEvent, step: RecordedStep | undefined) => void;
}

export interface RunFiles {
  readonly directory: string;
  readonly record: string;
  readonly junit: string;
  readonly log: string;
}

const preparation = 'run.prepare';
const teardownStep = 'run.teardown';

export function filesOf(reports: string, run: string, kind: DrillRun['kind']): RunFiles {
  const directory = join(reports, 'out', run);
  return { directory, record: join(directory, 'record.json'), junit: join(directory, 'junit.xml'), log: kind === 'drill' ? join(reports, 'backup-drills.md') : join(reports, 'out', 'rehearsals.md') };
}

/** Runs the plan and the checks, tears down, writes every report. @throws only when not even a record could be written. */
export async function runSuite<Settings>(options: RunOptions<Settings>): Promise<DrillRun> {
  const files = filesOf(options.reports, options.envelope.run, options.envelope.kind);
  mkdirSync(files.directory, { recursive: true, mode: 0o755 });
  const steps = plannedSteps(options);
  const startedAt = new Date().toISOString();
  let scratchPath: string | null = null;
  const record = (ended: DrillRun['ended'], previous: string | null = null): DrillRun => ({
    format: 'backup-drills/record/1',
    ...options.envelope,
    startedAt,
    endedAt: ended === 'running' ? null : new Date().toISOString(),
    ended,
    // Until it has ended a run is inconclusive, whatever its steps say so far.
    verdict: ended === 'running' ? 'inconclusive' : verdictOf(steps, ended),
    steps,
    scratch: scratchPath,
    previous,
  });
  const tell = (id: string, findings: readonly Finding[], evidence: Record<string, unknown> | null, since = new Date()): void => {
    const step = settle(steps, id, findings, evidence, since);
    options.onEvent({ event: 'ended', step: id, result: step }, step);
  };

  writeRecord(files.record, record('running'));
  try {
    const scratch = openScratch({ root: options.scratchRoot, runId: options.envelope.run });
    scratchPath = scratch.path;
    tell(preparation, options.found, { scratch: scratch.path, reaped: options.found.length });
    writeRecord(files.record, record('running'));
    await drive({
      root: options.root,
      drill: options.drill,
      checks: options.checks,
      order: { journal: join(files.directory, 'journal.jsonl'), clockShiftMs: options.envelope.clock.shiftMs, settings: options.settings(scratch.path) },
      steps,
      signal: options.signal,
      onEvent: (event) => {
        if (event.event !== 'progress') writeRecord(files.record, record('running'));
        options.onEvent(event, 'step' in event ? steps.find((step) => step.id === event.step) : undefined);
      },
    });
    if (options.keep && !options.signal.aborted) scratch.keep();
  } catch (error) {
    if (!(error instanceof StepEnded)) throw error;
    tell(preparation, [...options.found, ...error.findings], { ...error.evidence });
  } finally {
    if (scratchPath !== null && !(options.keep && !options.signal.aborted)) {
      const since = new Date();
      const proof = await teardown(scratchPath);
      tell(teardownStep, proof.findings, { ...proof.evidence }, since);
    }
  }
  if (scratchPath === null) tell(teardownStep, [], { nothingToRemove: true });
  return finish(options, files, steps, record);
}

/** Every step of the run, each born not run. */
function plannedSteps<Settings>(options: RunOptions<Settings>): RecordedStep[] {
  const born = (id: string, part: RecordedStep['part'], title: string, compares = false): RecordedStep => ({ id, part, title, compares, ...notRun, findings: [], evidence: null });
  return [
    born(preparation, 'run', 'prepare a scratch directory'),
    ...options.plan.steps.map((step) => born(step.id, step.part, step.title, step.compares)),
    ...options.checks.map((file) => plannedCheck(options.root, file)),
    ...(options.keep ? [] : [born(teardownStep, 'run', 'tear down and prove that nothing is left')]),
  ];
}

/** The last record, the reports, the log line. A report that cannot be written takes the verdict away. */
async function finish<Settings>(options: RunOptions<Settings>, files: RunFiles, steps: RecordedStep[], record: (ended: DrillRun['ended'], previous?: string | null) => DrillRun): Promise<DrillRun> {
  const ended = options.signal.aborted ? 'interrupted' : 'finished';
  return withLock(join(options.reports, 'out', '.log'), {}, async () => {
    const final = record(ended, lastLogged(files.log));
    try {
      writeDurably(files.junit, junitOf(final));
      const sha256 = writeRecord(files.record, final);
      if (final.kind === 'drill') {
        mkdirSync(join(options.reports, 'records'), { recursive: true });
        writeDurably(join(options.reports, 'records', `${final.run}.json`), readFileSync(files.record, 'utf8'));
      }
      appendToLog(files.log, final, sha256);
      return final;
    } catch (error) {
      const failure = runFindings.find('run.report-unwritten', { path: (error as NodeJS.ErrnoException).path ?? files.directory, error: (error as NodeJS.ErrnoException).code ?? 'unknown' });
      steps.push({ id: 'run.report', part: 'run', title: 'write the reports', compares: false, ...notRun, ...judge([failure]), findings: [failure as RecordedStep['findings'][number]], evidence: null });
      const worse = record(ended);
      writeRecord(files.record, worse);
      return worse;
    }
  });
}

function settle(steps: RecordedStep[], id: string, findings: readonly Finding[], evidence: Record<string, unknown> | null, since: Date): RecordedStep {
  const index = steps.findIndex((step) => step.id === id);
  const step = steps[index];
  if (step === undefined) throw new Error(`step ${id} is not planned`);
  const settled: RecordedStep = { ...step, ...judge(findings), findings: findings.map((finding) => ({ ...finding, facts: finding.facts as RecordedStep['findings'][number]['facts'] })), startedAt: since.toISOString(), endedAt: new Date().toISOString(), evidence };
  steps[index] = settled;
  return settled;
}

