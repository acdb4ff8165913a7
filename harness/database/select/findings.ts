// What can be said of the choice of a backup set and of its dump's bytes.
import { defect, defineFindings, obstacle, warning } from '../../run/finding.ts';

export const selectFindings = defineFindings({
  'select.stale': defect<{ set: string; taken: string; by: 'manifest' | 'name'; age: string; ageMs: number; cadenceMs: number }>(
    ({ set, taken, by, age, cadenceMs }) => `the newest backup set ${set} is ${age} old (${by === 'manifest' ? 'its snapshot was taken' : 'by its name it was taken'} ${taken}), and one is due every ${lasting(cadenceMs)}`,
    () => 'Backups have stopped arriving: read the log of the backup job on the host and of the upload, and take a backup by hand now.',
  ),
  'select.no-such-set': obstacle<{ asked: string; nearest: readonly string[] }>(
    ({ asked, nearest }) => `there is no backup set of ${asked}; the nearest: ${nearest.join(', ')}`,
    () => 'Ask for one of those with --date.',
  ),
  'select.quarantined': obstacle<{ set: string; why: string }>(
    ({ set, why }) => `the backup set ${set} is set aside (${why}) and is not drilled`,
    () => 'The findings of the catalog say what is wrong with it; ask for another set with --date.',
  ),
  'select.no-older-set': obstacle<{ newest: string }>(
    ({ newest }) => `there is no backup set older than the newest, ${newest}`,
    () => 'Drill the newest, without --random-older; if older ones should be retained, look at what removes them.',
  ),
  'select.manifest-oversized': defect<{ set: string; bytes: number; limit: number }>(
    ({ set, bytes, limit }) => `the manifest of ${set} has ${bytes} bytes; no manifest has more than ${limit}`,
    () => 'It is no manifest: look at what was stored under its name.',
  ),
  'select.other-manifests-broken': warning<{ count: number; sets: readonly string[]; codes: readonly string[] }>(
    ({ count, sets, codes }) => `${count} other ${count === 1 ? 'set has a manifest that cannot' : 'sets have manifests that cannot'} be relied on: ${sets.join(', ')}${count > sets.length ? ` and ${count - sets.length} more` : ''} (${codes.join(', ')})`,
    ({ sets }) => `Such a set would fail on the day it is needed: drill it with --date ${sets[0] ?? ''} and see.`,
  ),
  'dump.size-mismatch': defect<{ set: string; bytes: number; expected: number }>(
    ({ set, bytes, expected }) => `the dump of ${set} has ${bytes} bytes, its manifest says ${expected}`,
    ({ bytes, expected }) =>
      `${bytes < expected ? 'It was cut' : 'Something was written behind its end'}, or manifest and dump belong to different backups: drill another set with --date, and look into the log of that backup.`,
  ),
  'dump.sha256-mismatch': defect<{ set: string; sha256: string; expected: string }>(
    ({ set }) => `the dump of ${set} has the size that its manifest says, but other bytes`,
    () => 'It was altered after it was taken: disk, transfer or a person. Drill another set with --date, and keep this one for whoever looks into it.',
  ),
});

/** A duration for a person: `26 h 5 min`, `3 days 2 h`. Rounded down to the minute. */
export function lasting(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const join = (big: number, unit: string, small: number, smaller: string): string => `${big} ${unit}${small === 0 ? '' : ` ${small} ${smaller}`}`;
  if (days >= 2) return join(days, 'days', hours % 24, 'h');
  return hours >= 1 ? join(hours, 'h', minutes % 60, 'min') : `${minutes} min`;
}
