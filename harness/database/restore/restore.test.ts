import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startOther } from '../../../fixtures/other-server.ts';
import { needing } from '../../../fixtures/tools.ts';
import type { DumpItem } from '../dump/items.ts';
import { items, openRig, query, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
}, 60_000);
afterAll(async () => {
  await rig.close();
}, 60_000);

const head = `SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
`;
let made = 0;
/** A dump of our own hand, and the codes that its restore ends with. */
const codes = async (sql: string | Buffer, options?: Parameters<Rig['findings']>[1]) => (await rig.findings(rig.dump(`t${made++}`, Buffer.concat([Buffer.from(head), Buffer.from(sql)])), options)).map((finding) => finding.code);
const one = async (sql: string) => {
  const findings = await rig.findings(rig.dump(`t${made++}`, head + sql));
  expect(findings).toHaveLength(1);
  return findings[0]!;
};
const restored = (sql: string | Buffer, options?: Parameters<Rig['restore']>[1]) => rig.restore(rig.dump(`t${made++}`, Buffer.concat([Buffer.from(head), Buffer.from(sql)])), options);

const healthy = `CREATE TABLE public.t (id integer NOT NULL, body text);
ALTER TABLE public.t OWNER TO wa;
COPY public.t (id, body) FROM stdin;
1	one
2	two
\\.
ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);
CREATE POLICY nobody ON public.t USING (false);
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
`;

describe('a healthy dump', () => {
  test('comes back whole, for a checker that reads past policies and writes nothing', async () => {
    const { checker, admin, evidence } = await restored(healthy);
    expect(await query(checker, 'SELECT id, body FROM public.t ORDER BY 1')).toEqual([{ id: 1, body: 'one' }, { id: 2, body: 'two' }]);
    await expect(query(checker, 'CREATE TABLE public.mine ()')).rejects.toThrow(/read-only/);
    await expect(query(checker, 'SET default_transaction_read_only = off; INSERT INTO public.t VALUES (3)')).rejects.toThrow(/read-only/);
    await expect(query(checker, 'BEGIN READ WRITE; INSERT INTO public.t VALUES (3)')).rejects.toThrow(/permission denied/);
    expect(await query(checker, 'SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user')).toEqual([{ rolsuper: false, rolcreaterole: false }]);
    expect(await query(admin, "SELECT tableowner FROM pg_tables WHERE schemaname = 'public'")).toEqual([{ tableowner: 'wa' }]);
    expect(await query(admin, "SELECT rolname FROM pg_roles WHERE rolname ~ '^(restorer|filler)_'")).toEqual([]);
    expect(evidence).toMatchObject({ tablesCopied: 1, rowsCopied: '2', bytesCopied: '12', rolesCreated: ['wa'], settingsFrom: 'client_encoding' });
    expect(await query(admin, "SELECT rolcanlogin OR rolsuper AS may FROM pg_roles WHERE rolname = 'wa'")).toEqual([{ may: false }]);
  });

  test('without owners belongs to the configured role, or to one of ours that has no rights', async () => {
    const bare = 'CREATE TABLE public.t (id integer);\nCREATE FUNCTION public.f() RETURNS name LANGUAGE sql SECURITY DEFINER AS $$ SELECT current_user $$;\n';
    const nobody = await restored(bare);
    expect(await query(nobody.checker, 'SELECT public.f()')).toEqual([{ f: 'restored_owner' }]);
    const ours = await restored(bare, { owner: 'Zoë "Q"' });
    expect(await query(ours.checker, 'SELECT public.f()')).toEqual([{ f: 'Zoë "Q"' }]);
  });

  test('keeps the bytes of LATIN1 and SQL_ASCII', async () => {
    for (const encoding of ['LATIN1', 'SQL_ASCII']) {
      const sql = Buffer.from(`SET client_encoding = '${encoding}';
CREATE TABLE public.t (a text DEFAULT '\xe9', "n\xfc" int);
ALTER TABLE public.t OWNER TO wa;
COMMENT ON TABLE public.t IS '\xe4';
COPY public.t (a, "n\xfc") FROM stdin;
\xdf\xff	1
\\.
INSERT INTO public.t ("n\xfc") VALUES (2);
`, 'latin1');
      const { admin } = await restored(sql);
      const rows = await query(admin, "SELECT encode(convert_to(a, getdatabaseencoding()), 'hex') AS a, encode(convert_to(obj_description('public.t'::regclass), getdatabaseencoding()), 'hex') AS comment, getdatabaseencoding() AS encoding FROM public.t ORDER BY 1");
      expect(rows).toEqual([{ a: 'dfff', comment: 'e4', encoding }, { a: 'e9', comment: 'e4', encoding }]);
    }
  });

  test('drops nothing where --clean finds nothing to drop, and only at its head', async () => {
    const { evidence } = await restored(`DROP TABLE public.t;\nALTER TABLE ONLY gone.t DROP CONSTRAINT c;\n${healthy}`);
    expect(evidence.statements.absentDrops).toBe(2);
    expect(await codes(`${healthy}DROP TABLE public.gone;\n`)).toEqual(['restore.statement-failed']);
  });

  test('passes over what a pg_dump of another version writes for its server, and over nothing else', async () => {
    const { evidence, checker } = await restored(`SET no_such_timeout = 0;\n${healthy}ALTER TABLE ONLY public.t ALTER COLUMN body SET (pg_attver=282258496);\n`);
    expect(evidence.statements.unknownSettings).toBe(2);
    expect(await query(checker, 'SELECT count(*)::int AS n FROM public.t')).toEqual([{ n: 2 }]);
    for (const lost of ['SET no_such_setting = off;', 'SET no_such_timeout = 5;', 'ALTER TABLE ONLY public.t ALTER COLUMN body SET (n_dist=5);']) {
      expect(await codes(`${healthy}${lost}\n`)).toEqual(['restore.statement-failed']);
    }
  });

  test('may fill a materialised view as its owner', async () => {
    const { checker, evidence } = await restored(`${healthy}CREATE MATERIALIZED VIEW public.mv AS SELECT current_user AS who, count(*) AS n FROM public.t WITH NO DATA;\nALTER MATERIALIZED VIEW public.mv OWNER TO wa;\nREFRESH MATERIALIZED VIEW public.mv;\n`);
    expect(await query(checker, 'SELECT * FROM public.mv')).toEqual([{ who: 'wa', n: '2' }]);
    expect(evidence.statements.viewOwner).toBe(1);
  });
});

