import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { docker, insideOf, startInContainer, testEngine } from '../../fixtures/containers.ts';
import { needing, tool } from '../../fixtures/tools.ts';
import type { Finding } from '../run/finding.ts';
import { StepEnded } from '../run/finding.ts';
import { askEngine } from '../run/engine.ts';
import { findBelongings, findStrays } from '../run/register-containers.ts';
import { readRegister } from '../run/register.ts';
import { openScratch } from '../run/scratch.ts';
import { reapAbandoned } from '../run/teardown-reap.ts';
import { teardown } from '../run/teardown.ts';
import { roomFor } from './containers.ts';
import { serverEvidence } from './evidence.ts';
import type { Login } from './postgres.ts';

const top = mkdtempSync(join(tmpdir(), 'containers-'));
chmodSync(top, 0o755);
afterAll(() => rmSync(top, { recursive: true, force: true }));
let root = '';
let count = 0;
beforeEach(() => {
  root = join(top, String(count++));
  mkdirSync(root);
});
const scratchOf = (runId = 'a') => openScratch({ root, runId });

async function ask(login: Login, sql: string): Promise<Record<string, string>[]> {
  const client = new Client({ ...login });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, string>>(sql)).rows;
  } finally {
    await client.end();
  }
}
const codeOf = async (finding: Finding | null | Promise<Finding | null> | undefined): Promise<string | undefined> => (await finding)?.code;
async function codesOf(work: Promise<unknown>): Promise<string[]> {
  const error = await work.then(() => null, (thrown: unknown) => thrown);
  if (!(error instanceof StepEnded)) throw new Error('no finding', { cause: error });
  return error.findings.map(({ code }) => code);
}

test('memory holds what fits into it, the disk what does not, and never more than was allowed', () => {
  const gib = 2 ** 30;
  const facts = { id: '', version: '', memoryBytes: 16 * gib };
  expect(roomFor({ plainBytes: 0, memoryBytes: null, facts })).toEqual({ data: 'memory', dataLimitBytes: 1.5 * gib, memoryLimitBytes: 2.5 * gib });
  expect(roomFor({ plainBytes: 3 * gib, memoryBytes: null, facts })).toEqual({ data: 'memory', dataLimitBytes: 10.5 * gib, memoryLimitBytes: 11.5 * gib });
  expect(roomFor({ plainBytes: 4 * gib, memoryBytes: null, facts })).toEqual({ data: 'volume', dataLimitBytes: null, memoryLimitBytes: 4 * gib });
  expect(roomFor({ plainBytes: 0, memoryBytes: 2 * gib, facts })).toEqual({ data: 'volume', dataLimitBytes: null, memoryLimitBytes: 2 * gib });
});

