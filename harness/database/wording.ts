// One wording for what Postgres deparses in two. It writes an array that was cast as a whole as `(ARRAY[a, b])::text[]`; read
// back, that is an array of cast elements, which it writes as `ARRAY[(a)::text, (b)::text]` from then on. So every
// `varchar IN (…)` reads otherwise after its first restore, in Postgres' own pg_dump as well, and means the same. Seen in
// every form that pg_dump writes: decision 55.

/** A definition with every text in it settled. */
export function settled(value: unknown): unknown {
  if (typeof value === 'string') return settledWording(value);
  if (Array.isArray(value)) return value.map(settled);
  return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, settled(inner)])) : value;
}

/** The text with every such array in its second wording. What stands in quotes, a function's body among it, is left alone. */
export function settledWording(text: string): string {
  // Most definitions hold none.
  return text.includes('ARRAY[') ? settle(text) : text;
}

/** A string, a quoted name, a dollar-quoted string: in them nothing is code. */
const quoted = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$/y;
/** `::text[]`, `::character varying(3)[]`, `::public."My type"[]` */
const wholeCast = /::((?:"(?:[^"]|"")*"|[\w. ]|\(\d+(?:,\d+)?\))+)\[\]/y;
const arrayStart = /\bARRAY\[/y;

function settle(text: string): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const quote = match(quoted, text, at);
    if (quote !== null) {
      out += quote[0];
      at += quote[0].length;
      continue;
    }
    const array = match(arrayStart, text, at) === null ? null : readArray(text, at);
    if (array === null) {
      out += text[at] ?? '';
      at += 1;
      continue;
    }
    const elements = array.elements.map(settle);
    // `(ARRAY[…])::T[]` as a rule, `ARRAY[…]::T[]` where the server writes as few parentheses as it can.
    const wrapped = out.endsWith('(') && text[array.end] === ')' ? match(wholeCast, text, array.end + 1) : null;
    const bare = wrapped === null ? match(wholeCast, text, array.end) : null;
    const type = (wrapped ?? bare)?.[1];
    if (wrapped !== null) out = out.slice(0, -1);
    out += type === undefined ? `ARRAY[${elements.join(', ')}]` : `ARRAY[${elements.map((element) => cast(element, type, wrapped !== null)).join(', ')}]`;
    at = array.end + (wrapped === null ? (bare?.[0].length ?? 0) : wrapped[0].length + 1);
  }
  return out;
}

/** An inner array has its elements cast, not itself. */
function cast(element: string, type: string, parentheses: boolean): string {
  if (element.startsWith('ARRAY[')) {
    const inner = readArray(element, 0);
    if (inner !== null && inner.end === element.length) return `ARRAY[${inner.elements.map((one) => cast(one, type, parentheses)).join(', ')}]`;
  }
  return parentheses || !/^(?:'(?:[^']|'')*'|[\w."]+)(?:::[\w. ]+)?$/.test(element) ? `(${element})::${type}` : `${element}::${type}`;
}

/** The elements of the `ARRAY[…]` at `start`, and where it ends; null where it does not. */
function readArray(text: string, start: number): { readonly elements: readonly string[]; readonly end: number } | null {
  const elements: string[] = [];
  let from = start + 'ARRAY['.length;
  let depth = 0;
  for (let at = from; at < text.length; ) {
    const quote = match(quoted, text, at);
    if (quote !== null) {
      at += quote[0].length;
      continue;
    }
    const char = text[at] as string;
    if (char === '(' || char === '[') depth += 1;
    else if (depth > 0 && (char === ')' || char === ']')) depth -= 1;
    else if (char === ']' || (char === ',' && depth === 0)) {
      elements.push(text.slice(from, at).trim());
      if (char === ']') return { elements, end: at + 1 };
      from = at + 1;
    }
    at += 1;
  }
  return null;
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
