// The ledger: one hash-chained line per published artifact, written by ops/backups/sync-offsite.sh and carried to another machine
// with the audit archive. The one parser of its lines; the format stands in docs/ledger.md.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { type Finding, StepEnded } from '../run/finding.ts';
import { ledgerFindings } from './ledger-findings.ts';
import { parseName, parseSetId, type SetId, shown } from './names.ts';

const { find } = ledgerFindings;

/** What is known of one artifact from the day that it was published. Sizes in bytes, hashes in hex. */
export interface LedgerLine {
  readonly set: SetId;
  readonly name: string;
  /** Of what is stored. */
  readonly bytes: number;
  readonly sha256: string;
  /** Of what was encrypted. */
  readonly plain: { readonly bytes: number; readonly sha256: string };
  /** sha256 of the set's manifest, before it was encrypted. */
  readonly manifest: string;
  /** Witnessed as it was found, after a ledger was lost. */
  readonly adopted: boolean;
}

/** How far a ledger goes, and what it ends with. */
export interface LedgerHead {
  readonly lines: number;
  /** Of the last line, without its end. */
  readonly sha256: string;
}

export interface Ledger {
  readonly path: string;
  /** By the artifact's name. */
  readonly lines: ReadonlyMap<string, LedgerLine>;
  readonly head: LedgerHead;
  /** Bytes of a last line that is still being written. */
  readonly unfinished: number;
}

export interface LedgerExpectation {
  readonly application: string;
  readonly store: string;
  /** sha256 of the store's store.json, which the first line names. */
  readonly label: string;
  /** The head when it was last seen here; null: never. */
  readonly seen: LedgerHead | null;
  readonly signal: AbortSignal;
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.int().nonnegative();
const lineSchema = z.strictObject({
  format: z.literal('backup-drills/ledger/1'),
  application: z.string().min(1),
  at: z.iso.datetime(),
  set: z.string().refine((id) => parseSetId(id) !== null, 'set is no id of a set'),
  name: z.string(),
  bytes: bytes.min(1),
  sha256,
  plain: z.strictObject({ bytes, sha256 }),
  manifest: sha256,
  tools: z.record(z.string(), z.string()),
  adopted: z.literal(true).optional(),
  previous: sha256,
});

/** Far more than a line can have. */
const longestLine = 16 * 1024;

/**
 * Reads a ledger to its end and holds its chain: from the store's label, through the head that was seen, to its last line.
 * @throws StepEnded ledger.unreadable; ledger.empty, ledger.line-unparseable, ledger.chain-broken, ledger.other-application,
 *   ledger.other-store, ledger.name-twice, ledger.rewound, ledger.forked.
 */
export async function readLedger(path: string, { application, store, label, seen, signal }: LedgerExpectation): Promise<Ledger> {
  const lines = new Map<string, LedgerLine>();
  let number = 0;
  let previous = label;
  const unfinished = await eachLine(path, signal, (raw) => {
    number += 1;
    const line = parseLine(raw, number);
    if (line.application !== application) throw new StepEnded(find('ledger.other-application', { expected: application, actual: shown(line.application) }));
    if (line.previous !== previous) throw new StepEnded(number === 1 ? find('ledger.other-store', { store }) : find('ledger.chain-broken', { line: number }));
    if (lines.has(line.name)) throw new StepEnded(find('ledger.name-twice', { artifact: shown(line.name), line: number }));
    previous = createHash('sha256').update(raw).digest('hex');
    if (number === seen?.lines && previous !== seen.sha256) throw new StepEnded(find('ledger.forked', { line: number }));
    const { set, name, bytes: size, sha256: stored, plain, manifest, adopted } = line;
    lines.set(name, { set: set as SetId, name, bytes: size, sha256: stored, plain, manifest, adopted: adopted === true });
  });
  if (number === 0) throw new StepEnded(find('ledger.empty', { path }));
  if (seen !== null && number < seen.lines) throw new StepEnded(find('ledger.rewound', { lines: number, seen: seen.lines }));
  return { path, lines, head: { lines: number, sha256: previous }, unfinished };
}

function parseLine(raw: Buffer, line: number): z.infer<typeof lineSchema> {
  const unparseable = (why: string): StepEnded => new StepEnded(find('ledger.line-unparseable', { line, why }));
  let json: unknown;
  try {
    json = JSON.parse(raw.toString('latin1'));
  } catch {
    throw unparseable('it is no JSON');
  }
  const parsed = lineSchema.safeParse(json);
  if (!parsed.success) throw unparseable(`${parsed.error.issues[0]?.path.join('.') ?? ''} is not as the format says`);
  const name = parseName(parsed.data.name);
  if (name.kind === 'artifact' ? name.set !== parsed.data.set || !name.encrypted : name.kind !== 'other') throw unparseable('its name is not that of an encrypted artifact of its set');
  return parsed.data;
}

/** Lines as bytes, without their ends. @returns how many bytes follow the last end */
async function eachLine(path: string, signal: AbortSignal, take: (line: Buffer) => void): Promise<number> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 0;
  try {
    for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Buffer>) {
      let from = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
        const line = rest.length === 0 ? chunk.subarray(from, end) : Buffer.concat([rest, chunk.subarray(from, end)]);
        rest = Buffer.alloc(0);
        number += 1;
        from = end + 1;
        if (line.length > longestLine) throw new StepEnded(find('ledger.line-unparseable', { line: number, why: 'it is too long' }));
        take(line);
      }
      rest = Buffer.concat([rest, chunk.subarray(from)]);
      if (rest.length > longestLine) throw new StepEnded(find('ledger.line-unparseable', { line: number + 1, why: 'it is too long' }));
    }
  } catch (error) {
    if (error instanceof StepEnded || signal.aborted) throw error;
    throw new StepEnded(find('ledger.unreadable', { path, why: (error as NodeJS.ErrnoException).code ?? 'an unknown error' }));
  }
  return rest.length;
}

/** What a line of the ledger says of an artifact that was found. */
export type Witness = { readonly kind: 'line'; readonly line: LedgerLine } | { readonly kind: 'pending' } | { readonly kind: 'none' };

/** A line may take its time to come here; of no older set than today's, so that nothing old can pass for new. */
export interface Patience {
  readonly now: Date;
  readonly withinMs: number;
}

const dayMs = 86_400_000;

/** What bears witness of an artifact. `modifiedAt` is the store's own word for when it was written. */
export function witnessOf(ledger: Ledger, artifact: { readonly name: string; readonly taken: Date; readonly modifiedAt: Date }, { now, withinMs }: Patience): Witness {
  const line = ledger.lines.get(artifact.name);
  if (line !== undefined) return { kind: 'line', line };
  const young = now.getTime() - artifact.modifiedAt.getTime() < withinMs && now.getTime() - artifact.taken.getTime() < dayMs + withinMs;
  return { kind: young ? 'pending' : 'none' };
}

/** The finding of artifacts without a line, if any: waited for, or witnessed by nobody. */
export function unwitnessed(names: readonly string[], kind: 'pending' | 'none', withinMs: number): Finding[] {
  if (names.length === 0) return [];
  const facts = { count: names.length, artifacts: names.slice(0, 10).map(shown) };
  return [kind === 'none' ? find('ledger.unwitnessed', facts) : find('ledger.pending', { ...facts, withinHours: withinMs / 3_600_000 })];
}
