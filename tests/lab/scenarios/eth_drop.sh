# Drops of every kind in known numbers: how many, why, where, and what was in them.
# where: guest host
# timeout: 400

need_cmd nft tcpdump
TRAFFIC=$REPO/build/tests/traffic
topo_pair

# The reason's name, or what stands in for it before 5.17.
reason() { if kernel_at_least 5.17; then echo "$1"; else echo -; fi; }

# Other namespaces of a shared machine drop packets as well. (null: known by skb_iif alone.)
OURS="$(stat -Lc %i /run/netns/a),$(stat -Lc %i /run/netns/b),null"

# tally NAME: its events as "COUNT version protocol|ethertype port reason location vlans".
tally() {
    jq -r 'select(.type == "event" and ([.netns] | inside(['$OURS']))) | [.ip_version // "-", .protocol // .eth_type, .dst_port // "-",
        .reason, .location, (.vlan | map(tostring) | join(",") | "[\(.)]")] | join(" ")' "$1.json" |
        sort | uniq -c >"$1.tally"
}
# sum NAME REGEX: of the counts.
sum() { awk -v re="$2" '$0 ~ re { n += $1 } END { print n + 0 }' "$1.tally"; }

send() { in_a "$TRAFFIC/nt-send" "$@"; }
raw() { send raw --dev va --hex "$1" --count "$2"; }

# 02:77:00:00:00:aa > 02:77:00:00:00:02, 10.77.0.1 > 10.77.0.2
MACS=0277000000020277000000aa
CRAFTED=${MACS}0800454800301234000025116ea50a4d00010a4d0002045708ae001c0000000102030405060708090a0b0c0d0e0f10111213
VLAN=${MACS}8100a06408004500003010010000401156200a4d00010a4d0002045708fc001c0000000102030405060708090a0b0c0d0e0f10111213
QINQ=${MACS}88a800c881000064080045000030100200004011561f0a4d00010a4d0002045708fd001c0000000102030405060708090a0b0c0d0e0f10111213
UNKNOWN=${MACS}88b5000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d
LLDP=${MACS}88cc0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e
ARP=${MACS}080600010800060400010277000000aa0a4d0001000000000000e0000005
RARP=${MACS}803500010800060400030277000000aa0a4d00010000000000000a4d0009

in_b nft 'add table inet t
    add chain inet t i { type filter hook input priority 0; }
    add rule inet t i udp dport 5001 drop'
bg_in b full "$TRAFFIC/nt-send" rcvbuf --bind 10.77.0.2 --port 5002 --hold 300
bg_in b sink "$TRAFFIC/nt-send" sink --bind 10.77.0.2 --port 5005
wait_for 10 grep -q ready full.out
wait_for 10 grep -q ready sink.out

nt_start every eth_drop --rate 0
nt_start_in b vb eth_drop --rate 0 -i vb -v -n --pcap "$WORK/vb.pcapng"
lab_spawn text txt nsenter --net=/run/netns/b "$NETTRACE" eth_drop --rate 0 -i vb
lab_wait_line text text.txt '^eth_drop on'

# --- the traffic ---------------------------------------------------------------
send udp --to 10.77.0.2 --port 9 --count 50
send udp --to fd77::2 --port 9 --count 50
send udp --to 10.77.0.2 --port 5001 --count 50
send udp --to 10.77.0.2 --port 5002 --count 50 --size 100
send tcp-connect --to 10.77.0.2 --port 5003 --count 20
send badsum --to 10.77.0.2 --dev va --dst-mac 02:77:00:00:00:02 --proto ip --port 5004 --count 10
send badsum --to 10.77.0.2 --dev va --dst-mac 02:77:00:00:00:02 --proto udp --port 5005 --count 10
send badsum --to 10.77.0.2 --dev va --dst-mac 02:77:00:00:00:02 --proto udp --port 5006 --count 10
raw $UNKNOWN 5
raw $LLDP 4
raw $ARP 3
raw $RARP 2
raw $CRAFTED 1
in_a ping -n -q -c 5 -i 0.05 10.77.0.2 >ping.txt
in_a ping -n -q -c 5 -i 0.05 fd77::2 >ping6.txt

# A packet tap on both ends changes nothing.
bg_in b tap tcpdump -i vb -n -U -w "$WORK/tap.pcap"
bg_in a tap2 tcpdump -i va -n -U -w "$WORK/tap2.pcap"
wait_for 20 grep -q listening tap.err
wait_for 20 grep -q listening tap2.err
send udp --to 10.77.0.2 --port 10 --count 50
wait_for 10 eval '[ "$(tcpdump -nr tap.pcap udp port 10 2>/dev/null | wc -l)" -ge 50 ]' || true
bg_stop tap
bg_stop tap2

