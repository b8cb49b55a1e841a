# TCP through a router: bulk data with GRO and TSO without a loss, segments that nft, a queue or
# netem drop in known numbers, in both directions, retransmissions after a loss beyond the router.
# ci: 5.10
# where: guest host
# timeout: 300

need_cmd nft ping tc iperf3 python3 ethtool
topo_router
nft_warm
in_a ping -n -q -c 1 10.77.2.2 >/dev/null
in_a ping -n -q -c 1 fd77:2::2 >/dev/null

nft_r() { ip netns exec r nft "$@"; }
drops() { nft_r -j list table inet t | jq '[.nftables[].rule?.expr[]?.counter?.packets // empty] | add'; }
dropped_bytes() { nft_r -j list table inet t | jq '[.nftables[].rule?.expr[]?.counter?.bytes // empty] | add'; }
reason() { if kernel_at_least 5.17; then echo "\"$1\""; else echo '"-"'; fi; }
BALANCE='.[-1] | .total == .complete + .req_internal + .external + .rep_internal + .uncertain + .open + .evicted and
    .control == .control_complete + .control_missing + .control_other'
detect() {
    local name=$1 src=10.77.1.1 dst=10.77.2.2
    [ "$2" = 4 ] || src=fd77:1::1 dst=fd77:2::2
    shift 2
    nt_start_in r "$name" tcp_drop_detector --src-ip $src --dst-ip $dst --rx-iface ra --tx-iface rb "$@"
}
offloads() {
    offloads_$1 a va; offloads_$1 r ra; offloads_$1 r rb; offloads_$1 b vb
}
offloads_on() { ip netns exec "$1" ethtool -K "$2" gso on tso on gro on tx on rx on >/dev/null 2>&1 || true; }
# What a and b have sent again so far.
resent() { echo $(($(retransmits a) + $(retransmits b))); }
retransmits() { ip netns exec "$1" cat /proc/net/snmp | awk '/^Tcp:/ { if (!n++) for (i = 1; i <= NF; i++) c[$i] = i; else print $c["RetransSegs"] }'; }

bg_in b server iperf3 -s -B 10.77.2.2
bg_in b server6 iperf3 -s -B fd77:2::2
wait_for 10 eval '[ "$(ip netns exec b ss -Hltn sport = 5201 | wc -l)" = 2 ]'
bulk() { in_a iperf3 -c 10.77.2.2 -n "$@" >>iperf.txt; }

# --- no loss: whatever the offloads do to the packets ------------------------------------
for v in 4 6; do
    before=$(resent)
    detect bulk$v $v --dst-port 5201 --src-port 0
    detect other$v $v --dst-port 5202
    in_a iperf3 -c $([ $v = 4 ] && echo 10.77.2.2 || echo fd77:2::2) -n 20M >iperf$v.txt
    ip netns exec r ethtool -K rb tso off gso off >/dev/null 2>&1 || true
    in_a iperf3 -c $([ $v = 4 ] && echo 10.77.2.2 || echo fd77:2::2) -n 10M -R >>iperf$v.txt
    in_a iperf3 -c $([ $v = 4 ] && echo 10.77.2.2 || echo fd77:2::2) -n 10M >>iperf$v.txt
    ip netns exec r ethtool -K rb tso on gso on >/dev/null 2>&1 || true
    sleep 1.3
    nt_stop bulk$v
    nt_stop other$v
    again=$(($(resent) - before))    # probes after a late ACK: there is no loss
    check "IPv$v: 40 MB went through" "$(grep -c receiver iperf$v.txt)" == 3
    check_jq "IPv$v: no loss" bulk$v ".[-1] | .req_internal == 0 and .rep_internal == 0 and
        .total > 100 and .complete + .open + .external == .total and .control > 10 and .control_missing == 0 and
        .events == .external and .internal_segments == 0 and .external_segments <= $again"
    check_jq "IPv$v: nothing lost by the tool" bulk$v '.[-1].lost | .buffer == 0 and .evicted == 0 and .unmatched == 0'
    check_jq "IPv$v: it adds up" bulk$v "$BALANCE"
    check_jq "IPv$v: other ports" other$v '.[-1].total == 0'
done

# --- nft drops data, both ways -----------------------------------------------------------
offloads off
nft_r 'add table inet t; add chain inet t c { type filter hook forward priority 0; };
    add rule inet t c tcp dport 5201 meta length > 1000 numgen inc mod 1000 7 counter drop'
