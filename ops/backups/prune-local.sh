#!/usr/bin/env bash
# Removes the sets in BACKUP_DIR that nobody needs any longer: by the ids in their names, never by the times of files, and only
# after the newest set was proven. The rule, and what is never touched: docs/retention.md.
set -Eeuo pipefail
here=$(/usr/bin/dirname -- "$(/usr/bin/readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=ops/backups/lib.sh
source "$here/lib.sh"
# shellcheck source=ops/backups/retention.sh
source "$here/retention.sh"

usage() {
  cat <<'END'
usage: prune-local.sh [--config FILE] [--dry-run]
Keeps every set of the KEEP_DAILY newest days that have one, the first of each of the KEEP_MONTHLY newest months that have one,
and the KEEP_AT_LEAST newest in any case. Removes the other good sets of BACKUP_DIR, once the newest is proven whole and fresh.
  --config FILE  the settings; without it /etc/whatsapp-mcp/backup.env (backup.env.example explains them)
  --dry-run      say what would be kept and removed, and why, and change nothing
Exit codes: 0 done, 1 refused (it says why, and nothing was removed), 2 could not be judged or not be done.
END
}

# usage: begun    The ids whose removal an earlier run began: the manifest has the name that `remove` gives it, and no other.
begun() {
  local file id
  for file in "${setting[BACKUP_DIR]}"/db-*.removing.tmp; do
    id=${file##*/db-} id=${id%.removing.tmp}
    if ! is_set_id "$id" || [[ ! -f $file || -L $file || -e ${file%.removing.tmp}.manifest.json ]]; then continue; fi
    if grep -qF "\"dump\": {\"name\": \"db-$id.sql.gz\"" -- "$file"; then echo "$id"; fi
  done
}

# usage: untouched IDS...    A line for each name in BACKUP_DIR that belongs to none of these sets, and why it stays.
untouched() {
  local file name why id
  local -A known=()
  for id in "$@"; do
    for name in sql.gz globals.sql manifest.json removing.tmp; do known["db-$id.$name"]=yes; done
  done
  shopt -s dotglob nullglob
  for file in "${setting[BACKUP_DIR]}"/*; do
    name=${file##*/} id=
    if [[ $name =~ ^db-(.*)\.(sql\.gz|globals\.sql|manifest\.json)$ ]]; then id=${BASH_REMATCH[1]}; fi
    is_set_id "$id" || id=
    if [[ -L $file ]]; then
      why='a symbolic link'
    elif [[ $name == *.tmp || $name == *.partial ]]; then
      if [[ -f $file && -n ${known[$name]:-} ]]; then continue; fi
      why='unfinished'
    elif [[ -z $id ]]; then
      why='no name of a set'
    elif [[ ! -f $file ]]; then
      why='a directory, or another thing that is no file'
    elif [[ -n ${known[$name]:-} ]]; then
      continue
    elif [[ -e ${file%/*}/db-$id.manifest.json ]]; then
      why='of a set whose dump is missing, or not as long as its manifest says'
    else
      why='of a set that has no manifest'
    fi
    printf 'untouched %s %s\n' "${name@Q}" "$why"
  done
  shopt -u dotglob nullglob
}

# usage: prove ID    Refuses unless that set, the newest, is fresh, and its bytes are those that its manifest says.
prove() {
  local set=${setting[BACKUP_DIR]}/db-$1 time age sum
  time=$(taken_at "$1")
  [[ -n $time ]] || refuse damaged "the manifest of the newest set, $1, does not say when its snapshot was taken. Nothing is removed"
  age=$(($(now) - time))
  ((age >= -300)) || refuse clock "the newest set, $1, was taken $((-age / 60)) min after now: this host's clock is wrong, or the database's was. Nothing is removed"
  ((age <= setting[MAX_AGE_HOURS] * 3600)) || refuse stale "the newest good set, $1, is $((age / 3600)) h old, and MAX_AGE_HOURS=${setting[MAX_AGE_HOURS]}. Nothing is removed until backup-db.sh takes sets again: see why it does not"
  sum=$(child "${hasher[@]}" <"$set.sql.gz")
  [[ ${sum:0:64} == "$(manifest_value "$1" sha256)" ]] || refuse damaged "the dump of the newest set, $1, is not the one that its manifest binds. Nothing is removed: take another set with backup-db.sh --again, and look at the disk"
}

# usage: remove ID    The manifest goes first: without it the files claim to be nothing. Under its other name it tells the next
# run what to finish, and is itself the last to go.
remove() {
  local set=${setting[BACKUP_DIR]}/db-$1 file
  if [[ -e $set.manifest.json ]]; then
    mv --no-target-directory -- "$set.manifest.json" "$set.removing.tmp" || broken remove "the manifest of $1 cannot be removed, said above"
    sync -- "${setting[BACKUP_DIR]}"
  fi
  for file in "$set.globals.sql" "$set.sql.gz"; do
    if [[ ! -f $file || -L $file ]]; then continue; fi
    rm -f -- "$file" || broken remove "${file##*/} cannot be removed, said above; the next run tries again"
  done
  sync -- "${setting[BACKUP_DIR]}"
  rm -f -- "$set.removing.tmp"
  log "removed $1"
}

# usage: finish    However it ends: a failure is told to the hook.
finish() {
  local code=$?
  trap - ERR EXIT
  set +e
  if ((code != 0)) && [[ $refused == no ]]; then code=2; fi
  if ((code > 0)) && [[ $dry == no ]]; then hook failure - "$code"; fi
  log "ended exit=$code kept=$kept removed=$removed$([[ $dry == no ]] || echo ' (dry run: nothing was changed)')"
  exit "$code"
}

main() {
  local config=/etc/whatsapp-mcp/backup.env line newest='' good unfinished judged plan
  dry=no kept=0 removed=0
  while (($# > 0)); do
    case $1 in
      --config)
        (($# > 1)) || broken usage '--config needs a file; --help tells more'
        config=$2 && shift
        ;;
      --dry-run) dry=yes ;;
      -h | --help) usage && return ;;
      *) broken usage "'$1' is not understood; --help tells more" ;;
    esac
    shift
  done
  need_tools date flock grep head id mv rm setpriv sha256sum sort stat sync timeout
  load_settings "$config" BACKUP_DIR
  trap finish EXIT
  trap 'broken interrupted "by a signal"' INT TERM HUP
  take_lock "${setting[BACKUP_DIR]}"
  good=$(sets) unfinished=$(begun)
  # shellcheck disable=SC2086 # ids hold nothing to split or expand
  untouched $good $unfinished
  [[ -n $good ]] || refuse none "no good set is in ${setting[BACKUP_DIR]}: is that the directory? Nothing is removed"
  judged=$(judge "$(now)" "${setting[KEEP_DAILY]}" "${setting[KEEP_MONTHLY]}" "${setting[KEEP_AT_LEAST]}" <<<"$good")
  for line in $unfinished; do judged+=$'\n'"remove $line what an earlier run left when it was cut short"; done
  mapfile -t plan <<<"$judged"
  for line in "${plan[@]}"; do
    if [[ $line == keep\ * ]]; then newest=${line#keep } && newest=${newest%% *} kept=$((kept + 1)); fi
  done
  [[ -n $newest ]] || refuse clock "every set in ${setting[BACKUP_DIR]} is later than now: this host's clock is wrong. Nothing is removed"
  prove "$newest"
  printf '%s\n' "${plan[@]}"
  for line in "${plan[@]}"; do
    if [[ $line != remove\ * ]]; then continue; fi
    line=${line#remove }
    [[ $dry == yes ]] || remove "${line%% *}"
    removed=$((removed + 1))
  done
  sync -- "${setting[BACKUP_DIR]}"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
