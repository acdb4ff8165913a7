// What only the operator of whatsapp-mcp knows must hold. Every drill runs it on the restored database; copy it, and put
// your own files beside it: each test becomes a step of the run, named as here.
import { defineCheck, expect } from '../harness/checks.ts';

const check = defineCheck({ needs: 'restored' });

check('the audit chain is unbroken', async ({ db }) => {
  // Each event's hash covers its fields and the hash before it, so a changed, lost or reordered event breaks the chain.
  // Computed here anew: the database's own audit_hash() came out of the dump like everything else.
  const { rows } = await db.query<{ events: string; broken: string }>(`
    SELECT count(*) AS events, count(*) FILTER (WHERE previous_hash IS DISTINCT FROM before OR hash <> computed) AS broken
    FROM (
      SELECT previous_hash, hash, lag(hash) OVER (ORDER BY id) AS before,
        sha256(coalesce(previous_hash, ''::bytea) || convert_to(jsonb_build_array(id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
          actor::text, action, subject, detail)::text, 'UTF8')) AS computed
      FROM audit_events
    ) AS chain`);
  expect(rows[0]).toMatchObject({ broken: '0' });
  expect(Number(rows[0]?.events)).toBeGreaterThan(0);
});

check('every media object lies below the media directory, in a place of its own', async ({ db }) => {
  const { rows } = await db.query<{ outside: string; shared: string }>(String.raw`
    SELECT count(*) FILTER (WHERE storage_path = '' OR storage_path ~ '(^/|(^|/)\.\.?(/|$)|\\)') AS outside, count(*) - count(DISTINCT storage_path) AS shared
    FROM media_objects`);
  expect(rows[0]).toEqual({ outside: '0', shared: '0' });
});

check('every client that is not archived can still sign in', async ({ db }) => {
  const { rows } = await db.query<{ locked_out: string }>(`
    SELECT count(*) AS locked_out FROM clients c
    WHERE archived_at IS NULL AND NOT EXISTS (SELECT FROM api_keys k WHERE k.client_id = c.id AND k.revoked_at IS NULL)`);
  expect(rows[0]?.locked_out).toBe('0');
});

check('no message is newer than the drill', async ({ db, now }) => {
  const { rows } = await db.query<{ messages: string }>('SELECT count(*) AS messages FROM messages WHERE created_at > $1', [now]);
  expect(rows[0]?.messages).toBe('0');
});
