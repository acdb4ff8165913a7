// Findings of the run itself, whatever part it drills.
import { defineFindings, note, obstacle, warning } from './finding.ts';

export const runFindings = defineFindings({
  'run.broken': obstacle<{ step: string; error: string; where: string | null }>(
    ({ step, error, where }) => `the harness broke in ${step}: ${error}${where === null ? '' : ` (${where})`}`,
    () => 'This says nothing about the backup. Run the drill again; if it breaks again, report it with record.json.',
  ),
  'run.evidence-invalid': obstacle<{ step: string; problem: readonly string[] }>(
    ({ step }) => `step ${step} left evidence that does not fit its schema`,
    () => 'This is a defect of the harness, not of the backup; report it with record.json.',
  ),
  'run.worker-died': obstacle<{ step: string }>(
    ({ step }) => `the process that ran the steps ended during ${step}`,
    () => 'Look for an out-of-memory kill in the system log, free memory and run the drill again.',
  ),
  'run.report-unwritten': obstacle<{ path: string; error: string }>(
    ({ path, error }) => `the report ${path} could not be written: ${error}`,
    () => 'A drill without its report is not a pass: make the reports directory writable and run the drill again.',
  ),
  'run.record-unreadable': warning<{ path: string }>(
    ({ path }) => `${path} is no record that this version can read`,
    ({ path }) => `Whether that run ended cannot be told: look at ${path}, and move its directory away.`,
  ),
  'run.abandoned': note<{ run: string; startedAt: string; step: string }>(
    ({ run, startedAt, step }) => `run ${run}, started ${startedAt}, never ended (last step: ${step})`,
    () => 'It is logged as inconclusive. If nobody killed it, look into the system log for that time.',
  ),
});
