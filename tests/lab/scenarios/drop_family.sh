# Packets lost in known numbers in a router, in eight ways: each tool of the family counts those it is about,
# with reason, place and device, and no others.
# ci: 6.1
# where: guest host
# timeout: 240

need_cmd nft tc python3
SEND=$REPO/build/tests/traffic/nt-send
topo_router
send() { in_a "$SEND" udp --to "$@" >/dev/null; }
in_r() { ip netns exec r "$@"; }
has_reasons() { kernel_at_least 5.17; }
in_r sh -c 'echo 1 >/proc/sys/net/ipv4/ipfrag_time'
in_r nft 'add table inet t
    add chain inet t f { type filter hook forward priority 0; }
    add rule inet t f udp dport 5001 drop'
bg_in r full "$SEND" rcvbuf --bind 10.77.1.254 --port 5005 --hold 100
wait_for 10 grep -q ready full.out

THROUGH="--src-ip 10.77.1.1 --dst-ip 10.77.2.2 --rx-iface ra --tx-iface rb --timeout-ms 500"
nt_start_in r each eth_drop --rate 0
nt_start_in r sums kernel_drop_stack_stats_summary --group-by fivetuple -i 1000 --top 1000
nt_start_in r queue qdisc_drop_trace -I 1000
# shellcheck disable=SC2086
for protocol in udp tcp icmp; do nt_start_in r $protocol ${protocol}_drop_detector $THROUGH; done
[ ! -e /sys/kernel/tracing/kprobe_events ] || nt_start_in r fragments trace_ip_defrag

# --- what is lost --------------------------------------------------------------------------------------
send 10.77.2.2 --port 5001 --count 31                                           # a rule
send 10.77.1.254 --port 5003 --count 33                                         # nobody listens
in_a "$SEND" badsum --to 10.77.1.254 --dev va --dst-mac 02:77:00:00:00:0a --proto udp --port 5004 --count 35 >/dev/null
send 10.77.1.254 --port 5005 --count 40 --size 100                              # a full socket buffer
in_a python3 - <<'PY'
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
for i in range(37):                                 # their time to live ends here
    s.sendto(bytes(32), ("10.77.2.2", 5006))
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for i in range(5):                                  # first fragments of datagrams that never come whole
    s.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 100 + i, 0x2000, 64, 17, 0, bytes(4), bytes((10, 77, 1, 254))) +
             struct.pack("!HHHH", 1111, 5007, 1448, 0) + bytes(720), ("10.77.1.254", 0))
PY
PORTS='5001, 5002, 5006'
CONNTRACK=0
if in_guest && have_module nf_conntrack && [ -e /proc/sys/net/netfilter/nf_conntrack_max ]; then
    in_r nft add rule inet t f ct state invalid counter
    room=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
    echo 10 >/proc/sys/net/netfilter/nf_conntrack_max
    full_drops() {
        in_r python3 -c 'lines = [line.split() for line in open("/proc/net/stat/nf_conntrack")]
print(sum(int(line[lines[0].index("drop")], 16) for line in lines[1:]))'
    }
    before=$(full_drops)
    send 10.77.2.2 --port 5008 --count 60 --flows 60 --sport 3000               # a full table of connections
    CONNTRACK=$(($(full_drops) - before))
    PORTS="$PORTS, 5008"
    echo "$room" >/proc/sys/net/netfilter/nf_conntrack_max
    check "the table overflowed" "$CONNTRACK" '>' 10
fi
in_r tc qdisc add dev rb root handle 1: pfifo limit 0
send 10.77.2.2 --port 5002 --count 50                                           # a full queue
QUEUE=$(in_r tc -s -j qdisc show dev rb | jq '[.[] | select(.handle == "1:")][0].drops')
wait_for 20 eval '[ "$(events each ".protocol == \"udp\" and .src_port == 1111")" -ge 5 ]' || true
sleep 1
for name in each sums queue udp tcp icmp; do nt_stop $name; lost_zero $name; done
[ -z "${LAB_PID[fragments]:-}" ] || { nt_stop fragments; lost_zero fragments; }
bg_stop full INT
RCVBUF=$((40 - $(tail -n 1 full.out | jq .received)))
check "the buffer overflowed" "$RCVBUF" '>' 10
check "the queue took none" "$QUEUE" == 50

