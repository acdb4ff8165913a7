// Container images: whether the engine has one, and getting it where it has not, with progress, two deadlines, and each way
// of failing told as itself.
import type Dockerode from 'dockerode';
import { type Engine, engineGone, engineProblem } from '../run/engine.ts';
import { StepEnded } from '../run/finding.ts';
import type { StepContext } from '../run/plan.ts';
import { serverFindings } from './findings.ts';

export interface Image {
  /** As it was asked for. */
  readonly reference: string;
  /** `sha256:…`, of what runs. */
  readonly id: string;
  /** `postgres@sha256:…`, what the registry calls it; null where it came from none. */
  readonly digest: string | null;
  readonly pulled: boolean;
}

export interface GettingImage {
  readonly engine: Engine;
  readonly reference: string;
  readonly withinMs: number;
  readonly context: Pick<StepContext, 'signal' | 'progress'>;
  /** How long a pull may stand still; a registry behind a firewall never says no. */
  readonly idleMs?: number;
}

const usualIdleMs = 60_000;

/**
 * The image, pulled if the engine does not have it.
 * @throws StepEnded image.not-found, image.pull-failed, image.pull-timeout, engine.lost
 * @throws the signal's reason when aborted
 */
export async function ensureImage(getting: GettingImage): Promise<Image> {
  const here = await findImage(getting.engine, getting.reference, false);
  if (here !== null) return here;
  await pull(getting);
  const got = await findImage(getting.engine, getting.reference, true);
  if (got === null) throw new StepEnded(serverFindings.find('image.pull-failed', { image: getting.reference, error: 'the engine says that it has it, and does not' }));
  return got;
}

async function findImage(engine: Engine, reference: string, pulled: boolean): Promise<Image | null> {
  try {
    const { Id, RepoDigests } = await engine.client.getImage(reference).inspect();
    return { reference, id: Id, digest: (RepoDigests as string[] | undefined)?.[0] ?? null, pulled };
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return null;
    throw lost(engine, error);
  }
}

interface PullEvent {
  readonly id?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

async function pull({ engine, reference, withinMs, context, idleMs = usualIdleMs }: GettingImage): Promise<void> {
  const idle = new AbortController();
  const total = AbortSignal.timeout(withinMs);
  const began = performance.now();
  let timer = setTimeout(() => idle.abort(), idleMs);
  const layers = new Map<string, { readonly current: number; readonly total: number }>();
  const take = (event: PullEvent): void => {
    timer = restarted(timer, () => idle.abort(), idleMs);
    const { current, total: size } = event.progressDetail ?? {};
    if (event.id === undefined || current === undefined || size === undefined) return;
    layers.set(event.id, { current, total: size });
    const sum = (of: 'current' | 'total'): number => [...layers.values()].reduce((bytes, layer) => bytes + layer[of], 0);
    context.progress({ done: sum('current'), total: sum('total'), unit: 'bytes', what: `image ${reference}` });
  };
  try {
    await follow(engine.client, reference, AbortSignal.any([idle.signal, total, context.signal]), take);
  } catch (error) {
    context.signal.throwIfAborted();
    const waitedMs = Math.round(performance.now() - began);
    if (total.aborted) throw new StepEnded(serverFindings.find('image.pull-timeout', { image: reference, waitedMs, why: 'it was not done by then' }));
    if (idle.signal.aborted) throw new StepEnded(serverFindings.find('image.pull-timeout', { image: reference, waitedMs, why: `nothing came for ${Math.round(idleMs / 1000)} s` }));
    if (engineGone(error)) throw lost(engine, error);
    const said = engineProblem(error).replace(/^\(HTTP code \d+\) [^-]*- /, '').trim();
    throw new StepEnded(serverFindings.find(isNoImage(error, said) ? 'image.not-found' : 'image.pull-failed', { image: reference, error: said }));
  } finally {
    clearTimeout(timer);
  }
}

/** Pulls, and hands over each thing that the engine tells meanwhile. It tells a failure in the stream, after it had begun well. */
async function follow(client: Dockerode, reference: string, signal: AbortSignal, take: (event: PullEvent) => void): Promise<void> {
  const stream = await client.pull(reference, { abortSignal: signal });
  let rest = '';
  const cut = (): void => { (stream as NodeJS.ReadableStream & { destroy(error: Error): void }).destroy(signal.reason as Error); };
  signal.addEventListener('abort', cut, { once: true });
  try {
    for await (const chunk of stream) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines.filter((each) => each.trim() !== '')) {
        const event = JSON.parse(line) as PullEvent;
        if (event.error !== undefined) throw new Error(event.error);
        take(event);
      }
    }
  } finally {
    signal.removeEventListener('abort', cut);
  }
}

/** A registry tells "no such image" and "not for you" alike. */
function isNoImage(error: unknown, said: string): boolean {
  return (error as { statusCode?: number }).statusCode === 404 || /manifest unknown|not found|does not exist|invalid reference/i.test(said);
}

function lost(engine: Engine, error: unknown): Error {
  return engineGone(error) ? new StepEnded(serverFindings.find('engine.lost', { engine: engine.uri, error: engineProblem(error) })) : (error as Error);
}

function restarted(timer: NodeJS.Timeout, work: () => void, ms: number): NodeJS.Timeout {
  clearTimeout(timer);
  return setTimeout(work, ms);
}
