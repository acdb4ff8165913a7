// What a statement of a dump is and what it is about. The forms are those that pg_dump of 13 to 18 writes
// (src/bin/pg_dump/pg_dump.c, dumputils.c, pg_backup_archiver.c); anything else is UNKNOWN, never guessed.
import type { Classified } from './items.ts';
import type { Token } from './tokens.ts';
import { tokens } from './tokens.ts';

const unknown: Classified = { kind: 'UNKNOWN', name: [], roles: [] };

/**
 * Kinds are the leading key words with `… action` for ALTER: `CREATE TABLE`, `CREATE TYPE ENUM`, `ALTER TABLE … ADD CONSTRAINT FOREIGN KEY`,
 * `SELECT setval`. Names of constraints, triggers, policies and rules follow those of their table: [schema, table, name].
 * @param encoding Postgres' name of the dump's client_encoding, for names beyond ASCII.
 */
export function classify(sql: Buffer, encoding = 'UTF8'): Classified {
  const head = new Cursor(tokens(sql, encoding));
  const verb = head.word();
  const found = verbs.get(verb)?.(head, encoding) ?? null;
  return found ?? unknown;
}

/** A COPY: its table, columns, and where its rows come from. Null when the statement is none that we understand. */
export interface CopyTarget {
  readonly name: readonly string[];
  /** Null when it names none. */
  readonly columns: readonly string[] | null;
  readonly direction: 'from' | 'to';
  readonly from: 'stdin' | 'stdout' | 'program' | 'file';
}

export function copyOf(sql: Buffer, encoding = 'UTF8'): CopyTarget | null {
  const head = new Cursor(tokens(sql, encoding));
  if (!head.take('COPY')) return null;
  head.take('BINARY');
  let name: string[] = [];
  let columns: string[] | null = null;
  if (head.peek?.text === '(' && head.peek.kind === 'mark') head.skipGroup();
  else {
    name = head.name();
    if (name.length === 0) return null;
    if (head.mark('(')) columns = head.list(')');
  }
  const direction = head.take('FROM') ? 'from' : head.take('TO') ? 'to' : null;
  if (direction === null) return null;
  const from = head.take('STDIN') ? 'stdin' : head.take('STDOUT') ? 'stdout' : head.take('PROGRAM') ? 'program' : head.peek?.kind === 'string' ? 'file' : null;
  return from === null ? null : { name, columns, direction, from };
}

/** Looks one token ahead; further tokens cost nothing until they are asked for. */
class Cursor {
  peek: Token | undefined;
  readonly #tokens: Iterator<Token, void, undefined>;

  constructor(source: Iterable<Token>) {
    this.#tokens = source[Symbol.iterator]() as Iterator<Token, void, undefined>;
    this.next();
  }

  next(): Token | undefined {
    const token = this.peek;
    const step = this.#tokens.next();
    this.peek = step.done === true ? undefined : step.value;
    return token;
  }

  /** The next token's upper-case word, taken; '' when it is none. */
  word(): string {
    return this.peek?.kind === 'word' ? (this.next()?.upper ?? '') : '';
  }

  /** Takes a run of words if the first is there; a later one that is not there leaves the earlier ones taken. */
  take(...words: string[]): boolean {
    for (const word of words) {
      if (this.peek?.kind !== 'word' || this.peek.upper !== word) return false;
      this.next();
    }
    return true;
  }

  is(...words: string[]): boolean {
    return this.peek?.kind === 'word' && words.includes(this.peek.upper);
  }

  mark(text: string): boolean {
    if (this.peek?.kind !== 'mark' || this.peek.text !== text) return false;
    this.next();
    return true;
  }

  identifier(): string | null {
    return this.peek?.kind === 'word' || this.peek?.kind === 'quoted' ? (this.next()?.text ?? null) : null;
  }

  /** `a.b.c`; operators too (`public.@@`). Empty when there is none. */
  name(): string[] {
    const parts: string[] = [];
    do {
      const part = this.identifier();
      if (part !== null) parts.push(part);
      else if (this.peek?.kind === 'mark' && !'(),.;[]'.includes(this.peek.text)) {
        parts.push((this.next() as Token).text);
        return parts;
      } else return parts;
    } while (this.mark('.'));
    return parts;
  }

  /** Names up to the closing mark, which is taken. */
  list(close: string): string[] {
    const items: string[] = [];
    while (this.peek !== undefined && !this.mark(close)) {
      const item = this.identifier();
      if (item === null) this.next();
      else items.push(item);
    }
    return items;
  }

