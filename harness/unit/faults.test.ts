// The fault catalogue, on whole drills: the healthy unit passes; each fault raises the codes named for it and no other.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { applyFault, faults, layHealthy } from '../../fixtures/faults.ts';
import { faultground, killsAll } from '../../fixtures/faults-contract.ts';
import { sampleUnit } from '../../fixtures/sample/unit.ts';

const hours = 3_600_000;
vi.setConfig({ maxConcurrency: 3, testTimeout: 60_000 });
const ground = faultground();
const { directory, drillPlace } = ground;

describe('what is healthy stays verified', () => {
  test('the sample, on evidence of every step', async () => {
    const drilled = await drillPlace(await layHealthy(directory()));
    expect(drilled).toMatchObject({ codes: [], asides: [], verdict: 'verified' });
    expect([...drilled.steps.values()].every((step) => step.evidence !== null)).toBe(true);
  });

  test('the sample, encrypted for this key', async () => {
    expect(await drillPlace(await layHealthy(directory(), true))).toMatchObject({ codes: [], asides: [], verdict: 'verified' });
  });

  test('34 one second past midnight nothing is missing yet', async () => {
    const midnight = new Date(Date.parse(sampleUnit().id) + 24 * hours + 1000);
    expect(await drillPlace(await layHealthy(directory()), { now: midnight })).toMatchObject({ codes: [], verdict: 'verified' });
  });

  test('a stray is a warning and takes no verdict away', async () => {
    const place = await layHealthy(directory());
    writeFileSync(join(place.store, 'notes.txt'), 'x');
    expect(await drillPlace(place)).toMatchObject({ codes: [], asides: ['catalog.stray'], verdict: 'verified' });
  });
});

killsAll(faults, ground);

describe('the catalogue', () => {
  test('names no fault twice', () => {
    const names = faults.map((fault) => `${fault.number} ${fault.name}`);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  test('holds every fault of the list that a drill of a database can meet', () => {
    const numbers = new Set(faults.map((fault) => fault.number));
    const wanted = [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 22, 23, 25, 26, 27, 28, 29, 33, 71, 75, 76, 77, 78, 81, 83];
    expect(wanted.filter((number) => !numbers.has(number))).toEqual([]);
  });

  test.each(faults.slice(0, 1))('takes no fault that changes nothing', async (fault) => {
    await expect(applyFault({ ...fault, harm: () => undefined }, directory())).rejects.toThrow('changed nothing in what is stored');
    await expect(applyFault({ ...fault, harm: null }, directory())).rejects.toThrow('changed nothing of the drill');
    await expect(applyFault({ ...fault, harm: null, circumstances: { config: (shipped) => ({ ...shipped }) } }, directory())).rejects.toThrow('changed nothing of the drill');
  });
});

test('without a manifest every other step still runs', async () => {
  const place = await layHealthy(directory());
  rmSync(join(place.store, `db-${sampleUnit().id}.manifest.json`));
  const { steps } = await drillPlace(place);
  const outcomes = Object.fromEntries([...steps].map(([id, step]) => [id, step.outcome]));
  expect(outcomes).toMatchObject({ 'database.manifest': 'failed', 'database.restore': 'passed', 'database.measure': 'passed', 'database.smoke.expected': 'passed', 'database.compare.tables': 'skipped', 'database.objectives': 'passed' });
});

test('74 a server that is killed once the dump is restored says nothing about the backup', async () => {
  const kill = ({ reader }: { readonly reader: { readonly host: string } }): void => {
    process.kill(Number(readFileSync(join(reader.host, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL');
  };
  const { codes, verdict, steps } = await drillPlace(await layHealthy(directory()), { restored: kill });
  expect({ codes, verdict }).toStrictEqual({ codes: ['server.died'], verdict: 'inconclusive' });
  expect(['measure', 'smoke.expected', 'smoke.integrity', 'smoke.plausible', 'smoke.queries'].map((step) => steps.get(`database.${step}`)?.outcome)).toStrictEqual(Array(5).fill('errored'));
});
