# shellcheck shell=bash
# Whether this host's credential could take away what it publishes. Sourced by sync-offsite.sh for --check. docs/offsite.md.

# usage: judge_rights    Says what is too broad. The one call asks to delete a version that no object has ever had, of an object
# of a random name: nothing can change by it, whatever the answer is.
judge_rights() {
  local -A of=()
  local place=${store#*:} bucket prefix url answer code word
  if [[ $renames == yes ]]; then
    log "check: rights: whoever can write to ${setting[OFFSITE]} can delete there. What holds then are snapshots that this account cannot reach (docs/offsite.md)"
    return
  fi
  remote_settings "${store%%:*}"
  bucket=${place%%/*} prefix=${place#"$bucket"}
  prefix=${prefix#/}
  if [[ ${of[type]:-} != s3 || -z ${of[access_key_id]:-} || -z ${of[secret_access_key]:-} ]]; then
    unjudged 'the remote is no S3 one whose keys are in RCLONE_CONFIG'
    return
  elif ! command -v curl >/dev/null; then
    unjudged 'curl is not on this machine'
    return
  elif [[ ! $bucket/$prefix =~ ^[A-Za-z0-9._/-]+$ ]]; then
    unjudged "the path of ${setting[OFFSITE]} has characters that a URL would have to hide"
    return
  fi
  url=${of[endpoint]:-https://s3.${of[region]:-us-east-1}.amazonaws.com}
  [[ $url == *://* ]] || url=https://$url
  url=${url%/}/$bucket/${prefix:+${prefix%/}/}backup-drills-probe-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  begin rights
  # Told by a file of ours: an argument could be read by every process of this host.
  curl_settings "$url?versionId=null" >"$work/probe"
  reached rights child env -i LC_ALL=C PATH="$PATH" HOME="$work" curl --disable --config "$work/probe" >"$work/answer" || broken rights "$(said "$work/rclone.err")"
  rm -f -- "$work/probe"
  code=$(tail -n 1 -- "$work/answer") answer=$(<"$work/answer")
  word=''
  if [[ $answer =~ \<Code\>([A-Za-z]+)\</Code\> ]]; then word=${BASH_REMATCH[1]}; fi
  end "answer=$code${word:+ $word}"
  if [[ $code == 403 && $word == AccessDenied ]]; then
    log 'check: rights: this credential cannot delete'
  elif [[ $code == 20[04] || $word == NoSuchVersion || $word == NoSuchKey ]]; then
    if [[ ${setting[MAY_DELETE]} == yes ]]; then
      log 'check: rights: this credential can DELETE, as MAY_DELETE=yes says it may'
    else
      problem too-broad "this credential can DELETE what it publishes: whoever takes this host over takes the copies with it. Give it list, read and write alone (ops/rclone/rclone.conf.example); where the store knows no such credential, say MAY_DELETE=yes and keep snapshots that it cannot reach"
    fi
  else
    unjudged "the store answered ${code:-nothing}${word:+ $word} to a delete of what is not there"
  fi
}

# usage: unjudged WHY
unjudged() { log "check: rights are NOT judged: $1. See by hand that this host's credential can list, read and write, and not delete"; }

# usage: remote_settings REMOTE    Fills the caller's `of` with what RCLONE_CONFIG says of it.
remote_settings() {
  local key value
  reached rights rc config show "$1" >"$work/remote" || broken rights "RCLONE_CONFIG knows no remote '$1'"
  while IFS='=' read -r key value; do
    key=${key%% *}
    [[ ! $key =~ ^[a-z0-9_]+$ ]] || of[$key]=${value# }
  done <"$work/remote"
  rm -f -- "$work/remote"
}

# usage: curl_settings URL    What curl is told: the request, signed with the keys of the caller's `of` (AWS signature 4).
curl_settings() {
  local empty=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  printf '%s = "%s"\n' url "$1" request DELETE user "$(quoted "${of[access_key_id]}:${of[secret_access_key]}")" aws-sigv4 "aws:amz:${of[region]:-us-east-1}:s3" \
    header "x-amz-content-sha256: $empty" connect-timeout 15 max-time 60 write-out '\n%{http_code}'
  [[ -z ${of[session_token]:-} ]] || printf 'header = "%s"\n' "$(quoted "x-amz-security-token: ${of[session_token]}")"
  printf 'silent\nshow-error\n'
}

# usage: quoted TEXT    As it stands between the quotes of curl's configuration.
quoted() {
  local text=${1//\\/\\\\}
  printf %s "${text//\"/\\\"}"
}
