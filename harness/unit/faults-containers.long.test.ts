// The fault catalogue again, with the server in a container: what a drill says of a backup must not hang on what carries it.
import { expect, test, vi } from 'vitest';
import { faults, layHealthy } from '../../fixtures/faults.ts';
import { faultground, killsAll } from '../../fixtures/faults-contract.ts';
import { needing, postgresImage } from '../../fixtures/tools.ts';

vi.setConfig({ maxConcurrency: 3, testTimeout: 120_000 });

needing('container engine', 'image of Postgres 18').describe('in containers', () => {
  const ground = faultground((config) => ({ ...config, runtime: 'containers', images: { ...config.images, postgres: postgresImage } }));

  test('the healthy unit is verified, in a container', async () => {
    const drilled = await ground.drillPlace(await layHealthy(ground.directory()));
    expect(drilled).toMatchObject({ codes: [], asides: [], verdict: 'verified' });
    expect(drilled.steps.get('database.server')?.evidence).toMatchObject({ runtime: 'containers' });
  });

  // What speaks of the embedded packages has nothing to say here.
  const carried = faults.filter(({ codes }) => !codes.includes('server.major-unavailable'));
  test('all but the faults of the embedded packages', () => expect(faults.length - carried.length).toBe(1));
  killsAll(carried, ground);
});
