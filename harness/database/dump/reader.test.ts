import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scannedStatements } from '../../../fixtures/grammar.ts';
import { StepEnded } from '../../run/finding.ts';
import type { DumpItem } from './items.ts';
import { DumpReader } from './reader.ts';

/** The items of a text given in chunks, each copied so that no slice of another is seen; copy-data joined, since where it is cut is free. */
function read(chunks: readonly Buffer[], maxStatementBytes = 1 << 20): string[] {
  const reader = new DumpReader({ maxStatementBytes });
  const items = chunks.flatMap((chunk) => [...reader.push(Buffer.from(chunk))]);
  reader.end();
  return told(items);
}

function told(items: readonly DumpItem[]): string[] {
  const lines: string[] = [];
  let data = '';
  let rows = 0;
  for (const item of items) {
    const place = `${item.at.offset}/${item.at.line}`;
    if (item.kind === 'copy-data') {
      expect(item.data.at(-1)).toBe(10);
      expect(item.data.toString('latin1').split('\n').length - 1).toBe(item.rows);
      data += item.data.toString('latin1');
      rows += item.rows;
    } else if (item.kind === 'copy-end') {
      expect([item.rows, item.bytes]).toEqual([rows, data.length]);
      lines.push(`rows ${rows} ${data}`, `end ${place}`);
      data = '';
      rows = 0;
    } else {
      lines.push(`${item.kind} ${place} ${('sql' in item ? item.sql : item.line).toString('latin1')}`);
    }
  }
  return lines;
}

/** Kinds and texts alone. */
const split = (text: string): string[] => read([Buffer.from(text, 'latin1')]).map((line) => line.replace(/^(statement|copy|meta|comment|end) \d+\/\d+ ?/, '$1 '));

function code(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof StepEnded) return error.findings.map((finding) => finding.code).join(',');
    throw error;
  }
  return 'none';
}

describe('one statement stays one', () => {
  it.each([
    "SELECT 'a;b';",
    "SELECT 'it''s; ''';",
    "SELECT 'a\\';",
    "SELECT E'a\\';b';",
    "SELECT e'\\\\';",
    "SELECT E'a'';\\';b';",
    "SELECT E'a'\n  '\\';b';",
    "SELECT ename'\\';",
    "SELECT B'1', x'f\\', N'\\';",
    'SELECT ";" AS "a"";\'";',
    'SELECT $$;\'"$$;',
    'SELECT $a$;$b$;$$;$a$;',
    'SELECT $a$;$a$$a$;$a$;',
    'SELECT $$a$b$;$$;',
    'SELECT $_é$;$_é$;'.normalize('NFC'),
    'SELECT a$b;',
    'SELECT $1;',
    'SELECT 1$$;$$;',
    'SELECT /* ; /* ; */ ; */ 1;',
    'SELECT /*/* ; **/ ; */ 1;',
    'SELECT 1 -- ; \'\n + 2;',
    'SELECT 1 - 2 / 3 -/**/- 4;',
    'CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); DELETE FROM b;);',
    'CREATE FUNCTION f() RETURNS int LANGUAGE sql\n BEGIN ATOMIC SELECT CASE WHEN a THEN 1 ELSE 2 END; SELECT 2; END;',
    'CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT (CASE 1 WHEN 1 THEN 2 END), \'END\', "end"; END;',
    'CREATE FUNCTION public.begin() RETURNS int AS $$;$$;',
    'CREATE FUNCTION f(begin atomic) RETURNS int AS $$;$$;',
    'CREATE TABLE begin (atomic int);',
    'COPY t (a) TO STDOUT;',
    'SELECT (;);',
  ])('%s', (sql) => {
    expect(split(`${sql}\nSELECT 2;\n`)).toEqual([`statement ${Buffer.from(sql).toString('latin1') === sql ? sql : sql}`, 'statement SELECT 2;']);
  });
});

