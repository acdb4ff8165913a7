// Every change on every major raises its own finding and no other; and the table of changes leaves no part of a definition out.
import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect } from 'vitest';
import { needing, type Need } from '../../../fixtures/tools.ts';
import { openScratch, type Scratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { startEmbedded } from '../../servers/embedded.ts';
import { program, query } from '../restore/rig.ts';
import { openChanged, wrongly } from './changed.ts';
import { changes } from './changes.ts';

const majors = [13, 14, 15, 16, 17, 18] as const;
const needs = needing('pg_dump18', ...majors.map((major): Need => `embedded Postgres ${major}`));

/** Says who read, and is no part of the object. */
const unmovable = ['subscription [dumped]', 'user mapping [dumped]'];
/** What no pg_dump shows and no comparison may speak of. */
const harmless = [
  'ANALYZE', 'REINDEX TABLE s.t', 'CLUSTER s.t USING t_e; ALTER TABLE s.t SET WITHOUT CLUSTER', 'ALTER SUBSCRIPTION sub ENABLE', 'ALTER SUBSCRIPTION sub DISABLE',
  'UPDATE s.leaf SET x = x', 'REFRESH MATERIALIZED VIEW s.m',
  "UPDATE pg_collation SET collversion = '1' WHERE collname = 'sorted'", 'ALTER ROLE reader SET work_mem = $$1MB$$', 'COMMENT ON ROLE reader IS $$x$$',
];

needs.describe('every change', () => {
  let scratch: Scratch;
  beforeAll(() => {
    scratch = openScratch({ root: tmpdir(), runId: `changes-${randomBytes(4).toString('hex')}` });
  });
  afterAll(async () => {
    expect((await teardown(scratch.path)).findings).toEqual([]);
  }, 60_000);

  for (const major of majors) {
    needs.test(`on ${major}`, async () => {
      const server = await startEmbedded({ scratch, major, signal: AbortSignal.timeout(60_000) });
      const changed = await openChanged(server);
      try {
        const these = changes.filter(({ since, until }) => since <= major && major <= until);
        expect(these.length).toBeGreaterThan(550);
        const { wrong, moved, seen } = await wrongly(changed, these);
        expect(wrong).toEqual([]);
        if (major !== 18) return;
        // The newest knows every part: each that it wrote was moved, and each that manifest.sql names was written.
        expect([...seen].filter((part) => !moved.has(part) && !unmovable.includes(part))).toEqual([]);
        const written = new Set([...seen].map((part) => /\[(.*)\]$/.exec(part)?.[1]));
        const sql = readFileSync(new URL('../../../ops/backups/manifest.sql', import.meta.url), 'utf8');
        const objects = sql.slice(sql.indexOf('object (type, class'), sql.indexOf("'kind', 'object'"));
        const named = new Set([...objects.replaceAll(/^\s*--.*$/gm, '').matchAll(/(?:jsonb_build_object\(|, |^\s+)'([a-z][A-Za-z]+)', (?!')/gm)].map((match) => match[1]));
        expect(named.size).toBeGreaterThan(130);
        // A foreign table's part holds its server's name inside.
        expect([...named].filter((part) => !written.has(part))).toEqual(['server']);
      } finally {
        await changed.close();
      }
    }, 300_000);
  }

  needs.test('what raises nothing changes no pg_dump either', async () => {
    const changed = await openChanged(await startEmbedded({ scratch, major: 18, signal: AbortSignal.timeout(60_000) }));
    try {
      const dump = (): Promise<string> => program(needs.path('pg_dump18'), changed.login, ['--schema-only', '--restrict-key=x']);
      const before = await dump();
      for (const sql of harmless) await query(changed.login, sql);
      expect((await changed.after('SELECT 1')).findings).toEqual([]);
      expect(await dump()).toBe(before);
    } finally {
      await changed.close();
    }
  }, 60_000);
});