# Frames whose tag is in the packet, dropped on the way out.
in_a tc qdisc add dev va root blackhole
raw $VLAN 6
raw $QINQ 7
in_a tc qdisc del dev va root
if in_guest && have_module 8021q && have_module cls_matchall; then
    # The tag beside the packet: put there by a VLAN device, or taken out of the frame on receipt.
    VLANS=yes
    ip -n a link add link va name va.100 up type vlan id 100
    ip -n a address add 10.78.0.1/24 dev va.100
    ip -n a neighbour replace 10.78.0.2 lladdr 02:77:00:00:00:02 dev va.100 nud permanent
    # Nobody at the other end knows VLAN 100: the kernel forgets the tag, then drops the packet.
    send udp --to 10.78.0.2 --port 2310 --count 8
    raw $VLAN 9
    in_a tc qdisc add dev va root blackhole
    send udp --to 10.78.0.2 --port 2311 --count 11
    in_a tc qdisc del dev va root
    in_b tc qdisc add dev vb clsact
    in_b tc filter add dev vb ingress matchall action drop
    send udp --to 10.78.0.2 --port 2312 --count 12
    raw $QINQ 13
    in_b tc qdisc del dev vb clsact
else
    VLANS=
fi

wait_for 5 grep -q 'port 10 ttl' text.txt || true
sleep 0.5
nt_stop every
nt_stop vb
nt_stop text
bg_stop full
bg_stop sink
lost_zero every
lost_zero vb
tally every
tally vb
cat every.tally

# --- how many, why, where --------------------------------------------------------
NO_SOCKET=$(reason NO_SOCKET)
check "UDP to a closed port" "$(sum every " 4 udp 9 $NO_SOCKET ")" == 50
check "UDP to a closed port, IPv6" "$(sum every " 6 udp 9 $NO_SOCKET ")" == 50
if ! kernel_at_least 7.0; then
    check "their place" "$(sum every ' 4 udp 9 .* __udp4_lib_rcv ')" == 50
    check "their place, IPv6" "$(sum every ' 6 udp 9 .* __udp6_lib_rcv ')" == 50
fi
check "UDP to a closed port beside a packet tap" "$(sum every " 4 udp 10 $NO_SOCKET ")" == 50
check "nothing else of that port" "$(sum every ' udp (9|10) ')" == 150
check "dropped by nft" "$(sum every " 4 udp 5001 $(reason NETFILTER_DROP) (nf_hook_slow|nft_do_chain) ")" == 50
received=$(tail -n 1 full.out | jq .received)
check "some arrive in the small buffer" "$received" '>' 0
check "dropped and received at the small buffer" $(($(sum every " 4 udp 5002 $(reason SOCKET_RCVBUFF) ") + received)) == 50
check "no others of the small buffer" $(($(sum every ' udp 5002 ') + received)) == 50
check "TCP to a closed port" "$(sum every " 4 tcp 5003 $NO_SOCKET tcp_v4_rcv ")" == 20
check "wrong IPv4 checksum" "$(sum every " udp 5004 $(reason IP_CSUM) ip_rcv_core")" == 10
check "wrong UDP checksum, bound port" "$(sum every " udp 5005 $(reason UDP_CSUM) ")" == 10
check "wrong UDP checksum, closed port" "$(sum every " udp 5006 $(reason UDP_CSUM) ")" == 10
check "unknown EtherType" "$(sum every ' - 0x88b5 - ')" == 5
check "LLDP" "$(sum every ' - 0x88cc - ')" == 4
check "ARP with a multicast target" "$(sum every ' - 0x0806 - .* arp_process ')" == 3
check "RARP" "$(sum every ' - 0x8035 - ')" == 2
check "answered pings" "$(sum every ' icmp(v6)? ')" == 0
check "tag in the frame" "$(sum every ' 4 udp 2300 .* \[100\]')" == 6
check "two tags in the frame" "$(sum every ' 4 udp 2301 .* \[200,100\]')" $([ "$VLANS" ] && echo == 20 || echo == 7)
check "qdisc drops are at the caller of the list function" \
    "$(sum every ' udp 230[01] .* __dev_queue_xmit ')" == 13
if [ "$VLANS" ]; then
    check "VLAN nobody knows" "$(sum every " udp 2310 $(reason OTHERHOST) ip_rcv_core")" == 8
    check "VLAN nobody knows, raw" "$(sum every " udp 2300 $(reason OTHERHOST) ip_rcv_core")" == 9
    check "tag beside the packet, going out" "$(sum every ' udp 2311 .* __dev_queue_xmit \[100\]')" == 11
    check "tag beside the packet, coming in" "$(sum every " udp 2312 $(reason TC_INGRESS) .* \[100\]")" == 12
    check "one tag beside the packet, one in it" "$(sum every ' udp 2301 .* __netif_receive_skb_core.* \[200,100\]')" == 13