  /** Takes `( … )`, nested ones included, if it is next. */
  skipGroup(): void {
    if (!this.mark('(')) return;
    for (let depth = 1; depth > 0 && this.peek !== undefined; ) {
      const token = this.next();
      if (token?.kind !== 'mark') continue;
      if (token.text === '(') depth += 1;
      if (token.text === ')') depth -= 1;
    }
  }

  /** Goes on to one of the words outside parentheses and takes it; '' when there is none. */
  seek(...words: string[]): string {
    while (this.peek !== undefined) {
      if (this.is(...words)) return this.word();
      if (this.peek.kind === 'mark' && this.peek.text === '(') this.skipGroup();
      else this.next();
    }
    return '';
  }

  /** `a, GROUP b, "c d"`, the words that stand for no one role left out. */
  roles(): string[] {
    const roles: string[] = [];
    do {
      if (this.peek?.kind !== 'word' && this.peek?.kind !== 'quoted') return roles;
      let token = this.next() as Token;
      if (token.upper === 'GROUP' && (this.peek?.kind as string | undefined) !== 'mark' && this.peek !== undefined) token = this.next() as Token;
      // The grammar takes "public" in quotes for PUBLIC as well; the others are names then.
      if (token.text !== 'public' && !noRole.has(token.upper)) roles.push(token.text);
    } while (this.mark(','));
    return roles;
  }

  /** One of many key-word sequences, the longest that fits. */
  phrase(phrases: Phrases): string | null {
    let node = phrases;
    let last: string | null = null;
    const taken: string[] = [];
    while (this.peek?.kind === 'word') {
      const next = node.next.get(this.peek.upper);
      if (next === undefined) break;
      taken.push(this.word());
      node = next;
      if (node.ends) last = taken.join(' ');
    }
    return node.ends ? last : null;
  }
}

interface Phrases {
  readonly next: Map<string, Phrases>;
  ends: boolean;
}

function phrases(list: readonly string[]): Phrases {
  const root: Phrases = { next: new Map(), ends: false };
  for (const phrase of list) {
    let node = root;
    for (const word of phrase.split(' ')) {
      const next = node.next.get(word) ?? { next: new Map<string, Phrases>(), ends: false };
      node.next.set(word, next);
      node = next;
    }
    node.ends = true;
  }
  return root;
}

const noRole = new Set(['CURRENT_USER', 'CURRENT_ROLE', 'SESSION_USER']);

const objectTypes = phrases([
  'ACCESS METHOD', 'AGGREGATE', 'CAST', 'COLLATION', 'COLUMN', 'CONSTRAINT', 'CONVERSION', 'DATABASE', 'DOMAIN', 'EVENT TRIGGER', 'EXTENSION',
  'FOREIGN DATA WRAPPER', 'FOREIGN SERVER', 'FOREIGN TABLE', 'FUNCTION', 'GROUP', 'INDEX', 'LANGUAGE', 'LARGE OBJECT', 'MATERIALIZED VIEW', 'OPERATOR',
  'OPERATOR CLASS', 'OPERATOR FAMILY', 'PARAMETER', 'POLICY', 'PROCEDURAL LANGUAGE', 'PROCEDURE', 'PUBLICATION', 'ROLE', 'ROUTINE', 'RULE', 'SCHEMA', 'SEQUENCE',
  'SERVER', 'STATISTICS', 'SUBSCRIPTION', 'TABLE', 'TABLESPACE', 'TEXT SEARCH CONFIGURATION', 'TEXT SEARCH DICTIONARY', 'TEXT SEARCH PARSER',
  'TEXT SEARCH TEMPLATE', 'TRANSFORM', 'TRIGGER', 'TYPE', 'USER', 'USER MAPPING', 'VIEW',
]);

/** Their names are arguments too, or stand in parentheses. */
const hasArguments = new Set(['AGGREGATE', 'FUNCTION', 'OPERATOR', 'PROCEDURE', 'ROUTINE']);
const onTable = new Set(['CONSTRAINT', 'POLICY', 'RULE', 'TRIGGER']);

