// What all our containers have in common: the engine that they run on, and how it is asked.
import type { PostgreSqlContainer } from '@testcontainers/postgresql';
import { type ContainerRuntimeClient, getContainerRuntimeClient } from 'testcontainers';
import { type Engine, type EngineFacts, engineGone, engineProblem } from '../run/engine.ts';
import { StepEnded } from '../run/finding.ts';
import { serverFindings } from './findings.ts';
import type { Image } from './images.ts';

let reaching: Promise<ContainerRuntimeClient> | null = null;

/**
 * Has Testcontainers go to this engine and no other: by itself it falls through to the next that answers.
 * @throws StepEnded engine.another
 */
export async function useEngine(engine: Engine, facts: EngineFacts): Promise<void> {
  // One at a time: two that start side by side would each put back what the other had set.
  reaching ??= reach(engine).finally(() => { reaching = null; });
  const runtime = await reaching;
  const { ID } = (await runtime.container.dockerode.info()) as { ID?: string };
  if (ID !== facts.id) throw new StepEnded(serverFindings.find('engine.another', { engine: engine.uri, reached: runtime.info.containerRuntime.host }));
}

/** Testcontainers reads the environment; whoever reads it afterwards must find what the operator wrote there, and no more. */
async function reach({ uri }: Engine): Promise<ContainerRuntimeClient> {
  const { DOCKER_HOST, TESTCONTAINERS_HOST_OVERRIDE } = process.env;
  process.env['DOCKER_HOST'] = uri;
  // Else it runs an image of its own to find out what the tunnel does not need, wherever there is a /.dockerenv; and refuses SSH.
  process.env['TESTCONTAINERS_HOST_OVERRIDE'] = TESTCONTAINERS_HOST_OVERRIDE ?? (new URL(uri).hostname || 'localhost');
  try {
    return await getContainerRuntimeClient();
  } finally {
    for (const [name, value] of Object.entries({ DOCKER_HOST, TESTCONTAINERS_HOST_OVERRIDE })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** What runs in a container, and on what. */
export function imageEvidence({ engine, facts, image }: { readonly engine: Engine; readonly facts: EngineFacts; readonly image: Image }) {
  return { engine: engine.uri, engineVersion: facts.version, image: image.reference, imageId: image.id, digest: image.digest, pulled: image.pulled };
}

/** Does what the engine is asked for. @throws StepEnded engine.lost, engine.refused */
export async function asked<T>(engine: Engine, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StepEnded || (error as Error).name === 'AbortError') throw error;
    if (engineGone(error)) throw new StepEnded(serverFindings.find('engine.lost', { engine: engine.uri, error: engineProblem(error) }));
    throw new StepEnded(serverFindings.find('engine.refused', { engine: engine.uri, asked: what, error: engineProblem(error) }));
  }
}

type WaitStrategy = Parameters<PostgreSqlContainer['withWaitStrategy']>[0];

/** Readiness is asked for by who uses the container, and not by Testcontainers. */
export const atOnce: WaitStrategy = {
  waitUntilReady: async () => {},
  withStartupTimeout: () => atOnce,
  isStartupTimeoutSet: () => true,
  getStartupTimeout: () => 0,
};
