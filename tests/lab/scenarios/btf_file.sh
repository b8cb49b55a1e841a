# A file of the kernel's BTF, made here; then the kernel's own is hidden, and every tool counts
# right with the file: by --btf, and from the folder beside the program. Without any: exit 3.
# ci: 6.1
# kernels: 5.10 6.1
# timeout: 500

need_module tun sch_netem
need_kprobes
TRAFFIC=$REPO/build/tests/traffic
TOOLS="eth_drop iface_netstat kernel_drop_stack_stats_summary kernel_icmp_rtt tun_ring_monitor"
# states FILE: what btf check or doctor says of these tools.
states() { jq -c --arg tools "$TOOLS" '[.tools[] | select(.name | inside($tools)).state]' "$1"; }
has_reasons() { kernel_at_least 5.17; }
modprobe tun
modprobe -q openvswitch || true
modprobe -q vxlan || true
defer modprobe -rq openvswitch	# conntrack, which it brings, would put the fragments of later scenarios together

mkdir bin
cp "$NETTRACE" bin/nettrace
NETTRACE=$WORK/bin/nettrace

# --- the file ---------------------------------------------------------------------
modules=()
for module in tun nf_conntrack openvswitch vxlan; do
    [ ! -e /sys/kernel/btf/$module ] || modules+=("/sys/kernel/btf/$module")
