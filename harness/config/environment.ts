// Values that the environment holds: NAME itself, or NAME_FILE with the path of a file that holds it.
import { readFile, stat } from 'node:fs/promises';
import type { FromEnvironment } from './leaf.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a marker stands for, and the file it came from; or why it stands for nothing. */
export type Resolved = { readonly value: string; readonly file: string | null } | { readonly problem: string; readonly write: string };

/**
 * Resolves a marker. The line break at the end of a file is not part of its value. A variable set to nothing is as good
 * as unset: Compose and CI leave empty ones behind.
 */
export async function resolveVariable({ env: name }: FromEnvironment, environment: Environment): Promise<Resolved> {
  const value = environment[name]?.trim() ?? '';
  const file = environment[`${name}_FILE`] ?? '';
  if (value !== '' && file !== '') return { problem: `takes ${name} from the environment, where both ${name} and ${name}_FILE are set`, write: `unset ${name} or ${name}_FILE` };
  if (value !== '') return { value, file: null };
  if (file === '') return { problem: `takes ${name} from the environment, where it is not set`, write: `set ${name}, or ${name}_FILE to the path of a file that holds the value` };
  const read = await readText(file);
  if ('problem' in read) return { problem: `takes ${name} from the file that ${name}_FILE names, which ${read.problem}`, write: `set ${name}_FILE to the path of a file that this user can read` };
  const content = read.text.trim();
  if (content === '') return { problem: `takes ${name} from the file that ${name}_FILE names, which is empty`, write: `put the value into that file, or set ${name}` };
  return { value: content, file };
}

/** A small file's text, or why it cannot be had: "does not exist". */
export async function readText(file: string): Promise<{ readonly text: string } | { readonly problem: string }> {
  try {
    const found = await stat(file);
    // A FIFO would hang the load, a device never end.
    if (!found.isFile()) return { problem: found.isDirectory() ? 'is a directory' : 'is no regular file' };
    if (found.size > 1_000_000) return { problem: 'is larger than a megabyte' };
    return { text: await readFile(file, 'utf8') };
  } catch (error) {
    return { problem: fileProblem(error) };
  }
}

/** The phrase for a failed system call on a file. */
export function fileProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  return `cannot be read (${code})`;
}
