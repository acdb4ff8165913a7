// Processes of this machine, and how one is told from a later one that got its number: by when it started.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process as it can be known again. */
export interface ProcessIdentity {
  readonly pid: number;
  /** As the kernel tells it (clock ticks since boot, or a date): compared, never read. */
  readonly start: string;
  /** Of this boot: a pid of another boot is nobody's. */
  readonly boot: string;
  /** The pid namespace; a pid of another container cannot be looked up here. Empty where there are none. */
  readonly namespace: string;
  readonly host: string;
}

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly start: string;
  readonly user: number;
  /** True where a terminal controls it. */
  readonly terminal: boolean;
  /** Ended, and waiting to be reaped by its parent. */
  readonly zombie: boolean;
  readonly command: string;
  /** Null where it may not be read or cannot be. */
  readonly directory: string | null;
  readonly executable: string | null;
}

const linux = process.platform === 'linux';

let here: Pick<ProcessIdentity, 'boot' | 'namespace' | 'host'> | undefined;
function thisMachine(): Pick<ProcessIdentity, 'boot' | 'namespace' | 'host'> {
  here ??= linux
    ? { boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), namespace: readlinkSync('/proc/self/ns/pid'), host: hostname() }
    : { boot: execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim(), namespace: '', host: hostname() };
  return here;
}

/** This process itself. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, start: runningProcess(process.pid)?.start ?? '', ...thisMachine() };
}

/** Whether a process is still there: `elsewhere` where this machine cannot tell, as of another host on a shared disk. */
export function fateOf(identity: ProcessIdentity): 'alive' | 'gone' | 'elsewhere' {
  const machine = thisMachine();
  if (identity.boot !== machine.boot) return identity.host === machine.host ? 'gone' : 'elsewhere';
  if (identity.namespace !== machine.namespace) return 'elsewhere';
  const now = runningProcess(identity.pid);
  return now === null || now.zombie || now.start !== identity.start ? 'gone' : 'alive';
}

/** One process, or null when there is none of that number. */
export function runningProcess(pid: number): RunningProcess | null {
  if (!linux) return runningProcesses().find((one) => one.pid === pid) ?? null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, parentheses and spaces too: the fields follow the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      pid,
      parent: Number(fields[1]),
      session: Number(fields[3]),
      start: fields[19] ?? '',
      user: statSync(`/proc/${pid}`).uid,
      terminal: fields[4] !== '0',
      zombie: fields[0] === 'Z' || fields[0] === 'X',
      command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trimEnd(),
      directory: link(`/proc/${pid}/cwd`),
      executable: link(`/proc/${pid}/exe`),
    };
  } catch (error) {
    // Ended while it was read; hidden by hidepid, which then is not ours either.
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** All processes that this user can see. */
export function runningProcesses(): RunningProcess[] {
  if (linux) {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => runningProcess(Number(name)) ?? []);
  }
  const table = execFileSync('ps', ['-axww', '-o', 'pid=,ppid=,uid=,sess=,tty=,stat=,lstart=,command='], { encoding: 'utf8', maxBuffer: 1 << 26, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } });
  return table.split('\n').flatMap((line): RunningProcess[] => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(line);
    if (match === null) return [];
    const [, pid, parent, user, session, tty, state, start, command] = match as unknown as string[];
    return [{
      pid: Number(pid), parent: Number(parent), session: Number(session), start: start ?? '', user: Number(user), terminal: !/^\?+$/.test(tty ?? '?'),
      zombie: (state ?? '').startsWith('Z'), command: command ?? '', directory: null, executable: null,
    }];
  });
}

/** Whether a path is a directory or lies in it, be it deleted by now. */
export function lies(path: string | null, directory: string): boolean {
  return path !== null && (path === directory || path.startsWith(`${directory}/`) || path === `${directory} (deleted)`);
}

/** Whether a command line has a directory's path in it. */
export function commandNames(one: RunningProcess, directory: string): boolean {
  for (let at = one.command.indexOf(directory); at !== -1; at = one.command.indexOf(directory, at + 1)) {
    // `/tmp/backup-drills-1` is not named by `/tmp/backup-drills-12`.
    if (!/[\w.-]/.test(one.command[at + directory.length] ?? '/')) return true;
  }
  return false;
}

function link(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
