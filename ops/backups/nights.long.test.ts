// Seven nights on a clock that the tests set, for the scripts, the database and the drill alike: one is missed, one fails, and a
// month ends among them. Then the sets that are left are drilled, and held against what should be kept.
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { type Clock, openClock } from '../../fixtures/clock.ts';
import { CommandPlace, type Ended } from '../../fixtures/command.ts';
import { startOther, type OtherServer } from '../../fixtures/other-server.ts';
import { SAMPLE_MESSAGES, SAMPLE_SEED } from '../../fixtures/sample/data.ts';
import { loadSample, makeDatabase, withClient } from '../../fixtures/sample/load.ts';
import { startWriteLoad } from '../../fixtures/sample/write-load.ts';
import { needing } from '../../fixtures/tools.ts';
import { setsOf } from '../../fixtures/backup-host.ts';
import type { Login } from '../../harness/servers/postgres.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
const tools = needing('initdb15', 'postgres15', 'pg_dump15', 'embedded Postgres 15', 'faketime', 'setpriv');
const monotonic = { FAKETIME_DONT_FAKE_MONOTONIC: '1' };
const checkout = join(import.meta.dirname, '..', '..');

tools.describe('seven nights', () => {
  let base: string;
  let clock: Clock;
  let sets: string;
  let server: OtherServer;
  let logins: { owner: Login; backup: Login };

  beforeAll(async () => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'seven-nights-')));
    chmodSync(base, 0o755);
    clock = openClock(tools.path('faketime'), join(base, 'clock'));
    sets = join(base, 'sets');
    mkdirSync(sets, { mode: 0o700 });
    clock.at('2027-02-25T01:00:00Z');
    server = await startOther(tools.path('initdb15'), tools.path('postgres15'), { environment: clock.environment });
    logins = await makeDatabase({ admin: server.admin, major: 15 });
    await withClient(logins.owner, async (client) => loadSample(client, { seed: SAMPLE_SEED, messages: SAMPLE_MESSAGES, until: new Date('2027-02-25T01:00:00Z') }));
    const settings = {
      BACKUP_DIR: sets, DATABASE: 'wa_mcp', DATABASE_USER: 'wa_backup', CONNECT: 'direct', DATABASE_HOST: server.admin.host, PG_BIN: dirname(tools.path('pg_dump15')),
      REQUIRED_TABLES: 'clients:1 api_keys:1 messages:1000', MIN_FREE_MB: 1, KEEP_DAILY: 3, KEEP_MONTHLY: 2, KEEP_AT_LEAST: 2,
    };
    writeFileSync(join(base, 'backup.env'), Object.entries(settings).map(([key, value]) => `${key}=${value}\n`).join(''));
  });
  afterAll(async () => {
    await server.stop();
    clock[Symbol.dispose]();
    rmSync(base, { recursive: true, force: true });
  });

  const script = async (name: string, expected: number): Promise<string> => new Promise((resolve, reject) => {
    const [faketime = '', ...under] = clock.under();
    const words = [...under, '/bin/bash', join(import.meta.dirname, name), '--config', join(base, 'backup.env')];
    const child = execFile(faketime, words, { env: {} }, (_, stdout, stderr) => {
      if (child.exitCode === expected) resolve(stdout + stderr);
      else reject(new Error(`${name} ended with ${child.exitCode}: ${stdout}${stderr}`));
    });
  });

  /** As cron has it: `backup-db.sh && prune-local.sh`, while the application goes on writing. */
  async function goodNight(time: string): Promise<void> {
    clock.at(time);
    await withClient(logins.owner, async (client) => client.query('INSERT INTO media_objects SELECT gen_random_uuid(), client_id, kind, mime_type, bytes, sha256, gen_random_uuid()::text, caption, thumbnail, now(), NULL FROM media_objects LIMIT 1'));
    const load = await startWriteLoad(logins.owner);
    try {
      await script('backup-db.sh', 0);
      await script('prune-local.sh', 0);
    } finally {
      await load.stop();
    }
  }

  tools.test('what is kept is what the rules say, and the newest and an older set are drilled: verified', async () => {
    for (const time of ['2027-02-25T02:00:00Z', '2027-02-26T02:00:07Z']) await goodNight(time);
    // The night of the 27th is missed. In that of the 28th the application has lost its messages.
    await withClient(logins.owner, async (client) => client.query('ALTER TABLE messages RENAME TO messages_moved'));
    clock.at('2027-02-28T02:00:00Z');
    expect(await script('backup-db.sh', 1)).toContain('problem missing-table: public.messages');
    await withClient(logins.owner, async (client) => client.query('ALTER TABLE messages_moved RENAME TO messages'));
    expect(setsOf(sets)).toEqual(new Map([['2027-02-25', null], ['2027-02-26', null]]));
    // A month's end, and a host that does it at the last second of the day, in the zone of nobody.
    for (const time of ['2027-03-01T02:00:00Z', '2027-03-02T23:59:40Z', '2027-03-03T02:00:00Z']) await goodNight(time);
    // Three days with a set; and of the month before its first.
    expect(setsOf(sets)).toEqual(new Map(['2027-02-25', '2027-03-01', '2027-03-02', '2027-03-03'].map((id) => [id, null])));
    expect(readdirSync(sets)).toHaveLength(12);

    clock.at('2027-03-03T06:00:00Z');
    const place = new CommandPlace(join(base, 'drill'));
    const config = (daily: number): string => place.write(`import base from ${JSON.stringify(pathToFileURL(join(checkout, 'drill.config.ts')).href)};
      export default { ...base, stores: [{ name: 'local', kind: 'directory', path: ${JSON.stringify(sets)} }], retention: { daily: ${daily}, monthly: 1 }, reports: ${JSON.stringify(place.reports)}, scratch: ${JSON.stringify(place.scratch)}, checks: [], runtime: 'embedded' };\n`);
    const run = async (command: string, ...words: string[]): Promise<Ended> => place.start(['--config', config(3), ...words], { command, under: clock.under(), env: monotonic }).ended;
    expect(await run('drill')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^verified: database/m) });
    expect(place.records().at(-1)).toMatchObject({ verdict: 'verified', kind: 'drill' });
    for (const seed of ['one', 'two']) {
      const older = await run('drill', '--random-older', '--seed', seed);
      expect(older.code, older.stdout).toBe(0);
    }
    const drilled = place.log();
    expect(drilled[0]).toContain('2027-03-03');
    expect(new Set(drilled.slice(1).map((line) => /\| (2027-0[23]-\d\d) \|/.exec(line)?.[1])).has('2027-03-03')).toBe(false);

    expect(await run('check', 'retention')).toMatchObject({ code: 0 });
    const missing = await place.start(['--config', config(5), 'retention'], { command: 'check', under: clock.under(), env: monotonic }).ended;
    expect(missing).toMatchObject({ code: 1, stdout: expect.stringMatching(/2027-02-27.*2027-02-28/s) });
    place.expectNothingLeft();
    await place.close();
  });
});
