# SPDX-License-Identifier: GPL-2.0
# Guest instructions that tools add to fixed loads; tests/bench/run reads the figures.
# timeout: 100000
#
# Writes WORK/cost.tsv: tool, condition, ns per event of each round (the first
# round, which warms caches up, is left out). Run with --icount: 1 ns is 1
# instruction.
BENCH=${NT_BENCH:-$REPO/build/tests/bench/nt-bench}
N=${BENCH_EVENTS:-4000}
ROUNDS=${BENCH_ROUNDS:-3}
LAB_START_SECONDS=300
LAB_STOP_SECONDS=120

allow_verifier_rejection    # reported as a tool that does not start
cp "$BENCH" "$WORK/nt-bench"
BENCH=$WORK/nt-bench
topo_pair
have_module tun || true
set +o pipefail

# load TOOL: one line of ns a round.
load() {
    case $1 in
        tun_ring_monitor) in_a "$BENCH" tap nttap0 "$N" "$ROUNDS" ;;
        trace_ip_defrag) in_a "$BENCH" ping 10.77.0.2 "$N" "$ROUNDS" 2000 ;;
        kernel_icmp_rtt | icmp_drop_detector | trace_conntrack | system_network_* | enqueue_to_iprec_latency) in_a "$BENCH" ping 10.77.0.2 "$N" "$ROUNDS" ;;
        vxlan_tracer) in_a "$BENCH" ping 10.79.0.2 "$N" "$ROUNDS" ;;
        pthread_rwlock_wrlock) "$BENCH" rwlock "$N" "$ROUNDS" ;;
        futex) "$BENCH" futex "$N" "$ROUNDS" ;;
        tcp_rtt_* | tcp_send_* | tcp_perf_*) in_a "$BENCH" tcp "$N" "$ROUNDS" ;;
        syscall_recv_latency) "$BENCH" recv "$N" "$ROUNDS" ;;
        sched_latency_monitor | offcputime_ts | cpu_monitor | ksoftirqd_sched_latency)
            "$BENCH" threads "$N" "$ROUNDS"
            ;;
        *) in_a "$BENCH" frames va "$N" "$ROUNDS" ;;
    esac
}

figure() {
    local tool=$1 condition=$2
    load "$tool" >"$WORK/rounds"
    tail -n +2 "$WORK/rounds" | awk -v n="$N" -v what="$tool	$condition" \
        '{ line = line "\t" $1 / n } END { print what line }' | tee -a "$WORK/cost.tsv"
}

# One side only: a packet's first stage and its answer's last are there.
path_options() { echo "--src-ip 10.77.0.1 --dst-ip 10.77.0.2 --rx-iface va --tx-iface lo"; }

# Options which every condition of a tool has.
options() {
    case $1 in
        iface_netstat) echo "--interface va --interval 1000" ;;
        eth_drop | skb_frag_list_watcher) echo "--rate 0" ;;
        skb_vxlan_source_detector) echo "--rate 0 --no-static-check" ;;
        *_drop_detector) path_options ;;
        vxlan_tracer) echo "--summary --interval 1000" ;;
        qdisc_latency_details) echo "--interface va --summary" ;;
        system_network_icmp_rtt) echo "-k --phy-interface va" ;;
        system_network_latency_summary) echo "--phy-interface va --interval 1000" ;;
        enqueue_to_iprec_latency) echo "--interface va --interval 1000" ;;
        system_network_rx_internal_latency) echo "--interval 1000" ;;
        system_network_latency_details | system_network_performance_metrics) echo "--phy-interface va --rate 0" ;;
        tcp_rtt_* | tcp_send_* | tcp_perf_*) echo "--interval 1000" ;;
        kernel_drop_stack_stats_summary | qdisc_drop_trace | trace_ip_defrag | trace_conntrack) echo "--interval 1000" ;;
        sched_latency_monitor | offcputime_ts | futex | pthread_rwlock_wrlock | cpu_monitor | ksoftirqd_sched_latency | \
            syscall_recv_latency)
            echo "--interval 1000"
            ;;
    esac
}

# Options that make a tool take everything, where none do not.
everything() {
    case $1 in
        sched_latency_monitor) echo "--all" ;;
        futex) echo "--op all" ;;
    esac
}

# The hooks that a tool has, as KIND:TARGET; what is planned may be refused, and another kind taken.
hooks() {
    # shellcheck disable=SC2046
    nsenter --net=/run/netns/a "$NETTRACE" "$1" $(options "$1") --json --duration 1 |
        jq -r 'select(.type == "start") | .hooks[] | "\(.via):\(.name)"' | grep -v '^u\|\.'
    # not those in user space, nor parts that the compiler made, whose names no perf event takes
}

# with TOOL CONDITION ARGS...: the load while the tool runs.
with() {
    local tool=$1 condition=$2
    shift 2
    # shellcheck disable=SC2046
    lab_spawn tool json nsenter --net=/run/netns/a "$NETTRACE" "$tool" $(options "$tool") --json "$@"
    wait_for "$LAB_START_SECONDS" eval 'grep -q "\"type\":\"start\"" tool.json ||
        ! lab_alive "$(pid_of tool)"' || true
    if ! lab_alive "$(pid_of tool)"; then
        not_ok "$tool, $condition: does not start"
        cat tool.err
        bg_stop tool
        return
    fi
    sleep 5     # what it still does behind its start line is not the hook's cost
    figure "$tool" "$condition"
    kill -INT "$(pid_of tool)"
    lab_wait_exit tool "$LAB_STOP_SECONDS"
    check "$tool, $condition: exit status" "$LAB_CODE" == 0
    rm "$WORK/tool.json"
}

