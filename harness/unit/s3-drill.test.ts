// A whole drill of a bucket from the command line, as the operator runs it: the credential comes from the environment and
// from a file, and is nowhere to be found afterwards.
import { execFile } from 'node:child_process';
import { chmodSync, globSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startOurs } from '../../fixtures/object-stores.ts';
import { sampleUnit } from '../../fixtures/sample/unit.ts';
import type { DrillRun } from '../run/record.ts';
import { normaliseS3 } from '../stores/config.ts';
import { s3Publisher } from '../stores/publish-s3.ts';

const root = resolve(import.meta.dirname, '../..');
const sample = sampleUnit();
const directory = realpathSync(mkdtempSync(join(tmpdir(), 's3-drill-')));
chmodSync(directory, 0o755); // as root the server runs as nobody, who must get past it
let real: Awaited<ReturnType<typeof startOurs>>;
beforeAll(async () => {
  real = await startOurs('backups');
  const publisher = s3Publisher(normaliseS3({ name: 'offsite', kind: 's3', endpoint: real.endpoint, bucket: 'backups', prefix: 'nightly', accessKeyId: { env: '' }, secretAccessKey: { env: '' } }), real.writer);
  const bytes = async function* (content: string | Buffer): AsyncGenerator<Uint8Array> { yield Buffer.from(content); };
  const { signal } = new AbortController();
  await publisher.put('store.json', bytes('{"application":"whatsapp-mcp"}'), signal);
  await publisher.put(`db-${sample.id}.sql.gz`, bytes(readFileSync(sample.dumpFile)), signal);
  await publisher.put(`db-${sample.id}.manifest.json`, bytes(readFileSync(sample.manifestFile)), signal);
});
afterAll(async () => {
  await real.close();
  rmSync(directory, { recursive: true, force: true });
});

test('verified or not, the credential is told to nobody', async () => {
  const [config, secret] = [join(directory, 'drill.config.ts'), join(directory, 'secret')];
  writeFileSync(secret, `${real.reader.secretAccessKey}\n`, { mode: 0o600 });
  writeFileSync(config, `import shipped from ${JSON.stringify(join(root, 'drill.config.ts'))};
import { env } from ${JSON.stringify(join(root, 'harness/config.ts'))};
export default { ...shipped, checks: [], reports: 'reports', scratch: ${JSON.stringify(directory)}, objectives: {}, cadence: '3650d', stores: [{ name: 'offsite', kind: 's3', endpoint: ${JSON.stringify(real.endpoint)}, bucket: 'backups', prefix: 'nightly', accessKeyId: env('DRILL_S3_KEY_ID'), secretAccessKey: env('DRILL_S3_SECRET') }] };
`);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(root, 'harness/enter.mjs'), 'drill', '--config', config, '--json'], { cwd: root, env: { ...process.env, INIT_CWD: root, DRILL_S3_KEY_ID: real.reader.accessKeyId, DRILL_S3_SECRET_FILE: secret } }).catch((error: { stdout: string; stderr: string }) => error);
  const record = JSON.parse(stdout) as DrillRun;
  const steps = new Map(record.steps.map((step) => [step.id, step]));
  expect(stderr).toContain(`from offsite: s3://backups/nightly/ at ${real.endpoint}`);
  expect(steps.get('run.open')?.evidence).toMatchObject({ application: 'whatsapp-mcp', writes: 'denied' });
  expect(steps.get('database.compare.content')?.outcome).toBe('passed');
  const written = globSync('reports/**/*', { cwd: directory, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
  expect(written.length).toBeGreaterThan(3);
  const told = [stdout, stderr, ...written].join('\n');
  for (const form of [real.reader.secretAccessKey, Buffer.from(real.reader.secretAccessKey).toString('base64').slice(0, 30), Buffer.from(real.reader.secretAccessKey).toString('hex')]) expect(told).not.toContain(form);
}, 90_000);
