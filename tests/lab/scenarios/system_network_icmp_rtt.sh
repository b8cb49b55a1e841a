# Pings through Open vSwitch's internal port, and without it: every stage of both legs, upcalls with a known delay,
# each delay in its part, what is lost or comes twice.
# clock: instructions
# ci: 6.1
# timeout: 900

need_kprobes
need_cmd python3
need_module openvswitch sch_netem
modprobe -a openvswitch sch_netem
SEND=$REPO/build/tests/traffic/nt-send
TOOL=system_network_icmp_rtt
ns_add a b
ip link add up0 netns a address 02:77:00:00:00:0f type veth peer name vb netns b address 02:77:00:00:00:02
ip -n a link set up0 up
NS_A=a NS_B=b
ovs() { in_a python3 "$LAB_DIR/ovs.py" "$@"; }
ovs dp br0 up0      # ports: br0 is 0, up0 1
ip -n a link set br0 address 02:77:00:00:00:01
lab_end a br0 1 2
lab_end b vb 2 1
settle a b
flows() {   # PORTS: out of these ports
    for port in "$@"; do
        for type in 0x0800 0x86dd; do ovs flow br0 in_port="$port" type=$type -- output=$((1 - port)); done
    done
}
ICMP='select(.type == "event")'
# The switch's own struct is known to kernels with BTF of modules (5.11).
OUT='["ip_out","internal_xmit","ovs_process","ovs_upcall","ovs_exec","ovs_send","phy_queue"]'
IN='["phy_rx","ovs_hook","ovs_process","ovs_upcall","ovs_exec","ovs_send","backlog_enq","backlog_deq","ip_rcv","l4_rcv"]'
if ! knows_type vport openvswitch; then
    OUT=${OUT/\"ovs_send\",/} IN=${IN/\"ovs_send\",/}
fi
NO_UP='map(select(. != "ovs_upcall" and . != "ovs_exec"))'
adds_up() {
    check_jq "$1: each session is counted once, and its parts are the whole" "$1" '(.[-1] | .started == .completed +
        .dropped_total + .elsewhere + .lost.map_full + .lost.evicted and .lost.evicted == .timed_out_total +
        .superseded + .unfinished) and (map(select(.type == "event" and .ended == "complete")) |
        all(.rtt_us - .leg1_us - .external_us - .leg2_us | fabs < 0.01) and
        all(([.stages[].delta_us] | add) - .rtt_us | fabs < 0.02) and all([.stages[].ts_ns] | . == sort))'
}
all_parts() { tail -n 1 "$1.json" | jq -r '.stages[] | "# \(.direction) \(.from) > \(.to): \(.hist.count), \(.hist.p50) us"'; }

