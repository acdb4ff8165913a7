// The door for an operator's own checks: files `checks/*.check.ts`, run in every drill against what was restored.
import pg from 'pg';
import { test } from 'vitest';
import { findRestored } from './suite/restored.ts';

export { expect } from 'vitest';

export interface CheckNeeds {
  /** The restored database; checks of a store or of a dump alone come with those commands. */
  readonly needs: 'restored';
}

export interface CheckFixtures {
  /** Logged in to the restored database, read-only. A statement may take ten minutes. */
  readonly db: pg.Client;
  /** The run's clock, in UTC: a rehearsal's is shifted. */
  readonly now: Date;
}

const statementTimeoutMs = 600_000;

/**
 * Gives the test function for one check file. Each of its tests becomes a step of the run; one that asserts nothing is
 * errored, and where nothing was restored all are skipped, which is no pass.
 */
export function defineCheck(options: CheckNeeds) {
  if ((options.needs as string) !== 'restored') throw new TypeError(`a check cannot need '${options.needs}': write needs: 'restored'`);
  return test
    .extend('place', { auto: true }, ({ skip }) => findRestored() ?? skip('nothing was restored'))
    .extend('now', ({ place }): CheckFixtures['now'] => place.now())
    .extend('db', async ({ place }, { onCleanup }): Promise<CheckFixtures['db']> => {
      const client = new pg.Client({ ...place.reader, statement_timeout: statementTimeoutMs, application_name: 'check' });
      onCleanup(async () => client.end());
      await client.connect();
      return client;
    });
}
