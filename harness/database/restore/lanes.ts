// The closed list of statements that leave the restorer's hands. A statement goes to the admin session only if the
// inventory's kind names a row here *and* its very text fits that row; everything else runs as the restorer, in place,
// and fails there if it wants rights. The admin session sends one statement per message in the extended protocol (a
// second one is refused by the server), with search_path = '', check_function_bodies = off and event triggers off.
// No row lets an expression through, be it a default or a lone literal: the server evaluates a literal while it parses
// (a composite's reaches the CHECKs of its domains), and that would be the dump's code with the admin's rights.

/**
 * When an operation runs. `main` in file order; then all owners, then grants, then materialised views (as their
 * owners), then grants on objects that the dump did not make (`late`: nothing that evaluates the dump's code follows
 * them), then event triggers.
 */
export type Phase = 'main' | 'owners' | 'grants' | 'views' | 'late' | 'triggers';
export const phases: readonly Phase[] = ['main', 'owners', 'grants', 'views', 'late', 'triggers'];

export interface AdminRow {
  /** By which the record counts it. */
  readonly id: string;
  /** Fits `Classified.kind`. */
  readonly kind: RegExp;
  /** Fits the statement's bytes read as Latin-1. Group `name` where the executor needs the object. */
  readonly text: RegExp;
  readonly phase: Phase;
  /** `none`: mapped to the throw-away database, not run. */
  readonly lane: 'admin' | 'viewOwner' | 'none';
  /** An administrator who is no superuser may do it too, as owner or as member of the roles: that of a managed server. */
  readonly managed?: true;
  /** Native code, let in where a container holds it; an untrusted language by the group `language`. */
  readonly contained?: true;
  /** Which rule of Postgres keeps an ordinary role from it. */
  readonly why: string;
  /** Why it cannot evaluate what the dump brought. */
  readonly harmless: string;
  /** What it makes is handed to the restorer at once, in the same transaction, so that later statements may work on it. */
  readonly handOver?: true;
  /** Runs as the restorer without this word, which stands behind the group `head`; the admin then sets it on what was made. */
  readonly without?: 'LEAKPROOF';
  /** Only while nothing of the dump exists that could run: its code could stand in for names that the statement looks up. */
  readonly beforeCode?: true;
  /** The new owner must be a superuser when the statement is checked: made one within the transaction that runs it. */
  readonly ownerRaised?: true;
  /** A function in C or internal: only where the restorer may already call every function of that symbol. */
  readonly symbol?: true;
  /** The functions in the groups `handler`, `inline` and `validator` must be plpgsql's own under other names. */
  readonly ofPlpgsql?: true;
}

