// From a configuration file to what the harness uses: import, parse, rules, normalise; every error at once.
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { normaliseDatabase } from '../database/config.ts';
import { redact } from '../run/redact.ts';
import { normaliseServers } from '../servers/config.ts';
import { normaliseLedger, normaliseS3, type StoreConfig, type StoreInput } from '../stores/config.ts';
import { checkFiles } from './checks.ts';
import { type Environment, fileProblem, resolveVariable } from './environment.ts';
import { brokenPlaces, ConfigError, type ConfigProblem, dotted, type Path, problemsOf } from './problem.ts';
import { type PartlyParsed, rules, salvage } from './rules.ts';
import { type Config, configSchema, defaultCadence, type ParsedConfig } from './schema.ts';
import { resolveSecrets, type Secrets } from './secrets.ts';
import { parseDuration } from './units.ts';

export interface LoadOptions {
  /** The configuration file, relative to `cwd`. Default: `drill.config.ts` there. */
  readonly file?: string;
  readonly environment: Environment;
  readonly cwd: string;
  /** What the command line says, over what the file says. */
  readonly overrides?: {
    /** A directory, relative to `cwd`, in place of all `stores`. */
    readonly store?: string;
    /** What carries the throw-away servers. */
    readonly runtime?: string;
  };
}

export interface Loaded {
  /** Absolute. */
  readonly file: string;
  readonly config: Config;
  /** Never written down, and registered with `redact` already. */
  readonly secrets: Secrets;
  /** See {@link configDigest}. */
  readonly digest: string;
}

/**
 * Loads the configuration.
 * @throws ConfigError with everything that is wrong: the shape of the file, the rules across keys, the environment and
 *   the files that it names.
 */
export async function loadConfig({ file: given, environment, cwd, overrides = {} }: LoadOptions): Promise<Loaded> {
  const file = path.resolve(cwd, given ?? 'drill.config.ts');
  const root = path.dirname(file);
  const raw = override(await importDefault(file, given), cwd, overrides);

  const shape = [...problemsOf(configSchema, raw)];
  shape.push(...keysInFile(raw).filter(({ path: at }) => !shape.some((problem) => problem.path === at)));
  const problems = [...shape, ...(await rules(salvage(configSchema, raw) as PartlyParsed, { root, environment, broken: brokenPlaces(shape) }))];
  if (problems.length > 0) throw new ConfigError(file, problems);

  const config = await normalise(configSchema.parse(raw), root, environment);
  return { file, config, secrets: await resolveSecrets(config, environment), digest: configDigest(config) };
}

/**
 * sha256 (hex) over the normalised configuration, the same for every order of keys. Secrets are not in it. Paths under
 * the configuration's directory count relative to it and `scratch` not at all, so that two checkouts agree.
 */
export function configDigest({ root, scratch: _, ...config }: Config): string {
  const canonical = (value: unknown): unknown => {
    if (typeof value === 'string') return value === root ? '.' : value.startsWith(root + path.sep) ? `./${path.relative(root, value)}` : value;
    if (Array.isArray(value)) return value.map(canonical);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, part]) => [key, canonical(part)]));
  };
  return createHash('sha256').update(JSON.stringify(canonical(config))).digest('hex');
}

async function normalise(parsed: ParsedConfig, root: string, environment: Environment): Promise<Config> {
  const cadenceMs = parseDuration(parsed.cadence ?? defaultCadence);
  const { rpo, restoreDuration } = parsed.objectives ?? {};
  return {
    root,
    application: parsed.application,
    mode: parsed.stores === undefined ? 'rehearsal' : 'drill',
    ...normaliseDatabase(parsed, root),
    stores: await Promise.all((parsed.stores ?? []).map((store) => normaliseStore(store, root, environment))),
    keys: normaliseKeys(parsed.keys, root),
    cadenceMs,
    slackMs: parsed.slack === undefined ? Math.round(cadenceMs / 12) : parseDuration(parsed.slack),
    retention: parsed.retention === undefined ? null : { ...parsed.retention, since: parsed.retention.since ?? null },
    objectives: { rpoMs: rpo === undefined ? null : parseDuration(rpo), restoreDurationMs: restoreDuration === undefined ? null : parseDuration(restoreDuration) },
    ...normaliseServers(parsed),
    scratch: path.resolve(root, parsed.scratch ?? tmpdir()),
    checks: await checkFiles(parsed.checks ?? ['checks/*.check.ts'], root),
    reports: path.resolve(root, parsed.reports ?? 'reports'),
  };
}

