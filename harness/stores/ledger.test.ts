// The ledger and a store held against it: each thing that can be wrong by its own code, and any changed byte of a chain.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StepEnded } from '../run/finding.ts';
import type { BackupSet, StoredArtifact } from './catalog.ts';
import type { Fetched } from './fetch.ts';
import { type Ledger, readLedger, witnessOf } from './ledger.ts';
import { judgeLedger, keptBy } from './ledger-check.ts';
import { readSeen, writeSeen } from './ledger-seen.ts';
import { parseSetId, type SetId } from './names.ts';
import { judgePlain, verifyStored } from './verify.ts';

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
const label = sha('the store');
let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'ledger-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const parts = ['sql.gz', 'globals.sql', 'manifest.json'];
interface Change {
  readonly edit?: (line: Record<string, unknown>) => void;
}
/** As the script writes it. */
function chain(ids: readonly string[], changes: Record<number, Change> = {}): string[] {
  let previous = label;
  return ids.flatMap((set) => parts.map((part) => ({ set, name: `db-${set}.${part}.age` }))).map(({ set, name }, at) => {
    const line: Record<string, unknown> = { format: 'backup-drills/ledger/1', application: 'app', at: `${set.slice(0, 10)}T02:10:00Z`, set, name, bytes: 300 + at, sha256: sha(`stored ${name}`), plain: { bytes: 100 + at, sha256: sha(`plain ${name}`) }, manifest: sha(`manifest ${set}`), tools: { age: '1.1.1', rclone: '1.60.1' }, previous };
    changes[at]?.edit?.(line);
    const text = JSON.stringify(line);
    previous = sha(text);
    return text;
  });
}
const written = (text: string): string => {
  const path = join(home, 'ledger.jsonl');
  writeFileSync(path, text);
  return path;
};
const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
const read = async (text: string, more: { seen?: { lines: number; sha256: string }; application?: string; label?: string } = {}): Promise<Ledger> =>
  readLedger(written(text), { application: more.application ?? 'app', store: 'it', label: more.label ?? label, seen: more.seen ?? null, signal: new AbortController().signal });
const code = async (run: Promise<unknown>): Promise<string> => run.then(() => 'nothing', (error: unknown) => (error instanceof StepEnded ? error.findings.map((finding) => finding.code).join() : String(error)));
const three = ['2026-11-24', '2026-11-25', '2026-11-26'];

test('a ledger as the script writes it is read to its end', async () => {
  const ledger = await read(textOf(chain(three)));
  expect(ledger.head).toEqual({ lines: 9, sha256: sha(chain(three)[8] ?? '') });
  expect(ledger.lines.get('db-2026-11-25.sql.gz.age')).toEqual({ set: '2026-11-25', name: 'db-2026-11-25.sql.gz.age', bytes: 303, sha256: sha('stored db-2026-11-25.sql.gz.age'), plain: { bytes: 103, sha256: sha('plain db-2026-11-25.sql.gz.age') }, manifest: sha('manifest 2026-11-25'), adopted: false });
  expect(ledger.unfinished).toBe(0);
});

test('a line that is still being written is left for the next time', async () => {
  const ledger = await read(textOf(chain(three)).slice(0, -20));
  expect([ledger.head.lines, ledger.unfinished > 0]).toEqual([8, true]);
});

