// What an inspection packs away comes back as it was, whatever it was.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CopyList, EntryList, NameList } from './entries.ts';

/** No name holds a zero byte, and none half a character: the reader refuses the one, and decoding makes a whole of the other. */
const part = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '').toWellFormed());
const name = fc.array(part, { maxLength: 4 });
const place = fc.record({ offset: fc.nat({ max: Number.MAX_SAFE_INTEGER }), line: fc.nat({ max: 2 ** 40 }) });

test('names', () => {
  fc.assert(fc.property(fc.array(name), (names) => {
    const list = new NameList();
    expect(names.map((one) => list.push(one))).toEqual(names.map((_, at) => at));
    expect([...list]).toEqual(names);
    expect(list).toHaveLength(names.length);
  }));
});

test('names beyond a page, of any length, and such as are easily taken for another', () => {
  const long = 'ü'.repeat(70_000);
  const names = [[], [''], ['', ''], ['a', ''], ['', 'a'], ['a.b'], [long], ['behind it'], [long.slice(0, 32_760), 'x'], ...Array.from({ length: 20_000 }, (_, at) => ['public', `table_${at}`])];
  const list = new NameList();
  for (const one of names) list.push(one);
  expect([...list]).toEqual(names);
  expect(() => list.at(names.length)).toThrow(RangeError);
});

test('entries, runs of them folded, with the ordinals that they had', () => {
  const entry = fc.record({ kind: fc.constantFrom('INSERT', 'GRANT', 'UNKNOWN'), name: fc.oneof(fc.constant<string[]>(['public', 't']), name), roles: name, at: place });
  fc.assert(fc.property(fc.array(entry), (entries) => {
    const list = new EntryList();
    const expected: { kind: string; name: string[]; roles: string[]; ordinal: number; at: object; count: number }[] = [];
    entries.forEach(({ at, ...seen }, ordinal) => {
      const last = expected.at(-1);
      const folds = last !== undefined && last.kind === seen.kind && JSON.stringify(last.name) === JSON.stringify(seen.name);
      if (folds) last.count += 1;
      else expected.push({ ...seen, ordinal, at, count: 1 });
      expect(list.fold(seen)).toBe(folds);
      if (!folds) list.push(seen, at);
    });
    expect([...list]).toEqual(expected);
    expect(list).toMatchObject({ length: expected.length, statements: entries.length, lastKind: entries.at(-1)?.kind ?? null });
  }));
});

test('entries beyond a page', () => {
  const list = new EntryList();
  for (let at = 0; at < 10_000; at += 1) list.push({ kind: `kind ${at % 7}`, name: [String(at)], roles: at % 2 === 0 ? [] : ['app'] }, { offset: at * 2 ** 40, line: at });
  expect([...list]).toEqual(Array.from({ length: 10_000 }, (_, at) => ({ kind: `kind ${at % 7}`, name: [String(at)], roles: at % 2 === 0 ? [] : ['app'], ordinal: at, at: { offset: at * 2 ** 40, line: at }, count: 1 })));
});

test('COPYs, with what their rows were once that is known', () => {
  const copy = fc.record({ name, columns: fc.option(name), at: place, rows: fc.nat({ max: Number.MAX_SAFE_INTEGER }), bytes: fc.nat({ max: Number.MAX_SAFE_INTEGER }) });
  fc.assert(fc.property(fc.array(copy), (copies) => {
    const list = new CopyList();
    for (const { name: own, columns, at, rows, bytes } of copies) {
      list.push(own, columns, at);
      list.end(rows, bytes);
    }
    expect([...list]).toEqual(copies);
  }));
});
