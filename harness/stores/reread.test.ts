// Stored bytes read again without a key: in turn and within a budget, and each thing that can be wrong with them by its own code.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { needing } from '../../fixtures/tools.ts';
import { type Finding, StepEnded } from '../run/finding.ts';
import { holdsPrivateKey, stanzasOf } from './age-header.ts';
import { readCatalog, type StoredArtifact } from './catalog.ts';
import type { RereadConfig } from './config.ts';
import { directoryStore } from './directory.ts';
import { readLedger } from './ledger.ts';
import { choose, reread, type rereadEvidence } from './reread.ts';
import type { z } from 'zod';

const sha = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
const now = new Date('2026-11-26T12:00:00Z');
const dayMs = 86_400_000;
const parts = ['sql.gz', 'globals.sql', 'manifest.json'];
let recipients: string[];
let identity: string;
beforeAll(async () => {
  const identities = await Promise.all([generateX25519Identity(), generateX25519Identity(), generateX25519Identity()]);
  identity = identities[0] ?? '';
  recipients = await Promise.all(identities.map(identityToRecipient));
});
let home: string;
let store: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'reread-'));
  store = join(home, 'store');
  mkdirSync(store);
  writeFileSync(join(store, 'store.json'), '{"application": "app"}\n');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

async function sealed(text: string, count = 2): Promise<Buffer> {
  const encrypter = new Encrypter();
  for (const recipient of recipients.slice(0, count)) encrypter.addRecipient(recipient);
  return Buffer.from(await encrypter.encrypt(text));
}

/** Publishes what is given, or whole sets, with a ledger that witnesses it. */
async function publish(ids: readonly string[], given: Readonly<Record<string, Buffer>> = {}): Promise<void> {
  let previous = sha(readFileSync(join(store, 'store.json')));
  let text = '';
  for (const set of ids) {
    for (const part of parts) {
      const name = `db-${set}.${part}.age`;
      const bytes = given[name] ?? (await sealed(`${set} ${part}`));
      writeFileSync(join(store, name), bytes);
      const line = JSON.stringify({ format: 'backup-drills/ledger/1', application: 'app', at: now.toISOString(), set, name, bytes: bytes.length, sha256: sha(bytes), plain: { bytes: 1, sha256: sha('') }, manifest: sha(''), tools: {}, previous });
      previous = sha(line);
      text += `${line}\n`;
    }
  }
  writeFileSync(join(home, 'ledger.jsonl'), text);
}

async function run(more: Partial<RereadConfig> & { readonly all?: boolean; readonly at?: Date } = {}): Promise<{ codes: string[]; findings: readonly Finding[]; evidence: z.infer<typeof rereadEvidence> }> {
  const signal = new AbortController().signal;
  const { all = false, at = now, ...config } = more;
  const readable = directoryStore(store);
  const { catalog } = await readCatalog(readable, { now: () => at, signal });
  const ledger = await readLedger(join(home, 'ledger.jsonl'), { application: 'app', store: 'it', label: sha(readFileSync(join(store, 'store.json'))), seen: null, signal });
  const artifacts = (catalog?.sets ?? []).flatMap(({ dump, manifest, globals }) => [dump, manifest, globals].filter((one) => one !== null));
  const { findings, evidence } = await reread({ store: readable, ledger, artifacts, all, config: { everyMs: 30 * dayMs, budgetBytes: 1e9, state: join(home, 'state.json'), recipients: ['X25519', 'X25519'], ...config } }, { now: () => at, signal, progress: () => {} });
  return { codes: findings.filter(({ severity }) => severity !== 'note').map(({ code }) => code), findings, evidence };
}
const three = ['2026-11-24', '2026-11-25', '2026-11-26'];

test('what was published passes, is read once, and not again before its time', async () => {
  await publish(three);
  const first = await run();
  expect(first.findings.map(({ code }) => code)).toEqual(['reread.begun']);
  expect(first.evidence).toMatchObject({ artifacts: 9, read: 9, due: 0, scanned: 1 });
  expect((await run({ at: new Date(now.getTime() + 3_600_000) })).evidence.read).toBe(0);
  const later = await run({ at: new Date(now.getTime() + 2 * dayMs) });
  expect([later.codes, later.evidence.read]).toEqual([[], 9]);
});

