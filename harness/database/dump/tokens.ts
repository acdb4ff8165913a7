// Words, names and literals of one SQL statement, as far as the head of a statement needs them. Works on bytes, since a
// dump may be in any server encoding; only names are decoded.
import { isUtf8 } from 'node:buffer';

export type Token =
  /** An unquoted word or number; `upper` is its upper case, `text` its lower case as Postgres folds it. */
  | { readonly kind: 'word'; readonly text: string; readonly upper: string }
  /** A quoted identifier, unquoted. */
  | { readonly kind: 'quoted'; readonly text: string; readonly upper: '' }
  /** A string literal, unquoted; escapes of E'' and dollar quoting are left as they stand. */
  | { readonly kind: 'string'; readonly text: string; readonly upper: '' }
  /** `(`, `)`, `,`, `.`, `;`, `[`, `]` alone, or a whole operator. */
  | { readonly kind: 'mark'; readonly text: string; readonly upper: string };

const maxLiteralBytes = 1024;

/**
 * The tokens of a statement in order, comments left out. Lazy: a caller that looks at the head alone pays for the head.
 * @param literals `head`: no more than their first bytes; `whole`: all of them, and of dollar-quoted ones what stands between
 */
export function* tokens(sql: Buffer, encoding = 'UTF8', literals: 'head' | 'whole' = 'head'): Generator<Token, void, undefined> {
  if (decoding.encoding !== encoding) decoding = { encoding, decode: decoder(encoding) };
  const { decode } = decoding;
  const literal = literals === 'head' ? literalHead : wholeLiteral;
  let at = 0;
  while (at < sql.length) {
    const byte = sql[at] as number;
    if (isBlank(byte)) {
      at += 1;
    } else if (byte === 0x2d && sql[at + 1] === 0x2d) {
      at = endOf(sql, 0x0a, at);
    } else if (byte === 0x2f && sql[at + 1] === 0x2a) {
      at = endOfBlockComment(sql, at);
    } else if (byte === 0x22) {
      const end = endOfQuoted(sql, at, 0x22, false);
      yield { kind: 'quoted', text: decode(sql.subarray(at + 1, end - 1)).replaceAll('""', '"'), upper: '' };
      at = end;
    } else if (byte === 0x27) {
      const end = endOfQuoted(sql, at, 0x27, false);
      yield literal(sql.subarray(at + 1, end - 1), decode);
      at = end;
    } else if ((byte === 0x45 || byte === 0x65) && sql[at + 1] === 0x27) {
      const end = endOfQuoted(sql, at + 1, 0x27, true);
      yield literal(sql.subarray(at + 2, end - 1), decode);
      at = end;
    } else if (byte === 0x24 && !isDigit(sql[at + 1])) {
      const end = endOfDollarQuoted(sql, at);
      yield end === at + 1 ? markOf('$') : literals === 'head' ? literal(sql.subarray(at, end), decode) : { kind: 'string', text: decode(insideDollars(sql.subarray(at, end))), upper: '' };
      at = end;
    } else if (isWordByte(byte)) {
      let end = at + 1;
      while (end < sql.length && isWordByte(sql[end] as number)) end += 1;
      yield wordAt(sql, at, end, decode);
      at = end;
    } else {
      let end = at + 1;
      if (isOperatorByte(byte)) while (end < sql.length && isOperatorByte(sql[end] as number) && !startsComment(sql, end)) end += 1;
      yield end === at + 1 ? (marks[byte] as Token) : markOf(sql.toString('latin1', at, end));
      at = end;
    }
  }
}

const markOf = (text: string): Token => ({ kind: 'mark', text, upper: text });
/** Those of one byte. */
const marks: readonly Token[] = Array.from({ length: 256 }, (_, byte) => markOf(String.fromCharCode(byte)));

/** Words that came before: most are key words, and the same object does for all of them. */
const known = new Map<string, Token>();
const [maxKnown, maxKnownLength] = [2000, 24];

function wordAt(sql: Buffer, start: number, end: number, decode: (bytes: Buffer) => string): Token {
  const plain = end - start <= maxKnownLength ? sql.toString('latin1', start, end) : null;
  const before = plain === null ? undefined : known.get(plain);
  if (before !== undefined) return before;
  const text = decode(sql.subarray(start, end));
  const token: Token = { kind: 'word', text: text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase()), upper: text.toUpperCase() };
  // Beyond ASCII a word depends on the encoding.
  if (plain !== null && known.size < maxKnown && /^[\x00-\x7f]*$/.test(plain)) known.set(plain, token);
  return token;
}

