// A healthy manifest is read whole; each way to spoil one raises its own code and no other.
import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { StepEnded } from '../../run/finding.ts';
import { buildManifest, judgeManifest, parseManifest } from './manifest.ts';
import { statementsOf } from './read.ts';

const name = 'db-2026-11-23.manifest.json';
const envelope = { id: '2026-11-23', dump: { name: 'db-2026-11-23.sql.gz', sha256: 'a'.repeat(64), bytes: 1234 }, tools: { pgDump: '18.6', psql: '18.6' } };
const table = { kind: 'table', schema: 'public', name: 'messages', persistence: 'permanent', shape: 'b'.repeat(64), rows: '90071992547409931', digest: '-123456789012345678901234567890' };
const rows: Record<string, unknown>[] = [
  { kind: 'database', algorithm: 'row-chain-1', name: 'wa_mcp', serverVersion: '18.4', serverVersionNum: 180_004, encoding: 'UTF8', provider: 'libc', collate: 'C', ctype: 'C', locale: null, collationVersion: null },
  { kind: 'snapshot', snapshot: '769:769:', time: '2026-11-23T02:00:05.123456Z', recovery: false },
  { kind: 'sequence', schema: 'public', name: 'messages_id_seq', increment: '1', cycle: false, lastValue: '5', isCalled: true },
  { kind: 'extension', name: 'plpgsql', version: '1.0', schema: 'pg_catalog' },
  { kind: 'object', type: 'table', schema: 'public', table: null, name: 'messages', hash: 'c'.repeat(64), definition: { owner: 'wa', privileges: ['(owner) SELECT'] } },
  { kind: 'large-objects', count: '0', bytes: '0', digest: '0', grants: '0' },
  table,
  { kind: 'end' },
];
const lines = rows.map((row) => JSON.stringify(row));
const healthy = buildManifest(envelope, lines).toString();
const now = new Date('2026-11-23T08:00:00Z');
const expected = { id: '2026-11-23', database: 'wa_mcp', now };

/** The codes that reading and judging it raise. */
function codesOf(text: string | Uint8Array, wanted = expected): string[] {
  try {
    return judgeManifest(parseManifest(Buffer.from(text as string), name), name, wanted).map((finding) => finding.code);
  } catch (error) {
    if (!(error instanceof StepEnded)) throw error;
    return error.findings.map((finding) => finding.code);
  }
}

const withRow = (at: number, change: Record<string, unknown>): string => healthy.replace(lines[at]!, () => JSON.stringify({ ...rows[at], ...change }));

test('a healthy one is read whole, its counts exact', () => {
  expect(codesOf(healthy)).toEqual([]);
  const manifest = parseManifest(Buffer.from(healthy), name);
  expect(manifest.tables[0]).toMatchObject({ rows: 90_071_992_547_409_931n, digest: -123_456_789_012_345_678_901_234_567_890n });
  expect(manifest).toMatchObject({ format: 'backup-drills/manifest/1', id: '2026-11-23', algorithm: 'row-chain-1', snapshotTime: new Date('2026-11-23T02:00:05.123Z') });
  expect(buildManifest(envelope, lines).toString()).toBe(healthy);
  expect(healthy.split('\n').filter((line) => line.startsWith('{"kind"'))).toHaveLength(rows.length);
});

