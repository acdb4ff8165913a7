// Plants one fault at a time beside a healthy test, and reads how `npm test` counts it.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const checkout = resolve(import.meta.dirname, '../..');
const healthy = `import { expect, test } from 'vitest';\ntest('healthy', () => { expect(1).toBe(1); });\n`;
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'backup-drills-test-'));
  mkdirSync(join(root, 'harness'));
  symlinkSync(join(checkout, 'node_modules'), join(root, 'node_modules'));
  copyFileSync(join(checkout, 'vitest.config.ts'), join(root, 'vitest.config.ts'));
  writeFileSync(join(root, 'harness/healthy.test.ts'), healthy);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function plant(name: string, text: string): void {
  writeFileSync(join(root, 'harness', name), `import { beforeAll, describe, expect, test } from 'vitest';\n${text}\n`);
}

async function runTests(words: readonly string[] = [], ci = false): Promise<{ code: number | undefined; last: string; lines: string[] }> {
  const { VITEST: _, VITEST_MODE: __, VITEST_POOL_ID: ___, VITEST_WORKER_ID: ____, CI: _____, ...env } = process.env;
  const run = await execa(process.execPath, [join(checkout, 'harness/enter.mjs'), 'test', '--root', root, ...words], { reject: false, extendEnv: false, env: { ...env, NODE_ENV: 'production', ...(ci ? { CI: 'true' } : {}) } });
  const lines = run.stdout.trimEnd().split('\n');
  return { code: run.exitCode, last: lines.at(-1) ?? '', lines };
}

test('healthy tests pass, and long ones wait to be asked for', async () => {
  plant('slow.long.test.ts', `test('slow', () => { expect(1).toBe(1); });\ntest('slower', () => { expect(1).toBe(1); });`);
  expect(await runTests()).toMatchObject({ code: 0, last: '1 passed, 0 failed, 0 skipped' });
  expect(await runTests(['--long'])).toMatchObject({ code: 0, last: '2 passed, 0 failed, 0 skipped' });
});

test.each([
  ['a failed test', `test('x', () => { expect(1).toBe(2); });`, /^failed: harness\/planted\.test\.ts > x: expected 1 to be 2/],
  ['a test that asserts nothing', `test('x', () => {});`, /^failed: harness\/planted\.test\.ts > x: /],
  ['an un-awaited rejection', `test('x', () => { void Promise.reject(new Error('late')); expect(1).toBe(1); });`, /^failed: outside of any test: late/],
  ['a file that does not load', `import './absent.ts';\ntest('x', () => { expect(1).toBe(1); });`, /^failed: harness\/planted\.test\.ts: Cannot find module/],
  ['a file without a test', `describe('x', () => {});`, /^failed: harness\/planted\.test\.ts/],
  ['a .only', `test.only('x', () => { expect(1).toBe(1); });`, /^failed: harness\/planted\.test\.ts > x: .*Unexpected \.only/],
  ['a set-up that throws', `describe('g', () => { beforeAll(() => { throw new Error('no server'); }); test('x', () => { expect(1).toBe(1); }); });`, /^failed: harness\/planted\.test\.ts > g: no server/],
  ['a worker that is killed', `test('x', async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); });`, /^failed: harness\/planted\.test\.ts > x: never ended/],
])('%s is a failure', async (_name, text, line) => {
  plant('planted.test.ts', text);
  const { code, last, lines } = await runTests();
  expect(lines).toContainEqual(expect.stringMatching(line));
  expect(last).toMatch(/^\d+ passed, [1-9]\d* failed, 0 skipped$/);
  expect(code).toBe(1);
});

test('a run of nothing is a failure', async () => {
  expect(await runTests(['no-such-file'])).toMatchObject({ code: 1, last: '0 passed, 1 failed, 0 skipped' });
});

test('what is skipped is named by what it needs, and fails with CI=true', async () => {
  mkdirSync(join(root, 'fixtures'));
  copyFileSync(join(checkout, 'fixtures/tools.ts'), join(root, 'fixtures/tools.ts'));
  plant('planted.test.ts', `import { needing } from '../fixtures/tools.ts';
const absent = needing('psql', 'initdb13');
absent.describe('g', () => { test('x', () => { expect(1).toBe(1); }); test('y', () => { expect(1).toBe(1); }); });
test.skip('z', () => {});`);
  vi.stubEnv('PATH', '/nonexistent');
  vi.stubEnv('BACKUP_DRILLS_PG_BIN', '');
  const { code, last, lines } = await runTests();
  expect(lines).toContain('skipped for want of psql, initdb13: 2 tests');
  expect(lines).toContain('skipped by hand: harness/planted.test.ts > z');
  expect([code, last]).toEqual([0, '1 passed, 0 failed, 3 skipped']);
  expect(await runTests([], true)).toMatchObject({ code: 1, last: '1 passed, 1 failed, 1 skipped' });
});
