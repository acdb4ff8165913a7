// npm run drill: one drill from the command line to the exit code.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import type { Command } from 'commander';
import type { Loaded } from '../config/load.ts';
import type { How } from '../database/select/select.ts';
import { engineAddress } from '../run/engine-address.ts';
import type { DrillRun } from '../run/record.ts';
import { timeline } from '../report/timeline.ts';
import { scratchPrefix } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { exitCodes } from '../run/verdict.ts';
import { drive, plannedChecks } from '../suite/drive.ts';
import { type DrillSettings, drillPlan, drillScope } from '../unit/drill.ts';
import type { CliCommand } from '../cli.ts';
import { complain, load, oneRun, refusal, reportOptions, root, type RunWords, shown, sourceOptions } from './one-run.ts';

interface DrillOptions extends RunWords {
  readonly runtime?: string;
  readonly randomOlder?: true;
  readonly seed?: string;
  readonly keep?: true;
  readonly remove?: string;
  readonly live?: true;
  readonly explain?: true;
}

export const command: CliCommand = {
  name: 'drill',
  summary: 'Restores a backup in a throw-away place and proves what came back. Without configured stores: a rehearsal with the sample that ships here.',
  configure: (command: Command) => {
    sourceOptions(command, 'drill')
      .option('--runtime <runtime>', "what carries the throw-away servers: auto, embedded or containers, over the configuration")
      .option('--random-older', 'drill a random set older than the newest; its seed is recorded')
      .option('--seed <text>', 'with --random-older: choose as the run with this seed did')
      .option('--live', 'rehearse with the backup script itself: a sample database is backed up by ops/backups/backup-db.sh while it is written to; needs psql and pg_dump')
      .option('--explain', 'say how the restore was planned and where its time went, session by session')
      .option('--keep', 'leave the restored database up, and say how to connect and how to remove it')
      .option('--remove <run>', 'remove what --keep left of that run (its id, or its directory), and nothing else');
    reportOptions(command)
      .addHelpText('after', '\nExit codes: 0 verified, 1 unverified, 2 inconclusive, bad usage or bad configuration.\nA run writes reports/out/<run>/record.json and junit.xml; a drill is logged in reports/backup-drills.md.');
  },
  run: async (raw) => {
    const options = raw as unknown as DrillOptions;
    const usage = usageProblem(options);
    if (usage !== null) return complain(usage);
    const loaded = await load(options, options.runtime === undefined ? {} : { runtime: options.runtime });
    if (loaded === null) return exitCodes.inconclusive;
    return options.remove === undefined ? drill(options, loaded) : remove(options.remove, loaded);
  },
};

async function drill(options: DrillOptions, loaded: Loaded): Promise<number> {
  const { config } = loaded;
  const refused = refusal(options, loaded, options.date !== undefined || options.randomOlder === true ? '--date and --random-older need' : null);
  if (refused !== null) return complain(refused);
  if (options.live === true && config.mode !== 'rehearsal') return complain(`--live rehearses on a sample database, and ${shown(loaded.file)} names stores: leave --live away to drill those, or give --config FILE with a configuration that names none.`);
  const how: How = options.date === undefined ? (options.randomOlder === true ? { kind: 'random-older', seed: options.seed ?? randomBytes(8).toString('hex') } : { kind: 'newest' }) : { kind: 'date', date: options.date };
  const settings = (scratch: string): DrillSettings => ({ config, store: options.from ?? null, how, scratch, keep: options.keep === true, live: options.live === true });
  return oneRun(options, loaded, {
    kind: config.mode === 'rehearsal' ? 'rehearsal' : 'drill',
    live: options.live === true,
    scope: drillScope(settings('')),
    plan: drillPlan(settings('')),
    more: plannedChecks(root, config.checks),
    carry: async (run) => drive({ root, drill: join(root, 'drills', 'database.drill.ts'), checks: config.checks, ...run }),
    settings,
    keep: options.keep === true,
    engine: engineAddress(process.env)?.uri ?? null,
    afterwards: (record) => afterwards(record, options),
  });
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
  if (options.live === true && options.real === true) return '--live and --real exclude each other: --real means your own backups, and --live takes one of a sample database';
  if (options.live === true && options.store !== undefined) return '--live and --store exclude each other: --store drills what lies there, and --live takes a backup of a sample database itself';
  if (options.date !== undefined && options.randomOlder === true) return '--date and --random-older exclude each other';
  return null;
}

/** What the reader most likely wants to do next. */
function afterwards(record: DrillRun, options: DrillOptions): string[] {
  const lines: string[] = [];
  if (options.explain === true) lines.push('', ...timeline(record.steps.find((step) => step.id === 'database.restore')?.evidence));
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
