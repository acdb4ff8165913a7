// The audit of what is retained: each thing that can be missing by its own code, and against a model that counts days one by one.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BackupSet } from './catalog.ts';
import { parseSetId } from './names.ts';
import { judgeRetention, type Wanted } from './retention.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const text = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const set = (id: string, { dump = 9, manifest = 9, quarantine = null as BackupSet['quarantine'] } = {}): BackupSet => {
  const known = parseSetId(id);
  if (known === null) throw new Error(id);
  const artifact = (kind: 'dump' | 'manifest', size: number): NonNullable<BackupSet['dump']> => ({ object: { key: `db-${id}`, size, modifiedAt: new Date(0) }, set: known, artifact: kind, encrypted: false });
  return { id: known, dump: dump < 0 ? null : artifact('dump', dump), manifest: manifest < 0 ? null : artifact('manifest', manifest), globals: null, quarantine };
};
const wanted: Wanted = { daily: 30, monthly: 12, since: '2020-01-01', cadenceMs: dayMs, slackMs: 2 * hourMs };
/** What prune-local.sh leaves by `now`, of a set each night at 02:00. */
function retained(now: Date, days = 30, months = 12): string[] {
  const today = Date.parse(text(now.getTime()));
  const daily = Array.from({ length: days }, (_, back) => text(today - back * dayMs));
  const monthly = Array.from({ length: months }, (_, back) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1)).toISOString().slice(0, 10));
  return [...new Set([...daily, ...monthly])].sort();
}
const codes = (ids: readonly (string | BackupSet)[], now: Date, more: Partial<Wanted> = {}): string[] => judgeRetention('it', ids.map((id) => (typeof id === 'string' ? set(id) : id)), { ...wanted, ...more }, now).findings.map(({ code }) => code);
const noon = new Date('2026-11-26T12:00:00Z');

test.each(['2026-11-26T12:00:00Z', '2026-11-26T23:59:59Z', '2026-12-01T03:00:00Z', '2027-01-01T03:00:00Z', '2024-02-29T03:00:00Z', '2024-03-01T03:00:00Z', '2026-03-29T03:00:00Z'])('a store that holds what it should passes at %s, and before the night\'s backup too', (at) => {
  const now = new Date(at);
  expect(codes(retained(now), now)).toEqual([]);
  const before = new Date(Date.parse(text(now.getTime())) + 60_000);
  expect(codes(retained(now).filter((id) => id < text(now.getTime())), before)).toEqual([]);
});

test.each<[string, string, (ids: string[]) => readonly (string | BackupSet)[]]>([
  ['a night is missing', 'retention.day-missing', (ids) => ids.filter((id) => id !== '2026-11-20')],
  ['the oldest night of the window is missing', 'retention.day-missing', (ids) => ids.filter((id) => id !== '2026-10-28')],
  ['a month is missing', 'retention.month-missing', (ids) => ids.filter((id) => !id.startsWith('2026-05'))],
  ['the oldest month is missing', 'retention.month-missing', (ids) => ids.filter((id) => !id.startsWith('2025-12'))],
  ['there is no whole set', 'retention.none', () => [set('2026-11-26', { manifest: -1 })]],
  ['there is no set', 'retention.none', () => []],
  ['pruning does not run', 'retention.surplus', (ids) => [...ids, ...Array.from({ length: 11 }, (_, at) => `2026-08-1${at % 10}T00000${Math.floor(at / 10)}Z`)].sort()],
  ['an old dump lacks its manifest', 'retention.incomplete', (ids) => [set('2020-01-01', { manifest: -1 }), ...ids]],
  ['an old dump is empty', 'retention.incomplete', (ids) => [set('2020-01-01', { dump: 0 }), ...ids]],
])('%s: %s, and nothing else', (_, code, spoil) => {
  expect(codes(spoil(retained(noon)), noon)).toEqual([code]);
});

