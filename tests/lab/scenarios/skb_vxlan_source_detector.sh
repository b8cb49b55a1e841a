# Types of tunnels in known numbers: TCP without a tunnel, through VXLAN, Geneve and GRE, segmented and merged again;
# packets written to a tap.
# ci: 6.1
# timeout: 600

need_kprobes
need_cmd python3 tcpdump ethtool
need_module vxlan geneve tun
topo_pair
LAB_START_SECONDS=240    # thirty programs, which a busy machine takes long to verify
TUNNELS="vx100 gnv9"
have_module ip_gre && TUNNELS+=" gre9"    # not in every kernel's build
have_gre() { [[ $TUNNELS == *gre9 ]]; }
declare -A NET=([vx100]=10.9.100 [gnv9]=10.9.50 [gre9]=10.9.200)
# tunnel DEVICE LINK-TYPE: in both namespaces, HOST and OTHER in it are 1 and 2
tunnel() {
    local ns host other type
    for ns in a b; do
        [ $ns = a ] && host=1 other=2 || host=2 other=1
        type=${2//HOST/$host} type=${type//OTHER/$other}
        ip -n $ns -batch - <<END
link add $1 ${MAC:+address $MAC$host} mtu 1450 type $type
link set $1 up
address add ${NET[$1]}.$host/24 dev $1
${MAC:+neighbour replace ${NET[$1]}.$other lladdr $MAC$other dev $1 nud permanent}
END
    done
}
MAC=02:78:00:00:00:0 tunnel vx100 \
    "vxlan id 100 nolearning noudpcsum dstport 4789 local 10.77.0.HOST remote 10.77.0.OTHER"
MAC=02:79:00:00:00:0 tunnel gnv9 "geneve id 300 udpcsum dstport 6090 remote 10.77.0.OTHER"
! have_gre || tunnel gre9 "gre local 10.77.0.HOST remote 10.77.0.OTHER"
settle a b

cat >"$WORK/tcp.py" <<'PY'
import socket, sys
if sys.argv[1] == "server":
    s = socket.create_server((sys.argv[2], 5001))
    print("ready", flush=True)
    c = s.accept()[0]
    while c.recv(1 << 16):
        pass
else:
    c = socket.create_connection((sys.argv[2], 5001))
    c.sendall(bytes(1000000))
    c.shutdown(socket.SHUT_WR)
    c.recv(1)
PY
# transfer ADDRESS: 1 MB from a to that of b
transfer() {
    bg_in b server python3 "$WORK/tcp.py" server "$1"
    wait_for 100 grep -q ready "$WORK/server.out"
    in_a python3 "$WORK/tcp.py" client "$1"
    lab_wait_exit server 100
    settle a b
}
# number NAME FUNCTIONS EVENT [DEVICE]: of packets in the end record
number() {
    jq_get "$1" "[.[-1].functions[] | select((.function | test(\"^($2)$\")) and .event == \"$3\" and
        (.ifname == \"${4:-}\" or \"${4:-}\" == \"\")).packets] | add // 0"
}
detector() { nt_start_in a "$1" skb_vxlan_source_detector --rate 0 "${@:2}"; }

# --- no tunnel: a TCP stream, and a program that writes large packets to a tap, which nobody has checked yet ---
cat >"$WORK/tap.py" <<'PY'
import fcntl, os, socket, struct, sys, time
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"tapv", 0x5002))       # TUNSETIFF: tap, no pi, vnet header
os.system("ip link set tapv up")
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
tcp = struct.pack(">HHIIBBHHH", 7000, 7001, 1, 1, 0x50, 0x10, 1000, 0, 0) + bytes(3000)
ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
frame = bytes.fromhex("027700000099" "027700000098" "0800") + ip + tcp
for i in range(5):
    os.write(fd, struct.pack("<BBHHHH", 1, 1, 54, 1000, 34, 16) + frame)   # NEEDS_CSUM, GSO_TCPV4
for i in range(3):
    os.write(fd, bytes(10) + frame[:200])
