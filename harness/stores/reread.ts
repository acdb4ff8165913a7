// Stored bytes, read again without a key: every artifact that the ledger witnesses, in turn, within so many days, so many bytes a day.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Finding } from '../run/finding.ts';
import { StepEnded } from '../run/finding.ts';
import type { StepContext } from '../run/plan.ts';
import { ageHeaderLimit, holdsPrivateKey, stanzasOf } from './age-header.ts';
import type { StoredArtifact } from './catalog.ts';
import type { RereadConfig } from './config.ts';
import { readStart, readThrough } from './fetch.ts';
import { readKept, writeKept } from './kept-file.ts';
import type { Ledger, LedgerLine } from './ledger.ts';
import { firstOf, parseName, shown } from './names.ts';
import { rereadFindings } from './reread-findings.ts';
import type { ReadableStore, StoredObject } from './store.ts';
import { verifyStored } from './verify.ts';

const dayMs = 86_400_000;
const { find } = rereadFindings;

export const rereadEvidence = z.strictObject({
  artifacts: z.int().describe('that the ledger witnesses and the store holds'),
  read: z.int().describe('in this run'),
  bytes: z.int(),
  due: z.int().describe('that this run left for the next, not yet overdue'),
  scanned: z.int().describe('plain objects that were looked through for keys'),
});

const stateSchema = z.strictObject({ format: z.literal('backup-drills/reread/1'), read: z.record(z.string(), z.strictObject({ at: z.iso.datetime(), sha256: z.string() })) });
type State = Map<string, { readonly at: Date; readonly sha256: string }>;

function readState(text: string | null, failed: (why: string) => Finding): State {
  if (text === null) return new Map();
  try {
    return new Map(Object.entries(stateSchema.parse(JSON.parse(text)).read).map(([name, { at, sha256 }]) => [name, { at: new Date(at), sha256 }]));
  } catch {
    throw new StepEnded(failed('it is not as it was written'));
  }
}

/** What is read now: what was never read, newest set first, then what was read longest ago, as far as today's budget goes; one at least. */
export function choose(artifacts: readonly StoredArtifact[], state: State, budget: number, now: Date): StoredArtifact[] {
  const today = [...state].filter(([, { at }]) => now.getTime() - at.getTime() < dayMs).map(([name]) => name);
  let left = budget - artifacts.filter(({ object }) => today.includes(object.key)).reduce((sum, { object }) => sum + object.size, 0);
  const last = ({ object }: StoredArtifact): number => state.get(object.key)?.at.getTime() ?? -Infinity;
  const order = artifacts.filter(({ object }) => !today.includes(object.key)).toSorted((a, b) => (last(a) === last(b) ? (a.set < b.set ? 1 : -1) : last(a) - last(b)));
  return order.filter(({ object }, at) => {
    const taken = left >= object.size || (at === 0 && today.length === 0);
    left = taken ? left - object.size : -1;
    return taken;
  });
}

export interface Reread {
  readonly store: ReadableStore;
  readonly ledger: Ledger;
  /** All of the catalog's. */
  readonly artifacts: readonly StoredArtifact[];
  readonly config: RereadConfig;
  /** Without regard to the budget. */
  readonly all: boolean;
}

