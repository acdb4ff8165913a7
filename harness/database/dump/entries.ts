// What an inspection keeps of each statement, packed outside of the heap: a dump of 20,000 tables has 200,000 of them,
// and as objects they alone would take more memory than the whole harness may.
import type { CopyBlock, Name, PlanEntry } from './inventory.ts';
import type { Classified, Place } from './items.ts';

const rowsPerPage = 4096;
const pageBytes = 64 * 1024;
const sizeBytes = 4;

/** Rows of so many numbers. */
class Rows {
  readonly #width: number;
  readonly #pages: Float64Array[] = [];
  #length = 0;

  constructor(width: number) {
    this.#width = width;
  }

  get length(): number {
    return this.#length;
  }

  /** @returns the new row's index */
  push(...values: readonly number[]): number {
    const row = this.#length;
    if (row % rowsPerPage === 0) this.#pages.push(new Float64Array(rowsPerPage * this.#width));
    this.#length += 1;
    this.#page(row).set(values, (row % rowsPerPage) * this.#width);
    return row;
  }

  at(row: number, column: number): number {
    return this.#page(row)[(row % rowsPerPage) * this.#width + column] as number;
  }

  set(row: number, column: number, value: number): void {
    this.#page(row)[(row % rowsPerPage) * this.#width + column] = value;
  }

  #page(row: number): Float64Array {
    if (row < 0 || row >= this.#length) throw new RangeError(`there is no row ${row}`);
    return this.#pages[Math.floor(row / rowsPerPage)] as Float64Array;
  }
}

/** Names, as UTF-8 with a zero byte behind each part: the reader lets none into a statement. */
export class NameList implements Iterable<Name> {
  readonly #pages: Buffer[] = [];
  readonly #places = new Rows(1);
  #used = pageBytes;

  get length(): number {
    return this.#places.length;
  }

  /** @returns the name's index */
  push(name: Name): number {
    let size = sizeBytes + name.length;
    for (const part of name) size += Buffer.byteLength(part);
    if (this.#used + size > pageBytes) {
      this.#pages.push(Buffer.allocUnsafeSlow(Math.max(pageBytes, size)));
      this.#used = 0;
    }
    const [page, start] = [this.#pages.at(-1) as Buffer, this.#used];
    let at = page.writeUInt32LE(size, start);
    for (const part of name) {
      at += page.write(part, at);
      at = page.writeUInt8(0, at);
    }
    this.#used += size;
    return this.#places.push((this.#pages.length - 1) * pageBytes + start);
  }

  at(index: number): Name {
    const place = this.#places.at(index, 0);
    const [page, start] = [this.#pages[Math.floor(place / pageBytes)] as Buffer, place % pageBytes];
    return page.toString('utf8', start + sizeBytes, start + page.readUInt32LE(start)).split('\0').slice(0, -1);
  }

  *[Symbol.iterator](): Generator<Name, void, undefined> {
    for (let index = 0; index < this.length; index += 1) yield this.at(index);
  }
}

// Columns of an entry's row.
const [kindColumn, offsetColumn, lineColumn, countColumn] = [0, 1, 2, 3];

/** The statements and COPYs in file order. */
export class EntryList implements Iterable<PlanEntry> {
  readonly #rows = new Rows(4);
  readonly #names = new NameList();
  readonly #roles = new NameList();
  /** Some two hundred. */
  readonly #kinds: string[] = [];
  readonly #kindIndexes = new Map<string, number>();
  #statements = 0;
  #last: Classified | null = null;

  get length(): number {
    return this.#rows.length;
  }

  /** Runs counted out. */
  get statements(): number {
    return this.#statements;
  }

  get lastKind(): string | null {
    return this.#last?.kind ?? null;
  }

  push(seen: Classified, at: Place): void {
    this.#rows.push(this.#indexOf(seen.kind), at.offset, at.line, 1);
    this.#names.push(seen.name);
    this.#roles.push(seen.roles);
    this.#last = seen;
    this.#statements += 1;
  }

  /** Counts it into the entry before, where that is of the same kind and about the same object. */
  fold(seen: Classified): boolean {
    const last = this.#last;
    if (last === null || last.kind !== seen.kind || last.name.length !== seen.name.length || last.name.some((part, at) => part !== seen.name[at])) return false;
    const row = this.length - 1;
    this.#rows.set(row, countColumn, this.#rows.at(row, countColumn) + 1);
    this.#statements += 1;
    return true;
  }

  *[Symbol.iterator](): Generator<PlanEntry, void, undefined> {
    let ordinal = 0;
    for (let row = 0; row < this.length; row += 1) {
      const of = (column: number): number => this.#rows.at(row, column);
      const count = of(countColumn);
      yield { kind: this.#kinds[of(kindColumn)] as string, name: this.#names.at(row), roles: this.#roles.at(row), ordinal, at: { offset: of(offsetColumn), line: of(lineColumn) }, count };
      ordinal += count;
    }
  }

  #indexOf(kind: string): number {
    const index = this.#kindIndexes.get(kind) ?? this.#kinds.push(kind) - 1;
    this.#kindIndexes.set(kind, index);
    return index;
  }
}

/** The COPYs in file order. */
export class CopyList {
  readonly #names = new NameList();
  readonly #columns = new NameList();
  /** Rows, bytes, offset, line, and whether it names its columns. */
  readonly #rows = new Rows(5);

  get length(): number {
    return this.#rows.length;
  }

  push(name: Name, columns: Name | null, at: Place): void {
    this.#names.push(name);
    this.#columns.push(columns ?? []);
    this.#rows.push(0, 0, at.offset, at.line, columns === null ? 0 : 1);
  }

  /** Tells what the last one's rows were. */
  end(rows: number, bytes: number): void {
    this.#rows.set(this.length - 1, 0, rows);
    this.#rows.set(this.length - 1, 1, bytes);
  }

  *[Symbol.iterator](): Generator<CopyBlock, void, undefined> {
    for (let row = 0; row < this.length; row += 1) {
      const of = (column: number): number => this.#rows.at(row, column);
      yield { name: this.#names.at(row), columns: of(4) === 0 ? null : this.#columns.at(row), rows: of(0), bytes: of(1), at: { offset: of(2), line: of(3) } };
    }
  }
}
