// The reader and the inspection against chance. FUZZ=2000 does more than the usual rounds, FUZZ_SEED others; a failure
// names the seed of its own round.
import { describe, expect, test } from 'vitest';
import { grammarKind, grammarStatements, withoutRows } from '../../../fixtures/grammar.ts';
import { mutate, randomDump, type RandomDump } from '../../../fixtures/random-dump.ts';
import { Random } from '../../../fixtures/random.ts';
import { StepEnded } from '../../run/finding.ts';
import { classify } from './classify.ts';
import { inspectChunks } from './inspect.ts';
import type { Inventory } from './inventory.ts';
import type { DumpItem } from './items.ts';
import { DumpReader } from './reader.ts';

const rounds = Number(process.env['FUZZ'] ?? 150);
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 20_261_126);
const seeds = Array.from({ length: rounds }, (_, round) => firstSeed + round);
const again = (seed: number): string => `again with FUZZ_SEED=${seed} FUZZ=1`;
const timeout = 30_000 + rounds * 50;
const name = `(${rounds} rounds, seed ${firstSeed})`;

/** An item as text, and where it stands; rows are joined, since where they are cut is free. */
type Told = readonly [kind: string, text: string, place: string];

function read(chunks: readonly Buffer[], maxStatementBytes = 1 << 20): Told[] {
  const reader = new DumpReader({ maxStatementBytes });
  const told: Told[] = [];
  let rows: string[] = [];
  const take = (item: DumpItem): void => {
    const place = `${item.at.offset}/${item.at.line}`;
    if (item.kind === 'copy-data') rows.push(item.data.toString('latin1'));
    else if (item.kind === 'copy-end') {
      told.push(['rows', rows.join(''), `${item.rows} rows, ${item.bytes} bytes, ${place}`]);
      rows = [];
    } else told.push([item.kind, ('sql' in item ? item.sql : item.line).toString('latin1'), place]);
  };
  // Copied, so that nothing of the next chunk is in reach.
  for (const chunk of chunks) for (const item of reader.push(Buffer.from(chunk))) take(item);
  reader.end();
  return told;
}

async function inspect(chunks: readonly Buffer[]): Promise<unknown> {
  const given = async function* (): AsyncGenerator<Buffer> {
    yield* chunks.map((chunk) => Buffer.from(chunk));
  };
  const inventory: Inventory = await inspectChunks(given(), () => ({ compressedBytes: 0, decompressedBytes: 0, sha256: '' }));
  return { ...inventory, entries: [...inventory.entries] };
}

/** What came of it, findings too. @throws what is no finding */
async function outcome(action: () => unknown): Promise<unknown> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof StepEnded) return error.findings.map(({ code, facts }) => [code, facts]);
    throw error;
  }
}

function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set([...places, whole.length])].sort((a, b) => a - b);
  return ends.map((end, at) => whole.subarray(ends[at - 1] ?? 0, end));
}
const cutAnywhere = (whole: Buffer, random: Random): Buffer[] => cut(whole, Array.from({ length: random.between(1, 40) }, () => random.between(0, whole.length)));
const bytewise = (whole: Buffer): Buffer[] => Array.from(whole, (_, at) => whole.subarray(at, at + 1));

function expected({ parts }: RandomDump): string[][] {
  return parts.flatMap(({ kind, text, rows }) => {
    const bytes = (part: string): string => Buffer.from(part).toString('latin1');
    return rows === undefined ? [[kind, bytes(text)]] : [[kind, bytes(text)], ['rows', bytes(rows.map((row) => `${row}\n`).join(''))]];
  });
}

