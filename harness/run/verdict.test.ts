import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Outcome } from './execute.ts';
import { type Ended, exitCodes, verdictOf } from './verdict.ts';

const step = (outcome: Outcome, compares = false) => ({ outcome, compares });

test.each<[string, ReturnType<typeof step>[], Ended, string]>([
  ['all passed, one compared', [step('passed'), step('passed', true)], 'finished', 'verified'],
  ['nothing compared', [step('passed'), step('passed')], 'finished', 'inconclusive'],
  ['no step at all', [], 'finished', 'inconclusive'],
  ['one skipped', [step('passed', true), step('skipped')], 'finished', 'inconclusive'],
  ['one errored', [step('passed', true), step('errored')], 'finished', 'inconclusive'],
  ['one failed among errors', [step('errored'), step('failed'), step('skipped')], 'finished', 'unverified'],
  ['all passed, but a signal came', [step('passed', true)], 'interrupted', 'inconclusive'],
  ['all passed, but it never ended', [step('passed', true)], 'abandoned', 'inconclusive'],
  ['failed, then a signal', [step('failed')], 'interrupted', 'unverified'],
])('%s', (_name, steps, ended, verdict) => {
  expect(verdictOf(steps, ended)).toBe(verdict);
});

test('only a finished run whose every step passed is ever verified', () => {
  const steps = fc.array(fc.record({ outcome: fc.constantFrom<Outcome>('passed', 'failed', 'errored', 'skipped'), compares: fc.boolean() }));
  fc.assert(
    fc.property(steps, fc.constantFrom<Ended>('running', 'finished', 'interrupted', 'abandoned'), (list, ended) => {
      const proven = ended === 'finished' && list.length > 0 && list.every((one) => one.outcome === 'passed') && list.some((one) => one.compares);
      expect(exitCodes[verdictOf(list, ended)] === 0).toBe(proven);
    }),
  );
});
