// Every major that the npm packages bring, on this machine: each starts, and a dump of 15 is drilled on its own.
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, expect } from 'vitest';
import { CommandPlace } from '../../fixtures/command.ts';
import { makeSet } from '../../fixtures/sample/make.ts';
import { needing } from '../../fixtures/tools.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { startEmbedded } from './embedded.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'majors-')));
chmodSync(base, 0o755);
afterAll(() => rmSync(base, { recursive: true, force: true }));
const { signal } = new AbortController();

for (const major of [13, 14, 15, 16, 17, 18] as const) {
  needing(`embedded Postgres ${major}`).test(`embedded Postgres ${major} starts, says that it is that, and goes`, async () => {
    const scratch = openScratch({ root: base, runId: `m${major}` });
    const server = await startEmbedded({ scratch, major, signal });
    const client = new Client({ ...server.admin });
    await client.connect();
    const { rows } = await client.query<{ major: number }>("SELECT current_setting('server_version_num')::int / 10000 AS major");
    await client.end();
    expect(rows).toEqual([{ major }]);
    expect((await teardown(scratch.path)).findings).toEqual([]);
  }, 60_000);
}

const needs = needing('embedded Postgres 15', 'pg_dump15', 'psql18');
needs.test('a dump of 15 is verified on the embedded 15', async () => {
  const here = new CommandPlace(join(base, 'drill'), true);
  const made = await makeSet({ psql: needs.path('psql18'), pgDump: needs.path('pg_dump15'), messages: 300, start: async (scratch) => startEmbedded({ scratch, major: 15, signal }) });
  mkdirSync(here.store, { recursive: true });
  writeFileSync(join(here.store, `db-${made.id}.sql.gz`), made.dump);
  writeFileSync(join(here.store, `db-${made.id}.manifest.json`), made.manifest);
  here.configure();
  const { code, stdout } = await here.drill(['--runtime', 'embedded']).ended;
  expect(code, stdout).toBe(0);
  expect(stdout).toContain('the configuration says embedded');
  expect(here.records().at(-1)?.steps.find((step) => step.id === 'database.server')?.evidence).toMatchObject({ runtime: 'embedded', version: expect.stringMatching(/^15\./) as string });
  here.expectNothingLeft();
}, 120_000);
