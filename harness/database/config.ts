// The database's slice of the configuration: which database, what a healthy restore of it holds, and how much a dump may ask for.
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { count, duration, guided, path, size, text } from '../config/leaf.ts';
import { parseBytes, parseDuration } from '../config/units.ts';

const expectedTable = z.strictObject({
  /** `messages`, `app.messages`, or with quotes where a name holds a dot: `app."odd.name"`. Without a schema: `public`. Case counts. */
  name: guided(
    z.string().refine((given) => tableName(given) !== null, { error: 'is no name of a table' }),
    'the name of a table, with its schema where that is not public',
    `'messages'`,
  ),
  /** The fewest rows that a healthy restore holds. */
  minRows: count('the fewest rows that a healthy restore holds, a whole number', '10000').optional(),
  /** The column whose greatest value tells how new the data is. */
  newest: text('the column that tells when a row was written', `'created_at'`).optional(),
  /** How old the newest row may be when the drill runs. Without it: the cadence and its slack. */
  maxAge: duration('how old the newest row may have been when the dump was taken', `'36h'`).optional(),
});

const answer = guided(z.union([z.string(), z.number(), z.boolean()]), 'the answer that the query must give, a text, a number, true or false', '0');

const smokeQuery = z.strictObject({
  /** What it asserts, for a person: `no message without a client`. */
  name: text('what the query asserts, for a person', `'no message without a client'`),
  /** One query whose answer is one row of one column. */
  sql: text('a query whose answer is one row of one column', `'select count(*) from messages'`),
  /** The answer, compared as Postgres prints it. */
  equals: answer.optional(),
  /** The least answer. */
  atLeast: guided(z.number(), 'the least answer, a number', '1').optional(),
  /** The greatest answer. */
  atMost: guided(z.number(), 'the greatest answer, a number', '0').optional(),
});

export const databaseSlice = {
  /** The database that the dump was taken of. */
  database: guided(
    z.strictObject({
      /** Its name at the source: `wa_mcp`. */
      name: text(`the database's name at the source`, `'wa_mcp'`),
      /** The role that owns the application's tables: `wa`. */
      role: text(`the role that owns the application's tables`, `'wa'`),
    }),
    'the database that is backed up',
    `{ name: 'wa_mcp', role: 'wa' }`,
  ),
  /** What a healthy restore holds, whatever the manifest says. */
  expected: guided(
    z.strictObject({
      tables: guided(z.array(expectedTable), 'the tables that must be there', `[{ name: 'messages', minRows: 1 }]`),
      /** The newest migration. */
      migration: guided(
        z.strictObject({
          /** Asks the restored database for its newest migration: one row of one column. */
          sql: text('a query that answers with the newest migration', `'select max(version) from schema_migrations'`),
          /** What it must answer. */
          head: text('the newest migration, as the query answers it', `'0007'`),
        }),
        'the newest migration and how to ask for it',
        `{ sql: 'select max(version) from schema_migrations', head: '0007' }`,
      ).optional(),
      extensions: guided(z.array(text('the name of an extension', `'pgcrypto'`)), 'the extensions that must be there', `['pgcrypto']`).optional(),
      /** The reference schema of `npm run check:schema`. Default `'checks/schema.reference.json'`. */
      schemaReference: path('the reference schema, which npm run check:schema -- --accept writes', `'checks/schema.reference.json'`).optional(),
    }),
    'what a healthy restore holds',
    `{ tables: [{ name: 'messages', minRows: 1 }] }`,
  ).optional(),
  /** Queries that the restored database must answer as said. */
  smoke: guided(z.array(smokeQuery), 'queries that the restored database must answer as said', `[{ name: 'a client exists', sql: 'select count(*) from clients', atLeast: 1 }]`).optional(),
  /** What a restore may do. */
  restore: guided(
    z.strictObject({
      /** False where the server that you would restore to has no superuser: what would need one is a finding. Default true. */
      admin: guided(z.boolean(), 'whether a superuser restores it, true or false', 'false').optional(),
      /** How long one statement may run. Default `'6h'`. */
      statement: duration('how long one statement may run', `'6h'`).optional(),
      /** How many sessions work at once. Default: as many as there are processors, 16 at most. */
      sessions: guided(z.int().min(1).max(16), 'how many sessions restore at once, a whole number from 1 to 16', '2').optional(),
    }),
    'what a restore may do',
    `{ admin: false, statement: '6h', sessions: 2 }`,
  ).optional(),
  /** How much a dump may ask for before it is taken for a trap. */
  caps: guided(
    z.strictObject({
      /** Of the decompressed dump. Default `'500GB'`. */
      maxBytes: size('how large a decompressed dump may be', `'500GB'`).optional(),
      /** Decompressed bytes for one compressed byte. Default 200. */
      maxRatio: guided(z.number().min(1), 'how many bytes one compressed byte may become, a number', '200').optional(),
      /** Of one statement outside COPY data. Default `'64MB'`. */
      statementBytes: size('how large one statement may be', `'64MB'`).optional(),
    }),
    'how much a dump may ask for',
    `{ maxBytes: '500GB', maxRatio: 200 }`,
  ).optional(),
};

