// Reads the schema off a dump's statements as inspection comes by them. Data, comments and the bodies of functions are none:
// a CREATE TABLE inside them is never a statement. What is not understood counts by its text, and is never dropped.
import type { Classified, Place } from '../dump/items.ts';
import { digest, dotted, identifier, looseText, type Part, partsOf, separated, textOf, Words } from './definition.ts';
import { type Draft, Drafts } from './drafts.ts';
import { compareObjects, type Schema } from './schema.ts';

/**
 * Left out: data and settings of the session; what pg_dump may be told to leave out (owners, privileges, comments, labels); and
 * the database itself, whose name is another's in every copy.
 */
const ignored = /^(?:SET|RESET|SELECT|INSERT|COPY|COMMENT ON|SECURITY LABEL|GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|REFRESH MATERIALIZED VIEW|BEGIN|COMMIT|CREATE DATABASE|ALTER DATABASE|DROP DATABASE|ALTER ROLE|ALTER LARGE OBJECT)\b|… OWNER TO$/;
export class SchemaReading {
  readonly #drafts: Drafts;
  /** Whether anything was made yet. */
  #built = false;

  /** @param maxBytes about the most memory that the objects may take; 20,000 tables take a fifth of the default */
  constructor(maxBytes = 2 ** 30) {
    this.#drafts = new Drafts(maxBytes);
  }

  /** Takes one statement. @param encoding the dump's client_encoding, once it is known @throws StepEnded dump.too-many-statements */
  take({ kind, name }: Classified, sql: Buffer, { line }: Place, encoding: string | undefined): void {
    this.#drafts.line = line;
    if (ignored.test(kind)) return;
    const words = new Words(partsOf(sql, encoding, /USER MAPPING|SUBSCRIPTION/.test(kind)));
    const own = dotted(name);
    const last = identifier(name.at(-1) ?? '');
    const table = dotted(name.slice(0, -1));
    if (/^DROP |… (?:ALTER COLUMN )?DROP /.test(kind)) return this.#drop(kind, own, table, last, words);
    this.#built ||= !isDummy(kind, words);
    switch (kind) {
      case 'CREATE SCHEMA':
        // Whether a dump makes it depends on the options and the major of pg_dump; every database has it.
        if (own !== 'public') this.#drafts.add('schema', null, own);
        return;
      case 'CREATE EXTENSION':
        return this.#extension(words);
      case 'CREATE TABLE':
      case 'CREATE UNLOGGED TABLE':
      case 'CREATE FOREIGN TABLE':
        return this.#table(kind, words);
      case 'CREATE VIEW':
      case 'CREATE MATERIALIZED VIEW':
        return this.#view(kind === 'CREATE VIEW' ? 'view' : 'materialized view', words);
      case 'CREATE SEQUENCE':
      case 'CREATE UNLOGGED SEQUENCE':
        words.behind('sequence');
        this.#drafts.add('sequence', null, words.name(), { unlogged: kind.includes('UNLOGGED') ? 'yes' : '', definition: textOf(words.rest()) });
        return;
      case 'ALTER SEQUENCE … OWNED BY':
        words.behind('owned', 'by');
        return this.#drafts.set(this.#drafts.find('sequence', null, own), 'owned by', textOf(words.rest()));
      case 'CREATE FUNCTION':
      case 'CREATE PROCEDURE':
        return this.#function(kind === 'CREATE FUNCTION' ? 'function' : 'procedure', words);
      case 'CREATE INDEX':
      case 'CREATE UNIQUE INDEX':
        return this.#index(own, words);
      case 'CREATE TRIGGER':
      case 'CREATE CONSTRAINT TRIGGER':
        return this.#trigger(kind === 'CREATE TRIGGER' ? '' : 'yes', table, words);
      case 'CREATE POLICY':
      case 'CREATE RULE': {
        const what = kind.slice(kind.lastIndexOf(' ') + 1).toLowerCase();
        words.behind(what);
        words.name();
        const definition = textOf(words.rest());
        this.#drafts.add(what, table, last, what === 'rule' ? loosely(definition) : { definition });
        return;
      }
      case 'CREATE TYPE SHELL':
        this.#drafts.add('type', null, own);
        return;
    }
    if (kind.startsWith('CREATE TYPE ') || kind === 'CREATE DOMAIN') {
      const what = kind === 'CREATE DOMAIN' ? 'domain' : 'type';
      words.behind(what);
      words.name();
      this.#drafts.add(what, null, own, { definition: textOf(words.rest()) });
      return;
    }
    if (/^ALTER (?:FOREIGN )?TABLE … ADD CONSTRAINT/.test(kind)) {
      words.behind('add', 'constraint');
      words.name();
      return this.#constraint(table, last, words);
    }
    if (/^ALTER (?:FOREIGN )?TABLE … ALTER COLUMN/.test(kind)) return this.#column(table, last, kind, words);
    if (/^ALTER (?:FOREIGN )?TABLE … /.test(kind)) return this.#alterTable(own, kind.slice(kind.indexOf('…') + 2), words);
    this.#other(kind, own, words);
  }

