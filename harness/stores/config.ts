// The stores' slice of the configuration.
import { z } from 'zod';
import { fromEnvironment, name, path } from '../config/leaf.ts';

const directoryStore = z.strictObject({
  /** What reports call it: `offsite`. */
  name: name('what reports call this store', `'offsite'`),
  kind: z.literal('directory'),
  /** Where the artifacts lie; relative to the configuration file, or from the environment. */
  path: z.union([
    path('the directory that holds the backups', `'/var/lib/whatsapp-mcp/backups'`),
    fromEnvironment('the directory that holds the backups', `env('BACKUPS_DIRECTORY')`),
  ]),
});

export const storeSchema = z.discriminatedUnion('kind', [directoryStore]);
export type StoreInput = z.input<typeof storeSchema>;

/** A store as the harness uses it. `path` is absolute. */
export interface StoreConfig {
  readonly name: string;
  readonly kind: 'directory';
  readonly path: string;
}
