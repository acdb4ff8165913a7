// npm run drill: one drill from the command line to the exit code.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { basename, isAbsolute, join, relative } from 'node:path';
import type { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { type Loaded, loadConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { How } from '../database/select/select.ts';
import { ConsoleReport } from '../report/console.ts';
import type { Finding } from '../run/finding.ts';
import type { DrillRun } from '../run/record.ts';
import { engineAddress } from '../run/engine-address.ts';
import { thisProcess } from '../run/register-processes.ts';
import { scratchPrefix } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { reapAbandoned } from '../run/teardown-reap.ts';
import { exitCodes } from '../run/verdict.ts';
import { whereIs } from '../stores/config.ts';
import { type Envelope, type RunFiles, filesOf, logAbandoned, runSuite } from '../suite/run.ts';
import { type DrillSettings, drillPlan, drillScope } from '../unit/drill.ts';
import { rehearsalClockShiftMs } from '../unit/rehearsal.ts';
import type { CliCommand } from '../cli.ts';

interface DrillOptions {
  readonly config?: string;
  readonly store?: string;
  readonly from?: string;
  readonly runtime?: string;
  readonly date?: string;
  readonly randomOlder?: true;
  readonly seed?: string;
  readonly real?: true;
  readonly keep?: true;
  readonly remove?: string;
  readonly quiet?: true;
  readonly json?: true;
  readonly trigger: string;
}

const root = join(import.meta.dirname, '..', '..');

export const command: CliCommand = {
  name: 'drill',
  summary: 'Restores a backup in a throw-away place and proves what came back. Without configured stores: a rehearsal with the sample that ships here.',
  configure: (command: Command) => {
    command
      .option('--config <file>', 'configuration file (default: drill.config.ts)')
      .option('--store <dir>', 'drill this directory instead of the configured stores')
      .option('--from <name>', 'which of the configured stores to drill (default: the first)')
      .option('--runtime <runtime>', "what carries the throw-away servers: auto, embedded or containers, over the configuration")
      .option('--date <date>', 'drill the set of this UTC day, or of this set id')
      .option('--random-older', 'drill a random set older than the newest; its seed is recorded')
      .option('--seed <text>', 'with --random-older: choose as the run with this seed did')
      .option('--real', 'refuse to rehearse: for schedules, which mean real backups')
      .option('--keep', 'leave the restored database up, and say how to connect and how to remove it')
      .option('--remove <run>', 'remove what --keep left of that run (its id, or its directory), and nothing else')
      .option('--trigger <name>', 'what started the run, for the record', process.env['CI'] === undefined ? 'manual' : 'ci')
      .option('--quiet', 'print the end only')
      .option('--json', 'print the record as JSON on stdout, progress on stderr (with npm run --silent)')
      .addHelpText('after', '\nExit codes: 0 verified, 1 unverified, 2 inconclusive, bad usage or bad configuration.\nA run writes reports/out/<run>/record.json and junit.xml; a drill is logged in reports/backup-drills.md.');
  },
  run: async (raw) => {
    const options = raw as unknown as DrillOptions;
    const usage = usageProblem(options);
    if (usage !== null) {
      process.stderr.write(`${usage}\n`);
      return exitCodes.inconclusive;
    }
    let loaded: Loaded;
    try {
      loaded = await loadConfig({ environment: process.env, cwd: process.env['INIT_CWD'] ?? process.cwd(), ...(options.config === undefined ? { file: join(root, 'drill.config.ts') } : { file: options.config }), overrides: { ...(options.store === undefined ? {} : { store: options.store }), ...(options.runtime === undefined ? {} : { runtime: options.runtime }) } });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return exitCodes.inconclusive;
    }
    return options.remove === undefined ? drill(options, loaded) : remove(options.remove, loaded);
  },
};

async function drill(options: DrillOptions, { config, file, digest }: Loaded): Promise<number> {
  const unknown = options.from === undefined || config.stores.some((store) => store.name === options.from) ? null : options.from;
  if (unknown !== null) return complain(`no store is named '${unknown}'; ${config.stores.length === 0 ? 'none is configured' : `there are: ${config.stores.map((store) => store.name).join(', ')}`}`);
  const rehearsal = config.mode === 'rehearsal';
  if (rehearsal && options.real === true) return complain(`--real refuses to rehearse: ${relative(process.cwd(), file)} names no stores. Write stores: [{ name: 'local', kind: 'directory', path: '/var/backups/…' }] there, or give --store DIR.`);
  if (rehearsal && (options.date !== undefined || options.randomOlder === true)) return complain('a rehearsal has one set: --date and --random-older need real stores, in the configuration or by --store DIR.');

  const startedAt = new Date();
  const run = `${startedAt.toISOString().slice(0, 19).replaceAll(':', '')}Z-${randomBytes(2).toString('hex')}`;
  const envelope: Envelope = {
    run,
    kind: rehearsal ? 'rehearsal' : 'drill',
    application: config.application,
    trigger: options.trigger,
    operator: operator(),
    host: hostname(),
    versions: { 'backup-drills': packageJson.version, node: process.versions.node, platform: `${process.platform}-${process.arch}` },
    config: { file: relative(root, file), digest },
    clock: { shiftMs: rehearsal ? rehearsalClockShiftMs(startedAt) : 0 },
    scope: drillScope,
    process: thisProcess(),
  };
  const how: How = options.date === undefined ? (options.randomOlder === true ? { kind: 'random-older', seed: options.seed ?? randomBytes(8).toString('hex') } : { kind: 'newest' }) : { kind: 'date', date: options.date };
  const settings = (scratch: string): DrillSettings => ({ config, store: options.from ?? null, how, scratch, keep: options.keep === true });
  const out = options.json === true ? process.stderr : process.stdout;
  const report = new ConsoleReport({ out, quiet: options.quiet === true, colour: out.isTTY && (process.env['NO_COLOR'] ?? '') === '' });
  const files = filesOf(config.reports, run, envelope.kind);
  report.say(`${envelope.kind} of ${config.application} · run ${run}`);
  if (rehearsal) report.say(`Sample data, and a clock set to ${new Date(startedAt.getTime() + envelope.clock.shiftMs).toISOString().slice(0, 16).replace('T', ' ')} UTC: this proves the harness, none of your backups.`);
  else for (const store of config.stores.filter((one, at) => (options.from === undefined ? at === 0 : one.name === options.from))) report.say(`from ${store.name}: ${whereIs(store)}`);
  report.say('');

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
    const record = await runSuite({
      root,
      envelope,
      reports: config.reports,
      scratchRoot: config.scratch,
      drill: join(root, 'drills', 'database.drill.ts'),
      checks: config.checks,
      plan: drillPlan(settings('')),
      settings,
      keep: options.keep === true,
      signal: abort.signal,
      found: await lookBack(config.reports, config.scratch),
      onEvent: (event, step) => report.take(event, step),
    });
    report.end(record, fileLines(files), afterwards(record, options));
    if (options.json === true) process.stdout.write(`${JSON.stringify(record, null, 2)}\n`);
    return exitCodes[record.verdict];
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOENT', 'ELOOP', 'EIO', 'ENAMETOOLONG'].includes(cause.code ?? '')) throw error;
    return complain(`inconclusive: nothing can be recorded under ${config.reports} (${cause.code}). A drill without its record is no drill: make that directory writable, or set reports in ${relative(process.cwd(), file)}.`);
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

/** Logs runs that never ended, and removes what they left. */
async function lookBack(reports: string, scratchRoot: string): Promise<Finding[]> {
  const { found, roots } = await logAbandoned(reports);
  const reaped = await reapAbandoned({ roots: [...new Set([scratchRoot, ...roots])], engine: engineAddress(process.env)?.uri ?? null });
  return [...found, ...reaped.map(({ finding }) => finding)];
}

/** @param named the run's id, or its scratch directory */
async function remove(named: string, { config }: Loaded): Promise<number> {
  const path = isAbsolute(named) ? named : join(config.scratch, `${scratchPrefix}${named}`);
  if (!existsSync(path)) {
    const there = existsSync(config.scratch) ? readdirSync(config.scratch).filter((name) => name.startsWith(scratchPrefix)).map((name) => name.slice(scratchPrefix.length)) : [];
    return complain(`nothing of run ${named} is left: there is no ${path}${there.length === 0 ? '' : `; there is something of ${there.join(', ')}`}`);
  }
  const proof = await teardown(path);
  for (const finding of proof.findings) process.stderr.write(`${finding.code}: ${finding.message}\n${finding.hint}\n`);
  if (proof.findings.some((finding) => finding.severity === 'error')) return exitCodes.inconclusive;
  process.stdout.write(`removed what run ${basename(path).slice(scratchPrefix.length)} had left\n`);
  return 0;
}

function usageProblem(options: DrillOptions): string | null {
  if (options.seed !== undefined && options.randomOlder !== true) return '--seed goes with --random-older';
  if (options.date !== undefined && options.randomOlder === true) return '--date and --random-older exclude each other';
  if (options.store !== undefined && options.from !== undefined) return '--store and --from exclude each other: a directory, or the name of a configured store';
  return null;
}

/** A container may run under a number that no user has. */
function operator(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

function complain(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return exitCodes.inconclusive;
}

const fileLines = (files: RunFiles): [string, string][] => [['record', shown(files.record)], ['junit', shown(files.junit)], ['log', shown(files.log)]];
const shown = (path: string): string => (relative(process.cwd(), path).startsWith('..') ? path : relative(process.cwd(), path));

/** What the reader most likely wants to do next. */
function afterwards(record: DrillRun, options: DrillOptions): string[] {
  const lines: string[] = [];
  const tornDown = record.steps.some((step) => step.id === 'run.teardown');
  if (options.keep === true && record.scratch !== null && !tornDown) {
    const connect = record.steps.find((step) => step.id === 'run.keep')?.evidence?.['connect'];
    lines.push('', ...(typeof connect === 'string' ? [`The restored database is up:  ${connect}`] : ['Nothing was restored; the scratch directory is kept.']), `Remove it, and the restored data:  npm run drill -- --remove ${record.run}`);
  }
  if (record.kind === 'rehearsal') {
    lines.push(
      '',
      'Three settings in drill.config.ts point this at your backups:',
      "  1. stores            where they lie:  stores: [{ name: 'local', kind: 'directory', path: '/var/backups/app' }]",
      "  2. keys              what decrypts them, if they are encrypted:  keys: { identityFile: '/etc/app/drill.key' }",
      "  3. expected          the tables that must come back:  expected: { tables: [{ name: 'messages', minRows: 1000, newest: 'created_at' }] }",
      'Or try one directory now:  npm run drill -- --store /path/to/backups',
    );
  }
  return lines;
}
