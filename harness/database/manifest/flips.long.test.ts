// One byte of a dump changed at a time. FLIPS=500 does more than the usual number, FLIPS_SEED others; the table is printed.
import { expect } from 'vitest';
import { needing } from '../../../fixtures/tools.ts';
import { flipBytes } from './flips.ts';

const seed = Number(process.env['FLIPS_SEED'] ?? 20_261_127);
const count = Number(process.env['FLIPS'] ?? 60);

const needs = needing('psql18', 'pg_dump18');
needs.test(`no byte of a dump changes unseen (${count}, seed ${seed})`, async () => {
  const { table, bytes, survivors } = await flipBytes(count, seed, { psql: needs.path('psql18'), pgDump: needs.path('pg_dump18') });
  process.stdout.write(`${JSON.stringify({ seed, bytes, ...table })}\n`);
  expect(survivors).toEqual([]);
  expect(Object.values(table).reduce((sum, one) => sum + one, 0)).toBe(count);
  // Both happen, or the experiment shows nothing.
  expect(table.equal).toBeGreaterThan(0);
  expect(table['killed by restore'] + table['killed by compare']).toBeGreaterThan(count / 3);
}, 3_600_000);
