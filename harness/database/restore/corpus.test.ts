// The corpus through psql and through the restore: the same bytes in a fresh pg_dump. A few variants on two majors; all
// variants on all servers are in corpus.long.test.ts.
import { afterAll, beforeAll, expect } from 'vitest';
import { wholeCorpus } from '../../../fixtures/corpus/load.ts';
import { needing } from '../../../fixtures/tools.ts';
import { openBoth, unforeseen, type Both } from '../../../fixtures/corpus/both.ts';

const needs = needing('embedded Postgres 15', 'embedded Postgres 18', 'psql18', 'pg_dump15', 'pg_dump18');
needs.describe('the corpus through psql and through the restore', () => {
  const servers = new Map<number, Both>();
  beforeAll(async () => {
    for (const major of [15, 18] as const) servers.set(major, await openBoth(major, { psql: needs.path('psql18'), pgDump: needs.path(`pg_dump${major}`), yardstick: needs.path('pg_dump18') }));
  }, 60_000);
  afterAll(async () => {
    for (const both of servers.values()) await both.close();
  }, 60_000);

  for (const [major, args] of [
    [15, []],
    [15, ['--create', '--clean', '--if-exists']],
    [18, []],
    [18, ['--clean', '--no-owner', '--rows-per-insert=7']],
    [18, ['--create', '--quote-all-identifiers']],
  ] as const) {
    needs.test(`pg_dump ${[...args, `of ${major}`].join(' ')}`, async () => {
      const both = servers.get(major) as Both;
      const dump = await both.dump(wholeCorpus, { args });
      const { inventory, findings, psqlErrors, difference, fromSource, bytes } = await both.restore(dump, wholeCorpus, (args as readonly string[]).includes('--no-owner') ? { owner: 'postgres' } : {});
      expect({ unknown: inventory.unknown.places, findings, psqlErrors: unforeseen(psqlErrors, args), difference, fromSource }).toEqual({ unknown: [], findings: [], psqlErrors: [], difference: null, fromSource: null });
      expect(bytes).toBeGreaterThan(5_000_000);
    }, 60_000);
  }
});
