// The container engine, and whether it answers. One client for every way there (a socket, TCP with or without TLS, SSH),
// which the register's teardown and the servers share.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import type { Environment } from './engine-address.ts';

export interface Engine {
  readonly uri: string;
  readonly client: Dockerode;
}

/** What an engine says of itself. */
export interface EngineFacts {
  readonly id: string;
  /** `20.10.24`; Podman tells its own. */
  readonly version: string;
  readonly memoryBytes: number;
}

const usualPort = { ssh: 22, tls: 2376, plain: 2375 } as const;
const answerWithinMs = 10_000;

/** A client of the engine at `uri`. Nothing is sent yet. @throws Error where the address cannot be read or its certificates are missing */
export function engineAt(uri: string, environment: Environment = process.env): Engine {
  return { uri, client: new Dockerode(options(new URL(uri), environment)) };
}

function options(url: URL, environment: Environment): Dockerode.DockerOptions {
  if (url.protocol === 'unix:') return { socketPath: decodeURIComponent(url.pathname) };
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'ssh:') {
    const agent = environment['SSH_AUTH_SOCK'];
    return { protocol: 'ssh', host, port: Number(url.port || usualPort.ssh), ...(url.username === '' ? {} : { username: url.username }), ...(agent === undefined ? {} : { sshOptions: { agent } }) };
  }
  if (!['tcp:', 'http:', 'https:'].includes(url.protocol)) throw new Error(`${url.protocol.slice(0, -1)} is no way to an engine`);
  const certificates = environment['DOCKER_CERT_PATH'] ?? '';
  const tls = url.protocol === 'https:' || certificates !== '' || (environment['DOCKER_TLS_VERIFY'] ?? '') !== '';
  const file = (name: string): Buffer => readFileSync(join(certificates === '' ? join(homedir(), '.docker') : certificates, name));
  return tls
    ? { protocol: 'https', host, port: Number(url.port || usualPort.tls), ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') }
    : { protocol: 'http', host, port: Number(url.port || usualPort.plain) };
}

/** Asks the engine who it is. @throws what keeps it from answering; {@link engineProblem} puts that into words */
export async function askEngine({ client }: Engine, signal?: AbortSignal): Promise<EngineFacts> {
  const within = AbortSignal.timeout(answerWithinMs);
  const info = (await raced(client.info() as Promise<Info>, signal === undefined ? within : AbortSignal.any([within, signal])));
  return { id: info.ID ?? '', version: info.ServerVersion ?? 'unknown', memoryBytes: info.MemTotal ?? 0 };
}

interface Info {
  readonly ID?: string;
  readonly ServerVersion?: string;
  readonly MemTotal?: number;
}

/** `ECONNREFUSED`, `no answer within 10 s`, or what the engine answered, in one line. */
export function engineProblem(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  if (error.name === 'TimeoutError') return `no answer within ${answerWithinMs / 1000} s`;
  const { code } = error as NodeJS.ErrnoException;
  return code ?? (error.message.trim().split('\n')[0] ?? '').slice(0, 200);
}

/** True where the engine itself could not be reached or went away, and did not merely refuse. */
export function engineGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, statusCode } = error as NodeJS.ErrnoException & { statusCode?: number };
  return error.name === 'TimeoutError' || (statusCode === undefined && /^(?:ECONN|ENOENT|EPIPE|EACCES|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/.test(code ?? '')) || error.message === 'socket hang up';
}

/** Many of the client's calls take no signal: the caller goes on without their answer. */
async function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
