// The dump from its first statement to its last: what the restorer runs, alone and in its place or beside others
// (beside.ts), and what goes to the admin session or waits for later.
import { type Client, DatabaseError } from 'pg';
import { type Finding, StepEnded } from '../../run/finding.ts';
import type { DumpItem, Place } from '../dump/items.ts';
import { type AdminLane, runnable } from './admin-lane.ts';
import type { Beside } from './beside.ts';
import { type Claim, Crew } from './crew.ts';
import type { RestoreEvidence } from './evidence.ts';
import { restoreFindings } from './findings.ts';
import { isAdminSetting } from './lanes.ts';
import { Loading } from './loading.ts';
import type { Early, Operation, RestorePlan } from './plan.ts';
import { transactionStatus } from './sessions.ts';
import type { Listed, Shared } from './shared.ts';
import { Company } from './company.ts';
import { runSimple, runSingle } from './wire.ts';

export interface CourseInput {
  readonly plan: RestorePlan;
  /** Bytes of the decompressed dump, for progress; null where unknown. */
  readonly totalBytes: number | null;
  /** The fewest bytes of rows for which a table's COPY is divided, and a key or reference made in pieces. */
  readonly divideBytes: number | undefined;
  /** Which of so many jobs starts next; for tests. */
  readonly choose: ((among: number) => number) | undefined;
}

interface Copying {
  readonly loading: Loading;
  readonly claim: Pick<Claim, 'session' | 'release'>;
  /** Null where it is a barrier. */
  readonly table: string | null;
  readonly item: Extract<DumpItem, { kind: 'copy' }>;
  readonly operation: Operation;
}
export class Course {
  readonly #shared: Shared;
  readonly #admin: AdminLane;
  readonly #input: CourseInput;
  readonly #crew: Crew;
  readonly #company: Company;
  readonly #divideBytes: number;
  readonly #tablespaces = new Set<string>();
  #seen = 0;
  #current = -1;
  #made = false;
  #tables = 0;
  #rows = 0n;
  #bytes = 0n;
  #copy: Copying | null = null;
  /** By offset: what was begun ahead of its place. */
  readonly #begun = new Map<number, Buffer>();
  /** What waits until nothing runs: comments on what is being built. */
  readonly #waiting: Listed[] = [];
  /** Tables whose rows went over more than one session. */
  #divided = 0;
  /** Statements that ran beside others, or could have. */
  #besides = 0;

  constructor(shared: Shared, admin: AdminLane, input: CourseInput) {
    this.#shared = shared;
    this.#admin = admin;
    this.#input = input;
    this.#crew = new Crew(shared.places.crew, input.choose);
    this.#company = new Company(shared);
    this.#divideBytes = input.divideBytes ?? 2 ** 20;
  }

