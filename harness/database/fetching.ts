// The steps from a store to a verified dump: what a drill and a check of the database have in common.
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import type { Done, Plan, StepRef } from '../run/plan.ts';
import { attachScratch } from '../run/scratch.ts';
import { decryptArtifact } from '../stores/age.ts';
import { type Catalog, readCatalog } from '../stores/catalog.ts';
import { catalogEvidence, decryptEvidence, fetchEvidence, fetchedFacts, plainFacts } from '../stores/evidence.ts';
import { fetchArtifact } from '../stores/fetch.ts';
import { nameOf } from '../stores/names.ts';
import type { ReadableStore } from '../stores/store.ts';
import { verifyStored } from '../stores/verify.ts';
import type { Caps } from './dump/gunzip.ts';
import { describeManifest } from './manifest/compare.ts';
import { type ManifestEvidence, manifestEvidence } from './manifest/evidence.ts';
import { manifestFindings } from './manifest/findings.ts';
import type { Manifest } from './manifest/manifest.ts';
import { selectEvidence, verifyDumpEvidence } from './select/evidence.ts';
import { readManifests } from './select/manifests.ts';
import { type How, selectSet } from './select/select.ts';
import { verifyDump } from './select/verify-dump.ts';

/** Where the backups come from, and what opens them. */
export interface Source {
  readonly store: ReadableStore;
  /** age identities, one per line; null while none is configured. */
  readonly identities: string | null;
}

export interface FetchingSettings {
  readonly config: Config;
  readonly how: How;
  readonly scratch: string;
}

/** What the store holds, by its names. */
export function planCatalog(plan: Plan, source: StepRef<Source>): StepRef<Catalog> {
  return plan.step({
    id: 'database.catalog',
    part: 'database',
    title: 'read the catalog of the store',
    needs: { source },
    evidence: catalogEvidence,
    run: async ({ source: { store } }, context) => {
      const { catalog: value, findings, evidence } = await readCatalog(store, context);
      return { ...(value === null ? {} : { value }), findings, evidence };
    },
  });
}

/** From the store to a verified dump. */
export function planFetching(plan: Plan, source: StepRef<Source>, { config, how, scratch }: FetchingSettings) {
  const work = (): string => attachScratch(scratch).work;
  const catalog = planCatalog(plan, source);
  const selected = plan.step({
    id: 'database.select',
    part: 'database',
    title: how.kind === 'newest' ? 'choose the newest set, by the manifests' : how.kind === 'date' ? `choose the set of ${how.date}` : 'choose a random older set',
    needs: { source, catalog },
    evidence: selectEvidence,
    run: async ({ source: { store, identities }, catalog: found }, context) => {
      const candidates = await readManifests(store, found, work(), { identities, database: config.database.name, now: context.now, signal: context.signal, progress: context.progress });
      const { selected: value, findings, evidence } = selectSet(candidates, how, { now: context.now, cadenceMs: config.cadenceMs + config.slackMs });
      return { value, findings, evidence };
    },
  });
  const manifest = plan.step({
    id: 'database.manifest',
    part: 'database',
    title: 'bind the set to its manifest',
    needs: { selected },
    evidence: z.strictObject({ manifest: manifestEvidence.nullable() }),
    run: async ({ selected: { manifest: value, manifestState, id } }): Promise<Done<Manifest | null, { manifest: ManifestEvidence | null }>> => ({
      value,
      // A manifest that is there but cannot be used has failed the choice of the set already, by its own code.
      findings: manifestState !== 'missing' ? [] : [manifestFindings.find('manifest.missing', { set: id, expected: nameOf(id, 'manifest', false) })],
      evidence: { manifest: value === null ? null : describeManifest(value) },
    }),
  });
  const fetch = plan.step({
    id: 'database.fetch',
    part: 'database',
    title: 'fetch the dump to scratch',
    needs: { source, selected },
    evidence: fetchEvidence,
    run: async ({ source: { store }, selected: { dump } }, context) => {
      const startedAt = performance.now();
      const fetched = await fetchArtifact(store, dump.object, work(), context);
      return { value: { fetched, startedAt }, evidence: fetchedFacts(fetched) };
    },
  });
  const plain = plan.step({
    id: 'database.decrypt',
    part: 'database',
    title: 'decrypt the dump',
    needs: { source, fetch },
    evidence: decryptEvidence,
    run: async ({ source: { identities }, fetch: { fetched } }, context) => {
      const value = await decryptArtifact(verifyStored(fetched), identities, work(), context);
      return { value, evidence: plainFacts(value) };
    },
  });
  const dump = plan.step({
    id: 'database.verify',
    part: 'database',
    title: "verify the dump's bytes against the manifest",
    needs: { selected, plain },
    evidence: verifyDumpEvidence,
    run: async ({ selected: set, plain: bytes }) => {
      const { dump: value, evidence } = verifyDump(bytes, set);
      return { value, evidence };
    },
  });
  return { dump, manifest, fetch };
}

/** How much a dump may ask for. */
export const reading = ({ caps }: Config): { caps: Caps; maxStatementBytes: number } => ({ caps: { maxBytes: caps.maxBytes, maxRatio: caps.maxRatio }, maxStatementBytes: caps.statementBytes });
