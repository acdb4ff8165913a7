// Verifies the decrypted dump against the manifest that binds it.
import { StepEnded } from '../../run/finding.ts';
import type { Plain } from '../../stores/age.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { VerifyDumpEvidence } from './evidence.ts';
import { selectFindings } from './findings.ts';
import type { Selected } from './select.ts';

declare const verifiedDump: unique symbol;

/** A dump that may be inspected and restored. Only verifyDump makes one. */
export interface VerifiedDump {
  readonly [verifiedDump]: true;
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** The manifest whose dump these bytes are. Null where there is none to compare with: all may still be tried, nothing is verified. */
  readonly boundTo: Manifest | null;
}

/**
 * Compares size and sha256 with what the manifest recorded when the dump was taken.
 * @throws StepEnded dump.size-mismatch or dump.sha256-mismatch, never both.
 */
export function verifyDump(plain: Plain, { id, manifest }: Pick<Selected, 'id' | 'manifest'>): { dump: VerifiedDump; evidence: VerifyDumpEvidence } {
  const { path, bytes, sha256 } = plain;
  const evidence = { set: id, bytes, sha256, bound: manifest !== null };
  if (manifest !== null && bytes !== manifest.dump.bytes) {
    throw new StepEnded(selectFindings.find('dump.size-mismatch', { set: id, bytes, expected: manifest.dump.bytes }), evidence);
  }
  if (manifest !== null && sha256 !== manifest.dump.sha256) {
    throw new StepEnded(selectFindings.find('dump.sha256-mismatch', { set: id, sha256, expected: manifest.dump.sha256 }), evidence);
  }
  return { dump: { path, bytes, sha256, boundTo: manifest } as VerifiedDump, evidence };
}
