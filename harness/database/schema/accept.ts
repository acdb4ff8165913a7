// Makes the reference: the schema that from now on is the right one, because a person says so and reads the diff.
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { z } from 'zod';
import type { Config } from '../../config/schema.ts';
import { StepEnded } from '../../run/finding.ts';
import type { Plan, StepRef } from '../../run/plan.ts';
import { writeDurably } from '../../run/record.ts';
import { redact } from '../../run/redact.ts';
import { attachScratch } from '../../run/scratch.ts';
import { type Difference, differences } from './compare.ts';
import { schemaFindings } from './findings.ts';
import { readReference, referenceText } from './reference.ts';
import type { Schema } from './schema.ts';
import type { ReadSchema } from './steps.ts';

/** What became of the reference. */
export interface Accepted {
  readonly path: string;
  readonly schema: Schema;
  /** `none`: there was none; `unreadable`: what there was could not be compared with. */
  readonly former: 'none' | 'unreadable' | 'read';
  /** Against the former; empty where there was none. */
  readonly differences: readonly Difference[];
  /** False where the file holds it already, and was left alone. */
  readonly written: boolean;
}

const acceptEvidence = z.strictObject({ objects: z.int(), former: z.enum(['none', 'unreadable', 'read']), differences: z.int(), written: z.boolean() });

/** Plans the writing of the reference, after all that vouches for it. */
export function planAccepting(plan: Plan, read: StepRef<ReadSchema>, config: Config, tell: (accepted: Accepted) => void): void {
  plan.step({
    id: 'database.schema.accept',
    part: 'database',
    title: 'write the reference schema',
    needs: { read },
    evidence: acceptEvidence,
    run: async ({ read: { schema } }) => {
      const accepted = accept(config.expected.schemaReference, config.application, schema);
      tell(accepted);
      return { evidence: { objects: schema.objects.length, former: accepted.former, differences: accepted.differences.length, written: accepted.written } };
    },
  });
}

function accept(path: string, application: string, schema: Schema): Accepted {
  const former = formerReference(path, application);
  const text = referenceText(schema, application);
  const same = typeof former !== 'string' && referenceText(former, application) === text;
  if (!same) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeDurably(path, text);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      throw new StepEnded(schemaFindings.find('schema.reference-unwritable', { path, error: code }));
    }
  }
  return { path, schema, former: typeof former === 'string' ? former : 'read', differences: typeof former === 'string' ? [] : differences(former, schema), written: !same };
}

function formerReference(path: string, application: string): Schema | 'none' | 'unreadable' {
  if (!existsSync(path)) return 'none';
  try {
    return readReference(path, application);
  } catch (error) {
    if (error instanceof StepEnded) return 'unreadable';
    throw error;
  }
}

/** Plans a schema-only dump of a live database, by the pg_dump on PATH. @param connection as libpq takes it, without a password */
export function planLiveSchema(plan: Plan, connection: string, scratch: string): StepRef<{ readonly path: string }> {
  return plan.step({
    id: 'database.dump',
    part: 'database',
    title: 'have pg_dump write the schema of the live database',
    needs: {},
    evidence: z.strictObject({ program: z.string() }),
    run: async (_, { signal }) => {
      const path = join(attachScratch(scratch).work, 'schema.sql.gz');
      await dumpSchema(connection, path, signal);
      return { value: { path }, evidence: { program: 'pg_dump' } };
    },
  });
}

async function dumpSchema(connection: string, path: string, signal: AbortSignal): Promise<void> {
  const failed = (problem: string): StepEnded => new StepEnded(schemaFindings.find('schema.source-failed', { program: 'pg_dump', problem }));
  const child = spawn('pg_dump', ['--schema-only', '--no-password', `--dbname=${connection}`], { stdio: ['ignore', 'pipe', 'pipe'], signal });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(0, 4000); });
  const ended = new Promise<string | null>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ENOENT' ? 'there is no pg_dump on PATH' : (error.code ?? error.name)));
    child.once('close', (code) => resolve(code === 0 ? null : redact(said.trim().split('\n')[0] ?? '') || `it ended with ${code ?? 'a signal'}`));
  });
  const written = pipeline(child.stdout, createGzip({ level: 1 }), createWriteStream(path, { mode: 0o600 }));
  const [problem] = await Promise.all([ended, written.catch(() => undefined)]);
  signal.throwIfAborted();
  if (problem !== null) throw failed(problem);
  await written;
}
