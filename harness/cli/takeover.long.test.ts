// A takeover, rehearsed: root on the production host and its credential, and the wish that last month's backups were unreadable or
// gone. What holds, and what does not, is written down in docs/operations/takeover.md; here it is tried.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GetObjectCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { CommandPlace } from '../../fixtures/command.ts';
import { type OffsiteHost, openOffsiteHost, s3Remote } from '../../fixtures/offsite-host.ts';
import { needing } from '../../fixtures/tools.ts';
import { readRecord } from '../run/record.ts';
import { newStoreKeys, storeRegion } from '../servers/object-store/object-store.ts';
import { type S3Server, startS3Server } from '../servers/object-store/server.ts';

vi.setConfig({ testTimeout: 60_000 });
const tools = needing('age', 'age-keygen', 'rclone', 'setpriv');
const run = promisify(execFile);

tools.describe('who has taken the production host over', () => {
  let host: OffsiteHost;
  let server: S3Server;
  let base: string;
  let here: CommandPlace;
  let old: string;
  const drill = newStoreKeys();
  beforeEach(async () => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'takeover-')));
    chmodSync(base, 0o755);
    const production = newStoreKeys();
    server = await startS3Server({ directory: mkdtempSync(join(base, 's3-')), bucket: 'backups', versioned: true, identities: [{ ...production, may: ['list', 'get', 'put', 'list-versions'] }, { ...drill, may: ['list', 'get', 'list-versions', 'list-uploads'] }] });
    host = openOffsiteHost();
    host.reach(s3Remote({ endpoint: server.endpoint, region: storeRegion }, production), 'backups/wa');
    old = host.addSet(26);
    host.addSet(2);
    for (const words of [['--init'], []]) expect(await host.script(words)).toMatchObject({ code: 0 });
    here = new CommandPlace(join(base, 'drill'));
    carried();
    expect((await check('ledger', 'store')).code).toBe(0);
  });
  afterEach(async () => {
    await here.close();
    host[Symbol.dispose]();
    await server.close();
    rmSync(base, { recursive: true, force: true });
  });

  /** The audit sync has come by. */
  const carried = (): void => {
    copyFileSync(host.ledger, join(base, 'ledger.jsonl'));
    here.configure({ stores: [{ name: 'offsite', kind: 's3', endpoint: server.endpoint, bucket: 'backups', prefix: 'wa', accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'SECRET' }, ledger: { path: join(base, 'ledger.jsonl'), seen: join(base, 'seen.json'), reread: { budget: '1GB', state: join(base, 'state.json') } } }], retention: { daily: 30, monthly: 12 } });
  };
  async function check(...names: string[]): Promise<{ code: number | null; codes: string[] }> {
    const { code, stdout } = await here.start(['--config', here.config, ...names, '--all'], { command: 'check', env: { ID: drill.accessKeyId, SECRET: drill.secretAccessKey } }).ended;
    const record = readRecord(/^record +(.+)$/m.exec(stdout)?.[1] ?? '');
    return { code, codes: record.steps.flatMap((step) => step.findings.filter(({ severity }) => severity === 'error').map((finding) => finding.code)) };
  }
  const rclone = async (...words: string[]): Promise<string> => (await run(tools.path('rclone'), ['--config', host.settings['RCLONE_CONFIG'] ?? '', '--retries', '1', '--s3-no-check-bucket', ...words], { env: { PATH: process.env['PATH'] } })).stdout;
  const at = (name: string): string => `off:backups/wa/${name}`;
  const get = async (name: string): Promise<Buffer> => {
    await rclone('copyto', '--ignore-times', at(name), join(base, 'got'));
    return readFileSync(join(base, 'got'));
  };

  tools.test('cannot delete, nor empty the bucket', async () => {
    await expect(rclone('deletefile', at(`db-${old}.sql.gz.age`))).rejects.toThrow(/AccessDenied/);
    await expect(rclone('purge', at(''))).rejects.toThrow(/AccessDenied/);
    expect(await check('ledger', 'store')).toEqual({ code: 0, codes: [] });
  });

  tools.test('can overwrite, which shows, and what was there before is still there', async () => {
    const name = `db-${old}.sql.gz.age`;
    const before = await get(name);
    const junk = join(base, 'junk');
    writeFileSync(junk, Buffer.alloc(before.length, 'x'));
    await rclone('copyto', '--ignore-times', junk, at(name));
    const checked = await check('ledger', 'store');
    expect(checked.code).toBe(1);
    expect(checked.codes.filter((code) => !['ledger.size-differs', 'ledger.sha256-differs'].includes(code))).toEqual([]);
    const client = new S3Client({ endpoint: server.endpoint, region: storeRegion, forcePathStyle: true, credentials: drill });
    const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: 'backups', Prefix: `wa/${name}` }));
    const older = Versions.find(({ IsLatest }) => IsLatest !== true);
    expect([Versions.length, older?.Size]).toEqual([2, before.length]);
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'backups', Key: `wa/${name}`, VersionId: older?.VersionId }));
    expect(Buffer.from(await (Body?.transformToByteArray() ?? [])).equals(before)).toBe(true);
    client.destroy();
  });

  tools.test('can add what was never backed up, which nobody witnesses once the ledger is carried no further', async () => {
    await rclone('copyto', '--ignore-times', join(host.directory, `db-${old}.globals.sql`), at('db-2026-01-05.sql.gz.age'));
    await rclone('copyto', '--ignore-times', join(host.directory, `db-${old}.globals.sql`), at('db-2026-01-05.manifest.json.age'));
    const { code, codes } = await check('ledger');
    expect([code, codes]).toEqual([1, ['ledger.unwitnessed']]);
  });

  tools.test('can rewrite the ledger on the host, which shows by what was seen of it', async () => {
    const lines = readFileSync(host.ledger, 'utf8').trim().split('\n');
    writeFileSync(host.ledger, `${lines.slice(0, 3).join('\n')}\n`);
    carried();
    expect(await check('ledger')).toEqual({ code: 1, codes: ['ledger.rewound'] });
    writeFileSync(host.ledger, `${lines.map((line, number) => (number === 5 ? line.replace(/"at": "[^"]*"/, '"at": "2026-01-01T00:00:00Z"') : line)).join('\n')}\n`);
    carried();
    expect(await check('ledger')).toEqual({ code: 1, codes: ['ledger.forked'] });
  });

  tools.test('can seal what comes from now on for himself alone: only a drill tells, and nothing that was published before is lost', async () => {
    const file = host.settings['RECIPIENTS'] ?? '';
    const thief = (name: string): string => {
      execFileSync(tools.path('age-keygen'), ['-o', join(base, name)], { stdio: 'ignore' });
      return execFileSync(tools.path('age-keygen'), ['-y', join(base, name)], { encoding: 'utf8' });
    };
    writeFileSync(file, `# recovery\n${thief('one')}# drill\n${thief('two')}`);
    const id = host.addSet(1, { id: `${new Date().toISOString().slice(0, 10)}T000001Z` });
    expect(await host.script([])).toMatchObject({ code: 0 });
    carried();
    expect(await check('ledger', 'store')).toEqual({ code: 0, codes: [] });
    const opened = (bytes: Buffer): string => execFileSync(tools.path('age'), ['--decrypt', '--identity', host.keys.drill], { input: bytes, stdio: ['pipe', 'pipe', 'ignore'] }).toString();
    const [lost, kept] = [await get(`db-${id}.globals.sql.age`), await get(`db-${old}.globals.sql.age`)];
    expect(() => opened(lost)).toThrow(/Command failed: .*age --decrypt/);
    expect(opened(kept)).toContain('the roles of');
  });
});
