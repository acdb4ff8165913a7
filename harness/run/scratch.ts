// The run's scratch directory: the only place where a run leaves a backup's content, and where its register lies.
import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, realpathSync, statfsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { StepEnded } from './finding.ts';
import { appendKept, appendResource, beginRegister, readRegister, type Resource } from './register.ts';
import { scratchFindings } from './scratch-findings.ts';

export type { Resource } from './register.ts';

export interface Scratch {
  /** `<root>/backup-drills-<run id>`: the path itself labels what belongs to the run. */
  readonly path: string;
  /** 0700, owned by the user that runs the drill: dumps, manifests, keys. */
  readonly work: string;
  /** Where a server's own files go; as root its children may belong to `nobody`. */
  readonly server: string;
  /** Writes the resource to the register, durably, before the caller creates it. */
  register(resource: Resource): void;
  /** Marks it as kept on purpose (`--keep`): the reaper of later runs leaves it up, and says so. */
  keep(): void;
}

/** What every scratch directory's name begins with; teardown removes nothing else. */
export const scratchPrefix = 'backup-drills-';

/** Bytes in the longest path that a Unix socket may have. */
const socketPathBytes = process.platform === 'darwin' ? 103 : 107;

/**
 * Makes `<root>/backup-drills-<runId>` with its register.
 * @param options.needBytes free space that must be there
 * @throws StepEnded scratch.unwritable, scratch.unsafe, scratch.full
 */
export function openScratch(options: { readonly root: string; readonly runId: string; readonly needBytes?: number }): Scratch {
  if (!/^[\w.-]+$/.test(options.runId)) throw new Error(`${options.runId} is no run id`);
  const root = safeRoot(options.root);
  if (options.needBytes !== undefined) ensureFree(root, options.needBytes);
  return make(root, options.runId, null);
}

/** The scratch directory of another process of the same run. @throws Error when there is none. */
export function attachScratch(path: string): Scratch {
  if (!basename(path).startsWith(scratchPrefix) || readRegister(path) === null) throw new Error(`${path} is no scratch directory`);
  return shape(path);
}

/**
 * Ends the step unless `path` has room for `bytes`, and a little more: a server on a full disk dies in odd ways.
 * @throws StepEnded scratch.full
 */
export function ensureFree(path: string, bytes: number): void {
  const spareBytes = 64 * 2 ** 20;
  const disk = statfsSync(path);
  // To root the blocks that are reserved for root are free as well.
  const freeBytes = disk.bsize * (process.getuid?.() === 0 ? disk.bfree : disk.bavail);
  if (freeBytes < bytes + spareBytes) throw new StepEnded(scratchFindings.find('scratch.full', { path, neededBytes: bytes + spareBytes, freeBytes }));
}

/**
 * A registered directory for a Unix socket of that name: `preferred`, if the socket's path is short enough there, else one
 * in a short place of its own, which teardown finds through the register. The caller makes `preferred` itself.
 */
export function socketDirectory(scratch: Scratch, preferred: string, socket: string): { readonly path: string; readonly made: boolean } {
  if (Buffer.byteLength(join(preferred, socket)) <= socketPathBytes) return { path: preferred, made: false };
  const root = safeRoot('/tmp');
  const runId = `s${randomBytes(6).toString('hex')}`;
  scratch.register({ kind: 'directory', path: join(root, scratchPrefix + runId) });
  return { path: make(root, runId, scratch.path).server, made: true };
}

function make(root: string, runId: string, partOf: string | null): Scratch {
  const path = join(root, scratchPrefix + runId);
  const asRoot = process.getuid?.() === 0;
  try {
    mkdirSync(path, { mode: 0o700 });
    beginRegister(path, runId, partOf);
    const scratch = shape(path);
    // As root the server runs as `nobody`, who must be able to walk through, and to see nothing on the way.
    mkdirSync(scratch.work, { mode: 0o700 });
    mkdirSync(scratch.server, { mode: 0o700 });
    if (asRoot) for (const directory of [path, scratch.server]) chmodSync(directory, 0o711);
    return scratch;
  } catch (error) {
    throw refused(path, error);
  }
}

function shape(path: string): Scratch {
  return {
    path,
    work: join(path, 'work'),
    server: join(path, 'server'),
    register: (resource) => appendResource(path, resource),
    keep: () => appendKept(path),
  };
}

/** The root with its links resolved, if nobody else can swap what lies in it. */
function safeRoot(root: string): string {
  const unsafe = (why: string): StepEnded => new StepEnded(scratchFindings.find('scratch.unsafe', { path: root, why }));
  let real: string;
  let stat;
  try {
    if (lstatSync(resolve(root)).isSymbolicLink() && !belongsToSystem(root)) throw unsafe('it is a symbolic link');
    real = realpathSync(root);
    stat = lstatSync(real);
  } catch (error) {
    if (error instanceof StepEnded) throw error;
    throw refused(root, error);
  }
  if (!stat.isDirectory()) throw unsafe('it is no directory');
  const me = process.getuid?.() ?? 0;
  const sticky = (stat.mode & 0o1000) !== 0;
  if ((stat.mode & 0o022) !== 0 && !sticky) throw unsafe('others may write to it, and it is not sticky');
  if (stat.uid !== 0 && stat.uid !== me) throw unsafe('it belongs to another user');
  const closed = me === 0 ? closedAncestor(real) : null;
  if (closed !== null) throw unsafe(`a drill that runs as root has its server run as nobody, who cannot pass ${closed}`);
  return real;
}

function closedAncestor(path: string): string | null {
  for (let at = path; ; at = dirname(at)) {
    if ((lstatSync(at).mode & 0o001) === 0) return at;
    if (at === dirname(at)) return null;
  }
}

/** macOS has /tmp and /var as links that root owns. */
function belongsToSystem(path: string): boolean {
  return process.platform === 'darwin' && lstatSync(resolve(path)).uid === 0;
}

function refused(path: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error as Error;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new StepEnded(scratchFindings.find('scratch.full', { path, neededBytes: 64 * 2 ** 20, freeBytes: 0 }));
  return new StepEnded(scratchFindings.find('scratch.unwritable', { path, error: code }));
}