test.each<[string, string, string | (() => string), Parameters<typeof read>[1]?]>([
  ['has no line', 'ledger.empty', ''],
  ['is of another application', 'ledger.other-application', () => textOf(chain(three)), { application: 'other' }],
  ['is of another store', 'ledger.other-store', () => textOf(chain(three)), { label: sha('another store') }],
  ['lost its first line', 'ledger.other-store', () => textOf(chain(three).slice(1))],
  ['lost a line', 'ledger.chain-broken', () => textOf(chain(three).toSpliced(4, 1))],
  ['has two lines swapped', 'ledger.chain-broken', () => textOf(chain(three).toSpliced(4, 2, chain(three)[5] ?? '', chain(three)[4] ?? ''))],
  ['has a line put in', 'ledger.chain-broken', () => textOf(chain(three).toSpliced(4, 0, chain(['2026-11-20'])[0] ?? ''))],
  ['has an edited line', 'ledger.chain-broken', () => textOf(chain(three)).replace('"bytes":301', '"bytes":302')],
  ['publishes a name twice', 'ledger.name-twice', () => textOf(chain(['2026-11-24', '2026-11-24']))],
  ['is no ledger', 'ledger.line-unparseable', 'hello\n'],
  ['is of a later format', 'ledger.line-unparseable', () => textOf(chain(three, { 2: { edit: (line) => { line['format'] = 'backup-drills/ledger/2'; } } }))],
  ['has a size that is none', 'ledger.line-unparseable', () => textOf(chain(three, { 2: { edit: (line) => { line['bytes'] = -1; } } }))],
  ['has a key that nobody knows', 'ledger.line-unparseable', () => textOf(chain(three, { 2: { edit: (line) => { line['more'] = 1; } } }))],
  ['names what is not of its set', 'ledger.line-unparseable', () => textOf(chain(three, { 2: { edit: (line) => { line['set'] = '2026-11-23'; } } }))],
  ['names what is not encrypted', 'ledger.line-unparseable', () => textOf(chain(three, { 2: { edit: (line) => { line['name'] = 'db-2026-11-24.sql.gz'; } } }))],
  ['has a line without an end', 'ledger.line-unparseable', () => 'x'.repeat(200_000)],
  ['is shorter than it was', 'ledger.rewound', () => textOf(chain(three).slice(0, 3)), { seen: { lines: 9, sha256: sha('nine') } }],
  ['was written anew as a whole', 'ledger.forked', () => textOf(chain(three, { 0: { edit: (line) => { line['bytes'] = 7; } } })), { seen: { lines: 6, sha256: sha(chain(three)[5] ?? '') } }],
])('that %s: %s', async (_, expected, text, more) => {
  expect(await code(read(typeof text === 'string' ? text : text(), more))).toBe(expected);
});

test('one that cannot be read is not judged', async () => {
  expect(await code(readLedger(join(home, 'nowhere'), { application: 'app', store: 'it', label, seen: null, signal: new AbortController().signal }))).toBe('ledger.unreadable');
  expect(await code(readLedger(home, { application: 'app', store: 'it', label, seen: null, signal: new AbortController().signal }))).toBe('ledger.unreadable');
});

test('any one changed byte is noticed, if not in the last line then in the chain', async () => {
  const lines = chain(three);
  const bytes = Buffer.from(textOf(lines));
  const last = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  const seen = { lines: 9, sha256: sha(lines[8] ?? '') };
  await fc.assert(fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ change;
    writeFileSync(join(home, 'ledger.jsonl'), changed);
    const found = await code(readLedger(join(home, 'ledger.jsonl'), { application: 'app', store: 'it', label, seen, signal: new AbortController().signal }));
    expect(found).toMatch(at < last ? /^ledger\./ : /^ledger\.(?:line-unparseable|forked|chain-broken|rewound|other-application)$/);
  }), { numRuns: 300 });
});

test('what was seen is kept whole, and a file that is none is not passed over', () => {
  const path = join(home, 'seen.json');
  expect(readSeen(path)).toBeNull();
  const head = { lines: 3, sha256: sha('x') };
  writeSeen(path, head);
  expect(readSeen(path)).toEqual(head);
  writeFileSync(path, readFileSync(path, 'utf8').replace('"lines":3', '"lines":0'));
  expect(() => readSeen(path)).toThrow(/^ledger\.seen-unreadable/);
  expect(() => writeSeen(join(home, 'nowhere', 'seen.json'), head)).toThrow(/^ledger\.seen-unreadable/);
});

const idOf = (text: string): SetId => parseSetId(text) as SetId;
const artifact = (set: string, at: number, { size = 300, modifiedAt = new Date(`${set.slice(0, 10)}T02:10:00Z`) } = {}): StoredArtifact => ({ object: { key: `db-${set}.${parts[at] ?? ''}.age`, size, modifiedAt }, set: idOf(set), artifact: (['dump', 'globals', 'manifest'] as const)[at] ?? 'dump', encrypted: true });
const sets = (ids: readonly string[], more: Parameters<typeof artifact>[2] = {}): BackupSet[] => ids.map((set, nth) => {
  const of = (at: number): StoredArtifact => artifact(set, at, { size: 300 + nth * 3 + at, ...more });
  return { id: idOf(set), dump: of(0), globals: of(1), manifest: of(2), quarantine: null };
});
const now = new Date('2026-11-26T12:00:00Z');
const patience = { now, withinMs: 2 * 3_600_000 };
const judged = async (ids: readonly string[], stored: readonly BackupSet[], retention: { daily: number; monthly: number } | null = null, at = patience): Promise<string[]> => judgeLedger(await read(textOf(chain(ids))), stored, retention, at).findings.map((finding) => finding.code);

test('a store that holds what was published passes', async () => {
  expect(await judged(three, sets(three))).toEqual([]);
  expect(judgeLedger(await read(textOf(chain(three))), sets(three), null, patience).evidence).toEqual({ artifacts: 9, witnessed: 9, pending: 0, inside: 9 });
});

