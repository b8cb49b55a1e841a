# Every tool: what doctor says is what running it does, and any hook of it may be missing.
# ci: 5.10 new
# where: guest host
# timeout: 800

lab_need_nettrace
if in_guest; then
    for module in tun vhost_net kvm_amd openvswitch nf_conntrack vxlan; do modprobe $module 2>/dev/null || true; done
    defer modprobe -rq openvswitch	# conntrack comes with it, which would meddle with later scenarios
fi
mapfile -t tools < <("$NETTRACE" list --json | jq -r .name)
# What a tool cannot start without.
PATH_ARGS="--src-ip 127.0.0.1 --dst-ip 127.0.0.2 --rx-iface lo --tx-iface lo"
declare -A args=([iface_netstat]="-n lo" [drop_monitor_controller]="--interface lo"
    [icmp_drop_detector]=$PATH_ARGS [udp_drop_detector]=$PATH_ARGS [tcp_drop_detector]=$PATH_ARGS
    [phy_net_drop_detector]="-m receiver -i lo")
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
    check "its modules are found" "$(jq -c '[.modules[] | select(.name == "tun" or .name == "vhost_net").state] | unique' \
        doctor-plain.json)" == '["loaded"]'
fi

# --- each hook alone left out ------------------------------------------------
for tool in "${tools[@]}"; do
    # One that is unavailable with all of them says nothing about one (on a host without kprobes).
    ! jq -s -e "any(.tool == \"$tool\" and .code == 3)" runs-plain.json >/dev/null || continue
    "$NETTRACE" "$tool" ${args[$tool]:-} --dry-run --json >"plan-$tool.json"
    while read -r hook need; do
        run without.json "\"tool\":\"$tool\",\"hook\":\"$hook\",\"need\":\"$need\"" "$tool" ${args[$tool]:-} --without "$hook"
    done < <(jq -r '.candidates[] | select(.state != "not used") | "\(.hook) \(.need)"' "plan-$tool.json")
done
note "$(wc -l <without.json) runs without a hook"
# Another variant, or none, may stand in for a hook of a variant.
check "a required hook costs the tool, an optional one itself" "$(jq -s -c 'map(
    .hook as $hook | ([.first.missing_hooks[]?.name] | index($hook)) as $missed
    | select((.need == "required" and .code != 3) or (.need == "optional" and (.code != 0 or $missed == null))
        or (.need == "variant" and .code != 0 and .code != 3) or (.code == 3 and .first.type != "error"))
    | {tool, hook, code})' without.json)" == '[]'

# --- a kernel without BTF ----------------------------------------------------
if in_guest && has_typed; then
    mount -t tmpfs none /sys/kernel/btf
    defer umount /sys/kernel/btf
    agrees "doctor agrees without BTF" hidden
    check "BTF is missed" "$(jq -c '.abilities.btf.available' doctor-hidden.json)" == false
    check "and the remedy is said" "$(jq -c '[.tools[] | select(.state == "unavailable").detail | test("--btf")] | any and all' doctor-hidden.json)" == true
fi
