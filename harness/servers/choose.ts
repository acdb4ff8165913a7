// The throw-away servers of a run, each by what carries it.
import { StepEnded } from '../run/finding.ts';
import type { Scratch } from '../run/scratch.ts';
import { chooseCarrier, type CarrierOptions } from './carrier.ts';
import { startEmbedded } from './embedded.ts';
import type { ServerEvidence } from './evidence.ts';
import type { ObjectStoreServer } from './object-store/object-store.ts';
import type { PostgresServer } from './postgres.ts';

export interface ServerOptions extends CarrierOptions {
  readonly scratch: Scratch;
  /** Of the dump. */
  readonly major: number;
  /** Bytes of the decompressed dump. */
  readonly plainBytes: number;
  readonly kept?: boolean;
}

export interface ChosenServer extends PostgresServer {
  readonly evidence: ServerEvidence;
}

/**
 * Starts the throw-away Postgres that the configuration asks for.
 * @throws StepEnded with an `engine.*`, `image.*` or `server.*` finding
 */
export async function startServer(options: ServerOptions): Promise<ChosenServer> {
  const { config, major, scratch, context } = options;
  const { carrier, why } = await chooseCarrier(config.images.postgres.replaceAll('{major}', String(major)), `Postgres ${major}`, options);
  if (carrier === null) {
    const server = await startEmbedded({ scratch, major, signal: context.signal });
    return { ...server, evidence: { ...server.evidence, chosen: why } };
  }
  const { startContainer } = await import('./containers.ts');
  const server = await startContainer({ ...options, ...carrier, memoryBytes: config.containerMemoryBytes });
  return { ...server, evidence: { ...server.evidence, chosen: why } };
}

export interface StoreOptions extends CarrierOptions {
  readonly scratch: Scratch;
  readonly bucket: string;
}

/**
 * Starts the object store of a rehearsal.
 * @throws StepEnded with an `engine.*`, `image.*` or `server.*` finding
 */
export async function startObjectStore(options: StoreOptions): Promise<ObjectStoreServer> {
  const { kind, image } = options.config.images.objectStore;
  const { carrier, why } = await chooseCarrier(image, kind, options);
  const store = carrier === null
    ? await (await import('./object-store/embedded.ts')).startEmbeddedStore(options)
    : await (await import('./object-store/container.ts')).startStoreContainer({ ...options, ...carrier, kind });
  return { ...store, evidence: { ...store.evidence, chosen: why } };
}

/**
 * Does `work` on a server; where it fails and the server turns out to be gone, that is told instead.
 * @throws StepEnded with why the server is gone; else what `work` throws
 */
export async function whileItLives<T>(server: { readonly died?: PostgresServer['died'] }, work: () => Promise<T>, isConnectionLost: (error: unknown) => boolean): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const death = isConnectionLost(error) ? ((await server.died?.()) ?? null) : null;
    throw death === null ? error : new StepEnded(death, error instanceof StepEnded ? error.evidence : {});
  }
}
