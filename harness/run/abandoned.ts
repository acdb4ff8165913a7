// Runs that never ended: killed, or cut off by a power failure. The next run finds them and logs each once.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './finding.ts';
import { runFindings } from './findings.ts';
import { type DrillRun, readRecord, writeRecord } from './record.ts';
import { fateOf } from './register-processes.ts';

export interface Abandoned {
  readonly record: DrillRun;
  readonly sha256: string;
  readonly finding: Finding;
}

/** Marks every record under `out` whose process is gone before it ended, and hands them over to be logged. */
export function findAbandoned(out: string): Abandoned[] {
  if (!existsSync(out)) return [];
  const abandoned: Abandoned[] = [];
  for (const name of readdirSync(out).sort()) {
    const path = join(out, name, 'record.json');
    if (!existsSync(path)) continue;
    const record = readRecord(path);
    if (record.ended !== 'running' || fateOf(record.process) !== 'gone') continue;
    const last = record.steps.findLast((step) => step.startedAt !== null)?.id ?? 'none';
    const marked: DrillRun = { ...record, ended: 'abandoned', endedAt: new Date().toISOString(), verdict: record.steps.some((step) => step.outcome === 'failed') ? 'unverified' : 'inconclusive' };
    abandoned.push({ record: marked, sha256: writeRecord(path, marked), finding: runFindings.find('run.abandoned', { run: record.run, startedAt: record.startedAt, step: last }) });
  }
  return abandoned;
}
