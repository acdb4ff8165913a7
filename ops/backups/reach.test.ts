// How backup-db.sh reaches the database: through a compose service, and past what must not stand between.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Host, openHost, setsOf } from '../../fixtures/backup-host.ts';
import { startOther } from '../../fixtures/other-server.ts';
import { needing } from '../../fixtures/tools.ts';
import { parseManifest } from '../../harness/database/manifest/manifest.ts';

const tools = needing('pg_dump18', 'psql18', 'pg_dumpall18', 'bash', 'setpriv');

tools.describe('backup-db.sh reaches', () => {
  let host: Host;
  beforeAll(async () => {
    host = await openHost(tools.path('pg_dump18'));
    await host.scene.create('app', 'CREATE TABLE clients (id int); INSERT INTO clients VALUES (1)');
  });
  afterAll(async () => host[Symbol.asyncDispose]());
  afterEach(() => host.clear());

  needing('pg_dump18', 'initdb15', 'postgres15').test('no standby', async () => {
    const standby = await startOther(needing('initdb15').path('initdb15'), needing('postgres15').path('postgres15'), { standby: true });
    try {
      const ended = await host.run(['--check'], { DATABASE_HOST: standby.admin.host, DATABASE_USER: standby.admin.user, DATABASE: 'postgres', REQUIRED_TABLES: 'pg_catalog.pg_class:1' });
      expect(ended, ended.log.join('\n')).toMatchObject({ code: 1, problems: ['standby'] });
    } finally {
      await standby.stop();
    }
  });

  const pooled = needing('pgbouncer', 'pg_dump18', 'psql18');
  pooled.test('nothing through a pooler, whether it takes the options or not', async () => {
    for (const [ignored, code, ended] of [['', 2, 'broken database'], ['ignore_startup_parameters = options', 1, 'refused pooler']] as const) {
      const own = join(host.home, `pooler-${randomBytes(3).toString('hex')}`);
      mkdirSync(own, { mode: 0o777 });
      chmodSync(own, 0o777);
      chmodSync(host.home, 0o755);
      const { host: server, port, user, password } = host.scene.admin;
      const file = join(own, 'pooler.ini');
      writeFileSync(file, `[databases]\n* = host=${server} port=${port} user=${user} password=${password}\n[pgbouncer]\npool_mode = transaction\nunix_socket_dir = ${own}\nlisten_port = 6432\nauth_type = any\n${ignored}\n`);
      const root = process.getuid?.() === 0;
      // The server lets in whoever runs it.
      const pooler = spawn(pooled.path('pgbouncer'), [...(root ? ['-u', 'nobody'] : []), file], { stdio: ['ignore', 'ignore', 'pipe'] });
      try {
        let said = '';
        const up = await new Promise<boolean>((resolve) => {
          pooler.once('exit', () => resolve(false));
          pooler.stderr.on('data', (bytes: Buffer) => {
            said += bytes.toString();
            if (said.includes('process up')) resolve(true);
          });
        });
        expect(up, said).toBe(true);
        const answer = await host.run(['--check'], { DATABASE_HOST: own, DATABASE_PORT: '6432' });
        expect(answer, answer.log.join('\n')).toMatchObject({ code, ended });
      } finally {
        pooler.kill('SIGKILL');
      }
    }
  });
});

const composed = needing('container engine', 'image of Postgres 15', 'docker-compose', 'bash', 'setpriv', 'pg_dump18', 'psql18');
composed.describe('backup-db.sh through a compose service', () => {
  let host: Host;
  const project = `drill-compose-${randomBytes(3).toString('hex')}`;
  let compose: (...words: string[]) => string;
  let more: Record<string, string>;
  beforeAll(async () => {
    host = await openHost(composed.path('pg_dump18'));
    const folder = join(host.home, 'a folder');
    mkdirSync(folder);
    const file = join(folder, 'docker-compose.yml');
    writeFileSync(file, JSON.stringify({ version: '3', services: { database: { image: 'backup-drills-postgres:15', network_mode: 'none', environment: { POSTGRES_USER: 'wa', POSTGRES_DB: 'wa_mcp', POSTGRES_PASSWORD: randomBytes(12).toString('hex') } } } }));
    compose = (...words) => execFileSync(composed.path('docker-compose'), ['-p', project, '-f', file, ...words], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], input: '' });
    more = { CONNECT: 'compose', COMPOSE_FILE: file, COMPOSE_SERVICE: 'database', DATABASE: 'wa_mcp', DATABASE_USER: 'wa', REQUIRED_TABLES: 'clients:1000' };
    compose('up', '-d');
    // The first server of the image listens on no port.
    for (;;) {
      try {
        compose('exec', '-T', 'database', 'psql', '-qh', '127.0.0.1', '-U', 'wa', '-d', 'postgres', '-wc', 'SELECT');
        break;
      } catch (error) {
        if ((error as { stderr: string }).stderr.includes('no password supplied')) break;
      }
    }
    compose('exec', '-T', 'database', 'psql', '-qU', 'wa', '-d', 'wa_mcp', '-c', "CREATE TABLE clients (id int, name text); INSERT INTO clients SELECT g, md5(g::text) FROM generate_series(1, 200000) AS g; ALTER DATABASE wa_mcp SET app.x = 'y'");
  }, 120_000);
  afterAll(async () => {
    compose('down', '-v');
    await host[Symbol.asyncDispose]();
  });
  afterEach(() => host.clear());
  const environment = (): Record<string, string> => ({ COMPOSE_PROJECT_NAME: project, ...(process.env['DOCKER_HOST'] === undefined ? {} : { DOCKER_HOST: process.env['DOCKER_HOST'] }) });

  test('takes the same set, with the programs of the container', async () => {
    const ended = await host.run([], more, { environment: environment() });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    const [set] = [...setsOf(host.directory)];
    expect(set?.[1]).toBeNull();
    const manifest = parseManifest(readFileSync(join(host.directory, `db-${set?.[0]}.manifest.json`)), 'it');
    expect(manifest.tools.pgDump).toContain('(PostgreSQL) 15');
    expect(manifest.tables).toMatchObject([{ name: 'clients', rows: 200_000n }]);
    expect(readFileSync(join(host.directory, `db-${set?.[0]}.globals.sql`), 'utf8')).toContain(`ALTER DATABASE wa_mcp SET "app.x" TO 'y';`);
  }, 60_000);

  test('refuses as it does directly', async () => {
    const ended = await host.run(['--check'], { ...more, REQUIRED_TABLES: 'clients:200001 nowhere:1' }, { environment: environment() });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 1, problems: expect.arrayContaining(['too-few-rows', 'missing-table']) as string[] });
  }, 60_000);

  test('a service that is not there', async () => {
    expect(await host.run(['--check'], { ...more, COMPOSE_SERVICE: 'nowhere' }, { environment: environment() })).toMatchObject({ code: 2, ended: 'broken tools' });
  }, 60_000);

  test('after kill -9 in mid-dump the next run succeeds, and nothing goes on in the server', async () => {
    const started = host.start([], more, { environment: environment() });
    expect(await started.said('dump begins')).toBe(true);
    started.process.kill('SIGKILL');
    await started.end;
    expect(setsOf(host.directory).size).toBe(0);
    const ended = await host.run([], more, { environment: environment() });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
    expect([...setsOf(host.directory).values()]).toEqual([null]);
    while (compose('exec', '-T', 'database', 'psql', '-AtqU', 'wa', '-d', 'wa_mcp', '-c', "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'backup-db.sh%'").trim() !== '0') await setImmediate();
  }, 60_000);
});