const databaseSchema = z.strictObject(databaseSlice);
export type DatabaseInput = z.output<typeof databaseSchema>;

export interface ExpectedTable {
  readonly schema: string;
  readonly name: string;
  readonly minRows?: number;
  /** A column's name. */
  readonly newest?: string;
  readonly maxAgeMs?: number;
}

/** At least one of the three is there; `equals` excludes the others. */
export interface SmokeQuery {
  readonly name: string;
  readonly sql: string;
  /** As Postgres prints the value (`true` is `t`). */
  readonly equals?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface DatabaseConfig {
  readonly database: { readonly name: string; readonly role: string };
  readonly expected: {
    readonly tables: readonly ExpectedTable[];
    readonly migration?: { readonly sql: string; readonly head: string };
    readonly extensions: readonly string[];
    /** Absolute. */
    readonly schemaReference: string;
  };
  readonly smoke: readonly SmokeQuery[];
  readonly restore: { readonly admin: boolean; readonly statementMs: number; readonly sessions: number };
  readonly caps: { readonly maxBytes: number; readonly maxRatio: number; readonly statementBytes: number };
}

/** The slice as the harness uses it. @param root what its paths are relative to */
export function normaliseDatabase({ database, expected, smoke, restore, caps }: DatabaseInput, root: string): DatabaseConfig {
  return {
    database,
    expected: {
      tables: (expected?.tables ?? []).map(({ name: given, minRows, newest, maxAge }) => ({
        ...(tableName(given) as { schema: string; name: string }),
        ...(minRows === undefined ? {} : { minRows }),
        ...(newest === undefined ? {} : { newest }),
        ...(maxAge === undefined ? {} : { maxAgeMs: parseDuration(maxAge) }),
      })),
      ...(expected?.migration === undefined ? {} : { migration: expected.migration }),
      extensions: expected?.extensions ?? [],
      schemaReference: resolve(root, expected?.schemaReference ?? 'checks/schema.reference.json'),
    },
    smoke: (smoke ?? []).map(({ name: what, sql, equals, atLeast, atMost }) => ({
      name: what,
      sql,
      ...(equals === undefined ? {} : { equals: printed(equals) }),
      ...(atLeast === undefined ? {} : { atLeast }),
      ...(atMost === undefined ? {} : { atMost }),
    })),
    restore: { admin: restore?.admin ?? true, statementMs: parseDuration(restore?.statement ?? '6h'), sessions: restore?.sessions ?? Math.min(16, availableParallelism()) },
    caps: { maxBytes: parseBytes(caps?.maxBytes ?? '500GB'), maxRatio: caps?.maxRatio ?? 200, statementBytes: parseBytes(caps?.statementBytes ?? '64MB') },
  };
}

const printed = (value: string | number | boolean): string => (typeof value === 'boolean' ? (value ? 't' : 'f') : String(value));

/** Schema and name of a table as the configuration writes it, or null. */
export function tableName(given: string): { readonly schema: string; readonly name: string } | null {
  const part = String.raw`("(?:[^"\0]|"")+"|[^".\s\0]+)`;
  const match = new RegExp(`^(?:${part}\\.)?${part}$`).exec(given);
  if (match === null) return null;
  const bare = (text: string) => (text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);
  return { schema: bare(match[1] ?? 'public'), name: bare(match[2] ?? '') };
}
