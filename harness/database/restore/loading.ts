// One table's rows over as many sessions as have nothing else to do. Text COPY escapes line feeds in values, so whole lines
// may go anywhere; which session takes a line decides where the row lies in the table, and nothing else.
import { DatabaseError } from 'pg';
import type { Claim, Crew } from './crew.ts';
import { type CopyIn, startCopy } from './wire.ts';

interface Lane {
  readonly claim: Claim;
  readonly copy: CopyIn;
  /** Waits for the server. */
  full: boolean;
  room: Promise<void>;
  /** What it was given, in order: how many rows of its own stand before, and which row of the block was the first. */
  readonly given: { readonly before: number; readonly first: number }[];
  rows: number;
}

/** Whether a table's rows go over another session too: not at all, when all that have it wait for the server, or as soon as there is one. */
export type Divide = 'no' | 'when full' | 'at once';

export class Loading {
  readonly #crew: Crew;
  readonly #sql: Buffer;
  readonly #what: string;
  readonly #divide: Divide;
  readonly #lanes: Lane[] = [];
  #rows = 0;

  /** @param claim that owns the table; divide: when another session helps */
  constructor(crew: Crew, claim: Claim, sql: Buffer, { what, divide }: { readonly what: string; readonly divide: Divide }) {
    this.#crew = crew;
    this.#what = what;
    this.#sql = sql;
    this.#divide = divide;
    this.#open(claim);
  }

  /** How many sessions took rows. */
  get sessions(): number {
    return this.#lanes.length;
  }

  /** Resolves when the rows are on their way to a session that has room for them. @throws as `runSimple` */
  async write(data: Buffer, rows: number): Promise<void> {
    const lane = await this.#lane();
    lane.given.push({ before: lane.rows, first: this.#rows });
    lane.rows += rows;
    this.#rows += rows;
    lane.full = true;
    lane.room = this.#told(lane, lane.copy.write(data)).then(() => void (lane.full = false));
    lane.room.catch(() => undefined); // who writes or ends next hears of it
  }

  /** Ends it everywhere; how many rows the server says it stored. The first session stays claimed. @throws as `runSimple` */
  async end(): Promise<number> {
    const stored = await Promise.all(this.#lanes.map(async (lane) => {
      await lane.room;
      return this.#told(lane, lane.copy.end());
    }));
    for (const { claim } of this.#lanes.slice(1)) claim.release();
    return stored.reduce((sum, rows) => sum + rows, 0);
  }

  async #lane(): Promise<Lane> {
    for (;;) {
      const free = this.#lanes.find(({ full }) => !full);
      const helps = this.#divide === 'at once' ? this.#lanes.every(({ rows }) => rows > 0) : this.#divide === 'when full' && free === undefined;
      const spare = helps ? this.#crew.spare(this.#what) : null;
      if (spare !== null) return this.#open(spare);
      if (free !== undefined) return free;
      await Promise.race(this.#lanes.map(({ room }) => room));
    }
  }

  #open(claim: Claim): Lane {
    const lane: Lane = { claim, copy: startCopy(claim.session, this.#sql), full: false, room: Promise.resolve(), given: [], rows: 0 };
    this.#lanes.push(lane);
    return lane;
  }

  /** With the row that the server tells of as one of the block, not of what this session was given of it. */
  async #told<T>(lane: Lane, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof DatabaseError && error.where !== undefined && this.#lanes.length > 1) {
        error.where = error.where.replace(/^(COPY (?:(?!, line ).)*, line )(\d+)/, (_, head: string, row: string) => `${head}${this.#rowOfBlock(lane, Number(row))}`);
      }
      throw error;
    }
  }

  #rowOfBlock(lane: Lane, row: number): number {
    const part = lane.given.findLast(({ before }) => before < row);
    return part === undefined ? row : part.first + row - part.before;
  }
}
