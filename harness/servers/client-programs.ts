// The client programs of Postgres that this machine has: psql, pg_dump and pg_dumpall, which lie side by side.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface ClientPrograms {
  readonly directory: string;
  /** Of pg_dump: the newest server that it dumps. */
  readonly major: number;
  /** `pg_dump (PostgreSQL) 18.6`, as it says of itself. */
  readonly pgDump: string;
}

const programs = ['psql', 'pg_dump', 'pg_dumpall'] as const;
const majorsDirectory = '/usr/lib/postgresql';

/** Where they are looked for, in order: PATH, then where Debian puts each major, the newest first. */
export function clientDirectories(path: string | undefined, majors = majorsDirectory): string[] {
  const onPath = (path ?? '').split(delimiter).filter((directory) => directory.startsWith('/'));
  return [...onPath, ...majorsIn(majors).map((major) => join(majors, String(major), 'bin'))];
}

/** Each directory that has all three, in the order given. */
export function clientPrograms(directories: readonly string[]): ClientPrograms[] {
  return [...new Set(directories)].flatMap((directory) => {
    if (!programs.every((program) => isProgram(join(directory, program)))) return [];
    const pgDump = versionOf(join(directory, 'pg_dump'));
    const major = /\(PostgreSQL\) (\d+)/.exec(pgDump)?.[1];
    return major === undefined ? [] : [{ directory, major: Number(major), pgDump }];
  });
}

/** Those that none of the directories has. */
export function missingPrograms(names: readonly string[], directories: readonly string[]): string[] {
  return names.filter((name) => !directories.some((directory) => isProgram(join(directory, name))));
}

function majorsIn(directory: string): number[] {
  try {
    return readdirSync(directory).filter((name) => /^\d+$/.test(name)).map(Number).toSorted((a, b) => b - a);
  } catch {
    return [];
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Empty where it does not run. */
function versionOf(program: string): string {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } }).trim();
  } catch {
    return '';
  }
}
