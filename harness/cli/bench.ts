// `npm run bench`: measures ours against theirs on data of its own making, and removes all of it.
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { writeDump } from '../bench/data.ts';
import { type RowResult, type Spread, pair, withoutFigure } from '../bench/pair.ts';
import { planRows, rowNames } from '../bench/rows.ts';
import { type BenchStore, startBenchStore } from '../bench/store-rows.ts';
import { type Finding, StepEnded } from '../run/finding.ts';
import { type Scratch, openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { startEmbedded } from '../servers/embedded.ts';
import type { CliCommand } from '../cli.ts';

const megabyte = 1_000_000;

export const command: CliCommand = {
  name: 'bench',
  summary: 'measure ours against the usual tools, alternately in one run',
  configure: (cmd) => {
    cmd
      .argument('[rows...]', 'only the rows of these names')
      .option('--scale <megabytes>', 'plain SQL in the generated dump', '200')
      .option('--repeats <count>', 'pairs per row, after one to warm up', '5')
      .option('--seed <number>', 'of the generated dump', '1')
      .option('--quick', '20 MB and one pair, without warming up: does it run at all?')
      .option('--json <file>', 'write every measured figure there');
  },
  run: async (options, names) => {
    const quick = options['quick'] === true;
    const [scale, repeats, seed] = [quick ? 20 : number(options['scale']), quick ? 1 : number(options['repeats']), number(options['seed'])];
    if (scale === null || repeats === null || seed === null) {
      return complain('--scale, --repeats and --seed take a whole number from 1');
    }
    const unknown = names.filter((name) => !rowNames.includes(name));
    if (unknown.length > 0) return complain(`no row is named ${unknown.join(' or ')}; there are ${rowNames.join(', ')}`);
    const file = options['json'];
    // Now, not after minutes of measuring.
    if (typeof file === 'string' && !isWritable(file)) return complain(`--json: ${file} cannot be written`);
    const results = await bench({ scale, repeats, warmUps: quick ? 0 : 1, seed, names });
    if (typeof results === 'string') return complain(results);
    process.stdout.write(`${table(results)}\n`);
    if (typeof file === 'string') writeFileSync(file, `${JSON.stringify({ format: 'backup-drills/bench/1', at: new Date().toISOString(), machine: machine(), scaleMegabytes: scale, repeats, seed, rows: results }, null, 2)}\n`);
    return results.some((result) => result.problem !== null && !result.problem.startsWith(notRun)) ? 1 : 0;
  },
};

const notRun = 'not run: ';
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const told = ({ code, message, hint }: Finding): string => `${code}: ${message}\n${hint}`;

function complain(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return 2;
}

function isWritable(file: string): boolean {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The rows, or why there are none. */
async function bench(options: { scale: number; repeats: number; warmUps: number; seed: number; names: readonly string[] }): Promise<RowResult[] | string> {
  const abort = new AbortController();
  const stop = (signal: NodeJS.Signals): void => {
    if (!abort.signal.aborted) process.stderr.write(`${signal}: stopping, and removing what is there …\n`);
    abort.abort(new Error(signal));
  };
  // For good: a second one, as from an impatient terminal or a process group, must not cut the removal short.
  for (const signal of signals) process.on(signal, stop);
  let scratch: Scratch | null = null;
  try {
    scratch = openScratch({ root: tmpdir(), runId: `bench-${randomBytes(4).toString('hex')}`, needBytes: options.scale * megabyte * 18 });
    process.stdout.write(`generating ${options.scale} MB of SQL …\n`);
    const dump = await writeDump(join(scratch.work, 'bench.sql.gz'), { seed: options.seed, bytes: options.scale * megabyte, signal: abort.signal });
    const server = await startEmbedded({ scratch, major: 18, signal: abort.signal });
    // As the plan of the project has it: a gigabyte at the usual scale.
    const { work } = scratch;
    let started: Promise<BenchStore> | null = null;
    const store = async (): Promise<BenchStore> => (started ??= startBenchStore(work, options.scale * megabyte * 5));
    const results: RowResult[] = [];
    for (const planned of await planRows({ work, dump, server, store, signal: abort.signal }, options.names)) {
      abort.signal.throwIfAborted();
      process.stdout.write(`${planned.row.name}: ${planned.row.what}\n`);
      results.push('lacks' in planned ? withoutFigure(planned.row, `${notRun}this machine has no ${planned.lacks}`) : await pair(planned.row, options));
    }
    abort.signal.throwIfAborted();
    return results;
  } catch (error) {
    if (abort.signal.aborted) return 'interrupted: no figures';
    if (error instanceof StepEnded) return error.findings.map(told).join('\n');
    throw error;
  } finally {
    const proof = scratch === null ? null : await teardown(scratch.path);
    for (const finding of proof?.findings ?? []) process.stderr.write(`${told(finding)}\n`);
    for (const signal of signals) process.off(signal, stop);
  }
}

function number(value: unknown): number | null {
  const parsed = Number(value);
  return Number.isSafeInteger(parsed) && parsed >= 1 ? parsed : null;
}

function machine() {
  return { cpus: cpus().length, cpu: cpus()[0]?.model ?? 'unknown', memoryBytes: totalmem(), platform: `${process.platform} ${release()} ${arch()}`, node: process.version };
}

function table(results: readonly RowResult[]): string {
  const seconds = ({ median, min, max }: Spread): string => `${(median / 1000).toFixed(2)} s (${(min / 1000).toFixed(2)} to ${(max / 1000).toFixed(2)})`;
  const side = (figures: RowResult['ours']): string => (figures === null ? '' : `${figures.label} ${seconds(figures.ms)}${figures.peakBytes === null ? '' : `, ${Math.round(figures.peakBytes / megabyte)} MB`}`);
  const lines = results.map((result) => {
    if (result.problem !== null) return `${result.name}: no figure: ${result.problem}`;
    const ratio = result.ratio === null ? '' : `; ratio ${result.ratio.median.toFixed(2)} (${result.ratio.min.toFixed(2)} to ${result.ratio.max.toFixed(2)})`;
    const goal = result.goal === null || result.ratio === null ? '' : `, goal ${result.goal}: ${result.ratio.median <= result.goal ? 'met' : 'missed'}`;
    const gap = result.goalMs === null || result.gapMs === null ? '' : `; difference ${Math.round(result.gapMs.median)} ms (${Math.round(result.gapMs.min)} to ${Math.round(result.gapMs.max)}), goal ${result.goalMs} ms: ${result.gapMs.median <= result.goalMs ? 'met' : 'missed'}`;
    return `${result.name}: ${[side(result.ours), side(result.theirs)].filter((text) => text !== '').join(' · ')}${ratio}${goal}${gap}`;
  });
  return ['', 'Medians, least to most; memory of the largest process on that side, the server left out.', ...lines].join('\n');
}
