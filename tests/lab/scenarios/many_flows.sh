# A hundred thousand flows at the same time: state stays within its bound, what has no room is counted, and the figures
# of a watched flow stay right.
# clock: instructions
# ci: 6.12
# timeout: 900

need_kprobes
need_cmd nft
need_module sch_netem nf_tables
topo_pair
SEND=$REPO/build/tests/traffic/nt-send
# shellcheck source=tests/lab/timeline.sh
. "$LAB_DIR/timeline.sh"
in_b nft 'add table inet t { chain in { type filter hook prerouting priority -300; udp dport 9-60000 drop; }; }'

# flows SOURCE N: one datagram of each of N flows; watched N: datagrams of the flow that is watched.
flows() { in_a "$SEND" udp --to 10.77.0.2 --sport "$1" --port 10000 --vary dport --flows "$2" --count "$2" --size 20 --rate 0 >flows.out; }
watched() { in_a "$SEND" udp --to 10.77.0.2 --sport 7000 --port 9 --count "$1" --size 20 --rate 1000 >watched.out; }

# --- all of them held by a discipline ------------------------------------------------------------------------
netem va a delay 60s limit 200000
nt_start_in a wide system_network_performance_metrics --phy-interface va --direction tx --protocol udp --summary --interval 1000 --timeout-ms 200000
nt_start_in a one system_network_performance_metrics --phy-interface va --direction tx --protocol udp --summary --interval 1000 --timeout-ms 200000 \
    --src-port 7000 --dst-port 9 --strict-ports
stats_snap a va
watched 50
flows 5000 50000
flows 6000 50000
watched 50
settle a b
gone() { [ "$(stats_delta a va tx.packets)" -ge "$1" ]; }
wait_for 100 gone 100100
for name in wide one; do nt_stop $name; adds_up $name; done
lost_zero one
check "datagrams of the device" "$(stats_delta a va tx.packets)" == 100100
note "$(jq_get wide '.[-1] | [.started, .completed, .inside, .lost]')"
check_jq "as many as there is room for, the others are counted" wide '.[-1] | .started == 100100 and .completed == 16384 and
    .lost.map_full == 100100 - 16384 and .inside == 0'
# Those behind a hundred thousand others leave later: how much depends on the softirq's luck.
check_jq "the watched flow" one '.[-1] | .started == 100 and .completed == 100 and (.stages | map(select(.to == "qdisc_deq"))[0].hist |
    .count == 100 and .min >= 60000000 and .p50 < 60600000)'

# --- rows of flows ---------------------------------------------------------------------------------------------
in_a tc qdisc del dev va root
nt_start_in a table system_network_latency_summary --by-flow --phy-interface va --direction tx --protocol udp -i 1000 --top 600
watched 50
flows 5000 3000
watched 50
settle a b
nt_stop table
adds_up table
note "$(jq_get table '.[-1] | [.started, .completed, .lost, (.flows | length)]')"
check_jq "every packet is in the figures, the first flows have rows" table '.[-1] | .completed == 3100 and .total.hist.count == 3100 and
    (.flows | length) == 512 and (.flows | map(.total.count) | add) + .without_row == 3100 and .lost.map_full == .without_row'
check_jq "the watched flow was among them" table '.[-1].flows | map(select(.src_port == 7000)) | length == 1 and .[0].dst_port == 9 and
    .[0].total.count == 100'

# --- rows of connections -----------------------------------------------------------------------------------------
bg_in b sink "$SEND" tcp-sink --port 5001
wait_for 10 grep -q ready sink.out
nt_start some tcp_perf_observer -l 10.77.0.1 -R 5001 -m summary -i 1000 --max-entries 64
nt_start port tcp_perf_observer -l 10.77.0.1 -L 7001 -R 5001 -m summary -i 1000 --max-entries 64
for i in 1 2; do
    in_a "$SEND" tcp-connect --to 10.77.0.2 --port 5001 --count 100 >connect.out
    in_a python3 -c '
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
s.bind(("10.77.0.1", 7001))
s.connect(("10.77.0.2", 5001))
s.sendall(bytes(1000))'
done
nt_stop some
nt_stop port
lost_zero port
note "$(jq_get some '.[-1] | [.opened, .connections, .rows_left_out, .lost]')"
check_jq "all connections are in the figures, some have rows" some '.[-1] | .opened == 202 and .handshake_active.count == 202 and .connections == 64 and
    .lost.map_full > 0'
check_jq "the watched one" port '.[-1] | .opened == 2 and .connections == 1 and .handshake_active.count == 2'
