// Dumps that are cut: behind every statement of a small database, at random bytes of a large one, and in their midst, with
// the trailer still there. CUTS_SEED cuts elsewhere, CUTS and HOLES more or less often; what they died of is printed.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, expect } from 'vitest';
import { faultground } from '../../../fixtures/faults-contract.ts';
import { Random } from '../../../fixtures/random.ts';
import { sabotage, type SetFiles } from '../../../fixtures/sabotage.ts';
import { makeSet } from '../../../fixtures/sample/make.ts';
import { sampleUnit } from '../../../fixtures/sample/unit.ts';
import { needing } from '../../../fixtures/tools.ts';
import { StepEnded } from '../../run/finding.ts';
import { parseManifest } from '../manifest/manifest.ts';
import { noFates, openTrial } from '../manifest/trial.ts';
import { inspectDump } from './inspect.ts';
import { DumpReader } from './reader.ts';

const seed = Number(process.env['CUTS_SEED'] ?? 20_261_126);
const cuts = Number(process.env['CUTS'] ?? 500);
const holes = Number(process.env['HOLES'] ?? 40);
const hour = 3_600_000;

const needs = needing('psql18', 'pg_dump18');
const ground = faultground();

interface Set extends SetFiles {
  readonly sql: Buffer;
  /** The morning after. */
  readonly now: Date;
}

function setAt(files: SetFiles): Set {
  const { snapshotTime } = parseManifest(readFileSync(files.manifestFile), 'the set');
  return { ...files, sql: gunzipSync(readFileSync(files.dumpFile)), now: new Date(snapshotTime.getTime() + 4 * hour) };
}

// Stored, not squeezed: it is done a thousand times.
const gzipped = (sql: Buffer): Buffer => gzipSync(sql, { level: 0 });

/** Offsets behind each statement, each COPY's rows, and each line behind the last of them. */
function boundaries(sql: Buffer): number[] {
  const reader = new DumpReader();
  const items = [...reader.push(sql)];
  reader.end();
  const last = items.findLastIndex(({ kind }) => kind === 'statement' || kind === 'copy-end');
  const ends = items.filter(({ kind }, at) => at > last || !['comment', 'copy-data'].includes(kind)).map((item) => (item.kind === 'copy-end' ? item.at.offset : item.at.offset + ('sql' in item ? item.sql : 'line' in item ? item.line : item.data).length));
  // What lacks the last line feed alone is not cut.
  return ends.filter((end) => end < sql.length - 1);
}

interface Cut {
  readonly place: number;
  readonly dump: Buffer;
}

