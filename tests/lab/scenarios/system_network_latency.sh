# A host's own packets by stage: each in one counter, netem's delay in its stage and in no other, drops, retransmissions.
# clock: instructions
# ci: 6.12
# timeout: 900

need_kprobes
need_cmd python3 nft
need_module sch_netem 8021q nft_ct
modprobe -a sch_netem 8021q
nft_warm
topo_pair
for side in a b; do
    n=1 peer=2
    [ $side = a ] || n=2 peer=1
    ip -n $side link add link v$side name v5 type vlan id 5
    ip -n $side link set v5 up
    ip -n $side address add 10.78.0.$n/24 dev v5
    ip -n $side address add fd78::$n/64 dev v5 nodad
    ip -n $side neighbour replace 10.78.0.$peer lladdr 02:77:00:00:00:0$peer dev v5 nud permanent
    ip -n $side neighbour replace fd78::$peer lladdr 02:77:00:00:00:0$peer dev v5 nud permanent
done
settle a b

# --- traffic: peer.py WHAT ...: sink; udp ADDRESS PORT COUNT [same]; tcp ADDRESS BYTES -----
cat >"$WORK/peer.py" <<'PY'
import socket, sys, threading
what, args = sys.argv[1], sys.argv[2:]
def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET
def sink(address):
    listener = socket.socket(family(address))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 5000))
    listener.listen(8)
    while True:
        with listener.accept()[0] as s:
            while s.recv(65536):
                pass
if what == "sink":
    udp = []
    for address in ("10.77.0.2", "fd77::2"):
        threading.Thread(target=sink, args=(address,)).start()
        for port in (5001, 5007, 5009):
            s = socket.socket(family(address), socket.SOCK_DGRAM)
            s.bind((address, port))
            udp.append(s)
    print("ready", flush=True)
elif what == "udp":
    s = socket.socket(family(args[0]), socket.SOCK_DGRAM)
    for i in range(int(args[2])):
        try:
            s.sendto(b"%020d" % (0 if "same" in args else i), (args[0], int(args[1])))
        except PermissionError:     # netfilter
            pass
elif what == "tcp":
    with socket.create_connection((args[0], 5000)) as s:
        s.sendall(bytes(int(args[1])))
        s.shutdown(socket.SHUT_WR)
        s.recv(1)
elif what == "tap":     # a packet socket that reads nothing
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((args[0], 0))
    print("ready", flush=True)
    threading.Event().wait()
PY
peer_a() { in_a python3 "$WORK/peer.py" "$@"; }
bg_in b sink python3 "$WORK/peer.py" sink
wait_for 60 grep -q ready sink.out

SUMMARY=system_network_latency_summary
DETAILS=system_network_latency_details
# shellcheck source=tests/lab/timeline.sh
. "$LAB_DIR/timeline.sh"

# --- each packet once: two protocols of IP, three above, fragments, super-packets --------
nt_start_in a tx $SUMMARY --phy-interface va --direction tx -i 1000
nt_start_in b rx $DETAILS --phy-interface vb --direction rx --rate 0 --buffer-size 16M
stats_snap a va
stats_snap b vb
in_a ping -n -q -c 20 -i 0.01 10.77.0.2 >/dev/null
in_a ping -n -q -c 20 -i 0.01 fd77::2 >/dev/null
in_a ping -n -q -c 5 -i 0.01 -s 4000 10.77.0.2 >/dev/null
in_a ping -n -q -c 5 -i 0.01 -s 4000 fd77::2 >/dev/null
peer_a udp 10.77.0.2 5001 100
peer_a udp fd77::2 5001 100
peer_a tcp 10.77.0.2 500000
peer_a tcp fd77::2 500000
settle a b
nt_stop tx
nt_stop rx
lost_zero tx
lost_zero rx
adds_up tx
adds_up rx
sent=$(stats_delta a va tx.packets)
answers=$(stats_delta b vb tx.packets)
check_jq "all that va sent: $sent packets" tx ".[-1] | .completed + .fragments == $sent and .fragments == 20"
check_jq "all that vb received" rx ".[-1] | .completed + .fragments == $sent and .fragments == 20 and .elsewhere == 0"
check_jq "what the other namespace sent is not on an uplink" tx ".[-1] | .elsewhere + 20 == $answers"
check_jq "one pair of stages" tx '.[-1].stages | map([.direction, .from, .to, .async]) ==
    [["tx", "ip_out", "phy_queue", false]]'
