// A store against its ledger, both ways, by names and sizes alone: no key is needed, and no artifact is read.
import { z } from 'zod';
import type { Finding } from '../run/finding.ts';
import type { BackupSet, StoredArtifact } from './catalog.ts';
import { type Ledger, type Patience, unwitnessed, witnessOf } from './ledger.ts';
import { ledgerFindings } from './ledger-findings.ts';
import { dayOf, firstOf, type SetId, shown, spanOf } from './names.ts';

export const ledgerEvidence = z.strictObject({
  path: z.string(),
  lines: z.int(),
  head: z.string().describe('sha256 of the last line'),
  unfinished: z.int().describe('bytes of a line that is still being written'),
});

export function ledgerFacts({ path, head, unfinished }: Ledger): z.infer<typeof ledgerEvidence> {
  return { path, lines: head.lines, head: head.sha256, unfinished };
}

export const ledgerCheckEvidence = z.strictObject({
  artifacts: z.int().describe('of sets, in the store'),
  witnessed: z.int().describe('with a line of their name and size'),
  pending: z.int(),
  inside: z.int().describe('lines of sets that retention keeps'),
});

/** @param retention null: whatever was published must be there */
export function judgeLedger(ledger: Ledger, sets: readonly BackupSet[], retention: { readonly daily: number; readonly monthly: number } | null, patience: Patience): { readonly findings: Finding[]; readonly evidence: z.infer<typeof ledgerCheckEvidence> } {
  const { find } = ledgerFindings;
  const stored = sets.flatMap(({ dump, manifest, globals }) => [dump, manifest, globals].filter((one) => one !== null));
  const [findings, without, waited]: [Finding[], string[], string[]] = [[], [], []];
  let witnessed = 0;
  for (const artifact of stored) {
    const found = witnessOf(ledger, called(artifact), patience);
    if (found.kind === 'none') without.push(artifact.object.key);
    else if (found.kind === 'pending') waited.push(artifact.object.key);
    else if (found.line.bytes === artifact.object.size) witnessed += 1;
    else findings.push(find('ledger.size-differs', { artifact: shown(artifact.object.key), bytes: artifact.object.size, expected: found.line.bytes }));
  }
  const keys = new Set(stored.map(({ object }) => object.key));
  const lines = [...ledger.lines.values()];
  const inside = keptBy(lines.map(({ set }) => set), retention);
  const kept = lines.filter(({ set }) => inside.has(set));
  const gone = kept.filter(({ name }) => !keys.has(name)).map(({ name }) => name);
  if (gone.length > 0) findings.push(find('ledger.artifact-gone', { count: gone.length, artifacts: firstOf(gone) }));
  const adopted = kept.filter((line) => line.adopted).map(({ name }) => name);
  if (adopted.length > 0) findings.push(find('ledger.adopted', { count: adopted.length, artifacts: firstOf(adopted) }));
  findings.push(...unwitnessed(without, 'none', patience.withinMs), ...unwitnessed(waited, 'pending', patience.withinMs));
  return { findings, evidence: { artifacts: stored.length, witnessed, pending: waited.length, inside: kept.length } };
}

/** An artifact as the ledger may know it. */
export const called = ({ object, set }: StoredArtifact): { readonly name: string; readonly taken: Date; readonly modifiedAt: Date } => ({ name: object.key, taken: spanOf(set).from, modifiedAt: object.modifiedAt });

/** The sets that the rule of pruning keeps: those of the newest days that have one, and the first of each of the newest months. */
export function keptBy(published: readonly SetId[], retention: { readonly daily: number; readonly monthly: number } | null): ReadonlySet<SetId> {
  const ids = [...new Set(published)].toSorted((a, b) => spanOf(a).from.getTime() - spanOf(b).from.getTime() || a.length - b.length);
  if (retention === null) return new Set(ids);
  const last = (count: number, of: (id: SetId) => string): Set<string> => new Set(count === 0 ? [] : [...new Set(ids.map(of))].slice(-count));
  const [days, months] = [last(retention.daily, dayOf), last(retention.monthly, (id) => id.slice(0, 7))];
  const firsts = new Set([...months].map((month) => ids.find((id) => id.startsWith(month))));
  return new Set(ids.filter((id) => days.has(dayOf(id)) || firsts.has(id)));
}
