# VXLAN by its UDP port, at devices: where functions cannot be hooked, and what a program encapsulates.
# where: guest host
# ci: 5.10 6.1
# timeout: 120

need_cmd python3
ip link add vxprobe type vxlan id 1 dstport 4999 2>/dev/null || skip "no VXLAN devices here"
ip link del vxprobe
topo_pair
# another port than the usual, so that nobody else's packets are meant
ip link add vc netns a type veth peer name vd netns b
for ns in a b; do
    [ $ns = a ] && host=1 other=2 || host=2 other=1
    [ $ns = a ] && port=vc || port=vd
    ip -n $ns link add br0 address 02:79:00:00:00:0$host type bridge
    ip -n $ns -batch - <<END
link set $port master br0
link set $port up
link set br0 up
address add 10.78.0.$host/24 dev br0
neighbour replace 10.78.0.$other lladdr 02:79:00:00:00:0$other dev br0 nud permanent
link add vx1 address 02:78:00:00:00:0$host type vxlan id 100 nolearning dstport 4999 local 10.77.0.$host remote 10.77.0.$other
link add vx2 address 02:78:00:00:00:0$host type vxlan id 200 nolearning dstport 4999 local 10.78.0.$host remote 10.78.0.$other
link set vx1 up
link set vx2 up
address add 10.9.1.$host/24 dev vx1
address add 10.9.2.$host/24 dev vx2
neighbour replace 10.9.1.$other lladdr 02:78:00:00:00:0$other dev vx1 nud permanent
neighbour replace 10.9.2.$other lladdr 02:78:00:00:00:0$other dev vx2 nud permanent
END
done
settle a b
pings() { in_a ping -n -q -c "$1" -i 0.02 -W 2 "$2" >/dev/null; }
nt_start_in a port vxlan_tracer --by-port --vxlan-port 4999 --rate 0 -i va,vc
nt_start_in a bridge vxlan_tracer --by-port --vxlan-port 4999 --rate 0 -i br0
nt_start_in a every vxlan_tracer --by-port --vxlan-port 1,4999 --rate 0 --outer-src 10.78.0.1
nt_start_in a inner vxlan_tracer --by-port --vxlan-port 4999 -i vc -d 10.9.2.2 icmp
nt_start_in a other vxlan_tracer --by-port --vxlan-port 4789
nt_start_in a summary vxlan_tracer --by-port --vxlan-port 4999 -n 200 -i vc -S --interval 600
pings 30 10.9.1.2
pings 20 10.9.2.2
wait_for 10 eval '[ "$(events port ".type == \"event\"")" -ge 100 ]' || true
for name in port bridge every inner other summary; do
    nt_stop $name
    lost_zero $name
done
figures() { jq_get "$1" '.[-1] | "\(.tx.packets) \(.rx.packets)"'; }
check "both VNIs" "$(figures port)" == "50 50"
check "at the bridge, where it was asked for" "$(figures bridge)" == "20 20"
check "each packet once a side: not at the bridge, too" "$(figures every)" == "20 20"
check "inner filters" "$(figures inner)" == "20 0"
check "another port" "$(figures other)" == "0 0"
check "one VNI" "$(figures summary)" == "20 20"
check_jq "what is told" port 'map(select(.type == "event")) | length == 100 and all(.outcome == "seen" and .protocol == "icmp" and .len_bytes == 98 and .outer.dst_port == 4999 and .outer.len_bytes == 134 and
    [.vni, .outer.ifname] == (if .src_ip | startswith("10.9.1.") then [100, "va"] else [200, "vc"] end))'
check_jq "peers and flows" summary '.[-1] | (.peers | map([.direction, .vni, .peer_ip, .packets, .bytes]) | sort) ==
    [["rx", 200, "10.78.0.2", 20, 1960], ["tx", 200, "10.78.0.2", 20, 1960]] and .flows_total == 2'
check_jq "tracepoints only" port '.[0].hooks | length == 2 and all(.via | test("tp_btf|raw_tp"))'

# --- a program encapsulates: no VXLAN device takes part ---------------------------------------------
nt_start_in b program vxlan_tracer --by-port --vxlan-port 5999 -i vb -v
in_a python3 - <<'PY'
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inner = bytes.fromhex("ffffffffffff" "020000000009" "0806" "0001080006040001" "020000000009" "0a090909" "000000000000" "0a09090a")
for i in range(3):
    s.sendto(struct.pack("!II", 0x88000000 | 77, (5000 + i) << 8) + inner, ("10.77.0.2", 5999))
s.sendto(b"short", ("10.77.0.2", 5999))
PY
wait_for 10 eval '[ "$(events program ".type == \"event\"")" -ge 3 ]' || true
nt_stop program
lost_zero program
# of any device: at a's and at b's
check_jq "what is no VXLAN" program '.[-1] | .unreadable == 2 and .rx.packets == 3'
check_jq "ARP with a group" program 'map(select(.type == "event")) | map(.vni) == [5000, 5001, 5002] and
    all(.direction == "rx" and .gbp_id == 77 and .vxlan_flags == "I,GBP" and .arp.operation == 1 and
    .arp.sender_ip == "10.9.9.9" and .arp.target_ip == "10.9.9.10" and .dst_mac == "ff:ff:ff:ff:ff:ff")'
