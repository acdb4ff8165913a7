// What was last seen of the ledger, kept in a third place: neither the production host nor the log server can write it, so that a
// ledger which both hold alike, and which was written anew as a whole, still shows.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { StepEnded } from '../run/finding.ts';
import type { LedgerHead } from './ledger.ts';
import { ledgerFindings } from './ledger-findings.ts';

const seenSchema = z.strictObject({ format: z.literal('backup-drills/ledger-seen/1'), lines: z.int().min(1), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** The head that was seen, or null where none ever was. @throws StepEnded ledger.seen-unreadable */
export function readSeen(path: string): LedgerHead | null {
  const unreadable = (why: string): StepEnded => new StepEnded(ledgerFindings.find('ledger.seen-unreadable', { path, why }));
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw unreadable(code ?? 'an unknown error');
  }
  try {
    const { lines, sha256 } = seenSchema.parse(JSON.parse(text));
    return { lines, sha256 };
  } catch {
    throw unreadable('it is not as it was written');
  }
}

/** Whole or not at all. @throws StepEnded ledger.seen-unreadable where it cannot be written: then the next check could not tell. */
export function writeSeen(path: string, { lines, sha256 }: LedgerHead): void {
  try {
    const temporary = `${path}.tmp`;
    const file = openSync(temporary, 'w', 0o600);
    writeSync(file, `${JSON.stringify({ format: 'backup-drills/ledger-seen/1', lines, sha256 })}\n`);
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, path);
    const directory = openSync(dirname(path), 'r');
    fsyncSync(directory);
    closeSync(directory);
  } catch (error) {
    throw new StepEnded(ledgerFindings.find('ledger.seen-unreadable', { path, why: (error as NodeJS.ErrnoException).code ?? 'an unknown error' }));
  }
}
