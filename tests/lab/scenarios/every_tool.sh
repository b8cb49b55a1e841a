# Every tool: what doctor says is what running it does.
# ci: new
# where: guest host
# timeout: 800

lab_need_nettrace
tool_modules
mapfile -t tools < <("$NETTRACE" list --json | jq -r .name)
declare -A args
tool_args
check "there are tools" "${#tools[@]}" '>=' 5

# shellcheck disable=SC2086	# args are words
# run FILE JSON-MEMBERS TOOL ARGS...: a line {..., "code", "first": its first record} in FILE.
run() {
    local file=$1 members=$2 code=0
    shift 2
    "$NETTRACE" "$@" --json --duration 0.05 >one.out 2>>runs.err </dev/null || code=$?
    printf '{%s,"code":%d,"first":%s}\n' "$members" "$code" "$(head -n 1 one.out | grep . || echo null)" >>"$file"
}

# agrees WHAT NAME: doctor's states, hooks and missing hooks are those of the runs.
agrees() {
    "$NETTRACE" doctor --json >"doctor-$2.json" 2>doctor.err
    rm -f "runs-$2.json"
    for tool in "${tools[@]}"; do run "runs-$2.json" "\"tool\":\"$tool\"" "$tool" ${args[$tool]:-}; done
    check "$1" "$(jq -s -c --slurpfile doctor "doctor-$2.json" '
        ($doctor[0].tools | map({key: .name, value: .}) | from_entries) as $said | map(
        (if .code == 3 then "unavailable" elif .code != 0 then "code \(.code)"
         elif .first.missing_hooks == [] and .first.missing_types == null then "ok" else "degraded" end) as $is
        | $said[.tool] as $d
        | select($is != $d.state or $d.tried != true or ($is != "unavailable" and
            (.first.hooks != $d.hooks or .first.missing_hooks != $d.missing_hooks or
                .first.missing_types != $d.missing_types))
            or ($is == "unavailable" and ($d.detail | length) == 0))
        | {tool, $is, said: $d.state})' "runs-$2.json")" == '[]'
}

agrees "doctor agrees with what happens" plain
if in_guest; then
    check "nothing is unavailable here" \
        "$(jq -c '[.tools[] | select(.state == "unavailable") | .name]' doctor-plain.json)" == '[]'
    check "kprobes and tracepoints are found" \
        "$(jq -c '[.abilities | .permission, .kprobe, .raw_tp, .tracepoints | .available] | all' doctor-plain.json)" == true
    # a kernel of one's own may have them built in
    check "its modules are found" "$(jq -c '[.modules[] | select(.name == "tun" or .name == "vhost_net").state] | unique' \
        doctor-plain.json)" =~ '^\["(loaded|built in)"\]$'
fi

# shellcheck disable=SC2086	# args are words
# A plan that the kernel refuses costs a second load of all programs. arm64 refuses trampolines before 6.4.
if in_guest && [ "$(uname -m)" = x86_64 ]; then
    for tool in "${tools[@]}"; do
        "$NETTRACE" "$tool" ${args[$tool]:-} --dry-run --json 2>>plans.err | jq -c 'select(.type == "plan")' >>plans.json
    done
    check "what is planned is attached" "$(jq -n -c --slurpfile plan plans.json --slurpfile run runs-plain.json '
        ($plan | map({key: .tool, value: .hooks}) | from_entries) as $planned |
        [$run[] | select(.code == 0 and .first.hooks != $planned[.tool]).tool]')" == '[]'
    check "all plans were made" "$(wc -l <plans.json)" == "${#tools[@]}"
fi

# --- a kernel without BTF ----------------------------------------------------
if in_guest && has_typed; then
    mount -t tmpfs none /sys/kernel/btf
    defer umount /sys/kernel/btf
    agrees "doctor agrees without BTF" hidden
    check "BTF is missed" "$(jq -c '.abilities.btf.available' doctor-hidden.json)" == false
    check "and the remedy is said" "$(jq -c '[.tools[] | select(.state == "unavailable").detail | test("--btf")] | any and all' doctor-hidden.json)" == true
fi
