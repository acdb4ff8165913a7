// Work as a count, for the tests of this folder: what a clock says hangs on the machine. To be imported before what is to
// be counted, since V8 counts in code that it compiles from here on.
import { Session } from 'node:inspector/promises';

interface Coverage {
  readonly result: readonly { readonly url: string; readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[] }[];
}

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/** How often the blocks of this folder's code ran, a loop's once a round, and how many bytes Buffer's searches and copies went over. */
export async function workOf(action: () => unknown): Promise<number> {
  // Taken, they begin anew.
  await session.post('Profiler.takePreciseCoverage');
  const native = countNative();
  try {
    await action();
  } finally {
    native.restore();
  }
  const { result } = (await session.post('Profiler.takePreciseCoverage')) as unknown as Coverage;
  const own = result.filter(({ url }) => /\/harness\/database\/dump\/(?:[\w-]+)\.ts$/.test(url));
  const counts = own.flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges.map(({ count }) => count)));
  if (counts.length === 0) throw new Error('none of the code that was to be counted ran');
  return counts.reduce((sum, count) => sum + count, native.bytes());
}

function countNative(): { bytes(): number; restore(): void } {
  const { indexOf, lastIndexOf, toString } = Buffer.prototype;
  const concat = Buffer.concat.bind(Buffer);
  let bytes = 0;
  Object.assign(Buffer.prototype, {
    indexOf(this: Buffer, ...args: Parameters<typeof indexOf>) {
      const found = indexOf.apply(this, args);
      bytes += (found === -1 ? this.length : found) - (typeof args[1] === 'number' ? args[1] : 0);
      return found;
    },
    lastIndexOf(this: Buffer, ...args: Parameters<typeof lastIndexOf>) {
      const found = lastIndexOf.apply(this, args);
      bytes += this.length - Math.max(0, found);
      return found;
    },
    toString(this: Buffer, ...args: Parameters<typeof toString>) {
      const text = toString.apply(this, args);
      bytes += text.length;
      return text;
    },
  });
  Buffer.concat = (...args) => {
    const whole = concat(...args);
    bytes += whole.length;
    return whole;
  };
  return {
    bytes: () => bytes,
    restore() {
      Object.assign(Buffer.prototype, { indexOf, lastIndexOf, toString });
      Buffer.concat = concat;
    },
  };
}
