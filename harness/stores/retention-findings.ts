// What an audit of the retained sets has to say.
import { defect, defineFindings, note, obstacle, warning } from '../run/finding.ts';

const spelled = (list: readonly string[]): string => list.join(', ');

export const retentionFindings = defineFindings({
  'retention.none': defect<{ store: string; sets: number }>(
    ({ store, sets }) => `not one whole set is retained in ${store}${sets === 0 ? '' : `: of ${sets} each lacks its dump or its manifest`}`,
    () => 'A set is its dump and its manifest, none of them empty. See whether the backup script runs, and whether this is its store.',
  ),
  'retention.stale': defect<{ newest: string; hours: number; allowedHours: number }>(
    ({ newest, hours, allowedHours }) => `the newest whole set is ${newest}, at least ${hours} h old, and one is due every ${allowedHours} h`,
    () => 'Look why the backup has not run since (its log, its timer, backup-db.sh --check); pruning must not go on meanwhile.',
  ),
  'retention.day-missing': defect<{ count: number; wanted: number; days: readonly string[] }>(
    ({ count, wanted, days }) => `${count} of the last ${wanted} days ${count === 1 ? 'has' : 'have'} no whole set: ${spelled(days)}`,
    () => 'A night that failed cannot be made up for; look in its log why, and make sure that its failure paged. If sets were there and are gone, stop whatever removes them and restore them from the other store.',
  ),
  'retention.month-missing': defect<{ count: number; wanted: number; months: readonly string[] }>(
    ({ count, wanted, months }) => `${count} of the last ${wanted} months ${count === 1 ? 'has' : 'have'} no whole set: ${spelled(months)}`,
    () => "Something removes the month's first set, or it never came here: compare with prune-local.sh --dry-run, and copy it back from the other store where that has it.",
  ),
  'retention.young': warning<{ oldest: string; days: number; wantedDays: number; months: number; wantedMonths: number }>(
    ({ oldest, days, wantedDays, months, wantedMonths }) => `the oldest set is ${oldest}: it is taken for the first there ever was, so that only ${days} of ${wantedDays} days and ${months} of ${wantedMonths} months could be judged`,
    () => "If backups began earlier, sets are gone that should be here. Write when they began, so that this is told apart: retention: { …, since: '2026-01-15' }.",
  ),
  'retention.since-future': obstacle<{ since: string; today: string }>(
    ({ since, today }) => `by the configuration backups begin on ${since}, and it is ${today} (UTC): no day could be missing yet`,
    () => "Correct retention.since to the day of the first backup that there ever was, for example since: '2026-01-15', or the clock of this host if that is wrong.",
  ),
  'retention.surplus': warning<{ count: number; oldest: string }>(
    ({ count, oldest }) => `${count} sets are older than what retention keeps, the oldest ${oldest}`,
    () => 'Pruning seems not to run, or keeps by other numbers than retention in the configuration. Nothing is lost, but disks fill up, and personal data is kept longer than was said.',
  ),
  'retention.incomplete': note<{ count: number; sets: readonly string[] }>(
    ({ count, sets }) => `${count} ${count === 1 ? 'set lacks' : 'sets lack'} a dump or a manifest, or one of them is empty, and ${count === 1 ? 'counts' : 'count'} for no day: ${spelled(sets)}`,
    () => 'What was cut short while it was published is finished by the next backup-db.sh; anything else was no backup. Look at it, and move it away by hand.',
  ),
});
