#!/usr/bin/env bash
# Takes tonight's backup of the database: dump, manifest and globals of one moment, verified before any of them gets its name.
# What it promises, and what it costs the application meanwhile: docs/backup.md.
set -Eeuo pipefail
here=$(/usr/bin/dirname -- "$(/usr/bin/readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=ops/backups/lib.sh
source "$here/lib.sh"
# shellcheck source=ops/backups/database.sh
source "$here/database.sh"

usage() {
  cat <<'END'
usage: backup-db.sh [--config FILE] [--check | --again]
Takes one backup set of the database into BACKUP_DIR: db-<UTC date>.sql.gz, .globals.sql, and .manifest.json last.
  --config FILE  the settings; without it /etc/whatsapp-mcp/backup.env (backup.env.example explains them)
  --check        say what would be refused tonight, and dump nothing
  --again        a second set on a day, whose id is the time: 2026-11-23T141530Z
Exit codes: 0 done, 1 refused (it says why, and no earlier set was touched), 2 could not be done.
END
}

# usage: problems FILE    Refuses with all that it tells of: its lines `problem CODE TEXT`.
problems() {
  local line code='' count=0
  while IFS= read -r line; do
    [[ $line =~ ^problem\ ([a-z-]+)\ (.*)$ ]] || continue
    code=${BASH_REMATCH[1]} count=$((count + 1))
    log "problem $code: ${BASH_REMATCH[2]}"
  done <"$1"
  ((count == 0)) || refuse "$code" "$count in all, said above; ${setting[BACKUP_DIR]} is as it was"
}

# usage: tidy    What an earlier run left: what it had verified gets its names now, all else was never a backup.
tidy() {
  finished=
  if [[ -d $work/ready ]]; then
    finished=$(basename -- "$work"/ready/db-*.manifest.json .manifest.json)
    finished=${finished#db-}
    publish
    log "finished set=$finished, which a run that was cut short had verified"
  fi
  rm -rf -- "$work"
  mkdir -- "$work" "$work/new"
}

# usage: judge_tonight    What would be refused, all at once. Sets `id`, the set's.
judge_tonight() {
  local server_now server size kind newest before need free skew
  begin preflight
  open_session
  ask "$work/problems" "$here/preflight.sql" "$here/required.sql" || lost
  read -r _ server_now server size kind < <(grep '^facts ' "$work/problems")
  [[ $kind == direct ]] || echo 'problem pooler a connection pooler stands between: what pg_dump sets would be left to other sessions. Point the settings at the server itself' >>"$work/problems"
  skew=$((server_now - $(now)))
  ((skew < 300 && skew > -300)) || echo "problem clock the clocks of this host and of the database are ${skew#-} s apart" >>"$work/problems"
  newest=$(sets | tail -n 1) before=$((size / 2))
  [[ -z $newest ]] || before=$(manifest_value "$newest" bytes)
  need=$((before * 5 / 4 + setting[MIN_FREE_MB] * 1048576)) free=$(df --output=avail -B1 -- "${setting[BACKUP_DIR]}" | tail -n 1)
  ((free >= need)) || echo "problem space $((free / 1048576)) MB are free in ${setting[BACKUP_DIR]}; tonight needs $((need / 1048576)) MB, MIN_FREE_MB=${setting[MIN_FREE_MB]} of it" >>"$work/problems"
  id=$(utc "$server_now" %F)
  if [[ $again == no && $finished != "$id" && -e ${setting[BACKUP_DIR]}/db-$id.sql.gz ]]; then echo "problem exists db-$id.sql.gz is there already; --again takes a second set of the day" >>"$work/problems"; fi
  problems "$work/problems"
  end "server=$server pg_dump=$pg_dump free=$free newest=${newest:-none}"
}

# usage: verify    The bytes that were stored: one gzip member that is whole, pg_dump's footer, the manifest's rows. Sets `sha256`, `bytes`.
verify() {
  local hashing plain tables rows least newest
  begin verify
  sync -- "$work/dump"
  child "${hasher[@]}" <"$work/dump" >"$work/sha256" &
  hashing=$!
  child "${decompressor[@]}" <"$work/dump" 2>"$work/decompress.err" | child awk -f "$here/verify.awk" "$work/names" "$work/rows" - >"$work/verified" &
  children=($!)
  wait $! || broken verify "the stored dump cannot be read back: $(tail -n 2 "$work/decompress.err")"
  wait "$hashing"
  sha256=$(cut -c 1-64 "$work/sha256") bytes=$(stat -c %s -- "$work/dump")
  read -r _ plain tables rows < <(grep '^dump ' "$work/verified")
  # A member's last four bytes are its length: another member, or anything else behind it, would not say the whole.
  (($(tail -c 4 "$work/dump" | od -An -tu4 --endian=little) == plain % 4294967296)) || echo 'problem dump-gzip it is not one gzip member that ends where the file ends' >>"$work/verified"
  newest=$(sets | tail -n 1)
  if [[ -n $newest ]]; then
    least=$(($(manifest_value "$newest" bytes) * (100 - setting[MAX_SHRINK_PERCENT]) / 100))
    ((bytes >= least)) || echo "problem shrunk the dump has $bytes bytes, and that of $newest $(manifest_value "$newest" bytes): more than MAX_SHRINK_PERCENT=${setting[MAX_SHRINK_PERCENT]} less. Find out why; if it is right, raise it for one night" >>"$work/verified"
  fi
  problems "$work/verified"
  end "tables=$tables rows=$rows plain=$plain bytes=$bytes"
}

# usage: assemble    The three files of the set, whole and on the disk, in one directory whose name says so.
assemble() {
  local file
  begin assemble
  client pg_dumpall --roles-only --no-role-passwords --no-password --database="${setting[DATABASE]}" </dev/null >"$work/globals" 2>"$work/globals.err" &
  wait $! || broken globals "pg_dumpall failed: $(tail -n 3 "$work/globals.err" | tr '\n' ' ')"
  cat -- "$work/globals" "$work/settings" >"$work/new/db-$id.globals.sql"
  mv -- "$work/dump" "$work/new/db-$id.sql.gz"
  {
    printf '{\n"format": "backup-drills/manifest/1",\n"id": "%s",\n' "$id"
    printf '"dump": {"name": "%s", "sha256": "%s", "bytes": %s},\n' "db-$id.sql.gz" "$sha256" "$bytes"
    printf '"tools": {"pgDump": "%s", "psql": "%s"},\n"rows": [\n' "$pg_dump_version" "$psql_version"
    sed '$!s/$/,/' "$work/rows"
    printf ']\n}\n'
  } >"$work/new/db-$id.manifest.json"
  for file in "$work"/new/* "$work/new"; do sync -- "$file"; done
  mv --no-target-directory -- "$work/new" "$work/ready"
  sync -- "$work"
  end
}

# usage: publish    Gives a verified set its names, the manifest's last; never the name of a file that is there.
publish() {
  local file
  for file in "$work"/ready/db-*.sql.gz "$work"/ready/db-*.globals.sql "$work"/ready/db-*.manifest.json; do
    [[ -e $file ]] || continue
    begin "publish ${file##*/}"
    mv --no-clobber --no-target-directory -- "$file" "${setting[BACKUP_DIR]}/${file##*/}"
    [[ ! -e $file ]] || refuse exists "${file##*/} is there already, and is not overwritten. The new one is $file: move one of them away"
    sync -- "${setting[BACKUP_DIR]}"
    end
  done
  rmdir -- "$work/ready"
}

# usage: finish    However it ends: no process is left, the hook is run, the exit code is one of the three.
finish() {
  local code=$? ended
  trap - ERR EXIT
  set +e
  if ((code != 0)) && [[ $refused == no ]]; then code=2; fi
  # shellcheck disable=SC2046 # ids of processes; of a pipeline jobs tells the first, and `children` the last
  kill $(jobs -p) "${children[@]}" 2>/dev/null
  wait
  [[ -d $work/ready ]] || rm -rf -- "$work"
  if ((code == 0)); then ended=success; else ended=failure; fi
  if [[ $check == no ]]; then hook "$ended" "${id:--}" "$code" || ((code > 0)) || code=2; fi
  log "ended exit=$code seconds=$SECONDS set=${id:--}"
  exit "$code"
}

main() {
  config=/etc/whatsapp-mcp/backup.env check=no again=no
  while (($# > 0)); do
    case $1 in
      --config) config=${2:?--config needs a file} && shift ;;
      --check) check=yes ;;
      --again) again=yes ;;
      -h | --help) usage && return ;;
      *) broken usage "'$1' is not understood; --help tells more" ;;
    esac
    shift
  done
  need_tools awk cut df flock grep gzip od sed setpriv sha256sum sort stat sync timeout
  load_settings "$config" BACKUP_DIR DATABASE DATABASE_USER REQUIRED_TABLES
  take_lock "${setting[BACKUP_DIR]}"
  work=${setting[BACKUP_DIR]}/.backup-db.tmp id='' children=()
  [[ $check == no ]] || work=${setting[BACKUP_DIR]}/.backup-db.check.tmp # what a cut run has left stays for a night's
  trap finish EXIT
  trap 'broken interrupted "by a signal"' INT TERM HUP
  tidy
  [[ $check == yes ]] || hook start - 0 || broken hook 'the start hook failed, said above'
  reach
  if command -v pigz >/dev/null; then
    compressor=(pigz "-${setting[COMPRESS_LEVEL]}" --no-name --stdout) decompressor=(pigz --decompress --stdout)
  else
    compressor=(gzip "-${setting[COMPRESS_LEVEL]}" --no-name --stdout) decompressor=(gzip --decompress --stdout)
  fi
  major psql && psql_version=$version
  major pg_dumpall
  major pg_dump && pg_dump_version=$version pg_dump=$major
  judge_tonight
  if [[ $check == yes ]]; then
    log 'check: nothing would be refused'
    return
  fi
  if [[ $again == no && $finished == "$id" ]]; then return; fi
  take_dump
  verify
  assemble
  publish
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
