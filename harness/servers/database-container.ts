// The container itself, by Testcontainers: what it may use, and what it may not do.
import { PostgreSqlContainer } from '@testcontainers/postgresql';
import { atOnce } from './contained.ts';
import type { Settings } from './server-settings.ts';

export interface DatabaseContainerOptions {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly major: number;
  readonly admin: { readonly user: string; readonly password: string; readonly database: string };
  /** The volume that holds the data; null: memory. */
  readonly volume: string | null;
  readonly dataLimitBytes: number | null;
  readonly memoryLimitBytes: number;
  readonly settings: Settings;
}

/** Postgres' entry point begins as root, gives the data to `postgres`, and becomes it: it needs these and no more. */
const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'];
const mostProcesses = 500;

export class DatabaseContainer extends PostgreSqlContainer {
  constructor(image: string, { name, labels, major, admin, volume, dataLimitBytes, memoryLimitBytes, settings }: DatabaseContainerOptions) {
    super(image);
    // From 18 on the official image declares its volume one level up, and refuses what is mounted at the old place.
    const mount = major >= 18 ? '/var/lib/postgresql' : '/var/lib/postgresql/data';
    this.withName(name)
      .withLabels(labels)
      .withDatabase(admin.database)
      .withUsername(admin.user)
      .withPassword(admin.password)
      // Also for the local and loopback connections that the image itself would trust: what the dump's code may open.
      .withEnvironment({ PGDATA: `${mount}/drill`, POSTGRES_INITDB_ARGS: `--auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync${major >= 18 ? ' --no-data-checksums' : ''}` })
      .withCommand(['postgres', ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${String(value)}`])])
      .withNetworkMode('none')
      // The register and teardown do this, also when the engine outlives us; so no Ryuk is started, whatever the environment says.
      .withAutoCleanup(false)
      // Ready is what the tunnel finds; the image's health is nobody's business, and its usual check would show the password.
      .withHealthCheck({ test: ['CMD', 'true'] })
      .withWaitStrategy(atOnce);
    if (volume === null) this.withTmpFs({ [mount]: `rw,nosuid,nodev,noexec,size=${Math.ceil(dataLimitBytes ?? 0)}` });
    this.exposedPorts = [];
    delete this.createOpts.ExposedPorts;
    this.createOpts.Healthcheck = { Test: ['NONE'] };
    this.hostConfig = {
      ...this.hostConfig,
      ...(volume === null ? {} : { Binds: [`${volume}:${mount}`] }),
      Memory: Math.ceil(memoryLimitBytes),
      // The same: no swap, which would hold rows after the run.
      MemorySwap: Math.ceil(memoryLimitBytes),
      PidsLimit: mostProcesses,
      CapDrop: ['ALL'],
      CapAdd: capabilities,
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '4m', 'max-file': '1' } },
    };
    delete this.hostConfig.PortBindings;
  }
}
