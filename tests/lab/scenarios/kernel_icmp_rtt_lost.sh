# Pings that do not come back, come back twice, or are too many: each is counted once.
# ci: 6.12
# timeout: 600

SEND=$REPO/build/tests/traffic/nt-send
need_cmd nft
topo_pair
in_a ping -n -q -c 2 -i 0.05 10.77.0.2 >/dev/null

# Sessions shown complete or below the threshold, and those in each kind of loss, are those that
# were started, none of them twice.
EQUATION='(map(select(.type == "event" and .ended == "complete")) | length) as $shown | .[-1] |
    .started == $shown + .below_threshold + .lost.buffer + .lost.map_full + .lost.evicted and
    .completed == $shown + .below_threshold + .lost.buffer and
    .lost.evicted == .timed_out_total + .superseded + .unfinished'

# --- lost inside, after ip_rcv; lost outside, after phy_xmit -----------------------
nt_start_text text kernel_icmp_rtt -k --timeout-ms 400
nt_start in kernel_icmp_rtt -k --timeout-ms 400
nt_start rx kernel_icmp_rtt -k --timeout-ms 400 -r rx
in_a nft 'add table inet t; add chain inet t in { type filter hook input priority 0; };
    add rule inet t in icmp type echo-reply drop; add rule inet t in icmpv6 type echo-reply drop'
in_a "$SEND" ping --to 10.77.0.2 --count 30 --id 1 --interval-us 2000 --timeout-ms 100 >/dev/null
in_a "$SEND" ping --to fd77::2 --count 20 --id 2 --interval-us 2000 --timeout-ms 100 >/dev/null
in_a nft flush ruleset
in_b nft 'add table inet t; add chain inet t in { type filter hook input priority 0; };
    add rule inet t in icmp type echo-request drop'
in_a "$SEND" ping --to 10.77.0.2 --count 10 --id 3 --interval-us 2000 --timeout-ms 100 >/dev/null
in_b nft flush ruleset
in_a "$SEND" ping --to 10.77.0.2 --count 5 --id 4 --interval-us 2000 >/dev/null
wait_for 5 eval '[ "$(events in ".ended == \"timeout\"")" -ge 60 ]' || true
nt_stop in
nt_stop rx
nt_stop text
check_jq "timeouts" in 'map(select(.ended == "timeout")) | length == 60 and
    (map(select(.last_stage == "ip_rcv")) | length == 50 and all(.icmp_id <= 2)) and
    (map(select(.last_stage == "phy_xmit")) | length == 10 and all(.icmp_id == 3)) and
    all(has("rtt_us") | not)'
check_jq "their counters" in '.[-1] | .started == 65 and .completed == 5 and .timed_out_total == 60 and
    (.timed_out | map([.leg, .after, .count]) | sort) == [[1, "phy_xmit", 10], [2, "ip_rcv", 50]] and
    .lost == {"buffer": 0, "map_full": 0, "evicted": 60, "probe_missed": 0, "unmatched": 0} and
    .unfinished == 0'
check_jq "the equation" in "$EQUATION"
check_jq "rx: refused requests" rx '(map(select(.ended == "timeout")) | length == 10 and
    all(.last_stage == "ip_rcv" and .icmp_id == 3)) and (.[-1] | .started == 65 and .completed == 55)'
check_jq "the equation, rx" rx "$EQUATION"
check "TIMEOUT in text" "$(grep -c 'TIMEOUT after ip_rcv$' text.txt)" == 50
check_ok "by stage in text" grep -q '^  timed out after phy_xmit (tx): 10$' text.txt

# --- unfinished at the end; the same id and seq again -------------------------------
netem vb b delay 3s
nt_start end kernel_icmp_rtt -k
in_a "$SEND" ping --to 10.77.0.2 --count 8 --id 1 --interval-us 1000 --timeout-ms 50 >/dev/null
in_a "$SEND" ping --to 10.77.0.2 --count 3 --id 1 --interval-us 1000 --timeout-ms 50 >/dev/null
nt_stop end
check_jq "sent again, unfinished" end '(map(select(.ended == "superseded")) | length == 3 and
    all(.last_stage == "phy_xmit")) and (map(select(.ended == "unfinished")) | length) == 8 and
    (.[-1] | .started == 11 and .completed == 0 and .superseded == 3 and .unfinished == 8 and
    .lost.evicted == 11)'
check_jq "the equation, unfinished" end "$EQUATION"
tc -n b qdisc del dev vb root

# --- duplicates; random loss ----------------------------------------------------------
need_module sch_netem
netem vb b duplicate 100%
nt_start dup kernel_icmp_rtt -k
in_a "$SEND" ping --to 10.77.0.2 --count 40 --id 9 --interval-us 3000 --timeout-ms 200 >dup_sent.json
nt_stop dup
lost_zero dup
check_jq "each reply twice" dup '.[-1] | .started == 40 and .completed == 40 and .duplicate_replies == 40'
netem vb b loss 20%
nt_start loss kernel_icmp_rtt -k --timeout-ms 300
in_a "$SEND" ping --to 10.77.0.2 --count 200 --id 9 --interval-us 2000 --timeout-ms 200 >loss_sent.json
wait_for 5 eval '[ "$(events loss ".type == \"event\"")" -ge 200 ]' || true
nt_stop loss
note "$(cat loss_sent.json)"
check_jq "completed and timed out are those sent" loss '.[-1] | .started == 200 and
    .completed + .timed_out_total == 200 and .timed_out_total > 10 and .unfinished == 0 and
    (.timed_out | map(.after)) == ["phy_xmit"]'
check "completed as nt-send counts" "$(tail -n 1 loss.json | jq .completed)" == "$(jq .received loss_sent.json)"
check_jq "the equation, loss" loss "$EQUATION"

# --- overload: small map, small buffer ---------------------------------------------------
netem vb b delay 30ms limit 100000
nt_start over kernel_icmp_rtt -k --max-entries 64 --buffer-size 4096 --timeout-ms 10000
nt_start small kernel_icmp_rtt -k --buffer-size 4096 --max-entries 20000
nt_start over_both kernel_icmp_rtt -k --max-entries 64 --buffer-size 4096 -r both --latency-ms 0.5
in_a "$SEND" ping --to 10.77.0.2 --count 100 --ids 50 --id 100 --interval-us 50 --timeout-ms 3000 >over_sent.json
in_a "$SEND" ping --to 10.77.0.2 --count 20 --ids 50 --id 100 --flood --timeout-ms 3000 >over_sent2.json
for name in over small over_both; do
    nt_stop $name
    note "$name: $(tail -n 1 $name.json | jq -c '{started, completed, below_threshold, events, lost, superseded, unfinished, timed_out_total, duplicate_replies}')"
    check_jq "the equation, $name" $name "$EQUATION"
done
sent=$(($(jq .sent over_sent.json) + $(jq .sent over_sent2.json)))
check "sent = started" "$(tail -n 1 over.json | jq .started)" == "$sent"
check "sent = started, small" "$(tail -n 1 small.json | jq .started)" == "$sent"
# An answer that comes after its time-out has no start any more.
check_jq "the map was full" over '.[-1] | .lost.map_full > 100 and .lost.unmatched <= .timed_out_total'
check_jq "nothing without a start" small '.[-1].lost | .map_full == 0 and .unmatched == 0'
