# Ends of packets at queues: still inside, not in time, no room, a reset, cut into segments; several queues.
# where: guest host
# ci: 6.1
# timeout: 300

need_cmd jq tc python3
# shellcheck source=tests/lab/qdisc_latency.sh
. "$LAB_DIR/qdisc_latency.sh"

# --- what stays inside; more packets than there is room for ----------------------------------------------
va_tc qdisc add dev va root handle 1: tbf rate 100bit burst 1600 limit 100000
nt_start_in a inside qdisc_latency_details -d va
nt_start_in a full qdisc_latency_details -d va --max-entries 8
send --size 1208 --count 21
nt_start_in a gone qdisc_latency_details -d va --timeout-ms 100
send --size 1208 --count 4
wait_for 20 eval '[ "$(va_tc -s -j qdisc show dev va | jq "[.[] | select(.handle == \"1:\")][0].qlen")" -ge 24 ]'
sleep 1
ended inside 25
nt_stop full
whole full
nt_stop gone
whole gone
check_jq "24 are still inside" inside '.[-1] | .sent == 1 and .inside == 24 and .oldest_inside_us > 900000'
check_jq "no room: counted" full '.[-1] | .started == 25 and .sent == 1 and .inside == 8 and .lost.map_full == 16'
check_jq "not ended in time: counted" gone '.[-1] | .started == 4 and .inside == 0 and .timed_out == 4 and .lost.evicted == 4'
# The reset drops what waits.
nt_start_in a reset qdisc_latency_details -d va
send --size 1208 --count 6
va_tc qdisc del dev va root
wait_events reset 6
ended reset 6
check_jq "a reset: dropped inside" reset "$EVENT | length == 6 and all(.outcome == \"dropped\" and .path == \"queued\")"

# --- large packets are cut behind the discipline -----------------------------------------------------------
in_a ethtool -K va tso off gso on tx-udp-segmentation off >/dev/null 2>&1 || true
va_tc qdisc add dev va root handle 4: pfifo limit 100
nt_start_in a cut qdisc_latency_details -d va
in_a python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(17, 103, 500)    # UDP_SEGMENT
for i in range(5):
    s.sendto(bytes(2000), ("10.77.0.2", 9))
PY
wait_events cut 5
ended cut 5
check_jq "GSO: packets end as consumed, their segments are counted" cut "($EVENT | all(.outcome == \"consumed\" and .gso_segs == 4 and
    .path == \"bypass\")) and (.[-1] | .consumed == 5 and .segments == 20 and .sent == 0)"
va_tc qdisc del dev va root

# --- several queues ---------------------------------------------------------------------------------------
two_queues
tc -n c qdisc add dev vc root handle 7: mq
nt_start_in c queues qdisc_latency_details -d vc
in_ns c python3 - <<'PY'
import socket
for i in range(40):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.78.0.1", 2000 + i))
    s.sendto(bytes(100), ("10.78.0.2", 9))
PY
wait_events queues 40
ended queues 40
check_jq "each queue has its row" queues '.[-1].queues | length == 2 and ([.[].queue] | sort) == [0, 1] and
    all(.qdisc_parent == "7:\(.queue + 1)" and .bypass + .queued > 0) and (map(.sent) | add) == 40'

# --- command lines -------------------------------------------------------------------------------------
nt_run csv 2 qdisc_latency_details --format csv
nt_run both 2 qdisc_latency_details --summary --threshold 1