describe('random SQL', () => {
  test(`splits into what it was made of, wherever its chunks end ${name}`, { timeout }, () => {
    for (const seed of seeds) {
      const random = new Random(seed);
      const dump = randomDump(random);
      const whole = Buffer.from(dump.text);
      const items = read([whole]);
      expect(items.map(([kind, text]) => [kind, text]), again(seed)).toEqual(expected(dump));
      for (const chunks of [cutAnywhere(whole, random), cutAnywhere(whole, random), bytewise(whole)]) expect(read(chunks), again(seed)).toEqual(items);
    }
  });

  test(`in two at any byte, too ${name}`, { timeout }, () => {
    const whole = Buffer.from(randomDump(new Random(firstSeed)).text);
    const items = read([whole]);
    for (let place = 1; place < whole.length; place += 1) expect(read(cut(whole, [place])), `cut at ${place}, ${again(firstSeed)}`).toEqual(items);
  });

  test(`has the statements that Postgres' own grammar sees, of the kind that it says ${name}`, { timeout }, () => {
    let compared = 0;
    for (const seed of seeds) {
      const dump = randomDump(new Random(seed));
      if (!dump.standardStrings) continue;
      const whole = Buffer.from(dump.text);
      const reader = new DumpReader();
      const items = [...reader.push(whole)];
      reader.end();
      const ours = items.filter((item) => item.kind === 'statement' || item.kind === 'copy');
      const theirs = grammarStatements(withoutRows(whole, items).toString());
      expect(ours.map(({ at, sql }) => [at.offset, at.offset + sql.length - 1]), again(seed)).toEqual(theirs.map(({ start, end }) => [start, end]));
      expect(ours.map(({ sql }) => classify(sql).kind), again(seed)).toEqual(theirs.map((statement) => grammarKind(statement)?.kind ?? 'UNKNOWN'));
      compared += ours.length;
    }
    expect(compared).toBeGreaterThan(rounds);
  });

  test(`has the same inventory, and it is of what was written ${name}`, { timeout }, async () => {
    for (const seed of seeds) {
      const random = new Random(seed);
      const dump = randomDump(random);
      const whole = Buffer.from(dump.text);
      const inventory = await inspect([whole]);
      const copies = dump.parts.flatMap(({ rows }) => (rows === undefined ? [] : [{ rows: rows.length, bytes: rows.reduce((sum, row) => sum + Buffer.byteLength(row) + 1, 0) }]));
      expect(inventory, again(seed)).toMatchObject({ copies });
      const tables = dump.parts.filter(({ kind, text }) => kind === 'statement' && text.startsWith('CREATE TABLE')).length;
      expect((inventory as Inventory).tables, again(seed)).toHaveLength(tables);
      for (const chunks of [cutAnywhere(whole, random), bytewise(whole)]) expect(await inspect(chunks), again(seed)).toEqual(inventory);
    }
  });
});

describe('mutated bytes', () => {
  test(`come to the same end wherever the chunks end, and to no error but a finding ${name}`, { timeout }, async () => {
    const ends = new Set<string>();
    for (const seed of seeds) {
      const random = new Random(seed);
      const bytes = mutate(Buffer.from(randomDump(random).text), random);
      const end = await outcome(() => read([bytes]));
      const inventory = await outcome(() => inspect([bytes]));
      for (const chunks of [cutAnywhere(bytes, random), bytewise(bytes)]) {
        expect(await outcome(() => read(chunks)), again(seed)).toEqual(end);
        expect(await outcome(() => inspect(chunks)), again(seed)).toEqual(inventory);
      }
      ends.add(Array.isArray(inventory) ? String((inventory as unknown[][])[0]?.[0]) : 'whole');
    }
    // Some are told whole, some are not: else this would show little.
    const common = rounds < 100 ? [] : ['whole', 'dump.footer-missing', 'dump.syntax', 'dump.meta-command'];
    expect(common.filter((code) => !ends.has(code))).toEqual([]);
  });

  test(`make no more be kept than one statement may hold, and a chunk ${name}`, { timeout }, () => {
    const [most, chunkBytes] = [500, 64];
    let refused = 0;
    for (const seed of seeds) {
      const random = new Random(seed);
      const bytes = mutate(Buffer.from(randomDump(random).text), random);
      const reader = new DumpReader({ maxStatementBytes: most });
      // Where ends what has been given out: what was read beyond it is kept, or was blank.
      let given = 0;
      try {
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          for (const item of reader.push(bytes.subarray(at, at + chunkBytes))) given = item.at.offset + ('sql' in item ? item.sql.length : 'line' in item ? item.line.length : 'data' in item ? item.data.length : 0);
          const kept = bytes.subarray(given, at).toString('latin1').replace(/^(?:[\s;]|\/\*[^]*\*\/)*/, '');
          expect(kept.length, again(seed)).toBeLessThanOrEqual(most + chunkBytes);
        }
        reader.end();
      } catch (error) {
        if (!(error instanceof StepEnded)) throw error;
        if (error.findings[0]?.code === 'dump.statement-too-large') refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});
