// The corpus in all its variants, on servers of every major: the same bytes in a fresh pg_dump, whether a superuser's psql
// restored it or we. Where psql cannot restore a healthy dump, ours is better or names the same object: docs/restore.md.
import { afterAll, beforeAll, expect } from 'vitest';
import { wholeCorpus, type CorpusDatabase } from '../../../fixtures/corpus/load.ts';
import { mainVariants, moreVariants, type Variant } from '../../../fixtures/corpus/variants.ts';
import { needing } from '../../../fixtures/tools.ts';
import { openBoth, unforeseen, type Both, type Programs } from '../../../fixtures/corpus/both.ts';

// 13 and 14 have no pg_dump of their own on any machine of ours: a newer one dumps them.
const majors = [[13, 15], [14, 15], [15, 15], [16, 16], [17, 17], [18, 18]] as const;
const needs = needing('psql18', ...majors.map(([major]) => `embedded Postgres ${major}` as const), 'pg_dump15', 'pg_dump16', 'pg_dump17', 'pg_dump18');
const programs = (dumper: 15 | 16 | 17 | 18): Programs => ({ psql: needs.path('psql18'), pgDump: needs.path(`pg_dump${dumper}`), yardstick: needs.path('pg_dump18') });

for (const [major, dumper] of majors) {
  needs.describe(`the corpus on ${major}, dumped by pg_dump ${dumper}`, () => {
    let both: Both;
    beforeAll(async () => {
      both = await openBoth(major, programs(dumper));
    }, 60_000);
    afterAll(async () => {
      await both.close();
    }, 60_000);

    const restored = async (variant: Variant, database: CorpusDatabase = wholeCorpus) => {
      const dump = await both.dump(database, variant);
      return await both.restore(dump, database, variant.args.includes('--no-owner') ? { owner: 'postgres' } : {});
    };
    const title = ({ args, session = '' }: Variant) => `pg_dump ${[...args, session].join(' ')}`;
    const variants = [...mainVariants, ...(major === 15 || major === 18 ? moreVariants : [])].filter(({ since = 13 }) => since <= dumper);

    // First: once the whole corpus is there, so is a role whose name most encodings cannot read.
    const letters: readonly CorpusDatabase[] = [
      { name: 'latin1', encoding: 'LATIN1', letters: 'éß' },
      { name: 'euc_jp', encoding: 'EUC_JP', letters: '表能ソ' },
      { name: 'koi8r', encoding: 'KOI8R', letters: 'жЩ' },
      { name: 'sql_ascii', encoding: 'SQL_ASCII', letters: 'é能' },
      { name: 'c_utf8', encoding: 'UTF8', letters: 'é能', locale: "LC_COLLATE 'C.utf8' LC_CTYPE 'C.utf8'" },
      ...(major >= 17 ? [{ name: 'builtin', encoding: 'UTF8', letters: 'é能', locale: "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'" }] : []),
      ...(major >= 15 ? [{ name: 'icu', encoding: 'UTF8', letters: 'é能', locale: "LOCALE_PROVIDER icu ICU_LOCALE 'und' LOCALE 'C'" }] : []),
    ];
    if (major === 15 || major === 18) {
      for (const database of letters) {
        needs.test(`letters of ${database.name}`, async () => {
          const args = ['--create', ...(database.encoding === 'EUC_JP' ? ['--encoding=UTF8'] : [])];
          const { inventory, findings, psqlErrors, difference, fromSource } = await restored({ args }, database);
          expect({ unknown: inventory.unknown.places, findings, psqlErrors, difference, fromSource }).toEqual({ unknown: [], findings: [], psqlErrors: [], difference: null, fromSource: null });
        }, 60_000);
      }
    }

    for (const variant of variants) {
      needs.test(title(variant), async () => {
        const { inventory, findings, psqlErrors, difference, fromSource } = await restored(variant);
        // pg_dump 15 names a locale provider to servers that know none: psql ends there, and only ours can be held to the source.
        const psqlCannot = major < 15 && variant.args.includes('--create');
        expect({ unknown: inventory.unknown.places, findings, psqlErrors: unforeseen(psqlErrors, variant.args).slice(0, 1), difference, fromSource }).toEqual({
          unknown: [], findings: [], psqlErrors: psqlCannot ? [expect.stringContaining('option "locale_provider" not recognized')] : [], difference: null, fromSource: null,
        });
        // 16.2 is older than \restrict.
        expect(inventory.restricted).toBe(dumper !== 16);
      }, 120_000);
    }

    // Healthy dumps that psql goes through with errors: ours ends at the same object, and names it.
    const cannot: readonly (readonly [string, object: string, psql: string, args: readonly string[], CorpusDatabase?])[] = [
      ...(major === 13 ? [['rows of several with a generated column, on 13', 'app.clients', 'cannot insert into column "up"', ['--rows-per-insert=7']] as const] : []),
      ...(major === 18 ? [
        ['floats at their edge, rounded by --extra-float-digits', 'app.every_type', 'is out of range for type', ['--extra-float-digits=0']],
        ['one schema that needs what is in another', 'app.in_language', 'schema "ext" does not exist', ['--schema=app']],
        ['a materialised view over a table whose policies bind its owner', 'public.mv', 'query would be affected by row-level security policy', [], {
          name: 'forced', encoding: 'UTF8',
          sql: 'CREATE TABLE t (a integer); ALTER TABLE t OWNER TO app_owner; ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE MATERIALIZED VIEW mv AS SELECT a FROM t; ALTER MATERIALIZED VIEW mv OWNER TO app_owner',
        }],
      ] as const : []),
    ];
    for (const [what, object, psql, args, database] of cannot) {
      needs.test(`${what}: psql cannot, and ours names ${object}`, async () => {
        const { findings, psqlErrors } = await restored({ args }, database);
        expect(psqlErrors.filter((line) => line.includes(psql))).not.toEqual([]);
        expect(findings.map(({ facts }) => facts['object'])).toEqual([object]);
      }, 120_000);
    }

    if (major !== 18) return;
    needs.test('--use-set-session-authorization would lose owners silently: refused by name', async () => {
      const { findings } = await restored({ args: ['--use-set-session-authorization'] });
      expect(findings.map(({ code, facts }) => [code, facts['kind']])).toEqual([['restore.permission-denied', 'SET SESSION AUTHORIZATION']]);
    }, 120_000);
  });
}
