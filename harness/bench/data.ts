// A dump to measure with: plain SQL as pg_dump 18 writes it, of any size, the same for the same seed.
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export interface GeneratedDump {
  readonly path: string;
  readonly plainBytes: number;
  /** Rows by table, in the dump's order. */
  readonly rows: Readonly<Record<string, number>>;
}

const messagesPerMedia = 8;
const tables = {
  media_objects: { columns: 'id bigint NOT NULL, sha256 text NOT NULL, bytes bigint NOT NULL, kind text NOT NULL', names: 'id, sha256, bytes, kind' },
  messages: { columns: 'id bigint NOT NULL, chat text NOT NULL, sent_at timestamp with time zone NOT NULL, body text, meta jsonb NOT NULL, media_id bigint', names: 'id, chat, sent_at, body, meta, media_id' },
};

/** Writes about `bytes` of SQL, gzipped at pg_dump's usual level 6. */
export async function writeDump(path: string, options: { readonly seed: number; readonly bytes: number; readonly signal?: AbortSignal }): Promise<GeneratedDump> {
  const count = { plainBytes: 0, media: 0, messages: 0 };
  await write(path, dumpText(options, count), count, options.signal);
  return { path, plainBytes: count.plainBytes, rows: { media_objects: count.media, messages: count.messages } };
}

/** Writes about `bytes` of one table whose rows are of a megabyte each: half bytea, half jsonb. */
export async function writeWide(path: string, options: { readonly seed: number; readonly bytes: number; readonly signal?: AbortSignal }): Promise<GeneratedDump> {
  const count = { plainBytes: 0 };
  const rows = Math.max(1, Math.round(options.bytes / 1_000_000));
  await write(path, wideText(rows, randomBits(options.seed)), count, options.signal);
  return { path, plainBytes: count.plainBytes, rows: { wide: rows } };
}

/** Writes the dump of so many tables of two rows each (or so many), in pg_dump's order: each with an owner, an identity column, a key, an index, a reference, a comment and a grant. */
export async function writeTables(path: string, options: { readonly tables: number; readonly rows?: number; readonly signal?: AbortSignal }): Promise<GeneratedDump> {
  const count = { plainBytes: 0 };
  const rows = options.rows ?? 2;
  await write(path, tablesText(options.tables, rows), count, options.signal);
  return { path, plainBytes: count.plainBytes, rows: Object.fromEntries(Array.from({ length: options.tables }, (_, at) => [nameOf(at), rows])) };
}

async function write(path: string, text: Iterable<string>, count: { plainBytes: number }, signal: AbortSignal | undefined): Promise<void> {
  const bytes = function* (): Generator<Buffer> {
    for (const chunk of text) {
      const whole = Buffer.from(chunk);
      count.plainBytes += whole.length;
      yield whole;
    }
  };
  await pipeline(Readable.from(bytes(), { objectMode: false }), createGzip({ level: 6 }), createWriteStream(path, { mode: 0o600 }), { signal });
}

const preamble = "--\n-- PostgreSQL database dump\n--\n\n\\restrict bench\n\n-- Dumped from database version 18.4\n-- Dumped by pg_dump version 18.6\n\nSET statement_timeout = 0;\nSET lock_timeout = 0;\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);\nSET check_function_bodies = false;\nSET xmloption = content;\nSET client_min_messages = warning;\nSET row_security = off;\n\nSET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n";
const footer = '--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict bench\n\n';

const nameOf = (at: number): string => `tenant_${String(at).padStart(5, '0')}`;
const entry = (name: string, type: string, sql: string): string => `--\n-- Name: ${name}; Type: ${type}; Schema: public; Owner: app\n--\n\n${sql}\n\n\n`;

