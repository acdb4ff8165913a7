// What a dump needs of its server, asked before anything of it runs.
import type { Client } from 'pg';
import { DatabaseError, escapeIdentifier } from 'pg';
import type { Finding } from '../../run/finding.ts';
import { StepEnded } from '../../run/finding.ts';
import type { PostgresServer } from '../../servers/postgres.ts';
import type { DumpItem } from '../dump/items.ts';
import { carrierOf, isUntrusted } from './extensions.ts';
import { restoreFindings } from './findings.ts';
import { adminRow } from './lanes.ts';
import type { RestorePlan } from './plan.ts';

/** @throws StepEnded with all that the server lacks, or may not run. */
export async function preflight(control: Client, { extensions, languages }: Pick<RestorePlan, 'extensions' | 'languages'>, { major, runtime }: PostgresServer): Promise<void> {
  const contained = runtime === 'containers';
  const untrusted = new Set(contained ? [] : [...languages, ...extensions.filter(isUntrusted)]);
  const missing: string[] = [];
  for (const extension of extensions.filter((name) => !untrusted.has(name))) {
    const found = await tryExtension(control, extension);
    if (!found.there) missing.push(extension);
    else if (!contained) found.untrusted.forEach((language) => untrusted.add(language));
  }
  const findings: Finding[] = [];
  if (untrusted.size > 0) findings.push(restoreFindings.find('restore.untrusted-code', { what: [...untrusted].toSorted().map((language) => `the language ${language}`), line: 0 }));
  if (missing.length > 0) {
    const carriers = missing.map((extension) => carrierOf(extension, major));
    const images = carriers.flatMap(({ image }) => (image === null ? [] : [image]));
    findings.push(restoreFindings.find('restore.extension-unavailable', { extensions: missing, major, runtime, packages: [...new Set(carriers.map(({ debian }) => debian))], images: [...new Set(images)] }));
  }
  if (findings.length > 0) throw new StepEnded(findings);
}

/** Makes it in a transaction that is rolled back: being listed as available does not mean that it loads. */
async function tryExtension(control: Client, extension: string): Promise<{ readonly there: boolean; readonly untrusted: readonly string[] }> {
  await control.query('BEGIN');
  try {
    // Not by SCHEMA, which an extension with a schema of its own refuses.
    await control.query(`SET LOCAL search_path = public; CREATE EXTENSION IF NOT EXISTS ${escapeIdentifier(extension)} CASCADE`);
    const { rows } = await control.query<{ name: string }>("SELECT lanname AS name FROM pg_catalog.pg_language WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c')");
    return { there: true, untrusted: rows.map(({ name }) => name) };
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    // Not there, or its library is not; any other trouble is for the dump's own statement to show.
    return { there: !['0A000', '58P01', '22023', '42704', 'F0000'].includes(error.code ?? ''), untrusted: [] };
  } finally {
    await control.query('ROLLBACK');
  }
}

/** What would want a superuser, for a server that has none: `CREATE EVENT TRIGGER audit (line 88)`. */
export async function wantingSuperuser(control: Client, items: AsyncIterable<readonly DumpItem[]>, { operations }: RestorePlan): Promise<string[]> {
  const { rows } = await control.query<{ name: string }>('SELECT name FROM pg_catalog.pg_available_extension_versions WHERE superuser AND NOT trusted');
  const untrusted = new Set(rows.map(({ name }) => name));
  const listed = new Map(operations.filter((operation) => operation.listed).map((operation) => [operation.offset, operation]));
  const wanting: string[] = [];
  for await (const batch of items) {
    for (const item of batch) {
      const operation = listed.get(item.at.offset);
      if (item.kind !== 'statement' || operation === undefined) continue;
      const row = adminRow(operation.kind, item.sql);
      if (row === undefined || row.managed === true || (row.id === 'extension' && !untrusted.has(operation.object))) continue;
      wanting.push(`${operation.kind} ${operation.object}`.trim() + ` (line ${item.at.line})`);
    }
  }
  return wanting;
}

/** A C function's library, as the statement names it. */
export async function judgeLibrary(control: Client, library: string): Promise<'installed' | 'missing' | 'elsewhere'> {
  const name = /^(?:\$libdir\/)?((?!\.)[\w.+-]+)$/.exec(library)?.[1];
  if (name === undefined) return 'elsewhere';
  const { rows } = await control.query<{ there: boolean }>(
    `SELECT pg_catalog.bool_or((pg_catalog.pg_stat_file(c.setting || '/' || $1 || suffix, true)).size IS NOT NULL) AS there
     FROM pg_catalog.pg_config() c, pg_catalog.unnest(ARRAY['', '.so', '.dylib']) AS suffix WHERE c.name = 'PKGLIBDIR'`,
    [name],
  );
  return rows[0]?.there === true ? 'installed' : 'missing';
}
