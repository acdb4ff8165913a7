// Runs that never ended: killed, or cut off by a power failure. The next run finds them and logs each once.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './finding.ts';
import { runFindings } from './findings.ts';
import { type DrillRun, readRecord } from './record.ts';
import { fateOf } from './register-processes.ts';

export interface Abandoned {
  /** As it is to be logged and written. */
  readonly record: DrillRun;
  readonly finding: Finding;
}

export interface LookedBack {
  readonly abandoned: readonly Abandoned[];
  /** `run.record-unreadable`: of another version, or spoilt. It stops no later run. */
  readonly unreadable: readonly Finding[];
}

/** Every record under `out` whose process is gone before it ended. They stay as they are until they are logged. */
export function findAbandoned(out: string): LookedBack {
  const abandoned: Abandoned[] = [];
  const unreadable: Finding[] = [];
  for (const name of existsSync(out) ? readdirSync(out).sort() : []) {
    const path = join(out, name, 'record.json');
    if (!existsSync(path)) continue;
    let record: DrillRun;
    try {
      record = readRecord(path);
    } catch {
      unreadable.push(runFindings.find('run.record-unreadable', { path }));
      continue;
    }
    if (record.ended !== 'running' || fateOf(record.process) !== 'gone') continue;
    const last = record.steps.findLast((step) => step.startedAt !== null)?.id ?? 'none';
    const ended: DrillRun = { ...record, ended: 'abandoned', endedAt: new Date().toISOString(), verdict: record.steps.some((step) => step.outcome === 'failed') ? 'unverified' : 'inconclusive' };
    abandoned.push({ record: ended, finding: runFindings.find('run.abandoned', { run: record.run, startedAt: record.startedAt, step: last }) });
  }
  return { abandoned, unreadable };
}
