// The configuration's shape, composed of the slices that lie beside their parts, and what becomes of it.
import { z } from 'zod';
import { type DatabaseConfig, databaseSlice } from '../database/config.ts';
import { type ServersConfig, serversSlice } from '../servers/config.ts';
import { type StoreConfig, storeSchema } from '../stores/config.ts';
import { count, duration, type FromEnvironment, fromEnvironment, guided, name, path, text } from './leaf.ts';

export const defaultCadence = '24h';

export const configSchema = z.strictObject({
  /** The application whose backups these are; a store names it too, so that a wrong store is known as such. */
  application: name('the application whose backups these are', `'whatsapp-mcp'`),
  ...databaseSlice,
  /** Where the backups lie. While it is left out, a drill is a rehearsal on a sample. */
  stores: guided(
    z.array(storeSchema).min(1, { error: 'is empty, and a drill without a store would prove nothing' }),
    'where the backups lie (left out altogether, a drill is a rehearsal)',
    `[{ name: 'offsite', kind: 'directory', path: '/mnt/backups' }]`,
  ).optional(),
  /** The drill's own age identity, one of the two. Not needed while the artifacts are not encrypted. */
  keys: guided(
    z.strictObject({
      /** A file that age-keygen wrote, mode 0600 or 0400. It may hold several identities. */
      identityFile: path('the file with the age identity of the drill', `'/etc/whatsapp-mcp/drill.key'`).optional(),
      /** The identity itself, from the environment or a file that it names; never written here. */
      identity: fromEnvironment('where the age identity of the drill comes from', `env('DRILL_IDENTITY')`).optional(),
    }),
    `the drill's own age identity`,
    `{ identityFile: '/etc/whatsapp-mcp/drill.key' }`,
  ).optional(),
  /** How often a backup is taken. Default `'24h'`. */
  cadence: duration('how often a backup is taken', `'24h'`).optional(),
  /** How much later than the cadence the newest backup may be. Default: a twelfth of the cadence. */
  slack: duration('how late a backup may be', `'2h'`).optional(),
  /** How many backups are kept. */
  retention: guided(
    z.strictObject({
      daily: count('how many daily backups are kept, a whole number', '30'),
      monthly: count('how many monthly backups are kept, a whole number', '12'),
      /** The UTC day on which backups began: what is older is not missed. Default: the oldest set's, which is said. */
      since: guided(z.iso.date(), 'the UTC day on which backups began', `'2026-01-15'`).optional(),
    }),
    'how many backups are kept',
    '{ daily: 30, monthly: 12 }',
  ).optional(),
  /** What was promised; a drill measures against it. */
  objectives: guided(
    z.strictObject({
      /** How much work may be lost: the age of the newest backup at its oldest. */
      rpo: duration('how much work may be lost', `'26h'`).optional(),
      /** How long a restore may take. */
      restoreDuration: duration('how long a restore may take', `'1h'`).optional(),
    }),
    'what was promised',
    `{ rpo: '26h', restoreDuration: '1h' }`,
  ).optional(),
  ...serversSlice,
  /** Where a drill puts its throw-away files. Default: the system's temporary directory. */
  scratch: path('where a drill puts its throw-away files', `'/var/tmp'`).optional(),
  /** Your own check files, as names or patterns. Default: every `checks/*.check.ts`. */
  checks: guided(z.array(text('a check file or a pattern', `'checks/*.check.ts'`)), 'your own check files', `['checks/*.check.ts']`).optional(),
  /** Where reports go. Default `'reports'`. */
  reports: path('where reports go', `'reports'`).optional(),
});

/** What a configuration file exports by default. */
export type DrillConfig = z.input<typeof configSchema>;
export type ParsedConfig = z.output<typeof configSchema>;

/**
 * The configuration as the harness uses it: plain JSON, every default filled in, paths absolute, units in the names.
 * Secrets are not in it, only where they come from; see `resolveSecrets`.
 */
export interface Config extends DatabaseConfig, ServersConfig {
  /** The directory of the configuration file. */
  readonly root: string;
  readonly application: string;
  /** `rehearsal` exactly while `stores` is absent. */
  readonly mode: 'drill' | 'rehearsal';
  readonly stores: readonly StoreConfig[];
  /** Null while none is configured. */
  readonly keys: { readonly identityFile: string } | { readonly identity: FromEnvironment } | null;
  readonly cadenceMs: number;
  readonly slackMs: number;
  readonly retention: { readonly daily: number; readonly monthly: number; readonly since: string | null } | null;
  /** Null where nothing was promised. */
  readonly objectives: { readonly rpoMs: number | null; readonly restoreDurationMs: number | null };
  readonly scratch: string;
  /** Files that exist, sorted. */
  readonly checks: readonly string[];
  readonly reports: string;
}