/** @throws StepEnded reread.state-unreadable; fetch.* and whatever the store throws: then nothing is kept of this run. */
export async function reread({ store, ledger, artifacts, config, all }: Reread, { now, signal, progress }: StepContext): Promise<{ readonly findings: Finding[]; readonly evidence: z.infer<typeof rereadEvidence> }> {
  const at = now();
  const failed = (why: string): Finding => find('reread.state-unreadable', { path: config.state, why });
  const state = readState(readKept(config.state, failed), failed);
  const witnessed = artifacts.flatMap((artifact) => {
    const line = ledger.lines.get(artifact.object.key);
    return line === undefined ? [] : [{ artifact, line }];
  });
  const lineOf = new Map(witnessed.map(({ artifact, line }) => [artifact.object.key, line]));
  const known = witnessed.map(({ artifact }) => artifact);
  const chosen = all ? known : choose(known, state, config.budgetBytes, at);
  const findings: Finding[] = state.size === 0 && known.length > 0 ? [find('reread.begun', { artifacts: known.length })] : [];
  let bytes = 0;
  const total = chosen.reduce((sum, { object }) => sum + object.size, 0);
  for (const { object } of chosen) {
    const before = bytes;
    const found = await judgeObject(store, object, lineOf.get(object.key) as LedgerLine, config.recipients, { signal, onBytes: (done) => progress({ done: before + done, total, unit: 'bytes', what: shown(object.key) }) });
    findings.push(...found);
    bytes += object.size;
    // What was read and is wrong stays due.
    if (found.length === 0) state.set(object.key, { at, sha256: (lineOf.get(object.key) as LedgerLine).sha256 });
  }
  const everyMs = config.everyMs;
  const days = everyMs / dayMs;
  const age = (artifact: StoredArtifact): number => at.getTime() - (state.get(artifact.object.key)?.at ?? artifact.object.modifiedAt).getTime();
  const bad = new Set(findings.flatMap(({ facts }) => (typeof facts['artifact'] === 'string' ? [facts['artifact']] : [])));
  const overdue = known.filter((artifact) => age(artifact) > everyMs && !bad.has(shown(artifact.object.key))).map(({ object }) => object.key);
  if (overdue.length > 0) findings.push(find('reread.overdue', { count: overdue.length, artifacts: firstOf(overdue), days }));
  const size = known.reduce((sum, { object }) => sum + object.size, 0);
  if (size / days > config.budgetBytes) findings.push(find('reread.budget-too-small', { bytes: size, days, neededADay: Math.ceil(size / days), budget: config.budgetBytes }));
  const scan = await scanPlain(store, signal);
  findings.push(...scan.findings);
  for (const name of state.keys()) if (!lineOf.has(name)) state.delete(name);
  const text = JSON.stringify({ format: 'backup-drills/reread/1', read: Object.fromEntries([...state].map(([name, one]) => [name, { at: one.at.toISOString(), sha256: one.sha256 }])) });
  writeKept(config.state, text, failed);
  return { findings, evidence: { artifacts: known.length, read: chosen.length, bytes, due: known.filter(({ object }) => !state.has(object.key)).length, scanned: scan.scanned } };
}

async function judgeObject(store: ReadableStore, object: StoredObject, line: LedgerLine, recipients: readonly string[], options: { readonly signal: AbortSignal; readonly onBytes: (done: number) => void }): Promise<Finding[]> {
  const hash = createHash('sha256');
  const held: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readThrough(store, object, options)) {
    hash.update(chunk);
    if (bytes < ageHeaderLimit) held.push(Buffer.from(chunk));
    bytes += chunk.length;
    options.onBytes(bytes);
  }
  const artifact = shown(object.key);
  try {
    verifyStored({ path: '', object, bytes, sha256: hash.digest('hex'), attempts: 1, durationMs: 0 }, { kind: 'line', line });
  } catch (error) {
    if (error instanceof StepEnded) return [...error.findings];
    throw error;
  }
  const header = stanzasOf(Buffer.concat(held));
  if ('problem' in header) return [find('reread.not-encrypted', { artifact, why: header.problem })];
  // In what order they stand says nothing.
  if (header.stanzas.toSorted().join() !== recipients.toSorted().join()) return [find('reread.recipients-differ', { artifact, stanzas: header.stanzas.slice(0, 20), expected: recipients })];
  return [];
}

/** A key fits many times over; what is larger is told, not searched. */
const scanLimit = 8 * 2 ** 20;

/** Everything at the top that is not encrypted by its name. */
async function scanPlain(store: ReadableStore, signal: AbortSignal): Promise<{ readonly findings: Finding[]; readonly scanned: number }> {
  const [withKey, large, plain]: [string[], string[], string[]] = [[], [], []];
  let scanned = 0;
  for await (const entry of store.list(signal, { folders: 'named' })) {
    if (entry.kind !== 'object') continue;
    const { object } = entry;
    const name = parseName(object.key);
    if (name.kind === 'artifact' && name.encrypted) continue;
    if (name.kind === 'artifact') plain.push(object.key);
    if (object.size > scanLimit) {
      large.push(object.key);
      continue;
    }
    scanned += 1;
    if (holdsPrivateKey(await readStart(store, object, scanLimit, { signal }))) withKey.push(object.key);
  }
  return {
    scanned,
    findings: [
      ...plain.map((artifact) => find('reread.not-encrypted', { artifact: shown(artifact), why: 'its name does not end in .age' })),
      ...(withKey.length === 0 ? [] : [find('reread.private-key', { objects: firstOf(withKey) })]),
      ...(large.length === 0 ? [] : [find('reread.not-scanned', { count: large.length, objects: firstOf(large) })]),
    ],
  };
}
