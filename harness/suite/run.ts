// One run from its first written record to its last: whatever happens in between, what stands on disk never says more
// than was proven by then.
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { appendToLog, lastLogged } from '../report/log.ts';
import { junitOf } from '../report/junit.ts';
import type { RunEvent } from '../run/execute.ts';
import { brokenHarness, judge, notRun } from '../run/execute.ts';
import { findAbandoned } from '../run/abandoned.ts';
import { type Finding, StepEnded } from '../run/finding.ts';
import { runFindings } from '../run/findings.ts';
import { withLock } from '../run/lock.ts';
import type { Plan } from '../run/plan.ts';
import { type DrillRun, type RecordedStep, recordText, writeDurably, writeRecord } from '../run/record.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { verdictOf } from '../run/verdict.ts';
import type { Carried } from './steps.ts';

/** What the envelope of a record says before anything ran. */
export type Envelope = Pick<DrillRun, 'run' | 'kind' | 'application' | 'trigger' | 'operator' | 'host' | 'versions' | 'config' | 'clock' | 'scope' | 'process'>;

export interface RunOptions<Settings> {
  readonly envelope: Envelope;
  /** `reports/`: holds out/, records/ and the logs. */
  readonly reports: string;
  readonly scratchRoot: string;
  readonly plan: Plan;
  /** Steps that stand for what turns up on the way: the operator's check files. */
  readonly more: readonly RecordedStep[];
  /** Carries the plan out. Afterwards every step that did not end by itself is still `errored`. */
  readonly carry: (run: Carried<Settings>) => Promise<void>;
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
  /** The record where git keeps it. A rehearsal's goes nowhere, and neither does a check's: there are too many. */
  readonly committed: string | null;
}

const preparation = 'run.prepare';
const teardownStep = 'run.teardown';
const teardownTitle = 'tear down and prove that nothing is left';

export function filesOf(reports: string, run: string, kind: DrillRun['kind']): RunFiles {
  const directory = join(reports, 'out', run);
  const logs = { drill: join(reports, 'backup-drills.md'), rehearsal: join(reports, 'out', 'rehearsals.md'), check: join(reports, 'backup-checks.md'), 'check-rehearsal': join(reports, 'out', 'check-rehearsals.md') };
  return { directory, record: join(directory, 'record.json'), junit: join(directory, 'junit.xml'), log: logs[kind], committed: kind === 'drill' ? join(reports, 'records', `${run}.json`) : null };
}

