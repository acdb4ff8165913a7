import { expect, test } from 'vitest';
import { judgeObjectives } from './judge.ts';

const measured = { snapshotAt: new Date('2026-11-23T02:00:00Z'), newest: true, now: new Date('2026-11-23T06:00:00Z'), restoreMs: 60_000 };
const codes = (...given: Parameters<typeof judgeObjectives>): string[] => judgeObjectives(...given).findings.map((finding) => finding.code);
const fourHours = 4 * 3_600_000;

test('what was promised and kept raises nothing, to the millisecond', () => {
  expect(codes(measured, { rpoMs: fourHours, restoreDurationMs: 60_000 })).toStrictEqual([]);
  expect(judgeObjectives(measured, { rpoMs: null, restoreDurationMs: null })).toStrictEqual({ findings: [], evidence: { snapshotAt: '2026-11-23T02:00:00.000Z', rpoMs: fourHours, rpoGoalMs: null, restoreMs: 60_000, restoreGoalMs: null } });
});

test('an RPO that is missed, and a restore that is too slow, are one code each', () => {
  expect(codes(measured, { rpoMs: fourHours - 1, restoreDurationMs: null })).toStrictEqual(['objective.rpo-missed']);
  expect(codes(measured, { rpoMs: null, restoreDurationMs: 59_999 })).toStrictEqual(['objective.restore-too-slow']);
});

test('an older set that was asked for says nothing of what a restore now would lose', () => {
  expect(judgeObjectives({ ...measured, newest: false }, { rpoMs: 1, restoreDurationMs: null })).toMatchObject({ findings: [], evidence: { snapshotAt: '2026-11-23T02:00:00.000Z', rpoMs: null } });
});

test('without a manifest the RPO is not measured, and not taken for kept either: its evidence is null', () => {
  expect(judgeObjectives({ ...measured, snapshotAt: null }, { rpoMs: 1, restoreDurationMs: null })).toMatchObject({ findings: [], evidence: { rpoMs: null } });
});
