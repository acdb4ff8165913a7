// Stages of ours as a process of its own, so that its memory is its own. Started by the bench and its tests, never by hand:
// `inspect DUMP RESULT`; `restore DUMP RESULT` with the server as JSON on stdin; `fetch STORE RESULT KEY ENGINE` with the
// age identity on stdin, which decrypts too.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspectDump } from '../database/dump/inspect.ts';
import { readDump } from '../database/dump/read.ts';
import { executeRestore } from '../database/restore/execute.ts';
import { planRestore } from '../database/restore/plan.ts';
import type { PostgresServer } from '../servers/postgres.ts';
import { decryptArtifact } from '../stores/age.ts';
import { directoryStore } from '../stores/directory.ts';
import { fetchArtifact } from '../stores/fetch.ts';
import { verifyStored } from '../stores/verify.ts';

const [stage, from = '', result = '', key = '', engine = ''] = process.argv.slice(2);
const quiet = { signal: new AbortController().signal, progress: (): void => undefined };

const stages: Readonly<Record<string, () => Promise<unknown>>> = {
  inspect: async () => {
    const inventory = await inspectDump(from, { signal: quiet.signal });
    return { rows: Object.fromEntries(inventory.copies.map((copy) => [copy.name.at(-1) ?? '', copy.rows])), plainBytes: inventory.decompressedBytes };
  },
  restore: async () => {
    // Inspection is part of our time: nothing is restored that was not inspected.
    const inventory = await inspectDump(from, { signal: quiet.signal });
    const server = JSON.parse(readFileSync(0, 'utf8')) as PostgresServer;
    const restored = await executeRestore(
      { items: () => readDump(from, { signal: quiet.signal }), plan: planRestore(inventory), server, settings: null, owner: null, totalBytes: inventory.decompressedBytes },
      quiet,
    );
    return { database: restored.database };
  },
  fetch: async () => {
    const store = directoryStore(from);
    const object = await store.head(key, quiet.signal);
    if (object === null) throw new Error(`${key} is not in the store`);
    const stored = verifyStored(await fetchArtifact(store, object, dirname(result), quiet));
    const plain = await decryptArtifact(stored, readFileSync(0, 'utf8'), dirname(result), { ...quiet, ageBinary: engine === 'library' ? 'library' : 'auto' });
    return { bytes: plain.bytes, sha256: plain.sha256, engine: plain.engine };
  },
};

const run = stages[stage ?? ''];
if (run === undefined) throw new Error(`no stage is named ${stage ?? ''}`);
writeFileSync(result, JSON.stringify(await run()));
