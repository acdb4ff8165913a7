// What a store holds, parsed. Everything that is not plainly an artifact of a real set is told, and none of it is ever chosen.
import type { Finding } from '../run/finding.ts';
import type { CatalogEvidence } from './evidence.ts';
import { storeFindings } from './findings.ts';
import type { ArtifactKind, Name, SetId } from './names.ts';
import { firstOf, nameOf, parseName, shown, spanOf } from './names.ts';
import { writtenByCrypt } from './rclone-crypt.ts';
import type { Entry, History, Judged, ReadableStore, StoredObject } from './store.ts';

/** One artifact of a backup set, as stored. */
export interface StoredArtifact {
  readonly object: StoredObject;
  readonly set: SetId;
  readonly artifact: ArtifactKind;
  /** As its name says; the bytes are looked at by decryptArtifact. */
  readonly encrypted: boolean;
}

/** Why a set is never chosen. */
export type Quarantine = 'future' | 'irregular' | 'denied' | 'dump-missing';

export interface BackupSet {
  readonly id: SetId;
  readonly dump: StoredArtifact | null;
  readonly manifest: StoredArtifact | null;
  readonly globals: StoredArtifact | null;
  readonly quarantine: Quarantine | null;
}

export interface Catalog {
  readonly store: string;
  /** In order of their ids' first instant. Quarantined ones are among them. */
  readonly sets: readonly BackupSet[];
}

export interface CatalogContext {
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

/** How far the clock of the host that takes the backups may be ahead of ours, ms. */
const skewMs = 5 * 60_000;

export interface CatalogRead {
  /** Null where it holds no set that could be chosen; a finding then says why. */
  readonly catalog: Catalog | null;
  readonly findings: readonly Finding[];
  readonly evidence: CatalogEvidence;
}

/**
 * Lists the store's top level. Findings do not end it: what is left is catalogued, and drilled.
 * @throws StepEnded store.missing, store.unreadable.
 */
export async function readCatalog(store: ReadableStore, { now, signal }: CatalogContext): Promise<CatalogRead> {
  // Before the listing: what is there before it and after it, and not in it, it hides.
  const history = (await store.history?.(signal)) ?? null;
  const sorted = new Sorted();
  for await (const entry of store.list(signal, { folders: 'named' })) sorted.add(entry);
  const uploads = (await store.unfinished?.(signal)) ?? null;
  if (uploads?.judged === true) for (const { key, startedAt } of uploads.found) sorted.temporaries.push(`${key} (in parts, begun ${startedAt.toISOString().slice(0, 16)}Z)`);
  const at = now();
  const sets = [...sorted.sets.entries()].map(([id, parts]) => setOf(id, parts, at)).sort((a, b) => byId(a.id, b.id));
  const catalog = { store: store.description, sets };
  const eligible = sets.filter((set) => set.quarantine === null);
  const hidden = history?.judged === true ? history.found.hidden.filter((key) => parseName(key).kind === 'artifact') : [];
  const lost = history?.judged === true ? await missedBy(store, history.found, sorted, signal) : [];
  const crypt = eligible.length === 0 ? await writtenByCrypt(store, sorted.unknown, signal) : [];
  const findings = [
    ...(crypt.length > 0 ? [storeFindings.find('catalog.rclone-crypt', { store: store.description, first: crypt })] : judge(catalog, sorted, hidden, at)),
    ...(lost.length > 0 ? [storeFindings.find('catalog.listing-incomplete', { count: lost.length, artifacts: firstOf(lost) })] : []),
    ...notJudged(history, uploads),
  ];
  return {
    catalog: eligible.length === 0 ? null : catalog,
    findings,
    evidence: {
      store: store.description,
      sets: sets.length,
      quarantined: sets.filter((set) => set.quarantine !== null).map((set) => set.id),
      oldest: eligible.at(0)?.id ?? null,
      newest: eligible.at(-1)?.id ?? null,
      others: sorted.others,
      strays: sorted.strays.length,
      unfinishedUploads: uploads?.judged === false ? 'not judged' : sorted.temporaries.length,
      deleteMarkers: history === null ? null : history.judged ? hidden.length : 'not judged',
    },
  };
}

/** Artifacts that are there, and that the listing does not show. */
async function missedBy(store: ReadableStore, { current }: History, sorted: Sorted, signal: AbortSignal): Promise<string[]> {
  const missed: string[] = [];
  for (const key of current) {
    const name = parseName(key);
    if (name.kind !== 'artifact' || sorted.sets.get(name.set)?.objects.has(key) === true) continue;
    // Retention may have removed it in between.
    if ((await store.head(key, signal)) !== null) missed.push(key);
  }
  return missed;
}

function notJudged(history: Judged<History> | null, uploads: Judged<unknown> | null): Finding[] {
  const unknown = [
    ...(history?.judged === false ? [{ what: 'delete markers', why: history.why }] : []),
    ...(uploads?.judged === false ? [{ what: 'unfinished uploads', why: uploads.why }] : []),
  ];
  return unknown.length === 0 ? [] : [storeFindings.find('catalog.not-judged', { what: unknown.map(({ what }) => what), why: unknown[0]?.why ?? '' })];
}

/** Orders set ids by the first instant they can mean; a day comes before the timestamps in it. */
export function byId(a: SetId, b: SetId): number {
  return spanOf(a).from.getTime() - spanOf(b).from.getTime() || (a < b ? -1 : a > b ? 1 : 0);
}

/** What is known of one set: per artifact, what was found in its plain and in its encrypted name. */
interface Parts {
  readonly objects: Map<string, StoredArtifact>;
  withheld: 'irregular' | 'denied' | null;
}

/** Entries by what they are. */
class Sorted {
  readonly sets = new Map<SetId, Parts>();
  /** Top-level entries of other parts; a media tree is one, whatever is in it. */
  readonly others = { media: 0, audit: 0, ledger: 0, store: 0 };
  readonly otherKeys: string[] = [];
  readonly strays: string[] = [];
  readonly temporaries: string[] = [];
  readonly unparseable: string[] = [];
  readonly irregular: string[] = [];
  readonly denied: string[] = [];
  /** The first few objects whose names say nothing. */
  readonly unknown: StoredObject[] = [];

