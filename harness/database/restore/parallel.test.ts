// Several sessions leave what one leaves, whatever runs first; and what cannot be taken apart is not.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBoth, type Both } from '../../../fixtures/corpus/both.ts';
import { wholeCorpus } from '../../../fixtures/corpus/load.ts';
import { Random } from '../../../fixtures/random.ts';
import { needing } from '../../../fixtures/tools.ts';
import { items, openRig, query, type RestoreOptions, type Rig } from './rig.ts';

/** Everything that can run beside others does, in an order of chance. */
const anyOrder = (sessions: number, seed: number) => {
  const random = new Random(seed);
  return { earlyBytes: 0, policy: { sessions, divideBytes: 0, choose: (among: number) => random.between(0, among - 1) } };
};

const needs = needing('embedded Postgres 15', 'embedded Postgres 18', 'psql18', 'pg_dump15', 'pg_dump18');
needs.describe('the corpus by several sessions', () => {
  const servers = new Map<number, Both>();
  beforeAll(async () => {
    for (const major of [15, 18] as const) servers.set(major, await openBoth(major, { psql: needs.path('psql18'), pgDump: needs.path(`pg_dump${major}`), yardstick: needs.path('pg_dump18') }));
  }, 60_000);
  afterAll(async () => {
    for (const both of servers.values()) await both.close();
  }, 60_000);

  for (const [major, sessions] of [[15, 1], [18, 2], [15, 3], [18, 8]] as const) {
    needs.test(`${sessions} of them on ${major}`, async () => {
      const both = servers.get(major) as Both;
      const dump = await both.dump(wholeCorpus, { args: [] });
      const { findings, difference, parallel } = await both.restore(dump, wholeCorpus, anyOrder(sessions, sessions));
      expect({ findings, difference }).toEqual({ findings: [], difference: null });
      expect(parallel).toMatchObject({ sessions });
      expect(parallel?.beside).toBeGreaterThan(30);
      expect(parallel?.ahead).toBeGreaterThan(10);
    }, 60_000);
  }
});