describe('unparseable', () => {
  const spoiled: readonly [what: string, text: string | Uint8Array][] = [
    ['empty', ''],
    ['only blanks', '  \n'],
    ['cut in half', healthy.slice(0, healthy.length / 2)],
    ['cut before its last brace', healthy.slice(0, -3)],
    ['twice in one file', healthy + healthy],
    ['a list', '[]'],
    ['null', 'null'],
    ['HTML of a proxy', '<html>502</html>'],
    ['without a format', healthy.replace('"format": "backup-drills/manifest/1",', '')],
    ['of a format that is none', healthy.replace('backup-drills/manifest/1', 'something')],
    ['with a key more', healthy.replace('"id":', '"extra": 1, "id":')],
    ['with a key more in a row', withRow(6, { extra: 1 })],
    ['without its last row', healthy.replace(`,\n${lines[7]}`, '')],
    ['with its end in the middle', healthy.replace(`${lines[6]},\n${lines[7]}`, () => `${lines[7]},\n${lines[6]}`)],
    ['with a table twice', healthy.replace(lines[6]!, () => `${lines[6]},\n${lines[6]}`)],
    ['with two snapshots', healthy.replace(lines[1]!, () => `${lines[1]},\n${lines[1]}`)],
    ['without a snapshot', healthy.replace(`${lines[1]},\n`, '')],
    ['with a row of an unknown kind', withRow(3, { kind: 'surprise' })],
    ['with a count that is a JSON number', withRow(6, { rows: 5 })],
    ['with a negative count', withRow(6, { rows: '-1' })],
    ['with a count in hex', withRow(6, { rows: '0x10' })],
    ['with a digest that is empty', withRow(6, { digest: '' })],
    ['with a hash in upper case', healthy.replace('a'.repeat(64), 'A'.repeat(64))],
    ['with a size that is a fraction', healthy.replace('"bytes":1234', '"bytes":1234.5')],
    ['with an id that is no date', healthy.replace('"id": "2026-11-23"', '"id": "2026-02-31"')],
    ['with a time that is none', withRow(1, { time: '2026-13-45T02:00:05.123456Z' })],
    ['with a time of no zone', withRow(1, { time: '2026-11-23T02:00:05.123456' })],
    ['in LATIN1', Buffer.from(withRow(6, { name: 'é' }), 'latin1')],
  ];
  test.each(spoiled)('%s', (_, text) => {
    expect(codesOf(text)).toEqual(['manifest.unparseable']);
  });

  test('the finding says where, and repeats nothing of what stands there', () => {
    const secret = healthy.replace('"owner":"wa"', '"owner":sekrit');
    const ended = ((): unknown => {
      try {
        return parseManifest(Buffer.from(secret), name);
      } catch (error) {
        return error;
      }
    })();
    expect(ended).toBeInstanceOf(StepEnded);
    const { findings } = ended as StepEnded;
    expect(findings[0]?.message).toMatch(/: it is no JSON/);
    expect(JSON.stringify(findings)).not.toContain('sekrit');
  });

  test('one that is cut says after how many bytes', () => {
    expect(() => parseManifest(Buffer.from(healthy.slice(0, 700)), name)).toThrow(/cut short after 700 bytes/);
    expect(() => parseManifest(Buffer.from(''), name)).toThrow(/cut short after 0 bytes/);
  });

  test('a database without an encoding may hold any bytes', () => {
    const bytes = Buffer.from(withRow(0, { encoding: 'SQL_ASCII' }).replace('"owner":"wa"', '"owner":"é"'), 'latin1');
    expect(codesOf(bytes)).toEqual([]);
  });
});

describe('of another time, place or version', () => {
  const cases: readonly [what: string, text: string, wanted: typeof expected, codes: string[]][] = [
    ['a format from the future', healthy.replace('manifest/1', 'manifest/2').replace('"id":', '"new": {}, "id":'), expected, ['manifest.format-unknown']],
    ['an algorithm from the future', withRow(0, { algorithm: 'row-chain-2' }), expected, ['manifest.algorithm-unknown']],
    ['no table', healthy.replace(`${lines[6]},\n`, ''), expected, ['manifest.no-tables']],
    ['another database', withRow(0, { name: 'postgres' }), expected, ['manifest.wrong-database']],
    ['another set', healthy, { ...expected, id: '2026-11-23T141530Z' }, ['manifest.other-set']],
    ["another set, whose day it does not fit either", healthy.replace('"id": "2026-11-23"', '"id": "2026-01-01"'), expected, ['manifest.other-set']],
    ['another set, and a snapshot that has not come', withRow(1, { time: '2026-11-23T08:06:00.000000Z' }), { ...expected, id: '2026-11-22' }, ['manifest.other-set', 'manifest.future']],
    ['a snapshot six minutes ahead', withRow(1, { time: '2026-11-23T08:06:00.000000Z' }), expected, ['manifest.future']],
    ['a snapshot four minutes ahead: clocks differ', withRow(1, { time: '2026-11-23T08:04:00.000000Z' }), expected, []],
    ['the snapshot of the day before', withRow(1, { time: '2026-11-22T02:00:05.000000Z' }), expected, ['manifest.stale-copy']],
    ['a snapshot a moment before midnight: clocks differ', withRow(1, { time: '2026-11-22T23:58:00.000000Z' }), expected, []],
    ['a snapshot past midnight: the locks took long', withRow(1, { time: '2026-11-24T00:30:00.000000Z' }), { ...expected, now: new Date('2026-11-24T08:00:00Z') }, []],
    ['a snapshot of the next noon', withRow(1, { time: '2026-11-24T12:00:00.000000Z' }), { ...expected, now: new Date('2026-11-25T08:00:00Z') }, ['manifest.stale-copy']],
    ['a second set of the day', healthy.replace('"id": "2026-11-23"', '"id": "2026-11-23T015958Z"'), { ...expected, id: '2026-11-23T015958Z' }, []],
    ['a second set with the snapshot of the first', healthy.replace('"id": "2026-11-23"', '"id": "2026-11-23T071500Z"'), { ...expected, id: '2026-11-23T071500Z' }, ['manifest.stale-copy']],
  ];
  test.each(cases)('%s', (_, text, wanted, codes) => {
    expect(codesOf(text, wanted)).toEqual(codes);
  });
});

test('manifest.sql splits into statements at semicolons that end a line, and there only', () => {
  expect(statementsOf("-- a;\nSELECT ';',\n  1;\n  -- b\nSELECT 2;\n")).toEqual(["SELECT ';',\n  1", 'SELECT 2']);
});

test('lines that are no manifest are refused where it is made', () => {
  expect(() => buildManifest(envelope, lines.slice(0, -1))).toThrow(StepEnded);
});