describe('statements part where they should', () => {
  it('E strings end at a quote that is not escaped; blanks without a line feed carry none on', () => {
    expect(split("SELECT E'a' 'b\\';SELECT 2;")).toEqual(["statement SELECT E'a' 'b\\';", 'statement SELECT 2;']);
    expect(split("SELECT E'a'||'b\\';SELECT 2;")).toEqual(["statement SELECT E'a'||'b\\';", 'statement SELECT 2;']);
    expect(split("SELECT E'a'-'b\\';SELECT 2;")).toEqual(["statement SELECT E'a'-'b\\';", 'statement SELECT 2;']);
    expect(split("SELECT E'a'/**/'b\\';SELECT 2;")).toEqual(["statement SELECT E'a'/**/'b\\';", 'statement SELECT 2;']);
  });

  it.each(['SET standard_conforming_strings = off;', 'SET SESSION standard_conforming_strings TO \'OFF\';', "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);"])('%s makes a backslash an escape', (off) => {
    expect(split(`${off}\nSELECT 'a\\';b';\nSET standard_conforming_strings = on;\nSELECT 'a\\';SELECT 3;\n`)).toEqual([
      `statement ${off}`, "statement SELECT 'a\\';b';", 'statement SET standard_conforming_strings = on;', "statement SELECT 'a\\';", 'statement SELECT 3;',
    ]);
  });

  it('at a bare carriage return, which ends a comment for psql and server alike', () => {
    expect(split('-- a\rSELECT 1;-- b\r\nSELECT 2 -- ;\r;\n')).toEqual(['comment -- a', 'statement SELECT 1;', 'comment -- b', 'statement SELECT 2 -- ;\r;']);
  });

  it('and empty ones are none', () => {
    expect(split(';;\n/* a */;\n')).toEqual([]);
  });
});

describe('COPY', () => {
  it('ends at a line that is exactly \\., whatever its rows look like', () => {
    const rows = ["SELECT 'x;", '\\\\.', '\\.x', ' \\.', '\\. ', 'a\\.', '-- c', '\\\\!', '', '$$', "E'", '--\n-- PostgreSQL database dump complete\n--', '\\N\t\xff\x00\x5c'];
    expect(split(`COPY "t;" (a) FROM stdin;\n${rows.join('\n')}\n\\.\nSELECT 1;\n`)).toEqual(['copy COPY "t;" (a) FROM stdin;', `rows ${rows.join('\n').split('\n').length} ${rows.join('\n')}\n`, 'end ', 'statement SELECT 1;']);
  });

  it('may be empty, twice in a row, or end in CRLF', () => {
    expect(split('COPY a FROM stdin;\n\\.\ncopy b from STDIN ;\r\n1\r\n\\.\r\n')).toEqual(['copy COPY a FROM stdin;', 'rows 0 ', 'end ', 'copy copy b from STDIN ;', 'rows 1 1\r\n', 'end ']);
  });

  it('of which only the name or a string mentions stdin has no rows here', () => {
    expect(split(`COPY "a FROM stdin" FROM 'b';\nSELECT 1;\n`)).toEqual([`statement COPY "a FROM stdin" FROM 'b';`, 'statement SELECT 1;']);
  });

  it('with text behind its semicolon is refused', () => {
    expect(code(() => split('COPY a FROM stdin; SELECT 1;\n\\.\n'))).toBe('dump.syntax');
  });
});

describe('bytes', () => {
  it('survive whatever they are', () => {
    const all = Buffer.from(Array.from({ length: 255 }, (_, index) => index + 1).filter((byte) => byte !== 0x27 && byte !== 0x0a && byte !== 0x5c));
    const sql = Buffer.concat([Buffer.from("SELECT '"), all, Buffer.from("';")]);
    const items = [...new DumpReader().push(Buffer.concat([sql, Buffer.from('\nCOPY a FROM stdin;\n'), all, Buffer.from('\n\\.\n')]))];
    expect(items.map((item) => item.kind)).toEqual(['statement', 'copy', 'copy-data', 'copy-end']);
    expect((items[0] as { sql: Buffer }).sql.equals(sql)).toBe(true);
    expect((items[2] as { data: Buffer }).data.equals(Buffer.concat([all, Buffer.from('\n')]))).toBe(true);
  });

  it('that are zero are refused outside of rows', () => {
    expect(code(() => split('SELECT 1;\n\0\0\0\0'))).toBe('dump.syntax');
    expect(code(() => split("SELECT 'a\0';"))).toBe('dump.syntax');
  });
});

