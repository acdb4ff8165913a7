// JUnit XML of a record: one suite per part, one case per step.
import imported, { type Builder } from 'junit-report-builder';
import type { DrillRun, RecordedStep } from '../run/record.ts';
import { seconds } from './words.ts';

// Its typings say that the builder is one level deeper than Node finds it.
const builder = imported as unknown as Builder;

/** `<failure type=code>` for a failed step, `<error type=code>` for an errored one, `<skipped>` with its reason in the case's output. */
export function junitOf(record: DrillRun): string {
  const report = builder.newBuilder().name(`backup-drills: ${record.kind} of ${record.application}`);
  for (const part of new Set(record.steps.map((step) => step.part))) {
    const steps = record.steps.filter((step) => step.part === part);
    const suite = report.testSuite().name(part).timestamp(record.startedAt).time(seconds(steps.reduce((sum, step) => sum + durationMs(step), 0)));
    suite.property('run', record.run).property('kind', record.kind).property('verdict', record.verdict).property('scope', record.scope.covered.join(', '));
    for (const step of steps) {
      const test = suite.testCase().className(`${record.kind}.${part}`).name(`${step.id}: ${step.title}`).time(seconds(durationMs(step)));
      const code = step.findings.find((finding) => finding.severity === 'error')?.code ?? 'run.not-run';
      const words = told(step);
      if (step.outcome === 'failed') test.failure(step.reason ?? code, code).stacktrace(words || code);
      else if (step.outcome === 'errored') test.error(step.reason ?? code, code, words || (step.reason ?? code));
      else if (step.outcome === 'skipped') test.skipped().standardOutput(`skipped: ${step.reason ?? 'no reason given'}`);
      else if (words !== '') test.standardOutput(words);
    }
  }
  return report.build();
}

const durationMs = (step: RecordedStep): number => (step.startedAt === null || step.endedAt === null ? 0 : Math.max(0, Date.parse(step.endedAt) - Date.parse(step.startedAt)));
const told = (step: RecordedStep): string => step.findings.map((finding) => `${finding.severity} ${finding.code}: ${finding.message}\n${finding.hint}`).join('\n\n');