measure() {
    local tool=$1 reject=$2 expression=$3 accept=$4
    "$NETTRACE" list | grep -q "^$tool " || return 0
    mapfile -t list < <(hooks "$tool")
    printf '%s\thooks\t%s\n' "$tool" "${list[*]}" | tee -a "$WORK/cost.tsv"
    figure "$tool" none
    lab_spawn bare out "$BENCH" bare "${list[@]}"
    lab_wait_line bare "$WORK/bare.out" ready
    figure "$tool" bare
    bg_stop bare
    # shellcheck disable=SC2086
    [ "$reject" = - ] || with "$tool" reject $reject
    [ -z "$expression" ] || with "$tool" expression "$expression"
    # shellcheck disable=SC2086
    with "$tool" accept $accept
    # shellcheck disable=SC2046
    with "$tool" all $(everything "$tool")
    figure "$tool" again
}

if [ -e /dev/net/tun ] || modprobe tun; then
    measure tun_ring_monitor "--dst-port 1" "udp dst port 1" "--dst-port 5000"
fi
measure eth_drop "--dst-port 1" "udp dst port 1" "--dst-port 5000"
measure kernel_drop_stack_stats_summary "--dst-port 1" "udp dst port 1" "--dst-port 5000"
measure iface_netstat "--dst-port 1" "udp dst port 1" "--dst-port 5000"
in_a tc qdisc add dev va root blackhole
measure qdisc_drop_trace "--dst-port 1" "udp dst port 1" "--dst-port 5000"
in_a tc qdisc del dev va root
measure qdisc_latency_details "--dst-port 1" "udp dst port 1" "--dst-port 5000"
measure kernel_icmp_rtt "--dst-ip 10.77.0.99" "host 10.77.0.99" "--dst-ip 10.77.0.2"
for tool in icmp_rtt latency_summary latency_details performance_metrics; do
    measure system_network_$tool "--dst-ip 10.77.0.99" "host 10.77.0.99" "--dst-ip 10.77.0.2"
done
measure enqueue_to_iprec_latency "--dst-ip 10.77.0.99" "host 10.77.0.99" "--dst-ip 10.77.0.1"
measure system_network_rx_internal_latency - "" ""     # no packet is one of Open vSwitch
measure icmp_drop_detector "--dst-ip 10.77.0.99" "icmp[4] = 99" ""
measure udp_drop_detector "--dst-port 1" "udp dst port 1" "--dst-port 5000"
measure tcp_drop_detector "--dst-port 1" "tcp dst port 1" ""    # the frames are UDP: rejected by protocol
if in_a nft 'add table inet t { chain p { type filter hook prerouting priority 0; ct state new counter; }; }'; then
    measure trace_conntrack "--dst-ip 10.77.0.99" "host 10.77.0.99" "--dst-ip 10.77.0.2"
    in_a nft flush ruleset
fi
measure skb_frag_list_watcher "--dst-port 1" "udp dst port 1" "--dst-port 5000"
measure skb_vxlan_source_detector "--dst-port 1" "udp dst port 1" "--dst-port 5000"
measure trace_ip_defrag "--dst-ip 10.77.0.99" "host 10.77.0.99" "--dst-ip 10.77.0.2"
measure tcp_rtt_inflight_hist "--rport 1" "" "--lport 5000"
measure tcp_perf_observer "--rport 1" "" "--lport 5000"
measure tcp_send_rtt_inflight_hist "--rport 1" "" "--lport 5000"
if modprobe vxlan 2>/dev/null || [ -d /sys/module/vxlan ]; then
    for ns in a b; do
        [ $ns = a ] && host=1 other=2 || host=2 other=1
        ip -n $ns link add vx1 address 02:78:00:00:00:0$host type vxlan id 1 nolearning dstport 4789 \
            local 10.77.0.$host remote 10.77.0.$other
        ip -n $ns link set vx1 up
        ip -n $ns address add 10.79.0.$host/24 dev vx1
        ip -n $ns neighbour replace 10.79.0.$other lladdr 02:78:00:00:00:0$other dev vx1 nud permanent
    done
    measure vxlan_tracer "--dst-ip 10.79.0.99" "host 10.79.0.99" "--dst-ip 10.79.0.2"
    for ns in a b; do ip -n $ns link del vx1; done
fi
# Threads, not packets: filters are names, and there are no expressions.
measure sched_latency_monitor "--process nobody" "" "--process nt-bench"
measure offcputime_ts "--pid 2147483647" "" "--user-threads-only --user-stacks-only"
measure futex "--pid 2147483647" "" "--op wait"
measure pthread_rwlock_wrlock "--pid 1" "" "--min-us 1000"
measure cpu_monitor - "" "--cpus 0"    # on one CPU nothing is rejected
measure ksoftirqd_sched_latency - "" ""    # threads that are none of its own
measure syscall_recv_latency "--port 1" "" "--port 7000"
