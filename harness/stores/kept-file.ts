// A small file that a check keeps for the next one: read whole, written whole or not at all.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Finding, StepEnded } from '../run/finding.ts';

const why = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'an unknown error';

/** Its text, or null where none was ever kept. @throws StepEnded with the finding of why it cannot be read */
export function readKept(path: string, failed: (why: string) => Finding): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (why(error) === 'ENOENT') return null;
    throw new StepEnded(failed(why(error)));
  }
}

/** @throws StepEnded with the finding of why it could not be written: then the next check would know nothing of this one */
export function writeKept(path: string, text: string, failed: (why: string) => Finding): void {
  try {
    const temporary = `${path}.tmp`;
    const file = openSync(temporary, 'w', 0o600);
    writeSync(file, `${text}\n`);
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, path);
    const directory = openSync(dirname(path), 'r');
    fsyncSync(directory);
    closeSync(directory);
  } catch (error) {
    throw new StepEnded(failed(why(error)));
  }
}
