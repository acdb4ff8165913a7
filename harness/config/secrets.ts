// The drill's age identities and the credentials of its stores: where they come from, and that nobody else can read them.
import { stat } from 'node:fs/promises';
import { Decrypter } from 'age-encryption';
import { addSecret } from '../run/redact.ts';
import type { S3Credential, S3StoreConfig } from '../stores/config.ts';
import { type Environment, fileProblem, readText, resolveVariable } from './environment.ts';
import type { FromEnvironment } from './leaf.ts';
import { ConfigError } from './problem.ts';
import type { Config } from './schema.ts';

/** What the harness may not write down. Every value is registered with `redact` before it is handed on. */
export interface Secrets {
  /** age identities (`AGE-SECRET-KEY-1…`), in the order of their file; empty while no key is configured. */
  readonly identities: readonly string[];
  /** Credentials of the S3 stores, by the stores' names. */
  readonly stores: Readonly<Record<string, S3Credential>>;
}

type Keys = NonNullable<Config['keys']>;
type Identities = { readonly identities: readonly string[]; readonly file: string | null } | { readonly code: string; readonly problem: string; readonly write: string };

/**
 * The secrets of a configuration that loaded. A worker calls it again: secrets never travel with the configuration.
 * @throws ConfigError when one is gone or has been made readable by others since.
 */
export async function resolveSecrets(config: Pick<Config, 'keys' | 'stores'>, environment: Environment): Promise<Secrets> {
  const stores = Object.fromEntries(await Promise.all(config.stores.filter((store) => store.kind === 's3').map(async (store) => [store.name, await credentialOf(store, environment)] as const)));
  if (config.keys === null) return { identities: [], stores };
  const read = await readIdentities(config.keys, environment);
  if ('problem' in read) {
    throw new ConfigError('the configuration', [{ code: read.code, path: 'identity' in config.keys ? 'keys.identity' : 'keys.identityFile', problem: read.problem, write: read.write }]);
  }
  return { identities: read.identities, stores };
}

async function credentialOf(store: S3StoreConfig, environment: Environment): Promise<S3Credential> {
  const part = async (key: 'accessKeyId' | 'secretAccessKey' | 'sessionToken', from: FromEnvironment): Promise<string> => {
    const read = await readCredentialPart(from, environment, key !== 'accessKeyId');
    if ('problem' in read) throw new ConfigError('the configuration', [{ code: read.code, path: `the ${key} of store ${store.name}`, problem: read.problem, write: read.write }]);
    return read.value;
  };
  const [accessKeyId, secretAccessKey] = [await part('accessKeyId', store.accessKeyId), await part('secretAccessKey', store.secretAccessKey)];
  return { accessKeyId, secretAccessKey, ...(store.sessionToken === null ? {} : { sessionToken: await part('sessionToken', store.sessionToken) }) };
}

/** One part of a store's credential, or what is wrong with it. A secret one is registered with `redact`. */
export async function readCredentialPart(from: FromEnvironment, environment: Environment, secret: boolean): Promise<{ readonly value: string } | { readonly code: string; readonly problem: string; readonly write: string }> {
  const file = environment[`${from.env}_FILE`] ?? '';
  if (secret && file !== '' && (environment[from.env]?.trim() ?? '') === '') {
    const guarded = await guard(file, `takes ${from.env} from the file that ${from.env}_FILE names,`, `the path of the file that holds it, in ${from.env}_FILE`);
    if (guarded !== null) return guarded;
  }
  const resolved = await resolveVariable(from, environment);
  if ('problem' in resolved) return { code: 'config.unset', ...resolved };
  if (secret) addSecret(resolved.value);
  return { value: resolved.value };
}

/** The identities that the keys name, or what is wrong with them. */
export async function readIdentities(keys: Keys, environment: Environment): Promise<Identities> {
  if ('identityFile' in keys) {
    const guarded = await guard(keys.identityFile, 'is');
    if (guarded !== null) return guarded;
    const read = await readText(keys.identityFile);
    if ('problem' in read) return { code: 'keys.missing', problem: `is ${keys.identityFile}, which ${read.problem}`, write: makeOne(keys.identityFile) };
    return identitiesOf(read.text, keys.identityFile, `is ${keys.identityFile}, which`);
  }
  const { env: name } = keys.identity;
  // The file's mode comes before its content: what others could read is refused, whatever it holds.
  const named = environment[`${name}_FILE`] ?? '';
  if (named !== '' && (environment[name]?.trim() ?? '') === '') {
    const guarded = await guard(named, `takes ${name} from the file that ${name}_FILE names,`);
    if (guarded !== null) return guarded;
  }
  const resolved = await resolveVariable(keys.identity, environment);
  if ('problem' in resolved) return { code: 'config.unset', ...resolved };
  return identitiesOf(resolved.value, resolved.file, `takes ${name} from the environment, whose value`);
}

/** FAULTS 81: a key that others can read is refused, as ssh does. */
async function guard(file: string, lead: string, write = makeOne(file)): Promise<Extract<Identities, { code: string }> | null> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) === 0) return null;
    return {
      code: 'keys.world-readable',
      problem: `${lead} ${file}, which users other than its owner can use (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
      write: `nothing here, but run chmod 600 ${file}; if others use this machine, make a new key`,
    };
  } catch (error) {
    return { code: 'keys.missing', problem: `${lead} ${file}, which ${fileProblem(error)}`, write };
  }
}

const makeOne = (file: string): string => `the path of the drill's key, for example identityFile: '/etc/whatsapp-mcp/drill.key', or make one: age-keygen -o ${file}`;

function identitiesOf(text: string, file: string | null, lead: string): Identities {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const identities = lines.filter((line) => /^AGE-SECRET-KEY-(?:PQ-)?1/.test(line));
  for (const identity of identities) addSecret(identity);
  const write = 'the whole file that age-keygen writes: comments, and one line AGE-SECRET-KEY-1… for each identity';
  if (identities.length === 0) {
    const what = lines.some((line) => line.startsWith('age1')) ? 'holds a recipient (age1…), which is the public half' : 'holds no age identity (a line AGE-SECRET-KEY-1…)';
    return { code: 'keys.no-identity', problem: `${lead} ${what}`, write };
  }
  const damaged = identities.findIndex((identity) => !isWhole(identity));
  if (damaged >= 0) return { code: 'keys.damaged', problem: `${lead} holds an identity (number ${damaged + 1}) that is cut or mistyped`, write };
  return { identities, file };
}

/** Bech32 carries a checksum: a cut or mistyped identity is known before any dump is fetched. */
function isWhole(identity: string): boolean {
  try {
    new Decrypter().addIdentity(identity);
    return true;
  } catch {
    return false;
  }
}
