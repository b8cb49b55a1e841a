# Packets and sizes by queue and direction against the link's own counters.
# where: guest host
# timeout: 400

need_cmd iperf3 ethtool
TRAFFIC=$REPO/build/tests/traffic
topo_queues 4
send() { in_a "$TRAFFIC/nt-send" "$@"; }
PORT=6001
bg_in b sink "$TRAFFIC/nt-send" sink --bind 10.77.0.2 --port $PORT
bg_in b sink6 "$TRAFFIC/nt-send" sink --bind fd77::2 --port $PORT
wait_for 10 grep -q ready sink.out
wait_for 10 grep -q ready sink6.out

# start SUFFIX OPTIONS...: at both ends. finish SUFFIX.
start() {
    nt_start_in a "tx$1" iface_netstat -n va -i 0.5 "${@:2}"
    nt_start_in b "rx$1" iface_netstat -n vb -i 0.5 "${@:2}"
}
finish() {
    sleep 0.3
    nt_stop "tx$1"
    nt_stop "rx$1"
    lost_zero "tx$1"
    lost_zero "rx$1"
}
# The end's sums over the queues.
DEF='def sum(d; f): (d | map(f) | add);'

# --- UDP, both versions ---------------------------------------------------------------
stats_snap a va
stats_snap b vb
start 1
nt_start_in a raw iface_netstat -n va -i 100 --attach kprobe
nt_start_in a port iface_netstat -n va -i 100 udp port 6002
nt_start_in a six iface_netstat -n va -i 100 --src-ip fd77::/64
lab_spawn text txt nsenter --net=/run/netns/a "$NETTRACE" iface_netstat -n va -i 1 -t
lab_wait_line text text.txt '^iface_netstat on'
send udp --to 10.77.0.2 --port $PORT --flows 16 --count 1000 --size 100
send udp --to fd77::2 --port $PORT --flows 16 --count 500 --size 100
send raw --dev va --hex 02770000000202770000000188b50001020304050607 --count 7
finish 1
for name in raw port six text; do nt_stop $name; done
TX=$(stats_delta a va tx.packets) TXB=$(stats_delta a va tx.bytes)
RX=$(stats_delta b vb rx.packets) RXB=$(stats_delta b vb rx.bytes)
check "the link's counters" "$TX $TXB $RX $RXB" == "1507 $((142000 + 81000 + 7 * 22)) 1507 $((142000 + 81000 + 7 * 22))"
check_jq "sent" tx1 "$DEF .[-1].tx | length == 4 and sum(.; .packets) == 1507 and sum(.; .segments) == 1507 and
    sum(.; .bytes) == $TXB and sum(.; .wire_bytes) == $TXB and sum(.; .size[0]) == 7 and sum(.; .size[1]) == 1500 and
    sum(.; .size[2]) == 0"
check_jq "received" rx1 "$DEF .[-1].rx | sum(.; .packets) == 1507 and sum(.; .bytes) == $RXB and
    sum(.; .size[0]) == 7 and sum(.; .size[1]) == 1500"
check_jq "nothing the other way" tx1 "$DEF .[-1].rx | sum(.; .packets) == 0"
check_jq "queues 0 to 3" tx1 '.[-1].tx | map(.queue) == [0, 1, 2, 3] and (map(.ifname) | unique) == ["va"]'
check_jq "intervals add up" tx1 "$DEF (map(select(.type == \"interval\"))) as \$i | (\$i | length) >= 2 and
    sum([\$i[].tx[]]; .packets) == 1507 and sum([\$i[].tx[]]; .bytes) == $TXB and
    [range(4) as \$q | sum(\$i; .tx[\$q].packets)] == (.[-1].tx | map(.packets))"
check_ok "more than one queue is used" jq -e 'select(.type == "end").tx | map(select(.packets > 0)) | length > 1' tx1.json
check_jq "by raw tracepoint" raw "$DEF (.[0].hooks | map(.via) | unique) == [\"raw_tp\"] and sum(.[-1].tx; .packets) == 1507 and
    sum(.[-1].tx; .bytes) == $TXB"
