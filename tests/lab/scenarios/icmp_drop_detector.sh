# Pings through a router: dropped in it, beyond it, on the way back, in its queue, by known numbers.
# ci: new
# where: guest host
# timeout: 240

SEND=$REPO/build/tests/traffic/nt-send
need_cmd nft ping tc
topo_router
nft_warm
in_a ping -n -q -c 2 -i 0.05 10.77.2.2 >/dev/null
in_a ping -n -q -c 2 -i 0.05 fd77:2::2 >/dev/null

ID=0
# pings ADDRESS COUNT: ends when all are answered, or 0.2 s after the last.
pings() {
    ID=$((ID + 1))
    in_a "$SEND" ping --to "$1" --count "$2" --id $ID --interval-us 2000 --timeout-ms 200 >/dev/null
}
# drop_in NS CHAIN-HOOK RULE: and undrop NS.
drop_in() { ip netns exec "$1" nft "add table inet t; add chain inet t c { type filter hook $2 priority 0; }; add rule inet t c $3 drop"; }
undrop() { ip netns exec "$1" nft flush ruleset; }
reason() { if kernel_at_least 5.17; then echo "\"$1\""; else echo null; fi; }
# The first N packets that match, then none.
first() { echo "limit rate $1/hour burst $1 packets"; }

BALANCE='.[-1] | .total == .complete + .req_internal + .external + .rep_internal + .uncertain + .open + .evicted'
# detect NAME VERSION ARGS...
detect() {
    local name=$1 src=10.77.1.1 dst=10.77.2.2
    [ "$2" = 4 ] || src=fd77:1::1 dst=fd77:2::2
    shift 2
    nt_start_in r "$name" icmp_drop_detector --src-ip $src --dst-ip $dst --rx-iface ra --tx-iface rb "$@"
}

# --- each leg, both versions -----------------------------------------------------------
for v in 4 6; do
    if [ $v = 4 ]; then to=10.77.2.2 req="icmp type echo-request" rep="icmp type echo-reply"
    else to=fd77:2::2 req="icmpv6 type echo-request" rep="icmpv6 type echo-reply"; fi
    detect all$v $v --timeout-ms 600
    [ $v = 6 ] || nt_start_in r other icmp_drop_detector --src-ip 10.77.1.9 --dst-ip 10.77.2.2 \
        --rx-iface ra --tx-iface rb
    drop_in r forward "$req $(first 10)"
    pings $to 100
    undrop r
    drop_in b input "$req $(first 7)"
    pings $to 50
    undrop b
    drop_in r forward "$rep $(first 5)"
    pings $to 50
    undrop r
    wait_for 5 eval '[ "$(events all'$v' ".verdict")" -ge 22 ]' || true
    nt_stop all$v
    lost_zero all$v
    check_jq "IPv$v: the counters" all$v '.[-1] | .total == 200 and .complete == 178 and .req_internal == 10 and
        .external == 7 and .rep_internal == 5 and .open == 0 and .duplicate == 0 and .late == 0'
    check_jq "IPv$v: they add up" all$v "$BALANCE"
    check_jq "IPv$v: each loss once" all$v 'map(select(.type == "event")) | length == 22 and
        (map([.icmp_id, .icmp_seq]) | unique | length) == 22 and
        (map(.verdict) | sort | group_by(.) | map([.[0], length])) ==
            [["external", 7], ["rep_internal", 5], ["req_internal", 10]]'
    check_jq "IPv$v: reason and place" all$v 'map(select(.verdict != "external" and .type == "event")) |
        all((.drop_reason == '"$(reason NETFILTER_DROP)"' or .drop_reason == "-") and
        (.drop_location | test("^(nf_hook_slow|nft_do_chain)")) and (.stack | length) > 3)'
    check_jq "IPv$v: stages" all$v 'map(select(.type == "event")) |
        (map(select(.verdict == "req_internal")) | all((.stages_ns | map(. != null)) == [true, false, false, false]
            and .stages_ifname[0] == "ra")) and
        (map(select(.verdict == "external")) | all((.stages_ns | map(. != null)) == [true, true, false, false]
            and .stages_ifname[1] == "rb" and .req_internal_us > 0)) and
        (map(select(.verdict == "rep_internal")) | all((.stages_ns | map(. != null)) == [true, true, true, false]
            and .external_us > 0))'
done
nt_stop other
check_jq "other addresses: nothing" other '.[-1] | .total == 0 and .events == 0'

# --- a queue that overflows is inside; the verdict does not wait for the timeout --------
ip netns exec r tc qdisc add dev rb root tbf rate 64kbit burst 2000 limit 3000
detect tbf 4 --timeout-ms 3000
in_a "$SEND" ping --to 10.77.2.2 --count 60 --id 77 --interval-us 500 --size 200 --timeout-ms 1500 >tbf_sent.json
nt_stop tbf
dropped=$(ip netns exec r tc -s -j qdisc show dev rb | jq '.[0].drops')
ip netns exec r tc qdisc del dev rb root
check "the queue overflowed" "$dropped" '>' 5
check "req_internal equals tc's drops" "$(jq_get tbf '.[-1].req_internal')" == "$dropped"
# What a softirq on top of a protected task sends is not seen (docs/lab.md): it stays open.
replies=$(jq .received tbf_sent.json) open=$(jq_get tbf '.[-1].open')
in_guest && most=0 || most=3
check "complete, and open, equal the replies" $(($(jq_get tbf '.[-1].complete') + open)) == "$replies"
check "open, at most" "$open" '<=' $most
check_jq "reason of the queue" tbf 'map(select(.type == "event")) | length > 5 and
    all((.drop_reason == "QDISC_DROP" or .drop_reason == "QDISC_OVERLIMIT" or .drop_reason == "OVERLIMIT"
        or .drop_reason == "-" or .drop_reason == null) and .drop_location != null)'
