// What the README says of a first run, held against one.
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const directory = mkdtempSync(join(tmpdir(), 'readme-'));
chmodSync(directory, 0o755); // as root the server runs as nobody, who must get past it
afterAll(() => rmSync(directory, { recursive: true }));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Times and the run's own name differ from run to run; where this test keeps its reports is its own affair. */
const lasting = (text: string): string => text.replaceAll(`${directory}/reports`, 'reports').replaceAll(/\d{4}-\d\d-\d\dT\d{6}Z-[0-9a-f]{4}/g, 'RUN').replaceAll(/(?<=restored in |· )\d+(?:\.\d+)? m?s\b/g, 'TIME');

test('a first run ends as the README shows', async () => {
  const shown = /It ends like this:\n\n```\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  expect(shown.split('\n').length).toBeGreaterThan(8);
  const config = join(directory, 'drill.config.ts');
  writeFileSync(config, `import shipped from ${JSON.stringify(join(root, 'drill.config.ts'))};\nexport default { ...shipped, checks: [${JSON.stringify(join(root, 'checks/*.check.ts'))}], reports: ${JSON.stringify(join(directory, 'reports'))} };\n`);
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'harness/enter.mjs'), 'drill', '--config', config], { cwd: root, env: { ...process.env, INIT_CWD: root } });
  expect(lasting(stdout).endsWith(lasting(shown)), stdout).toBe(true);
}, 90_000);

test('each command that the README names is one, and each has its help', async () => {
  const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts;
  const named = [...new Set([...readme.matchAll(/npm (?:run )?([a-z][a-z:]*)(?! ci)\b/g)].map((match) => match[1] ?? '').filter((name) => name !== 'ci'))];
  expect(named.toSorted()).toEqual(Object.keys(scripts).toSorted());
  for (const name of named) {
    const [, command = ''] = /enter\.mjs ([\w:]+)/.exec(scripts[name] ?? '') ?? [];
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'harness/enter.mjs'), command, '--help']);
    expect(stdout).toContain(`Usage: npm run ${command} --`);
  }
}, 60_000);
