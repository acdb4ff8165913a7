#!/usr/bin/env bash
# Starts Postgres as the official `postgres` image does, as far as this project leans on it: POSTGRES_USER, POSTGRES_PASSWORD,
# POSTGRES_DB, POSTGRES_INITDB_ARGS and PGDATA; a cluster is made by a first server that listens on no port, which ends
# before the real one starts. So "it answered once" is as wrong a sign of being ready here as there.
set -Eeuo pipefail

if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi
[[ ${1:-} == postgres ]] || exec "$@"

if [[ $(id -u) == 0 ]]; then
  mkdir -p "$PGDATA"
  chown -R postgres "$PGDATA"
  chmod 0700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --init-groups -- "${BASH_SOURCE[0]}" "$@"
fi

if [[ ! -s $PGDATA/PG_VERSION ]]; then
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  export PGPASSWORD=${POSTGRES_PASSWORD:?must be set to a password that is not empty}
  initdb_args=()
  # As in the official image, the arguments are words of a shell.
  eval "set-args() { initdb_args=(${POSTGRES_INITDB_ARGS:-}); }"
  set-args
  initdb --username="$user" --pwfile=<(printf '%s\n' "$PGPASSWORD") "${initdb_args[@]}"
  printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  options=()
  if (($# > 1)); then options=("${@:2}"); fi
  options+=(-c 'listen_addresses=' -p 5432)
  pg_ctl -D "$PGDATA" -w -o "$(printf '%q ' "${options[@]}")" start
  if [[ $database != postgres ]]; then
    psql -Xq -v ON_ERROR_STOP=1 -U "$user" -d postgres -v name="$database" <<<'CREATE DATABASE :"name";'
  fi
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD
fi

exec "$@"