check_jq "two pairs" rx '.[-1].stages | map([.direction, .from, .to]) ==
    [["rx", "phy_rx", "ip_rcv"], ["rx", "ip_rcv", "l4_rcv"]]'
check_jq "an event for each" rx '(map(select(.type == "event")) | length) == .[-1].completed'
check_jq "their times" rx 'map(select(.type == "event")) | all((.stages | map(.ts_ns) | . == sort) and
    ((.stages | map(.delta_us) | add) - .total_us | fabs) < 0.01 and .ended == "complete" and .stages[0].ifname == "vb")'
check_jq "which ones" rx 'map(select(.type == "event")) | group_by([.protocol, .ip_version]) | map({key:
    "\(.[0].protocol)\(.[0].ip_version)", value: length}) | from_entries | .udp4 == 100 and .udp6 == 100 and
    .icmp4 == 25 and (.icmpv6 // .icmpv66) == 25 and .tcp4 > 8 and .tcp6 > 8'
check_jq "reassembled ones" rx 'map(select(.type == "event" and (.flags | index("reassembled")))) | length == 10 and
    all(.protocol | startswith("icmp"))'
check_jq "super-packets" rx '.[-1].gso_packets == (map(select(.type == "event" and .gso_segs > 1)) | length) and
    .[-1].gso_packets > 0'

# --- 20 ms before the uplink's queue: on a VLAN, whose own queue is above the uplink -----
netem v5 a delay 20ms
nt_start_in a slow $SUMMARY --phy-interface v5 -i 1000 --by-flow
nt_start_in a over $DETAILS --phy-interface v5 --direction tx --stage-us ip_out:phy_queue:10000
nt_start_in b far $SUMMARY --phy-interface v5 --direction rx -i 1000
in_a ping -n -q -c 20 -i 0.05 10.78.0.2 >/dev/null
in_a ping -n -q -c 20 -i 0.01 10.77.0.2 >/dev/null   # past the VLAN
for name in slow over far; do nt_stop $name; done
for name in slow over far; do lost_zero $name; adds_up $name; done
jq -r 'select(.type == "end") | .stages[] | "# \(.direction) \(.from) > \(.to): \(.hist.p50) us"' slow.json far.json
check_jq "20 packets each way" slow '.[-1] | .completed == 40 and (.totals | map(.hist.count)) == [20, 20]'
check_jq "the delay is in the sent ones" slow '.[-1].stages | map(select(.direction == "tx")) | length == 1 and
    (.[0] | .from == "ip_out" and .to == "phy_queue" and .hist.min >= 20000 and .hist.p50 < 20300)'
check_jq "and in no other stage" slow '.[-1].stages | map(select(.direction == "rx")) | length == 2 and
    all(.hist.p50 < 300)'
check_jq "nor at the receiver" far '.[-1] | .completed == 20 and (.stages | all(.hist.p50 < 300))'
check_jq "the flow with it is the worst" slow '.[-1].flows | .[0].total.p50 >= 20000 and .[1].total.p50 < 600'
check_jq "packets over a stage's threshold" over '(map(select(.type == "event")) | length == 20 and
    all(.total_us >= 20000 and .stages[1].ifname == "va"))'
in_a tc qdisc del dev v5 root

# --- packets that do not arrive -------------------------------------------------------------
in_a nft 'add table inet t { chain o { type filter hook output priority 0; udp dport 5007 drop; }; }'
in_b nft 'add table inet t { chain i { type filter hook input priority 0; udp dport 5009 drop; }; }'
nt_start_in a stx $SUMMARY --phy-interface va --direction tx --protocol udp -i 1000
nt_start_in b drx $DETAILS --phy-interface vb --direction rx --protocol udp --latency-us 0
peer_a udp 10.77.0.2 5007 7
peer_a udp 10.77.0.2 5009 9
peer_a udp fd77::2 5009 3
peer_a udp 10.77.0.2 5001 5
nt_stop stx
nt_stop drx
for name in stx drx; do lost_zero $name; adds_up $name; done
in_a nft list ruleset >/dev/null
check_jq "dropped at the output" stx '.[-1] | .dropped_total == 7 and .completed == 17 and (.dropped | length == 1 and
    (.[0] | .direction == "tx" and .after == "ip_out" and (.location | test("nf_hook_slow|nft"))))'
check_jq "dropped at the input" drx '.[-1] | .completed == 5 and .dropped_total == 12 and
    (.dropped | all(.direction == "rx" and .after == "ip_rcv" and (.location | test("nf_hook_slow|nft")))) and
    ([.dropped[].count] | add) == 12'
