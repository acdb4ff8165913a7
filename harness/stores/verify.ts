// Verifies stored bytes against what a witness recorded when they were published.
import type { Fetched } from './fetch.ts';

declare const verifiedStored: unique symbol;

/** Stored bytes that went through verification. Only verifyStored makes one, so nothing else can be decrypted. */
export interface VerifiedStored extends Fetched {
  readonly [verifiedStored]: true;
  /** Which line of the ledger bears witness; null while the store has no ledger: then only the manifest binds the dump. */
  readonly witness: null;
}

/** Compares what was fetched with the ledger's line for it. Without a ledger there is nothing to compare, and `witness` says so. */
export function verifyStored(fetched: Fetched): VerifiedStored {
  return { ...fetched, witness: null } as VerifiedStored;
}
