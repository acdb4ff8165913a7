// What may run beside other statements: a closed list, as the admin's is. What fits no row is a barrier: it waits for
// all that runs, and runs alone, in its place. What fits names the relations that it works on, and works on no others:
// no code of the dump's is called by it, since pg_dump writes such names with their schema, and those are looked for.

/** One step of a statement that runs beside others: most have one. */
export interface Part {
  readonly sql: Buffer;
  /** Relations that others may work on meanwhile, as `relationKey` names them. */
  readonly shares: readonly string[];
  /** Relations that are its own while it runs. */
  readonly owns: readonly string[];
}

export interface Beside {
  /** As one statement. */
  readonly whole: Part;
  /** The same in pieces that leave more room for others and end in the same catalog; null where there is no such way. */
  readonly pieces: readonly Part[] | null;
  /** Tables that must be ordinary ones for either way. */
  readonly tables: readonly string[];
  /** Types of the dump's that a literal in its text is cast to: they must be enums, whose reading calls no code. */
  readonly types: readonly string[];
}

/** One name for a relation or type, however it is quoted. */
export const relationKey = (schema: string, name: string): string => `${quoted(schema)}.${quoted(name)}`;
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const id = String.raw`(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`;
const relation = (group: string): string => String.raw`(?<${group}Schema>${id})\.(?<${group}>${id})`;
const columns = String.raw`\((?:${id}(?:, )?)+\)`;

// What is looked up in a table's own catalog rows only; reference actions are names, no expressions.
const index = new RegExp(String.raw`^CREATE (?:UNIQUE )?INDEX ${id} ON ${relation('on')} USING (?<rest>.*);$`, 's');
const key = new RegExp(String.raw`^ALTER TABLE ONLY ${relation('on')}\s+ADD CONSTRAINT (?<name>${id}) (?<what>PRIMARY KEY|UNIQUE) (?<columns>${columns});$`, 's');
const reference = new RegExp(String.raw`^ALTER TABLE ONLY ${relation('on')}\s+ADD CONSTRAINT ${id} FOREIGN KEY ${columns} REFERENCES ${relation('to')}${columns}(?<rest>[A-Z ]*);$`, 's');
const trigger = new RegExp(String.raw`^CREATE TRIGGER ${id} (?:BEFORE|AFTER) [^'";]*? ON ${relation('on')} FOR EACH (?:ROW|STATEMENT) EXECUTE (?:FUNCTION|PROCEDURE) ${id}\.${id}\((?:'[^'\\]*'(?:, )?)*\);$`, 's');
const setval = new RegExp(String.raw`^SELECT pg_catalog\.setval\('(?<on>${id}\.${id})', -?\d+, (?:true|false)\);$`, 's');

/**
 * How a statement may run beside others; null where it is a barrier. The dump's search_path must be empty, as pg_dump
 * sets it: else a name without a schema could be the dump's own.
 */
