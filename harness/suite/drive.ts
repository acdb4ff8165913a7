// The command's side of a run: starts vitest on the drill and the operator's checks, and folds what the journal and
// vitest tell into the steps of the record. Both must agree before anything counts as passed.
import { relative } from 'node:path';
import { Writable } from 'node:stream';
import { setInterval } from 'node:timers';
import type { SerializedError } from 'vitest';
import { type Reporter, type TestCase, type TestModule, type TestSpecification, type Vitest, createVitest } from 'vitest/node';
import type { RunEvent, StepResult } from '../run/execute.ts';
import { brokenHarness, judge, notRun } from '../run/execute.ts';
import { runFindings } from '../run/findings.ts';
import { JournalReader } from '../run/journal.ts';
import type { RecordedStep } from '../run/record.ts';
import { redact } from '../run/redact.ts';
import { checkFindings } from './findings.ts';
import { bare, type Carried, setStep, takeEvent } from './steps.ts';

export interface DriveOptions<Settings> extends Carried<Settings> {
  /** The checkout. */
  readonly root: string;
  /** Absolute path of the drill file. */
  readonly drill: string;
  /** Absolute paths of check files. */
  readonly checks: readonly string[];
}

const journalEveryMs = 50;

/** The steps that stand for the check files until their tests are known: told by their titles, the files' own paths. */
export function plannedChecks(root: string, files: readonly string[]): RecordedStep[] {
  const steps: RecordedStep[] = [];
  for (const file of files) steps.push({ id: free(`check.${stem(file)}`, steps), part: 'database', title: relative(root, file), compares: false, ...bare(notRun) });
  return steps;
}

/** Runs the drill and the checks to their end. Afterwards every step that did not end by itself is still `errored`. */
export async function drive<Settings>(options: DriveOptions<Settings>): Promise<void> {
  const journal = new JournalReader(options.order.journal);
  const fold = new Fold(options);
  const read = (): void => journal.read().forEach((event) => fold.take(event));
  const timer = setInterval(read, journalEveryMs);
  const kill = (): void => fold.killWorker();
  options.signal.addEventListener('abort', kill, { once: true });
  process.on('newListener', refuseListener);
  let vitest: Vitest | undefined;
  try {
    vitest = await withDataDirectory(options.work, async () => makeVitest(options, fold));
    vitest.provide('order', JSON.stringify(options.order));
    if (!options.signal.aborted) await Promise.race([vitest.start([]), aborted(options.signal)]);
  } finally {
    options.signal.removeEventListener('abort', kill);
    // Only then: vitest stops its worker by itself, and would wait a minute for the answer of one that was killed meanwhile.
    if (options.signal.aborted) kill();
    // Read on meanwhile: a worker that had not told its pid yet is killed when it does, and without that never stops.
    await vitest?.close();
    clearInterval(timer);
    process.off('newListener', refuseListener);
    process.exitCode = undefined; // vitest sets it; the verdict alone decides the exit
    read();
    journal.close();
    fold.end();
  }
}

function makeVitest({ root, drill, checks }: Pick<DriveOptions<unknown>, 'root' | 'drill' | 'checks'>, reporter: Reporter): Promise<Vitest> {
  return createVitest(
    'test',
    {
      config: false,
      watch: false,
      root,
      include: [drill, ...checks],
      reporters: [reporter],
      pool: 'forks',
      maxWorkers: 1,
      fileParallelism: false,
      isolate: false,
      testTimeout: 0,
      hookTimeout: 0,
      teardownTimeout: 5_000,
      retry: 0,
      allowOnly: false,
      passWithNoTests: false,
      includeTaskLocation: true,
      expect: { requireAssertions: true },
      disableConsoleIntercept: false,
      cache: false,
      sequence: { sequencer: class { shard = (files: TestSpecification[]) => files; sort = (files: TestSpecification[]) => drillFirst(drill, files); }, hooks: 'stack' },
    } as Parameters<typeof createVitest>[1],
    { clearScreen: false, logLevel: 'silent', server: { watch: null } },
    // What a check prints may be a row, and stdout may be for the record alone.
    { stdout: nowhere(), stderr: nowhere() },
  );
}

type FoldOptions = Pick<DriveOptions<unknown>, 'root' | 'steps' | 'onEvent' | 'drill' | 'signal' | 'order'>;

class Fold implements Reporter {
  readonly #options: FoldOptions;
  readonly #agreed = new Set<string>();
  /** Steps whose result came from the worker. */
  readonly #journaled = new Set<string>();
  /** Tests of check files that have become steps. */
  readonly #taken = new Set<string>();
  #running: string | null = null;
  /** The first step that failed without a word in the journal, and the file system's reason. */
  #untold: { readonly step: string; readonly error: string } | null = null;
  #loose: SerializedError[] = [];
  #worker: number | null = null;

  constructor(options: FoldOptions) {
    this.#options = options;
  }

