// Durations and sizes as people write them.

const durations: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000, sec: 1000, second: 1000, seconds: 1000,
  min: 60_000, minute: 60_000, minutes: 60_000,
  h: 3_600_000, hour: 3_600_000, hours: 3_600_000,
  d: 86_400_000, day: 86_400_000, days: 86_400_000,
  w: 604_800_000, week: 604_800_000, weeks: 604_800_000,
};

const sizes: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12,
  kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40,
};

/**
 * Milliseconds of `'36h'`, `'10 min'`, `'1h 30min'`, `'1.5 d'`. `m` alone is refused: minutes or months.
 * @throws Error with a phrase that follows the value: "has no unit".
 */
export function parseDuration(text: string): number {
  const pieces = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)\s*/giy)];
  const read = pieces.map((piece) => piece[0]).join('');
  if (text.trim() === '') throw new Error('is empty');
  if (text.trimStart().startsWith('-')) throw new Error('is negative');
  if (read !== text || pieces.length === 0) throw new Error('is no duration');
  let total = 0;
  let smaller = Infinity;
  for (const [, digits, unit = ''] of pieces) {
    if (unit === '') throw new Error('has no unit');
    if (unit === 'm') throw new Error('says m, which could be minutes or months');
    const factor = lookUp(durations, unit);
    if (factor === undefined) throw new Error(`has the unit ${unit}, which is none of ms, s, min, h, d, w`);
    if (factor >= smaller) throw new Error('does not go from larger units to smaller ones');
    smaller = factor;
    total += Number(digits) * factor;
  }
  return positive(Math.round(total));
}

/**
 * Bytes of `'8GB'` (decimal: 8,000,000,000), `'512 MiB'` (binary: 536,870,912), `'100 B'`.
 * @throws Error with a phrase that follows the value: "has no unit".
 */
export function parseBytes(text: string): number {
  if (text.trim() === '') throw new Error('is empty');
  if (text.trimStart().startsWith('-')) throw new Error('is negative');
  const [, digits, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  if (digits === undefined) throw new Error('is no size');
  if (unit === '') throw new Error('has no unit');
  const factor = lookUp(sizes, unit.toLowerCase());
  if (factor === undefined) throw new Error(`has the unit ${unit}, which is none of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB`);
  return positive(Math.round(Number(digits) * factor));
}

const lookUp = (table: Readonly<Record<string, number>>, unit: string): number | undefined => (Object.hasOwn(table, unit) ? table[unit] : undefined);

function positive(value: number): number {
  if (value <= 0) throw new Error('is zero');
  if (!Number.isSafeInteger(value)) throw new Error('is too large');
  return value;
}
