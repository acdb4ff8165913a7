// A lock between runs, for what only one may append to. It is held by files that name their owner; a dead owner's file counts
// for nothing, so that a kill leaves no lock behind.
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fsyncSync, openSync, readFileSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { StepEnded } from './finding.ts';
import { fateOf, thisProcess } from './register-processes.ts';
import { scratchFindings } from './scratch-findings.ts';

const ownerSchema = z.strictObject({ pid: z.int(), start: z.string(), boot: z.string(), namespace: z.string(), host: z.string(), at: z.iso.datetime() });
type LockOwner = z.infer<typeof ownerSchema>;

/**
 * Does `work` while no other process does the same for `path`. Each contender makes a file of its own, `<path>.lock-<owner>`,
 * and then looks: it holds the lock when it sees no other live one, else it withdraws. Since each makes before it looks, two
 * never hold it at once; since each file has one owner for ever, a dead one can be removed without a race.
 * @throws StepEnded scratch.locked after `waitMs`; what `work` throws
 */
export async function withLock<T>(path: string, options: { readonly waitMs?: number; readonly signal?: AbortSignal }, work: () => Promise<T>): Promise<T> {
  const waitMs = options.waitMs ?? 10_000;
  const deadline = performance.now() + waitMs;
  const mine = `${path}.lock-${process.pid}-${randomBytes(6).toString('hex')}`;
  for (;;) {
    options.signal?.throwIfAborted();
    let holder = others(path, mine)[0];
    if (holder === undefined) {
      write(mine);
      holder = others(path, mine)[0];
      if (holder === undefined) {
        try {
          return await work();
        } finally {
          rmSync(mine, { force: true });
        }
      }
      rmSync(mine, { force: true });
    }
    if (performance.now() > deadline) throw new StepEnded(scratchFindings.find('scratch.locked', { path, pid: holder.pid, host: holder.host, waitedMs: waitMs }));
    // Of uneven length, so that two who withdrew do not meet again for ever.
    await pause(5 + Math.random() * 45, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/** Live owners beside this one; removes the files of dead ones. A file that cannot be read yet is taken for a live one's. */
function others(path: string, mine: string): LockOwner[] {
  const prefix = `${basename(path)}.lock-`;
  return readdirSync(dirname(path)).filter((name) => name.startsWith(prefix) && name !== basename(mine)).flatMap((name) => {
    const file = join(dirname(path), name);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      return [];
    }
    const parsed = ownerSchema.safeParse(json(text));
    if (!parsed.success) {
      // Torn by a kill in the middle of its one write: its name still has the pid.
      const pid = Number(name.slice(prefix.length).split('-')[0]);
      if (pidExists(pid)) return [{ pid, start: '', boot: '', namespace: '', host: 'this host', at: '' }];
    } else if (fateOf(parsed.data) !== 'gone') {
      return [parsed.data];
    }
    rmSync(file, { force: true });
    return [];
  });
}

function write(file: string): void {
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeSync(descriptor, JSON.stringify({ ...thisProcess(), at: new Date().toISOString() } satisfies LockOwner));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
