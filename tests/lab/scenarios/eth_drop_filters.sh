# What the options select and what the same filter expression selects is the same, exactly.
# ci: 5.10
# timeout: 600

need_cmd nft
need_module 8021q cls_matchall act_gact
TRAFFIC=$REPO/build/tests/traffic
topo_pair

MACS=0277000000020277000000aa
PAD=0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e
# 10.77.0.1 > 10.77.0.2 udp 1111 > 2300 in VLAN 100, > 2301 in VLAN 200 (802.1ad) and 100
VLAN=${MACS}8100a06408004500003010010000401156200a4d00010a4d0002045708fc001c0000000102030405060708090a0b0c0d0e0f10111213
QINQ=${MACS}88a800c881000064080045000030100200004011561f0a4d00010a4d0002045708fd001c0000000102030405060708090a0b0c0d0e0f10111213
ARP=${MACS}080600010800060400010277000000aa0a4d0001000000000000e0000005
RARP=${MACS}803500010800060400030277000000aa0a4d00010000000000000a4d0009

in_b nft 'add table inet t
    add chain inet t i { type filter hook input priority 0; }
    add rule inet t i udp dport 5001 drop
    add rule inet t i icmp type echo-request drop
    add rule inet t i icmpv6 type echo-request drop'
ip -n a link add link va name va.100 up type vlan id 100
ip -n a address add 10.78.0.1/24 dev va.100
ip -n a neighbour replace 10.78.0.2 lladdr 02:77:00:00:00:02 dev va.100 nud permanent

send() { in_a "$TRAFFIC/nt-send" "$@"; }
raw() { send raw --dev va --hex "$1" --count "$2"; }
traffic() {
    send udp --to 10.77.0.2 --port 9 --sport 20000 --flows 10 --count 10
    send udp --to 10.77.0.2 --port 20 --sport 21000 --flows 5 --vary dport --count 5
    send udp --to fd77::2 --port 9 --sport 22000 --count 7
    send udp --to 10.77.0.2 --port 5001 --sport 23000 --count 8
    send tcp-connect --to 10.77.0.2 --port 9 --count 6
    send ping --to 10.77.0.2 --count 3 --timeout-ms 1
    send ping --to fd77::2 --count 3 --timeout-ms 1
    raw "${MACS}88b5$PAD" 3
    raw "${MACS}88cc$PAD" 2
    raw "${MACS}8808$PAD" 1
    raw $ARP 1
    raw $RARP 1
    in_a tc qdisc add dev va root blackhole     # tags in the frame, then beside it
    raw $VLAN 4
    raw $QINQ 2
    send udp --to 10.78.0.2 --port 2311 --count 11
    in_a tc qdisc del dev va root
    in_b tc qdisc add dev vb clsact             # received: the outer tag is beside the packet
    in_b tc filter add dev vb ingress matchall action drop
    send udp --to 10.78.0.2 --port 2312 --count 12
    raw $QINQ 13
    in_b tc qdisc del dev vb clsact
} >>traffic.txt

end_line() { tail -n 1 "$1.json"; }
NAMES=()
# start NS NAME EXPECTED ARGS...
start() {
    local ns=$1 name=$2
    echo "$3" >"$name.want"
    echo "${*:4}" >"$name.args"
    shift 3
    lab_spawn "$name" json nsenter "--net=/run/netns/$ns" "$NETTRACE" eth_drop -n --rate 0 --json "$@"
    NAMES+=("$name")
}
# Runs the traffic for those that were started, and compares.
finish() {
    local name
    for name in "${NAMES[@]}"; do lab_wait_line "$name" "$name.json" '"type":"start"'; done
    traffic
    sleep 0.3
    for name in "${NAMES[@]}"; do kill -INT "$(pid_of "$name")"; done
    for name in "${NAMES[@]}"; do
        lab_wait_exit "$name" 30
        check "$(cat "$name.args")" "$(end_line "$name" | sed -n 's/.*"events":\([0-9]*\),.*/\1/p')" == "$(cat "$name.want")"
        check "$name: nothing lost" "$(end_line "$name" | grep -o '"lost":{[^}]*}')" == \
            '"lost":{"buffer":0,"map_full":0,"evicted":0,"probe_missed":0,"unmatched":0}'
    done
    NAMES=()
}

i=0
while IFS='|' read -r want options expression; do
    i=$((i + 1))
    # shellcheck disable=SC2086
    start a "o$i" "$((want))" $options
    [ -z "$expression" ] || start a "e$i" "$((want))" "$expression"
    [ ${#NAMES[@]} -lt 18 ] || finish
done <<'PAIRS'
10|-p udp -D 9 --src-ip 10.77.0.0/24|udp dst port 9 and src net 10.77.0.0/24
7|--protocol udp --src-ip fd77::/64|udp and src net fd77::/64
5|--dst-port 20-24|dst portrange 20-24
3|-S 20003-20005|src portrange 20003-20005
6|-p tcp|tcp
6|-p icmp|icmp or icmp6
8|-p udp -d 10.77.0.2 -D 5001|udp and dst host 10.77.0.2 and port 5001
1|--type arp|arp
1|-t rarp|ether proto 0x8035
2|-t lldp|
1|-t flow_control|
3|-t other|ether proto 0x88b5
10|--type ipv6|ip6
4|-V 100 -D 2300|vlan 100 and udp port 2300
2 + 13|-V 200 -D 2301|vlan 200 and vlan 100 and udp port 2301
11|-V 100 -D 2311|vlan 100 and udp port 2311
12|-V 100 -D 2312 -d 10.78.0.0/24|vlan 100 and udp port 2312 and dst net 10.78.0.0/24
4 + 11 + 12|-V 100 --src-port 1-65535 --dst-port 2300-2312 vlan 100|vlan 100
0|--vlan-id 999|vlan 999
6|-D 9 tcp|tcp and dst port 9
PAIRS
[ ${#NAMES[@]} = 0 ] || finish

start a tagged $((4 + 2 + 13 + 11 + 12)) --vlan-id 100
start b vb $((10 + 5 + 7 + 8 + 6 + 3 + 3 + 3 + 2 + 1 + 1 + 1 + 12 + 13)) -i vb
start a va $((4 + 2 + 11)) -i va
start b vbudp $((8)) -i vb udp port 5001
start a nft 14 --location nf_hook_slow,nft_do_chain
start a qdisc $((4 + 2 + 11)) --location __dev_queue_xmit
if kernel_at_least 5.17; then
    start a why 14 --reason NETFILTER_DROP
    start a whynot $((10 + 5 + 7)) -p udp --exclude-reason NETFILTER_DROP,QDISC_DROP,TC_INGRESS
fi
finish

nt_run unknown 2 eth_drop --reason NO_SUCH_REASON
check_ok "it says so" grep -q 'unknown drop reason: NO_SUCH_REASON' unknown.err
nt_run expression 2 eth_drop 'udp prot 9'
nt_run nodev 2 eth_drop -i nosuch0
nt_run both 2 eth_drop --reason NO_SOCKET --exclude-reason NETFILTER_DROP
