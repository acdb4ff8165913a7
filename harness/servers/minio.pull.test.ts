// Only where a registry can be reached: the images that drills and rehearsals in containers run by default.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { startInContainer } from '../../fixtures/containers.ts';
import { contract } from '../../fixtures/object-store-contract.ts';
import { startContained } from '../../fixtures/object-stores.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { normaliseServers } from './config.ts';

vi.setConfig({ hookTimeout: 660_000 });
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

describe('MinIO, pinned as the configuration has it', () => contract(() => startContained('backups', 'minio', images.objectStore.image, 600_000)));
describe('SeaweedFS, out of its own image', () => contract(() => startContained('backups', 'seaweedfs', normaliseServers({ images: { objectStore: { kind: 'seaweedfs' } } }).images.objectStore.image, 600_000)));

test.each([13, 14, 15, 16, 17, 18])('the official image of Postgres %i starts as ours do', async (major) => {
  await within(async (scratch) => {
    const server = await startInContainer(scratch, major, { reference: images.postgres.replace('{major}', String(major)), pullWithinMs: 600_000 });
    expect(server.version).toMatch(new RegExp(`^${major}\\.`));
    expect(server.evidence.container?.digest).toMatch(/@sha256:/);
  });
}, 660_000);
