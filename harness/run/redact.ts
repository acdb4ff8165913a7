// Keeps secrets out of everything that leaves the process: findings, records, reports, pages, the terminal.
import type { Fact, Finding } from './finding.ts';

const placeholder = '[redacted]';

/**
 * The least length, in UTF-16 units, of a value that can be redacted. Three characters stand in any text by chance:
 * replacing them would garble counts and names, and the gaps would spell out the secret.
 */
const leastLength = 4;
/**
 * Encoded forms are looked for from this length of the secret on. A short one's base64 is a few letters that a sha256
 * or a table's name may well hold.
 */
const leastEncodedLength = 8;

/** What a secret looks like where nobody registered it. `$1` is what stays readable. */
const patterns: readonly (readonly [RegExp, string])[] = [
  // An age identity (https://age-encryption.org/v1), post-quantum ones too; Bech32 allows either case.
  [/AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]*/gi, placeholder],
  // libpq's keyword/value strings, PGPASSWORD=…, query parameters; a quoted value may hold spaces and \' escapes.
  [/((?:password|passwd|passphrase)\s*=\s*)(?:'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|[^\s&;,'"]+)/gi, `$1${placeholder}`],
  // scheme://user:password@host. Greedy up to the last @ before a space or slash, as a password may hold an @.
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*:)[^\s/]*(?=@)/gi, `$1${placeholder}`],
];

const secrets = new Set<string>();
let known: RegExp | null = null;

/**
 * Registers a secret for the life of the process. Its single lines are registered too, since a log prints line by line.
 * @returns false when the value is too short to be redacted (under 4 characters, blanks at its ends not counted).
 */
export function addSecret(value: string): boolean {
  const whole = value.trim();
  if (whole.length < leastLength) return false;
  const lines = whole.split(/[\r\n]+/).map((line) => line.trim());
  for (const part of [whole, ...lines.filter((line) => line.length >= leastEncodedLength)]) secrets.add(part);
  known = null;
  return true;
}

/**
 * The text without any registered secret (as it is, URL-, form-, base64-, hex- or JSON-encoded, also inside longer
 * base64), age identities and passwords of connection strings. Redacting twice changes nothing more.
 */
export function redact(text: string): string {
  known ??= compile();
  let out = known === null ? text : text.replace(known, placeholder);
  for (const [pattern, replacement] of patterns) out = out.replace(pattern, replacement);
  return out;
}

/** The finding with every text in it redacted; numbers and codes stay. */
export function redactFinding(finding: Finding): Finding {
  const facts = Object.fromEntries(Object.entries(finding.facts).map(([name, fact]) => [name, redactFact(fact)]));
  return { ...finding, message: redact(finding.message), hint: redact(finding.hint), facts };
}

function redactFact(fact: Fact): Fact {
  if (typeof fact === 'string') return redact(fact);
  return typeof fact === 'object' && fact !== null ? fact.map(redact) : fact;
}

/** One expression over all forms, longest first, so that a secret inside a longer one leaves no rest. */
function compile(): RegExp | null {
  if (secrets.size === 0) return null;
  const forms = [...new Set([...secrets].flatMap(formsOf))].sort((a, b) => b.length - a.length);
  return new RegExp(forms.map((form) => form.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'g');
}

function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const plain = [secret, json, JSON.stringify(json).slice(1, -1)];
  if (secret.length < leastEncodedLength) return plain;
  const bytes = Buffer.from(secret, 'utf8');
  const hex = bytes.toString('hex');
  // A lone surrogate has no UTF-8; Buffer's replacement for it is what an encoder would have written.
  const url = encodeURIComponent(bytes.toString('utf8'));
  // What encodeURIComponent leaves, a stricter encoder (sigv4, RFC 3986) does not.
  const strict = url.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const urls = [url, strict, url.replaceAll('%20', '+'), strict.replaceAll('%20', '+')];
  const lower = urls.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
  const base64 = [0, 1, 2].flatMap((offset) => base64Inside(bytes, offset));
  return [...plain, ...urls, ...lower, hex, hex.toUpperCase(), ...base64];
}

/**
 * The letters of base64 that depend on the secret alone when `offset` bytes stand before it in a group of three
 * ("user:secret" of basic authentication). Both alphabets.
 */
function base64Inside(bytes: Buffer, offset: number): string[] {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64').replaceAll('=', '');
  const before = Math.ceil((offset * 8) / 6);
  const sure = Math.floor(((offset + bytes.length) * 8) / 6);
  const inside = text.slice(before, sure);
  return [inside, inside.replaceAll('+', '-').replaceAll('/', '_')];
}
