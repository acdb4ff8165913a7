// What was last seen of the ledger, kept in a third place: neither the production host nor the log server can write it, so that a
// ledger which both hold alike, and which was written anew as a whole, still shows.
import { z } from 'zod';
import { type Finding, StepEnded } from '../run/finding.ts';
import { readKept, writeKept } from './kept-file.ts';
import type { LedgerHead } from './ledger.ts';
import { ledgerFindings } from './ledger-findings.ts';

const seenSchema = z.strictObject({ format: z.literal('backup-drills/ledger-seen/1'), lines: z.int().min(1), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
const failed = (path: string) => (why: string): Finding => ledgerFindings.find('ledger.seen-unreadable', { path, why });

/** The head that was seen, or null where none ever was. @throws StepEnded ledger.seen-unreadable */
export function readSeen(path: string): LedgerHead | null {
  const text = readKept(path, failed(path));
  if (text === null) return null;
  try {
    const { lines, sha256 } = seenSchema.parse(JSON.parse(text));
    return { lines, sha256 };
  } catch {
    throw new StepEnded(failed(path)('it is not as it was written'));
  }
}

/** @throws StepEnded ledger.seen-unreadable where it cannot be written */
export function writeSeen(path: string, { lines, sha256 }: LedgerHead): void {
  writeKept(path, JSON.stringify({ format: 'backup-drills/ledger-seen/1', lines, sha256 }), failed(path));
}
