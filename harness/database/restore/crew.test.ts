// The order in which jobs may start, without a server: sessions are names here.
import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { Random } from '../../../fixtures/random.ts';
import { Crew, type Job } from './crew.ts';

const sessions = (count: number): Client[] => Array.from({ length: count }, (_, at) => `session ${at}` as unknown as Client);

/** A crew whose jobs end when they are told to, and what runs. */
function watched(count: number, choose?: (among: number) => number | null) {
  const crew = new Crew(sessions(count), choose);
  const running = new Map<string, ReturnType<typeof Promise.withResolvers<void>>>();
  const began: string[] = [];
  const add = (what: string, job: Partial<Pick<Job, 'shares' | 'owns' | 'weight'>>): void => crew.add({
    what, shares: [], owns: [], weight: 0, ...job,
    run: async () => {
      const over = Promise.withResolvers<void>();
      running.set(what, over);
      began.push(what);
      await over.promise;
      running.delete(what);
    },
  });
  const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    crew, add, began,
    now: () => [...running.keys()].toSorted(),
    end: async (what: string): Promise<void> => {
      running.get(what)?.resolve();
      await settle();
    },
    fail: async (what: string, error: Error): Promise<void> => {
      running.get(what)?.reject(error);
      await settle();
    },
  };
}

describe('what waits for what', () => {
  test('those that share a relation run together, and one that owns it waits for all of them', async () => {
    const { add, now, end } = watched(3);
    add('index a', { shares: ['t'] });
    add('index b', { shares: ['t'] });
    add('key', { owns: ['t'] });
    add('index c', { shares: ['t'] });
    expect(now()).toEqual(['index a', 'index b']);
    await end('index a');
    expect(now()).toEqual(['index b']);
    await end('index b');
    expect(now()).toEqual(['key']);
    await end('key');
    expect(now()).toEqual(['index c']);
  });

  test('one with two relations waits for both, and holds both', async () => {
    const { add, now, end } = watched(4);
    add('parent', { owns: ['p'] });
    add('child', { owns: ['c'] });
    add('reference', { owns: ['c', 'p'] });
    add('other', { owns: ['o'] });
    add('after', { shares: ['p'] });
    expect(now()).toEqual(['child', 'other', 'parent']);
    await end('child');
    expect(now()).toEqual(['other', 'parent']);
    await end('parent');
    expect(now()).toEqual(['other', 'reference']);
    await end('reference');
    expect(now()).toEqual(['after', 'other']);
  });

  test('a claim holds its relation until what it ends with has ended', async () => {
    const { crew, add, now } = watched(2);
    const claim = await crew.claim(['t'], 'COPY t');
    add('index', { shares: ['t'] });
    const ending = Promise.withResolvers<void>();
    claim.release(ending.promise);
    expect([now(), crew.now]).toEqual([[], ['COPY t', null]]);
    ending.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect([now(), crew.now]).toEqual([['index'], ['index', null]]);
  });

  test('a spare session is had while none has work that waits', async () => {
    const { crew, add, end, now } = watched(2);
    const spare = crew.spare('COPY t');
    expect(spare?.session).toBe('session 0');
    add('a', { owns: ['a'] });
    add('b', { owns: ['b'] });
    expect([crew.spare('COPY t'), now()]).toEqual([null, ['a']]);
    spare?.release();
    await new Promise((resolve) => setImmediate(resolve));
    expect(now()).toEqual(['a', 'b']);
    await end('a');
    await end('b');
    await crew.idle();
    expect(crew.most).toBe(2);
  });
});

test('the greatest starts first', async () => {
  const { add, end, began } = watched(1);
  add('first', { weight: 1 });
  for (const weight of [2, 5, 3]) add(`of ${weight}`, { weight });
  for (const what of ['first', 'of 5', 'of 3', 'of 2']) await end(what);
  expect(began).toEqual(['first', 'of 5', 'of 3', 'of 2']);
});

describe('a job that fails', () => {
  test('stops what has not begun, and is told to whoever waits or asks', async () => {
    const { crew, add, end, fail, began } = watched(2);
    add('bad', { owns: ['t'] });
    add('good', { owns: ['u'] });
    add('after', { owns: ['t'] });
    add('free', { owns: ['v'] });
    const waiting = crew.idle();
    waiting.catch(() => undefined);
    await fail('bad', new Error('no such table'));
    await expect(waiting).rejects.toThrow('no such table');
    await end('good');
    expect(began).toEqual(['bad', 'good']);
    expect(() => crew.throwFailure()).toThrow('no such table');
    await expect(crew.claim(['w'], 'COPY w')).rejects.toThrow('no such table');
  });

  test('so does what a claim ends with', async () => {
    const { crew } = watched(1);
    const claim = await crew.claim(['t'], 'COPY t');
    claim.release(Promise.reject(new Error('bad row')));
    await expect(crew.idle()).rejects.toThrow('bad row');
  });
});

test.each(Array.from({ length: 50 }, (_, seed) => seed))('by chance %i, no relation is owned by one while another works on it, and its jobs keep their order', async (seed) => {
  const random = new Random(seed);
  const crew = new Crew(sessions(random.between(1, 8)), (among) => random.between(0, among - 1));
  const relations = ['a', 'b', 'c', 'd'];
  const at = new Map<string, { owner: number | null; sharers: Set<number>; owners: number[] }>(relations.map((name) => [name, { owner: null, sharers: new Set(), owners: [] }]));
  const jobs = Array.from({ length: 60 }, () => {
    const [first, second] = [random.pick(relations), random.pick(relations)];
    return random.next() < 0.5 ? { owns: [...new Set([first, second])], shares: [] } : { owns: [] as string[], shares: [first] };
  });
  for (const [number, { owns, shares }] of jobs.entries()) {
    crew.add({ what: String(number), owns, shares, weight: 0, run: async () => {
      for (const name of owns) {
        const relation = at.get(name)!;
        expect([relation.owner, relation.sharers.size]).toEqual([null, 0]);
        relation.owner = number;
        relation.owners.push(number);
      }
      for (const name of shares) {
        const relation = at.get(name)!;
        expect(relation.owner).toBeNull();
        // Whoever owned it before this one in order has had it, and nobody behind.
        expect(relation.owners.every((one) => one < number)).toBe(true);
        relation.sharers.add(number);
      }
      for (let turns = random.between(0, 3); turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
      for (const name of owns) at.get(name)!.owner = null;
      for (const name of shares) at.get(name)!.sharers.delete(number);
    } });
  }
  await crew.idle();
  for (const name of relations) {
    const inOrder = jobs.flatMap(({ owns }, number) => (owns.includes(name) ? [number] : []));
    expect(at.get(name)?.owners).toEqual(inOrder);
  }
});