check_jq "they add up" tbf "$BALANCE"

# --- no losses; verbose; one way; what is under way at the end ----------------------------
detect quiet 4 -v --interval 0.3
pings 10.77.2.2 50
nt_stop quiet
lost_zero quiet
check_jq "verbose: each passage, each ping" quiet '
    (map(select(.stage)) | group_by(.stage) | map([.[0].stage, length])) ==
        [["RepRX", 50], ["RepTX", 50], ["ReqRX", 50], ["ReqTX", 50]] and
    (map(select(.verdict == "complete")) | length == 50 and all(.total_us >= .req_internal_us + .external_us
        and .req_internal_us > 0 and .rep_internal_us > 0 and (.total_us - (.req_internal_us + .external_us
        + .rep_internal_us) | fabs) < 0.01)) and
    (.[-1] | .complete == 50 and .events == 250 and .total_hist.count == 50) and
    (map(select(.type == "interval").complete) | add) == 50'
# Nobody drops these, they are just not answered.
in_b sh -c 'echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all'
detect oneway 4 --one-way --timeout-ms 300
detect open 4 --timeout-ms 60000
pings 10.77.2.2 20
sleep 0.5
nt_stop oneway
nt_stop open
in_b sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_all'
check_jq "one way: replies do not matter" oneway '.[-1] | .complete == 20 and .external == 0 and .events == 0'
check_jq "still open at the end" open '.[-1] | .open == 20 and .total == 20 and .events == 0'

# --- a filter expression; a small table; perf buffers -------------------------------------
detect expr 4 'icmp[6:2] <= 20'
detect small 4 --max-entries 8 --timeout-ms 3000
detect perf 4 --perf-buffer --timeout-ms 400
drop_in r forward "icmp type echo-request"
pings 10.77.2.2 40
undrop r
wait_for 5 eval '[ "$(events perf ".verdict")" -ge 40 ]' || true
for name in expr small perf; do nt_stop $name; done
check_jq "only what matches the expression" expr '.[-1] | .total == 20 and .req_internal == 20'
check_jq "what finds no room is counted" small '.[-1] | .evicted > 0 and .lost.evicted == .evicted and .total == 40'
check_jq "and it adds up" small "$BALANCE"
check_jq "perf buffers" perf '.[-1] | .req_internal == 40 and .lost.buffer == 0'

# --- a VLAN device stands for the one below it and the tag ------------------------------------
if have_module 8021q; then
    ip -n a link add link va name va.100 up type vlan id 100
    ip -n r link add link ra name ra.100 up type vlan id 100
    ip -n a address add 10.77.3.1/24 dev va.100
    ip -n r address add 10.77.3.254/24 dev ra.100
    ip -n b route add 10.77.3.0/24 via 10.77.2.254
    ip -n r neighbour replace 10.77.3.1 lladdr 02:77:00:00:00:01 dev ra.100 nud permanent
    ip -n a neighbour replace 10.77.3.254 lladdr 02:77:00:00:00:0a dev va.100 nud permanent
    nt_start_in r vlan icmp_drop_detector --src-ip 10.77.0.0/16 --dst-ip 10.77.2.2 --rx-iface ra.100 --tx-iface rb
    nt_start_in r novlan icmp_drop_detector --src-ip 10.77.0.0/16 --dst-ip 10.77.2.2 --rx-iface ra --tx-iface rb
    in_a ping -n -q -c 6 -i 0.05 10.77.2.2 >vlanping.txt
    in_a ip route replace default via 10.77.3.254
    in_a ping -n -q -c 9 -i 0.05 -I 10.77.3.1 10.77.2.2 >vlanping.txt
    sleep 0.3
    nt_stop vlan
    nt_stop novlan
    check_jq "pings with the tag" vlan '.[-1] | .complete == 9 and .total == 9'
    check_jq "the device below has both" novlan '.[-1] | .complete == 15 and .total == 15'
fi

# --- wrong command lines -------------------------------------------------------------------
ARGS="--src-ip 10.77.1.1 --dst-ip 10.77.2.2"
nt_run nodev 2 icmp_drop_detector $ARGS --rx-iface nosuchdev --tx-iface lo --dry-run
nt_run mixed 2 icmp_drop_detector --src-ip 10.77.1.1 --dst-ip fd77::1 --rx-iface lo --tx-iface lo --dry-run
nt_run many 2 icmp_drop_detector $ARGS --rx-iface lo,lo,lo,lo,lo,lo,lo,lo,lo --tx-iface lo --dry-run
nt_run none 2 icmp_drop_detector $ARGS --rx-iface lo --dry-run
