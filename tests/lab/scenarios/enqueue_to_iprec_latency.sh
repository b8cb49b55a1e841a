# Packets in the per-CPU backlog: each counted, how many were before it, drops as the kernel counts them.
# clock: instructions
# ci: 5.10
# timeout: 400

need_kprobes
need_cmd python3
topo_pair
TOOL=enqueue_to_iprec_latency
in_a ethtool -K va tx-udp-segmentation off >/dev/null 2>&1 || true
# batch COUNT: one send that is cut into so many datagrams, which come to the backlog together
cat >"$WORK/send.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(17, 103, 100)          # UDP_SEGMENT
for i in range(int(sys.argv[3])):
    s.sendto(bytes(100 * int(sys.argv[2])), (sys.argv[1], 9))
PY
batch() { in_a python3 "$WORK/send.py" "$@"; }
dropped() { awk '{ n += strtonum("0x" $2) } END { print n }' /proc/net/softnet_stat 2>/dev/null ||
    python3 -c 'print(sum(int(l.split()[1], 16) for l in open("/proc/net/softnet_stat")))'; }
# shellcheck source=tests/lab/timeline.sh
. "$LAB_DIR/timeline.sh"

# --- each packet, IPv4, IPv6 and neither; only those of the device --------------------------
nt_start_in b all $TOOL -i vb -I 1000
nt_start_in b udp $TOOL -i vb -I 1000 --protocol udp
nt_start_in a other $TOOL -i va -I 1000 --protocol udp
stats_snap b vb
batch 10.77.0.2 1 300
batch fd77::2 1 50
in_a ping -n -q -c 10 -i 0.01 10.77.0.2 >/dev/null
in_a arping -q -c 3 -I va 10.77.0.2 >/dev/null 2>&1 || true
settle a b
for name in all udp other; do nt_stop $name; lost_zero $name; adds_up $name; done
check_jq "all that vb received" all ".[-1] | .completed == $(stats_delta b vb rx.packets) and .direct == 0"
check_jq "two pairs of stages" all '.[-1].stages | map([.from, .to, .async]) ==
    [["backlog_enq", "backlog_deq", true], ["backlog_deq", "ip_rcv", false]]'
# Without data in kallsyms (Debian's arm64) nothing is known of it, which is said.
DEPTH=.backlog_depth==null
depth() { ! grep -qw softnet_data /proc/kallsyms || DEPTH="(.backlog_depth | $1)"; }
depth '.count == 350 and .max == 0'
check_jq "datagrams" udp ".[-1] | .completed == 350 and $DEPTH"
check_jq "by one CPU, to the same" udp '.[-1].cpus | length == 1 and (.[0] | .from_cpu == 0 and .to_cpu == 0 and
    (.cross | not) and .wait.count == 350)'
check_jq "not those of other devices" other '.[-1].started == 0'

# --- twenty at once -----------------------------------------------------------------------------
nt_start_in b batch $TOOL -i vb -I 1000 --protocol udp
nt_start_in b each ${TOOL}_threshold -i vb -t 0.001 --rate 0 --protocol udp
batch 10.77.0.2 20 5
settle a b
nt_stop batch
nt_stop each
for name in batch each; do lost_zero $name; adds_up $name; done
depth '.min == 0 and .max == 19 and .sum == 950'
check_jq "0 to 19 before each" batch ".[-1] | .completed == 100 and $DEPTH"
check_jq "an event for each, with what was before it" each '.[-1].backlog_depth as $d | map(select(.type == "event")) |
    length == 100 and ($d == null or (map(.backlog_packets) | add) == 950) and all(.ended == "complete" and (.stages | map(.stage)) ==
    ["backlog_enq", "backlog_deq", "ip_rcv"])'
check_jq "no reports by that name" each 'map(.type) | index("interval") == null'
check_jq "who has more before him waits longer" each 'map(select(.type == "event")) | .[0:20] |
    map(.stages[1].delta_us) | . == sort'

# --- answers: while one is made, the softirq has taken the others of the batch over ---------------
in_b sysctl -qw net.ipv4.icmp_ratelimit=0
nt_start_in a answers $TOOL -i va -I 1000 --protocol icmp
batch 10.77.0.2 20 1
settle a b
nt_stop answers
lost_zero answers
adds_up answers
depth '.min == 19 and .max == 19'
check_jq "19 before each, untouched ones and answers" answers ".[-1] | .completed == 20 and $DEPTH"

# --- a backlog that is full ---------------------------------------------------------------------
was=$(cat /proc/sys/net/core/netdev_max_backlog)
echo 9 >/proc/sys/net/core/netdev_max_backlog
before=$(dropped)
nt_start_in b full $TOOL -i vb -I 1000 --protocol udp
batch 10.77.0.2 20 3
settle a b
nt_stop full
echo "$was" >/proc/sys/net/core/netdev_max_backlog
lost_zero full
adds_up full
after=$(dropped)
check "the kernel dropped some" "$((after - before))" == 30
check_jq "dropped at the backlog, as the kernel counts" full ".[-1] | .completed == 30 and .dropped_total == $((after - before)) and
    (.dropped | all(.after == \"backlog_enq\" and (.location | test(\"enqueue_to_backlog|netif_rx\"))))"

# --- a CPU that is busy: one packet a turn, ten turns, then it is ksoftirqd's, which waits for the real-time sender --
budget=$(cat /proc/sys/net/core/netdev_budget) weight=$(cat /proc/sys/net/core/dev_weight)
nt_start_in b busy ${TOOL}_threshold -i vb -t 0.001 --rate 0 --protocol udp
cat >>"$WORK/send.py" <<'PY'
import time
until = time.monotonic() + .02
while time.monotonic() < until: pass
PY
echo 1 >/proc/sys/net/core/netdev_budget
echo 1 >/proc/sys/net/core/dev_weight
batch 10.77.0.2 1 1                     # the backlog takes the weight over when it is done
in_a chrt -f 50 python3 "$WORK/send.py" 10.77.0.2 20 1
echo "$weight" >/proc/sys/net/core/dev_weight
echo "$budget" >/proc/sys/net/core/netdev_budget
settle a b
nt_stop busy
lost_zero busy
adds_up busy
jq -c 'select(.type == "end") | .stages[] | [.from, .hist.p50, .hist.max]' busy.json
check_jq "all are seen" busy 'map(select(.type == "event")) | length == 21 and all(.stages[2].delta_us < 100)'
# Since 6.4 the end of the next interrupt, which may come at once, takes over from a ksoftirqd that does not run.
if ! kernel_at_least 6.4; then
    check_jq "the last ten wait for the CPU, in the backlog" busy 'map(select(.type == "event") | .stages[1].delta_us) |
        (map(select(. >= 20000)) | length) as $late | $late >= 9 and $late <= 11 and
        (map(select(. < 1000)) | length) == 21 - $late'
fi
