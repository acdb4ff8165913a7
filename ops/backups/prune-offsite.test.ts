// Pruning the store off the host on the real rclone: a plan that is made, let lie and carried out; and what is refused or kept.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Ended } from '../../fixtures/backup-host.ts';
import { type Call, startFaults } from '../../fixtures/object-store-faults.ts';
import { type OffsiteHost, openOffsiteHost, s3Remote } from '../../fixtures/offsite-host.ts';
import { needing } from '../../fixtures/tools.ts';
import { newStoreKeys, storeRegion } from '../../harness/servers/object-store/object-store.ts';
import { startS3Server } from '../../harness/servers/object-store/server.ts';

const tools = needing('age', 'age-keygen', 'bash', 'rclone', 'setpriv');
const dayMs = 86_400_000;
const day = (back: number): string => new Date(Date.now() - back * dayMs).toISOString().slice(0, 10);
const parts = ['sql.gz.age', 'globals.sql.age', 'manifest.json.age'];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

tools.describe('prune-offsite.sh', () => {
  let host: OffsiteHost;
  let store: string;
  const closing: (() => Promise<void>)[] = [];
  beforeEach(() => {
    host = openOffsiteHost();
    store = mkdtempSync(join(tmpdir(), 'prune-store-'));
    mkdirSync(join(host.home, 'prune'));
    Object.assign(host.settings, { PRUNE_DIR: join(host.home, 'prune'), LEDGER: '/none', KEEP_DAILY: '3', KEEP_MONTHLY: '0', KEEP_AT_LEAST: '2' });
    host.reach({ type: 'alias', remote: store }, '');
    writeFileSync(join(store, 'store.json'), '{"format": "backup-drills/store/1", "application": "whatsapp-mcp", "created": "2026-01-01T00:00:00Z", "nonce": "0"}\n');
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    rmSync(store, { recursive: true, force: true });
    host[Symbol.dispose]();
  });
  const put = (...ids: string[]): void => {
    for (const id of ids) for (const part of parts) writeFileSync(join(store, `db-${id}.${part}`), `${id} ${part}`);
  };
  const plan = (): string => join(host.home, 'prune', 'plan');
  const prune = async (words: readonly string[] = [], more: Record<string, string> = {}): Promise<Ended> => host.run(words, more, { script: 'prune-offsite.sh' });
  const ok = async (words: readonly string[] = [], more: Record<string, string> = {}): Promise<readonly string[]> => {
    const ended = await prune(words, more);
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    return ended.log;
  };
  const refuses = async (code: string, words: readonly string[] = [], more: Record<string, string> = {}): Promise<readonly string[]> => {
    const before = readdirSync(store).toSorted();
    const ended = await prune(words, more);
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 1, ended: `refused ${code}` });
    expect(readdirSync(store).toSorted()).toEqual(before);
    return ended.log;
  };
  const held = (): string[] => [...new Set(readdirSync(store).flatMap((name) => /^db-(.+?)\.(?:sql|globals|manifest)/.exec(name)?.[1] ?? []))].toSorted();
  /** The plan as if it had been made so many hours ago. */
  const age = (hours: number, edit = (text: string): string => text): void => {
    const [body] = readFileSync(plan(), 'utf8').split(/^sha256 /m);
    const older = edit((body ?? '').replace(/^made .*$/m, `made ${new Date(Date.now() - hours * 3_600_000).toISOString().slice(0, 19)}Z`));
    writeFileSync(plan(), `${older}sha256 ${sha256(older)}\n`);
  };

  test('writes down what it would remove, waits, removes that alone, and uses the plan up', async () => {
    put(day(0), day(1), day(2), day(3), day(4));
    writeFileSync(join(store, 'notes.txt'), 'of somebody');
    const log = await ok();
    expect(log).toContain(`remove ${day(4)} past the 3 newest days, and ${day(4).slice(0, 7)} past the 0 newest months`);
    expect(log).toContain("untouched 'notes.txt' of no whole set that is known");
    expect(held()).toHaveLength(5);
    await refuses('plan', ['--carry-out']);
    expect((await ok()).join('\n')).toContain('lies there');
    age(21);
    expect((await ok(['--carry-out'])).filter((line) => line.startsWith('removed '))).toEqual([day(4), day(3)].toSorted().flatMap((id) => [`removed db-${id}.manifest.json.age`, `removed db-${id}.globals.sql.age`, `removed db-${id}.sql.gz.age`]));
    expect(held()).toEqual([day(2), day(1), day(0)]);
    expect(readdirSync(store)).toContain('notes.txt');
    await refuses('plan', ['--carry-out']);
    expect((await ok()).join('\n')).toContain('nothing to remove');
    expect(readdirSync(join(host.home, 'prune'))).toEqual([]);
  });

  test('keeps what the rule keeps by now, though it is in the plan', async () => {
    put(day(0), day(1), day(2), day(3));
    await ok();
    age(21);
    for (const part of parts) rmSync(join(store, `db-${day(1)}.${part}`));
    const log = await ok(['--carry-out']);
    expect(log.join('\n')).toContain(`kept ${day(3)}`);
    expect(held()).toEqual([day(3), day(2), day(0)]);
  });

  test('removes nothing of a set that was altered since, and says so', async () => {
    put(day(0), day(1), day(2), day(3));
    await ok();
    age(21);
    writeFileSync(join(store, `db-${day(3)}.sql.gz.age`), 'of another length');
    expect(await prune(['--carry-out'])).toMatchObject({ code: 1, problems: ['altered'], ended: 'refused altered' });
    expect(held()).toHaveLength(4);
  });

  test.each<[string, (text: string) => string]>([
    ['edited', (text) => text.replace(day(3), day(0))],
    ['cut', (text) => text.slice(0, -80)],
    ['empty', () => ''],
    ['none', () => 'something\n'],
  ])('a plan that is %s', async (_, edit) => {
    put(day(0), day(1), day(2), day(3));
    await ok();
    age(21);
    writeFileSync(plan(), edit(readFileSync(plan(), 'utf8')));
    await refuses('plan', ['--carry-out']);
  });

  test('a plan of another store, of the future, or of long ago; which is replaced', async () => {
    put(day(0), day(1), day(2), day(3));
    await ok();
    for (const hours of [-2, 200]) {
      age(hours);
      await refuses('plan', ['--carry-out']);
    }
    expect((await ok()).join('\n')).toContain('is replaced');
    await refuses('plan', ['--carry-out']);
    age(21, (text) => text.replace(/^store ./m, 'store x'));
    await refuses('plan', ['--carry-out']);
  });

  test('a store that is stale, empty, of tomorrow, or another\'s', async () => {
    await refuses('none');
    put(day(9), day(8), day(7), day(6));
    await refuses('stale');
    rmSync(store, { recursive: true });
    await prune().then((ended) => expect(ended).toMatchObject({ code: 1, ended: 'refused not-a-store' }));
    mkdirSync(store);
    writeFileSync(join(store, 'store.json'), '{"application": "other"}');
    await refuses('other-application');
    writeFileSync(join(store, 'store.json'), '{"application": "whatsapp-mcp"}');
    put(day(-3));
    await refuses('clock');
    put(day(0), day(1), day(2), day(3));
    expect(await ok()).toContain(`future ${day(-3)} later than now: not counted, not touched`);
  });

  test('only whole sets count: without a manifest, empty, or with another size than the ledger says, they are left alone', async () => {
    put(day(0), day(1), day(2), day(3), day(4));
    rmSync(join(store, `db-${day(1)}.manifest.json.age`));
    writeFileSync(join(store, `db-${day(2)}.globals.sql.age`), '');
    expect((await ok()).filter((line) => /^(?:keep|remove) /.test(line)).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([`keep ${day(4)}`, `keep ${day(3)}`, `keep ${day(0)}`]);
    const ledger = join(host.home, 'ledger');
    const line = (name: string, bytes: number): string => `{"name": "${name}", "bytes": ${bytes}, "sha256": "${'0'.repeat(64)}"}\n`;
    const known = (id: string, more: number): string => parts.map((part) => line(`db-${id}.${part}`, `${id} ${part}`.length + more)).join('');
    writeFileSync(ledger, known(day(0), 0) + known(day(3), 1) + known(day(4), 0));
    expect((await ok([], { LEDGER: ledger })).filter((said) => /^(?:keep|remove) /.test(said)).map((said) => said.split(' ').slice(0, 2).join(' '))).toEqual([`keep ${day(4)}`, `keep ${day(0)}`]);
    expect(await prune([], { LEDGER: join(host.home, 'nowhere') })).toMatchObject({ code: 2, ended: 'broken ledger' });
  });

  test('what a run that was cut short had begun is finished by the next', async () => {
    put(day(0), day(1), day(2), day(3), day(4));
    await ok();
    age(21);
    rmSync(join(store, `db-${day(4)}.manifest.json.age`));
    await ok(['--carry-out']);
    expect(held()).toEqual([day(2), day(1), day(0)]);
  });

  test.each(['manifest', 'globals'])('killed behind the %s of a set: nothing claims to be whole, and the next run finishes', async (behind) => {
    put(day(0), day(1), day(2), day(3), day(4));
    await ok();
    age(21);
    const running = host.start(['--carry-out'], {}, { script: 'prune-offsite.sh' });
    expect(await running.said(`removed db-${day(4)}.${behind}`)).toBe(true);
    running.process.kill('SIGKILL');
    await running.end;
    expect(existsSync(join(store, `db-${day(4)}.manifest.json.age`))).toBe(false);
    await ok(['--carry-out']);
    expect(held()).toEqual([day(2), day(1), day(0)]);
  });

  test('an S3 store: by a credential that may delete, with what its versions still hold; and one that may not', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'prune-s3-'));
    const [writer, pruner, reader] = [newStoreKeys(), newStoreKeys(), newStoreKeys()];
    const server = await startS3Server({ directory, bucket: 'backups', versioned: true, identities: [{ ...writer, may: ['list', 'get', 'put'] }, { ...pruner, may: ['list', 'get', 'delete', 'list-versions'] }, { ...reader, may: ['list', 'get'] }] });
    let cut = false;
    const faults = await startFaults(server, ({ method, key }: Call) => (cut && method === 'DELETE' && (key ?? '').includes('globals') ? { cutAfter: -1 } : null));
    closing.push(async () => {
      await faults.close();
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    });
    const as = (keys: typeof writer): void => host.reach(s3Remote({ endpoint: faults.endpoint, region: storeRegion }, keys), 'backups/wa');
    as(writer);
    host.settings['LEDGER'] = host.ledger;
    for (const back of [3, 2, 1, 0]) host.addSet(back * 24 + 1, { id: day(back) });
    expect(await host.script(['--init'])).toMatchObject({ code: 0 });
    const synced = await host.script([]);
    expect(synced, synced.log.join('\n')).toMatchObject({ code: 0 });
    as(reader);
    await ok();
    age(21);
    const denied = await prune(['--carry-out']);
    expect(denied, denied.log.join('\n')).toMatchObject({ code: 1, problems: ['held'], ended: 'refused held' });
    expect(denied.log.filter((line) => line.startsWith('removed '))).toEqual([]);
    as(pruner);
    cut = true;
    expect(await prune(['--carry-out'])).toMatchObject({ code: 1, problems: ['held'] });
    cut = false;
    const log = await ok(['--carry-out']);
    expect(log.filter((line) => line.startsWith('removed '))).toEqual([`removed db-${day(3)}.globals.sql.age`, `removed db-${day(3)}.sql.gz.age`]);
    expect(log.join('\n')).toMatch(/versions: 3 older ones, \d+ bytes/);
  }, 60_000);

  test('is the one script with a command that deletes, and deletes one name at a time', () => {
    const commands = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.sh')).flatMap((name) => (readFileSync(join(import.meta.dirname, name), 'utf8').match(/^(?!\s*#).*\brc (?:delete|deletefile|purge|sync|cleanup|rmdirs?|move)\b.*$/gm) ?? []).map((line) => `${name}: ${line.trim()}`));
    expect(commands).toEqual([expect.stringMatching(/^prune-offsite\.sh: rc deletefile "\$store\/\$1" /)]);
  });
});