async function normaliseStore(store: StoreInput, root: string, environment: Environment): Promise<StoreConfig> {
  if (store.kind === 's3') return normaliseS3(store, root);
  const ledger = normaliseLedger(store.ledger, root);
  if (typeof store.path === 'string') return { ...store, path: path.resolve(root, store.path), ledger };
  const resolved = await resolveVariable(store.path, environment);
  // The rules have just seen it resolve; a file that vanished since is still no rehearsal.
  if ('problem' in resolved) throw new Error(`the path of store ${store.name} ${resolved.problem}`);
  return { ...store, path: path.resolve(root, resolved.value), ledger };
}

function normaliseKeys(keys: ParsedConfig['keys'], root: string): Config['keys'] {
  if (keys?.identityFile !== undefined) return { identityFile: path.resolve(root, keys.identityFile) };
  return keys?.identity === undefined ? null : { identity: keys.identity };
}

function override(raw: unknown, cwd: string, { store, runtime }: NonNullable<LoadOptions['overrides']>): unknown {
  if (typeof raw !== 'object' || raw === null) return raw;
  return {
    ...raw,
    ...(store === undefined ? {} : { stores: [{ name: 'command-line', kind: 'directory', path: store.trim() === '' ? store : path.resolve(cwd, store) }] }),
    ...(runtime === undefined ? {} : { runtime }),
  };
}

/** The file's default export. Every way that has none is a sentence of its own. */
async function importDefault(file: string, given: string | undefined): Promise<unknown> {
  const fail = (problem: string, write: string): never => {
    throw new ConfigError(file, [{ code: 'config.unreadable', path: '', problem, write }]);
  };
  const shape = `export default defineConfig({ application: 'whatsapp-mcp', database: { name: 'wa_mcp', role: 'wa' } })`;
  try {
    if (!(await stat(file)).isFile()) return fail('is no regular file', '--config FILE with the path of a configuration file');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    return fail(fileProblem(error), given === undefined ? 'a drill.config.ts in this directory, or --config FILE with the path of another' : '--config FILE with the path of a file that exists and that this user can read');
  }
  if (!/\.[cm]?[jt]s$/.test(file)) return fail('is neither TypeScript nor JavaScript', `a file whose name ends in .ts, for example drill.config.ts, with ${shape}`);
  let module: object;
  try {
    module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as object;
  } catch (error) {
    return fail(`could not be loaded: ${firstLine(error)}`, `a module that loads without an error; see what is wrong with: node ${file}`);
  }
  if (!('default' in module)) return fail('has no default export', shape);
  const value: unknown = module.default;
  if (typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function') {
    // Its rejection would otherwise end the process before the sentence is printed.
    void Promise.resolve(value as PromiseLike<unknown>).catch(() => undefined);
    return fail('exports a promise', `the configuration itself: export default await … where it cannot be had at once`);
  }
  if (typeof value === 'function') return fail('exports a function', `the configuration itself, not a function that makes one: ${shape}`);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(`exports ${value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`} and no object`, shape);
  return value;
}

function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return `it throws a ${typeof error} and no Error`;
  const text = redact(error.message.trim().split('\n')[0] ?? '');
  return text === '' ? error.name : text.replace(/\.$/, '');
}

/** An age identity anywhere in the file, whatever key it stands under. Never shown. */
function keysInFile(raw: unknown, at: Path = [], seen: Set<unknown> = new Set()): ConfigProblem[] {
  if (typeof raw === 'string' && /AGE-SECRET-KEY-/i.test(raw)) {
    return [{ code: 'config.secret-in-file', path: dotted(at), problem: 'is written into the file, where a secret does not belong', write: `for example keys: { identity: env('DRILL_IDENTITY') }; then make a new key, since this one may be in git` }];
  }
  if (typeof raw !== 'object' || raw === null || seen.has(raw)) return [];
  seen.add(raw);
  return Object.entries(raw).flatMap(([key, value]) => keysInFile(value, [...at, Array.isArray(raw) ? Number(key) : key], seen));
}
