import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byId } from './catalog.ts';
import { dayOf, nameOf, parseName, parseSetId, shown, spanOf } from './names.ts';
import type { ArtifactKind, SetId } from './names.ts';

const day = fc.date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2099-12-31T23:59:59Z'), noInvalidDate: true });
const setId = fc.tuple(day, fc.boolean()).map(([date, second]) => {
  const text = date.toISOString();
  return second ? `${text.slice(0, 10)}T${text.slice(11, 19).replaceAll(':', '')}Z` : text.slice(0, 10);
});
const artifact = fc.constantFrom<ArtifactKind[]>('dump', 'manifest', 'globals');

describe('set ids', () => {
  test('every real date and instant is one, and its span holds the instant that it was made of', () => {
    fc.assert(
      fc.property(day, (date) => {
        const text = date.toISOString();
        for (const id of [text.slice(0, 10), `${text.slice(0, 10)}T${text.slice(11, 19).replaceAll(':', '')}Z`]) {
          const parsed = parseSetId(id);
          expect(parsed).toBe(id);
          const { from, to } = spanOf(parsed as SetId);
          expect(from.getTime()).toBeLessThanOrEqual(date.getTime());
          expect(to.getTime()).toBeGreaterThanOrEqual(date.getTime());
          expect(dayOf(parsed as SetId)).toBe(text.slice(0, 10));
        }
      }),
    );
  });

  test.each(['2024-02-29', '2000-02-29', '2026-12-31T235959Z', '2026-01-01T000000Z'])('%s is real', (id) => {
    expect(parseSetId(id)).toBe(id);
  });

  test.each([
    '2026-02-29', '1900-02-29', '2026-13-01', '2026-00-10', '2026-04-31', '2026-11-00', '2026-11-23T240000Z', '2026-11-23T236000Z', '2026-11-23T235960Z',
    '2026-11-23T141530', '2026-11-23T14:15:30Z', '2026-11-23t141530z', '20261123', '2026-1-3', ' 2026-11-23', '2026-11-23\n', '２０２６-11-23', '+12026-11-23', '',
  ])('%j is none', (id) => {
    expect(parseSetId(id)).toBeNull();
  });

  test('are ordered by time; a day comes before the timestamps in it', () => {
    const ids = ['2026-11-23T141530Z', '2026-11-24', '2026-11-23', '2026-11-23T000000Z', '2025-12-31'] as SetId[];
    expect(ids.toSorted(byId)).toEqual(['2025-12-31', '2026-11-23', '2026-11-23T000000Z', '2026-11-23T141530Z', '2026-11-24']);
  });
});

describe('names', () => {
  test('what nameOf makes, parseName takes apart', () => {
    fc.assert(
      fc.property(setId, artifact, fc.boolean(), (set, kind, encrypted) => {
        expect(parseName(nameOf(set as SetId, kind, encrypted))).toEqual({ kind: 'artifact', set, artifact: kind, encrypted });
      }),
    );
  });

  test('whatever parses as an artifact is exactly the name that nameOf makes: no second spelling', () => {
    const near = fc.tuple(fc.constantFrom('db-', 'DB-', 'db_', ''), setId, fc.constantFrom('.sql.gz', '.sql', '.manifest.json', '.globals.sql', '.SQL.GZ'), fc.constantFrom('', '.age', '.age.age', '.AGE', ' ', '/', '/x', '\n')).map((parts) => parts.join(''));
    let artifacts = 0;
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (key) => {
        const name = parseName(key);
        if (name.kind !== 'artifact') return;
        artifacts += 1;
        expect(nameOf(name.set, name.artifact, name.encrypted)).toBe(key);
      }),
      { numRuns: 500 },
    );
    expect(artifacts).toBeGreaterThan(0);
  });

  test.each([
    ['media-2026-11-23/index.age', { kind: 'other', of: 'media' }],
    ['media-2026-11-23', { kind: 'other', of: 'media' }],
    ['media-objects/ab/abcd.age', { kind: 'other', of: 'media' }],
    ['media-objects/ab/abcd.age.tmp', { kind: 'other', of: 'media' }],
    ['audit/audit-2026-11-23T10.jsonl', { kind: 'other', of: 'audit' }],
    ['ledger.jsonl', { kind: 'other', of: 'ledger' }],
    ['store.json', { kind: 'other', of: 'store' }],
    ['media-2026-02-30/index', { kind: 'unparseable-set' }],
    ['db-2026-13-01.sql.gz', { kind: 'unparseable-set' }],
    ['db-2026-02-29.sql.gz.age', { kind: 'unparseable-set' }],
    ['db-2026-11-23.sql', { kind: 'unparseable-set' }],
    ['db-2026-11-23.sql.gz/x', { kind: 'unparseable-set' }],
    ['DB-2026-11-23.sql.gz', { kind: 'unparseable-set' }],
    ['db-latest.sql.gz', { kind: 'unparseable-set' }],
    ['db-2026-11-23.sql.gz.tmp', { kind: 'temporary' }],
    ['db-2026-11-23.sql.gz.age.0a1b2c.partial', { kind: 'temporary' }],
    ['.db-2026-11-23.sql.gz.a1B2c3', { kind: 'temporary' }],
    ['old/db-2026-11-23.sql.gz', { kind: 'stray' }],
    ['wa_mcp-2026-11-23.sql.gz', { kind: 'stray' }],
    ['ledger.jsonl/x', { kind: 'stray' }],
    ['README', { kind: 'stray' }],
    ['', { kind: 'stray' }],
  ])('%s', (key, expected) => {
    expect(parseName(key)).toEqual(expected);
  });

  test('a hostile name is shown without its control and direction characters, and not endlessly', () => {
    expect(shown('a\u001b[31m\n\u202eb"c')).toBe('a\\u{1b}[31m\\u{a}\\u{202e}b\\u{22}c');
    expect(shown('ünïcode 写真.age')).toBe('ünïcode 写真.age');
    expect(shown('x'.repeat(5000)).length).toBeLessThanOrEqual(120);
  });
});