check_jq "another port: nothing" port "$DEF sum(.[-1].tx; .packets) == 0"
check_jq "IPv6 only: 500 of 162 bytes" six "$DEF sum(.[-1].tx; .packets) == 500 and sum(.[-1].tx; .bytes) == 81000 and
    all(.[-1].tx[]; .packets == 0 or .avg_bytes == 162)"
check "text: total" "$(sed -n '/ended after/,/^RX/p' text.txt | awk '$2 == "total" { gsub(",", ""); print $3, $4, $6, $7 }')" == "1507 1507 7 1500"
check "text: intervals" "$(sed '/ended after/,$d' text.txt | awk '/^TX/ { tx = 1 } /^RX/ { tx = 0 } tx && $2 == "total" { gsub(",", ""); n += $3 } END { print n }')" == 1507
check "text: rates and sizes" "$(sed -n '/ended after/,/^RX/p' text.txt | grep -c 'packets/s')" == 1
check "text: wide lines" "$(awk 'length > 100' text.txt | wc -l)" == 0

# --- one size, filters, rates ----------------------------------------------------------------
start 2 -t "udp port $PORT"
send udp --to 10.77.0.2 --port $PORT --flows 16 --count 1000 --size 100
send udp --to 10.77.0.2 --port 6003 --count 100 --size 100
finish 2
check_jq "sent: 142 bytes each" tx2 "$DEF .[-1].tx | sum(.; .packets) == 1000 and all(.packets == 0 or .avg_bytes == 142)"
check_jq "received: 142 bytes each" rx2 "$DEF .[-1].rx | sum(.; .packets) == 1000 and all(.packets == 0 or .avg_bytes == 142)"
check_jq "rates" tx2 'map(select(.type == "interval" or .type == "end")) | all(.seconds as $s | all(.tx[];
    (.pps - .packets / $s | fabs) <= 0.02 * .packets / $s + 0.2 and
    (.bytes_per_s - .bytes / $s | fabs) <= 0.02 * .bytes / $s + 1))'

# --- bulk TCP: segments are what the link counts, if nothing is segmented later -------------------
bg_in b server iperf3 -s -p 5201
wait_for 10 eval '[ -n "$(ip netns exec b ss -Hltn sport = 5201)" ]'
for offload in off on; do
    in_a ethtool -K va gso $offload tso $offload gro $offload tx $offload >/dev/null 2>&1
    in_b ethtool -K vb gso $offload tso $offload gro $offload tx $offload >/dev/null 2>&1
    stats_snap a va
    stats_snap b vb
    start $offload
    in_a iperf3 -c 10.77.0.2 -p 5201 -n 8M >iperf.$offload.txt
    settle a b
    finish $offload
    for end in "a va tx$offload" "b vb rx$offload"; do
        read -r ns dev name <<<"$end"
        for dir in tx rx; do
            want="$(stats_delta $ns $dev $dir.packets) $(stats_delta $ns $dev $dir.bytes)"
            got=$(jq -r "select(.type == \"end\").$dir | \"\\(map(.packets) | add) \\(map(.bytes) | add)\"" "$name.json")
            check "TCP, offloads $offload: $dev $dir packets and bytes" "$got" == "$want"
        done
    done
done
check_jq "nothing to segment" txoff "$DEF .[-1].tx | sum(.; .segments) == sum(.; .packets) and sum(.; .bytes) > 1000000"
check_jq "segmented later" txon "$DEF .[-1].tx | sum(.; .segments) > sum(.; .packets) and
    sum(.; .wire_bytes) > sum(.; .bytes) and (sum(.; .size[3]) + sum(.; .size[4]) + sum(.; .size[5])) > 0 and
    (sum(.; .wire_bytes) - sum(.; .bytes)) == 66 * (sum(.; .segments) - sum(.; .packets))"
nt_run none 2 iface_netstat
nt_run nodev 2 iface_netstat -n nosuch0
nt_run zero 2 iface_netstat -n lo -i 0