describe('what psql would run', () => {
  it('a meta-command between statements is an item, also behind one on its line', () => {
    expect(split('SELECT 1; \\! id\n\\restrict a\r\n')).toEqual(['statement SELECT 1;', 'meta \\! id', 'meta \\restrict a']);
  });

  it.each(['SELECT 1 \\g | id\n;', 'SELECT \\! id\n1;', 'INSERT INTO t VALUES (\\set x `id`\n);'])('inside a statement ends the reading: %s', (sql) => {
    expect(code(() => split(sql))).toBe('dump.meta-command');
  });
});

describe('encodings in which a quote or a backslash can be half a character', () => {
  it.each(['SJIS', 'Shift_JIS', 'BIG5', 'GBK', 'GB18030', 'UHC', 'JOHAB', 'SHIFT_JIS_2004', 'WIN932', 'Windows949', 'WIN950', 'Win936'])('%s is refused', (encoding) => {
    expect(code(() => split(`SET client_encoding = '${encoding}';\n`))).toBe('dump.encoding-unsupported');
    expect(code(() => split(`SET NAMES '${encoding}';\n`))).toBe('dump.encoding-unsupported');
  });

  it.each(['UTF8', 'LATIN1', 'SQL_ASCII', 'EUC_JP', 'EUC_TW', 'WIN1252', 'KOI8R', 'MULE_INTERNAL'])('%s is not', (encoding) => {
    expect(split(`SET client_encoding = '${encoding}';\n`)).toEqual([`statement SET client_encoding = '${encoding}';`]);
  });
});

describe('an end in the midst of something', () => {
  it.each(['SELECT 1', "SELECT '", 'SELECT $$;', 'COPY a FROM stdin;', 'COPY a FROM stdin;\n1\n2\n', 'COPY a FROM stdin;\n1\n\\.', '-- c', '-', '/', '\\restrict a', '/* c', 'CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;'])('%j', (text) => {
    expect(code(() => split(`SELECT 1;\n${text}`))).toBe('dump.footer-missing');
    expect(code(() => split('SELECT 1;\n'))).toBe('none');
  });
});

describe('memory', () => {
  it('is capped for one statement and one row, and for nothing else', () => {
    const chunks = (text: string): Buffer[] => Array.from({ length: Math.ceil(text.length / 10) }, (_, index) => Buffer.from(text.slice(index * 10, index * 10 + 10)));
    expect(code(() => read(chunks(`SELECT '${'x'.repeat(200)}';\n`), 100))).toBe('dump.statement-too-large');
    expect(code(() => read(chunks(`COPY a FROM stdin;\n${'x'.repeat(200)}\n\\.\n`), 100))).toBe('dump.statement-too-large');
    expect(code(() => read(chunks(`COPY a FROM stdin;\n${'xxxxx\n'.repeat(200)}\\.\n${'SELECT 1;\n'.repeat(100)}`), 100))).toBe('none');
  });

  it('holds the tag of a dollar-quoted string as bytes, however long it is', () => {
    const reader = new DumpReader({ maxStatementBytes: 1 << 26 });
    const before = process.memoryUsage().heapUsed;
    const items = (bytes: Buffer) => [...reader.push(bytes)];
    items(Buffer.from('SELECT $'));
    for (let times = 0; times < 256; times += 1) items(Buffer.alloc(1 << 16, 'a'));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1 << 26);
    const [statement] = items(Buffer.concat([Buffer.from('$ $'), Buffer.alloc(1 << 24, 'a'), Buffer.from('$;\nSELECT 1;\n')]));
    expect(statement).toMatchObject({ kind: 'statement' });
  });
});

