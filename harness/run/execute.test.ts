import { expect, test } from 'vitest';
import { z } from 'zod';
import { Executor, type RunEvent } from './execute.ts';
import { type Finding, StepEnded, defect, defineFindings, note, obstacle, warning } from './finding.ts';
import { Plan, type StepSpec } from './plan.ts';
import { addSecret } from './redact.ts';

const table = defineFindings({
  'test.defect': defect<{ count: number }>(({ count }) => `${count} wrong`, () => 'Mend it.'),
  'test.obstacle': obstacle<Record<string, never>>(() => 'not judged', () => 'Make it readable.'),
  'test.warning': warning<Record<string, never>>(() => 'odd', () => 'Look.'),
  'test.note': note<{ name: string }>(({ name }) => `seen ${name}`, () => 'Nothing.'),
});
const evidence = z.strictObject({ rows: z.number() });

async function outcomeOf(run: StepSpec<Record<string, never>, unknown, { rows: number }>['run'], signal = new AbortController().signal) {
  const plan = new Plan();
  plan.step({ id: 'a.one', part: 'database', title: 'one', needs: {}, evidence, run });
  const events: RunEvent[] = [];
  await new Executor({ signal, now: () => new Date(0), emit: (event) => events.push(event) }).runAll(plan);
  const last = events.at(-1);
  if (last?.event !== 'ended') throw new Error('the step did not end');
  return last.result;
}

test('a step with evidence and no error passes', async () => {
  expect(await outcomeOf(async () => ({ evidence: { rows: 1 }, findings: [table.find('test.warning', {}), table.find('test.note', { name: 'x' })] }))).toMatchObject({ outcome: 'passed', reason: null, evidence: { rows: 1 } });
});

test.each<[string, readonly Finding[], string]>([
  ['a defect fails', [table.find('test.defect', { count: 2 })], 'failed'],
  ['an obstacle errs', [table.find('test.obstacle', {})], 'errored'],
  ['a defect outweighs an obstacle', [table.find('test.obstacle', {}), table.find('test.defect', { count: 2 })], 'failed'],
])('%s', async (_name, findings, outcome) => {
  expect((await outcomeOf(async () => ({ evidence: { rows: 1 }, findings }))).outcome).toBe(outcome);
  expect((await outcomeOf(async () => { throw new StepEnded(findings, { rows: 3 }); }))).toMatchObject({ outcome, evidence: { rows: 3 } });
});

test('evidence that is missing or does not fit is no pass', async () => {
  for (const bad of [{}, { rows: '1' }, { rows: 1, more: 2 }, undefined]) {
    const result = await outcomeOf(async () => ({ evidence: bad as unknown as { rows: number } }));
    expect(result.outcome).toBe('errored');
    expect(result.findings.map((finding) => finding.code)).toStrictEqual(['run.evidence-invalid']);
  }
});

test('an unforeseen exception is a broken harness, and tells neither a row nor a secret', async () => {
  addSecret('hunter2hunter2');
  const database = Object.assign(new Error('duplicate key value: Key (mail)=(a@b.example)'), { code: '23505', severity: 'ERROR', detail: 'Key (mail)=(a@b.example) exists' });
  const first = await outcomeOf(async () => { throw database; });
  expect(first).toMatchObject({ outcome: 'errored', findings: [{ code: 'run.broken' }] });
  expect(JSON.stringify(first)).toContain('23505');
  expect(JSON.stringify(first)).not.toContain('a@b.example');
  const second = await outcomeOf(async () => { throw new Error('cannot reach https://u:hunter2hunter2@host/'); });
  expect(JSON.stringify(second)).toContain('cannot reach');
  expect(JSON.stringify(second)).not.toContain('hunter2hunter2');
  const third = await outcomeOf(async () => ({ evidence: { rows: 1 }, findings: [table.find('test.note', { name: 'hunter2hunter2' })] }));
  expect(JSON.stringify(third)).not.toContain('hunter2hunter2');
});

test('a step that overlooks an abort does not pass', async () => {
  const abort = new AbortController();
  const result = await outcomeOf(async () => {
    abort.abort();
    return { evidence: { rows: 1 } };
  }, abort.signal);
  expect(result).toMatchObject({ outcome: 'errored', reason: 'interrupted' });
});

test('steps without the value that they need are skipped, and say by what', async () => {
  const plan = new Plan();
  const first = plan.step({ id: 'a', part: 'database', title: 'a', needs: {}, evidence, run: async () => ({ value: null, evidence: { rows: 1 } }) });
  const second = plan.step({ id: 'b', part: 'database', title: 'b', needs: { first }, evidence, run: async ({ first: given }) => ({ evidence: { rows: given === null ? 7 : 0 }, findings: [table.find('test.defect', { count: 1 })] }) });
  plan.step({ id: 'c', part: 'database', title: 'c', needs: { second }, evidence, run: async () => ({ evidence: { rows: 1 } }) });
  const ended = new Map<string, unknown>();
  await new Executor({ signal: new AbortController().signal, now: () => new Date(0), emit: (event) => event.event === 'ended' && ended.set(event.step, event.result) }).runAll(plan);
  expect(ended.get('a')).toMatchObject({ outcome: 'passed' });
  expect(ended.get('b')).toMatchObject({ outcome: 'failed', evidence: { rows: 7 } });
  expect(ended.get('c')).toMatchObject({ outcome: 'skipped', reason: 'needs b, which is failed' });
});

test('a plan refuses a step twice, and a need that does not come before', () => {
  const plan = new Plan();
  const spec = { part: 'database', title: 't', needs: {}, evidence, run: async () => ({ evidence: { rows: 1 } }) } as const;
  plan.step({ ...spec, id: 'a' });
  expect(() => plan.step({ ...spec, id: 'a' })).toThrow('planned twice');
  expect(() => plan.step({ ...spec, id: 'b', needs: { later: { id: 'c' } } })).toThrow('not planned before');
});
