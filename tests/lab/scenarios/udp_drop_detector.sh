# Datagrams and fragments through a router: dropped by nft and by a queue in known numbers, put
# together and cut on the way, out of order, incomplete before they came.
# ci: 5.10
# where: guest host
# timeout: 240

SEND=$REPO/build/tests/traffic/nt-send
need_cmd nft ping tc python3
topo_router
in_a ping -n -q -c 1 10.77.2.2 >/dev/null
in_a ping -n -q -c 1 fd77:2::2 >/dev/null
in_a sh -c 'echo 1 >/proc/sys/net/ipv4/ip_no_pmtu_disc'    # a router may cut what it sends

bg_in b sink "$SEND" sink --bind 10.77.2.2 --port 5000
bg_in b sink6 "$SEND" sink --bind fd77:2::2 --port 5000
wait_for 10 grep -q ready sink.out
wait_for 10 grep -q ready sink6.out
send() { in_a "$SEND" udp --to "$1" --port 5000 --count "$2" --size "$3" --rate "${4:-3000}" >/dev/null; }
rules() { ip netns exec r nft "add table inet t; add chain inet t c { type filter hook $1 priority $2; }"; }
rule() { ip netns exec r nft "add rule inet t c $*"; }
flush() { ip netns exec r nft flush ruleset; }
# The first N packets that match, then none.
first() { echo "limit rate $1/hour burst $1 packets"; }
reason() { if kernel_at_least 5.17; then echo "\"$1\""; else echo '"-"'; fi; }
BALANCE='.[-1] | .total == .complete + .internal + .partial_frag + .upstream + .uncertain + .open + .evicted'
detect() {
    local name=$1 src=10.77.1.1 dst=10.77.2.2
    [ "$2" = 4 ] || src=fd77:1::1 dst=fd77:2::2
    shift 2
    nt_start_in r "$name" udp_drop_detector --src-ip $src --dst-ip $dst --rx-iface ra --tx-iface rb \
        --timeout-ms 500 "$@"
}

nft_warm
# --- whole datagrams and single fragments, before anything puts them together ------------
for v in 4 6; do
    to=10.77.2.2 middle="ip frag-off & 0x1fff == 185" small=1000 large=100 names="drop4 port4 noport4"
    [ $v = 4 ] || to=fd77:2::2 middle="frag frag-off 181" small=200 large=30 names=drop6
    detect drop$v $v
    if [ $v = 4 ]; then
        detect port4 4 --dst-port 5000 --src-port 0
        detect noport4 4 --dst-port 9
    fi
    rules prerouting -450
    rule "meta l4proto udp meta length < 200 $(first 13) drop"
    rule "$middle $(first 4) drop"
    send $to $small 100
    send $to $large 4000
    wait_for 5 eval '[ "$(events drop'$v' ".verdict")" -ge 17 ]' || true
    for name in $names; do nt_stop $name; lost_zero $name; done
    flush
    check_jq "IPv$v: the counters" drop$v ".[-1] | .total == $small + $large and .complete == .total - 17 and
        .internal == 13 and .partial_frag == 4 and .upstream == 0 and .open == 0 and .fragmented == $large and
        .late == 0"
    check_jq "IPv$v: they add up" drop$v "$BALANCE"
    check_jq "IPv$v: reason, place, bytes" drop$v 'map(select(.verdict)) | length == 17 and
        all(.drop_reason == '"$(reason NETFILTER_DROP)"' and (.drop_location | test("^(nf_hook_slow|nft_do_chain)"))
            and .dst_port == 5000) and (map(select(.verdict == "partial_frag").missing_bytes) | unique) ==
            ['$([ $v = 4 ] && echo 1480 || echo 1448)'] and
        (map(select(.verdict == "internal").missing_bytes) | unique) == [108]'
done
check_jq "with the port" port4 '.[-1] | .total == 1100 and .internal == 13 and .partial_frag == 4'
check_jq "with another port" noport4 '.[-1] | .total == 0 and .events == 0'

