// One stage of ours as a process of its own, so that its memory is its own. Started by rows.ts, never by hand:
// `inspect DUMP RESULT`, or `restore DUMP RESULT` with the server as JSON on stdin.
import { readFileSync, writeFileSync } from 'node:fs';
import { inspectDump } from '../database/dump/inspect.ts';
import { readDump } from '../database/dump/read.ts';
import { executeRestore } from '../database/restore/execute.ts';
import { planRestore } from '../database/restore/plan.ts';
import type { PostgresServer } from '../servers/postgres.ts';

const [stage, dump = '', result = ''] = process.argv.slice(2);
const { signal } = new AbortController();
const inventory = await inspectDump(dump, { signal });
if (stage === 'inspect') {
  const rows = Object.fromEntries(inventory.copies.map((copy) => [copy.name.at(-1) ?? '', copy.rows]));
  writeFileSync(result, JSON.stringify({ rows, plainBytes: inventory.decompressedBytes }));
} else if (stage === 'restore') {
  // Inspection is part of our time: nothing is restored that was not inspected.
  const server = JSON.parse(readFileSync(0, 'utf8')) as PostgresServer;
  const restored = await executeRestore(
    { items: () => readDump(dump, { signal }), plan: planRestore(inventory), server, settings: null, owner: null, totalBytes: inventory.decompressedBytes },
    { signal, progress: () => undefined },
  );
  writeFileSync(result, JSON.stringify({ database: restored.database }));
} else {
  throw new Error(`no stage is named ${stage ?? ''}`);
}
