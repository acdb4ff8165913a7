// A live rehearsal whose script, load or tools are not what they should be: each is told by its own code.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { shippedConfig } from '../../fixtures/drill.ts';
import { nothingWritten, startWriteLoad, type WriteLoad } from '../../fixtures/sample/write-load.ts';
import { needing } from '../../fixtures/tools.ts';
import { Executor, type StepResult } from '../run/execute.ts';
import { Plan } from '../run/plan.ts';
import { lies, runningProcesses } from '../run/register-processes.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import { clientDirectories, clientPrograms } from '../servers/client-programs.ts';
import { type LiveTools, planLiveBackup, systemDirectories } from './rehearsal-live.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'rehearsal-live-')));
chmodSync(root, 0o755);
afterAll(() => rmSync(root, { recursive: true, force: true }));
const real = join(import.meta.dirname, '..', '..', 'ops', 'backups', 'backup-db.sh');
const patience = 60_000;

afterEach(async () => {
  // However the backup ends, its server and its script have ended before the teardown.
  expect(runningProcesses().filter((one) => !one.zombie && lies(one.directory, root)).map(({ command }) => command)).toEqual([]);
  for (const name of readdirSync(root).filter((each) => each.startsWith('backup-drills-'))) expect((await teardown(join(root, name))).findings).toEqual([]);
});

async function rehearse(tools: Partial<LiveTools>, signal = new AbortController().signal): Promise<Record<string, StepResult>> {
  const scratch = openScratch({ root, runId: 'live' });
  const plan = new Plan();
  planLiveBackup(plan, { config: await shippedConfig(undefined), scratch: scratch.path }, () => ({ script: real, directories: [], system: systemDirectories, startLoad: async (owner) => startWriteLoad(owner), ...tools }));
  const steps: Record<string, StepResult> = {};
  await new Executor({ signal, now: () => new Date(), emit: (event) => { if (event.event === 'ended') steps[event.step] = event.result; } }).runAll(plan);
  return steps;
}

let count = 0;
/** An executable of these words. */
function program(directory: string, name: string, text: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}
const standIn = (body: string): string => program(join(root, `script-${(count += 1)}`), 'backup-db.sh', `#!/bin/bash\nsets=$(sed -n 's/^BACKUP_DIR=//p' "$2")\nsay() { echo "2026-11-26T02:00:00Z backup-db.sh $*" >&2; }\n${body}\n`);
const toldBy = (step: StepResult | undefined): readonly unknown[] => [step?.outcome, ...(step?.findings ?? []).map((finding) => finding.code)];

describe('the client programs', () => {
  const version = (major: number): string => `#!/bin/sh\necho "pg_dump (PostgreSQL) ${major}.1"\n`;
  const complete = (directory: string, major: number): void => { for (const name of ['psql', 'pg_dump', 'pg_dumpall']) program(directory, name, version(major)); };

  test('are looked for on PATH, then where Debian puts each major, the newest first', () => {
    const majors = join(root, 'majors');
    for (const name of ['9', '15', '18', 'common']) mkdirSync(join(majors, name, 'bin'), { recursive: true });
    expect(clientDirectories(`/a:relative::/b`, majors)).toEqual(['/a', '/b', ...['18', '15', '9'].map((major) => join(majors, major, 'bin'))]);
    expect(clientDirectories(undefined, join(root, 'nowhere'))).toEqual([]);
  });

  test('are those of a directory that has all three and runs', () => {
    const at = (name: string): string => join(root, 'programs', name);
    complete(at('whole'), 16);
    complete(at('half'), 17);
    rmSync(join(at('half'), 'pg_dumpall'));
    complete(at('other'), 18);
    program(at('other'), 'pg_dump', '#!/bin/sh\necho something else\n');
    complete(at('broken'), 18);
    program(at('broken'), 'pg_dump', '#!/bin/sh\nexit 1\n');
    expect(clientPrograms([at('nowhere'), at('half'), at('other'), at('broken'), at('whole'), at('whole')])).toEqual([{ directory: at('whole'), major: 16, pgDump: 'pg_dump (PostgreSQL) 16.1' }]);
  });

  test.each([['none', []], ['older ones than any server', [12]]])('%s: nothing is started, and what is needed is said', async (_, majors) => {
    const directories = majors.map((major) => join(root, `only-${major}`));
    directories.forEach((directory, at) => complete(directory, majors[at] ?? 0));
    const steps = await rehearse({ directories });
    expect([toldBy(steps['run.sample']), toldBy(steps['run.backup'])]).toEqual([['errored', 'live.tools-missing'], ['skipped']]);
    expect(steps['run.sample']?.findings[0]?.message).toMatch(majors.length === 0 ? /there are none$/ : /there is only pg_dump \(PostgreSQL\) 12\.1 in /);
  });
});