print("done", flush=True)
time.sleep(1000)
PY
lab_spawn writer out ip netns exec a python3 "$WORK/tap.py"
wait_for 100 grep -q ready writer.out
detector plain --no-static-check --assert none
transfer 10.77.0.2
touch "$WORK/go"
wait_for 100 grep -q done writer.out
wait_for 60 eval '[ "$(events plain ".type == \"event\"")" -ge 5 ]' || true
nt_stop plain
bg_stop writer
lost_zero plain
check_jq "from a tap, and nothing else" plain 'map(select(.type == "event")) | length == 5 and all(.event == "VIRTIO_RX" and
    .source == "tun" and .function == "netif_receive_skb" and .ifname == "tapv" and .after.gso_type == "TCPV4,DODGY" and
    .before == null and .after.gso_size_bytes == 1000 and .after.encapsulation == false and .added == false and
    .dst_ip == "192.0.2.2" and .dst_port == 7001)'
check_jq "no type of a tunnel" plain '.[-1] | (.functions | length == 1 and all(.packets == 5 and .added == 0)) and
    .packets > 10 and .tunnel_types_seen == false and .first == null and
    (.verdict | test("^no packet had one of .*UDP_TUNNEL"))'
check_jq "no static check" plain 'map(select(.type == "static")) == []'

# --- through tunnels: each packet that is to be segmented gets the type, leaves with it, loses it ------------
bg_in b geneve python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 6081))
print("ready", flush=True)
time.sleep(1000)'
wait_for 100 grep -q ready geneve.out
captured() { tcpdump -nr "$WORK/inner.pcap" "$1" 2>/dev/null | wc -l; }
bg_in a capture tcpdump -i any -s 128 -B 8192 -w "$WORK/inner.pcap" -U 'tcp and net 10.9.0.0/16'
wait_for 100 grep -q 'listening on' capture.err
detector vx -t
lab_spawn seen txt nsenter --net=/run/netns/a "$NETTRACE" skb_vxlan_source_detector --assert none --gso-changes-only -v \
    --dst-ip 10.9.100.2
