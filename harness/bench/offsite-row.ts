// A night off the host: one set encrypted, uploaded, read back and verified by the script, against what one would type for its dump.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, linkSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { tool } from '../../fixtures/tools.ts';
import { type S3Server, startS3Server } from '../servers/object-store/server.ts';
import { type PlannedRow, shell } from './contenders.ts';
import type { GeneratedDump } from './data.ts';
import { measure } from './measure.ts';

export const offsiteScript = resolve(import.meta.dirname, '../../ops/backups/sync-offsite.sh');
export const offsiteBucket = 'offsite';

export interface OffsitePlace {
  readonly server: S3Server;
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** A file of settings whose store is a new folder. */
  readonly settings: () => Promise<string>;
}

export function offsiteRow({ dump, work, signal }: { readonly dump: GeneratedDump; readonly work: string; readonly signal: AbortSignal }): PlannedRow {
  const row = { name: 'offsite', what: 'encrypt a dump, upload it to a local S3 server, read it back and hash it: ours publishes a whole set with its line of the ledger', goal: 1.1 };
  const needed = ['age', 'age-keygen', 'rclone', 'setpriv'] as const;
  const lacking = needed.filter((name) => tool(name) === null);
  if (lacking.length > 0) return { row, lacks: lacking.join(', ') };
  const home = join(work, 'offsite');
  const recipients = join(home, 'recipients.txt');
  const config = join(home, 'rclone.conf');
  let place: OffsitePlace | null = null;
  const prepared = async (): Promise<OffsitePlace> => (place ??= await prepareOffsite(home, dump));
  return {
    row: {
      ...row,
      ours: {
        label: 'sync-offsite.sh',
        run: async () => {
          const settings = await (await prepared()).settings();
          return measure({ program: 'bash', words: [offsiteScript, '--config', settings], signal, killSignal: 'SIGTERM' });
        },
        check: async () => (statSync(join(home, 'audit', 'ledger.jsonl')).size > 0 ? null : 'witnessed nothing'),
      },
      theirs: {
        ...shell('age | rclone', '', [], {}, signal, async ({ stdout }) => (/^[0-9a-f]{64} /.test(stdout) ? null : 'gave no hash')),
        run: async () => {
          await prepared();
          const to = `off:${offsiteBucket}/bare-${randomBytes(4).toString('hex')}`;
          return shell('age | rclone', 'age -e -R "$1" < "$2" | rclone --config "$3" --s3-no-check-bucket rcat "$4" && rclone --config "$3" cat "$4" | sha256sum', [recipients, dump.path, config, to], { AWS_CA_BUNDLE: '' }, signal, async () => null).run();
        },
      },
    },
  };
}

/** A host with one set, the keys of its own, and an S3 server in this process to which its settings point. */
export async function prepareOffsite(home: string, dump: GeneratedDump): Promise<OffsitePlace> {
  const [sets, audit, data] = ['sets', 'audit', 'store'].map((name) => join(home, name)) as [string, string, string];
  for (const directory of [home, sets, audit, data]) mkdirSync(directory, { mode: 0o700 });
  const keys = { accessKeyId: randomBytes(10).toString('hex'), secretAccessKey: randomBytes(20).toString('hex') };
  const server = await startS3Server({ directory: data, bucket: offsiteBucket, identities: [{ ...keys, may: ['list', 'get', 'put'] }] });
  writeFileSync(join(home, 'rclone.conf'), `[off]\ntype = s3\nprovider = Other\nendpoint = ${server.endpoint}\naccess_key_id = ${keys.accessKeyId}\nsecret_access_key = ${keys.secretAccessKey}\n`, { mode: 0o600 });
  const recipient = (name: string): string => {
    const key = join(home, name);
    execFileSync(tool('age-keygen') ?? '', ['-o', key], { stdio: 'ignore' });
    return execFileSync(tool('age-keygen') ?? '', ['-y', key], { encoding: 'utf8' });
  };
  writeFileSync(join(home, 'recipients.txt'), `# recovery\n${recipient('recovery.key')}# drill\n${recipient('drill.key')}`);
  const now = new Date().toISOString();
  const base = join(sets, `db-${now.slice(0, 10)}`);
  linkSync(dump.path, `${base}.sql.gz`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(dump.path), hash);
  writeFileSync(`${base}.globals.sql`, 'CREATE ROLE app;\n');
  writeFileSync(`${base}.manifest.json`, `{\n"format": "backup-drills/manifest/1",\n"id": "${now.slice(0, 10)}",\n"dump": {"name": "db-${now.slice(0, 10)}.sql.gz", "sha256": "${hash.digest('hex')}", "bytes": ${statSync(dump.path).size}},\n"rows": [\n{"kind": "snapshot", "time": "${now}"}\n]\n}\n`);
  const ledger = join(audit, 'ledger.jsonl');
  const settings = async (): Promise<string> => {
    rmSync(ledger, { force: true });
    const file = join(home, 'backup.env');
    const lines = { BACKUP_DIR: sets, APPLICATION: 'bench', OFFSITE: `off:${offsiteBucket}/${randomBytes(4).toString('hex')}`, RCLONE_CONFIG: join(home, 'rclone.conf'), RECIPIENTS: join(home, 'recipients.txt'), LEDGER: ledger, MIN_FREE_MB: 1, MAX_AGE_HOURS: 48 };
    writeFileSync(file, Object.entries(lines).map(([key, value]) => `${key}=${value}\n`).join(''));
    await measure({ program: 'bash', words: [offsiteScript, '--config', file, '--init'], signal: new AbortController().signal });
    return file;
  };
  return { server, keys, settings };
}
