// The operator's own check files.
import { glob } from 'node:fs/promises';
import path from 'node:path';

/** What the patterns match: absolute, sorted, each once. */
export async function checkFiles(patterns: readonly string[], root: string): Promise<string[]> {
  const files = new Set<string>();
  for await (const entry of glob(patterns, { cwd: root, withFileTypes: true })) {
    if (!entry.isDirectory()) files.add(path.join(entry.parentPath, entry.name));
  }
  return [...files].sort();
}
