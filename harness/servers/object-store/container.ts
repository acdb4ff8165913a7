// The object store of a rehearsal in a container: MinIO or SeaweedFS, with keys of its own for this run. It holds the sample
// and nothing of anybody's, so it may have a port, on the loopback where the engine is here.
import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { AssumeRoleProvider } from 'minio/dist/esm/AssumeRoleProvider.mjs';
import { GenericContainer } from 'testcontainers';
import { type Finding, StepEnded } from '../../run/finding.ts';
import type { StepContext } from '../../run/plan.ts';
import { labelsOf } from '../../run/register-containers.ts';
import { readRegister } from '../../run/register.ts';
import type { Scratch } from '../../run/scratch.ts';
import type { Carrier } from '../carrier.ts';
import type { ObjectStoreKind } from '../config.ts';
import { deathOf, fateOfContainer } from '../container-death.ts';
import { asked, atOnce, imageEvidence, useEngine } from '../contained.ts';
import { serverFindings } from '../findings.ts';
import { lastWords } from '../log-words.ts';
import { newStoreKeys, type ObjectStoreServer, storeClient, type StoreKeys, storeRegion } from './object-store.ts';

export interface StoreContainerOptions extends Carrier {
  readonly scratch: Scratch;
  readonly bucket: string;
  readonly kind: ObjectStoreKind;
  readonly context: Pick<StepContext, 'signal'>;
}

export interface ContainedStore extends ObjectStoreServer {
  readonly name: string;
  readonly died: () => Promise<Finding | null>;
}

interface Recipe {
  readonly port: number;
  /** Answers 200 once it takes requests. */
  readonly health: string;
  readonly command: readonly string[];
  readonly environment: (writer: StoreKeys) => Readonly<Record<string, string>>;
  /** Of files that lie in the container before it starts. */
  readonly files: (keys: { readonly writer: StoreKeys; readonly reader: StoreKeys; readonly bucket: string }) => readonly { readonly target: string; readonly content: string }[];
  /** The keys that may only read; where they are not made beforehand, asked of the running store. */
  readonly reader: (at: { readonly endpoint: string; readonly writer: StoreKeys; readonly bucket: string; readonly made: StoreKeys }) => Promise<StoreKeys>;
}

const recipes: Readonly<Record<ObjectStoreKind, Recipe>> = {
  minio: {
    port: 9000,
    health: '/minio/health/live',
    command: ['server', '/data'],
    environment: ({ accessKeyId, secretAccessKey }) => ({ MINIO_ROOT_USER: accessKeyId, MINIO_ROOT_PASSWORD: secretAccessKey, MINIO_BROWSER: 'off' }),
    files: () => [],
    reader: async ({ endpoint, writer, bucket }) => narrowedSession(endpoint, writer, bucket),
  },
  seaweedfs: {
    port: 8333,
    health: '/healthz',
    // Its other services stay within the container.
    command: ['mini', '-dir=/data', '-ip.bind=0.0.0.0', '-admin.ui=false', '-webdav=false', '-s3.port.iceberg=0', '-s3.port.lance=0', '-s3.config=/keys.json'],
    environment: () => ({}),
    files: ({ writer, reader, bucket }) => [{
      target: '/keys.json',
      content: JSON.stringify({ identities: [identity('writer', writer, ['Admin', 'Read', 'List', 'Tagging', 'Write']), identity('reader', reader, [`Read:${bucket}`, `List:${bucket}`])] }),
    }],
    reader: async ({ made }) => made,
  },
};

function identity(name: string, { accessKeyId, secretAccessKey }: StoreKeys, actions: readonly string[]): object {
  return { name, credentials: [{ accessKey: accessKeyId, secretKey: secretAccessKey }], actions };
}

