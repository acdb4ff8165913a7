// The whole nightly script on a direct connection, manifest, digests and verification included, against a bare pg_dump through gzip.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { tool } from '../../fixtures/tools.ts';
import type { EmbeddedServer } from '../servers/embedded.ts';
import { differs, ours, type PlannedRow, shell } from './contenders.ts';
import type { GeneratedDump } from './data.ts';
import { measure } from './measure.ts';

const script = resolve(import.meta.dirname, '../../ops/backups/backup-db.sh');
/** Of pg_dump | gzip -6: the set's dump may be this much larger. */
const sizeLimit = 1.04;

export function backupRow({ dump, work, server, signal }: { readonly dump: GeneratedDump; readonly work: string; readonly server: EmbeddedServer; readonly signal: AbortSignal }): PlannedRow {
  const row = { name: 'backup', what: `back a database up: ours with manifest, digests and verification, and no larger than ${sizeLimit} of what gzip -6 makes`, goal: 0.65 };
  const pgDump = tool('pg_dump18');
  const lacks = [pgDump === null ? 'pg_dump of 18' : '', ...(['pigz', 'gzip'] as const).filter((name) => tool(name) === null)].filter((name) => name !== '').join(', ');
  if (pgDump === null || lacks !== '') return { row, lacks };
  const place = join(work, 'backup');
  const [sets, settings, passfile, theirs] = [join(place, 'sets'), join(place, 'backup.env'), join(place, 'pgpass'), join(place, 'theirs.sql.gz')];
  const { admin } = server;
  let database: string | null = null;
  /** A live database out of the dump, the first time that a contender asks. */
  const prepared = async (): Promise<string> => {
    if (database !== null) return database;
    mkdirSync(place, { mode: 0o700 });
    const restored = join(place, 'restored.json');
    await measure({ ...ours(['restore', dump.path, restored], signal), input: JSON.stringify(server) });
    database = (JSON.parse(readFileSync(restored, 'utf8')) as { database: string }).database;
    writeFileSync(passfile, `*:*:*:*:${admin.password}\n`, { mode: 0o600 });
    const lines = {
      BACKUP_DIR: sets, DATABASE: database, DATABASE_USER: admin.user, CONNECT: 'direct', DATABASE_HOST: admin.host, DATABASE_PORT: admin.port, DATABASE_PASSFILE: passfile,
      PG_BIN: dirname(pgDump), REQUIRED_TABLES: Object.entries(dump.rows).map(([table, count]) => `${table}:${count}`).join(' '), MIN_FREE_MB: 1,
    };
    writeFileSync(settings, Object.entries(lines).map(([key, value]) => `${key}=${value}\n`).join(''), { mode: 0o600 });
    return database;
  };
  return {
    row: {
      ...row,
      ours: {
        label: 'backup-db.sh',
        run: async () => {
          await prepared();
          rmSync(sets, { recursive: true, force: true });
          mkdirSync(sets, { mode: 0o700 });
          return measure({ program: 'bash', words: [script, '--config', settings], signal, killSignal: 'SIGTERM' });
        },
        check: async () => {
          const names = readdirSync(sets).sort();
          const dumped = names.find((name) => name.endsWith('.sql.gz'));
          if (names.length !== 3 || dumped === undefined) return differs(names, ['a dump', 'globals', 'a manifest']);
          const [size, other] = [statSync(join(sets, dumped)).size, existsSync(theirs) ? statSync(theirs).size : Infinity];
          return size <= other * sizeLimit ? null : `is ${(size / other).toFixed(3)} of the size`;
        },
      },
      theirs: {
        label: 'pg_dump | gzip',
        run: async () => {
          const env = { PGHOST: admin.host, PGPORT: String(admin.port), PGUSER: admin.user, PGPASSFILE: passfile, PGDATABASE: await prepared() };
          return shell('pg_dump | gzip', '"$1" --format=plain --no-password | gzip -6 > "$2"', [pgDump, theirs], env, signal, async () => null).run();
        },
        check: async () => (statSync(theirs).size > 0 ? null : 'is empty'),
      },
    },
  };
}
