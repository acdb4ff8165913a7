// What all of one restore share: where it runs, how far it is, what waits for later, and how long a statement may take.
import type { Client } from 'pg';
import { StepEnded } from '../../run/finding.ts';
import type { StepContext } from '../../run/plan.ts';
import type { Place } from '../dump/items.ts';
import { statementFinding } from './errors.ts';
import { restoreFindings } from './findings.ts';
import type { AdminRow, Phase } from './lanes.ts';
import type { Operation } from './plan.ts';
import type { Actor } from './roles.ts';
import type { Sessions } from './sessions.ts';

/** A statement of the closed list, as it stands in the dump. */
export interface Listed {
  readonly sql: Buffer;
  readonly at: Place;
  readonly operation: Operation;
  readonly row: AdminRow;
}

export interface Places {
  /** Our own queries, in UTF-8. */
  readonly control: Client;
  /** The closed list, in the dump's bytes. */
  readonly admin: Client;
  /** The restorer's sessions; what runs alone runs in the first. */
  readonly crew: readonly Client[];
  readonly restorer: Actor;
  readonly database: string;
}

export class Shared {
  readonly context: Pick<StepContext, 'signal' | 'progress'>;
  readonly sessions: Sessions;
  readonly places: Places;
  /** The line of the dump that is being restored, for whoever has to say where it ended. */
  readonly at: { line: number };
  /** What runs once all data is in. */
  readonly deferred: Record<Phase, Listed[]> = { main: [], owners: [], grants: [], views: [], late: [], triggers: [] };
  /** The dump's SETs, for every session that is opened later; the last of each name counts. */
  readonly settings = new Map<string, Buffer>();
  readonly count = { restorer: 0, admin: 0, viewOwner: 0, mapped: 0, deferred: 0, absentDrops: 0, unknownSettings: 0, tablespaces: 0 };
  /** How often each row of the closed list was used. */
  readonly rowsUsed = new Map<string, number>();
  /** Something of the dump's is there that could be called. */
  code = false;
  readonly #statementMs: number;
  #overdue: StepEnded | null = null;

  constructor(context: Shared['context'], sessions: Sessions, places: Places, at: { line: number }, statementMs: number) {
    this.context = context;
    this.sessions = sessions;
    this.places = places;
    this.at = at;
    this.#statementMs = statementMs;
  }

  refused(kind: string, object: string, at: Place, why: string): StepEnded {
    return new StepEnded(restoreFindings.find('restore.statement-refused', { kind, object, line: at.line, why }));
  }

  /** Runs what belongs to a statement, no longer than it may take. @throws StepEnded with the finding that names it; what is no answer of Postgres' as it is */
  async named<T>(operation: Operation, at: Place, work: () => Promise<T>): Promise<T> {
    const statementMs = this.#statementMs;
    const { promise: overdue, reject } = Promise.withResolvers<never>();
    overdue.catch(() => {});
    const limit = () => new StepEnded(restoreFindings.find('restore.statement-overdue', { kind: operation.kind, object: operation.object, line: at.line, minutes: Math.round(statementMs / 600) / 100 }));
    // The sessions are ended, not the statement: code of the dump's may catch a cancel and go on.
    let timer = setTimeout(() => {
      this.#overdue ??= limit();
      timer = setTimeout(() => reject(limit()), 10_000);
      this.places.control.query(endOthers).catch(reject);
    }, statementMs);
    try {
      return await Promise.race([work(), overdue]);
    } catch (error) {
      if (this.#overdue !== null) throw this.#overdue;
      if (error instanceof StepEnded || this.context.signal.aborted) throw error;
      const finding = statementFinding(error, operation, at);
      throw finding === null ? error : new StepEnded(finding);
    } finally {
      clearTimeout(timer);
    }
  }
}

const endOthers = 'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()';
