# Handshakes and RTT behind netem, lost SYNs, closed ports, resets, drops, and every retransmitted segment of the MIB.
# ci: 5.10
# clock: instructions
# timeout: 400

need_cmd nft
need_module sch_netem nf_tables
SEND=$REPO/build/tests/traffic/nt-send
TOOL=tcp_perf_observer
topo_pair
nft_warm
netem va a delay 20ms limit 10000

send() {
    local name=$1
    shift
    in_a "$SEND" tcp-send --port 5001 "$@" >"$name.out"
}
info() { tail -n 1 "$1.out" | jq -r ".$2"; }
tc_drops() { in_a tc -s -j qdisc show dev va | jq 'map(.drops // 0) | add'; }
quiet() { [ -z "$(in_a ss -tanH state syn-sent state fin-wait-1 state closing dport = 5001)" ]; }

bg_in b sink "$SEND" tcp-sink --port 5001
wait_for 10 grep -q ready sink.out

# --- 20 ms ----------------------------------------------------------------------------------------------
nt_start a $TOOL -l 10.77.0.1 -t 0 -c 0 --detail-rate 0 -i 0.5
nt_start raw $TOOL -r 10.77.0.2 -t 1000000 -c 1000000 -i 1000 --attach kprobe
nt_start b $TOOL -l 10.77.0.2 -t 0 -c 0 --detail-rate 0 -i 1000
nt_start few $TOOL -L 1-65535 -R 5001 -t 0 -c 0 --detail-rate 7 -i 1000
nt_start three $TOOL -R 5001 -m detail -t 0 --count 3
nt_start six $TOOL -l fd77::1 -t 0 -c 0 -i 1000
nt_start_text text $TOOL -R 5001-5003 -c 0 --detail-rate 0 -i 1000
for i in 1 2 3 4 5; do send plain$i --to 10.77.0.2 --bytes 100000; done
nt_wait three
send reset --to 10.77.0.2 --bytes 1000 --reset
in_a "$SEND" tcp-connect --to 10.77.0.2 --port 5003 --count 2 >refused.out
send v6 --to fd77::2 --bytes 100000
in_a "$SEND" tcp-connect --to fd77::2 --port 5003 >refused6.out
wait_for 30 quiet
for name in a raw b few six text; do nt_stop $name; done
for name in a b few six three; do lost_zero $name; done
lost_zero raw 40    # a kprobe that a softirq meets on top of a tool's bpf() call is skipped, and counted
check_jq "handshakes of 20 ms, from both ends" a '.[-1] | .opened == 6 and .accepted == 0 and .handshake_active.count == 6 and
    .handshake_active.min >= 20000 and .handshake_active.p50 < 22000 and .handshake_passive.count == 0'
check_jq "accepted" b '.[-1] | .opened == 0 and .accepted == 6 and .handshake_passive.count == 6 and .handshake_passive.min >= 20000 and
    .handshake_passive.p50 < 22000'
check_jq "RTT of 20 ms" a '.[-1] | .rtt.count > 20 and .rtt.min >= 20000 and .rtt.p50 < 21000 and .srtt.min >= 20000 and .srtt.p50 < 21000'
check_jq "closed port: failed, a reset in" a '.[-1] | .failed_opens == 2 and .failed_opens_by_cause.refused == 2 and .resets_received == 2 and .resets_sent == 1'
check_jq "the reset of a connection, seen at its other end" b "(.[-1] | .resets_received == 1) and
    (.[-1].resets_sent == $(kernel_at_least 6.10 && echo 2 || echo 0))"
check_jq "details: one for each" a '(map(select(.type == "event")) | group_by(.kind) | map({ (.[0].kind): length }) | add) as $n | .[-1] as $last |
    $n.rtt == $last.rtt.count and $n.connlat == 6 and $n.failed == 2 and $n.reset_in == 2 and $n.reset_out == 1 and $n.retrans == null and
    $last.details_suppressed == 0'
check_jq "who it was" a 'map(select(.type == "event" and .kind == "connlat")) | all(.comm == "nt-send" and .role == "active" and .src_ip == "10.77.0.1" and
    .dst_ip == "10.77.0.2" and .dst_port == 5001 and .src_port > 1000 and .state == "ESTABLISHED" and .handshake_us >= 20000)'
check_jq "why it failed" a 'map(select(.type == "event" and .kind == "failed")) | all(.comm == "nt-send" and .error == "Connection refused" and
    .dst_port == 5003 and .src_port > 1000 and .waited_us >= 20000 and .waited_us < 22000)'
