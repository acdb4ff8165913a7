// `npm test`: drives vitest, and counts for itself. A test is passed only where vitest says that it ran and passed; a file
// that did not load, a worker that died, a group whose set-up threw and a run of nothing are failures.
import { join, resolve } from 'node:path';
import type { SerializedError } from 'vitest';
import { type TestCase, type TestModule, type TestSpecification, type TestSuite, createVitest } from 'vitest/node';
import type { CliCommand } from '../cli.ts';

export const command: CliCommand = {
  name: 'test',
  summary: 'run the project\'s own tests',
  configure: (cmd) => {
    cmd
      .argument('[paths...]', 'only the test files whose path contains one of these')
      .option('--long', 'the experiments that take more than ten seconds each (*.long.test.ts), one after another, and only these')
      .option('--pulling', 'those that pull images from public registries (*.pull.test.ts), and only these')
      .option('--root <directory>', 'the checkout whose tests to run', resolve(import.meta.dirname, '../..'));
  },
  run: async (options, paths) => {
    const tally = await runTests({ root: resolve(String(options['root'])), kind: options['pulling'] === true ? 'pull' : options['long'] === true ? 'long' : 'usual', paths });
    const lines = [...tally.failures.map((failure) => `failed: ${failure}`), ...skipLines(tally.skipped)];
    const skipped = [...tally.skipped.values()].reduce((sum, titles) => sum + titles.length, 0);
    process.stdout.write(`${['', ...lines, `${tally.passed} passed, ${tally.failures.length} failed, ${skipped} skipped`].join('\n')}\n`);
    const clean = tally.failures.length === 0 && tally.passed > 0 && (skipped === 0 || process.env['CI'] !== 'true');
    return clean ? 0 : 1;
  },
};

interface Tally {
  passed: number;
  /** One line for each failed test, and for each thing that kept tests from running. */
  readonly failures: string[];
  /** Titles of skipped tests by what they need; '' where no tool is named. */
  readonly skipped: Map<string, string[]>;
}

async function runTests(options: { root: string; kind: 'usual' | 'long' | 'pull'; paths: readonly string[] }): Promise<Tally> {
  const vitest = await createVitest('test', { root: options.root, config: join(options.root, 'vitest.config.ts'), watch: false, reporters: ['default'], ...(options.kind === 'long' ? { maxWorkers: 1 } : {}) });
  const signals: string[] = [];
  const interrupt = (signal: string): void => {
    signals.push(signal);
    void vitest.cancelCurrentRun('keyboard-input');
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    await vitest.standalone();
    const all = await vitest.globTestSpecifications([...options.paths]);
    const chosen = all.filter((file) => (/\.(long|pull)\.test\.ts$/.exec(file.moduleId)?.[1] ?? 'usual') === options.kind);
    if (chosen.length === 0) return { passed: 0, failures: ['no test file matches'], skipped: new Map() };
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(chosen, true);
    const tally = count(chosen, testModules, unhandledErrors as SerializedError[]);
    tally.failures.push(...signals.map((signal) => `interrupted by ${signal}`));
    return tally;
  } finally {
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt);
    await vitest.close();
    process.exitCode = undefined; // vitest sets it; the tally alone decides
  }
}

function count(chosen: readonly TestSpecification[], modules: readonly TestModule[], unhandled: readonly SerializedError[]): Tally {
  const tally: Tally = { passed: 0, failures: [], skipped: new Map() };
  for (const file of chosen) {
    const module = modules.find((each) => each.moduleId === file.moduleId);
    if (module === undefined) tally.failures.push(`${file.moduleId}: never ran`);
    else countModule(tally, module);
  }
  for (const error of unhandled) tally.failures.push(`outside of any test: ${firstLine(error)}`);
  return tally;
}

function countModule(tally: Tally, module: TestModule): void {
  const before = tally.failures.length;
  for (const error of module.errors()) tally.failures.push(`${module.relativeModuleId}: ${firstLine(error)}`);
  for (const suite of module.children.allSuites()) {
    for (const error of suite.errors()) tally.failures.push(`${module.relativeModuleId} > ${suite.fullName}: ${firstLine(error)}`);
  }
  let tests = 0;
  for (const test of module.children.allTests()) {
    tests += 1;
    countTest(tally, test);
  }
  if (tests === 0 && tally.failures.length === before) tally.failures.push(`${module.relativeModuleId}: holds no test`);
  else if (module.state() === 'failed' && tally.failures.length === before) tally.failures.push(`${module.relativeModuleId}: failed without saying why`);
}

function countTest(tally: Tally, test: TestCase): void {
  const title = `${test.module.relativeModuleId} > ${test.fullName}`;
  const result = test.result();
  if (result.state === 'passed') {
    tally.passed += 1;
  } else if (result.state === 'skipped' && (result.note !== undefined || isDeclaredSkip(test))) {
    const need = /\[needs ([^\]]+)\]/.exec(`${result.note ?? ''} ${test.fullName}`)?.[1] ?? '';
    tally.skipped.set(need, [...(tally.skipped.get(need) ?? []), title]);
  } else {
    const why = result.state === 'failed' ? firstLine(result.errors[0]) : 'never ended';
    tally.failures.push(`${title}: ${why}`);
  }
}

/** Vitest also calls skipped what it merely never reached. */
function isDeclaredSkip(test: TestCase): boolean {
  let entity: TestCase | TestSuite | TestModule = test;
  while (entity.type !== 'module') {
    if (entity.options.mode === 'skip' || entity.options.mode === 'todo') return true;
    entity = entity.parent;
  }
  return false;
}

function skipLines(skipped: Tally['skipped']): string[] {
  return [...skipped].sort(([a], [b]) => a.localeCompare(b)).flatMap(([need, titles]) => (need === '' ? titles.map((title) => `skipped by hand: ${title}`) : [`skipped for want of ${need}: ${titles.length} ${titles.length === 1 ? 'test' : 'tests'}`]));
}

function firstLine(error: { readonly message: string } | undefined): string {
  return error?.message.split('\n')[0] ?? 'no reason given';
}
