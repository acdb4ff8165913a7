// A night of backup-db.sh on real tools: what it makes, and what it refuses, each for its own reason.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Host, openHost, setsOf } from '../../fixtures/backup-host.ts';
import { loadCorpus, prepareCorpus, wholeCorpus } from '../../fixtures/corpus/load.ts';
import { needing, tool } from '../../fixtures/tools.ts';
import { compareManifests } from '../../harness/database/manifest/compare.ts';
import { parseManifest } from '../../harness/database/manifest/manifest.ts';

const tools = needing('pg_dump18', 'psql18', 'pg_dumpall18', 'bash', 'setpriv');

const schema = `
  CREATE TABLE clients (id int PRIMARY KEY, name text);
  INSERT INTO clients SELECT g, 'client ' || g FROM generate_series(1, 200) AS g;
  CREATE SEQUENCE numbers; SELECT nextval('numbers');
  CREATE FUNCTION greet(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
`;

tools.describe('backup-db.sh', () => {
  let host: Host;
  let names = 0;
  beforeAll(async () => {
    host = await openHost(tools.path('pg_dump18'));
    await host.scene.create('app', schema);
  });
  afterAll(async () => host[Symbol.asyncDispose]());
  afterEach(() => host.clear());

  /** A database of its own, with more in it. */
  const database = async (sql: string): Promise<{ DATABASE: string }> => {
    const name = `app_${(names += 1)}`;
    await host.scene.create(name, schema);
    await host.scene.run(name, sql);
    return { DATABASE: name };
  };
  const dumpOf = (id: string): string => gunzipSync(readFileSync(join(host.directory, `db-${id}.sql.gz`))).toString('latin1');
  const onlySet = (): string => {
    const sets = [...setsOf(host.directory)];
    expect(sets).toHaveLength(1);
    expect(sets[0]?.[1]).toBeNull();
    return sets[0]?.[0] ?? '';
  };
  /** It ends for that reason, and what lay there lies there. */
  const refuses = async (code: string, more: Record<string, string>, options: Parameters<Host['run']>[2] = {}, words: readonly string[] = ['--again']): Promise<void> => {
    const before = host.contents();
    const ended = await host.run(words, more, options);
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 1, ended: `refused ${code}` });
    expect(new Set(ended.problems.length === 0 ? [code] : ended.problems)).toEqual(new Set([code]));
    expect(host.contents()).toEqual(before);
  };

  test('makes a set that is what the database was, by files that nobody else may read', async () => {
    const ended = await host.run([], {}, { umask: '000' });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0, ended: null });
    const id = onlySet();
    expect(id).toBe(new Date().toISOString().slice(0, 10));
    expect(Object.keys(host.contents())).toEqual([`db-${id}.globals.sql`, `db-${id}.manifest.json`, `db-${id}.sql.gz`]);
    for (const name of Object.keys(host.contents())) expect(statSync(join(host.directory, name)).mode & 0o777).toBe(0o600);
    const manifest = parseManifest(readFileSync(join(host.directory, `db-${id}.manifest.json`)), 'it');
    expect(compareManifests(manifest, await host.scene.rows('app'), { sequences: 'exact' }).findings).toEqual([]);
    expect(manifest.tools.pgDump).toContain('pg_dump (PostgreSQL) 18');
    expect(dumpOf(id)).toContain('CREATE TABLE public.clients');
    expect(readFileSync(join(host.directory, `db-${id}.globals.sql`), 'utf8')).not.toMatch(/PASSWORD|SCRAM/);
  });

  test('takes one set a day, and another with --again', async () => {
    expect((await host.run([])).code).toBe(0);
    await refuses('exists', {}, {}, []);
    expect((await host.run(['--again'])).code).toBe(0);
    expect([...setsOf(host.directory).values()]).toEqual([null, null]);
  });

  describe('what is stored must be one gzip member that ends where the file ends', () => {
    const plain = '--\n-- PostgreSQL database dump\n--\n\nSELECT 1;\n\n--\n-- PostgreSQL database dump complete\n--\n\n';
    const member = gzipSync(plain);
    test.each([
      ['healthy', member, 0, /verify ends seconds=\S+ tables=0 rows=0 plain=\d+ bytes=\d+$/m],
      ['two members', Buffer.concat([member, gzipSync('SELECT 2;\n')]), 1, /problem dump-gzip: .*[\s\S]*refused/],
      ['something behind it', Buffer.concat([member, Buffer.from('more')]), 2, /broken verify: the stored dump cannot be read back/],
      ['cut', member.subarray(0, -9), 2, /broken verify: the stored dump cannot be read back/],
      ['no bytes', Buffer.alloc(0), 2, /broken verify|broken unexpected/],
    ] as const)('%s', (_, bytes, code, said) => {
      const work = join(host.home, 'verified');
      mkdirSync(work, { recursive: true });
      for (const [name, content] of [['dump', bytes], ['names', ''], ['rows', '']] as const) writeFileSync(join(work, name), content);
      const lines = `source "$1"; setting=([BACKUP_DIR]="$2" [MAX_SHRINK_PERCENT]=30); work=$3 decompressor=(gzip --decompress --stdout) children=(); verify`;
      const { status, stderr } = spawnSync('/bin/bash', ['-c', lines, 'bash', join(import.meta.dirname, 'backup-db.sh'), host.directory, work], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: code, stderr: expect.stringMatching(said) });
    });
  });

  test('a verified set never takes the name of a file that is there', () => {
    const work = join(host.home, 'published');
    mkdirSync(join(work, 'ready'), { recursive: true });
    for (const suffix of ['sql.gz', 'globals.sql', 'manifest.json']) writeFileSync(join(work, 'ready', `db-2026-01-02.${suffix}`), 'new');
    writeFileSync(join(host.directory, 'db-2026-01-02.globals.sql'), 'old');
    const { status, stderr } = spawnSync('/bin/bash', ['-c', 'source "$1"; setting=([BACKUP_DIR]="$2"); work=$3; publish', 'bash', join(import.meta.dirname, 'backup-db.sh'), host.directory, work], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('refused exists') });
    expect(readFileSync(join(host.directory, 'db-2026-01-02.globals.sql'), 'utf8')).toBe('old');
    expect(existsSync(join(host.directory, 'db-2026-01-02.manifest.json'))).toBe(false);
  });

  needing('pg_dump18', 'psql18', 'pg_dumpall18', 'faketime').test('a clock that is ten minutes off the database\'s is refused, and one that is two is not', async () => {
    const faketime = tool('faketime') ?? '';
    for (const by of ['+600', '-600']) await refuses('clock', {}, { through: [faketime, '-f', by] }, ['--check']);
    expect(await host.run(['--check'], {}, { through: [faketime, '-f', '+120'] })).toMatchObject({ code: 0 });
  });

  test('keeps the settings of the database, and of roles in it, beside the roles', async () => {
    const { DATABASE } = await database(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET app.greeting = %L', current_database(), 'it''s'); EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = public, "A b"', current_user, current_database()); END $$`);
    expect((await host.run([], { DATABASE })).code).toBe(0);
    const globals = readFileSync(join(host.directory, `db-${onlySet()}.globals.sql`), 'utf8');
    expect(globals).toContain(`ALTER DATABASE ${DATABASE} SET "app.greeting" TO 'it''s';`);
    expect(globals).toContain(`IN DATABASE ${DATABASE} SET search_path TO public, "A b";`);
    expect(globals).toMatch(/CREATE ROLE/);
  });

  test.each([
    ['an ordinary shell', { LANG: 'de_DE.UTF-8', LC_ALL: 'C.UTF-8', TZ: 'Asia/Kolkata', PATH: '/nowhere', PGDATABASE: 'wrong', PGOPTIONS: '-c search_path=wrong', PGPASSWORD: 'wrong', HOME: '/root' }],
    ['cron', {}],
  ])('works in the environment of %s', async (_, environment) => {
    expect((await host.run([], {}, { environment })).code).toBe(0);
    onlySet();
  });

  test.each([
    ['one session at a time', { SESSIONS: '1' }],
    ['the hardest compression', { COMPRESS_LEVEL: '9' }],
  ])('with %s', async (_, more) => {
    expect((await host.run([], more)).code).toBe(0);
    onlySet();
  });

  test('counts rows of tables with odd names, of none, of partitions and heirs, and is not misled by text', async () => {
    const { DATABASE } = await database(String.raw`
      CREATE SCHEMA "Odd ""schema"" é"; CREATE TABLE "Odd ""schema"" é"."a ""b"", ""rows"": ""7" (id int); INSERT INTO "Odd ""schema"" é"."a ""b"", ""rows"": ""7" VALUES (1), (2);
      DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id int)', E'new\nline\t\\n'); EXECUTE format('INSERT INTO %I VALUES (1), (2), (3)', E'new\nline\t\\n'); END $$;
      CREATE TABLE "select" ("from" int); INSERT INTO "select" VALUES (1);
      CREATE TABLE "dot.ted" (a int); INSERT INTO "dot.ted" VALUES (1); CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES; INSERT INTO bare DEFAULT VALUES;
      CREATE TABLE part (a int) PARTITION BY LIST (a); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2); INSERT INTO part VALUES (1), (2), (2);
      CREATE TABLE heir (more text) INHERITS (clients); INSERT INTO heir VALUES (1000, 'h', 'm');
      CREATE UNLOGGED TABLE unlogged (a int); INSERT INTO unlogged VALUES (1);
      CREATE TABLE texts (t text); INSERT INTO texts VALUES (E'\\.'), (E'\n'), (E'COPY public.clients (id, name) FROM stdin;\n1\ta\n\\.\n'), (''), (NULL), ('-- PostgreSQL database dump complete'), (repeat('x', 3000000));
      CREATE FUNCTION copies() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