  take(event: RunEvent): void {
    if (event.event === 'worker') {
      this.#worker = event.pid;
      if (this.#options.signal.aborted) this.killWorker();
    }
    if (event.event === 'started') this.#running = event.step;
    if (event.event === 'ended') {
      this.#running = null;
      this.#journaled.add(event.step);
    }
    takeEvent(this.#options.steps, event);
    this.#options.onEvent(event);
  }

  /** SIGKILL: the worker may be in the middle of anything, and the command tears down after it. */
  killWorker(): void {
    if (this.#worker === null) return;
    try {
      process.kill(this.#worker, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    this.#worker = null;
  }

  /** So that a check which hangs is known by name. */
  onTestCaseReady(test: TestCase): void {
    const planned = this.#standIn(test.module);
    if (planned === undefined) return;
    const at = new Date().toISOString();
    this.#set(planned.id, { ...notRun, reason: `"${test.fullName}" has not ended`, startedAt: at });
    this.#options.onEvent({ event: 'started', step: planned.id, at });
  }

  onTestCaseResult(test: TestCase): void {
    const step = test.meta().step;
    if (step === undefined) this.#takeCheck(test);
    else this.#agreed.add(`${step} ${test.result().state}`);
    const code = test.result().errors?.[0]?.['code'];
    if (step !== undefined && typeof code === 'string') this.#untold ??= { step, error: code };
  }

  onTestModuleEnd(module: TestModule): void {
    if (module.moduleId === this.#options.drill) {
      const error = module.errors()[0];
      if (error !== undefined) this.#set(this.#options.steps[0]?.id ?? '', this.#result([brokenHarness('the drill file', Object.assign(new Error(error.message), { name: error.name ?? 'Error', stack: error.stack ?? '' }))]));
      return;
    }
    const file = relative(this.#options.root, module.moduleId);
    const planned = this.#standIn(module)?.id ?? '';
    const error = module.errors()[0];
    const tests = [...module.children.allTests()];
    // A test that vitest refused to run, or lost, has had no result of its own.
    for (const test of tests) if (!this.#taken.has(test.id)) this.#takeCheck(test);
    if (error !== undefined && !/^No test suite found/.test(error.message)) this.#settle(planned, this.#result([checkFindings.find('check.not-loaded', { file, line: null, error: redact(databaseError(error) ?? `${error.name}: ${error.message.split('\n')[0] ?? ''}`) })]));
    else if (tests.length === 0) this.#settle(planned, this.#result([checkFindings.find('check.empty', { file, line: null })]));
    else this.#settle(planned, null);
  }

  onTestRunEnd(_modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    this.#loose = [...unhandled];
  }

  /** The journal's `passed` stands only where vitest said so too. */
  end(): void {
    for (const [index, step] of this.#options.steps.entries()) {
      if (!this.#journaled.has(step.id) || step.outcome !== 'passed' || this.#agreed.has(`${step.id} passed`)) continue;
      this.#options.steps[index] = { ...step, outcome: 'errored', reason: 'the test runner did not confirm it' };
    }
    const lost = this.#running;
    const untold = this.#untold;
    if (untold !== null && (lost === null || lost === untold.step)) {
      this.take({ event: 'ended', step: untold.step, result: this.#result([runFindings.find('run.report-unwritten', { path: this.#options.order.journal, error: untold.error })]) });
      return;
    }
    if (lost !== null) {
      const step = this.#options.steps.find((candidate) => candidate.id === lost);
      // Killed by the command itself, it has not died of anything.
      const result = this.#options.signal.aborted ? { ...notRun, reason: 'interrupted', endedAt: new Date().toISOString() } : this.#result([runFindings.find('run.worker-died', { step: lost })]);
      this.take({ event: 'ended', step: lost, result: { ...result, startedAt: step?.startedAt ?? null } });
    }
    if (this.#options.signal.aborted || lost !== null) return;
    // A check file still has its stand-in: the process ended in the first of them.
    const left = this.#options.steps.find((step) => step.id.startsWith('check.') && step.endedAt === null && step.outcome === 'errored');
    if (left !== undefined) this.#settle(left.id, this.#result([runFindings.find('run.worker-died', { step: left.id })]));
    else for (const error of this.#loose) this.#takeLoose(error);
  }

  /** What nobody awaited: the tests may have passed, and something went wrong all the same. */
  #takeLoose(error: SerializedError): void {
    const path: unknown = error['VITEST_TEST_PATH'];
    const file = typeof path === 'string' ? relative(this.#options.root, path) : null;
    const result = this.#result([checkFindings.find('check.loose-error', { file, error: databaseError(error) ?? error.name ?? 'Error' })]);
    const id = free('check.loose-error', this.#options.steps);
    this.#options.steps.push({ id, part: 'database', title: 'catch every error', compares: false, ...bare(result) });
    this.#options.onEvent({ event: 'ended', step: id, result });
  }

  #takeCheck(test: TestCase): void {
    this.#taken.add(test.id);
    const file = relative(this.#options.root, test.module.moduleId);
    const place = { file, line: test.location?.line ?? null };
    const result = test.result();
    const error = result.errors?.[0];
    const planned = this.#standIn(test.module)?.id ?? `check.${stem(test.module.moduleId)}`;
    const id = `${planned}.${slug(test.fullName)}`;
    const evidence = { assertedBy: place.line === null ? file : `${file}:${place.line}`, durationMs: Math.round(test.diagnostic()?.duration ?? 0) };
    const verdict = ((): StepResult => {
      if (result.state === 'passed') return { ...this.#result([]), evidence };
      if (result.state === 'skipped') return { ...notRun, outcome: 'skipped', reason: redact((result as { note?: string }).note ?? 'skipped by the check itself') };
      if (error === undefined || result.state !== 'failed') return this.#result([checkFindings.find('check.broken', { ...place, check: test.fullName, error: 'it never ended' })]);
      if (/expected any number of assertion/.test(error.message)) return this.#result([checkFindings.find('check.asserts-nothing', { ...place, check: test.fullName })]);
      if (error.name !== 'AssertionError') return this.#result([checkFindings.find('check.broken', { file, line: error.stacks?.find((frame) => frame.file === test.module.moduleId)?.line ?? place.line, check: test.fullName, error: databaseError(error) ?? error.name ?? 'Error' })]);
      return { ...this.#result([checkFindings.find('check.failed', { ...place, check: test.fullName, expected: harmless(error.expected), actual: harmless(error.actual) })]), evidence };
    })();
    const at = this.#options.steps.findIndex((step) => step.id === planned);
    const began = test.diagnostic()?.startTime;
    const step: RecordedStep = { id: free(id, this.#options.steps), part: 'database', title: `${test.fullName} (${file})`, compares: false, ...bare(verdict), ...(began === undefined ? {} : { startedAt: new Date(began).toISOString(), endedAt: new Date(began + (test.diagnostic()?.duration ?? 0)).toISOString() }) };
    this.#options.steps.splice(at === -1 ? this.#options.steps.length : at, 0, step);
    this.#options.onEvent({ event: 'ended', step: step.id, result: verdict });
  }

  #standIn(module: TestModule): RecordedStep | undefined {
    const file = relative(this.#options.root, module.moduleId);
    return this.#options.steps.find((step) => step.id.startsWith('check.') && step.title === file);
  }

  #result(findings: Parameters<typeof judge>[0]): StepResult {
    const at = new Date().toISOString();
    return { ...judge(findings), startedAt: at, endedAt: at, evidence: null };
  }

  #set(id: string, result: StepResult): void {
    setStep(this.#options.steps, id, result);
  }

  /** Ends a check file's stand-in: with a result of its own, or, since its tests stand beside it, by taking it away. */
  #settle(id: string, result: StepResult | null): void {
    const index = this.#options.steps.findIndex((step) => step.id === id);
    if (index === -1) return;
    if (result === null) {
      this.#options.steps.splice(index, 1);
      return;
    }
    this.#set(id, result);
    this.#options.onEvent({ event: 'ended', step: id, result });
  }
}

/**
 * vitest listens to signals and, a millisecond after the first, ends the process; an exception of ours it would end with 1,
 * which here means "unverified". Both are the command's own: what another adds meanwhile is taken off before it can be called.
 */
function refuseListener(event: string | symbol, listener: (...words: unknown[]) => void): void {
  if (['SIGINT', 'SIGTERM', 'SIGHUP', 'unhandledRejection', 'uncaughtException'].includes(String(event))) queueMicrotask(() => process.off(event, listener));
}

/** vitest makes a token for an API that nobody serves here, in the user's home or in node_modules, and ends where it can write to neither. */
async function withDataDirectory<T>(directory: string, make: () => Promise<T>): Promise<T> {
  const name = process.platform === 'darwin' ? 'HOME' : 'XDG_DATA_HOME';
  const before = process.env[name];
  process.env[name] = directory;
  try {
    return await make();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });
const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
const stem = (file: string): string => slug((file.split('/').at(-1) ?? file).replace(/\.check\.[cm]?[jt]s$/, ''));
const slug = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-|-$/g, '') || 'unnamed';
const drillFirst = (drill: string, files: TestSpecification[]): TestSpecification[] => files.toSorted((a, b) => Number(b.moduleId === drill) - Number(a.moduleId === drill) || a.moduleId.localeCompare(b.moduleId, 'en'));

/** Assertion values may be a row's: only booleans, null and numbers are told, and of these none as long as a telephone's. */
const harmless = (value: unknown): string | null => (/^(?:-?\d{1,9}(?:\.\d{1,9})?n?|true|false|null|undefined)$/.test(String(value).replaceAll(/^["']|["']$/g, '')) ? String(value) : null);

/** A database error's text may quote a row: only its SQLSTATE is told. Any other's may too (`JSON.parse`), once there are rows. */
function databaseError(error: object): string | null {
  return 'code' in error && 'severity' in error && typeof error.code === 'string' ? `database error, SQLSTATE ${error.code}` : null;
}

/** The id, or the next one with a number that no step has yet. */
function free(id: string, steps: readonly RecordedStep[]): string {
  let free = id;
  for (let count = 2; steps.some((step) => step.id === free); count += 1) free = `${id}-${count}`;
  return free;
}