export function besideOf(sql: Buffer): Beside | null {
  if (sql.length > 10_000) return null;
  const text = sql.toString('utf8');
  if (text.includes('\ufffd')) return null; // no UTF-8: the catalog would not know the name
  const built = index.exec(text)?.groups;
  if (built !== undefined) {
    const types = ownTypes(built['rest'] ?? '');
    const table = named(built, 'on');
    return types === null ? null : { whole: { sql, shares: [table], owns: [] }, pieces: null, tables: [table], types };
  }
  const keyed = key.exec(text)?.groups;
  if (keyed !== undefined) {
    const table = named(keyed, 'on');
    // ADD PRIMARY KEY takes the table for itself for as long as the index takes; an index of its name is taken over at once.
    const on = `${keyed['onSchema']}.${keyed['on']}`;
    return {
      whole: { sql, shares: [], owns: [table] },
      pieces: [
        { sql: Buffer.from(`CREATE UNIQUE INDEX ${keyed['name']} ON ${on} USING btree ${keyed['columns']};`), shares: [table], owns: [] },
        { sql: Buffer.from(`ALTER TABLE ONLY ${on} ADD CONSTRAINT ${keyed['name']} ${keyed['what']} USING INDEX ${keyed['name']};`), shares: [], owns: [table] },
      ],
      tables: [table],
      types: [],
    };
  }
  const referring = reference.exec(text)?.groups;
  if (referring !== undefined && /^(?: MATCH FULL)?(?: ON (?:UPDATE|DELETE) (?:CASCADE|RESTRICT|SET NULL|SET DEFAULT|NO ACTION))*(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?$/.test(referring['rest'] ?? '')) {
    const [child, parent] = [named(referring, 'on'), named(referring, 'to')];
    const name = new RegExp(`ADD CONSTRAINT (${id})`).exec(text)?.[1];
    return {
      whole: { sql, shares: [], owns: [child, parent] },
      pieces: child === parent ? null : [
        { sql: Buffer.from(`${text.slice(0, -1)} NOT VALID;`), shares: [], owns: [child, parent] },
        { sql: Buffer.from(`ALTER TABLE ONLY ${referring['onSchema']}.${referring['on']} VALIDATE CONSTRAINT ${name};`), shares: [parent], owns: [child] },
      ],
      tables: [child, parent],
      types: [],
    };
  }
  const triggered = trigger.exec(text)?.groups;
  if (triggered !== undefined) {
    const table = named(triggered, 'on');
    return { whole: { sql, shares: [], owns: [table] }, pieces: null, tables: [table], types: [] };
  }
  const drawn = setval.exec(text)?.groups?.['on'];
  // A name that begins like a table's can be no sequence, and the other way round: they share one space of names.
  return drawn === undefined ? null : { whole: { sql, shares: [], owns: [drawn.split(new RegExp(`^(${id})\\.`)).slice(1).map(bare).map(quoted).join('.')] }, pieces: null, tables: [], types: [] };
}

/** `COPY public.messages (id, body) FROM stdin;`, of a table named with its schema and nothing else said; null else. */
export function copiedTable(sql: Buffer): string | null {
  const groups = /[^\n]/.test(sql.toString('latin1', 0, 4)) ? copied.exec(sql.toString('utf8'))?.groups : undefined;
  return groups === undefined ? null : named(groups, 'on');
}
const copied = new RegExp(String.raw`^COPY ${relation('on')} ${columns} FROM stdin;$`, 's');

/** The tables that a build works on, where the kind says that it may be built ahead of its place: an index, or a key. */
export const mayComeEarly = (kind: string): boolean => /^CREATE (?:UNIQUE )?INDEX$|^ALTER TABLE … ADD CONSTRAINT (?:PRIMARY KEY|UNIQUE)$/.test(kind);

function named(groups: Readonly<Record<string, string>>, group: string): string {
  return relationKey(bare(groups[`${group}Schema`] ?? ''), bare(groups[group] ?? ''));
}

const bare = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);

/**
 * The dump's own names in an index' columns and condition, as far as they can be types that a literal is cast to; null
 * where one may be a function or an operator.
 */
function ownTypes(expression: string): string[] | null {
  if (/\bE'|\$\w*\$|\bOPERATOR\s*\(/i.test(expression)) return null;
  const types: string[] = [];
  // Literals away, quoted names kept whole.
  const text = expression.replaceAll(/'(?:[^']|'')*'/g, "''").replaceAll(/\bpg_catalog\./g, '');
  const qualified = new RegExp(String.raw`(?<before>''::)?(?<schema>${id})\.(?<name>${id})(?<behind>\s*\()?`, 'g');
  for (const { groups } of text.matchAll(qualified)) {
    if (groups?.['before'] === undefined || groups['behind'] !== undefined) return null;
    types.push(relationKey(bare(groups['schema'] ?? ''), bare(groups['name'] ?? '')));
  }
  return types;
}
