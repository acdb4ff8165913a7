// kill -9 in every step of a night, and at random moments: nothing half under a final name, nothing lost, and the next run succeeds.
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Host, openHost, setsOf } from '../../fixtures/backup-host.ts';
import { Random } from '../../fixtures/random.ts';
import { needing } from '../../fixtures/tools.ts';

const tools = needing('pg_dump18', 'psql18', 'pg_dumpall18', 'bash', 'setpriv');

tools.describe('kill -9 of backup-db.sh', () => {
  let host: Host;
  let older: Record<string, string>;
  beforeAll(async () => {
    host = await openHost(tools.path('pg_dump18'));
    await host.scene.create('app', "CREATE TABLE clients (id int, name text); INSERT INTO clients SELECT g, md5(g::text) FROM generate_series(1, 60000) AS g");
    expect((await host.run(['--again'])).code).toBe(0);
    older = host.contents();
  });
  afterAll(async () => host[Symbol.asyncDispose]());

  /** Bash reads this before the script, and asks it before each command: no back door, and no moment between two commands is missed. */
  const before = (condition: string): { BASH_ENV: string } => {
    const file = join(host.home, 'before.sh');
    writeFileSync(file, `commands=0 in_step=0\ntrap 'commands=$((commands + 1)); [[ $$ == $BASHPID ]] && ${condition} && { echo "hit \${step:-}" >>${join(host.home, 'hits')}; kill -9 $$; }' DEBUG\nset -T\n`);
    writeFileSync(join(host.home, 'hits'), '');
    return { BASH_ENV: file };
  };
  const hits = (): string => readFileSync(join(host.home, 'hits'), 'utf8');

  /** Whoever still has a file of the backup's open. */
  const holders = (): string[] => readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(host.directory);
        } catch {
          return false;
        }
      });
    } catch {
      return false;
    }
  });
  const sessions = async (): Promise<string> => {
    const { Client } = await import('pg');
    const client = new Client({ ...host.scene.admin, database: 'app' });
    await client.connect();
    try {
      return (await client.query<{ n: string }>("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name LIKE 'backup-db.sh%'")).rows[0]?.n ?? '';
    } finally {
      await client.end();
    }
  };

  /** What must hold right after a kill, and what the next run must make of it. */
  const mended = async (what: string): Promise<void> => {
    for (const [id, wrong] of setsOf(host.directory)) expect(wrong, `${what}: ${id}`).toBeNull();
    expect(host.contents(), what).toMatchObject(older);
    // An id is a second.
    const second = Math.floor(Date.now() / 1000);
    while (Math.floor(Date.now() / 1000) === second) await setImmediate();
    const again = await host.run(['--again']);
    expect(again, `${what}\n${again.log.join('\n')}`).toMatchObject({ code: 0 });
    const sets = [...setsOf(host.directory)];
    expect(sets.length, what).toBeGreaterThanOrEqual(2);
    for (const [id, wrong] of sets) expect(wrong, `${what}: ${id}`).toBeNull();
    expect(host.contents(), what).toMatchObject(older);
    expect(Object.keys(host.contents()).length, what).toBe(3 * sets.length);
    expect(readdirSync(host.directory).filter((name) => name.startsWith('.')), what).toEqual([]);
    while (holders().length > 0 || (await sessions()) !== '0') await setImmediate();
    host.clear();
    for (const name of Object.keys(older)) writeFileSync(join(host.directory, name), kept.get(name) ?? '', { mode: 0o600 });
  };
  const kept = new Map<string, Buffer>();
  beforeAll(() => {
    for (const name of Object.keys(older)) kept.set(name, readFileSync(join(host.directory, name)));
  });

  test.each(['preflight', 'snapshot', 'dump', 'digests', 'verify', 'assemble', 'publish *.sql.gz', 'publish *.globals.sql', 'publish *.manifest.json'])('in the step %s, at its first command and at its third', async (step) => {
    for (const nth of [1, 3]) {
      const ended = await host.run(['--again'], {}, { environment: before(`[[ \${step:-} == ${step.replace(' ', '\\ ')} ]] && ((++in_step == ${nth}))`) });
      expect(ended.code, ended.log.join('\n')).toBeNull();
      expect(hits().startsWith(`hit ${step.split(' ')[0]}`), hits()).toBe(true);
      await mended(`${step} ${nth}`);
    }
  }, 60_000);

  test('while pg_dump writes, with half of the dump there', async () => {
    const bin = join(host.home, 'bin');
    mkdirSync(bin);
    const real = host.settings['PG_BIN'] ?? '';
    for (const name of ['psql', 'pg_dumpall', 'pg_dump']) writeFileSync(join(bin, name), `#!/bin/bash\n${name === 'pg_dump' ? `if [[ $1 != --version ]]; then "${real}/pg_dump" "$@" | { head -c 1000000; echo half >&2; exec sleep 600; }; exit; fi\n` : ''}exec "${real}/${name}" "$@"\n`, { mode: 0o755 });
    const started = host.start(['--again'], { PG_BIN: bin });
    expect(await started.said('dump begins')).toBe(true);
    const written = join(host.directory, '.backup-db.tmp', 'pg_dump.err');
    while (!existsSync(written) || !readFileSync(written, 'utf8').includes('half')) await setImmediate();
    started.process.kill('SIGKILL');
    expect((await started.end).code).toBeNull();
    const { execFileSync } = await import('node:child_process');
    // The stand-in's own helper, which is no part of the script.
    execFileSync('pkill', ['-f', 'sleep 600']);
    await mended('half a dump');
  }, 60_000);

  test('at 30 random commands of a run', async () => {
    const environment = before('((commands < 0))');
    writeFileSync(environment.BASH_ENV, `commands=0\ntrap '[[ $$ != $BASHPID ]] || { commands=$((commands + 1)); echo $commands >${join(host.home, 'count')}; }' DEBUG\nset -T\n`);
    expect((await host.run(['--again'], {}, { environment })).code).toBe(0);
    const total = Number(readFileSync(join(host.home, 'count'), 'utf8'));
    expect(total).toBeGreaterThan(200);
    host.clear();
    for (const [name, bytes] of kept) writeFileSync(join(host.directory, name), bytes, { mode: 0o600 });
    const random = new Random(20261126);
    let hit = 0;
    for (let round = 0; round < 30; round += 1) {
      const at = random.between(1, total);
      const ended = await host.run(['--again'], {}, { environment: before(`((commands >= ${at}))`) });
      if (ended.code === null && hits() !== '') hit += 1;
      await mended(`command ${at} of ${total}: ${hits()}`);
    }
    expect(hit).toBe(30);
  }, 180_000);
});
