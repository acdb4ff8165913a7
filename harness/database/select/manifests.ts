// Reads the manifests of all sets, before anything is chosen: the age of a backup is what its manifest says, not its name.
import { readFile, rm } from 'node:fs/promises';
import type { Finding } from '../../run/finding.ts';
import { StepEnded } from '../../run/finding.ts';
import type { Progress } from '../../run/plan.ts';
import { decryptArtifact } from '../../stores/age.ts';
import type { BackupSet, Catalog, StoredArtifact } from '../../stores/catalog.ts';
import type { FetchOptions } from '../../stores/fetch.ts';
import { fetchArtifact } from '../../stores/fetch.ts';
import { shown } from '../../stores/names.ts';
import type { ReadableStore } from '../../stores/store.ts';
import { verifyStored } from '../../stores/verify.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { judgeManifest, parseManifest } from '../manifest/manifest.ts';
import { selectFindings } from './findings.ts';

/** A set of the catalog and what its manifest says. */
export interface Candidate {
  readonly set: BackupSet;
  /** Null where there is none that a restored copy of this set could be compared with. */
  readonly manifest: Manifest | null;
  /** When its snapshot was taken, where the manifest can be believed in that; UTC. */
  readonly snapshotAt: Date | null;
  /** What is wrong with its manifest. A finding of the run only if this set is chosen. */
  readonly problems: readonly Finding[];
}

export interface ManifestOptions {
  /** age identities, one per line; null where none is configured. */
  readonly identities: string | null;
  /** The configured name of the database. */
  readonly database: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  readonly fetch?: Pick<FetchOptions, 'idleMs' | 'totalMs' | 'attempts'>;
}

/** Hundreds of thousands of tables fit. */
const manifestLimit = 64 * 2 ** 20;
/** Without a key no manifest can be read, whichever set it is of. */
const keyless = ['decrypt.no-identity', 'decrypt.bad-identity'];
/** Then the set takes its place by its id: its manifest's time says nothing about it. */
const misdated = ['manifest.other-set', 'manifest.future', 'manifest.stale-copy'];

/**
 * One candidate per set of the catalog, in its order. What is wrong with one manifest is a value of its candidate.
 * @throws StepEnded decrypt.no-identity, decrypt.bad-identity; whatever the store throws as a whole.
 */
export async function readManifests(store: ReadableStore, catalog: Catalog, workDir: string, options: ManifestOptions): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  const all = catalog.sets.flatMap((set) => (set.quarantine === null && set.manifest !== null ? [set.manifest.object.size] : []));
  // Before the first: how many, and how much.
  options.progress({ done: 0, total: all.reduce((sum, size) => sum + size, 0), unit: 'bytes', what: `${all.length} ${all.length === 1 ? 'manifest' : 'manifests'}` });
  for (const set of catalog.sets) {
    options.signal.throwIfAborted();
    candidates.push(await candidateOf(store, set, workDir, options));
    options.progress({ done: candidates.length, total: catalog.sets.length, unit: 'objects', what: set.id });
  }
  return candidates;
}

async function candidateOf(store: ReadableStore, set: BackupSet, workDir: string, options: ManifestOptions): Promise<Candidate> {
  if (set.quarantine !== null || set.manifest === null) return { set, manifest: null, snapshotAt: null, problems: [] };
  const name = shown(set.manifest.object.key);
  try {
    const manifest = parseManifest(await bytesOf(store, set.manifest, workDir, options), name);
    const problems = judgeManifest(manifest, name, { id: set.id, database: options.database, now: options.now() });
    const codes = problems.map((problem) => problem.code);
    return {
      set,
      // Comparing with the manifest of another set would only say the same again, table by table.
      manifest: codes.includes('manifest.other-set') ? null : manifest,
      snapshotAt: codes.some((code) => misdated.includes(code)) ? null : manifest.snapshotTime,
      problems,
    };
  } catch (error) {
    if (!(error instanceof StepEnded) || error.findings.some((finding) => keyless.includes(finding.code) || /^(?:store|scratch)\./.test(finding.code))) throw error;
    return { set, manifest: null, snapshotAt: null, problems: error.findings };
  }
}

async function bytesOf(store: ReadableStore, { object, set }: StoredArtifact, workDir: string, options: ManifestOptions): Promise<Buffer> {
  if (object.size > manifestLimit) throw new StepEnded(selectFindings.find('select.manifest-oversized', { set, bytes: object.size, limit: manifestLimit }));
  const quiet = { signal: options.signal, progress: (): void => undefined };
  const fetched = await fetchArtifact(store, object, workDir, { ...options.fetch, ...quiet });
  try {
    // The library: starting a process per manifest takes longer than decrypting it.
    const plain = await decryptArtifact(verifyStored(fetched), options.identities, workDir, { ...quiet, ageBinary: 'library' });
    const bytes = await readFile(plain.path);
    await rm(plain.path, { force: true });
    return bytes;
  } finally {
    await rm(fetched.path, { force: true });
  }
}
