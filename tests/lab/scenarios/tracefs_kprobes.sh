# Kprobes by tracefs, as on kernels whose perf has no device for them: exact counts, and nothing
# left behind, also of a process that was killed.
# ci: 5.10 new
# timeout: 400

need_kprobes
need_module tun
modprobe tun
TRAFFIC=$REPO/build/tests/traffic
EVENTS=/sys/kernel/tracing/kprobe_events
[ -e $EVENTS ] || EVENTS=/sys/kernel/debug/tracing/kprobe_events
BY_TRACEFS=(--attach kprobe --tracefs-kprobes)
# events_of NAME: how many events of that process there are.
events_of() { grep -c ":nettrace/nettrace_$(pid_of "$1")_" $EVENTS || true; }
ours() { grep -c nettrace_ $EVENTS || true; }
# Somebody else's event, which nobody but its owner removes.
echo 'p:other/keep_me ip_rcv' >>$EVENTS
defer sh -c "echo '-:other/keep_me' >>$EVENTS"

topo_pair
in_a ping -n -q -c 2 -i 0.05 10.77.0.2 >/dev/null
bg tap "$TRAFFIC/nt-tap" --name tap0 --qlen 64 --frames 100 --two-flows --wait-file go --hold-file end
wait_for 20 grep -q ready tap.out

# --- counts -----------------------------------------------------------------------
nt_start rtt kernel_icmp_rtt -r both -k "${BY_TRACEFS[@]}"
nt_start ring tun_ring_monitor -d tap0 "${BY_TRACEFS[@]}"
check "an event for each function of kernel_icmp_rtt" "$(events_of rtt)" == 6
check "and of tun_ring_monitor" "$(events_of ring)" == 2
check "one of them is a return probe" "$(grep -c "^r.*:nettrace/nettrace_$(pid_of ring)_" $EVENTS)" == 1
in_a ping -n -q -c 6 -i 0.05 10.77.0.2 >/dev/null
in_a ping -n -q -c 4 -i 0.05 fd77::2 >/dev/null
touch go
wait_for 30 grep -q tx_dropped tap.out
wait_for 5 eval '[ "$(events rtt ".type == \"event\"")" -ge 20 ]' || true
nt_stop rtt
check "its events are gone, the other's are there" "$(ours)" == 2
nt_stop ring TERM
check "nothing is left" "$(ours)" == 0
lost_zero rtt
lost_zero ring
check_jq "sessions" rtt '(.[0].hooks | map(select(.via == "kprobe")) | length) == 6 and
    (map(select(.type == "event")) | length == 20 and all(.ended == "complete" and (.stages | length == 6)))'
check_jq "packets and drops of the ring" ring '.[0].missing_hooks == [] and
    (.[-1] | .packets == 100 and .drops == 36 and .events == 36)'

# --- a killed process ------------------------------------------------------------------
nt_start killed kernel_icmp_rtt -k "${BY_TRACEFS[@]}"
nt_start lives tun_ring_monitor -d tap0 "${BY_TRACEFS[@]}"
bg_stop killed KILL
check "a killed one leaves its events" "$(ours)" == 8
nt_start next kernel_icmp_rtt -k "${BY_TRACEFS[@]}"
check "the next one has removed them" "$(ours)" == 8
check "and has its own" "$(events_of next)" == 6
check "those of a living one stay" "$(events_of lives)" == 2
nt_stop next
nt_start killed kernel_icmp_rtt -k "${BY_TRACEFS[@]}"
bg_stop killed KILL
nt_start other kernel_icmp_rtt -k
check "one that needs no tracefs sweeps too" "$(ours)" == 2
in_a ping -n -q -c 3 -i 0.05 10.77.0.2 >/dev/null
nt_stop other
nt_stop lives
check_jq "it counts" other 'map(select(.type == "event")) | length == 3'
check "nothing is left at the end" "$(ours)" == 0
check "the event of somebody else" "$(grep -c 'other/keep_me' $EVENTS)" == 1
touch end
bg_stop tap
