# shellcheck shell=bash
# How the scripts reach the store off the host, and what they may know of it. Sourced by those that do. Uses $work, and `setting`.
# docs/offsite.md says what lies there, and who may do what.

# usage: judge_offsite    As `judge_settings`: the remote, and rclone's configuration, which must be the runner's own.
judge_offsite() {
  if [[ -n ${setting[OFFSITE]} && ! ${setting[OFFSITE]} =~ ^[A-Za-z0-9_.+@-][A-Za-z0-9_.+@\ -]*:[^[:cntrl:]]*$ ]]; then wrong+=("OFFSITE='${setting[OFFSITE]}' is not REMOTE:PATH, a remote of RCLONE_CONFIG and what lies below it"); fi
  private_file RCLONE_CONFIG
}

# usage: problem CODE TEXT    What is bad about one thing; the others are gone on with, and the end is 1.
problem() {
  log "problem $1: $2"
  problems=$((problems + 1)) worst=$1 bad=yes
}

# usage: private_file KEY    Adds to the caller's `wrong` where others may read or write the file that the setting names.
private_file() {
  local file=${setting[$1]}
  if [[ ! -f $file || ! -r $file ]]; then
    wrong+=("$1=$file is no file that $(id -un) can read")
  elif (($(stat -L -c '0%a' -- "$file") & 077)); then
    wrong+=("$1=$file may be read by others: chmod 0600")
  fi
}

# usage: rc ARGS...    As `child`: rclone, with its settings and nothing else of the environment; it gives up on what stands still.
rc() {
  child env -i LC_ALL=C PATH="$PATH" HOME="$work" rclone --config "${setting[RCLONE_CONFIG]}" --cache-dir "$work/cache" --ask-password=false \
    --contimeout 15s --timeout "${setting[STALL_S]}s" --retries 3 --retries-sleep 1s --low-level-retries 3 --s3-no-check-bucket --s3-disable-checksum --stats 0 --log-level ERROR "$@"
}

# usage: reached STEP COMMAND ARGS...    Runs it beside us, so that a signal is heard; its words are told where it fails.
# Returns 3 where rclone says that there is no such directory or file.
reached() {
  local step=$1 code=0
  shift
  "$@" </dev/null 2>"$work/rclone.err" &
  children=($!)
  wait $! || code=$?
  ((code == 0 || code == 3 || code == 4)) || broken "$step" "$(said "$work/rclone.err")"
  ((code == 0)) || return 3
}

# usage: said FILE    The end of what a program said, on one line.
said() { tail -n 3 -- "$1" | sed -E 's/^[0-9/]+ [0-9:]+ //' | tr '\n\t' '  '; }

# usage: list_store    Fills `stored`, sizes by name, of what lies at the top; nothing where there is no such place.
declare -A stored=()
list_store() {
  local size name
  stored=()
  reached list rc lsf --format sp --separator ' ' --files-only --max-depth 1 "$store/" >"$work/listing" || : >"$work/listing"
  while read -r size name; do stored[$name]=$size; done <"$work/listing"
}

# usage: judge_label    The store must say that it is the application's own. Leaves store.json in $work.
judge_label() {
  list_store
  [[ -n ${stored[store.json]:-} ]] || refuse not-a-store "there is no store.json in ${setting[OFFSITE]}: the wrong place, one that is not mounted, or a new one, for which sync-offsite.sh --init writes it"
  reached label rc cat --count 65536 "$store/store.json" >"$work/store.json" || broken label "store.json cannot be read"
  [[ $(<"$work/store.json") =~ \"application\":\ ?\"([^\"]*)\" ]] || refuse not-a-store "the store.json in ${setting[OFFSITE]} names no application"
  [[ ${BASH_REMATCH[1]} == "${setting[APPLICATION]}" ]] || refuse other-application "${setting[OFFSITE]} belongs to '${BASH_REMATCH[1]//[^A-Za-z0-9._ -]/?}', and APPLICATION is '${setting[APPLICATION]}'"
}

# usage: begins_as_age FILE
begins_as_age() { [[ $(head -c 22 -- "$1" | tr -c ' -~' '|') == 'age-encryption.org/v1|' ]]; }

# usage: sum_of FILE    Its sha256.
sum_of() {
  local sum
  sum=$(child "${hasher[@]}" <"$1") || return
  echo "${sum:0:64}"
}

# usage: witnessed NAME    Sets `bytes sum` to what the ledger says of a name; both empty where it has no line of it.
witnessed() {
  local line
  line=$(grep -F "\"name\": \"$1\"," -- "${setting[LEDGER]}" 2>/dev/null | tail -n 1) || line=
  bytes='' sum=''
  [[ -n $line ]] || return 0
  [[ $line =~ \"bytes\":\ ([0-9]+),\ \"sha256\":\ \"([0-9a-f]{64})\" ]] || refuse ledger "the line of $1 in ${setting[LEDGER]} cannot be read: restore it from the log server's copy"
  bytes=${BASH_REMATCH[1]} sum=${BASH_REMATCH[2]}
}

# usage: ledger_head    Sets `chain`, the hash that the next line names: that of the last line, or of store.json. The ledger must
# belong to the store, and end with a whole line. The chain as a whole is for `npm run check ledger`.
ledger_head() {
  local file=${setting[LEDGER]} first last before
  chain=$(sum_of "$work/store.json")
  [[ -s $file ]] || return 0
  first=$(head -n 1 -- "$file") last=$(tail -n 1 -- "$file") before=$(tail -n 2 -- "$file" | sed -n 1p)
  [[ $first =~ ^\{\"format\":\ \"backup-drills/ledger/1\",\ \"application\":\ \"([^\"]*)\" ]] || refuse ledger "$file does not begin as a ledger: restore it from the log server's copy"
  [[ ${BASH_REMATCH[1]} == "${setting[APPLICATION]}" ]] || refuse ledger "$file is the ledger of another application"
  [[ $(previous_of "$first") == "$chain" ]] || refuse ledger "$file is the ledger of another store: each store has its own"
  [[ -z $(tail -c 1 -- "$file") ]] || refuse ledger "the last line of $file is cut, and this host did not begin it: restore it from the log server's copy"
  if [[ $before != "$last" && $(previous_of "$last") != "$(sum_of <(printf %s "$before"))" ]]; then refuse ledger "the last line of $file does not continue the one before it: run npm run check ledger"; fi
  chain=$(sum_of <(printf %s "$last"))
}

# usage: previous_of LINE    The hash of the line before it, as it says.
previous_of() {
  if [[ $1 =~ \"previous\":\ \"([0-9a-f]{64})\"\}$ ]]; then echo "${BASH_REMATCH[1]}"; fi
}
