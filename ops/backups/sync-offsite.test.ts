// Carrying sets off the host on the real rclone and age: what is published, where and how often, and what is refused for its own reason.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Call, type Fate, startFaults } from '../../fixtures/object-store-faults.ts';
import { startSeaweedFs } from '../../fixtures/object-stores.ts';
import { heldBy, type OffsiteHost, openOffsiteHost, s3Remote } from '../../fixtures/offsite-host.ts';
import { needing } from '../../fixtures/tools.ts';
import { newStoreKeys, storeRegion } from '../../harness/servers/object-store/object-store.ts';
import { startS3Server } from '../../harness/servers/object-store/server.ts';

const execFileAsync = promisify(execFile);
const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const tools = needing('age', 'age-keygen', 'bash', 'rclone', 'setpriv', 'strace');

/** A store as a test reaches it: what lies there can be read and changed past the script. */
interface Place {
  readonly reach: (host: OffsiteHost) => void;
  /** Names, in no order. */
  readonly names: () => Promise<string[]>;
  readonly read: (name: string) => Promise<Buffer>;
  readonly close: () => Promise<void>;
}

function directoryPlace(): Place & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'offsite-store-'));
  return {
    path, reach: (host) => host.reach({ type: 'alias', remote: path }, ''), names: async () => Object.keys(heldBy(path)), read: async (name) => readFileSync(join(path, name)),
    close: async () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Of rclone's own, read through rclone with another configuration. */
function through(host: OffsiteHost, more: Omit<Place, 'names' | 'read'>): Place {
  // Beside us: the server may be in this very process.
  const rclone = async (...words: string[]): Promise<Buffer> => (await execFileAsync(tools.path('rclone'), ['--config', host.settings['RCLONE_CONFIG'] ?? '', ...words], { env: { PATH: process.env['PATH'] }, maxBuffer: 1 << 26, encoding: 'buffer' })).stdout;
  const at = (name: string): string => `${host.settings['OFFSITE']}/${name}`;
  return { ...more, names: async () => (await rclone('lsf', at(''))).toString().split('\n').filter((name) => name !== ''), read: async (name) => rclone('cat', at(name)) };
}

async function sftpPlace(host: OffsiteHost): Promise<Place> {
  const directory = join(host.home, 'served');
  mkdirSync(directory, { recursive: true });
  const password = 'a password of this test alone';
  const server = spawn(tools.path('rclone'), ['serve', 'sftp', directory, '--addr', '127.0.0.1:0', '--user', 'carrier', '--pass', password, '--cache-dir', join(host.home, 'cache'), '--vfs-cache-mode', 'writes', '-v'], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env['PATH'], HOME: host.home } });
  const port = await new Promise<string>((resolve, reject) => {
    let said = '';
    server.stderr.on('data', (text: Buffer) => {
      said += text.toString();
      const found = /listening on .*:(\d+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    server.once('exit', () => reject(new Error(`no SFTP server: ${said}`)));
  });
  const pass = execFileSync(tools.path('rclone'), ['obscure', '-'], { input: password, encoding: 'utf8' }).trim();
  return through(host, {
    reach: (reached) => reached.reach({ type: 'sftp', host: '127.0.0.1', port, user: 'carrier', pass, shell_type: 'none' }, 'backups'),
    close: async () => {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGKILL');
      await ended;
    },
  });
}

/** Our own S3 server, with a credential that lists, reads and writes, and does not delete. */
async function s3Place(host: OffsiteHost, fault?: (call: Call) => Fate, more: readonly 'delete'[] = []): Promise<Place & { readonly calls: () => readonly Call[]; readonly hits: () => number }> {
  const directory = mkdtempSync(join(tmpdir(), 'offsite-s3-'));
  const keys = newStoreKeys();
  const server = await startS3Server({ directory, bucket: 'backups', versioned: true, identities: [{ ...keys, may: ['list', 'get', 'put', ...more] }] });
  const faults = await startFaults(server, fault ?? (() => null));
  return {
    ...through(host, { reach: (reached) => reached.reach(s3Remote({ endpoint: faults.endpoint, region: storeRegion }, keys), 'backups/wa'), close: async () => {
      await faults.close();
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    } }),
    calls: () => faults.calls, hits: faults.hits,
  };
}

async function seaweedPlace(host: OffsiteHost): Promise<Place> {
  const store = await startSeaweedFs('backups');
  return through(host, { reach: (reached) => reached.reach(s3Remote(store, store.writer), 'backups/wa'), close: store.close });
}

tools.describe('sync-offsite.sh', () => {
  let host: OffsiteHost;
  let place: Place;
  const places: Place[] = [];
  beforeEach(() => {
    host = openOffsiteHost();
  });
  afterEach(async () => {
    for (const one of places.splice(0)) await one.close();
    host[Symbol.dispose]();
  });

  const at = async <P extends Place>(opened: P | Promise<P>): Promise<P> => {
    const here = await opened;
    places.push(here);
    place = here;
    here.reach(host);
    return here;
  };
  const label = async (): Promise<Buffer> => place.read('store.json');
  const ok = async (...words: string[]): Promise<readonly string[]> => {
    const { code, log } = await host.script(words);
    expect(code, log.join('\n')).toBe(0);
    return log;
  };
  /** It ends for that reason, and the store and the ledger are as they were. */
  const refuses = async (ended: string, problems: readonly string[] = [], more: Record<string, string> = {}, words: readonly string[] = []): Promise<readonly string[]> => {
    const before = [(await place.names()).toSorted(), existsSync(host.ledger) ? readFileSync(host.ledger, 'utf8') : null];
    const said = await host.script(words, more);
    expect(said, said.log.join('\n')).toMatchObject({ code: ended.startsWith('refused') ? 1 : 2, ended });
    expect([...new Set(said.problems)]).toEqual(problems);
    expect([(await place.names()).toSorted(), existsSync(host.ledger) ? readFileSync(host.ledger, 'utf8') : null]).toEqual(before);
    return said.log;
  };
  const artifacts = (id: string): string[] => ['sql.gz', 'globals.sql', 'manifest.json'].map((suffix) => `db-${id}.${suffix}.age`);
  const decrypted = (stored: Buffer, key: string): Buffer => execFileSync(tools.path('age'), ['--decrypt', '--identity', key], { input: stored });

  /** The whole of what a store must come to hold. */
  async function publishes(opened: Place | Promise<Place>): Promise<void> {
    await at(opened);
    const older = host.addSet(26);
    const newer = host.addSet(2);
    await ok('--init');
    const log = await ok();
    expect((await place.names()).toSorted()).toEqual([...artifacts(older), ...artifacts(newer), 'store.json'].toSorted());
    // The order of publication: the manifest makes the set.
    const lines = host.lines(await label());
    expect(lines.map(({ name }) => name)).toEqual([...artifacts(older), ...artifacts(newer)]);
    for (const { name, bytes, sha256, plain, set, manifest } of lines) {
      const stored = await place.read(name);
      expect({ name, bytes, sha256 }).toEqual({ name, bytes: stored.length, sha256: sum(stored) });
      expect(stored.subarray(0, 22).toString()).toBe('age-encryption.org/v1\n');
      const source = readFileSync(join(host.directory, name.replace(/\.age$/, '')));
      expect(plain).toEqual({ bytes: source.length, sha256: sum(source) });
      expect(manifest).toBe(sum(readFileSync(join(host.directory, `db-${set}.manifest.json`))));
      for (const key of [host.keys.recovery, host.keys.drill]) expect(decrypted(stored, key).equals(source)).toBe(true);
    }
    expect(log.at(-1)).toMatch(/^ended exit=0 .* published=6$/);
    const [before, ledger] = [await place.names(), readFileSync(host.ledger)];
    expect((await ok()).at(-1)).toMatch(/published=0$/);
    expect([await place.names(), readFileSync(host.ledger)]).toEqual([before, ledger]);
    expect(existsSync(join(host.directory, '.sync-offsite.tmp'))).toBe(false);
  }

  test('publishes to a directory', async () => publishes(directoryPlace()));
  test('publishes by SFTP', async () => publishes(sftpPlace(host)));
  test('publishes to an S3 server by a credential that cannot delete', async () => publishes(s3Place(host)));
  needing('age', 'age-keygen', 'rclone', 'setpriv', 'container engine', 'image of SeaweedFS').test('publishes to SeaweedFS', async () => publishes(seaweedPlace(host)));

  describe('refuses', () => {
    let store: string;
    beforeEach(async () => {
      ({ path: store } = await at(directoryPlace()));
      host.addSet(26);
      host.addSet(2);
      await ok('--init');
    });

    test('a place that is no store, is not mounted, or is another application\'s', async () => {
      await refuses('refused other-application', [], { APPLICATION: 'other' });
      await refuses('refused other-application', [], { APPLICATION: 'other' }, ['--check']);
      renameSync(join(store, 'store.json'), join(store, 'store.txt'));
      await refuses('refused not-a-store');
      await refuses('refused not-empty', [], {}, ['--init']);
      await refuses('refused not-a-store', [], { OFFSITE: 'off:elsewhere' });
      writeFileSync(join(store, 'store.json'), '{}');
      await refuses('refused not-a-store');
    });

    test('an application that makes its store twice', async () => {
      const before = await label();
      expect((await ok('--init'))[0]).toContain('already');
      expect(await label()).toEqual(before);
      await refuses('refused other-application', [], { APPLICATION: 'other' }, ['--init']);
    });

    test('a source that is empty, missing or not mounted, and leaves what is in the store', async () => {
      await ok();
      host.clear();
      await refuses('refused none');
      await refuses('broken directory', [], { BACKUP_DIR: join(host.home, 'not there') });
    });

    test('sets that have stopped coming, after it has published what there is; and one of tomorrow', async () => {
      host.clear();
      const old = host.addSet(60);
      expect(await host.script([])).toMatchObject({ code: 1, problems: ['stale'], ended: 'refused stale' });
      expect(host.lines(await label()).map(({ set }) => set)).toEqual([old, old, old]);
      host.addSet(-24);
      await refuses('refused clock', []);
    });

    test.each([
      ['a private key', (lines: string[]) => [...lines, 'AGE-SECRET-KEY-1QQQQ'], 'refused private-key'],
      ['a private key in a comment', (lines: string[]) => ['# age-secret-key-1qqqq', ...lines], 'refused private-key'],
      ['no key for recovery', (lines: string[]) => lines.slice(2), 'refused recipients'],
      ['no key for the drill', (lines: string[]) => lines.slice(0, 2), 'refused recipients'],
      ['a third key', (lines: string[]) => [...lines, lines[1] ?? ''], 'refused recipients'],
      ['two keys for one', (lines: string[]) => [...lines, '# drill', lines[1] ?? ''], 'refused recipients'],
      ['one key for both', (lines: string[]) => [...lines.slice(0, 3), lines[1] ?? ''], 'refused recipients'],
      ['what is no key', (lines: string[]) => [...lines.slice(0, 3), 'age1qqqq'], 'refused recipients'],
      ['nothing', () => [], 'refused recipients'],
    ] as const)('recipients with %s', async (_, edit, ended) => {
      const file = host.settings['RECIPIENTS'] ?? '';
      writeFileSync(file, edit(readFileSync(file, 'utf8').split('\n').slice(0, 4)).join('\n'));
      const log = await refuses(ended);
      await refuses(ended, [], {}, ['--check']);
      expect(log.join('\n')).not.toMatch(/QQQQ/i);
    });

    test('settings that lack something, all at once, and a configuration of rclone that others may read', async () => {
      chmodSync(host.settings['RCLONE_CONFIG'] ?? '', 0o644);
      const log = await refuses('broken settings', [], { OFFSITE: 'nowhere', APPLICATION: '' });
      expect(log.filter((line) => line.startsWith('settings ')).map((line) => / ([A-Z_]+)[= ]/.exec(line)?.[1] ?? '').toSorted()).toEqual(['APPLICATION', 'OFFSITE', 'RCLONE_CONFIG']);
    });

    test('a dump that was replaced since it was verified, and publishes the other set', async () => {
      const id = host.addSet(2);
      const dump = join(host.directory, `db-${id}.sql.gz`);
      const bytes = readFileSync(dump);
      bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
      writeFileSync(dump, bytes);
      expect(await host.script([])).toMatchObject({ code: 1, problems: ['damaged'], ended: 'refused damaged' });
      expect((await place.names()).filter((name) => name.includes(id))).toEqual([]);
      expect(host.lines(await label())).toHaveLength(3);
    });

    test('what it did not put there, under a name of its own: never overwritten', async () => {
      await ok();
      const id = host.addSet(1, { id: `${new Date().toISOString().slice(0, 10)}T000000Z` });
      writeFileSync(join(store, `db-${id}.globals.sql.age`), 'of another host');
      expect(await host.script([])).toMatchObject({ code: 1, problems: ['foreign'], ended: 'refused foreign' });
      expect(readFileSync(join(store, `db-${id}.globals.sql.age`), 'utf8')).toBe('of another host');
      expect(await place.names()).not.toContain(`db-${id}.manifest.json.age`);
    });

    test('what was removed or replaced in the store since, each by its name', async () => {
      await ok();
      const [first, second] = host.lines(await label());
      rmSync(join(store, first?.name ?? ''));
      await refuses('refused gone', ['gone']);
      copyFileSync(join(store, 'store.json'), join(store, first?.name ?? ''));
      const log = await refuses('refused altered', ['altered']);
      expect(log.join('\n')).toContain(first?.name);
      expect(log.join('\n')).not.toContain(second?.name);
    });

    test.each([
      ['cut in its last line', (text: string) => text.slice(0, -30)],
      ['of another application', (text: string) => text.replaceAll('whatsapp-mcp', 'whatsapp-xyz')],
      ['of another store', (text: string) => text.replace(/"previous": "./, '"previous": "g').replace('"g', (text.includes('"previous": "0') ? '"1' : '"0'))],
      ['whose last line does not continue it', (text: string) => text.split('\n').toSpliced(-3, 1).join('\n')],
      ['that is none', () => 'something else\n'],
    ])('a ledger %s', async (_, edit) => {
      await ok();
      host.addSet(1, { id: `${new Date().toISOString().slice(0, 10)}T000000Z` });
      writeFileSync(host.ledger, edit(readFileSync(host.ledger, 'utf8')));
      await refuses('refused ledger');
    });

    test.each([1, 200, 400])('no line that a run of its own was cut off in, %i bytes before its end: it is made whole', async (missing) => {
      await ok();
      const whole = readFileSync(host.ledger, 'utf8');
      const pending = join(host.directory, '.sync-offsite.tmp', 'pending');
      mkdirSync(pending, { recursive: true });
      writeFileSync(join(pending, 'ledger-line'), whole.slice(whole.lastIndexOf('\n', whole.length - 2) + 1));
      writeFileSync(host.ledger, whole.slice(0, -missing));
      await ok();
      expect(readFileSync(host.ledger, 'utf8')).toBe(whole);
      writeFileSync(host.ledger, whole.slice(0, -missing));
      await refuses('refused ledger');
    });

    test('a ledger that was lost; with --adopt it is begun anew, and says so of each line', async () => {
      await ok();
      const [lines, names] = [host.lines(await label()), await place.names()];
      rmSync(host.ledger);
      await refuses('refused ledger-lost');
      await ok('--adopt');
      const again = host.lines(await label());
      const facts = (all: typeof again): object[] => all.map(({ name, bytes, sha256, plain, set, manifest }) => ({ name, bytes, sha256, plain, set, manifest }));
      expect(facts(again)).toEqual(facts(lines));
      expect(again.every(({ adopted }) => adopted === true)).toBe(true);
      expect(await place.names()).toEqual(names);
      expect((await ok()).at(-1)).toMatch(/published=0$/);
    });

    test('to adopt what is not encrypted', async () => {
      const id = host.addSet(2);
      writeFileSync(join(store, `db-${id}.sql.gz.age`), gzipSync('plain'));
      expect(await host.script(['--adopt'])).toMatchObject({ code: 1, problems: ['foreign'] });
    });

    test('a second run beside the first, and a set without globals', async () => {
      const holder = spawn('/bin/bash', ['-c', 'exec 9<"$0"; flock 9; echo held; read -r', join(host.ledger, '..')], { stdio: ['pipe', 'pipe', 'inherit'] });
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      await refuses('refused locked');
      const ended = new Promise((resolve) => holder.once('exit', resolve));
      holder.stdin.end('\n');
      await ended;
      rmSync(join(host.directory, `db-${host.addSet(2)}.globals.sql`));
      expect(await host.script([])).toMatchObject({ code: 1, problems: ['incomplete'] });
    });
  });

  test('checks without publishing, runs the hooks, and tells no secret to anybody', async () => {
    const here = await at(s3Place(host));
    host.addSet(2);
    await ok('--init');
    const before = await here.names();
    expect((await ok('--check')).join('\n')).toContain('nothing would be refused');
    expect(await here.names()).toEqual(before);
    const hook = join(host.home, 'hook');
    writeFileSync(hook, `#!/bin/bash\necho "$@" >>'${host.home}/heard'; env >>'${host.home}/heard.env'\n`, { mode: 0o755 });
    const secret = /secret_access_key = (\S+)/.exec(readFileSync(host.settings['RCLONE_CONFIG'] ?? '', 'utf8'))?.[1] ?? '';
    const traced = join(host.home, 'trace');
    const { code, log } = await host.script([], { HOOK_START: hook, HOOK_SUCCESS: hook, HOOK_FAILURE: hook }, { environment: { AWS_CA_BUNDLE: '/nowhere', AWS_SECRET_ACCESS_KEY: 'CANARY', RCLONE_CONFIG_PASS: 'CANARY' }, through: [tools.path('strace'), '-f', '-e', 'trace=execve', '-v', '-s', '4096', '-o', traced] });
    expect(code, log.join('\n')).toBe(0);
    const [started, succeeded] = readFileSync(join(host.home, 'heard'), 'utf8').trim().split('\n');
    expect([started, succeeded]).toEqual(['sync-offsite.sh - 0', expect.stringMatching(/^sync-offsite\.sh \d{4}-\d\d-\d\d 0$/)]);
    const calls = readFileSync(traced, 'utf8');
    expect(calls).toContain('rclone');
    for (const text of [calls, log.join('\n')]) expect(text).not.toContain(secret);
    expect(calls.split('\n').filter((line) => /execve\("[^"]*\/rclone",.*(?:CANARY|AWS_CA_BUNDLE)/.test(line))).toEqual([]);
  });

  describe('says what this credential could take away', () => {
    const checked = async (opened: Place | Promise<Place>, more: Record<string, string> = {}) => {
      const here = await at(opened);
      host.addSet(2);
      await ok('--init');
      const before = await here.names();
      const ended = await host.script(['--check'], more);
      expect(await here.names()).toEqual(before);
      return { ...ended, text: ended.log.join('\n') };
    };

    test('one that cannot delete, by a call that can change nothing and arguments that hold no secret', async () => {
      const here = await s3Place(host);
      await at(here);
      host.addSet(2);
      await ok('--init');
      const traced = join(host.home, 'trace');
      const { code, log } = await host.script(['--check'], {}, { through: [tools.path('strace'), '-f', '-e', 'trace=execve', '-v', '-s', '4096', '-o', traced] });
      expect([code, log.join('\n')]).toEqual([0, expect.stringContaining('this credential cannot delete')]);
      expect(here.calls().filter(({ method }) => method === 'DELETE').map(({ key, query }) => [key, query.toString()])).toEqual([[expect.stringMatching(/^wa\/backup-drills-probe-[0-9a-f]{32}$/), 'versionId=null']]);
      const secret = /secret_access_key = (\S+)/.exec(readFileSync(host.settings['RCLONE_CONFIG'] ?? '', 'utf8'))?.[1] ?? '';
      const calls = readFileSync(traced, 'utf8');
      expect(calls).toContain('curl');
      expect(calls).not.toContain(secret);
    });
    test('one that can is refused, and let be where the settings say so', async () => {
      const { code, problems, text } = await checked(s3Place(host, undefined, ['delete']));
      expect({ code, problems }).toEqual({ code: 1, problems: ['too-broad'] });
      expect(text).toContain('MAY_DELETE=yes');
      const let_ = await host.script(['--check'], { MAY_DELETE: 'yes' });
      expect([let_.code, let_.log.join('\n')]).toEqual([0, expect.stringContaining('can DELETE, as MAY_DELETE=yes says')]);
    });
    test.each([['directory', (): Place => directoryPlace()], ['SFTP', async (): Promise<Place> => sftpPlace(host)]])('a %s cannot part the two, which is said', async (_, open) => {
      const { code, text } = await checked(open());
      expect([code, text]).toEqual([0, expect.stringContaining('whoever can write to')]);
    });
    test('is not judged by an answer that says neither', async () => {
      const { code, text } = await checked(s3Place(host, (call) => (call.method === 'DELETE' ? { refuse: [503, 'SlowDown'] } : null)));
      expect([code, text]).toEqual([0, expect.stringContaining('rights are NOT judged: the store answered 503 SlowDown')]);
    });
    needing('age', 'age-keygen', 'rclone', 'setpriv', 'container engine', 'image of SeaweedFS').test('of SeaweedFS, whose writers can delete', async () => {
      const { code, problems } = await checked(seaweedPlace(host));
      expect({ code, problems }).toEqual({ code: 1, problems: ['too-broad'] });
    });
  });

  test('holds no command that could take anything away in the store', () => {
    const source = ['sync-offsite.sh', 'offsite.sh'].map((name) => readFileSync(join(import.meta.dirname, name), 'utf8').replaceAll(/^\s*#.*$/gm, '')).join('\n');
    expect(source).not.toMatch(/\brc (?:delete|deletefile|purge|sync|bisync|cleanup|rmdirs?|move|dedupe)\b/);
    // What asks about rights can change nothing: docs above, and the test of it.
    expect(readFileSync(join(import.meta.dirname, 'rights.sh'), 'utf8').match(/\brequest DELETE\b/g)).toHaveLength(1);
    // A rename is of our own unfinished file alone.
    expect(source.match(/\brc moveto .*/g)).toEqual([expect.stringContaining('"$store/$1.tmp" "$store/$1"')]);
  });

  describe('a store that fails', () => {
    const oneSet = async (fault: (call: Call) => Fate): Promise<Awaited<ReturnType<typeof s3Place>>> => {
      const here = await at(s3Place(host, fault));
      host.addSet(2);
      await ok('--init');
      return here;
    };
    /** What it left is no set, and the next run makes it one. */
    const mends = async (here: Awaited<ReturnType<typeof s3Place>>, ended: { code: number | null; log: readonly string[] }, code: number): Promise<void> => {
      expect(ended.code, ended.log.join('\n')).toBe(code);
      expect(here.hits()).toBeGreaterThan(0);
      await ok();
      expect(host.lines(await label()).map(({ name }) => name)).toEqual((await here.names()).filter((name) => name !== 'store.json').toSorted((a, b) => order(a) - order(b)));
    };
    const order = (name: string): number => ['.sql.gz.age', '.globals.sql.age', '.manifest.json.age'].findIndex((suffix) => name.endsWith(suffix));
    let broken = true;
    beforeEach(() => {
      broken = true;
    });
    const whileBroken = (matches: (call: Call) => boolean, fate: Fate) => (call: Call): Fate => (broken && matches(call) ? fate : null);
    const of = (method: string, part: string) => ({ method: called, key }: Call): boolean => called === method && (key ?? '').includes(part);

    const steps = {
      'the upload of the dump': of('PUT', '.sql.gz'),
      'the upload of the manifest': of('PUT', '.manifest'),
      'what is read back of the dump': of('GET', '.sql.gz'),
      'the listing': ({ key }: Call) => key === null,
    } as const;
    const fates = {
      'answers 500 to': { refuse: [500, 'InternalError'] },
      denies: { refuse: [403, 'AccessDenied'] },
      'cuts before its answer': { cutAfter: -1 },
      'cuts in its midst': { cutAfter: 40 },
      'never answers': { stallAfter: -1 },
      'stands still in the midst of': { stallAfter: 40 },
    } as const satisfies Record<string, Fate>;
    // The answer to an upload has no midst.
    const each = Object.entries(fates).flatMap(([verb, fate]) => Object.entries(steps).flatMap(([step, matches]) => (/midst/.test(verb) && step.startsWith('the upload') ? [] : [[verb, step, matches, fate] as const])));
    test.each(each)('%s: %s', async (_verb, _step, matches, fate) => {
      const here = await oneSet(whileBroken((call) => initiated && matches(call), fate));
      initiated = true;
      const ended = await host.script([], { STALL_S: '1' });
      broken = initiated = false;
      await mends(here, ended, 2);
    });
    let initiated = false;

    test('gives back other bytes than it was sent', async () => {
      const here = await oneSet(whileBroken(of('GET', '.globals'), { change: (body) => Buffer.from(body.map((byte, at_) => (at_ === body.length - 1 ? byte ^ 1 : byte))) }));
      const ended = await host.script([]);
      broken = false;
      expect(ended.problems).toEqual(['foreign']);
      await mends(here, ended, 1);
    });

    test('has been given the same name by another host meanwhile', async () => {
      let other: Buffer | null = Buffer.from('of another host');
      const here = await oneSet((call) => (of('GET', '.globals')(call) && other !== null ? { change: () => other ?? Buffer.alloc(0) } : null));
      const ended = await host.script([]);
      expect(ended).toMatchObject({ code: 1, problems: ['foreign'] });
      expect(host.lines(await label())).toHaveLength(1);
      other = null;
      expect(here.calls().filter(({ method }) => method === 'DELETE')).toEqual([]);
    });
  });
});
