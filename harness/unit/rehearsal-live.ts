// The source of a live rehearsal: the sample database on a server of its own, with an application at work on it, backed up by
// the very script that backs up production.
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { SAMPLE_MESSAGES, SAMPLE_SEED } from '../../fixtures/sample/data.ts';
import { loadSample, makeDatabase, withClient } from '../../fixtures/sample/load.ts';
import { nothingWritten, plus, startWriteLoad, type WriteLoad } from '../../fixtures/sample/write-load.ts';
import type { Config } from '../config/schema.ts';
import { type Finding, StepEnded } from '../run/finding.ts';
import type { Plan, StepContext, StepRef } from '../run/plan.ts';
import { addSecret, redact } from '../run/redact.ts';
import { attachScratch, type Scratch } from '../run/scratch.ts';
import { clientDirectories, type ClientPrograms, clientPrograms, missingPrograms } from '../servers/client-programs.ts';
import { type EmbeddedServer, embeddedMajors, startEmbedded } from '../servers/embedded.ts';
import type { Login } from '../servers/postgres.ts';
import { nameOf, parseName, type SetId } from '../stores/names.ts';
import { liveBackupEvidence, liveSampleEvidence } from './evidence.ts';
import { unitFindings } from './findings.ts';
import { runHostScript, type ScriptEnd } from './host-script.ts';

/** What a live rehearsal is, in every report of it. */
export const liveWords = 'live rehearsal: the sample database under write load, backed up by ops/backups/backup-db.sh';

/** A set as it lies in a directory; the manifest is its last file. */
export interface LocalSet {
  readonly id: string;
  readonly files: readonly { readonly path: string; readonly name: string }[];
}

/** What a test may put another in the place of. */
export interface LiveTools {
  /** Absolute. */
  readonly script: string;
  /** Where the client programs are looked for. */
  readonly directories: readonly string[];
  /** Where the script looks for what it needs of the system. */
  readonly system: readonly string[];
  readonly startLoad: (owner: Login) => Promise<WriteLoad>;
}

const liveTools = (): LiveTools => ({ script: join(import.meta.dirname, '..', '..', scriptName), directories: clientDirectories(process.env['PATH']), system: systemDirectories, startLoad: async (owner) => startWriteLoad(owner) });

interface LiveSample {
  readonly server: EmbeddedServer;
  readonly clients: ClientPrograms;
  readonly owner: Login;
  readonly backup: Login;
}

type Settings = { readonly config: Config; readonly scratch: string };

const scriptName = 'ops/backups/backup-db.sh';
/** The script's own PATH (lib.sh), whatever ours is. */
export const systemDirectories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** The sample's own functions have SQL bodies, which 13 does not know. */
const oldestMajor = 14;

/** Plans the database and its backup. The server has ended by the time that the set is there. */
export function planLiveBackup(plan: Plan, { config, scratch: path }: Settings, tools = liveTools): StepRef<LocalSet> {
  const sample = plan.step({
    id: 'run.sample',
    part: 'run',
    title: 'start a server with the sample database',
    needs: {},
    evidence: liveSampleEvidence,
    run: async (_, { signal, now }) => {
      const { major, clients } = matching(tools());
      const server = await startEmbedded({ scratch: attachScratch(path), major, signal });
      const { owner, backup } = await makeDatabase(server);
      addSecret(backup.password);
      await withClient(owner, async (client) => loadSample(client, { seed: SAMPLE_SEED, messages: SAMPLE_MESSAGES, until: now() }));
      return { value: { server, clients, owner, backup }, evidence: { server: server.evidence, clients: { directory: clients.directory, pgDump: clients.pgDump }, messages: SAMPLE_MESSAGES } };
    },
  });
  return plan.step({
    id: 'run.backup',
    part: 'run',
    title: liveWords,
    needs: { sample },
    evidence: liveBackupEvidence,
    run: async ({ sample: { server, clients, owner, backup } }, context) => {
      try {
        return await takeBackup(attachScratch(path), config, { server, clients, owner, backup }, tools(), context);
      } finally {
        await server.stop();
      }
    },
  });
}

/** The newest server that can be started here and that the first client programs which fit any can dump. @throws StepEnded live.host-unfit, live.tools-missing */
function matching({ directories, system }: LiveTools): { readonly major: number; readonly clients: ClientPrograms } {
  const missing = missingPrograms(['bash', 'setpriv'], system);
  if (missing.length > 0) throw new StepEnded(unitFindings.find('live.host-unfit', { script: scriptName, missing }));
  const majors = embeddedMajors().filter((major) => major >= oldestMajor);
  const found = clientPrograms(directories);
  for (const clients of found) {
    const major = majors.findLast((one) => one <= clients.major);
    if (major !== undefined) return { major, clients };
  }
  throw new StepEnded(unitFindings.find('live.tools-missing', { servers: majors.map(String), found: found.map(({ directory, pgDump }) => `${pgDump} in ${directory}`) }));
}

/** What the script tells of the moment, and what was written until then. */
class Told {
  readonly #lines: string[] = [];
  readonly #load: WriteLoad;
  #begun = nothingWritten;
  duringDump = nothingWritten;

  constructor(load: WriteLoad) {
    this.#load = load;
  }

