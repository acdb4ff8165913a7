// Who may do what in the throw-away cluster. Its superuser has a random name, so every role that the dump mentions,
// `postgres` included, is made as an ordinary role that cannot log in.
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Login, PostgresServer } from '../../servers/postgres.ts';

export interface Actor {
  readonly user: string;
  readonly password: string;
}

const randomName = (prefix: string): string => `${prefix}_${randomBytes(8).toString('hex')}`;
export const login = (server: PostgresServer, actor: Actor, database: string): Login => ({ ...server.admin, user: actor.user, password: actor.password, database });

/**
 * A role that can log in and do nothing else: no superuser, no BYPASSRLS, member of no role. It inherits, since 15 keeps a
 * database's owner out of the public schema otherwise: there he is the one member of the role that owns it. The limits of
 * the dump's ALTER DATABASE … SET do not hold for it.
 */
export async function createActor(control: Client, major: number, prefix: string): Promise<Actor> {
  const actor = { user: randomName(prefix), password: randomBytes(24).toString('hex') };
  await control.query(`CREATE ROLE ${escapeIdentifier(actor.user)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD ${escapeLiteral(actor.password)}`);
  await setForRole(control, actor.user, unhurried(major));
  return actor;
}

/**
 * Makes the roles that a dump mentions, NOLOGIN and without rights, over a connection to the restored database itself:
 * a role's name is stored in the encoding of the database that it was created from. Returns the names it made.
 * @throws when a role of that name exists and has rights: the cluster is not a throw-away one.
 */
export async function createDumpRoles(control: Client, names: Iterable<string>): Promise<string[]> {
  const made: string[] = [];
  for (const name of [...new Set(names)].toSorted()) {
    // Reserved: PUBLIC, and the predefined roles, which are there or not by the server's major.
    if (name === 'public' || name === 'PUBLIC' || name === 'none' || name.startsWith('pg_')) continue;
    const { rows } = await control.query<{ rights: boolean }>('SELECT rolsuper OR rolcreaterole OR rolbypassrls OR rolreplication AS rights FROM pg_roles WHERE rolname = $1', [name]);
    if (rows[0]?.rights === true) throw new Error(`role ${name} exists on the throw-away server and has rights: it is not a throw-away server`);
    if (rows.length > 0) continue;
    await control.query(`CREATE ROLE ${escapeIdentifier(name)} NOLOGIN`);
    made.push(name);
  }
  return made;
}

/** What later sessions of the admin must not inherit from the dump's ALTER DATABASE … SET. */
export async function guardLogins(control: Client, major: number, admin: string): Promise<void> {
  await setForRole(control, admin, [...unhurried(major), "search_path = ''", 'session_replication_role = origin', 'row_security = on',
    // From 17 on a trigger may fire on login, with the rights of whoever logs in.
    ...(major >= 17 ? ['event_triggers = off'] : [])]);
}

// An application's limits are not the drill's; and where it only reads by default, views must be filled all the same.
const unhurried = (major: number): string[] => [
  'statement_timeout = 0', 'lock_timeout = 0', 'idle_in_transaction_session_timeout = 0', ...(major >= 14 ? ['idle_session_timeout = 0'] : []), ...(major >= 17 ? ['transaction_timeout = 0'] : []),
  'default_transaction_read_only = off', "default_transaction_isolation = 'read committed'", 'default_transaction_deferrable = off',
];

async function setForRole(control: Client, name: string, settings: readonly string[]): Promise<void> {
  for (const setting of settings) await control.query(`ALTER ROLE ${escapeIdentifier(name)} SET ${setting}`);
}

/** A role that reads everything and writes nothing: past row-level security, large objects included, no superuser. */
export async function createChecker(control: Client, major: number, database: string): Promise<Actor> {
  const checker = await createActor(control, major, 'checker');
  const name = escapeIdentifier(checker.user);
  await control.query(`ALTER ROLE ${name} BYPASSRLS`);
  if (major >= 14) await control.query(`GRANT pg_read_all_data TO ${name}`);
  else await control.query(memberOfOwners(checker.user));
  await setForRole(control, checker.user, ['default_transaction_read_only = on', 'lo_compat_privileges = on', ...(major >= 17 ? ['event_triggers = off'] : [])]);
  await ensureConnect(control, checker.user, database);
  return checker;
}

// 13 has no role that reads everything. A grant on each table would show in its ACL, so there the checker is a member of
// every ordinary role that owns something here, and its sessions are read-only by their setting alone.
const memberOfOwners = (checker: string): string => `DO $owners$ DECLARE owner name; BEGIN
  FOR owner IN SELECT DISTINCT r.rolname FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
    WHERE d.deptype = 'o' AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND NOT r.rolsuper
  LOOP EXECUTE pg_catalog.format('GRANT %I TO %I', owner, ${escapeLiteral(checker)}); END LOOP; END $owners$`;

/** A dump may revoke CONNECT from PUBLIC; only then is it granted by name, since the grant shows in the ACL. */
export async function ensureConnect(control: Client, user: string, database: string): Promise<void> {
  const { rows } = await control.query<{ may: boolean }>("SELECT has_database_privilege($1, $2, 'CONNECT') AS may", [user, database]);
  if (rows[0]?.may !== true) await control.query(`GRANT CONNECT ON DATABASE ${escapeIdentifier(database)} TO ${escapeIdentifier(user)}`);
}
