// The servers' slice of the configuration: what carries the throw-away servers, and out of which images.
import { z } from 'zod';
import { duration, guided, size, text } from '../config/leaf.ts';
import { parseBytes, parseDuration } from '../config/units.ts';

export const runtimes = ['auto', 'embedded', 'containers'] as const;
export type Runtime = (typeof runtimes)[number];

/** What may stand for the object store of a rehearsal; the first is the default. */
export const objectStoreKinds = ['minio', 'seaweedfs'] as const;
export type ObjectStoreKind = (typeof objectStoreKinds)[number];

/** MinIO's last release; its registry is a frozen snapshot. SeaweedFS lives on. */
const objectStoreImages: Readonly<Record<ObjectStoreKind, string>> = {
  minio: 'quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z',
  seaweedfs: 'chrislusf/seaweedfs:4.48',
};

export const serversSlice = {
  /** What carries the throw-away servers. Default `'auto'`: containers where an engine and the images are to be had, else embedded. */
  runtime: guided(z.enum(runtimes), 'what carries the throw-away servers', `'auto'`).optional(),
  /** The container images, by tag or digest. */
  images: guided(
    z.strictObject({
      /** `{major}` stands for the dump's own. Default `'postgres:{major}'`. */
      postgres: text('the image of the throw-away Postgres, with {major} for the major of the dump', `'postgres:{major}'`).optional(),
      /** The object store of a rehearsal. */
      objectStore: guided(
        z.strictObject({
          kind: guided(z.enum(objectStoreKinds), 'which object store a rehearsal runs', `'minio'`),
          image: text('the image of that object store', `'quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z'`).optional(),
        }),
        'the object store of a rehearsal',
        `{ kind: 'seaweedfs' }`,
      ).optional(),
      /** How long one image may take to be pulled. Default `'10 min'`. */
      pullWithin: duration('how long one image may take to be pulled', `'10 min'`).optional(),
    }),
    'the container images, by tag or digest',
    `{ postgres: 'postgres:{major}' }`,
  ).optional(),
  /** The most memory that the database's container may use, its data included while that lies in memory. Default: what the dump asks for, at most three quarters of the engine's. */
  containerMemory: size(`the most memory that the database's container may use`, `'4GB'`).optional(),
};

export interface ServersConfig {
  readonly runtime: Runtime;
  readonly images: {
    readonly postgres: string;
    readonly objectStore: { readonly kind: ObjectStoreKind; readonly image: string };
    readonly pullWithinMs: number;
  };
  /** Null: by the size of the dump. */
  readonly containerMemoryBytes: number | null;
}

const schema = z.strictObject(serversSlice);

/** The slice as the harness uses it. */
export function normaliseServers({ runtime, images, containerMemory }: z.output<typeof schema>): ServersConfig {
  const kind = images?.objectStore?.kind ?? objectStoreKinds[0];
  return {
    runtime: runtime ?? 'auto',
    images: {
      postgres: images?.postgres ?? 'postgres:{major}',
      objectStore: { kind, image: images?.objectStore?.image ?? objectStoreImages[kind] },
      pullWithinMs: parseDuration(images?.pullWithin ?? '10 min'),
    },
    containerMemoryBytes: containerMemory === undefined ? null : parseBytes(containerMemory),
  };
}