const other = needing('initdb15', 'postgres15');
other.describe('a database of Postgres 15', () => {
  test('holds objects in public, which there is its owner\'s by inheritance alone', async () => {
    const { admin, stop } = await startOther(other.path('initdb15'), other.path('postgres15'));
    try {
      const there = await restored(`SET transaction_timeout = 0;\n${healthy}CREATE MATERIALIZED VIEW public.mv AS SELECT current_user AS who FROM public.t LIMIT 1 WITH NO DATA;\nALTER MATERIALIZED VIEW public.mv OWNER TO wa;\nREFRESH MATERIALIZED VIEW public.mv;\n`, { server: { runtime: 'embedded', major: 15, version: '15', admin } });
      expect(await query(there.checker, 'SELECT who, body FROM public.mv, public.t ORDER BY body')).toEqual([{ who: 'wa', body: 'one' }, { who: 'wa', body: 'two' }]);
      expect(await query(there.admin, "SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = 'public'")).toEqual([{ owner: 'pg_database_owner' }]);
    } finally {
      await stop();
    }
  }, 30_000);
});

test('the limits that an application gave its database do not hold for the drill, and come back', async () => {
  const settings = ["statement_timeout TO '1ms'", "lock_timeout TO '1ms'", "idle_in_transaction_session_timeout TO '1ms'", "idle_session_timeout TO '1ms'", "transaction_timeout TO '1ms'", "default_transaction_read_only TO 'on'", "log_min_duration_statement TO '1s'", "session_replication_role TO 'replica'", "standard_conforming_strings TO 'off'"];
  const { admin, checker } = await rig.restore(rig.dump('limits', `SET client_encoding = 'UTF8';\nCREATE DATABASE limits WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C';\n${settings.map((one) => `ALTER DATABASE limits SET ${one};\n`).join('')}\\connect limits\n${head}SET statement_timeout = 0;\nCREATE MATERIALIZED VIEW public.mv AS SELECT 1 AS one FROM pg_catalog.pg_sleep(0.05) WITH NO DATA;\nALTER MATERIALIZED VIEW public.mv OWNER TO wa;\nREFRESH MATERIALIZED VIEW public.mv;\n`));
  const [made] = await query(admin, 'SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0');
  expect(made?.['setconfig']).toHaveLength(settings.length);
  for (const login of [admin, checker]) expect(await query(login, 'BEGIN; SELECT pg_sleep(0.05); SELECT count(*)::int FROM public.mv')).toEqual([{ count: 1 }]);
});