  take(line: string): void {
    this.#lines.push(redact(line).slice(0, 500));
    if (this.#lines.length > 60) this.#lines.shift();
    // A dump that is begun again counts from its new beginning.
    if (/ dump begins$/.test(line)) this.#begun = this.#load.written();
    if (/ dump ends /.test(line)) this.duringDump = plus(this.#load.written(), this.#begun, -1);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Why it did not do it, without the time and its own name before each. */
  get words(): string {
    return this.#lines.filter((line) => / (?:problem|refused|broken) [\w-]+: /.test(line)).map((line) => line.replace(/^\S+ \S+ /, '')).join('; ');
  }
}

async function takeBackup(scratch: Scratch, config: Config, sample: LiveSample, { script, startLoad }: LiveTools, context: StepContext): Promise<{ value: LocalSet; evidence: z.infer<typeof liveBackupEvidence> }> {
  const { settings, home, sets } = prepareHost(scratch, config, sample);
  const load = await startLoad(sample.owner);
  const told = new Told(load);
  let end: ScriptEnd;
  try {
    end = await runHostScript({
      script, words: ['--config', settings], directory: home, signal: context.signal,
      onLine: (line) => {
        told.take(line);
        const { inserted, updated, deleted } = load.written();
        context.progress({ done: inserted + updated + deleted, total: null, unit: 'rows', what: line.split(' ').slice(2, 4).join(' ') });
      },
    });
  } finally {
    await load.stop();
  }
  const files = readdirSync(sets).toSorted().map((name) => ({ name, bytes: statSync(join(sets, name)).size }));
  const set = wholeSet(files.map(({ name }) => name));
  const evidence = { script: scriptName, ended: end.ended, durationMs: end.durationMs, set, files, connections: load.connections, writtenDuringDump: told.duringDump, written: load.written(), said: [...told.lines] };
  const finding = sample.server.died() ?? judge(end, told, set, files.map(({ name }) => name), load);
  if (finding !== null) throw new StepEnded(finding, evidence);
  return { value: localSet(set as SetId, sets), evidence };
}

function judge({ code, ended }: ScriptEnd, told: Told, set: SetId | null, files: readonly string[], load: WriteLoad): Finding | null {
  const said = told.lines.slice(-10);
  if (code === 1) return unitFindings.find('live.refused', { script: scriptName, words: told.words || 'it did not say why', said });
  if (code !== 0) return unitFindings.find('live.broken', { script: scriptName, ended, words: told.words, said });
  if (set === null) return unitFindings.find('live.set-incomplete', { script: scriptName, files });
  const error = load.broken();
  if (error !== null) return unitFindings.find('live.load-broken', { error });
  return told.duringDump.transactions > 0 ? null : unitFindings.find('live.no-writes', { script: scriptName, connections: load.connections });
}

/** What an operator makes on the host: a directory for the sets, the settings, the password's file. */
function prepareHost(scratch: Scratch, config: Config, { server, clients, backup }: LiveSample): { readonly home: string; readonly settings: string; readonly sets: string } {
  const home = join(scratch.work, 'host');
  const sets = join(home, 'sets');
  scratch.register({ kind: 'directory', path: home });
  scratch.register({ kind: 'process', what: scriptName, under: home });
  for (const directory of [home, sets]) mkdirSync(directory, { mode: 0o700 });
  const passfile = join(home, 'pgpass');
  writeFileSync(passfile, `*:*:${backup.database}:${backup.user}:${backup.password}\n`, { mode: 0o600 });
  const settings = join(home, 'backup.env');
  const lines = {
    BACKUP_DIR: sets, DATABASE: backup.database, DATABASE_USER: backup.user, CONNECT: 'direct', DATABASE_HOST: server.admin.host, DATABASE_PORT: server.admin.port,
    DATABASE_PASSFILE: passfile, PG_BIN: clients.directory, REQUIRED_TABLES: requiredTables(config),
    // A production host's reserve is not asked of a scratch directory.
    MIN_FREE_MB: 64,
  };
  writeFileSync(settings, Object.entries(lines).map(([key, value]) => `${key}=${value}\n`).join(''), { mode: 0o600 });
  return { home, settings, sets };
}

/** What the drill expects of the restore, as far as the settings' own grammar can name it: the script then refuses a database without. */
function requiredTables(config: Config): string {
  const plain = /^[a-z_][a-z0-9_$]*$/;
  const named = config.expected.tables.filter(({ schema, name }) => plain.test(schema) && plain.test(name)).map(({ schema, name, minRows }) => `${schema}.${name}:${minRows ?? 0}`);
  return named.length === 0 ? 'clients:1' : named.join(' ');
}

const artifacts = ['dump', 'globals', 'manifest'] as const;

/** The id of the one set that these files are, or null: something is lacking, or lies beside it. */
function wholeSet(files: readonly string[]): SetId | null {
  const name = parseName(files[0] ?? '');
  if (name.kind !== 'artifact') return null;
  const whole = new Set(artifacts.map((artifact) => nameOf(name.set, artifact, false)));
  return whole.symmetricDifference(new Set(files)).size === 0 ? name.set : null;
}

const localSet = (id: SetId, directory: string): LocalSet => ({ id, files: artifacts.map((artifact) => nameOf(id, artifact, false)).map((name) => ({ name, path: join(directory, name) })) });
