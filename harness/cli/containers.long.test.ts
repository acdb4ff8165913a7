// Whole drills in containers, as they are typed: of the majors that Debian dumps, several at once, killed at any moment, and
// with the engine ended under them. The sets are made by the real pg_dump on servers of their own major.
import { chmodSync, createReadStream, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { CommandPlace, endlessRestore } from '../../fixtures/command.ts';
import { docker, startInContainer, testEngine } from '../../fixtures/containers.ts';
import { PrivateEngine } from '../../fixtures/engine.ts';
import { startSeaweedFs, type StoreUnderTest } from '../../fixtures/object-stores.ts';
import { type SetFiles, appendSql, sabotage } from '../../fixtures/sabotage.ts';
import { makeSet } from '../../fixtures/sample/make.ts';
import { needing, postgresImage, seaweedFsImage } from '../../fixtures/tools.ts';
import { engineAt } from '../run/engine.ts';
import type { DrillRun } from '../run/record.ts';
import { findStrays } from '../run/register-containers.ts';
import { contentsOf } from '../servers/object-store/object-store.ts';
import { normaliseS3 } from '../stores/config.ts';
import { s3Publisher } from '../stores/publish-s3.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
const patience = { timeout: 120_000, interval: 50 };
const base = realpathSync(mkdtempSync(join(tmpdir(), 'cl-')));
chmodSync(base, 0o755);
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
let here: CommandPlace;
beforeEach(() => {
  here = new CommandPlace(join(base, String(count++)), true);
});
const stepOf = (record: DrillRun | undefined, id: string) => record?.steps.find((step) => step.id === id);
const codesOf = (record: DrillRun | undefined): string[] => (record?.steps ?? []).flatMap((step) => step.findings.map((finding) => finding.code));
const inContainers = { runtime: 'containers', images: { postgres: postgresImage } };
const rehearsing = { runtime: 'containers', stores: undefined, images: { postgres: postgresImage, objectStore: { kind: 'seaweedfs', image: seaweedFsImage } } };

/** Of this place, on an engine. */
const left = async (engine = testEngine()): Promise<number> => (await findStrays(engine)).filter(({ scratch }) => scratch.startsWith(here.root)).length;

const needs = needing('docker', 'container engine', 'image of Postgres 15', 'image of Postgres 17', 'pg_dump15', 'pg_dump18', 'psql18');
needs.describe('a drill in containers', () => {
  const sets = new Map<number, SetFiles>();
  beforeAll(async () => {
    for (const [major, pgDump] of [[15, 'pg_dump15'], [17, 'pg_dump18']] as const) {
      const made = await makeSet({ psql: needs.path('psql18'), pgDump: needs.path(pgDump), messages: 300, start: async (scratch) => startInContainer(scratch, major) });
      const directory = join(base, `set-${major}`);
      mkdirSync(directory);
      const set = { id: made.id, dumpFile: join(directory, `db-${made.id}.sql.gz`), manifestFile: join(directory, `db-${made.id}.manifest.json`) };
      writeFileSync(set.dumpFile, made.dump);
      writeFileSync(set.manifestFile, made.manifest);
      sets.set(major, set);
    }
  });
  afterEach(async () => {
    try {
      here.expectNothingLeft();
      expect(await left()).toBe(0);
    } finally {
      await here.close();
    }
  });
  const setOf = (major: number): SetFiles => sets.get(major)!;

  test.each([15, 17])('of a dump of %i is verified, and its record says in what it ran', async (major) => {
    here.configure({ ...inContainers, runtime: 'auto', stores: [{ name: 'local', kind: 'directory', path: join(base, `set-${major}`) }] });
    const { code, stdout } = await here.drill(['--runtime', 'containers']).ended;
    const record = here.records().at(-1);
    expect([codesOf(record), code, record?.verdict], stdout).toEqual([[], 0, 'verified']);
    expect(stepOf(record, 'database.server')?.evidence).toMatchObject({
      runtime: 'containers', chosen: 'the configuration says containers', version: expect.stringMatching(new RegExp(`^${major}\\.`)) as string,
      container: { image: `backup-drills-postgres:${major}`, imageId: expect.stringMatching(/^sha256:/) as string, network: 'none', engineVersion: expect.stringMatching(/^\d/) as string },
    });
    expect(stdout).toContain('the configuration says containers');
    expect(stepOf(record, 'run.teardown')).toMatchObject({ outcome: 'passed', evidence: { containersBefore: 1, containersAfter: 0, entriesAfter: 0 } });
  });

  needing('image of SeaweedFS', 'embedded Postgres 15', 'embedded Postgres 17').describe('of a bucket, by a credential that can only read,', () => {
    let bucket: StoreUnderTest;
    beforeAll(async () => {
      bucket = await startSeaweedFs('backups');
      for (const [major, set] of sets) {
        const publisher = s3Publisher(normaliseS3({ ...bucketOf(major), accessKeyId: { env: '' }, secretAccessKey: { env: '' } }), bucket.writer);
        for (const file of [set.dumpFile, set.manifestFile]) await publisher.put(basename(file), createReadStream(file), new AbortController().signal);
      }
    });
    afterAll(async () => bucket.close());
    const bucketOf = (major: number) => ({ name: 'offsite', kind: 's3' as const, endpoint: bucket.endpoint, bucket: 'backups', prefix: `host/${major}` });

    test.each([[15, 'containers'], [17, 'containers'], [15, 'embedded'], [17, 'embedded']] as const)('a dump of %i is verified in %s, and the bucket is as it was', async (major, runtime) => {
      const before = await contentsOf(bucket);
      here.configure({ ...inContainers, runtime, stores: [{ ...bucketOf(major), accessKeyId: { env: 'DRILL_ID' }, secretAccessKey: { env: 'DRILL_SECRET' } }] });
      const { code, stdout } = await here.drill([], { env: { DRILL_ID: bucket.reader.accessKeyId, DRILL_SECRET: bucket.reader.secretAccessKey } }).ended;
      const record = here.records().at(-1);
      expect([codesOf(record), code, record?.verdict], stdout).toEqual([[], 0, 'verified']);
      expect(stepOf(record, 'run.open')?.evidence).toMatchObject({ store: `s3 bucket backups, folder host/${major}/ at ${new URL(bucket.endpoint).host}`, writes: 'denied' });
      expect(stepOf(record, 'database.server')?.evidence).toMatchObject({ runtime, version: expect.stringMatching(new RegExp(`^${major}\\.`)) as string });
      expect(await contentsOf(bucket)).toEqual(before);
    });
  });

  needing('image of SeaweedFS', 'image of Postgres 18').test('that rehearses has its object store in one too', async () => {
    here.configure(rehearsing);
    const { code, stdout } = await here.drill().ended;
    const record = here.records().at(-1);
    expect([codesOf(record), code, record?.verdict], stdout).toEqual([[], 0, 'verified']);
    expect(stepOf(record, 'run.publish')?.evidence).toMatchObject({ chosen: 'the configuration says containers', server: { runtime: 'containers', kind: 'seaweedfs', container: { image: seaweedFsImage, imageId: expect.stringMatching(/^sha256:/) as string } } });
    expect(stepOf(record, 'run.untouched')?.evidence).toMatchObject({ entries: 3, changed: 0 });
    expect(stepOf(record, 'run.teardown')).toMatchObject({ outcome: 'passed', evidence: { containersBefore: 2, containersAfter: 0, entriesAfter: 0 } });
  }, 240_000);

  test('chosen by itself, says why', async () => {
    here.configure({ ...inContainers, runtime: 'auto', stores: [{ name: 'local', kind: 'directory', path: join(base, 'set-15') }] });
    const { code, stdout } = await here.drill().ended;
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/auto: the engine at \S+ answers, and the image of Postgres 15 is there/);
  });

  test('beside another of the same store disturbs it in nothing', async () => {
    here.configure({ ...inContainers, stores: [{ name: 'local', kind: 'directory', path: join(base, 'set-15') }] });
    const both = await Promise.all([here.drill().ended, here.drill().ended]);
    expect(both.map(({ code }) => code), both.map(({ stdout }) => stdout).join()).toEqual([0, 0]);
    expect(new Set(here.records().map((record) => record.scratch)).size).toBe(2);
  });

  test('with --keep stays up, is reached by the words that it prints, and goes with --remove', async () => {
    here.configure({ ...inContainers, stores: [{ name: 'local', kind: 'directory', path: join(base, 'set-15') }] });
    const kept = await here.drill(['--keep']).ended;
    expect(kept.code, kept.stdout).toBe(0);
    const [, connect = ''] = /The restored database is up: {2}(.*)\n/.exec(kept.stdout) ?? [];
    const [, removal = ''] = /npm run drill -- --remove (\S+)\n/.exec(kept.stdout) ?? [];
    // A terminal is for people.
    const { execFileSync } = await import('node:child_process');
    expect(execFileSync('sh', ['-c', `${connect.replace(' -it ', ' ')} -Atc 'select count(*) from clients'`], { encoding: 'utf8', timeout: 60_000 })).toBe('12\n');
    const next = await here.drill(['--quiet']).ended;
    expect([next.code, await left()]).toEqual([0, 1]);
    expect((await here.drill(['--remove', removal]).ended).code).toBe(0);
    expect(await left()).toBe(0);
  });

  describe('that goes wrong on this side is inconclusive, by its own code', () => {
    const drilled = async (more: object, sql?: Parameters<typeof appendSql>[0], words: string[] = []): Promise<unknown[]> => {
      sabotage(setOf(15), here.store, sql === undefined ? {} : { sql: appendSql(sql) });
      here.configure({ ...inContainers, ...more });
      const { code } = await here.drill(words).ended;
      const record = here.records().at(-1);
      return [code, codesOf(record), record?.verdict, stepOf(record, 'run.teardown')?.outcome];
    };
    const inconclusive = (code: string) => [2, [code], 'inconclusive', 'passed'];

    test('nothing, for a start', async () => {
      expect(await drilled({})).toEqual([0, [], 'verified', 'passed']);
    });

    test('no image of that name', async () => {
      expect(await drilled({ images: { postgres: 'backup-drills.invalid/postgres:{major}' } })).toEqual(inconclusive('image.pull-failed'));
    });

    test('more memory asked for than there may be', async () => {
      expect(await drilled({ containerMemory: '200MiB' }, "CREATE TABLE public.greedy AS SELECT length(string_agg(repeat(i::text, 1000000), '')) AS n FROM generate_series(1, 900) AS i;")).toEqual(inconclusive('server.out-of-memory'));
    });

    test('an engine that is not where DOCKER_HOST says, though one is where it is looked for', async () => {
      sabotage(setOf(15), here.store, {});
      here.configure(inContainers);
      for (const runtime of ['auto', 'containers']) {
        const { code } = await here.drill(['--runtime', runtime], { env: { DOCKER_HOST: 'unix:///nonexistent/docker.sock' } }).ended;
        expect([code, codesOf(here.records().at(-1))]).toEqual([2, ['engine.unreachable']]);
      }
    });
  });

  const ofADirectory = ['run.open', 'database.catalog', 'database.fetch', 'database.inspect', 'database.measure', 'database.compare.tables', 'database.compare.schema'];
  test.each([
    // Any step, by chance; and those that are at the engine. After the last of these a drill still has ten steps to go.
    ['a drill', inContainers, [null, 'database.server', null, 'database.server', 'database.restore', 'database.server']],
    ['a rehearsal', { ...rehearsing }, ['run.publish', null, 'run.publish', 'database.server', 'run.publish']],
  ] as const)('%s killed at any moment leaves nothing once the next one ran', async (_name, more, planned) => {
    sabotage(setOf(15), here.store, {});
    here.configure(more);
    const moments = planned.map((moment) => moment ?? ofADirectory[Math.floor(Math.random() * ofADirectory.length)] ?? '');
    let reaped = 0;
    for (const [before, moment] of moments.entries()) {
      const running = here.drill();
      await expect.poll(() => here.records().length > before && here.journal().some((event) => event.event === 'started' && event.step === moment), { ...patience, interval: 5 }).toBe(true);
      // The image's entry point takes most of a second: any place within that.
      const until = performance.now() + (moment === 'database.server' || moment === 'run.publish' ? Math.random() * 400 : 0);
      await expect.poll(() => performance.now() > until, { timeout: 5_000, interval: 5 }).toBe(true);
      expect(running.child.exitCode).toBeNull();
      process.kill(-running.child.pid!, 'SIGKILL');
      expect(await running.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
      expect(here.records().at(-1)?.ended).toBe('running');
      for (const worker of here.journal().flatMap((event) => (event.event === 'worker' ? [event.pid] : []))) {
        try { process.kill(worker, 'SIGKILL'); } catch { /* It went with its group. */ }
      }
      reaped += await left();
    }
    expect(reaped).toBeGreaterThan(0);
    const { code, stdout } = await here.drill().ended;
    expect(code, stdout).toBe(0);
    expect(readdirSync(here.scratch)).toEqual([]);
  });

  needing('root', 'dockerd', 'unshare').describe('with its engine ended under it', () => {
    let engine: PrivateEngine;
    beforeAll(async () => {
      engine = new PrivateEngine(join(base, 'e'));
      await engine.start();
      await engine.load('backup-drills-postgres:15');
    });
    afterAll(async () => engine.remove());

    test.each(['SIGKILL', 'SIGTERM'] as const)('by %s is inconclusive, and the next run removes what it left', async (signal) => {
      const env = { DOCKER_HOST: engine.uri };
      sabotage(setOf(15), here.store, { sql: endlessRestore });
      here.configure(inContainers);
      const running = here.drill([], { env });
      await expect.poll(() => here.inStep(), patience).toBe('database.restore');
      const [container = ''] = (await docker('--host', engine.uri, 'ps', '--quiet')).split('\n');
      await expect.poll(async () => docker('--host', engine.uri, 'top', container), patience).toContain('CREATE TABLE AS');
      await engine.stop(signal);
      const { code, stdout } = await running.ended;
      const record = here.records().at(-1);
      expect([code, codesOf(record), record?.verdict], stdout).toEqual([2, ['engine.lost', 'teardown.engine-silent'], 'inconclusive']);
      expect(stepOf(record, 'run.teardown')?.evidence).toMatchObject({ containersAfter: -1 });

      await engine.start();
      expect(await left(engineAt(engine.uri))).toBe(1);
      rmSync(here.store, { recursive: true });
      mkdirSync(here.store);
      sabotage(setOf(15), here.store, {});
      const next = await here.drill([], { env }).ended;
      expect([next.code, codesOf(here.records().at(-1))], next.stdout).toEqual([0, ['teardown.reaped']]);
      expect(await left(engineAt(engine.uri))).toBe(0);
    });
  });
});
