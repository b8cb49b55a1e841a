# What Open vSwitch hands to its internal port: stages up to the protocol, the backlog, drops on the way.
# clock: instructions
# ci: 6.12
# timeout: 600

need_kprobes
need_cmd python3 nft
need_module openvswitch nft_ct
modprobe openvswitch
nft_warm
ns_add a b
ip link add up0 netns a address 02:77:00:00:00:0f type veth peer name vb netns b address 02:77:00:00:00:02
ip -n a link set up0 up
NS_A=a NS_B=b
in_a python3 "$LAB_DIR/ovs.py" dp br0 up0
ip -n a link set br0 address 02:77:00:00:00:01
lab_end a br0 1 2
lab_end b vb 2 1
for type in 0x0800 0x86dd; do
    in_a python3 "$LAB_DIR/ovs.py" flow br0 in_port=0 type=$type -- output=1
    in_a python3 "$LAB_DIR/ovs.py" flow br0 in_port=1 type=$type -- output=0
done
settle a b
TOOL=system_network_rx_internal_latency
FIRST='"netif_rx"'
if knows_type vport openvswitch; then FIRST='"ovs_send", "internal_recv", "netif_rx"'; fi
# shellcheck source=tests/lab/timeline.sh
. "$LAB_DIR/timeline.sh"

nt_start_in a all $TOOL -I 1000
nt_start_in a each $TOOL -i br0 -t 0.001 --rate 0
ip -n a link add other type dummy
nt_start_in a by $TOOL -i br0,up0 -I 1000
nt_start_in a none $TOOL -i other -I 1000
nt_start_in a udp $TOOL --phy-interface up0 -p udp -D 5001 -I 1000
in_b ping -n -q -c 10 -i 0.01 10.77.0.1 >/dev/null
in_b ping -n -q -c 10 -i 0.01 fd77::1 >/dev/null
in_b ping -n -q -c 5 -i 0.01 -s 4000 10.77.0.1 >/dev/null
in_b nt-send udp 10.77.0.1 5001 30 2>/dev/null >/dev/null || in_b python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(30):
    s.sendto(b"%020d" % i, ("10.77.0.1", 5001))'
settle a b
for name in all each by none udp; do nt_stop $name; lost_zero $name; adds_up $name; done
jq -r 'select(.type == "end") | .stages[] | "# \(.from) > \(.to): \(.hist.count), \(.hist.p50) us"' all.json
check_jq "all that came" all '.[-1] | .completed == 55 and .fragments == 10 and .dropped_total == 0'
check_jq "of an internal port, by an uplink" by ".[-1].completed == 55"
check_jq "only the named ports" none '.[-1].started == 0'
check_jq "of a port" udp '.[-1].completed == 30'
check_jq "every stage" each "map(select(.type == \"event\")) | length == 55 and all((.stages | map(.stage)) ==
    [$FIRST, \"backlog_enq\", \"backlog_deq\", \"internal_rx\", \"ip_rcv\", \"ip_deliver\", \"l4_rcv\"] and .backlog_packets >= 0)"
check_jq "the depth of each" all '.[-1] | .backlog_depth.count >= 55 and (.cpus | map(.wait.count) | add) >= 55'

# --- netfilter on the way: 4 dropped before routing, 3 at the input -------------------------------
in_a nft 'add table inet t { chain p { type filter hook prerouting priority 0; udp dport 5002 drop; };
    chain i { type filter hook input priority 0; udp dport 5003 drop; }; }'
nt_start_in a drops $TOOL -p udp -I 1000
in_b python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port, n in ((5002, 4), (5003, 3), (5001, 2)):
    for i in range(n):
        s.sendto(b"%020d" % i, ("10.77.0.1", port))'
settle a b
nt_stop drops
lost_zero drops
adds_up drops
check_jq "where each was dropped" drops '.[-1] | .completed == 2 and
    (.dropped | map([.after, .count]) | sort) == [["ip_deliver", 3], ["ip_rcv", 4]]'