check_jq "closed port: the SYN is dropped, here it is not" b '.[-1] | .dropped_packets == 2 and (.drops | length == 1 and all(.direction == "in" and
    (.drop_location | startswith("tcp_v4_rcv")) and .packets == 2))'
check_jq "its details" b "map(select(.type == \"event\" and .kind == \"drop\")) | length == 2 and all(.src_ip == \"10.77.0.2\" and .src_port == 5003 and
    .dst_ip == \"10.77.0.1\" and .direction == \"in\" and .netns == $(stat -Lc %i /run/netns/b) and (.drop_location | startswith(\"tcp_v4_rcv\")) and
    $(kernel_at_least 5.17 && echo '.drop_reason == "NO_SOCKET"' || echo '.drop_reason == "-"'))"
check_jq "sender and orderly ends: no drop" a '.[-1].dropped_packets == 0 and .[-1].drops == []'
check_jq "changes of state" a '.[-1].into_state | .ESTABLISHED == 6 and .CLOSE >= 3 and .FIN_WAIT1 == 5 and .FIN_WAIT2 == 5 and .SYN_RECV == null'
check_jq "connections with their RTT" a '.[-1] | .connections == 6 and (.top | length == 6 and all(.rtt_p50_us >= 20000 and .rtt_p50_us < 22000 and .rtt_p99_us < 30000 and
    .rtt_min_us >= 20000 and .rtt_samples > 0)) and ([.top[].rtt_samples] | add) == .rtt.count'
check_jq "intervals add up" a '. as $all | ["opened", "failed_opens", "samples", "segments_seen", "resets_received"] | all(. as $k |
    ([$all[] | select(.type == "interval") | .[$k]] | add) == $all[-1][$k])'
check "raw: the same" "$(jq_get raw '.[-1] | [.opened, .failed_opens, .rtt.count + .lost.probe_missed, .samples, .into_state]')" == "$(jq_get a '.[-1] | [.opened, .failed_opens, .rtt.count, .samples, .into_state]')"
check_jq "thresholds" raw 'map(select(.type == "event" and (.kind == "rtt" or .kind == "connlat"))) == []'
check_jq "the limit of details: the others are counted" few 'map(select(.type == "event")) as $e | .[-1] | .details_suppressed > 0 and
    ($e | length) + .details_suppressed == .rtt.count + .opened + .resets_sent + .resets_received + .failed_opens + .dropped_packets and ($e | group_by(.ts_ns / 1e9 | floor) | map(length) | max) <= 7'
check_jq "three details, no report" three 'map(.type) == ["start", "event", "event", "event", "end"]'
check_jq "IPv6" six '.[-1] | .opened == 1 and .failed_opens_by_cause.refused == 1 and .resets_received == 1 and .handshake_active.min >= 20000 and
    .handshake_active.p50 < 22000 and .rtt.p50 >= 20000 and .rtt.p50 < 21500 and .top[0].src_ip == "fd77::1"'
check "text: details" "$(grep -cE '^[0-9:.]+ (connlat|failed) +[^ ]+:[0-9]+ +[^ ]+:500[13] ' text.txt)" == 10
check "text: not wider than 100" "$(awk 'length > 100 && !/fd77/' text.txt | wc -l)" == 0

# --- SYNs that are lost ------------------------------------------------------------------------------------
# Each rule takes the first that comes.
in_b nft 'add table inet t { chain in { type filter hook input priority 0; tcp dport 5001 tcp flags & (syn | ack) == syn limit rate 1/day burst 1 packets drop; }; }'
nt_start syn $TOOL -l 10.77.0.1 -t 4000000 -i 1000
nt_start synack $TOOL -l fd77::2 -t 4000000 -i 1000
send late --to 10.77.0.2 --bytes 1000
in_b nft flush ruleset
in_b nft 'add table inet t { chain out { type filter hook output priority 0; tcp sport 5001 tcp flags & (syn | ack) == (syn | ack) limit rate 1/day burst 1 packets drop; }; }'
send late6 --to fd77::2 --bytes 1000
in_b nft flush ruleset
wait_for 30 quiet
nt_stop syn
nt_stop synack
lost_zero syn
lost_zero synack
check_jq "a lost SYN: one handshake of a second more" syn '(map(select(.type == "event")) | (map(.kind) | sort) == ["connlat", "retrans"] and
    all(if .kind == "retrans" then .cause == "syn" and .segments == 1 and .state == "SYN_SENT" else .handshake_us > 1015000 and .handshake_us < 1060000 end))
    and .[-1].retransmitted.segments_by_cause.syn == 1 and .[-1].retransmitted.segments == 1 and .[-1].opened == 1'
