// Opens the store that a configuration names, for reading.
import type { S3Credential, StoreConfig } from './config.ts';
import { directoryStore } from './directory.ts';
import type { ReadableStore } from './store.ts';

/** `credentials`: of the S3 stores, by their names. Nothing is asked of the store yet. */
export async function openStore(config: StoreConfig, credentials: Readonly<Record<string, S3Credential>>): Promise<ReadableStore> {
  if (config.kind === 'directory') return directoryStore(config.path);
  const credential = credentials[config.name];
  if (credential === undefined) throw new Error(`store ${config.name} has no credential`);
  // Only now: a drill of a directory does not load the SDK.
  const { s3Store } = await import('./s3.ts');
  return s3Store(config, credential);
}
