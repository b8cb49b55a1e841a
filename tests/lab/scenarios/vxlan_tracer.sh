# VXLAN in known numbers: two VNIs on one underlay, IPv4 and IPv6 inside and outside, ARP, VLANs, segments, drops.
# ci: 6.12
# timeout: 400

need_kprobes
need_cmd python3 tcpdump
need_module vxlan
modprobe vxlan 2>/dev/null || true
topo_pair

# vxlan NAME VNI ARGS...: a device at each end, 10.9.NUMBER.1 and .2, with static neighbours; NUMBER is that of the name.
vxlan() {
    local name=$1 vni=$2 number=${1#vx} ns host other
    shift 2
    for ns in a b; do
        [ $ns = a ] && host=1 other=2 || host=2 other=1
        ip -n $ns link add "$name" address 02:78:00:00:00:0$host type vxlan id "$vni" nolearning dstport 4789 \
            $(sed "s/HOST/$host/g; s/OTHER/$other/g" <<<"$*")
        ip -n $ns -batch - <<END
link set $name up
address add 10.9.$number.$host/24 dev $name
address add fd09:$number::$host/64 dev $name nodad
neighbour replace 10.9.$number.$other lladdr 02:78:00:00:00:0$other dev $name nud permanent
neighbour replace fd09:$number::$other lladdr 02:78:00:00:00:0$other dev $name nud permanent
END
    done
}
vxlan vx100 100 local 10.77.0.HOST remote 10.77.0.OTHER
vxlan vx200 200 local 10.77.0.HOST remote 10.77.0.OTHER
vxlan vx60 600 local fd77::HOST remote fd77::OTHER
pings() { in_a ping -n -q -c "$1" -i 0.01 -W 1 "${@:2}" >/dev/null; }
seen() { wait_for 10 eval '[ "$(events '"$1"' ".type == \"event\"")" -ge '"$2"' ]' || true; }
# numbers NAME DIRECTION: packets, segments, dropped of its end record
numbers() { jq_get "$1" ".[-1].$2 | \"\(.packets) \(.segments) \(.dropped)\""; }
settle a b

# --- two VNIs: events, device counters, a capture ------------------------------------------------
nt_start_in a both vxlan_tracer --rate 0 -i va
nt_start_in b peer vxlan_tracer --rate 0 -i vx100,vx200
captured() { tcpdump -r "$WORK/underlay.pcap" "$1" 2>/dev/null | grep -c VXLAN; }
bg_in a capture tcpdump -i va -w "$WORK/underlay.pcap" -U udp port 4789
wait_for 10 grep -q 'listening on' "$WORK/capture.err"
for dev in vx100 vx200; do stats_snap a $dev; stats_snap b $dev; done
pings 100 10.9.100.2 & first=$!
pings 100 10.9.200.2 & second=$!
wait $first $second
seen both 400
seen peer 400
nt_stop both
nt_stop peer
wait_for 10 eval '[ "$(captured udp)" -ge 400 ]' || true
bg_stop capture INT || true
lost_zero both
lost_zero peer
for name in both peer; do
    check "$name: out" "$(numbers $name tx)" == "200 200 0"
    check "$name: in" "$(numbers $name rx)" == "200 200 0"
    check_jq "$name: an event for each, VNIs apart" $name 'map(select(.type == "event")) | group_by([.direction, .vni]) |
        map([.[0].direction, .[0].vni, length]) == [["rx", 100, 100], ["rx", 200, 100], ["tx", 100, 100], ["tx", 200, 100]]'
done
check "captured, VNI 100" "$(captured 'udp[12:4] = 0x6400')" == 200
check "captured, VNI 200" "$(captured 'udp[12:4] = 0xc800')" == 200
for dev in vx100 vx200; do
    check "$dev: the device's counters" "$(stats_delta a $dev tx.packets) $(stats_delta a $dev rx.packets)" == "100 100"
    check "$dev: its bytes" "$(stats_delta a $dev tx.bytes)" == \
        "$(jq_get both 'map(select(.type == "event" and .direction == "tx" and .ifname == "'$dev'").len_bytes - 14) | add')"
done
check_jq "outcomes and devices" both 'map(select(.type == "event")) | all(.ifname == "vx\(.vni)" and .outer.ifname == "va" and
    .outcome == (if .direction == "tx" then "sent" else "delivered" end) and .metadata == false and .vxlan_flags == "I")'
