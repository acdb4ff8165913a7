// Twenty backups of a database that never stands still: each set restores to exactly what its manifest says.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Host, openHost, setsOf } from '../../fixtures/backup-host.ts';
import { Random } from '../../fixtures/random.ts';
import { needing } from '../../fixtures/tools.ts';
import { compareManifests } from '../../harness/database/manifest/compare.ts';
import { parseManifest } from '../../harness/database/manifest/manifest.ts';

const tools = needing('pg_dump18', 'psql18', 'pg_dumpall18', 'bash', 'setpriv');
const backups = 20;

/** Goes on until it is stopped; counts what was committed, by kind. */
class Writers {
  readonly commits = { insert: 0, update: 0, delete: 0, truncate: 0, rewrite: 0, sequence: 0 };
  #stopped = false;
  readonly #running: Promise<void>[];
  constructor(login: { host: string; port: number; user: string; password: string; database: string }) {
    const loop = async (seed: number, turn: (client: Client, random: Random) => Promise<void>): Promise<void> => {
      const client = new Client(login);
      await client.connect();
      const random = new Random(seed);
      try {
        while (!this.#stopped) await turn(client, random);
      } finally {
        await client.end();
      }
    };
    const did = async (kind: keyof Writers['commits'], client: Client, sql: string): Promise<void> => {
      await client.query(sql);
      this.commits[kind] += 1;
    };
    this.#running = [
      loop(1, async (client, random) => {
        await did('insert', client, `INSERT INTO messages (client_id, body) SELECT ${random.between(1, 200)}, repeat(md5(g::text), ${random.between(1, 20)}) FROM generate_series(1, ${random.between(1, 30)}) AS g`);
        await did('update', client, `UPDATE messages SET body = body || 'x' WHERE id % 997 = ${random.between(0, 996)}`);
        await did('delete', client, `DELETE FROM messages WHERE id % 4999 = ${random.between(0, 4998)}`);
        await did('sequence', client, "SELECT nextval('numbers')");
      }),
      // Two tables swap their rows: a dump of two moments would have both, or none.
      loop(2, async (client) => did('update', client, 'BEGIN; UPDATE accounts SET amount = amount - 1 WHERE id = 1; UPDATE others SET amount = amount + 1 WHERE id = 1; COMMIT')),
      // What takes a lock against everybody, at pauses as long as a few backups' beginnings.
      loop(3, async (client, random) => {
        await did('truncate', client, 'BEGIN; TRUNCATE fleeting; INSERT INTO fleeting SELECT generate_series(1, 500); COMMIT');
        await client.query(`SELECT pg_sleep(${random.between(200, 900) / 1000})`);
        await did('rewrite', client, `ALTER TABLE changing ALTER COLUMN n TYPE ${random.between(0, 1) === 0 ? 'bigint' : 'int'}`);
        await client.query(`SELECT pg_sleep(${random.between(200, 900) / 1000})`);
      }),
    ];
  }
  get all(): number {
    return Object.values(this.commits).reduce((sum, count) => sum + count, 0);
  }
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }
}

tools.describe('backup-db.sh while the application writes', () => {
  let host: Host;
  beforeAll(async () => {
    host = await openHost(tools.path('pg_dump18'));
    await host.scene.create('app', `
      CREATE TABLE clients (id int PRIMARY KEY); INSERT INTO clients SELECT generate_series(1, 200);
      CREATE TABLE messages (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client_id int REFERENCES clients, body text, at timestamptz DEFAULT clock_timestamp());
      INSERT INTO messages (client_id, body) SELECT g % 200 + 1, repeat(md5(g::text), 8) FROM generate_series(1, 60000) AS g;
      CREATE TABLE accounts (id int PRIMARY KEY, amount int); INSERT INTO accounts VALUES (1, 1000000); CREATE TABLE others (LIKE accounts INCLUDING ALL); INSERT INTO others VALUES (1, 0);
      CREATE TABLE fleeting (n int); INSERT INTO fleeting SELECT generate_series(1, 500); CREATE TABLE changing (n int); INSERT INTO changing SELECT generate_series(1, 5000);
      CREATE SEQUENCE numbers CACHE 5;
    `);
  });
  afterAll(async () => host[Symbol.asyncDispose]());

  test(`${backups} sets in a row, each restored and measured`, async () => {
    const login = { ...host.scene.admin, database: 'app' };
    const writers = new Writers(login);
    const tries: number[] = [];
    try {
      for (let night = 0; night < backups; night += 1) {
        const second = Math.floor(Date.now() / 1000);
        while (Math.floor(Date.now() / 1000) === second) await setImmediate();
        const before = writers.all;
        const ended = await host.run(['--again'], { MAX_SHRINK_PERCENT: '100', REQUIRED_TABLES: 'clients:200 messages:1 fleeting:500 changing:5000' });
        expect(ended, ended.log.join('\n')).toMatchObject({ code: 0 });
        expect(writers.all).toBeGreaterThan(before);
        tries.push(Number(/ tries=(\d+)/.exec(ended.log.find((line) => line.startsWith('transaction ends')) ?? '')?.[1]));
      }
    } finally {
      await writers.stop();
    }
    process.stdout.write(`committed meanwhile: ${JSON.stringify(writers.commits)}; tries for a snapshot: ${tries.join(' ')}\n`);
    for (const count of Object.values(writers.commits)) expect(count).toBeGreaterThan(0);
    const sets = [...setsOf(host.directory)];
    expect(sets).toHaveLength(backups);
    for (const [id, wrong] of sets) {
      expect(wrong).toBeNull();
      const name = `restored_${id.toLowerCase().replaceAll('-', '_')}`;
      const plain = join(host.home, 'plain.sql');
      writeFileSync(plain, gunzipSync(readFileSync(join(host.directory, `db-${id}.sql.gz`))));
      await host.scene.create(name);
      await promisify(execFile)(tools.path('psql18'), ['-qX', '-v', 'ON_ERROR_STOP=1', '-f', plain], { env: { PGHOST: login.host, PGPORT: String(login.port), PGUSER: login.user, PGPASSWORD: login.password, PGDATABASE: name } });
      const manifest = parseManifest(readFileSync(join(host.directory, `db-${id}.manifest.json`)), id);
      expect(compareManifests(manifest, await host.scene.rows(name)).findings, id).toEqual([]);
      const [sum] = (await host.scene.rows(name)).filter((row) => row.kind === 'table' && row.name === 'fleeting');
      expect(sum).toMatchObject({ rows: 500n });
      const { rows } = await ask(login, name, 'SELECT (SELECT amount FROM accounts) + (SELECT amount FROM others) AS total');
      expect(rows[0]).toEqual({ total: 1_000_000 });
      await host.scene.run('postgres', `DROP DATABASE ${name}`);
    }
  }, 300_000);
});

async function ask(login: { host: string; port: number; user: string; password: string }, database: string, sql: string): Promise<{ rows: Record<string, unknown>[] }> {
  const client = new Client({ ...login, database });
  await client.connect();
  try {
    return await client.query<Record<string, unknown>>(sql);
  } finally {
    await client.end();
  }
}
