import { expect, test } from 'vitest';
import type { DrillRun, RecordedStep } from '../run/record.ts';
import { junitOf } from './junit.ts';
import { logLine } from './log.ts';

const at = '2026-11-23T00:00:00.000Z';
const step = (part: Partial<RecordedStep>): RecordedStep => ({ id: 'database.x', part: 'database', title: 'x', compares: false, outcome: 'passed', reason: null, startedAt: at, endedAt: at, findings: [], evidence: {}, ...part });
const finding = (code: string, message: string): RecordedStep['findings'][number] => ({ code, severity: 'error', judged: true, message, hint: 'Mend it.', facts: {} });
const record = (steps: RecordedStep[], part: Partial<DrillRun> = {}): DrillRun => ({
  format: 'backup-drills/record/1', run: 'r1', kind: 'drill', application: 'app', trigger: 'manual', operator: 'op', host: 'h', versions: {}, config: { file: 'f', digest: 'd' }, clock: { shiftMs: 0 },
  startedAt: at, endedAt: at, ended: 'finished', verdict: 'unverified', scope: { covered: ['database'], notCovered: ['media'] }, steps, scratch: null, process: { pid: 1, start: 'x', boot: 'b', namespace: '', host: 'h' }, previous: null, ...part,
});

test('failure, error and skipped are told apart, one case per step', () => {
  const xml = junitOf(record([step({ id: 'a' }), step({ id: 'b', outcome: 'failed', reason: 'rows missing', findings: [finding('compare.rows-missing', 'rows missing')] }), step({ id: 'c', outcome: 'errored', reason: 'not run' }), step({ id: 'd', outcome: 'skipped', reason: 'needs b' })]));
  expect(xml.match(/<testcase /g)).toHaveLength(4);
  expect(xml).toMatch(/<testsuite [^>]*tests="4" failures="1" errors="1" skipped="1"/);
  expect(xml).toMatch(/<failure message="rows missing" type="compare.rows-missing">/);
  expect(xml).toMatch(/<error message="not run" type="run.not-run">/);
  expect(xml).toMatch(/<skipped\/>[\s\S]*needs b/);
});

test('hostile names survive in well-formed XML', () => {
  const hostile = ']]><script>"\'&\u0000\u0007\uFFFE\uD800 <x a="1">';
  const xml = junitOf(record([step({ title: hostile, outcome: 'failed', reason: hostile, findings: [finding('dump.x', hostile)] }), step({ id: 'e', outcome: 'errored', reason: hostile, findings: [finding('dump.y', hostile)] }), step({ id: 's', outcome: 'skipped', reason: hostile })]));
  // Outside CDATA no raw markup of the name may stand; inside it, no early end.
  const outside = xml.replaceAll(/<!\[CDATA\[[\s\S]*?\]\]>/g, '');
  expect(outside).not.toMatch(/<script>|<x a=/);
  expect([...outside.matchAll(/<\/?([A-Za-z-]+)/g)].map((match) => match[1]).filter((name) => !['testsuites', 'testsuite', 'testcase', 'properties', 'property', 'failure', 'error', 'skipped', 'system-out'].includes(name ?? ''))).toStrictEqual([]);
  expect(xml).not.toMatch(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])/);
});

test('a cell of the drill log cannot end its row, hide text or become a formula', () => {
  const line = logLine(record([step({ id: 'database.select', evidence: { set: '=HYPERLINK("x")|`<b>\n| forged | verified |' } })]), 'f'.repeat(64));
  expect(line.match(/\n/g)).toHaveLength(1);
  expect(line.replaceAll('\\|', '').split('|')).toHaveLength(9);
  expect(line).toContain("'=HYPERLINK");
  expect(line).toContain('unverified: database · not covered: media');
});
