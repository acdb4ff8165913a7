// Only where a registry can be reached: the image that a rehearsal in containers runs by default.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startInContainer } from '../../fixtures/containers.ts';
import { startStoreInContainer, tryStore, worksAsStore } from '../../fixtures/object-store.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { normaliseServers } from './config.ts';

const { images } = normaliseServers({});

async function within(work: (scratch: ReturnType<typeof openScratch>) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'pull-'));
  chmodSync(root, 0o755);
  const scratch = openScratch({ root, runId: 'a' });
  try {
    await work(scratch);
  } finally {
    expect((await teardown(scratch.path)).findings).toEqual([]);
    rmSync(root, { recursive: true });
  }
}

test('MinIO, pinned as the configuration has it, takes and gives objects', async () => {
  await within(async (scratch) => expect(await tryStore(await startStoreInContainer(scratch, 'minio', images.objectStore.image, 600_000))).toMatchObject({ ...worksAsStore, refused: expect.any(String) as string }));
}, 660_000);

test('SeaweedFS, out of its own image, does too', async () => {
  const { objectStore } = normaliseServers({ images: { objectStore: { kind: 'seaweedfs' } } }).images;
  await within(async (scratch) => expect(await tryStore(await startStoreInContainer(scratch, 'seaweedfs', objectStore.image, 600_000))).toMatchObject({ ...worksAsStore, refused: expect.any(String) as string }));
}, 660_000);

test.each([13, 14, 15, 16, 17, 18])('the official image of Postgres %i starts as ours do', async (major) => {
  await within(async (scratch) => {
    const server = await startInContainer(scratch, major, { reference: images.postgres.replace('{major}', String(major)), pullWithinMs: 600_000 });
    expect(server.version).toMatch(new RegExp(`^${major}\\.`));
    expect(server.evidence.container?.digest).toMatch(/@sha256:/);
  });
}, 660_000);