check_jq "a lost SYN-ACK, in IPv6" synack '.[-1].retransmitted.segments_by_cause.syn_ack >= 1 and .[-1].retransmitted.segments == .[-1].retransmitted.segments_by_cause.syn_ack
    and .[-1].accepted == 1 and (map(select(.type == "event" and .kind == "retrans")) | all(.cause == "syn_ack" and .src_ip == "fd77::2" and .src_port == 5001))'

# --- a firewall ---------------------------------------------------------------------------------------------
in_b nft 'add table inet t { chain in { type filter hook input priority 0; tcp dport 5009 counter drop; }; }'
nt_start wall $TOOL -L 5009 -i 1000
nt_start_text wall_text $TOOL -L 5009 -i 1000
for to in 10.77.0.2 fd77::2; do
    in_a python3 -c "
import socket
s = socket.socket(socket.AF_INET6 if ':' in '$to' else socket.AF_INET)
s.settimeout(1.5)
try: s.connect(('$to', 5009))
except OSError: pass"
done
DENIED=$(in_b nft -j list chain inet t in | jq '[.. | .packets? // empty] | add')
in_b nft flush ruleset
nt_stop wall
nt_stop wall_text
lost_zero wall
note "the firewall dropped $DENIED"
check "SYNs again" "$DENIED" ">=" 4
check_jq "what the firewall dropped" wall "(.[-1] | .dropped_packets == $DENIED and ([.drops[].packets] | add) == $DENIED and
    (.drops | all(.direction == \"in\" and $(kernel_at_least 5.17 && echo '.drop_reason == "NETFILTER_DROP"' || echo '.drop_reason == "-"')))) and
    (map(select(.type == \"event\")) | length == $DENIED and all(.kind == \"drop\" and .src_port == 5009 and .direction == \"in\" and .netns == $(stat -Lc %i /run/netns/b)) and
    (map(.src_ip) | unique) == [\"10.77.0.2\", \"fd77::2\"])"
check "text: a drop each" "$(grep -cE '^[0-9:.]+ drop +[^ ]+:5009 +[^ ]+ +in (NETFILTER_DROP|[a-z_]+)' wall_text.txt)" == "$DENIED"
check "text: the sum" "$(grep -c "^dropped: $DENIED packets" wall_text.txt)" == 1

# --- loss ---------------------------------------------------------------------------------------------------
ip -n a link set va gso_max_segs 1     # netem drops packets as TCP makes them
for loss in 1 5; do
    netem va a delay 5ms loss $loss% limit 10000
    nt_start loss$loss $TOOL -l 10.77.0.1 -t 4000000 --detail-rate 0 -i 1000
    before=$(tcp_mib a RetransSegs)
    dropped=$(tc_drops)
    send lossy$loss --to 10.77.0.2 --bytes 3000000
    wait_for 60 quiet
    after=$(tcp_mib a RetransSegs)
    dropped=$(($(tc_drops) - dropped))
    nt_stop loss$loss
    # A softirq on top of our program, whose other end's segment meets the same program: the kernel leaves it out.
    check_jq "$loss %: nothing lost" loss$loss '.[-1].lost | del(.probe_missed) | add == 0'
    note "$(jq_get loss$loss '.[-1].retransmitted')"
    check_jq "$loss %: every segment of TcpRetransSegs" loss$loss ".[-1].retransmitted.segments == $((after - before)) and .[-1].retransmitted.segments > 5 and
        ([.[] | select(.type == \"event\" and .kind == \"retrans\") | .segments] | add) == .[-1].retransmitted.segments and
        ([.[-1].retransmitted.segments_by_cause[]] | add) == .[-1].retransmitted.segments and .[-1].retransmitted.segments_by_cause.fast > 0 and
        .[-1].retransmitted.segments_by_cause.other == 0 and .[-1].top[0].last.retransmitted_segments_ever <= .[-1].retransmitted.segments"
    check_jq "$loss %: every packet that netem drops" loss$loss ".[-1].dropped_packets == $dropped and $dropped > 5 and
        (.[-1].drops | all(.direction == \"out\" and $(kernel_at_least 5.17 && echo '.drop_reason == "QDISC_DROP"' || echo '.drop_reason == "-"')) and (map(.packets) | add) == $dropped) and
        ([.[] | select(.type == \"event\" and .kind == \"drop\") | .direction] | length == $dropped and all(. == \"out\"))"
done
