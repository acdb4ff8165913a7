// The steps of the database part, in the order of the data.
import pg from 'pg';
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import { StepEnded } from '../run/finding.ts';
import type { Done, Plan, StepContext, StepRef } from '../run/plan.ts';
import { attachScratch } from '../run/scratch.ts';
import { startServer, whileItLives } from '../servers/choose.ts';
import { serverEvidence } from '../servers/evidence.ts';
import { serverFindings } from '../servers/findings.ts';
import type { Login, PostgresServer } from '../servers/postgres.ts';
import { evidenceOf, inspectEvidence } from './dump/evidence.ts';
import { inspectDump } from './dump/inspect.ts';
import { readDump } from './dump/read.ts';
import { type FetchingSettings, planFetching, reading, type Source } from './fetching.ts';
import { type Compared, compareContent, compareDatabase, compareLargeObjects, compareSchema, compareSequences, compareTables, restoredFacts } from './manifest/compare.ts';
import * as measured from './manifest/evidence.ts';
import type { Facts, Manifest } from './manifest/manifest.ts';
import { readManifestRows } from './manifest/read.ts';
import { judgeObjectives } from './objectives/judge.ts';
import { objectivesEvidence } from './objectives/evidence.ts';
import type { DatabaseSettings as CreateSettings } from './restore/create.ts';
import { serverGone } from './restore/errors.ts';
import { restoreEvidence } from './restore/evidence.ts';
import { type Restored, executeRestore } from './restore/execute.ts';
import { Builds, planRestore } from './restore/plan.ts';
import type { VerifiedDump } from './select/verify-dump.ts';
import * as smoke from './smoke/evidence.ts';
import { checkExpected } from './smoke/expected.ts';
import { checkIntegrity } from './smoke/integrity.ts';
import { checkPlausible } from './smoke/plausible.ts';
import { checkQueries } from './smoke/queries.ts';

export interface DatabaseSettings extends FetchingSettings {
  /** The restored database stays up after the run (`--keep`). */
  readonly keep?: boolean;
}

/** Where the restored database can be read, for the checks that follow. */
export interface Place {
  readonly reader: Login;
  readonly now: () => Date;
}

/** A restored database, where it is, and when its last statement had run (performance.now). */
export interface RestoredAt extends Restored {
  readonly endedAt: number;
  /** Whether the dump brought its database (--create), with its settings and rights. */
  readonly brought: boolean;
  readonly server: PostgresServer;
}

/** Plans the database part, from a source to the restored and compared database. */
export function planDatabase(plan: Plan, source: StepRef<Source>, settings: DatabaseSettings, leave: (place: Place) => void): StepRef<RestoredAt> {
  const { dump, manifest, fetch } = planFetching(plan, source, settings);
  const restored = planRestoring(plan, dump, manifest, settings, leave);
  planComparing(plan, restored, manifest);
  planSmoke(plan, restored, manifest, settings.config);
  plan.step({
    id: 'database.objectives',
    part: 'database',
    title: 'measure RPO and restore duration',
    needs: { restored, manifest, fetch },
    evidence: objectivesEvidence,
    run: async ({ manifest: bound, restored: { endedAt }, fetch: { startedAt } }, { now }) => judgeObjectives({ snapshotAt: bound?.snapshotTime ?? null, newest: settings.how.kind === 'newest', now: now(), restoreMs: Math.round(endedAt - startedAt) }, settings.config.objectives),
  });
  return restored;
}

/** From a verified dump to a restored database. */
function planRestoring(plan: Plan, dump: StepRef<VerifiedDump>, manifest: StepRef<Manifest | null>, { config, scratch, keep }: DatabaseSettings, leave: (place: Place) => void): StepRef<RestoredAt> {
  const inventory = plan.step({
    id: 'database.inspect',
    part: 'database',
    title: 'inspect the dump in one pass',
    needs: { dump },
    evidence: inspectEvidence,
    run: async ({ dump: { path } }, { signal, progress }) => {
      const startedAt = performance.now();
      const builds = new Builds();
      const found = await inspectDump(path, { ...reading(config), signal, progress: (done, total) => progress({ done, total, unit: 'bytes' }), onStatement: builds.see });
      return { value: { found, builds }, evidence: evidenceOf(found, Math.round(performance.now() - startedAt)) };
    },
  });
  const server = plan.step({
    id: 'database.server',
    part: 'database',
    title: "start a throw-away Postgres of the dump's major",
    needs: { inventory },
    evidence: serverEvidence,
    run: async ({ inventory: { found: { serverMajor, decompressedBytes } } }, context) => {
      const value = await startServer({ scratch: attachScratch(scratch), major: serverMajor, plainBytes: decompressedBytes, config, context, kept: keep === true });
      return { value, evidence: value.evidence };
    },
  });
  return plan.step({
    id: 'database.restore',
    part: 'database',
    title: 'restore the dump over the wire',
    needs: { dump, inventory, server, manifest },
    evidence: restoreEvidence,
    run: async ({ dump: { path }, inventory: { found, builds }, server: target, manifest: bound }, context): Promise<Done<RestoredAt, z.infer<typeof restoreEvidence>>> => {
      const planned = planRestore(found, builds);
      const restored = await whileItLives(target, async () => executeRestore(
        {
          items: () => readDump(path, { ...reading(config), signal: context.signal }),
          plan: planned,
          server: target,
          settings: settingsOf(bound),
          owner: config.database.role,
          totalBytes: found.decompressedBytes,
          policy: config.restore,
        },
        context,
        // The restore tells the end of an embedded server by itself, with the place in the dump; there is no engine to ask.
      ), (error) => target.runtime === 'containers' && wentAway(error));
      leave({ reader: restored.checker, now: context.now });
      return { value: { ...restored, endedAt: performance.now(), server: target, brought: planned.database !== null }, findings: restored.findings, evidence: restored.evidence };
    },
  });
}