function* wideText(rows: number, random: () => number): Generator<string> {
  yield preamble;
  yield '--\n-- Name: wide; Type: TABLE; Schema: public; Owner: -\n--\n\nCREATE TABLE public.wide (\n    id bigint NOT NULL,\n    body bytea,\n    doc jsonb\n);\n\n\n--\n-- Data for Name: wide; Type: TABLE DATA; Schema: public; Owner: -\n--\n\nCOPY public.wide (id, body, doc) FROM stdin;\n';
  // Of one long text from here and there: to make a gigabyte word by word would take longer than to restore it.
  const text = hex(random, 1 << 18);
  const part = (length: number): string => text.slice(random() % (text.length - length)).slice(0, length);
  for (let id = 1; id <= rows; id += 1) {
    const values = Array.from({ length: 500 }, (_, at) => `"${at}": "${part(980)}"`).join(', ');
    yield `${id}\t\\\\x${part(500_000)}\t{${values}}\n`;
  }
  yield '\\.\n\n\n--\n-- Name: wide wide_pkey; Type: CONSTRAINT; Schema: public; Owner: -\n--\n\nALTER TABLE ONLY public.wide\n    ADD CONSTRAINT wide_pkey PRIMARY KEY (id);\n\n\n';
  yield footer;
}

function* tablesText(tables: number, rows: number): Generator<string> {
  const each = function* (sql: (name: string, at: number) => string): Generator<string> {
    for (let at = 0; at < tables; at += 1) yield sql(nameOf(at), at);
  };
  const more = Array.from({ length: rows - 1 }, (_, at) => `${at + 2}\t1\tsecond\t2026-11-24 00:00:01+00\t2.00\n`).join('');
  yield preamble;
  yield* each((name) => entry(name, 'TABLE', `CREATE TABLE public.${name} (\n    id bigint NOT NULL,\n    parent bigint,\n    name text DEFAULT 'none'::text NOT NULL,\n    at timestamp with time zone DEFAULT now(),\n    amount numeric(12,2),\n    CONSTRAINT ${name}_amount CHECK ((amount >= (0)::numeric))\n);\n\n\nALTER TABLE public.${name} OWNER TO app;`)
    + entry(`COLUMN ${name}.amount`, 'COMMENT', `COMMENT ON COLUMN public.${name}.amount IS 'of ${name}';`)
    + entry(`${name}_id_seq`, 'SEQUENCE', `ALTER TABLE public.${name} ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (\n    SEQUENCE NAME public.${name}_id_seq\n    START WITH 1\n    INCREMENT BY 1\n    NO MINVALUE\n    NO MAXVALUE\n    CACHE 1\n);`));
  yield* each((name) => entry(name, 'TABLE DATA', `COPY public.${name} (id, parent, name, at, amount) FROM stdin;\n1\t\\N\tfirst\t2026-11-24 00:00:00+00\t1.00\n${more}\\.`));
  yield* each((name) => entry(`${name}_id_seq`, 'SEQUENCE SET', `SELECT pg_catalog.setval('public.${name}_id_seq', ${rows}, true);`));
  yield* each((name) => entry(`${name} ${name}_pkey`, 'CONSTRAINT', `ALTER TABLE ONLY public.${name}\n    ADD CONSTRAINT ${name}_pkey PRIMARY KEY (id);`));
  yield* each((name) => entry(`${name}_by_name`, 'INDEX', `CREATE INDEX ${name}_by_name ON public.${name} USING btree (name);`));
  yield* each((name, at) => entry(`${name} ${name}_parent_fkey`, 'FK CONSTRAINT', `ALTER TABLE ONLY public.${name}\n    ADD CONSTRAINT ${name}_parent_fkey FOREIGN KEY (parent) REFERENCES public.${nameOf(Math.max(0, at - 1))}(id);`));
  yield* each((name) => entry(`TABLE ${name}`, 'ACL', `GRANT SELECT ON TABLE public.${name} TO reader;`));
  yield footer;
}

