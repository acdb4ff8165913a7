// The clock of a rehearsal: the sample is always as old as last night's backup.
import { sampleUnit } from '../../fixtures/sample/unit.ts';

/** How old the sample's snapshot is on the rehearsal's clock, in ms: as if last night's backup were drilled in the morning. */
const rehearsedAgeMs = 4 * 3_600_000;

/** What to add to the machine's clock so that the sample is as old as last night's backup. */
export function rehearsalClockShiftMs(now: Date): number {
  return sampleUnit().snapshotAt.getTime() + rehearsedAgeMs - now.getTime();
}
