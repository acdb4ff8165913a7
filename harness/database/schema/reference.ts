// The committed reference schema, `checks/schema.reference.json`: one object a line, sorted, so that a diff shows what a
// migration did. It is made by `npm run check:schema -- --accept` alone.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { StepEnded } from '../../run/finding.ts';
import { schemaFindings } from './findings.ts';
import { compareObjects, type Schema, type SchemaObject } from './schema.ts';

const formatPrefix = 'backup-drills/schema/';
const format = `${formatPrefix}1`;

const fileSchema = z.strictObject({
  format: z.literal(format),
  /** Whose schema it is; that of another application is no reference. */
  application: z.string().min(1),
  major: z.int().positive(),
  objects: z.array(z.object({ kind: z.string().min(1), on: z.string().optional(), name: z.string() }).catchall(z.string())).min(1),
});

export function referenceText({ major, objects }: Schema, application: string): string {
  const lines = objects.map(({ kind, on, name, facets }) => JSON.stringify({ kind, ...(on === null ? {} : { on }), name, ...facets }));
  return `{\n"format": ${JSON.stringify(format)},\n"application": ${JSON.stringify(application)},\n"major": ${major},\n"objects": [\n${lines.join(',\n')}\n]\n}\n`;
}

/** @throws StepEnded schema.reference-missing, schema.reference-unreadable, schema.reference-format, schema.reference-other-application */
export function readReference(path: string, application: string): Schema {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new StepEnded(schemaFindings.find('schema.reference-missing', { path }));
    throw new StepEnded(schemaFindings.find('schema.reference-unreadable', { path, problem: code ?? 'not readable' }));
  }
  const json = parsed(text, path);
  const named = typeof json === 'object' && json !== null && 'format' in json ? json.format : null;
  if (typeof named === 'string' && named.startsWith(formatPrefix) && named !== format) throw new StepEnded(schemaFindings.find('schema.reference-format', { path, format: named, known: format }));
  const file = fileSchema.safeParse(json);
  if (!file.success) throw new StepEnded(schemaFindings.find('schema.reference-unreadable', { path, problem: `${file.error.issues[0]?.path.join('.') || 'it'}: ${file.error.issues[0]?.code ?? 'not as expected'}` }));
  if (file.data.application !== application) throw new StepEnded(schemaFindings.find('schema.reference-other-application', { path, expected: application, actual: file.data.application }));
  const objects = file.data.objects.map(({ kind, on, name, ...facets }): SchemaObject => ({ kind, on: on ?? null, name, facets }));
  return { major: file.data.major, objects: objects.toSorted(compareObjects) };
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words quote the text.
    throw new StepEnded(schemaFindings.find('schema.reference-unreadable', { path, problem: /^(?:<{7}|={7}|>{7}) ?/m.test(text) ? 'a merge conflict stands in it' : 'no JSON' }));
  }
}
