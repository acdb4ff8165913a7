// A plan: the steps of a run, in order, each knowing what it needs of the steps before it.
import type { ZodType } from 'zod';
import type { Finding } from './finding.ts';

/** A part of the unit, or the run itself (choice, teardown). */
export type Part = 'database' | 'media' | 'audit' | 'keys' | 'run';

/** How far a long stage is. `total` is null where it cannot be known; `unit` is what `done` counts. */
export interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly unit: 'bytes' | 'rows' | 'objects' | 'statements' | 'tables';
  /** What is being worked on: a table, an object's name. Never a value. */
  readonly what?: string;
}

/** What a step may use beside its inputs. */
export interface StepContext {
  /** Aborted by a signal; long stages stop at the next chunk and let it propagate. */
  readonly signal: AbortSignal;
  /** Cheap; call it per chunk, it is throttled. */
  readonly progress: (progress: Progress) => void;
  /** The run's clock in UTC. A rehearsal's is shifted, openly; never call `new Date()` in a stage for "now". */
  readonly now: () => Date;
}

/** What a step leaves. Without `value`, the steps that need it are blocked. */
export interface Done<T, E> {
  readonly value?: T;
  readonly findings?: readonly Finding[];
  /** Measured facts, of the schema that the step declares. A step without evidence has not passed. */
  readonly evidence: E;
}

/** Names a planned step and the type of value it leaves. */
export interface StepRef<T> {
  readonly id: string;
  /** Carries T for the compiler; never set. */
  readonly leaves?: T;
}
type Needs = Readonly<Record<string, StepRef<unknown>>>;
type Inputs<N extends Needs> = { readonly [K in keyof N]: N[K] extends StepRef<infer T> ? T : never };

export interface StepSpec<N extends Needs, T, E extends object> {
  /** Stable, dotted: `database.restore`. */
  readonly id: string;
  readonly part: Part;
  /** What it does, for a person: "restore into a throw-away server". */
  readonly title: string;
  readonly needs: N;
  /** True where passing compares what came back with what was true at the dump's snapshot. */
  readonly compares?: boolean;
  readonly evidence: ZodType<E>;
  readonly run: (inputs: Inputs<N>, context: StepContext) => Promise<Done<T, E>>;
}

/** A step as the runner sees it, its types erased. */
export interface Step {
  readonly id: string;
  readonly part: Part;
  readonly title: string;
  readonly compares: boolean;
  readonly needs: Readonly<Record<string, string>>;
  readonly evidence: ZodType<object>;
  readonly run: (inputs: Record<string, unknown>, context: StepContext) => Promise<Done<unknown, object>>;
}

export class Plan {
  readonly steps: Step[] = [];

  /** Adds a step after those it needs. @throws when an id is taken or a need is not planned before it. */
  step<N extends Needs, T, E extends object>(spec: StepSpec<N, T, E>): StepRef<T> {
    const planned = new Set(this.steps.map((step) => step.id));
    if (planned.has(spec.id)) throw new Error(`step ${spec.id} is planned twice`);
    const needs: Record<string, string> = {};
    for (const [name, ref] of Object.entries(spec.needs)) {
      if (!planned.has(ref.id)) throw new Error(`step ${spec.id} needs ${ref.id}, which is not planned before it`);
      needs[name] = ref.id;
    }
    this.steps.push({ ...spec, compares: spec.compares ?? false, needs, run: spec.run as Step['run'] });
    return { id: spec.id };
  }
}
