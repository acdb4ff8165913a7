// A statement's text in one form, whichever pg_dump wrote it and by whichever options: names bare where they may be, key words
// in lower case, one blank where one is needed, and no comment. What is compared, hashed and committed is this form.
import { createHash } from 'node:crypto';
import { type Token, tokens } from '../dump/tokens.ts';
import { settledWording } from '../wording.ts';

/** A token in its one form; `bare` where it was no quoted name, and so may be a key word. */
export interface Part {
  readonly kind: 'word' | 'string' | 'mark';
  readonly text: string;
  readonly bare: boolean;
}

/** The parts of a statement, its semicolon left out; literals that may be secrets are blank. @param mask blanks all of them */
export function partsOf(sql: Buffer, encoding: string | undefined, mask = false): Part[] {
  const parts: Part[] = [];
  for (const token of tokens(settledSql(sql), encoding, 'whole')) {
    if (token.kind === 'mark' && token.text === ';') continue;
    parts.push(partOf(token, parts.at(-1), mask));
  }
  return parts.map((part, at) => (part.kind === 'string' && parts[at + 1]?.text === '::' && isNameType(parts, at + 2) ? { ...part, text: quoteLiteral(nameText(part.text.slice(1, -1).replaceAll("''", "'"))) } : part));
}

/** Byte for byte, since the encoding is any that keeps ASCII: outside quotes there is nothing else. */
const settledSql = (sql: Buffer): Buffer => (sql.includes('ARRAY[') ? Buffer.from(settledWording(sql.toString('latin1')), 'latin1') : sql);

function partOf(token: Token, before: Part | undefined, mask: boolean): Part {
  if (token.kind === 'word') return { kind: 'word', text: token.text, bare: true };
  if (token.kind === 'quoted') return { kind: 'word', text: identifier(token.text), bare: false };
  if (token.kind === 'mark') return { kind: 'mark', text: token.text, bare: true };
  const hidden = mask || (before?.kind === 'word' && /^(?:"?.*(?:passw|secret|token|credential|(?:access|account|api|private).?key).*|connection|conninfo)$/i.test(before.text));
  return { kind: 'string', text: hidden ? "'…'" : quoteLiteral(inUtc(token.text)), bare: true };
}

/** Literals of these types hold a name, which pg_dump quotes as it does any other. */
function isNameType(parts: readonly Part[], at: number): boolean {
  const type = parts[at]?.text === 'pg_catalog' && parts[at + 1]?.text === '.' ? parts[at + 2] : parts[at];
  return type !== undefined && /^reg(?:class|proc|procedure|oper|operator|type|config|dictionary|namespace|role|collation)$/.test(type.text);
}

const nameText = (text: string): string => textOf(partsOf(Buffer.from(text), 'UTF8'));
const quoteLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** pg_dump prints times with a zone in the zone of whoever runs it. */
function inUtc(text: string): string {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d)(?::?(\d\d))?$/.exec(text);
  if (match === null) return text;
  const at = Date.parse(`${match[1]}T${match[2]}${match[4]}:${match[5] ?? '00'}`);
  return Number.isNaN(at) ? text : `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}${match[3] ?? ''}+00`;
}

/** A name as it is written bare where it may be. */
export function identifier(text: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}

export const dotted = (name: readonly string[]): string => name.map(identifier).join('.');

export function textOf(parts: readonly Part[]): string {
  let text = '';
  for (const [at, part] of parts.entries()) {
    const before = parts[at - 1];
    text += before === undefined || touches(before, part) ? part.text : ` ${part.text}`;
  }
  return text;
}

function touches(before: Part, part: Part): boolean {
  if (part.kind === 'mark' && [')', ',', '.', '::', '[', ']'].includes(part.text)) return true;
  if (before.kind === 'mark' && ['(', '.', '::', '['].includes(before.text)) return true;
  return part.kind === 'mark' && part.text === '(' && before.kind === 'word';
}

/**
 * The same, less what majors of Postgres write differently of one definition: since 16 a query of one table does not qualify its
 * columns, and since 14 a range names its multirange.
 */
export function looseText(text: string): string {
  return text.replaceAll(/(?:"(?:[^"]|"")+"|[a-z_][\w$]*)\.(?=["a-z_])/g, '').replaceAll(/, multirange_type_name = (?:"(?:[^"]|"")+"|[\w$]+)/g, '');
}

export const digest = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** Goes over the parts of a statement. */
export class Words {
  readonly #parts: readonly Part[];
  #at = 0;

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  get done(): boolean {
    return this.#at >= this.#parts.length;
  }

  /** Whether these key words or marks come next. */
  is(...words: readonly string[]): boolean {
    return words.every((word, index) => {
      const part = this.#parts[this.#at + index];
      return part !== undefined && part.bare && part.kind !== 'string' && part.text === word;
    });
  }

  take(...words: readonly string[]): boolean {
    if (!this.is(...words)) return false;
    this.#at += words.length;
    return true;
  }

  next(): Part | undefined {
    const part = this.#parts[this.#at];
    this.#at += 1;
    return part;
  }

  /** `a.b."C"`; an operator's too (`public.===`). */
  name(): string {
    let text = '';
    do text += this.next()?.text ?? '';
    while (this.take('.') && (text += '.') !== '');
    return text;
  }

  /** What stands in the parentheses that come next; empty where none do. */
  group(): Part[] {
    if (!this.is('(')) return [];
    const from = this.#at + 1;
    this.#skip();
    return this.#parts.slice(from, this.#at - 1);
  }

  /** Up to the first of these runs of key words outside parentheses, or to the end. */
  until(...stops: readonly (readonly string[])[]): Part[] {
    const from = this.#at;
    while (!this.done && !stops.some((stop) => this.is(...stop))) this.#skip();
    return this.#parts.slice(from, this.#at);
  }

  /** Goes on behind the first of these runs of key words. */
  behind(...words: readonly string[]): void {
    this.until(words);
    this.take(...words);
  }

  /** Whether they stand anywhere from here on. */
  holds(...words: readonly string[]): boolean {
    const from = this.#at;
    this.until(words);
    const found = !this.done;
    this.#at = from;
    return found;
  }

  rest(): Part[] {
    return this.until();
  }

  /** One part, or a whole group. */
  #skip(): void {
    let depth = 0;
    do {
      const part = this.next();
      if (part === undefined) return;
      if (part.kind === 'mark' && (part.text === '(' || part.text === '[')) depth += 1;
      if (part.kind === 'mark' && (part.text === ')' || part.text === ']')) depth -= 1;
    } while (depth > 0);
  }
}

/** The parts between commas outside parentheses. */
export function separated(parts: readonly Part[]): Part[][] {
  const words = new Words(parts);
  const items: Part[][] = [];
  while (!words.done) {
    items.push(words.until([',']));
    words.take(',');
  }
  return items;
}
