// Which statements may run beside others, and on what. Whatever is not understood to the letter is a barrier.
import { describe, expect, test } from 'vitest';
import { besideOf, copiedTable, mayComeEarly } from './beside.ts';

const of = (sql: string) => {
  const beside = besideOf(Buffer.from(sql));
  if (beside === null) return null;
  const part = ({ sql: text, shares, owns }: (typeof beside)['whole']) => ({ sql: text.toString(), shares, owns });
  return { ...beside, whole: part(beside.whole), pieces: beside.pieces?.map(part) ?? null };
};

describe('an index', () => {
  test('leaves its table to other indexes', () => {
    const sql = 'CREATE UNIQUE INDEX "a b" ON public."T""x" USING btree (lower(name), ((at)::date) DESC NULLS LAST) INCLUDE (id) WITH (fillfactor=\'70\') WHERE (deleted IS NULL);';
    expect(of(sql)).toEqual({ whole: { sql, shares: ['"public"."T""x"'], owns: [] }, pieces: null, tables: ['"public"."T""x"'], types: [] });
  });
  test('names the types that a literal in it is cast to', () => {
    expect(of("CREATE INDEX i ON public.t USING btree (id) WHERE (status <> 'a.b(c)'::public.status);")?.types).toEqual(['"public"."status"']);
    expect(of("CREATE INDEX i ON public.t USING btree (id) WHERE (status = ANY (ARRAY['a'::app.\"My Type\", 'b'::app.\"My Type\"]));")?.types).toEqual(['"app"."My Type"', '"app"."My Type"']);
  });
  test.each([
    ['calls a function of the dump', 'CREATE INDEX i ON public.t USING btree (public.f(name));'],
    ['calls one by quoted names', 'CREATE INDEX i ON public.t USING btree ("public"."f"(name));'],
    ['casts a column to a type of the dump', 'CREATE INDEX i ON public.t USING btree (((name)::public.folded));'],
    ['uses an operator of the dump', 'CREATE INDEX i ON public.t USING btree (id) WHERE (a OPERATOR(public.===) b);'],
    ['names an operator class of the dump', 'CREATE INDEX i ON public.t USING btree (id public.by_size);'],
    ['has a literal with escapes', "CREATE INDEX i ON public.t USING btree (id) WHERE (a = E'\\'public.f()');"],
    ['has a dollar quote', 'CREATE INDEX i ON public.t USING btree (id) WHERE (a = $$x$$);'],
    ['is of a partitioned table alone', 'CREATE INDEX i ON ONLY public.t USING btree (id);'],
    ['names no schema', 'CREATE INDEX i ON t USING btree (id);'],
    ['takes no lock', 'CREATE INDEX CONCURRENTLY i ON public.t USING btree (id);'],
    ['is followed by something', 'CREATE INDEX i ON public.t USING btree (id); DROP TABLE public.u'],
  ])('is a barrier where it %s', (_, sql) => {
    expect(of(sql)).toBeNull();
  });
  test('is a barrier where its name is no UTF-8', () => {
    expect(besideOf(Buffer.from('CREATE INDEX i ON public.t\xe9 USING btree (id);', 'latin1'))).toBeNull();
  });
});

describe('a key', () => {
  test.each(['PRIMARY KEY', 'UNIQUE'])('%s is an index that its table then takes over', (what) => {
    expect(of(`ALTER TABLE ONLY public.t\n    ADD CONSTRAINT "t key" ${what} (id, "Part");`)?.pieces).toEqual([
      { sql: 'CREATE UNIQUE INDEX "t key" ON public.t USING btree (id, "Part");', shares: ['"public"."t"'], owns: [] },
      { sql: `ALTER TABLE ONLY public.t ADD CONSTRAINT "t key" ${what} USING INDEX "t key";`, shares: [], owns: ['"public"."t"'] },
    ]);
  });
  test.each(['PRIMARY KEY (id) INCLUDE (a)', 'UNIQUE NULLS NOT DISTINCT (id)', 'UNIQUE (id) DEFERRABLE', 'PRIMARY KEY (id, during WITHOUT OVERLAPS)', 'EXCLUDE USING gist (during WITH &&)', 'CHECK ((id > 0))', 'PRIMARY KEY (id) USING INDEX TABLESPACE x'])('%s is a barrier', (what) => {
    expect(of(`ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_key ${what};`)).toBeNull();
  });
});

