# What virtio_net says of packets: a TCP stream from one card to another, which comes in large packets and in no tunnel.
# ci: 6.1
# nics: 2 offloads

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
