// The rehearsal's source: the sample unit that ships with the project, encrypted for a throw-away key and published to an
// object store of the run's own. From there on it is drilled like any other, by a credential that can only read.
import { randomBytes } from 'node:crypto';
import { createReadStream, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sampleUnit } from '../../fixtures/sample/unit.ts';
import type { Source } from '../database/steps.ts';
import type { Plan, StepRef } from '../run/plan.ts';
import { addSecret } from '../run/redact.ts';
import { attachScratch } from '../run/scratch.ts';
import { type ObjectStore, startObjectStore } from '../servers/object-store/server.ts';
import type { AgeKey } from '../stores/age.ts';
import { encryptFile, generateKey } from '../stores/age.ts';
import type { S3Credential, S3StoreConfig } from '../stores/config.ts';
import { openStore } from '../stores/open.ts';
import type { DrillSettings } from './drill.ts';
import { publishEvidence, untouchedEvidence } from './evidence.ts';
import { unitFindings } from './findings.ts';
import { openSource, openSourceEvidence } from './source.ts';

/** How old the sample's snapshot is on the rehearsal's clock, in ms: as if last night's backup were drilled in the morning. */
const rehearsedAgeMs = 4 * 3_600_000;
const bucket = 'rehearsal';
const name = 'rehearsal';

/** What to add to the machine's clock so that the sample is as old as last night's backup. */
export function rehearsalClockShiftMs(now: Date): number {
  return sampleUnit().snapshotAt.getTime() + rehearsedAgeMs - now.getTime();
}

/** What was published, and where. */
interface Published {
  readonly server: ObjectStore;
  readonly config: S3StoreConfig;
  readonly reader: S3Credential;
  readonly key: AgeKey;
  /** How often the bucket had been changed by then. */
  readonly changes: number;
}

/** Publishes and opens; `close` plans the end of the store, after all that reads from it. */
export function planRehearsal(plan: Plan, settings: DrillSettings): { readonly source: StepRef<Source>; readonly close: () => void } {
  const published = plan.step({
    id: 'run.publish',
    part: 'run',
    title: 'publish the sample set to an object store, encrypted for a throw-away key',
    needs: {},
    evidence: publishEvidence,
    run: async (_, { signal }) => {
      const { work } = attachScratch(settings.scratch);
      const sample = sampleUnit();
      const directory = join(work, 'store');
      mkdirSync(directory, { mode: 0o700 });
      const [writer, reader] = [newCredential(), newCredential()];
      // In this process: it ends with it, whatever ends it.
      const server = await startObjectStore({ directory, bucket, identities: [{ ...writer, may: ['list', 'get', 'put', 'list-uploads'] }, { ...reader, may: ['list', 'get', 'list-versions', 'list-uploads'] }] });
      const config: S3StoreConfig = { name, kind: 's3', endpoint: server.endpoint, bucket, prefix: '', region: 'us-east-1', pathStyle: true, accessKeyId: { env: '' }, secretAccessKey: { env: '' }, sessionToken: null };
      const key = await generateKey();
      addSecret(key.identity);
      const { s3Publisher } = await import('../stores/publish-s3.ts');
      const publisher = s3Publisher(config, writer);
      const label = join(work, 'store.json');
      writeFileSync(label, `${JSON.stringify({ application: settings.config.application })}\n`);
      const objects: { key: string; bytes: number }[] = [];
      const publish = async (file: string, as: string): Promise<void> => {
        const stored = await publisher.put(as, createReadStream(file), signal, statSync(file).size);
        objects.push({ key: stored.key, bytes: stored.size });
      };
      await publish(label, 'store.json');
      // The manifest last: a set without its manifest does not exist.
      for (const [file, as] of [[sample.dumpFile, `db-${sample.id}.sql.gz.age`], [sample.manifestFile, `db-${sample.id}.manifest.json.age`]] as const) {
        const encrypted = join(work, as);
        await encryptFile(file, encrypted, [key.recipient], signal);
        await publish(encrypted, as);
      }
      return { value: { server, config, reader, key, changes: server.changes() }, evidence: { set: sample.id, store: publisher.description, objects, recipient: key.recipient } };
    },
  });
  const source = plan.step({
    id: 'run.open',
    part: 'run',
    title: 'open the store and the keys',
    needs: { published },
    evidence: openSourceEvidence,
    run: async ({ published: { config, reader, key } }, { signal }) => openSource(await openStore(config, { [name]: reader }), [key.identity], settings.config.application, signal),
  });
  return { source, close: () => planClose(plan, published) };
}

/** The store was only read, and nothing of it listens any more. */
function planClose(plan: Plan, published: StepRef<Published>): void {
  plan.step({
    id: 'run.untouched',
    part: 'run',
    title: 'close the object store, and prove that the drill changed nothing in it',
    needs: { published },
    evidence: untouchedEvidence,
    run: async ({ published: { server, changes } }) => {
      await server.close();
      const changed = server.changes() - changes;
      const { port } = new URL(server.endpoint);
      return { findings: changed === 0 ? [] : [unitFindings.find('run.store-changed', { changed })], evidence: { changed, port: Number(port) } };
    },
  });
}

function newCredential(): S3Credential {
  const credential = { accessKeyId: randomBytes(10).toString('hex').toUpperCase(), secretAccessKey: randomBytes(24).toString('base64url') };
  addSecret(credential.secretAccessKey);
  return credential;
}
