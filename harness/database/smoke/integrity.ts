// What must hold in any restored database, without knowing what it is for: foreign keys, sequences, something in it.
import type { Client } from 'pg';
import type { Finding } from '../../run/finding.ts';
import type { IntegrityEvidence } from './evidence.ts';
import { find } from './findings.ts';
import { guarded, isFinding, notJudged, readOnly, searchPath, rowsOf, type Checked, type Reading } from './reading.ts';

/** Where a sequence stood when the dump was taken, as the manifest has it. */
export interface Stood {
  readonly schema: string;
  readonly name: string;
  readonly lastValue: bigint;
  readonly isCalled: boolean;
}

/** Judges every table that is no extension's. `before` is empty without a manifest. @throws when the server or the connection is gone. */
export async function checkIntegrity(reading: Reading, before: readonly Stood[] = []): Promise<Checked<IntegrityEvidence>> {
  return readOnly(reading, async () => {
    const { client } = reading;
    const findings: Finding[] = [];
    const named = new Named(client);
    const keys = await judgeForeignKeys(client, named, findings);
    const sequences = await judgeSequences(client, named, findings, new Map(before.map((one) => [`${one.schema}.${one.name}`, one])));
    for (const { table, triggers } of await rowsOf<{ table: string; triggers: string }>(client, DISABLED)) {
      findings.push(find('smoke.enforcement-off', { table, triggers: Number(triggers) }));
    }
    const filled = await judgeFilled(client, named, findings);
    const views = await judgeViews(client, named, findings);
    if (named.unspelt > 0) findings.push(find('smoke.names-not-judged', { objects: named.unspelt }));
    return { findings, evidence: { foreignKeys: keys.judged, foreignKeysNotJudged: keys.notJudged, sequences, ...filled, views } };
  });
}

/** True for relations of the user's own: no catalog, no other session's temporary tables, no member of an extension. */
const OWN = (relation: string) => `
  ${relation}.relnamespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'information_schema' OR nspname LIKE 'pg\\_%')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = ${relation}.oid AND e.deptype = 'e')`;
const NAME = (relation: string) => `(SELECT own_schema.nspname FROM pg_catalog.pg_namespace own_schema WHERE own_schema.oid = ${relation}.relnamespace) || '.' || ${relation}.relname`;
const QUOTED = (relation: string) => `pg_catalog.format('%I.%I', (SELECT own_schema.nspname FROM pg_catalog.pg_namespace own_schema WHERE own_schema.oid = ${relation}.relnamespace), ${relation}.relname)`;