/** Postgres' name of an encoding → how its bytes become text. What is no text in it reads as LATIN1, so that no name is lost. */
function decoder(encoding: string): (bytes: Buffer) => string {
  const name = encoding.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');
  if (name === 'LATIN1' || name === 'ISO88591') return (bytes) => bytes.toString('latin1');
  const single = /^(?:LATIN(\d+)|ISO8859(\d+)|WIN(\d{3,4}))$/.exec(name);
  const latin = single?.[1] === undefined ? undefined : latinParts[Number(single[1])];
  const label = latin ?? (single?.[2] !== undefined ? `iso-8859-${single[2]}` : single?.[3] !== undefined ? `windows-${single[3]}` : labels[name]);
  if (label !== undefined) {
    try {
      const text = new TextDecoder(label);
      return (bytes) => text.decode(bytes);
    } catch {
      // An encoding that this Node does not know: fall through.
    }
  }
  return (bytes) => (isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1'));
}

const latinParts: Readonly<Record<number, string>> = { 2: 'iso-8859-2', 3: 'iso-8859-3', 4: 'iso-8859-4', 5: 'iso-8859-9', 6: 'iso-8859-10', 7: 'iso-8859-13', 8: 'iso-8859-14', 9: 'iso-8859-15', 10: 'iso-8859-16' };
const labels: Readonly<Record<string, string>> = { EUCJP: 'euc-jp', EUCKR: 'euc-kr', EUCCN: 'gbk', KOI8R: 'koi8-r', KOI8U: 'koi8-u', WIN866: 'ibm866' };

/** A dump has one. */
let decoding = { encoding: 'UTF8', decode: decoder('UTF8') };

function literalHead(bytes: Buffer, decode: (bytes: Buffer) => string): Token {
  return wholeLiteral(bytes.length > maxLiteralBytes ? bytes.subarray(0, maxLiteralBytes) : bytes, decode);
}

function wholeLiteral(bytes: Buffer, decode: (bytes: Buffer) => string): Token {
  return { kind: 'string', text: decode(bytes).replaceAll("''", "'"), upper: '' };
}

/** Between the delimiters, which are of one length. */
function insideDollars(bytes: Buffer): Buffer {
  const tag = bytes.indexOf(0x24, 1) + 1;
  return bytes.subarray(tag, bytes.length - tag);
}

function endOf(sql: Buffer, byte: number, from: number): number {
  const end = sql.indexOf(byte, from);
  return end === -1 ? sql.length : end + 1;
}

function endOfBlockComment(sql: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < sql.length; at += 1) {
    if (sql[at] === 0x2f && sql[at + 1] === 0x2a) {
      depth += 1;
      at += 1;
    } else if (sql[at] === 0x2a && sql[at + 1] === 0x2f) {
      depth -= 1;
      at += 1;
      if (depth === 0) return at + 1;
    }
  }
  return sql.length;
}

/** Behind the closing quote; a doubled quote does not close. */
function endOfQuoted(sql: Buffer, open: number, quote: number, escapes: boolean): number {
  for (let at = open + 1; at < sql.length; at += 1) {
    if (escapes && sql[at] === 0x5c) at += 1;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return sql.length;
}

function endOfDollarQuoted(sql: Buffer, open: number): number {
  let end = open + 1;
  while (end < sql.length && sql[end] !== 0x24 && isWordByte(sql[end] as number)) end += 1;
  if (sql[end] !== 0x24) return open + 1;
  const delimiter = sql.subarray(open, end + 1);
  const close = sql.indexOf(delimiter, end + 1);
  return close === -1 ? sql.length : close + delimiter.length;
}

const startsComment = (sql: Buffer, at: number): boolean => (sql[at] === 0x2d && sql[at + 1] === 0x2d) || (sql[at] === 0x2f && sql[at + 1] === 0x2a);
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
/** Letters, digits, `_`, `$`, and everything beyond ASCII. */
const isWordByte = (byte: number): boolean => (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || isDigit(byte) || byte === 0x5f || byte === 0x24 || byte >= 0x80;
const operatorBytes = new Set(Buffer.from('+-*/<>=~!@#%^&|`?:'));
const isOperatorByte = (byte: number): boolean => operatorBytes.has(byte);