test.each<[string, string, (name: string) => Promise<void>]>([
  ['one byte of an artifact has changed', 'ledger.sha256-differs', async (name) => {
    const bytes = readFileSync(name);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    writeFileSync(name, bytes);
  }],
  ['an artifact was cut', 'ledger.size-differs', async (name) => writeFileSync(name, readFileSync(name).subarray(0, -5))],
  ['an artifact was sealed anew', 'ledger.sha256-differs', async (name) => writeFileSync(name, await sealed('2026-11-25 sql.gz'))],
])('%s: %s, and it stays due', async (_, code, harm) => {
  await publish(three);
  await run();
  await harm(join(store, 'db-2026-11-25.sql.gz.age'));
  for (let times = 0; times < 2; times += 1) expect((await run({ all: true })).codes).toEqual([code]);
});

test.each<[string, string, () => Promise<Buffer>]>([
  ['in the clear', 'reread.not-encrypted', async () => Buffer.from('CREATE TABLE clients')],
  ['sealed for one', 'reread.recipients-differ', async () => sealed('x', 1)],
  ['sealed for a third', 'reread.recipients-differ', async () => sealed('x', 3)],
  ['sealed by a passphrase', 'reread.recipients-differ', async () => {
    const encrypter = new Encrypter();
    encrypter.setScryptWorkFactor(1);
    encrypter.setPassphrase('x');
    return Buffer.from(await encrypter.encrypt('x'));
  }],
  ['with a header that was cut off', 'reread.not-encrypted', async () => (await sealed('x')).subarray(0, 60)],
])('published %s, and witnessed so: %s', async (_, code, bytes) => {
  await publish(three, { 'db-2026-11-25.sql.gz.age': await bytes() });
  expect((await run()).codes).toEqual([code]);
});

test('a private key beside the sets, whatever its case, and what is too large to look through', async () => {
  await publish(three);
  writeFileSync(join(store, 'notes.txt'), `# kept\n${identity.toLowerCase()}\n`);
  expect((await run()).codes).toEqual(['reread.private-key']);
  writeFileSync(join(store, 'notes.txt'), 'AGE-SECRET-KEY-1 is how one begins');
  expect((await run()).codes).toEqual([]);
  writeFileSync(join(store, 'notes.txt'), Buffer.alloc(9 * 2 ** 20));
  expect((await run()).codes).toEqual(['reread.not-scanned']);
});

test('a dump without .age beside them', async () => {
  await publish(three);
  writeFileSync(join(store, 'db-2026-11-20.sql.gz'), 'x');
  writeFileSync(join(store, 'db-2026-11-20.manifest.json'), 'x');
  expect((await run()).codes).toEqual(['reread.not-encrypted', 'reread.not-encrypted']);
});

test('all are read within their days by a budget that is enough; one that is not is said, with what is overdue', async () => {
  await publish(three);
  const one = readFileSync(join(store, 'db-2026-11-24.sql.gz.age')).length;
  const read: number[] = [];
  for (let day = 0; day < 9; day += 1) {
    const { codes, evidence } = await run({ budgetBytes: one + 10, everyMs: 9 * dayMs, at: new Date(now.getTime() + day * dayMs) });
    expect(codes).toEqual([]);
    read.push(evidence.read);
  }
  expect(read).toEqual(Array.from({ length: 9 }, () => 1));
  expect((await run({ budgetBytes: 1, everyMs: 2 * dayMs, at: new Date(now.getTime() + 30 * dayMs) })).codes).toEqual(['reread.overdue', 'reread.budget-too-small']);
});