# --- conntrack puts fragments together; a smaller MTU cuts datagrams ----------------------
rules forward 0
rule "ct state invalid counter"
detect ct4 4
detect ct6 6
send 10.77.2.2 60 4000
send fd77:2::2 60 4000
sleep 0.8
nt_stop ct4
nt_stop ct6
check_jq "defragmented, IPv4: nothing is lost" ct4 '.[-1] | .complete == 60 and .total == 60 and .events == 0'
check_jq "defragmented, IPv6: nothing is lost" ct6 '.[-1] | .complete == 60 and .total == 60 and .events == 0'
lost_zero ct4
lost_zero ct6
rule "udp dport 5000 $(first 6) drop"
detect ctdrop 4
send 10.77.2.2 20 4000
wait_for 5 eval '[ "$(events ctdrop ".verdict")" -ge 6 ]' || true
nt_stop ctdrop
check_jq "put together, then dropped" ctdrop '.[-1] | .total == 20 and .internal == 6 and .complete == 14'
flush
ip -n r link set rb mtu 1000
detect cut 4
send 10.77.2.2 40 1400
sleep 0.8
nt_stop cut
lost_zero cut
check_jq "cut on the way out" cut '.[-1] | .complete == 40 and .total == 40 and .events == 0'
ip -n r link set rb mtu 1500

# --- one packet of many (UDP_SEGMENT); fragments that are incomplete when they come ---------
ip netns exec r ethtool -K rb tx-udp-segmentation off >/dev/null 2>&1 || true
detect gso 4
in_a python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_UDP if hasattr(socket, "SOL_UDP") else 17, 103, 500)
for i in range(10):
    s.sendto(bytes(4750), ("10.77.2.2", 5000))
PY
sleep 0.8
nt_stop gso
lost_zero gso
check_jq "segments of GSO packets" gso '.[-1] | .complete == 100 and .total == 100 and .events == 0'
detect part 4
in_a python3 - <<'PY'
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
src, dst = socket.inet_aton("10.77.1.1"), socket.inet_aton("10.77.2.2")
def fragment(id, off, more, payload):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, id, off // 8 | (0x2000 if more else 0), 64, 17, 0, src, dst)
    s.sendto(ip + payload, ("10.77.2.2", 0))
udp = struct.pack("!HHHH", 1111, 5000, 808, 0)
for id in range(1, 6):
    fragment(id, 0, True, udp + bytes(392))         # the last one never comes
for id in range(11, 14):
    fragment(id, 400, False, bytes(408))            # last first
    fragment(id, 0, True, udp + bytes(392))
    fragment(id, 400, False, bytes(408))            # and twice
PY
sleep 1.2
nt_stop part
check_jq "incomplete when they came: not lost here" part '.[-1] | .total == 8 and .upstream == 5 and .complete == 3 and
    .internal == 0 and .partial_frag == 0 and .events == 0'
check_jq "it adds up" part "$BALANCE"

# --- a queue that overflows -----------------------------------------------------------------
ip netns exec r tc qdisc add dev rb root tbf rate 1mbit burst 3000 limit 20000
detect tbf 4
in_a "$SEND" udp --to 10.77.2.2 --port 5000 --count 400 --size 500 --rate 2000 >/dev/null
sleep 1
nt_stop tbf
dropped=$(ip netns exec r tc -s -j qdisc show dev rb | jq '.[0].drops')
ip netns exec r tc qdisc del dev rb root
check "the queue overflowed" "$dropped" '>' 20
# What a softirq on top of a protected task sends is not seen (docs/lab.md).
in_guest && most=$dropped || most=$((dropped + 3))
internal=$(jq_get tbf '.[-1].internal')
check "internal equals tc's drops, at least" "$internal" '>=' "$dropped"
check "internal equals tc's drops, at most" "$internal" '<=' "$most"
check_jq "the others came through" tbf '.[-1] | .total == 400 and .complete == 400 - .internal and .late == 0'

# --- out of order ---------------------------------------------------------------------------
if have_module sch_netem; then
    netem va a delay 5ms reorder 50%
    detect reorder 4
    send 10.77.2.2 100 4000 200
    sleep 0.8
    nt_stop reorder
    lost_zero reorder
    check_jq "fragments out of order" reorder '.[-1] | .complete == 100 and .total == 100 and .events == 0'
fi
bg_stop sink
bg_stop sink6