function* dumpText({ seed, bytes }: { seed: number; bytes: number }, count: { plainBytes: number; media: number; messages: number }): Generator<string> {
  const random = randomBits(seed);
  yield preamble;
  for (const [name, { columns }] of Object.entries(tables)) yield `--\n-- Name: ${name}; Type: TABLE; Schema: public; Owner: -\n--\n\nCREATE TABLE public.${name} (\n    ${columns.replaceAll(', ', ',\n    ')}\n);\n\n\n`;

  // Some 92 bytes for a media object and 300 for a message; the media come first, so their number is settled beforehand.
  count.media = Math.max(1, Math.round(bytes / (300 * messagesPerMedia + 92)));
  yield copyHead('media_objects');
  yield* batches(count.media, (id) => `${id}\t${hex(random, 8)}\t${random() % 5_000_000}\t${['image', 'voice', 'document'][random() % 3]}\n`);
  yield '\\.\n\n\n';
  yield copyHead('messages');
  const media = count.media;
  while (count.plainBytes < bytes) {
    const from = count.messages;
    count.messages += batchRows;
    yield* batches(batchRows, (id) => message(from + id, media, random));
  }
  yield '\\.\n\n\n';
  yield "--\n-- Name: media_objects media_objects_pkey; Type: CONSTRAINT; Schema: public; Owner: -\n--\n\nALTER TABLE ONLY public.media_objects\n    ADD CONSTRAINT media_objects_pkey PRIMARY KEY (id);\n\n\n--\n-- Name: messages messages_pkey; Type: CONSTRAINT; Schema: public; Owner: -\n--\n\nALTER TABLE ONLY public.messages\n    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);\n\n\n--\n-- Name: messages_by_chat; Type: INDEX; Schema: public; Owner: -\n--\n\nCREATE INDEX messages_by_chat ON public.messages USING btree (chat, sent_at);\n\n\n--\n-- Name: messages messages_media_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -\n--\n\nALTER TABLE ONLY public.messages\n    ADD CONSTRAINT messages_media_id_fkey FOREIGN KEY (media_id) REFERENCES public.media_objects(id);\n\n\n";
  yield footer;
}

const batchRows = 500;

function copyHead(name: keyof typeof tables): string {
  return `--\n-- Data for Name: ${name}; Type: TABLE DATA; Schema: public; Owner: -\n--\n\nCOPY public.${name} (${tables[name].names}) FROM stdin;\n`;
}

/** Rows 1 to `count`, a batch at a time: a chunk per row would measure the generator. */
function* batches(count: number, row: (id: number) => string): Generator<string> {
  for (let from = 1; from <= count; from += batchRows) {
    yield Array.from({ length: Math.min(batchRows, count - from + 1) }, (_, at) => row(from + at)).join('');
  }
}

const words = ['your', 'order', 'tomorrow', 'Grüße', 'okay', 'invoice', 'delivered', 'call', '👍', 'the', 'meeting', 'moved', 'to', 'please', 'confirm', 'address', 'ça', 'va', 'line\\nbreak', 'tab\\there', 'back\\\\slash'];

function message(id: number, media: number, random: () => number): string {
  const body = random() % 50 === 0 ? '\\N' : Array.from({ length: 8 + (random() % 30) }, () => words[random() % words.length]).join(' ');
  const sentAt = new Date(1_700_000_000_000 + id * 1_000 + (random() % 1_000)).toISOString().replace('T', ' ').replace('Z', '+00');
  const mediaId = id % messagesPerMedia === 0 ? String(1 + (random() % media)) : '\\N';
  return `${id}\t${hex(random, 2)}@chat\t${sentAt}\t${body}\t{"to": "${hex(random, 2)}", "wamid": "${hex(random, 4)}", "status": ${random() % 5}}\t${mediaId}\n`;
}

function hex(random: () => number, words32: number): string {
  return Array.from({ length: words32 }, () => random().toString(16).padStart(8, '0')).join('');
}

/** 32 bits a call, by xorshift (G. Marsaglia, 2003): repeatable, which Math.random is not. */
function randomBits(seed: number): () => number {
  let state = (seed * 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
