// A dump that is sound, what becomes of it once it was changed, and whether pg_dump can tell: the manifest is bound to it
// anew, so that nothing but what came back can tell. For the experiments that change dumps.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Client } from 'pg';
import { StepEnded, type Finding } from '../../run/finding.ts';
import { inspectDump } from '../dump/inspect.ts';
import type { DatabaseSettings } from '../restore/create.ts';
import type { Restored } from '../restore/execute.ts';
import { openRig, program, query, type Rig } from '../restore/rig.ts';
import { checkIntegrity } from '../smoke/integrity.ts';
import { compareManifests } from './compare.ts';
import type { Manifest } from './manifest.ts';
import { readManifestRows } from './read.ts';
import { sceneOn } from './scene.ts';

/** `killed` by a stage; `equal`: verified, and pg_dump sees nothing either; `survived`: verified, and pg_dump sees a difference. */
export type Fate = 'killed by inspect' | 'killed by restore' | 'killed by compare' | 'killed by smoke' | 'equal' | 'survived';

/** Absolute paths, of 18 or later. */
export interface Tools {
  readonly psql: string;
  readonly pgDump: string;
}

export interface Trial {
  readonly dump: Buffer;
  /** What becomes of it with these bytes. `seen`: the first line of a fresh pg_dump that differs, where it survived. */
  fate(changed: Buffer): Promise<{ readonly fate: Fate; readonly seen: string | null }>;
  close(): Promise<void>;
}

export const noFates: Readonly<Record<Fate, number>> = { 'killed by inspect': 0, 'killed by restore': 0, 'killed by compare': 0, 'killed by smoke': 0, equal: 0, survived: 0 };

const utf8: DatabaseSettings = { encoding: 'UTF8', provider: 'libc', collate: 'C', ctype: 'C', locale: null, icuRules: null };
const roles = 'CREATE ROLE postgres SUPERUSER LOGIN PASSWORD \'postgres\'; CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE wa; CREATE ROLE "Zoë ""Q"""';

/** @throws Error where the dump as it is does not verify: then no fate says anything. */
export async function openTrial(tools: Tools): Promise<Trial> {
  const rig = await openRig();
  try {
    const { dump, manifest } = await makeDump(rig, tools);
    const healthy = await fateOf(rig, dump, manifest);
    if (typeof healthy === 'string') throw new Error(`the healthy dump was ${healthy}`);
    const reference = await dumpOf(healthy, tools);
    const lines = reference.split('\n');
    return {
      dump,
      async fate(changed) {
        const came = await fateOf(rig, changed, manifest);
        if (typeof came === 'string') return { fate: came, seen: null };
        const now = await dumpOf(came, tools);
        return now === reference ? { fate: 'equal', seen: null } : { fate: 'survived', seen: now.split('\n').find((line, row) => line !== lines[row]) ?? 'its end' };
      },
      close: () => rig.close(),
    };
  } catch (error) {
    await rig.close();
    throw error;
  }
}

async function makeDump(rig: Rig, tools: Tools): Promise<{ dump: Buffer; manifest: Manifest }> {
  const { admin } = await rig.server();
  await query(admin, roles);
  await query(admin, "CREATE DATABASE source OWNER postgres TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'");
  const superuser = { ...admin, user: 'postgres', password: 'postgres', database: 'source' };
  // Of everything something, and of nothing much: most bytes are to be the schema's. No now(): the same places for the same seed.
  const sql = [
    ['generate_series(1,500)', 'generate_series(1,20)'],
    ["'bb' FROM generate_series(1,3000)", "'bb', '2026-11-26 08:00:00.123+00' FROM generate_series(1,30)"],
    ['(client, body, b) SELECT i % 500', '(client, body, b, at) SELECT i % 20'],
    ["(client, body, extra) VALUES (1,'kid',2)", "(client, body, extra, at) VALUES (1,'kid',2, '2026-11-26 08:00:00.123456+00')"],
  ].reduce((text, [from = '', to = '']) => {
    if (!text.includes(from)) throw new Error(`breadth.sql does not hold ${from}`);
    return text.replace(from, to);
  }, readFileSync(join(import.meta.dirname, '../restore/testdata/breadth.sql'), 'utf8'));
  await program(tools.psql, superuser, ['-Xq', '-v', 'ON_ERROR_STOP=1', '-f', rig.dump('source', sql)]);
  const dump = Buffer.from(await program(tools.pgDump, superuser, ['--restrict-key=x']), 'latin1');
  return { dump, manifest: await sceneOn(superuser, async () => {}).manifest('source') };
}

/** Which stage stops it, or the database that a drill would call verified. */
async function fateOf(rig: Rig, dump: Buffer, manifest: Manifest): Promise<Fate | Restored> {
  const file = rig.dump('flipped', dump);
  writeFileSync(`${file}.gz`, gzipSync(dump, { level: 1 }));
  if (await stopped(() => inspectDump(`${file}.gz`))) return 'killed by inspect';
  let restored: Restored | null = null;
  if (await stopped(async () => void (restored = await rig.restore(file, { settings: utf8 })))) return 'killed by restore';
  const { checker } = restored!;
  const client = new Client({ ...checker });
  await client.connect();
  try {
    // Of an idle database: sequences stand exactly where they stood.
    const { findings } = compareManifests(manifest, await readManifestRows(client, { signal: new AbortController().signal }), { sequences: 'exact' });
    if (findings.some(isError)) return 'killed by compare';
    if ((await checkIntegrity({ client }, manifest.sequences)).findings.some(isError)) return 'killed by smoke';
  } finally {
    await client.end();
  }
  return restored!;
}

const isError = ({ severity }: Finding): boolean => severity === 'error';

/** Whether it ends with a finding that fails its step. What else is thrown is a broken harness, and ends the experiment. */
async function stopped(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof StepEnded) return true;
    throw error;
  }
}

const dumpOf = async ({ admin }: Restored, { pgDump }: Tools): Promise<string> => program(pgDump, admin, ['--restrict-key=x']);
