// What every command that runs a plan shares, from its words to its exit code: configuration, envelope, signals, what is
// printed, and what stands in the way before anything is begun. The record, the scratch directory, the reports and the
// teardown are `runSuite`'s.
import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { join, relative } from 'node:path';
import type { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { type Loaded, type LoadOptions, loadConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import { ConsoleReport } from '../report/console.ts';
import type { Finding } from '../run/finding.ts';
import type { DrillRun } from '../run/record.ts';
import { thisProcess } from '../run/register-processes.ts';
import { reapAbandoned } from '../run/teardown-reap.ts';
import { exitCodes } from '../run/verdict.ts';
import { whereIs } from '../stores/config.ts';
import { filesOf, logAbandoned, type RunFiles, type RunOptions, runSuite } from '../suite/run.ts';
import { rehearsalClockShiftMs } from '../unit/rehearsal-clock.ts';
import { liveWords } from '../unit/rehearsal-live.ts';

/** The checkout. */
export const root = join(import.meta.dirname, '..', '..');

/** The words that all of these commands know. */
export interface RunWords {
  readonly config?: string;
  readonly store?: string;
  readonly from?: string;
  readonly date?: string;
  readonly real?: true;
  readonly quiet?: true;
  readonly json?: true;
  readonly trigger: string;
}

/** One run as its command plans it. */
export interface PlannedRun<Settings> extends Pick<RunOptions<Settings>, 'plan' | 'more' | 'carry' | 'settings' | 'keep'> {
  readonly kind: DrillRun['kind'];
  readonly scope: DrillRun['scope'];
  /** A rehearsal on a backup that it takes itself, by the machine's own clock. */
  readonly live?: boolean;
  /** The container engine on which the leavings of lost runs are looked for; null: none is asked. */
  readonly engine: string | null;
  /** What the reader most likely wants to do next. */
  readonly afterwards: (record: DrillRun) => readonly string[];
}

/** Declares `--config`, `--store`, `--from` and, where it is about one set, `--date`; `verb` is what the command does to a store. */
export function sourceOptions(command: Command, verb: string, { oneSet = true } = {}): Command {
  command
    .option('--config <file>', 'configuration file (default: drill.config.ts)')
    .option('--store <dir>', `${verb} this directory instead of the configured stores`)
    .option('--from <name>', `which of the configured stores to ${verb} (default: the first)`);
  return oneSet ? command.option('--date <date>', `${verb} the set of this UTC day, or of this set id`) : command;
}

export function reportOptions(command: Command): Command {
  return command
    .option('--real', 'refuse to rehearse: for schedules, which mean real backups')
    .option('--trigger <name>', 'what started the run, for the record', process.env['CI'] === undefined ? 'manual' : 'ci')
    .option('--quiet', 'print the end only')
    .option('--json', 'print the record as JSON on stdout, progress on stderr (with npm run --silent)');
}

/** The configuration that the words name, or null, once it is said why there is none. */
export async function load({ config, store, from }: RunWords, overrides: LoadOptions['overrides'] = {}): Promise<Loaded | null> {
  if (store !== undefined && from !== undefined) {
    complain('--store and --from exclude each other: a directory, or the name of a configured store');
    return null;
  }
  try {
    return await loadConfig({ environment: process.env, cwd: process.env['INIT_CWD'] ?? process.cwd(), file: config ?? join(root, 'drill.config.ts'), overrides: { ...(store === undefined ? {} : { store }), ...overrides } });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complain(error.message);
    return null;
  }
}

/** Why the words and the configuration do not go together, or null. @param oneSet the options that choose among sets, where given */
export function refusal({ from, real }: RunWords, { config, file }: Loaded, oneSet: string | null): string | null {
  if (from !== undefined && !config.stores.some((store) => store.name === from)) return `no store is named '${from}'; ${config.stores.length === 0 ? 'none is configured' : `there are: ${config.stores.map((store) => store.name).join(', ')}`}`;
  if (config.mode !== 'rehearsal') return null;
  if (real === true) return `--real refuses to rehearse: ${relative(process.cwd(), file)} names no stores. Write stores: [{ name: 'local', kind: 'directory', path: '/var/backups/…' }] there, or give --store DIR.`;
  return oneSet === null ? null : `a rehearsal has one set: ${oneSet} real stores, in the configuration or by --store DIR.`;
}

/** Runs it to its end and reports. @returns the exit code */
export async function oneRun<Settings>(words: RunWords, { config, file, digest }: Loaded, planned: PlannedRun<Settings>): Promise<number> {
  const startedAt = new Date();
  const run = `${startedAt.toISOString().slice(0, 19).replaceAll(':', '')}Z-${randomBytes(2).toString('hex')}`;
  const rehearsal = config.mode === 'rehearsal';
  const live = planned.live === true;
  const shiftMs = rehearsal && !live ? rehearsalClockShiftMs(startedAt) : 0;
  const report = consoleReport(words);
  report.say(`${planned.kind} of ${config.application} · run ${run}`);
  if (live) report.say(`${liveWords}: this proves the script and the harness, none of your backups.`);
  else if (rehearsal) report.say(`Sample data, and a clock set to ${new Date(startedAt.getTime() + shiftMs).toISOString().slice(0, 16).replace('T', ' ')} UTC: this proves the harness, none of your backups.`);
  else for (const store of config.stores.filter((one, at) => (words.from === undefined ? at === 0 : one.name === words.from))) report.say(`from ${store.name}: ${whereIs(store)}`);
  report.say('');
  try {
    const record = await untilSignal(report, async (signal) => runSuite({
      ...planned,
      envelope: {
        run,
        kind: planned.kind,
        application: config.application,
        trigger: words.trigger,
        operator: operator(),
        host: hostname(),
        versions: { 'backup-drills': packageJson.version, node: process.versions.node, platform: `${process.platform}-${process.arch}` },
        config: { file: relative(root, file), digest },
        clock: { shiftMs },
        scope: planned.scope,
        process: thisProcess(),
      },
      reports: config.reports,
      scratchRoot: config.scratch,
      signal,
      found: await lookBack(config.reports, config.scratch, planned.engine),
      onEvent: (event, step) => report.take(event, step),
    }));
    report.end(record, fileLines(filesOf(config.reports, run, planned.kind)), planned.afterwards(record));
    if (words.json === true) process.stdout.write(`${JSON.stringify(record, null, 2)}\n`);
    return exitCodes[record.verdict];
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOENT', 'ELOOP', 'EIO', 'ENAMETOOLONG'].includes(cause.code ?? '')) throw error;
    return complain(`inconclusive: nothing can be recorded under ${config.reports} (${cause.code}). A run without its record proves nothing: make that directory writable, or set reports in ${relative(process.cwd(), file)}.`);
  }
}

/** With `--json` stdout is the record's alone. */
export function consoleReport({ json, quiet }: Pick<RunWords, 'json' | 'quiet'>): ConsoleReport {
  const out = json === true ? process.stderr : process.stdout;
  return new ConsoleReport({ out, quiet: quiet === true, colour: out.isTTY && (process.env['NO_COLOR'] ?? '') === '' });
}

/** Does `work` under a signal that Ctrl-C and its like abort, once; a second one cuts no teardown short. */
export async function untilSignal<T>(report: ConsoleReport, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const stop = (signal: NodeJS.Signals): void => {
    if (!abort.signal.aborted) report.say(`${signal}: stopping, and tearing down what is there …`);
    abort.abort(new Error(signal));
  };
  for (const signal of signals) process.on(signal, stop);
  // A pipe whose reader left, a terminal that was closed: the record tells, and what is up must be torn down.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  try {
    return await work(abort.signal);
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

/** Says on stderr why nothing was done. @returns the exit code for that */
export function complain(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return exitCodes.inconclusive;
}

/** A path as one would type it from here. */
export const shown = (path: string): string => (relative(process.cwd(), path).startsWith('..') ? path : relative(process.cwd(), path));

const fileLines = (files: RunFiles): [string, string][] => [['record', shown(files.record)], ['junit', shown(files.junit)], ['log', shown(files.log)]];

/** Logs runs that never ended, and removes what they left. */
async function lookBack(reports: string, scratchRoot: string, engine: string | null): Promise<Finding[]> {
  const { found, roots } = await logAbandoned(reports);
  const reaped = await reapAbandoned({ roots: [...new Set([scratchRoot, ...roots])], engine });
  return [...found, ...reaped.map(({ finding }) => finding)];
}

/** A container may run under a number that no user has. */
function operator(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
