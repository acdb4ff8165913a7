// Rows about object stores: ours against rclone, both as processes of their own, from the same server in this one.
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { tool } from '../../fixtures/tools.ts';
import { Bucket } from '../servers/object-store/bucket.ts';
import { type S3Server, startS3Server } from '../servers/object-store/server.ts';
import { type S3StoreConfig, normaliseS3 } from '../stores/config.ts';
import { differs, ours, type PlannedRow, shell } from './contenders.ts';
import { measure } from './measure.ts';

const [bucket, large] = ['bench', 'large'];
const keys = 100_000;

export interface BenchStore {
  readonly server: S3Server;
  readonly config: S3StoreConfig;
  readonly credential: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly work: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A bucket with one object of so many bytes in a folder, and 100,000 small ones in another. */
export async function startBenchStore(work: string, bytes: number): Promise<BenchStore> {
  const directory = join(work, 'bench-store');
  mkdirSync(directory, { mode: 0o700 });
  const contents = new Bucket(false);
  const file = join(directory, 'large');
  const hash = createHash('sha256');
  const block = randomBytes(1 << 20);
  await pipeline(Readable.from((function* () {
    for (let left = bytes; left > 0; left -= block.length) {
      const chunk = block.subarray(0, left);
      hash.update(chunk);
      yield chunk;
    }
  })(), { objectMode: false }), createWriteStream(file, { mode: 0o600 }));
  const body = { file, size: bytes, md5: 'large' };
  contents.put(`fetch/${large}`, body, '0'.repeat(32), {});
  for (let at = 0; at < keys; at += 1) contents.put(`list/db-${String(at).padStart(7, '0')}.sql.gz.age`, body, '0'.repeat(32), {});
  const credential = { accessKeyId: randomBytes(10).toString('hex'), secretAccessKey: randomBytes(20).toString('hex') };
  const server = await startS3Server({ directory, bucket, contents, identities: [{ ...credential, may: ['list', 'get'] }] });
  const config = normaliseS3({ name: bucket, kind: 's3', endpoint: server.endpoint, bucket, accessKeyId: { env: '' }, secretAccessKey: { env: '' } });
  return { server, config, credential, work, bytes, sha256: hash.digest('hex') };
}

const input = ({ config, credential }: BenchStore, prefix: string): string => JSON.stringify({ config: { ...config, prefix }, credential });

export function fetchRow(store: BenchStore, signal: AbortSignal): PlannedRow {
  const [result, copy] = [join(store.work, 'fetched.json'), join(store.work, 'rclone.copy')];
  const row = { name: 'fetch', what: `fetch ${Math.round(store.bytes / 1_000_000)} MB from a local S3 server into a file: ours hashes it, rclone cat does not`, goal: 1 };
  const rclone = tool('rclone');
  if (rclone === null) return { row, lacks: 'rclone' };
  return {
    row: {
      ...row,
      ours: { label: 'fetch', run: async () => measure({ ...ours(['fetch', large, result], signal), input: input(store, 'fetch/') }), check: async () => differs(JSON.parse(readFileSync(result, 'utf8')), { bytes: store.bytes, sha256: store.sha256 }) },
      theirs: shell('rclone cat', '"$1" cat "bench:$2/fetch/$3" > "$4"; stat -c %s -- "$4"; rm -f -- "$4"', [rclone, bucket, large, copy], rcloneEnv(store), signal, async ({ stdout }) => differs(Number(stdout), store.bytes)),
    },
  };
}

export function listRow(store: BenchStore, signal: AbortSignal): PlannedRow {
  const result = join(store.work, 'listed.json');
  const row = { name: 'list', what: `list ${keys.toLocaleString('en')} keys of a local S3 server`, goal: 1 };
  const rclone = tool('rclone');
  if (rclone === null) return { row, lacks: 'rclone' };
  return {
    row: {
      ...row,
      ours: { label: 'list', run: async () => measure({ ...ours(['list', '-', result], signal), input: input(store, 'list/') }), check: async () => differs(JSON.parse(readFileSync(result, 'utf8')), { keys, last: `db-${String(keys - 1).padStart(7, '0')}.sql.gz.age` }) },
      theirs: shell('rclone lsf', '"$1" lsf "bench:$2/list" | wc -l', [rclone, bucket], rcloneEnv(store), signal, async ({ stdout }) => differs(Number(stdout), keys)),
    },
  };
}

/** Its configuration, and nothing of the machine's own; an AWS_CA_BUNDLE makes every remote of this program fail. */
function rcloneEnv({ config, credential, work }: BenchStore): Record<string, string> {
  return { AWS_CA_BUNDLE: '', RCLONE_CONFIG: join(work, 'rclone.conf'), RCLONE_CONFIG_BENCH_TYPE: 's3', RCLONE_CONFIG_BENCH_PROVIDER: 'Other', RCLONE_CONFIG_BENCH_ENDPOINT: config.endpoint, RCLONE_CONFIG_BENCH_REGION: config.region, RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: credential.accessKeyId, RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: credential.secretAccessKey };
}