const alterActions = phrases([
  'ADD', 'ADD COLUMN', 'ADD CONSTRAINT', 'ADD MAPPING', 'ADD TABLE', 'ADD TABLES', 'ADD VALUE', 'ALTER COLUMN', 'ALTER', 'ATTACH PARTITION', 'CLUSTER ON', 'DEPENDS ON', 'DISABLE',
  'DISABLE ROW LEVEL SECURITY', 'DISABLE RULE', 'DISABLE TRIGGER', 'DROP', 'DROP COLUMN', 'DROP CONSTRAINT', 'DROP EXPRESSION', 'ENABLE', 'ENABLE ALWAYS', 'ENABLE ALWAYS RULE',
  'ENABLE ALWAYS TRIGGER', 'ENABLE REPLICA', 'ENABLE REPLICA RULE', 'ENABLE REPLICA TRIGGER', 'ENABLE ROW LEVEL SECURITY', 'ENABLE RULE', 'ENABLE TRIGGER',
  'FORCE ROW LEVEL SECURITY', 'NO FORCE ROW LEVEL SECURITY', 'INHERIT', 'NO INHERIT', 'OF', 'NOT OF', 'OPTIONS', 'OWNED BY', 'OWNER TO', 'RENAME', 'REPLICA IDENTITY', 'RESET', 'SET',
  'SET ACCESS METHOD', 'SET LOGGED', 'SET UNLOGGED', 'SET SCHEMA', 'SET STATISTICS', 'SET TABLESPACE', 'SET WITHOUT CLUSTER', 'SET DEFAULT', 'VALIDATE CONSTRAINT', 'WITH', 'REFRESH VERSION',
  'IN DATABASE',
]);
const columnActions = phrases([
  'ADD GENERATED', 'DROP DEFAULT', 'DROP NOT NULL', 'OPTIONS', 'RESET', 'SET', 'SET COMPRESSION', 'SET DEFAULT', 'SET NOT NULL', 'SET STATISTICS', 'SET STORAGE', 'TYPE', 'SET DATA TYPE',
]);
const constraintTypes = phrases(['CHECK', 'EXCLUDE', 'FOREIGN KEY', 'NOT NULL', 'PRIMARY KEY', 'UNIQUE']);

const selectFunctions = new Set([
  'set_config', 'setval', 'lo_create', 'lo_creat', 'lo_open', 'lo_close', 'lowrite', 'lo_unlink', 'lo_from_bytea', 'pg_restore_relation_stats', 'pg_restore_attribute_stats', 'pg_restore_extended_stats',
]);

type Reading = (head: Cursor, encoding: string) => Classified | null;

const verbs = new Map<string, Reading>([
  ['SET', set],
  ['RESET', (head) => ({ kind: head.take('SESSION', 'AUTHORIZATION') ? 'RESET SESSION AUTHORIZATION' : 'RESET', name: head.name(), roles: [] })],
  ['SELECT', select],
  ['INSERT', (head) => (head.take('INTO') ? named('INSERT', head.name()) : null)],
  ['COPY', (head) => named('COPY', head.name())],
  ['CREATE', create],
  ['ALTER', alter],
  ['DROP', drop],
  ['COMMENT', (head) => (head.take('ON') ? about('COMMENT', head) : null)],
  ['SECURITY', securityLabel],
  ['GRANT', (head) => grant('GRANT', head)],
  ['REVOKE', (head) => grant('REVOKE', head)],
  ['REFRESH', (head) => (head.take('MATERIALIZED', 'VIEW') ? named('REFRESH MATERIALIZED VIEW', (head.take('CONCURRENTLY'), head.name())) : null)],
  ['BEGIN', () => named('BEGIN', [])],
  ['START', (head) => (head.take('TRANSACTION') ? named('BEGIN', []) : null)],
  ['COMMIT', () => named('COMMIT', [])],
]);

function named(kind: string, name: readonly string[], roles: readonly string[] = []): Classified | null {
  return { kind, name, roles };
}

function set(head: Cursor): Classified | null {
  if (head.take('SESSION')) {
    if (head.take('AUTHORIZATION')) {
      const role = head.is('DEFAULT') ? null : (head.next()?.text ?? null);
      return named('SET SESSION AUTHORIZATION', [], role === null ? [] : [role]);
    }
  } else head.take('LOCAL');
  if (head.take('ROLE')) {
    const role = head.is('NONE') ? null : (head.next()?.text ?? null);
    return named('SET ROLE', [], role === null ? [] : [role]);
  }
  const name = head.name();
  return name.length === 0 ? null : named('SET', name);
}

