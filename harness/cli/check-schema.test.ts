// npm run check:schema as an operator and a schedule start it: what it answers, what it leaves, and how its reference is made.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { CommandPlace, type Ended, freshSet, type Running } from '../../fixtures/command.ts';
import { loadCorpus, prepareCorpus } from '../../fixtures/corpus/load.ts';
import { removeStatement, replaceText } from '../../fixtures/sabotage.ts';
import { needing } from '../../fixtures/tools.ts';
import { program } from '../database/restore/rig.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { startEmbedded } from '../servers/embedded.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'check-schema-')));
chmodSync(base, 0o755);
afterAll(() => rmSync(base, { recursive: true, force: true }));
const places: CommandPlace[] = [];
afterEach(async () => {
  for (const place of places.splice(0)) await place.close();
});

const shipped = join(import.meta.dirname, '../../checks/schema.reference.json');
function place(reference: string | null = readFileSync(shipped, 'utf8')): CommandPlace {
  const here = new CommandPlace(mkdtempSync(join(base, 'place-')), true);
  if (reference !== null) writeFileSync(join(here.checks, 'schema.reference.json'), reference);
  here.configure({ checks: [], expected: { tables: [{ name: 'clients' }] } });
  places.push(here);
  return here;
}
const start = (here: CommandPlace, words: readonly string[], env: Readonly<Record<string, string>> = {}): Running => here.start(['--config', here.config, ...words], { command: 'check:schema', env });
const check = async (here: CommandPlace, ...words: string[]): Promise<Ended> => start(here, words).ended;
const logged = (here: CommandPlace): string[] => (existsSync(join(here.reports, 'backup-checks.md')) ? readFileSync(join(here.reports, 'backup-checks.md'), 'utf8').split('\n').filter((line) => /^\| \d{4}-/.test(line)) : []);

test('a healthy dump is verified, out of a store that is only read; two at once are two lines of one chain', async () => {
  const here = place();
  freshSet(here.store);
  chmodSync(here.store, 0o555);
  const [one, two] = await Promise.all([check(here), check(here)]);
  expect([one.code, two.code, one.stderr, two.stderr]).toEqual([0, 0, '', '']);
  expect(one.stdout).toMatch(/^check of whatsapp-mcp · run [\s\S]*\nverified: schema of the newest dump · not covered: rows, restore, media, audit, ledger, recovery key\ncheck · set [\d-]+ · snapshot 1 h 0 min old · read, not restored\n/);
  expect(one.stdout).not.toMatch(/start a throw-away|restore the dump/);
  const records = here.records();
  expect(records.map(({ kind, verdict, ended }) => [kind, verdict, ended])).toEqual([['check', 'verified', 'finished'], ['check', 'verified', 'finished']]);
  expect(logged(here)).toHaveLength(2);
  expect(new Set(records.map(({ previous }) => previous)).size).toBe(2);
  expect(readFileSync(join(here.reports, 'out', records[0]!.run, 'junit.xml'), 'utf8')).toMatch(/failures="0" errors="0" skipped="0"/);
  expect(existsSync(join(here.reports, 'records'))).toBe(false);
  here.expectNothingLeft();
}, 60_000);

test('what is wrong with the dump is 1, what stands in the way of judging it is 2', async () => {
  const sick = place();
  freshSet(sick.store, { sql: replaceText('display_name text NOT NULL', 'display_name character varying(80) NOT NULL') });
  const lacking = place();
  freshSet(lacking.store, { sql: removeStatement(/^CREATE TABLE public\.clients /) });
  const absent = place(null);
  freshSet(absent.store);
  const torn = place('{"format"');
  freshSet(torn.store);
  const unwritable = place();
  freshSet(unwritable.store);
  writeFileSync(unwritable.reports, '');
  const ended = await Promise.all([sick, lacking, absent, torn, unwritable].map(async (each) => check(each, '--quiet')));
  expect(ended.map(({ code }) => code)).toEqual([1, 1, 2, 2, 2]);
  expect(ended[0]?.stdout).toContain('schema.object-changed (database.schema.reference): column display_name of public.clients has changed: type character varying(80), was text');
  for (const code of ['schema.expected-table-missing', 'schema.object-missing']) expect(ended[1]?.stdout).toContain(`${code} (`);
  expect(ended[2]?.stdout).toMatch(/inconclusive: schema of the newest dump[\s\S]*schema\.reference-missing[\s\S]*npm run check:schema -- --accept/);
  expect(ended[3]?.stdout).toContain('schema.reference-unreadable (');
  expect(ended[4]?.stderr).toMatch(/nothing can be recorded under .*reports \(ENOTDIR\)/);
  for (const here of [sick, lacking, absent, torn]) here.expectNothingLeft();
}, 60_000);

