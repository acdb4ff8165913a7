// The record of one run: a small envelope and its steps. JUnit, the drill log and every later report are rendered from it.
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

const instant = z.iso.datetime().describe('UTC');
const fact = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]);

const findingSchema = z.strictObject({
  code: z.string().describe('stable, dotted'),
  severity: z.enum(['error', 'warning', 'note']),
  judged: z.boolean().describe('false: an error that kept the backup from being judged'),
  message: z.string(),
  hint: z.string().describe('what to do next'),
  facts: z.record(z.string(), fact).describe('counts, hashes and names; never a row value'),
});

const stepSchema = z.strictObject({
  id: z.string().describe('stable, dotted'),
  part: z.enum(['database', 'media', 'audit', 'keys', 'run']),
  title: z.string(),
  compares: z.boolean().describe("true: passing compares what came back with what was true at the dump's snapshot"),
  outcome: z.enum(['passed', 'failed', 'errored', 'skipped']),
  reason: z.string().nullable().describe('why it is not passed'),
  startedAt: instant.nullable(),
  endedAt: instant.nullable(),
  findings: z.array(findingSchema),
  evidence: z.record(z.string(), z.unknown()).nullable().describe('measured facts, typed by the step'),
});

export const recordSchema = z.strictObject({
  format: z.literal('backup-drills/record/1'),
  run: z.string().describe('run id; sorts by start'),
  kind: z.enum(['drill', 'rehearsal', 'check', 'check-rehearsal']).describe('a rehearsal, of a drill or of a check, is of the sample that ships here'),
  application: z.string(),
  trigger: z.string().describe('what started the run: manual, schedule, ci …'),
  operator: z.string().describe('the account that ran it'),
  host: z.string(),
  versions: z.record(z.string(), z.string()),
  config: z.strictObject({ file: z.string(), digest: z.string().describe('sha256 over the normalised configuration without secrets') }),
  clock: z.strictObject({ shiftMs: z.number().describe("added to the machine's clock; not 0 in rehearsals alone") }),
  startedAt: instant,
  endedAt: instant.nullable(),
  ended: z.enum(['running', 'finished', 'interrupted', 'abandoned']),
  verdict: z.enum(['verified', 'unverified', 'inconclusive']),
  scope: z.strictObject({ covered: z.array(z.string()), notCovered: z.array(z.string()) }),
  steps: z.array(stepSchema),
  scratch: z.string().nullable().describe('where the run kept what it restored; gone after teardown'),
  process: z.strictObject({ pid: z.number().int(), start: z.string(), boot: z.string(), namespace: z.string(), host: z.string() }).describe('who writes this record, so that the next run knows whether it still lives'),
  previous: z.string().nullable().describe('sha256 of the record before this one in the log'),
});

export type DrillRun = z.infer<typeof recordSchema>;
/** What a verdict speaks of, and what it openly does not: told with it, always. */
export type Scope = DrillRun['scope'];
export type RecordedStep = DrillRun['steps'][number];

/** The JSON Schema (draft 2020-12) of a record, as published in docs/record.schema.json. */
export function recordJsonSchema(): object {
  return z.toJSONSchema(recordSchema, { target: 'draft-2020-12' });
}

/** A record as it is written, and the sha256 of that. */
export function recordText(record: DrillRun): { readonly text: string; readonly sha256: string } {
  const text = `${JSON.stringify(recordSchema.parse(record), null, 2)}\n`;
  return { text, sha256: createHash('sha256').update(text).digest('hex') };
}

/** Replaces the record at `path` atomically and durably. @throws the file system's error. */
export function writeRecord(path: string, record: DrillRun): void {
  writeDurably(path, recordText(record).text);
}

/** @throws when there is none or it is no record. */
export function readRecord(path: string): DrillRun {
  return recordSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
}

/** Text appears under its name whole or not at all, also after a power cut. */
export function writeDurably(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'w', 0o644);
  try {
    writeSync(file, text);
    fsyncSync(file);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
