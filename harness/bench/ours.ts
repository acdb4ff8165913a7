// Stages of ours as a process of its own, so that its memory is its own. Started by the bench and its tests, never by hand:
// `inspect DUMP RESULT [TIMES]`; `restore DUMP RESULT` with the server as JSON on stdin; `decrypt STORE RESULT KEY ENGINE`, which
// fetches from a directory first, with the age identity on stdin; `fetch KEY RESULT` and `list KEY RESULT` with a bucket as
// JSON on stdin.
import { availableParallelism } from 'node:os';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PostgresServer } from '../servers/postgres.ts';
import type { S3Credential, S3StoreConfig } from '../stores/config.ts';
import type { ReadableStore, StoredObject } from '../stores/store.ts';

const [stage, from = '', result = '', key = '', engine = ''] = process.argv.slice(2);
const quiet = { signal: new AbortController().signal, progress: (): void => undefined };

const stdin = (): unknown => JSON.parse(readFileSync(0, 'utf8'));

async function bucket(): Promise<ReadableStore> {
  const { config, credential } = stdin() as { config: S3StoreConfig; credential: S3Credential };
  const { openStore } = await import('../stores/open.ts');
  return openStore(config, { [config.name]: credential });
}

async function objectOf(store: ReadableStore, name: string): Promise<StoredObject> {
  const object = await store.head(name, quiet.signal);
  if (object === null) throw new Error(`${name} is not in the store`);
  return object;
}

// Each loads what it needs and no more: a library that a stage never calls is none of its memory.
const stages: Readonly<Record<string, () => Promise<unknown>>> = {
  inspect: async () => {
    const { inspectDump } = await import('../database/dump/inspect.ts');
    // One that is not the last is forgotten.
    for (let left = Number(key); left > 1; left -= 1) await inspectDump(from, { signal: quiet.signal });
    const inventory = await inspectDump(from, { signal: quiet.signal });
    return { rows: Object.fromEntries(inventory.copies.map((copy) => [copy.name.at(-1) ?? '', copy.rows])), plainBytes: inventory.decompressedBytes };
  },
  restore: async () => {
    const [{ inspectDump }, { readDump }, { executeRestore }, { Builds, planRestore }] = await Promise.all([import('../database/dump/inspect.ts'), import('../database/dump/read.ts'), import('../database/restore/execute.ts'), import('../database/restore/plan.ts')]);
    // Inspection is part of our time: nothing is restored that was not inspected.
    const builds = new Builds();
    const inventory = await inspectDump(from, { signal: quiet.signal, onStatement: builds.see });
    const server = stdin() as PostgresServer;
    const restored = await executeRestore(
      { items: () => readDump(from, { signal: quiet.signal }), plan: planRestore(inventory, builds), server, settings: null, owner: null, totalBytes: inventory.decompressedBytes, policy: { admin: true, statementMs: 6 * 3_600_000, sessions: Number(key) || availableParallelism() } },
      quiet,
    );
    return { database: restored.database };
  },
  decrypt: async () => {
    const [{ directoryStore }, { fetchArtifact }, { verifyStored }, { decryptArtifact }] = await Promise.all([import('../stores/directory.ts'), import('../stores/fetch.ts'), import('../stores/verify.ts'), import('../stores/age.ts')]);
    const store = directoryStore(from);
    const stored = verifyStored(await fetchArtifact(store, await objectOf(store, key), dirname(result), quiet));
    const plain = await decryptArtifact(stored, readFileSync(0, 'utf8'), dirname(result), { ...quiet, ageBinary: engine === 'library' ? 'library' : 'auto' });
    return { bytes: plain.bytes, sha256: plain.sha256, engine: plain.engine };
  },
  fetch: async () => {
    const { fetchArtifact } = await import('../stores/fetch.ts');
    const store = await bucket();
    const { path, bytes, sha256 } = await fetchArtifact(store, await objectOf(store, from), dirname(result), quiet);
    rmSync(path);
    return { bytes, sha256 };
  },
  list: async () => {
    let [keys, last] = [0, ''];
    for await (const entry of (await bucket()).list(quiet.signal, { folders: 'named' })) {
      keys += 1;
      if (entry.kind === 'object') last = entry.object.key;
    }
    return { keys, last };
  },
};

const run = stages[stage ?? ''];
if (run === undefined) throw new Error(`no stage is named ${stage ?? ''}`);
writeFileSync(result, JSON.stringify(await run()));