test('--real refuses to rehearse; wrong words say what to write', async () => {
  const here = place();
  here.configure({ stores: undefined, checks: [] });
  const wrong: [string[], RegExp][] = [
    [['--real'], /--real refuses to rehearse/],
    [['--date', '2026-11-24'], /a rehearsal has one set: --date needs/],
    [['--dump', 'x'], /go with --accept/],
    [['--accept', '--dump', '/nonexistent'], /cannot be read \(ENOENT\)/],
    [['--accept', '--dump', here.config, '--database', 'x'], /exclude each other/],
    [['--accept', '--database', 'postgres://u:secret@h/d'], /PGPASSWORD/],
    [['--accept', '--json'], /leave --json out/],
  ];
  const ended = await Promise.all(wrong.map(async ([words]) => check(here, ...words)));
  expect(ended.map(({ code, stdout }) => [code, stdout])).toEqual(wrong.map(() => [2, '']));
  for (const [at, [, complaint]] of wrong.entries()) expect(ended[at]?.stderr).toMatch(complaint);
  expect(existsSync(here.reports)).toBe(false);
}, 60_000);

needing('git').test('a rehearsal is labelled so, and in this checkout leaves git nothing to see', async () => {
  const here = place();
  here.configure({ stores: undefined, checks: [], expected: { tables: [], schemaReference: shipped } });
  const before = execFileSync('git', ['status', '--porcelain'], { cwd: join(import.meta.dirname, '../..'), encoding: 'utf8' });
  const [rehearsed, accepted] = [await check(here), await check(here, '--accept')];
  expect([rehearsed.code, accepted.code]).toEqual([0, 0]);
  expect(rehearsed.stdout).toMatch(/^check-rehearsal of whatsapp-mcp [\s\S]*this proves the harness, none of your backups/);
  expect(accepted.stdout).toContain('holds this schema already');
  expect(logged(here)).toEqual([]);
  expect(execFileSync('git', ['status', '--porcelain'], { cwd: join(import.meta.dirname, '../..'), encoding: 'utf8' })).toBe(before);
  here.expectNothingLeft();
}, 60_000);

