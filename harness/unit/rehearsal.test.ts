// The rehearsal's own part: its object store is published to, opened, and shown to be untouched, whatever carries it.
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { docker } from '../../fixtures/containers.ts';
import { shippedConfig } from '../../fixtures/drill.ts';
import { needing, seaweedFsImage } from '../../fixtures/tools.ts';
import type { Config } from '../config/schema.ts';
import { Executor, type StepResult } from '../run/execute.ts';
import { Plan } from '../run/plan.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { startObjectStore } from '../servers/choose.ts';
import { type ObjectStoreServer, storeClient } from '../servers/object-store/object-store.ts';
import { planRehearsal } from './rehearsal.ts';

const root = mkdtempSync(join(tmpdir(), 'rehearsal-'));
chmodSync(root, 0o755);
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(async () => {
  for (const name of readdirSync(root)) expect((await teardown(join(root, name))).findings).toEqual([]);
});

/** Publishes and opens, has `meddle` do something to the store, and closes. */
async function rehearse(config: Config, meddle: (store: ObjectStoreServer) => Promise<unknown>): Promise<Record<string, StepResult>> {
  const scratch = openScratch({ root, runId: 'rehearsal' });
  const plan = new Plan();
  let store: ObjectStoreServer | null = null;
  const { source, close } = planRehearsal(plan, { config, scratch: scratch.path }, async (options) => (store = await startObjectStore(options)));
  plan.step({ id: 'test.meddle', part: 'run', title: 'meddle', needs: { source }, evidence: z.strictObject({}), run: async () => { await meddle(store!); return { evidence: {} }; } });
  close();
  const steps: Record<string, StepResult> = {};
  await new Executor({ signal: new AbortController().signal, now: () => new Date(), emit: (event) => { if (event.event === 'ended') steps[event.step] = event.result; } }).runAll(plan);
  return steps;
}

const toldBy = (step: StepResult | undefined): readonly unknown[] => [step?.outcome, ...(step?.findings ?? []).map((finding) => finding.code)];
const publish = async (store: ObjectStoreServer): Promise<unknown> => storeClient(store).putObject(store.bucket, 'stray', 'x');

function suite(configured: (shipped: Config) => Config): void {
  test('publishes three objects, which a reader opens that may not write, and finds them untouched', async () => {
    const steps = await rehearse(configured(await shippedConfig(undefined)), async () => {});
    expect(Object.values(steps).map(toldBy)).toEqual([['passed'], ['passed'], ['passed'], ['passed']]);
    expect(steps['run.open']?.evidence).toMatchObject({ application: 'whatsapp-mcp', writes: 'denied' });
    expect(steps['run.untouched']?.evidence).toMatchObject({ entries: 3, changed: 0 });
  }, 60_000);

  test('tells what was changed in its store', async () => {
    const steps = await rehearse(configured(await shippedConfig(undefined)), publish);
    expect(toldBy(steps['run.untouched'])).toEqual(['errored', 'run.store-changed']);
    expect(steps['run.untouched']?.evidence).toMatchObject({ entries: 4, changed: 1 });
  }, 60_000);
}

describe('on our own store', () => suite((shipped) => shipped));

needing('docker', 'container engine', 'image of SeaweedFS').describe('on a store in a container', () => {
  const inContainer = (shipped: Config): Config => ({ ...shipped, runtime: 'containers', images: { ...shipped.images, objectStore: { kind: 'seaweedfs', image: seaweedFsImage } } });
  suite(inContainer);

  test('tells that the store ended', async () => {
    const steps = await rehearse(inContainer(await shippedConfig(undefined)), async (store) => docker('kill', store.evidence.container?.name ?? ''));
    expect(toldBy(steps['run.untouched'])).toEqual(['errored', 'server.died']);
  }, 60_000);
});
