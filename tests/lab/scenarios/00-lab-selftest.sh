# Tests the lab itself: topology, quiet links, netem, counters. Needs no nettrace.
# where: guest host
# timeout: 90

topo_pair

# Both directions, both protocols.
check_ok "a reaches b" in_a ping -n -q -c 3 -i 0.05 -W 2 10.77.0.2
check_ok "b reaches a" in_b ping -n -q -c 3 -i 0.05 -W 2 10.77.0.1
check_ok "a reaches b by IPv6" in_a ping -6 -n -q -c 3 -i 0.05 -W 2 fd77::2

# Exact counts are only possible on links where nothing else is sent.
stats_snap a va
stats_snap b vb
sleep 2
check "frames va sends on its own" "$(stats_delta a va tx.packets)" == 0
check "frames vb sends on its own" "$(stats_delta b vb tx.packets)" == 0
in_a ping -n -q -c 10 -i 0.02 10.77.0.2 >/dev/null
check "frames of ten pings, a to b" "$(stats_delta a va tx.packets)" == 10
check "frames of ten pings, b to a" "$(stats_delta b vb tx.packets)" == 10


check_fails "an unused address does not answer" in_a ping -n -q -c 1 -W 1 10.77.0.9
check "neighbour of a" "$(ip -n a -j neigh show 10.77.0.2 dev va | jq -r '.[0].state[0]')" == PERMANENT
check_fails "10.77.0.1 is not reachable from outside" ping -n -q -c 1 -W 1 10.77.0.1

if in_guest; then
    check "kernel" "$(uname -r)" =~ '^([5-9]|4[.]19)[.]'
    check_ok "tracefs is there" test -e /sys/kernel/tracing/trace
    check_ok "kprobes can be set" test -e /sys/kernel/tracing/kprobe_events
    if has_typed || kernel_at_least 5.2; then
        check_ok "kernel types are there" test -s /sys/kernel/btf/vmlinux
    fi
    check_ok "BPF file system is there" grep -q ' /sys/fs/bpf bpf ' /proc/mounts
    check "one CPU" "$(nproc)" == 1
fi

# The delay is last: hosts without netem skip only this part.
if ! have_module sch_netem; then
    note "no netem here, the delay is not measured"
else
    netem va a delay 20ms
    ping_ms a 10.77.0.2 0 2 >/dev/null
    # How exact it is: 02-lab-clock.
    check "median round trip with 20 ms delay" "$(ping_ms a 10.77.0.2 20)" '>=' 20
fi
