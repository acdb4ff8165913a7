// Some of the changes, on the newest server, and what the table itself must be. All of them on every major: changes.long.test.ts.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openScratch, type Scratch } from '../../run/scratch.ts';
import { teardown } from '../../run/teardown.ts';
import { startEmbedded } from '../../servers/embedded.ts';
import { openChanged, wrongly, type Changed } from './changed.ts';
import { changes } from './changes.ts';

let scratch: Scratch;
let changed: Changed;
beforeAll(async () => {
  scratch = openScratch({ root: tmpdir(), runId: `changes-${randomBytes(4).toString('hex')}` });
  changed = await openChanged(await startEmbedded({ scratch, major: 18, signal: AbortSignal.timeout(60_000) }));
});
afterAll(async () => {
  await changed?.close();
  expect((await teardown(scratch.path)).findings).toEqual([]);
});

test('a database that nothing was done to raises nothing', async () => {
  expect((await changed.after('SELECT 1')).findings).toEqual([]);
});

test('every twelfth change raises its own finding and no other', async () => {
  const some = changes.filter(({ since, until }, at) => at % 12 === 0 && since <= 18 && until >= 18);
  expect(some.length).toBeGreaterThan(45);
  expect((await wrongly(changed, some)).wrong).toEqual([]);
});

test('no change is there twice', () => {
  expect(new Set(changes.map(({ sql }) => sql)).size).toBe(changes.length);
});

test('no option, password or label is written down', () => {
  const text = JSON.stringify(changed.manifest, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  expect(text).not.toMatch(/secret/);
});
