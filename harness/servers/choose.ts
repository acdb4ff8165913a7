// Which runtime carries the throw-away Postgres, and why: what was asked for is never replaced, and what is chosen says so.
import { type EngineAddress, type Environment, engineAddress } from '../run/engine-address.ts';
import type { Engine, EngineFacts } from '../run/engine.ts';
import { StepEnded } from '../run/finding.ts';
import type { StepContext } from '../run/plan.ts';
import type { Scratch } from '../run/scratch.ts';
import type { ServersConfig } from './config.ts';
import { startEmbedded } from './embedded.ts';
import type { ServerEvidence } from './evidence.ts';
import { serverFindings } from './findings.ts';
import type { Image } from './images.ts';
import type { PostgresServer } from './postgres.ts';

export interface ServerOptions {
  readonly scratch: Scratch;
  /** Of the dump. */
  readonly major: number;
  /** Bytes of the decompressed dump. */
  readonly plainBytes: number;
  readonly config: ServersConfig;
  readonly context: Pick<StepContext, 'signal' | 'progress'>;
  readonly kept?: boolean;
  readonly environment?: Environment;
  /** In place of where the environment says that an engine is. */
  readonly address?: EngineAddress | null;
}

export interface ChosenServer extends PostgresServer {
  readonly evidence: ServerEvidence;
}

interface Carrier {
  readonly engine: Engine;
  readonly facts: EngineFacts;
  readonly image: Image;
}

/**
 * Starts the server that the configuration asks for. `auto` takes containers where an engine answers and has the image or
 * can pull it, else what comes with the packages; an engine that DOCKER_HOST names is asked for, and never passed over.
 * @throws StepEnded with an `engine.*`, `image.*` or `server.*` finding
 */
export async function startServer(options: ServerOptions): Promise<ChosenServer> {
  const { config: { runtime }, major } = options;
  if (runtime === 'embedded') return embedded(options, 'the configuration says embedded');
  const found = await findCarrier(options);
  if ('why' in found) {
    if (runtime === 'containers' || found.named) throw found.why;
    return embedded(options, `auto: no containers, since ${found.why.findings[0]?.message ?? ''}`);
  }
  const { startContainer } = await import('./containers.ts');
  const server = await startContainer({ ...options, ...found, memoryBytes: options.config.containerMemoryBytes });
  const why = runtime === 'containers' ? 'the configuration says containers' : `auto: the engine at ${found.engine.uri} answers, and the image of Postgres ${major} ${found.image.pulled ? 'could be pulled' : 'is there'}`;
  return { ...server, evidence: { ...server.evidence, chosen: why } };
}

async function embedded({ scratch, major, context: { signal } }: ServerOptions, chosen: string): Promise<ChosenServer> {
  const server = await startEmbedded({ scratch, major, signal });
  return { ...server, evidence: { ...server.evidence, chosen } };
}

/** An engine that answers and the image on it; or what keeps them from being had. */
async function findCarrier(options: ServerOptions): Promise<Carrier | { readonly why: StepEnded; readonly named: boolean }> {
  const environment = options.environment ?? process.env;
  const address = options.address === undefined ? engineAddress(environment) : options.address;
  const refuse = (why: StepEnded, named = false) => ({ why, named });
  if (address === null) return refuse(new StepEnded(serverFindings.find('engine.none', { looked: 'DOCKER_HOST is not set, and no socket is in the usual places' })));
  const { askEngine, engineAt, engineProblem } = await import('../run/engine.ts');
  const { ensureImage } = await import('./images.ts');
  let engine: Engine;
  let facts: EngineFacts;
  try {
    engine = engineAt(address.uri, environment);
    facts = await askEngine(engine, options.context.signal);
  } catch (error) {
    options.context.signal.throwIfAborted();
    return refuse(new StepEnded(serverFindings.find('engine.unreachable', { engine: address.uri, named: address.named, error: engineProblem(error) })), address.named);
  }
  try {
    const { postgres, pullWithinMs } = options.config.images;
    return { engine, facts, image: await ensureImage({ engine, reference: postgres.replaceAll('{major}', String(options.major)), withinMs: pullWithinMs, context: options.context }) };
  } catch (error) {
    if (!(error instanceof StepEnded)) throw error;
    return refuse(error, error.findings.some(({ code }) => code === 'engine.lost'));
  }
}

/**
 * Does `work` on a server; where it fails and the server turns out to be gone, that is told instead.
 * @throws StepEnded with why the server is gone; else what `work` throws
 */
export async function whileItLives<T>(server: PostgresServer, work: () => Promise<T>, isConnectionLost: (error: unknown) => boolean): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // An embedded server is a child of this process: the restore tells its end by itself, and there is no engine to ask.
    const death = server.runtime === 'containers' && isConnectionLost(error) ? ((await server.died?.()) ?? null) : null;
    throw death === null ? error : new StepEnded(death, error instanceof StepEnded ? error.evidence : {});
  }
}
