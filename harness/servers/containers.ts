// A throw-away Postgres in a container, made anew for each run out of the image of the dump's major. The container has no
// network at all: not the dump's code, nor anybody on the machine or the network, can pass; the harness reaches it through a
// tunnel of the engine's own.
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import { Client, DatabaseError } from 'pg';
import type { Engine, EngineFacts } from '../run/engine.ts';
import { StepEnded } from '../run/finding.ts';
import type { StepContext } from '../run/plan.ts';
import { labelsOf } from '../run/register-containers.ts';
import { readRegister } from '../run/register.ts';
import { type Scratch, socketDirectory } from '../run/scratch.ts';
import { asked, imageEvidence, useEngine } from './contained.ts';
import { type Fate, deathOf, fateOfContainer } from './container-death.ts';
import { DatabaseContainer } from './database-container.ts';
import type { ServerEvidence } from './evidence.ts';
import { serverFindings } from './findings.ts';
import type { Image } from './images.ts';
import { lastWords } from './log-words.ts';
import type { Login, PostgresServer } from './postgres.ts';
import { type Settings, containerSettings } from './server-settings.ts';
import { openTunnel } from './tunnel.ts';

export interface ContainerOptions {
  readonly scratch: Scratch;
  /** 17 */
  readonly major: number;
  readonly engine: Engine;
  readonly facts: EngineFacts;
  readonly image: Image;
  /** Bytes of the decompressed dump. */
  readonly plainBytes: number;
  /** The most that the container may use; null: by the dump and the engine. */
  readonly memoryBytes: number | null;
  readonly context: Pick<StepContext, 'signal'>;
  /** The run means to leave it up (`--keep`). */
  readonly kept?: boolean;
  /** In place of what {@link roomFor} would give. */
  readonly room?: Room;
  /** On top of the defaults, by their names in postgresql.conf. */
  readonly settings?: Settings;
}

export interface ContainerServer extends PostgresServer {
  readonly runtime: 'containers';
  /** The container's name. */
  readonly name: string;
  readonly evidence: ServerEvidence;
}

const port = 5432;
const socketName = `.s.PGSQL.${port}`;
const patienceMs = 120_000;

/**
 * Starts a server that `teardown` of its scratch directory removes from the engine.
 * @throws StepEnded server.start-failed, server.out-of-memory, server.disk-full, image.wrong-major, engine.refused, engine.lost, engine.another
 * @throws the signal's reason when aborted
 */
export async function startContainer(options: ContainerOptions): Promise<ContainerServer> {
  const { scratch, major, engine, image, context: { signal } } = options;
  const began = performance.now();
  const owner = readRegister(scratch.path)?.owner;
  if (owner === undefined) throw new Error(`${scratch.path} holds no register`);
  const id = randomBytes(8).toString('hex');
  const name = `backup-drills-${id}`;
  const room = options.room ?? roomFor(options);
  const labels = labelsOf(id, { run: owner.run, scratch: scratch.path, process: owner, kept: options.kept === true });
  const admin = { user: `drill_${randomBytes(8).toString('hex')}`, password: randomBytes(24).toString('base64url'), database: 'postgres' };

  const resource = { kind: 'container', what: `postgres ${major}`, engine: engine.uri, id } as const;
  scratch.register({ ...resource, made: false });
  const container = await asked(engine, `start a container of ${image.reference}`, async () => {
    await useEngine(engine, options.facts);
    signal.throwIfAborted();
    if (room.data === 'volume') await engine.client.createVolume({ Name: name, Labels: labels });
    const started = await new DatabaseContainer(image.reference, { name, labels, major, admin, volume: room.data === 'volume' ? name : null, settings: { ...containerSettings(major), ...options.settings }, ...room }).start();
    return engine.client.getContainer(started.getId());
  });
  scratch.register({ ...resource, made: true });
  const made = performance.now();

  const home = join(scratch.server, id.slice(0, 6));
  scratch.register({ kind: 'directory', path: home });
  mkdirSync(home, { mode: 0o700 });
  const socket = socketDirectory(scratch, home, socketName).path;
  const tunnel = await openTunnel({ container, port, socket: join(socket, socketName) });
  const login: Login = { ...admin, host: socket, port };
  const fate = async (): Promise<Fate> => fateOfContainer(container);
  try {
    const version = await ready(login, fate, signal);
    if (Number.parseInt(version, 10) !== major) throw new StepEnded(serverFindings.find('image.wrong-major', { image: image.reference, major, found: version }));
    const ended = performance.now();
    return {
      runtime: 'containers',
      major,
      version,
      admin: login,
      name,
      evidence: {
        runtime: 'containers', version, package: image.reference, runsAs: 'container', tcpPorts: 0,
        initialiseMs: Math.round(made - began), startMs: Math.round(ended - made),
        container: {
          ...imageEvidence(options), name, network: 'none', data: room.data, dataLimitBytes: room.dataLimitBytes, memoryLimitBytes: room.memoryLimitBytes,
        },
      },
      died: async () => deathOf(await fate(), { engine: engine.uri, image: image.reference, ...room }),
      psql: (reader) => ({ ...reader, program: `docker exec -it -e PGPASSWORD ${name} psql`, host: '127.0.0.1', port }),
    };
  } catch (error) {
    tunnel.close();
    if (!(error instanceof NotReady)) throw error;
    throw new StepEnded(await startFailure(container, error.fate, { engine: engine.uri, image: image.reference, ...room }));
  }
}

