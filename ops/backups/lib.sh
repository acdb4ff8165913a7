# shellcheck shell=bash
# What the backup scripts share: settings, words, the lock, names of sets, hooks. Sourced, never run.
# The caller has set -Eeuo pipefail. Exit codes: 0 done, 1 refused or bad, 2 could not judge.

# Nothing of the caller's environment decides how text sorts, where programs come from, who may read the files, or which database is meant.
export LC_ALL=C TZ=UTC PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
# shellcheck disable=SC2086 # none of these names needs quoting
unset ${!PG@}

# The sha256 of what it is given on stdin, as the first of its words. openssl takes a third of the time, where there is one.
if command -v openssl >/dev/null; then hasher=(openssl dgst -sha256 -r); else hasher=(sha256sum); fi

script=${0##*/} refused=no
# Whatever nobody foresaw is no refusal, and no success.
trap 'broken unexpected "${BASH_SOURCE[0]##*/}, line $LINENO: ${BASH_COMMAND%% *} ended with $?"' ERR
# usage: settle    No end but a refusal is 1, whatever bash itself ends with.
settle() {
  local code=$?
  if ((code != 0)) && [[ $refused == no ]]; then code=2; fi
  exit "$code"
}
trap settle EXIT

declare -A setting=()
# Every setting with its default.
declare -rA known_settings=(
  [BACKUP_DIR]='' [DATABASE]='' [DATABASE_USER]='' [CONNECT]=compose [COMPOSE_FILE]='' [COMPOSE_SERVICE]=postgres
  [DATABASE_HOST]='' [DATABASE_PORT]=5432 [DATABASE_PASSFILE]='' [PG_BIN]=''
  [REQUIRED_TABLES]='' [MAX_SHRINK_PERCENT]=30 [MIN_FREE_MB]=1024 [LOCK_TIMEOUT_S]=60 [SESSIONS]=2 [COMPRESS_LEVEL]=5
  [KEEP_DAILY]=30 [KEEP_MONTHLY]=12 [KEEP_AT_LEAST]=7 [MAX_AGE_HOURS]=26
  [HOOK_START]='' [HOOK_SUCCESS]='' [HOOK_FAILURE]=''
  [APPLICATION]='' [OFFSITE]='' [RCLONE_CONFIG]=/etc/whatsapp-mcp/rclone.conf [RECIPIENTS]=/etc/whatsapp-mcp/recipients.txt
  [LEDGER]=/var/lib/whatsapp-mcp/audit-archive/ledger.jsonl
  [PRUNE_DIR]=/var/lib/backup-drills/prune [PRUNE_AGE_HOURS]=20
  [MAY_DELETE]=no [STALL_S]=60
)

# usage: now    Seconds since the epoch: the only reading of the clock.
now() { printf '%(%s)T\n' -1; }

# usage: utc EPOCH FORMAT    As strftime, in UTC.
utc() { printf "%($2)T\n" "$1"; }

# usage: log STEP WORDS...    One line on stderr, which cron mails and journald keeps.
log() { printf '%s %s %s\n' "$(utc "$(now)" %FT%TZ)" "$script" "$*" >&2; }

# usage: refuse CODE TEXT    What was asked for is bad, or would be: exit 1.
refuse() {
  log "refused $1: $2"
  refused=yes
  exit 1
}

# usage: broken CODE TEXT    It could not be done, and so not be judged: exit 2.
broken() {
  log "broken $1: $2"
  exit 2
}

# usage: need_tools PROGRAM...    All that are missing at once.
need_tools() {
  local program missing=()
  for program in "$@"; do command -v "$program" >/dev/null || missing+=("$program"); done
  ((${#missing[@]} == 0)) || broken tools "not on this machine's PATH ($PATH): ${missing[*]}. Install them; on Debian: awk in mawk, flock and setpriv in util-linux, pigz in pigz"
}

# usage: load_settings FILE KEY...    Fills `setting`; the KEYs must be given. The file is read, never run.
load_settings() {
  local file=$1 line number=0 key value wrong=()
  [[ ! -f $file || -r $file ]] || broken settings "$file cannot be read by $(id -un): its owner must be who runs this"
  [[ -f $file ]] || broken settings "there is no $file: copy backup.env.example, which lies beside this script, to it, or name another with --config FILE"
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1)) line=${line%$'\r'}
    [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
    if [[ ! $line =~ ^([A-Za-z_]+)=(.*)$ ]]; then
      wrong+=("line $number is no KEY=value")
      continue
    fi
    key=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then value=${BASH_REMATCH[1]}; fi
    if [[ -z ${known_settings[$key]+known} ]]; then wrong+=("line $number: no setting is named $key"); fi
    if [[ -n ${setting[$key]+set} ]]; then wrong+=("line $number: $key is set twice"); fi
    setting[$key]=$value
  done <"$file"
  for key in "${@:2}"; do [[ -n ${setting[$key]:-} ]] || wrong+=("$key is not set"); done
  for key in "${!known_settings[@]}"; do : "${setting[$key]:=${known_settings[$key]}}"; done
  judge_settings
  # Only who goes off the host must have what it takes.
  if declare -F judge_offsite >/dev/null; then judge_offsite; fi
  if ((${#wrong[@]} > 0)); then
    printf '%s\n' "${wrong[@]}" | sort | while IFS= read -r line; do log "settings $file: $line"; done
    broken settings "$file: ${#wrong[@]} to put right, listed above. backup.env.example explains each setting"
  fi
}

# usage: judge_settings    Adds to the caller's `wrong` what no setting may be.
judge_settings() {
  local key bare
  for key in DATABASE_PORT MAX_SHRINK_PERCENT MIN_FREE_MB LOCK_TIMEOUT_S KEEP_DAILY KEEP_MONTHLY KEEP_AT_LEAST MAX_AGE_HOURS PRUNE_AGE_HOURS STALL_S; do
    [[ ${setting[$key]} =~ ^(0|[1-9][0-9]{0,8})$ ]] || wrong+=("$key='${setting[$key]}' is no whole number")
  done
  for key in BACKUP_DIR COMPOSE_FILE DATABASE_PASSFILE PG_BIN HOOK_START HOOK_SUCCESS HOOK_FAILURE RCLONE_CONFIG RECIPIENTS LEDGER PRUNE_DIR; do
    [[ ${setting[$key]} =~ ^(/.*)?$ ]] || wrong+=("$key='${setting[$key]}' is no absolute path")
  done
  for key in KEEP_DAILY KEEP_AT_LEAST MAX_AGE_HOURS LOCK_TIMEOUT_S STALL_S; do [[ ${setting[$key]} != 0 ]] || wrong+=("$key=0: at least 1"); done
  [[ ${setting[CONNECT]} =~ ^(compose|direct)$ ]] || wrong+=("CONNECT='${setting[CONNECT]}' is neither compose nor direct")
  [[ ${setting[MAY_DELETE]} =~ ^(yes|no)$ ]] || wrong+=("MAY_DELETE='${setting[MAY_DELETE]}' is neither yes nor no")
  [[ ${setting[SESSIONS]} =~ ^[12]$ ]] || wrong+=("SESSIONS='${setting[SESSIONS]}' is neither 1 nor 2")
  [[ ${setting[COMPRESS_LEVEL]} =~ ^[1-9]$ ]] || wrong+=("COMPRESS_LEVEL='${setting[COMPRESS_LEVEL]}' is not 1 to 9")
  ((10#0${setting[MAX_SHRINK_PERCENT]//[!0-9]/} <= 100)) || wrong+=("MAX_SHRINK_PERCENT=${setting[MAX_SHRINK_PERCENT]} is more than 100")
  [[ ${setting[APPLICATION]} =~ ^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$ ]] || wrong+=("APPLICATION='${setting[APPLICATION]}' is no name such as whatsapp-mcp")
  for bare in ${setting[REQUIRED_TABLES]}; do
    [[ $bare =~ ^([a-z_][a-z0-9_$]*\.)?[a-z_][a-z0-9_$]*:[0-9]{1,12}$ ]] || wrong+=("REQUIRED_TABLES: '$bare' is not table:rows or schema.table:rows, such as messages:1000")
  done
}

# usage: is_set_id ID    A real UTC date (2026-11-23) or instant (2026-11-23T141530Z), as the harness parses it. No process. Overwrites
# BASH_REMATCH.
is_set_id() {
  [[ $1 =~ ^([0-9]{4})-([0-9]{2})-([0-9]{2})(T([0-9]{2})([0-9]{2})([0-9]{2})Z)?$ ]] || return 1
  local year=$((10#${BASH_REMATCH[1]})) month=$((10#${BASH_REMATCH[2]})) day=$((10#${BASH_REMATCH[3]}))
  local hour=$((10#0${BASH_REMATCH[5]})) minute=$((10#0${BASH_REMATCH[6]})) second=$((10#0${BASH_REMATCH[7]}))
  local days=(0 31 28 31 30 31 30 31 31 30 31 30 31)
  if ((year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))); then days[2]=29; fi
  ((year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days[month] && hour < 24 && minute < 60 && second < 60))
}

# usage: manifest_value ID sha256|bytes    Of the dump, as its manifest binds it; nothing where it binds none.
manifest_value() {
  local head
  head=$(head -n 4 -- "${setting[BACKUP_DIR]}/db-$1.manifest.json" 2>/dev/null) || return 0
  [[ $head =~ \"dump\":\ \{\"name\":\ \"db-$1\.sql\.gz\",\ \"sha256\":\ \"([0-9a-f]{64})\",\ \"bytes\":\ ([0-9]+)\} ]] || return 0
  if [[ $2 == sha256 ]]; then echo "${BASH_REMATCH[1]}"; else echo "${BASH_REMATCH[2]}"; fi
}

# usage: sets    The ids of the good sets, oldest first: a dump of the size that its manifest says, both regular files.
sets() {
  local file id
  for file in "${setting[BACKUP_DIR]}"/db-*.manifest.json; do
    id=${file##*/db-} id=${id%.manifest.json}
    is_set_id "$id" || continue
    if [[ ! -f $file || -L $file || ! -f ${file%.manifest.json}.sql.gz || -L ${file%.manifest.json}.sql.gz ]]; then continue; fi
    if [[ $(stat -c %s -- "${file%.manifest.json}.sql.gz") == "$(manifest_value "$id" bytes)" ]]; then echo "$id"; fi
  done | sort
}

# usage: taken_at ID    When a set's snapshot was taken, in seconds since the epoch, by its manifest; nothing where that does not say.
taken_at() {
  local line
  while IFS= read -r line; do
    [[ $line =~ \"kind\":\ \"snapshot\",\ \"time\":\ \"([0-9TZ:.-]+)\" ]] || continue
    date -d "${BASH_REMATCH[1]}" +%s
    return
  done <"${setting[BACKUP_DIR]}/db-$1.manifest.json"
}

# usage: begin STEP    Says what is being done; `end` says how long it took.
begin() {
  step=$1 began=$EPOCHREALTIME
  log "$step begins"
}

# usage: end WORDS...
end() {
  local ms=$(((${EPOCHREALTIME//[!0-9]/} - ${began//[!0-9]/}) / 1000))
  log "$step ends seconds=$((ms / 1000)).$(printf %03d $((ms % 1000)))${*:+ $*}"
}

# usage: take_lock DIRECTORY    One script at a time works in it. The lock is the kernel's, on the
# directory itself: no file outlives a crash or a reboot. It stands on descriptor 9, which no child may keep (see `child`).
take_lock() {
  local directory=$1
  [[ -d $directory ]] || broken directory "$directory is no directory: make it, owned by the user who runs this: install -d -m 0700 -o $(id -un) ${directory@Q}"
  [[ -w $directory && -x $directory ]] || broken directory "$directory cannot be written by $(id -un), who runs this"
  exec 9<"$directory"
  flock --nonblock --conflict-exit-code 99 9 || {
    (($? == 99)) || broken lock "$directory cannot be locked, said above"
    refuse locked "another backup script is at work in $directory"
  }
}

# usage: child PROGRAM ARGS...    Becomes that program, which ends when this script ends, even by kill -9, and holds no lock.
# Only as a process of its own: behind &, in a pipeline, in a coproc.
child() {
  exec 7<&- 8>&- 9<&-
  exec setpriv --pdeathsig TERM -- "$@"
}

# usage: hook start|success|failure ID CODE    Runs the program that the setting names, if any.
hook() {
  local program=${setting[HOOK_${1^^}]:-}
  [[ -n $program ]] || return 0
  timeout --kill-after=5 60 "$program" "$script" "$2" "$3" </dev/null >&2 9<&- || {
    log "hook $1 failed: $program ended with $?"
    return 1
  }
}