done
has_ring() { [ ${#modules[@]} -gt 0 ]; }
nt_run make 0 btf make /sys/kernel/btf/vmlinux "${modules[@]}" -o all.btf
note "$(cat make.err)"
check "bytes of the file" "$(stat -c %s all.btf)" '<=' 65536
nt_run one 0 btf make /sys/kernel/btf/vmlinux --tool iface_netstat -o one.btf
check "one tool's is smaller" "$(stat -c %s one.btf)" '<' "$(stat -c %s all.btf)"
if has_ring; then
    check_fails "nothing is missing" grep -q 'in no file' make.err
else
    check_ok "what is missing is named" grep -q 'in no file: .*struct tun_struct' make.err
fi
nt_run check 0 btf check all.btf --json
want=ok
has_ring || want=degraded
check "verdicts" "$(states check.out)" == '["ok","ok","ok","ok","'$want'"]'
check "no field is missed" "$(jq '[.tools[].failing[]] | length' check.out)" == 0
nt_run foreign 1 btf check one.btf tun_ring_monitor eth_drop --json
check_ok "another tool's fields are not in it" jq -e '[.tools[].failing[]] | length > 0' foreign.out

# A file does not keep a kernel that has BTF from attaching by type.
nt_run typed 0 eth_drop --btf all.btf --duration 0.1 --json
check "with its own BTF there too" "$(head -n 1 typed.out | jq -r '.hooks[0].via')" == tp_btf

# --- the kernel's own is gone -----------------------------------------------------
hide() { mount -t tmpfs none /sys/kernel/btf && defer umount -q /sys/kernel/btf; }
hide
for tool in $TOOLS; do
    args=()
    [ "$tool" != iface_netstat ] || args=(-n lo)
    nt_run "none_$tool" 3 "$tool" "${args[@]}" --duration 1
    check "$tool says what to do" "$(cat "none_$tool.err")" =~ \
        "^nettrace $tool: no BTF for this kernel: .*--btf"
done
nt_run doctor 0 doctor --json
check "doctor agrees" "$(states doctor.out | jq -c unique)" == '["unavailable"]'
nt_run list 0 btf list
check "nothing is known" "$(cat list.out)" == ''

# --- known traffic ----------------------------------------------------------------
topo_pair
netem vb b delay 20ms
in_a ping -n -q -c 2 -i 0.05 10.77.0.2 >/dev/null

# every NAME ARGS...: all tools on the same traffic
every() {
    local n=$1
    shift
    rm -f go end
    bg "tap$n" "$TRAFFIC/nt-tap" --name tap0 --qlen 64 --frames 100 --two-flows --wait-file go --hold-file end
    wait_for 20 grep -q ready "tap$n.out"
    nt_start_in b "drops$n" eth_drop -i vb --rate 0 udp "$@"
    nt_start_in b "stats$n" kernel_drop_stack_stats_summary -n vb -i 100 --group-by stack udp "$@"
    nt_start_in a "sizes$n" iface_netstat -n va -i 100 udp port 9 "$@"
    nt_start_in a "rtt$n" kernel_icmp_rtt -k "$@"
    nt_start "ring$n" tun_ring_monitor -d tap0 --all "$@"
    in_a "$TRAFFIC/nt-send" udp --to 10.77.0.2 --port 9 --count 50
    in_a "$TRAFFIC/nt-send" udp --to fd77::2 --port 9 --count 30
    in_a ping -n -c 21 -i 0.05 10.77.0.2 >"ping$n.out"
    touch go
    wait_for 30 grep -q tx_dropped "tap$n.out"
    wait_for 5 eval "[ \"\$(events rtt$n '.type == \"event\"')\" -ge 21 ]" || true
    for tool in drops stats sizes rtt ring; do
        nt_stop "$tool$n"
        lost_zero "$tool$n"
    done
    touch end
    wait_for 10 eval "! lab_alive $(pid_of "tap$n")"
    bg_stop "tap$n"
}

ping_median_us() {
    sed -n 's/.* time=\([0-9.]*\) ms.*/\1/p' "ping$1.out" | sort -n | awk 'NR == 11 { print $1 * 1000 }'
}

# figures NAME: ground truth of every
figures() {
    local reason=NO_SOCKET median
    has_reasons || reason=-
    check_jq "eth_drop$1" "drops$1" "map(select(.type == \"event\")) | length == 80 and
        all(.ifname == \"vb\" and .reason == \"$reason\" and .dst_port == 9 and (.location | test(\"^__udp[46]_lib_rcv\")))
        and (map(select(.dst_ip == \"10.77.0.2\")) | length) == 50"
    check_jq "kernel_drop_stack_stats_summary$1" "stats$1" '.[-1] | .drops == 80'
    check_jq "iface_netstat$1" "sizes$1" '.[-1] | (.tx | map(.packets) | add) == 80 and
        (.tx | map(.bytes) | add) == 50 * 142 + 30 * 162'
    check_jq "kernel_icmp_rtt$1: 21, all stages" "rtt$1" 'map(select(.type == "event")) | length == 21 and
        all(.ended == "complete" and (.stages | length) == 6 and .comm == "ping")'
    # A busy machine delays both; ping stops its clock at phy_rx, we at icmp_rcv, five tools later.
    median=$(jq -s 'map(select(.type == "event").rtt_us) | sort[10]' "rtt$1.json")
    check "kernel_icmp_rtt$1: median, us" "$median" '>=' 20000
    check "kernel_icmp_rtt$1: as ping saw it, us" "$median" '<' "$(($(ping_median_us "$1") + 2000))"
    check_jq "tun_ring_monitor$1" "ring$1" '.[-1] | .packets == 100 and .drops == 36'
    check_jq "only kprobes and raw tracepoints$1" "ring$1" \
        'all(.[0].hooks[]; .via == "kprobe" or .via == "kretprobe" or .via == "raw_tp")'
    if has_ring; then
        check_jq "the ring$1" "ring$1" 'map(select(.type == "event")) | length == 100 and
            [.[].ring_queued] == [range(64), range(36) * 0 + 64]'
        check_jq "its size$1" "ring$1" '.[-1].queues[0] | .ring_known and .ring_size == 64'
    else
        check_jq "no ring, and it says so$1" "ring$1" '.[-1].queues[0].ring_known == false and
            (.[0].missing_types[0] | .module == "tun" and (.why | test("has no types of module tun")))'
    fi
}

every 1 --btf all.btf --attach kprobe --perf-buffer
figures 1

# --- the folder beside the program -----------------------------------------------
mkdir -p "bin/nettrace-btf/$(uname -m)"
cp all.btf "bin/nettrace-btf/$(uname -m)/$(uname -r).btf"
nt_run list2 0 btf list --json
check "it is found, and used" "$(jq -c '[.source, .used, .release]' list2.out)" == "[\"beside\",true,\"$(uname -r)\"]"
every 2
figures 2
nt_run doctor2 0 doctor --json
check "doctor agrees" "$(states doctor2.out)" == '["ok","ok","ok","ok","'$want'"]'

# A broken file there is told, not passed over.
head -c 900 all.btf >"bin/nettrace-btf/$(uname -m)/$(uname -r).btf"
nt_run broken 3 eth_drop --duration 1
check "and what is wrong with it" "$(cat broken.err)" =~ "^nettrace eth_drop: cannot use as BTF: .*$(uname -r).btf: it is cut short"

# --- a kernel that has BTF, but none of its module ----------------------------------
umount /sys/kernel/btf
if ! has_ring; then
    rm -r bin/nettrace-btf
    nt_run nomod 0 tun_ring_monitor --duration 0.1 --json
    check "says that the module's BTF is missing" "$(head -n 1 nomod.out | jq -r '.missing_types[0].why')" =~ \
        '^this kernel has no BTF for module tun: make a file with nettrace btf make .* --btf'
    nt_run doctor3 0 doctor tun_ring_monitor
    check_ok "so does doctor" grep -q '^  tun_ring_monitor  *degraded' doctor3.out
    check_ok "with the remedy" grep -q '^ *make a file with nettrace btf make .* --btf' doctor3.out
fi

# A file that knows tun, made as docs/btf.md says: given, and found because the tool needs it. The
# other tools go on with the kernel's own.
known=$REPO/tests/data/btf/$(uname -m)/$(uname -r).btf
if ! has_ring && [ -e "$known" ]; then
    every 3 --btf "$known"
    mkdir -p "bin/nettrace-btf/$(uname -m)"
    cp "$known" "bin/nettrace-btf/$(uname -m)/"
    every 4
    ring='map(select(.type == "event")) | [.[].ring_queued] == [range(64), range(36) * 0 + 64] and
        all(.ring_size == 64 and .num_queues == 1)'
    for n in 3 4; do
        check_jq "the ring$n" ring$n "$ring"
        check_jq "nothing is missing$n" ring$n '.[0] | has("missing_types") | not'
        check_jq "typed all the same$n" drops$n '[.[0].hooks[].via] == ["tp_btf"]'
        check_jq "eth_drop$n" drops$n '.[-1].events == 80'
        check_jq "kernel_icmp_rtt$n" rtt$n 'map(select(.type == "event")) | length == 21 and
            all(.ended == "complete" and (.stages | length) == 6)'
    done
    check_jq "the kernel's own where it suffices" drops4 '.[0] | has("btf") | not'
    nt_run doctor4 0 doctor tun_ring_monitor
    check_ok "doctor: ok" grep -q '^  tun_ring_monitor  *ok' doctor4.out
elif ! has_ring; then
    note "no file that knows tun for $(uname -r): make one as docs/btf.md says"
fi