export interface Room {
  /** In memory where the machine has enough of it, else in a volume on the engine's disk. */
  readonly data: 'memory' | 'volume';
  /** Null on a volume. */
  readonly dataLimitBytes: number | null;
  /** Of the processes, and of the data while it is in memory. */
  readonly memoryLimitBytes: number;
}

const gibibyte = 2 ** 30;
/** What the server's processes use at most: shared buffers, and the memory that index builds may take. */
const processBytes = 1 * gibibyte;
/** A restored database with its indexes, against its plain dump; and the WAL that may lie beside it. */
const growth = 3;
const walBytes = 1.5 * gibibyte;

/** How much memory and where the data goes, by the size of the dump, what the engine has and what the operator allows. */
export function roomFor({ plainBytes, memoryBytes, facts }: Pick<ContainerOptions, 'plainBytes' | 'memoryBytes' | 'facts'>): Room {
  const data = plainBytes * growth + walBytes;
  const most = memoryBytes ?? Math.floor(facts.memoryBytes * 0.75);
  if (data + processBytes <= most) return { data: 'memory', dataLimitBytes: data, memoryLimitBytes: data + processBytes };
  return { data: 'volume', dataLimitBytes: null, memoryLimitBytes: memoryBytes ?? Math.min(most, 4 * processBytes) };
}

class NotReady extends Error {
  readonly fate: Fate;
  constructor(fate: Fate) {
    super('the server is not ready');
    this.fate = fate;
  }
}

/**
 * Asks through the tunnel until the server answers a query on TCP. The server that makes the cluster listens on no port, so
 * that its answers are never taken for those of the real one. Returns its version.
 */
async function ready(admin: Login, fate: () => Promise<Fate>, signal: AbortSignal): Promise<string> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    signal.throwIfAborted();
    const client = new Client({ ...admin, connectionTimeoutMillis: patienceMs });
    client.on('error', () => {}); // A connection cut while the server ends is told by its fate.
    const cut = (): void => { void client.end().catch(() => {}); };
    signal.addEventListener('abort', cut, { once: true });
    try {
      await client.connect();
      const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
      return rows[0]!.version.split(' ')[0]!;
    } catch (error) {
      signal.throwIfAborted();
      // 57P03: still starting.
      if (!(error instanceof DatabaseError && error.code === '57P03')) {
        const now = await fate();
        if (now.state !== 'running' || performance.now() > deadline) throw new NotReady(now);
      }
    } finally {
      signal.removeEventListener('abort', cut);
      await client.end().catch(() => {});
    }
    await pause(10, undefined, { signal });
  }
}

async function startFailure(container: Dockerode.Container, fate: Fate, about: Room & { readonly engine: string; readonly image: string }) {
  const finding = deathOf(fate, about);
  if (finding !== null && finding.code !== 'server.died') return finding;
  const exit = fate.state === 'ended' ? `exit code ${fate.exitCode}` : `no answer within ${patienceMs / 1000} s`;
  const log = await container.logs({ stdout: true, stderr: true, tail: 50 }).then((text) => lastWords(String(text)), () => []);
  return serverFindings.find('server.start-failed', { what: 'Postgres', during: 'the container', exit, log });
}