# --- the first ping of a host has no flow, and user space needs 50 ms; the others have one -------------
flows 1
bg_in a vswitchd python3 "$LAB_DIR/ovs.py" handle br0 50 0=output=1
wait_for 60 grep -q ready vswitchd.out
nt_start_in a first $TOOL --interface up0 'not src host 10.77.0.2'
nt_start_in a first_rx $TOOL -k -i up0 -r rx -d 10.77.0.1 -s 10.77.0.2
in_a ping -n -q -c 1 -W 5 10.77.0.2 >/dev/null
in_b ping -n -q -c 1 -W 5 10.77.0.1 >/dev/null
in_a ping -n -q -c 1 -W 5 fd77::2 >/dev/null
bg_stop vswitchd
flows 0
in_a "$SEND" ping --to 10.77.0.2 --count 20 --id 4 --interval-us 5000 --per-seq >sent4.json
in_a "$SEND" ping --to fd77::2 --count 20 --id 6 --interval-us 5000 --per-seq >sent6.json
in_b "$SEND" ping --to 10.77.0.1 --count 20 --id 5 --interval-us 5000 >/dev/null
for name in first first_rx; do nt_stop $name; lost_zero $name; adds_up $name; done
all_parts first
check_jq "the first ones: 50 ms in the upcall of the request, all stages" first "map($ICMP | select(has(\"upcall_us\"))) |
    length == 2 and all(.upcall_us >= 50000 and .upcall_us < 52500 and .leg1_upcall_us == .upcall_us and
    (has(\"leg2_upcall_us\") | not) and .leg1_us - .upcall_us < 2000 and .leg1_ovs_us >= .upcall_us and
    .external_us < 1000 and .leg2_us < 1000 and [.stages[] | select(.leg == 1) | .stage] == $OUT and
    [.stages[] | select(.leg == 2) | .stage] == ($IN | $NO_UP))"
check_jq "20 and 20 more: no upcall" first "map($ICMP | select(has(\"upcall_us\") | not)) | length == 40 and
    all(([.stages[] | select(.leg == 1) | .stage] == ($OUT | $NO_UP)) and .leg1_us < 1000 and .rtt_us < 2000 and
    [.stages[] | select(.leg == 2) | .stage] == ($IN | $NO_UP) and .ended == \"complete\" and .last_stage == \"l4_rcv\")"
check_jq "who, where" first "map($ICMP) | all(.direction == \"tx\" and .ttl == 64 and .ifname == \"up0\" and
    .leg2_ifname == \"up0\" and .pid > 0 and .comm != null and (if .ip_version == 4 then .src_ip == \"10.77.0.1\" and
    .protocol == \"icmp\" and .len_bytes == 84 else .dst_ip == \"fd77::2\" and .protocol == \"icmpv6\" and .len_bytes == 104 end))"
check_jq "the end" first '.[-1] | .events == 42 and .started == 42 and .elsewhere == 0 and .completed == 42 and .upcalls == 2 and .rtt.count == 42 and
    .leg1.count == 42 and .external.count == 42 and .leg2.count == 42'
check_jq "stacks" first "[.[] | $ICMP | .stages[]] | (map(select(has(\"stack\"))) | length) > 0.9 * length and
    (map(select(.stage == \"ip_out\" and has(\"stack\"))) | all(.stack[0] | test(\"^__ip6?_local_out\")))"
check_jq "the pinged side: the answer has the upcall" first_rx "map($ICMP) | length == 21 and
    all(.direction == \"rx\" and .src_ip == \"10.77.0.2\" and .dst_ip == \"10.77.0.1\" and (has(\"pid\") | not) and
    ([.stages[] | select(.leg == 1) | .stage] == ($IN | $NO_UP)) and ([.stages[] | select(.leg == 2) | .stage] | $NO_UP) ==
    ($OUT | $NO_UP)) and (map(select(has(\"leg2_upcall_us\"))) | length == 1 and all(.upcall_us >= 50000 and
    .upcall_us < 52500 and .leg2_us - .upcall_us < 2000 and [.stages[] | select(.leg == 2) | .stage] == $OUT))"
for n in 4 6; do
    jq -s -c --slurpfile s sent$n.json "(map($ICMP | select(.icmp_id == $n)) | map([.icmp_seq, .rtt_us]) | sort) as \$t |
        [\$t, (\$s[0].per_seq | sort)] | transpose | map(select(.[0][0] == .[1][0]) | .[1][1] - .[0][1]) |
        {n: length, min: min, p50: sort[length / 2 | floor]}" first.json >diff.json
    note "nt-send's times minus ours, IPv$n: $(cat diff.json)"
    check "pings compared by seq" "$(jq .n diff.json)" == 20
    check "ours never longer than nt-send's, us" "$(jq .min diff.json)" '>=' 0
    check "median difference, us" "$(jq .p50 diff.json)" '<' 100
done

# --- each delay in its part; which end is local -----------------------------------------------------------
netem vb b delay 20ms
netem br0 a delay 10ms
nt_start_in a tx2 $TOOL -k -i up0 -s 10.77.0.2 -d 10.77.0.1
nt_start_in a both $TOOL -k -i up0 -r both -s 10.77.0.1 -d 10.77.0.2
in_a ping -n -q -c 10 -i 0.05 10.77.0.2 >/dev/null
in_b ping -n -q -c 7 -i 0.05 10.77.0.1 >/dev/null
for name in tx2 both; do nt_stop $name; lost_zero $name; adds_up $name; done
all_parts both
for name in tx2 both; do
    check_jq "$name: 20 ms outside, 10 ms before the internal port" $name "map($ICMP | select(.direction == \"tx\")) | length == 10 and
        all(.src_ip == \"10.77.0.1\" and .external_us >= 20000 and .external_us < 20500 and .leg2_us < 1000 and
        .leg1_us >= 10000 and .leg1_us < 10700 and (.stages | map(select(.delta_us > 5000) | [.leg, .stage]) ==
        [[1, \"internal_xmit\"], [2, \"phy_rx\"]]))"
done
for name in both; do
    check_jq "$name: the answer waits at the internal port" $name "map($ICMP | select(.direction == \"rx\")) | length == 7 and
        all(.src_ip == \"10.77.0.2\" and .external_us < 1000 and .leg1_us < 1000 and .leg2_us >= 10000 and
        .leg2_us < 10700)"
done
check_jq "figures of both" both "(map($ICMP) | length) == 17 and (.[-1] | .events == 17 and .tx.rtt.count == 10 and
    .rx.rtt.count == 7 and .tx.external.min >= 20000 and .rx.leg2.min >= 10000 and .tx.leg2.p50 < 1000 and
    ([.stages[] | select(.direction == \"tx\") | .hist.sum] | add) - .tx.rtt.sum < 1)"
in_a tc qdisc del dev br0 root

# --- what comes twice, what does not come, what this host drops ---------------------------------------------
netem vb b delay 1ms duplicate 100%
nt_start_in a lost $TOOL -k --debug -i up0 --timeout-ms 300
in_a "$SEND" ping --to 10.77.0.2 --count 20 --id 9 --interval-us 5000 --timeout-ms 100 >/dev/null
netem vb b loss 100%
in_a "$SEND" ping --to 10.77.0.2 --count 5 --id 10 --interval-us 2000 --timeout-ms 50 >/dev/null
wait_for 30 eval '[ "$(events lost ".ended == \"timeout\"")" -ge 5 ]' || true
tc -n b qdisc del dev vb root
netem br0 a loss 100%
in_a "$SEND" ping --to 10.77.0.2 --count 4 --id 12 --interval-us 2000 --timeout-ms 50 >/dev/null
ovs del br0
ovs dp br0 up0
ip -n a link set br0 address 02:77:00:00:00:01
lab_end a br0 1 2
flows 0             # replies have no flow now, and nobody to ask
in_a "$SEND" ping --to 10.77.0.2 --count 3 --id 11 --interval-us 2000 --timeout-ms 50 >/dev/null
sleep 0.5
nt_stop lost
adds_up lost
check_jq "each reply twice" lost '.[-1] | .completed == 20 and .duplicate_replies == 20 and .rtt.count == 20 and
    (.debug | map(select(.hook == "l4_rcv")) | length == 1 and .[0].seen == 20)'
check_jq "lost outside: the request was sent" lost "map($ICMP | select(.icmp_id == 10)) | length == 5 and
    all(.ended == \"timeout\" and .last_stage == \"phy_queue\" and (has(\"rtt_us\") | not))"
check_jq "dropped by this host" lost "map($ICMP | select(.icmp_id == 12)) | length == 4 and all(.ended == \"dropped\" and
    .last_stage == \"ip_out\" and (.drop_location | length > 3))"
check_jq "and counted with place" lost '.[-1] | .dropped_total == 7 and (.dropped | sort_by(.leg) | length == 2 and
    (.[0] | .leg == 1 and .after == "ip_out" and .count == 4 and .direction == "tx" and (has("upcall_error") | not)) and
    (.[1] | .leg == 2 and .after == "ovs_upcall" and .count == 3 and .upcall_error == "ENOTCONN"))'
check_jq "lost in the switch" lost "map($ICMP | select(.icmp_id == 11)) | length == 3 and all(.ended == \"dropped\" and
    .last_stage == \"ovs_upcall\" and .upcall_error == \"ENOTCONN\" and .external_us > 0)"
jq -c 'select(.type == "end") | {dropped, timed_out, lost}' lost.json

# --- without the switch ------------------------------------------------------------------------------------------
ovs del br0
lab_end a up0 1 2
ip -n b neighbour replace 10.77.0.1 lladdr 02:77:00:00:00:0f dev vb nud permanent
ip -n b neighbour replace fd77::1 lladdr 02:77:00:00:00:0f dev vb nud permanent
nt_start plain $TOOL -k -r both
nt_start_in a other $TOOL -k -i lo -d 10.77.0.2
nt_start_text text $TOOL -r both
in_a ping -n -q -c 10 -i 0.01 10.77.0.2 >/dev/null
in_a ping -n -q -c 10 -i 0.01 fd77::2 >/dev/null
in_a ping -n -q -c 2 -i 0.01 -s 8000 10.77.0.2 >/dev/null
for name in plain other; do nt_stop $name; lost_zero $name; adds_up $name; done
nt_stop text
check_jq "stages, both ways" plain "map($ICMP) | (map(select(.direction == \"tx\")) | length == 22 and
    all([.stages[].stage] == [\"ip_out\", \"phy_queue\", \"phy_rx\", \"ip_rcv\", \"l4_rcv\"])) and
    (map(select(.direction == \"rx\")) | length == 22 and
    all([.stages[].stage] == [\"phy_rx\", \"ip_rcv\", \"l4_rcv\", \"ip_out\", \"phy_queue\"]))"
check_jq "by length" plain "map($ICMP) | group_by(.len_bytes) | map([.[0].len_bytes, length]) ==
    [[84, 20], [104, 20], [8028, 4]]"
check_jq "another device: incomplete legs" other "map($ICMP) | length == 12 and
    all([.stages[].stage] == [\"ip_out\", \"l4_rcv\"] and .ended == \"complete\" and (has(\"ifname\") | not))"
check "blocks in text" "$(grep -c '^[0-9:.]*  [tr]x  .* rtt ' text.txt)" == 44
check "sums in text" "$(grep -c '^    = request .* + reply ' text.txt)" == 44
check "lines wider than the terminal" "$(tail -n +3 text.txt | awk 'length > 100' | wc -l)" == 0
check "blanks at line ends" "$(grep -c ' $' text.txt || true)" == 0
