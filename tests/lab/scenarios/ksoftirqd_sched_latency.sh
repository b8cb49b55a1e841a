# Waits of ksoftirqd against the kernel's own trace of the same switches; behind a real-time task of known length.
# ci: 6.12
# where: guest host
# clock: instructions
# timeout: 240

need_cmd python3 chrt
SEND=$REPO/build/tests/traffic/nt-send
TOOL=ksoftirqd_sched_latency
# b and r send to each other what has no place, 60 times, and a softirq takes one packet at a time: after ten
# rounds the rest is left to ksoftirqd.
topo_router
ip -n r route add 10.99.0.0/16 via 10.77.2.2 dev rb
ip -n b route add 10.99.0.0/16 via 10.77.2.254 dev vb
for ns in r b; do
    ip netns exec $ns sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
        for i in /proc/sys/net/ipv4/conf/*; do echo 0 >$i/send_redirects; echo 0 >$i/rp_filter; done'
done
WAKEUPS=1
if in_guest; then
    sysctl -qw net.core.dev_weight=1 net.core.netdev_budget=1
    WAKEUPS=100
fi
loop() { in_a "$@" "$SEND" udp --to 10.99.0.1 --port 9 --count 200 --rate 100 >/dev/null; }

# --- every wait, as tracefs has it ---------------------------------------------------------------------
T=/sys/kernel/tracing
mountpoint -q $T || mount -t tracefs tracefs $T
TRACE=$T/instances/nt-lab
mkdir $TRACE
defer rmdir $TRACE
echo mono >$TRACE/trace_clock
echo 4096 >$TRACE/buffer_size_kb
echo 'prev_comm ~ "ksoftirqd/*" || next_comm ~ "ksoftirqd/*"' >$TRACE/events/sched/sched_switch/filter
echo 'comm ~ "ksoftirqd/*"' >$TRACE/events/sched/sched_wakeup/filter
echo 1 >$TRACE/events/sched/sched_switch/enable
echo 1 >$TRACE/events/sched/sched_wakeup/enable
nt_start each $TOOL --threshold-us 0 -i 1000
nt_start raw $TOOL --threshold-us 0 -i 0.5 --attach kprobe
nt_start_text text $TOOL --vectors -i 1000
loop
for name in each raw text; do nt_stop $name; done
echo 0 >$TRACE/events/enable
cat $TRACE/trace >trace.txt
lost_zero each
lost_zero raw
cat >truth.py <<'PY'
# Waits in the trace: (end in s, length in us, tid, cause), and what was counted.
import json, re, sys
wake, preempt, running, waits = {}, {}, set(), []
for line in open("trace.txt"):
    head = re.match(r".*\[(\d+)\] +\S+ +([\d.]+): (\w+): (.*)", line)
    if not head:
        continue
    now, what, rest = float(head[2]), head[3], head[4]
    if what == "sched_wakeup":
        tid = int(re.search(r"pid=(\d+)", rest)[1])
        if tid not in running and tid not in wake and tid not in preempt:
            wake[tid] = now
        continue
    prev = re.search(r"prev_comm=ksoftirqd/\d+ prev_pid=(\d+) .*prev_state=(\S+)", rest)
    if prev:
        tid = int(prev[1])
        running.discard(tid); wake.pop(tid, None); preempt.pop(tid, None)
        if prev[2].startswith("R"):
            preempt[tid] = now
    next = re.search(r"next_comm=ksoftirqd/\d+ next_pid=(\d+)", rest)
    if next:
        tid = int(next[1])
        start, cause = (wake[tid], "wakeup") if tid in wake else (preempt.get(tid), "preempted")
        if start is not None:
            waits.append((now, (now - start) * 1e6, tid, cause))
        running.add(tid); wake.pop(tid, None); preempt.pop(tid, None)
events = [json.loads(line) for line in open(sys.argv[1])]
mine = [(e["ts_ns"] / 1e9, e["latency_us"], e["tid"], e["cause"]) for e in events if e["type"] == "event"]
near = lambda a, b, us: a[2] == b[2] and a[3] == b[3] and abs(a[0] - b[0]) * 1e6 < 200 and abs(a[1] - b[1]) < us
slack = float(sys.argv[2])
span = [w for w in waits if mine[0][0] - 2e-4 < w[0] < mine[-1][0] + 2e-4]
print(json.dumps({"waits": len(mine), "in_trace": len(span),
                  "matched": sum(any(near(m, w, slack) for w in span) for m in mine),
                  "causes": {c: sum(m[3] == c for m in mine) for c in ("wakeup", "preempted")}}))
PY
# The trace has microseconds, and its program runs before or behind ours.
SLACK=$(in_guest && echo 60 || echo 500)
for name in each raw; do
    python3 truth.py $name.json "$SLACK" >$name.truth
    note "$(cat $name.truth)"
    check "$name: as many waits as the trace has" "$(jq .waits $name.truth)" == "$(jq .in_trace $name.truth)"
    check "$name: each is in the trace, as long and for the same cause" "$(jq .matched $name.truth)" == "$(jq .waits $name.truth)"
    check "$name: the loop woke it" "$(jq .causes.wakeup $name.truth)" '>=' $WAKEUPS
done
check_jq "events, rows and histograms agree" each 'map(select(.type == "event")) as $e | .[-1] | .wait.count == ($e | length) and
    (.wait.sum - ($e | map(.latency_us) | add) | fabs < 1) and .over_threshold == ($e | length) and
    .wait_woken.count == ($e | map(select(.cause == "wakeup")) | length) and .runs == (.threads | map(.runs) | add) and
    .max_us == ($e | map(.latency_us) | max) and (.culprits | map(.delays) | add) == ($e | length) and .wakeups >= .wait_woken.count'
check_jq "intervals add up" raw '(map(select(.type == "interval")) | (map(.runs) | add) == ([.[]] | map(.runs) | add)) and
    ((map(select(.type == "interval").runs) | add) == .[-1].runs) and ((map(select(.type == "interval").wait.count) | add) == .[-1].wait.count)
    and ((map(select(.type == "interval").over_threshold) | add) == .[-1].over_threshold)'
check_jq "raw tracepoints" raw '(.[0].hooks | map(.via) | unique) == ["raw_tp"]'
check_jq "a thread a CPU, kernel threads alone" each ".[-1].threads | length == $(nproc --all) and all(.comm == \"ksoftirqd/\\(.cpu)\" and .tid < 1000)"
in_guest && check "text: network work in the thread" "$(sed -n '/^since the start/,$p' text.txt | grep -cE '^net_rx +[0-9,]+ +[1-9][0-9,]* ')" == 1
check "text: not wider than 100" "$(awk 'length > 100' text.txt | wc -l)" == 0

# --- a user's process of that name is none -----------------------------------------------------------------
bg user python3 -c 'import ctypes, time; ctypes.CDLL(None).prctl(15, b"ksoftirqd/7", 0, 0, 0); print("ready", flush=True); time.sleep(1000)'
wait_for 10 grep -q ready user.out
nt_run user 0 $TOOL -d 0.5 --json
bg_stop user
check "a user's process is not watched" "$(tail -n 1 user.out | jq '.threads | length')" == "$(nproc --all)"
nt_run cpu 2 $TOOL -c 5000
nt_run one 0 $TOOL -c 0 -d 0.2 --json
check "one CPU" "$(tail -n 1 one.out | jq -c '.threads | map(.cpu)')" == "[0]"

# --- behind a real-time task that runs 20 of 100 ms ---------------------------------------------------------
in_guest || exit 0
nt_start fifo $TOOL --threshold-us 2000 -i 1000
bg hog "$REPO/build/tests/traffic/nt-task" --do duty --run-us 20000 --period-us 100000 --count 40 --fifo 50 --name hog
loop chrt -f 60
nt_stop fifo
bg_stop hog
lost_zero fifo
check_jq "waits of up to 20 ms, behind it" fifo '.[-1] | .max_us > 9000 and .max_us < 21500 and
    .culprits[0].comm == "hog" and .culprits[0].delays >= 5'
check_jq "each is shown" fifo '(map(select(.type == "event" and .behind_comm == "hog")) | length >= 5 and
    all(.latency_us >= 9000 and .latency_us < 21500 and (.cause == "wakeup" or .cause == "preempted")))
    and (map(select(.type == "event")) | length) == .[-1].over_threshold'
