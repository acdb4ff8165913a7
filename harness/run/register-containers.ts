// Containers and volumes as resources of a run: known by labels of our own, which are on the engine before anything is in
// them, and counted and removed by those alone. No network is among them: a server's container has none, and the object
// store's is the engine's own.
import { setTimeout as pause } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import { z } from 'zod';
import type { Engine } from './engine.ts';
import { type ProcessIdentity, fateOf } from './register-processes.ts';

/** Every one of ours has it; its value is the id that the register names. */
const idLabel = 'backup-drills.id';
const runLabel = 'backup-drills.run';
const scratchLabel = 'backup-drills.scratch';
const ownerLabel = 'backup-drills.owner';
const keptLabel = 'backup-drills.kept';

/** What a resource on an engine tells of itself, so that it is known when its register is lost. */
export interface ContainerOwner {
  readonly run: string;
  readonly scratch: string;
  readonly process: ProcessIdentity;
  /** It is to stay when the run ends (`--keep`). */
  readonly kept: boolean;
}

export interface Belongings {
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
}

export interface Stray extends ContainerOwner {
  readonly id: string;
  readonly createdAt: Date;
}

const identity = z.object({ pid: z.int(), start: z.string(), boot: z.string(), namespace: z.string(), host: z.string() });

/** The labels of one resource. */
export function labelsOf(id: string, { run, scratch, process, kept }: ContainerOwner): Record<string, string> {
  const { pid, start, boot, namespace, host } = process;
  return { [idLabel]: id, [runLabel]: run, [scratchLabel]: scratch, [ownerLabel]: JSON.stringify({ pid, start, boot, namespace, host }), ...(kept ? { [keptLabel]: 'true' } : {}) };
}

/** What wears one of these ids. @throws the client's error where the engine does not answer */
export async function findBelongings({ client }: Engine, ids: readonly string[]): Promise<Belongings> {
  const filters = (id: string): string => JSON.stringify({ label: [`${idLabel}=${id}`] });
  const found = await Promise.all(ids.map(async (id) => ({
    containers: (await client.listContainers({ all: true, filters: filters(id) })).map((one) => one.Id),
    volumes: ((await client.listVolumes({ filters: filters(id) })).Volumes ?? []).map((one) => one.Name),
  })));
  return { containers: found.flatMap((one) => one.containers), volumes: found.flatMap((one) => one.volumes) };
}

const removedWithinMs = 30_000;

/** Removes what wears one of these ids, running or not, and looks until it is gone. What is left at the end is returned. */
export async function removeBelongings(engine: Engine, ids: readonly string[]): Promise<Belongings> {
  const deadline = performance.now() + removedWithinMs;
  for (;;) {
    const left = await findBelongings(engine, ids);
    if ((left.containers.length === 0 && left.volumes.length === 0) || performance.now() > deadline) return left;
    // A container first: a volume that is in use cannot go.
    await Promise.all(left.containers.map(async (id) => settled(engine.client.getContainer(id).remove({ force: true, v: true }))));
    await Promise.all(left.volumes.map(async (name) => settled(engine.client.getVolume(name).remove())));
    await pause(20);
  }
}

/** An engine that is removing it already, or has, says so by an error; one that is gone throws at the next look. */
async function settled(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined);
}

/** Everything of ours on the engine, whoever's. One id is listed once, with the age of the oldest that wears it. */
export async function findStrays({ client }: Engine): Promise<Stray[]> {
  const filters = JSON.stringify({ label: [idLabel] });
  const volumes = (await client.listVolumes({ filters })).Volumes ?? [];
  const found = [
    ...(await client.listContainers({ all: true, filters })).map((one) => strayOf(one.Labels, new Date(one.Created * 1000))),
    ...volumes.map((one) => strayOf(one.Labels, new Date((one as Dockerode.VolumeInspectInfo & { CreatedAt?: string }).CreatedAt ?? 0))),
  ];
  const byId = new Map<string, Stray>();
  for (const one of found) if (one !== null && (byId.get(one.id)?.createdAt ?? new Date(8.64e15)) > one.createdAt) byId.set(one.id, one);
  return [...byId.values()];
}

function strayOf(labels: Readonly<Record<string, string>>, createdAt: Date): Stray | null {
  const owner = identity.safeParse(json(labels[ownerLabel] ?? ''));
  if (!owner.success) return null;
  return { id: labels[idLabel] ?? '', run: labels[runLabel] ?? '', scratch: labels[scratchLabel] ?? '', process: owner.data, kept: labels[keptLabel] === 'true', createdAt };
}

/** After this, what another machine left on a shared engine counts as dead: nobody there can be asked. */
const foreignForMs = 24 * 3_600_000;

/** Whether nobody will come back for it: its owner is gone, or is of another machine and a day old. */
export function isStray({ process, kept, createdAt }: Stray, now: Date): boolean {
  const fate = fateOf(process);
  if (kept || fate === 'alive') return false;
  return fate === 'gone' || now.getTime() - createdAt.getTime() > foreignForMs;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