/** Lists of objects to ask for by name. In a database without an encoding a name may be no text, and no query of ours can spell it. */
class Named {
  readonly #client: Client;
  unspelt = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  async rows<R extends object>(text: string): Promise<R[]> {
    const rows = await rowsOf<R>(this.#client, text);
    const spelt = rows.filter((row) => !Object.values(row).some((value) => typeof value === 'string' && value.includes('\uFFFD')));
    this.unspelt += rows.length - spelt.length;
    return spelt;
  }
}

interface ForeignKey {
  readonly constraint: string;
  readonly table: string;
  readonly references: string;
  readonly validated: 't' | 'f';
  readonly skip: 'period' | 'not enforced' | null;
  readonly orphans_sql: string;
}

// The join that ALTER TABLE … VALIDATE CONSTRAINT makes (RI_Initial_Check in ri_triggers.c), counted: the constraint's own
// operators, the referenced column's collation, ONLY except over partitions. Under MATCH SIMPLE a row with any null names
// nothing; under MATCH FULL only one with all nulls does. A partition's copy of its parent's key (conparentid) is in the parent's count.
const FOREIGN_KEYS = `
  SELECT k.conname AS constraint, ${NAME('f')} AS table, ${NAME('p')} AS references, k.convalidated AS validated,
    CASE WHEN (pg_catalog.to_jsonb(k) ->> 'conperiod')::boolean THEN 'period' WHEN NOT (pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean THEN 'not enforced' END AS skip,
    (SELECT pg_catalog.format('SELECT pg_catalog.count(*) AS orphans FROM %s%s f LEFT JOIN %s%s p ON %s WHERE p.%I IS NULL AND (%s)',
        CASE f.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, ${QUOTED('f')}, CASE p.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, ${QUOTED('p')},
        pg_catalog.string_agg(pg_catalog.format('p.%I%s OPERATOR(%I.%s) f.%I', pa.attname,
          CASE WHEN pa.attcollation <> fa.attcollation AND pa.attcollation <> 0 THEN pg_catalog.format(' COLLATE %I.%I', cs.nspname, co.collname) ELSE '' END, os.nspname, o.oprname, fa.attname), ' AND '),
        pg_catalog.min(pa.attname::text), pg_catalog.string_agg(pg_catalog.format('f.%I IS NOT NULL', fa.attname), CASE k.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END))
      FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop)) AS u(fcol, pcol, op)
      JOIN pg_catalog.pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = u.fcol
      JOIN pg_catalog.pg_attribute pa ON pa.attrelid = p.oid AND pa.attnum = u.pcol
      JOIN pg_catalog.pg_operator o ON o.oid = u.op JOIN pg_catalog.pg_namespace os ON os.oid = o.oprnamespace
      LEFT JOIN pg_catalog.pg_collation co ON co.oid = pa.attcollation LEFT JOIN pg_catalog.pg_namespace cs ON cs.oid = co.collnamespace) AS orphans_sql
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class f ON f.oid = k.conrelid JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
  WHERE k.contype = 'f' AND k.conparentid = 0 AND ${OWN('f')} ORDER BY 2, 1`;

async function judgeForeignKeys(client: Client, named: Named, findings: Finding[]): Promise<{ judged: IntegrityEvidence['foreignKeys']; notJudged: number }> {
  const judged: IntegrityEvidence['foreignKeys'] = [];
  let skipped = 0;
  for (const { constraint, table, references, validated, skip, orphans_sql: sql } of await named.rows<ForeignKey>(FOREIGN_KEYS)) {
    if (skip !== null) {
      skipped += 1;
      if (skip === 'period') findings.push(find('smoke.foreign-key-not-judged', { table, constraint }));
      continue;
    }
    const counted = await guarded(client, () => rowsOf<{ orphans: string }>(client, sql), notJudged(`the foreign key ${constraint} of ${table}`));
    if (isFinding(counted)) {
      findings.push(counted);
      continue;
    }
    const orphans = counted[0]?.orphans ?? '0';
    if (orphans !== '0') findings.push(find('smoke.orphans', { table, constraint, references, rows: orphans, validated: validated === 't' }));
    judged.push({ table, constraint, validated: validated === 't', orphans });
  }
  return { judged, notJudged: skipped };
}

interface Fed {
  readonly sequence: string;
  readonly sequence_sql: string;
  readonly table: string;
  readonly table_sql: string;
  readonly column: string;
  readonly increment: string;
  readonly min: string;
  readonly max: string;
}

// Sequences that hand out a column's values: its identity; its default, where that is nextval and nothing else (`nextval(…) * 10`
// is ahead of its sequence by design); an owned one that the application calls itself. Without a unique index over the column a
// value may come twice, as in a hand-sorted list; a cycling sequence may stand anywhere.
const FED = `
  SELECT DISTINCT ${NAME('s')} AS sequence, ${QUOTED('s')} AS sequence_sql, ${NAME('t')} AS table, CASE t.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || ${QUOTED('t')} AS table_sql,
    a.attname AS column, q.seqincrement AS increment, q.seqmin AS min, q.seqmax AS max
  FROM pg_catalog.pg_sequence q JOIN pg_catalog.pg_class s ON s.oid = q.seqrelid
  JOIN (
    SELECT objid AS seq, refobjid AS rel, refobjsubid AS col, deptype = 'i' AS identity FROM pg_catalog.pg_depend
      WHERE classid = 'pg_catalog.pg_class'::regclass AND refclassid = 'pg_catalog.pg_class'::regclass AND deptype IN ('a', 'i') AND refobjsubid > 0
    UNION SELECT e.refobjid, d.adrelid, d.adnum, false FROM pg_catalog.pg_depend e JOIN pg_catalog.pg_attrdef d ON d.oid = e.objid
      WHERE e.classid = 'pg_catalog.pg_attrdef'::regclass AND e.refclassid = 'pg_catalog.pg_class'::regclass AND e.deptype = 'n'
  ) feeds ON feeds.seq = s.oid
  JOIN pg_catalog.pg_class t ON t.oid = feeds.rel JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = feeds.col
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
  WHERE NOT q.seqcycle AND t.relkind IN ('r', 'p') AND NOT t.relispartition AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND ${OWN('t')}
    AND (feeds.identity OR d.oid IS NULL OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^\\(?nextval\\(''([^'']|'''')*''::regclass\\)(\\)::[a-z]+)?$')
    AND EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = t.oid AND i.indisunique AND a.attnum = ANY (i.indkey::int2[]))
  ORDER BY 3, 5`;

/**
 * Behind: it will hand out a value that is there. Exactly that, step by step of its increment, is counted. One that came back no
 * less far than it stood at the dump was behind there already, which an application may live with (it sets its keys itself).
 */
async function judgeSequences(client: Client, named: Named, findings: Finding[], before: ReadonlyMap<string, Stood>): Promise<IntegrityEvidence['sequences']> {
  const judged: IntegrityEvidence['sequences'] = [];
  for (const fed of await named.rows<Fed>(FED)) {
    const { sequence, table, column } = fed;
    const name = client.escapeIdentifier(column);
    const increment = BigInt(fed.increment);
    const nextAfter = (last: bigint, called: boolean): bigint => last + (called ? increment : 0n);
    let lost = true;
    const counted = await guarded(client, async () => {
      const [state] = await rowsOf<{ last: string; called: 't' | 'f' }>(client, `SELECT last_value AS last, is_called AS called FROM ${fed.sequence_sql}`);
      if (state === undefined) return '0';
      const next = nextAfter(BigInt(state.last), state.called === 't');
      const stood = before.get(sequence);
      lost = stood === undefined || (next - nextAfter(stood.lastValue, stood.isCalled)) * increment < 0n;
      if (next > BigInt(fed.max) || next < BigInt(fed.min)) return '0';
      const [low, high] = increment > 0n ? [next, BigInt(fed.max)] : [BigInt(fed.min), next];
      const rows = await rowsOf<{ collisions: string }>(client,
        `SELECT pg_catalog.count(*) AS collisions FROM ${fed.table_sql} WHERE ${name} BETWEEN $1::int8 AND $2::int8 AND (${name}::numeric - $3::numeric) % $4::numeric = 0`,
        [String(low), String(high), String(next), String(increment)]);
      return rows[0]?.collisions ?? '0';
    }, notJudged(`the sequence ${sequence}`));
    if (isFinding(counted)) {
      findings.push(counted);
      continue;
    }
    if (counted !== '0') findings.push(find(lost ? 'smoke.sequence-behind' : 'smoke.sequence-behind-before', { sequence, table, column, rows: counted }));
    judged.push({ sequence, table, column, collisions: counted });
  }
  return judged;
}

// No dump disables the triggers behind a foreign key; a data-only load does, and puts them back only if it reaches its end.
const DISABLED = `
  SELECT ${NAME('c')} AS table, pg_catalog.count(*) AS triggers FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  WHERE t.tgisinternal AND t.tgconstraint <> 0 AND t.tgenabled = 'D' AND ${OWN('c')} GROUP BY 1 ORDER BY 1`;

async function judgeFilled(client: Client, named: Named, findings: Finding[]): Promise<{ tables: number; tablesWithRows: number }> {
  const tables = await named.rows<{ table: string; sql: string }>(`SELECT ${NAME('c')} AS table, ${QUOTED('c')} AS sql FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND ${OWN('c')} ORDER BY 1`);
  let filled = 0;
  let unread = 0;
  for (const { table, sql } of tables) {
    const any = await guarded(client, () => rowsOf<{ filled: 't' | 'f' }>(client, `SELECT EXISTS (SELECT FROM ONLY ${sql}) AS filled`), notJudged(`table ${table}`));
    if (isFinding(any)) {
      unread += 1;
      findings.push(any);
    } else if (any[0]?.filled === 't') filled += 1;
  }
  if (filled === 0 && unread === 0 && named.unspelt === 0) findings.push(find('smoke.no-rows', { tables: tables.length }));
  return { tables: tables.length, tablesWithRows: filled };
}

async function judgeViews(client: Client, named: Named, findings: Finding[]): Promise<number> {
  const views = await named.rows<{ view: string; sql: string }>(`SELECT ${NAME('c')} AS view, ${QUOTED('c')} AS sql FROM pg_catalog.pg_class c WHERE c.relkind = 'v' AND ${OWN('c')} ORDER BY 1`);
  // A view reads as its owner, whom a forced policy filters: that is as it should be, and no count is taken here.
  await client.query(`SET LOCAL row_security = on; ${searchPath.theirs}`);
  for (const { view, sql } of views) {
    // LIMIT 0 runs nothing, yet Postgres plans it and checks the grants of the view's owner.
    const selected = await guarded(client, () => rowsOf(client, `SELECT FROM ${sql} LIMIT 0`), (sqlstate) => find('smoke.view-unusable', { view, sqlstate }));
    if (isFinding(selected)) findings.push(selected);
  }
  await client.query(searchPath.ours);
  return views.length;
}
