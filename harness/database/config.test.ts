import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { normaliseDatabase, tableName } from './config.ts';

test.each([
  ['messages', 'public', 'messages'],
  ['app.Messages', 'app', 'Messages'],
  ['"odd.name"', 'public', 'odd.name'],
  ['app."a ""b"""', 'app', 'a "b"'],
])('%s names a table', (given, schema, name) => {
  expect(tableName(given)).toEqual({ schema, name });
});

test.each(['', 'a b', 'a.b.c', '.a', 'a.', '"a', 'a"b'])('%j names none', (given) => {
  expect(tableName(given)).toBeNull();
});

test('answers become what Postgres prints, defaults are filled in', () => {
  const { smoke, caps, expected, restore } = normaliseDatabase({
    database: { name: 'db', role: 'r' },
    expected: { tables: [{ name: 'a', newest: 'at', maxAge: '1h' }] },
    smoke: [{ name: 'a', sql: 's', equals: true }, { name: 'b', sql: 's', equals: 7 }, { name: 'c', sql: 's', atLeast: 0 }],
  }, '/etc/app');
  expect(smoke).toEqual([{ name: 'a', sql: 's', equals: 't' }, { name: 'b', sql: 's', equals: '7' }, { name: 'c', sql: 's', atLeast: 0 }]);
  expect(caps).toEqual({ maxBytes: 5e11, maxRatio: 200, statementBytes: 6.4e7 });
  expect(restore).toEqual({ admin: true, statementMs: 6 * 3_600_000, sessions: Math.min(16, availableParallelism()) });
  expect(normaliseDatabase({ database: { name: 'db', role: 'r' }, restore: { admin: false, statement: '30 min', sessions: 3 } }, '/').restore).toEqual({ admin: false, statementMs: 30 * 60_000, sessions: 3 });
  expect(expected).toEqual({ tables: [{ schema: 'public', name: 'a', newest: 'at', maxAgeMs: 3_600_000 }], extensions: [], schemaReference: '/etc/app/checks/schema.reference.json' });
});