describe('--accept', () => {
  const referenceOf = (here: CommandPlace): string => join(here.checks, 'schema.reference.json');

  test('writes what a dump holds, says what changed, and a second time writes nothing', async () => {
    const here = place();
    const set = freshSet(here.store, { sql: replaceText('display_name text NOT NULL', 'display_name character varying(80) NOT NULL') });
    const first = await check(here, '--accept');
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toMatch(/\n~ column display_name of public\.clients: type character varying\(80\), was text\n[\s\S]*are the reference now\. Read the diff/);
    const [before, after] = [readFileSync(shipped, 'utf8').split('\n'), readFileSync(referenceOf(here), 'utf8').split('\n')];
    expect(after.filter((line, at) => line !== before[at])).toEqual([expect.stringContaining('"name":"display_name"')]);
    const { mtimeMs } = statSync(referenceOf(here));
    // By the file itself, too: the same schema, whatever vouches for it.
    const again = await check(here, '--accept', '--dump', set.dumpFile);
    expect([again.code, statSync(referenceOf(here)).mtimeMs]).toEqual([0, mtimeMs]);
    expect(again.stdout).toContain('Nothing was written.');
    expect((await check(here, '--quiet')).code).toBe(0);
    here.expectNothingLeft();
  }, 60_000);

  test('refuses a dump that its manifest does not bind, one without a manifest, and one that holds no table', async () => {
    const [unbound, alone, empty, readOnly] = [place(), place(), place(), place()];
    freshSet(unbound.store, { dumpFile: (bytes) => Buffer.concat([bytes, Buffer.from('x')]), rebind: false });
    rmSync(freshSet(alone.store).manifestFile);
    const header = '--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 18.4\n-- Dumped by pg_dump version 18.6\n\n--\n-- PostgreSQL database dump complete\n--\n\n';
    freshSet(empty.store, { sql: () => Buffer.from(header) });
    freshSet(readOnly.store);
    rmSync(referenceOf(readOnly));
    mkdirSync(referenceOf(readOnly));
    const ended = await Promise.all([unbound, alone, empty, readOnly].map(async (here) => check(here, '--accept')));
    expect(ended.map(({ code }) => code)).toEqual([1, 1, 1, 2]);
    for (const [at, code] of ['dump.size-mismatch', 'manifest.missing', 'dump.no-tables', 'schema.reference-unwritable'].entries()) expect(ended[at]?.stdout).toContain(code);
    for (const { stdout } of ended) expect(stdout).toContain('The reference is as it was.');
    for (const here of [unbound, alone, empty]) expect(readFileSync(referenceOf(here), 'utf8')).toBe(readFileSync(shipped, 'utf8'));
    expect(readdirSync(readOnly.checks)).toEqual(['schema.reference.json']);
    for (const here of [unbound, alone, empty, readOnly]) here.expectNothingLeft();
  }, 60_000);

  const tools = needing('pg_dump18', 'embedded Postgres 18');
  tools.test('of a live database is that of its dump', async () => {
    const here = place(null);
    const scratch = openScratch({ root: tmpdir(), runId: `check-schema-${process.pid}` });
    try {
      const server = await startEmbedded({ scratch, major: 18, signal: AbortSignal.timeout(60_000) });
      const { admin } = server;
      const login = await loadCorpus(await prepareCorpus(server), 18, { name: 'live', encoding: 'UTF8', sql: 'CREATE TABLE clients (id integer PRIMARY KEY, note text); INSERT INTO clients VALUES (1)' });
      const connection = `host=${admin.host} port=${admin.port} user=${login.user} dbname=live`;
      const live = async (path: string, password: string): Promise<Ended> => start(here, ['--accept', '--database', connection], { PATH: path, PGPASSWORD: password }).ended;
      const path = `${dirname(tools.path('pg_dump18'))}:${process.env['PATH'] ?? ''}`;
      const [accepted, dumped] = [await live(path, login.password), join(here.root, 'live.sql.gz')];
      expect([accepted.code, accepted.stderr]).toEqual([0, '']);
      expect(accepted.stdout).toMatch(/: 4 objects of Postgres 18 are the first reference\. Read it and commit it: {2}git add -- /);
      writeFileSync(dumped, gzipSync(await program(tools.path('pg_dump18'), login, [])));
      expect((await check(here, '--accept', '--dump', dumped)).stdout).toContain('Nothing was written.');
      const refused = await live(path, 'wrong');
      expect(refused.code).toBe(2);
      expect(refused.stdout).toMatch(/schema\.source-failed[\s\S]*password authentication failed/);
    } finally {
      expect((await teardown(scratch.path)).findings).toEqual([]);
    }
    here.expectNothingLeft();
  }, 60_000);

  test('of a database that pg_dump cannot reach says so', async () => {
    const here = place();
    const { code, stdout } = await check(here, '--accept', '--database', `host=${here.root} dbname=x`);
    expect(code).toBe(2);
    expect(stdout).toContain('schema.source-failed');
    here.expectNothingLeft();
  }, 60_000);
});

describe('ended from outside, while it reads a store that never answers', () => {
  async function stalled(end: (running: Running) => void): Promise<{ here: CommandPlace; ended: Ended }> {
    const here = place();
    let asked: () => void = () => {};
    const request = new Promise<void>((resolve) => { asked = resolve; });
    const server = createServer(() => asked()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      here.configure({ checks: [], stores: [{ name: 's', kind: 's3', endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bucket: 'bbb', accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'KEY' } }] });
      const running = start(here, [], { ID: 'id', KEY: 'key' });
      await request;
      end(running);
      return { here, ended: await running.ended };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('Ctrl-C: the record tells, and nothing is left', async () => {
    const { here, ended } = await stalled(({ child }) => child.kill('SIGINT'));
    expect(ended.code).toBe(2);
    expect(here.records()).toMatchObject([{ kind: 'check', ended: 'interrupted', verdict: 'inconclusive' }]);
    expect(logged(here)).toEqual([expect.stringContaining('(interrupted)')]);
    here.expectNothingLeft();
  }, 60_000);

  test('kill -9: the next check logs it and removes what it left', async () => {
    const { here } = await stalled(({ child }) => process.kill(-(child.pid ?? 0), 'SIGKILL'));
    freshSet(here.store);
    here.configure({ checks: [] });
    const { code, stdout } = await check(here);
    expect(code, stdout).toBe(0);
    expect(stdout).toContain('note run.abandoned');
    expect(logged(here)).toEqual([expect.stringContaining('(abandoned)'), expect.stringContaining('verified: schema')]);
    here.expectNothingLeft();
  }, 60_000);
});