check_jq "outer headers" both 'map(select(.type == "event").outer) | all(.dst_port == 4789 and .src_port >= 32768 and
    .ttl == 64 and .len_bytes == 134 and .mtu_bytes == 1500 and
    ([.src_ip, .dst_ip] | sort) == ["10.77.0.1", "10.77.0.2"])'
check_jq "outer addresses by direction" both 'map(select(.type == "event")) |
    all(.outer.src_ip == (if .direction == "tx" then "10.77.0.1" else "10.77.0.2" end))'
check_jq "inner packets" both 'map(select(.type == "event")) | all(.protocol == "icmp" and .len_bytes == 98 and
    .gso_segs == 0 and .icmp_type == (if .direction == "tx" then 8 else 0 end) and
    .src_mac == (if .direction == "tx" then "02:78:00:00:00:01" else "02:78:00:00:00:02" end) and
    .src_ip == "10.9.\(.vni).\(if .direction == "tx" then 1 else 2 end)") and
    (map(select(.direction == "tx")) | group_by(.vni) | all(map(.icmp_seq) | sort == [range(1; 101)]))'
check_jq "peers" both '.[-1] | .device_packets == 400 and .peers_total == 4 and
    (.peers | all(.packets == 100 and .peer_ip == "10.77.0.2" and .bytes == 9800 and .ifname == "vx\(.vni)"))'

# --- what is inside and outside: IPv6, ARP, VLAN --------------------------------------------------
for ns in a b; do
    [ $ns = a ] && host=1 || host=2
    ip -n $ns link add link vx100 name vx100.7 type vlan id 7
    ip -n $ns link set vx100.7 up
    ip -n $ns address add 10.9.7.$host/24 dev vx100.7
done
settle a b
nt_start_in a kinds vxlan_tracer -i va --rate 0
pings 10 fd09:100::2
pings 10 10.9.60.2
pings 10 fd09:60::2
pings 10 10.9.7.2
seen kinds 84
nt_stop kinds
lost_zero kinds
check_jq "IPv6 in IPv4" kinds 'map(select(.vni == 100 and .protocol == "icmpv6")) | length == 20 and
    all(.outer.src_ip | startswith("10.77.0.")) and (map(select(.direction == "tx")) | all(.dst_ip == "fd09:100::2" and .vni == 100))'
check_jq "IPv4 in IPv6" kinds 'map(select(.vni == 600 and .protocol == "icmp")) | length == 20 and
    all(.outer.len_bytes == 154 and ([.outer.src_ip, .outer.dst_ip] | sort) == ["fd77::1", "fd77::2"])'
check_jq "IPv6 in IPv6" kinds 'map(select(.vni == 600 and .protocol == "icmpv6")) | length == 20'
check_jq "VLAN" kinds 'map(select(.vlan == [7] and .protocol == "icmp")) | length == 20 and
    all(.vni == 100 and .len_bytes == 102 and (.src_ip | startswith("10.9.7.")))'
check_jq "ARP" kinds 'map(select(.arp)) | length >= 2 and all(.eth_type == "0x0806" and .vlan == [7] and
    (.arp | [.sender_ip, .target_ip] | sort) == ["10.9.7.1", "10.9.7.2"])'
ip -n a link del vx100.7
ip -n b link del vx100.7

# --- GSO: segments; larger than the underlay --------------------------------------------------------
# OutSegs, and RetransSegs, which are not among them
tcp_out() { in_a awk '/^Tcp: [0-9]/ { print $12 + $13 }' /proc/net/snmp; }
cat >"$WORK/tcp.py" <<'PY'
import socket, sys
if sys.argv[1] == "server":
    s = socket.create_server(("10.9.100.2", 5001))
    print("ready", flush=True)
    c = s.accept()[0]
    while c.recv(1 << 16):
        pass
else:
    c = socket.create_connection(("10.9.100.2", 5001))
    c.sendall(bytes(1000000))
    c.shutdown(socket.SHUT_WR)
    c.recv(1)
