#!/usr/bin/env bash
# Removes old sets from the store off the host, by the rule of retention, on a third host with the only credential that may. Nothing
# goes that was not first written down and let lie: a plan is made on one day and carried out on another. docs/retention.md.
set -Eeuo pipefail
here=$(/usr/bin/dirname -- "$(/usr/bin/readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=ops/backups/lib.sh
source "$here/lib.sh"
# shellcheck source=ops/backups/offsite.sh
source "$here/offsite.sh"
# shellcheck source=ops/backups/retention.sh
source "$here/retention.sh"

usage() {
  cat <<'END'
usage: prune-offsite.sh [--config FILE] [--carry-out]
Without --carry-out: says which sets of OFFSITE the rule would remove, and writes it down as a plan in PRUNE_DIR. Changes nothing.
  --carry-out    removes what a plan of at least PRUNE_AGE_HOURS names, and the rule still says; the plan is then used up
  --config FILE  the settings; without it /etc/whatsapp-mcp/backup.env (backup.env.example explains them)
Exit codes: 0 done, 1 refused, or something could not be removed (it says what), 2 could not be judged.
END
}

# usage: judge_store    Whose store it is, which sets it holds, and what the rule says of each: fills `verdicts`, lines of `judge`.
judge_store() {
  local id name whole=() newest='' age
  begin judge
  judge_label
  label=$(sum_of "$work/store.json")
  for name in "${!stored[@]}"; do
    [[ $name =~ ^db-(.+)\.manifest\.json\.age$ ]] || continue
    id=${BASH_REMATCH[1]}
    if is_set_id "$id" && is_whole "$id"; then whole+=("$id"); fi
  done
  ((${#whole[@]} > 0)) || refuse none "no whole set is in ${setting[OFFSITE]}: is it the right place? Nothing is removed"
  mapfile -t verdicts < <(printf '%s\n' "${whole[@]}" | sort | judge "$(now)" "${setting[KEEP_DAILY]}" "${setting[KEEP_MONTHLY]}" "${setting[KEEP_AT_LEAST]}")
  for id in "${verdicts[@]}"; do
    if [[ $id == keep\ * ]]; then newest=${id#keep } && newest=${newest%% *}; fi
  done
  [[ -n $newest ]] || refuse clock "every set in ${setting[OFFSITE]} is later than now: this host's clock is wrong. Nothing is removed"
  # A day as an id may mean its last moment.
  age=$(($(now) - $(date -d "${newest:0:10}T23:59:59Z" +%s)))
  ((age <= setting[MAX_AGE_HOURS] * 3600)) || refuse stale "the newest set, $newest, is at least $((age / 3600)) h old, and MAX_AGE_HOURS=${setting[MAX_AGE_HOURS]}: nothing is removed until sets come again"
  untouched
  end "sets=${#whole[@]} newest=$newest"
}

# usage: is_whole ID    Dump, globals and manifest are there, none empty, and the ledger, where there is one, knows them by their size.
is_whole() {
  local name bytes sum
  for name in "db-$1.sql.gz.age" "db-$1.globals.sql.age" "db-$1.manifest.json.age"; do
    ((${stored[$name]:-0} > 0)) || return 1
    [[ ${setting[LEDGER]} != /none ]] || continue
    witnessed "$name"
    [[ $bytes == "${stored[$name]}" ]] || return 1
  done
}

# usage: untouched    A line for each name that is of no set which the rule judges.
untouched() {
  local name line
  local -A judged=()
  for line in "${verdicts[@]}"; do line=${line#* } && judged[${line%% *}]=yes; done
  for name in "${!stored[@]}"; do
    if [[ $name == store.json ]] || [[ $name =~ ^db-(.+)\.(sql\.gz|globals\.sql|manifest\.json)\.age$ && -n ${judged[${BASH_REMATCH[1]}]:-} ]]; then continue; fi
    printf 'untouched %s of no whole set that is known\n' "${name@Q}"
  done | sort
}

# usage: plan    What the rule would remove, written down; nothing where it would remove nothing, or a plan lies there already.
plan() {
  local line id name count=0
  printf '%s\n' "${verdicts[@]}"
  if [[ -e $plan_file ]]; then
    read_plan
    if ((age <= 7 * 86400)); then
      log "plan: that of $made lies there: --carry-out, once it is ${setting[PRUNE_AGE_HOURS]} h old"
      return
    fi
    log "plan: that of $made was never carried out, and is replaced"
  fi
  {
    printf 'backup-drills/prune-plan/1\nmade %s\nstore %s\n' "$(utc "$(now)" %FT%TZ)" "$label"
    for line in "${verdicts[@]}"; do
      [[ $line == remove\ * ]] || continue
      id=${line#remove } id=${id%% *}
      for name in "db-$id.manifest.json.age" "db-$id.globals.sql.age" "db-$id.sql.gz.age"; do echo "$id $name ${stored[$name]}"; done
      count=$((count + 1))
    done
  } >"$work/plan"
  if ((count == 0)); then
    rm -f -- "$plan_file"
    log 'plan: nothing to remove'
    return
  fi
  printf 'sha256 %s\n' "$(sum_of "$work/plan")" >>"$work/plan"
  sync -- "$work/plan"
  mv --no-target-directory -- "$work/plan" "$plan_file"
  log "plan: $count sets would be removed, by --carry-out in ${setting[PRUNE_AGE_HOURS]} h or later ($plan_file)"
}

# usage: read_plan    Refuses one that is cut, edited, another store's or of the future. Sets `made`, `age` in s, `lines`.
read_plan() {
  local all sum
  mapfile -t all <"$plan_file"
  sum=$(sum_of <(head -n -1 -- "$plan_file"))
  [[ ${all[0]:-} == backup-drills/prune-plan/1 && ${all[-1]} == "sha256 $sum" ]] || refuse plan "$plan_file is cut, was edited, or is none: remove it, and make another"
  [[ ${all[2]} == "store $label" ]] || refuse plan "$plan_file was made of another store: remove it, and make another"
  made=${all[1]#made } age=$(($(now) - $(date -d "$made" +%s)))
  ((age >= 0)) || refuse plan "$plan_file was made at $made, later than now: a clock is wrong"
  lines=("${all[@]:3:${#all[@]}-4}")
}

# usage: carry_out    What the plan names, set by set, if the rule still says so.
carry_out() {
  local line id ids=() again manifest
  local -A still=() planned=()
  [[ -e $plan_file ]] || refuse plan "no plan lies in ${setting[PRUNE_DIR]}: prune-offsite.sh without --carry-out makes one"
  read_plan
  ((age >= setting[PRUNE_AGE_HOURS] * 3600)) || refuse plan "the plan was made $((age / 3600)) h ago, and PRUNE_AGE_HOURS=${setting[PRUNE_AGE_HOURS]}: look at it, and let it lie"
  ((age <= 7 * 86400)) || refuse plan "the plan was made $((age / 86400)) days ago: make another"
  for line in "${verdicts[@]}"; do
    if [[ $line == remove\ * ]]; then again=${line#remove } && still[${again%% *}]=yes; fi
  done
  for line in "${lines[@]}"; do
    id=${line%% *}
    [[ -n ${planned[$id]:-} ]] || ids+=("$id")
    planned[$id]+="${line#* }"$'\n'
  done
  for id in "${ids[@]}"; do
    manifest=db-$id.manifest.json.age
    # Without a manifest it was begun by a run that was cut short, and no rule speaks of it any longer.
    if [[ -n ${still[$id]:-} || -z ${stored[$manifest]:-} ]]; then
      remove_set <<<"${planned[$id]%$'\n'}"
    else
      log "kept $id: it is in the plan, and the rule keeps it now, or it is whole no longer"
    fi
  done
  ((problems > 0)) || rm -f -- "$plan_file"
}

# usage: remove_set <LINES    The files of one set, `NAME SIZE` each, the manifest first: without it the rest claims to be nothing.
remove_set() {
  local name size names=() before=$problems
  while read -r name size; do
    [[ -n ${stored[$name]:-} ]] || continue
    names+=("$name")
    [[ ${stored[$name]} == "$size" ]] || problem altered "$name has ${stored[$name]} bytes, and had $size when the plan was made: nothing of its set is removed"
  done
  for name in "${names[@]}"; do
    ((problems == before)) || return 0
    remove "$name"
  done
}

# usage: remove NAME    That one object, and proof that it is gone.
remove() {
  local code=0 left
  rc deletefile "$store/$1" </dev/null 2>"$work/rclone.err" &
  children=($!)
  wait $! || code=$?
  if ((code != 0)); then
    problem held "$1 could not be removed: $(said "$work/rclone.err")"
    return
  fi
  left=$1
  reached gone rc lsf --files-only "$store/$1" >"$work/left" || left=
  if [[ -n $left && -s $work/left ]]; then
    problem held "$1 was removed, and is still there"
    return
  fi
  unset "stored[$1]"
  removed=$((removed + 1))
  log "removed $1"
}

# usage: versions    What a bucket that keeps versions still holds of what is gone; said, since only its lifecycle can end that.
versions() {
  local size name count=0 bytes=0
  grep -qE '"String": "S3 ' "$work/features" || return 0
  rc lsf --s3-versions --format sp --separator ' ' --files-only --max-depth 1 "$store/" </dev/null >"$work/versions" 2>"$work/rclone.err" &
  children=($!)
  wait $! || {
    log "versions: not judged, this credential may not list them: $(said "$work/rclone.err")"
    return 0
  }
  while read -r size name; do
    if [[ $name =~ -v[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{6}-[0-9]{3} ]]; then count=$((count + 1)) bytes=$((bytes + size)); fi
  done <"$work/versions"
  ((count == 0)) || log "versions: $count older ones, $bytes bytes, are still held by the bucket, until its object lock and its lifecycle let them go"
}

# usage: finish    However it ends: no process is left, and a failure is told to the hook.
finish() {
  local code=$?
  trap - ERR EXIT
  set +e
  if ((code != 0)) && [[ $refused == no ]]; then code=2; fi
  # shellcheck disable=SC2046 # ids of processes
  kill $(jobs -p) "${children[@]}" 2>/dev/null
  wait
  rm -rf -- "$work"
  ((code == 0)) || hook failure - "$code"
  log "ended exit=$code removed=$removed"
  exit "$code"
}

main() {
  local carrying=no
  config=/etc/whatsapp-mcp/backup.env removed=0 problems=0 worst='' children=()
  while (($# > 0)); do
    case $1 in
      --config) config=${2:?--config needs a file} && shift ;;
      --carry-out) carrying=yes ;;
      -h | --help) usage && return ;;
      *) broken usage "'$1' is not understood; --help tells more" ;;
    esac
    shift
  done
  need_tools date flock grep head rclone sed setpriv sha256sum sort stat sync tail timeout
  load_settings "$config" OFFSITE APPLICATION
  [[ ${setting[LEDGER]} == /none || -r ${setting[LEDGER]} ]] || broken ledger "LEDGER=${setting[LEDGER]} cannot be read: bring it here from the log server, or write LEDGER=/none"
  take_lock "${setting[PRUNE_DIR]}"
  store=${setting[OFFSITE]%/} work=${setting[PRUNE_DIR]}/.now.tmp plan_file=${setting[PRUNE_DIR]}/plan
  trap finish EXIT
  trap 'broken interrupted "by a signal"' INT TERM HUP
  rm -rf -- "$work"
  mkdir -- "$work"
  reached features rc backend features "$store" >"$work/features" || broken features "$(said "$work/rclone.err")"
  judge_store
  if [[ $carrying == yes ]]; then carry_out; else plan; fi
  versions
  ((problems == 0)) || refuse "$worst" "$problems in all, said above; the plan stays, and --carry-out goes on with it"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
