# Any hook of any tool may be missing: a required one costs the tool, an optional one itself.
# ci: never
# where: guest host
# timeout: 1500

lab_need_nettrace
tool_modules
mapfile -t tools < <("$NETTRACE" list --json | jq -r .name)
declare -A args done_before
tool_args

# shellcheck disable=SC2086	# args are words
for tool in "${tools[@]}"; do
    "$NETTRACE" "$tool" ${args[$tool]:-} --dry-run --json >plan.json
    # Tools of one family have one table.
    table=$(jq -c '[.candidates[] | [.hook, .need, .state]]' plan.json)
    [ -z "${done_before[$table]:-}" ] || continue
    done_before[$table]=1
    # One that is unavailable with all of them says nothing about one (on a host without kprobes).
    code=0
    "$NETTRACE" "$tool" ${args[$tool]:-} --json --duration 0.05 >one.out 2>>runs.err </dev/null || code=$?
    [ $code != 3 ] || continue
    while read -r hook need; do
        code=0
        "$NETTRACE" "$tool" ${args[$tool]:-} --json --duration 0.05 --without "$hook" >one.out 2>>runs.err </dev/null || code=$?
        printf '{"tool":"%s","hook":"%s","need":"%s","code":%d,"first":%s}\n' "$tool" "$hook" "$need" "$code" \
            "$(head -n 1 one.out | grep . || echo null)" >>without.json
    done < <(jq -r '.candidates[] | select(.state != "not used") | "\(.hook) \(.need)"' plan.json)
done
note "$(wc -l <without.json) runs without a hook"
# Another variant, or none, may stand in for a hook of a variant.
check "a required hook costs the tool, an optional one itself" "$(jq -s -c 'map(
    .hook as $hook | ([.first.missing_hooks[]?.name] | index($hook)) as $missed
    | select((.need == "required" and .code != 3) or (.need == "optional" and (.code != 0 or $missed == null))
        or (.need == "variant" and .code != 0 and .code != 3) or (.code == 3 and .first.type != "error"))
    | {tool, hook, code})' without.json)" == '[]'