fi

# --- what was in them; a busy machine receives in ksoftirqd ----------------------
check_jq "the crafted frame" every 'map(select(.type == "event" and .dst_port == 2222)) | length == 1 and
    (.[0] | .src_mac == "02:77:00:00:00:aa" and .dst_mac == "02:77:00:00:00:02" and .eth_type == "0x0800" and
    .ip_version == 4 and .protocol == "udp" and .src_ip == "10.77.0.1" and .dst_ip == "10.77.0.2" and
    .src_port == 1111 and .ttl == 37 and .tos == 72 and .ip_id == 4660 and .len_bytes == 62 and .vlan == [] and
    .ifname == "vb" and .ifindex_source == "dev" and .netns > 0 and
    (.comm == "nt-send" or (.comm | startswith("ksoftirqd/"))))'
check_jq "its bytes" vb "map(select(.dst_port == 2222)) | .[0].bytes_hex == \"$CRAFTED\""
check_jq "ARP and RARP" every 'map(select(.arp)) | (map(select(.eth_type == "0x0806").arp) | unique) ==
    [{"operation": 1, "sender_mac": "02:77:00:00:00:aa", "target_mac": "00:00:00:00:00:00",
      "sender_ip": "10.77.0.1", "target_ip": "224.0.0.5"}] and
    (map(select(.eth_type == "0x8035").arp) | unique) == [{"operation": 3, "sender_mac": "02:77:00:00:00:aa",
      "target_mac": "00:00:00:00:00:00", "sender_ip": "10.77.0.1", "target_ip": "10.77.0.9"}]'
check_jq "SYN packets" every 'map(select(.dst_port == 5003)) | all(.tcp_flags == "SYN" and .tcp_seq >= 0 and
    .len_bytes >= 54)'
check_jq "lengths: 100 bytes and headers" every '(map(select(.dst_port == 9 and .ip_version == 4).len_bytes) | unique) == [142] and
    (map(select(.dst_port == 9 and .ip_version == 6).len_bytes) | unique) == [162]'
check_jq "the stack starts at the place" every 'map(select(.type == "event")) |
    all(.stack[0] == .location_raw and (.stack | length) > 3)'
check_jq "no stack if none is wanted" vb 'all(has("stack") | not)'
check_jq "the end line" every '.[-1] as $e | ($e.totals | map(.count) | add) == $e.events and
    $e.matched == $e.events and $e.rate_limited == 0 and (map(select(.type == "event")) | length) == $e.events'

# --- the file, and the text -----------------------------------------------------------
shown=$(jq -r 'select(.type == "end").events' vb.json)
check "only what concerns vb" "$(jq -r 'select(.type == "event").ifname' vb.json | sort -u)" == vb
check "packets in the file" "$(tcpdump -nr vb.pcapng --count 2>pcap.txt | awk '{ print $1 }')" == "$shown"
check "UDP port 9 in the file" "$(tcpdump -nr vb.pcapng udp dst port 9 2>/dev/null | wc -l)" == 100
check "TCP in the file" "$(tcpdump -nr vb.pcapng tcp dst port 5003 2>/dev/null | grep -c 'Flags \[S\]')" == 20
check "comments in the file" "$(tr -cs "[:print:]" "\n" <vb.pcapng | grep -cE ' at (nf_hook_slow|nft_do_chain)')" == 50
check "text: events" "$(grep -c ' length [0-9]' text.txt)" == "$shown"
check "text: totals as in JSON" \
    "$(sed -n '/^drops shown/,/^suppressed/p' text.txt | sed -n 's/^ *\([0-9]\+\)  */\1 /p' | tr -s ' ' | sort | tr '\n' ';')" == \
    "$(jq -r 'select(.type == "end").totals[] | "\(.count) \(.reason) \(.location)"' vb.json | sort | tr '\n' ';')"
check "text: the crafted frame" "$(grep -B1 'port 2222 ttl' text.txt | tr -s '\n ' ' ')" == \
    " 02:77:00:00:00:aa > 02:77:00:00:00:02 type 0x0800 length 62 udp 10.77.0.1 port 1111 > 10.77.0.2 port 2222 ttl 37 id 4660 "
check "text: ARP" "$(grep -c 'ARP request sender 02:77:00:00:00:aa 10.77.0.1 target 00:00:00:00:00:00 224.0.0.5' text.txt)" == 3
check "text: wide lines" "$(awk 'length > 100' text.txt | wc -l)" == 0
