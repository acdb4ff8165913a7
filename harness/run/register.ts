// The register of a run's resources: one JSON line each, on disk before the thing itself is made. It lies in the scratch
// directory, so that whatever ends the run, teardown and the next run's reaper know what there may be.
import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runningProcess, thisProcess } from './register-processes.ts';

/** One resource; the line is written to the register before the thing itself is created. */
export type Resource =
  | { readonly kind: 'directory'; readonly path: string }
  /** A process tree whose command lines or working directories name `under`, a path inside the scratch directory. */
  | {
      readonly kind: 'process';
      readonly what: string;
      readonly under: string;
      /** The program's file, where it lies elsewhere: what works in `under` and runs it is ours, whatever it calls itself. */
      readonly program?: string;
    }
  /** What wears this id as its label on an engine: a container, and the volume of its data. */
  | {
      readonly kind: 'container';
      readonly what: string;
      /** The engine's address, as the run reached it. */
      readonly engine: string;
      readonly id: string;
      /** Written a second time, and true, once the engine has answered: until then it may still be at making it. */
      readonly made: boolean;
    };

const at = z.iso.datetime().describe('UTC');
const ownerSchema = z.strictObject({
  kind: z.literal('owner'), format: z.literal('backup-drills/register/1'), run: z.string(), at,
  pid: z.int(), start: z.string(), boot: z.string(), namespace: z.string(), host: z.string(),
  session: z.int().describe('of the owner: a process of another terminal session is a person looking, not ours'),
  partOf: z.string().nullable().describe('the scratch directory that this one serves, where it is not one itself'),
});
const lineSchema = z.discriminatedUnion('kind', [
  ownerSchema,
  z.strictObject({ kind: z.literal('directory'), path: z.string(), at }),
  z.strictObject({ kind: z.literal('process'), what: z.string(), under: z.string(), program: z.string().optional(), at }),
  z.strictObject({ kind: z.literal('container'), what: z.string(), engine: z.string(), id: z.string(), made: z.boolean(), at }),
  z.strictObject({ kind: z.literal('kept'), at }),
]);

export type Owner = z.infer<typeof ownerSchema>;

export interface Register {
  readonly owner: Owner;
  /** `at` is when it was written down, in UTC. */
  readonly resources: readonly (Resource & { readonly at: string })[];
  /** When it was left up on purpose (`--keep`), in UTC; null when it was not. */
  readonly keptAt: string | null;
}

const registerName = 'register.jsonl';
export const registerPath = (scratch: string): string => join(scratch, registerName);

/** Begins a register in a directory that was just made, and names this process as its owner. */
export function beginRegister(scratch: string, run: string, partOf: string | null): void {
  const { pid, start, boot, namespace, host } = thisProcess();
  const owner: Owner = {
    kind: 'owner', format: 'backup-drills/register/1', run, at: new Date().toISOString(),
    pid, start, boot, namespace, host, session: runningProcess(pid)?.session ?? 0, partOf,
  };
  appendLine(scratch, owner, constants.O_CREAT | constants.O_EXCL);
}

/** Appends one resource, durably, before it is made. Several processes may append to one register. */
export function appendResource(scratch: string, resource: Resource): void {
  appendLine(scratch, { ...resource, at: new Date().toISOString() });
}

export function appendKept(scratch: string): void {
  appendLine(scratch, { kind: 'kept', at: new Date().toISOString() });
}

/** The register of a scratch directory, or null when there is none that can be read. */
export function readRegister(scratch: string): Register | null {
  let text: string;
  try {
    const file = openSync(registerPath(scratch), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!fstatSync(file).isFile()) return null;
      text = readFileSync(file, 'utf8');
    } finally {
      closeSync(file);
    }
  } catch {
    return null;
  }
  // A kill may tear the last line: what it would have named was not made yet.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== '');
  const lines = whole.flatMap((line) => {
    const parsed = lineSchema.safeParse(json(line));
    return parsed.success ? [parsed.data] : [];
  });
  const [owner] = lines;
  if (owner?.kind !== 'owner') return null;
  return {
    owner,
    resources: lines.filter((line) => line.kind !== 'owner' && line.kind !== 'kept') as Register['resources'],
    keptAt: lines.find((line) => line.kind === 'kept')?.at ?? null,
  };
}

function appendLine(scratch: string, line: z.infer<typeof lineSchema>, flags = 0): void {
  const file = openSync(registerPath(scratch), constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | flags, 0o600);
  try {
    // One write per line: appends of several processes do not mix.
    writeSync(file, `${JSON.stringify(line)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
