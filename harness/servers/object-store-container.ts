// The object store of a rehearsal in a container: MinIO or SeaweedFS, with keys of its own for this run. It holds the sample
// and nothing of anybody's, so it may have a port, on the loopback where the engine is here.
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { GenericContainer } from 'testcontainers';
import { type Engine, type EngineFacts, engineGone, engineProblem } from '../run/engine.ts';
import { type Finding, StepEnded } from '../run/finding.ts';
import type { StepContext } from '../run/plan.ts';
import { labelsOf } from '../run/register-containers.ts';
import { readRegister } from '../run/register.ts';
import type { Scratch } from '../run/scratch.ts';
import type { ObjectStoreKind } from './config.ts';
import { deathOf, fateOfContainer } from './container-death.ts';
import { atOnce, useEngine } from './database-container.ts';
import { serverFindings } from './findings.ts';
import type { Image } from './images.ts';
import { lastWords } from './log-words.ts';
import type { ObjectStoreServer } from './object-store.ts';
import type { ObjectStoreEvidence } from './evidence.ts';

export interface ObjectStoreOptions {
  readonly scratch: Scratch;
  readonly kind: ObjectStoreKind;
  readonly engine: Engine;
  readonly facts: EngineFacts;
  readonly image: Image;
  readonly context: Pick<StepContext, 'signal'>;
}

export interface ObjectStoreContainer extends ObjectStoreServer {
  readonly runtime: 'containers';
  readonly name: string;
  readonly evidence: ObjectStoreEvidence;
  /** Why a request failed, when it did because the store is gone; null while it runs. */
  readonly died: () => Promise<Finding | null>;
}

interface Recipe {
  readonly port: number;
  /** Answers 200 once it takes requests. */
  readonly health: string;
  readonly command: readonly string[];
  readonly environment: (key: string, secret: string) => Readonly<Record<string, string>>;
}

const recipes: Readonly<Record<ObjectStoreKind, Recipe>> = {
  minio: {
    port: 9000,
    health: '/minio/health/live',
    command: ['server', '/data'],
    environment: (key, secret) => ({ MINIO_ROOT_USER: key, MINIO_ROOT_PASSWORD: secret, MINIO_BROWSER: 'off' }),
  },
  seaweedfs: {
    port: 8333,
    health: '/healthz',
    command: ['mini', '-dir=/data', '-ip.bind=0.0.0.0', '-admin.ui=false', '-webdav=false'],
    environment: (key, secret) => ({ AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret }),
  },
};

const region = 'us-east-1';
const memoryLimitBytes = 2 ** 30;
const dataLimitBytes = 2 ** 29;
const patienceMs = 60_000;

/**
 * Starts a store that `teardown` of its scratch directory removes from the engine.
 * @throws StepEnded server.start-failed, engine.refused, engine.lost, engine.another
 * @throws the signal's reason when aborted
 */
export async function startObjectStore(options: ObjectStoreOptions): Promise<ObjectStoreContainer> {
  const { scratch, kind, engine, image, context: { signal } } = options;
  const began = performance.now();
  const owner = readRegister(scratch.path)?.owner;
  if (owner === undefined) throw new Error(`${scratch.path} holds no register`);
  const recipe = recipes[kind];
  const id = randomBytes(8).toString('hex');
  const name = `backup-drills-${id}`;
  const keys = { accessKeyId: randomBytes(10).toString('hex').toUpperCase(), secretAccessKey: randomBytes(20).toString('hex') };
  const resource = { kind: 'container', what: kind, engine: engine.uri, id } as const;
  scratch.register({ ...resource, made: false });
  try {
    await useEngine(engine, options.facts);
    signal.throwIfAborted();
    const started = await new StoreContainer(image.reference, recipe, { name, labels: labelsOf(id, { run: owner.run, scratch: scratch.path, process: owner, kept: false }), local: engine.uri.startsWith('unix:') })
      .withEnvironment(recipe.environment(keys.accessKeyId, keys.secretAccessKey))
      .start();
    scratch.register({ ...resource, made: true });
    const container = engine.client.getContainer(started.getId());
    const died = async (): Promise<Finding | null> => deathOf(await fateOfContainer(container), { engine: engine.uri, image: image.reference, memoryLimitBytes, dataLimitBytes }, kind);
    const endpoint = await answering(new URL(engine.uri).hostname || '127.0.0.1', started.getMappedPort(recipe.port), recipe.health, signal);
    if (endpoint === null) {
      const log = await container.logs({ stdout: true, stderr: true, tail: 50 }).then((text) => lastWords(String(text)), () => []);
      throw new StepEnded((await died()) ?? serverFindings.find('server.start-failed', { during: `the object store (${kind})`, exit: `no answer within ${patienceMs / 1000} s`, log }));
    }
    return {
      runtime: 'containers', endpoint, region, ...keys, name, died,
      evidence: { runtime: 'containers', kind, engine: engine.uri, engineVersion: options.facts.version, image: image.reference, imageId: image.id, digest: image.digest, pulled: image.pulled, name, startMs: Math.round(performance.now() - began) },
    };
  } catch (error) {
    if (error instanceof StepEnded || signal.aborted) throw error;
    if (engineGone(error)) throw new StepEnded(serverFindings.find('engine.lost', { engine: engine.uri, error: engineProblem(error) }));
    throw new StepEnded(serverFindings.find('engine.refused', { engine: engine.uri, asked: `start a container of ${image.reference}`, error: engineProblem(error) }));
  }
}

class StoreContainer extends GenericContainer {
  constructor(image: string, { port, command }: Recipe, { name, labels, local }: { readonly name: string; readonly labels: Record<string, string>; readonly local: boolean }) {
    super(image);
    this.withName(name)
      .withLabels(labels)
      .withCommand([...command])
      .withExposedPorts(port)
      .withTmpFs({ '/data': `rw,nosuid,nodev,noexec,size=${dataLimitBytes}` })
      .withAutoCleanup(false)
      .withWaitStrategy(atOnce);
    this.hostConfig = {
      ...this.hostConfig,
      // Of this machine's loopback alone where the engine is here; one elsewhere has to be reached over the network.
      PortBindings: { [`${port}/tcp`]: [{ HostPort: '0', ...(local ? { HostIp: '127.0.0.1' } : {}) }] },
      Memory: memoryLimitBytes,
      MemorySwap: memoryLimitBytes,
      PidsLimit: 500,
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: { Name: 'no' },
    };
  }
}

/** The endpoint, once the store answers; null where it does not in time. */
async function answering(host: string, port: number, health: string, signal: AbortSignal): Promise<string | null> {
  const endpoint = `http://${host}:${port}`;
  const deadline = performance.now() + patienceMs;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const ok = await fetch(endpoint + health, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) }).then((response) => response.ok, () => false);
    if (ok) return endpoint;
    await pause(20, undefined, { signal });
  }
  return null;
}
