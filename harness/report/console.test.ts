// What a person reads: on a terminal, in a log file, and at the end.
import { expect, test } from 'vitest';
import { notRun } from '../run/execute.ts';
import type { DrillRun, RecordedStep } from '../run/record.ts';
import { ConsoleReport, type ConsoleOptions } from './console.ts';

const at = '2026-11-23T02:00:00.000Z';
const later = '2026-11-23T02:00:01.500Z';
const step = (part: Partial<RecordedStep>): RecordedStep => ({ id: 'database.fetch', part: 'database', title: 'fetch the dump', compares: false, outcome: 'passed', reason: null, startedAt: at, endedAt: later, findings: [], evidence: {}, ...part });
const finding = { code: 'dump.empty', severity: 'error', judged: true, message: 'the dump is empty', hint: 'Look at the job.', facts: {} } as const;
const record = (part: Partial<DrillRun>): DrillRun => ({
  format: 'backup-drills/record/1', run: 'r1', kind: 'drill', application: 'app', trigger: 'manual', operator: 'op', host: 'h', versions: {}, config: { file: 'f', digest: 'd' }, clock: { shiftMs: 0 },
  startedAt: at, endedAt: later, ended: 'finished', verdict: 'verified', scope: { covered: ['database'], notCovered: ['media'] }, steps: [step({})], scratch: null, process: { pid: 1, start: 'x', boot: 'b', namespace: '', host: 'h' }, previous: null, ...part,
});

function seen(options: Partial<ConsoleOptions> & { terminal?: boolean }, act: (report: ConsoleReport) => void): string {
  let text = '';
  const { terminal = false, colour = false, quiet = false } = options;
  act(new ConsoleReport({ out: { write: (more) => (text += more), isTTY: terminal, columns: 60 }, colour, quiet }));
  return text;
}
const progress = { event: 'progress', step: 'database.fetch', progress: { done: 500_000_000, total: 1_000_000_000, unit: 'bytes', what: 'db-2026-11-23.sql.gz\u001B[2J' } } as const;

test('a terminal has one moving line, no wider than itself, and no control character of a name', () => {
  const text = seen({ terminal: true, colour: true }, (report) => {
    report.take({ event: 'started', step: 'database.fetch', at }, step({}));
    report.take(progress, step({}));
    report.take({ event: 'ended', step: 'database.fetch', result: step({}) }, step({}));
  });
  const lines = text.split('\r\u001B[2K');
  expect(lines).toHaveLength(4);
  expect(lines[2]).toMatch(/^… 50 % fetch the dump: 500\.0 MB of 1\.0 GB/);
  expect(lines[2]?.length).toBeLessThan(60);
  expect(text).not.toContain('\u001B[2J');
  expect(lines[3]).toBe('\u001B[32mok  \u001B[0m fetch the dump \u001B[2m1.5 s\u001B[0m\n');
});

test('a file gets whole lines, without colour, and no moving line', () => {
  const text = seen({}, (report) => {
    report.take({ event: 'started', step: 'database.fetch', at }, step({}));
    report.take(progress, step({}));
    report.take({ event: 'ended', step: 'database.fetch', result: step({}) }, step({ outcome: 'failed', reason: 'x', findings: [finding] }));
  });
  expect(text).toBe('FAIL fetch the dump 1.5 s\n     error dump.empty: the dump is empty\n     -> Look at the job.\n');
});

test('quiet says the end only', () => {
  const text = seen({ quiet: true }, (report) => {
    report.say('rehearsal of app');
    report.take({ event: 'ended', step: 'database.fetch', result: step({}) }, step({}));
    report.end(record({}), [['record', 'out/record.json']], []);
  });
  expect(text).toBe('\nverified: database · not covered: media\ndrill · no set was chosen · age not measured · not restored\n1 step: 1 passed, 0 failed, 0 errored, 0 skipped · 1.5 s in all\n\nrecord   out/record.json\n');
});

test('the end of a run that is not verified says what to do, or what was not proven', () => {
  const failed = seen({}, (report) => report.end(record({ verdict: 'unverified', steps: [step({ outcome: 'failed', findings: [finding] })] }), [], []));
  expect(failed).toContain('What to do:\n  dump.empty (database.fetch): the dump is empty\n    Look at the job.\n');
  const lost = seen({}, (report) => report.end(record({ verdict: 'inconclusive', steps: [step({ ...notRun, findings: [] })] }), [], []));
  expect(lost).toContain('Not proven: database.fetch (not run)');
});
