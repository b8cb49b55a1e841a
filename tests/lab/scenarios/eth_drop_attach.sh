# The same drops by each kind of hook and of buffer.
# ci: 5.10 new
# where: guest host
# timeout: 400

TRAFFIC=$REPO/build/tests/traffic
topo_pair
VLAN=0277000000020277000000aa8100a06408004500003010010000401156200a4d00010a4d0002045708fc001c0000000102030405060708090a0b0c0d0e0f10111213

# Of all kinds the same packets, the same place, the same stack. (The buffers of two CPUs are read
# one after the other: no order.)
same() {
    jq -c 'select(.type == "event") | [.ifname, .reason, .location, .location_raw, .vlan, .src_mac, .dst_mac,
        .protocol, .src_ip, .dst_ip, .src_port, .dst_port, .ttl, .ip_id, .len_bytes, .stack]' "$1.json" | sort | md5sum
}

ATTACH="raw:--attach=kprobe perf:--perf-buffer rawperf:--perf-buffer,--attach=kprobe"
if has_typed; then ATTACH+=" typed:--attach=fentry"; fi
# Functions need more than this build machine's kernel has.
if in_guest; then ATTACH+=" deferred:--deferred rawdeferred:--deferred,--attach=kprobe"; fi

# In the namespace: what other namespaces of a shared machine drop does not count.
nt_start_in b ring eth_drop --rate 0 -i vb
for kind in $ATTACH; do
    IFS=, read -ra args <<<"${kind#*:}"
    nt_start_in b "${kind%%:*}" eth_drop --rate 0 "${args[@]}" -i vb
done
in_a "$TRAFFIC/nt-send" udp --to 10.77.0.2 --port 9 --count 50
in_a "$TRAFFIC/nt-send" udp --to fd77::2 --port 9 --count 50
in_a "$TRAFFIC/nt-send" tcp-connect --to 10.77.0.2 --port 9 --count 20
in_a "$TRAFFIC/nt-send" raw --dev va --hex $VLAN --count 5
sleep 0.5
for kind in ring $ATTACH; do
    kind=${kind%%:*}
    nt_stop "$kind"
    lost_zero "$kind"
    check "$kind: events" "$(events "$kind" '.type == "event"')" == 125
    check "$kind: the same as with a ring buffer" "$(same "$kind")" == "$(same ring)"
done

via() { head -n 1 "$1.json" | jq -r ".hooks[] | select(.name | test(\"$2\")) | .via"; }
! has_typed || check "hook of typed" "$(via typed kfree_skb\$)" == tp_btf
check "hook of raw" "$(via raw kfree_skb\$)" == raw_tp
check "hook of rawperf" "$(via rawperf kfree_skb\$)" == raw_tp
if in_guest; then
    check "hook of deferred" "$(via deferred irq)" == "$(have_fentry && echo fentry || echo kprobe)"
    check "hook of rawdeferred" "$(via rawdeferred irq)" == kprobe
    check "deferred misses no hook" "$(head -n 1 deferred.json | jq -c .missing_hooks)" == '[]'
fi
