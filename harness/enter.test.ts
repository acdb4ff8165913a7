// The door, tried with a Node that claims to be old, in a checkout of its own.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';

const door = join(import.meta.dirname, 'enter.mjs');
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'backup-drills-enter-'));
  for (const directory of ['harness', 'node_modules/.bin', 'node_modules/commander']) mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'node_modules/commander/package.json'), '{}');
  symlinkSync(process.execPath, join(root, 'node_modules/.bin/node'));
  copyFileSync(door, join(root, 'harness/enter.mjs'));
  plant('process.stdout.write(process.version + " " + words.join(" "));\n  return 1;');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function plant(body: string): void {
  writeFileSync(join(root, 'harness/cli.ts'), `export async function main(words: readonly string[]): Promise<number> {\n  ${body}\n}\n`);
}

function pretend(change: string): string[] {
  return ['--import', `data:text/javascript,${encodeURIComponent(change)}`];
}

const asOld = pretend("Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '12.22.0' } })");

function enter(flags: readonly string[], words: readonly string[] = []) {
  return execa(process.execPath, [...flags, join(root, 'harness/enter.mjs'), ...words], { reject: false, timeout: 20_000 });
}

test('a Node that is new enough goes in itself', async () => {
  expect(await enter([], ['drill', '--date', 'a b'])).toMatchObject({ exitCode: 1, stdout: `${process.version} drill --date a b`, stderr: '' });
});

test('an old one hands over to the packaged one, and keeps its exit code', async () => {
  expect(await enter(asOld, ['drill', '--date', 'a b'])).toMatchObject({ exitCode: 1, stdout: `${process.version} drill --date a b`, stderr: '' });
});

test('the end of the packaged one by a signal is the end of the old one', async () => {
  plant("process.kill(process.pid, 'SIGKILL');\n  return 0;");
  expect(await enter(asOld)).toMatchObject({ signal: 'SIGKILL' });
});

test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('%s reaches the packaged one, which ends as it sees fit', async (signal) => {
  plant(`return new Promise((done) => { process.on('${signal}', () => done(7)); process.stdout.write('ready\\n'); setInterval(() => {}, 1000); });`);
  const running = enter(asOld);
  running.stdout.on('data', () => running.kill(signal));
  expect(await running).toMatchObject({ exitCode: 7, stdout: 'ready' });
});

test('an exception is inconclusive, and a handle left open holds up nothing', async () => {
  plant("throw new Error('broken');");
  expect(await enter([])).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/^Error: broken\n[\s\S]*nothing was proven\.$/) });
  plant("setTimeout(() => { throw new Error('late'); }, 1);\n  return new Promise(() => {});");
  expect(await enter([])).toMatchObject({ exitCode: 2 });
  plant('setInterval(() => {}, 1000);\n  return 0;');
  expect(await enter([])).toMatchObject({ exitCode: 0 });
});

test('all that was printed arrives', async () => {
  plant("process.stdout.write('x'.repeat(3_000_000));\n  return 0;");
  const { stdout } = await enter([]);
  expect(stdout.length).toBe(3_000_000);
});

const sentence = (pattern: RegExp) => ({ exitCode: 2, stdout: '', stderr: expect.stringMatching(pattern) });

test.each<[string, () => void, string[], RegExp]>([
  ['no packages', () => rmSync(join(root, 'node_modules'), { recursive: true }), [], /^The packages are not installed: type npm ci first\.$/],
  ['no packages, to an old Node', () => rmSync(join(root, 'node_modules'), { recursive: true }), asOld, /^The packages are not installed: type npm ci first\.$/],
  ['no packaged Node', () => rmSync(join(root, 'node_modules/.bin/node')), asOld, /^Node 24 is needed, .* type npm ci --ignore-scripts=false .*\.$/],
  ['a packaged Node of another machine', () => replaceNode('\u007fELF'), asOld, /^Node 24 is needed, .* type npm ci --ignore-scripts=false .*\.$/],
  ['a packaged Node that is old itself', () => replaceNode('#!/bin/sh\necho v20.1.0\n'), asOld, /^The Node in node_modules is v20\.1\.0 .* type npm ci to install it again\.$/],
  ['Windows', () => {}, pretend("Object.defineProperty(process, 'platform', { value: 'win32' })"), /^Windows is not supported: run this inside WSL .*\.$/],
])('%s is one sentence that says what to type', async (_name, spoil, flags, pattern) => {
  spoil();
  expect(await enter(flags)).toMatchObject(sentence(pattern));
});

function replaceNode(content: string): void {
  rmSync(join(root, 'node_modules/.bin/node'));
  writeFileSync(join(root, 'node_modules/.bin/node'), content);
  chmodSync(join(root, 'node_modules/.bin/node'), 0o755);
}

test('the door uses nothing that Node 12 cannot parse', () => {
  const code = readFileSync(door, 'utf8').replaceAll(/^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm, '');
  expect(code.match(/\?\.|\?\?|node:|#[a-z]+\s*[=(;]|^\s*await |&&=|\|\|=|\.replaceAll\(|\.at\(/gm)).toBeNull();
});