  get #owner(): Client {
    return this.#shared.places.crew[0] as Client;
  }

  measured(): Pick<RestoreEvidence, 'statements' | 'closedList' | 'parallel' | 'longest' | 'tablesCopied' | 'rowsCopied' | 'bytesCopied'> {
    return {
      statements: { ...this.#shared.count, unknown: this.#input.plan.unknown },
      closedList: Object.fromEntries([...this.#shared.rowsUsed].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      longest: [...this.#crew.longest],
      parallel: { sessions: this.#shared.places.crew.length, atOnce: this.#crew.most, beside: this.#besides, ahead: this.#begun.size, divided: this.#divided },
      tablesCopied: this.#tables,
      rowsCopied: String(this.#rows),
      bytesCopied: String(this.#bytes),
    };
  }

  notes(): Finding[] {
    return this.#tablespaces.size === 0 ? [] : [restoreFindings.find('restore.tablespaces-mapped', { tablespaces: [...this.#tablespaces].toSorted() })];
  }

  /** The dump in file order, all that is deferred kept for later. */
  async main(items: AsyncIterable<readonly DumpItem[]>): Promise<void> {
    for await (const batch of items) {
      for (const item of batch) {
        this.#shared.context.signal.throwIfAborted();
        this.#crew.throwFailure();
        this.#shared.at.line = item.at.line;
        await this.#item(item);
      }
      const last = batch.at(-1);
      if (last !== undefined) this.#shared.context.progress({ done: last.at.offset, total: this.#input.totalBytes, unit: 'bytes', ...this.#doing() });
    }
    const { statements } = this.#input.plan;
    if (this.#seen !== statements || this.#copy !== null) throw new StepEnded(restoreFindings.find('restore.dump-changed', { planned: statements, run: this.#seen }));
    await this.#nothingRuns();
    if (transactionStatus(this.#owner) !== 'I') throw new StepEnded(restoreFindings.find('restore.transaction-open', { line: this.#shared.at.line }));
  }

  /** What the sessions do now, for whoever watches. */
  #doing(): { readonly what?: string } {
    const jobs = [...new Set(this.#crew.now.flatMap((what) => what ?? []))];
    return jobs.length === 0 ? (this.#copy === null ? {} : { what: this.#copy.operation.object }) : { what: jobs.join(', ') };
  }

  async #item(item: DumpItem): Promise<void> {
    switch (item.kind) {
      case 'statement':
        return await this.#statement(item.sql, item.at, this.#operation(item.at));
      case 'copy': {
        const operation = this.#operation(item.at);
        const table = await this.#company.loadable(item.sql);
        if (table === null) await this.#nothingRuns();
        const claim = table === null ? { session: this.#owner, release: () => {} } : await this.#crew.claim([table], about(operation));
        this.#copy = { loading: new Loading(this.#crew, claim, item.sql, { what: about(operation), divide: !this.#isLarge(table) ? 'no' : this.#divideBytes === 0 ? 'at once' : 'when full' }), claim, table, item, operation };
        return;
      }
      case 'copy-data': {
        const copy = this.#copy;
        if (copy === null) throw new Error('COPY data outside a COPY block');
        return await this.#shared.named(copy.operation, copy.item.at, () => copy.loading.write(item.data, item.rows));
      }
      case 'copy-end': {
        const copy = this.#copy;
        if (copy === null) throw new Error('the end of a COPY block outside one');
        this.#copy = null;
        const ending = this.#copied(copy, item);
        if (copy.table === null) return await ending;
        copy.claim.release(ending);
        return this.#begin(this.#input.plan.early.get(copy.table) ?? []);
      }
      case 'meta': {
        const word = /^\\(?:\w+|.)/.exec(item.line.toString('latin1'))?.[0] ?? '\\';
        // Inspect has refused the others already; this is the second lock on the same door.
        if (!['\\restrict', '\\unrestrict', '\\connect', '\\c'].includes(word)) throw this.#shared.refused(word, '', item.at, 'it is a command to psql');
        return;
      }
      case 'comment':
        return;
    }
  }

  #operation(at: Place): Operation {
    const { operations, statements } = this.#input.plan;
    const current = operations[this.#current];
    const within = current !== undefined && this.#seen < current.ordinal + current.count;
    if (!within) this.#current++;
    const operation = operations[this.#current];
    // Inside a run only its first statement's place is planned; the next one's tells whether the run was as long.
    if (operation === undefined || (!within && operation.offset !== at.offset)) throw new StepEnded(restoreFindings.find('restore.dump-changed', { planned: statements, run: this.#seen }));
    this.#seen++;
    return operation;
  }

  async #copied({ loading, item, operation }: Copying, { rows, bytes }: Extract<DumpItem, { kind: 'copy-end' }>): Promise<void> {
    const stored = await this.#shared.named(operation, item.at, () => loading.end());
    if (stored !== rows) throw new StepEnded(restoreFindings.find('restore.copy-count-differs', { table: operation.object, line: item.at.line, sent: rows, stored }));
    if (loading.sessions > 1) this.#divided++;
    this.#tables++;
    this.#rows += BigInt(rows);
    this.#bytes += BigInt(bytes);
    this.#shared.count.restorer++;
    this.#made = true;
  }

  async #statement(sql: Buffer, at: Place, operation: Operation): Promise<void> {
    const begun = this.#begun.get(at.offset);
    if (begun !== undefined) {
      if (!begun.equals(sql)) throw new StepEnded(restoreFindings.find('restore.dump-changed', { planned: this.#input.plan.statements, run: this.#seen }));
      return;
    }
    const row = await this.#admin.leaves(operation, sql, at);
    if (row !== undefined) {
      this.#shared.rowsUsed.set(row.id, (this.#shared.rowsUsed.get(row.id) ?? 0) + 1);
      // Kept for later it would hold the whole chunk that it was read with.
      const kept = { sql: Buffer.from(sql), at, operation, row };
      if (row.lane === 'none') {
        this.#shared.count.mapped++;
      } else if (row.phase !== 'main') {
        this.#shared.count.deferred++;
        this.#shared.deferred[row.phase].push(kept);
      } else if (row.id === 'comment' && this.#crew.unfinished > 0) {
        this.#waiting.push(kept);
      } else {
        await this.#nothingRuns();
        await this.#admin.run(kept);
        this.#company.ranAlone(operation.kind, true);
      }
      return;
    }
    const beside = await this.#company.beside(sql, operation);
    if (beside !== null) {
      this.#add([{ beside, at, operation }]);
      // More would only wait in memory.
      return await this.#crew.atMost(1000);
    }
    await this.#nothingRuns();
    await this.#restorer(sql, at, operation);
  }

  /** The barrier: waits until nothing runs and nothing waits. @throws what a job threw */
  async #nothingRuns(): Promise<void> {
    await this.#crew.idle();
    for (const one of this.#waiting.splice(0)) await this.#admin.run(one);
  }

  /** What is built upon a table that has its rows: all that others may go on beside first. */
  #begin(early: readonly Early[]): void {
    const jobs = early.flatMap(({ sql, at, operation }) => {
      const beside = this.#company.early(sql);
      if (beside === null || this.#begun.has(at.offset)) return [];
      this.#begun.set(at.offset, sql);
      return [{ beside, at, operation }];
    });
    this.#add(jobs);
  }

  #add(jobs: readonly { readonly beside: Beside; readonly at: Place; readonly operation: Operation }[]): void {
    const parts = jobs.flatMap(({ beside, at, operation }) => {
      const inPieces = this.#shared.places.crew.length > 1 && beside.pieces !== null && beside.tables.some((table) => this.#isLarge(table));
      this.#besides++;
      this.#shared.count.restorer++;
      const weight = Math.max(0, ...beside.tables.map((table) => this.#input.plan.bytes.get(table) ?? 0));
      return (inPieces ? beside.pieces : [beside.whole]).map((part, place) => ({ part, place, at, operation, weight }));
    });
    for (const { part: { sql, shares, owns }, at, operation, weight } of parts.toSorted((a, b) => a.place - b.place)) {
      const own = Buffer.from(sql);
      this.#crew.add({ what: about(operation), shares, owns, weight, run: async (session) => void (await this.#shared.named(operation, at, () => runSimple(session, own))) });
    }
  }

  #isLarge(table: string | null): boolean {
    return table !== null && this.#shared.places.crew.length > 1 && (this.#input.plan.bytes.get(table) ?? 0) >= this.#divideBytes;
  }

  async #restorer(sql: Buffer, at: Place, operation: Operation): Promise<void> {
    const owner = this.#owner;
    const { admin, crew } = this.#shared.places;
    const setting = operation.kind.startsWith('SET') || operation.kind.startsWith('SELECT') ? settingName(sql) : null;
    if (setting === 'default_tablespace' && !/=\s*''/.test(sql.toString('latin1'))) {
      this.#shared.count.tablespaces++;
      this.#tablespaces.add(/=\s*(?:'((?:[^']|'')+)'|"((?:[^"]|"")+)"|([^;]+));$/.exec(sql.toString())?.slice(1).find((part) => part !== undefined) ?? '');
      return;
    }
    const forgiven = await this.#shared.named(operation, at, async () => {
      try {
        await runSimple(owner, sql);
        return null;
      } catch (error) {
        const reason = error instanceof DatabaseError ? this.#forgives(sql, error.code ?? '') : null;
        if (reason === null) throw error;
        return reason;
      }
    });
    if (forgiven !== null) {
      this.#shared.count[forgiven]++;
      return;
    }
    if (setting !== null) {
      this.#shared.settings.set(setting, Buffer.from(sql));
      for (const session of crew.slice(1)) await this.#shared.named(operation, at, () => runSimple(session, sql));
    }
    this.#company.ranAlone(operation.kind, setting !== null);
    if (isAdminSetting(sql)) await runSingle(admin, sql);
    if (operation.kind.startsWith('CREATE') && !placeholder.test(sql.toString('latin1', 0, 4000))) this.#made = true;
    if (runnable.test(operation.kind)) this.#shared.code = true;
    this.#shared.count.restorer++;
  }

  /** Why a statement that failed is passed over, as psql reads on past it; null where it is not. */
  #forgives(sql: Buffer, sqlstate: string): 'absentDrops' | 'unknownSettings' | null {
    const text = sql.toString('latin1', 0, 4000);
    // pg_dump --clean begins by dropping everything; a new database holds nothing.
    const absent = ['42P01', '42704', '42883', '3F000', '42703'];
    if (!this.#made && absent.includes(sqlstate) && (placeholder.test(text) || /^(?:DROP\b|ALTER\b.*\bDROP\b|SELECT pg_catalog\.lo_unlink\()/s.test(text))) return 'absentDrops';
    // A pg_dump newer than its server lifts a timeout that the server has not; one older than its server takes for a
    // column's option what is the server's own mark (manifest.sql). Nothing of the database is lost with either.
    if (sqlstate === '42704' && /^SET \w+_timeout = 0;$/.test(text)) return 'unknownSettings';
    if (sqlstate === '22023' && /^ALTER (?:FOREIGN )?TABLE .* ALTER COLUMN .* SET \(pg_attver=\d+\);$/s.test(text)) return 'unknownSettings';
    return null;
  }
}

const about = ({ kind, object }: Operation): string => `${kind} ${object}`.trim();

// `SET name = …`, or pg_dump's `SELECT pg_catalog.set_config('search_path', '', false)`.
function settingName(sql: Buffer): string | null {
  if (sql.length > 1000) return null;
  const match = /^(?:SET (?!SESSION |LOCAL |ROLE )(\w+) ?(?:=|TO) ?|SELECT pg_catalog\.set_config\('(\w+)', '[^']*', false\);$)/i.exec(sql.toString('latin1'));
  return (match?.[1] ?? match?.[2] ?? null)?.toLowerCase() ?? null;
}

// How --clean takes a view out of a circle before it drops it; only an empty view may stand there when nothing else does.
const placeholder = /^CREATE OR REPLACE VIEW \S.* AS\s+SELECT\s+NULL::/s;
