// What a dump says of the schema, as objects that can be compared and committed: never a row, an owner, a privilege or a comment.

/** One object. Tables and views have their columns, constraints, indexes, triggers and policies beside them, each an object `on` them. */
export interface SchemaObject {
  /** `table`, `column`, `index`, `function` … */
  readonly kind: string;
  /** The relation that it belongs to, or null. */
  readonly on: string | null;
  /** With its schema, quoted where it must be; a function's with its arguments. */
  readonly name: string;
  /** What it is, each aspect in one text: a column's `type`, an index's `definition`. Long texts and code are digests. */
  readonly facets: Readonly<Record<string, string>>;
}

export interface Schema {
  /** Major of the server that the dump was taken of. */
  readonly major: number;
  /** In the order of `compareObjects`, no two with one key. */
  readonly objects: readonly SchemaObject[];
}

/** Two objects are the same one where this is equal. */
export const keyOf = ({ kind, on, name }: Pick<SchemaObject, 'kind' | 'on' | 'name'>): string => JSON.stringify([on ?? name, on === null ? 0 : 1, kind, name]);

/** What belongs to a relation follows it. */
export function compareObjects(a: SchemaObject, b: SchemaObject): number {
  const [left, right] = [a, b].map(({ kind, on, name }) => [on ?? name, on === null ? '0' : '1', kind, name]) as [string[], string[]];
  for (const [at, part] of left.entries()) {
    const other = right[at] ?? '';
    if (part !== other) return part < other ? -1 : 1;
  }
  return 0;
}

/** `column slug of public.clients`, `index public.messages_chat_idx`. */
export const nameOf = ({ kind, on, name }: Pick<SchemaObject, 'kind' | 'on' | 'name'>): string => (on === null || kind === 'index' ? `${kind} ${name}` : `${kind} ${name} of ${on}`);
