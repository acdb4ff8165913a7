# shellcheck shell=bash
# How the database is reached, and the one session that judges it, locks it, holds the snapshot and reads the manifest.
# Sourced by backup-db.sh. Uses $work, and `setting`.

# usage: reach    Fills `via`, what comes before a client program's name. No secret is among it: a password stands in a file alone.
reach() {
  local name="backup-db.sh ${HOSTNAME:-}" options='-c backup_drills.session=direct -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0'
  local pairs=("PGUSER=${setting[DATABASE_USER]}" "PGDATABASE=${setting[DATABASE]}" "PGAPPNAME=${name:0:63}" "PGOPTIONS=$options" PGCONNECT_TIMEOUT=30)
  if [[ ${setting[CONNECT]} == direct ]]; then
    pairs+=("PGHOST=${setting[DATABASE_HOST]:-/var/run/postgresql}" "PGPORT=${setting[DATABASE_PORT]}" "PGPASSFILE=${setting[DATABASE_PASSFILE]:-/dev/null/none}")
    via=(env -i LC_ALL=C "PATH=${setting[PG_BIN]:+${setting[PG_BIN]}:}$PATH" "${pairs[@]}")
  else
    local compose=(docker compose)
    docker compose version >/dev/null 2>&1 </dev/null || compose=(docker-compose)
    command -v "${compose[0]}" >/dev/null || broken tools "neither docker compose nor docker-compose is on this machine: install it, or set CONNECT=direct"
    via=("${compose[@]}" ${setting[COMPOSE_FILE]:+--file "${setting[COMPOSE_FILE]}"} exec -T)
    local pair
    for pair in LC_ALL=C "${pairs[@]}"; do via+=(-e "$pair"); done
    via+=("${setting[COMPOSE_SERVICE]}")
  fi
}

# usage: client PROGRAM ARGS...    As `child`: psql, pg_dump or pg_dumpall where it reaches the database. Give it a stdin: in a
# container it eats the caller's.
client() { child "${via[@]}" "$@"; }

declare -rA advice=(
  [direct]="Install the client of the server's major, on Debian postgresql-client-15, or name its directory in PG_BIN"
  [compose]="It is looked for in the container of COMPOSE_SERVICE, which must be up"
)

# usage: major PROGRAM    Its major version. `version` is then what it says of itself.
major() {
  version=$(client "$1" --version </dev/null 2>"$work/version.err") || broken tools "$1 does not run: $(tail -n 2 "$work/version.err"). ${advice[${setting[CONNECT]}]}"
  [[ $version =~ \(PostgreSQL\)\ ([0-9]+) ]] || broken tools "$1 --version says '$version'"
  major=${BASH_REMATCH[1]}
}

# usage: open_session    Descriptor 8 asks, 7 answers.
open_session() {
  close_session
  mkfifo -- "$work/asks" "$work/answers"
  client psql -AtXq -v ON_ERROR_STOP=1 -v pg_dump="$pg_dump" -v required="${setting[REQUIRED_TABLES]}" -v lock_timeout="${setting[LOCK_TIMEOUT_S]}s" \
    <"$work/asks" >"$work/answers" 2>"$work/psql.err" &
  session=$!
  exec 8>"$work/asks" 7<"$work/answers"
  rm -- "$work/asks" "$work/answers"
}

# usage: close_session    Ends the transaction, and with it every lock.
close_session() {
  [[ -n ${session:-} ]] || return 0
  exec 8>&- 7<&-
  wait "$session" || true # how it ended was asked for by its last answer
  session=
}

# usage: ask OUT FILE...    Puts the statements of the files to the session; its lines go to OUT. False where it ended before it
# had answered them all.
ask() {
  cat -- "${@:2}" - <<<"SELECT '=done';" >&8 7<&- 9<&- &
  sed '/^=done$/q' <&7 >"$1" 8>&- 9<&- # awk would wait for a whole buffer
  [[ $(tail -n 1 -- "$1") == '=done' ]] && sed -i '$d' -- "$1"
}

# usage: lost    The session has ended where it should not.
lost() {
  local said
  said=$(tail -n 3 "$work/psql.err" | tr '\n' ' ')
  broken database "${said:-what it answered could not be written to $work}"
}

