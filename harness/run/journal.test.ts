import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { JournalReader, JournalWriter } from './journal.ts';

const directories: string[] = [];
const place = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'journal-test-'));
  directories.push(directory);
  return join(directory, 'journal.jsonl');
};
afterEach(() => directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true })));

test('events arrive once, in order, as they were written', () => {
  const path = place();
  const reader = new JournalReader(path);
  expect(reader.read()).toStrictEqual([]);
  const writer = new JournalWriter(path);
  writer.write({ event: 'worker', pid: 7 });
  writer.write({ event: 'started', step: 'größe', at: 'x' });
  expect(reader.read()).toStrictEqual([{ event: 'worker', pid: 7 }, { event: 'started', step: 'größe', at: 'x' }]);
  expect(reader.read()).toStrictEqual([]);
  reader.close();
});

test('a torn line is not read until it is whole, wherever it is torn', () => {
  const path = place();
  const reader = new JournalReader(path);
  const line = Buffer.from(`${JSON.stringify({ event: 'started', step: 'größe', at: 'é' })}\n`);
  const seen = [];
  for (const byte of line) {
    appendFileSync(path, Buffer.from([byte]));
    seen.push(...reader.read());
  }
  expect(seen).toStrictEqual([{ event: 'started', step: 'größe', at: 'é' }]);
  reader.close();
});
