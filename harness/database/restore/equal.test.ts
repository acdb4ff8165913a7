// What the restore leaves equals what psql leaves, run by a superuser over the same dump: pg_dump of both, byte for byte.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampleUnit } from '../../../fixtures/sample/unit.ts';
import { needing } from '../../../fixtures/tools.ts';
import type { EmbeddedServer } from '../../servers/embedded.ts';
import type { Login } from '../../servers/postgres.ts';
import type { DatabaseSettings } from './create.ts';
import { openRig, program, query, type Rig } from './rig.ts';

const need = needing('psql18', 'pg_dump18');
const utf8: DatabaseSettings = { encoding: 'UTF8', provider: 'libc', collate: 'C', ctype: 'C', locale: null, icuRules: null };

need.describe('the same dump through psql and through the restore', () => {
  let rig: Rig;
  let source: EmbeddedServer;
  let superuser: Login;
  beforeAll(async () => {
    rig = await openRig();
    source = await rig.server();
    // As at the source of most dumps: the superuser is called postgres.
    await query(source.admin, `CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'postgres'; CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE wa; CREATE ROLE "Zoë ""Q"""`);
    await query(source.admin, `CREATE DATABASE source OWNER postgres TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'`);
    superuser = { ...source.admin, user: 'postgres', password: 'postgres', database: 'source' };
    await program(need.path('psql18'), superuser, ['-q', '-v', 'ON_ERROR_STOP=1', '-f', join(import.meta.dirname, 'testdata/breadth.sql')]);
  }, 60_000);
  afterAll(async () => {
    await rig.close();
  }, 60_000);

  // The two clusters' own superusers have other names; they show in ACLs on what initdb made.
  const dumpOf = async (login: Login, args: readonly string[] = []) => (await program(need.path('pg_dump18'), login, ['--restrict-key=x', ...args])).replaceAll(/\bdrill_[0-9a-f]{16}\b/g, 'postgres');

  const throughBoth = async (args: readonly string[], settings: DatabaseSettings, owner?: string) => {
    const file = rig.dump('both', '');
    writeFileSync(file, await program(need.path('pg_dump18'), superuser, ['--restrict-key=x', ...args]), 'latin1');
    return fileThroughBoth(file, settings, owner);
  };

  const fileThroughBoth = async (file: string, settings: DatabaseSettings, owner?: string) => {
    const viaPsql = { ...superuser, database: 'via_psql' };
    await query(source.admin, `CREATE DATABASE via_psql OWNER postgres TEMPLATE template0 ENCODING '${settings.encoding}' LOCALE 'C'`);
    try {
      await program(need.path('psql18'), viaPsql, ['-q', '-f', file]);
      // Divided, a table's rows lie in another order: parallel.test.ts.
      const restored = await rig.restore(file, { settings, policy: { divideBytes: Infinity }, ...(owner === undefined ? {} : { owner }) });
      return { theirs: await dumpOf(viaPsql), ours: await dumpOf(restored.admin), rows: restored.evidence.rowsCopied };
    } finally {
      const [subscribed] = await query(viaPsql, "SELECT FROM pg_subscription WHERE subname = 'sub' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())");
      if (subscribed !== undefined) {
        await query(viaPsql, 'ALTER SUBSCRIPTION sub SET (slot_name = NONE)');
        await query(viaPsql, 'DROP SUBSCRIPTION sub');
      }
      await query(source.admin, 'DROP DATABASE via_psql');
    }
  };

  const variants: readonly (readonly [readonly string[], string?])[] = [[[]], [['--clean']], [['--inserts', '--clean', '--if-exists']], [['--no-owner'], 'postgres'], [['--no-privileges', '--disable-triggers']], [['--encoding=LATIN1']]];
  for (const [args, owner] of variants) {
    test(`pg_dump ${args.join(' ')}`, async () => {
      const { theirs, ours } = await throughBoth(args, utf8, owner);
      expect(theirs).toContain('CREATE EVENT TRIGGER');
      expect(ours).toBe(theirs);
    }, 30_000);
  }

  test('the sample that ships here', async () => {
    await query(source.admin, 'CREATE ROLE wa_readonly; CREATE ROLE wa_backup');
    const file = rig.dump('sample', gunzipSync(readFileSync(sampleUnit().dumpFile)));
    const { theirs, ours, rows } = await fileThroughBoth(file, utf8);
    expect(Number(rows)).toBeGreaterThan(50_000);
    expect(ours === theirs, 'the dumps of both are the same bytes').toBe(true);
    expect(theirs.length).toBeGreaterThan(10_000_000);
  }, 60_000);

  test('pg_dump --create, which brings its database', async () => {
    const dump = await dumpOf(superuser, ['--create']);
    const file = rig.dump('create', '');
    writeFileSync(file, dump, 'latin1');
    const restored = await rig.restore(file);
    expect(restored).toMatchObject({ database: 'source', evidence: { settingsFrom: 'dump', encoding: 'UTF8', collation: 'C' } });
    expect(await dumpOf(restored.admin, ['--create'])).toBe(readFileSync(file, 'latin1'));
  }, 30_000);
});
