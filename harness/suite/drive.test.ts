// vitest is not fail-closed by itself: each way in which a run could look green without having run.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import type { RecordedStep } from '../run/record.ts';
import { verdictOf } from '../run/verdict.ts';

const root = join(import.meta.dirname, '..', '..');
const directory = mkdtempSync(join(tmpdir(), 'drive-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

const drillOf = (body: string, top = ''): string => `
import { z } from '${root}/node_modules/zod/index.js';
import { Plan } from '${root}/harness/run/plan.ts';
import { suite } from '${root}/harness/suite/worker.ts';
import { leaveRestored } from '${root}/harness/suite/restored.ts';
${top}
suite('t', () => {
  const plan = new Plan();
  const step = (id, run) => plan.step({ id, part: 'database', title: id, needs: {}, evidence: z.strictObject({}), run });
  ${body}
  return plan;
});
`;
const healthy = drillOf(`step('a', async () => ({ evidence: {} })); step('b', async () => ({ evidence: {} }));`);
const checkOf = (body: string): string => `
import { defineCheck, expect } from '${root}/harness/checks.ts';
const check = defineCheck({ needs: 'restored' });
${body}
`;

let count = 0;
async function run(drill: string, checks: readonly string[] = [], planned = 'a,b'): Promise<RecordedStep[]> {
  count += 1;
  const drillFile = join(directory, `${count}.drill.ts`);
  writeFileSync(drillFile, drill);
  const checkFiles = checks.map((text, index) => {
    const file = join(directory, `${count}-${index}.check.ts`);
    writeFileSync(file, text);
    return file;
  });
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'fixtures', 'suite', 'rig.ts'), drillFile, planned, ...checkFiles], { env: { ...process.env, VITEST: undefined, VITEST_POOL_ID: undefined, VITEST_WORKER_ID: undefined, NODE_ENV: undefined } });
  return JSON.parse(stdout) as RecordedStep[];
}
const told = (steps: readonly RecordedStep[]): string[] => steps.map((step) => `${step.id.replace(/^check\.\d+-(\d+)/, 'check.$1')} ${step.outcome} ${step.findings.map((finding) => finding.code).join(' ')}`.trim());
/** Whatever else was proven: no verdict may be green. */
const green = (steps: readonly RecordedStep[]): boolean => verdictOf([...steps, { outcome: 'passed', compares: true }], 'finished') === 'verified';

test('steps that pass are passed, in order', async () => {
  const steps = await run(healthy);
  expect(told(steps)).toStrictEqual(['a passed', 'b passed']);
  expect(green(steps)).toBe(true);
});

test('a worker that is slow to stop is waited for: were it killed, vitest would wait a minute for its answer', async () => {
  const slowly = 'await new Promise((resolve) => setTimeout(resolve, 300));'; // long enough for the command to know the worker
  const top = `process.prependListener('message', (message) => { if (message?.type === 'stop') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300); });`;
  expect(told(await run(drillOf(`step('a', async () => { ${slowly} return { evidence: {} }; });`, top), [], 'a'))).toStrictEqual(['a passed']);
}, 30_000);

test.each<[string, string, string[]]>([
  ['a worker that is killed in a step', drillOf(`step('a', async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); }); step('b', async () => ({ evidence: {} }));`), ['a errored run.worker-died', 'b errored']],
  ['a worker that exits with 0 in a step', drillOf(`step('a', async () => ({ evidence: {} })); step('b', async () => { process.exit(0); });`), ['a passed', 'b errored run.broken']],
  ['a drill file that does not load', `import './not-there.ts';\n${healthy}`, ['a errored run.broken', 'b errored']],
  ['a drill file that declares nothing', 'export {};', ['a errored run.broken', 'b errored']],
  ['a drill that leaves a planned step out', drillOf(`step('a', async () => ({ evidence: {} }));`), ['a passed', 'b errored']],
])('%s is never green', async (_name, drill, outcomes) => {
  const steps = await run(drill);
  expect(told(steps)).toStrictEqual(outcomes);
  expect(green(steps)).toBe(false);
});

const leave = drillOf(`step('a', async () => { leaveRestored({ reader: {}, now: () => new Date(0) }); return { evidence: {} }; }); step('b', async () => ({ evidence: {} }));`);

test("an operator's checks become steps; each way of proving nothing has its own code", async () => {
  const steps = await run(leave, [
    checkOf(`check('holds', ({ now }) => { expect(now.getTime()).toBe(0); });`),
    checkOf(`check('fails on a count', () => { expect(3).toBe(4); }); check('fails on a value', () => { expect('alice@example.org').toBe('bob@example.org'); });`),
    checkOf(`check('asserts nothing', () => {});`),
    checkOf(`check('breaks', () => { throw Object.assign(new Error('Key (mail)=(alice@example.org)'), { code: '23505', severity: 'ERROR' }); });`),
    checkOf(''),
    `throw new TypeError('at import');`,
    checkOf(`check.skip('left out', () => { expect(1).toBe(1); });`),
    checkOf(`check.only('alone', () => { expect(1).toBe(1); }); check('beside', () => { expect(1).toBe(1); });`),
    checkOf(`check.todo('some day');`),
  ]);
  expect(told(steps)).toStrictEqual([
    'a passed', 'b passed',
    'check.0.holds passed',
    'check.1.fails-on-a-count failed check.failed', 'check.1.fails-on-a-value failed check.failed',
    'check.2.asserts-nothing errored check.asserts-nothing',
    'check.3.breaks errored check.broken',
    'check.4 errored check.empty',
    'check.5 errored check.not-loaded',
    'check.6.left-out skipped',
    'check.7.beside skipped', 'check.7.alone errored check.broken',
    'check.8.some-day skipped',
  ]);
  const counted = steps.find((step) => step.id.endsWith('fails-on-a-count'));
  expect(counted?.findings[0]?.facts).toMatchObject({ expected: '4', actual: '3' });
  // A value in an assertion may be a row's.
  expect(JSON.stringify(steps)).not.toContain('example.org');
});

test('checks without a restored database are skipped, which is no pass', async () => {
  const steps = await run(healthy, [checkOf(`check('holds', () => { expect(1).toBe(1); });`)]);
  expect(told(steps)).toStrictEqual(['a passed', 'b passed', 'check.0.holds skipped']);
  expect(green(steps)).toBe(false);
});

test('checks after a killed worker are not green', async () => {
  const steps = await run(drillOf(`step('a', async () => { leaveRestored({ reader: {}, now: () => new Date(0) }); process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); }); step('b', async () => ({ evidence: {} }));`), [checkOf(`check('holds', () => { expect(1).toBe(1); });`)]);
  expect(told(steps).slice(0, 2)).toStrictEqual(['a errored run.worker-died', 'b errored']);
  expect(steps.slice(2).every((step) => step.outcome !== 'passed')).toBe(true);
});
