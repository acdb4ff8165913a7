import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addSecret, redact, redactFinding } from './redact.ts';

// The registry lasts as long as the process: every test has a canary of its own.
const canary = () => `Ca/n+a r"y\\ü'${randomBytes(9).toString('hex')}`;

const forms: readonly (readonly [string, (secret: string) => string])[] = [
  ['as it is', (secret) => secret],
  ['URL-encoded', encodeURIComponent],
  ['URL-encoded in lower case', (secret) => encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase())],
  ['form-encoded', (secret) => new URLSearchParams({ s: secret }).toString().slice(2)],
  ['in JSON', (secret) => JSON.stringify({ secret })],
  ['in JSON inside JSON', (secret) => JSON.stringify(JSON.stringify({ secret }))],
  ['hex', (secret) => Buffer.from(secret).toString('hex')],
  ...[0, 1, 2].flatMap((length) => [
    [`base64 after ${length} bytes`, (secret: string) => Buffer.from(`${'u'.repeat(length)}${secret}tail`).toString('base64')] as const,
    [`base64url after ${length} bytes`, (secret: string) => Buffer.from(`${'u'.repeat(length)}${secret}`).toString('base64url')] as const,
  ]),
];

test.each(forms)('a secret is found %s', (_, encode) => {
  const secret = canary();
  const text = `before ${encode(secret)} after`;
  expect(redact(text)).toBe(text);
  expect(addSecret(secret)).toBe(true);
  const out = redact(text);
  expect(out).toContain('[redacted]');
  expect(out).toMatch(/^before .* after$/s);
  expect(out.length).toBeLessThan(text.length);
  expect(out).not.toContain(encode(secret).slice(8, -8));
  expect(redact(out)).toBe(out);
});

test('of two secrets the longer goes first and leaves no rest', () => {
  const short = `s${randomBytes(6).toString('hex')}`;
  addSecret(short);
  addSecret(`${short}-and-more`);
  expect(redact(`<${short}-and-more> <${short}>`)).toBe('<[redacted]> <[redacted]>');
});

test('each line of a secret is one, and blanks around it are none', () => {
  const [a, b] = [canary(), canary()];
  addSecret(`\n ${a}\r\n${b}\n`);
  expect(redact(`1: ${a}\n2: ${b}`)).toBe('1: [redacted]\n2: [redacted]');
});

test('a value too short to be redacted is refused and changes nothing', () => {
  expect(addSecret(' abc ')).toBe(false);
  expect(addSecret('')).toBe(false);
  expect(redact('an abc of abc')).toBe('an abc of abc');
});

test.each([
  ['key AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L done', 'key [redacted] done'],
  ['AGE-SECRET-KEY-PQ-1QQPZ', '[redacted]'],
  ['age-secret-key-1qqpz', '[redacted]'],
  ['host=h password=hunter2 user=u', 'host=h password=[redacted] user=u'],
  [`password='it\\'s a b' user=u`, 'password=[redacted] user=u'],
  ['PGPASSWORD=hunter2 psql', 'PGPASSWORD=[redacted] psql'],
  ['postgres://wa:p@ss@db.host:5432/wa_mcp?sslmode=x', 'postgres://wa:[redacted]@db.host:5432/wa_mcp?sslmode=x'],
  ['https://host/path?password=x&user=u', 'https://host/path?password=[redacted]&user=u'],
])('%s', (text, out) => {
  expect(redact(text)).toBe(out);
});

test.each(['password authentication failed for user "wa"', 'postgres://host:5432/db, mail a@b.example', 'age1qqpz is a recipient', '/var/backups/db-2026-11-23.sql.gz.age'])('%s is left alone', (text) => {
  expect(redact(text)).toBe(text);
});

test('a finding is redacted in its message, hint and facts', () => {
  const secret = canary();
  addSecret(secret);
  const finding = redactFinding({ code: 'a.b', severity: 'error', judged: true, message: `m ${secret}`, hint: `h ${secret}`, facts: { text: secret, list: [secret, 'x'], rows: 7, none: null, yes: true } });
  expect(finding).toEqual({ code: 'a.b', severity: 'error', judged: true, message: 'm [redacted]', hint: 'h [redacted]', facts: { text: '[redacted]', list: ['[redacted]', 'x'], rows: 7, none: null, yes: true } });
});

test('no registered secret survives in any text', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme' }), fc.string(), fc.string(), (secret, before, after) => {
      fc.pre(secret.trim().length >= 8 && !'[redacted]'.includes(secret.trim()));
      addSecret(secret);
      expect(redact(`${before}|${secret}|${after}`)).not.toContain(secret.trim());
    }),
    { numRuns: 100, seed: 4 },
  );
});
