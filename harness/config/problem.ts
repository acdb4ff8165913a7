// What is wrong with a configuration, all at once, and what to write instead.
import { inspect } from 'node:util';
import { z } from 'zod';
import { redact } from '../run/redact.ts';
import { type Guide, guides } from './leaf.ts';

export interface ConfigProblem {
  /** Stable: `config.unknown-key`, `keys.world-readable`. */
  readonly code: string;
  /** `expected.tables[2].minRows`; empty when the file itself is meant. */
  readonly path: string;
  /** A phrase that follows the path: "is -1, and the least is 0". */
  readonly problem: string;
  /** What to write or do instead, with an example. */
  readonly write: string;
}

/** Everything that is wrong with one configuration. Its message is ready to be printed. */
export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];
  constructor(file: string, problems: readonly ConfigProblem[]) {
    const told = problems.map((one) => ({ ...one, problem: redact(one.problem), write: redact(one.write) }));
    const title = `${file}: ${told.length === 1 ? '1 error' : `${told.length} errors`} in the configuration`;
    super([title, ...told.map(({ path, problem, write }) => `\n  ${path === '' ? 'the file' : path} ${problem}\n    write: ${write}`)].join(''));
    this.name = 'ConfigError';
    this.file = file;
    this.problems = told;
  }
}

export type Path = readonly PropertyKey[];

