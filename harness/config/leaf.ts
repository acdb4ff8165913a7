// What the slices of the configuration are made of: leaves that know what to write instead of what is wrong.
import { z } from 'zod';
import { parseBytes, parseDuration } from './units.ts';

/** What an error says about one place of the configuration. */
export interface Guide {
  /** What belongs there, as a phrase: "the fewest rows that a healthy restore holds". */
  readonly what: string;
  /** A value in the configuration's own language: `'36h'`, `env('BACKUPS')`. */
  readonly example: string;
}

export const guides = z.registry<Guide>();

/** The schema with its guide. Every leaf has one; a test walks the schema for it. */
export function guided<S extends z.ZodType>(schema: S, what: string, example: string): S {
  guides.add(schema, { what, example });
  return schema;
}

export const text = (what: string, example: string) => guided(z.string().check(z.trim(), z.minLength(1, { error: 'is empty' })), what, example);

export const count = (what: string, example: string) => guided(z.int().min(0), what, example);

/** A duration as a text, `'36h'`; see {@link parseDuration}. */
export const duration = (what: string, example: string) => guided(unit(parseDuration), what, example);

/** A size as a text, `'8GB'`; see {@link parseBytes}. */
export const size = (what: string, example: string) => guided(unit(parseBytes), what, example);

/** A path; a relative one counts from the configuration file's directory. */
export const path = (what: string, example: string) =>
  guided(
    z.string().check((context) => {
      const problem = pathProblem(context.value);
      if (problem !== null) context.issues.push({ code: 'custom', message: problem, input: context.value });
    }),
    what,
    example,
  );

/** What is wrong with a path before anything is looked up, or null. */
export function pathProblem(value: string): string | null {
  if (value.trim() === '') return 'is empty';
  if (value.includes('\0')) return 'holds a NUL character';
  if (value.startsWith('~')) return 'starts with ~, which only a shell expands';
  return null;
}

/** A value that the environment holds; `env('NAME')` makes one. */
export interface FromEnvironment {
  readonly env: string;
}

export const fromEnvironment = (what: string, example: string) =>
  guided(
    z.strictObject({
      env: guided(
        z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'is no name of an environment variable' })
          .refine((name) => !name.endsWith('_FILE'), { error: 'ends in _FILE, which is looked at beside the plain name anyway' }),
        'the name of an environment variable, without _FILE',
        `'DRILL_IDENTITY'`,
      ),
    }),
    what,
    example,
  );

/** A name for people and reports. */
export const name = (what: string, example: string) =>
  guided(z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9._ -]*[A-Za-z0-9])?$/, { error: 'is no plain name (letters, digits and . _ - or blanks inside)' }), what, example);

/** Reads a unit's text or leaves its own sentence as the error. */
function unit(parse: (text: string) => number) {
  return z.string().check((context) => {
    try {
      parse(context.value);
    } catch (error) {
      context.issues.push({ code: 'custom', message: (error as Error).message, input: context.value });
    }
  });
}