// An identifier as Postgres reads it; bytes above 0x7f are letters in every server encoding.
const id = String.raw`(?:"(?:[^"]|"")+"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)`;
const qualified = String.raw`${id}(?:\.${id}){0,2}`;
// A role by name: the words that mean "whoever runs this" would mean the admin.
const role = String.raw`(?!(?:current_user|session_user|current_role|all|public)\b)(?<role>${id})`;
// A function that nobody but the server brought: unqualified under an empty search_path, or in pg_catalog.
const builtin = String.raw`(?:pg_catalog\.)?${id}(?![\w$\x80-\xff".])`;
// What stands before a function's body: nothing of the body.
const plain = String.raw`(?:'(?:[^']|'')*'|(?!['$]|\sAS\s|\sBEGIN\s).)*`;
const privilege = String.raw`(?:ALL(?: PRIVILEGES)?|SELECT|INSERT|UPDATE|DELETE|TRUNCATE|REFERENCES|TRIGGER|MAINTAIN|USAGE|EXECUTE|CREATE|CONNECT|TEMPORARY|TEMP|SET|ALTER SYSTEM)(?: ?\((?:${id}(?:, ?)?)+\))?`;
const privileges = String.raw`(?:GRANT|REVOKE)(?: GRANT OPTION FOR)? ${privilege}(?:, ?${privilege})* ON `;
// ALTER takes a list of actions for what has columns, so nothing may stand between its name and the owner.
const owned = [
  String.raw`(?:TABLE|VIEW|MATERIALIZED VIEW|FOREIGN TABLE|SEQUENCE|INDEX) ${qualified}`,
  '(?:AGGREGATE|COLLATION|CONVERSION|DATABASE|DOMAIN|FUNCTION|(?:PROCEDURAL )?LANGUAGE|LARGE OBJECT|OPERATOR|PROCEDURE|ROUTINE|SCHEMA|SERVER|STATISTICS|TEXT SEARCH (?:CONFIGURATION|DICTIONARY)|TYPE) .*',
].join('|');
// One object, with its schema as pg_dump names it, which is not the server's own: what is unqualified would be looked up there.
const schema = String.raw`(?!"?(?:pg_|information_schema\b))${id}`;
const ownObject = [
  String.raw`(?:(?:TABLE|SEQUENCE|TYPE|DOMAIN) )?${schema}\.${id}`,
  String.raw`(?:FUNCTION|PROCEDURE|ROUTINE) ${schema}\.${id}\((?:"(?:[^"]|"")*"|[^()"])*\)`,
  `SCHEMA ${schema}`,
  `(?:DATABASE|FOREIGN SERVER) ${id}`,
  String.raw`LARGE OBJECT \d+`,
].join('|');
// Settings that only a superuser may give a database, and an application's own, which no extension's library answers for.
// Not among them: what loads a library, names a directory or a language's first code, or lames the server.
const custom = String.raw`(?!pl(?!pgsql\.))\w+\.`;
const setting = String.raw`"?(?:(?:log|track)_\w+|compute_query_id|deadlock_timeout|event_triggers|lc_messages|lo_compat_privileges|max_stack_depth|session_replication_role|temp_file_limit|update_process_title|wal_compression|${custom}[\w.$\x80-\xff]+)"?`;
const literal = String.raw`(?:'(?:[^']|'')*'|E'(?:[^'\\]|''|\\\\)*')`;
const text = (pattern: string) => new RegExp(`^${pattern}`, 'is');

const catalogOnly = 'writes catalog rows only';

