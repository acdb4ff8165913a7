// One pass over a dump: what it lists of a healthy one, and what it refuses.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { sampleUnit } from '../../../fixtures/sample/unit.ts';
import { StepEnded } from '../../run/finding.ts';
import { inspectDump, type InspectOptions } from './inspect.ts';
import type { Inventory } from './inventory.ts';

const directory = mkdtempSync(join(tmpdir(), 'inspect-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function inspect(sql: string, options: InspectOptions = {}): Promise<Inventory> {
  const path = join(directory, 'dump.sql.gz');
  writeFileSync(path, gzipSync(Buffer.from(sql, 'latin1')));
  return inspectDump(path, options);
}
async function codesOf(sql: string, options: InspectOptions = {}): Promise<string[]> {
  try {
    await inspect(sql, options);
  } catch (error) {
    if (error instanceof StepEnded) return error.findings.map((finding) => finding.code);
    throw error;
  }
  return [];
}

const header = '--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 18.4\n-- Dumped by pg_dump version 18.6 (Debian 18.6-1)\n\n';
const footer = '\n--\n-- PostgreSQL database dump complete\n--\n';
const table = 'CREATE TABLE public.t (\n    id integer,\n    body text\n);\n';
const rows = 'COPY public.t (id, body) FROM stdin;\n1\tone\n2\t\\N\n\\.\n';
const healthy = `${header}${table}${rows}${footer}`;

describe('the sample, which the real pg_dump wrote', () => {
  test('is listed whole', async () => {
    const sample = sampleUnit();
    const found = await inspectDump(sample.dumpFile);
    const names = (list: readonly (readonly string[])[]): string[] => list.map((name) => name.join('.'));
    expect(found).toMatchObject({ serverMajor: 18, dumpMajor: 18, clientEncoding: 'UTF8', standardConformingStrings: true, restricted: true, database: null, largeObjects: 3, unknown: { count: 0, places: [] } });
    expect(found.extensions).toEqual([{ name: 'pgcrypto', schema: 'public' }, { name: 'citext', schema: 'public' }].toSorted((a, b) => a.name.localeCompare(b.name)));
    expect(found.roles).toEqual(['wa', 'wa_readonly']);
    expect(names(found.schemas)).toEqual(['reporting']);
    expect(found.tables.filter(({ kind }) => kind === 'partitioned').map(({ name }) => name.join('.'))).toEqual(['public.message_events']);
    expect(found.tables).toHaveLength(13);
    expect(Object.fromEntries(found.copies.map(({ name, rows: count }) => [name.at(-1), count]))).toMatchObject({ messages: 50_000, audit_events: 2000, api_keys: 36 });
    expect(found.copies).toHaveLength(12);
    expect(names(found.sequences).toSorted()).toEqual(['public.api_keys_id_seq', 'public.audit_events_id_seq', 'public.client_attributes_id_seq', 'public.maintenance_windows_id_seq', 'public.messages_id_seq', 'public.ticket_number_seq']);
    expect(names(found.triggers).toSorted()).toEqual(['public.audit_events.audit_events_append_only', 'public.audit_events.audit_events_chain', 'public.clients.clients_touch']);
    expect(names(found.policies)).toEqual(['public.api_keys.readonly_sees_live_keys']);
    expect(names(found.functions).toSorted()).toEqual(['public.audit_hash', 'public.chain_audit_event', 'public.hash_api_key', 'public.message_count', 'public.refuse_change', 'public.revoke_api_keys', 'public.touch_updated_at']);
    expect(names(found.materializedViews)).toEqual(['reporting.daily_volume']);
    expect(found.indexes).toHaveLength(12);
    expect(names(found.constraints)).toContain('public.support_tickets.support_tickets_client_id_fkey');
    // Every byte of the plain dump lies in one of its items, in order.
    const ordinals = Array.from(found.entries, ({ ordinal }) => ordinal);
    expect(ordinals).toHaveLength(found.entries.length);
    expect(ordinals).toEqual(ordinals.toSorted((a, b) => a - b));
  });
});

test('a healthy dump of one table', async () => {
  const found = await inspect(healthy);
  expect(found).toMatchObject({ serverVersion: '18.4', dumpVersion: '18.6 (Debian 18.6-1)', tables: [{ name: ['public', 't'], kind: 'table' }], decompressedBytes: healthy.length });
  expect(found.copies).toMatchObject([{ name: ['public', 't'], columns: ['id', 'body'], rows: 2, bytes: 11 }]);
});

test('what only looks like a statement is none: in data, in a comment, in a function body', async () => {
  const found = await inspect(
    `${header}${table}-- CREATE TABLE public.comment_only (id int);\n/* CREATE TABLE public.block_only (id int); */\n` +
      "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$ SELECT 'CREATE TABLE public.body_only (id int);' $$;\n" +
      `COPY public.t (id, body) FROM stdin;\n1\tCREATE TABLE public.row_only (id int);\n2\t-- PostgreSQL database dump complete\n\\.\n${footer}`,
  );
  expect(found.tables.map(({ name }) => name.at(-1))).toEqual(['t']);
});

describe('each thing that a dump of pg_dump is not', () => {
  test.each<[string, string, string[]]>([
    ['text of something else', 'SELECT 1;\n'.repeat(20), ['dump.header-missing']],
    ['the output of pg_dumpall', `--\n-- PostgreSQL database cluster dump\n--\n\n${table}`, ['dump.header-missing']],
    ['a byte order mark in front', `\xef\xbb\xbf${healthy}`, ['dump.header-missing']],
    ['gzip in gzip', gzipSync(healthy).toString('latin1'), ['dump.header-missing']],
    ['a tar-format dump', `toc.dat\0${'\0'.repeat(600)}`, ['dump.header-missing']],
    ['a header without versions', healthy.replace(/-- Dumped.*\n/g, ''), ['dump.header-missing']],
    ['no table in it', `${header}CREATE SCHEMA s;\n${footer}`, ['dump.no-tables']],
    ['no footer', healthy.slice(0, -footer.length), ['dump.footer-missing']],
    ['a footer that is cut in its last line', healthy.slice(0, -4), ['dump.footer-missing']],
    ['a footer in its data alone', `${header}${table}COPY public.t (id, body) FROM stdin;\n1\t${footer.trim().replaceAll('\n', '\\n')}\n\\.\n`, ['dump.footer-missing']],
    ['a \\restrict that nobody lifts', `${header}\\restrict abc\n${table}${footer}`, ['dump.footer-missing']],
    ['another dump behind it', `${healthy}${healthy}`, ['dump.after-footer']],
    ['a statement behind its end', `${healthy}DROP TABLE public.t;\n`, ['dump.after-footer']],
    ['a shell escape', healthy.replace(table, `\\! id\n${table}`), ['dump.meta-command']],
    ['a \\connect elsewhere', healthy.replace(table, `\\connect postgres\n${table}`), ['dump.meta-command']],
    ['rows from a program', healthy.replace(rows, "COPY public.t (id) FROM PROGRAM 'id';\n"), ['dump.copy-program']],
    ['rows from a file of the server', healthy.replace(rows, "COPY public.t (id) FROM '/etc/passwd';\n"), ['dump.copy-program']],
    ['a zero byte among its statements', healthy.replace(table, `\0${table}`), ['dump.syntax']],
    ['an encoding that hides quotes', healthy.replace(table, `SET client_encoding = 'SJIS';\n${table}`), ['dump.encoding-unsupported']],
    ['two things at once, both told', healthy.replace(rows, "COPY public.t (id) FROM PROGRAM 'id';\n\\! id\n"), ['dump.copy-program', 'dump.meta-command']],
  ])('%s', async (_, sql, codes) => {
    expect(await codesOf(sql)).toEqual(codes);
  });

  test('cut after any byte: never taken for whole', async () => {
    for (let end = header.length; end < healthy.length; end += 1) {
      expect(await codesOf(healthy.slice(0, end)), `cut after ${end} bytes`).toEqual([expect.stringMatching(/^dump\.(?:footer-missing|no-tables|header-missing)$/)]);
    }
  });
});

test('the constraints of tables are listed, not those of domains', async () => {
  const { constraints, entries } = await inspect(healthy.replace(rows, 'ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_key PRIMARY KEY (id);\nALTER DOMAIN public.d ADD CONSTRAINT d_check CHECK ((VALUE > 0)) NOT VALID;\n'));
  expect(constraints).toEqual([['public', 't', 't_key']]);
  expect(Array.from(entries, ({ kind }) => kind)).toEqual(['CREATE TABLE', 'ALTER TABLE … ADD CONSTRAINT PRIMARY KEY', 'ALTER DOMAIN … ADD CONSTRAINT CHECK']);
});

describe('a bomb of statements', () => {
  const maxInventoryBytes = 80_000;
  const thousand = (sql: (at: number) => string): string => healthy.replace(table, table + Array.from({ length: 1000 }, (_, at) => sql(at)).join(''));
  test.each<[string, string]>([
    ['of objects', thousand((at) => `CREATE SCHEMA s${at};\n`)],
    ['of settings', thousand((at) => `SET work_mem = ${at};\n`)],
    ['of one-row tables', thousand((at) => `INSERT INTO public.t${at} VALUES (1);\n`)],
    ['of roles', healthy.replace(table, `${table}GRANT SELECT ON TABLE public.t TO ${Array.from({ length: 1000 }, (_, at) => `r${at}`).join(', ')};\n`)],
    ['of long names', healthy.replace(table, `${table}CREATE SCHEMA ${'s'.repeat(100_000)};\n`)],
    ['of columns', healthy.replace('(id, body)', `(${'id, '.repeat(50_000)}body)`)],
  ])('%s ends where its list would outgrow the memory for it', async (_, sql) => {
    expect(await codesOf(sql, { maxInventoryBytes })).toEqual(['dump.too-many-statements']);
    expect(await codesOf(sql)).toEqual([]);
  });

  test('of what is one entry, or none, takes no more than one', async () => {
    for (const sql of ["INSERT INTO public.t VALUES (1, 'one');\n", 'SELECT 1;\n', '-- Name: t; Type: TABLE\n', ';']) {
      expect(await codesOf(thousand(() => sql), { maxInventoryBytes }), sql).toEqual([]);
    }
  });

  test('that are each a finding tells the first hundred, and whatever else there is', async () => {
    const codes = await codesOf(thousand(() => '\\! id\n').slice(0, -footer.length));
    expect(codes).toEqual([...Array.from({ length: 100 }, () => 'dump.meta-command'), 'dump.footer-missing']);
  });
});
