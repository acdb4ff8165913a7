// Verifies stored bytes against what a witness recorded when they were published.
import { type Finding, StepEnded } from '../run/finding.ts';
import type { Fetched } from './fetch.ts';
import type { LedgerLine, Witness } from './ledger.ts';
import { ledgerFindings } from './ledger-findings.ts';
import { shown } from './names.ts';

declare const verifiedStored: unique symbol;

/** Stored bytes that went through verification. Only verifyStored makes one, so nothing else can be decrypted. */
export interface VerifiedStored extends Fetched {
  readonly [verifiedStored]: true;
  /** The line of the ledger that bears witness; null where there is none (yet): then only the manifest binds the dump. */
  readonly witness: LedgerLine | null;
}

/**
 * Compares what was fetched with the ledger's line for it. Without a ledger there is nothing to compare, and `witness` says so.
 * @throws StepEnded ledger.unwitnessed, ledger.size-differs, ledger.sha256-differs
 */
export function verifyStored(fetched: Fetched, witness: Witness | null = null): VerifiedStored {
  const artifact = shown(fetched.object.key);
  const { find } = ledgerFindings;
  if (witness?.kind === 'none') throw new StepEnded(find('ledger.unwitnessed', { count: 1, artifacts: [artifact] }));
  if (witness?.kind !== 'line') return { ...fetched, witness: null } as VerifiedStored;
  const { line } = witness;
  if (fetched.bytes !== line.bytes) throw new StepEnded(find('ledger.size-differs', { artifact, bytes: fetched.bytes, expected: line.bytes }));
  if (fetched.sha256 !== line.sha256) throw new StepEnded(find('ledger.sha256-differs', { artifact, sha256: fetched.sha256, expected: line.sha256 }));
  return { ...fetched, witness: line } as VerifiedStored;
}

/** What is wrong with decrypted bytes, by the line that bears witness of what was encrypted; none without one. */
export function judgePlain({ witness, object }: VerifiedStored, plain: { readonly bytes: number; readonly sha256: string }): Finding[] {
  if (witness === null || (plain.bytes === witness.plain.bytes && plain.sha256 === witness.plain.sha256)) return [];
  return [ledgerFindings.find('ledger.plain-differs', { artifact: shown(object.key), sha256: plain.sha256, expected: witness.plain.sha256 })];
}
