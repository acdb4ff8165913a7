// A lint that finds nothing proves nothing until it has found what was planted.
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';

const checkout = resolve(import.meta.dirname, '../..');
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'backup-drills-lint-'));
  mkdirSync(join(root, 'harness'));
  for (const file of ['.oxlintrc.json', 'tsconfig.json']) copyFileSync(join(checkout, file), join(root, file));
  symlinkSync(join(checkout, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'package.json'), '{"name":"planted","private":true,"type":"module"}');
  writeFileSync(join(root, 'knip.json'), '{"entry":["harness/main.ts"],"project":["harness/**/*.ts"]}');
  writeFileSync(join(root, 'harness/work.ts'), 'export async function work(): Promise<number> {\n  return 1;\n}\n');
  plant("import { work } from './work.ts';\n\nawait work();\n");
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function plant(text: string): void {
  writeFileSync(join(root, 'harness/main.ts'), text);
}

async function lint(): Promise<{ code: number | undefined; text: string }> {
  const run = await execa(process.execPath, [join(checkout, 'harness/enter.mjs'), 'lint', '--root', root], { reject: false });
  return { code: run.exitCode, text: run.stdout };
}

test('healthy code passes each', async () => {
  expect(await lint()).toEqual({ code: 0, text: 'types (tsc): passed\nrules (oxlint): passed\nnothing unused (knip): passed\n3 passed, 0 failed, 0 skipped' });
});

test.each([
  ['a promise that nobody awaits', "import { work } from './work.ts';\n\nwork();\n", 'no-floating-promises', 'rules (oxlint)'],
  ['an async callback where none is awaited', "import { work } from './work.ts';\n\n[1].forEach(async () => {\n  await work();\n});\n", 'no-misused-promises', 'rules (oxlint)'],
  ['an await of nothing', "import { work } from './work.ts';\n\nawait work();\nawait 3;\n", 'await-thenable', 'rules (oxlint)'],
  ['a wrong type', "import { work } from './work.ts';\n\nexport const text: string = await work();\n", 'TS2322', 'types (tsc)'],
  ['an unused export', "import { work } from './other.ts';\n\nawait work();\n", 'forgotten', 'nothing unused (knip)'],
])('%s is found, and by nothing else', async (_name, text, said, step) => {
  if (said === 'forgotten') {
    renameSync(join(root, 'harness/work.ts'), join(root, 'harness/other.ts'));
    appendFileSync(join(root, 'harness/other.ts'), '\nexport const forgotten = 1;\n');
  }
  plant(text);
  const { code, text: output } = await lint();
  expect(output).toContain(said);
  expect(output.match(/^.*: failed$/gm)).toEqual([`${step}: failed`]);
  expect(output).toMatch(/\n2 passed, 1 failed, 0 skipped$/);
  expect(code).toBe(1);
});
