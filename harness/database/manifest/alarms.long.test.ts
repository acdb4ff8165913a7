// No false alarm: a healthy dump of everything, restored on its own major and on every newer one, differs in nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { loadCorpus, prepareCorpus } from '../../../fixtures/corpus/load.ts';
import { needing, type Need, type ToolName } from '../../../fixtures/tools.ts';
import { openScratch, type Scratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { startEmbedded } from '../../servers/embedded.ts';
import type { Login } from '../../servers/postgres.ts';
import { program, query } from '../restore/rig.ts';
import { compareManifests } from './compare.ts';
import type { Manifest } from './manifest.ts';
import { sceneOn } from './scene.ts';

const majors = [13, 14, 15, 16, 17, 18] as const;
/** As near as can be had: a newer pg_dump writes options of subscriptions that an older server does not know. */
const dumper = (major: number): ToolName => `pg_dump${Math.max(major, 15)}` as ToolName;
const needs = needing('psql18', ...new Set(majors.map(dumper)), ...majors.map((major): Need => `embedded Postgres ${major}`));

/** What pg_dump writes and no psql brings back: a language whose handler is the system's own, slots of names that no slot may have. */
const unrestorable = `
  DROP FUNCTION app.in_language(); DROP LANGUAGE "like plpgsql";
  DO $$ DECLARE s text; BEGIN
    FOR s IN SELECT subname FROM pg_subscription WHERE subname ~ ';' LOOP
      EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', s); EXECUTE format('DROP SUBSCRIPTION %I', s);
    END LOOP;
  END $$`;
/** What psql, a superuser, may not see under FORCE ROW LEVEL SECURITY, and the restore of a drill does as the view's owner. */
const refreshed = 'REFRESH MATERIALIZED VIEW app.mv; REFRESH MATERIALIZED VIEW app.mv_of_mv';

needs.describe('the whole corpus, dumped and restored', () => {
  let scratch: Scratch;
  const places = new Map<number, { readonly superuser: Login; readonly manifest: Manifest; readonly dump: string }>();
  const at = (major: number) => places.get(major)!;
  const sceneOf = (superuser: Login) => sceneOn(superuser, async () => {});

  beforeAll(async () => {
    scratch = openScratch({ root: tmpdir(), runId: `alarms-${process.pid}` });
    for (const major of majors) {
      const superuser = await prepareCorpus(await startEmbedded({ scratch, major, signal: new AbortController().signal }));
      const login = await loadCorpus(superuser, major, { name: 'corpus', encoding: 'UTF8' });
      await query(login, unrestorable);
      const dump = join(scratch.work, `${major}.sql`);
      await program(needs.path(dumper(major)), login, ['--create', `--file=${dump}`]);
      // No server before 15 knows that there are other providers.
      if (major < 15) writeFileSync(dump, readFileSync(dump, 'utf8').replace(' LOCALE_PROVIDER = libc', ''));
      places.set(major, { superuser, dump, manifest: await sceneOf(superuser).manifest('corpus') });
      // Its place is the restored one's.
      await query(superuser, 'ALTER DATABASE corpus RENAME TO original');
    }
  }, 120_000);
  afterAll(async () => {
    expect((await teardown(scratch.path)).findings).toEqual([]);
  }, 60_000);

  for (const from of majors) {
    for (const to of majors.filter((major) => major >= from)) {
      needs.test(`from ${from} to ${to}`, async () => {
        const { superuser } = at(to);
        const restored = { ...superuser, database: 'corpus' };
        await program(needs.path('psql18'), { ...superuser, database: 'postgres' }, ['-Xq', '-f', at(from).dump]);
        try {
          // pg_dump 15 takes for granted that nobody may create in public.
          await query(restored, to < 15 ? `${refreshed}; REVOKE CREATE ON SCHEMA public FROM PUBLIC` : refreshed);
          const { findings } = compareManifests(at(from).manifest, await sceneOf(superuser).rows('corpus'), { sequences: 'exact', database: 'brought' });
          // An extension comes in the version that the newer server has.
          const expected = findings.filter(({ code }) => from === to || code !== 'compare.extension-version-differs');
          expect(expected.map(({ code, facts }) => ({ code, facts }))).toEqual(from === to ? [] : [{ code: 'compare.major-differs', facts: { manifestMajor: from, serverMajor: to } }]);
        } finally {
          for (const { subname } of await query(restored, 'SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())')) {
            await query(restored, `ALTER SUBSCRIPTION "${String(subname)}" SET (slot_name = NONE)`);
            await query(restored, `DROP SUBSCRIPTION "${String(subname)}"`);
          }
          await query(superuser, 'DROP DATABASE corpus WITH (FORCE)');
        }
      }, 60_000);
    }
  }
});
