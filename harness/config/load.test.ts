import { execa } from 'execa';
import { generateIdentity } from 'age-encryption';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineConfig, env } from '../config.ts';
import { redact } from '../run/redact.ts';
import { guideOf, unwrap } from './problem.ts';
import { configDigest, loadConfig } from './load.ts';
import { ConfigError, type ConfigProblem } from './problem.ts';
import { configSchema } from './schema.ts';
import { resolveSecrets } from './secrets.ts';

const repository = path.resolve(import.meta.dirname, '../..');
let root: string;
let identity: string;
let serial = 0;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'config-test-'));
  identity = await generateIdentity();
  const files = { 'good.key': [identity, 0o600], 'open.key': [identity, 0o644], 'group.key': [identity, 0o640], 'none.key': ['# nothing\n', 0o600], 'public.key': ['age1qqq\n', 0o600], 'cut.key': [identity.slice(0, -3), 0o600], 'two.key': [`# one\n${identity}\r\n${identity}\n`, 0o400], 'empty.key': ['', 0o600] } as const;
  for (const [name, [text, mode]] of Object.entries(files)) await writeFile(path.join(root, name), text, { mode });
  await mkdir(path.join(root, 'store'));
  await writeFile(path.join(root, 'store', 'inside.key'), identity, { mode: 0o600 });
  await symlink(path.join(root, 'store'), path.join(root, 'link'));
  await writeFile(path.join(root, 'plain.ts'), '');
  await chmod(path.join(root, 'open.key'), 0o644);
});
afterAll(async () => rm(root, { recursive: true, force: true }));

const good = { application: 'app', database: { name: 'db', role: 'owner' } };
const store = { name: 'a', kind: 'directory', path: 'store' };

async function load(config: unknown, environment: Record<string, string> = {}, overrides = {}) {
  const file = path.join(root, `${++serial}.config.mjs`);
  await writeFile(file, `export default ${JSON.stringify(config)};`);
  return loadConfig({ file, environment, cwd: root, overrides });
}

async function problems(loading: Promise<unknown>): Promise<readonly ConfigProblem[]> {
  const error: unknown = await loading.then(() => null, (reason: unknown) => reason);
  if (error === null) return [];
  if (!(error instanceof ConfigError)) throw error as Error;
  return error.problems;
}

const table = (part: object) => ({ ...good, expected: { tables: [{ name: 'ok' }, { name: 't', ...part }] } });
const bucket = { name: 'offsite', kind: 's3', endpoint: 'https://s3.eu-central-003.backblazeb2.com', bucket: 'backups', accessKeyId: env('S3_ID'), secretAccessKey: env('S3_SECRET') };
const s3 = (part: object) => ({ ...good, stores: [{ ...bucket, ...part }] });
const credential = (): Record<string, string> => ({ S3_ID: '0030123456789abcdef000001', S3_SECRET: 'K003canaryCanaryCanaryCanary' });
const query = (part: object) => ({ ...good, smoke: [{ name: 'q', sql: 'select 1', ...part }] });

