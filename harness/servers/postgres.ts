// A throw-away Postgres server, whatever carries it.
import type { Finding } from '../run/finding.ts';

/** How to reach one. `host` is a directory where the server listens on a Unix socket. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface Login extends ServerAddress {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface PostgresServer {
  readonly runtime: 'embedded' | 'containers';
  /** 18 */
  readonly major: number;
  /** `18.4`, as the server itself says. */
  readonly version: string;
  /** The cluster's superuser, whose name is random so that every role of a dump can be an ordinary one. */
  readonly admin: Login;
  /** Why a connection broke, when it did because the server is gone (`server.died`, `engine.lost` …); null while it runs. */
  readonly died?: () => Finding | null | Promise<Finding | null>;
  /** How a person's psql gets in, when that is not by the login itself: a tunnel ends with the run. */
  readonly psql?: (login: Login) => Login & { readonly program: string };
}
