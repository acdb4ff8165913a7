// The whole `npm run check:schema` over one dump in a directory, against what one would type to count its tables.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { tool } from '../../fixtures/tools.ts';
import { buildManifest } from '../database/manifest/manifest.ts';
import { differs, type PlannedRow, shell } from './contenders.ts';
import type { GeneratedDump } from './data.ts';
import { type Command, measure } from './measure.ts';

const command = resolve(import.meta.dirname, '../enter.mjs');

/** A store with the dump and its manifest, a configuration of it, and the dump's own schema as the reference. @returns the check */
export async function prepareCheck(work: string, dump: GeneratedDump, signal: AbortSignal): Promise<Command> {
  const place = join(work, `check-${basename(dump.path, '.sql.gz')}`);
  const [store, config] = [join(place, 'store'), join(place, 'check.config.ts')];
  const check = { program: process.execPath, words: [command, 'check:schema', '--config', config, '--json'], cwd: place, signal, killSignal: 'SIGTERM' } as const;
  if (existsSync(place)) return check;
  mkdirSync(store, { recursive: true });
  const now = new Date();
  const id = now.toISOString().slice(0, 10);
  const name = `db-${id}.sql.gz`;
  linkSync(dump.path, join(store, name));
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(createReadStream(dump.path).on('data', (chunk) => { bytes += chunk.length; }), hash, { signal });
  const rows = [
    { kind: 'database', algorithm: 'row-chain-1', name: 'bench', serverVersion: '18.4', serverVersionNum: 180004, encoding: 'UTF8', provider: 'libc', collate: 'C', ctype: 'C', locale: null, collationVersion: null },
    { kind: 'snapshot', snapshot: '1:1:', time: now.toISOString().replace('Z', '000Z'), recovery: false },
    ...Object.entries(dump.rows).map(([table, count]) => ({ kind: 'table', schema: 'public', name: table, persistence: 'permanent', shape: '0'.repeat(64), rows: String(count), digest: '0' })),
    { kind: 'large-objects', count: '0', bytes: '0', digest: '0', grants: '0' },
    { kind: 'end' },
  ];
  writeFileSync(join(store, `db-${id}.manifest.json`), buildManifest({ id, dump: { name, sha256: hash.digest('hex'), bytes }, tools: { pgDump: '18.6', psql: '18.6' } }, rows.map((row) => JSON.stringify(row))));
  // Its scratch is the usual one: ours here is closed to the user that a run of root would start a server as.
  const settings = { application: 'bench', database: { name: 'bench', role: 'bench' }, stores: [{ name: 'bench', kind: 'directory', path: store }], expected: { tables: Object.keys(dump.rows).map((table) => ({ name: table })) }, checks: [], reports: join(place, 'reports') };
  writeFileSync(config, `export default ${JSON.stringify(settings)};\n`);
  await measure({ ...check, words: [command, 'check:schema', '--config', config, '--accept', '--quiet'] });
  return check;
}

/** What is wrong with the check's answer, or null. */
export const judgeCheck = ({ stdout }: { readonly stdout: string }): string | null => differs((JSON.parse(stdout) as { verdict: string }).verdict, 'verified');

export async function checkRow({ dump, work, signal }: { readonly dump: GeneratedDump; readonly work: string; readonly signal: AbortSignal }): Promise<PlannedRow> {
  const row = { name: 'check:schema', what: 'check the schema of a dump in a directory, the whole command with record and reports: grep counts what looks like a table', goal: 1 };
  if (tool('zcat') === null) return { row, lacks: 'zcat' };
  const check = await prepareCheck(work, dump, signal);
  return {
    row: {
      ...row,
      ours: { label: 'check:schema', run: async () => measure(check), check: async (measured) => judgeCheck(measured) },
      theirs: shell('zcat | grep', `zcat -- "$1" | grep -c 'CREATE TABLE'`, [dump.path], {}, signal, async ({ stdout }) => differs(Number(stdout), Object.keys(dump.rows).length)),
    },
  };
}
