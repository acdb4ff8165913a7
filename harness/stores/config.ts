// The stores' slice of the configuration.
import { resolve } from 'node:path';
import { z } from 'zod';
import { duration, type FromEnvironment, fromEnvironment, guided, name, path, size, text } from '../config/leaf.ts';
import { parseBytes, parseDuration } from '../config/units.ts';
import { endpointProblem, isAws, regionOf } from './endpoint.ts';

export { bucketInHost, isB2MasterKey } from './endpoint.ts';

const storeName = name('what reports call this store', `'offsite'`);

/** What was published to a store, as another machine keeps it. While it is left out, nothing is held against it. */
const ledger = guided(
  z.strictObject({
    /** The ledger, where the audit sync brings it to the machine that checks. */
    path: path('the ledger, as the audit sync brought it here', `'/var/log/whatsapp-mcp/audit/ledger.jsonl'`),
    /** How long a new line may take to come here. Default `'2h'`. */
    within: duration('how long a new line of the ledger may take to come here', `'2h'`).optional(),
    /** Where is kept what was last seen of it, on this machine alone. Without it a ledger that was written anew as a whole does not show. */
    seen: path('the file that keeps what was last seen of the ledger', `'/var/lib/backup-drills/ledger-seen.json'`).optional(),
    /** How the stored bytes are read again, in turn, by `npm run check store`. */
    reread: guided(
      z.strictObject({
        /** Within how long each artifact is read again. Default `'30 days'`. */
        every: duration('within how long each stored artifact is read again', `'30 days'`).optional(),
        /** How much may be read a day. */
        budget: size('how much of the store may be read a day', `'10GB'`),
        /** Where is kept what was read when, on this machine alone. */
        state: path('the file that keeps what was read of the store', `'/var/lib/backup-drills/reread.json'`),
        /** How each artifact is sealed. Default: two keys of age, for recovery and for the drill. */
        recipients: guided(z.array(text('the kind of a stanza', `'X25519'`)).min(1), 'how each artifact is sealed', `['X25519', 'X25519']`).optional(),
      }),
      'how the stored bytes are read again',
      `{ every: '30 days', budget: '10GB', state: '/var/lib/backup-drills/reread.json' }`,
    ).optional(),
  }),
  'the ledger of what was published there',
  `{ path: '/var/log/whatsapp-mcp/audit/ledger.jsonl', seen: '/var/lib/backup-drills/ledger-seen.json' }`,
).optional();

const directoryStore = z.strictObject({
  /** What reports call it: `offsite`. */
  name: storeName,
  kind: z.literal('directory'),
  /** Where the artifacts lie; relative to the configuration file, or from the environment. */
  path: z.union([
    path('the directory that holds the backups', `'/var/lib/whatsapp-mcp/backups'`),
    fromEnvironment('the directory that holds the backups', `env('BACKUPS_DIRECTORY')`),
  ]),
  ledger,
});

/** A text of a form of its own; `problem` says what is wrong with it. */
const formed = (problem: (value: string) => string | null, what: string, example: string) =>
  guided(
    z.string().check((context) => {
      const found = problem(context.value);
      if (found !== null) context.issues.push({ code: 'custom', message: found, input: context.value });
    }),
    what,
    example,
  );

const s3Store = z.strictObject({
  /** What reports call it: `offsite`. */
  name: storeName,
  kind: z.literal('s3'),
  /** The service, without bucket and path: `https://s3.eu-central-003.backblazeb2.com`. */
  endpoint: formed(endpointProblem, 'where the service is reached, without bucket or path', `'https://s3.eu-central-003.backblazeb2.com'`),
  bucket: formed((value) => (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value) ? null : 'is no name of a bucket (3 to 63 of a to z, 0 to 9, dots and hyphens)'), 'the bucket that holds the backups', `'whatsapp-mcp-backups'`),
  /** The folder in the bucket that the artifacts lie in. Default: none. */
  prefix: formed((value) => (/^[^/\0]+(?:\/[^/\0]+)*\/?$/.test(value) ? null : 'is no folder (no slash at its start, none doubled)'), 'the folder in the bucket that the backups lie in', `'production/database'`).optional(),
  /** Default: what the endpoint of AWS or B2 names, else `us-east-1`. */
  region: text('the region of the bucket', `'eu-central-003'`).optional(),
  /** Whether the bucket stands in the path. Default: everywhere but at AWS. */
  pathStyle: guided(z.boolean(), 'whether the bucket stands in the path and not in the host', 'true').optional(),
  /** Of a credential that reads and lists, and nothing else. */
  accessKeyId: fromEnvironment('where the id of the access key comes from', `env('DRILL_S3_KEY_ID')`),
  secretAccessKey: fromEnvironment('where the secret of the access key comes from', `env('DRILL_S3_SECRET')`),
  /** Of a temporary credential. */
  sessionToken: fromEnvironment('where the token of a temporary credential comes from', `env('DRILL_S3_TOKEN')`).optional(),
  ledger,
});

