// Runs a script of the production host as its cron would: next to nothing in its environment, nothing on its stdin, and what it
// says is all that is known of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ScriptOrder {
  readonly script: string;
  readonly words: readonly string[];
  /** Where it works, by which teardown knows it and its children. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Each line as it is said. */
  readonly onLine: (line: string) => void;
}

export interface ScriptEnd {
  /** Null where a signal ended it, or it could not be started. */
  readonly code: number | null;
  /** `exit code 1`, `SIGKILL`, `ENOENT`. */
  readonly ended: string;
  readonly durationMs: number;
}

const patienceMs = 15 * 60_000;
const graceMs = 5_000;

/** @returns once it has ended, within a quarter of an hour. @throws the signal's reason when aborted, after it has ended */
export async function runHostScript({ script, words, directory, signal, onLine }: ScriptOrder): Promise<ScriptEnd> {
  signal.throwIfAborted();
  const began = performance.now();
  // Of the session of the run, so that whatever it leaves in its directory is known as the run's.
  const child = spawn(script, words, { cwd: directory, env: { PATH: '/usr/bin:/bin', HOME: directory, SHELL: '/bin/sh' }, stdio: ['ignore', 'pipe', 'pipe'] });
  const timers: NodeJS.Timeout[] = [];
  const stop = (): void => {
    child.kill('SIGTERM');
    timers.push(setTimeout(() => child.kill('SIGKILL'), graceMs));
  };
  timers.push(setTimeout(stop, patienceMs));
  signal.addEventListener('abort', stop, { once: true });
  try {
    const said = [child.stdout, child.stderr].map(async (stream) => {
      for await (const line of createInterface({ input: stream })) onLine(line);
    });
    const end = await exitOf(child);
    // A child of its own that outlived it may hold its words open.
    timers.push(setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), graceMs));
    await Promise.allSettled(said);
    signal.throwIfAborted();
    return { ...end, durationMs: Math.round(performance.now() - began) };
  } finally {
    signal.removeEventListener('abort', stop);
    for (const timer of timers) clearTimeout(timer);
  }
}

async function exitOf(child: ChildProcess): Promise<Pick<ScriptEnd, 'code' | 'ended'>> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve({ code: null, ended: error.code ?? 'an unknown error' }));
    child.once('exit', (code, killed) => resolve({ code, ended: killed ?? `exit code ${code}` }));
  });
}
