// The fault catalogue, on whole drills: the healthy unit passes; each fault raises the codes named for it and no other.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { type DrillOnce, drillOnce } from '../../fixtures/drill.ts';
import { applyFault, faults, layHealthy, morning, type Place } from '../../fixtures/faults.ts';
import { sampleUnit } from '../../fixtures/sample/unit.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'faults-')));
chmodSync(base, 0o755); // as root the servers run as nobody, who must get past it
afterAll(() => rmSync(base, { recursive: true, force: true }));
const hours = 3_600_000;
vi.setConfig({ maxConcurrency: 3, testTimeout: 60_000 });

let count = 0;
function directory(): string {
  count += 1;
  const made = join(base, `unit-${count}`);
  mkdirSync(made);
  return made;
}
const drill = async (options: Omit<DrillOnce, 'root'>) => drillOnce({ root: join(base, 'scratch'), ...options });
const drillPlace = async ({ store, key }: Place, options: Partial<DrillOnce> = {}) => drill({ directory: store, keyFile: key?.file ?? null, now: morning, ...options });

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

describe('each fault is told by its own code', () => {
  const score = { applied: 0, killed: 0 };
  // Side by side: a drill waits for its server more than it works.
  test.concurrent.for(faults.map((fault) => ({ title: [fault.number, fault.name].filter((part) => part !== null).join(' '), fault })))('$title', async ({ fault }, { expect }) => {
    const options = await applyFault(fault, directory());
    score.applied += 1;
    const { codes, verdict, steps } = await drill(options);
    expect({ codes, verdict }).toStrictEqual({ codes: fault.codes, verdict: fault.verdict });
    const said = [...steps.values()].flatMap(({ findings }) => findings.map(({ message, hint }) => `${message}\n${hint}`)).join('\n');
    expect(said).toMatch(fault.says ?? /(?:)/);
    score.killed += 1;
  });

  test('mutation score', () => {
    process.stdout.write(`mutation score: ${score.killed} of ${score.applied} faults killed\n`);
    expect(score.applied).toBeGreaterThan(0);
    expect(score.killed).toBe(score.applied);
  });
});

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
