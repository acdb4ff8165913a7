import { z } from 'zod';

/** What the restore step measured. */
export const restoreEvidence = z.strictObject({
  /** The throw-away database's name, encoding and collation as they came out. */
  database: z.string(),
  encoding: z.string(),
  collation: z.string(),
  /** Where encoding and collation were taken from; `client_encoding` means that nobody recorded a collation. */
  settingsFrom: z.enum(['manifest', 'dump', 'client_encoding']),
  statements: z.strictObject({
    restorer: z.int(),
    admin: z.int(),
    /** REFRESH MATERIALIZED VIEW, each as its view's owner. */
    viewOwner: z.int(),
    /** CREATE DATABASE and the like, mapped to the throw-away database. */
    mapped: z.int(),
    /** Run later than they stand in the dump: owners, grants, views, event triggers. */
    deferred: z.int(),
    /** Not understood by the reader, run as the restorer in place. */
    unknown: z.int(),
    /** DROPs at the head of a --clean dump that found nothing to drop. */
    absentDrops: z.int(),
    /** What pg_dump wrote for servers of another version, and that holds nothing of the database. */
    unknownSettings: z.int(),
    /** SET default_tablespace to a tablespace that the throw-away server has not. */
    tablespaces: z.int(),
  }),
  /** How often each row of the closed list (lanes.ts) took a statement from the restorer, by the row's id. */
  closedList: z.record(z.string(), z.int()),
  parallel: z.strictObject({
    /** Of the restorer's. */
    sessions: z.int(),
    /** The most of them that were at work at one time. */
    atOnce: z.int(),
    /** Statements that were let run beside others. */
    beside: z.int(),
    /** Of those, how many ahead of their place in the dump. */
    ahead: z.int(),
    /** Tables whose rows went over more than one session. */
    divided: z.int(),
  }),
  /** What took longest of what ran in these sessions, in the order in which it began; ms since the restore began to run the dump. */
  longest: z.array(z.strictObject({ what: z.string(), session: z.int(), from: z.int(), to: z.int() })),
  tablesCopied: z.int(),
  rowsCopied: z.string(),
  bytesCopied: z.string(),
  /** Names of roles that the dump mentions and that were made for it, without login or rights. */
  rolesCreated: z.array(z.string()),
  extensions: z.array(z.string()),
  /** False: planner statistics were left to whoever queries. */
  analyzed: z.boolean(),
  durationMs: z.number(),
});
export type RestoreEvidence = z.infer<typeof restoreEvidence>;
