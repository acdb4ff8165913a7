// What is asked of a store before anything is read from it: whose it is, and whether the drill could harm it.
import { z } from 'zod';
import type { Source } from '../database/fetching.ts';
import type { Done } from '../run/plan.ts';
import { storeFindings } from '../stores/findings.ts';
import { checkLabel } from '../stores/label.ts';
import type { ReadableStore } from '../stores/store.ts';

export const openSourceEvidence = z.strictObject({
  store: z.string(),
  application: z.string().nullable().describe('whose store it says it is; null: it has no store.json that may be read'),
  writes: z.enum(['denied', 'allowed', 'not judged']).describe('whether the credential of the drill may write or delete, asked without changing anything'),
  identities: z.int().describe('age identities at hand'),
});

/** @throws StepEnded store.other-application, store.label-unreadable; what the store throws as a whole. */
export async function openSource(store: ReadableStore, identities: readonly string[], application: string, signal: AbortSignal): Promise<Done<Source, z.infer<typeof openSourceEvidence>>> {
  const named = await checkLabel(store, application, signal);
  const writes = (await store.writes?.(signal)) ?? 'not judged';
  return {
    value: { store, identities: identities.length === 0 ? null : identities.join('\n') },
    findings: writes === 'allowed' ? [storeFindings.find('store.writable', { store: store.description })] : [],
    evidence: { store: store.description, application: named, writes, identities: identities.length },
  };
}