export const adminRows: readonly AdminRow[] = [
  // The database itself.
  { id: 'create-database', kind: /^(?:CREATE|DROP) DATABASE/, text: text('(?:CREATE|DROP) DATABASE '), phase: 'main', lane: 'none', managed: true, why: 'the throw-away database stands in for it', harmless: 'not run' },
  { id: 'alter-database', kind: /^ALTER DATABASE/, text: text(`ALTER DATABASE ${id} (?:WITH )?(?:IS_TEMPLATE|ALLOW_CONNECTIONS|CONNECTION LIMIT)\\b`), phase: 'main', lane: 'none', managed: true, why: 'would lock the drill out', harmless: 'not run' },
  { id: 'database-setting', kind: /^ALTER DATABASE/, text: text(`ALTER DATABASE ${id} SET ${setting} TO ${literal}(?:, ${literal})*;$`), phase: 'main', lane: 'admin', why: 'these are for superusers', harmless: 'a setting of later sessions that loads nothing and names no file' },
  { id: 'role-in-database', kind: /^ALTER ROLE/, text: text(`ALTER ROLE ${role} IN DATABASE ${id} (?:SET|RESET) `), phase: 'grants', lane: 'admin', managed: true, why: 'needs CREATEROLE over that role', harmless: 'a setting of a role that cannot log in' },

  // In place.
  { id: 'extension', kind: /^CREATE EXTENSION/, text: text(`CREATE EXTENSION (?:IF NOT EXISTS )?${id}(?: WITH SCHEMA ${id})?;$`), phase: 'main', lane: 'admin', why: 'most are untrusted, and their objects belong to the superuser either way', beforeCode: true, harmless: "runs the server's own script while the dump has made nothing but schemas" },
  { id: 'language', kind: /^CREATE TRUSTED LANGUAGE/, text: text(`CREATE (?:OR REPLACE )?TRUSTED (?:PROCEDURAL )?LANGUAGE ${id} HANDLER (?<handler>${schema}\\.${id})(?: INLINE (?<inline>${schema}\\.${id}))?(?: VALIDATOR (?<validator>${schema}\\.${id}))?;$`), phase: 'main', lane: 'admin', handOver: true, ofPlpgsql: true, why: 'languages are for superusers', harmless: 'another name for plpgsql, and no other' },
  { id: 'comment-on-event-trigger', kind: /^COMMENT/, text: text('COMMENT ON EVENT TRIGGER '), phase: 'triggers', lane: 'admin', why: "its object is the superuser's", harmless: catalogOnly },
  { id: 'comment', kind: /^COMMENT/, text: text('COMMENT ON '), phase: 'main', lane: 'admin', managed: true, why: "its object may be the superuser's (extension, cast, public schema before 15)", harmless: catalogOnly },
  { id: 'shell-type', kind: /^CREATE TYPE/, text: text(`CREATE TYPE ${qualified};$`), phase: 'main', lane: 'admin', why: 'shell types are for superusers, and must have the owner of what fills them', harmless: catalogOnly },
  { id: 'base-type', kind: /^CREATE TYPE/, text: text(`CREATE TYPE ${qualified}\\s*\\(\\s*(?:INPUT|INTERNALLENGTH)\\b`), phase: 'main', lane: 'admin', handOver: true, why: 'base types are for superusers', harmless: 'its functions are looked up, not called' },
  { id: 'function-by-symbol', kind: /^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE)/, text: text(String.raw`CREATE (?:OR REPLACE )?FUNCTION (?:(?!['$]|\sAS\s).)*\sLANGUAGE (?:"(?:c|internal)"|(?:c|internal)\b)(?:(?!['$]).)*\sAS\s+(?:'(?<first>[^']+)'(?:,\s*'(?<second>[^']+)')?|\$\$(?<dollar>[^$]+)\$\$);$`), phase: 'main', lane: 'admin', handOver: true, symbol: true, why: 'C and internal functions are for superusers', harmless: 'only symbols that the restorer may call already; not called here' },
  { id: 'leakproof-function', kind: /^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE)/, text: text(String.raw`(?<head>CREATE FUNCTION ${plain}\sLANGUAGE (?!"?(?:c|internal)\b)${plain}\s)LEAKPROOF\b`), phase: 'main', lane: 'admin', without: 'LEAKPROOF', why: 'LEAKPROOF is for superusers', harmless: 'the restorer makes the function, the admin sets its mark' },
  { id: 'untrusted-language', kind: /LANGUAGE/, text: text(`CREATE (?:OR REPLACE )?(?:PROCEDURAL )?LANGUAGE (?<language>${id}) HANDLER ${builtin}(?: (?:INLINE|VALIDATOR) ${builtin})*;$`), phase: 'main', lane: 'admin', handOver: true, contained: true, why: 'for superusers', harmless: 'in a container without a network only, where its code may do what it likes' },
  { id: 'untrusted-function', kind: /^CREATE (?:FUNCTION|PROCEDURE)/, text: text(String.raw`CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) ${plain}\sLANGUAGE (?!"?(?:c|internal|sql|plpgsql)\b)(?<language>${id})`), phase: 'main', lane: 'admin', handOver: true, contained: true, why: 'untrusted languages are for superusers', harmless: 'in a container without a network only, where its code may do what it likes' },
  { id: 'internal-aggregate', kind: /^CREATE AGGREGATE/, text: text(String.raw`CREATE AGGREGATE (?!.*INITCOND).*\bM?STYPE = (?:internal\b|"internal")`), phase: 'main', lane: 'admin', handOver: true, why: 'a state of type internal is for superusers', harmless: 'functions are looked up, not called; a first state would be read, and is refused' },
  { id: 'operator-class', kind: /OPERATOR (?:CLASS|FAMILY)/, text: text('(?:CREATE OPERATOR (?:CLASS|FAMILY)|ALTER OPERATOR FAMILY (?!.* OWNER TO )) ?'), phase: 'main', lane: 'admin', handOver: true, why: 'wrong ones crash the server, so superusers only', harmless: 'support functions are looked up, not called' },
  { id: 'binary-cast', kind: /^CREATE CAST/, text: text('CREATE CAST \\((?:(?!\\)).)*\\) WITHOUT FUNCTION'), phase: 'main', lane: 'admin', why: 'binary coercion is for superusers', harmless: catalogOnly },
  { id: 'transform', kind: /^CREATE TRANSFORM/, text: text('CREATE TRANSFORM FOR '), phase: 'main', lane: 'admin', why: 'needs ownership of the type, which may be the server’s', harmless: 'functions are looked up, not called' },
  { id: 'text-search-code', kind: /TEXT SEARCH (?:PARSER|TEMPLATE)/, text: text('CREATE TEXT SEARCH (?:PARSER|TEMPLATE) '), phase: 'main', lane: 'admin', why: 'take C functions, so superusers only', harmless: 'functions are looked up, not called' },
  { id: 'access-method', kind: /ACCESS METHOD/, text: text(`CREATE ACCESS METHOD ${id} TYPE (?:INDEX|TABLE) HANDLER ${builtin}`), phase: 'main', lane: 'admin', why: 'for superusers', harmless: "the handler is the server's own" },
  { id: 'foreign-data-wrapper', kind: /^CREATE FOREIGN DATA WRAPPER/, text: text(`CREATE FOREIGN DATA WRAPPER ${id}(?: (?:HANDLER|VALIDATOR) ${builtin}| NO (?:HANDLER|VALIDATOR))*(?: OPTIONS \\(|;$)`), phase: 'main', lane: 'admin', why: 'for superusers', harmless: "a validator is called, so only the server's own is let through" },
  { id: 'foreign-server', kind: /^CREATE SERVER/, text: text('CREATE SERVER '), phase: 'main', lane: 'admin', handOver: true, managed: true, why: "needs USAGE on the superuser's wrapper", harmless: 'only wrappers with built-in validators exist' },
  { id: 'publication-of-all', kind: /^CREATE PUBLICATION/, text: text(`CREATE PUBLICATION ${id} FOR ALL (?:TABLES|SEQUENCES)(?:, ALL (?:TABLES|SEQUENCES))?(?: WITH \\([^()]*\\))?;$`), phase: 'main', lane: 'admin', why: 'publishes what is not the creator’s', harmless: catalogOnly },
  { id: 'publication-of-schema', kind: /^ALTER PUBLICATION/, text: text(`ALTER PUBLICATION ${id} ADD TABLES IN SCHEMA ${id};$`), phase: 'main', lane: 'admin', why: 'for superusers', harmless: catalogOnly },
  { id: 'subscription', kind: /^CREATE SUBSCRIPTION/, text: text(String.raw`CREATE SUBSCRIPTION ${id} CONNECTION '(?:[^']|'')*' PUBLICATION (?:${id}(?:, ?)?)+ WITH \(connect = false\b(?!.*\b(?:connect|enabled)\s*=\s*(?:true|on|1)\b)`), phase: 'main', lane: 'admin', why: 'for superusers and pg_create_subscription', harmless: 'with connect = false it stays disabled and connects nowhere' },
  { id: 'all-triggers', kind: /^ALTER TABLE/, text: text(`ALTER TABLE (?:ONLY )?${qualified} (?:DISABLE|ENABLE) TRIGGER ALL;$`), phase: 'main', lane: 'admin', why: 'includes the triggers of foreign keys', harmless: catalogOnly },

  // Owners.
  { id: 'owner-of-event-trigger', kind: /^ALTER .*OWNER TO/, text: text(`ALTER EVENT TRIGGER ${id} OWNER TO ${role};$`), phase: 'triggers', lane: 'admin', ownerRaised: true, why: 'owners are superusers', harmless: catalogOnly },
  { id: 'owner-by-superuser', kind: /^ALTER .*OWNER TO/, text: text(`ALTER (?:FOREIGN DATA WRAPPER|PUBLICATION) ${id} OWNER TO ${role};$`), phase: 'owners', lane: 'admin', ownerRaised: true, why: 'owners are superusers', harmless: catalogOnly },
  { id: 'owner-of-subscription', kind: /^ALTER .*OWNER TO/, text: text(`ALTER SUBSCRIPTION ${id} OWNER TO ${role};$`), phase: 'late', lane: 'admin', ownerRaised: true, why: 'owners are superusers, or members of pg_create_subscription', harmless: 'its owner could enable it, so nothing of the dump runs after it' },
  { id: 'owner', kind: /^ALTER .*OWNER TO/, text: text(`ALTER (?:${owned}) OWNER TO ${role};$`), phase: 'owners', lane: 'admin', managed: true, why: 'needs membership in the new owner, who needs CREATE on the schema', harmless: 'one action, in catalog rows; that nothing but the dump’s own objects changed hands is checked before anything else runs' },

  // Grants.
  { id: 'grant', kind: /^(?:GRANT|REVOKE)/, text: text(`${privileges}(?:${ownObject}) (?:TO|FROM) `), phase: 'grants', lane: 'admin', managed: true, why: 'as the owner’s own grant', harmless: 'catalog rows only, of one object outside the server’s own schemas' },
  { id: 'grant-on-other', kind: /^(?:GRANT|REVOKE)/, text: text(privileges), phase: 'late', lane: 'admin', why: 'as the owner’s own grant', harmless: 'catalog rows only, and nothing of the dump runs after it' },
  { id: 'default-privileges', kind: /^ALTER DEFAULT PRIVILEGES/, text: text(`ALTER DEFAULT PRIVILEGES FOR (?:ROLE|USER) ${role} `), phase: 'grants', lane: 'admin', managed: true, why: 'needs membership in the role', harmless: catalogOnly },
  { id: 'user-mapping', kind: /^CREATE USER MAPPING/, text: text(`CREATE USER MAPPING FOR (?:PUBLIC|${role}) SERVER ${id}(?: OPTIONS \\(|;$)`), phase: 'late', lane: 'admin', managed: true, why: 'with it, what the dump runs could reach the other server', harmless: 'catalog rows only, and nothing of the dump runs after it' },
  // Around grants that a grantee passed on; only ever to an ordinary role, and only grants run under it.
  { id: 'session-authorization', kind: /SESSION AUTHORIZATION/, text: text(String.raw`(?:SET SESSION AUTHORIZATION (?:'(?:[^']|'')+'|${id})|RESET SESSION AUTHORIZATION);$`), phase: 'grants', lane: 'admin', why: 'a grant keeps its grantor', harmless: 'grants only run under it' },

  // After the grants.
  { id: 'refresh', kind: /^REFRESH MATERIALIZED VIEW/, text: text(`REFRESH MATERIALIZED VIEW (?<name>${qualified});$`), phase: 'views', lane: 'viewOwner', managed: true, why: 'runs the view’s query as its owner', harmless: 'a session without rights of its own but to read' },
  { id: 'event-trigger', kind: /EVENT TRIGGER/, text: text(`(?:CREATE EVENT TRIGGER ${id} ON |ALTER EVENT TRIGGER ${id} (?:ENABLE|DISABLE)\\b)`), phase: 'triggers', lane: 'admin', why: 'for superusers', harmless: 'the last statements of all; commands on event triggers fire none' },
];

/** The row that both the kind and the text fit; the text is what decides among rows of one kind. */
export function adminRow(kind: string, sql: Buffer): AdminRow | undefined {
  const candidates = adminRows.filter((row) => row.kind.test(kind));
  if (candidates.length === 0) return undefined;
  const latin1 = sql.toString('latin1');
  return candidates.find((row) => row.text.test(latin1));
}

/** May a statement of this kind leave the restorer, for all that is known before its text is read? */
export function mayLeaveRestorer(kind: string): boolean {
  return adminRows.some((row) => row.kind.test(kind));
}

// What the admin session takes over of the dump's SETs: how its bytes are read, nothing that gives rights.
const adminSettings = text(String.raw`SET (?:client_encoding|standard_conforming_strings) (?:=|TO) '?[\w-]+'?;$`);
export const isAdminSetting = (sql: Buffer): boolean => sql.length < 200 && adminSettings.test(sql.toString('latin1'));
