// Many nights in a bucket with three credentials, on a clock that the test sets: the production host backs up, carries off and prunes
// its own, a third host prunes the bucket a day behind, and another user drills with nothing but the drill's key and the right to read.
// BACKUP_DRILLS_NIGHTS=30 makes it a month.
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, vi } from 'vitest';
import { openBareHost, setsOf } from '../../fixtures/backup-host.ts';
import { openClock } from '../../fixtures/clock.ts';
import { CommandPlace, type Ended } from '../../fixtures/command.ts';
import { openOffsiteHost, s3Remote } from '../../fixtures/offsite-host.ts';
import { startOther } from '../../fixtures/other-server.ts';
import { SAMPLE_MESSAGES, SAMPLE_SEED } from '../../fixtures/sample/data.ts';
import { loadSample, makeDatabase, withClient } from '../../fixtures/sample/load.ts';
import { startWriteLoad } from '../../fixtures/sample/write-load.ts';
import { needing } from '../../fixtures/tools.ts';
import { newStoreKeys, storeRegion } from '../servers/object-store/object-store.ts';
import { startS3Server } from '../servers/object-store/server.ts';

const nights = Number(process.env['BACKUP_DRILLS_NIGHTS'] ?? 8);
vi.setConfig({ testTimeout: 60_000 + nights * 20_000 });
const tools = needing('initdb15', 'postgres15', 'pg_dump15', 'embedded Postgres 15', 'faketime', 'setpriv', 'age', 'age-keygen', 'rclone', 'root');
const checkout = join(import.meta.dirname, '..', '..');
const dayMs = 86_400_000;