interface Bad { readonly what: string; readonly config: unknown; readonly code: string; readonly path: string; readonly write: RegExp; readonly problem?: RegExp; readonly environment?: () => Record<string, string> }
const bad: readonly Bad[] = [
  { what: 'a missing leaf', config: { ...good, application: undefined }, code: 'config.missing', path: 'application', write: /application: 'whatsapp-mcp'/ },
  { what: 'a missing object', config: { application: 'app' }, code: 'config.missing', path: 'database', write: /database: \{ name: 'wa_mcp'/ },
  { what: 'a mistyped required key', config: { aplication: 'app', database: good.database }, code: 'config.unknown-key', path: 'aplication', write: /did you mean application\?/ },
  { what: 'swapped letters', config: { ...good, retenti0n: {} }, code: 'config.unknown-key', path: 'retenti0n', write: /did you mean retention\?/ },
  { what: 'a key at the wrong level', config: { ...good, rpo: '1h' }, code: 'config.unknown-key', path: 'rpo', write: /did you mean objectives\.rpo\?/ },
  { what: 'a key far from all', config: { ...good, zebra: 1 }, code: 'config.unknown-key', path: 'zebra', write: /one of application, database/ },
  { what: 'an inherited name', config: { ...good, toString: 1 }, code: 'config.unknown-key', path: 'toString', write: /one of|did you mean/ },
  { what: 'a key inside a list', config: table({ minRow: 1 }), code: 'config.unknown-key', path: 'expected.tables[1].minRow', write: /did you mean minRows\?/ },
  { what: 'a wrong type', config: table({ minRows: 'many' }), code: 'config.invalid', path: 'expected.tables[1].minRows', write: /minRows: 10000/, problem: /is "many", where a number belongs/ },
  { what: 'a fraction', config: table({ minRows: 1.5 }), code: 'config.invalid', path: 'expected.tables[1].minRows', write: /minRows: 10000/, problem: /a whole number belongs/ },
  { what: 'a negative count', config: table({ minRows: -1 }), code: 'config.invalid', path: 'expected.tables[1].minRows', write: /minRows: 10000/, problem: /is -1, and the least is 0/ },
  { what: 'no table name', config: { ...good, expected: { tables: [{ name: 'a.b.c' }] } }, code: 'config.invalid', path: 'expected.tables[0].name', write: /name: 'messages'/ },
  { what: 'null for a leaf', config: table({ newest: null }), code: 'config.invalid', path: 'expected.tables[1].newest', write: /newest: 'created_at'/ },
  { what: 'maxAge without newest', config: table({ maxAge: '1h' }), code: 'config.incomplete', path: 'expected.tables[1].maxAge', write: /newest: 'created_at'/ },
  { what: 'one table twice, spelled twice', config: { ...good, expected: { tables: [{ name: 'a' }, { name: 'public."a"' }] } }, code: 'config.duplicate', path: 'expected.tables[1].name', write: /another name/ },
  { what: 'a query twice', config: { ...good, smoke: [{ name: 'q', sql: 's', equals: 1 }, { name: 'q', sql: 's', equals: 1 }] }, code: 'config.duplicate', path: 'smoke[1].name', write: /another name/ },
  { what: 'a query that asserts nothing', config: query({}), code: 'config.incomplete', path: 'smoke[0]', write: /equals: 0/ },
  { what: 'equals and a range', config: query({ equals: 1, atMost: 2 }), code: 'config.contradiction', path: 'smoke[0]', write: /atLeast: 1, atMost: 9/ },
  { what: 'an empty range', config: query({ atLeast: 3, atMost: 2 }), code: 'config.contradiction', path: 'smoke[0].atLeast', write: /atLeast: 1, atMost: 9/ },
  { what: 'an answer of no kind', config: query({ equals: {} }), code: 'config.invalid', path: 'smoke[0].equals', write: /equals: 0/ },
  { what: 'blank sql', config: query({ sql: '  ', equals: 1 }), code: 'config.invalid', path: 'smoke[0].sql', write: /sql: 'select/, problem: /^is empty$/ },
  { what: 'stores empty', config: { ...good, stores: [] }, code: 'config.invalid', path: 'stores', write: /left out altogether/ },
  { what: 'an unknown kind of store', config: { ...good, stores: [{ name: 'a', kind: 'ftp', bucket: 'b' }] }, code: 'config.unknown-value', path: 'stores[0].kind', write: /kind: 'directory'/ },
  { what: 'no kind', config: { ...good, stores: [{ name: 'a', path: 'b' }] }, code: 'config.missing', path: 'stores[0].kind', write: /kind: 'directory'/ },
  { what: 'a store twice', config: { ...good, stores: [store, { ...store, path: 'x' }] }, code: 'config.duplicate', path: 'stores[1].name', write: /another name/ },
  { what: 'an endpoint with a path', config: s3({ endpoint: 'https://s3.example.org/backups' }), environment: credential, code: 'config.invalid', path: 'stores[0].endpoint', write: /endpoint: 'https:/, problem: /has a path: write https:\/\/s3\.example\.org alone; a bucket goes into bucket/ },
  { what: 'an endpoint without a scheme', config: s3({ endpoint: 's3.example.org' }), environment: credential, code: 'config.invalid', path: 'stores[0].endpoint', write: /endpoint: 'https:/, problem: /no scheme/ },
  { what: 'an IPv6 endpoint without brackets', config: s3({ endpoint: 'https://2001:db8::1:9000' }), environment: credential, code: 'config.invalid', path: 'stores[0].endpoint', write: /endpoint: 'https:/, problem: /in brackets/ },
  { what: 'an endpoint with a query', config: s3({ endpoint: 'https://s3.example.org?x=1' }), environment: credential, code: 'config.invalid', path: 'stores[0].endpoint', write: /endpoint: 'https:/, problem: /more than a host/ },
  { what: 'the bucket in the host', config: s3({ endpoint: 'https://backups.s3.eu-central-1.amazonaws.com' }), environment: credential, code: 'config.invalid', path: 'stores[0].endpoint', write: /without the bucket/, problem: /write https:\/\/s3\.eu-central-1\.amazonaws\.com/ },
  { what: 'a bucket of no name', config: s3({ bucket: 'My_Bucket' }), environment: credential, code: 'config.invalid', path: 'stores[0].bucket', write: /bucket: '/ },
  { what: 'a prefix from the root', config: s3({ prefix: '/db' }), environment: credential, code: 'config.invalid', path: 'stores[0].prefix', write: /prefix: '/, problem: /no slash at its start/ },
  { what: 'a secret written into the file', config: s3({ secretAccessKey: 'K003canaryCanaryCanaryCanary' }), environment: credential, code: 'config.secret-in-file', path: 'stores[0].secretAccessKey', write: /env\('DRILL_S3_SECRET'\)/ },
  { what: 'a secret that is not set', config: s3({}), environment: () => ({ S3_ID: 'x' }), code: 'config.unset', path: 'stores[0].secretAccessKey', write: /set S3_SECRET, or S3_SECRET_FILE/ },
  { what: 'a secret that others read', config: s3({}), environment: () => ({ S3_ID: 'x', S3_SECRET_FILE: path.join(root, 'open.key') }), code: 'keys.world-readable', path: 'stores[0].secretAccessKey', write: /chmod 600/ },
  { what: "B2's master key", config: s3({}), environment: () => ({ ...credential(), S3_ID: '0123456789ab' }), code: 'config.invalid', path: 'stores[0].accessKeyId', write: /application key/, problem: /master key/ },
  { what: 'an S3 store without a bucket', config: s3({ bucket: undefined }), environment: credential, code: 'config.missing', path: 'stores[0].bucket', write: /bucket: '/ },
  { what: 'an unset variable', config: { ...good, stores: [{ ...store, path: env('NOPE') }] }, code: 'config.unset', path: 'stores[0].path', write: /set NOPE, or NOPE_FILE/, problem: /takes NOPE/ },
  { what: 'an empty variable', config: { ...good, stores: [{ ...store, path: env('NOPE') }] }, environment: () => ({ NOPE: ' ' }), code: 'config.unset', path: 'stores[0].path', write: /set NOPE/ },
  { what: 'a variable given twice', config: { ...good, stores: [{ ...store, path: env('TWICE') }] }, environment: () => ({ TWICE: 'a', TWICE_FILE: 'b' }), code: 'config.unset', path: 'stores[0].path', write: /unset TWICE or TWICE_FILE/ },
  { what: 'a variable whose file is missing', config: { ...good, stores: [{ ...store, path: env('GONE') }] }, environment: () => ({ GONE_FILE: path.join(root, 'gone') }), code: 'config.unset', path: 'stores[0].path', write: /GONE_FILE/, problem: /does not exist/ },
  { what: 'a variable named with _FILE', config: { ...good, stores: [{ ...store, path: env('X_FILE') }] }, code: 'config.invalid', path: 'stores[0].path.env', write: /without _FILE/ },
  { what: 'a path with a tilde', config: { ...good, stores: [{ ...store, path: '~/b' }] }, code: 'config.invalid', path: 'stores[0].path', write: /path: '\/var/, problem: /only a shell/ },
  { what: 'a path of no kind', config: { ...good, stores: [{ ...store, path: 3 }] }, code: 'config.invalid', path: 'stores[0].path', write: /path: '\/var/ },
  { what: 'reports inside a store, through a link', config: { ...good, stores: [store], reports: 'link/reports' }, code: 'config.inside-store', path: 'reports', write: /outside every store/ },
  { what: 'scratch inside a store', config: { ...good, stores: [store], scratch: 'store' }, code: 'config.inside-store', path: 'scratch', write: /outside every store/ },
  { what: 'an identity inside a store', config: { ...good, stores: [store], keys: { identityFile: 'store/inside.key' } }, code: 'keys.in-store', path: 'keys.identityFile', write: /outside every store/ },
  { what: 'an identity that others read', config: { ...good, keys: { identityFile: 'open.key' } }, code: 'keys.world-readable', path: 'keys.identityFile', write: /chmod 600/, problem: /mode 0644/ },
  { what: 'an identity that a group reads', config: { ...good, keys: { identityFile: 'group.key' } }, code: 'keys.world-readable', path: 'keys.identityFile', write: /chmod 600/ },
  { what: 'an open file through NAME_FILE', config: { ...good, keys: { identity: env('ID') } }, environment: () => ({ ID_FILE: path.join(root, 'open.key') }), code: 'keys.world-readable', path: 'keys.identity', write: /chmod 600/ },
  { what: 'a missing identity', config: { ...good, keys: { identityFile: 'gone.key' } }, code: 'keys.missing', path: 'keys.identityFile', write: /age-keygen -o/ },
  { what: 'a file without identity', config: { ...good, keys: { identityFile: 'none.key' } }, code: 'keys.no-identity', path: 'keys.identityFile', write: /AGE-SECRET-KEY-1|\[redacted\]/ },
  { what: 'the public half', config: { ...good, keys: { identityFile: 'public.key' } }, code: 'keys.no-identity', path: 'keys.identityFile', write: /age-keygen/, problem: /public half/ },
  { what: 'a cut identity', config: { ...good, keys: { identityFile: 'cut.key' } }, code: 'keys.damaged', path: 'keys.identityFile', write: /whole file/ },
  { what: 'an unset identity', config: { ...good, keys: { identity: env('ID') } }, code: 'config.unset', path: 'keys.identity', write: /set ID, or ID_FILE/ },
  { what: 'two sources of one identity', config: { ...good, keys: { identityFile: 'good.key', identity: env('ID') } }, code: 'config.contradiction', path: 'keys', write: /one of them/ },
  { what: 'a mistyped answer', config: query({ equal: 1 }), code: 'config.unknown-key', path: 'smoke[0].equal', write: /did you mean equals\?/ },
  { what: 'maxAge beside a broken newest', config: table({ maxAge: '1h', newest: 3 }), code: 'config.invalid', path: 'expected.tables[1].newest', write: /created_at/ },
  { what: 'keys that name none', config: { ...good, keys: {} }, code: 'config.incomplete', path: 'keys', write: /identityFile: '/ },
  { what: 'an unknown runtime', config: { ...good, runtime: 'docker' }, code: 'config.unknown-value', path: 'runtime', write: /'auto' or 'embedded' or 'containers'/ },
  { what: 'minutes or months', config: { ...good, cadence: '3m' }, code: 'config.invalid', path: 'cadence', write: /cadence: '24h'/, problem: /minutes or months/ },
  { what: 'a size without unit', config: { ...good, caps: { maxBytes: '8' } }, code: 'config.invalid', path: 'caps.maxBytes', write: /'500GB'/, problem: /has no unit/ },
  { what: 'an RPO below the cadence', config: { ...good, cadence: '24h', objectives: { rpo: '23h' } }, code: 'config.contradiction', path: 'objectives.rpo', write: /rpo: '24h'/ },
  { what: 'an RPO below the default cadence', config: { ...good, objectives: { rpo: '23h' } }, code: 'config.contradiction', path: 'objectives.rpo', write: /rpo: '24h'/ },
  { what: 'a slack that hides a day', config: { ...good, slack: '24h' }, code: 'config.contradiction', path: 'slack', write: /slack: '2h'/ },
  { what: 'a retention of nothing', config: { ...good, retention: { daily: 0, monthly: 0 } }, code: 'config.contradiction', path: 'retention', write: /daily: 30/ },
  { what: 'a beginning that is no real day', config: { ...good, retention: { daily: 30, monthly: 12, since: '2026-02-30' } }, code: 'config.invalid', path: 'retention.since', write: /since: '2026-01-15'/ },
  { what: 'a beginning that is a number', config: { ...good, retention: { daily: 30, monthly: 12, since: 2026 } }, code: 'config.invalid', path: 'retention.since', write: /since: '2026-01-15'/ },
  { what: 'a statement beyond the dump', config: { ...good, caps: { maxBytes: '1MB', statementBytes: '2MB' } }, code: 'config.contradiction', path: 'caps.statementBytes', write: /64MB/ },
  { what: 'a check file that is missing', config: { ...good, checks: ['checks/gone.check.ts'] }, code: 'config.no-file', path: 'checks[0]', write: /checks\/\*\.check\.ts/ },
  { what: 'a check file that is none', config: { ...good, checks: ['plain.ts'] }, code: 'config.invalid', path: 'checks[0]', write: /\.check\.ts/ },
];

test('the healthy configuration loads', async () => {
  const { config } = await load(good);
  expect(config).toMatchObject({ mode: 'rehearsal', cadenceMs: 86_400_000, slackMs: 7_200_000, keys: null, checks: [] });
  expect(structuredClone(config)).toEqual(JSON.parse(JSON.stringify(config)));
});

test.each(bad)('$what is exactly one error', async ({ config, environment, code, path: at, write, problem }) => {
  const found = await problems(load(config, environment?.() ?? {}));
  expect(found.map((one) => [one.code, one.path])).toEqual([[code, at]]);
  expect(found[0]?.write).toMatch(write);
  expect(found[0]?.problem).toMatch(problem ?? /./);
});

test('ten errors are told at once, the rules among them', async () => {
  const found = await problems(load({
    aplication: 'x', database: { name: 'a', role: 3 }, rpo: '1h', runtime: 'docker', cadence: '3m',
    stores: [{ name: 'a', kind: 'ftp' }, { name: 'b', kind: 'directory', path: env('NOPE') }],
    expected: { tables: [{ name: 'x', minRow: 3 }, { name: 'x', minRows: -1 }] },
  }));
  expect(found.map((one) => one.path).sort()).toEqual(['aplication', 'cadence', 'database.role', 'expected.tables[0].minRow', 'expected.tables[1].minRows', 'expected.tables[1].name', 'rpo', 'runtime', 'stores[0].kind', 'stores[1].path']);
});

test('the shipped configuration loads clean as a rehearsal', async () => {
  const { config, secrets } = await loadConfig({ environment: {}, cwd: repository });
  expect(config).toMatchObject({ application: 'whatsapp-mcp', mode: 'rehearsal', stores: [], retention: { daily: 30, monthly: 12 }, objectives: { rpoMs: 93_600_000, restoreDurationMs: 3_600_000 } });
  expect(secrets.identities).toEqual([]);
});

test('a store from the command line replaces stores, whatever was wrong with them', async () => {
  const { config } = await load({ ...good, stores: [{ name: 'a', kind: 'directory', path: env('NOPE') }] }, {}, { store: 'elsewhere' });
  expect(config).toMatchObject({ mode: 'drill', stores: [{ name: 'command-line', kind: 'directory', path: path.join(root, 'elsewhere') }] });
  expect((await problems(load(good, {}, { store: '' }))).map((one) => one.path)).toEqual(['stores[0].path']);
});

test('identities come from a file, a variable and a named file, and are redacted from then on', async () => {
  for (const [keys, environment] of [[{ identityFile: 'good.key' }, {}], [{ identity: env('ID') }, { ID: identity }], [{ identity: env('ID') }, { ID_FILE: path.join(root, 'good.key') }]] as const) {
    const { config, secrets } = await load({ ...good, keys }, environment);
    expect(secrets.identities).toEqual([identity]);
    expect(await resolveSecrets(config, environment)).toEqual(secrets);
    expect(JSON.stringify(config)).not.toContain(identity);
  }
  expect((await load({ ...good, keys: { identityFile: 'two.key' } })).secrets.identities).toEqual([identity, identity]);
  expect(redact(Buffer.from(`x:${identity}`).toString('base64'))).toContain('[redacted]');
});

test('an S3 store: region and path style as its endpoint has them, its credential apart and redacted', async () => {
  const { config, secrets, digest } = await load(s3({ prefix: 'production' }), credential());
  expect(config.stores).toEqual([{ ...bucket, prefix: 'production/', region: 'eu-central-003', pathStyle: true, sessionToken: null, ledger: null }]);
  expect(secrets.stores).toEqual({ offsite: { accessKeyId: '0030123456789abcdef000001', secretAccessKey: 'K003canaryCanaryCanaryCanary' } });
  expect(JSON.stringify(config)).not.toContain('anary');
  expect(redact('x K003canaryCanaryCanaryCanary y')).toBe('x [redacted] y');
  expect((await load(s3({ prefix: 'production' }), { ...credential(), S3_SECRET: 'another one' })).digest).toBe(digest);
  await writeFile(path.join(root, 's3.secret'), 'fromAFileCanary\n', { mode: 0o600 });
  const session = await load(s3({ sessionToken: env('S3_TOKEN') }), { S3_ID: 'x', S3_SECRET_FILE: path.join(root, 's3.secret'), S3_TOKEN: 'tokenCanary' });
  expect(session.secrets.stores['offsite']).toEqual({ accessKeyId: 'x', secretAccessKey: 'fromAFileCanary', sessionToken: 'tokenCanary' });
  expect(redact('tokenCanary')).toBe('[redacted]');
});

test.each([
  ['https://s3.eu-central-1.amazonaws.com', 'eu-central-1', false],
  ['https://s3.dualstack.us-west-2.amazonaws.com', 'us-west-2', false],
  ['https://s3-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1', false],
  ['https://s3-eu-west-1.amazonaws.com', 'eu-west-1', false],
  ['https://s3.cn-north-1.amazonaws.com.cn', 'cn-north-1', false],
  ['https://s3.amazonaws.com', 'us-east-1', false],
  ['https://s3.us-west-004.backblazeb2.com', 'us-west-004', true],
  ['http://[2001:db8::1]:9000', 'us-east-1', true],
  ['https://minio.example.org:9000/', 'us-east-1', true],
])('%s: region %s, path style %s', async (endpoint, region, pathStyle) => {
  const { config } = await load(s3({ endpoint }), credential());
  expect(config.stores[0]).toMatchObject({ region, pathStyle, endpoint: endpoint.replace(/\/$/, '') });
});

test.each(['keys', 'application', 'stores'])('an identity written into the file under %s is refused and not shown', async (key) => {
  const value = { keys: { identity }, application: identity, stores: [{ ...store, path: identity }] }[key];
  const error: unknown = await load({ ...good, [key]: value }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).problems.map((one) => one.code)).toEqual(['config.secret-in-file']);
  expect(`${(error as Error).message}${JSON.stringify(error)}`).not.toContain(identity.slice(16));
});

test('the digest is stable under the order of keys and the place, and changes with a value', async () => {
  const { config, digest } = await load({ ...good, keys: { identityFile: 'good.key' } });
  const reversed = Object.fromEntries(Object.entries(config).reverse()) as unknown as typeof config;
  expect(configDigest(reversed)).toBe(digest);
  expect(configDigest({ ...(JSON.parse(JSON.stringify(config).replaceAll(root, '/elsewhere')) as typeof config), scratch: '/x' })).toBe(digest);
  expect(configDigest({ ...config, slackMs: 1 })).not.toBe(digest);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
});

test('every leaf and every list says what to write', () => {
  const walk = (schema: z.ZodType, at: string): string[] => {
    const inner = unwrap(schema);
    const own = guideOf(schema) === undefined && at !== '' && !(inner instanceof z.ZodLiteral) && !at.endsWith('[]') ? [at] : [];
    if (inner instanceof z.ZodObject) return [...own, ...Object.entries(inner.shape).flatMap(([key, child]) => walk(child as z.ZodType, `${at}.${key}`))];
    if (inner instanceof z.ZodArray) return [...own, ...walk(inner.element as z.ZodType, `${at}[]`)];
    // A union that has its own guide speaks for its options.
    return inner instanceof z.ZodUnion && guideOf(schema) === undefined ? inner.options.flatMap((option) => walk(option as z.ZodType, at)) : own;
  };
  expect(walk(configSchema, '')).toEqual([]);
  expect(guideOf(z.string())).toBeUndefined();
});

test('defineConfig returns what it was given', () => {
  expect(defineConfig(good)).toBe(good);
});

const unloadable: readonly (readonly [what: string, name: string, text: string | null, problem: RegExp])[] = [
  ['missing', 'gone.ts', null, /does not exist/],
  ['a directory', 'store', null, /no regular file/],
  ['neither TypeScript nor JavaScript', 'c.json', '{}', /neither TypeScript/],
  ['throwing', 'throws.ts', `throw new Error('no password=hunter22 today.\\nmore')`, /could not be loaded: no password=\[redacted\] today$/],
  ['throwing no Error', 'odd.ts', 'throw 3', /throws a number/],
  ['broken', 'broken.ts', 'export default {', /could not be loaded/],
  ['importing what is not there', 'imports.ts', `import './not-there.ts'; export default {}`, /could not be loaded: Cannot find module/],
  ['without default export', 'named.ts', 'export const config = {}', /no default export/],
  ['a promise', 'promise.ts', 'export default Promise.resolve({})', /exports a promise/],
  ['a rejected promise', 'rejected.ts', `export default Promise.reject(new Error('x'))`, /exports a promise/],
  ['a function', 'function.ts', 'export default () => ({})', /exports a function/],
  ['null', 'null.ts', 'export default null', /exports null/],
  ['a list', 'list.ts', 'export default []', /exports a list/],
];

// Under plain Node, as the command loads it: vitest has its own way to import.
test('a file that gives no configuration is told in a sentence', async () => {
  const script = path.join(root, 'tell.mjs');
  await writeFile(script, `
    const { loadConfig } = await import(${JSON.stringify(path.join(import.meta.dirname, 'load.ts'))});
    const told = [];
    for (const file of ${JSON.stringify(unloadable.map(([, name]) => name))}) {
      await loadConfig({ file, environment: {}, cwd: ${JSON.stringify(root)} }).then(() => told.push(null), (error) => told.push(error.problems ?? String(error)));
    }
    console.log(JSON.stringify(told));`);
  for (const [, name, text] of unloadable) if (text !== null) await writeFile(path.join(root, name), text);
  const { stdout } = await execa(process.execPath, [script]);
  const told = JSON.parse(stdout) as ConfigProblem[][];
  for (const [index, [what, , , problem]] of unloadable.entries()) {
    expect(told[index], what).toMatchObject([{ code: 'config.unreadable', path: '' }]);
    expect(told[index]?.[0]?.problem, what).toMatch(problem);
  }
});
