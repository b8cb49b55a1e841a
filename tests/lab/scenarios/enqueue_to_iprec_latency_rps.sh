# Packets that RPS hands to another CPU: each was put in by one CPU and taken out by the other.
# smp: 2
# ci: 6.1
# timeout: 240

need_kprobes
need_cmd python3 taskset
topo_pair
TOOL=enqueue_to_iprec_latency
in_b sh -c 'echo 2 >/sys/class/net/vb/queues/rx-0/rps_cpus'
check "RPS to CPU 1" "$(in_b cat /sys/class/net/vb/queues/rx-0/rps_cpus)" == 2
cat >"$WORK/send.py" <<'PY'
import socket, sys, time
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[2])):
    s.sendto(bytes(100), (sys.argv[1], 9))
    time.sleep(0.0005)
PY

# From CPU 0: veth's softirq runs on the CPU that sends.
nt_start_in b moved $TOOL -i vb -I 1000 --protocol udp
nt_start_in b each ${TOOL}_threshold -i vb -t 0.001 --rate 0 --protocol udp --buffer-size 16M
in_a taskset -c 0 python3 "$WORK/send.py" 10.77.0.2 1000
in_a taskset -c 0 python3 "$WORK/send.py" fd77::2 200
settle a b
nt_stop moved
nt_stop each
lost_zero moved
lost_zero each
jq -c 'select(.type == "end") | [.cpus[] | [.from_cpu, .to_cpu, .wait.count, .wait.p50, .wait.p99]]' moved.json
check_jq "all 1200" moved '.[-1] | .completed == 1200 and .started == 1200 and .direct == 0'
check_jq "from CPU 0 to CPU 1" moved '.[-1] | .cpus == [.cpus[] | select(.from_cpu == 0 and .to_cpu == 1 and .cross)] and
    ([.cpus[].wait.count] | add) == 1200 and .cross_cpu == 1200'
check_jq "each says so" each 'map(select(.type == "event")) | length == 1200 and
    all((.stages | map(.cpu)) == [0, 1, 1] and (.stages | map(.ts_ns) | . == sort))'