/** What a cut dump dies of: one finding, in a whole drill. A crash of the harness is none, and its verdict another. */
async function drilled(set: Set, { place, dump }: Cut, rebind: boolean): Promise<string> {
  const directory = ground.directory();
  // Also where a cut changed nothing it throws.
  sabotage(set, directory, { dumpFile: () => dump, rebind });
  try {
    const { verdict, codes } = await ground.drill({ directory, now: set.now });
    expect({ verdict, codes: codes.length }, `cut at ${place}: ${codes.join()}`).toEqual({ verdict: 'unverified', codes: 1 });
    return codes.join();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The same by the inspection alone, which is what a drill asks of a dump before it starts a server. */
async function inspected(file: string, { place, dump }: Cut): Promise<string> {
  writeFileSync(file, dump);
  try {
    await inspectDump(file);
  } catch (error) {
    if (error instanceof StepEnded) return error.findings.map(({ code, judged }) => (judged ? code : `obstacle ${code}`)).join();
    throw error;
  }
  throw new Error(`the dump is whole to the inspection, cut at ${place}`);
}

async function count(name: string, cut: Iterable<Cut>, fate: (cut: Cut, at: number) => Promise<string>): Promise<Record<string, number>> {
  const table: Record<string, number> = {};
  let at = 0;
  for (const each of cut) {
    const code = await fate(each, at);
    table[code] = (table[code] ?? 0) + 1;
    at += 1;
  }
  process.stdout.write(`${name}: ${JSON.stringify(table)}\n`);
  return table;
}

needs.describe('a small database, cut behind every statement', () => {
  let small: Set;
  beforeAll(async () => {
    const { id, dump, manifest } = await makeSet({ psql: needs.path('psql18'), pgDump: needs.path('pg_dump18'), messages: 2000 });
    const directory = ground.directory();
    const files = { dumpFile: join(directory, `db-${id}.sql.gz`), manifestFile: join(directory, `db-${id}.manifest.json`) };
    writeFileSync(files.dumpFile, dump);
    writeFileSync(files.manifestFile, manifest);
    small = setAt(files);
  }, 120_000);

  needs.test('is verified whole', async () => {
    expect(await ground.drill({ directory: join(small.dumpFile, '..'), now: small.now })).toMatchObject({ verdict: 'verified', codes: [] });
  });

  const cut = (): Cut[] => boundaries(small.sql).map((place) => ({ place, dump: gzipped(small.sql.subarray(0, place)) }));

  needs.test('is told by its size where the manifest is as it was', async () => {
    const all = cut();
    expect(all.length).toBeGreaterThan(200);
    expect(await count('behind every statement', all, (each) => drilled(small, each, false))).toEqual({ 'dump.size-mismatch': all.length });
  }, 300_000);

  needs.test('is told by its content where the manifest was made to fit, behind the last statement and in the trailer too', async () => {
    const all = cut();
    expect(await count('behind every statement, rebound', all, (each) => drilled(small, each, true))).toEqual({ 'dump.footer-missing': all.length });
  }, 300_000);
});

needs.describe(`a large database, cut at ${cuts} bytes (seed ${seed})`, () => {
  const large = setAt(sampleUnit());
  const file = join(ground.directory(), 'cut.sql.gz');
  /** Every twentieth is drilled whole. */
  const fate = (cut: Cut, at: number): Promise<string> => (at % 20 === 0 ? drilled(large, cut, true) : inspected(file, cut));
  function* anywhere(bytes: Buffer, write: (head: Buffer) => Buffer): Generator<Cut> {
    const random = new Random(seed);
    for (let left = cuts; left > 0; left -= 1) {
      const place = random.between(1, bytes.length - 2);
      yield { place, dump: write(bytes.subarray(0, place)) };
    }
  }

  needs.test('in its gzip, the manifest made to fit', async () => {
    expect(await count('in its gzip', anywhere(readFileSync(large.dumpFile), (head) => head), fate)).toEqual({ 'dump.gzip-truncated': cuts });
  }, 300_000);

  needs.test('in its text, gzipped again, the manifest made to fit', async () => {
    expect(await count('in its text', anywhere(large.sql, gzipped), fate)).toEqual({ 'dump.footer-missing': cuts });
  }, 300_000);
});

needs.test(`a dump with a hole up to its trailer is verified only where pg_dump sees no difference (${holes}, seed ${seed})`, async () => {
  const trial = await openTrial({ psql: needs.path('psql18'), pgDump: needs.path('pg_dump18') });
  try {
    const { dump } = trial;
    const trailer = dump.subarray(dump.lastIndexOf('--\n-- PostgreSQL database dump complete'));
    const random = new Random(seed);
    const places = boundaries(dump.subarray(0, dump.length - trailer.length));
    const table = { ...noFates };
    const survivors: string[] = [];
    for (let left = holes; left > 0; left -= 1) {
      const place = random.pick(places);
      const { fate, seen } = await trial.fate(Buffer.concat([dump.subarray(0, place), Buffer.from('\n\n'), trailer]));
      table[fate] += 1;
      if (fate === 'survived') survivors.push(`cut at ${place}, seen in ${JSON.stringify(seen)}`);
    }
    process.stdout.write(`a hole up to the trailer: ${JSON.stringify({ seed, bytes: dump.length, statements: places.length, ...table })}\n`);
    expect(survivors).toEqual([]);
    // Else the experiment shows nothing of what only content can tell.
    expect(table['killed by compare']).toBeGreaterThan(holes / 4);
  } finally {
    await trial.close();
  }
}, 600_000);
