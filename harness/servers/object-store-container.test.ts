import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect } from 'vitest';
import { docker } from '../../fixtures/containers.ts';
import { startStoreInContainer, tryStore, worksAsStore } from '../../fixtures/object-store.ts';
import { needing } from '../../fixtures/tools.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { objectStoreEvidence } from './evidence.ts';

const root = mkdtempSync(join(tmpdir(), 'object-store-'));
chmodSync(root, 0o755);
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(async () => {
  for (const name of readdirSync(root)) expect((await teardown(join(root, name))).findings).toEqual([]);
});
const image = 'backup-drills-seaweedfs:4.48';

needing('docker', 'container engine', 'image of SeaweedFS').test('SeaweedFS in a container takes and gives objects to who has its keys, and goes without a trace', async () => {
  const scratch = openScratch({ root, runId: 'a' });
  const store = await startStoreInContainer(scratch, 'seaweedfs', image, 1000);
  expect(objectStoreEvidence.parse(store.evidence)).toMatchObject({ kind: 'seaweedfs', image, pulled: false });
  expect(await tryStore(store)).toMatchObject({ ...worksAsStore, refused: expect.stringMatching(/authorized|signature|Forbidden/i) as string });
  const ports = JSON.parse(await docker('inspect', store.name, '--format', '{{json .NetworkSettings.Ports}}')) as Record<string, { HostIp: string }[] | null>;
  expect(Object.values(ports).flatMap((bound) => (bound ?? []).map(({ HostIp }) => HostIp))).toEqual(['127.0.0.1']);
  expect(await store.died()).toBeNull();
  await docker('kill', store.name);
  expect(await store.died()).toMatchObject({ code: 'server.died', facts: { what: 'seaweedfs', exit: 'exit code 137' } });
  expect(await teardown(scratch.path)).toMatchObject({ findings: [], evidence: { containersBefore: 1, containersAfter: 0, entriesAfter: 0 } });
}, 60_000);