describe('a dump that cannot be restored', () => {
  test('names statement, line and SQLSTATE, and no row', async () => {
    const finding = await one(`${healthy}CREATE VIEW public.v AS SELECT nothing FROM public.t;\n`);
    expect(finding).toMatchObject({ code: 'restore.statement-failed', facts: { sqlstate: '42703', condition: 'undefined column', kind: 'CREATE VIEW', object: 'public.v', line: 15, copyRow: null } });
  });

  test('names the row of a COPY, and not its value', async () => {
    const finding = await one(healthy.replace('2	two', 'secret, line 7	two'));
    expect(finding).toMatchObject({ code: 'restore.statement-failed', facts: { sqlstate: '22P02', object: 'public.t', line: 10, copyRow: 2 } });
    expect(JSON.stringify(finding)).not.toMatch(/secret/);
  });

  test('names the row that fails while megabytes behind it are on their way', async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => `${i + 10}\t${'x'.repeat(500)}\n`).join('');
    const [finding] = await rig.findings(rig.dump('early', head + healthy.replace('1\tone\n', `1\tone\nno number\t\n${rows}`)));
    expect(finding).toMatchObject({ code: 'restore.statement-failed', facts: { sqlstate: '22P02', copyRow: 2 } });
  });

  test('names the constraint that its rows break', async () => {
    const doubled = await one(healthy.replace('2	two', '1	secret'));
    expect(doubled).toMatchObject({ code: 'restore.constraint-violated', facts: { sqlstate: '23505', constraint: 't_pkey', table: 't' } });
    expect(JSON.stringify(doubled)).not.toMatch(/secret|\(1\)/);
    const orphan = await one(`${healthy}CREATE TABLE public.c (t integer);\nCOPY public.c (t) FROM stdin;\n4711\n\\.\nALTER TABLE ONLY public.c ADD CONSTRAINT c_t_fkey FOREIGN KEY (t) REFERENCES public.t(id);\n`);
    expect(orphan).toMatchObject({ code: 'restore.constraint-violated', facts: { sqlstate: '23503', constraint: 'c_t_fkey', table: 'c' } });
    expect(JSON.stringify(orphan)).not.toMatch(/4711/);
  });

  test('says which extensions the server lacks, all at once and before anything runs', async () => {
    const finding = await one(`CREATE EXTENSION zzz;\nCREATE EXTENSION citext;\nCREATE EXTENSION yyy;\n${healthy}`);
    expect(finding).toMatchObject({ code: 'restore.extension-unavailable', judged: false, facts: { extensions: ['yyy', 'zzz'], packages: ['postgresql-18-yyy', 'postgresql-18-zzz'] } });
  });

  test('says which locale the server lacks', async () => {
    const create = "CREATE DATABASE app WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'xx_XX.UTF-8';\n\\connect app\n";
    const finding = await one(create + healthy);
    expect(finding).toMatchObject({ code: 'restore.locale-unavailable', judged: false, facts: { encoding: 'UTF8', locale: 'xx_XX.UTF-8' } });
  });

  test('is caught when the server stored fewer rows than were sent', async () => {
    const swallow = "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;\nCREATE TRIGGER s BEFORE INSERT ON public.t FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION public.swallow();\n";
    expect(await one(healthy.replace('COPY', () => `${swallow}COPY`))).toMatchObject({ code: 'restore.copy-count-differs', facts: { sent: 2, stored: 1, table: 'public.t' } });
  });

  test('is caught when it leaves a transaction open', async () => {
    expect(await codes(`BEGIN;\n${healthy}`)).toEqual(['restore.transaction-open']);
  });

  test('is caught when the file changed since it was inspected', async () => {
    const other = rig.dump('other', head + healthy.replace('ALTER TABLE public.t OWNER TO wa;\n', ''));
    expect(await codes(healthy, { items: () => items(other) })).toEqual(['restore.dump-changed']);
    const cut = rig.dump('cut', (head + healthy).slice(0, (head + healthy).indexOf('CREATE POLICY')));
    expect(await codes(healthy, { items: () => items(cut) })).toEqual(['restore.dump-changed']);
  });

  test('is told apart from a full disk and from too little memory', async () => {
    const raise = (state: string) => `DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${state}'; END $$;\n`;
    expect(await codes(healthy + raise('53100'))).toEqual(['restore.disk-full']);
    expect(await codes(healthy + raise('53200'))).toEqual(['restore.out-of-memory']);
  });

  test('refuses commands to psql', async () => {
    const file = rig.dump('meta', head + healthy);
    const meta: DumpItem = { kind: 'meta', line: Buffer.from('\\! id'), at: { offset: 0, line: 1 } };
    const findings = await rig.findings(file, { items: async function* () { yield [meta]; } });
    expect(findings).toMatchObject([{ code: 'restore.statement-refused', facts: { kind: '\\!' } }]);
  });
});

