// What Postgres 13 to 18 say differently of the same definition. A drill restores onto the dump's own major; where a manifest
// is compared on a newer one all the same, none of this is a difference.
import { isDeepStrictEqual } from 'node:util';
import { settled } from '../wording.ts';

/** The first major that has a key, where it is not 13: an older one cannot say how it stood there. */
const since: ReadonlyMap<string, number> = new Map([
  ['multirange', 14], ['subscript', 14], ['members', 14], ['binary', 14],
  ['nullsNotDistinct', 15], ['twoPhase', 15], ['disableOnError', 15],
  ['origin', 16], ['passwordRequired', 16], ['runAsOwner', 16],
  ['failover', 17],
  // Its default is another from 18 on, which an older pg_dump does not name.
  ['streaming', 18],
  ['notNullName', 18], ['notNullNoInherit', 18], ['notNullLocal', 18], ['notNullComment', 18],
]);

/** Whether `was`, said by one major, and `is`, said by a newer or older one, are the same for all that both know. */
export function alike(type: string, key: string, was: unknown, is: unknown, majors: readonly [number, number]): boolean {
  const older = Math.min(...majors);
  if ((since.get(key) ?? 0) > older) return true;
  if (key === 'privileges') return isDeepStrictEqual(withoutMaintain(was, majors), withoutMaintain(is, majors));
  if (key === 'definition' && (type === 'view' || type === 'materialised view')) return isDeepStrictEqual(settled(unqualified(was)), settled(unqualified(is)));
  if (key === 'arguments' && type === 'procedure') return withoutIn(was) === withoutIn(is);
  return false;
}

/** 17 brought MAINTAIN, which an owner has there and cannot have before. */
function withoutMaintain(list: unknown, majors: readonly [number, number]): unknown {
  if (Math.min(...majors) >= 17 || Math.max(...majors) < 17) return list;
  const known = Array.isArray(list) ? list.filter((entry) => !(typeof entry === 'string' && entry.includes(' MAINTAIN'))) : [];
  return known.length === 0 ? undefined : known;
}

/** 14 brought OUT arguments to procedures, and with them the word IN. */
const withoutIn = (value: unknown): unknown => (typeof value === 'string' ? value.replaceAll(/(^|, )IN /g, '$1') : value);

/**
 * From 16 on a view over one relation names its columns without it. Without that name everywhere, both read alike; columns
 * of any other relation, in a subquery, keep theirs.
 */
function unqualified(definition: unknown): unknown {
  if (typeof definition !== 'string') return definition;
  const words = definition.match(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[\w$\u0080-\uffff]+|\s+|[^]/g) ?? [];
  const name = onlyRelation(words);
  if (name === null) return definition;
  return words.filter((word, at) => !(word === name && words[at + 1] === '.' && words[at - 1] !== '.') && !(word === '.' && words[at - 1] === name && words[at - 2] !== '.')).join('');
}

/** What the one relation of the outermost FROM is called there; null where there are more, or none. */
function onlyRelation(words: readonly string[]): string | null {
  let depth = 0;
  let from: string[] | null = null;
  for (const word of words) {
    if (word === ')') depth -= 1;
    if (depth === 0 && from !== null && (word === ';' || /^(?:WHERE|GROUP|HAVING|WINDOW|ORDER|LIMIT|OFFSET|FETCH|FOR)$/.test(word))) break;
    // Set operations and joins have more than one.
    if (depth === 0 && from !== null && (word === ',' || /^(?:JOIN|UNION|INTERSECT|EXCEPT)$/.test(word))) return null;
    if (depth === 0 && word === 'FROM') from = [];
    else if (depth === 0 && from !== null && /^["\w$\u0080-\uffff]/.test(word)) from.push(word);
    if (word === '(') depth += 1;
  }
  return from?.at(-1) ?? null;
}