function select(head: Cursor, encoding: string): Classified | null {
  if (head.mark('*') && !head.take('FROM')) return null;
  const name = head.name();
  const called = name.at(-1) ?? '';
  if (!head.mark('(') || !selectFunctions.has(called) || (name.length === 2 && name[0] !== 'pg_catalog') || name.length > 2) return null;
  if (called === 'setval') return named('SELECT setval', head.peek?.kind === 'string' ? namesIn(head.peek.text, encoding) : []);
  if (called === 'set_config') return named('SELECT set_config', head.peek?.kind === 'string' ? [head.peek.text] : []);
  if (called.startsWith('pg_restore_')) {
    // 'schemaname', 'public', 'relname', 'messages', …
    const strings: string[] = [];
    for (let token = head.next(); token !== undefined && strings.length < 12; token = head.next()) if (token.kind === 'string') strings.push(token.text);
    const value = (key: string): string[] => (strings.includes(key) ? strings.slice(strings.indexOf(key) + 1).slice(0, 1) : []);
    return named(`SELECT ${called}`, [...value('schemaname'), ...value('relname')]);
  }
  return named(`SELECT ${called}`, called.startsWith('lo_') && head.peek?.kind !== 'mark' && head.peek !== undefined ? [head.peek.text] : []);
}

/** The parts of a name inside a literal: `'public."My_seq"'::regclass`. */
function namesIn(text: string, encoding: string): string[] {
  return new Cursor(tokens(Buffer.from(text), encoding === 'UTF8' ? encoding : 'UTF8')).name();
}

function create(head: Cursor): Classified | null {
  if (head.take('OR')) head.take('REPLACE');
  const modifiers: string[] = [];
  while (head.is('CONSTRAINT', 'DEFAULT', 'GLOBAL', 'LOCAL', 'RECURSIVE', 'TEMP', 'TEMPORARY', 'TRUSTED', 'UNIQUE', 'UNLOGGED')) modifiers.push(head.word());
  const kept = modifiers.filter((word) => word === 'UNIQUE' || word === 'UNLOGGED' || word === 'CONSTRAINT' || word === 'TRUSTED').map((word) => `${word} `).join('');
  const type = head.phrase(objectTypes);
  if (type === null) return null;
  const kind = `CREATE ${kept}${type === 'PROCEDURAL LANGUAGE' ? 'LANGUAGE' : type}`;
  switch (type) {
    case 'CAST':
      return named(kind, castName(head));
    case 'TRANSFORM':
      return named(kind, transformName(head));
    case 'USER MAPPING': {
      skipIfExists(head);
      const roles = head.take('FOR') ? head.roles() : [];
      return head.take('SERVER') ? named(kind, head.name(), roles) : null;
    }
    case 'SCHEMA': {
      skipIfExists(head);
      const name = head.is('AUTHORIZATION') ? [] : head.name();
      const roles = head.take('AUTHORIZATION') ? head.roles() : [];
      return named(kind, name.length === 0 ? roles : name, roles);
    }
    case 'INDEX': {
      head.take('CONCURRENTLY');
      skipIfExists(head);
      const index = head.is('ON') ? [] : head.name();
      if (!head.take('ON')) return null;
      head.take('ONLY');
      const table = head.name();
      return named(kind, [...table.slice(0, -1), ...index]);
    }
    case 'TRIGGER':
    case 'POLICY': {
      const own = head.name();
      if (head.seek('ON') === '') return null;
      const table = head.name();
      const roles = type === 'POLICY' && head.seek('TO', 'USING', 'WITH') === 'TO' ? head.roles() : [];
      return named(kind, [...table, ...own], roles);
    }
    case 'RULE': {
      const own = head.name();
      return head.seek('TO') === '' ? null : named(kind, [...head.name(), ...own]);
    }
    case 'TYPE': {
      const name = head.name();
      const form = head.take('AS') ? (head.take('ENUM') ? 'ENUM' : head.take('RANGE') ? 'RANGE' : 'COMPOSITE') : head.mark('(') ? 'BASE' : 'SHELL';
      return named(`${kind} ${form}`, name);
    }
    case 'DATABASE': {
      const name = head.name();
      return named(kind, name, head.seek('OWNER') === '' ? [] : (head.mark('='), head.roles()));
    }
    case 'COLUMN':
    case 'CONSTRAINT':
    case 'FOREIGN SERVER':
    case 'GROUP':
    case 'LARGE OBJECT':
    case 'PARAMETER':
    case 'ROLE':
    case 'ROUTINE':
    case 'TABLESPACE':
    case 'USER':
      return null;
    default: {
      skipIfExists(head);
      const name = head.name();
      return name.length === 0 ? null : named(kind, name);
    }
  }
}