/** What came back against what was true at the dump's snapshot, one step for each way of being wrong. */
function planComparing(plan: Plan, restored: StepRef<RestoredAt>, manifest: StepRef<Manifest | null>): void {
  // Only a manifest that is there can be compared with: without one these steps are skipped, and the run is unverified.
  const bound = plan.step({
    id: 'database.measure',
    part: 'database',
    title: 'measure the restored database as the manifest was measured',
    needs: { restored, manifest },
    evidence: z.strictObject({ tables: z.int(), rows: z.string(), durationMs: z.int() }),
    run: async ({ restored, manifest: expected }, context) => {
      const startedAt = performance.now();
      const rows = await asReader(restored, (client) => readManifestRows(client, { signal: context.signal, progress: context.progress, ...(expected === null ? {} : { algorithm: expected.algorithm }) }));
      const tables = rows.filter((row) => row.kind === 'table');
      const evidence = { tables: tables.length, rows: String(tables.reduce((sum, table) => sum + table.rows, 0n)), durationMs: Math.round(performance.now() - startedAt) };
      return { ...(expected === null ? {} : { value: { expected, actual: restoredFacts(expected, rows), brought: restored.brought } }), evidence };
    },
  });
  const compare = <E extends object>(id: string, title: string, evidence: z.ZodType<E>, run: (expected: Manifest, actual: Facts, brought: boolean) => Compared<E>): void => {
    plan.step({ id: `database.compare.${id}`, part: 'database', title, needs: { bound }, compares: true, evidence, run: async ({ bound: { expected, actual, brought } }) => run(expected, actual, brought) });
  };
  compare('settings', 'compare encoding and collation', measured.databaseEvidence, compareDatabase);
  compare('tables', 'compare the set of tables and their row counts', measured.tablesEvidence, compareTables);
  compare('content', 'compare the content of every table', measured.contentEvidence, compareContent);
  compare('schema', 'compare every definition', measured.schemaEvidence, (expected, actual, brought) => compareSchema(expected, actual, { database: brought ? 'brought' : 'made for it' }));
  compare('sequences', 'compare the sequences', measured.sequencesEvidence, (expected, actual) => compareSequences(expected, actual));
  compare('large-objects', 'compare the large objects', measured.largeObjectsEvidence, compareLargeObjects);
}

/** What must hold of any healthy restore, and what the configuration expects of this one. */
function planSmoke(plan: Plan, restored: StepRef<RestoredAt>, manifest: StepRef<Manifest | null>, config: Config): void {
  const check = <E extends object>(id: string, title: string, evidence: z.ZodType<E>, run: (client: pg.Client, context: StepContext, bound: Manifest | null) => Promise<Done<unknown, E>>): void => {
    plan.step({ id: `database.smoke.${id}`, part: 'database', title, needs: { restored, manifest }, evidence, run: async ({ restored: there, manifest: bound }, context) => asReader(there, async (client) => run(client, context, bound)) });
  };
  check('expected', 'check the expected tables, their rows and how new they are', smoke.expectedEvidence, (client, { now }, bound) => checkExpected({ client }, config.expected, { now: now(), takenAt: bound?.snapshotTime ?? null, maxAgeMs: config.cadenceMs + config.slackMs, role: config.database.role }));
  check('integrity', 'check foreign keys and sequences', smoke.integrityEvidence, (client, _, bound) => checkIntegrity({ client }, bound?.sequences ?? []));
  check('plausible', 'check that the rows look like data', smoke.plausibleEvidence, (client) => checkPlausible({ client }, config.expected.tables));
  if (config.smoke.length > 0) check('queries', 'ask the configured queries', smoke.queriesEvidence, (client) => checkQueries({ client }, config.smoke));
}

/** @throws StepEnded with why the server is gone, where the connection is lost: that says nothing about the backup. */
async function asReader<T>({ checker, server }: RestoredAt, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...checker, application_name: 'backup-drills' });
  // The query in hand hears of a lost connection itself; without a listener Node would end the process.
  client.on('error', () => {});
  return whileItLives(server, async () => {
    try {
      await client.connect();
      return await work(client);
    } catch (error) {
      throw serverGone(error) ? new StepEnded(serverFindings.find('server.died', { what: 'Postgres', exit: 'a lost connection', log: [] })) : error;
    } finally {
      await client.end();
    }
  }, wentAway);
}

const wentAway = (error: unknown): boolean => serverGone(error) || (error instanceof StepEnded && error.findings.some(({ code }) => code === 'restore.server-died' || code === 'server.died'));

/** Encoding and locale as the manifest recorded them; null leaves both to the dump's own head. */
function settingsOf(manifest: Manifest | null): CreateSettings | null {
  if (manifest === null) return null;
  const { encoding, provider, collate, ctype, locale } = manifest.database;
  if (provider !== 'libc' && provider !== 'icu' && provider !== 'builtin') return null;
  return { encoding, provider, collate: collate ?? 'C', ctype: ctype ?? 'C', locale, icuRules: null };
}