/** MinIO makes users only by an interface of its own; a session of the writer's that a policy narrows is plain S3's way. */
async function narrowedSession(endpoint: string, { accessKeyId, secretAccessKey }: StoreKeys, bucket: string): Promise<StoreKeys> {
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: ['s3:GetObject', 's3:ListBucket'], Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`] }] };
  const session = await new AssumeRoleProvider({ stsEndpoint: endpoint, accessKey: accessKeyId, secretKey: secretAccessKey, policy: JSON.stringify(policy), transportAgent: new Agent() }).getCredentials();
  return { accessKeyId: session.getAccessKey(), secretAccessKey: session.getSecretKey(), sessionToken: session.getSessionToken() ?? '' };
}

const memoryLimitBytes = 2 ** 30;
const dataLimitBytes = 2 ** 29;
const patienceMs = 60_000;

/**
 * Starts a store that `teardown` of its scratch directory removes from the engine, with its bucket in it.
 * @throws StepEnded server.start-failed, engine.refused, engine.lost, engine.another
 * @throws the signal's reason when aborted
 */
export async function startStoreContainer({ scratch, bucket, kind, engine, facts, image, context: { signal } }: StoreContainerOptions): Promise<ContainedStore> {
  const began = performance.now();
  const owner = readRegister(scratch.path)?.owner;
  if (owner === undefined) throw new Error(`${scratch.path} holds no register`);
  const recipe = recipes[kind];
  const id = randomBytes(8).toString('hex');
  const name = `backup-drills-${id}`;
  const [writer, made] = [newStoreKeys(), newStoreKeys()];
  const resource = { kind: 'container', what: kind, engine: engine.uri, id } as const;
  const container = engine.client.getContainer(name);
  const about = { engine: engine.uri, image: image.reference, memoryLimitBytes, dataLimitBytes };
  scratch.register({ ...resource, made: false });
  try {
    const started = await asked(engine, `start a container of ${image.reference}`, async () => {
      await useEngine(engine, facts);
      signal.throwIfAborted();
      return new StoreContainer(image.reference, recipe, { name, labels: labelsOf(id, { run: owner.run, scratch: scratch.path, process: owner, kept: false }), local: engine.uri.startsWith('unix:') })
        .withEnvironment(recipe.environment(writer))
        .withCopyContentToContainer([...recipe.files({ writer, reader: made, bucket })])
        .start();
    });
    scratch.register({ ...resource, made: true });
    const endpoint = await answering(new URL(engine.uri).hostname || '127.0.0.1', started.getMappedPort(recipe.port), recipe.health, { signal, lives: async () => (await container.inspect()).State.Running });
    const client = storeClient({ endpoint, region: storeRegion, writer });
    await client.makeBucket(bucket, storeRegion);
    await client.setBucketVersioning(bucket, { Status: 'Enabled' });
    const reader = await recipe.reader({ endpoint, writer, bucket, made });
    return {
      endpoint, region: storeRegion, bucket, writer, reader, name,
      died: async () => deathOf(await fateOfContainer(container), about, kind),
      close: async () => {},
      evidence: { runtime: 'containers', kind, startMs: Math.round(performance.now() - began), container: { ...imageEvidence({ engine, facts, image }), name } },
    };
  } catch (error) {
    signal.throwIfAborted();
    const fate = await fateOfContainer(container);
    // What Testcontainers says of a container that ended while it waited for its port is beside the point.
    if (error instanceof StepEnded && fate.state !== 'ended') throw error;
    const death = deathOf(fate, about, kind);
    if (death !== null && death.code !== 'server.died') throw new StepEnded(death);
    const log = await container.logs({ stdout: true, stderr: true, tail: 50 }).then((text) => lastWords(String(text)), () => []);
    throw new StepEnded(serverFindings.find('server.start-failed', { what: kind, during: 'the container', exit: fate.state === 'ended' ? `exit code ${fate.exitCode}` : (error as Error).message, log }));
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

/** The endpoint, once the store answers there. @throws Error where it ends, or does not in time */
async function answering(host: string, port: number, health: string, { signal, lives }: { readonly signal: AbortSignal; readonly lives: () => Promise<boolean> }): Promise<string> {
  const endpoint = `http://${host}:${port}`;
  const deadline = performance.now() + patienceMs;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const ok = await fetch(endpoint + health, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) }).then((response) => response.ok, () => false);
    if (ok) return endpoint;
    if (!(await lives())) throw new Error('it ended');
    await pause(20, undefined, { signal });
  }
  throw new Error(`no answer within ${patienceMs / 1000} s`);
}