test('a state that is not as it was written is told, and never begun anew in silence', async () => {
  await publish(three);
  const code = async (): Promise<string> => run().then(() => 'nothing', (error: unknown) => (error instanceof StepEnded ? error.findings.map((finding) => finding.code).join() : String(error)));
  writeFileSync(join(home, 'state.json'), '{}');
  expect(await code()).toBe('reread.state-unreadable');
  rmSync(join(home, 'state.json'));
  mkdirSync(join(home, 'state.json'));
  expect(await code()).toBe('reread.state-unreadable');
});

test('what was never read comes first, then what was read longest ago; a budget is kept, and one object is always read', () => {
  const artifact = (name: `db-${string}`, size: number): StoredArtifact => ({ object: { key: name, size, modifiedAt: now }, set: name as never, artifact: 'dump', encrypted: true });
  fc.assert(fc.property(fc.array(fc.record({ size: fc.integer({ min: 1, max: 50 }), ageDays: fc.option(fc.integer({ min: 0, max: 60 }), { nil: null }) }), { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 100 }), (all, budget) => {
    const artifacts = all.map(({ size }, at) => artifact(`db-${String(at).padStart(2, '0')}` as const, size));
    const state = new Map<string, { readonly at: Date; readonly sha256: string }>(all.flatMap(({ ageDays }, at) => (ageDays === null ? [] : [[`db-${String(at).padStart(2, '0')}`, { at: new Date(now.getTime() - ageDays * dayMs), sha256: '' }] as const])));
    const chosen = choose(artifacts, state, budget, now);
    const age = ({ object }: StoredArtifact): number => now.getTime() - (state.get(object.key)?.at.getTime() ?? -Infinity);
    const open = artifacts.filter((one) => !(age(one) < dayMs));
    const spent = artifacts.filter((one) => age(one) < dayMs).reduce((sum, { object }) => sum + object.size, 0);
    const bytes = chosen.reduce((sum, { object }) => sum + object.size, 0);
    expect(bytes <= Math.max(0, budget - spent) || (chosen.length === 1 && spent === 0)).toBe(true);
    expect(open.length === 0 || spent > 0 || chosen.length > 0).toBe(true);
    // Nothing that waited longer was passed over for it.
    for (const left of open.filter((one) => !chosen.includes(one))) for (const taken of chosen) expect(age(taken)).toBeGreaterThanOrEqual(age(left));
  }));
});

needing('age', 'age-keygen').test('the header of the real age says how it is sealed, by one to three keys, by ssh and armored', () => {
  const key = join(home, 'key');
  execFileSync('age-keygen', ['-o', key], { stdio: 'ignore' });
  const recipient = execFileSync('age-keygen', ['-y', key], { encoding: 'utf8' }).trim();
  const age = (...words: string[]): Buffer => execFileSync('age', ['--encrypt', ...words], { input: 'x' });
  expect(stanzasOf(age('-r', recipient))).toEqual({ stanzas: ['X25519'] });
  expect(stanzasOf(age('-r', recipient, '-r', recipients[0] ?? '', '-r', recipients[1] ?? ''))).toEqual({ stanzas: ['X25519', 'X25519', 'X25519'] });
  expect(stanzasOf(age('-r', recipient, '-r', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDrHYusNbXkUOV1zvLV+iUKbVTCk1sgav8hH/1Ikkdjw'))).toEqual({ stanzas: ['X25519', 'ssh-ed25519'] });
  expect(stanzasOf(age('--armor', '-r', recipient))).toEqual({ problem: 'it does not begin as age does' });
});

test('any bytes behind the first line are a header or a problem, and never more', async () => {
  const whole = await sealed('x');
  fc.assert(fc.property(fc.nat(whole.length), fc.uint8Array({ maxLength: 40 }), (at, noise) => {
    const changed = Buffer.concat([whole.subarray(0, at), noise, whole.subarray(at + noise.length)]);
    const found = stanzasOf(changed);
    expect('problem' in found || found.stanzas.length > 0).toBe(true);
  }));
  expect(holdsPrivateKey(Buffer.from('AGE-SECRET-KEY-PQ-1QQQ'))).toBe(true);
});
