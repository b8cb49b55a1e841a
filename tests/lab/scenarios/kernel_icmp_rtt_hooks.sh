# The same sessions by other mechanisms, and with the three tracepoints alone.
# ci: 5.10 new
# timeout: 400

topo_pair
netem vb b delay 20ms
in_a ping -n -q -c 2 -i 0.05 10.77.0.2 >/dev/null
FUNCTIONS=ip_out,ip6_out,ip_rcv,ip6_rcv,icmp_rcv,icmp6_rcv

nt_start auto kernel_icmp_rtt -r both -k
nt_start bare kernel_icmp_rtt -r both -k --without $FUNCTIONS
nt_start least kernel_icmp_rtt -k --without $FUNCTIONS,phy_xmit
nt_start nov6 kernel_icmp_rtt -k --without ip6_out,ip6_rcv,icmp6_rcv
nt_start perf kernel_icmp_rtt -k --perf-buffer
names="auto bare least nov6 perf"
if [ -e /sys/kernel/tracing/kprobe_events ] || [ -e /sys/kernel/debug/tracing/kprobe_events ]; then
    nt_start kprobe kernel_icmp_rtt -r both -k --attach kprobe
    names="$names kprobe"
fi
if has_typed; then
    nt_start fentry kernel_icmp_rtt -r both -k --attach fentry
    names="$names fentry"
fi
in_a ping -n -q -c 6 -i 0.05 10.77.0.2 >/dev/null
in_a ping -n -q -c 4 -i 0.05 fd77::2 >/dev/null
wait_for 5 eval '[ "$(events auto ".type == \"event\"")" -ge 20 ]' || true
for name in $names; do
    nt_stop $name
    lost_zero $name
done
for name in auto bare kprobe fentry; do
    case " $names " in *" $name "*) ;; *) continue ;; esac
    check_jq "sessions by $name" $name 'map(select(.type == "event")) | length == 20 and
        all(.ended == "complete") and (map(select(.direction == "tx")) | length == 10 and
        (map(.external_us) | min) >= 19300)'
    note "$name: $(head -n 1 $name.json | jq -c '[.hooks[].via] | unique')"
done
check_jq "stages of the tracepoints, tx" bare 'map(select(.direction == "tx")) |
    all([.stages[].stage] == ["phy_queue", "phy_xmit", "phy_rx"] and .comm == "ping")'
check_jq "stages of the tracepoints, rx" bare 'map(select(.direction == "rx")) |
    all([.stages[].stage] == ["phy_rx", "phy_queue", "phy_xmit"])'
check_jq "the least" least 'map(select(.type == "event")) | length == 10 and
    all([.stages[].stage] == ["phy_queue", "phy_rx"] and .rtt_us >= 19300)'
check_jq "no functions of IPv6: IPv4 is whole" nov6 'map(select(.type == "event")) |
    (map(select(.protocol == "icmp")) | length == 6 and all(.stages | length == 6)) and
    (map(select(.protocol == "icmpv6")) | length == 4 and all(.stages | length == 3))'
check_jq "perf buffers" perf 'map(select(.type == "event")) | length == 10'
