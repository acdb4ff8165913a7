// What no shape can say: rules across keys, against the environment and the disk. They judge whatever did parse, so
// that their errors stand in the same list as those of the shape.
import { realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { tableName } from '../database/config.ts';
import { checkFiles } from './checks.ts';
import { type Environment, resolveVariable } from './environment.ts';
import { pathProblem } from './leaf.ts';
import { type ConfigProblem, dotted, optionFor, type Path, unwrap } from './problem.ts';
import { defaultCadence, type ParsedConfig } from './schema.ts';
import { readCredentialPart, readIdentities } from './secrets.ts';
import { bucketInHost, isB2MasterKey } from '../stores/config.ts';
import { parseBytes, parseDuration } from './units.ts';

/** What is left of a T after everything that did not parse was taken out; lists keep their places. */
type Partly<T> = T extends readonly (infer I)[] ? readonly (Partly<I> | undefined)[] : T extends object ? { readonly [K in keyof T]?: Partly<T[K]> | undefined } : T;
export type PartlyParsed = Partly<ParsedConfig>;

interface Place {
  /** The configuration file's directory. */
  readonly root: string;
  readonly environment: Environment;
  /** Places that did not parse: nothing there is not the same as nothing written. */
  readonly broken: ReadonlySet<string>;
}

type Say = (code: string, path: Path, problem: string, write: string) => void;

/** Every broken rule. Reads the environment, the identity file and the names of check files. */
export async function rules(config: PartlyParsed, place: Place): Promise<ConfigProblem[]> {
  const problems: ConfigProblem[] = [];
  // One place, one error: a rule has nothing to add where something is wrong already.
  const taken = new Set(place.broken);
  const say: Say = (code, at, problem, write) => {
    if (taken.has(dotted(at))) return;
    taken.add(dotted(at));
    problems.push({ code, path: dotted(at), problem, write });
  };
  duplicates(config, say);
  tables(config, place, say);
  smoke(config, place, say);
  times(config, say);
  const stores = await storePaths(config, place, say);
  await s3Stores(config, place, say);
  const identity = await keys(config, place, say);
  await apart(config, place, stores, identity, say);
  await checks(config, place, say);
  return problems;
}

/** Takes out what does not fit its schema, and keeps the rest where it was. */
export function salvage(schema: z.ZodType, value: unknown): unknown {
  const inner = unwrap(schema);
  const shape = inner instanceof z.ZodUnion && typeof value === 'object' ? (optionFor(inner, value) ?? inner) : inner;
  if (shape instanceof z.ZodObject && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const given = value as Record<string, unknown>;
    return Object.fromEntries(Object.entries(shape.shape).map(([key, child]) => [key, salvage(child as z.ZodType, given[key])]));
  }
  if (shape instanceof z.ZodArray && Array.isArray(value)) return value.map((item) => salvage(shape.element as z.ZodType, item));
  const parsed = inner.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

function duplicates({ stores, expected, smoke: queries }: PartlyParsed, say: Say): void {
  const lists: readonly (readonly [Path, readonly (string | undefined)[]])[] = [
    [['stores'], stores?.map((store) => store?.name) ?? []],
    [['expected', 'tables'], expected?.tables?.map((table) => (table?.name === undefined ? undefined : JSON.stringify(tableName(table.name)))) ?? []],
    [['smoke'], queries?.map((query) => query?.name) ?? []],
  ];
  for (const [at, names] of lists) {
    for (const [index, name] of names.entries()) {
      const first = names.indexOf(name);
      if (name !== undefined && first < index) say('config.duplicate', [...at, index, 'name'], `is the name of ${dotted([...at, first])} too`, 'another name, or leave one of the two out');
    }
  }
}

function tables({ expected }: PartlyParsed, { broken }: Place, say: Say): void {
  for (const [index, table] of (expected?.tables ?? []).entries()) {
    const at = ['expected', 'tables', index] as const;
    if (table?.maxAge !== undefined && table.newest === undefined && !broken.has(dotted([...at, 'newest']))) {
      say('config.incomplete', [...at, 'maxAge'], 'needs a column to measure by', `newest: 'created_at' beside it (the column that tells when a row was written)`);
    }
  }
}

function smoke({ smoke: queries }: PartlyParsed, { broken }: Place, say: Say): void {
  for (const [index, query] of (queries ?? []).entries()) {
    if (query === undefined) continue;
    const { equals, atLeast, atMost } = query;
    const at = ['smoke', index] as const;
    const answered = Object.entries({ equals, atLeast, atMost }).some(([key, value]) => value !== undefined || broken.has(dotted([...at, key])));
    if (!answered) say('config.incomplete', at, 'asserts nothing', 'equals: 0, atLeast: 1 or atMost: 0 beside its sql (the answer that the query must give)');
    if (equals !== undefined && (atLeast !== undefined || atMost !== undefined)) say('config.contradiction', at, 'has equals beside atLeast or atMost', 'equals: 0 alone, or a range: atLeast: 1, atMost: 9');
    if (atLeast !== undefined && atMost !== undefined && atLeast > atMost) say('config.contradiction', [...at, 'atLeast'], 'is greater than atMost', 'a range that holds a number, for example atLeast: 1, atMost: 9');
  }
}

function times({ cadence, slack, objectives, caps, retention }: PartlyParsed, say: Say): void {
  const every = parseDuration(cadence ?? defaultCadence);
  if (objectives?.rpo !== undefined && parseDuration(objectives.rpo) < every) {
    say('config.contradiction', ['objectives', 'rpo'], 'is shorter than the cadence, so no backup could ever meet it', `at least the cadence, for example rpo: '${cadence ?? defaultCadence}', or a shorter cadence`);
  }
  if (slack !== undefined && parseDuration(slack) >= every) {
    say('config.contradiction', ['slack'], 'is as long as the cadence, so a missed backup would go unnoticed', `less than the cadence, for example slack: '2h'`);
  }
  if (retention?.daily === 0 && retention.monthly === 0) say('config.contradiction', ['retention'], 'keeps no backup at all', 'for example { daily: 30, monthly: 12 }');
  if (caps?.maxBytes !== undefined && caps.statementBytes !== undefined && parseBytes(caps.statementBytes) > parseBytes(caps.maxBytes)) {
    say('config.contradiction', ['caps', 'statementBytes'], 'is more than the whole dump may have', `less than maxBytes, for example statementBytes: '64MB'`);
  }
}

/** Absolute paths of the stores that could be told. */
async function storePaths({ stores }: PartlyParsed, { root, environment }: Place, say: Say): Promise<{ readonly at: Path; readonly path: string }[]> {
  const found: { at: Path; path: string }[] = [];
  for (const [index, store] of (stores ?? []).entries()) {
    const at = ['stores', index, 'path'];
    if (store === undefined || !('path' in store) || store.path === undefined) continue;
    if (typeof store.path === 'string') {
      found.push({ at, path: path.resolve(root, store.path) });
    } else if (store.path.env !== undefined) {
      const resolved = await resolveVariable({ env: store.path.env }, environment);
      if ('problem' in resolved) {
        say('config.unset', at, resolved.problem, `${resolved.write} (to rehearse on a sample instead, leave stores out)`);
      } else {
        const problem = pathProblem(resolved.value);
        if (problem === null) found.push({ at, path: path.resolve(root, resolved.value) });
        else say('config.invalid', at, `takes ${store.path.env} from the environment, whose value ${problem}`, `set ${store.path.env} to a directory, for example /var/lib/whatsapp-mcp/backups`);
      }
    }
  }
  return found;
}

/** The credentials of the S3 stores, and what their endpoints have to do with them. */
async function s3Stores({ stores }: PartlyParsed, { environment }: Place, say: Say): Promise<void> {
  for (const [index, store] of (stores ?? []).entries()) {
    if (store === undefined || !('endpoint' in store)) continue;
    const { endpoint, bucket } = store;
    const told = endpoint === undefined || bucket === undefined ? null : bucketInHost(endpoint, bucket);
    if (told !== null) say('config.invalid', ['stores', index, 'endpoint'], told, 'the endpoint without the bucket, which has a key of its own');
    for (const part of ['accessKeyId', 'secretAccessKey', 'sessionToken'] as const) {
      const name = store[part]?.env;
      if (name === undefined) continue;
      const at = ['stores', index, part];
      const read = await readCredentialPart({ env: name }, environment, part !== 'accessKeyId');
      if ('problem' in read) say(read.code, at, read.problem, read.write);
      else if (part === 'accessKeyId' && endpoint !== undefined && isB2MasterKey(endpoint, read.value)) {
        say('config.invalid', at, `takes ${name} from the environment, which holds the master key of a B2 account`, 'the keyID of an application key (25 characters): the S3 API of B2 takes no master key, and a drill should hold no key to everything');
      }
    }
  }
}

/** The file that holds the identity, where there is one. */
async function keys({ keys: given }: PartlyParsed, place: Place, say: Say): Promise<string | null> {
  if (given === undefined) return null;
  const { identityFile, identity } = given;
  const named = Object.entries({ identityFile, identity }).some(([key, value]) => value !== undefined || place.broken.has(dotted(['keys', key])));
  if (!named) say('config.incomplete', ['keys'], 'names no key', `for example { identityFile: '/etc/whatsapp-mcp/drill.key' }, or leave keys out when nothing is encrypted`);
  if (identityFile !== undefined && identity !== undefined) {
    say('config.contradiction', ['keys'], 'has identityFile beside identity', `one of them, for example { identityFile: '/etc/whatsapp-mcp/drill.key' }`);
    return null;
  }
  if (identityFile !== undefined) {
    const read = await readIdentities({ identityFile: path.resolve(place.root, identityFile) }, place.environment);
    if ('problem' in read) say(read.code, ['keys', 'identityFile'], read.problem, read.write);
    return path.resolve(place.root, identityFile);
  }
  if (identity?.env !== undefined) {
    const read = await readIdentities({ identity: { env: identity.env } }, place.environment);
    if ('problem' in read) say(read.code, ['keys', 'identity'], read.problem, read.write);
    else return read.file;
  }
  return null;
}

/** A store is only ever read: nothing of the drill may lie in one, least of all the key to it. */
async function apart(config: PartlyParsed, { root }: Place, stores: readonly { readonly at: Path; readonly path: string }[], identity: string | null, say: Say): Promise<void> {
  const given = config.keys?.identityFile === undefined ? 'identity' : 'identityFile';
  const mine: readonly (readonly [Path, string | null, string, string])[] = [
    [['scratch'], path.resolve(root, config.scratch ?? tmpdir()), 'config.inside-store', `a directory outside every store, for example scratch: '/var/tmp'`],
    [['reports'], path.resolve(root, config.reports ?? 'reports'), 'config.inside-store', `a directory outside every store, for example reports: 'reports'`],
    [['keys', given], identity, 'keys.in-store', `the path of a copy outside every store; then remove this one, and make a new key, since whoever reads the store can open it`],
  ];
  for (const [at, own, code, write] of mine) {
    if (own === null) continue;
    const real = await existing(own);
    for (const store of stores) {
      if (isInside(real, await existing(store.path))) say(code, at, `lies inside the store of ${dotted(store.at)}`, write);
    }
  }
}

/** The path with the links in it resolved, as far as it exists. */
async function existing(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(await existing(parent), path.basename(file));
  }
}

function isInside(file: string, directory: string): boolean {
  const relative = path.relative(directory, file);
  return relative === '' || (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}

async function checks({ checks: patterns }: PartlyParsed, { root }: Place, say: Say): Promise<void> {
  for (const [index, pattern] of (patterns ?? []).entries()) {
    if (pattern === undefined) continue;
    const files = await checkFiles([pattern], root);
    if (files.length === 0) say('config.no-file', ['checks', index], `matches no file under ${root}`, `a file that exists or a pattern that fits one, for example 'checks/*.check.ts'; leave it out when you have no checks`);
    const odd = files.find((file) => !file.endsWith('.check.ts'));
    if (odd !== undefined) say('config.invalid', ['checks', index], `matches ${path.relative(root, odd)}, which is no check file`, `files whose names end in .check.ts, for example 'checks/*.check.ts'`);
  }
}
