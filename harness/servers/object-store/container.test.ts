import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, expect, test } from 'vitest';
import { docker } from '../../../fixtures/containers.ts';
import { startStoreInContainer } from '../../../fixtures/object-stores.ts';
import { needing, seaweedFsImage } from '../../../fixtures/tools.ts';
import { openScratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { objectStoreEvidence } from '../evidence.ts';
import { startEmbeddedStore } from './embedded.ts';
import { contentsOf, type ObjectStoreServer, storeClient } from './object-store.ts';

const root = mkdtempSync(join(tmpdir(), 'object-store-'));
chmodSync(root, 0o755);
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(async () => {
  for (const name of readdirSync(root)) expect((await teardown(join(root, name))).findings).toEqual([]);
});

needing('docker', 'container engine', 'image of SeaweedFS').test('SeaweedFS in a container shows what was changed in it, tells its death, and goes without a trace', async () => {
  const scratch = openScratch({ root, runId: 'a' });
  const store = await startStoreInContainer(scratch, 'backups', 'seaweedfs', seaweedFsImage);
  expect(objectStoreEvidence.parse(store.evidence)).toMatchObject({ runtime: 'containers', kind: 'seaweedfs', container: { image: seaweedFsImage, pulled: false } });
  const ports = JSON.parse(await docker('inspect', store.name, '--format', '{{json .NetworkSettings.Ports}}')) as Record<string, { HostIp: string }[] | null>;
  expect(Object.values(ports).flatMap((bound) => (bound ?? []).map(({ HostIp }) => HostIp))).toEqual(['127.0.0.1']);
  const seen = await docker('inspect', store.name);
  for (const { secretAccessKey } of [store.writer, store.reader]) expect(seen).not.toContain(secretAccessKey);

  await showsChanges(store);
  expect(await store.died()).toBeNull();
  await docker('kill', store.name);
  expect(await store.died()).toMatchObject({ code: 'server.died', facts: { what: 'seaweedfs', exit: 'exit code 137' } });
  expect(await teardown(scratch.path)).toMatchObject({ findings: [], evidence: { containersBefore: 1, containersAfter: 0, entriesAfter: 0 } });
}, 60_000);

test('our own shows it too', async () => {
  const scratch = openScratch({ root, runId: 'b' });
  const store = await startEmbeddedStore({ scratch, bucket: 'backups' });
  await showsChanges(store);
  await store.close();
  await expect(fetch(store.endpoint)).rejects.toThrow('fetch failed');
});

/** A put, a second one over it, and a start of an upload: each is seen, and reading is not. */
async function showsChanges(store: ObjectStoreServer): Promise<void> {
  const client = storeClient(store);
  const states = [await contentsOf(store)];
  await client.putObject(store.bucket, 'db-2026-11-24.sql.gz.age', 'one');
  states.push(await contentsOf(store));
  await buffer(await client.getObject(store.bucket, 'db-2026-11-24.sql.gz.age'));
  expect(await contentsOf(store)).toEqual(states.at(-1));
  await client.putObject(store.bucket, 'db-2026-11-24.sql.gz.age', 'one');
  states.push(await contentsOf(store));
  await client.initiateNewMultipartUpload(store.bucket, 'unfinished', {});
  states.push(await contentsOf(store));
  expect(states.map((lines) => lines.length)).toEqual([0, 1, 2, 3]);
}