lab_wait_line seen seen.txt '^skb_vxlan_source_detector'
for dev in $TUNNELS; do transfer "${NET[$dev]}.2"; done
nt_stop vx
kill -INT "$(pid_of seen)"
lab_wait_exit seen 60
check "--assert none: exit status" "$LAB_CODE" == 1
head -n 40 seen.txt
tail -n 10 seen.txt
fins() { [ "$(captured "src host ${NET[${TUNNELS##* }]}.1 and tcp[tcpflags] & tcp-fin != 0")" -ge 1 ]; }
wait_for 100 fins || true
bg_stop capture INT || true
lost_zero vx
# what each tunnel makes of a packet: how many, gso_type, protocol and port outside, protocol inside
declare -A LARGE MAKES=([vx100]='"TCPV4,UDP_TUNNEL", "udp", 4789, "0x6558"' [gre9]='"TCPV4,GRE", "gre", null, "0x0800"'
    [gnv9]='"TCPV4,UDP_TUNNEL_CSUM", "udp", 6090, "0x6558"')
WANT=
for dev in $TUNNELS; do
    LARGE[$dev]=$(captured "src host ${NET[$dev]}.1 and ip[2:2] > 1450")
    check "$dev: large packets were sent" "${LARGE[$dev]}" '>' 10
    WANT+=${WANT:+, }'["'$dev'", "'${NET[$dev]}.2'", '${LARGE[$dev]}', '${MAKES[$dev]}']'
done
# of EVENT TYPE-AT: as many by type as there are, and what is in $want, by type
of() {
    echo "([$WANT] | map({key: .[3], value: {dev: .[0], ip: .[1], n: .[2], proto: .[4], port: .[5], inner: .[6]}}) |
        from_entries) as \$want | map(select(.event == \"$1\")) | group_by(.$2.gso_type) |
        (map({key: .[0].$2.gso_type, value: length}) | from_entries) == (\$want | map_values(.n)) and
        (add | all(.$2.gso_type as \$type | \$want[\$type] as \$w | $3))"
}
check_jq "as they get it" vx "$(of SET after '.function == "iptunnel_handle_offloads" and .seen_at == .function and
    .since == null and .added and .before.gso_type == "TCPV4" and .before.encapsulation == false and .after.encapsulation and
    .after.gso_size_bytes == 1398 and .ifname == $w.dev and .dst_ip == $w.ip and .dst_port == 5001 and
    (.stack | any(test("_xmit")))')"
check_jq "as they leave" vx "$(of TX after '.function == "net_dev_start_xmit" and .ifname == "va" and .mismatch == false and
    .added == false and .after.encapsulation and .protocol == $w.proto and .dst_port == $w.port and .dst_ip == "10.77.0.2" and
    .before.gso_type == .after.gso_type and .after.inner_protocol == $w.inner')"
check_jq "as they lose it" vx "$(of DECAP before '.function == "__iptunnel_pull_header" and .before.encapsulation and
    .after.gso_type == "TCPV4" and .after.encapsulation == false and .ifname == "vb"')"
check_jq "and that is all, in numbers, too" vx "([$WANT] | map(.[2]) | add) as \$all |"'
    (map(select(.event == "SET" or .event == "TX" or .event == "DECAP")) | length) == 3 * $all and .[-1].events == 3 * $all and
    (.[-1].functions | all(.mismatches == 0) and (map(.added) | add) == $all and (map(.packets) | add) == 3 * $all and
    (map(select(.event != "SET") | [.function, .ifname, .packets]) | sort) ==
    [["__iptunnel_pull_header", "vb", $all], ["net_dev_start_xmit", "va", $all]])'
check_jq "the verdict" vx '.[-1] | .tunnel_types_seen and
    .verdict == "iptunnel_handle_offloads put UDP_TUNNEL on a packet of vx100" and .first.event == "SET"'
check_jq "the verdict is the first event" vx '.[-1].first.ts_ns == (map(select(.type == "event").ts_ns) | min)'
rows=$(awk '/^verdict/ { t = 0 } t { print $1, $2, $3, $4 } /^function / { t = 1 }' seen.txt | sort | xargs)
check "seen: only what was asked for, TX is counted" "$rows" == "__iptunnel_pull_header vb DECAP ${LARGE[vx100]} \
iptunnel_handle_offloads vx100 SET ${LARGE[vx100]} net_dev_start_xmit va TX ${LARGE[vx100]}"
check "seen: TX is not shown" "$(grep -cE '^[0-9:.]+ +TX ' seen.txt)" == 0
check "seen: the verdict" "$(grep -cE '^verdict: iptunnel_handle_offloads put UDP_TUNNEL on a packet of vx100$' seen.txt)" == 1
check "seen: lines fit" "$(awk 'length > 100' seen.txt | wc -l)" == 0
check "seen: nothing is lost" "$(grep -c '^warning' seen.txt)" == 0
check "seen: what failed" "$(grep -c -- '--assert none: iptunnel_handle_offloads put UDP_TUNNEL' seen.err)" == 1

# --- what is configured --------------------------------------------------------------------------------
check_jq "the record" vx '.[1].type == "static" and (map(select(.type == "static")) | length) == 1 and .[1].namespaces_unread == 0'
check_jq "devices, in all namespaces" vx '.[1].tunnels | map(select(.ifname == "vx100")) | length == 2 and
    all(.kind == "vxlan" and .up and .vni == 100 and .dst_port == 4789) and
    (map([.netns_name, .local_ip, .remote_ip]) | sort) == [[null, "10.77.0.1", "10.77.0.2"], ["b", "10.77.0.2", "10.77.0.1"]]'
check_jq "Geneve and GRE, too" vx '.[1].tunnels | map(select(.netns_name == "b") | [.ifname, .kind, .vni, .dst_port, .remote_ip]) |
    any(. == ["gnv9", "geneve", 300, 6090, "10.77.0.1"]) and
    (map(select(.[0] == "gre9")) | . == [] or . == [["gre9", "gre", null, null, "10.77.0.1"]])'
check_jq "sockets: the kernel's" vx '.[1].sockets | map(select(.port == 4789 and .ip_version == 4)) |
    length == 2 and all(.owner == "kernel") and (map(.netns_name) | sort) == [null, "b"]'
check_jq "sockets: of a process" vx '.[1].sockets | map(select(.port == 6081)) | length == 1 and
    all(.owner == "process" and .comm == "python3" and .netns_name == "b" and .pid == '"$(pid_of geneve)"')'
check_jq "offloads" vx '.[1].offloads | map(select(.ifname == "va" and .netns_name == null).features) |
    length == 1 and (.[0] | any(. == "tx-udp_tnl-segmentation"))'
check_jq "forwarding" vx '.[1].forwarding | any(.netns_name == "b" and .ipv4 == false)'
check "static: in text" "$(grep -c '^    tunnel vx100 (vxlan), namespace b, vni 100, port 4789, to 10.77.0.1$' seen.txt)" == 1
bg_stop geneve

# --- segmented on the way, and merged again: veth has GRO from 5.13 on; under the old name, by kprobes -------------
if kernel_at_least 5.13; then
    in_a ethtool -K va tso off tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off tx-gre-segmentation off >/dev/null
    in_b ethtool -K vb gro on >/dev/null
fi
ln -s "$NETTRACE" "$WORK/skb_vxlan_source_detector.py"
lab_spawn old json nsenter --net=/run/netns/a "$WORK/skb_vxlan_source_detector.py" --json --attach kprobe --no-static-check \
    --rate 0 --gso-changes-only --flags SKB_GSO_UDP_TUNNEL,gre
lab_wait_line old "$WORK/old.json" '"type": *"start"'
transfer 10.9.100.2
! have_gre || transfer 10.9.200.2
nt_stop old
lost_zero old
jq -c .functions old.json | tail -n 1
check_jq "kprobes and no other" old '.[0].hooks | length > 10 and all(.via | test("probe|raw_tp"))'
check "they get the type here, too" "$(number old iptunnel_handle_offloads SET vx100)" '>' 10
! have_gre || check "GRE, too" "$(number old iptunnel_handle_offloads SET gre9)" '>' 10
if kernel_at_least 5.13; then
    merged=$(number old '(udp4_|udp_|gre_)gro_complete' GRO_COMPLETE vb)
    check "GRO puts it on what it merges" "$(number old '(udp4_|udp_)gro_complete' GRO_COMPLETE vb)" '>' 10
    ! have_gre || check "of GRE, too" "$(number old gre_gro_complete GRO_COMPLETE vb)" '>' 10
    check "they lose it behind the tunnel" "$(number old __iptunnel_pull_header DECAP vb)" == "$merged"
    check_jq "none leaves with it" old '.[-1].functions | map(.event) | unique == ["DECAP", "GRO_COMPLETE", "SET"]'
    # the flow is that inside up to 6.1, where GRO has moved the packet's network header
    check_jq "GRO: as they get it" old 'map(select(.event == "GRO_COMPLETE")) |
        all((if .protocol == "gre" or .src_ip == "10.9.200.1" then "GRE" else "UDP_TUNNEL" end) as $type | .added and .after.encapsulation and
        (.before.gso_type | test("TUNNEL|GRE") | not) and (.after.gso_type | test($type)))'
else
    check_jq "SET, TX and DECAP" old '.[-1].functions | map([.function, .event]) | unique ==
        [["__iptunnel_pull_header", "DECAP"], ["iptunnel_handle_offloads", "SET"], ["net_dev_start_xmit", "TX"]]'
    check "each that gets it loses it" "$(number old iptunnel_handle_offloads SET)" == "$(number old __iptunnel_pull_header DECAP)"
    check_jq "TX is not shown" old 'all(.event != "TX")'
fi
nt_run badflag 2 skb_vxlan_source_detector --flags UDPTUNNEL
