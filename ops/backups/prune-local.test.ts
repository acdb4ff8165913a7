// Retention on the host: the rule against a naive model of it, over three years of nights, and the script over real directories.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseManifest } from '../../harness/database/manifest/manifest.ts';

const script = join(import.meta.dirname, 'prune-local.sh');
const hour = 3_600_000;
const day = 24 * hour;

interface Keep {
  readonly daily: number;
  readonly monthly: number;
  readonly least: number;
}
const usual: Keep = { daily: 30, monthly: 12, least: 7 };
type Said = Readonly<Record<string, string>>;

/** When a set was taken at the earliest, by its id. */
function startOf(id: string): number {
  const [date = '', time] = id.split('T');
  return Date.parse(time === undefined ? `${date}T00:00:00Z` : `${date}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4, 6)}Z`);
}

/** The rule as docs/retention.md tells it, each sentence by itself; what is said of each id. */
function naive(ids: readonly string[], now: number, { daily, monthly, least }: Keep): Said {
  const past = ids.filter((id) => startOf(id) <= now + 5 * 60_000).toSorted((a, b) => startOf(a) - startOf(b) || a.length - b.length);
  const newest = (of: (id: string) => string, count: number): string[] => (count === 0 ? [] : [...new Set(past.map(of))].slice(-count));
  const days = newest((id) => id.slice(0, 10), daily);
  const months = newest((id) => id.slice(0, 7), monthly);
  const firsts = months.map((month) => past.find((id) => id.startsWith(month)));
  const floor = past.slice(-least);
  return Object.fromEntries(ids.map((id) => {
    const month = id.slice(0, 7);
    if (!past.includes(id)) return [id, 'future: later than now: not counted, not touched'];
    if (days.includes(id.slice(0, 10))) return [id, `keep: one of the ${daily} newest days`];
    if (firsts.includes(id)) return [id, `keep: first of ${month}`];
    if (floor.includes(id)) return [id, `keep: among the ${least} that always stay`];
    return [id, `remove: past the ${daily} newest days, and ${months.includes(month) ? `not the first of ${month}` : `${month} past the ${monthly} newest months`}`];
  }));
}

const kept = (said: Said): string[] => Object.keys(said).filter((id) => said[id]?.startsWith('keep')).toSorted();

/** Ids of a night that begins there. Most have one, some none, some a second or a third; on some the first is a timestamp. */
function taken(midnight: number, luck: number): string[] {
  const at = (hours: number, minutes = 0): string => `${new Date(midnight + hours * hour + minutes * 60_000).toISOString().slice(0, 19).replaceAll(':', '')}Z`;
  const date = new Date(midnight).toISOString().slice(0, 10);
  if (luck < 10) return [];
  if (luck < 14) return [date, at(0)];
  if (luck < 18) return [date, at(9), at(23, 59)];
  return luck < 20 ? [at(2)] : [date];
}

/** Three years of nights: whole weeks and months are missed, too, and the first day is any. */
const nights = fc
  .record({
    start: fc.integer({ min: 0, max: 1500 }).map((offset) => Date.parse('2023-01-01T00:00:00Z') + offset * day),
    lucks: fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1096, maxLength: 1096 }),
    outages: fc.array(fc.record({ from: fc.integer({ min: 0, max: 1095 }), days: fc.integer({ min: 2, max: 70 }) }), { maxLength: 4 }),
  })
  .map(({ start, lucks, outages }) => lucks.map((luck, index) => {
    const midnight = start + index * day;
    return { midnight, ids: outages.some(({ from, days }) => index >= from && index < from + days) ? [] : taken(midnight, luck) };
  }));
const keeps = fc.oneof(fc.constant(usual), fc.record({ daily: fc.integer({ min: 1, max: 45 }), monthly: fc.integer({ min: 0, max: 40 }), least: fc.integer({ min: 1, max: 60 }) }));
const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'Pacific/Kiritimati', 'America/St_Johns');