describe('a dump of our own hand', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig();
  }, 60_000);
  afterAll(async () => {
    await rig.close();
  }, 60_000);

  const head = "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);\nSET check_function_bodies = false;\n";
  const rows = (from: number, to: number, row: (at: number) => string): string => Array.from({ length: to - from + 1 }, (_, at) => `${row(from + at)}\n`).join('');
  const copy = (table: string, columns: string, text: string): string => `COPY public.${table} (${columns}) FROM stdin;\n${text}\\.\n`;
  let made = 0;
  const write = (sql: string, before = head): string => rig.dump(`parallel-${made++}`, before + sql);
  const restored = (sql: string, options: RestoreOptions, before = head) => rig.restore(write(sql, before), options);

  const two = `CREATE TABLE public.a (id integer NOT NULL, body text);\nCREATE TABLE public.b (id integer NOT NULL, a integer);\n${copy('a', 'id, body', rows(1, 30_000, (at) => `${at}\t${'x'.repeat(100)}`))}${copy('b', 'id, a', rows(1, 1000, (at) => `${at}\t${at}`))}`
    + "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT a_pkey PRIMARY KEY (id);\nALTER TABLE ONLY public.b\n    ADD CONSTRAINT b_pkey PRIMARY KEY (id);\nCREATE INDEX a_body ON public.a USING btree (body);\nCOMMENT ON INDEX public.a_body IS 'of a';\nALTER TABLE ONLY public.b\n    ADD CONSTRAINT b_a_fkey FOREIGN KEY (a) REFERENCES public.a(id);\n";

  test.each([1, 2, 3, 8])('by %i sessions, ends as it ends by one', async (sessions) => {
    const { admin, evidence } = await restored(two, anyOrder(sessions, sessions));
    expect(evidence.parallel).toEqual({ sessions, atOnce: Math.min(sessions, evidence.parallel.atOnce), beside: 4, ahead: 3, divided: sessions === 1 ? 0 : evidence.parallel.divided });
    expect(await query(admin, `SELECT (SELECT count(*)::int FROM public.a) AS a, (SELECT count(DISTINCT id)::int FROM public.a) AS ids, (SELECT count(*)::int FROM public.b) AS b,
      (SELECT string_agg(pg_get_constraintdef(oid), '; ' ORDER BY conname COLLATE "C") FROM pg_constraint WHERE contype <> 'n' AND oid >= 16384) AS keys, (SELECT bool_and(convalidated) FROM pg_constraint WHERE oid >= 16384) AS valid,
      (SELECT bool_and(indisvalid AND indisready) FROM pg_index) AS whole, obj_description('public.a_body'::regclass, 'pg_class') AS comment`)).toEqual([
      { a: 30_000, ids: 30_000, b: 1000, keys: 'PRIMARY KEY (id); FOREIGN KEY (a) REFERENCES public.a(id); PRIMARY KEY (id)', valid: true, whole: true, comment: 'of a' },
    ]);
  });

  test.each([1, 2, 3, 8])('a table of many megabytes goes over all of %i sessions', async (sessions) => {
    const wide = copy('w', 'id, body', rows(1, 20_000, (at) => `${at}\t${'w'.repeat(1000)}`));
    const { evidence, admin } = await restored(`CREATE TABLE public.w (id integer, body text);\n${wide}`, { policy: { sessions, divideBytes: 0 } });
    expect(evidence.parallel).toEqual({ sessions, atOnce: sessions, beside: 0, ahead: 0, divided: sessions === 1 ? 0 : 1 });
    expect(await query(admin, 'SELECT count(*)::int AS n, count(DISTINCT id)::int AS ids FROM public.w')).toEqual([{ n: 20_000, ids: 20_000 }]);
  });

  test('a row that does not fit is named by its place in the dump, whichever session it went to', async () => {
    const bad = 15_000;
    const text = rows(1, 20_000, (at) => `${at === bad ? 'none' : at}\t${'w'.repeat(1000)}`);
    const findings = await rig.findings(write(`CREATE TABLE public.w (id integer, body text);\n${copy('w', 'id, body', text)}`), anyOrder(3, 7));
    expect(findings).toMatchObject([{ code: 'restore.statement-failed', facts: { object: 'public.w', copyRow: bad, line: 6 + bad } }]);
  });

  test('a reference to a row that is not there is one finding, as it is by one session', async () => {
    const sql = two.replace('\n999\t999\n', '\n999\t77777\n');
    for (const seed of [1, 2, 3, 4]) expect(await rig.findings(write(sql), anyOrder(3, seed))).toMatchObject([{ code: 'restore.constraint-violated', facts: { constraint: 'b_a_fkey', table: 'b' } }]);
  });

  test('a key that two rows share is one finding', async () => {
    const sql = two.replace('\n999\t999\n', '\n998\t999\n');
    for (const seed of [1, 2, 3, 4]) expect(await rig.findings(write(sql), anyOrder(3, seed))).toMatchObject([{ code: 'restore.constraint-violated', facts: { constraint: 'b_pkey' } }]);
  });

  test('a session that is ended in mid-COPY is a finding, never a short table', async () => {
    const file = write(`CREATE TABLE public.w (id integer, body text);\n${copy('w', 'id, body', rows(1, 40_000, (at) => `${at}\t${'w'.repeat(1000)}`))}`);
    let killed: unknown;
    const killing = async function* () {
      let batches = 0;
      for await (const batch of items(file)) {
        batches += 1;
        // The youngest of the two that copy: the one that helps.
        if (batches === 100) killed = await query(rig.target.admin, "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE query LIKE 'COPY public.w%' ORDER BY backend_start DESC LIMIT 1");
        yield batch;
      }
    };
    let first = true;
    const findings = await rig.findings(file, { policy: { sessions: 2, divideBytes: 0 }, items: () => {
      if (!first) return killing();
      first = false;
      return items(file);
    } });
    expect(killed).toEqual([{ ended: true }]);
    expect(findings).toMatchObject([{ code: 'restore.server-died' }]);
  });

  describe('what must keep its order does', () => {
    const both = (before: string, more = ''): string => `${before}${copy('a', 'id', rows(1, 5000, String))}${copy('b', 'id', rows(1, 5000, String))}${more}`;
    const first = 'CREATE TABLE public.a (id integer);\n';
    const looks = "CREATE FUNCTION public.known(integer) RETURNS boolean LANGUAGE sql AS $_$ SELECT EXISTS (SELECT FROM public.a WHERE id = $1 AND (SELECT count(*) = 5000 FROM public.a)) $_$;\n";
    test.each([
      ['a CHECK that looks at another table', `${first}${looks}CREATE TABLE public.b (id integer, CONSTRAINT c CHECK (public.known(id)));\n`],
      ['a domain that does', `${first}${looks}CREATE DOMAIN public.known_id AS integer CONSTRAINT c CHECK (public.known(VALUE));\nCREATE TABLE public.b (id public.known_id);\n`],
      ['an array of such a domain, and another domain over it', `${first}${looks}CREATE DOMAIN public.known_id AS integer CONSTRAINT c CHECK (public.known(VALUE));\nCREATE DOMAIN public.same AS public.known_id;\nCREATE TABLE public.b (id public.same);\n`],
      ['a default that does', `${first}CREATE FUNCTION public.many() RETURNS bigint LANGUAGE sql AS $_$ SELECT 1 / (SELECT (count(*) = 5000)::integer FROM public.a) $_$;\nCREATE TABLE public.b (id integer, n bigint DEFAULT public.many());\n`],
      ['a trigger that does', `${first}CREATE TABLE public.b (id integer);\n${looks}CREATE FUNCTION public.t() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN IF NOT public.known(new.id) THEN RAISE 'unknown'; END IF; RETURN new; END $_$;\nCREATE TRIGGER t BEFORE INSERT ON public.b FOR EACH ROW EXECUTE FUNCTION public.t();\n`],
      ['a generated column that does', `${first}CREATE FUNCTION public.many(integer) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $_$ BEGIN RETURN 1 / (SELECT (count(*) = 5000)::integer FROM public.a); END $_$;\nCREATE TABLE public.b (id integer, n bigint GENERATED ALWAYS AS (public.many(id)) STORED);\n`],
    ])('%s', async (_, before) => {
      for (const seed of [1, 2, 3]) {
        const { admin, evidence } = await restored(both(before), anyOrder(3, seed));
        expect(await query(admin, 'SELECT count(*)::int AS n FROM public.b')).toEqual([{ n: 5000 }]);
        expect(evidence.parallel.divided).toBeLessThanOrEqual(1); // a alone
      }
    });

    test('an index by a function that looks at another table comes after that table, in its place', async () => {
      const sql = both(`${first}CREATE TABLE public.b (id integer);\nCREATE FUNCTION public.of_b(integer) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $_$ BEGIN RETURN (SELECT count(*) FROM (SELECT FROM public.b LIMIT 1) one); END $_$;\n`, 'CREATE INDEX a_of_b ON public.a USING btree (public.of_b(id));\nCREATE INDEX b_id ON public.b USING btree (id);\n');
      for (const seed of [1, 2, 3]) {
        const { admin, evidence } = await restored(sql, anyOrder(3, seed));
        expect(evidence.parallel).toMatchObject({ beside: 1, ahead: 1 });
        expect(await query(admin, 'SET enable_seqscan = off; SELECT count(*)::int AS n FROM public.a WHERE public.of_b(id) = 1')).toEqual([{ n: 5000 }]);
      }
    });

    test('rows for a table that has some already, and what is built upon them', async () => {
      const sql = `CREATE TABLE public.a (id integer NOT NULL);\n${copy('a', 'id', rows(1, 3000, String))}${copy('a', 'id', rows(3001, 6000, String))}ALTER TABLE ONLY public.a\n    ADD CONSTRAINT a_pkey PRIMARY KEY (id);\n`;
      const { admin, evidence } = await restored(sql, anyOrder(3, 1));
      expect(evidence.parallel).toMatchObject({ beside: 1, ahead: 0 });
      expect(await query(admin, 'SELECT count(*)::int AS n FROM public.a')).toEqual([{ n: 6000 }]);
    });

    test.each([
      ['another search_path', head.replace("'search_path', ''", "'search_path', 'public'")],
      ['a setting of one session', `${head}SET SESSION work_mem = '5MB';\n`],
      ['no search_path', head.replace(/SELECT .*\n/, '')],
    ])('under %s nothing runs beside anything', async (_, before) => {
      const { evidence } = await restored(two, anyOrder(3, 1), before);
      expect(evidence.parallel).toEqual({ sessions: 3, atOnce: 0, beside: 0, ahead: 0, divided: 0 });
    });

    test('a transaction of the dump is one session\'s', async () => {
      const { evidence, admin } = await restored(`CREATE TABLE public.a (id integer);\nBEGIN;\n${copy('a', 'id', rows(1, 5000, String))}COMMIT;\n`, anyOrder(3, 1));
      expect(evidence.parallel.atOnce).toBe(0);
      expect(await query(admin, 'SELECT count(*)::int AS n FROM public.a')).toEqual([{ n: 5000 }]);
    });
  });

  test('an index whose text changed between inspection and restore is noticed', async () => {
    const file = write(two);
    const other = write(two.replace('a_body ON public.a USING btree (body)', 'a_body ON public.a USING hash  (body)'));
    expect(await rig.findings(file, { ...anyOrder(2, 1), items: () => items(other) })).toMatchObject([{ code: 'restore.dump-changed' }]);
  });
});