test('a set that is not whole, or still to come, counts for no day', () => {
  const others = retained(noon).filter((id) => id !== '2026-11-20');
  expect(codes([...others, set('2026-11-20', { manifest: 0 })], noon)).toEqual(['retention.day-missing', 'retention.incomplete']);
  expect(codes([...others, set('2026-11-20', { quarantine: 'irregular' })], noon)).toEqual(['retention.day-missing', 'retention.incomplete']);
  expect(codes([...retained(noon), set('2026-12-24', { quarantine: 'future' })], noon)).toEqual([]);
});

test('backups that have stopped: stale, and the days since are missing', () => {
  const ids = retained(noon).filter((id) => id <= '2026-11-22');
  const { findings } = judgeRetention('it', ids.map((id) => set(id)), wanted, noon);
  expect(findings.map(({ code }) => code)).toEqual(['retention.stale', 'retention.day-missing']);
  expect(findings[0]?.facts).toMatchObject({ newest: '2026-11-22', hours: 84, allowedHours: 26 });
  expect(findings[1]?.message).toContain('2026-11-23 to 2026-11-26');
});

test('a store that was wiped of its history does not pass for a young one without a word, and not at all where it is known when backups began', () => {
  const ids = ['2026-11-25', '2026-11-26'];
  expect(codes(ids, noon, { since: null })).toEqual(['retention.young']);
  expect(judgeRetention('it', ids.map((id) => set(id)), { ...wanted, since: null }, noon).findings[0]?.facts).toMatchObject({ days: 2, wantedDays: 30, months: 1, wantedMonths: 12 });
  expect(codes(ids, noon)).toEqual(['retention.day-missing', 'retention.month-missing']);
  expect(codes(ids, noon, { since: '2026-11-25' })).toEqual([]);
  expect(codes(retained(noon), noon, { since: null })).toEqual([]);
});

test('a weekly cadence demands no gap of more than a week', () => {
  const weekly = { cadenceMs: 7 * dayMs, slackMs: 14 * hourMs, daily: 4, monthly: 0 };
  const weeks = ['2026-11-02', '2026-11-09', '2026-11-16', '2026-11-23'];
  expect(codes(weeks, noon, weekly)).toEqual([]);
  expect(codes(weeks.filter((id) => id !== '2026-11-16'), noon, weekly)).toEqual(['retention.day-missing']);
  expect(codes(weeks.slice(0, 2), noon, weekly)).toEqual(['retention.stale', 'retention.day-missing']);
});

test('a beginning that is still to come judges nothing, and is no pass', () => {
  const { findings, evidence } = judgeRetention('it', [set('2026-11-26')], { ...wanted, since: '2026-11-27' }, noon);
  expect(findings).toMatchObject([{ code: 'retention.since-future', judged: false, facts: { since: '2026-11-27', today: '2026-11-26' } }]);
  expect(evidence).toMatchObject({ daysJudged: 0, monthsJudged: 0 });
  expect(codes(['2026-11-26'], noon, { since: '2026-11-26' })).toEqual([]);
});

test('a set of 36 hours is missed, and the days that such a cadence leaves out are not', () => {
  const often = { cadenceMs: 36 * hourMs, slackMs: 3 * hourMs, daily: 10, monthly: 0 };
  const sets = Array.from({ length: 10 }, (_, at) => Date.UTC(2026, 10, 25, 14) - (9 - at) * 36 * hourMs).map((ms) => `${new Date(ms).toISOString().slice(0, 19).replaceAll(':', '')}Z`);
  expect(codes(sets, noon, often)).toEqual([]);
  for (const lost of sets.slice(1, -1)) expect(codes(sets.filter((id) => id !== lost), noon, often), lost).toEqual(['retention.day-missing']);
});