/** One shell that has the script's functions, and no clock. */
function shell(commands: string, input: string, environment: Record<string, string> = {}): string[] {
  const ended = spawnSync('/bin/bash', ['--norc', '-c', `source "$1"; ${commands}`, 'bash', script], { input, env: environment, encoding: 'utf8', maxBuffer: 1 << 28 });
  expect(ended).toMatchObject({ status: 0, stderr: '' });
  return ended.stdout.split('\n').slice(0, -1);
}

function parse(lines: readonly string[]): Said {
  return Object.fromEntries(lines.map((line) => {
    const [verdict = '', id = '', ...why] = line.split(' ');
    return [id, `${verdict}: ${why.join(' ')}`];
  }));
}

const judged = (ids: readonly string[], now: number, { daily, monthly, least }: Keep, environment: Record<string, string> = {}): Said =>
  parse(shell(`judge ${Math.floor(now / 1000)} ${daily} ${monthly} ${least}`, ids.map((id) => `${id}\n`).join(''), environment));

describe('the rule', () => {
  test('of one night, over three years of sets, is that of the naive model', () => {
    let [removed, future, floor] = [0, 0, 0];
    fc.assert(
      fc.property(nights, keeps, fc.integer({ min: 0, max: 1095 * 24 * 60 }), zones, (all, keep, minutes, TZ) => {
        const ids = all.flatMap((night) => night.ids);
        const now = (all[0]?.midnight ?? 0) + 365 * day + (minutes % (800 * 24 * 60)) * 60_000;
        const said = judged(ids, now, keep, { TZ });
        expect(said).toEqual(naive(ids, now, keep));
        removed += Object.values(said).filter((what) => what.startsWith('remove')).length;
        future += Object.values(said).filter((what) => what.startsWith('future')).length;
        floor += Object.values(said).filter((what) => what.endsWith('always stay')).length;
      }),
      { numRuns: 40, endOnFailure: true },
    );
    // It saw all there is to see.
    for (const count of [removed, future, floor]) expect(count).toBeGreaterThan(10);
  }, 120_000);

  test('night after night for three years leaves what the naive model would leave of all that was ever taken', () => {
    const everyNight = `ids=() nights=0
      exec 3<&0
      while read -r -u 3 now daily monthly least taken; do
        for id in $taken; do ids+=("$id"); done
        ((\${#ids[@]})) || { echo; continue; }
        judge "$now" "$daily" "$monthly" "$least" < <(printf '%s\\n' "\${ids[@]}") >"$judged"
        mapfile -t lines <"$judged"; ids=()
        for line in "\${lines[@]}"; do if [[ $line == keep* ]]; then line=\${line#* }; ids+=("\${line%% *}"); fi; done
        echo "\${ids[*]}"
      done`;
    const home = mkdtempSync(join(tmpdir(), 'backup-drills-rule-'));
    try {
      fc.assert(
        fc.property(nights, keeps, (all, keep) => {
          const input = all.map(({ midnight, ids }) => `${midnight / 1000 + 86_399} ${keep.daily} ${keep.monthly} ${keep.least} ${ids.join(' ')}\n`);
          const left = shell(everyNight, input.join(''), { judged: join(home, 'judged') }).map((line) => line.split(' ').filter((id) => id !== ''));
          expect(left).toHaveLength(all.length);
          const ever: string[] = [];
          for (const [index, { midnight, ids }] of all.entries()) {
            ever.push(...ids);
            // A night of every week, and all around the edges of months.
            if (index % 7 !== 0 && ![28, 29, 30, 31, 1, 2].includes(new Date(midnight).getUTCDate())) continue;
            expect(left[index]).toEqual(kept(naive(ever, midnight + day - 1000, keep)));
            expect(left[index]?.length).toBeGreaterThanOrEqual(Math.min(keep.least, ever.length));
          }
          // Of each month the first set is there until the last day of the month in which it is the oldest of those that are kept.
          const firsts = ever.filter((one, index) => ever[index - 1]?.slice(0, 7) !== one.slice(0, 7));
          const lost = firsts.filter((id) => {
            const then = all.findIndex(({ midnight }) => midnight === Date.UTC(Number(id.slice(0, 4)), Number(id.slice(5, 7)) - 1 + keep.monthly, 0));
            return keep.monthly > 0 && then !== -1 && !(left[then] ?? []).includes(id);
          });
          expect(lost).toEqual([]);
        }),
        { numRuns: 3, endOnFailure: true },
      );
    } finally {
      rmSync(home, { recursive: true });
    }
  }, 180_000);

  test.each([
    ['29 February is a day like another, and no first of March', ['2028-02-28', '2028-02-29', '2028-03-01'], '2028-03-01T03:00:00Z', { daily: 1, monthly: 2, least: 1 }, 'keep: first of 2028-02|remove: past the 1 newest days, and not the first of 2028-02|keep: one of the 1 newest days'],
    ['a missed first of a month gives way to the first good set', ['2026-10-03', '2026-10-04', '2026-11-26'], '2026-11-26T03:00:00Z', { daily: 1, monthly: 2, least: 1 }, 'keep: first of 2026-10|remove: past the 1 newest days, and not the first of 2026-10|keep: one of the 1 newest days'],
    ['days without a set are not counted', ['2026-01-01', '2026-02-01', '2026-11-26'], '2026-11-26T03:00:00Z', { daily: 3, monthly: 0, least: 1 }, 'keep: one of the 3 newest days|keep: one of the 3 newest days|keep: one of the 3 newest days'],
    ['five minutes ahead are a clock, more is the future', ['2026-11-26T030500Z', '2026-11-26T030501Z'], '2026-11-26T03:00:00Z', { daily: 1, monthly: 0, least: 1 }, 'keep: one of the 1 newest days|future: later than now: not counted, not touched'],
    ['the date of the next day is no future in the last five minutes', ['2026-11-26', '2026-11-27'], '2026-11-26T23:55:00Z', { daily: 1, monthly: 0, least: 1 }, 'remove: past the 1 newest days, and 2026-11 past the 0 newest months|keep: one of the 1 newest days'],
    ['in a night of the change to summer time', ['2026-03-28', '2026-03-29', '2026-03-30'], '2026-03-29T00:59:59Z', { daily: 1, monthly: 0, least: 1 }, 'remove: past the 1 newest days, and 2026-03 past the 0 newest months|keep: one of the 1 newest days|future: later than now: not counted, not touched'],
  ])('%s', (_, ids, now, keep, expected) => {
    const said = judged(ids, Date.parse(now), keep, { TZ: 'Europe/Berlin' });
    expect(Object.values(said).join('|')).toBe(expected);
    expect(said).toEqual(naive(ids, Date.parse(now), keep));
  });
});