PY
# transfer NAME: 1 MB from a to b while tools look at both ends.
transfer() {
    bg_in b server python3 "$WORK/tcp.py" server
    wait_for 30 grep -q ready "$WORK/server.out"
    nt_start_in a "$1" vxlan_tracer --rate 0 -i vx100 -p tcp
    nt_start_in b "$1.b" vxlan_tracer --rate 0 -i vx100 --inner-proto tcp --direction rx
    before=$(tcp_out)
    in_a python3 "$WORK/tcp.py" client
    SENT=$(($(tcp_out) - before))
    settle a b
    nt_stop "$1"
    nt_stop "$1.b"
    lost_zero "$1"
    lost_zero "$1.b"
    lab_wait_exit server 10
}
for ns in a b; do ip -n $ns link set vx100 mtu 1450; done
transfer gso
check "segments, as TCP counts them" "$(jq_get gso '.[-1].tx.segments')" == "$SENT"
check "segments on the other side" "$(jq_get gso.b '.[-1].rx.segments')" == "$SENT"
check_jq "fewer packets than segments" gso '.[-1].tx | .packets < .segments and .dropped == 0'
check_jq "types of GSO" gso 'map(select(.direction == "tx" and .gso_segs > 1)) | length > 10 and
    all(.gso_type | test("TCPV4")) and all(.gso_size_bytes == 1398 and .data_len_bytes > 0 and .outer.segment_bytes == 1500)'
check_jq "bytes are the inner frames'" gso '(map(select(.direction == "tx").len_bytes) | add) == .[-1].tx.bytes and .[-1].tx.over_mtu == 0'

# 14 bytes of Ethernet and 36 outside make 1550 of 1500
for ns in a b; do ip -n $ns link set vx100 mtu 1500; done
nt_start_in a mtu vxlan_tracer -i vx100 --direction tx
nt_start_in b mtu.b vxlan_tracer -i vx100 --direction rx
in_a python3 - <<'PY'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("vx100", 0))
for size in 1464, 1465, 1514:
    for i in range(5):
        s.send(bytes.fromhex("027800000002027800000001" "88b5") + bytes(size - 14))
PY
seen mtu 15
seen mtu.b 15
nt_stop mtu
nt_stop mtu.b
check_jq "over MTU" mtu '.[-1].tx.over_mtu == 10 and (map(select(.type == "event")) | length == 15 and
    all(.eth_type == "0x88b5" and .outer.segment_bytes == .len_bytes + 36 and .over_mtu == (.len_bytes > 1464)))'
check_jq "fragments come as one packet" mtu.b '.[-1].rx | .packets == 15 and .bytes == 5 * (1464 + 1465 + 1514)'
# a large one that TCP makes before it has learned better
transfer large
check_jq "over MTU, with segments" large '(map(select(.over_mtu)) | length) == .[-1].tx.over_mtu and .[-1].tx.over_mtu > 0 and
    (map(select(.over_mtu)) | all(.outer.segment_bytes == 1550))'

# --- drops --------------------------------------------------------------------------------------------
ip -n b link del vx200
ip -n a link add vx40 type vxlan id 400 dstport 4789 nolearning               # no peer
ip -n a link add vx41 type vxlan id 401 dstport 4789 remote 10.99.9.9         # no route to it
ip -n a link add vx42 type vxlan id 402 dstport 4789 remote 10.77.0.1         # itself
for n in 40 41 42; do
    ip -n a link set vx$n up
    ip -n a address add 10.9.$n.1/24 dev vx$n
    ip -n a neighbour replace 10.9.$n.2 lladdr 02:78:00:00:00:02 dev vx$n nud permanent
done
settle a b
# on 5.10 a later tool's return probes would hide the rest of a stack
nt_start_in b unknown vxlan_tracer -i vb --drops-only
nt_start_in a lost vxlan_tracer -i vx200,vx40,vx41,vx42 --direction tx --stack
pings 20 10.9.200.2 || true
pings 5 10.9.40.2 || true
pings 6 10.9.41.2 || true
pings 7 10.9.42.2 || true
seen unknown 20
seen lost 38
nt_stop lost
nt_stop unknown
lost_zero lost
lost_zero unknown
check "unknown VNI: dropped where it comes in" "$(numbers unknown rx)" == "0 0 20"
check_jq "unknown VNI: events" unknown 'map(select(.type == "event")) | length == 20 and all(.outcome == "dropped" and .vni == 200 and
    .ifname == null and .outer.ifname == "vb" and .dst_ip == "10.9.200.2" and (.location | test("^vxlan_rcv")))'