COPY public.clients (id, name) FROM stdin;
-- PostgreSQL database dump complete
      END $f$;
      CREATE EXTENSION citext; CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM clients; CREATE VIEW looked AS SELECT * FROM clients;
      SELECT lo_from_bytea(77, 'x');
    `);
    const ended = await host.run([], { DATABASE, REQUIRED_TABLES: 'clients:200 part:3 public.heir:1' });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    expect(ended.log.find((line) => line.startsWith('verify ends'))).toMatch(/ tables=11 rows=2\d\d /);
    const manifest = parseManifest(readFileSync(join(host.directory, `db-${onlySet()}.manifest.json`)), 'it');
    expect(compareManifests(manifest, await host.scene.rows(DATABASE), { sequences: 'exact' }).findings).toEqual([]);
  });

  test.each(['LATIN1', 'SQL_ASCII', 'EUC_JP'])('of a database in %s, with a name that is not ASCII', async (encoding) => {
    const DATABASE = `app_${encoding.toLowerCase()}`;
    await host.scene.run('postgres', `CREATE DATABASE ${DATABASE} TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C' LOCALE_PROVIDER libc`);
    await host.scene.run(DATABASE, `${schema}; DO $$ BEGIN EXECUTE format('CREATE TABLE %I (a text)', convert_from('\\x${encoding === 'EUC_JP' ? 'c6fc' : 'e962'}', getdatabaseencoding())); END $$`);
    const ended = await host.run([], { DATABASE });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    onlySet();
  });

  // After those: a role's name in UTF-8 is none that pg_dumpall could ask for in another encoding.
  test('of a database with every kind of object and every edge of data that pg_dump knows', async () => {
    await loadCorpus(await prepareCorpus(host.scene), 18, wholeCorpus);
    const ended = await host.run([], { DATABASE: wholeCorpus.name, REQUIRED_TABLES: 'looks.alike:1' });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
  });

  test('says with --check that nothing would be refused, and dumps nothing', async () => {
    const ended = await host.run(['--check']);
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    expect(host.contents()).toEqual({});
    expect(ended.log.some((line) => line.startsWith('check:'))).toBe(true);
  });

  const sabotage: readonly (readonly [what: string, code: string, sql: string, more: Record<string, string>])[] = [
    ['a required table that is missing', 'missing-table', '', { REQUIRED_TABLES: 'clients:1 nowhere:1' }],
    ['a required table that is a view', 'missing-table', 'CREATE VIEW looked AS SELECT * FROM clients', { REQUIRED_TABLES: 'looked:1' }],
    ['too few rows', 'too-few-rows', '', { REQUIRED_TABLES: 'clients:201' }],
    ['a required table that a crash would empty', 'unlogged-table', 'ALTER TABLE clients SET UNLOGGED', {}],
    ['no room for it', 'space', '', { MIN_FREE_MB: '999999999' }],
  ];
  for (const words of [['--check', '--again'], ['--again']]) {
    test.each(sabotage)(`${words[0]} refuses %s`, async (_, code, sql, more) => {
      await host.run([]);
      await refuses(code, { ...(sql === '' ? {} : await database(sql)), ...more }, {}, words);
    });

    test.each([
      ['policies that would hide rows', 'policies', 'GRANT pg_read_all_data TO <role>; ALTER TABLE clients ENABLE ROW LEVEL SECURITY'],
      ['no right to read', 'rights', ''],
      ['no right to read large objects', 'rights', "GRANT pg_read_all_data TO <role>; SELECT lo_from_bytea(0, 'x')"],
    ])(`${words[0]} refuses a role for whom there are %s`, async (_, code, sql) => {
      const role = `dumper_${(names += 1)}`;
      await host.scene.run('postgres', `CREATE ROLE ${role} LOGIN PASSWORD '${host.scene.admin.password}'`);
      await host.run([]);
      const more = await database(sql.replaceAll('<role>', role) || 'SELECT 1');
      await refuses(code, { ...more, DATABASE_USER: role }, {}, words);
    });
  }

  test('a role with the rights that the refusals name is enough', async () => {
    await host.scene.run('postgres', `CREATE ROLE enough LOGIN BYPASSRLS PASSWORD '${host.scene.admin.password}'; GRANT pg_read_all_data TO enough; ALTER ROLE enough SET lo_compat_privileges = on`);
    const more = await database("ALTER TABLE clients ENABLE ROW LEVEL SECURITY; SELECT lo_from_bytea(0, 'x')");
    const ended = await host.run([], { ...more, DATABASE_USER: 'enough' });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    onlySet();
  });

  test('limits that are set for the role do not cut it short', async () => {
    await host.scene.run('postgres', `CREATE ROLE limited LOGIN SUPERUSER PASSWORD '${host.scene.admin.password}'; ALTER ROLE limited SET statement_timeout = '1ms'; ALTER ROLE limited SET idle_in_transaction_session_timeout = '1ms'; ALTER ROLE limited SET transaction_timeout = '50ms'; ALTER ROLE limited SET lock_timeout = '1ms'; ALTER ROLE limited SET default_transaction_isolation = 'serializable'; ALTER ROLE limited SET search_path = nowhere`);
    const ended = await host.run([], { DATABASE_USER: 'limited' });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    onlySet();
  });

  test('refuses a dump that is much smaller than the one before it', async () => {
    await host.run([], await database("INSERT INTO clients SELECT g, md5(g::text) FROM generate_series(1000, 9000) AS g"));
    await refuses('shrunk', {});
    expect((await host.run(['--again'], { MAX_SHRINK_PERCENT: '100' })).code).toBe(0);
  });

  /** A directory of programs whose pg_dump does something else first, then becomes the real one. */
  const wrapped = (body: string): { PG_BIN: string } => {
    const bin = join(host.home, `bin-${(names += 1)}`);
    mkdirSync(bin);
    for (const name of ['psql', 'pg_dumpall', 'pg_dump']) writeFileSync(join(bin, name), `#!/bin/bash\nreal='${host.settings['PG_BIN']}'\n${name === 'pg_dump' ? body : ''}\nexec "$real/${name}" "$@"\n`, { mode: 0o755 });
    return { PG_BIN: bin };
  };

  test.each([
    ['a function is replaced', "CREATE OR REPLACE FUNCTION greet(text) RETURNS text LANGUAGE sql AS 'SELECT \\$1 || \\$1'"],
    ['a function is dropped', 'DROP FUNCTION greet(text)'],
    ['rights are granted', 'GRANT SELECT ON numbers TO PUBLIC'],
  ])('refuses what was dumped while %s', async (_, sql) => {
    const more = await database('SELECT 1');
    await refuses('changed', { ...more, ...wrapped(`[[ $1 == --version ]] || "$real/psql" -qc "${sql}" >&2`) });
  });

  test('does not mind what merely came to be, or was rolled back, while it dumped', async () => {
    const more = await database('SELECT 1');
    const ended = await host.run([], { ...more, ...wrapped('[[ $1 == --version ]] || "$real/psql" -qc "CREATE TABLE newer (a int)" -c "BEGIN" -c "DROP FUNCTION greet(text)" -c "ROLLBACK" -c "INSERT INTO clients VALUES (999)" >&2') });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    expect(dumpOf(onlySet())).not.toContain('newer');
  });

  test('a pg_dump that is older than the server is refused', async () => {
    await refuses('version', wrapped('if [[ $1 == --version ]]; then echo "pg_dump (PostgreSQL) 17.1"; exit; fi'));
  });

  test.each([
    ['the footer', "| sed '/^-- PostgreSQL database dump complete/,$d'", 'dump-footer'],
    ['a row', "| sed '/^7\\tclient 7$/d'", 'dump-rows'],
    ['a whole table', "| sed '/^COPY public.clients/,/^\\\\\\.$/d'", 'dump-rows'],
    ['the head', "| sed '1,4d'", 'dump-header'],
  ])('refuses a dump without %s', async (_, filter, code) => {
    await refuses(code, wrapped(`[[ $1 == --version ]] || { "$real/pg_dump" "$@" ${filter}; exit 0; }`));
  });

  test('a table that is locked against everybody else is waited for, then refused', async () => {
    const more = await database('SELECT 1');
    const { Client } = await import('pg');
    const holder = new Client({ ...host.scene.admin, database: more.DATABASE });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE clients IN ACCESS EXCLUSIVE MODE');
      await refuses('tables-locked', { ...more, LOCK_TIMEOUT_S: '1', REQUIRED_TABLES: 'nothing:0' }, {}, ['--again']).catch(() => undefined);
      const started = host.start([], { ...more, LOCK_TIMEOUT_S: '20', REQUIRED_TABLES: 'clients:0' });
      expect(await started.said('preflight begins')).toBe(true);
      await holder.query('COMMIT');
      expect(await started.end).toMatchObject({ code: 0 });
    } finally {
      await holder.end();
    }
  });

  test.each([
    ['tables-locked after a TRUNCATE that waits behind it has kept pg_dump out for too long', '2', 1],
    ['a second try once it has let go', '30', 0],
  ])('%s', async (_, LOCK_TIMEOUT_S, code) => {
    const more = await database('CREATE TABLE fleeting (a int)');
    const once = join(host.home, `once-${(names += 1)}`);
    // pg_dump starts when a TRUNCATE already waits for the session's lock.
    const truncate = `[[ $1 == --version || ( ${code} == 0 && -e ${once} ) ]] || { : >${once}; "$real/psql" -qc "TRUNCATE fleeting" >&2 & until [[ $("$real/psql" -Atc "SELECT count(*) FROM pg_locks WHERE NOT granted") != 0 ]]; do :; done; }`;
    const ended = await host.run([], { ...more, ...wrapped(truncate), LOCK_TIMEOUT_S });
    expect(ended, ended.log.join('\n')).toMatchObject({ code, ended: code === 0 ? null : 'refused tables-locked' });
    expect(ended.log.some((line) => line.includes('trying again'))).toBe(code === 0);
  });

  test('a database that is not there, and a server that is not', async () => {
    expect(await host.run([], { DATABASE: 'nowhere' })).toMatchObject({ code: 2, ended: 'broken database' });
    expect(await host.run([], { DATABASE_HOST: '/nowhere' })).toMatchObject({ code: 2, ended: 'broken database' });
    expect(host.contents()).toEqual({});
  });

  test('programs that are not there', async () => {
    expect(await host.run([], { PG_BIN: '/nowhere', DATABASE_HOST: '/nowhere' })).toMatchObject({ code: 2 });
    const bin = join(host.home, 'half');
    mkdirSync(bin);
    copyFileSync('/bin/false', join(bin, 'pg_dump'));
    expect(await host.run([], { PG_BIN: bin })).toMatchObject({ code: 2, ended: 'broken tools' });
  });

  test('one script at a time, and a signal leaves nothing', async () => {
    const first = host.start([], wrapped('[[ $1 == --version ]] || { echo waits >&2; sleep 60; }'));
    expect(await first.said('dump begins')).toBe(true);
    await refuses('locked', {});
    first.process.kill('SIGTERM');
    expect(await first.end).toMatchObject({ code: 2, ended: 'broken interrupted' });
    expect(host.contents()).toEqual({});
    expect((await host.run([])).code).toBe(0);
    onlySet();
  });

  test('settings: every error at once, with the line', async () => {
    const ended = await host.run([], { CONNECT: 'telnet', MIN_FREE_MB: 'much', BACKUP_DIR: 'relative', REQUIRED_TABLES: "clients:1;drop", COMPRESS_LEVEL: '11', NONSENSE: '1' }, { without: ['DATABASE'] });
    expect(ended).toMatchObject({ code: 2, ended: 'broken settings' });
    for (const key of ['CONNECT', 'MIN_FREE_MB', 'BACKUP_DIR', 'REQUIRED_TABLES', 'COMPRESS_LEVEL', 'NONSENSE', 'DATABASE is not set']) expect(ended.log.some((line) => line.startsWith('settings ') && line.includes(key)), key).toBe(true);
  });

  test('settings are read, never run', async () => {
    const trap = join(host.home, 'ran');
    const ended = await host.run([], { HOOK_START: `/bin/sh -c "touch ${trap}"`, PG_BIN: `/$(touch ${trap})`, REQUIRED_TABLES: `a[$(touch ${trap})]:1` });
    expect(ended.code).toBe(2);
    expect(() => statSync(trap)).toThrow(/ENOENT/);
  });

  test('hooks: start, then success or failure; one that fails is told, and no success', async () => {
    const calls = join(host.home, 'calls');
    const hook = join(host.home, 'hook');
    writeFileSync(hook, `#!/bin/bash\necho "$*" >>${calls}\n[[ $1 != fail ]]\n`, { mode: 0o755 });
    const hooks = { HOOK_START: hook, HOOK_SUCCESS: hook, HOOK_FAILURE: hook };
    expect((await host.run([], hooks)).code).toBe(0);
    expect((await host.run([], hooks)).code).toBe(1);
    const day = new Date().toISOString().slice(0, 10);
    expect(readFileSync(calls, 'utf8')).toBe(`backup-db.sh - 0\nbackup-db.sh ${day} 0\nbackup-db.sh - 0\nbackup-db.sh ${day} 1\n`);
    expect(await host.run(['--again'], { HOOK_SUCCESS: '/bin/false' })).toMatchObject({ code: 2 });
    expect([...setsOf(host.directory).values()]).toEqual([null, null]);
    expect(await host.run(['--again'], { HOOK_START: '/bin/false' })).toMatchObject({ code: 2, ended: 'broken hook' });
  });

  test('the password is in no argument, no environment and no line', async () => {
    const seen = join(host.home, 'seen');
    const ended = await host.run([], wrapped(`[[ $1 == --version ]] || { for p in /proc/[0-9]*; do tr '\\0' '\\n' <$p/cmdline; tr '\\0' '\\n' <$p/environ; done >${seen} 2>/dev/null; true; }`));
    expect(ended.code).toBe(0);
    const secret = host.scene.admin.password;
    expect(secret.length).toBeGreaterThan(8);
    expect(readFileSync(seen, 'latin1')).toContain('PGPASSFILE=');
    for (const text of [readFileSync(seen, 'latin1'), ended.log.join('\n'), ...Object.keys(host.contents()).map((name) => readFileSync(join(host.directory, name), 'latin1'))]) expect(text.includes(secret)).toBe(false);
  });

  needing('pg_dump18', 'psql18', 'pg_dumpall18', 'root', 'unshare').test('a disk that fills up on the way: nothing under a final name, and room again is enough', async () => {
    const filling = wrapped(`[[ $1 == --version ]] || head -c 1G /dev/zero >'${host.directory}/filler' 2>/dev/null || true`);
    const left = join(host.home, 'left');
    const ended = await host.run([], filling, { through: ['unshare', '--mount', '/bin/bash', '-c', `mount -t tmpfs -o size=20m,mode=700 none '${host.directory}' && "$@"; code=$?; ls -A '${host.directory}' >'${left}'; exit $code`, 'sh'] });
    expect(ended.code, ended.log.join('\n')).toBe(2);
    expect(ended.log.join('\n')).toContain('No space left');
    expect(readFileSync(left, 'utf8')).toBe('filler\n');
    expect((await host.run([])).code).toBe(0);
  });

  const traced = needing('pg_dump18', 'psql18', 'pg_dumpall18', 'strace');
  traced.test('a disk that cannot be written: no set, until a run that can', async () => {
    const work = join(host.directory, '.backup-db.tmp');
    const day = new Date().toISOString().slice(0, 10);
    for (const [call, path, published] of [
      ['fsync', join(work, 'dump'), []],
      ['fsync', join(work, 'new', `db-${day}.manifest.json`), []],
      ['fsync', join(work, 'new'), []],
      ['renameat2,renameat', join(work, 'new'), []],
      ['renameat2,renameat', join(host.directory, `db-${day}.sql.gz`), []],
      ['fsync', host.directory, [`db-${day}.sql.gz`]],
      ['renameat2,renameat', join(host.directory, `db-${day}.manifest.json`), [`db-${day}.globals.sql`, `db-${day}.sql.gz`]],
    ] as const) {
      const trace = join(host.home, 'trace');
      const said = await host.run([], {}, { through: [traced.path('strace'), '-f', '-qq', '-o', trace, '-P', path, '-e', `trace=${call}`, '-e', `inject=${call}:error=EIO`] });
      expect(readFileSync(trace, 'latin1'), path).toContain('INJECTED');
      expect(said, `${path}\n${said.log.join('\n')}`).toMatchObject({ code: 2, ended: 'broken unexpected' });
      expect(said.log.join('\n')).toContain('Input/output error');
      expect(Object.keys(host.contents())).toEqual(published);
      // What was verified is finished by the next run, and counts as the day's.
      expect(await host.run([])).toMatchObject({ code: 0 });
      onlySet();
      host.clear();
    }
  }, 60_000);

  test('a server that stops in mid-dump: nothing under a final name', async () => {
    const more = await database("INSERT INTO clients SELECT g, md5(g::text) FROM generate_series(1000, 9000) AS g");
    const ended = await host.run([], { ...more, ...wrapped(`[[ $1 == --version ]] || { "$real/pg_dump" "$@" | { head -c 100000; "$real/psql" -qAtc "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()" >/dev/null; cat >/dev/null; exit 1; }; }; [[ $1 == --version ]] || exit 1`) });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 2, ended: 'broken dump' });
    expect(host.contents()).toEqual({});
  });

  test('a session that is ended while pg_dump goes on: nothing under a final name', async () => {
    const more = await database('SELECT 1');
    const ended = await host.run([], { ...more, SESSIONS: '1', ...wrapped(`[[ $1 == --version ]] || { "$real/pg_dump" "$@" || exit; "$real/psql" -qAtc "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()" >/dev/null; exit 0; }`) });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 2, ended: 'broken database' });
    expect(host.contents()).toEqual({});
  });
});