describe('a hostile dump gets no rights', () => {
  const asks = [
    'ALTER SYSTEM SET archive_command = $$id$$;',
    'CREATE ROLE evil SUPERUSER;',
    'DROP ROLE wa;',
    'ALTER ROLE wa SUPERUSER;',
    'GRANT pg_read_server_files TO PUBLIC;',
    'GRANT pg_execute_server_program TO "wa ON TABLE x";',
    'SET ROLE wa;',
    'SET SESSION AUTHORIZATION wa;',
    "SELECT pg_catalog.pg_read_file('PG_VERSION');",
    "SELECT pg_catalog.lo_import('/etc/passwd');",
    "COPY public.t FROM PROGRAM 'id';",
    "COPY public.t (body) FROM '/etc/passwd';",
    "COPY public.t TO '/tmp/backup-drills-evil';",
    "DO $$ BEGIN ALTER ROLE wa SUPERUSER; END $$;",
    "DO $$ BEGIN EXECUTE 'SET ROLE wa'; END $$;",
    "CREATE FUNCTION public.f(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all';",
    "CREATE FUNCTION public.f(text) RETURNS text LANGUAGE c AS '$libdir/dblink', 'dblink_connect';",
    "CREATE FUNCTION public.f() RETURNS void LANGUAGE c AS '/tmp/evil.so', 'f';",
    'CREATE FOREIGN DATA WRAPPER w VALIDATOR public.evil;',
    'ALTER FUNCTION public.evil() OWNER TO CURRENT_USER; ALTER ROLE wa SUPERUSER;',
    'COMMENT ON TABLE public.t IS $$x$$; ALTER ROLE wa SUPERUSER;',
    'ALTER DATABASE restored SET session_preload_libraries = $$x$$;',
    'CREATE LANGUAGE evil HANDLER plpgsql_call_handler VALIDATOR public.evil;',
    "CREATE SUBSCRIPTION s CONNECTION 'host=localhost' PUBLICATION p WITH (connect = false, enabled = true);",
  ];
  for (const sql of asks) {
    test(sql, async () => {
      const evil = 'CREATE FUNCTION public.evil() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE wa SUPERUSER; RETURN 1; END $$;\n';
      const findings = await rig.findings(rig.dump(`h${made++}`, `${head}${healthy}${evil}${sql}\n`));
      // Two statements in one message, and what no ordinary role may even word, fail by other SQLSTATEs.
      const codes = /; ALTER|SUBSCRIPTION|TO PUBLIC/.test(sql) ? /^restore\.(?:permission-denied|statement-failed|statement-refused)$/ : /^restore\.(?:permission-denied|statement-refused|library-refused|untrusted-code)$/;
      expect(findings.map((finding) => finding.code)).toEqual([expect.stringMatching(codes)]);
      expect(await query(rig.target.admin, "SELECT rolname FROM pg_roles WHERE rolname = 'evil' OR rolname = 'wa' AND rolsuper")).toEqual([]);
    });
  }

  const body = 'CREATE FUNCTION public.evil(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_catalog.pg_read_file($x$PG_VERSION$x$); RETURN 1; END $$;\n';
  const evaluates: readonly (readonly [string, string])[] = [
    ['a CHECK', 'CREATE TABLE public.e (a integer CHECK (public.evil(a) = 1));\nCOPY public.e (a) FROM stdin;\n1\n\\.\n'],
    ['a default', 'CREATE TABLE public.e (a integer, b integer DEFAULT public.evil(1));\nCOPY public.e (a) FROM stdin;\n1\n\\.\n'],
    ['a generated column', 'CREATE TABLE public.e (a integer, b integer GENERATED ALWAYS AS (public.evil(a)) STORED);\nCOPY public.e (a) FROM stdin;\n1\n\\.\n'],
    ['an index expression', 'CREATE TABLE public.e (a integer);\nCOPY public.e (a) FROM stdin;\n1\n\\.\nCREATE INDEX ON public.e (public.evil(a));\n'],
    ['a domain', 'CREATE DOMAIN public.d AS integer CHECK (public.evil(VALUE) = 1);\nCREATE TABLE public.e (a public.d);\nCOPY public.e (a) FROM stdin;\n1\n\\.\n'],
    ['a materialised view', 'CREATE MATERIALIZED VIEW public.e AS SELECT public.evil(1) WITH NO DATA;\nALTER MATERIALIZED VIEW public.e OWNER TO wa;\nREFRESH MATERIALIZED VIEW public.e;\n'],
  ];
  for (const [where, sql] of evaluates) {
    test(`in ${where}`, async () => {
      expect(await codes(healthy + body + sql)).toEqual(['restore.permission-denied']);
      expect(await query(rig.target.admin, "SELECT FROM pg_roles WHERE rolname = 'wa' AND rolsuper")).toEqual([]);
    });
  }

  test('in an event trigger, which is made and never fires', async () => {
    const { admin, checker } = await restored(`${healthy}CREATE FUNCTION public.evil() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE wa SUPERUSER; END $$;
CREATE EVENT TRIGGER one ON ddl_command_start EXECUTE FUNCTION public.evil();
ALTER EVENT TRIGGER one OWNER TO wa;
CREATE EVENT TRIGGER two ON login EXECUTE FUNCTION public.evil();
GRANT SELECT ON TABLE public.t TO wa;
COMMENT ON EVENT TRIGGER one IS 'x';
`);
    await query(checker, 'SELECT 1');
    expect(await query(admin, 'SELECT evtname, evtowner::regrole::text AS owner FROM pg_event_trigger WHERE evtname = $$one$$')).toEqual([{ evtname: 'one', owner: 'wa' }]);
    expect(await query(admin, "SELECT FROM pg_roles WHERE rolname = 'wa' AND rolsuper")).toEqual([]);
  });

  test('by taking over what it did not make', async () => {
    const finding = await one(`${healthy}ALTER FUNCTION pg_catalog.pg_read_file(text) OWNER TO wa;\n`);
    expect(finding).toMatchObject({ code: 'restore.statement-refused', facts: { object: 'pg_catalog.pg_read_file(pg_catalog.text)' } });
  });
});

