// What carries a throw-away server, and why: what was asked for is never replaced, and what is chosen says so.
import { type EngineAddress, type Environment, engineAddress } from '../run/engine-address.ts';
import type { Engine, EngineFacts } from '../run/engine.ts';
import { StepEnded } from '../run/finding.ts';
import type { StepContext } from '../run/plan.ts';
import type { ServersConfig } from './config.ts';
import { serverFindings } from './findings.ts';
import type { Image } from './images.ts';

/** An engine that answers, and the image on it. */
export interface Carrier {
  readonly engine: Engine;
  readonly facts: EngineFacts;
  readonly image: Image;
}

export interface CarrierOptions {
  readonly config: ServersConfig;
  readonly context: Pick<StepContext, 'signal' | 'progress'>;
  readonly environment?: Environment;
  /** In place of where the environment says that an engine is. */
  readonly address?: EngineAddress | null;
}

export interface Choice {
  /** Null: embedded. */
  readonly carrier: Carrier | null;
  /** Why, for people and the record. */
  readonly why: string;
}

/**
 * Chooses as the configuration asks. `auto` takes containers where an engine answers and has the image or can pull it, else
 * what comes with the packages; an engine that DOCKER_HOST names is asked for, and never passed over.
 * @param reference of the image
 * @param of what, for people: `Postgres 17`
 * @throws StepEnded with an `engine.*` or `image.*` finding
 */
export async function chooseCarrier(reference: string, of: string, options: CarrierOptions): Promise<Choice> {
  const { config: { runtime } } = options;
  if (runtime === 'embedded') return { carrier: null, why: 'the configuration says embedded' };
  const carrier = await findCarrier(reference, options);
  if ('why' in carrier) {
    if (runtime === 'containers' || carrier.named) throw carrier.why;
    return { carrier: null, why: `auto: no containers, since ${carrier.why.findings[0]?.message ?? ''}` };
  }
  if (runtime === 'containers') return { carrier, why: 'the configuration says containers' };
  return { carrier, why: `auto: the engine at ${carrier.engine.uri} answers, and the image of ${of} ${carrier.image.pulled ? 'could be pulled' : 'is there'}` };
}

/** An engine that answers and the image on it; or what keeps them from being had. */
async function findCarrier(reference: string, options: CarrierOptions): Promise<Carrier | { readonly why: StepEnded; readonly named: boolean }> {
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
    return { engine, facts, image: await ensureImage({ engine, reference, withinMs: options.config.images.pullWithinMs, context: options.context }) };
  } catch (error) {
    if (!(error instanceof StepEnded)) throw error;
    return refuse(error, error.findings.some(({ code }) => code === 'engine.lost'));
  }
}