/** Has the plan carried out, tears down, writes every report. @throws only when not even a record could be written. */
export async function runSuite<Settings>(options: RunOptions<Settings>): Promise<DrillRun> {
  const files = filesOf(options.reports, options.envelope.run, options.envelope.kind);
  mkdirSync(files.directory, { recursive: true, mode: 0o755 });
  const steps = plannedSteps(options);
  const startedAt = new Date().toISOString();
  let scratchPath: string | null = null;
  let kept = false;
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
  /** On the way a full disk stops nothing, least of all the teardown: that the last record is written decides. */
  const note = (): void => {
    try {
      writeRecord(files.record, record('running'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  };

  writeRecord(files.record, record('running'));
  try {
    const scratch = openScratch({ root: options.scratchRoot, runId: options.envelope.run });
    scratchPath = scratch.path;
    tell(preparation, options.found, { scratch: scratch.path, reaped: options.found.length });
    note();
    await options.carry({
      work: scratch.work,
      order: { journal: join(files.directory, 'journal.jsonl'), clockShiftMs: options.envelope.clock.shiftMs, settings: options.settings(scratch.path) },
      steps,
      signal: options.signal,
      onEvent: (event) => {
        if (event.event !== 'progress') note();
        options.onEvent(event, 'step' in event ? steps.find((step) => step.id === event.step) : undefined);
      },
    });
    if (options.keep && !options.signal.aborted) {
      scratch.keep();
      kept = true;
    }
  } catch (error) {
    const findings = error instanceof StepEnded ? error.findings : [brokenHarness('the run of the suite', error)];
    tell(preparation, [...options.found, ...findings], error instanceof StepEnded ? { ...error.evidence } : null);
  } finally {
    if (options.keep && !kept) steps.push(born(teardownStep, 'run', teardownTitle));
    if (scratchPath !== null && !kept) {
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
  return [
    born(preparation, 'run', 'prepare a scratch directory'),
    ...options.plan.steps.map((step) => born(step.id, step.part, step.title, step.compares)),
    ...options.more,
    ...(options.keep ? [] : [born(teardownStep, 'run', teardownTitle)]),
  ];
}

const born = (id: string, part: RecordedStep['part'], title: string, compares = false): RecordedStep => ({ id, part, title, compares, ...notRun, findings: [], evidence: null });

/** The last record, the reports, the log line. A report that cannot be written takes the verdict away. */
async function finish<Settings>(options: RunOptions<Settings>, files: RunFiles, steps: RecordedStep[], record: (ended: DrillRun['ended'], previous?: string | null) => DrillRun): Promise<DrillRun> {
  const ended = options.signal.aborted ? 'interrupted' : 'finished';
  try {
    return await withLock(logLock(options.reports), {}, async () => {
      const final = record(ended, lastLogged(files.log));
      writeRecord(files.record, final);
      lay(files, final);
      return final;
    });
  } catch (error) {
    const findings = unwritten(files, error);
    steps.push({ ...born('run.report', 'run', 'write the reports'), ...judge(findings), findings: findings as RecordedStep['findings'] });
    const worse = record(ended);
    writeRecord(files.record, worse);
    // What was written before the one that failed must not look better than the record.
    for (const [path, text] of [[files.junit, junitOf(worse)], [files.committed, recordText(worse).text]] as const) {
      try {
        if (path !== null && (path === files.junit || existsSync(path))) writeDurably(path, text);
      } catch {
        // It is the one that failed, or is as unwritable: the record and the exit code tell.
      }
    }
    return worse;
  }
}

/** Lays down what stays of a run beside its record, the line in the log last. */
function lay(files: RunFiles, final: DrillRun): void {
  const { text, sha256 } = recordText(final);
  writeDurably(files.junit, junitOf(final));
  if (files.committed !== null) {
    mkdirSync(dirname(files.committed), { recursive: true });
    writeDurably(files.committed, text);
  }
  appendToLog(files.log, final, sha256);
}

/** Logs each run that never ended, once, whichever of several runs comes to it first; and says where they had their scratch. */
export async function logAbandoned(reports: string): Promise<{ readonly found: readonly Finding[]; readonly roots: readonly string[] }> {
  const out = join(reports, 'out');
  const found: Finding[] = [];
  const roots: string[] = [];
  if (!existsSync(out)) return { found, roots };
  let files: RunFiles | null = null;
  try {
    await withLock(logLock(reports), {}, async () => {
      const { abandoned, unreadable } = findAbandoned(out);
      found.push(...unreadable);
      for (const { record, finding } of abandoned) {
        files = filesOf(reports, record.run, record.kind);
        if (record.scratch !== null) roots.push(dirname(record.scratch));
        const chained = { ...record, previous: lastLogged(files.log) };
        lay(files, chained);
        // Only now: what could not be logged is found again by the next run.
        writeRecord(files.record, chained);
        found.push(finding);
      }
    });
  } catch (error) {
    found.push(...unwritten(files ?? filesOf(reports, '', 'drill'), error));
  }
  return { found, roots };
}

const logLock = (reports: string): string => join(reports, 'out', '.log');

/** Why a report was not written. @throws the error, where the file system did not refuse anything. */
function unwritten(files: RunFiles, error: unknown): readonly Finding[] {
  if (error instanceof StepEnded) return error.findings;
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return [runFindings.find('run.report-unwritten', { path: path ?? files.directory, error: code })];
}

function settle(steps: RecordedStep[], id: string, findings: readonly Finding[], evidence: Record<string, unknown> | null, since: Date): RecordedStep {
  const index = steps.findIndex((step) => step.id === id);
  const step = steps[index];
  if (step === undefined) throw new Error(`step ${id} is not planned`);
  const settled: RecordedStep = { ...step, ...judge(findings), findings: findings.map((finding) => ({ ...finding, facts: finding.facts as RecordedStep['findings'][number]['facts'] })), startedAt: since.toISOString(), endedAt: new Date().toISOString(), evidence };
  steps[index] = settled;
  return settled;
}