  end(major: number): Schema {
    return { major, objects: this.#drafts.objects().sort(compareObjects) };
  }

  #extension(words: Words): void {
    words.behind('extension');
    words.take('if', 'not', 'exists');
    const name = words.name();
    words.until(['schema']);
    this.#drafts.add('extension', null, name, { schema: words.take('schema') ? words.name() : '' });
  }

  #table(kind: string, words: Words): void {
    words.behind('table');
    words.take('if', 'not', 'exists');
    const name = words.name();
    const table = this.#drafts.add(kind === 'CREATE FOREIGN TABLE' ? 'foreign table' : 'table', null, name, { unlogged: kind.includes('UNLOGGED') ? 'yes' : '' });
    if (words.take('of')) this.#drafts.set(table, 'of', words.name());
    if (words.take('partition', 'of')) this.#drafts.set(table, 'partition of', words.name());
    for (const element of separated(words.group())) this.#element(name, new Words(element));
    this.#drafts.set(table, 'definition', textOf(words.rest()));
  }

  /** A column or a constraint of a CREATE TABLE. */
  #element(table: string, words: Words): void {
    if (words.take('constraint')) return this.#constraint(table, words.name(), words);
    if (words.is('not', 'null') || words.is('check', '(')) return this.#constraint(table, '', words);
    const column = this.#drafts.add('column', table, words.name());
    words.take('with', 'options');
    const clauses = [['collate'], ['default'], ['generated'], ['constraint'], ['not', 'null'], ['options'], ['compression'], ['storage']];
    this.#drafts.set(column, 'type', textOf(words.until(...clauses)));
    while (!words.done) {
      if (words.take('collate')) this.#drafts.set(column, 'collation', words.name());
      else if (words.take('default')) this.#drafts.set(column, 'default', textOf(words.until(['generated'], ['constraint'], ['not', 'null'], ['options'])));
      else if (words.take('not', 'null')) this.#drafts.set(column, 'not null', 'yes');
      else if (words.take('generated')) this.#drafts.set(column, 'generated', textOf(words.until(['constraint'], ['not', 'null'])));
      // Since 18 NOT NULL has a name, and one that is inherited shows it.
      else if (words.take('constraint')) words.name();
      else {
        this.#drafts.set(column, 'more', textOf([words.next() as Part, ...words.until(...clauses)]));
      }
    }
  }

  #constraint(table: string, name: string, words: Words): void {
    if (words.take('not', 'null')) return this.#drafts.set(this.#drafts.find('column', table, words.name()), 'not null', 'yes');
    const definition = bareOptions(textOf(words.rest()));
    this.#drafts.add('constraint', table, name === '' ? definition : name, { definition });
  }

  #column(table: string, column: string, kind: string, words: Words): void {
    words.behind('alter', 'column');
    words.name();
    const draft = this.#drafts.find('column', table, column);
    if (words.take('set', 'default')) return this.#drafts.set(draft, 'default', textOf(words.rest()));
    if (words.take('set', 'not', 'null')) return this.#drafts.set(draft, 'not null', 'yes');
    if (words.take('add', 'generated')) return this.#drafts.set(draft, 'identity', textOf(words.rest()));
    if (words.take('type') || words.take('set', 'data', 'type')) return this.#drafts.set(draft, 'type', textOf(words.rest()));
    for (const facet of ['statistics', 'storage', 'compression']) if (words.take('set', facet)) return this.#drafts.set(draft, facet, textOf(words.rest()));
    this.#drafts.set(draft, kind.slice(kind.indexOf('ALTER COLUMN') + 13).toLowerCase(), textOf(words.rest()));
  }

  #alterTable(table: string, action: string, words: Words): void {
    const own = this.#drafts.relation(table);
    switch (action) {
      case 'ATTACH PARTITION': {
        words.behind('attach', 'partition');
        return this.#drafts.set(this.#drafts.relation(words.name()), 'partition of', `${table} ${textOf(words.rest())}`);
      }
      case 'ENABLE ROW LEVEL SECURITY':
        return this.#drafts.set(own, 'row security', own.facets.get('row security') === 'forced' ? 'enabled, forced' : 'enabled');
      case 'FORCE ROW LEVEL SECURITY':
        return this.#drafts.set(own, 'row security', own.facets.get('row security') === 'enabled' ? 'enabled, forced' : 'forced');
      case 'DISABLE TRIGGER':
      case 'ENABLE ALWAYS TRIGGER':
      case 'ENABLE REPLICA TRIGGER':
      case 'ENABLE TRIGGER':
      case 'DISABLE RULE':
      case 'ENABLE ALWAYS RULE':
      case 'ENABLE REPLICA RULE':
      case 'ENABLE RULE': {
        const what = action.endsWith('RULE') ? 'rule' : 'trigger';
        words.behind(what);
        // pg_dump --disable-triggers does so around the rows of each table.
        const name = words.name();
        const state = action.startsWith('ENABLE TRIGGER') || action.startsWith('ENABLE RULE') ? '' : action.slice(0, action.lastIndexOf(' ')).toLowerCase();
        return this.#drafts.set(name === 'all' ? own : this.#drafts.find(what, table, name), name === 'all' ? `${what}s` : 'fires', state);
      }
      case 'REPLICA IDENTITY':
        words.behind('replica', 'identity');
        return this.#drafts.set(own, 'replica identity', textOf(words.rest()));
      case 'CLUSTER ON':
        words.behind('cluster', 'on');
        return this.#drafts.set(own, 'clustered on', textOf(words.rest()));
    }
    this.#other(`ALTER TABLE … ${action}`, table, words);
  }

  #view(kind: string, words: Words): void {
    words.behind('view');
    words.take('if', 'not', 'exists');
    const name = words.name();
    const columns = textOf(words.group());
    const options = textOf(words.until(['as']));
    // A view that its own table depends on comes twice: first as a dummy.
    this.#drafts.add(kind, null, name, { columns, options, ...loosely(textOf(words.rest())) });
  }

  #index(own: string, words: Words): void {
    const unique = words.take('create', 'unique');
    words.behind('on');
    const only = words.take('only');
    const table = words.name();
    this.#drafts.add('index', table, own, { unique: unique ? 'yes' : '', only: only ? 'yes' : '', definition: bareOptions(textOf(words.rest())) });
  }

  #trigger(constraint: string, table: string, words: Words): void {
    words.behind('trigger');
    const name = words.name();
    const when = textOf(words.until(['execute']));
    words.take('execute', 'function');
    const called = words.name();
    // What it hands to its function may be the key of a service that the function calls.
    const args = textOf(words.group());
    this.#drafts.add('trigger', table, name, { constraint, definition: `${when} execute function ${called}()`, arguments: args === '' ? '' : digest(args) });
  }

  #function(kind: string, words: Words): void {
    words.behind(kind);
    const own = words.name();
    const args = separated(words.group()).map((arg) => {
      const one = new Words(arg);
      // Since 14 procedures say IN where it goes without saying.
      one.take('in');
      return { bare: textOf(one.until(['default'])), default: textOf(one.rest()) };
    });
    const attributes = textOf(words.until(['as'], ['begin', 'atomic'], ['return']));
    const code = words.take('as');
    // Of a C function the library, then the symbol.
    const body = textOf(words.rest());
    this.#drafts.add(kind, null, `${own}(${args.map((arg) => arg.bare).join(', ')})`, {
      defaults: args.filter((arg) => arg.default !== '').map((arg) => `${arg.bare} ${arg.default}`).join(', '),
      attributes,
      ...(code ? { body: digest(body) } : body === '' ? {} : loosely(body)),
    });
  }

  /** Ahead of all else, as pg_dump --clean writes them, drops say nothing. Behind it no pg_dump drops anything: then each counts. */
  #drop(kind: string, own: string, table: string, last: string, words: Words): void {
    const isDropped = (draft: Draft): boolean => (draft.on ?? draft.name) === own || (draft.on === table && draft.name === last) || (draft.kind === 'index' && draft.name === own);
    if (kind.startsWith('DROP ')) this.#drafts.drop(isDropped);
    if (this.#built) this.#other(kind, own, words);
  }

  /** Every other statement, by what it is about. Several of one kind about one thing are one object. */
  #other(kind: string, own: string, words: Words): void {
    // Each major of pg_dump names more options of a subscription, at their defaults too.
    const text = textOf(kind === 'CREATE SUBSCRIPTION' ? words.until(['with']) : words.rest());
    const unknown = kind === 'UNKNOWN';
    const what = unknown ? 'statement' : (kind.startsWith('CREATE ') ? kind.slice(7) : kind).toLowerCase();
    const draft = this.#drafts.find(what, null, unknown ? digest(text).slice(7, 23) : this.#signed(kind, own, text));
    this.#drafts.state(draft, text);
  }

  /** Aggregates and operators are told apart by their arguments as well. */
  #signed(kind: string, own: string, text: string): string {
    if (/AGGREGATE$/.test(kind)) return `${own}(${/\(((?:[^()]|\([^()]*\))*)\)/.exec(text)?.[1] ?? ''})`;
    if (/OPERATOR$/.test(kind)) return `${own}(${['leftarg', 'rightarg'].map((side) => new RegExp(`${side} = ([^,)]+)`).exec(text)?.[1] ?? 'none').join(', ')})`;
    if (/OPERATOR (?:CLASS|FAMILY)/.test(kind)) return `${own} using ${/ using ("(?:[^"]|"")+"|\w+)/.exec(text)?.[1] ?? ''}`;
    return own;
  }
}

/** Before it drops a view that its own table depends on, pg_dump --clean makes one of nothing of it. */
const isDummy = (kind: string, words: Words): boolean => kind === 'CREATE VIEW' && words.holds('as', 'select', 'null', '::');

/** With --quote-all-identifiers an index's options have their values quoted too: `fastupdate = 'off'`. */
const bareOptions = (text: string): string => text.replace(/ with\([^()]*\)/, (options) => options.replaceAll(/= '([\w.]+)'/g, '= $1'));

/** The digest of a text, and of its loose form, which majors of Postgres write alike. */
const loosely = (text: string): { readonly definition: string; readonly loose: string } => ({ definition: digest(text), loose: digest(looseText(text)) });
