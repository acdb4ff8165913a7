// `npm run bench`: measures ours against theirs on data of its own making, and removes all of it.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { arch, cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { writeDump } from '../bench/data.ts';
import { type RowResult, type Spread, pair, withoutFigure } from '../bench/pair.ts';
import { planRows } from '../bench/rows.ts';
import { openScratch } from '../run/scratch.ts';
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
      process.stderr.write('--scale, --repeats and --seed take a whole number from 1\n');
      return 2;
    }
    const results = await bench({ scale, repeats, warmUps: quick ? 0 : 1, seed, names });
    if (results.length === 0) {
      process.stderr.write(`no row is named ${names.join(' or ')}\n`);
      return 2;
    }
    process.stdout.write(`${table(results)}\n`);
    const file = options['json'];
    if (typeof file === 'string') writeFileSync(file, `${JSON.stringify({ format: 'backup-drills/bench/1', at: new Date().toISOString(), machine: machine(), scaleMegabytes: scale, repeats, seed, rows: results }, null, 2)}\n`);
    return results.some((result) => result.problem !== null && !result.problem.startsWith(notRun)) ? 1 : 0;
  },
};

const notRun = 'not run: ';

async function bench(options: { scale: number; repeats: number; warmUps: number; seed: number; names: readonly string[] }): Promise<RowResult[]> {
  const abort = new AbortController();
  const stop = (): void => abort.abort(new Error('interrupted'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const scratch = openScratch({ root: tmpdir(), runId: `bench-${randomBytes(4).toString('hex')}`, needBytes: options.scale * megabyte * 6 });
  try {
    process.stdout.write(`generating ${options.scale} MB of SQL …\n`);
    const dump = await writeDump(join(scratch.work, 'bench.sql.gz'), { seed: options.seed, bytes: options.scale * megabyte });
    const server = await startEmbedded({ scratch, major: 18, signal: abort.signal });
    const results: RowResult[] = [];
    for (const planned of planRows({ work: scratch.work, dump, server, signal: abort.signal })) {
      if (options.names.length > 0 && !options.names.includes(planned.row.name)) continue;
      process.stdout.write(`${planned.row.name}: ${planned.row.what}\n`);
      results.push('lacks' in planned ? withoutFigure(planned.row, `${notRun}this machine has no ${planned.lacks}`) : await pair(planned.row, options));
    }
    return results;
  } finally {
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
    const proof = await teardown(scratch.path);
    for (const finding of proof.findings) process.stderr.write(`${finding.code}: ${finding.message}\n${finding.hint}\n`);
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
    return `${result.name}: ${[side(result.ours), side(result.theirs)].filter((text) => text !== '').join(' · ')}${ratio}${goal}`;
  });
  return ['', 'Medians, least to most; memory of the largest process on that side, the server left out.', ...lines].join('\n');
}
