// Names in a store: one grammar, one parser. What it cannot parse is a stray, and is told as such.
//
//   db-<id>.sql.gz  db-<id>.manifest.json  db-<id>.globals.sql    each may end in .age
//   media-<id>/…  media-objects/…  audit/…  ledger.jsonl  store.json
//
// <id> is a UTC date, `2026-11-23`, or, for a second set on a day, a UTC timestamp, `2026-11-23T141530Z`.

declare const setIdBrand: unique symbol;
/** The id of a backup set; only a real date or instant is one. */
export type SetId = string & { readonly [setIdBrand]: true };

/** What a backup set of the database consists of. */
export type ArtifactKind = 'dump' | 'manifest' | 'globals';

export type Name =
  | { readonly kind: 'artifact'; readonly set: SetId; readonly artifact: ArtifactKind; readonly encrypted: boolean }
  /** Of another part of the unit, or of the store itself; judged by its own part. */
  | { readonly kind: 'other'; readonly of: 'media' | 'audit' | 'ledger' | 'store' }
  /** Meant to be of a backup set, as its first letters say, and yet no artifact's name. */
  | { readonly kind: 'unparseable-set' }
  /** An upload that has not ended, or never will. */
  | { readonly kind: 'temporary' }
  | { readonly kind: 'stray' };

const suffixes: Readonly<Record<ArtifactKind, string>> = { dump: '.sql.gz', manifest: '.manifest.json', globals: '.globals.sql' };
const ageSuffix = '.age';

/** What a key (or a folder's name) in a store denotes. Never throws: every string is something. */
export function parseName(key: string): Name {
  const slash = key.indexOf('/');
  const top = slash === -1 ? key : key.slice(0, slash);
  if (slash === -1 && isTemporary(key)) return { kind: 'temporary' };
  if (top === 'media-objects') return { kind: 'other', of: 'media' };
  if (top === 'audit') return { kind: 'other', of: 'audit' };
  if (top.startsWith('media-')) return parseSetId(top.slice('media-'.length)) === null ? { kind: 'unparseable-set' } : { kind: 'other', of: 'media' };
  if (key === 'ledger.jsonl') return { kind: 'other', of: 'ledger' };
  if (key === 'store.json') return { kind: 'other', of: 'store' };
  if (/^db-/i.test(top)) return (slash === -1 ? parseArtifact(key) : null) ?? { kind: 'unparseable-set' };
  return { kind: 'stray' };
}

/** The name of an artifact; what parseName takes back apart. */
export function nameOf(set: SetId, artifact: ArtifactKind, encrypted: boolean): string {
  return `db-${set}${suffixes[artifact]}${encrypted ? ageSuffix : ''}`;
}

function parseArtifact(key: string): Name | null {
  const encrypted = key.endsWith(ageSuffix);
  const plain = encrypted ? key.slice(0, -ageSuffix.length) : key;
  for (const artifact of ['dump', 'manifest', 'globals'] as const) {
    if (!plain.startsWith('db-') || !plain.endsWith(suffixes[artifact])) continue;
    const set = parseSetId(plain.slice('db-'.length, -suffixes[artifact].length));
    if (set !== null) return { kind: 'artifact', set, artifact, encrypted };
  }
  return null;
}

/** Our own and rclone's unfinished uploads end in .tmp or .partial; rsync's are hidden and end in six random letters. */
function isTemporary(key: string): boolean {
  return /\.(?:tmp|partial)$/i.test(key) || /^\.db-.*\.[A-Za-z0-9]{6}$/.test(key);
}

const grammar = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2})(\d{2})(\d{2})Z)?$/;

/** A set id, or null where the text is none: another form, or no real date. */
export function parseSetId(text: string): SetId | null {
  const parts = grammar.exec(text);
  if (parts === null) return null;
  const at = instant(parts);
  // Date rolls over what is no real date (Feb 30, 24:00:60): then it does not read the same again.
  const again = Number.isNaN(at.getTime()) ? '' : at.toISOString();
  const expected = `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4] ?? '00'}:${parts[5] ?? '00'}:${parts[6] ?? '00'}.000Z`;
  return again === expected ? (text as SetId) : null;
}

/** The UTC day of a set, `2026-11-23`. */
export function dayOf(id: SetId): string {
  return id.slice(0, 'YYYY-MM-DD'.length);
}

/** The first and the last instant that the id can mean: a whole UTC day, or one second. */
export function spanOf(id: SetId): { readonly from: Date; readonly to: Date } {
  const from = instant(grammar.exec(id) as RegExpExecArray);
  const length = id.length > 'YYYY-MM-DD'.length ? 1000 : 86_400_000;
  return { from, to: new Date(from.getTime() + length - 1) };
}

function instant([, year, month, day, hour = '00', minute = '00', second = '00']: readonly string[]): Date {
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** A store's name as it may be shown to a person: no control or direction characters, not endless. */
export function shown(key: string): string {
  const safe = key.replaceAll(/[\p{C}\p{Zl}\p{Zp}"\\]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
  return safe.length > 120 ? `${safe.slice(0, 119)}…` : safe;
}

/** The first few of many names, for a finding's facts. */
export function firstOf(keys: readonly string[], count = 10): string[] {
  return keys.slice(0, count).map(shown);
}
