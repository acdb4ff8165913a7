// The objects of a schema while a dump is read: what later statements say of an object is added to what made it. What they
// may take together has an end, as the inventory's has: small statements come without one.
import { StepEnded } from '../../run/finding.ts';
import { dumpFindings } from '../dump/findings.ts';
import { digest } from './definition.ts';
import { keyOf, type SchemaObject } from './schema.ts';

export interface Draft {
  readonly kind: string;
  readonly on: string | null;
  readonly name: string;
  readonly facets: Map<string, string>;
  /** Those of its statements that stand for themselves. */
  readonly statements: string[];
}

/** Texts longer than this are told by their digest. */
const maxTextLength = 1000;
// About what one takes until it is compared.
const [bytesPerObject, bytesPerStatement] = [1500, 50];

export class Drafts {
  /** Of the statement that is read. */
  line = 0;
  readonly #drafts = new Map<string, Draft>();
  readonly #maxBytes: number;
  /** About what is kept so far. */
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A new one, in place of another of its name. */
  add(kind: string, on: string | null, name: string, facets: Readonly<Record<string, string>> = {}): Draft {
    this.#keep(bytesPerObject + name.length + (on ?? '').length);
    const draft: Draft = { kind, on, name, facets: new Map(), statements: [] };
    for (const [facet, text] of Object.entries(facets)) this.set(draft, facet, text);
    this.#drafts.set(keyOf(draft), draft);
    return draft;
  }

  find(kind: string, on: string | null, name: string): Draft {
    return this.#drafts.get(keyOf({ kind, on, name })) ?? this.add(kind, on, name);
  }

  /** The table, view or foreign table of that name. */
  relation(name: string): Draft {
    for (const kind of ['table', 'foreign table', 'view', 'materialized view']) {
      const draft = this.#drafts.get(keyOf({ kind, on: null, name }));
      if (draft !== undefined) return draft;
    }
    // Where nothing made it, what is said of it does not make it either.
    return this.find('altered table', null, name);
  }

  set(draft: Draft, facet: string, text: string): void {
    const short = told(text);
    this.#keep(short.length);
    draft.facets.set(facet, short);
  }

  state(draft: Draft, text: string): void {
    const short = told(text);
    this.#keep(bytesPerStatement + short.length);
    draft.statements.push(short);
  }

  drop(isDropped: (draft: Draft) => boolean): void {
    for (const [key, draft] of this.#drafts) if (isDropped(draft)) this.#drafts.delete(key);
  }

  objects(): SchemaObject[] {
    return [...this.#drafts.values()].map(({ kind, on, name, facets, statements }) => {
      if (statements.length > 0) facets.set('definition', told(statements.sort().join('\n')));
      return { kind, on, name, facets: Object.fromEntries([...facets].filter(([, text]) => text !== '').sort(([a], [b]) => (a < b ? -1 : 1))) };
    });
  }

  #keep(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) throw new StepEnded(dumpFindings.find('dump.too-many-statements', { line: this.line, limitBytes: this.#maxBytes }));
  }
}

const told = (text: string): string => (text.length > maxTextLength ? digest(text) : text);