/** `expected.tables[2].minRows` */
export function dotted(path: Path): string {
  let out = '';
  for (const key of path) {
    if (typeof key === 'number') out += `[${key}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(String(key))) out += out === '' ? String(key) : `.${String(key)}`;
    else out += `[${JSON.stringify(String(key))}]`;
  }
  return out;
}

/** The problems of what does not fit the schema. */
export function problemsOf(schema: z.ZodType, raw: unknown): ConfigProblem[] {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return [];
  const problems = parsed.error.issues.flatMap((issue) => explain(schema, raw, issue));
  // A mistyped key is one error: the key that was meant is not reported missing too.
  const meant = new Set(problems.flatMap(meantPath));
  return problems.filter(({ code, path }) => !(code === 'config.missing' && meant.has(path)));
}

/** Places that something was written for, but nothing that can be read. */
export function brokenPlaces(problems: readonly ConfigProblem[]): ReadonlySet<string> {
  return new Set(problems.flatMap((problem) => [problem.path, ...meantPath(problem)]));
}

function meantPath({ code, path, write }: ConfigProblem): string[] {
  const near = code === 'config.unknown-key' ? /^(\w+) \(did you mean/.exec(write)?.[1] : undefined;
  return near === undefined ? [] : [path.replace(/[^.]+$/, near)];
}

/** The guide's sentence: `for example minRows: 10000, the fewest rows …`. */
function example(key: PropertyKey | undefined, { what, example: value }: Guide): string {
  return `for example ${typeof key === 'string' ? `${key}: ` : ''}${value} (${what})`;
}

/** What a schema says about a place, looking through what wraps it. */
export function guideOf(schema: z.ZodType): Guide | undefined {
  const own = guides.get(schema);
  if (own !== undefined) return own;
  const inner = unwrap(schema);
  if (inner !== schema) return guideOf(inner);
  if (schema instanceof z.ZodUnion) return schema.options.map((option) => guideOf(option as z.ZodType)).find((guide) => guide !== undefined);
  return undefined;
}

export function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
}

function explain(schema: z.ZodType, raw: unknown, issue: z.core.$ZodIssue): ConfigProblem[] {
  const { path } = issue;
  const place = dotted(path);
  const value = valueAt(raw, path);
  const here = schemaAt(schema, raw, path);
  const guide = here === undefined ? undefined : guideOf(here);
  const write = guide === undefined ? 'see docs/design.md, Configuration' : example(path.at(-1), guide);
  const one = (code: string, problem: string, instead = write): ConfigProblem[] => [{ code, path: place, problem, write: instead }];

  if (issue.code === 'unrecognized_keys') {
    const known = here === undefined ? [] : keysOf(here, value);
    return issue.keys.map((key) => ({
      code: 'config.unknown-key',
      path: dotted([...path, key]),
      problem: 'is not a known key',
      write: suggestion(key, known) ?? suggestionElsewhere(schema, key) ?? `one of ${known.join(', ')}, or nothing`,
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The option that was meant is the one whose own type fits.
    const meant = issue.errors.find((errors) => errors.every((error) => error.path.length > 0 || error.code !== 'invalid_type'));
    if (meant !== undefined) return meant.flatMap((inner) => explain(schema, raw, { ...inner, path: [...path, ...inner.path] }));
  }
  if (value === undefined) return one('config.missing', 'is missing', valuesOf(issue) ?? write);
  const values = valuesOf(issue);
  if (values !== undefined) return one('config.unknown-value', `is ${show(value)}, which is not known`, values);
  // A text in place of env('…') is likely the secret itself: it is not shown.
  if (here !== undefined && guide?.example.startsWith('env(') === true && typeof value === 'string') {
    return one('config.secret-in-file', 'is written into the file, where a secret does not belong');
  }
  if (issue.code === 'too_small' && issue.origin !== 'string' && issue.origin !== 'array') return one('config.invalid', `is ${show(value)}, and the least is ${String(issue.minimum)}`);
  if (issue.code === 'too_small' || issue.code === 'custom' || issue.code === 'invalid_format') {
    return one('config.invalid', value === '' || typeof value !== 'string' || issue.message === 'is empty' ? issue.message : `is ${show(value)}, which ${issue.message}`);
  }
  if (issue.code === 'invalid_type') return one('config.invalid', `is ${show(value)}, where ${words[issue.expected] ?? issue.expected} belongs`);
  return one('config.invalid', `is ${show(value)}, which does not fit`);
}

const words: Readonly<Record<string, string>> = { string: 'a text', number: 'a number', int: 'a whole number', boolean: 'true or false', array: 'a list', object: 'an object' };

/** The values that an enum or a `kind` may have. */
function valuesOf(issue: z.core.$ZodIssue): string | undefined {
  const key = String(issue.path.at(-1));
  if (issue.code === 'invalid_value') return `${key}: ${issue.values.map((known) => `'${String(known)}'`).join(' or ')}`;
  const options: unknown = 'options' in issue ? issue.options : undefined;
  return Array.isArray(options) ? `${key}: ${options.map((known) => `'${String(known)}'`).join(' or ')}` : undefined;
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'null';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : inspect(value);
}

function valueAt(raw: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined), raw);
}

/** The schema of a place; of a union, the option that fits what stands there. */
function schemaAt(schema: z.ZodType, raw: unknown, path: Path): z.ZodType | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return schema;
  const inner = unwrap(schema);
  const next = inner instanceof z.ZodObject ? (inner.shape as Record<PropertyKey, z.ZodType>)[key]
    : inner instanceof z.ZodArray ? (inner.element as z.ZodType)
    : undefined;
  if (next !== undefined) return schemaAt(next, valueAt(raw, [key]), rest);
  if (inner instanceof z.ZodUnion) {
    const option = optionFor(inner, raw);
    return option === undefined ? undefined : schemaAt(option, raw, path);
  }
  return undefined;
}

/** The object among a union's options that the value means to be. */
export function optionFor(union: z.ZodUnion, value: unknown): z.ZodType | undefined {
  const objects = union.options.filter((option): option is z.ZodObject => option instanceof z.ZodObject);
  const kind = valueAt(value, ['kind']);
  return objects.find((option) => option.shape['kind'] instanceof z.ZodLiteral && option.shape['kind'].value === kind) ?? (objects.length === 1 ? objects[0] : undefined);
}

function keysOf(schema: z.ZodType, value: unknown): string[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) return Object.keys(inner.shape);
  const option = inner instanceof z.ZodUnion ? optionFor(inner, value) : undefined;
  return option === undefined ? [] : keysOf(option, value);
}

/** The known key that was likely meant, or undefined. */
function suggestion(key: string, known: readonly string[]): string | undefined {
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(key.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(Math.min(key.length, candidate.length) / 3)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? undefined : `${near.candidate} (did you mean ${near.candidate}?)`;
}

/** A key at the wrong level: `rpo` belongs under `objectives`. */
function suggestionElsewhere(schema: z.ZodType, key: string): string | undefined {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return undefined;
  const parents = Object.entries(inner.shape).filter(([, child]) => keysOf(child as z.ZodType, undefined).includes(key));
  const parent = parents.length === 1 ? parents[0]?.[0] : undefined;
  return parent === undefined ? undefined : `${parent}: { ${key}: … } (did you mean ${parent}.${key}?)`;
}

/** Insertions, deletions and replacements between two words, two swapped neighbours counting as one. */
function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)]);
  for (let j = 0; j <= b.length; j++) (rows[0] as number[])[j] = j;
  const at = (i: number, j: number): number => rows[i]?.[j] as number;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, at(i - 2, j - 2) + 1);
      (rows[i] as number[])[j] = least;
    }
  }
  return at(a.length, b.length);
}
