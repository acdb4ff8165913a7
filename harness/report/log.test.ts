import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { DrillRun } from '../run/record.ts';
import { appendToLog, lastLogged, logHead } from './log.ts';

const directory = mkdtempSync(join(tmpdir(), 'drill-log-'));
afterAll(() => rmSync(directory, { recursive: true }));
const at = '2026-11-23T02:00:00.000Z';
const record: DrillRun = {
  format: 'backup-drills/record/1', run: 'r1', kind: 'drill', application: 'app', trigger: 'manual', operator: 'op', host: 'h', versions: {}, config: { file: 'f', digest: 'd' }, clock: { shiftMs: 0 },
  startedAt: at, endedAt: null, ended: 'abandoned', verdict: 'inconclusive', scope: { covered: ['database'], notCovered: ['media'] }, steps: [], scratch: null, process: { pid: 1, start: 'x', boot: 'b', namespace: '', host: 'h' }, previous: null,
};

test.each([['backup-drills.md', 'drill'], ['backup-checks.md', 'check']] as const)('%s in this checkout begins as the code would begin one', (name, kind) => {
  const committed = readFileSync(resolve(import.meta.dirname, '../../reports', name), 'utf8');
  expect(committed.startsWith(logHead(kind))).toBe(true);
});

test('a check says how old the snapshot is, and neither an RPO nor a restore that there was not', () => {
  const log = join(directory, 'backup-checks.md');
  const select = { set: '2026-11-23', how: 'newest', asked: null, seed: null, snapshotAt: at, ageMs: 3_600_000, newest: '2026-11-23', candidates: 1, manifestsRead: 1 };
  const chosen = { id: 'database.select', part: 'database', title: 'choose', compares: false, outcome: 'passed', reason: null, startedAt: at, endedAt: at, findings: [], evidence: select } as const;
  appendToLog(log, { ...record, kind: 'check', ended: 'finished', steps: [{ ...chosen, findings: [] }] }, 'c'.repeat(64));
  expect(readFileSync(log, 'utf8')).toBe(`${logHead('check')}| 2026-11-23 02:00 | inconclusive: database · not covered: media | 2026-11-23 | 1 h 0 min | r1 | ${'c'.repeat(64)} |\n`);
});

test('each run adds one line to what is there, and the next one finds its hash', () => {
  const log = join(directory, 'new', 'backup-drills.md');
  expect(lastLogged(log)).toBeNull();
  appendToLog(log, record, 'a'.repeat(64));
  expect(lastLogged(log)).toBe('a'.repeat(64));
  appendToLog(log, { ...record, run: 'r2' }, 'b'.repeat(64));
  expect(lastLogged(log)).toBe('b'.repeat(64));
  expect(readFileSync(log, 'utf8')).toBe(
    `${logHead('drill')}| 2026-11-23 02:00 | inconclusive: database · not covered: media (abandoned) | none | not measured | not measured | r1 | ${'a'.repeat(64)} |\n` +
      `| 2026-11-23 02:00 | inconclusive: database · not covered: media (abandoned) | none | not measured | not measured | r2 | ${'b'.repeat(64)} |\n`,
  );
});
