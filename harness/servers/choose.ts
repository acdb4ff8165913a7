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
  if (carrier === null) return withReason(await startEmbedded({ scratch, major, signal: context.signal }), why);
  const { startContainer } = await import('./containers.ts');
  return withReason(await startContainer({ ...options, ...carrier, memoryBytes: config.containerMemoryBytes }), why);
}

export interface StoreOptions extends CarrierOptions {
  readonly scratch: Scratch;
  readonly bucket: string;
}

/**
 * Starts the object store of a rehearsal. With `auto`, one in a container that does not come up is replaced too: it is the
 * scenery, and the reason says so.
 * @throws StepEnded with an `engine.*`, `image.*` or `server.*` finding
 */
export async function startObjectStore(options: StoreOptions): Promise<ObjectStoreServer> {
  const { config: { runtime, images: { objectStore: { kind, image } } } } = options;
  const { carrier, why } = await chooseCarrier(image, kind, options);
  const embedded = async (chosen: string): Promise<ObjectStoreServer> => withReason(await (await import('./object-store/embedded.ts')).startEmbeddedStore(options), chosen);
  if (carrier === null) return embedded(why);
  const { startStoreContainer } = await import('./object-store/container.ts');
  try {
    return withReason(await startStoreContainer({ ...options, ...carrier, kind }), why);
  } catch (error) {
    const failed = error instanceof StepEnded ? error.findings.find(({ code }) => code === 'server.start-failed') : undefined;
    if (runtime !== 'auto' || failed === undefined) throw error;
    return embedded(`auto: no container, since ${failed.message}`);
  }
}

function withReason<S extends { readonly evidence: object }>(server: S, chosen: string): S {
  return { ...server, evidence: { ...server.evidence, chosen } };
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
