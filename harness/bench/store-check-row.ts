// `npm run check store` over what sync-offsite.sh has published, the whole command, against what one would type for its dump.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { needing } from '../../fixtures/tools.ts';
import { differs, type PlannedRow, shell } from './contenders.ts';
import type { GeneratedDump } from './data.ts';
import { measure } from './measure.ts';
import { offsiteBucket, offsiteScript, prepareOffsite } from './offsite-row.ts';

const command = resolve(import.meta.dirname, '../enter.mjs');

export function storeCheckRow({ dump, work, signal }: { readonly dump: GeneratedDump; readonly work: string; readonly signal: AbortSignal }): PlannedRow {
  const row = { name: 'check store', what: 'read a published set again from a local S3 server: ours holds every object against its line of the ledger, and looks for keys', goal: 1 };
  const { lacking } = needing('age', 'age-keygen', 'rclone', 'setpriv');
  if (lacking.length > 0) return { row, lacks: lacking.join(', ') };
  const [home, state] = [join(work, 'check-store'), join(work, 'reread.json')];
  let prepared: { readonly prefix: string; readonly name: string; readonly env: Readonly<Record<string, string>> } | null = null;
  const prepare = async () => {
    const { server, keys, settings } = await prepareOffsite(home, dump);
    const file = await settings();
    await measure({ program: 'bash', words: [offsiteScript, '--config', file], signal });
    const [, prefix = ''] = /^OFFSITE=off:[^/]+\/(\w+)$/m.exec(readFileSync(file, 'utf8')) ?? [];
    const name = /"name": "(db-[^"]+\.sql\.gz\.age)"/.exec(readFileSync(join(home, 'audit', 'ledger.jsonl'), 'utf8'))?.[1] ?? '';
    const store = {
      name: 'bench', kind: 's3', endpoint: server.endpoint, bucket: offsiteBucket, prefix, accessKeyId: { env: 'BENCH_KEY' }, secretAccessKey: { env: 'BENCH_SECRET' },
      ledger: { path: join(home, 'audit', 'ledger.jsonl'), reread: { every: '30 days', budget: '100GB', state } },
    };
    writeFileSync(join(home, 'check.config.ts'), `export default ${JSON.stringify({ application: 'bench', database: { name: 'bench', role: 'bench' }, stores: [store], checks: [], reports: join(home, 'reports') })};\n`);
    return { prefix, name, env: { BENCH_KEY: keys.accessKeyId, BENCH_SECRET: keys.secretAccessKey } };
  };
  return {
    row: {
      ...row,
      ours: {
        label: 'check store',
        run: async () => {
          const { env } = (prepared ??= await prepare());
          rmSync(state, { force: true });
          return measure({ program: process.execPath, words: [command, 'check', 'store', '--all', '--config', join(home, 'check.config.ts'), '--json'], cwd: home, env, signal, killSignal: 'SIGTERM' });
        },
        check: async ({ stdout }) => differs((JSON.parse(stdout) as { verdict: string }).verdict, 'verified'),
      },
      theirs: {
        ...shell('rclone cat', '', [], {}, signal, async ({ stdout }) => (/^[0-9a-f]{64} /.test(stdout) ? null : 'gave no hash')),
        run: async () => {
          const { prefix, name } = (prepared ??= await prepare());
          return shell('rclone cat', 'rclone --config "$1" cat "$2" | sha256sum', [join(home, 'rclone.conf'), `off:${offsiteBucket}/${prefix}/${name}`], { AWS_CA_BUNDLE: '' }, signal, async () => null).run();
        },
      },
    },
  };
}