test('a month in which no set was due is not missing, one in which one was is', () => {
  const weekly = { cadenceMs: 7 * dayMs, slackMs: 14 * hourMs, daily: 0, monthly: 3, since: '2026-09-28' };
  expect(codes(['2026-10-05', '2026-11-23'], noon, weekly)).toEqual([]);
  expect(codes(['2026-10-05', '2026-11-23'], noon, { ...weekly, since: '2026-09-20' })).toEqual(['retention.month-missing']);
  const seldom = { cadenceMs: 45 * dayMs, slackMs: 2 * dayMs, daily: 0, monthly: 5, since: '2026-06-30' };
  expect(codes(['2026-06-30', '2026-08-14', '2026-09-28', '2026-11-12'], noon, seldom)).toEqual([]);
  expect(codes(['2026-06-30', '2026-11-12'], noon, seldom)).toEqual(['retention.month-missing']);
});

test('what is taken on time and pruned by the rules is never called missing, whatever the cadence', () => {
  fc.assert(fc.property(fc.integer({ min: 24, max: 60 * 24 }), fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 14 }), fc.integer({ min: 0, max: 1200 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean(), (hours, minutes, daily, monthly, count, waited, known) => {
    const cadenceMs = hours * hourMs;
    const first = Date.UTC(2023, 0, 1) + minutes * 60_000;
    const taken = Array.from({ length: Math.min(count, Math.floor((1200 * dayMs) / cadenceMs)) + 1 }, (_, at) => new Date(first + at * cadenceMs).toISOString());
    // As prune-local.sh keeps them: the newest days that have a set, and the first set of the newest months that have one.
    const days = [...new Set(taken.map((at) => at.slice(0, 10)))].reverse().slice(0, daily);
    const months = [...new Set(taken.map((at) => at.slice(0, 7)))].reverse().slice(0, monthly).map((month) => taken.find((at) => at.startsWith(month)));
    const kept = taken.filter((at, index) => days.includes(at.slice(0, 10)) || months.includes(at) || index === taken.length - 1);
    const now = new Date(Date.parse(taken.at(-1) ?? '') + Math.floor(waited * cadenceMs));
    const found = codes(kept.map((at) => `${at.slice(0, 19).replaceAll(':', '')}Z`), now, { daily, monthly, cadenceMs, slackMs: hourMs, since: known ? (taken[0] ?? '').slice(0, 10) : null });
    expect(found.filter((code) => code !== 'retention.young')).toEqual([]);
  }), { numRuns: 1000, seed: 7 });
});

test('days and months against a model', () => {
  const days = fc.uniqueArray(fc.integer({ min: 0, max: 800 }), { minLength: 1, maxLength: 700 });
  fc.assert(fc.property(days, fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 14 }), fc.integer({ min: 0, max: 24 * 60 - 1 }), (offsets, daily, monthly, minute) => {
    const start = Date.UTC(2024, 0, 15);
    const now = new Date(start + 800 * dayMs + minute * 60_000);
    const ids = [...new Set([0, ...offsets])].sort((a, b) => a - b).map((offset) => text(start + offset * dayMs));
    const { evidence, findings } = judgeRetention('it', ids.map((id) => set(id)), { ...wanted, since: text(start), daily, monthly }, now);
    const stale = now.getTime() - (Date.parse(ids.at(-1) ?? '') + dayMs - 1) > 26 * hourMs;
    const missing = [];
    for (let back = 0; back < daily; back += 1) {
      const id = text(now.getTime() - back * dayMs);
      if (!ids.includes(id) && (back > 0 || stale)) missing.push(id);
    }
    expect(evidence.daysMissing).toBe(missing.length);
    let gone = 0;
    for (let back = 0; back < monthly; back += 1) {
      const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1)).toISOString().slice(0, 7);
      if (!ids.some((id) => id.startsWith(month)) && (back > 0 || now.getUTCDate() > 1 || stale)) gone += 1;
    }
    expect(evidence.monthsMissing).toBe(gone);
    expect(findings.some(({ code }) => code === 'retention.stale')).toBe(stale);
  }), { numRuns: 300, seed: 11 });
});
