#!/usr/bin/env bash
# Carries the good sets of BACKUP_DIR to the store off the host: encrypted here, uploaded under names that nothing had before,
# read back, and witnessed by a line of the ledger. Nothing in here can take anything away there: docs/offsite.md.
set -Eeuo pipefail
here=$(/usr/bin/dirname -- "$(/usr/bin/readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=ops/backups/lib.sh
source "$here/lib.sh"
# shellcheck source=ops/backups/offsite.sh
source "$here/offsite.sh"
# shellcheck source=ops/backups/rights.sh
source "$here/rights.sh"

usage() {
  cat <<'END'
usage: sync-offsite.sh [--config FILE] [--init | --check | --adopt]
Publishes each good set of BACKUP_DIR that OFFSITE does not hold: age-encrypted, read back and verified, the manifest last.
  --config FILE  the settings; without it /etc/whatsapp-mcp/backup.env (backup.env.example explains them)
  --init         write store.json, which says whose store it is, into an empty place; once
  --check        say what would be refused, and publish nothing
  --adopt        the ledger was lost: read back what this host's sets have in the store, and witness it anew
Exit codes: 0 done, 1 refused or bad (it says why; nothing that was there was touched), 2 could not be done.
END
}

# usage: judge_recipients    `recovery` and `drill`, one public key each, and nothing that could decrypt.
judge_recipients() {
  local file=${setting[RECIPIENTS]} line role='' number=0 wrong=()
  local -A keys=()
  [[ -f $file && -r $file ]] || broken recipients "RECIPIENTS=$file is no file that $(id -un) can read"
  if grep -qiE 'AGE-SECRET-KEY-|AGE-PLUGIN-|PRIVATE KEY' -- "$file"; then
    refuse private-key "$file holds a PRIVATE key. Whoever reads this host could read every backup: take it off this host now, make new keys (age-keygen), and put only what begins with age1 here"
  fi
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1)) line=${line%$'\r'}
    if [[ $line =~ ^[[:space:]]*#[[:space:]]*(recovery|drill)[[:space:]]*$ ]]; then
      role=${BASH_REMATCH[1]}
    elif [[ $line =~ ^age1[02-9ac-hj-np-z]{58}$ ]]; then
      if [[ -z $role ]]; then wrong+=("line $number: whose it is must stand above it, # recovery or # drill"); fi
      if [[ -n $role && -n ${keys[$role]:-} ]]; then wrong+=("line $number: a second key for $role"); fi
      keys[${role:-$number}]=$line role=''
    elif [[ ! $line =~ ^[[:space:]]*(#|$) ]]; then
      wrong+=("line $number is no public key of age (age1…)")
    fi
  done <"$file"
  for role in recovery drill; do [[ -n ${keys[$role]:-} ]] || wrong+=("no key for $role"); done
  [[ -z ${keys[recovery]:-} || ${keys[recovery]} != "${keys[drill]:-}" ]] || wrong+=("recovery and drill are one key: then losing the drill's loses all")
  ((${#wrong[@]} == 0)) || {
    for line in "${wrong[@]}"; do log "recipients $file: $line"; done
    refuse recipients "$file: ${#wrong[@]} to put right, listed above"
  }
}

# usage: init    The store's label, where nothing lies yet.
init() {
  list_store
  if [[ -n ${stored[store.json]:-} ]]; then
    judge_label
    log "init: ${setting[OFFSITE]} is the store of ${setting[APPLICATION]} already"
    return
  fi
  ((${#stored[@]} == 0)) || refuse not-empty "${setting[OFFSITE]} holds ${#stored[@]} files and no store.json: a store begins empty. Name another place"
  printf '{"format": "backup-drills/store/1", "application": "%s", "created": "%s", "nonce": "%s"}\n' "${setting[APPLICATION]}" "$(utc "$(now)" %FT%TZ)" \
    "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" >"$work/written"
  reached init rc copyto --ignore-existing "$work/written" "$store/store.json" || broken init "$(said "$work/rclone.err")"
  judge_label
  cmp -s "$work/store.json" "$work/written" || refuse other-application 'somebody else has made a store there at the same moment'
  log "init: ${setting[OFFSITE]} is the store of ${setting[APPLICATION]} from now on"
}

# usage: expect SET FILE    What the plaintext must be: sets `want`, its sha256. Of the dump the manifest says it.
expect() {
  if [[ $2 == *.sql.gz ]]; then want=$(manifest_value "$1" sha256); elif [[ $2 == *.manifest.json ]]; then want=$manifest_sum; else want=$(sum_of "$2"); fi
}

# usage: encrypt FILE NAME    Into $pending/NAME, and beside it what is to be known of it, so that a run after one that was cut off
# sends the same bytes, or knows its own. Sets `plain_sum plain_bytes sum bytes`; `plain_sum` is what was really encrypted.
encrypt() {
  local hashing=() hash
  if [[ -f $pending/$2.intent ]]; then
    read -r plain_sum plain_bytes sum bytes <"$pending/$2.intent"
    # What is up there already is ours by this line alone.
    if [[ -n ${stored[$2]:-} ]]; then return; fi
    if [[ $plain_sum == "$want" && -f $pending/$2 && $(sum_of "$pending/$2") == "$sum" ]]; then return; fi
    rm -f -- "$pending/$2.intent"
  fi
  begin "encrypt $2"
  rm -f -- "$work/plain" "$work/sealed"
  mkfifo -- "$work/plain" "$work/sealed"
  child "${hasher[@]}" <"$work/plain" >"$work/plain.sum" &
  hashing=($!)
  child "${hasher[@]}" <"$work/sealed" >"$work/sealed.sum" &
  hashing+=($!)
  # The bytes that are encrypted are the bytes that are hashed. That they lie on the disk is not waited for: a run after a power cut
  # hashes them again.
  child tee -- "$work/plain" <"$1" | child age --encrypt --recipients-file "${setting[RECIPIENTS]}" 2>"$work/age.err" | child tee -- "$work/sealed" >"$pending/$2" &
  children=($! "${hashing[@]}")
  wait $! || broken encrypt "$2: $(said "$work/age.err")"
  for hash in "${hashing[@]}"; do wait "$hash" || broken encrypt "$2: it could not be hashed"; done
  begins_as_age "$pending/$2" || broken encrypt "$2: age has not encrypted it"
  read -r plain_sum _ <"$work/plain.sum"
  if [[ $plain_sum != "$want" ]]; then
    rm -f -- "$pending/$2"
    return
  fi
  plain_bytes=$(stat -c %s -- "$1") bytes=$(stat -c %s -- "$pending/$2")
  read -r sum _ <"$work/sealed.sum"
  echo "$plain_sum $plain_bytes $sum $bytes" >"$work/intent"
  sync -- "$work/intent"
  mv --no-target-directory -- "$work/intent" "$pending/$2.intent"
  end "bytes=$bytes"
}

# usage: upload NAME    Never over another. Where the store can rename, first under a name that says that it is unfinished; then `back`
# is what was read of it.
upload() {
  begin "upload $1"
  if [[ $renames == yes ]]; then
    reached upload rc copyto --no-check-dest "$pending/$1" "$store/$1.tmp" || broken upload "$1: $(said "$work/rclone.err")"
    read_back "$1.tmp"
    [[ $back == "$sum" ]] || broken read-back "$1.tmp: what was read back is not what was sent; the next run sends it again"
    reached upload rc moveto --ignore-existing "$store/$1.tmp" "$store/$1" || broken upload "$1: $(said "$work/rclone.err")"
    # It stays under that name where the other has come to be meanwhile.
    if reached upload rc lsf "$store/$1.tmp" >"$work/left" && [[ -s $work/left ]]; then back=another; fi
  else
    reached upload rc copyto --ignore-existing "$pending/$1" "$store/$1" || broken upload "$1: $(said "$work/rclone.err")"
  fi
  end
}

# usage: read_back NAME    Sets `back`, the sha256 of what the store gives.
read_back() {
  rc cat "$store/$1" </dev/null 2>"$work/rclone.err" | child "${hasher[@]}" >"$work/back.sum" &
  children=($!)
  wait $! || broken read-back "$1: $(said "$work/rclone.err")"
  read -r back _ <"$work/back.sum"
}

# usage: witness SET NAME [MORE]    One line of the ledger, whole or not at all. MORE stands before `previous`.
witness() {
  local line
  ledger_head
  printf -v line '{"format": "backup-drills/ledger/1", "application": "%s", "at": "%s", "set": "%s", "name": "%s", "bytes": %s, "sha256": "%s", "plain": {"bytes": %s, "sha256": "%s"}, "manifest": "%s", "tools": {"age": "%s", "rclone": "%s"}, %s"previous": "%s"}\n' \
    "${setting[APPLICATION]}" "$(utc "$(now)" %FT%TZ)" "$1" "$2" "$bytes" "$sum" "$plain_bytes" "$plain_sum" "$manifest_sum" "$age_version" "$rclone_version" "${3:-}" "$chain"
  printf %s "$line" >"$pending/ledger-line"
  sync -- "$pending/ledger-line"
  cat -- "$pending/ledger-line" >>"${setting[LEDGER]}"
  sync -- "${setting[LEDGER]}"
  rm -f -- "$pending/ledger-line" "$pending/$2" "$pending/$2.intent"
  published=$((published + 1))
  log "witnessed $2 bytes=$bytes"
}

# usage: mend_ledger    Ends the line that a run of ours was cut off in.
mend_ledger() {
  local line=$pending/ledger-line cut
  [[ -s $line ]] || return 0
  if [[ -s ${setting[LEDGER]} && -n $(tail -c 1 -- "${setting[LEDGER]}") ]]; then
    cut=$(tail -n 1 -- "${setting[LEDGER]}")
    [[ $(<"$line") == "$cut"* ]] || refuse ledger "the last line of ${setting[LEDGER]} is cut, and is not the one that this host began: restore it from the log server's copy"
    tail -c "+$((${#cut} + 1))" -- "$line" >>"${setting[LEDGER]}"
    sync -- "${setting[LEDGER]}"
    log 'ledger: the line that a run was cut off in is whole'
  fi
  rm -f -- "$line"
}

# usage: publish SET FILE    One file of a set; where it is bad, said, and `bad` is yes.
publish() {
  local name=${2##*/}.age
  witnessed "$name"
  if [[ -n $sum ]]; then
    if [[ -z ${stored[$name]:-} ]]; then
      problem gone "$name was published and is not in the store any longer: find out who removed it. backup-db.sh --again takes another set"
    elif [[ ${stored[$name]} != "$bytes" ]]; then
      problem altered "$name has ${stored[$name]} bytes in the store, and had $bytes when it was published: somebody has replaced it"
    else
      rm -f -- "$pending/$name" "$pending/$name.intent"
    fi
    return
  fi
  expect "$1" "$2"
  if [[ ! -s $2 ]]; then
    problem empty "${2##*/} is empty: it is not published"
  elif [[ -n ${stored[$name]:-} && ! -f $pending/$name.intent ]]; then
    if [[ $mode == adopt ]]; then
      adopt "$@"
    else
      problem foreign "$name is in the store, and neither the ledger nor this host knows of it: another host publishes there under the same name, or the ledger was lost (then --adopt)"
    fi
  else
    encrypt "$2" "$name"
    if [[ $plain_sum != "$want" ]]; then
      problem damaged "${2##*/} is not what it was when it was verified: it is not published. Look at the disk, and take another set with backup-db.sh --again"
      return
    fi
    back=
    [[ -n ${stored[$name]:-} ]] || upload "$name"
    begin "verify $name"
    [[ -n $back ]] || read_back "$name"
    if [[ $back != "$sum" ]]; then
      problem foreign "$name: what lies in the store is not what this host sent. Another host publishes there under the same name"
      return
    fi
    end
    witness "$1" "$name"
  fi
}

# usage: adopt SET FILE    What lies there is witnessed as it is: that it is what was dumped, only a drill can say.
adopt() {
  local name=${2##*/}.age
  begin "adopt $name"
  reached adopt rc cat --count 22 "$store/$name" >"$work/head" || broken adopt "$name cannot be read"
  if ! begins_as_age "$work/head"; then
    problem foreign "$name in the store is not encrypted by age: it is not adopted"
    return
  fi
  read_back "$name"
  sum=$back bytes=${stored[$name]} plain_sum=$want plain_bytes=$(stat -c %s -- "$2")
  end
  witness "$1" "$name" '"adopted": true, '
}

# usage: publish_set SET    Dump, globals, and the manifest last: a set without it does not exist.
publish_set() {
  local base=${setting[BACKUP_DIR]}/db-$1 file bad=no
  if [[ ! -f $base.globals.sql || -L $base.globals.sql ]]; then
    problem incomplete "$1 has no globals: it is not published"
    return
  fi
  manifest_sum=$(sum_of "$base.manifest.json")
  for file in "$base.sql.gz" "$base.globals.sql" "$base.manifest.json"; do
    publish "$1" "$file"
    [[ $bad == no ]] || return 0
  done
}

# usage: judge_tonight    What is refused before anything is sent. Fills `ids`.
judge_tonight() {
  local taken age largest free
  begin preflight
  judge_recipients
  judge_label
  mend_ledger
  if [[ ! -s ${setting[LEDGER]} && $mode != adopt && "${!stored[*]}" == *db-*.age* && -z $(find "$pending" -name '*.intent') ]]; then
    refuse ledger-lost "the store holds sets, and ${setting[LEDGER]} is empty: bring it back from the log server's copy; if there is none, --adopt begins another"
  fi
  ledger_head
  mapfile -t ids < <(sets)
  ((${#ids[@]} > 0)) || refuse none "no good set is in ${setting[BACKUP_DIR]}: not mounted, or backup-db.sh takes none. Nothing was changed in the store"
  newest=${ids[-1]}
  taken=$(taken_at "$newest") age=$(($(now) - ${taken:-0}))
  [[ -n $taken ]] || problem damaged "the manifest of $newest does not say when it was taken"
  ((age >= -300)) || refuse clock "the newest set, $newest, was taken $((-age / 60)) min after now: this host's clock is wrong, or the database's was"
  ((age <= setting[MAX_AGE_HOURS] * 3600)) || problem stale "the newest good set, $newest, is $((age / 3600)) h old, and MAX_AGE_HOURS=${setting[MAX_AGE_HOURS]}: see why backup-db.sh takes none"
  largest=$(find "${setting[BACKUP_DIR]}" -maxdepth 1 -name 'db-*.sql.gz' -printf '%s\n' | sort -n | tail -n 1)
  free=$(df --output=avail -B1 -- "${setting[BACKUP_DIR]}" | tail -n 1)
  ((free >= largest + setting[MIN_FREE_MB] * 1048576)) || refuse space "$((free / 1048576)) MB are free in ${setting[BACKUP_DIR]}; one set encrypted needs $((largest / 1048576)) and MIN_FREE_MB=${setting[MIN_FREE_MB]}"
  end "sets=${#ids[@]} stored=${#stored[@]} newest=$newest"
}

# usage: finish    However it ends: no process is left, what is not yet published stays for the next run, the hook is run.
finish() {
  local code=$? ended=success
  trap - ERR EXIT
  set +e
  if ((code != 0)) && [[ $refused == no ]]; then code=2; fi
  # shellcheck disable=SC2046 # ids of processes
  kill $(jobs -p) "${children[@]}" 2>/dev/null
  wait
  rm -rf -- "$work"
  rmdir -- "$pending" "${work%/*}" 2>/dev/null # what is not yet published stays
  ((code == 0)) || ended=failure
  if [[ $mode == publish || $mode == adopt ]]; then hook "$ended" "${newest:--}" "$code" || ((code > 0)) || code=2; fi
  log "ended exit=$code seconds=$SECONDS published=$published"
  exit "$code"
}

main() {
  local id
  config=/etc/whatsapp-mcp/backup.env mode=publish problems=0 worst='' published=0 ids=() children=() newest=''
  while (($# > 0)); do
    case $1 in
      --config) config=${2:?--config needs a file} && shift ;;
      --init | --check | --adopt) mode=${1#--} ;;
      -h | --help) usage && return ;;
      *) broken usage "'$1' is not understood; --help tells more" ;;
    esac
    shift
  done
  need_tools age cmp date df find flock grep head mkfifo od rclone sed setpriv sha256sum sort stat sync tail tee timeout
  load_settings "$config" BACKUP_DIR OFFSITE APPLICATION
  take_lock "${setting[LEDGER]%/*}"
  [[ -d ${setting[BACKUP_DIR]} && -w ${setting[BACKUP_DIR]} ]] || broken directory "${setting[BACKUP_DIR]} is no directory that $(id -un) may write to: is it mounted?"
  trap finish EXIT
  trap 'broken interrupted "by a signal"' INT TERM HUP
  store=${setting[OFFSITE]%/} work=${setting[BACKUP_DIR]}/.sync-offsite.tmp/now pending=${setting[BACKUP_DIR]}/.sync-offsite.tmp/pending
  rm -rf -- "$work"
  mkdir -p -- "$work" "$pending"
  age_version=$(age --version) rclone_version=$(rc version)
  age_version=${age_version//[^0-9A-Za-z.+-]/} rclone_version=${rclone_version%%[[:cntrl:]]*} rclone_version=${rclone_version#rclone v}
  if [[ $mode == init ]]; then
    init
    return
  fi
  [[ $mode == check ]] || hook start - 0 || broken hook 'the start hook failed, said above'
  judge_tonight
  renames=no
  reached features rc backend features "$store" >"$work/features" || broken features "$(said "$work/rclone.err")"
  if grep -qE '"Move": true' "$work/features"; then renames=yes; fi
  if [[ $mode == check ]]; then
    judge_rights
  else
    for id in "${ids[@]}"; do publish_set "$id"; done
  fi
  ((problems == 0)) || refuse "$worst" "$problems in all, said above; what was in the store is as it was"
  [[ $mode != check ]] || log 'check: nothing would be refused'
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
