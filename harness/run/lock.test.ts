import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { StepEnded } from './finding.ts';
import { withLock } from './lock.ts';
import { thisProcess } from './register-processes.ts';

const root = mkdtempSync(join(tmpdir(), 'lock-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let path = '';
let count = 0;
beforeEach(() => { path = join(root, `log-${count++}.md`); });
const lockFiles = (): string[] => readdirSync(root).filter((name) => name.startsWith(`${path.slice(root.length + 1)}.lock-`));

const contend = `
  const { withLock } = await import(${JSON.stringify(new URL('lock.ts', import.meta.url).href)});
  const { appendFileSync, existsSync } = await import('node:fs');
  const path = process.argv[1];
  if (process.argv[2] === 'hold') await withLock(path, {}, async () => { console.log('held'); await new Promise(() => setInterval(() => {}, 1000)); });
  else for (let i = 0; i < 10; i++) await withLock(path, { waitMs: 20000 }, async () => {
    appendFileSync(path, 'in\\n'); await new Promise((go) => setImmediate(go)); appendFileSync(path, 'out\\n');
  });
`;
const contender = (mode: string): ReturnType<typeof spawn> => spawn(process.execPath, ['--input-type=module', '-e', contend, path, mode], { stdio: ['ignore', 'pipe', 'inherit'] });

test('two processes are never inside at once', async () => {
  const others = [contender('append'), contender('append')];
  const codes = await Promise.all(others.map(async (one) => (await once(one, 'exit'))[0] as number));
  expect(codes).toEqual([0, 0]);
  expect(readFileSync(path, 'utf8')).toBe('in\nout\n'.repeat(20));
  expect(lockFiles()).toEqual([]);
});

test('a live holder is waited for, and told by its pid', async () => {
  const holder = contender('hold');
  try {
    await once(holder.stdout!, 'data');
    const refused = await withLock(path, { waitMs: 60 }, async () => 'inside').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StepEnded);
    expect((refused as StepEnded).findings.map(({ code, facts }) => [code, facts['pid']])).toEqual([['scratch.locked', holder.pid]]);
    expect(lockFiles()).toHaveLength(1);
  } finally {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  }
  // Killed, it leaves its file, which counts for nothing.
  expect(lockFiles()).toHaveLength(1);
  expect(await withLock(path, {}, async () => 'inside')).toBe('inside');
  expect(lockFiles()).toEqual([]);
});

test('a pid that is another process by now holds nothing, nor does one of an earlier boot', async () => {
  const at = new Date().toISOString();
  writeFileSync(`${path}.lock-${process.pid}-a`, JSON.stringify({ ...thisProcess(), start: '1', at }));
  writeFileSync(`${path}.lock-${process.pid}-b`, JSON.stringify({ ...thisProcess(), boot: 'another', at }));
  expect(await withLock(path, {}, async () => 'inside')).toBe('inside');
  expect(lockFiles()).toEqual([]);
});

test('a holder on another host is never taken for dead', async () => {
  const file = `${path}.lock-1-a`;
  writeFileSync(file, JSON.stringify({ ...thisProcess(), pid: 1, boot: 'another', host: 'another-host', at: new Date().toISOString() }));
  await expect(withLock(path, { waitMs: 30 }, async () => 'inside')).rejects.toThrow(/scratch\.locked.*another-host/);
  expect(existsSync(file)).toBe(true);
});

test('the lock is given back when the work throws', async () => {
  await expect(withLock(path, {}, async () => { appendFileSync(path, 'x'); throw new Error('no space'); })).rejects.toThrow('no space');
  expect(lockFiles()).toEqual([]);
});