export const storeSchema = z.discriminatedUnion('kind', [directoryStore, s3Store]);
export type StoreInput = z.input<typeof storeSchema>;
export type S3StoreInput = z.input<typeof s3Store>;

/** A store as the harness uses it; plain JSON. */
export type StoreConfig = DirectoryStoreConfig | S3StoreConfig;

export interface DirectoryStoreConfig {
  readonly name: string;
  readonly kind: 'directory';
  /** Absolute. */
  readonly path: string;
  /** Null where none is configured. */
  readonly ledger: LedgerConfig | null;
}

export interface LedgerConfig {
  /** Absolute. */
  readonly path: string;
  readonly withinMs: number;
  /** Absolute; null: what was seen is not kept. */
  readonly seen: string | null;
  /** Null where stored bytes are not read again. */
  readonly reread: RereadConfig | null;
}

export interface RereadConfig {
  readonly everyMs: number;
  /** A day. */
  readonly budgetBytes: number;
  /** Absolute. */
  readonly state: string;
  /** Types of the stanzas of age. */
  readonly recipients: readonly string[];
}

export interface S3StoreConfig {
  readonly name: string;
  readonly kind: 's3';
  readonly endpoint: string;
  readonly bucket: string;
  /** Empty, or a folder with its trailing slash. */
  readonly prefix: string;
  readonly region: string;
  readonly pathStyle: boolean;
  /** Where the credential comes from; it is never in here itself. */
  readonly accessKeyId: FromEnvironment;
  readonly secretAccessKey: FromEnvironment;
  readonly sessionToken: FromEnvironment | null;
  /** Null where none is configured. */
  readonly ledger: LedgerConfig | null;
}

/** The credential of an S3 store; never written down. */
export interface S3Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** @param root what relative paths count from */
export function normaliseLedger(given: StoreInput['ledger'], root: string): LedgerConfig | null {
  if (given === undefined) return null;
  const { path: file, within = '2h', seen, reread } = given;
  return {
    path: resolve(root, file), withinMs: parseDuration(within), seen: seen === undefined ? null : resolve(root, seen),
    reread: reread === undefined ? null : { everyMs: parseDuration(reread.every ?? '30 days'), budgetBytes: parseBytes(reread.budget), state: resolve(root, reread.state), recipients: reread.recipients ?? ['X25519', 'X25519'] },
  };
}

export function normaliseS3(store: S3StoreInput, root = '.'): S3StoreConfig {
  const { name, kind, bucket, accessKeyId, secretAccessKey, sessionToken = null } = store;
  const endpoint = new URL(store.endpoint).origin;
  const prefix = store.prefix === undefined || store.prefix.endsWith('/') ? (store.prefix ?? '') : `${store.prefix}/`;
  // The certificate of AWS names one level below the service: a bucket with a dot in its name would not match it.
  const pathStyle = store.pathStyle ?? (!isAws(endpoint) || bucket.includes('.'));
  return { name, kind, endpoint, bucket, prefix, region: store.region ?? regionOf(endpoint), pathStyle, accessKeyId, secretAccessKey, sessionToken, ledger: normaliseLedger(store.ledger, root) };
}

/** Where a store lies, for people: a path, or `s3://bucket/folder at https://host`. */
export function whereIs(store: StoreConfig): string {
  return store.kind === 'directory' ? store.path : `s3://${store.bucket}/${store.prefix} at ${store.endpoint}`;
}
