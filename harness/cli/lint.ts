// `npm run lint`: the compiler, the linters, and what nobody uses. Each says one line; what it finds stands above it.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import type { CliCommand } from '../cli.ts';

const checkout = resolve(import.meta.dirname, '../..');

export const command: CliCommand = {
  name: 'lint',
  summary: 'type check, lint, look for unused code, check the shell scripts',
  configure: (cmd) => {
    cmd.option('--root <directory>', 'the checkout to look at', checkout);
  },
  run: async (options) => {
    const root = resolve(String(options['root']));
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const step of stepsFor(root)) {
      const { outcome, output } = await runStep(root, step);
      count[outcome] += 1;
      process.stdout.write(`${output === '' ? '' : `${output}\n`}${step.name}: ${outcome}\n`);
    }
    process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
    return count.failed === 0 ? 0 : 1;
  },
};

interface Step {
  readonly name: string;
  readonly program: string;
  readonly words: readonly string[];
  /** True where npm does not bring the program: a machine may lack it. */
  readonly mayLack: boolean;
}

function stepsFor(root: string): Step[] {
  const sources = ['checks', 'drills', 'fixtures', 'harness', 'ops', ...globSync('*.config.ts', { cwd: root })].filter((path) => existsSync(join(root, path)));
  const shell = shellFiles(root);
  const npm = (name: string, program: string, words: readonly string[]): Step => ({ name, program, words, mayLack: false });
  return [
    npm('types (tsc)', 'tsc', ['--project', '.', '--pretty', 'false']),
    npm('rules (oxlint)', 'oxlint', ['--type-aware', '--deny-warnings', '--config', '.oxlintrc.json', ...sources]),
    npm('nothing unused (knip)', 'knip', ['--no-progress', '--no-config-hints']),
    ...(shell.length === 0
      ? []
      : [
          { name: 'shell (shellcheck)', program: 'shellcheck', words: ['--external-sources', ...shell], mayLack: true },
          { name: 'shell layout (shfmt)', program: 'shfmt', words: ['-d', '-i', '2', '-ci', ...shell], mayLack: true },
        ]),
  ];
}

/** What `#!` says is a shell script, whatever its name. */
function shellFiles(root: string): string[] {
  return globSync(['ops/**/*', 'fixtures/**/*', '.ci/**/*'], { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /^#!.*\b(?:ba|da)?sh\b/.test(readFileSync(path).subarray(0, 80).toString('latin1')))
    .sort();
}

async function runStep(root: string, step: Step): Promise<{ outcome: 'passed' | 'failed' | 'skipped'; output: string }> {
  const result = await execa(step.program, step.words, { cwd: root, preferLocal: true, localDir: checkout, reject: false, all: true, stdin: 'ignore' });
  if (result.code === 'ENOENT') {
    const skip = step.mayLack && process.env['CI'] !== 'true';
    return { outcome: skip ? 'skipped' : 'failed', output: `${step.program} is not on this machine` };
  }
  return result.exitCode === 0 ? { outcome: 'passed', output: '' } : { outcome: 'failed', output: result.all || result.shortMessage || '' };
}
