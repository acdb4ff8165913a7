// The psql meta-commands that a dump may hold. psql would run any other as the operator (CVE-2025-8714, CVE-2026-18408),
// so the exact forms that pg_dump writes are let through and nothing else, however harmless it looks.

const key = '([A-Za-z0-9]+)';
const restrict = new RegExp(`^\\\\restrict ${key}$`);
const unrestrict = new RegExp(`^\\\\unrestrict ${key}$`);
const connect = /^\\connect (?:(?<bare>[a-z_][a-z0-9_]*)|"(?<quoted>(?:[^"]|"")+)"|-reuse-previous=on "dbname=(?<value>(?:[^"]|"")+)")$/;

/** Judges a dump's meta-commands in their order. */
export class MetaCommands {
  #key: string | null = null;
  #restricted = false;
  /** `\encoding SQL_ASCII` was seen, which pg_dump writes before a \connect to a name beyond plain ASCII words. */
  #encoding = false;

  /** Whether \restrict was seen at all. */
  get restricted(): boolean {
    return this.#restricted;
  }

  /** Whether a \restrict still waits for its \unrestrict. */
  get isOpen(): boolean {
    return this.#key !== null;
  }

  /** Null for a line that pg_dump writes in that place, else the command's word alone. @param database the one that the dump created. */
  refuses(line: string, database: string | null): string | null {
    return this.#allows(line, database) ? null : (/^\\(?:[A-Za-z]{1,20}|.)/.exec(line)?.[0] ?? '\\');
  }

  #allows(line: string, database: string | null): boolean {
    const before = this.#encoding;
    this.#encoding = false;
    const opened = restrict.exec(line)?.[1];
    if (opened !== undefined) {
      if (this.#key !== null) return false;
      this.#key = opened;
      this.#restricted = true;
      return true;
    }
    const closed = unrestrict.exec(line)?.[1];
    if (closed !== undefined) {
      if (this.#key !== closed) return false;
      this.#key = null;
      return true;
    }
    if (line === '\\encoding SQL_ASCII') {
      this.#encoding = database !== null && !before;
      return this.#encoding;
    }
    return database !== null && connectsTo(line) === database;
  }
}

/** The database that a `\connect` names; null when the line is none of pg_dump's. */
function connectsTo(line: string): string | null {
  const groups = connect.exec(line)?.groups;
  if (groups === undefined) return null;
  if (groups['bare'] !== undefined) return groups['bare'];
  const whole = (groups['quoted'] ?? groups['value'] ?? '').replaceAll('""', '"');
  if (groups['quoted'] !== undefined) return /[=\\:/]/.test(whole) ? null : whole;
  const value = /^'((?:[^'\\]|\\.)*)'$/.exec(whole)?.[1];
  return value === undefined ? (/^[^\s'\\]+$/.test(whole) ? whole : null) : value.replaceAll(/\\(.)/g, '$1');
}