# usage: take_dump    Dump, rows of the manifest, names and settings of one snapshot, into $work. Sets `id`.
# Whoever waits for a lock behind ours keeps pg_dump from its own; then only letting go helps, and another try.
take_dump() {
  local tries=0 deadline=$((SECONDS + setting[LOCK_TIMEOUT_S])) held=$SECONDS
  while :; do
    begin snapshot
    hold_snapshot
    if [[ -n $snapshot ]]; then stream; fi
    [[ $streamed == no ]] || break
    ((++tries < 10 && SECONDS < deadline)) || refuse tables-locked "$tries times a table was locked against everybody else: $(cat "$work/psql.err" "$work/pg_dump.err" 2>/dev/null | tail -n 1)"
    end 'failed: a table was locked against everybody else, or came to be meanwhile; trying again'
  done
  ask "$work/problems" "$here/required.sql" "$here/changed.sql" || lost
  close_session
  log "transaction ends held=$((SECONDS - held))s tries=$((tries + 1))"
  sed -i 's/^changed /problem changed the database was altered while it was dumped; run it again. Altered: /' "$work/problems"
  problems "$work/problems"
}

# usage: hold_snapshot    Every table locked, then one snapshot: sets `snapshot`, or leaves it empty.
hold_snapshot() {
  streamed=no
  open_session
  ask "$work/ended" "$here/preflight.sql" "$here/abandoned.sql" || lost
  if ! ask "$work/snapshot" "$here/snapshot.sql"; then
    : >"$work/snapshot"
  fi
  snapshot=$(sed -n 's/^snapshot //p' "$work/snapshot")
  if grep -q '^unlocked ' "$work/snapshot"; then snapshot=; fi
}

# usage: stream    pg_dump through the compressor, the digests beside it. Sets `streamed` to no where pg_dump wrote nothing at all.
stream() {
  local dumping reading code=0
  ask "$work/settings" "$here/settings.sql" || lost
  ask "$work/names" "$here/names.sql" || lost
  # Sequences know no snapshot: read before pg_dump reads them, its values can only be later ones.
  ask "$work/rows" <(sed '/^-- A dump may begin here/,$d' "$here/manifest.sql") || lost
  id=$(sed -n 's/^{"kind": "snapshot", "time": "\([^"]*\)".*/\1/p' "$work/rows")
  if [[ $again == yes ]]; then id=${id%.*}Z id=${id//:/}; else id=${id%T*}; fi
  is_set_id "$id" || broken manifest "the time of the snapshot reads '$id'"
  [[ ! -e ${setting[BACKUP_DIR]}/db-$id.sql.gz ]] || refuse exists "db-$id.sql.gz is there already; --again takes a second set of the day"
  end "set=$id"
  begin dump
  client pg_dump --snapshot="$snapshot" --format=plain --no-password --lock-wait-timeout=2000 </dev/null 2>"$work/pg_dump.err" |
    child "${compressor[@]}" >"$work/dump" 2>"$work/compress.err" &
  dumping=$! children=($!)
  sed '1,/^-- A dump may begin here/d' "$here/manifest.sql" >"$work/digests.sql"
  if [[ ${setting[SESSIONS]} == 2 ]]; then
    ask "$work/digests" "$work/digests.sql" &
    reading=$!
  fi
  wait "$dumping" || code=$?
  if ((code != 0)); then
    # Which is an empty gzip member: it is safe to try again.
    if [[ ! -s $work/compress.err && $(stat -c %s -- "$work/dump") -lt 64 ]]; then
      kill "$session"
      return
    fi
    broken dump "pg_dump or ${compressor[0]} failed: $(tail -qn 2 "$work/pg_dump.err" "$work/compress.err" | tr '\n' ' ')"
  fi
  end "bytes=$(stat -c %s -- "$work/dump")"
  begin digests
  if [[ ${setting[SESSIONS]} == 2 ]]; then wait "$reading" || lost; else ask "$work/digests" "$work/digests.sql" || lost; fi
  cat -- "$work/digests" >>"$work/rows"
  [[ $(tail -n 1 "$work/rows") == '{"kind": "end"}' ]] || broken manifest 'its last row is missing'
  streamed=yes
  end
}
