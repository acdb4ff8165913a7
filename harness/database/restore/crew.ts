// Several sessions at work at once. What each job works on decides what it waits for: a job starts once no earlier one
// that is not done holds a relation of its, so that every relation sees its statements in the dump's order.
import type { Client } from 'pg';

export interface Job {
  /** In words, for whoever watches: `CREATE INDEX public.messages_by_chat`. */
  readonly what: string;
  /** Relations that others may work on meanwhile. */
  readonly shares: readonly string[];
  /** Relations that are its own. */
  readonly owns: readonly string[];
  /** How much work it is, next to others: of those that may start, the greatest does. */
  readonly weight: number;
  readonly run: (session: Client) => Promise<void>;
}

/** One job as it went. */
export interface Span {
  readonly what: string;
  /** Of the crew, from 0. */
  readonly session: number;
  /** ms since the crew was there. */
  readonly from: number;
  readonly to: number;
}

interface Held extends Job {
  /** How many jobs before it are not done. */
  waits: number;
  readonly next: Held[];
  done: boolean;
}

/** A session that was asked for, for work that comes by piece. */
export interface Claim {
  readonly session: Client;
  /** Work on it is over, or is when this has ended; what that throws is thrown by whoever asks next. */
  readonly release: (ending?: Promise<void>) => void;
}

const spansKept = 40;

export class Crew {
  /** The most sessions that were at work at one time. */
  most = 0;
  readonly #sessions: readonly Client[];
  readonly #free: Client[];
  readonly #running = new Map<Client, { readonly what: string; readonly from: number }>();
  readonly #began = performance.now();
  #spans: Span[] = [];
  readonly #choose: (among: number) => number | null;
  readonly #ready: Held[] = [];
  /** Of each relation: the last job that owns it, and who shares it since. */
  readonly #relations = new Map<string, { owner: Held | null; sharers: Held[] }>();
  #unfinished = 0;
  #failure: { readonly error: unknown } | null = null;
  readonly #failed = Promise.withResolvers<never>();
  #heard: (() => void)[] = [];

  /** @param choose which of so many jobs starts next; by default the one of the greatest weight */
  constructor(sessions: readonly Client[], choose: (among: number) => number | null = () => null) {
    this.#sessions = sessions;
    this.#free = [...sessions].reverse();
    this.#choose = choose;
    this.#failed.promise.catch(() => undefined); // whoever asks next hears of it
  }

  /** Starts a job as soon as it may; its failure is thrown by whoever asks next. */
  add(job: Job): void {
    const held: Held = { ...job, waits: 0, next: [], done: false };
    const before = new Set<Held>();
    for (const name of job.owns) {
      const relation = this.#relation(name);
      for (const one of [relation.owner, ...relation.sharers]) if (one !== null) before.add(one);
      [relation.owner, relation.sharers] = [held, []];
    }
    for (const name of job.shares) {
      const relation = this.#relation(name);
      if (relation.owner !== null) before.add(relation.owner);
      relation.sharers = [...relation.sharers.filter((one) => !one.done), held];
    }
    for (const one of before) {
      if (one.done || one === held) continue;
      one.next.push(held);
      held.waits += 1;
    }
    this.#unfinished += 1;
    if (held.waits === 0) this.#ready.push(held);
    this.#start();
  }

  /** A session that owns these relations until it is released. @throws what a job threw */
  async claim(owns: readonly string[], what: string): Promise<Claim> {
    const claimed = Promise.withResolvers<Client>();
    const over = Promise.withResolvers<void>();
    this.add({ what, shares: [], owns, weight: Infinity, run: async (session) => {
      claimed.resolve(session);
      await over.promise;
    } });
    return { session: await this.#orFailure(claimed.promise), release: over.resolve };
  }

  /** One more session for work that a claim covers, where one has nothing to do. */
  spare(what: string): Claim | null {
    if (this.#ready.length > 0) return null;
    const session = this.#free.pop();
    if (session === undefined) return null;
    this.#unfinished += 1;
    this.#begins(session, what);
    return { session, release: (ending = Promise.resolve()) => void ending.then(() => this.#finished(session), (error: unknown) => this.#fail(error)) };
  }

  /** How many jobs are not done. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** Until nothing runs and nothing waits. @throws what a job threw */
  async idle(): Promise<void> {
    await this.atMost(0);
  }

  /** Until no more than so many jobs are not done. @throws what a job threw */
  async atMost(jobs: number): Promise<void> {
    while (this.#unfinished > jobs) await this.#orFailure(new Promise<void>((resolve) => this.#heard.push(resolve)));
    this.throwFailure();
  }

  /** @throws what a job threw */
  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed.promise]);
  }

  #relation(name: string): { owner: Held | null; sharers: Held[] } {
    const known = this.#relations.get(name);
    if (known !== undefined) return known;
    const relation = { owner: null, sharers: [] };
    this.#relations.set(name, relation);
    return relation;
  }

  #start(): void {
    while (this.#failure === null && this.#ready.length > 0) {
      const session = this.#free.pop();
      if (session === undefined) return;
      const [job] = this.#ready.splice(this.#choose(this.#ready.length) ?? this.#heaviest(), 1);
      if (job === undefined) throw new RangeError('a job was chosen that is not there');
      this.#begins(session, job.what);
      void this.#carryOut(job, session);
    }
  }

  async #carryOut(job: Held, session: Client): Promise<void> {
    try {
      await job.run(session);
    } catch (error) {
      this.#fail(error);
      return;
    }
    job.done = true;
    for (const one of job.next) if (--one.waits === 0) this.#ready.push(one);
    this.#finished(session);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#failed.reject(error);
  }

  #heaviest(): number {
    let best = 0;
    for (let at = 1; at < this.#ready.length; at += 1) if ((this.#ready[at]?.weight ?? 0) > (this.#ready[best]?.weight ?? 0)) best = at;
    return best;
  }

  /** What each session does now; null where it has nothing to do. */
  get now(): readonly (string | null)[] {
    return this.#sessions.map((session) => this.#running.get(session)?.what ?? null);
  }

  /** The jobs that took longest, in the order in which they began. */
  get longest(): readonly Span[] {
    this.#keepLongest();
    return this.#spans.toSorted((a, b) => a.from - b.from);
  }

  #keepLongest(): void {
    this.#spans = this.#spans.toSorted((a, b) => b.to - b.from - (a.to - a.from)).slice(0, spansKept);
  }

  #finished(session: Client): void {
    const { what, from } = this.#running.get(session) ?? { what: '', from: 0 };
    this.#running.delete(session);
    this.#spans.push({ what, session: this.#sessions.indexOf(session), from: Math.round(from), to: Math.round(performance.now() - this.#began) });
    if (this.#spans.length > 10 * spansKept) this.#keepLongest();
    this.#free.push(session);
    this.#unfinished -= 1;
    this.#start();
    this.#tell();
  }

  #begins(session: Client, what: string): void {
    this.#running.set(session, { what, from: performance.now() - this.#began });
    this.most = Math.max(this.most, this.#running.size);
  }

  #tell(): void {
    const heard = this.#heard;
    this.#heard = [];
    for (const one of heard) one();
  }
}
