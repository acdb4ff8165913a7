// Makes the throw-away database: named as the dump names its own, in the encoding and collation that the manifest
// recorded, else that the dump's CREATE DATABASE states, else that its client_encoding allows.
import type { Client } from 'pg';
import { DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import { StepEnded } from '../../run/finding.ts';
import type { DumpItem } from '../dump/items.ts';
import { restoreFindings } from './findings.ts';

export interface DatabaseSettings {
  /** `UTF8`, as pg_encoding_to_char says. */
  readonly encoding: string;
  readonly provider: 'libc' | 'icu' | 'builtin';
  readonly collate: string;
  readonly ctype: string;
  /** The locale of ICU or of the built-in provider; null with libc. */
  readonly locale: string | null;
  readonly icuRules: string | null;
}

export type SettingsSource = 'manifest' | 'dump' | 'client_encoding';

/** What stands before a dump's first object. */
export interface DumpHead {
  readonly createDatabase: string | null;
  readonly clientEncoding: string;
}

/** Reads as far as the first object and no further. */
export async function readHead(items: AsyncIterable<readonly DumpItem[]>): Promise<DumpHead> {
  let createDatabase: string | null = null;
  let clientEncoding = 'UTF8';
  for await (const batch of items) {
    for (const item of batch) {
      if (item.kind === 'copy') return { createDatabase, clientEncoding };
      if (item.kind !== 'statement') continue;
      const sql = item.sql.subarray(0, 4000).toString('latin1');
      const encoding = /^SET client_encoding (?:=|TO) '?([\w-]+)'?;$/i.exec(sql)?.[1];
      if (encoding !== undefined) clientEncoding = encoding;
      else if (/^CREATE DATABASE /i.test(sql)) createDatabase = sql;
      else if (/^CREATE |^INSERT /i.test(sql)) return { createDatabase, clientEncoding };
    }
  }
  return { createDatabase, clientEncoding };
}

export async function createDatabase(maintenance: Client, wish: { readonly name: string | null; readonly owner: string; readonly settings: DatabaseSettings | null; readonly head: DumpHead }): Promise<{ name: string; from: SettingsSource }> {
  const name = wish.name === null || /^template[01]$/.test(wish.name) ? 'restored' : wish.name;
  // The server's own `postgres` holds nothing; a dump of a database of that name takes its place.
  if (name === 'postgres') await maintenance.query('DROP DATABASE IF EXISTS postgres');
  const { options, from, encoding, locale } = settingsOf(wish.settings, wish.head);
  try {
    await maintenance.query(`CREATE DATABASE ${escapeIdentifier(name)} OWNER ${escapeIdentifier(wish.owner)} TEMPLATE template0 ${options}`);
  } catch (error) {
    // Unknown locale or encoding, or the two do not go together.
    if (!(error instanceof DatabaseError) || !['22023', '42809', '42704', '0A000', '42602'].includes(error.code ?? '')) throw error;
    throw new StepEnded(restoreFindings.find('restore.locale-unavailable', { encoding, locale }));
  }
  return { name, from };
}

interface Options {
  readonly options: string;
  readonly from: SettingsSource;
  readonly encoding: string;
  readonly locale: string;
}

function settingsOf(manifest: DatabaseSettings | null, head: DumpHead): Options {
  if (manifest !== null) {
    const { encoding, provider, collate, ctype, locale, icuRules } = manifest;
    const parts = [`ENCODING ${escapeLiteral(encoding)} LC_COLLATE ${escapeLiteral(collate)} LC_CTYPE ${escapeLiteral(ctype)}`];
    // Not named for libc: 13 and 14 know no provider.
    if (provider !== 'libc') parts.push(`LOCALE_PROVIDER ${provider} ${provider === 'icu' ? 'ICU_LOCALE' : 'BUILTIN_LOCALE'} ${escapeLiteral(locale ?? '')}`);
    if (icuRules !== null) parts.push(`ICU_RULES ${escapeLiteral(icuRules)}`);
    return { options: parts.join(' '), from: 'manifest', encoding, locale: locale ?? collate };
  }
  if (head.createDatabase !== null) {
    const option = (key: string) => new RegExp(String.raw`\b${key} = ('(?:[^']|'')*'|\w+)`, 'i').exec(head.createDatabase ?? '')?.[1];
    const keys = ['ENCODING', 'LOCALE_PROVIDER', 'LOCALE', 'LC_COLLATE', 'LC_CTYPE', 'ICU_LOCALE', 'ICU_RULES', 'BUILTIN_LOCALE'];
    const given = keys.flatMap((key) => {
      const value = option(key);
      // Not named for libc here either: a newer pg_dump names it to 13 and 14.
      return value === undefined || (key === 'LOCALE_PROVIDER' && /libc/i.test(value)) ? [] : [[key, value] as const];
    });
    const plain = (key: string) => (option(key) ?? '').replaceAll("'", '');
    return { options: given.map(([key, value]) => `${key} = ${value}`).join(' '), from: 'dump', encoding: plain('ENCODING'), locale: plain('LOCALE') || plain('LC_COLLATE') };
  }
  const client = head.clientEncoding.toUpperCase();
  // Encodings that a client may have and a database may not.
  const encoding = ['SJIS', 'BIG5', 'GBK', 'UHC', 'GB18030', 'JOHAB', 'SHIFT_JIS_2004'].includes(client) ? 'UTF8' : client;
  const locale = encoding === 'UTF8' ? '' : " LC_COLLATE 'C' LC_CTYPE 'C'";
  return { options: `ENCODING ${escapeLiteral(encoding)}${locale}`, from: 'client_encoding', encoding, locale: locale === '' ? 'default' : 'C' };
}