test('each difference has its own code: gone, of another size, witnessed by nobody', async () => {
  expect(await judged(three, sets(three).slice(1))).toEqual(['ledger.artifact-gone']);
  expect(await judged(three, sets(three).map((set, at) => (at === 1 ? { ...set, globals: null } : set)))).toEqual(['ledger.artifact-gone']);
  expect(await judged(three, sets(three).map((set, at) => (at === 1 ? { ...set, dump: artifact('2026-11-25', 0, { size: 9 }) } : set)))).toEqual(['ledger.size-differs']);
  expect(await judged(three, [...sets(three), ...sets(['2026-11-01'])])).toEqual(['ledger.unwitnessed']);
});

test('what was pruned by the rules is not missed, and what they keep is', async () => {
  const ids = ['2026-10-01', '2026-10-02', ...three];
  const stored = sets(ids);
  expect(await judged(ids, stored.filter(({ id }) => id !== '2026-10-02'), { daily: 3, monthly: 2 })).toEqual([]);
  expect(await judged(ids, stored.filter(({ id }) => id !== '2026-10-01'), { daily: 3, monthly: 2 })).toEqual(['ledger.artifact-gone']);
  expect(await judged(ids, stored.filter(({ id }) => id !== '2026-10-02'), null)).toEqual(['ledger.artifact-gone']);
  expect([...keptBy(['2026-10-01', '2026-10-02', '2026-10-02T100000Z', '2026-11-01'].map(idOf), { daily: 2, monthly: 1 })]).toEqual(['2026-10-02', '2026-10-02T100000Z', '2026-11-01']);
});

test('only what is of today and was just written may wait for its line', async () => {
  const fresh = (id: string, hours: number): BackupSet[] => sets([id], { modifiedAt: new Date(now.getTime() - hours * 3_600_000) });
  expect(await judged(three.slice(0, 2), [...sets(three.slice(0, 2)), ...fresh('2026-11-26', 1)])).toEqual(['ledger.pending']);
  expect(await judged(three.slice(0, 2), [...sets(three.slice(0, 2)), ...fresh('2026-11-26', 3)])).toEqual(['ledger.unwitnessed']);
  // An old name that was written an hour ago is no newcomer.
  expect(await judged(three.slice(0, 2), [...sets(three.slice(0, 2)), ...fresh('2026-11-20', 1)])).toEqual(['ledger.unwitnessed']);
});

test('lines that were adopted are told', async () => {
  const lines = chain(three, { 8: { edit: (line) => { line['adopted'] = true; } } });
  expect(judgeLedger(await read(textOf(lines)), sets(three), null, patience).findings.map((finding) => [finding.code, finding.severity])).toEqual([['ledger.adopted', 'warning']]);
});

test('fetched bytes are held against their line, and what was in them against what was encrypted', async () => {
  const ledger = await read(textOf(chain(three)));
  const name = 'db-2026-11-25.sql.gz.age';
  const fetched = (more: Partial<Fetched> = {}): Fetched => ({ path: '', bytes: 303, sha256: sha(`stored ${name}`), object: { key: name, size: 303, modifiedAt: new Date(0) }, attempts: 1, durationMs: 0, ...more });
  const witness = witnessOf(ledger, { name, taken: new Date('2026-11-25'), modifiedAt: now }, patience);
  const codeOf = (run: () => unknown): string => {
    try {
      run();
      return 'nothing';
    } catch (error) {
      return error instanceof StepEnded ? error.findings.map((finding) => finding.code).join() : String(error);
    }
  };
  expect(verifyStored(fetched(), witness).witness?.name).toBe(name);
  expect(codeOf(() => verifyStored(fetched({ bytes: 304 }), witness))).toBe('ledger.size-differs');
  expect(codeOf(() => verifyStored(fetched({ sha256: sha('other') }), witness))).toBe('ledger.sha256-differs');
  expect(codeOf(() => verifyStored(fetched(), { kind: 'none' }))).toBe('ledger.unwitnessed');
  expect(verifyStored(fetched(), { kind: 'pending' }).witness).toBeNull();
  const stored = verifyStored(fetched(), witness);
  expect(judgePlain(stored, { bytes: 103, sha256: sha(`plain ${name}`) })).toEqual([]);
  expect(judgePlain(stored, { bytes: 103, sha256: sha('other') }).map((finding) => finding.code)).toEqual(['ledger.plain-differs']);
  expect(judgePlain(verifyStored(fetched()), { bytes: 1, sha256: sha('other') })).toEqual([]);
});
