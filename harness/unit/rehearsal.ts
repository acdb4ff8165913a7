// The rehearsal's source: the sample unit that ships with the project, encrypted for a throw-away key and published to
// a store of its own. From there on it is drilled like any other.
import { createReadStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sampleUnit } from '../../fixtures/sample/unit.ts';
import type { Source } from '../database/steps.ts';
import type { Plan, StepRef } from '../run/plan.ts';
import { addSecret } from '../run/redact.ts';
import { attachScratch } from '../run/scratch.ts';
import { encryptFile, generateKey } from '../stores/age.ts';
import { directoryStore } from '../stores/directory.ts';
import { directoryPublisher } from '../stores/publish.ts';
import { publishEvidence } from './evidence.ts';
import type { DrillSettings } from './drill.ts';

/** How old the sample's snapshot is on the rehearsal's clock, in ms: as if last night's backup were drilled in the morning. */
const rehearsedAgeMs = 4 * 3_600_000;

/** What to add to the machine's clock so that the sample is as old as last night's backup. */
export function rehearsalClockShiftMs(now: Date): number {
  return sampleUnit().snapshotAt.getTime() + rehearsedAgeMs - now.getTime();
}

export function planRehearsal(plan: Plan, settings: DrillSettings): StepRef<Source> {
  return plan.step({
    id: 'run.publish',
    part: 'run',
    title: 'publish the sample set, encrypted for a throw-away key',
    needs: {},
    evidence: publishEvidence,
    run: async (_, { signal }) => {
      const sample = sampleUnit();
      const { work } = attachScratch(settings.scratch);
      const root = join(work, 'store');
      mkdirSync(root, { mode: 0o700 });
      const key = await generateKey();
      addSecret(key.identity);
      const publisher = directoryPublisher(root);
      const objects = [];
      // The manifest last: a set without its manifest does not exist.
      for (const [file, name] of [[sample.dumpFile, `db-${sample.id}.sql.gz.age`], [sample.manifestFile, `db-${sample.id}.manifest.json.age`]] as const) {
        const encrypted = join(work, name);
        await encryptFile(file, encrypted, [key.recipient], signal);
        const stored = await publisher.put(name, createReadStream(encrypted), signal);
        objects.push({ key: stored.key, bytes: stored.size });
      }
      const store = directoryStore(root);
      return { value: { store, identities: key.identity }, evidence: { set: sample.id, store: store.description, objects, recipient: key.recipient } };
    },
  });
}
