// A throw-away object store for a rehearsal, whatever carries it: one versioned bucket, and two pairs of keys to it.
import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { Client } from 'minio';
import type { Finding } from '../../run/finding.ts';
import type { ObjectStoreEvidence } from '../evidence.ts';

export interface StoreKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface ObjectStoreServer {
  /** `http://127.0.0.1:49153` */
  readonly endpoint: string;
  readonly region: string;
  /** It is there, empty and versioned: a delete only hides, and a put only covers. */
  readonly bucket: string;
  /** Publishes, and lists whatever there is. */
  readonly writer: StoreKeys;
  /** Reads and lists, as the credential of a drill should. */
  readonly reader: StoreKeys;
  readonly evidence: ObjectStoreEvidence;
  /** Why a request failed, when it did because the store is gone; null while it runs. Absent where it cannot go without us. */
  readonly died?: () => Promise<Finding | null>;
  /** Afterwards nothing of it listens; a container is removed only by teardown, which tells what it could not remove. */
  readonly close: () => Promise<void>;
}

export const storeRegion = 'us-east-1';

export function newStoreKeys(): StoreKeys {
  return { accessKeyId: randomBytes(10).toString('hex').toUpperCase(), secretAccessKey: randomBytes(24).toString('base64url') };
}

/** minio-js's client, as the writer. */
export function storeClient({ endpoint, region, writer }: Pick<ObjectStoreServer, 'endpoint' | 'region' | 'writer'>): Client {
  const { hostname, port } = new URL(endpoint);
  // An agent of its own: the process-wide one may keep the process alive.
  return new Client({ endPoint: hostname, port: Number(port), useSSL: false, region, accessKey: writer.accessKeyId, secretKey: writer.secretAccessKey, transportAgent: new Agent() });
}

/**
 * All that the bucket holds, a line for each version, delete marker and unfinished upload: the same twice only where nothing
 * was changed between.
 */
export async function contentsOf(server: Pick<ObjectStoreServer, 'endpoint' | 'region' | 'bucket' | 'writer'>): Promise<readonly string[]> {
  const client = storeClient(server);
  const versions: unknown[] = await client.listObjects(server.bucket, '', true, { IncludeVersion: true }).toArray();
  const uploads: unknown[] = await client.listIncompleteUploads(server.bucket, '', true).toArray();
  return [...versions, ...uploads].map((entry) => JSON.stringify(entry)).sort();
}
