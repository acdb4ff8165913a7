// One run of one command: how long, and how much memory its largest process had resident.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';

export interface Measured {
  /** From start to exit, in ms. */
  readonly ms: number;
  /** The high-water mark of the largest process that was started, in bytes; null where /proc does not tell. */
  readonly peakBytes: number | null;
  readonly stdout: string;
}

export interface Command {
  readonly program: string;
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly signal: AbortSignal;
  /** What an abort sends; SIGTERM where the command has something of its own to remove. Default: SIGKILL. */
  readonly killSignal?: NodeJS.Signals;
}

// The kernel keeps the mark, so that only what grows between the last look and the exit is missed.
const lookEveryMs = 10;

/** @throws Error with the end of stderr where the command does not end with 0 */
export async function measure(command: Command): Promise<Measured> {
  const started = performance.now();
  const child = spawn(command.program, command.words, { cwd: command.cwd, env: { ...process.env, ...command.env }, stdio: 'pipe', signal: command.signal, killSignal: command.killSignal ?? 'SIGKILL' });
  const peaks = new Map<number, number>();
  const timer = setInterval(() => look(child.pid, peaks), lookEveryMs);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    const [out, err] = [collect(child.stdout), collect(child.stderr)];
    child.stdin.on('error', () => undefined).end(command.input ?? '');
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    const ms = performance.now() - started;
    if (code !== 0) throw new Error(`${command.program} ended with ${code ?? signal}: ${(await err).trimEnd().slice(-400)}`);
    return { ms, peakBytes: peaks.size === 0 ? null : Math.max(...peaks.values()), stdout: await out };
  } finally {
    clearInterval(timer);
    // An abort is told before the command has ended; what it still removes is removed by then.
    if (child.pid !== undefined) await gone;
  }
}

async function collect(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Notes the high-water mark of a process and of all its descendants. */
function look(root: number | undefined, peaks: Map<number, number>): void {
  if (root === undefined || process.platform !== 'linux') return;
  for (const pid of descendants(root)) {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(procText(pid, 'status'))?.[1];
    if (kib !== undefined) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, Number(kib) * 1024));
  }
}

function descendants(pid: number): number[] {
  const threads = listed(`/proc/${pid}/task`);
  const children = threads.flatMap((thread) => procText(pid, `task/${thread}/children`).split(' ').filter((word) => word !== '').map(Number));
  return [pid, ...children.flatMap(descendants)];
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Empty where the process is gone. */
function procText(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
}
