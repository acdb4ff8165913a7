// The steps from a store to a verified dump: what a drill and a check of the database have in common.
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import type { Done, Plan, StepRef } from '../run/plan.ts';
import { StepEnded } from '../run/finding.ts';
import { attachScratch } from '../run/scratch.ts';
import { decryptArtifact, type Plain } from '../stores/age.ts';
import { type Catalog, readCatalog } from '../stores/catalog.ts';
import { catalogEvidence, decryptEvidence, fetchEvidence, fetchedFacts, plainFacts, verifiedStoredFacts, verifyStoredEvidence } from '../stores/evidence.ts';
import { type Fetched, fetchArtifact } from '../stores/fetch.ts';
import type { LedgerConfig } from '../stores/config.ts';
import { labelDigest } from '../stores/label.ts';
import { type Ledger, readLedger, unwitnessed, witnessOf } from '../stores/ledger.ts';
import { called, ledgerEvidence, ledgerFacts } from '../stores/ledger-check.ts';
import { ledgerFindings } from '../stores/ledger-findings.ts';
import { readSeen } from '../stores/ledger-seen.ts';
import { nameOf } from '../stores/names.ts';
import type { ReadableStore } from '../stores/store.ts';
import { judgePlain, type VerifiedStored, verifyStored } from '../stores/verify.ts';
import type { Caps } from './dump/gunzip.ts';
import { describeManifest } from './manifest/compare.ts';
import { type ManifestEvidence, manifestEvidence } from './manifest/evidence.ts';
import { manifestFindings } from './manifest/findings.ts';
import type { Manifest } from './manifest/manifest.ts';
import { selectEvidence, verifyDumpEvidence } from './select/evidence.ts';
import { readManifests } from './select/manifests.ts';
import { type How, type Selected, selectSet } from './select/select.ts';
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
  /** Name of the store that is read, or null for the first. */
  readonly store: string | null;
}

/** The ledger of the store that is read; null where it has none, and in a rehearsal. */
export function ledgerOf({ config, store }: Pick<FetchingSettings, 'config' | 'store'>): LedgerConfig | null {
  return (store === null ? config.stores[0] : config.stores.find(({ name }) => name === store))?.ledger ?? null;
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

/** The ledger, its chain held from the store's label to its end; null where none is configured, and then no step is planned. */
export function planLedger(plan: Plan, source: StepRef<Source>, settings: Pick<FetchingSettings, 'config' | 'store'>): StepRef<Ledger> | null {
  const { application } = settings.config;
  const ledger = ledgerOf(settings);
  if (ledger === null) return null;
  return plan.step({
    id: 'run.ledger',
    part: 'run',
    title: 'read the ledger, and follow its chain',
    needs: { source },
    evidence: ledgerEvidence,
    run: async ({ source: { store } }, { signal }) => {
      const label = await labelDigest(store, application, signal);
      if (label === null) throw new StepEnded(ledgerFindings.find('ledger.store-unknown', { store: store.description }));
      const value = await readLedger(ledger.path, { application, store: store.description, label, seen: ledger.seen === null ? null : readSeen(ledger.seen), signal });
      return { value, evidence: ledgerFacts(value) };
    },
  });
}

/** From the store to a verified dump. */
export function planFetching(plan: Plan, source: StepRef<Source>, settings: FetchingSettings) {
  const { config, how, scratch } = settings;
  const work = (): string => attachScratch(scratch).work;
  const catalog = planCatalog(plan, source);
  const ledger = planLedger(plan, source, settings);
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
  const decrypt = <V>(from: StepRef<V>, bytes: (value: V) => VerifiedStored): StepRef<Plain> => plan.step({
    id: 'database.decrypt',
    part: 'database',
    title: 'decrypt the dump',
    needs: { source, from },
    evidence: decryptEvidence,
    run: async ({ source: { identities }, from: value }, context) => {
      const stored = bytes(value);
      const decrypted = await decryptArtifact(stored, identities, work(), context);
      return { value: decrypted, findings: judgePlain(stored, decrypted), evidence: plainFacts(decrypted) };
    },
  });
  const plain = ledger === null ? decrypt(fetch, ({ fetched }) => verifyStored(fetched)) : decrypt(planWitness(plan, { ledger, selected, fetch }, ledgerOf(settings)?.withinMs ?? 0), (stored) => stored);
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

/** Between fetching and decrypting: the bytes, and the manifest that was chosen by, are what a witness elsewhere says they were. */
function planWitness(plan: Plan, needs: { readonly ledger: StepRef<Ledger>; readonly selected: StepRef<Selected>; readonly fetch: StepRef<{ readonly fetched: Fetched }> }, withinMs: number): StepRef<VerifiedStored> {
  return plan.step({
    id: 'database.witness',
    part: 'database',
    title: 'hold the stored bytes and the manifest against the ledger',
    needs,
    evidence: verifyStoredEvidence,
    run: async ({ selected: { id, dump, manifest }, fetch: { fetched }, ledger }, { now }) => {
      const value = verifyStored(fetched, witnessOf(ledger, called(dump), { now: now(), withinMs }));
      const line = value.witness;
      const evidence = verifiedStoredFacts(value, line === null ? 'pending' : 'line');
      if (line === null) return { value, findings: unwitnessed([dump.object.key], 'pending', withinMs), evidence };
      if (manifest !== null && manifest.sha256 !== line.manifest) throw new StepEnded(ledgerFindings.find('ledger.manifest-differs', { set: id, sha256: manifest.sha256, expected: line.manifest }), evidence);
      return { value, evidence };
    },
  });
}

/** How much a dump may ask for. */
export const reading = ({ caps }: Config): { caps: Caps; maxStatementBytes: number } => ({ caps: { maxBytes: caps.maxBytes, maxRatio: caps.maxRatio }, maxStatementBytes: caps.statementBytes });
