# Ends in time, whatever ends it, and leaves nothing.
# ci: 5.10 new
# where: guest host
# timeout: 400

need_cmd bpftool
TRAFFIC=$REPO/build/tests/traffic
topo_pair
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
# own NAME...: remembers the programs of these processes. programs: how many of all those exist.
own() {
    local name
    # A descriptor may be closed between its name and its text.
    for name in "$@"; do
        { cat "/proc/$(pid_of "$name")/fdinfo/"* 2>/dev/null || true; } | sed -n 's/^prog_id:[[:space:]]*//p'
    done | sort -u >>own
}
programs() { comm -12 <(sort -u own) <(bpftool prog show | sed -n 's/^\([0-9]*\): .*/\1/p' | sort) | wc -l; }
# Beside other tracers (on a shared machine) only our own count.
in_kernel() { bpftool prog show | grep -cE ' name (kfree_skb__|start_xmit__|receive__|free_irq__)' || true; }
none_left() { [ "$(programs)" = 0 ] && { ! in_guest || [ "$(in_kernel)" = 0 ]; }; }

# ends NAME SIGNAL: the time until it has ended, in ms.
ends() {
    local pid=${LAB_PID[$1]} start
    start=$(now_ms)
    kill -"$2" "$pid"
    LAB_CODE=0
    wait "$pid" || LAB_CODE=$?
    unset "LAB_PID[$1]"
    SPENT=$(($(now_ms) - start))
}

for signal in INT TERM; do
    nt_start "drop$signal" eth_drop
    nt_start "stat$signal" kernel_drop_stack_stats_summary -i 60
    nt_start_in b "net$signal" iface_netstat -n vb -i 60
    in_a "$TRAFFIC/nt-send" udp --to 10.77.0.2 --port 9 --count 20
    # The names of functions are read after the start line, which takes a second under emulation.
    wait_for 10 grep -q '"type":"event"' drop$signal.json
    in_guest && sleep 3
    own drop$signal stat$signal net$signal
    check "programs are there" "$(programs)" '>=' 4
    for name in drop stat net; do
        ends $name$signal $signal
        check "$name, $signal: exit status" "$LAB_CODE" == 0
        check "$name, $signal: milliseconds" "$SPENT" '<' 1000
        check "$name, $signal: last line" "$(tail -n 1 $name$signal.json | grep -o '^{"type":"end"')" == '{"type":"end"'
    done
done
check_ok "nothing is left" wait_for 2 none_left

# A killed process cannot clean up: the kernel does.
nt_start killed eth_drop --deferred
own killed
check "programs are there" "$(programs)" '>=' 1
ends killed KILL
check "killed" "$LAB_CODE" == 137
check_ok "nothing is left after SIGKILL" wait_for 2 none_left
check "no pinned maps" "$(find /sys/fs/bpf -type f 2>/dev/null | wc -l)" == 0

# The reader goes away.
in_a sh -c "sleep 3; exec $TRAFFIC/nt-send udp --to 10.77.0.2 --port 9 --count 600 --rate 50" >/dev/null &
{ timeout 30 "$NETTRACE" eth_drop --json 2>pipe.err && echo 0 >pipe.code || echo $? >pipe.code; } | head -n 2 >pipe.json
check "closed pipe: exit status" "$(cat pipe.code)" == 0
check "closed pipe: quiet" "$(cat pipe.err)" == ""