check_jq "an event for each" drx 'map(select(.type == "event" and .ended == "dropped")) | length == 12 and
    all(.dst_port == 5009 and (.drop_location | test("nf_hook_slow|nft")) and (.stages | map(.stage) == ["phy_rx", "ip_rcv"]))'
if kernel_at_least 5.17; then
    check_jq "its reason" drx '.[-1].dropped | all(.reason == "NETFILTER_DROP")'
fi
in_a nft flush ruleset
in_b nft flush ruleset

# --- retransmissions, without super-packets: as many as TCP counts ---------------------------
ip -n a link set va gso_max_segs 1
netem va a loss 5%
before=$(tcp_mib a RetransSegs)
nt_start_in a again $DETAILS --phy-interface va --direction tx --protocol tcp --rate 0 --buffer-size 16M
peer_a tcp 10.77.0.2 400000
peer_a tcp fd77::2 200000
settle a b
nt_stop again
lost_zero again 10 # a timer's segment on top of the program at a segment that the process sends
adds_up again
counted=$(($(tcp_mib a RetransSegs) - before))
check "there were retransmissions" "$counted" '>' 4
check_jq "retransmitted packets: $counted" again ".[-1].lost.probe_missed as \$missed |
    map(select(.type == \"event\" and (.flags | index(\"retrans\")))) | length | . <= $counted and . + \$missed >= $counted"
in_a tc qdisc del dev va root
ip -n a link set va gso_max_segs 65535

# --- a packet tap at the receiver changes nothing; packets that are alike -----------------------
bg_in b tap python3 "$WORK/peer.py" tap vb
wait_for 60 grep -q ready tap.out
netem v5 a delay 20ms
nt_start_in b tapped $DETAILS --phy-interface vb --direction rx --protocol udp
nt_start_in a alike $DETAILS --phy-interface v5 --direction tx --protocol udp
peer_a udp 10.77.0.2 5001 20
peer_a udp fd78::2 5001 10 same     # ten at once without an id: only the address tells them apart
settle a b
nt_stop tapped
nt_stop alike
bg_stop tap
for name in tapped alike; do lost_zero $name; adds_up $name; done
check_jq "all are seen beside a tap" tapped '.[-1] | .completed == 30'
check_jq "alike packets by their address" alike '.[-1] | .completed == 10 and .ambiguous == 9'
check_jq "and they say so" alike 'map(select(.type == "event" and (.flags | index("ambiguous")))) | length == 9'
in_a tc qdisc del dev v5 root

# --- filters ------------------------------------------------------------------------------------
nt_start_in a expr $SUMMARY --phy-interface va -i 1000 ip6 and tcp
nt_start_in a strict $SUMMARY --phy-interface va -i 1000 --strict-ports --dst-port 5001 --dst-ip 10.77.0.2 --direction tx
nt_start_in a loose $SUMMARY --phy-interface va -i 1000 --src-port 5001 --src-ip 10.77.0.1 --direction tx
nt_start_in a both $SUMMARY --phy-interface va -i 1000 --src-ip 10.77.0.2 --protocol icmp
stats_snap a va
peer_a tcp fd77::2 20000
settle a b
tcp6=$(stats_delta a va tx.packets)
tcp6_in=$(stats_delta a va rx.packets)
peer_a udp 10.77.0.2 5001 4
peer_a udp 10.77.0.2 5007 8
in_a ping -n -q -c 6 -i 0.01 10.77.0.2 >/dev/null
for name in expr strict loose both; do nt_stop $name; lost_zero $name; adds_up $name; done
check_jq "an expression on TCP over IPv6" expr ".[-1].totals | map(.hist.count) == [$tcp6, $tcp6_in]"
check_jq "the destination's port" strict '.[-1].completed == 4'
check_jq "a port of either end" loose '.[-1].completed == 4'
check_jq "an address of either end" both '.[-1].totals | map([.direction, .hist.count]) == [["tx", 6], ["rx", 6]]'

# --- more packets under way than there is room for ------------------------------------------------
netem v5 a delay 2s
nt_start_in a full $SUMMARY --phy-interface v5 --direction tx -i 1000 --max-entries 8 --protocol udp --timeout-ms 60000
peer_a udp 10.78.0.2 5001 50
settle a b
sleep 3
nt_stop full
in_a tc qdisc del dev v5 root
adds_up full
check_jq "no room" full '.[-1] | .started == 50 and .completed == 8 and .lost.map_full == 42 and .without_alias == 42'
