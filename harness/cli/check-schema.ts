// npm run check:schema: whether the newest dump holds the schema that it should. Restores nothing, starts no server.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Loaded } from '../config/load.ts';
import type { How } from '../database/select/select.ts';
import type { DrillRun } from '../run/record.ts';
import { exitCodes } from '../run/verdict.ts';
import { carryHere } from '../suite/here.ts';
import { type CheckSettings, schemaCheckPlan, schemaScope } from '../unit/check.ts';
import type { CliCommand } from '../cli.ts';
import { acceptSchema, type SchemaOrigin } from './accept-schema.ts';
import { complain, load, oneRun, refusal, reportOptions, type RunWords, sourceOptions } from './one-run.ts';

interface CheckWords extends RunWords {
  readonly accept?: true;
  readonly dump?: string;
  readonly database?: string;
}

export const command: CliCommand = {
  name: 'check:schema',
  summary: 'Holds the schema in the newest dump against the committed reference and the expected tables, without a database. Without configured stores: a rehearsal with the sample that ships here.',
  configure: (command: Command) => {
    sourceOptions(command, 'check')
      .option('--accept', 'make the schema of that dump the reference, and say what changed; nothing is checked')
      .option('--dump <file>', 'with --accept: of this .sql.gz, whatever the stores hold')
      .option('--database <connection>', "with --accept: of a live database, by pg_dump --schema-only: 'host=… dbname=… user=…' or postgres://…");
    reportOptions(command)
      .addHelpText('after', '\nThe reference is checks/schema.reference.json beside the configuration file, or expected.schemaReference of it.\nExit codes: 0 verified (or accepted), 1 unverified, 2 inconclusive, bad usage or bad configuration.\nA run writes reports/out/<run>/record.json and junit.xml; a check of real backups is logged in reports/backup-checks.md.');
  },
  run: async (raw) => {
    const words = raw as unknown as CheckWords;
    const usage = usageProblem(words);
    if (usage !== null) return complain(usage);
    const loaded = await load(words);
    if (loaded === null) return exitCodes.inconclusive;
    const origin = originOf(words);
    const refused = origin.kind === 'store' ? refusal(words, loaded, words.date === undefined ? null : '--date needs') : null;
    if (refused !== null) return complain(refused);
    const settings = (scratch: string): CheckSettings => ({ config: loaded.config, store: words.from ?? null, how: howOf(words), scratch });
    return words.accept === true ? acceptSchema(words, settings, origin) : check(words, loaded, settings);
  },
};

async function check(words: CheckWords, loaded: Loaded, settings: (scratch: string) => CheckSettings): Promise<number> {
  return oneRun(words, loaded, {
    kind: loaded.config.mode === 'rehearsal' ? 'check-rehearsal' : 'check',
    scope: schemaScope(howOf(words)),
    plan: schemaCheckPlan(settings('')),
    more: [],
    carry: async (run) => carryHere(schemaCheckPlan, run),
    settings,
    keep: false,
    engine: null,
    afterwards,
  });
}

const howOf = ({ date }: CheckWords): How => (date === undefined ? { kind: 'newest' } : { kind: 'date', date });

function originOf({ dump, database }: CheckWords): SchemaOrigin {
  if (database !== undefined) return { kind: 'database', connection: database };
  return dump === undefined ? { kind: 'store' } : { kind: 'file', path: resolve(process.env['INIT_CWD'] ?? process.cwd(), dump) };
}

function usageProblem({ accept, dump, database, store, from, date, json }: CheckWords): string | null {
  if (accept !== true && (dump !== undefined || database !== undefined)) return '--dump and --database go with --accept; a dump is checked where it lies beside its manifest, with --store DIR';
  if (accept !== true) return null;
  if (json === true) return '--accept leaves no record to print: leave --json out';
  const origins = [['--dump', dump], ['--database', database], ['--store', store], ['--from', from]].filter(([, value]) => value !== undefined).map(([name]) => name);
  if (origins.length > 1 && !(store !== undefined && from !== undefined)) return `${origins.join(' and ')} exclude each other: one says where the schema comes from`;
  if (date !== undefined && (dump !== undefined || database !== undefined)) return '--date chooses among the sets of a store: leave it out';
  if (database !== undefined && /password\s*=|:\/\/[^/?@]*:[^/?@]*@/i.test(database)) return '--database holds a password, which every user of this machine could read off the process list: put it into PGPASSWORD or ~/.pgpass';
  return dump === undefined ? null : fileProblem(dump);
}

function fileProblem(dump: string): string | null {
  try {
    return statSync(resolve(process.env['INIT_CWD'] ?? process.cwd(), dump)).isFile() ? null : `${dump} is no regular file`;
  } catch (error) {
    return `${dump} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
  }
}

function afterwards(record: DrillRun): string[] {
  if (record.kind !== 'check-rehearsal') return [];
  return ['', 'Point it at your backups with the stores of drill.config.ts, or try one directory:  npm run check:schema -- --store /path/to/backups', 'Then make their schema the reference, and commit it:  npm run check:schema -- --accept'];
}
