// The reaper: at the start of each run, removes what runs that were killed left behind, and says so.
import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './finding.ts';
import { fateOf } from './register-processes.ts';
import { readRegister, type Register } from './register.ts';
import { scratchFindings } from './scratch-findings.ts';
import { scratchPrefix } from './scratch.ts';
import { tearDown } from './teardown.ts';

export interface Reaped {
  readonly run: string;
  readonly path: string;
  /** `teardown.reaped`, `teardown.kept` or `teardown.left-over`. */
  readonly finding: Finding;
}

/**
 * Looks through `roots` for scratch directories of this user whose owner is gone. Those of a live run, of another user, of
 * another host on a shared disk, and those that are kept on purpose stay.
 * @param options.engine the address of a container engine to look through as well, for what has lost its register
 * @param options.now the machine's own clock, in UTC; never a rehearsal's
 */
export async function reapAbandoned(options: { readonly roots: readonly string[]; readonly now?: () => Date; readonly engine?: string | null }): Promise<Reaped[]> {
  const now = (options.now ?? ((): Date => new Date()))();
  const reaped: Reaped[] = [];
  for (const path of candidates(options.roots)) {
    const register = readRegister(path);
    if (register === null ? !isOld(path, now) : !isAbandoned(register)) continue;
    const run = register?.owner.run ?? path.slice(path.lastIndexOf(scratchPrefix) + scratchPrefix.length);
    if (register !== null && register.keptAt !== null) {
      reaped.push({ run, path, finding: scratchFindings.find('teardown.kept', { run, path, keptAt: register.keptAt }) });
      continue;
    }
    const { findings, evidence } = await tearDown(path, register);
    const [finding = scratchFindings.find('teardown.reaped', { run, path, processes: evidence.processesBefore, entries: evidence.entriesBefore, containers: evidence.containersBefore })] = findings;
    reaped.push({ run, path, finding: finding.code === 'teardown.engine-silent' ? stillSilent(run, path, finding) : finding });
  }
  return options.engine === undefined || options.engine === null ? reaped : [...reaped, ...(await reapStrays(options.engine, now))];
}

/** An engine that is gone for good must not keep every later drill from a verdict: of an old run it is a warning. */
function stillSilent(run: string, path: string, { facts }: Finding): Finding {
  return scratchFindings.find('teardown.engine-still-silent', { run, path, engine: String(facts['engine']), error: String(facts['error']) });
}

/**
 * What is ours on the engine that this run would use, and has lost its register: a /tmp that was emptied, a machine that is
 * no more. One with a register is that register's matter. An engine that does not answer has nothing to say here.
 */
async function reapStrays(uri: string, now: Date): Promise<Reaped[]> {
  const { askEngine, engineAt } = await import('./engine.ts');
  const { findBelongings, findStrays, isStray, removeBelongings } = await import('./register-containers.ts');
  try {
    const engine = engineAt(uri);
    await askEngine(engine);
    const strays = (await findStrays(engine)).filter((stray) => isStray(stray, now) && readRegister(stray.scratch) === null);
    return await Promise.all(strays.map(async ({ id, run }): Promise<Reaped> => {
      const before = await findBelongings(engine, [id]);
      const left = await removeBelongings(engine, [id]);
      const path = uri;
      const containers = [...left.containers, ...left.volumes];
      return { run, path, finding: containers.length > 0
        ? scratchFindings.find('teardown.left-over', { path, processes: [], paths: [], containers })
        : scratchFindings.find('teardown.reaped', { run, path, processes: 0, entries: 0, containers: before.containers.length }) };
    }));
  } catch {
    return [];
  }
}

/** A directory that was just made has no register for an instant. */
const unregisteredForMs = 60_000;

function isOld(path: string, now: Date): boolean {
  try {
    return now.getTime() - lstatSync(path).ctimeMs > unregisteredForMs;
  } catch {
    return false;
  }
}

/** What serves another directory goes with that one, and on its own only when that one is not there. */
function isAbandoned({ owner }: Register): boolean {
  if (fateOf(owner) !== 'gone') return false;
  return owner.partOf === null || !exists(owner.partOf);
}

function candidates(roots: readonly string[]): string[] {
  const found = new Set<string>();
  const look = (root: string, pattern: RegExp): void => {
    let real: string;
    let names: string[];
    try {
      real = realpathSync(root);
      names = readdirSync(real);
    } catch {
      return;
    }
    for (const name of names.filter((each) => pattern.test(each))) {
      const path = join(real, name);
      if (isOwnDirectory(path)) found.add(path);
    }
  };
  for (const root of roots) look(root, new RegExp(`^${scratchPrefix}`));
  // Where sockets go whose path would be too long in the root itself.
  look('/tmp', new RegExp(`^${scratchPrefix}s[0-9a-f]{12}$`));
  return [...found].toSorted();
}

function isOwnDirectory(path: string): boolean {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === process.getuid?.();
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
