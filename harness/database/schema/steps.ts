// The steps of the schema check: what the database part has of a dump without a server, and what it is held against.
import type { Config } from '../../config/schema.ts';
import type { Plan, StepRef } from '../../run/plan.ts';
import { evidenceOf } from '../dump/evidence.ts';
import { inspectDump } from '../dump/inspect.ts';
import type { Inventory } from '../dump/inventory.ts';
import { type FetchingSettings, planFetching, reading, type Source } from '../fetching.ts';
import { compareWithExpected, compareWithManifest, compareWithReference } from './compare.ts';
import { expectedEvidence, manifestEvidence, readEvidence, referenceEvidence } from './evidence.ts';
import { SchemaReading } from './read.ts';
import { readReference } from './reference.ts';
import type { Schema } from './schema.ts';

/** What one pass over a dump gave. */
export interface ReadSchema {
  readonly schema: Schema;
  readonly inventory: Inventory;
}

/** Plans the check of a source's dump: its own tables by its manifest, then what is expected, then the reference. */
export function planSchemaCheck(plan: Plan, source: StepRef<Source>, settings: FetchingSettings): void {
  const { config } = settings;
  const { read, manifest } = planStoredSchema(plan, source, settings);
  plan.step({
    id: 'database.schema.manifest',
    part: 'database',
    title: 'hold the tables of the dump against those that its manifest counted',
    needs: { read, manifest },
    compares: true,
    evidence: manifestEvidence,
    run: async ({ read: { inventory }, manifest: bound }) => {
      // The step that binds the set has failed by then.
      if (bound === null) return { evidence: { counted: 0, tables: inventory.tables.length, missing: 0, extra: 0 } };
      return compareWithManifest(bound, inventory);
    },
  });
  if (config.expected.tables.length + config.expected.extensions.length > 0) {
    plan.step({
      id: 'database.schema.expected',
      part: 'database',
      title: 'check that the expected tables and extensions are in the dump',
      needs: { read },
      evidence: expectedEvidence,
      run: async ({ read: { schema } }) => compareWithExpected(config.expected, schema),
    });
  }
  plan.step({
    id: 'database.schema.reference',
    part: 'database',
    title: 'compare the schema with the committed reference',
    needs: { read },
    evidence: referenceEvidence,
    run: async ({ read: { schema } }) => compareWithReference(readReference(config.expected.schemaReference, config.application), schema),
  });
}

/** From a store to the schema of its dump, bound to its manifest. */
export function planStoredSchema(plan: Plan, source: StepRef<Source>, settings: FetchingSettings) {
  const { dump, manifest } = planFetching(plan, source, settings);
  return { read: planReading(plan, dump, settings.config), manifest };
}

export function planReading(plan: Plan, dump: StepRef<{ readonly path: string }>, config: Config): StepRef<ReadSchema> {
  return plan.step({
    id: 'database.inspect',
    part: 'database',
    title: 'read the schema in one pass over the dump',
    needs: { dump },
    evidence: readEvidence,
    run: async ({ dump: { path } }, { signal, progress }) => {
      const startedAt = performance.now();
      const objects = new SchemaReading();
      const inventory = await inspectDump(path, { ...reading(config), signal, progress: (done, total) => progress({ done, total, unit: 'bytes' }), onStatement: (...seen) => objects.take(...seen) });
      const schema = objects.end(inventory.serverMajor);
      return { value: { schema, inventory }, evidence: { ...evidenceOf(inventory, Math.round(performance.now() - startedAt)), objects: schema.objects.length } };
    },
  });
}
