# What virtio headers say of packets: a TCP stream from one card to another, which comes in large packets and in no
# tunnel; a program that writes packets of a tunnel to a tap.
# ci: new
# nics: 2 offloads
# timeout: 600

need_kprobes
need_cmd python3 tcpdump ethtool
need_module virtio_net
NS_A=a NS_B=b
ns_add a b
for host in 1 2; do
    card=$(ip -br link | awk -v mac="02:77:00:00:01:0$host" '$3 == mac { print $1 }')
    [ $host = 1 ] && ns=a other=2 || ns=b other=1
    ip link set "$card" netns $ns name v$ns address 02:77:00:00:00:0$host
    lab_end $ns v$ns $host $other
done
wait_for 5 lab_is_up a va
wait_for 5 lab_is_up b vb
in_b ethtool -K vb gro off >/dev/null    # what tcpdump sees is then what the card has delivered
settle a b
LAB_START_SECONDS=240

cat >"$WORK/tcp.py" <<'PY'
import socket, sys
if sys.argv[1] == "server":
    s = socket.create_server(("10.77.0.2", 5001))
    print("ready", flush=True)
    c = s.accept()[0]
    while c.recv(1 << 16):
        pass
else:
    c = socket.create_connection(("10.77.0.2", 5001))
    c.sendall(bytes(1000000))
    c.shutdown(socket.SHUT_WR)
    c.recv(1)
PY
bg_in b capture tcpdump -i vb -s 96 -B 8192 -w "$WORK/vb.pcap" -U 'tcp dst port 5001'
wait_for 100 grep -q 'listening on' capture.err
nt_start_in b rx skb_vxlan_source_detector --rate 0 --assert none
bg_in b server python3 "$WORK/tcp.py" server
wait_for 100 grep -q ready server.out
in_a python3 "$WORK/tcp.py" client
lab_wait_exit server 100
settle a b
nt_stop rx
lost_zero rx
captured() { tcpdump -nr "$WORK/vb.pcap" "$1" 2>/dev/null | wc -l; }
fins() { [ "$(captured 'tcp[tcpflags] & tcp-fin != 0')" -ge 1 ]; }
wait_for 100 fins || true
bg_stop capture INT || true
LARGE=$(captured 'greater 1515')
check "large packets came" "$LARGE" '>' 10
check_jq "each is from the card, and not checked" rx 'map(select(.type == "event")) | length == '"$LARGE"' and
    all(.event == "VIRTIO_RX" and .function == "napi_gro_receive" and .source == "virtio_net" and .ifname == "vb" and
    .after.gso_type == "TCPV4,DODGY" and .after.encapsulation == false and .added == false and .dst_port == 5001)'
check_jq "no type of a tunnel" rx '.[-1] | .tunnel_types_seen == false and
    (.functions | length == 1 and .[0].packets == '"$LARGE"' and .[0].added == 0 and .[0].mismatches == 0)'

# --- a virtio header of packets in a UDP tunnel, which tun takes from 6.17 on ------------------------------------
kernel_at_least 6.17 || exit 0
need_module tun
cat >"$WORK/tap.py" <<'PY'
import fcntl, os, struct, time
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"tapv", 0x5002))       # TUNSETIFF: tap, no pi, vnet header
fcntl.ioctl(fd, 0x400454d8, struct.pack("i", 24))       # TUNSETVNETHDRSZ: virtio_net_hdr_v1_hash_tunnel
fcntl.ioctl(fd, 0x400454d0, 0x1 | 0x2 | 0x80)           # TUNSETOFFLOAD: TUN_F_CSUM, TSO4, UDP_TUNNEL_GSO
os.system("ip link set tapv up")
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
mac = bytes.fromhex("027700000099" "027700000098" "0800")
def ip(protocol, last, payload):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, bytes([192, 0, 2, last]),
                       bytes([192, 0, 2, last + 1])) + payload
tcp = struct.pack(">HHIIBBHHH", 7000, 7001, 1, 1, 0x50, 0x10, 1000, 0, 0) + bytes(3000)
vxlan = bytes.fromhex("0800000000006400") + mac + ip(6, 11, tcp)
frame = mac + ip(17, 1, struct.pack(">HHHH", 5555, 4789, 8 + len(vxlan), 0) + vxlan)
inner = 14 + 20 + 8 + 8 + 14    # inner IP header, behind it that of TCP, whose checksum is to be made
header = struct.pack("<BBHHHHHIHHHH", 1, 1 | 0x20, inner + 40, 1000, inner + 20, 16, 0, 0, 0, 0, 14 + 20, inner)
for i in range(5):
    os.write(fd, header + frame)       # NEEDS_CSUM, GSO_TCPV4 in UDP_TUNNEL_IPV4
print("done", flush=True)
time.sleep(1000)
PY
lab_spawn writer out ip netns exec a python3 "$WORK/tap.py"
wait_for 100 grep -q ready writer.out
lab_spawn tap json nsenter --net=/run/netns/a "$NETTRACE" skb_vxlan_source_detector --json --no-static-check --assert none
lab_wait_line tap "$WORK/tap.json" '"type": *"start"'
touch "$WORK/go"
wait_for 100 grep -q done writer.out
wait_for 60 eval '[ "$(events tap ".type == \"event\"")" -ge 5 ]' || true
kill -INT "$(pid_of tap)"
lab_wait_exit tap 60
check "--assert none: exit status" "$LAB_CODE" == 1
check_jq "the tap brings the type" tap 'map(select(.type == "event")) | length == 5 and all(.event == "VIRTIO_RX" and
    .source == "tun" and .ifname == "tapv" and .added and .before == null and .after.encapsulation and
    (.after.gso_type | test("^TCPV4,DODGY,UDP_TUNNEL(_CSUM)?$")))'
check_jq "the verdict" tap 'map(select(.type == "end")) | .[0].tunnel_types_seen and
    (.[0].verdict | test("^UDP_TUNNEL(_CSUM)? came with the packet from the tun device tapv$"))'