! kernel_at_least 6.12 || check_jq "unknown VNI: the reason" unknown 'map(select(.type == "event")) | all(.reason == "VXLAN_VNI_NOT_FOUND")'
check_jq "out: what becomes of them" lost 'map(select(.type == "event")) | group_by([.ifname, .outcome]) |
    map([.[0].ifname, .[0].outcome, length]) == [["vx200", "sent", 20], ["vx40", "dropped", 5], ["vx41", "dropped", 6],
    ["vx42", "local", 7]]'
check_jq "no peer: no VNI either, but the place" lost 'map(select(.ifname == "vx40")) | all(.vni == null and
    (.location | test("^vxlan_xmit")) and .src_ip == "10.9.40.1")'
check_jq "no route: the place" lost 'map(select(.ifname == "vx41")) | all(.location | test("^vxlan_xmit"))'
knows_type vxlan_rdst vxlan && expected='[401, "10.99.9.9"]' || expected='[null, null]'
check_jq "no route: VNI and peer" lost "map(select(.ifname == \"vx41\")) | all([.vni, .outer.dst_ip] == $expected)"
check_jq "numbers" lost '.[-1].tx | .packets == 20 and .dropped == 11 and .local == 7'
# arm64 cannot tell who called the function in whose first instruction the program runs.
check_jq "stacks: from the sender on" lost 'map(select(.type == "event")) | all(.stack | length > 5 and
    (.[0:4] | any(test("^(dev_hard_start_xmit|__dev_queue_xmit)"))) and any(test("^raw_sendmsg")))'
for n in 40 41 42; do ip -n a link del vx$n; done

# --- metadata mode: Open vSwitch says VNI and peer -------------------------------------------------------
if have_module openvswitch && modprobe openvswitch 2>/dev/null; then
    ip -n a link add vxe type vxlan external dstport 4791
    ip -n a link set vxe up
    ip -n b link add vx70 address 02:78:00:00:00:02 type vxlan id 700 local 10.77.0.2 remote 10.77.0.1 dstport 4791
    ip -n b link set vx70 up
    ip -n b address add 10.9.70.2/24 dev vx70
    in_a python3 "$LAB_DIR/ovs.py" dp ovs0 vxe
    in_a python3 "$LAB_DIR/ovs.py" flow ovs0 in_port=0 -- tunnel=700,10.77.0.2 output=1
    in_a python3 "$LAB_DIR/ovs.py" flow ovs0 in_port=1 tunnel=700,10.77.0.2,10.77.0.1 -- output=0
    ip -n a link set ovs0 address 02:78:00:00:00:01 up
    ip -n a address add 10.9.70.1/24 dev ovs0
    ip -n a neighbour replace 10.9.70.2 lladdr 02:78:00:00:00:02 dev ovs0 nud permanent
    ip -n b neighbour replace 10.9.70.1 lladdr 02:78:00:00:00:01 dev vx70 nud permanent
    settle a b
    nt_start_in a metadata vxlan_tracer -i va -n 700
    pings 10 10.9.70.2
    seen metadata 20
    nt_stop metadata
    lost_zero metadata
    check_jq "metadata: VNI and peer" metadata 'map(select(.type == "event")) | length == 20 and all(.vni == 700 and .ifname == "vxe" and
        .outer.dst_port == 4791) and (map(select(.direction == "tx")) | length == 10 and all(.metadata and
        .outer.dst_ip == "10.77.0.2" and .outcome == "sent"))'
fi

