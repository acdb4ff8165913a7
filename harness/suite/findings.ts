// Findings of the operator's own checks.
import { defect, defineFindings, obstacle } from '../run/finding.ts';

type Place = { file: string; line: number | null };
const at = ({ file, line }: Place): string => (line === null ? file : `${file}:${line}`);

export const checkFindings = defineFindings({
  'check.failed': defect<Place & { check: string; expected: string | null; actual: string | null }>(
    (facts) => `check "${facts.check}" failed${facts.expected === null || facts.actual === null ? '' : `: expected ${facts.expected}, got ${facts.actual}`}`,
    (facts) => `Read the assertion at ${at(facts)}; run the drill with --keep and repeat its query on the restored database.`,
  ),
  'check.broken': obstacle<Place & { check: string; error: string }>(
    (facts) => `check "${facts.check}" broke: ${facts.error}`,
    (facts) => `Mend the check at ${at(facts)}; until then it says nothing about the backup.`,
  ),
  'check.asserts-nothing': obstacle<Place & { check: string }>(
    (facts) => `check "${facts.check}" asserted nothing`,
    (facts) => `Let it call expect() in ${at(facts)}, or remove it: a check that cannot fail proves nothing.`,
  ),
  'check.loose-error': obstacle<{ file: string | null; error: string }>(
    ({ file, error }) => `an error that no check caught${file === null ? '' : ` while ${file} ran`}: ${error}`,
    () => 'Await every promise in your checks: what fails beside a test fails no test.',
  ),
  'check.empty': obstacle<Place>(
    (facts) => `check file ${facts.file} holds no check`,
    () => "Give it at least one check('what holds', async ({ db }) => …), or remove the file.",
  ),
  'check.not-loaded': obstacle<Place & { error: string }>(
    (facts) => `check file ${facts.file} could not be loaded: ${facts.error}`,
    () => 'Mend the file, or remove it from checks/; until then the drill is inconclusive.',
  ),
});
