// Where an extension that a server lacks is to be had.

export interface Carrier {
  /** Debian's package, of the PostgreSQL project's own archive (apt.postgresql.org) where Debian has none. */
  readonly debian: string;
  /** An image that carries it, where there is one that is kept. */
  readonly image: string | null;
}

// `N` stands for the server's major.
const known: Readonly<Record<string, readonly [debian: string, image?: string]>> = {
  postgis: ['postgresql-N-postgis-3', 'postgis/postgis:N-3.5'],
  postgis_raster: ['postgresql-N-postgis-3', 'postgis/postgis:N-3.5'],
  postgis_topology: ['postgresql-N-postgis-3', 'postgis/postgis:N-3.5'],
  postgis_sfcgal: ['postgresql-N-postgis-3', 'postgis/postgis:N-3.5'],
  postgis_tiger_geocoder: ['postgresql-N-postgis-3-scripts', 'postgis/postgis:N-3.5'],
  address_standardizer: ['postgresql-N-postgis-3', 'postgis/postgis:N-3.5'],
  vector: ['postgresql-N-pgvector', 'pgvector/pgvector:pgN'],
  timescaledb: ['timescaledb-2-postgresql-N', 'timescale/timescaledb:latest-pgN'],
  citus: ['postgresql-N-citus', 'citusdata/citus'],
  age: ['postgresql-N-age', 'apache/age'],
  plpython3u: ['postgresql-plpython3-N'],
  plperl: ['postgresql-plperl-N'],
  plperlu: ['postgresql-plperl-N'],
  pltcl: ['postgresql-pltcl-N'],
  pltclu: ['postgresql-pltcl-N'],
  plr: ['postgresql-N-plr'],
  plsh: ['postgresql-N-plsh'],
  pg_cron: ['postgresql-N-cron'],
  pg_partman: ['postgresql-N-partman'],
  pg_repack: ['postgresql-N-repack'],
  hypopg: ['postgresql-N-hypopg'],
  orafce: ['postgresql-N-orafce'],
  pgaudit: ['postgresql-N-pgaudit'],
  pgrouting: ['postgresql-N-pgrouting'],
  h3: ['postgresql-N-h3'],
  ip4r: ['postgresql-N-ip4r'],
  hll: ['postgresql-N-hll'],
  rum: ['postgresql-N-rum'],
  tds_fdw: ['postgresql-N-tds-fdw'],
  mysql_fdw: ['postgresql-N-mysql-fdw'],
  oracle_fdw: ['postgresql-N-oracle-fdw'],
};

/** What comes with Postgres' own sources: Debian's package of the server has it, other systems call it postgresql-contrib. */
const contrib = new Set('adminpack amcheck autoinc bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance file_fdw fuzzystrmatch hstore insert_username intagg intarray isn lo ltree moddatetime old_snapshot pageinspect pg_buffercache pg_freespacemap pg_logicalinspect pg_overexplain pg_prewarm pg_stat_statements pg_surgery pg_trgm pg_visibility pg_walinspect pgcrypto pgrowlocks pgstattuple postgres_fdw refint seg sslinfo tablefunc tcn tsm_system_rows tsm_system_time unaccent uuid-ossp xml2'.split(' '));

export function carrierOf(extension: string, major: number): Carrier {
  const filled = (text: string) => text.replaceAll(/(?<![A-Za-z])N(?![a-z])|(?<=pg)N\b/g, String(major));
  const [debian, image] = Object.hasOwn(known, extension) ? (known[extension] ?? []) : [];
  if (debian !== undefined) return { debian: filled(debian), image: image === undefined ? null : filled(image) };
  if (contrib.has(extension)) return { debian: `postgresql-${major}`, image: `postgres:${major}` };
  // The rule by which nearly all of them are named.
  return { debian: `postgresql-${major}-${extension.replaceAll('_', '-')}`, image: null };
}

/** Languages whose code does on the server's machine what its user may. What else is untrusted, the server's catalog tells. */
export const isUntrusted = (language: string): boolean => /^pl.*u$|^pl(?:sh|r)$/.test(language);
