import { createHash, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { needing } from '../../fixtures/tools.ts';
import { StepEnded } from '../run/finding.ts';
import type { AgeKey, DecryptOptions, Plain } from './age.ts';
import { decryptArtifact, encryptFile, generateKey } from './age.ts';
import { decryptEvidence, plainFacts } from './evidence.ts';
import type { Fetched } from './fetch.ts';
import { verifyStored } from './verify.ts';
import type { VerifiedStored } from './verify.ts';

const quiet = { signal: new AbortController().signal, progress: (): void => undefined };
const chunk = 65536;
let key: AgeKey;
let other: AgeKey;
let path: string;
let work: string;
beforeAll(async () => {
  [key, other] = [await generateKey(), await generateKey()];
});
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'backup-drills-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  work = join(path, 'work');
  await mkdir(work);
});

/** Bytes as if they had been fetched under that name. */
async function stored(bytes: Uint8Array, name = 'db-2026-11-23.sql.gz.age'): Promise<VerifiedStored> {
  await writeFile(join(path, name), bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return verifyStored({ path: join(path, name), bytes: bytes.length, sha256, object: { key: name, size: bytes.length, modifiedAt: new Date(0) }, attempts: 1, durationMs: 0 });
}

async function sealed(plain: Uint8Array, recipients = [key.recipient]): Promise<Buffer> {
  await writeFile(join(path, 'plain'), plain);
  await encryptFile(join(path, 'plain'), join(path, 'sealed'), recipients, quiet.signal);
  return readFile(join(path, 'sealed'));
}

async function ending(artifact: VerifiedStored, identities: string | null, options: Partial<DecryptOptions> = {}): Promise<{ codes: string[]; text: string }> {
  const outcome: unknown = await decryptArtifact(artifact, identities, work, { ...quiet, ...options }).catch((error: unknown) => error);
  if (!(outcome instanceof StepEnded)) return outcome instanceof Error ? Promise.reject(outcome) : { codes: [], text: '' };
  expect(await readdir(work), 'no partial plaintext is left').toEqual([]);
  return { codes: outcome.findings.map((finding) => finding.code), text: JSON.stringify(outcome.findings) };
}

const headerLength = (bytes: Buffer): number => bytes.indexOf('\n', bytes.indexOf('\n--- ') + 1) + 1;
function altered(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

// Both ways must say the same of every input.
const engines: ('auto' | 'library')[] = ['library'];
const age = needing('age');
if (age.met) engines.push('auto');

describe.each(engines)('by %s', (ageBinary) => {
  const engine = ageBinary === 'auto' ? 'binary' : 'library';

  test.each([1, chunk - 1, chunk, chunk + 1, 3 * chunk, 5 * chunk + 17])('%i bytes come back as they were', async (length) => {
    const bytes = randomBytes(length);
    const plain: Plain = await decryptArtifact(await stored(await sealed(bytes)), key.identity, work, { ...quiet, ageBinary });
    expect(await readFile(plain.path)).toEqual(bytes);
    expect(plain).toMatchObject({ bytes: length, sha256: createHash('sha256').update(bytes).digest('hex'), engine, recipient: key.recipient });
    expect((await stat(plain.path)).mode & 0o777).toBe(0o600);
    expect(await readdir(work)).toEqual(['db-2026-11-23.sql.gz']);
    expect(decryptEvidence.parse(plainFacts(plain)).engine).toBe(engine);
  });

  test('any of several keys opens it, comments and blank lines aside', async () => {
    const artifact = await stored(await sealed(Buffer.from('x'), [other.recipient, key.recipient]));
    const unrelated = await generateKey();
    const plain = await decryptArtifact(artifact, `# drill key\n\n${unrelated.identity}\r\n${key.identity}\n`, work, { ...quiet, ageBinary });
    expect(plain.recipient).toBe(key.recipient);
  });

  test('a file for another key', async () => {
    const { codes, text } = await ending(await stored(await sealed(randomBytes(100))), other.identity, { ageBinary });
    expect(codes).toEqual(['decrypt.wrong-recipient']);
    expect(text).toContain(other.recipient);
    expect(text).not.toContain('AGE-SECRET-KEY-1');
  });

  test('an empty input was encrypted', async () => {
    expect((await ending(await stored(await sealed(Buffer.alloc(0))), key.identity, { ageBinary })).codes).toEqual(['decrypt.empty']);
  });

  test('cut anywhere: in the first line, the header, the nonce, a chunk, between chunks', async () => {
    const whole = await sealed(randomBytes(3 * chunk + 500));
    const header = headerLength(whole);
    const payload = header + 16;
    for (const length of [0, 1, 21, 22, 60, header - 1, header, header + 15, payload, payload + 15, payload + 100, payload + chunk, payload + chunk + 16, payload + 3 * (chunk + 16), payload + 3 * (chunk + 16) + 100, whole.length - 1]) {
      const { codes } = await ending(await stored(whole.subarray(0, length)), key.identity, { ageBinary });
      expect([length, codes]).toEqual([length, ['decrypt.truncated']]);
    }
  });

  test('altered: in the header, the nonce, any chunk but the last, the last, and lengthened', async () => {
    const whole = await sealed(randomBytes(3 * chunk + 500));
    const header = headerLength(whole);
    const payload = header + 16;
    const cases: [string, Buffer, string][] = [
      ['header MAC', altered(whole, header - 5), 'decrypt.corrupt'],
      ['nonce', altered(whole, header + 3), 'decrypt.corrupt'],
      ['first chunk', altered(whole, payload), 'decrypt.corrupt'],
      ['second chunk', altered(whole, payload + chunk + 16 + 5), 'decrypt.corrupt'],
      ['third chunk', altered(whole, payload + 2 * (chunk + 16) + 5), 'decrypt.corrupt'],
      ['last chunk', altered(whole, whole.length - 3), 'decrypt.truncated'],
      ['lengthened', Buffer.concat([whole, Buffer.from('more')]), 'decrypt.truncated'],
      ['doubled', Buffer.concat([whole, whole]), 'decrypt.corrupt'],
      ['header without end', Buffer.concat([Buffer.from('age-encryption.org/v1\n'), Buffer.alloc(300_000, 'A')]), 'decrypt.corrupt'],
    ];
    for (const [name, bytes, code] of cases) {
      const { codes } = await ending(await stored(bytes), key.identity, { ageBinary });
      expect([name, codes]).toEqual([name, [code]]);
    }
  });
});

// Never called: here the compiler is the test.
void ((fetched: Fetched, loose: Omit<VerifiedStored, symbol>) => [
  // @ts-expect-error bytes that were fetched and not verified cannot be decrypted
  decryptArtifact(fetched, null, work, quiet),
  // @ts-expect-error nor those that only look like verified ones
  decryptArtifact(loose, null, work, quiet),
]);

test('what is plain by its name passes as it is, and needs no key', async () => {
  const artifact = await stored(Buffer.from('plain'), 'db-2026-11-23.sql.gz');
  const plain = await decryptArtifact(artifact, null, work, quiet);
  expect(plain).toMatchObject({ path: artifact.path, bytes: 5, sha256: artifact.sha256, engine: 'none', recipient: null });
});

test.each([
  ['gzip', Buffer.from([0x1f, 0x8b, 8, 0])],
  ['text', Buffer.from('INSERT INTO clients VALUES (1)')],
  ['JSON', Buffer.from('{"id": 1}')],
  ['unknown bytes', randomBytes(64)],
])('plain %s under an encrypted name', async (kind, bytes) => {
  const { codes, text } = await ending(await stored(bytes), key.identity);
  expect(codes).toEqual(['decrypt.not-age']);
  expect(text).toContain(kind);
  expect(text).not.toContain('clients');
});

test('encrypted bytes under a plain name', async () => {
  expect((await ending(await stored(await sealed(Buffer.from('x')), 'db-2026-11-23.sql.gz'), key.identity)).codes).toEqual(['decrypt.suffix-missing']);
});

test('armored text', async () => {
  const armored = Buffer.from(`-----BEGIN AGE ENCRYPTED FILE-----\n${(await sealed(Buffer.from('x'))).toString('base64')}\n-----END AGE ENCRYPTED FILE-----\n`);
  expect((await ending(await stored(armored), key.identity)).codes).toEqual(['decrypt.armored']);
});

describe('identities', () => {
  test.each([['none configured', null], ['an empty file', ''], ['comments only', '# created: 2026-11-23\n\n']])('%s', async (_name, identities) => {
    expect((await ending(await stored(await sealed(Buffer.from('x'))), identities)).codes).toEqual(['decrypt.no-identity']);
  });

  test('a line that is none is named by its number and never quoted', async () => {
    const artifact = await stored(await sealed(Buffer.from('x')));
    const mistyped = altered(Buffer.from(key.identity), 30).toString();
    for (const line of [key.recipient, mistyped, key.identity.slice(0, -1), 'hunter2 hunter2', '-----BEGIN AGE ENCRYPTED FILE-----']) {
      const { codes, text } = await ending(artifact, `# key\n${line}\n`);
      expect(codes).toEqual(['decrypt.bad-identity']);
      expect(text).not.toContain(line);
      expect(text).toContain('line 2');
    }
  });

  test('a post-quantum key goes to the library, which knows it whatever age binary there is', async () => {
    const identity = await generateHybridIdentity();
    const artifact = await stored(await sealed(Buffer.from('x'), [await identityToRecipient(identity)]));
    expect(await decryptArtifact(artifact, identity, work, quiet)).toMatchObject({ engine: 'library', bytes: 1 });
  });
});

test('an interrupt is no finding and leaves nothing', async () => {
  const stop = new AbortController();
  const artifact = await stored(await sealed(randomBytes(4 * chunk)));
  for (const ageBinary of engines) {
    const progress = (): void => stop.abort(new Error('SIGTERM'));
    await expect(decryptArtifact(artifact, key.identity, work, { signal: stop.signal, progress, ageBinary })).rejects.toThrow('SIGTERM');
    expect(await readdir(work)).toEqual([]);
  }
});

describe('an age binary that does not work says nothing about the backup', () => {
  const script = async (body: string, interpreter = '/bin/sh'): Promise<void> => {
    const folder = join(path, 'bin');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'age'), `#!${interpreter}\n${body}\n`);
    await chmod(join(folder, 'age'), 0o755);
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH'] ?? ''}`);
    onTestFinished(() => void vi.unstubAllEnvs());
  };

  test.each([
    ['fails', 'exit 1'],
    ['is killed', 'printf half; kill -9 $$'],
    ['ends well with half of the output', 'printf half; exit 0'],
    ['ends well with too much', 'yes | { read -r x; while :; do printf "%s" "0123456789012345678901234567890123456789"; i=${i}x; [ ${#i} -gt 9 ] && exit 0; done; }'],
    ['cannot be started', 'exit 0', '/nowhere/sh'],
  ])('%s', async (_name, body, interpreter?: string) => {
    await script(body, interpreter);
    const bytes = randomBytes(300);
    const plain = await decryptArtifact(await stored(await sealed(bytes)), key.identity, work, quiet);
    expect(plain.engine).toBe('library');
    expect(await readFile(plain.path)).toEqual(bytes);
  });

  test('what it printed before it failed does not blur where the library finds the fault', async () => {
    const whole = await sealed(randomBytes(3 * chunk));
    const artifact = await stored(altered(whole, headerLength(whole) + 20));
    await script('head -c 200000 /dev/zero; exit 1');
    expect((await ending(artifact, key.identity)).codes).toEqual(['decrypt.corrupt']);
  });

  test('it is given the key through stdin alone', async () => {
    await script(`{ echo "$@"; tr '\\0' '\\n' < /proc/$$/environ; } > ${join(path, 'told')}; cat > ${join(path, 'stdin')}; exit 1`);
    vi.stubEnv('CANARY', 'must not be handed on');
    await decryptArtifact(await stored(await sealed(Buffer.from('x'))), key.identity, work, quiet);
    const told = await readFile(join(path, 'told'), 'utf8');
    expect(told).toContain('--decrypt');
    expect(told).not.toContain('AGE-SECRET-KEY');
    expect(told).not.toContain('CANARY');
    expect(await readFile(join(path, 'stdin'), 'utf8')).toBe(`${key.identity}\n`);
  });
});

age.describe('the age binary and the library', () => {
  test('each decrypts what the other encrypts', async () => {
    const bytes = randomBytes(2 * chunk + 5);
    await writeFile(join(path, 'key'), `${key.identity}\n`, { mode: 0o600 });
    await writeFile(join(path, 'ours.age'), await sealed(bytes));
    expect(execFileSync(age.path('age'), ['-d', '-i', join(path, 'key'), join(path, 'ours.age')], { maxBuffer: 1 << 20 })).toEqual(bytes);
    const theirs = execFileSync(age.path('age'), ['-r', key.recipient, '-r', other.recipient, join(path, 'plain')]);
    for (const ageBinary of engines) {
      expect((await decryptArtifact(await stored(theirs), key.identity, work, { ...quiet, ageBinary })).sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
  });
});