describe('a server that goes away', () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => `${i + 10}\t${'x'.repeat(200)}\n`).join('');
  const large = healthy.replace('1	one\n', rows);

  test('is an obstacle when its backend is killed in mid-COPY', async () => {
    const server = await rig.server();
    const file = rig.dump('large', head + large);
    const killing = async function* () {
      for await (const batch of items(file)) {
        for (const item of batch) {
          yield [item];
          if (item.kind === 'copy') {
            const [backend] = await query(server.admin, "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'restorer\\_%'");
            process.kill(Number(backend?.['pid']), 'SIGKILL');
          }
        }
      }
    };
    let first = true;
    const findings = await rig.findings(file, { server, items: () => { if (first) { first = false; return items(file); } return killing(); } });
    expect(findings).toMatchObject([{ code: 'restore.server-died', judged: false }]);
  });

  test('is an obstacle when the postmaster is killed', async () => {
    const server = await rig.server();
    const file = rig.dump('large2', head + large);
    let killed = false;
    const findings = await rig.findings(file, {
      server,
      progress: () => {
        if (killed) return;
        killed = true;
        process.kill(server.pid, 'SIGKILL');
      },
      items: () => itemByItem(file),
    });
    expect(killed).toBe(true);
    expect(findings).toMatchObject([{ code: 'restore.server-died', judged: false }]);
  });

  test('is not the same as being asked to stop', async () => {
    const stop = new AbortController();
    const findings = await rig.findings(rig.dump('stop', `${head}${healthy}SELECT pg_catalog.pg_sleep(600);\n`), { signal: stop.signal, items: () => itemByItem(rig.dump('stop', `${head}${healthy}SELECT pg_catalog.pg_sleep(600);\n`)), progress: ({ done }) => { if (done > head.length + healthy.length - 60) setTimeout(() => stop.abort(), 100); } });
    expect(findings).toMatchObject([{ code: 'restore.cancelled', judged: false }]);
  });
});

async function* itemByItem(file: string): AsyncGenerator<DumpItem[]> {
  for await (const batch of items(file)) for (const item of batch) yield [item];
}