// Unquoted, `case` and `end` are no names where SQL stands, and pg_dump quotes them; only at the top does a reader not care.
const quotedName = fc.constantFrom('t', '"a;b"', 'begin', '"q""\'"', '"case"', '"end"', 'größe', 'a$b');
const name = fc.oneof(quotedName, fc.constantFrom('case', 'end'));
const literal = fc.oneof(
  // Behind an operator, since behind E'…' and a line feed it would carry that on, in which a backslash escapes.
  fc.string({ unit: fc.constantFrom('a', ';', "''", '\\', '"', '$', '-', '\n', 'é', '/', '*') }).map((text) => `|| '${text}'`),
  fc.string({ unit: fc.constantFrom('a', ';', "''", '\\\\', "\\'", '\\;', '"', '$$', '\n') }).map((text) => `E'${text}'`),
  fc.tuple(fc.constantFrom('', 'x', '_1'), fc.string({ unit: fc.constantFrom('a', ';', "'", '\\', '"', '$', 'x$', '$ $', '\n') })).filter(([tag, text]) => !`${text}$`.includes(`$${tag}$`)).map(([tag, text]) => `$${tag}$${text}$${tag}$`),
);
const comment = fc.constantFrom('/* ; \' */', '/*/*;*/*/', '-- ;\'"\n', '/***/');
const statementOf = (names: fc.Arbitrary<string>) => fc.tuple(fc.array(fc.oneof(names, names.map((alias) => `AS ${alias}`), literal, comment, fc.constantFrom('(a;b)', '-', '/', '+1', ',', '1.5e3'), fc.constant('\n')), { maxLength: 8 })).map(([parts]) => `SELECT ${parts.join(' ')};`);
const statement = statementOf(name);
const row = fc.string({ unit: fc.constantFrom('a', '\t', '\\\\', '\\N', '.', ';', "'", 'é', '$$', '--'), maxLength: 12 });
const copy = fc.tuple(name, fc.array(row, { maxLength: 6 })).map(([table, rows]) => `COPY ${table} FROM stdin;\n${rows.map((text) => `${text}\n`).join('')}\\.`);
const body = fc.array(statementOf(quotedName), { maxLength: 3 }).map((list) => `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC ${list.join(' ')} SELECT CASE WHEN 1 THEN 2 END; END;`);
const line = fc.constantFrom('-- Name: t; Type: TABLE', '--', '\\restrict abc', '\\unrestrict abc');
const piece = fc.oneof(statement, copy, body, line, fc.constantFrom('SET standard_conforming_strings = on;', 'BEGIN;', 'COMMIT;'));

describe('the same statements as for the scanner of Postgres', () => {
  it('for random SQL, comments and empty statements between', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(statement, comment, fc.constantFrom(';', '\n', 'SELECT ((1;) ;);', ');', ';;')), { maxLength: 12 }), (pieces) => {
        const text = pieces.join('\n');
        expect(read([Buffer.from(`${text}\n`), Buffer.from(';\n')]).filter((item) => item.startsWith('statement')).map((item) => Buffer.from(item.replace(/^\w+ \d+\/\d+ /, ''), 'latin1').toString())).toEqual(scannedStatements(`${text}\n;`));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the same items, wherever the chunks end', () => {
  it('for random pieces and random cuts', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 30 }), (pieces, cuts) => {
        const whole = Buffer.from(`${pieces.join('\n')}\n`);
        const items = read([whole]);
        // Every piece is one item, and its text is the piece.
        const texts = items.filter((item) => !/^(rows|end)/.test(item)).map((item) => item.replace(/^\w+ \d+\/\d+ /, ''));
        expect(texts).toEqual(pieces.map((text) => Buffer.from(text.startsWith('COPY') ? (text.split('\n')[0] as string) : text).toString('latin1')));
        const places = [...new Set([0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length])].sort((a, b) => a - b);
        expect(read(places.slice(1).map((end, index) => whole.subarray(places[index], end)))).toEqual(items);
        expect(read([...whole].map((byte) => Buffer.from([byte])))).toEqual(items);
      }),
      { numRuns: 400 },
    );
  });

  it('and no bytes at all make it throw anything but a finding', () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: fc.constantFrom('COPY t FROM stdin;', '\n', '\\.', "'", 'E\'', '$$', '$a$', '/*', '*/', '--', ';', '(', ')', 'CREATE ', 'BEGIN ATOMIC ', 'END', 'CASE ', '\\', '\0', '"', 'SET ', '\r'), maxLength: 40 }).map((text) => Buffer.from(text)));
    fc.assert(
      fc.property(bytes, (data) => {
        const whole = Buffer.from(data);
        const outcome = (chunks: readonly Buffer[]): string => {
          let items: string[] = [];
          const found = code(() => (items = read(chunks)));
          return `${found} ${items.join('|')}`;
        };
        expect(outcome([...whole].map((byte) => Buffer.from([byte])))).toBe(outcome([whole]));
      }),
      { numRuns: 400 },
    );
  });
});
