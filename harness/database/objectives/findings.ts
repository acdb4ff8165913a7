// What was promised, against what the drill measured.
import { defect, defineFindings } from '../../run/finding.ts';

interface Missed extends Record<string, number> {
  readonly measuredMs: number;
  readonly goalMs: number;
}
const hours = (ms: number): string => `${(ms / 3_600_000).toFixed(1)} h`;
const minutes = (ms: number): string => `${(ms / 60_000).toFixed(1)} min`;

export const objectiveFindings = defineFindings({
  'objective.rpo-missed': defect<Missed>(
    ({ measuredMs, goalMs }) => `a restore now would lose ${hours(measuredMs)} of data, and the objective is ${hours(goalMs)}`,
    () => 'Take backups more often, or see why the newest one is so old; if the objective is wrong, change objectives.rpo.',
  ),
  'objective.restore-too-slow': defect<Missed>(
    ({ measuredMs, goalMs }) => `the restore took ${minutes(measuredMs)}, and the objective is ${minutes(goalMs)}`,
    () => 'The service would be down at least that long: drill on a machine like the one you would restore to, then raise objectives.restoreDuration or make the restore faster.',
  ),
});
