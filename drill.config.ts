// The backups of whatsapp-mcp. Every setting is explained where your editor shows its type; a wrong one is refused with what to write instead.
import { defineConfig } from './harness/config.ts';

export default defineConfig({
  application: 'whatsapp-mcp',
  database: { name: 'wa_mcp', role: 'wa' },

  // While `stores` is left out, `npm run drill` rehearses on a sample. Three settings point it at real backups:
  //
  //   1. where they lie (a path, or env('BACKUPS') for the environment variable BACKUPS):
  // stores: [{ name: 'local', kind: 'directory', path: '/var/lib/whatsapp-mcp/backups' }],
  //   2. the drill's own age key, mode 0600, if they are encrypted:
  // keys: { identityFile: '/etc/whatsapp-mcp/drill.key' },
  //   3. what a healthy restore holds and what was promised: `expected` and `objectives` below.

  expected: {
    tables: [
      { name: 'clients', minRows: 1 },
      { name: 'api_keys', minRows: 1 },
      { name: 'messages', minRows: 1000, newest: 'created_at' },
      { name: 'media_objects', minRows: 1, newest: 'created_at', maxAge: '7 days' },
      { name: 'audit_events', minRows: 1, newest: 'at' },
      { name: 'schema_migrations', minRows: 1 },
    ],
    migration: { sql: 'select max(version) from schema_migrations', head: '0012_maintenance_windows' },
    extensions: ['citext', 'pgcrypto'],
  },
  smoke: [
    { name: 'no message without a client', sql: 'select count(*) from messages m where not exists (select from clients c where c.id = m.client_id)', equals: 0 },
    { name: 'no message whose media object is gone', sql: 'select count(*) from messages m where m.media_id is not null and not exists (select from media_objects o where o.id = m.media_id)', equals: 0 },
    { name: 'every active client has an API key', sql: 'select count(*) from clients c where c.archived_at is null and not exists (select from api_keys k where k.client_id = c.id and k.revoked_at is null)', equals: 0 },
    { name: 'the audit trail is one chain', sql: 'select count(*) from (select previous_hash is distinct from lag(hash) over (order by id) as broken from audit_events) links where broken', equals: 0 },
  ],

  cadence: '24h',
  slack: '2h',
  retention: { daily: 30, monthly: 12 },
  objectives: { rpo: '26h', restoreDuration: '1h' },
});
