import { expect, test } from 'vitest';
import { parseBytes, parseDuration } from './units.ts';

test.each([['36h', 129_600_000], ['10 min', 600_000], ['1h 30min', 5_400_000], ['1.5 d', 129_600_000], ['250ms', 250], ['1 week', 604_800_000], ['90 s', 90_000], ['7 days', 604_800_000]])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([['', /empty/], [' ', /empty/], ['5', /no unit/], ['3m', /minutes or months/], ['-1h', /negative/], ['0h', /zero/], ['1 fortnight', /unit fortnight/], ['30min 1h', /larger units/], ['1h 1h', /larger units/], ['h', /no duration/], ['1e3s', /no duration|unit e/], ['1h!', /no duration/], ['99999999999999999999 d', /too large/], ['1 constructor', /unit constructor/]])('%j is no duration', (text, problem) => {
  expect(() => parseDuration(text)).toThrow(problem);
});

test.each([['8GB', 8e9], ['512 MiB', 536_870_912], ['1.5kB', 1500], ['100 B', 100], ['2tb', 2e12]])('%s is %d bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each([['', /empty/], ['8', /no unit/], ['-8GB', /negative/], ['0B', /zero/], ['8 GBit', /unit GBit/], ['GB', /no size/], ['0.4B', /zero/], ['99999999TB', /too large/], ['1 valueOf', /unit valueOf/]])('%j is no size', (text, problem) => {
  expect(() => parseBytes(text)).toThrow(problem);
});
