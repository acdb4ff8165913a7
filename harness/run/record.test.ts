// The published schema is the one that records are written by, and an independent validator reads records by it.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { notRun } from './execute.ts';
import { type DrillRun, readRecord, recordJsonSchema, writeRecord } from './record.ts';

const directory = mkdtempSync(join(tmpdir(), 'record-'));
afterAll(() => rmSync(directory, { recursive: true }));
const published = JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/record.schema.json'), 'utf8')) as object;
const valid = new Ajv2020({ strict: true, formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/ } }).compile(published);

const at = '2026-11-23T02:00:00.000Z';
const healthy: DrillRun = {
  format: 'backup-drills/record/1', run: '2026-11-23T020000Z-0000', kind: 'drill', application: 'app', trigger: 'manual', operator: 'op', host: 'h', versions: { node: '24.0.0' },
  config: { file: 'drill.config.ts', digest: 'd' }, clock: { shiftMs: 0 }, startedAt: at, endedAt: at, ended: 'finished', verdict: 'inconclusive', scope: { covered: ['database'], notCovered: ['media'] },
  steps: [
    { id: 'database.x', part: 'database', title: 'x', compares: true, ...notRun, findings: [], evidence: null },
    { id: 'database.y', part: 'database', title: 'y', compares: false, outcome: 'failed', reason: 'r', startedAt: at, endedAt: at, findings: [{ code: 'dump.empty', severity: 'error', judged: true, message: 'm', hint: 'H.', facts: { n: 1, s: 's', b: true, z: null, l: ['a'] } }], evidence: { rows: '1' } },
  ],
  scratch: null, process: { pid: 1, start: 's', boot: 'b', namespace: 'n', host: 'h' }, previous: null,
};

test('docs/record.schema.json is the schema of the code', () => {
  const write = `node_modules/.bin/node -e "import('./harness/run/record.ts').then((r) => fs.writeFileSync('docs/record.schema.json', JSON.stringify(r.recordJsonSchema(), null, 2) + '\\n'))"`;
  expect(published, `write it again: ${write}`).toEqual(JSON.parse(JSON.stringify(recordJsonSchema())));
});

describe('by the published schema', () => {
  test('a record that the code writes is valid', () => {
    const path = join(directory, 'record.json');
    writeRecord(path, healthy);
    expect(valid(JSON.parse(readFileSync(path, 'utf8')))).toBe(true);
    expect(readRecord(path)).toEqual(healthy);
    expect(readdirSync(directory)).toEqual(['record.json']); // No temporary file stays.
  });

  test.each<[string, object]>([
    ['a field at the top that no part may add', { media: {} }],
    ['a verdict of another name', { verdict: 'green' }],
    ['a time that is no UTC instant', { startedAt: '2026-11-23T02:00:00+01:00' }],
    ['a step without an outcome', { steps: [{ ...healthy.steps[0], outcome: undefined }] }],
    ['a fact that is a row', { steps: [{ ...healthy.steps[1], findings: [{ ...healthy.steps[1]?.findings[0], facts: { row: { id: 1 } } }] }] }],
    ['no scope', { scope: undefined }],
  ])('%s is refused, by the code as well', (_, change) => {
    const spoiled = JSON.parse(JSON.stringify({ ...healthy, ...change })) as DrillRun;
    expect(valid(spoiled)).toBe(false);
    expect(() => writeRecord(join(directory, 'spoiled.json'), spoiled)).toThrow(z.ZodError);
    expect(readdirSync(directory)).not.toContain('spoiled.json');
  });
});

test('a record that was torn is not taken for one', () => {
  const path = join(directory, 'torn.json');
  writeFileSync(path, JSON.stringify(healthy).slice(0, 200));
  expect(() => readRecord(path)).toThrow(SyntaxError);
});
