// The experiment: one byte of a dump changed at a time. For flips.long.test.ts.
import { type Fate, noFates, openTrial, type Tools } from './trial.ts';

export interface Flips {
  readonly table: Readonly<Record<Fate, number>>;
  readonly bytes: number;
  /** Where a byte that survived stands, and what stood there. */
  readonly survivors: readonly string[];
}

/** @throws Error where the dump as it is does not verify. */
export async function flipBytes(count: number, seed: number, tools: Tools): Promise<Flips> {
  const trial = await openTrial(tools);
  try {
    const { dump } = trial;
    const table = { ...noFates };
    const survivors: string[] = [];
    const random = generator(seed);
    for (let at = 0; at < count; at += 1) {
      const place = Math.floor(random() * dump.length);
      // Every other time a byte that the dump is made of, which reads as SQL more often than any byte does.
      const drawn = at % 2 === 0 ? Math.floor(random() * 256) : (dump[Math.floor(random() * dump.length)] ?? 0);
      const byte = drawn === dump[place] ? drawn ^ 1 : drawn;
      const changed = Buffer.from(dump);
      changed[place] = byte;
      const { fate, seen } = await trial.fate(changed);
      table[fate] += 1;
      if (fate === 'survived') survivors.push(`0x${byte.toString(16)} at ${place} before ${JSON.stringify(dump.toString('latin1', place, place + 40))}, seen in ${JSON.stringify(seen)}`);
    }
    return { table, bytes: dump.length, survivors };
  } finally {
    await trial.close();
  }
}

/** mulberry32: the same places for the same seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