test.each<[readonly string[]]>([[[]], [['bash']], [['setpriv']]])('a machine that has of bash and setpriv only %j: nothing is started, and what is lacking is said', async (there) => {
  const system = join(root, `system-${there.join()}`);
  for (const name of there) program(system, name, '');
  const steps = await rehearse({ system: [system] });
  expect([toldBy(steps['run.sample']), toldBy(steps['run.backup'])]).toEqual([['errored', 'live.host-unfit'], ['skipped']]);
  expect(steps['run.sample']?.findings[0]?.facts['missing']).toEqual(['bash', 'setpriv'].filter((name) => !there.includes(name)));
});

const tools = needing('psql18', 'pg_dump18', 'pg_dumpall18', 'embedded Postgres 18', 'bash', 'setpriv');
tools.describe('a backup', () => {
  const directories = (): string[] => [dirname(tools.path('pg_dump18'))];
  const idle = (broken: string | null): LiveTools['startLoad'] => async (): Promise<WriteLoad> => ({ connections: 4, written: () => nothingWritten, broken: () => broken, stop: async () => {} });

  test('beside which nothing is written proves nothing', async () => {
    const steps = await rehearse({ directories: directories(), startLoad: idle(null) });
    expect(toldBy(steps['run.backup'])).toEqual(['failed', 'live.no-writes']);
    expect(steps['run.backup']?.evidence).toMatchObject({ ended: 'exit code 0', writtenDuringDump: nothingWritten });
  }, patience);

  test('beside which the load breaks is not judged', async () => {
    expect(toldBy((await rehearse({ directories: directories(), startLoad: idle('SQLSTATE 40P01') }))['run.backup'])).toEqual(['errored', 'live.load-broken']);
  }, patience);

  test('that a load wrote beside, but not while it was dumped, proves nothing', async () => {
    const steps = await rehearse({ directories: directories(), script: standIn('say dump begins; say dump ends seconds=0.1; id=2026-11-26; for part in sql.gz globals.sql manifest.json; do : >"$sets/db-$id.$part"; done'), startLoad: async (owner) => {
      const load = await startWriteLoad(owner);
      await load.stop();
      return { ...load, stop: async () => {} };
    } });
    expect(toldBy(steps['run.backup'])).toEqual(['failed', 'live.no-writes']);
    expect(steps['run.backup']?.evidence?.['written']).not.toEqual(nothingWritten);
  }, patience);

  const part = 'id=2026-11-26; for part in';
  test.each<[string, string, string, string, RegExp]>([
    ['that is refused', 'say problem space: 1 MB is free; say refused space: 1 in all; exit 1', 'failed', 'live.refused', /: problem space: 1 MB is free; refused space: 1 in all$/],
    ['that is refused without a word', 'exit 1', 'failed', 'live.refused', /: it did not say why$/],
    ['that could not be taken', 'say broken tools: no awk; exit 2', 'errored', 'live.broken', /ended with exit code 2: broken tools: no awk$/],
    ['whose script ends as no script may', 'exit 3', 'errored', 'live.broken', /ended with exit code 3$/],
    ['whose script kills itself', 'kill -9 $$', 'errored', 'live.broken', /ended with SIGKILL$/],
    ['that is none', 'exit 0', 'failed', 'live.set-incomplete', /: nothing$/],
    ['without its manifest', `${part} sql.gz globals.sql; do : >"$sets/db-$id.$part"; done`, 'failed', 'live.set-incomplete', /: db-2026-11-26\.globals\.sql, db-2026-11-26\.sql\.gz$/],
    ['with something beside it', `${part} sql.gz globals.sql manifest.json; do : >"$sets/db-$id.$part"; done; mkdir "$sets/.backup-db.tmp"`, 'failed', 'live.set-incomplete', /\.backup-db\.tmp/],
  ])('%s', async (_, body, outcome, code, message) => {
    const steps = await rehearse({ directories: directories(), script: standIn(body), startLoad: idle(null) });
    expect(toldBy(steps['run.backup'])).toEqual([outcome, code]);
    expect(steps['run.backup']?.findings[0]?.message).toMatch(message);
  }, patience);

  test('whose password the script tells is redacted wherever its words go', async () => {
    const steps = await rehearse({ directories: directories(), script: standIn('secret=$(cut -d: -f5 "${2%/*}/pgpass"); echo "${#secret}" >&2; say "refused it: $secret"; exit 1'), startLoad: idle(null) });
    expect(JSON.stringify(steps['run.backup'])).not.toMatch(/[0-9a-f]{32}/);
    expect(steps['run.backup']?.evidence?.['said']).toEqual(['32', expect.stringMatching(/refused it: \[redacted\]$/)]);
  }, patience);

  test('that is interrupted ends its script first', async () => {
    const abort = new AbortController();
    const steps = await rehearse({ directories: directories(), script: standIn('trap "say told; exit 2" TERM; say waits; while :; do sleep 1; done'), startLoad: async () => {
      queueMicrotask(() => abort.abort(new Error('SIGINT')));
      return idle(null)({ host: '', port: 0, user: '', password: '', database: '' });
    } }, abort.signal);
    expect(steps['run.backup']).toMatchObject({ outcome: 'errored', reason: 'interrupted' });
  }, patience);
});