needing('docker', 'container engine', 'image of Postgres 15', 'image of Postgres 17').describe('a server in a container', () => {
  const ours = async (): Promise<number> => (await findStrays(testEngine())).filter(({ scratch }) => scratch.startsWith(root)).length;
  afterEach(async () => {
    for (const name of readdirSync(root).filter((each) => each.startsWith('backup-drills-'))) expect((await teardown(join(root, name))).findings).toEqual([]);
    expect(readdirSync(root)).toEqual([]);
    expect(await ours()).toBe(0);
  });

  test('stands beside another one, each of its own major, with no port, and goes without a trace', async () => {
    const [first, second] = [scratchOf('a'), scratchOf('b')];
    const [one, two] = await Promise.all([startInContainer(first, 15), startInContainer(second, 17)]);
    expect([one.version, two.version]).toEqual([expect.stringMatching(/^15\./), expect.stringMatching(/^17\./)]);
    expect(one.admin.user).not.toBe(two.admin.user);
    expect(serverEvidence.parse(one.evidence)).toMatchObject({ runtime: 'containers', runsAs: 'container', tcpPorts: 0, container: { image: 'backup-drills-postgres:15', network: 'none', data: 'memory', pulled: false } });
    await ask(one.admin, 'CREATE TABLE mine (a int)');
    expect(await ask(two.admin, "SELECT to_regclass('mine') AS found")).toEqual([{ found: null }]);
    // The server that makes the cluster listens on no address: who answers is the real one.
    expect(await ask(one.admin, "SELECT inet_server_addr()::text AS at, current_setting('listen_addresses') AS listens, current_setting('fsync') AS fsync")).toEqual([{ at: '127.0.0.1/32', listens: '127.0.0.1', fsync: 'off' }]);
    const inspected = JSON.parse(await docker('inspect', one.name)) as [{ HostConfig: Record<string, unknown>; NetworkSettings: { Ports: object } }];
    expect(inspected[0].HostConfig).toMatchObject({ NetworkMode: 'none', PortBindings: null, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'], PidsLimit: 500, AutoRemove: false });
    expect(inspected[0].HostConfig['Memory']).toBe(inspected[0].HostConfig['MemorySwap']);
    expect(await docker('ps', '--all', '--quiet', '--filter', 'label=org.testcontainers.ryuk')).toBe('');

    expect(await teardown(first.path)).toMatchObject({ findings: [], evidence: { containersBefore: 1, containersAfter: 0, volumesBefore: 0, volumesAfter: 0, entriesAfter: 0 } });
    expect(await ask(two.admin, 'SELECT 1 AS still')).toEqual([{ still: 1 }]);
    expect(await two.died?.()).toBeNull();
    expect(await codeOf(one.died?.())).toBe('server.died');
  }, 60_000);

  test('has no way out, where a container with a network has one', async () => {
    const listener = createServer((socket) => socket.end('reached')).listen(0);
    await once(listener, 'listening');
    try {
      const gateway = (await docker('network', 'inspect', 'bridge', '--format', '{{(index .IPAM.Config 0).Subnet}}')).replace(/\.0\/\d+$/, '.1');
      const script = `exec 3<>/dev/tcp/${gateway}/${(listener.address() as { port: number }).port} && cat <&3`;
      // Healthy first: the probe reaches what can be reached.
      expect(await docker('run', '--rm', '--label', 'backup-drills.test=probe', '--entrypoint', 'bash', 'backup-drills-postgres:15', '-c', script)).toBe('reached');
      const server = await startInContainer(scratchOf(), 15);
      expect(await insideOf(server.name, script)).toMatchObject({ ok: false, output: expect.stringMatching(/Network is unreachable/) as string });
      expect((await insideOf(server.name, 'tail -n +3 /proc/net/dev')).output.split(':').map((each) => each.trim())[0]).toBe('lo');
      expect((await insideOf(server.name, 'wc -l < /proc/net/dev')).output).toBe('3');
      // Nor does the dump's code find a superuser's door on the inside.
      expect(await insideOf(server.name, `psql -Xw -h 127.0.0.1 -U ${server.admin.user} -d postgres -c 'SELECT 1'`)).toMatchObject({ ok: false, output: expect.stringContaining('no password supplied') as string });
      expect(await insideOf(server.name, `psql -Xw -U ${server.admin.user} -d postgres -c 'SELECT 1'`)).toMatchObject({ ok: false, output: expect.stringContaining('no password supplied') as string });
      await expect(ask({ ...server.admin, password: 'wrong' }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    } finally {
      listener.close();
    }
  }, 60_000);

  test('is in the register before it is on the engine, and again once it is', async () => {
    const scratch = scratchOf();
    const seen: [boolean, boolean][] = [];
    const watching = { ...scratch, register: (resource: Parameters<typeof scratch.register>[0]) => {
      if (resource.kind === 'container') seen.push([resource.made, execFileSync(tool('docker')!, ['ps', '--all', '--quiet', '--filter', `label=backup-drills.id=${resource.id}`]).length > 0]);
      scratch.register(resource);
    } };
    await startInContainer(watching, 15);
    expect(seen).toEqual([[false, false], [true, true]]);
    expect(readRegister(scratch.path)?.resources.map(({ kind }) => kind)).toEqual(['container', 'container', 'directory']);
  }, 60_000);

  test('keeps what is too large for memory in a volume, which goes with it', async () => {
    const scratch = scratchOf();
    const server = await startInContainer(scratch, 15, { memoryBytes: 2 ** 30 });
    expect(server.evidence.container).toMatchObject({ data: 'volume', dataLimitBytes: null, memoryLimitBytes: 2 ** 30 });
    await ask(server.admin, 'CREATE TABLE t AS SELECT generate_series(1, 1000)');
    expect(await docker('volume', 'inspect', server.name, '--format', '{{index .Labels "backup-drills.run"}}')).toBe('a');
    expect(await teardown(scratch.path)).toMatchObject({ findings: [], evidence: { containersBefore: 1, volumesBefore: 1, containersAfter: 0, volumesAfter: 0 } });
  }, 60_000);

  test('ends the session of a client that is gone', async () => {
    const server = await startInContainer(scratchOf(), 15);
    const client = new Client({ ...server.admin });
    client.on('error', () => {});
    await client.connect();
    // No goodbye: as a killed process leaves it.
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await expect.poll(async () => (await ask(server.admin, "SELECT count(*)::text AS n FROM pg_stat_activity WHERE backend_type = 'client backend'"))[0]?.['n'], { timeout: 10_000 }).toBe('1');
    expect(await server.died?.()).toBeNull();
  }, 60_000);

  describe('that goes away is told by why', () => {
    test('killed, removed', async () => {
      const [one, two] = await Promise.all([startInContainer(scratchOf('a'), 15), startInContainer(scratchOf('b'), 15)]);
      await docker('kill', one.name);
      await docker('rm', '--force', two.name);
      expect(await one.died?.()).toMatchObject({ code: 'server.died', facts: { exit: 'exit code 137' } });
      expect(await two.died?.()).toMatchObject({ code: 'server.died', facts: { exit: 'its container removed' } });
    }, 60_000);

    test('by the kernel, when a query asks for more memory than the container may use', async () => {
      const server = await startInContainer(scratchOf(), 15, { memoryBytes: 200 * 2 ** 20 });
      // Healthy first.
      expect(await ask(server.admin, "SELECT length(repeat('x', 1000000))::text AS n")).toEqual([{ n: '1000000' }]);
      await expect(ask(server.admin, "SELECT length(string_agg(repeat(i::text, 1000000), '')) FROM generate_series(1, 900) i")).rejects.toThrow(/Connection terminated|57P02|terminating/);
      expect(await server.died?.()).toMatchObject({ code: 'server.out-of-memory', judged: false, facts: { limitBytes: 200 * 2 ** 20 } });
    }, 60_000);

    test('by a disk that is full, when it cannot write its own log; a statement without room only fails', async () => {
      const server = await startInContainer(scratchOf(), 15, { room: { data: 'memory', dataLimitBytes: 90 * 2 ** 20, memoryLimitBytes: 2 ** 30 } });
      await expect(ask(server.admin, 'CREATE TABLE t AS SELECT generate_series(1, 5000000) AS a')).rejects.toMatchObject({ code: '53100' });
      expect(await ask(server.admin, 'SELECT 1 AS still')).toEqual([{ still: 1 }]);
      await expect(ask(server.admin, "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000)) FROM generate_series(1, 200)")).rejects.toThrow(/Connection terminated|terminat|No space left/);
      expect(await server.died?.()).toMatchObject({ code: 'server.disk-full', judged: false, facts: { limitBytes: 90 * 2 ** 20 } });
    }, 60_000);
  });

  test('is not started out of an image of another major', async () => {
    expect(await codesOf(startInContainer(scratchOf(), 15, { reference: 'backup-drills-postgres:17' }))).toEqual(['image.wrong-major']);
  }, 60_000);

  test('is not started by an engine that refuses, nor by another one than was asked', async () => {
    // Healthy first: by itself it is refused nothing.
    const { admin } = await startInContainer(scratchOf('a'), 15);
    expect(await ask(admin, 'SELECT 1 AS one')).toHaveLength(1);
    expect(await codesOf(startInContainer(scratchOf('b'), 15, { room: { data: 'memory', dataLimitBytes: 2 ** 20, memoryLimitBytes: 2 ** 20 } }))).toEqual(['engine.refused']);
    expect(await codesOf(startInContainer(scratchOf('c'), 15, { facts: { ...await askEngine(testEngine()), id: 'another' } }))).toEqual(['engine.another']);
  }, 60_000);

  test('that cannot start says so, by the words of its log that are no data', async () => {
    const error = await startInContainer(scratchOf(), 15, { room: { data: 'memory', dataLimitBytes: 2 ** 20, memoryLimitBytes: 2 ** 30 } }).then(() => null, (thrown: StepEnded) => thrown);
    expect(error?.findings.map(({ code }) => code)).toEqual(['server.disk-full']);
    expect(await codesOf(startInContainer(scratchOf('b'), 15, { settings: { no_such_setting: 'hush' } }))).toEqual(['server.start-failed']);
  }, 60_000);

  test('whose start is aborted leaves nothing that teardown does not find', async () => {
    const abort = new AbortController();
    const scratch = scratchOf();
    const started = startInContainer({ ...scratch, register: (resource) => {
      scratch.register(resource);
      if (resource.kind === 'container' && resource.made) abort.abort(new Error('SIGTERM'));
    } }, 15, { context: { signal: abort.signal } });
    await expect(started).rejects.toThrow('SIGTERM');
    expect(await teardown(scratch.path)).toMatchObject({ findings: [], evidence: { containersBefore: 1, containersAfter: 0 } });
  }, 60_000);

  test('whose owner is killed is reaped by the next run, and by its label where the register is lost', async () => {
    const script = `
      const { openScratch } = await import(${JSON.stringify(new URL('../run/scratch.ts', import.meta.url).href)});
      const { startInContainer } = await import(${JSON.stringify(new URL('../../fixtures/containers.ts', import.meta.url).href)});
      const server = await startInContainer(openScratch({ root: process.argv[1], runId: process.argv[2] }), 15);
      console.log(server.name); setInterval(() => {}, 1000);`;
    const begin = async (run: string): Promise<ReturnType<typeof spawn>> => {
      const owner = spawn(process.execPath, ['--input-type=module', '-e', script, root, run], { stdio: ['ignore', 'pipe', 'inherit'] });
      await Promise.race([once(owner.stdout, 'data'), once(owner, 'exit').then(() => { throw new Error('the owner ended'); })]);
      return owner;
    };
    const [dead, lost] = await Promise.all([begin('dead'), begin('lost')]);
    expect(await reapAbandoned({ roots: [root], engine: testEngine().uri })).toEqual([]);
    for (const owner of [dead, lost]) {
      owner.kill('SIGKILL');
      await once(owner, 'exit');
    }
    rmSync(join(root, 'backup-drills-lost'), { recursive: true });
    const reaped = await reapAbandoned({ roots: [root], engine: testEngine().uri });
    expect(reaped.filter(({ run }) => ['dead', 'lost'].includes(run)).map(({ run, finding }) => [run, finding.code, finding.facts['containers']])).toEqual([['dead', 'teardown.reaped', 1], ['lost', 'teardown.reaped', 1]]);
    expect(await reapAbandoned({ roots: [root], engine: testEngine().uri })).toEqual([]);
  }, 60_000);
});

needing('docker', 'container engine').test('belongings are those of the ids asked for, and of no other', async () => {
  expect(await findBelongings(testEngine(), ['0000000000000000'])).toEqual({ containers: [], volumes: [] });
});