  add(entry: Entry): void {
    const key = entry.kind === 'object' ? entry.object.key : entry.key;
    const name = parseName(key);
    if (entry.kind === 'object' && (name.kind === 'stray' || name.kind === 'unparseable-set') && this.unknown.length < 3) this.unknown.push(entry.object);
    switch (name.kind) {
      case 'artifact':
        return this.#addArtifact(entry, key, name);
      case 'other':
        this.others[name.of] += 1;
        this.otherKeys.push(entry.kind === 'folder' ? `${key}/` : key);
        return;
      case 'unparseable-set':
        // Nobody knows what is behind it: what may not be read is inconclusive, whatever its name.
        if (entry.kind === 'denied') this.denied.push(`${shown(key)} (${entry.reason})`);
        else this.unparseable.push(key);
        return;
      case 'temporary':
        this.temporaries.push(key);
        return;
      case 'stray':
        this.strays.push(entry.kind === 'folder' ? `${key}/` : key);
    }
  }

  #addArtifact(entry: Entry, key: string, name: Extract<Name, { kind: 'artifact' }>): void {
    const parts = this.sets.get(name.set) ?? { objects: new Map(), withheld: null };
    this.sets.set(name.set, parts);
    if (entry.kind === 'object') {
      parts.objects.set(key, { object: entry.object, set: name.set, artifact: name.artifact, encrypted: name.encrypted });
    } else if (entry.kind === 'denied') {
      parts.withheld = 'denied';
      this.denied.push(`${shown(key)} (${entry.reason})`);
    } else {
      parts.withheld ??= 'irregular';
      this.irregular.push(`${shown(key)} (${entry.kind === 'folder' ? 'directory' : entry.what})`);
    }
  }
}

function setOf(id: SetId, { objects, withheld }: Parts, now: Date): BackupSet {
  // The encrypted one, where there are both: it is what an off-host store is meant to hold.
  const pick = (artifact: ArtifactKind): StoredArtifact | null => objects.get(nameOf(id, artifact, true)) ?? objects.get(nameOf(id, artifact, false)) ?? null;
  const dump = pick('dump');
  const future = spanOf(id).from.getTime() > now.getTime() + skewMs;
  const quarantine = future ? 'future' : (withheld ?? (dump === null ? 'dump-missing' : null));
  return { id, dump, manifest: pick('manifest'), globals: pick('globals'), quarantine };
}

function judge(catalog: Catalog, sorted: Sorted, hidden: readonly string[], now: Date): Finding[] {
  const { find } = storeFindings;
  const findings: Finding[] = [];
  const held = (quarantine: Quarantine): string[] => catalog.sets.filter((set) => set.quarantine === quarantine).map((set) => set.id);
  const future = held('future');
  const newest = catalog.sets.findLast((set) => set.quarantine === null);
  // Retention deletes old sets, and their markers stay: only what is newer than all the rest was not meant to go.
  const buried = hidden.filter((key) => {
    const name = parseName(key);
    return name.kind === 'artifact' && (newest === undefined || byId(name.set, newest.id) >= 0);
  });
  const dumpless = held('dump-missing').filter((set) => !buried.some((key) => key.startsWith(`db-${set}.sql.gz`)));
  const ambiguous = [...sorted.sets].flatMap(([id, { objects }]) =>
    (['dump', 'manifest', 'globals'] as const).filter((kind) => objects.has(nameOf(id, kind, true)) && objects.has(nameOf(id, kind, false))).map((kind) => nameOf(id, kind, false)),
  );
  const list = (keys: readonly string[]): { count: number; first: string[] } => ({ count: keys.length, first: firstOf(keys) });
  const known = catalog.sets.length + sorted.unparseable.length + sorted.denied.length + buried.length;
  if (known === 0) {
    const found = [...sorted.strays, ...sorted.temporaries, ...sorted.otherKeys];
    findings.push(find('catalog.empty', { store: catalog.store, found: found.length, first: firstOf(found) }));
  } else if (sorted.strays.length > 0) {
    findings.push(find('catalog.stray', list(sorted.strays)));
  }
  if (known > 0 && sorted.temporaries.length > 0) findings.push(find('catalog.unfinished-upload', list(sorted.temporaries)));
  if (sorted.unparseable.length > 0) findings.push(find('catalog.unparseable-set-name', list(sorted.unparseable)));
  if (future.length > 0) findings.push(find('catalog.future', { sets: future, now: now.toISOString() }));
  if (sorted.irregular.length > 0) findings.push(find('catalog.irregular', { entries: sorted.irregular }));
  if (sorted.denied.length > 0) findings.push(find('catalog.denied', { entries: sorted.denied }));
  if (ambiguous.length > 0) findings.push(find('catalog.ambiguous', { artifacts: ambiguous }));
  if (buried.length > 0) findings.push(find('catalog.hidden', { count: buried.length, artifacts: firstOf(buried) }));
  if (dumpless.length > 0) findings.push(find('catalog.dump-missing', { sets: dumpless }));
  return findings;
}
