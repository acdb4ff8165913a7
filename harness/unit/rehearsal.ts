// The rehearsal's source: the sample unit that ships with the project, or one that is taken for it (rehearsal-live.ts), encrypted
// for a throw-away key and published to an object store of the run's own. From there on it is drilled like any other, by a
// credential that can only read.
import { createReadStream, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { z } from 'zod';
import { sampleUnit } from '../../fixtures/sample/unit.ts';
import type { Source } from '../database/fetching.ts';
import type { Done, Plan, StepContext, StepRef } from '../run/plan.ts';
import { addSecret } from '../run/redact.ts';
import { attachScratch } from '../run/scratch.ts';
import { startObjectStore, whileItLives } from '../servers/choose.ts';
import type { ObjectStoreServer } from '../servers/object-store/object-store.ts';
import type { AgeKey } from '../stores/age.ts';
import { encryptFile, generateKey } from '../stores/age.ts';
import type { S3StoreConfig } from '../stores/config.ts';
import { openStore } from '../stores/open.ts';
import { publishEvidence, untouchedEvidence } from './evidence.ts';
import { unitFindings } from './findings.ts';
import type { SourceSettings } from './open.ts';
import { type LocalSet, planLiveBackup } from './rehearsal-live.ts';
import { openSource, openSourceEvidence } from './source.ts';

const bucket = 'rehearsal';
const name = 'rehearsal';

/** What was published, and where. */
interface Published {
  readonly server: ObjectStoreServer;
  readonly config: S3StoreConfig;
  readonly key: AgeKey;
  /** All that the bucket held by then. */
  readonly contents: readonly string[];
}

/**
 * Publishes and opens; `close` plans the end of the store, after all that reads from it.
 * @param start starts the store
 * @param live what a live rehearsal takes its backup with
 */
export function planRehearsal(plan: Plan, settings: Pick<SourceSettings, 'config' | 'scratch' | 'live'>, start = startObjectStore, live?: Parameters<typeof planLiveBackup>[2]): { readonly source: StepRef<Source>; readonly close: () => void } {
  const step = {
    id: 'run.publish',
    part: 'run',
    title: 'publish the sample set to an object store, encrypted for a throw-away key',
    evidence: publishEvidence,
  } as const;
  const publish = async (set: LocalSet, context: StepContext): Promise<Done<Published, z.infer<typeof publishEvidence>>> => publishSet(set, settings, start, context);
  const published = settings.live === true
    ? plan.step({ ...step, needs: { set: planLiveBackup(plan, settings, live) }, run: async ({ set }, context) => publish(set, context) })
    : plan.step({ ...step, needs: {}, run: async (_, context) => publish(shippedSet(), context) });
  const source = plan.step({
    id: 'run.open',
    part: 'run',
    title: 'open the store and the keys',
    needs: { published },
    evidence: openSourceEvidence,
    run: async ({ published: { server, config, key } }, { signal }) => openSource(await openStore(config, { [name]: server.reader }), [key.identity], settings.config.application, signal),
  });
  return { source, close: () => planClose(plan, published) };
}

function shippedSet(): LocalSet {
  const { id, dumpFile, manifestFile } = sampleUnit();
  return { id, files: [dumpFile, manifestFile].map((path) => ({ path, name: basename(path) })) };
}

async function publishSet(set: LocalSet, settings: Pick<SourceSettings, 'config' | 'scratch'>, start: typeof startObjectStore, context: StepContext): Promise<Done<Published, z.infer<typeof publishEvidence>>> {
  const { signal } = context;
  const scratch = attachScratch(settings.scratch);
  const server = await start({ scratch, bucket, config: settings.config, context });
  for (const { secretAccessKey, sessionToken } of [server.writer, server.reader]) for (const secret of [secretAccessKey, sessionToken ?? '']) if (secret !== '') addSecret(secret);
  const config: S3StoreConfig = { name, kind: 's3', endpoint: server.endpoint, bucket, prefix: '', region: server.region, pathStyle: true, accessKeyId: { env: '' }, secretAccessKey: { env: '' }, sessionToken: null, ledger: null };
  const key = await generateKey();
  addSecret(key.identity);
  const { s3Publisher } = await import('../stores/publish-s3.ts');
  const { contentsOf } = await import('../servers/object-store/object-store.ts');
  const publisher = s3Publisher(config, server.writer);
  const label = join(scratch.work, 'store.json');
  writeFileSync(label, `${JSON.stringify({ application: settings.config.application })}\n`);
  const objects: { key: string; bytes: number }[] = [];
  const publish = async (file: string, as: string): Promise<void> => {
    const stored = await publisher.put(as, createReadStream(file), signal, statSync(file).size);
    objects.push({ key: stored.key, bytes: stored.size });
  };
  return whileItLives(server, async () => {
    await publish(label, 'store.json');
    // The manifest last: a set without its manifest does not exist.
    for (const { path, name: plain } of set.files) {
      const as = `${plain}.age`;
      const encrypted = join(scratch.work, as);
      await encryptFile(path, encrypted, [key.recipient], signal);
      await publish(encrypted, as);
    }
    const { chosen, ...running } = server.evidence;
    return { value: { server, config, key, contents: await contentsOf(server) }, evidence: { set: set.id, store: publisher.description, chosen, server: running, objects, recipient: key.recipient } };
  }, () => !signal.aborted);
}

/** The store was only read. What listens of it is closed here, or with its container at the teardown. */
function planClose(plan: Plan, published: StepRef<Published>): void {
  plan.step({
    id: 'run.untouched',
    part: 'run',
    title: 'prove that the drill changed nothing in the object store',
    needs: { published },
    evidence: untouchedEvidence,
    run: async ({ published: { server, contents } }, { signal }) => {
      const { contentsOf } = await import('../servers/object-store/object-store.ts');
      const now = await whileItLives(server, async () => contentsOf(server), () => !signal.aborted);
      await server.close();
      const changed = new Set(now).symmetricDifference(new Set(contents)).size;
      return { findings: changed === 0 ? [] : [unitFindings.find('run.store-changed', { changed })], evidence: { entries: now.length, changed, port: Number(new URL(server.endpoint).port) } };
    },
  });
}
