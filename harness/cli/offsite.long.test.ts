// A whole night end to end: a database that is written to, backup-db.sh, sync-offsite.sh through rclone into SeaweedFS in a container,
// and the drill by a credential that only reads, with the drill's key alone. Then what somebody could do to the store or the ledger,
// each by its own words.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Host, openHost } from '../../fixtures/backup-host.ts';
import { CommandPlace, type Ended } from '../../fixtures/command.ts';
import { type StoreUnderTest, startSeaweedFs } from '../../fixtures/object-stores.ts';
import { type OffsiteHost, openOffsiteHost, s3Remote } from '../../fixtures/offsite-host.ts';
import { SAMPLE_MESSAGES, SAMPLE_SEED } from '../../fixtures/sample/data.ts';
import { loadSample, makeDatabase, withClient } from '../../fixtures/sample/load.ts';
import { startWriteLoad } from '../../fixtures/sample/write-load.ts';
import { needing } from '../../fixtures/tools.ts';
import { type DrillRun, readRecord } from '../run/record.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const run = promisify(execFile);
const tools = needing('age', 'age-keygen', 'rclone', 'setpriv', 'pg_dump18', 'psql18', 'pg_dumpall18', 'embedded Postgres 18', 'container engine', 'image of SeaweedFS');

tools.describe('a night, off the host, and drilled', () => {
  let database: Host;
  let host: OffsiteHost;
  let store: StoreUnderTest;
  let base: string;
  let id: string;
  let here: CommandPlace;
  beforeAll(async () => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'offsite-night-')));
    chmodSync(base, 0o755);
    database = await openHost(tools.path('pg_dump18'));
    const { owner, backup } = await makeDatabase({ ...database.scene, major: 18 } as never);
    await withClient(owner, async (client) => loadSample(client, { seed: SAMPLE_SEED, messages: SAMPLE_MESSAGES, until: new Date() }));
    store = await startSeaweedFs('backups');
    host = openOffsiteHost();
    host.reach(s3Remote(store, store.writer), 'backups/wa');
    writeFileSync(join(host.home, 'pgpass'), `*:*:*:${backup.user}:${backup.password}\n`, { mode: 0o600 });
    const more = { ...database.settings, BACKUP_DIR: host.directory, DATABASE: 'wa_mcp', DATABASE_USER: backup.user, DATABASE_PASSFILE: join(host.home, 'pgpass'), REQUIRED_TABLES: 'clients:1 messages:1000' };
    expect(await host.script(['--init'])).toMatchObject({ code: 0 });
    const load = await startWriteLoad(owner);
    try {
      const ended = await host.run([], more);
      expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    } finally {
      await load.stop();
    }
    const synced = await host.script([]);
    expect(synced, synced.log.join('\n')).toMatchObject({ code: 0 });
    id = host.lines(Buffer.from(await stored('store.json')))[0]?.set ?? '';
    here = new CommandPlace(join(base, 'drill'));
    configure();
  });
  afterAll(async () => {
    await here.close();
    host[Symbol.dispose]();
    await store.close();
    await database[Symbol.asyncDispose]();
    rmSync(base, { recursive: true, force: true });
  });

  const rclone = async (...words: string[]): Promise<Buffer> => (await run(tools.path('rclone'), ['--config', host.settings['RCLONE_CONFIG'] ?? '', ...words], { env: { PATH: process.env['PATH'] }, encoding: 'buffer', maxBuffer: 1 << 27 })).stdout;
  const stored = async (name: string): Promise<Buffer> => rclone('cat', `off:backups/wa/${name}`);
  const put = async (name: string, bytes: Buffer): Promise<void> => {
    const file = join(host.home, 'put');
    writeFileSync(file, bytes);
    await rclone('copyto', '--ignore-times', file, `off:backups/wa/${name}`);
  };
  const ledger = (): string => join(base, 'ledger.jsonl');
  function configure(more: Record<string, unknown> = {}): void {
    copyFileSync(host.ledger, ledger());
    here.configure({
      stores: [{ name: 'offsite', kind: 's3', endpoint: store.endpoint, bucket: 'backups', prefix: 'wa', accessKeyId: { env: 'READER_ID' }, secretAccessKey: { env: 'READER_SECRET' }, ledger: { path: ledger(), seen: join(base, 'seen.json'), reread: { budget: '1GB', state: join(base, 'reread.json') } } }],
      keys: { identityFile: host.keys.drill }, retention: { daily: 30, monthly: 12 }, ...more,
    });
  }
  const command = async (name: string, ...words: string[]): Promise<Ended> => {
    const ended = await here.start(['--config', here.config, ...words], { command: name, env: { READER_ID: store.reader.accessKeyId, READER_SECRET: store.reader.secretAccessKey } }).ended;
    last = readRecord(/^record +(.+)$/m.exec(ended.stdout)?.[1] ?? '');
    return ended;
  };
  let last: DrillRun;
  /** The codes of the errors of the last run, in the order of its steps. */
  const codes = (): string[] => last.steps.flatMap((step) => step.findings.filter(({ severity }) => severity === 'error').map(({ code }) => code));
  const sealed = (bytes: Buffer): Buffer => execFileSync(tools.path('age'), ['--encrypt', '--recipients-file', host.settings['RECIPIENTS'] ?? ''], { input: bytes, maxBuffer: 1 << 27 });
  /** Something else lies there while `body` runs. */
  async function whileStored(changes: Record<string, Buffer>, body: () => Promise<void>): Promise<void> {
    const before = new Map<string, Buffer>();
    for (const [name, bytes] of Object.entries(changes)) {
      before.set(name, await stored(name));
      await put(name, bytes);
    }
    await body();
    for (const [name, bytes] of before) await put(name, bytes);
  }
  const dump = (): string => `db-${id}.sql.gz`;
  const manifest = (): string => `db-${id}.manifest.json`;
  const local = (name: string): Buffer => readFileSync(join(host.directory, name));

  test('is verified, the ledger with it, and the check of the ledger needs neither key nor restore', async () => {
    const drilled = await command('drill');
    expect(drilled.code, drilled.stdout).toBe(0);
    expect(drilled.stdout).toMatch(/^verified: database, ledger · not covered: media, audit, recovery key$/m);
    expect(last.steps.find((step) => step.id === 'database.witness')?.evidence).toMatchObject({ object: `${dump()}.age`, witness: 'line' });
    configure({ keys: undefined });
    const checked = await command('check', 'ledger');
    expect(checked.code, checked.stdout).toBe(0);
    expect(checked.stdout).toMatch(/^verified: ledger · not covered: content, restore, media, audit, recovery key$/m);
    expect(readFileSync(join(base, 'seen.json'), 'utf8')).toContain('"lines":3');
    const reread = await command('check', 'store');
    expect(reread.code, reread.stdout).toBe(0);
    expect(last.steps.find((step) => step.id === 'database.reread')?.evidence).toMatchObject({ artifacts: 3, read: 3, scanned: 1 });
  });

  test('another dump under its name, by whoever can write there, with a manifest that agrees: neither is what was published', async () => {
    configure();
    const forged = sealed(local(`db-${id}.globals.sql`));
    await whileStored({ [`${dump()}.age`]: forged }, async () => {
      expect((await command('drill')).code).toBe(1);
      expect(codes()).toContain('ledger.size-differs');
      expect((await command('check', 'ledger')).code).toBe(1);
      expect(codes()).toEqual(['ledger.size-differs']);
    });
    // The same plaintext, sealed anew: as long as it was, and other bytes.
    await whileStored({ [`${dump()}.age`]: sealed(local(dump())) }, async () => {
      expect((await command('drill')).code).toBe(1);
      expect(codes()).toEqual(['ledger.sha256-differs']);
    });
    const other = Buffer.from(local(manifest()).toString().replace('"pgDump": "pg_dump', '"pgDump": "PG_DUMP'));
    await whileStored({ [`${manifest()}.age`]: sealed(other) }, async () => {
      expect((await command('drill')).code).toBe(1);
      expect(codes()).toEqual(['ledger.manifest-differs']);
    });
  });

  test('a set that nobody published, and one that somebody removed', async () => {
    configure();
    const stranger = '2026-01-02';
    await put(`db-${stranger}.sql.gz.age`, await stored(`${dump()}.age`));
    expect((await command('check', 'ledger')).code).toBe(1);
    expect(codes()).toContain('ledger.unwitnessed');
    await rclone('deletefile', `off:backups/wa/db-${stranger}.sql.gz.age`);
    const globals = await stored(`db-${id}.globals.sql.age`);
    await rclone('deletefile', `off:backups/wa/db-${id}.globals.sql.age`);
    expect((await command('check', 'ledger')).code).toBe(1);
    expect(codes()).toContain('ledger.artifact-gone');
    await put(`db-${id}.globals.sql.age`, globals);
  });

  test('a ledger that was edited, cut back, written anew or lost; and a store without its label', async () => {
    const text = readFileSync(host.ledger, 'utf8');
    const spoiled = async (edit: string | null, expected: string, code: number): Promise<void> => {
      configure();
      if (edit === null) rmSync(ledger());
      else writeFileSync(ledger(), edit);
      for (const name of ['drill', 'check'] as const) {
        expect((await command(name, ...(name === 'check' ? ['ledger'] : []))).code).toBe(code);
        expect(codes()).toEqual([expected]);
      }
    };
    await spoiled(text.replace('"bytes": ', '"bytes": 1'), 'ledger.chain-broken', 1);
    await spoiled(text.slice(0, text.indexOf('\n') + 1), 'ledger.rewound', 1);
    await spoiled(null, 'ledger.unreadable', 2);
    configure();
    writeFileSync(join(base, 'seen.json'), '{}');
    expect((await command('check', 'ledger')).code).toBe(2);
    expect(codes()).toEqual(['ledger.seen-unreadable']);
    rmSync(join(base, 'seen.json'));
    const label = await stored('store.json');
    await rclone('deletefile', 'off:backups/wa/store.json');
    expect((await command('check', 'ledger')).code).toBe(2);
    expect(codes()).toEqual(['ledger.store-unknown']);
    await put('store.json', label);
    const again = await command('drill');
    expect(again.code, again.stdout).toBe(0);
  });
});