function skipIfExists(head: Cursor): void {
  if (head.take('IF')) {
    head.take('NOT');
    head.take('EXISTS');
  }
}

/** `(text AS public.kind)` → the words of both types. */
function castName(head: Cursor): string[] {
  if (!head.mark('(')) return [];
  const parts: string[] = [];
  for (let token = head.next(); token !== undefined && !(token.kind === 'mark' && token.text === ')'); token = head.next()) parts.push(token.text);
  return [parts.join(' ')];
}

function transformName(head: Cursor): string[] {
  head.take('FOR');
  const type = head.name();
  return head.take('LANGUAGE') ? [...type, ...head.name()] : type;
}

function alter(head: Cursor): Classified | null {
  if (head.take('DEFAULT')) return head.take('PRIVILEGES') ? defaultPrivileges(head) : null;
  const type = head.phrase(objectTypes);
  if (type === null) return null;
  const kind = `ALTER ${type === 'PROCEDURAL LANGUAGE' ? 'LANGUAGE' : type}`;
  skipIfExists(head);
  head.take('ONLY');
  let name: string[];
  let roles: string[] = [];
  if (type === 'USER MAPPING') {
    roles = head.take('FOR') ? head.roles() : [];
    name = head.take('SERVER') ? head.name() : [];
  } else {
    name = head.name();
    if (type === 'ROLE' || type === 'USER') roles = name;
  }
  if (name.length === 0) return null;
  head.mark('*');
  if (hasArguments.has(type)) head.skipGroup();
  if (type === 'OPERATOR CLASS' || type === 'OPERATOR FAMILY') {
    if (head.take('USING')) head.name();
  }
  if (onTable.has(type) && head.take('ON')) name = [...head.name(), ...name];
  const action = head.phrase(alterActions);
  if (action === null) {
    // ALTER SEQUENCE, ALTER ROLE and ALTER DATABASE take bare options.
    return ['SEQUENCE', 'ROLE', 'DATABASE', 'SUBSCRIPTION'].includes(type) && head.peek?.kind === 'word' ? named(`${kind} …`, name, roles) : null;
  }
  const whole = `${kind} … ${action}`;
  switch (action) {
    case 'OWNER TO':
      return named(whole, name, [...roles, ...head.roles()]);
    case 'ADD CONSTRAINT': {
      const own = head.name();
      const form = head.phrase(constraintTypes);
      return form === null ? null : named(`${whole} ${form}`, [...name, ...own]);
    }
    case 'VALIDATE CONSTRAINT':
    case 'DROP CONSTRAINT': {
      skipIfExists(head);
      return named(whole, [...name, ...head.name()]);
    }
    case 'ALTER':
    case 'ALTER COLUMN': {
      const column = head.next();
      const form = head.phrase(columnActions);
      return column === undefined || form === null ? null : named(`${kind} … ALTER COLUMN ${form}`, [...name, column.text]);
    }
    default:
      return named(whole, name, roles);
  }
}

function defaultPrivileges(head: Cursor): Classified | null {
  const roles: string[] = [];
  if (head.take('FOR')) {
    if (!head.take('ROLE') && !head.take('USER')) return null;
    roles.push(...head.roles());
  }
  const schemas: string[] = [];
  if (head.take('IN')) {
    if (!head.take('SCHEMA')) return null;
    do schemas.push(head.identifier() ?? '');
    while (head.mark(','));
  }
  const verb = head.word();
  if (verb !== 'GRANT' && verb !== 'REVOKE') return null;
  if (head.seek(verb === 'GRANT' ? 'TO' : 'FROM') === '') return null;
  return named('ALTER DEFAULT PRIVILEGES', schemas, unique([...roles, ...head.roles()]));
}

function drop(head: Cursor): Classified | null {
  const type = head.phrase(objectTypes);
  if (type === null) return null;
  const kind = `DROP ${type === 'PROCEDURAL LANGUAGE' ? 'LANGUAGE' : type}`;
  if (type === 'INDEX') head.take('CONCURRENTLY');
  skipIfExists(head);
  if (type === 'CAST') return named(kind, castName(head));
  if (type === 'TRANSFORM') return named(kind, transformName(head));
  if (type === 'USER MAPPING') {
    const roles = head.take('FOR') ? head.roles() : [];
    return named(kind, head.take('SERVER') ? head.name() : [], roles);
  }
  const name = head.name();
  if (name.length === 0) return null;
  const roles = type === 'ROLE' || type === 'USER' || type === 'GROUP' ? name : [];
  if (onTable.has(type) && head.take('ON')) return named(kind, [...head.name(), ...name]);
  return named(kind, name, roles);
}

