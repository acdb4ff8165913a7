import { expect, test } from 'vitest';
import { settledWording } from './wording.ts';

// As a server words it first, and once it has read that back.
const pairs: Readonly<Record<string, readonly [string, string]>> = {
  'a list of a varchar': [
    `CHECK (((v)::text = ANY ((ARRAY['a'::character varying, 'b''c'::character varying, '(y]'::character varying])::text[])))`,
    `CHECK (((v)::text = ANY (ARRAY[('a'::character varying)::text, ('b''c'::character varying)::text, ('(y]'::character varying)::text])))`,
  ],
  'numbers of another type': ['CHECK ((n = ANY ((ARRAY[1, 2])::numeric(10,2)[])))', 'CHECK ((n = ANY (ARRAY[(1)::numeric(10,2), (2)::numeric(10,2)])))'],
  'a type with an odd name': [`(ARRAY['a'::text])::public."My [type]"[]`, `ARRAY[('a'::text)::public."My [type]"]`],
  'an array of arrays': [`(ARRAY[ARRAY['a'::character varying], ARRAY[v, 'c'::character varying]])::text[]`, `ARRAY[ARRAY[('a'::character varying)::text], ARRAY[(v)::text, ('c'::character varying)::text]]`],
  'an array within an element': [`(ARRAY[f((ARRAY[1])::bigint[])])::text[]`, 'ARRAY[(f(ARRAY[(1)::bigint]))::text]'],
  'as few parentheses as it can': [`(v::text = ANY (ARRAY['a'::character varying, t.v]::text[]))`, `(v::text = ANY (ARRAY['a'::character varying::text, t.v::text]))`],
};

for (const [title, [first, settled]] of Object.entries(pairs)) {
  test(`${title}: both wordings are one, and the second is left as it is`, () => {
    expect(first).not.toBe(settled);
    expect(settledWording(first)).toBe(settled);
    expect(settledWording(settled)).toBe(settled);
  });
}

test('what stands in quotes is no array', () => {
  for (const text of [`'(ARRAY[1])::text[]'`, `"(ARRAY[1])::text[]"`, '$body$ x := (ARRAY[1])::text[]; $body$', 'ARRAY[1', '(ARRAY[1)::text[]', 'MYARRAY[1]::text[]']) expect(settledWording(text)).toBe(text);
});

test('another value, another order and another type stay another wording', () => {
  const worded = (values: string, type = 'text') => settledWording(`(ARRAY[${values}])::${type}[]`);
  const all = [worded("'a'::character varying, 'b'::character varying"), worded("'b'::character varying, 'a'::character varying"), worded("'a'::character varying, 'c'::character varying"), worded("'a'::character varying, 'b'::character varying", 'name'), worded("'a'::character varying")];
  expect(new Set(all).size).toBe(all.length);
});