describe('a reference', () => {
  test('is made first and checked then, while the parent is open to others', () => {
    const sql = 'ALTER TABLE ONLY public.child\n    ADD CONSTRAINT "fk 1" FOREIGN KEY (a, b) REFERENCES app.parent(x, y) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED';
    expect(of(`${sql};`)).toMatchObject({
      whole: { owns: ['"public"."child"', '"app"."parent"'] },
      pieces: [
        { sql: `${sql} NOT VALID;`, shares: [], owns: ['"public"."child"', '"app"."parent"'] },
        { sql: 'ALTER TABLE ONLY public.child VALIDATE CONSTRAINT "fk 1";', shares: ['"app"."parent"'], owns: ['"public"."child"'] },
      ],
    });
  });
  test('to its own table is made at once', () => {
    expect(of('ALTER TABLE ONLY public.t ADD CONSTRAINT fk FOREIGN KEY (up) REFERENCES public.t(id);')).toMatchObject({ pieces: null, whole: { owns: ['"public"."t"', '"public"."t"'] } });
  });
  test.each(['NOT VALID', 'ON DELETE SET NULL (a)', 'NOT ENFORCED'])('with %s is a barrier', (how) => {
    expect(of(`ALTER TABLE ONLY public.t ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES public.u(id) ${how};`)).toBeNull();
  });
  test('of a partitioned table is a barrier', () => {
    expect(of('ALTER TABLE public.t ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES public.u(id);')).toBeNull();
  });
});

test('a trigger owns its table, one with a condition or of some columns is a barrier', () => {
  expect(of("CREATE TRIGGER a BEFORE INSERT OR UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION public.f('x', 'y');")).toMatchObject({ whole: { owns: ['"public"."t"'], shares: [] }, tables: ['"public"."t"'] });
  expect(of('CREATE TRIGGER a BEFORE UPDATE ON public.t FOR EACH ROW WHEN ((public.f(new.*))) EXECUTE FUNCTION public.f();')).toBeNull();
  expect(of('CREATE CONSTRAINT TRIGGER a AFTER UPDATE ON public.t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION public.f();')).toBeNull();
});

test('a sequence is set beside all else, by a number alone', () => {
  expect(of("SELECT pg_catalog.setval('public.\"T_seq\"', 42, true);")).toMatchObject({ whole: { owns: ['"public"."T_seq"'] }, tables: [] });
  expect(of("SELECT pg_catalog.setval('public.t_seq', public.f(), true);")).toBeNull();
});

test('rows may go anywhere where a COPY names table and columns, and nothing else', () => {
  const table = (sql: string) => copiedTable(Buffer.from(sql));
  expect(table('COPY public."T" (id, "Body") FROM stdin;')).toBe('"public"."T"');
  for (const sql of ['COPY t (id) FROM stdin;', 'COPY public.t FROM stdin;', "COPY public.t (id) FROM stdin WITH (FORMAT csv);", 'COPY public.t (id) FROM stdin WHERE id > 1;']) expect(table(sql), sql).toBeNull();
});

test('what comes early is an index or a key', () => {
  expect(['CREATE INDEX', 'CREATE UNIQUE INDEX', 'ALTER TABLE … ADD CONSTRAINT PRIMARY KEY', 'ALTER TABLE … ADD CONSTRAINT UNIQUE', 'ALTER TABLE … ADD CONSTRAINT FOREIGN KEY', 'CREATE TRIGGER', 'SELECT setval'].map(mayComeEarly)).toEqual([true, true, true, true, false, false, false]);
});
