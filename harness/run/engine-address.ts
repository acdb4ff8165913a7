// Where a container engine is to be looked for. Apart from its client, which costs 0.2 s to load and most runs never need.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EngineAddress {
  /** `unix:///var/run/docker.sock`, `tcp://host:2376`, `ssh://user@host` */
  readonly uri: string;
  /** True where DOCKER_HOST says so: what somebody named is never replaced by another. */
  readonly named: boolean;
}

/** Where the engine is to be looked for: DOCKER_HOST, else the first of the usual sockets that is there; null where none is. */
export function engineAddress(environment: Environment, exists: (path: string) => boolean = existsSync): EngineAddress | null {
  const named = environment['DOCKER_HOST']?.trim() ?? '';
  if (named !== '') return { uri: named, named: true };
  const runtime = environment['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? 0}`;
  const sockets = ['/var/run/docker.sock', join(homedir(), '.docker/run/docker.sock'), join(runtime, 'docker.sock'), '/run/podman/podman.sock', join(runtime, 'podman/podman.sock')];
  const found = sockets.find((path) => exists(path));
  return found === undefined ? null : { uri: `unix://${found}`, named: false };
}
