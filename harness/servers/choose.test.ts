// FAULTS 71 and its neighbours: which runtime is taken, and that what somebody asked for is never replaced.
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { needing, postgresImage } from '../../fixtures/tools.ts';
import { engineAddress } from '../run/engine-address.ts';
import { StepEnded } from '../run/finding.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { type ChosenServer, startObjectStore, startServer } from './choose.ts';
import { type Runtime, normaliseServers } from './config.ts';
import { embeddedMajors } from './embedded.ts';

const top = mkdtempSync(join(tmpdir(), 'choose-'));
chmodSync(top, 0o755);
const bare = createServer((request, response) => {
  request.resume();
  // An engine with nothing on it, on a machine without a way to any registry.
  if (request.url === '/info') response.setHeader('content-type', 'application/json').end(JSON.stringify({ ID: 'bare', ServerVersion: '1', MemTotal: 2 ** 34 }));
  else if (request.url?.startsWith('/images/create') === true) response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"dial tcp: lookup registry-1.docker.io: no such host"}');
  else response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"No such image"}');
}).listen(join(top, 'bare.sock'));
await once(bare, 'listening');
afterAll(() => {
  bare.close();
  rmSync(top, { recursive: true, force: true });
});
let root = '';
let count = 0;
beforeEach(() => {
  root = join(top, String(count++));
  mkdirSync(root);
});
afterEach(async () => {
  for (const name of readdirSync(root)) expect((await teardown(join(root, name))).findings).toEqual([]);
});

const newest = Math.max(...embeddedMajors());
async function choose(runtime: Runtime, environment: Record<string, string>, major = newest): Promise<ChosenServer | string> {
  const config = normaliseServers({ runtime, images: { postgres: postgresImage } });
  const scratch = openScratch({ root, runId: runtime });
  return startServer({ scratch, major, plainBytes: 0, config, environment, context: { signal: new AbortController().signal, progress: () => {} } })
    .catch((error: unknown) => (error instanceof StepEnded ? error.findings.map(({ code }) => code).join() : Promise.reject(error as Error)));
}

const dead = [['a socket', 'unix:///nonexistent/docker.sock'], ['TCP', 'tcp://127.0.0.1:1'], ['no way at all', 'gopher://engine'], ['no address', 'docker']] as const;
for (const runtime of ['auto', 'containers'] as const) {
  test.each(dead)(`${runtime} with a DOCKER_HOST that is dead is told so, and goes to no other: %s`, async (_name, host) => {
    expect(await choose(runtime, { DOCKER_HOST: host })).toBe('engine.unreachable');
  });
}

test('embedded asks no engine', async () => {
  expect(await choose('embedded', { DOCKER_HOST: 'unix:///nonexistent/docker.sock' })).toMatchObject({ runtime: 'embedded', evidence: { chosen: 'the configuration says embedded' } });
});

test('auto takes the embedded server where an engine has no image and no way to one, and says why; containers does not', async () => {
  const host = { DOCKER_HOST: `unix://${join(top, 'bare.sock')}` };
  expect(await choose('auto', host)).toMatchObject({ runtime: 'embedded', evidence: { chosen: expect.stringContaining(`the image backup-drills-postgres:${newest} could not be pulled: dial tcp: lookup`) as string } });
  expect(await choose('containers', host)).toBe('image.pull-failed');
});

test('a machine without any engine has none, and DOCKER_HOST comes before all sockets', () => {
  expect(engineAddress({}, () => false)).toBeNull();
  expect(engineAddress({ DOCKER_HOST: ' ' }, (path) => path === '/run/podman/podman.sock')).toEqual({ uri: 'unix:///run/podman/podman.sock', named: false });
  expect(engineAddress({ XDG_RUNTIME_DIR: '/run/user/7' }, (path) => path.startsWith('/run/user/7/'))).toEqual({ uri: 'unix:///run/user/7/docker.sock', named: false });
  expect(engineAddress({ DOCKER_HOST: 'ssh://me@there' }, () => true)).toEqual({ uri: 'ssh://me@there', named: true });
});

test('auto without any engine is embedded, and containers is inconclusive', async () => {
  const none = (runtime: Runtime) => startServer({ scratch: openScratch({ root, runId: runtime }), major: newest, plainBytes: 0, config: normaliseServers({ runtime }), address: null, context: { signal: new AbortController().signal, progress: () => {} } });
  expect(await none('auto')).toMatchObject({ runtime: 'embedded', evidence: { chosen: expect.stringContaining('no container engine is on this machine') as string } });
  await expect(none('containers')).rejects.toMatchObject({ findings: [{ code: 'engine.none', judged: false }] });
});

needing('container engine', 'image of Postgres 15').test('auto takes containers where an engine has the image, and names no engine in the environment of what comes after', async () => {
  const before = { ...process.env };
  const { DOCKER_HOST } = before;
  expect(await choose('auto', DOCKER_HOST === undefined ? {} : { DOCKER_HOST }, 15)).toMatchObject({ runtime: 'containers', major: 15, evidence: { chosen: expect.stringMatching(/^auto: the engine at .* answers, and the image of Postgres 15 is there$/) as string } });
  // Else an engine that was found would count as one that somebody named, for the next server of the same run.
  expect(process.env).toEqual(before);
}, 60_000);

needing('container engine', 'image of Postgres 15').test("auto replaces a rehearsal's store that does not come up, and says why; containers does not", async () => {
  const { DOCKER_HOST } = process.env;
  const store = async (runtime: Runtime) => startObjectStore({
    scratch: openScratch({ root, runId: runtime }), bucket: 'rehearsal', environment: DOCKER_HOST === undefined ? {} : { DOCKER_HOST }, context: { signal: new AbortController().signal, progress: () => {} },
    // No object store at all: its entry point knows no `server`.
    config: normaliseServers({ runtime, images: { objectStore: { kind: 'minio', image: postgresImage.replace('{major}', '15') } } }),
  });
  const replaced = await store('auto');
  expect(replaced.evidence).toMatchObject({ runtime: 'embedded', chosen: expect.stringMatching(/^auto: no container, since the throw-away minio did not start: the container ended with exit code 127/) as string });
  await replaced.close();
  await expect(store('containers')).rejects.toMatchObject({ findings: [{ code: 'server.start-failed', facts: { what: 'minio' } }] });
}, 60_000);
