// npm run check:schema -- --accept: makes a schema the reference. No run with a verdict: a person decides, and git has the diff.
import { randomBytes } from 'node:crypto';
import { type Accepted, planAccepting, planLiveSchema } from '../database/schema/accept.ts';
import { toldFacet } from '../database/schema/compare.ts';
import { nameOf } from '../database/schema/schema.ts';
import { planReading, planStoredSchema, type ReadSchema } from '../database/schema/steps.ts';
import { z } from 'zod';
import type { ConsoleReport } from '../report/console.ts';
import { printable } from '../report/words.ts';
import { Executor, type StepResult } from '../run/execute.ts';
import { StepEnded } from '../run/finding.ts';
import { Plan, type StepRef } from '../run/plan.ts';
import type { RecordedStep } from '../run/record.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { exitCodes } from '../run/verdict.ts';
import { bare } from '../suite/steps.ts';
import { type CheckSettings, withoutEngine } from '../unit/check.ts';
import { planSource } from '../unit/open.ts';
import { rehearsalClockShiftMs } from '../unit/rehearsal-clock.ts';
import { complain, consoleReport, type RunWords, shown, untilSignal } from './one-run.ts';

/** Where the schema comes from that shall be the reference. */
export type SchemaOrigin = { readonly kind: 'store' } | { readonly kind: 'file'; readonly path: string } | { readonly kind: 'database'; readonly connection: string };

/** Stops at the first step that is not passed: then nothing is written. @returns the exit code */
export async function acceptSchema(words: RunWords, settings: (scratch: string) => CheckSettings, origin: SchemaOrigin): Promise<number> {
  const report = consoleReport(words);
  const { config } = settings('');
  const rehearsal = origin.kind === 'store' && config.mode === 'rehearsal';
  if (rehearsal) report.say('No stores are configured: this accepts the schema of the sample that ships here, which is none of yours.');
  return untilSignal(report, async (signal) => {
    let scratch;
    try {
      scratch = openScratch({ root: config.scratch, runId: `accept-${randomBytes(4).toString('hex')}` });
    } catch (error) {
      if (!(error instanceof StepEnded)) throw error;
      return complain(error.findings.map(({ code, message, hint }) => `${code}: ${message}\n${hint}`).join('\n'));
    }
    let accepted: Accepted | null = null;
    let worst: StepResult['outcome'] = 'passed';
    try {
      const plan = acceptPlan(settings(scratch.path), origin, (told) => (accepted = told));
      const shiftMs = rehearsal ? rehearsalClockShiftMs(new Date()) : 0;
      const steps = new Map(plan.steps.map(({ id, part, title, compares }) => [id, { id, part, title, compares }]));
      const executor = new Executor({
        signal,
        now: () => new Date(Date.now() + shiftMs),
        emit: (event) => {
          const step = 'step' in event ? steps.get(event.step) : undefined;
          report.take(event, step === undefined ? undefined : ({ ...step, ...bare(event.event === 'ended' ? event.result : notEnded) } satisfies RecordedStep));
        },
      });
      for (const step of plan.steps) {
        worst = (await executor.run(step)).outcome;
        if (worst !== 'passed') break;
      }
    } finally {
      const { findings } = await teardown(scratch.path);
      for (const { code, message, hint } of findings) complain(`${code}: ${message}\n${hint}`);
      if (findings.some(({ severity }) => severity === 'error')) worst = worst === 'failed' ? 'failed' : 'errored';
    }
    tell(report, accepted, signal.aborted);
    return worst === 'passed' ? 0 : worst === 'failed' ? exitCodes.unverified : exitCodes.inconclusive;
  });
}

const notEnded: StepResult = { outcome: 'errored', reason: 'not ended', startedAt: null, endedAt: null, findings: [], evidence: null };

function acceptPlan(settings: CheckSettings, origin: SchemaOrigin, told: (accepted: Accepted) => void): Plan {
  const plan = new Plan();
  const { read, close } = planOrigin(plan, settings, origin);
  close();
  planAccepting(plan, read, settings.config, told);
  return plan;
}

/** A dump of a store has to be the one that its manifest binds; a file or a database is vouched for by whoever names it. */
function planOrigin(plan: Plan, settings: CheckSettings, origin: SchemaOrigin): { readonly read: StepRef<ReadSchema>; readonly close: () => void } {
  if (origin.kind === 'store') {
    const { source, close } = planSource(plan, withoutEngine(settings));
    return { read: planStoredSchema(plan, source, settings).read, close };
  }
  const dump = origin.kind === 'database' ? planLiveSchema(plan, origin.connection, settings.scratch) : plan.step({ id: 'database.file', part: 'database', title: 'take the dump that was named', needs: {}, evidence: z.strictObject({}), run: async () => ({ value: { path: origin.path }, evidence: {} }) });
  return { read: planReading(plan, dump, settings.config), close: () => {} };
}

/** What is new, as one would read it off the diff. */
function tell(report: ConsoleReport, accepted: Accepted | null, aborted: boolean): void {
  report.say('');
  if (accepted === null) return report.say(`The reference is as it was${aborted ? ': interrupted' : ''}.`);
  const path = shown(accepted.path);
  for (const difference of accepted.differences) {
    const parts = difference.what === 'changed' ? `: ${difference.facets.map((facet) => toldFacet(difference, facet)).join('; ')}` : difference.parts > 0 ? `, with ${difference.parts} that belong to it` : '';
    report.say(`${{ missing: '-', unexpected: '+', changed: '~' }[difference.what]} ${printable(nameOf(difference.object) + parts)}`);
  }
  const { objects, major } = accepted.schema;
  if (!accepted.written) report.say(`${path} holds this schema already: ${objects.length} objects. Nothing was written.`);
  else if (accepted.former === 'none') report.say(`${path}: ${objects.length} objects of Postgres ${major} are the first reference. Read it and commit it:  git add -- ${path}`);
  else report.say(`${accepted.differences.length > 0 ? '\n' : ''}${path}: ${objects.length} objects of Postgres ${major} are the reference now${accepted.former === 'read' ? '' : '; what was there could not be read'}. Read the diff and commit it:  git diff -- ${path}`);
}