describe('prune-local.sh', () => {
  const rows = readFileSync(join(import.meta.dirname, '../../fixtures/sample/db-2026-11-26.manifest.json'), 'utf8').split('\n"rows": ')[1] ?? '';
  let home = '';
  let directory = '';
  let now = 0;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'backup-drills-prune-'));
    directory = join(home, 'the sets');
    mkdirSync(directory, { mode: 0o700 });
    now = Date.now();
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
  const path = (name: string): string => join(directory, name);
  const dateOf = (at: number): string => new Date(at).toISOString().slice(0, 10);
  const stampOf = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replaceAll(':', '')}Z`;
  /** Two hours ago, and every day before at that time. */
  const night = (ago: number): number => now - 2 * hour - ago * day;

  /** As backup-db.sh leaves one. */
  function makeSet(id: string, takenAt: number): string {
    const dump = `the dump of ${id}`;
    writeFileSync(path(`db-${id}.sql.gz`), dump, { mode: 0o600 });
    writeFileSync(path(`db-${id}.globals.sql`), `the roles of ${id}`, { mode: 0o600 });
    const head = `{\n"format": "backup-drills/manifest/1",\n"id": "${id}",\n"dump": {"name": "db-${id}.sql.gz", "sha256": "${sha256(dump)}", "bytes": ${dump.length}},\n"tools": {"pgDump": "18.6", "psql": "18.6"},\n"rows": `;
    writeFileSync(path(`db-${id}.manifest.json`), head + rows.replace(/("kind": "snapshot", "time": ")[^"]+/, `$1${new Date(takenAt).toISOString().replace('Z', '000Z')}`), { mode: 0o600 });
    return id;
  }
  const makeNights = (count: number): string[] => Array.from({ length: count }, (_, ago) => makeSet(dateOf(night(ago)), night(ago))).toSorted();

  /** Name → what it is; of a set its three files. */
  function contents(): Record<string, string> {
    const entries = readdirSync(directory).sort().map((name) => {
      const stats = lstatSync(path(name));
      return [name, stats.isSymbolicLink() ? `→ ${readlinkSync(path(name))}` : stats.isFile() ? `${stats.mtimeMs} ${sha256(readFileSync(path(name)))}` : 'directory'];
    });
    return Object.fromEntries(entries) as Record<string, string>;
  }
  const filesOf = (ids: readonly string[]): string[] => ids.flatMap((id) => ['globals.sql', 'manifest.json', 'sql.gz'].map((suffix) => `db-${id}.${suffix}`)).toSorted();

  interface Options {
    readonly settings?: Record<string, string>;
    readonly environment?: Record<string, string>;
    readonly words?: readonly string[];
    /** Run in the shell that has the script's functions, before its main. */
    readonly before?: string;
    readonly umask?: string;
    /** Another copy of it. */
    readonly file?: string;
    readonly through?: readonly string[];
  }
  interface Ended {
    readonly code: number | null;
    readonly signal: string | null;
    /** What it judged, a line each. */
    readonly out: readonly string[];
    /** What it logged, without time and name. */
    readonly log: readonly string[];
    readonly ended: string | null;
  }
  function run({ settings = {}, environment = {}, words = [], before = '', umask = '022', file = script, through = [] }: Options = {}): Ended {
    const given = { BACKUP_DIR: directory, DATABASE: 'app', DATABASE_USER: 'app', REQUIRED_TABLES: 'clients:1', ...settings };
    const config = join(home, 'backup.env');
    writeFileSync(config, Object.entries(given).map(([key, value]) => `${key}=${value}\n`).join(''), { mode: 0o644 });
    const start = before === '' ? 'exec /bin/bash "$@"' : `source "$1"; shift; ${before}\nmain "$@"`;
    const line = [...through, '/bin/bash', '-c', `umask ${umask}; ${start}`, 'bash', file, '--config', config, ...words];
    const ended = spawnSync(line[0] ?? '', line.slice(1), { cwd: '/', env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    const log = ended.stderr.split('\n').slice(0, -1).map((one) => one.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S+ /, ''));
    return { code: ended.status, signal: ended.signal, out: ended.stdout.split('\n').slice(0, -1), log, ended: log.flatMap((one) => /^((?:refused|broken) [a-z]+):/.exec(one)?.[1] ?? []).at(-1) ?? null };
  }
  const plan = (ended: Ended): Said => parse(ended.out.filter((line) => !line.startsWith('untouched ')));
  const untouched = (ended: Ended): Record<string, string> => Object.fromEntries(ended.out.flatMap((line) => {
    const parts = /^untouched '(.*)' (.*)$/.exec(line);
    return parts === null ? [] : [[parts[1] ?? '', parts[2] ?? '']];
  }));
  function refuses(reason: string, options: Options = {}): Ended {
    const was = contents();
    const ended = run(options);
    expect(ended, ended.log.join('\n')).toMatchObject({ code: reason.startsWith('refused') ? 1 : 2, ended: reason });
    expect(contents()).toEqual(was);
    expect(plan(ended)).toEqual({});
    return ended;
  }

  test('removes what the rule says, and nothing else; --dry-run says the same, and changes nothing', () => {
    const ids = makeNights(75);
    expect(parseManifest(readFileSync(path(`db-${ids[0]}.manifest.json`)), 'it').dump.bytes).toBe(22);
    ids.push(makeSet(stampOf(night(60) + hour), night(60) + hour));
    const expected = naive(ids.toSorted(), now, usual);
    expect(kept(expected).length).toBeLessThan(40);
    const was = contents();
    const dry = run({ words: ['--dry-run'] });
    expect(dry, dry.log.join('\n')).toMatchObject({ code: 0, ended: null });
    expect(contents()).toEqual(was);
    const wet = run();
    expect(wet).toMatchObject({ code: 0, ended: null });
    expect(plan(dry)).toEqual(expected);
    expect(wet.out).toEqual(dry.out);
    expect(Object.keys(contents())).toEqual(filesOf(kept(expected)));
    for (const name of Object.keys(contents())) expect(contents()[name]).toBe(was[name]);
    expect(wet.log.filter((line) => line.startsWith('removed ')).map((line) => line.slice('removed '.length))).toEqual(ids.toSorted().filter((id) => !kept(expected).includes(id)));
    // And the next time there is nothing to do.
    expect(Object.values(plan(run())).filter((what) => !what.startsWith('keep'))).toEqual([]);
  });

  test.each<[string, Options]>([
    ['a host in Berlin, with a PATH that leads nowhere', { environment: { TZ: 'Europe/Berlin', LC_ALL: 'de_DE.UTF-8', PATH: '/nowhere', HOME: '/nowhere' } }],
    ['umask 000', { umask: '000' }],
    ['umask 077, and quotes in the settings', { umask: '077', settings: { KEEP_DAILY: '"3"', KEEP_MONTHLY: "'0'" } }],
  ])('is the same for %s, whatever the times of the files', (_, options) => {
    const ids = makeNights(9);
    for (const [index, name] of readdirSync(directory).entries()) utimesSync(path(name), (index * 7919) % 4_000_000_000, (index * 104_729 * 977) % 4_000_000_000);
    const settings = { KEEP_DAILY: '3', KEEP_MONTHLY: '0', KEEP_AT_LEAST: '5' };
    const ended = run({ ...options, settings: { ...settings, ...options.settings } });
    expect(plan(ended)).toEqual(naive(ids, now, { daily: 3, monthly: 0, least: 5 }));
    expect(Object.keys(contents())).toEqual(filesOf(ids.slice(-5)));
  });

  test('leaves alone, and says, whatever is no good set', () => {
    const few = { KEEP_DAILY: '1', KEEP_MONTHLY: '0', KEEP_AT_LEAST: '1' };
    const [old = '', , , newest = ''] = makeNights(4);
    const [short, bare, linked, swapped, lacking, ahead, folder] = ['2020-01-01', '2020-01-02', '2020-01-03', '2020-01-04', '2020-01-05', dateOf(now + 3 * day), '2020-01-06'] as const;
    for (const id of [short, bare, linked, swapped, lacking, ahead]) makeSet(id, startOf(id));
    truncateSync(path(`db-${short}.sql.gz`), 5);
    rmSync(path(`db-${bare}.manifest.json`));
    rmSync(path(`db-${linked}.sql.gz`));
    symlinkSync(`db-${newest}.sql.gz`, path(`db-${linked}.sql.gz`));
    copyFileSync(path(`db-${newest}.manifest.json`), path(`db-${swapped}.manifest.json`));
    rmSync(path(`db-${lacking}.sql.gz`));
    for (const suffix of ['sql.gz', 'manifest.json']) mkdirSync(path(`db-${folder}.${suffix}`));
    mkdirSync(path('.backup-db.tmp'));
    symlinkSync('/nowhere', path('db-2020-01-07.manifest.json'));
    const odd = ['notes.txt', 'db-2020-01-01.sql.gz.tmp', 'db-2020-01-02.removing.tmp', 'x.partial', '.hidden', 'db-2020-02-30.sql.gz', 'db-2020-1-1.manifest.json', 'DB-2020-01-01.sql.gz', 'db-2020-01-01.sql.gz.age', 'a\nb', `db-${old}.sql.gz db-${old}.sql.gz`, 'db-*.sql.gz', '$(touch x)', `db-${old}.manifest.json db-${old}.removing.tmp`];
    for (const name of odd) writeFileSync(path(name), 'of somebody');
    const was = contents();
    const ended = run({ settings: few });
    expect(ended, ended.log.join('\n')).toMatchObject({ code: 0, ended: null });
    const now_ = contents();
    for (const name of Object.keys(now_)) expect(now_[name]).toBe(was[name]);
    const gone = Object.keys(was).filter((name) => !(name in now_));
    expect(gone).toHaveLength(9);
    expect(gone.every((name) => /^db-(?!2020|\d{4}-\d\d-\d\d\..* )/.test(name) && !name.includes(newest))).toBe(true);
    expect(plan(ended)[ahead]).toBe('future: later than now: not counted, not touched');
    const unlike = 'of a set whose dump is missing, or not as long as its manifest says';
    expect(untouched(ended)).toEqual({
      ...Object.fromEntries([short, swapped].flatMap((id) => filesOf([id])).map((name) => [name, unlike])),
      ...Object.fromEntries(filesOf([linked]).map((name) => [name, name.endsWith('.gz') ? 'a symbolic link' : unlike])),
      ...Object.fromEntries(filesOf([lacking]).filter((name) => !name.endsWith('.gz')).map((name) => [name, unlike])),
      ...Object.fromEntries(filesOf([bare]).filter((name) => !name.endsWith('.json')).map((name) => [name, 'of a set that has no manifest'])),
      [`db-${folder}.sql.gz`]: 'a directory, or another thing that is no file', [`db-${folder}.manifest.json`]: 'a directory, or another thing that is no file', 'db-2020-01-07.manifest.json': 'a symbolic link',
      ...Object.fromEntries(['.backup-db.tmp', ...odd].filter((name) => name !== 'a\nb').map((name) => [name, /\.(tmp|partial)$/.test(name) ? 'unfinished' : 'no name of a set'])),
    });
    expect(ended.out).toContain(String.raw`untouched $'a\nb' no name of a set`);
  });

  test('bad sets take no place of good ones', () => {
    const ids = makeNights(8);
    for (const id of ids.slice(2, 5)) truncateSync(path(`db-${id}.sql.gz`), 3);
    const ended = run({ settings: { KEEP_DAILY: '4', KEEP_MONTHLY: '0', KEEP_AT_LEAST: '1' } });
    expect(plan(ended)).toEqual(naive(ids.filter((_, index) => index < 2 || index > 4), now, { daily: 4, monthly: 0, least: 1 }));
    expect(Object.keys(contents())).toEqual(filesOf(ids.slice(1)));
  });

  describe('removes nothing where', () => {
    const few = { KEEP_DAILY: '1', KEEP_MONTHLY: '0', KEEP_AT_LEAST: '1' };

    test('the newest good set is stale, and a set of the future makes it no fresher', () => {
      for (const ago of [1, 2, 3, 4]) makeSet(dateOf(night(ago)), now - 26 * hour - 60_000);
      makeSet(dateOf(now + 3 * day), now + 3 * day);
      expect(refuses('refused stale', { settings: few }).log.at(-2)).toContain('26 h old, and MAX_AGE_HOURS=26');
      refuses('refused stale', { settings: few, words: ['--dry-run'] });
      expect(run({ settings: { ...few, MAX_AGE_HOURS: '27' } }).code).toBe(0);
    });

    test('the newest is bad, and the one before is stale', () => {
      const ids = makeNights(4);
      truncateSync(path(`db-${ids[3]}.sql.gz`), 3);
      refuses('refused stale', { settings: { ...few, MAX_AGE_HOURS: '25' } });
    });

    test('the newest has other bytes than its manifest says', () => {
      const ids = makeNights(3);
      const dump = readFileSync(path(`db-${ids[2]}.sql.gz`));
      dump[4] = (dump[4] ?? 0) ^ 1;
      writeFileSync(path(`db-${ids[2]}.sql.gz`), dump);
      refuses('refused damaged', { settings: few });
    });

    test('the manifest of the newest does not say when it was taken', () => {
      const ids = makeNights(3);
      const file = path(`db-${ids[2]}.manifest.json`);
      writeFileSync(file, readFileSync(file, 'utf8').replace('"kind": "snapshot"', '"kind": "other"'));
      refuses('refused damaged', { settings: few });
    });

    test('the newest was taken later than now, or every set was', () => {
      makeNights(3);
      const ids = [makeSet(stampOf(now - 60_000), now + 10 * 60_000)];
      refuses('refused clock', { settings: few });
      for (const name of readdirSync(directory)) rmSync(path(name));
      ids.push(makeSet(dateOf(now + 3 * day), now + 3 * day));
      refuses('refused clock', { settings: few });
    });

    test('no good set is there', () => {
      writeFileSync(path('db-2026-01-01.sql.gz'), '');
      expect(untouched(refuses('refused none', { settings: few }))).toEqual({ 'db-2026-01-01.sql.gz': 'of a set that has no manifest' });
    });

    test('another script is at work', async () => {
      makeNights(3);
      const holder = spawn('/bin/bash', ['-c', 'exec 9<"$0"; flock 9; echo held; read -r', directory], { stdio: ['pipe', 'pipe', 'inherit'] });
      const exit = once(holder, 'exit');
      await once(holder.stdout, 'data');
      refuses('refused locked', { settings: few });
      refuses('refused locked', { settings: few, words: ['--dry-run'] });
      holder.stdin.end();
      await exit;
      expect(run({ settings: few }).code).toBe(0);
    });

    test('the user may not write to the directory', () => {
      makeNights(3);
      const [file = '', lib = ''] = ['prune-local.sh', 'lib.sh'].map((name) => join(home, name));
      copyFileSync(script, file);
      copyFileSync(join(import.meta.dirname, 'lib.sh'), lib);
      copyFileSync(join(import.meta.dirname, 'retention.sh'), join(home, 'retention.sh'));
      for (const open of [home, file, lib]) chmodSync(open, 0o755);
      for (const name of readdirSync(directory)) chmodSync(path(name), 0o644);
      chmodSync(directory, 0o555);
      const through = process.getuid?.() === 0 ? ['/usr/bin/env', 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'] : [];
      refuses('broken directory', { settings: few, file, through, environment: { PATH: '/usr/bin:/bin' } });
      chmodSync(directory, 0o755);
    });

    test('the directory is not there', () => {
      rmSync(directory, { recursive: true });
      expect(run()).toMatchObject({ code: 2, ended: 'broken directory' });
    });

    test('settings are missing or wrong, which are told all at once', () => {
      makeNights(3);
      const ended = refuses('broken settings', { settings: { KEEP_DAILY: '0', KEEP_MONTHLY: 'all', KEEP_AT_LEAST: '-1', MAX_AGE_HOURS: '', KEEP_WEEKLY: '4', BACKUP_DIR: '' } });
      for (const key of ['KEEP_DAILY=0', "KEEP_MONTHLY='all'", "KEEP_AT_LEAST='-1'", 'KEEP_WEEKLY', 'BACKUP_DIR is not set']) expect(ended.log.filter((line) => line.includes(key))).toHaveLength(1);
      refuses('broken settings', { words: ['--config', join(home, 'none.env')] });
      refuses('broken usage', { words: ['--config'] });
      refuses('broken usage', { words: ['--force'] });
      expect(run({ words: ['--help'] })).toMatchObject({ code: 0, log: [] });
    });
  });

  test('a kill -9 before any of its commands leaves no set that claims to be whole and is not; the next run finishes', () => {
    const settings = { KEEP_DAILY: '1', KEEP_MONTHLY: '0', KEEP_AT_LEAST: '2' };
    const named = new Map<string, number>();
    let ended: Ended;
    let at = 0;
    do {
      for (const name of readdirSync(directory)) rmSync(path(name));
      const ids = makeNights(4);
      at += 1;
      ended = run({ settings, before: `n=0; step() { if ((++n == ${at})); then echo "kill $1" >&2; kill -9 $$; fi; command "$@"; }; mv() { step mv "$@"; }; rm() { step rm "$@"; }; sync() { step sync "$@"; }` });
      for (const line of ended.log) if (line.includes('kill ')) named.set(line, (named.get(line) ?? 0) + 1);
      for (const name of readdirSync(directory).filter((one) => one.endsWith('.manifest.json'))) {
        const { dump } = parseManifest(readFileSync(path(name)), name);
        expect(sha256(readFileSync(path(dump.name)))).toBe(dump.sha256);
        expect(existsSync(path(dump.name.replace('.sql.gz', '.globals.sql')))).toBe(true);
      }
      expect(Object.keys(contents())).toEqual(expect.arrayContaining(filesOf(ids.slice(-2))));
      const again = run({ settings });
      expect(again, again.log.join('\n')).toMatchObject({ code: 0, ended: null });
      expect(untouched(again)).toEqual({});
      expect(Object.keys(contents())).toEqual(filesOf(ids.slice(-2)));
    } while (ended.signal === 'SIGKILL');
    expect(ended).toMatchObject({ code: 0, ended: null });
    expect(Object.fromEntries(named)).toEqual({ 'kill mv': 2, 'kill rm': 6, 'kill sync': 5 });
  }, 60_000);

  test('a file that cannot be removed is no success, and the next run tries again; a failure alone is told to the hook', () => {
    const settings = { KEEP_DAILY: '1', KEEP_MONTHLY: '0', KEEP_AT_LEAST: '2', HOOK_FAILURE: join(home, 'hook'), HOOK_SUCCESS: join(home, 'hook'), HOOK_START: join(home, 'hook') };
    writeFileSync(settings.HOOK_FAILURE, `#!/bin/bash\necho "$*" >>${JSON.stringify(join(home, 'told'))}\n`, { mode: 0o755 });
    const ids = makeNights(4);
    expect(run({ settings, before: 'rm() { [[ $* != *.sql.gz ]] && command rm "$@"; }' })).toMatchObject({ code: 2, ended: 'broken remove' });
    expect(Object.keys(contents())).toEqual([...filesOf(ids.slice(1)), `db-${ids[0]}.removing.tmp`, `db-${ids[0]}.sql.gz`].toSorted());
    expect(run({ settings, words: ['--dry-run'] }).out).toContain(`remove ${ids[0]} what an earlier run left when it was cut short`);
    expect(run({ settings })).toMatchObject({ code: 0 });
    expect(Object.keys(contents())).toEqual(filesOf(ids.slice(-2)));
    truncateSync(path(`db-${ids[3]}.sql.gz`), 1);
    truncateSync(path(`db-${ids[2]}.sql.gz`), 1);
    refuses('refused none', { settings });
    refuses('refused none', { settings, words: ['--dry-run'] });
    // The first by the shell of this test.
    expect(readFileSync(join(home, 'told'), 'utf8')).toBe('bash - 2\nprune-local.sh - 1\n');
  });
});