/** `COMMENT ON TABLE a.b IS …`, `SECURITY LABEL … ON …`: kind and name of the object. */
function about(verb: string, head: Cursor): Classified | null {
  const type = head.phrase(objectTypes);
  if (type === null) return null;
  const kind = `${verb} ON ${type === 'PROCEDURAL LANGUAGE' ? 'LANGUAGE' : type}`;
  if (type === 'CAST') return named(kind, castName(head));
  if (type === 'TRANSFORM') return named(kind, transformName(head));
  const own = head.name();
  if (own.length === 0) return null;
  const roles = type === 'ROLE' ? own : [];
  if (onTable.has(type) && head.take('ON')) {
    head.take('DOMAIN');
    return named(kind, [...head.name(), ...own]);
  }
  return named(kind, own, roles);
}

function securityLabel(head: Cursor): Classified | null {
  if (!head.take('LABEL')) return null;
  if (head.take('FOR')) head.next();
  return head.take('ON') ? about('SECURITY LABEL', head) : null;
}

function grant(verb: 'GRANT' | 'REVOKE', head: Cursor): Classified | null {
  const toward = verb === 'GRANT' ? 'TO' : 'FROM';
  if (verb === 'REVOKE' && head.take('GRANT')) head.take('OPTION', 'FOR');
  const members: string[] = [];
  let on = false;
  // Privileges with their columns, or the roles that are granted.
  while (head.peek !== undefined && !head.is(toward)) {
    if (head.take('ON')) {
      on = true;
      break;
    }
    const token = head.peek;
    if (token.kind === 'mark' && token.text === '(') head.skipGroup();
    else {
      if (token.kind !== 'mark') members.push(token.text);
      head.next();
    }
  }
  const name: string[] = [];
  if (on) {
    const type = head.phrase(objectTypes);
    if (type === null && head.is('ALL')) return null;
    name.push(...head.name());
  }
  if (head.seek(toward) === '') return null;
  const roles = head.roles();
  while (head.peek !== undefined) {
    if (head.seek('GRANTED') === '') break;
    if (head.take('BY')) roles.push(...head.roles());
  }
  return on ? named(verb, name, unique(roles)) : named(`${verb} ROLE`, [], unique([...members, ...roles]));
}

const unique = (names: readonly string[]): string[] => [...new Set(names)];

/** `SET name = value;` → its name in lower case and its value; null for the forms without one value. */
export function settingOf(sql: Buffer): { readonly name: string; readonly value: string } | null {
  const head = new Cursor(tokens(sql));
  if (!head.take('SET')) return null;
  if (!head.take('SESSION')) head.take('LOCAL');
  const name = head.name().join('.');
  if (!head.mark('=') && !head.take('TO')) return null;
  const value = head.next();
  return name === '' || value === undefined || value.kind === 'mark' ? null : { name, value: value.text };
}

/** Name and schema of a CREATE EXTENSION. */
export function extensionOf(sql: Buffer, encoding = 'UTF8'): { readonly name: string; readonly schema: string | null } {
  const head = new Cursor(tokens(sql, encoding));
  head.take('CREATE', 'EXTENSION');
  skipIfExists(head);
  const name = head.identifier() ?? '';
  return { name, schema: head.seek('SCHEMA') === '' ? null : head.identifier() };
}

/** The sequence that `ADD GENERATED … AS IDENTITY ( SEQUENCE NAME a.b …` names. */
export function identitySequenceOf(sql: Buffer, encoding = 'UTF8'): readonly string[] | null {
  const head = new Cursor(tokens(sql, encoding));
  while (head.peek !== undefined && !head.mark('(')) head.next();
  return head.take('SEQUENCE', 'NAME') ? head.name() : null;
}

/** Whether a CREATE TABLE ends in PARTITION BY. */
export function isPartitioned(sql: Buffer): boolean {
  const head = new Cursor(tokens(sql));
  while (head.seek('PARTITION') !== '') if (head.take('BY')) return true;
  return false;
}