before=$(resent)
detect drop 4
bulk 10M
sleep 1.3
nt_stop drop
lost=$(drops)
again=$(($(resent) - before))
check "nft has dropped" "$lost" '>' 3
check "internal segments equal the rule's counter" "$(jq_get drop '.[-1] | .internal_segments')" == "$lost"
check_jq "each with reason and place" drop "map(select(.verdict == \"req_internal\")) | length == $lost and
    all(.drop_reason == $(reason NETFILTER_DROP) and (.drop_location | test(\"^(nf_hook_slow|nft_do_chain)\")) and
    .direction == \"request\" and .control == false and .missing_bytes > 1000 and .tcp_seq > 0)"
check_jq "nothing else is lost" drop ".[-1] | .req_internal + .external == .events and .rep_internal == 0 and
    .external_segments <= $again - $lost"
check_jq "it adds up" drop "$BALANCE"
nft_r flush ruleset
nft_r 'add table inet t; add chain inet t c { type filter hook forward priority 0; };
    add rule inet t c tcp sport 5201 meta length > 1000 numgen inc mod 500 3 counter drop'
detect back 4
bulk 5M -R
sleep 1.3
nt_stop back
check "the other way" "$(jq_get back '.[-1] | [.rep_internal, .req_internal]')" == "[$(drops),0]"
nft_r flush ruleset
nft_r 'add table inet t; add chain inet t c { type filter hook forward priority 0; };
    add rule inet t c tcp dport 81 tcp flags syn limit rate 3/hour burst 3 packets counter drop;
    add rule inet t c tcp sport 82 tcp flags rst limit rate 1/hour burst 1 packets drop'
detect syn 4
in_a "$REPO/build/tests/traffic/nt-send" tcp-connect --to 10.77.2.2 --port 81 --count 5 >/dev/null || true
in_a "$REPO/build/tests/traffic/nt-send" tcp-connect --to 10.77.2.2 --port 82 --count 1 >/dev/null || true
sleep 1
nt_stop syn
check_jq "SYNs count a byte; a RST is control" syn '.[-1].req_internal >= 3 and .[-1].control_missing == 1 and
    (map(select(.verdict == "req_internal")) | all(.tcp_flags == "SYN")) and
    (map(select(.verdict and .control)) | length == 1 and .[0].verdict == "rep_internal" and (.[0].tcp_flags | test("RST")))'
nft_r flush ruleset

# --- with offloads: bytes ------------------------------------------------------------------
offloads on
nft_r 'add table inet t; add chain inet t c { type filter hook forward priority 0; };
    add rule inet t c tcp dport 5201 meta length > 1000 numgen inc mod 100 7 counter drop'
detect gso 4
bulk 20M
sleep 1.3
nt_stop gso
check "nft has dropped" "$(drops)" '>' 0
check "packets equal the rule's counter" "$(jq_get gso '.[-1].req_internal')" == "$(drops)"
# the rule counts IP packets: their headers are 20 bytes of IP and 32 of TCP
check "bytes equal the rule's counter" "$(jq_get gso 'map(select(.verdict == "req_internal").missing_bytes) | add')" == $(($(dropped_bytes) - 52 * $(drops)))
nft_r flush ruleset

# --- a queue that overflows ----------------------------------------------------------------
offloads off
ip netns exec r tc qdisc add dev rb root tbf rate 20mbit burst 5000 limit 30000
detect tbf 4 --timeout-ms 2000
bulk 2M
sleep 2.3
nt_stop tbf
dropped=$(ip netns exec r tc -s -j qdisc show dev rb | jq '.[0].drops')
ip netns exec r tc qdisc del dev rb root
check "the queue overflowed" "$dropped" '>' 3
# shared host: as in udp_drop_detector.sh
in_guest && most=$dropped || most=$((dropped + dropped / 10 + 3))
check_jq "internal equals tc's drops" tbf ".[-1] | .internal_segments + .control_missing |
    . >= $dropped and . <= $most"
check_jq "it adds up" tbf "$BALANCE"

# --- losses beyond the router; the router's own netem -----------------------------------------
if have_module sch_netem; then
    have_module ifb && ip -n b link add ifb0 type ifb && ip -n b link set ifb0 up &&
        in_b tc qdisc add dev vb ingress &&
        in_b tc filter add dev vb parent ffff: matchall action mirred egress redirect dev ifb0 &&
        in_b tc qdisc add dev ifb0 root netem loss 1% limit 10000
    before=$(retransmits a)
    detect beyond 4
    bulk 10M
    sleep 1.3
    nt_stop beyond
    again=$(($(retransmits a) - before))
    note "retransmitted: $again, the tool: $(jq_get beyond '.[-1] | [.external, .external_segments, .spurious_segments]')"
    in_b tc qdisc del dev vb ingress
    check "netem made losses" "$again" '>' 5
    check_jq "none of them here" beyond '.[-1] | .req_internal == 0 and .rep_internal == 0 and .external > 0'
    check_jq "external within 10 % of RetransSegs" beyond \
        ".[-1] | .external_segments + .spurious_segments >= $again * 0.9 and
        .external_segments <= $again * 1.1"
    netem rb r loss 1%
    detect netem 4
    bulk 10M
    sleep 1.3
    nt_stop netem
    dropped=$(ip netns exec r tc -s -j qdisc show dev rb | jq '.[0].drops')
    check "netem dropped" "$dropped" '>' 5
    check_jq "internal equals netem's drops" netem ".[-1] | .internal_segments + .control_missing == $dropped"
    tc -n r qdisc del dev rb root
fi

# --- one way; perf buffers -------------------------------------------------------------------
offloads on
detect oneway 4 --one-way
detect perf 4 --perf-buffer --buffer-size 4M
bulk 5M
sleep 1.3
nt_stop oneway
nt_stop perf
check_jq "one way" oneway '.[-1] | .complete == .total and .total > 10 and .rep_internal == 0 and .events == 0'
check_jq "perf buffers" perf '.[-1] | .req_internal == 0 and .rep_internal == 0 and .total > 10'
bg_stop server
bg_stop server6
