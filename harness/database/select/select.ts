// Chooses the backup set that is drilled. What is quarantined is never chosen; a set without a manifest that
// can be relied on takes its place by its id, so that a manifest missing from the newest set is seen and not passed over.
import { createHash } from 'node:crypto';
import type { Finding } from '../../run/finding.ts';
import { StepEnded } from '../../run/finding.ts';
import type { BackupSet, StoredArtifact } from '../../stores/catalog.ts';
import { byId } from '../../stores/catalog.ts';
import type { SetId } from '../../stores/names.ts';
import { dayOf, shown, spanOf } from '../../stores/names.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { SelectEvidence } from './evidence.ts';
import { lasting, selectFindings } from './findings.ts';
import type { Candidate } from './manifests.ts';

/** Which set is asked for. `seed`: any text; the same seed picks the same set as long as that is retained. */
export type How = { readonly kind: 'newest' } | { readonly kind: 'date'; readonly date: string } | { readonly kind: 'random-older'; readonly seed: string };

export interface SelectContext {
  readonly now: () => Date;
  /** How often a backup is due, ms; the newest may not be older. */
  readonly cadenceMs: number;
}

/** The set that is drilled. */
export interface Selected {
  readonly id: SetId;
  readonly dump: StoredArtifact;
  readonly globals: StoredArtifact | null;
  /** Null where there is nothing to compare with. */
  readonly manifest: Manifest | null;
  /** `unusable`: there is one and it cannot be compared with; the selection's findings say why. */
  readonly manifestState: 'usable' | 'unusable' | 'missing';
  readonly how: How;
}

export interface Selection {
  readonly selected: Selected;
  readonly findings: readonly Finding[];
  readonly evidence: SelectEvidence;
}

/**
 * Chooses one of the candidates. A stale store and a broken manifest are findings, and the choice is handed on all the same.
 * @throws StepEnded select.no-such-set, select.quarantined, select.no-older-set.
 */
export function selectSet(candidates: readonly Candidate[], how: How, { now, cadenceMs }: SelectContext): Selection {
  const eligible = candidates.filter((candidate) => candidate.set.quarantine === null);
  const newest = newestOf(eligible);
  const chosen = how.kind === 'newest' ? newest : how.kind === 'date' ? atDate(candidates, how.date) : randomOlder(eligible, newest, how.seed);
  if (chosen.set.dump === null) throw new Error(`set ${chosen.set.id} has no dump and is not quarantined`);
  const at = now();
  const stale = how.kind === 'date' ? null : judgeAge(candidates, newest, at, cadenceMs);
  // A key or a database that is wrong is wrong for all: what the chosen set tells is not told again.
  const known = new Set(chosen.problems.map((problem) => problem.code));
  const others = eligible.filter((candidate) => candidate !== chosen && candidate.problems.some((problem) => !known.has(problem.code)));
  return {
    selected: { id: chosen.set.id, dump: chosen.set.dump, globals: chosen.set.globals, manifest: chosen.manifest, manifestState: chosen.manifest !== null ? 'usable' : chosen.set.manifest !== null ? 'unusable' : 'missing', how },
    findings: [...chosen.problems, ...(stale === null ? [] : [stale]), ...(others.length === 0 ? [] : [broken(others)])],
    evidence: {
      set: chosen.set.id,
      how: how.kind,
      asked: how.kind === 'date' ? how.date : null,
      seed: how.kind === 'random-older' ? how.seed : null,
      snapshotAt: chosen.snapshotAt?.toISOString() ?? null,
      ageMs: at.getTime() - takenAt(chosen).getTime(),
      newest: newest.set.id,
      candidates: eligible.length,
      manifestsRead: eligible.filter((candidate) => candidate.manifest !== null).length,
    },
  };
}

