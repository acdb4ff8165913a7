// The one parser of commands, as npm starts it.
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');

async function type(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((ended) => {
    const child = execFile(process.execPath, [join(root, 'harness/enter.mjs'), ...words], { env: { ...process.env, ...environment } }, (_, stdout, stderr) => ended({ code: child.exitCode ?? -1, stdout, stderr }));
  });
}

test.each([
  ['drill', 'npm_config_real', '--real'],
  ['drill', 'npm_config_random_older', '--random-older'],
  ['drill', 'npm_config_json', '--json'],
  ['bench', 'npm_config_quick', '--quick'],
  ['test', 'npm_config_long', '--long'],
])('%s refuses to go without an option that npm kept: %s', async (command, variable, option) => {
  const { code, stdout, stderr } = await type([command], { [variable]: 'true' });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toBe(`npm took ${option} for an option of its own: write npm run ${command} -- ${option}, with the two dashes.\n`);
});

test('no command, an unknown one, and a word too many say what there is', async () => {
  expect(await type([])).toMatchObject({ code: 0, stdout: expect.stringMatching(/npm run drill/) as string });
  expect(await type(['dril'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/no command is named 'dril'; there are: npm run drill/) as string });
  expect(await type(['drill', '/var/backups'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/too many arguments/) as string });
});
