// The run's journal: what the worker process tells the command, as lines of a file. A file, because it outlives the
// worker: what was told before a kill is still there, and the command never waits for an answer.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { RunEvent } from './execute.ts';

export class JournalWriter {
  readonly #file: number;
  #broken: Error | null = null;
  constructor(path: string) {
    this.#file = openSync(path, 'a', 0o600);
  }
  /** @throws the file system's error, from then on always: a full disk may have taken the first part of a line, and nothing may follow that. */
  readonly write = (event: RunEvent): void => {
    if (this.#broken !== null) throw this.#broken;
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    try {
      for (let written = 0; written < line.length;) written += writeSync(this.#file, line, written);
    } catch (error) {
      this.#broken = error as Error;
      throw error;
    }
  };
}

export class JournalReader {
  readonly #file: number;
  #offset = 0;
  #rest: Buffer = Buffer.alloc(0);
  readonly #chunk = Buffer.alloc(1 << 16);

  /** Creates the journal, so that reading never races with the worker's first line. */
  constructor(path: string) {
    closeSync(openSync(path, 'a', 0o600));
    this.#file = openSync(path, 'r');
  }

  /** The whole lines that came since the last call. A line torn by a kill is never read as one. */
  read(): RunEvent[] {
    const parts = [this.#rest];
    for (;;) {
      const bytes = readSync(this.#file, this.#chunk, 0, this.#chunk.length, this.#offset);
      if (bytes === 0) break;
      this.#offset += bytes;
      parts.push(Buffer.from(this.#chunk.subarray(0, bytes)));
    }
    const text = Buffer.concat(parts);
    const end = text.lastIndexOf('\n') + 1;
    this.#rest = text.subarray(end);
    return text.toString('utf8', 0, end).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as RunEvent);
  }

  close(): void {
    closeSync(this.#file);
  }
}
