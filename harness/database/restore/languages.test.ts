// A language whose code does on its server's machine what the server's user may, where there is one: in a container.
import { afterAll, beforeAll, expect } from 'vitest';
import { startInContainer } from '../../../fixtures/containers.ts';
import { dumpCorpus } from '../../../fixtures/corpus/variants.ts';
import { needing } from '../../../fixtures/tools.ts';
import { tmpdir } from 'node:os';
import { openScratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { openRig, query, type Rig } from './rig.ts';

const needs = needing('container engine', 'image of Postgres 15', 'pg_dump15');
needs.describe('an untrusted language', () => {
  const scratch = openScratch({ root: tmpdir(), runId: `languages-${process.pid}` });
  let rig: Rig;
  let dump: Buffer;
  beforeAll(async () => {
    rig = await openRig();
    const { admin } = await startInContainer(scratch, 15);
    await query(admin, `CREATE ROLE wa; CREATE EXTENSION plperlu; CREATE EXTENSION plperl;
      CREATE FUNCTION f(integer) RETURNS integer LANGUAGE plperlu AS $$ return $_[0] + length(\`id -u\`); $$; ALTER FUNCTION f(integer) OWNER TO wa;
      CREATE FUNCTION g() RETURNS text LANGUAGE plperl AS $$ return 'trusted'; $$; ALTER FUNCTION g() OWNER TO wa;
      CREATE TABLE t (a integer CHECK (f(a) > 0)); ALTER TABLE t OWNER TO wa; INSERT INTO t VALUES (1)`);
    dump = await dumpCorpus(needs.path('pg_dump15'), admin, { args: [] });
  }, 120_000);
  afterAll(async () => {
    expect((await teardown(scratch.path)).findings).toEqual([]);
    await rig.close();
  }, 60_000);

  needs.test('comes back in a container of its image, and what it says is said there', async () => {
    const server = await startInContainer(scratch, 15);
    const { admin } = await rig.restore(rig.dump('perl', dump), { server });
    expect(await query(admin, "SELECT public.f(1) > 1 AS ran, public.g(), (SELECT array_agg(lanname::text ORDER BY lanname) FROM pg_language WHERE lanname ~ 'perl') AS languages, pg_get_userbyid(proowner) AS owner FROM pg_proc WHERE proname = 'f'"))
      .toEqual([{ ran: true, g: 'trusted', languages: ['plperl', 'plperlu'], owner: 'wa' }]);
  }, 120_000);

  needs.test('is refused by name on this host, before anything runs', async () => {
    expect(await rig.findings(rig.dump('perl-here', dump))).toMatchObject([{ code: 'restore.untrusted-code', judged: false, facts: { what: ['the language plperlu'] } }, { code: 'restore.extension-unavailable' }]);
  }, 120_000);
});
