// Fifty restores of the corpus, each in an order of its own chance: the same bytes as psql leaves, whatever runs first.
import { afterAll, beforeAll, expect } from 'vitest';
import { openBoth, type Both } from '../../../fixtures/corpus/both.ts';
import { wholeCorpus } from '../../../fixtures/corpus/load.ts';
import { mainVariants } from '../../../fixtures/corpus/variants.ts';
import { Random } from '../../../fixtures/random.ts';
import { needing } from '../../../fixtures/tools.ts';

const needs = needing('embedded Postgres 15', 'embedded Postgres 18', 'psql18', 'pg_dump15', 'pg_dump18');
needs.describe('the corpus in any order', () => {
  const seed = Number(process.env['BACKUP_DRILLS_SEED'] ?? Date.now() % 1_000_000);
  const random = new Random(seed);
  const servers = new Map<number, Both>();
  const dumps = new Map<string, Buffer>();
  beforeAll(async () => {
    for (const major of [15, 18] as const) servers.set(major, await openBoth(major, { psql: needs.path('psql18'), pgDump: needs.path(`pg_dump${major}`), yardstick: needs.path('pg_dump18') }));
  }, 60_000);
  afterAll(async () => {
    for (const both of servers.values()) await both.close();
  }, 60_000);

  // --create has its database under its own name, which is the source's: that is told apart in corpus.long.test.ts.
  const variants = mainVariants.filter(({ args, since = 13 }) => since <= 15 && !args.some((arg) => /^--(?:create|no-owner|clean)/.test(arg)));
  for (let run = 1; run <= 50; run += 1) {
    needs.test(`run ${run} of BACKUP_DRILLS_SEED=${seed}`, async () => {
      const major = random.pick([15, 18]);
      const both = servers.get(major) as Both;
      const variant = random.pick(variants);
      const name = `${major} ${JSON.stringify(variant)}`;
      const dump = dumps.get(name) ?? (await both.dump(wholeCorpus, variant));
      dumps.set(name, dump);
      const sessions = random.pick([1, 2, 3, 8]);
      const { findings, difference } = await both.restore(dump, wholeCorpus, {
        earlyBytes: random.pick([0, 10_000]),
        policy: { sessions, divideBytes: random.pick([0, 10_000, 2 ** 20]), choose: (among) => random.between(0, among - 1) },
      });
      expect({ findings, difference, major, variant, sessions }).toEqual({ findings: [], difference: null, major, variant, sessions });
    }, 60_000);
  }
});
