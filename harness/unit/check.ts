// The plan of a check: what can be asserted of the backups without restoring any.
import { z } from 'zod';
import { ledgerOf, planCatalog, planLedger, type Source } from '../database/fetching.ts';
import type { How } from '../database/select/select.ts';
import { planSchemaCheck } from '../database/schema/steps.ts';
import { Plan, type StepRef } from '../run/plan.ts';
import type { Scope } from '../run/record.ts';
import type { Catalog, StoredArtifact } from '../stores/catalog.ts';
import type { Ledger } from '../stores/ledger.ts';
import { judgeLedger, ledgerCheckEvidence } from '../stores/ledger-check.ts';
import { writeSeen } from '../stores/ledger-seen.ts';
import { reread, rereadEvidence } from '../stores/reread.ts';
import { judgeRetention, retentionEvidence } from '../stores/retention.ts';
import { planSource, type SourceSettings } from './open.ts';

export interface CheckSettings extends SourceSettings {
  readonly how: How;
}

/** A schema that is as it should be says nothing of the rows, nor that they can be restored. */
export const schemaScope = (how: How): Scope => ({ covered: [how.kind === 'date' ? `schema of the dump of ${how.date}` : 'schema of the newest dump'], notCovered: ['rows', 'restore', 'media', 'audit', 'ledger', 'recovery key'] });

type CheckedSource = Pick<SourceSettings, 'config' | 'store'>;

/** What each check by name is told to cover, how it is planned, and what it lacks, in a sentence; null where it lacks nothing. */
export const storeChecks = {
  retention: {
    covers: 'retained sets by name and size', part: null, plan: planRetention,
    lacks: ({ config }: CheckedSource) => (config.retention === null ? 'the configuration does not say what should be kept: write retention: { daily: 30, monthly: 12 }.' : null),
  },
  ledger: {
    covers: 'ledger', part: 'ledger', plan: planLedgerCheck,
    lacks: (settings: CheckedSource) => (ledgerOf(settings) === null ? "the configuration names no ledger of this store: write stores: [{ …, ledger: { path: '/var/log/whatsapp-mcp/audit/ledger.jsonl' } }]." : null),
  },
  store: {
    covers: 'stored bytes', part: null, plan: planReread,
    lacks: (settings: CheckedSource) => ((ledgerOf(settings)?.reread ?? null) === null ? "the configuration does not say how the stored bytes are read again: write stores: [{ …, ledger: { path: …, reread: { budget: '10GB', state: '/var/lib/backup-drills/reread.json' } } }]." : null),
  },
} as const;
export type StoreCheckName = keyof typeof storeChecks;

export interface StoreCheckSettings extends SourceSettings {
  readonly checks: readonly StoreCheckName[];
  /** `check store` reads everything, whatever its budget. */
  readonly all: boolean;
}

/** Names and sizes say nothing of what is in the sets. */
export function storeScope(checks: readonly StoreCheckName[]): Scope {
  const parts = new Set(checks.map((name) => storeChecks[name].part));
  return { covered: checks.map((name) => storeChecks[name].covers), notCovered: ['content', 'restore', 'media', 'audit', 'ledger', 'recovery key'].filter((part) => !parts.has(part as 'ledger')) };
}

export function storeCheckPlan(settings: StoreCheckSettings): Plan {
  const plan = new Plan();
  const { source, close } = planSource(plan, settings);
  const catalog = planCatalog(plan, source);
  const ledger = settings.checks.some((name) => name !== 'retention') ? planLedger(plan, source, settings) : null;
  for (const name of settings.checks) storeChecks[name].plan(plan, { source, catalog, ledger }, settings);
  close();
  return plan;
}

interface Read {
  readonly source: StepRef<Source>;
  readonly catalog: StepRef<Catalog>;
  /** Where a check asks for it. */
  readonly ledger: StepRef<Ledger> | null;
}

/** Both ways, inside retention; what was seen of the ledger goes on only after a check that found nothing wrong. */
function planLedgerCheck(plan: Plan, { catalog, ledger }: Read, settings: StoreCheckSettings): void {
  const config = ledgerOf(settings);
  if (ledger === null || config === null) throw new Error('no ledger is configured');
  const compared = plan.step({
    id: 'database.ledger',
    part: 'database',
    title: 'hold the store against the ledger, and the ledger against the store',
    needs: { ledger, catalog },
    // With what was written down, elsewhere, when each artifact was published.
    compares: true,
    evidence: ledgerCheckEvidence,
    run: async ({ ledger: value, catalog: { sets } }, { now }) => {
      const judged = judgeLedger(value, sets, settings.config.retention, { now: now(), withinMs: config.withinMs });
      return { ...(judged.findings.some(({ severity }) => severity === 'error') ? {} : { value }), ...judged };
    },
  });
  const { seen } = config;
  if (seen === null) return;
  plan.step({
    id: 'run.ledger-seen',
    part: 'run',
    title: 'keep what was seen of the ledger',
    needs: { compared },
    evidence: z.strictObject({ lines: z.int(), sha256: z.string() }),
    run: async ({ compared: { head } }) => {
      writeSeen(seen, head);
      return { evidence: { lines: head.lines, sha256: head.sha256 } };
    },
  });
}

/** Stored bytes against their lines, without a key. */
function planReread(plan: Plan, { source, catalog, ledger }: Read, settings: StoreCheckSettings): void {
  const config = ledgerOf(settings)?.reread ?? null;
  if (ledger === null || config === null) throw new Error('no ledger is configured, or not how stored bytes are read again');
  plan.step({
    id: 'database.reread',
    part: 'database',
    title: 'read stored bytes again, and hold them against the ledger',
    needs: { source, catalog, ledger },
    // With the hash that was written down, elsewhere, when each was published.
    compares: true,
    evidence: rereadEvidence,
    run: async ({ source: { store }, catalog: { sets }, ledger: value }, context) => {
      const artifacts = sets.flatMap(({ dump, manifest, globals }) => [dump, manifest, globals].filter((one) => one !== null && one.encrypted)) as StoredArtifact[];
      return reread({ store, ledger: value, artifacts, config, all: settings.all }, context);
    },
  });
}

function planRetention(plan: Plan, { catalog }: Read, { config: { retention, cadenceMs, slackMs } }: StoreCheckSettings): void {
  plan.step({
    id: 'database.retention',
    part: 'database',
    title: 'hold the retained days and months against what retention asks for',
    needs: { catalog },
    // With what the calendar says should be there.
    compares: true,
    evidence: retentionEvidence,
    run: async ({ catalog: { store, sets } }, { now }) => {
      if (retention === null) throw new Error('no retention is configured');
      return judgeRetention(store, sets, { ...retention, cadenceMs, slackMs }, now());
    },
  });
}

export function schemaCheckPlan(settings: CheckSettings): Plan {
  const plan = new Plan();
  const { source, close } = planSource(plan, withoutEngine(settings));
  planSchemaCheck(plan, source, settings);
  close();
  return plan;
}

/** A check starts no container: the store of its rehearsal is the small one that comes along. */
export const withoutEngine = <S extends SourceSettings>(settings: S): S => ({ ...settings, config: { ...settings.config, runtime: 'embedded' } });