# --- filters, of the inner and of the outer packet --------------------------------------------------------
vxlan_b_again() { ip -n b link del vx200 2>/dev/null || true; ip -n a link del vx200; vxlan vx200 200 local 10.77.0.HOST remote 10.77.0.OTHER; }
vxlan_b_again
settle a b
declare -A want=([src]="-i va -s 10.9.100.1" [six]="-d fd09:60::2 --outer-src fd77::/64 --direction tx" [expr]="-i va icmp and dst host 10.9.200.2"
    [outer]="-n 200,0x258 --outer-dst 10.77.0.2" [kprobe]="-i va --attach kprobe")
declare -A got=([src]="10 0" [six]="5 0" [expr]="10 0" [outer]="10 10" [kprobe]="25 25")
for name in "${!want[@]}"; do nt_start_in a "$name" vxlan_tracer --rate 0 ${want[$name]}; done
pings 10 10.9.100.2
pings 10 10.9.200.2
pings 5 fd09:60::2
settle a b
for name in "${!want[@]}"; do
    nt_stop "$name"
    lost_zero "$name"
    check "filter $name: ${want[$name]}" "$(jq_get "$name" '.[-1] | "\(.tx.packets) \(.rx.packets)"')" == "${got[$name]}"
done
check_jq "kprobes and no other" kprobe '.[0].hooks | length > 6 and all(.via | test("probe|raw_tp"))'

# --- summary ------------------------------------------------------------------------------------------------
nt_start_in a summary vxlan_tracer --summary --interval 1 -i va
lab_spawn table txt nsenter --net=/run/netns/a "$NETTRACE" vxlan_tracer -S --interval 600 -i va
lab_wait_line table "$WORK/table.txt" '^vxlan_tracer'
pings 10 10.9.100.2
wait_for 20 eval '[ "$(events summary ".type == \"interval\" and .tx.packets > 0")" -ge 1 ]' || true
pings 10 10.9.200.2
pings 5 fd09:60::2
settle a b
nt_stop summary
nt_stop table
lost_zero summary
check_jq "no events" summary 'map(select(.type == "event")) | length == 0'
check_jq "intervals add up" summary 'map(select(.type == "interval").tx.packets) | add == 25'
check_jq "by VNI and peer" summary '.[-1].peers | map([.direction, .vni, .peer_ip, .packets]) | sort ==
    [["rx", 100, "10.77.0.2", 10], ["rx", 200, "10.77.0.2", 10], ["rx", 600, "fd77::2", 5],
     ["tx", 100, "10.77.0.2", 10], ["tx", 200, "10.77.0.2", 10], ["tx", 600, "fd77::2", 5]]'
check_jq "by inner flow" summary '.[-1] | .flows_total == 6 and (.flows | map([.direction, .vni, .flow.src_ip, .flow.dst_ip,
    .packets]) | sort | .[3:]) == [["tx", 100, "10.9.100.1", "10.9.100.2", 10], ["tx", 200, "10.9.200.1", "10.9.200.2", 10],
    ["tx", 600, "fd09:60::1", "fd09:60::2", 5]]'
cat "$WORK/table.txt"
check "table: lines fit" "$(awk 'length > 100' "$WORK/table.txt" | wc -l)" == 0
check "table: a row" "$(grep -c '^tx       600  icmpv6 fd09:60::1 > fd09:60::2 * 5  *5  *590  *0$' "$WORK/table.txt")" == 1

# --- text, under the old name -------------------------------------------------------------------------------
ln -s "$NETTRACE" "$WORK/vxlan_tracer.py"
lab_spawn text txt nsenter --net=/run/netns/a "$WORK/vxlan_tracer.py" -v --vni 100 -i va
lab_wait_line text "$WORK/text.txt" '^vxlan_tracer'
pings 2 10.9.100.2
wait_for 10 eval '[ "$(grep -c "icmp 10.9.100" "$WORK/text.txt")" -ge 4 ]' || true
nt_stop text
cat "$WORK/text.txt"
check "text: out" "$(grep -A1 'tx vni 100   sent      vx100 ' "$WORK/text.txt" | grep -c '^    icmp 10.9.100.1 > 10.9.100.2 length 98$')" == 2
check "text: lines fit" "$(awk 'length > 100' "$WORK/text.txt" | wc -l)" == 0
nt_run contra 2 vxlan_tracer --summary --stack
nt_run toobig 2 vxlan_tracer -n 16777216
nt_run badport 2 vxlan_tracer --vxlan-port 0
