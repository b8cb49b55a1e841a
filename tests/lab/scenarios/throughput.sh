# One packet of a thousand is dropped: the others are not slowed by a tool that watches drops.
# ci: 6.12
# clock: instructions
# timeout: 400

need_cmd nft
SEND=$REPO/build/tests/traffic/nt-send
topo_pair
in_b nft 'add table inet t; add chain inet t in { type filter hook input priority 0; };
    add rule inet t in udp dport 5000 numgen inc mod 1000 0 counter drop'
# All of a burst fit the socket: nothing is dropped but by the rule.
echo 33554432 >/proc/sys/net/core/rmem_default
bg sink ip netns exec "$NS_B" "$SEND" sink --bind 10.77.0.2 --port 5000
wait_for 20 grep -q ready sink.out 2>/dev/null
SINK=$(pid_of sink)
# burst FILE: five times 5000 datagrams, as fast as they go; they are read afterwards.
burst() {
    for _ in 1 2 3 4 5; do
        kill -STOP "$SINK"
        in_a "$SEND" udp --to 10.77.0.2 --port 5000 --count 5000 --rate 0 >>"$1"
        kill -CONT "$SINK"
        sleep 0.2
    done
}
median() { jq -s -c 'map(.seconds) | sort[length / 2 | floor]' "$1"; }

burst warm.json
burst before.json
for tool in eth_drop kernel_drop_stack_stats_summary "eth_drop -p udp --dst-port 5000"; do
    name=${tool//[^a-z]/_}
    # shellcheck disable=SC2086
    nt_start "$name" $tool
    burst warm.json    # the first drop makes it read the kernel's symbols
    sleep 3
    burst "with-$name.json"
    nt_stop "$name"
    burst "after-$name.json"
    without=$(median "after-$name.json") with=$(median "with-$name.json")
    share=$(awk -v a="$without" -v b="$with" 'BEGIN { printf "%.1f", 100 * a / b }')
    note "$tool: $without s without, $with s with it"
    check "$tool: share of the throughput, percent" "$share" '>=' 97
done
check_jq "drops were seen, and no others" eth_drop '.[-1] | .events == 50 and .lost.buffer == 0'
