// Which days and months a store should hold sets of as of now, and which are missing. By names and sizes alone: no key is needed.
import { z } from 'zod';
import type { Finding } from '../run/finding.ts';
import type { BackupSet } from './catalog.ts';
import { dayOf, firstOf, type SetId, spanOf } from './names.ts';
import { retentionFindings } from './retention-findings.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** So many sets beyond the rules tell of pruning that does not run; a few are last night's, or a script's floor. */
const slackSets = 10;

export interface Wanted {
  readonly daily: number;
  readonly monthly: number;
  /** The UTC day on which backups began; null: that of the oldest set. */
  readonly since: string | null;
  readonly cadenceMs: number;
  readonly slackMs: number;
}

export const retentionEvidence = z.strictObject({
  sets: z.int().describe('whole sets: dump and manifest, none empty'),
  oldest: z.string().nullable(),
  newest: z.string().nullable(),
  from: z.string().nullable().describe('the first UTC day that was judged'),
  daysJudged: z.int(),
  daysMissing: z.int(),
  monthsJudged: z.int(),
  monthsMissing: z.int(),
});
export type RetentionEvidence = z.infer<typeof retentionEvidence>;

/**
 * A day counts that has a whole set; each of the last `daily` must, or, where the cadence is longer than a day, no more days in a
 * row may be without one than such a cadence leaves out. Today's may still come while the newest is not stale. Each of the last
 * `monthly` calendar months must have one in which one was due. What lies before the beginning is not missing.
 * @param sets in the order of their ids
 */
export function judgeRetention(store: string, sets: readonly BackupSet[], wanted: Wanted, now: Date): { readonly findings: Finding[]; readonly evidence: RetentionEvidence } {
  const { find } = retentionFindings;
  const whole = sets.filter(isWhole).map(({ id }) => id);
  const broken = sets.filter((set) => set.quarantine !== 'future' && !isWhole(set)).map(({ id }) => id);
  const [oldest, newest] = [whole[0], whole.at(-1)];
  if (oldest === undefined || newest === undefined) {
    return { findings: [find('retention.none', { store, sets: broken.length })], evidence: { sets: 0, oldest: null, newest: null, from: null, daysJudged: 0, daysMissing: 0, monthsJudged: 0, monthsMissing: 0 } };
  }
  const findings: Finding[] = [];
  const today = numberOf(now.toISOString().slice(0, 10));
  const beginning = numberOf(wanted.since ?? dayOf(oldest));
  if (beginning > today) {
    return { findings: [find('retention.since-future', { since: dayText(beginning), today: dayText(today) })], evidence: { sets: whole.length, oldest, newest, from: null, daysJudged: 0, daysMissing: 0, monthsJudged: 0, monthsMissing: 0 } };
  }
  // A day as an id may mean its last moment: only what is stale in any case is called so. A drill reads the manifest's own time.
  const ageMs = now.getTime() - spanOf(newest).to.getTime();
  const stale = ageMs > wanted.cadenceMs + wanted.slackMs;
  if (stale) findings.push(find('retention.stale', { newest, hours: Math.floor(ageMs / hourMs), allowedHours: Math.round((wanted.cadenceMs + wanted.slackMs) / hourMs) }));

  const cadenceMs = Math.max(dayMs, wanted.cadenceMs);
  /** So many days in a row without a set are one too many, at whatever time of its day each was taken. */
  const stride = Math.ceil(cadenceMs / dayMs);
  /** As far back as `daily` sets lie, one for each cadence. */
  const reach = today - (Math.floor((wanted.daily * cadenceMs) / dayMs) - 1);
  const from = Math.max(beginning, reach);
  const present = new Set(whole.map((id) => numberOf(dayOf(id))));
  const missing: number[] = [];
  const judged = wanted.daily === 0 ? 0 : Math.max(0, today - from + 1);
  // What lay before the first day may be pruned by now: it is given the benefit of the doubt.
  let without = 0;
  for (let day = from; day < from + judged; day += 1) {
    without = present.has(day) ? 0 : without + 1;
    if (without >= stride && (day < today || stale)) missing.push(day);
  }
  if (missing.length > 0) findings.push(find('retention.day-missing', { count: missing.length, wanted: judged, days: ranges(missing) }));

  const thisMonth = monthOf(today);
  const months = Array.from({ length: wanted.monthly }, (_, back) => thisMonth - back).filter((month) => month >= monthOf(beginning)).reverse();
  const held = new Set([...present].map(monthOf));
  // The last set of a month may be pruned by now: it is taken to have lain on the month's last day.
  const provided = (month: number): number => Math.max(beginning - 1, ...[...held].filter((other) => other < month).map(lastDayOf));
  const due = (month: number): boolean => (month < thisMonth ? lastDayOf(month) : stale ? today : today - 1) - provided(month) >= stride;
  const gone = months.filter((month) => !held.has(month) && due(month));
  if (gone.length > 0) findings.push(find('retention.month-missing', { count: gone.length, wanted: months.length, months: gone.map(monthText) }));

  if (wanted.since === null && (beginning > reach || months.length < wanted.monthly)) {
    findings.push(find('retention.young', { oldest, days: judged, wantedDays: today - reach + 1, months: months.length, wantedMonths: wanted.monthly }));
  }
  const firsts = new Set([...held].map((month) => whole.find((id) => monthOf(numberOf(dayOf(id))) === month)));
  const surplus = whole.filter((id) => numberOf(dayOf(id)) < reach && !(firsts.has(id) && monthOf(numberOf(dayOf(id))) > thisMonth - wanted.monthly));
  if (surplus.length > slackSets) findings.push(find('retention.surplus', { count: surplus.length, oldest: surplus[0] ?? oldest }));
  if (broken.length > 0) findings.push(find('retention.incomplete', { count: broken.length, sets: firstOf(broken) }));
  return { findings, evidence: { sets: whole.length, oldest, newest, from: dayText(from), daysJudged: judged, daysMissing: missing.length, monthsJudged: months.length, monthsMissing: gone.length } };
}

function isWhole({ dump, manifest, quarantine }: BackupSet): boolean {
  return quarantine === null && (dump?.object.size ?? 0) > 0 && (manifest?.object.size ?? 0) > 0;
}

// Days and months as whole numbers, counted from 1970 in UTC, where no day is longer than another.
const numberOf = (day: string | SetId): number => Date.parse(`${day}T00:00:00Z`) / dayMs;
const dayText = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10);
const monthOf = (day: number): number => Number(dayText(day).slice(0, 4)) * 12 + Number(dayText(day).slice(5, 7)) - 1;
const monthText = (month: number): string => `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}`;
const lastDayOf = (month: number): number => numberOf(`${monthText(month + 1)}-01`) - 1;

/** `2026-11-01`, `2026-11-03 to 2026-11-05` of ascending days; the first ten of them. */
function ranges(days: readonly number[]): string[] {
  const found: [number, number][] = [];
  for (const day of days) {
    const last = found.at(-1);
    if (last?.[1] === day - 1) last[1] = day;
    else found.push([day, day]);
  }
  const shown = found.slice(0, 10).map(([first, last]) => (first === last ? dayText(first) : `${dayText(first)} to ${dayText(last)}`));
  return found.length > 10 ? [...shown, `and ${found.length - 10} more`] : shown;
}