tools.test(`${nights} nights, off the host`, async () => {
  await using all = new AsyncDisposableStack();
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'offsite-nights-')));
  all.defer(() => rmSync(base, { recursive: true, force: true }));
  chmodSync(base, 0o755);
  const clock = all.use(openClock(tools.path('faketime'), join(base, 'clock')));
  // The last night is an hour ago, so that the drill needs no clock of its own.
  const last = Date.now() - 3_600_000;
  const timeOf = (night: number): Date => new Date(last - (nights - 1 - night) * dayMs);
  const idOf = (night: number): string => timeOf(night).toISOString().slice(0, 10);
  clock.at(new Date(timeOf(0).getTime() - 3_600_000));
  const server = await startOther(tools.path('initdb15'), tools.path('postgres15'), { environment: clock.environment });
  all.defer(server.stop);
  const { owner, backup } = await makeDatabase({ admin: server.admin, major: 15 } as never);
  await withClient(owner, async (client) => loadSample(client, { seed: SAMPLE_SEED, messages: SAMPLE_MESSAGES, until: new Date(timeOf(0).getTime() - 3_600_000) }));

  const directory = mkdtempSync(join(base, 's3-'));
  const [production, drill, pruning] = [newStoreKeys(), newStoreKeys(), newStoreKeys()];
  const bucket = await startS3Server({ directory, bucket: 'backups', versioned: true, identities: [{ ...production, may: ['list', 'get', 'put'] }, { ...drill, may: ['list', 'get', 'list-versions', 'list-uploads'] }, { ...pruning, may: ['list', 'get', 'delete', 'list-versions'] }] });
  all.defer(bucket.close);
  const to = { endpoint: bucket.endpoint, region: storeRegion };
  const host = all.use(openOffsiteHost());
  host.reach(s3Remote(to, production), 'backups/wa');
  Object.assign(host.settings, { DATABASE: 'wa_mcp', DATABASE_USER: backup.user, CONNECT: 'direct', DATABASE_HOST: server.admin.host, PG_BIN: join(tools.path('pg_dump15'), '..'), REQUIRED_TABLES: 'clients:1 messages:1000', KEEP_DAILY: '4', KEEP_MONTHLY: '2', KEEP_AT_LEAST: '2' });
  // The third host: another machine, and so the very ledger only by way of the log server.
  const third = all.use(openBareHost());
  mkdirSync(join(third.home, 'prune'));
  const ledger = join(base, 'ledger.jsonl');
  execFileSync('cp', [host.settings['RCLONE_CONFIG'] ?? '', join(third.home, 'rclone.conf')]);
  Object.assign(third.settings, { APPLICATION: 'whatsapp-mcp', OFFSITE: 'off:backups/wa', RCLONE_CONFIG: join(third.home, 'rclone.conf'), PRUNE_DIR: join(third.home, 'prune'), LEDGER: ledger, KEEP_DAILY: '4', KEEP_MONTHLY: '2', KEEP_AT_LEAST: '2' });
  execFileSync('sed', ['-i', `s/^access_key_id.*/access_key_id = ${pruning.accessKeyId}/; s|^secret_access_key.*|secret_access_key = ${pruning.secretAccessKey}|`, join(third.home, 'rclone.conf')]);

  const run = async (on: { run: typeof host.run }, name: string, words: readonly string[] = [], expected = 0): Promise<void> => {
    const ended = await on.run(words, {}, { script: name, through: clock.under() });
    expect(ended, `${name}: ${ended.log.join('\n')}`).toMatchObject({ code: expected });
  };
  await run(host, 'sync-offsite.sh', ['--init']);
  for (let night = 0; night < nights; night += 1) {
    clock.at(timeOf(night));
    await withClient(owner, async (client) => client.query('INSERT INTO media_objects SELECT gen_random_uuid(), client_id, kind, mime_type, bytes, sha256, gen_random_uuid()::text, caption, thumbnail, now(), NULL FROM media_objects LIMIT 1'));
    const load = await startWriteLoad(owner);
    try {
      await run(host, 'backup-db.sh');
    } finally {
      await load.stop();
    }
    for (const name of ['sync-offsite.sh', 'prune-local.sh']) await run(host, name);
    // The audit sync, and the third host behind it: yesterday's plan, then today's.
    copyFileSync(host.ledger, ledger);
    await run(third, 'prune-offsite.sh', ['--carry-out'], readPlan(third.home) ? 0 : 1);
    await run(third, 'prune-offsite.sh');
  }
  const kept = new Set(Array.from({ length: 4 }, (_, back) => idOf(nights - 1 - back)));
  const months = [...new Set(Array.from({ length: nights }, (_, night) => idOf(night).slice(0, 7)))].slice(-2);
  for (const month of months) kept.add(Array.from({ length: nights }, (_, night) => idOf(night)).find((id) => id.startsWith(month)) ?? '');
  expect(new Set(setsOf(host.directory).keys())).toEqual(kept);

  // Another user, on another machine: the drill's key, a credential that reads, the ledger.
  const place = new CommandPlace(join(base, 'drill'));
  all.defer(async () => place.close());
  const nobody = { uid: Number(execFileSync('id', ['-u', 'nobody'])), gid: Number(execFileSync('id', ['-g', 'nobody'])) };
  const key = join(place.root, 'drill.key');
  copyFileSync(host.keys.drill, key);
  chmodSync(key, 0o400);
  place.write(`import base from ${JSON.stringify(pathToFileURL(join(checkout, 'drill.config.ts')).href)};
    export default { ...base, stores: [{ name: 'offsite', kind: 's3', endpoint: ${JSON.stringify(bucket.endpoint)}, bucket: 'backups', prefix: 'wa', accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'SECRET' }, ledger: { path: ${JSON.stringify(ledger)}, seen: 'seen.json', reread: { budget: '1GB', state: 'reread.json' } } }],
      keys: { identityFile: ${JSON.stringify(key)} }, retention: { daily: 4, monthly: 1 }, reports: ${JSON.stringify(place.reports)}, scratch: ${JSON.stringify(place.scratch)}, checks: [], runtime: 'embedded' };\n`);
  chmodSync(ledger, 0o644);
  mkdirSync(place.reports, { recursive: true });
  execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, place.root]);
  chownSync(key, nobody.uid, nobody.gid);
  const command = async (name: string, ...words: string[]): Promise<Ended> => place.start(['--config', place.config, ...words], { command: name, env: { ID: drill.accessKeyId, SECRET: drill.secretAccessKey }, under: ['setpriv', `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, '--clear-groups'] }).ended;
  const passes = async (name: string, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await command(name, ...words);
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };
  expect(await passes('drill')).toMatch(new RegExp(`set ${idOf(nights - 1)} `));
  for (const seed of ['a', 'b']) expect(await passes('drill', '--random-older', '--seed', seed)).toMatch(/^verified: database, ledger /m);
  // The ledger knows every night; retention and the bytes are judged by what should be there.
  expect(readFileSync(ledger, 'utf8').split('\n')).toHaveLength(3 * nights + 1);
  expect(await passes('check', 'retention', 'ledger', 'store')).toMatch(/^verified: retained sets by name and size, ledger, stored bytes /m);
  place.expectNothingLeft();
});

function readPlan(home: string): boolean {
  try {
    return readFileSync(join(home, 'prune', 'plan')).length > 0;
  } catch {
    return false;
  }
}
