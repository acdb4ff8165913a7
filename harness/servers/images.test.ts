// Every way in which getting an image ends, by an engine of the test's own making: real registries fail at their own times.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { engineAt } from '../run/engine.ts';
import { StepEnded } from '../run/finding.ts';
import type { Progress } from '../run/plan.ts';
import { type GettingImage, ensureImage } from './images.ts';

const directory = mkdtempSync(join(tmpdir(), 'images-'));
const running: { close(): void }[] = [];
afterAll(() => {
  for (const server of running) server.close();
  rmSync(directory, { recursive: true });
});

const id = `sha256:${'a'.repeat(64)}`;
type Answer = (response: ServerResponse, had: () => void) => void;

let count = 0;
/** An engine that has the image once `had` was called, and pulls as `answer` says. */
async function engine(answer: Answer, there = false): Promise<string> {
  let has = there;
  const server = createServer((request: IncomingMessage, response) => {
    request.resume();
    if (request.url?.startsWith('/images/create') === true) answer(response, () => { has = true; });
    else if (has) response.setHeader('content-type', 'application/json').end(JSON.stringify({ Id: id, RepoDigests: ['postgres@sha256:1'] }));
    else response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"No such image"}');
  });
  count += 1;
  const socket = join(directory, `${count}.sock`);
  server.listen(socket);
  await once(server, 'listening');
  running.push({ close: () => { server.closeAllConnections(); server.close(); } });
  return `unix://${socket}`;
}

const line = (event: object): string => `${JSON.stringify(event)}\n`;
async function get(uri: string, more: Partial<GettingImage> = {}): Promise<unknown> {
  return ensureImage({ engine: engineAt(uri, {}), reference: 'postgres:17', withinMs: 20_000, context: { signal: new AbortController().signal, progress: () => {} }, ...more })
    .catch((error: unknown) => (error instanceof StepEnded ? error.findings.map(({ code, facts }) => `${code}: ${String(facts['error'] ?? facts['why'])}`).join() : Promise.reject(error as Error)));
}

describe('an image', () => {
  test('that the engine has is not pulled', async () => {
    expect(await get(await engine((response) => response.destroy(), true))).toEqual({ reference: 'postgres:17', id, digest: 'postgres@sha256:1', pulled: false });
  });

  test('is pulled with progress over all of its layers', async () => {
    const seen: Progress[] = [];
    const uri = await engine((response, had) => {
      had();
      // Cut within an event, as a network does.
      const text = line({ id: 'a', progressDetail: { current: 10, total: 40 } }) + line({ id: 'b', progressDetail: { current: 5, total: 60 } }) + line({ status: 'Extracting' });
      response.write(text.slice(0, 70));
      response.end(text.slice(70));
    });
    expect(await get(uri, { context: { signal: new AbortController().signal, progress: (progress) => seen.push(progress) } })).toMatchObject({ pulled: true });
    expect(seen.map(({ done, total }) => [done, total])).toEqual([[10, 40], [15, 100]]);
    expect(seen[0]).toMatchObject({ unit: 'bytes', what: 'image postgres:17' });
  });

  const refuse = (status: number, message: string): Answer => (response) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
  test.each<[string, Answer, RegExp]>([
    ['the registry does not know', refuse(404, 'manifest for postgres:17 not found: manifest unknown'), /^image.not-found: .*manifest unknown$/],
    ['the registry does not show', refuse(404, 'pull access denied for x, repository does not exist or may require docker login'), /^image.not-found: pull access denied/],
    ['is out of reach', refuse(500, 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host'), /^image.pull-failed: Get .*no such host$/],
    ['fails in the middle', (response) => response.end(line({ id: 'a', progressDetail: { current: 1, total: 9 } }) + line({ error: 'unexpected EOF' })), /^image.pull-failed: unexpected EOF$/],
    ['was pulled and is not there', (response) => response.end(line({ status: 'done' })), /^image.pull-failed: the engine says that it has it/],
    ['takes its engine with it', (response) => response.destroy(), /^engine.lost: /],
  ])('that %s', async (_name, answer, code) => {
    expect(await get(await engine(answer))).toMatch(code);
  });

  test('that stands still, or takes too long, is given up', async () => {
    const stalled = await engine((response) => { response.write(line({ id: 'a', progressDetail: { current: 1, total: 9 } })); });
    expect(await get(stalled, { idleMs: 50 })).toMatch(/^image.pull-timeout: nothing came/);
    expect(await get(await engine(() => {}), { idleMs: 50 })).toMatch(/^image.pull-timeout: nothing came/);
    expect(await get(stalled, { withinMs: 50 })).toMatch(/^image.pull-timeout: it was not done/);
  });

  test('is let go when the run is', async () => {
    const abort = new AbortController();
    const uri = await engine((response) => { response.write(line({ status: 'Waiting' })); abort.abort(new Error('SIGTERM')); });
    await expect(get(uri, { context: { signal: abort.signal, progress: () => {} } })).rejects.toThrow('SIGTERM');
  });
});
