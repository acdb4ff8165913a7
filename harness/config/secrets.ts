// The drill's age identities: where they come from, and that nobody else can read them.
import { stat } from 'node:fs/promises';
import { Decrypter } from 'age-encryption';
import { addSecret } from '../run/redact.ts';
import { type Environment, fileProblem, readText, resolveVariable } from './environment.ts';
import { ConfigError } from './problem.ts';
import type { Config } from './schema.ts';

/** What the harness may not write down. Every value is registered with `redact` before it is handed on. */
export interface Secrets {
  /** age identities (`AGE-SECRET-KEY-1…`), in the order of their file; empty while no key is configured. */
  readonly identities: readonly string[];
}

type Keys = NonNullable<Config['keys']>;
type Identities = { readonly identities: readonly string[]; readonly file: string | null } | { readonly code: string; readonly problem: string; readonly write: string };

/**
 * The secrets of a configuration that loaded. A worker calls it again: secrets never travel with the configuration.
 * @throws ConfigError when one is gone or has been made readable by others since.
 */
export async function resolveSecrets(config: Pick<Config, 'keys'>, environment: Environment): Promise<Secrets> {
  if (config.keys === null) return { identities: [] };
  const read = await readIdentities(config.keys, environment);
  if ('problem' in read) {
    throw new ConfigError('the configuration', [{ code: read.code, path: 'identity' in config.keys ? 'keys.identity' : 'keys.identityFile', problem: read.problem, write: read.write }]);
  }
  return { identities: read.identities };
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
async function guard(file: string, lead: string): Promise<Extract<Identities, { code: string }> | null> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) === 0) return null;
    return {
      code: 'keys.world-readable',
      problem: `${lead} ${file}, which users other than its owner can use (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
      write: `nothing here, but run chmod 600 ${file}; if others use this machine, make a new key`,
    };
  } catch (error) {
    return { code: 'keys.missing', problem: `${lead} ${file}, which ${fileProblem(error)}`, write: makeOne(file) };
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
