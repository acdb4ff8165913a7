import { expect, test } from 'vitest';
import { timeline } from './timeline.ts';

const parallel = { sessions: 2, atOnce: 2, beside: 4, ahead: 3, divided: 1 };

test('draws each job where it ran, by session', () => {
  expect(timeline({ durationMs: 2100, other: 'left out', parallel, longest: [{ what: 'COPY public.a', session: 0, from: 0, to: 1000 }, { what: 'COPY public.a', session: 1, from: 500, to: 1000 }, { what: 'CREATE INDEX public.i', session: 0, from: 1000, to: 2000 }, { what: 'SELECT setval public.s', session: 1, from: 2000, to: 2000 }] })).toEqual([
    "Where the restore's 2.1 s went: 2 sessions, 2 of them at once",
    "  4 statements ran beside others, 3 of them ahead of their place; the rows of 1 table went over more than one session; all else ran alone, in the dump's order",
    `  1 ${'█'.repeat(20)}${'·'.repeat(20)}    1.0 s  COPY public.a`,
    `  2 ${'·'.repeat(10)}${'█'.repeat(10)}${'·'.repeat(20)}   500 ms  COPY public.a`,
    `  1 ${'·'.repeat(20)}${'█'.repeat(20)}    1.0 s  CREATE INDEX public.i`,
    `  2 ${'·'.repeat(39)}█     0 ms  SELECT setval public.s`,
  ]);
});

test('a restore of which nothing ran beside anything has a heading alone', () => {
  expect(timeline({ durationMs: 900, parallel: { ...parallel, atOnce: 0, beside: 0, ahead: 0, divided: 0 }, longest: [] })).toHaveLength(2);
});

test.each([null, {}, { durationMs: 1 }])('says that nothing was restored: %j', (evidence) => {
  expect(timeline(evidence)).toEqual(['Nothing was restored, so there is no plan to explain.']);
});
