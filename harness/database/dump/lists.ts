// The lists of an inventory, by kind of object: packed, and unpacked when one is asked for.
import { CopyList, NameList } from './entries.ts';
import type { Inventory, Name, TableEntry } from './inventory.ts';

type Group = 'constraints' | 'eventTriggers' | 'functions' | 'indexes' | 'materializedViews' | 'policies' | 'publications' | 'schemas' | 'sequences' | 'triggers' | 'views';

const groups = new Map<string, Group>([
  ['CREATE SCHEMA', 'schemas'],
  ['CREATE INDEX', 'indexes'],
  ['CREATE UNIQUE INDEX', 'indexes'],
  ['CREATE SEQUENCE', 'sequences'],
  ['CREATE UNLOGGED SEQUENCE', 'sequences'],
  ['CREATE TRIGGER', 'triggers'],
  ['CREATE CONSTRAINT TRIGGER', 'triggers'],
  ['CREATE POLICY', 'policies'],
  ['CREATE FUNCTION', 'functions'],
  ['CREATE PROCEDURE', 'functions'],
  ['CREATE AGGREGATE', 'functions'],
  ['CREATE VIEW', 'views'],
  ['CREATE MATERIALIZED VIEW', 'materializedViews'],
  ['CREATE EVENT TRIGGER', 'eventTriggers'],
  ['CREATE PUBLICATION', 'publications'],
]);

export class Lists {
  readonly copies = new CopyList();
  readonly #tables = new NameList();
  readonly #tableKinds: TableEntry['kind'][] = [];
  readonly #names = new Map<Group, NameList>();

  /** How many. */
  get tables(): number {
    return this.#tables.length;
  }

  /** Adds a statement's object to the list of its kind, where there is one. */
  add(kind: string, name: Name): void {
    const group = /^ALTER (?:FOREIGN )?TABLE … ADD CONSTRAINT /.test(kind) ? 'constraints' : groups.get(kind);
    if (group !== undefined) this.#list(group).push(name);
  }

  addSequence(name: Name): void {
    this.#list('sequences').push(name);
  }

  addTable(name: Name, kind: TableEntry['kind']): void {
    this.#tables.push(name);
    this.#tableKinds.push(kind);
  }

  /** An inventory of these lists and the rest. Each list is made anew whenever it is asked for, so ask once. */
  beside(rest: Omit<Inventory, Group | 'copies' | 'tables'>): Inventory {
    const [copies, tables, kinds] = [this.copies, this.#tables, this.#tableKinds];
    const names = (group: Group): Name[] => [...this.#list(group)];
    return {
      ...rest,
      get tables() {
        return Array.from(tables, (name, at) => ({ name, kind: kinds[at] as TableEntry['kind'] }));
      },
      get copies() {
        return [...copies];
      },
      get schemas() {
        return names('schemas');
      },
      get constraints() {
        return names('constraints');
      },
      get indexes() {
        return names('indexes');
      },
      get sequences() {
        return names('sequences');
      },
      get triggers() {
        return names('triggers');
      },
      get policies() {
        return names('policies');
      },
      get functions() {
        return names('functions');
      },
      get views() {
        return names('views');
      },
      get materializedViews() {
        return names('materializedViews');
      },
      get eventTriggers() {
        return names('eventTriggers');
      },
      get publications() {
        return names('publications');
      },
    };
  }

  #list(group: Group): NameList {
    let list = this.#names.get(group);
    if (list === undefined) {
      list = new NameList();
      this.#names.set(group, list);
    }
    return list;
  }
}