# --- who counts what -----------------------------------------------------------------------------------
# lost PORT N REASONS PLACES DEVICES: both tools of all drops have exactly N, for these reasons at these places.
lost() {
    local reasons=$3
    has_reasons || reasons=-
    check_jq "port $1: $2 events" each "map(select(.type == \"event\" and .dst_port == $1 and .ifname != \"vb\")) | length == $2 and
        all((.reason | test(\"^($reasons)$\")) and (.location | test(\"^($4)\")) and (.ifname | test(\"^($5)$\")))"
    check_jq "port $1: $2 in the sums" sums "[.[-1].rows[] | select(.flow.dst_port == $1 and .ifname != \"vb\")] | (map(.count) | add // 0) == $2 and
        all((.reason | test(\"^($reasons)$\")) and (.location | test(\"^($4)\")) and (.ifname | test(\"^($5)$\")))"
}
lost 5001 31 NETFILTER_DROP 'nf_hook_slow|nft_do_chain' 'ra|rb'
lost 5002 "$QUEUE" 'QDISC_DROP|QDISC_OVERLIMIT|OVERLIMIT|GENERIC' '__dev_queue_xmit' rb
lost 5003 33 NO_SOCKET '__udp4_lib_rcv|udp_rcv|udp_unicast_rcv_skb' ra
lost 5004 35 UDP_CSUM '__udp4_lib_rcv|udp_rcv|udp_queue_rcv' ra
lost 5005 "$RCVBUF" 'SOCKET_RCVBUFF|PROTO_MEM' 'udp_queue_rcv|__udp_enqueue' 'ra|-'
lost 5006 37 'IP_INHDR|IP_TTL|NOT_SPECIFIED' ip_forward ra
lost 5008 "$CONNTRACK" NETFILTER_DROP 'nf_hook_slow|nf_conntrack_in' 'ra|rb'
check_jq "first fragments" each 'map(select(.type == "event" and .dst_port == 5007)) | length == 5 and
    all(.location | test("^(ip_expire|inet_frag|ip_frag)"))'
ALL=$((31 + QUEUE + 33 + 35 + RCVBUF + 37 + CONNTRACK + 5))
check_jq "nothing else of the senders'" each "map(select(.type == \"event\" and .src_ip == \"10.77.1.1\" and .protocol == \"udp\" and
    .ifname != \"vb\")) | length == $ALL"
check_jq "the same in the sums" sums "[.[-1].rows[] | select(.flow.src_ip == \"10.77.1.1\" and .flow.protocol == \"udp\" and .ifname != \"vb\").count] | add == $ALL"

check_jq "the queue's tool: the queue's drops alone" queue ".[-1] | .drops == $QUEUE and (.rows | length == 1 and
    (.[0] | .ifname == \"rb\" and .qdisc_kind == \"pfifo\" and .kernel_drops == $QUEUE and .unexplained == 0)) and .rc != null"
check_jq "UDP through the router: what died in it" udp ".[-1].internal == 31 + $QUEUE + 37 + $CONNTRACK"
check_jq "by port" udp "map(select(.verdict == \"internal\")) | group_by(.dst_port) | map({\"\(.[0].dst_port)\": length}) | add ==
    ({\"5001\": 31, \"5002\": $QUEUE, \"5006\": 37} + (if $CONNTRACK > 0 then {\"5008\": $CONNTRACK} else {} end))"
check_jq "ports: $PORTS and no others" udp "map(select(.verdict)) | all(.dst_port | IN($PORTS))"
check_jq "no TCP" tcp '.[-1] | [.internal, .total] | map(. // 0) == [0, 0]'
check_jq "no pings" icmp '.[-1] | [.req_internal, .rep_internal, .total] | map(. // 0) == [0, 0, 0]'
[ ! -e fragments.json ] || check_jq "five datagrams of one fragment" fragments '.[-1] | .timeouts == 5 and .completed == 0 and .fragments == 5'
