// `store.json`, which names the application that a store belongs to: written once, when the store is first used, so that
// a wrong bucket is known as such and not as one of odd backups.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { StepEnded } from '../run/finding.ts';
import { readStart } from './fetch.ts';
import { storeFindings } from './findings.ts';
import { shown } from './names.ts';
import type { ReadableStore } from './store.ts';

const key = 'store.json';
const mostBytes = 64 * 1024;
const label = z.looseObject({ application: z.string().min(1) });

/**
 * The application that the store says it belongs to; null where it says nothing, or where this credential may not read
 * what it says.
 * @throws StepEnded store.other-application, store.label-unreadable; fetch.* where it does not arrive; what the store throws as a whole.
 */
export async function checkLabel(store: ReadableStore, application: string, signal: AbortSignal, options: { readonly idleMs?: number } = {}): Promise<string | null> {
  const unreadable = (why: string): StepEnded => new StepEnded(storeFindings.find('store.label-unreadable', { store: store.description, why }));
  try {
    const bytes = await labelBytes(store, signal, options);
    if (bytes === null) return null;
    const parsed = label.safeParse(json(bytes.toString()));
    if (!parsed.success) throw unreadable('it names no application');
    const actual = parsed.data.application;
    if (actual !== application) throw new StepEnded(storeFindings.find('store.other-application', { store: store.description, expected: application, actual: shown(actual) }));
    return actual;
  } catch (error) {
    // A credential may be for the backups alone. Where it may read nothing at all, the catalog says so.
    if (error instanceof StepEnded && error.findings.every((finding) => finding.code === 'fetch.denied')) return null;
    throw error;
  }
}

/** sha256 of it, which the ledger's first line names; null as above. @throws as {@link checkLabel} */
export async function labelDigest(store: ReadableStore, application: string, signal: AbortSignal): Promise<string | null> {
  if ((await checkLabel(store, application, signal)) === null) return null;
  const bytes = await labelBytes(store, signal, {});
  return bytes === null ? null : createHash('sha256').update(bytes).digest('hex');
}

async function labelBytes(store: ReadableStore, signal: AbortSignal, options: { readonly idleMs?: number }): Promise<Buffer | null> {
  const object = await store.head(key, signal);
  if (object === null) return null;
  if (object.size > mostBytes) throw new StepEnded(storeFindings.find('store.label-unreadable', { store: store.description, why: `it has ${object.size} bytes` }));
  return readStart(store, object, mostBytes, { signal, ...options });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
