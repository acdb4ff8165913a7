import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { needing } from '../../fixtures/tools.ts';
import { StepEnded } from './finding.ts';
import { readRegister, registerPath } from './register.ts';
import { attachScratch, ensureFree, openScratch, socketDirectory } from './scratch.ts';

const top = mkdtempSync(join(tmpdir(), 'scratch-'));
chmodSync(top, 0o755);
afterAll(() => rmSync(top, { recursive: true, force: true }));
let root = '';
let count = 0;
beforeEach(() => {
  root = join(top, String(count++));
  mkdirSync(root);
});

const mode = (path: string): string => (lstatSync(path).mode & 0o777).toString(8);
const asRoot = process.getuid?.() === 0;

function codesOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof StepEnded) return error.findings.map(({ code }) => code);
    throw error;
  }
  return [];
}

describe('a scratch directory', () => {
  test('lets nobody else see the work, whatever the umask is', () => {
    const umask = process.umask(0);
    try {
      const scratch = openScratch({ root, runId: 'r1' });
      expect(basename(scratch.path)).toBe('backup-drills-r1');
      expect([scratch.path, scratch.work, scratch.server].map(mode)).toEqual(asRoot ? ['711', '700', '711'] : ['700', '700', '700']);
      expect(mode(registerPath(scratch.path))).toBe('600');
    } finally {
      process.umask(umask);
    }
  });

  test('has its owner in the first line of its register, and what another process of the run adds behind it', () => {
    const scratch = openScratch({ root, runId: 'r1' });
    attachScratch(scratch.path).register({ kind: 'process', what: 'postgres 18', under: join(scratch.server, 'x') });
    scratch.register({ kind: 'directory', path: join(scratch.server, 'x') });
    const lines = readFileSync(registerPath(scratch.path), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { kind: string; pid?: number });
    expect(lines.map(({ kind }) => kind)).toEqual(['owner', 'process', 'directory']);
    expect(lines[0]!.pid).toBe(process.pid);
    expect(readRegister(scratch.path)?.resources.map(({ kind }) => kind)).toEqual(['process', 'directory']);
  });

  test('whose register was torn by a kill still tells what was made by then', () => {
    const scratch = openScratch({ root, runId: 'r1' });
    scratch.register({ kind: 'directory', path: '/a' });
    writeFileSync(registerPath(scratch.path), '{"kind":"directory","path":"/b', { flag: 'a' });
    expect(readRegister(scratch.path)?.resources).toMatchObject([{ kind: 'directory', path: '/a' }]);
  });

  test('is never taken over from a run of the same id', () => {
    openScratch({ root, runId: 'r1' });
    expect(codesOf(() => openScratch({ root, runId: 'r1' }))).toEqual(['scratch.unwritable']);
    expect(() => openScratch({ root, runId: '../r2' })).toThrow(/no run id/);
  });

  test('of another process is attached to only where there is one', () => {
    const path = join(root, 'backup-drills-r1');
    mkdirSync(path);
    expect(() => attachScratch(path)).toThrow(/no scratch directory/);
  });
});

describe('a root', () => {
  test('that others may write to, without being sticky, is unsafe; with it, it is not', () => {
    chmodSync(root, 0o777);
    expect(codesOf(() => openScratch({ root, runId: 'r1' }))).toEqual(['scratch.unsafe']);
    chmodSync(root, 0o1777);
    expect(codesOf(() => openScratch({ root, runId: 'r1' }))).toEqual([]);
  });

  test('that is a symbolic link is unsafe', () => {
    const link = join(top, `link-${count}`);
    symlinkSync(root, link);
    expect(codesOf(() => openScratch({ root: link, runId: 'r1' }))).toEqual(['scratch.unsafe']);
  });

  test('that is a file is unsafe; one that is not there is unwritable', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    expect(codesOf(() => openScratch({ root: file, runId: 'r1' }))).toEqual(['scratch.unsafe']);
    expect(codesOf(() => openScratch({ root: join(root, 'none'), runId: 'r1' }))).toEqual(['scratch.unwritable']);
  });

  needing('root').test('that nobody cannot pass is unsafe for root, whose server runs as nobody', () => {
    chmodSync(root, 0o700);
    expect(codesOf(() => openScratch({ root, runId: 'r1' }))).toEqual(['scratch.unsafe']);
  });

  test('without enough room is full, before anything is made there', () => {
    expect(codesOf(() => openScratch({ root, runId: 'r1', needBytes: 2 ** 60 }))).toEqual(['scratch.full']);
    expect(lstatSync(root).nlink).toBe(2);
    expect(codesOf(() => ensureFree(root, 2 ** 60))).toEqual(['scratch.full']);
    expect(codesOf(() => ensureFree(root, 1))).toEqual([]);
  });

  needing('root', 'unshare').test('on a small disk is full, and a read-only one is unwritable', () => {
    // In a mount namespace of its own: nothing is left to unmount.
    const script = `
      import { openScratch } from ${JSON.stringify(new URL('scratch.ts', import.meta.url).href)};
      for (const [runId, needBytes] of [['r1', 1], ['r2', undefined]])
        try { openScratch({ root: process.argv[1], runId, needBytes }); console.log('opened'); } catch (error) { console.log(error.findings?.[0].code ?? error.message); }
    `;
    const within = (mount: string): string[] =>
      execFileSync('unshare', ['--mount', 'sh', '-ec', `${mount}; exec "$0" "$@"`, process.execPath, '--input-type=module', '-e', script, root], { encoding: 'utf8' }).trim().split('\n');
    expect(within(`mount -t tmpfs -o size=16m,mode=755 none '${root}'`)).toEqual(['scratch.full', 'opened']);
    expect(within(`mount -t tmpfs -o size=1g,mode=755,ro none '${root}'`)).toEqual(['scratch.unwritable', 'scratch.unwritable']);
    expect(within(`mount -t tmpfs -o size=16m,nr_inodes=1,mode=755 none '${root}'`)).toEqual(['scratch.full', 'scratch.full']);
  });
});

describe('a socket directory', () => {
  test('is where it is wanted while the path is short enough, and else in a short place that is registered', () => {
    const scratch = openScratch({ root, runId: 'r1' });
    expect(socketDirectory(scratch, scratch.server, '.s.PGSQL.5432')).toEqual({ path: scratch.server, made: false });
    const far = openScratch({ root, runId: 'r'.repeat(100) });
    const { path, made } = socketDirectory(far, far.server, '.s.PGSQL.5432');
    try {
      expect(made).toBe(true);
      expect(Buffer.byteLength(join(path, 's', '.s.PGSQL.5432'))).toBeLessThan(104);
      expect(statSync(path).isDirectory()).toBe(true);
      const [registered] = readRegister(far.path)!.resources;
      expect(registered).toMatchObject({ kind: 'directory', path: join(path, '..') });
      expect(readRegister(join(path, '..'))?.owner.partOf).toBe(far.path);
    } finally {
      rmSync(join(path, '..'), { recursive: true, force: true });
    }
  });
});
