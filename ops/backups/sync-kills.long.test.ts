// sync-offsite.sh ended by force in each of its steps: nothing under a final name that the next run does not know, the ledger's chain
// whole, and the next run succeeds.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openOffsiteHost } from '../../fixtures/offsite-host.ts';
import { needing } from '../../fixtures/tools.ts';

const steps = ['preflight begins', ...['sql.gz', 'globals.sql', 'manifest.json'].flatMap((part) => ['encrypt', 'upload', 'verify'].flatMap((step) => [`${step} db-ID.${part}.age begins`, `${step} db-ID.${part}.age ends`]).concat(`witnessed db-ID.${part}.age`))];

const tools = needing('age', 'age-keygen', 'bash', 'rclone', 'setpriv');
tools.describe('sync-offsite.sh, killed', () => {
  for (const step of steps) {
    tools.test(step, async () => {
      const host = openOffsiteHost();
      const store = mkdtempSync(join(tmpdir(), 'offsite-store-'));
      try {
        host.reach({ type: 'alias', remote: store }, '');
        const id = host.addSet(2);
        expect(await host.script(['--init'])).toMatchObject({ code: 0 });
        const running = host.start([], {}, { script: 'sync-offsite.sh' });
        expect(await running.said(step.replace('ID', id))).toBe(true);
        running.process.kill('SIGKILL');
        expect(await running.end).toMatchObject({ code: null });
        const before = readdirSync(store).filter((name) => name.endsWith('.age'));
        const again = await host.script([]);
        expect(again, again.log.join('\n')).toMatchObject({ code: 0 });
        expect(readdirSync(store).toSorted()).toEqual([`db-${id}.globals.sql.age`, `db-${id}.manifest.json.age`, `db-${id}.sql.gz.age`, 'store.json']);
        expect(host.lines(readFileSync(join(store, 'store.json'))).map(({ name }) => name)).toEqual([`db-${id}.sql.gz.age`, `db-${id}.globals.sql.age`, `db-${id}.manifest.json.age`]);
        // What had its name keeps its bytes: it is not sent twice.
        const uploads = again.log.filter((line) => /^upload .* begins$/.test(line)).map((line) => line.split(' ')[1]);
        expect(uploads.filter((name) => before.includes(name ?? ''))).toEqual([]);
        expect(readdirSync(host.directory).filter((name) => name.startsWith('.'))).toEqual([]);
      } finally {
        rmSync(store, { recursive: true, force: true });
        host[Symbol.dispose]();
      }
    });
  }
});
