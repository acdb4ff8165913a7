# shellcheck shell=bash
# The rule of retention, the same for the sets on the host and in the store. Sourced by both who prune. docs/retention.md says it in words.

# usage: judge NOW DAILY MONTHLY LEAST <IDS    The rule. IDS are those of the good sets, oldest first; prints a line for each:
# keep|remove|future ID WHY. No process, and no clock but NOW.
judge() {
  local latest ids id at day='' month='' nth_day=0 nth_month=0 nth=0 plan=()
  printf -v latest '%(%FT%H%M%SZ)T' $(($1 + 300))
  mapfile -t ids
  for ((at = ${#ids[@]} - 1; at >= 0; at--)); do
    id=${ids[at]}
    if [[ $id > $latest ]]; then
      plan[at]="future $id later than now: not counted, not touched"
      continue
    fi
    nth=$((nth + 1))
    if [[ ${id:0:10} != "$day" ]]; then day=${id:0:10} nth_day=$((nth_day + 1)); fi
    if [[ ${id:0:7} != "$month" ]]; then month=${id:0:7} nth_month=$((nth_month + 1)); fi
    if ((nth_day <= $2)); then
      plan[at]="keep $id one of the $2 newest days"
    elif ((nth_month <= $3)) && { ((at == 0)) || [[ ${ids[at - 1]:0:7} != "$month" ]]; }; then
      plan[at]="keep $id first of $month"
    elif ((nth <= $4)); then
      plan[at]="keep $id among the $4 that always stay"
    elif ((nth_month <= $3)); then
      plan[at]="remove $id past the $2 newest days, and not the first of $month"
    else
      plan[at]="remove $id past the $2 newest days, and $month past the $3 newest months"
    fi
  done
  ((${#plan[@]} == 0)) || printf '%s\n' "${plan[@]}"
}