/** Newest by the manifests' snapshot times; a set without a usable manifest is newest when its id is later than that one's. */
function newestOf(eligible: readonly Candidate[]): Candidate {
  const later = (a: Candidate | undefined, b: Candidate, order: number): Candidate => (a === undefined || order > 0 ? b : a);
  let dated: Candidate | undefined;
  let undated: Candidate | undefined;
  for (const candidate of eligible) {
    if (candidate.snapshotAt === null) undated = later(undated, candidate, undated === undefined ? 1 : byId(candidate.set.id, undated.set.id));
    else dated = later(dated, candidate, dated?.snapshotAt ? candidate.snapshotAt.getTime() - dated.snapshotAt.getTime() || byId(candidate.set.id, dated.set.id) : 1);
  }
  const newest = undated === undefined || (dated !== undefined && byId(undated.set.id, dated.set.id) < 0) ? dated : undated;
  if (newest === undefined) throw new Error('no set to choose from: the catalog is null then, and nothing is selected');
  return newest;
}

/** The set of exactly that id, or the newest set of that UTC day. */
function atDate(candidates: readonly Candidate[], date: string): Candidate {
  const matching = candidates.filter(({ set }) => set.id === date || dayOf(set.id) === date);
  const eligible = matching.filter((candidate) => candidate.set.quarantine === null);
  if (eligible.length > 0) return newestOf(eligible);
  const held = matching[0];
  if (held !== undefined) throw new StepEnded(selectFindings.find('select.quarantined', { set: held.set.id, why: held.set.quarantine ?? '' }));
  const asked = new Date(date.slice(0, 'YYYY-MM-DD'.length)).getTime();
  const distance = ({ id }: BackupSet): number => Math.abs(spanOf(id).from.getTime() - asked);
  const others = candidates.map(({ set }) => set).filter((set) => set.quarantine === null);
  const nearest = (Number.isNaN(asked) ? others.reverse() : others.sort((a, b) => distance(a) - distance(b))).slice(0, 3).map((set) => set.id);
  throw new StepEnded(selectFindings.find('select.no-such-set', { asked: shown(date), nearest }));
}

/** The older set whose id and the seed hash lowest: the others that come and go do not change which one that is. */
function randomOlder(eligible: readonly Candidate[], newest: Candidate, seed: string): Candidate {
  const rank = (candidate: Candidate): string => createHash('sha256').update(`${seed}\n${candidate.set.id}`).digest('hex');
  const [lowest] = eligible.filter((candidate) => candidate !== newest).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  if (lowest === undefined) throw new StepEnded(selectFindings.find('select.no-older-set', { newest: newest.set.id }));
  return lowest;
}

/**
 * Whether backups still arrive. Durations only, no calendar: neither midnight nor daylight saving can make it err.
 * A later set that was set aside is told by the catalog; nobody can say then that none arrived.
 */
function judgeAge(candidates: readonly Candidate[], newest: Candidate, now: Date, cadenceMs: number): Finding | null {
  const arrived = candidates.some(({ set }) => set.quarantine !== null && set.quarantine !== 'future' && byId(set.id, newest.set.id) > 0);
  const taken = takenAt(newest);
  const ageMs = now.getTime() - taken.getTime();
  if (arrived || ageMs <= cadenceMs) return null;
  const by = newest.snapshotAt === null ? 'name' : 'manifest';
  return selectFindings.find('select.stale', { set: newest.set.id, taken: by === 'name' ? dayOf(newest.set.id) : taken.toISOString(), by, age: lasting(ageMs), ageMs, cadenceMs });
}

/** By the manifest, else the latest instant that the id can mean: an age is never overstated. */
function takenAt({ set, snapshotAt }: Candidate): Date {
  return snapshotAt ?? spanOf(set.id).to;
}

function broken(others: readonly Candidate[]): Finding {
  const codes = [...new Set(others.flatMap(({ problems }) => problems.map((problem) => problem.code)))].sort();
  return selectFindings.find('select.other-manifests-broken', { count: others.length, sets: others.slice(0, 10).map(({ set }) => set.id), codes });
}
