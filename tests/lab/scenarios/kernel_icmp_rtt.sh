# Pings over a peer that delays its answers by 20 ms: counts, times, stages, both directions.
# clock: instructions
# ci: 5.10 new
# timeout: 600

SEND=$REPO/build/tests/traffic/nt-send
topo_pair
netem vb b delay 20ms
# The first ping of a kernel under emulation runs code that was never translated before.
in_a ping -n -q -c 3 -i 0.05 10.77.0.2 >/dev/null
in_a ping -n -q -c 3 -i 0.05 fd77::2 >/dev/null
settle a b

ICMP='select(.type == "event")'
TX='["ip_out","phy_queue","phy_xmit","phy_rx","ip_rcv","icmp_rcv"]'
RX='["phy_rx","ip_rcv","icmp_rcv","ip_out","phy_queue","phy_xmit"]'

# --- 200 pings of this host ---------------------------------------------------
nt_start_in a tx kernel_icmp_rtt -k -s 10.77.0.1 -d 10.77.0.2
# Not 20 ms apart: an answer that interrupts a kprobe of the next request misses its own kprobes.
in_a "$SEND" ping --to 10.77.0.2 --count 200 --id 4711 --interval-us 24000 --per-seq >sent.json
wait_for 5 eval '[ "$(events tx ".type == \"event\"")" -ge 200 ]' || true
nt_stop tx
lost_zero tx
check_jq "one event for each ping" tx "map($ICMP) | length == 200 and
    ([.[].icmp_seq] | sort) == [range(1; 201)] and all(.ended == \"complete\" and .icmp_id == 4711)"
check_jq "who, where" tx "map($ICMP) | all(.direction == \"tx\" and .src_ip == \"10.77.0.1\" and
    .dst_ip == \"10.77.0.2\" and .protocol == \"icmp\" and .ip_version == 4 and .ttl == 64 and
    .len_bytes == 84 and .comm == \"nt-send\" and .pid > 0 and .tid == .pid and .ifname == \"va\" and
    .leg2_ifname == \"va\" and .last_stage == \"icmp_rcv\")"
check_jq "stages in order" tx "map($ICMP) | all([.stages[].stage] == $TX and [.stages[].leg] == [1, 1, 1, 2, 2, 2] and
    ([.stages[].ts_ns] | . == sort) and (.stages | all(has(\"stack\") | not)) and
    [.stages[] | .ifname // \"-\"] == [\"-\", \"va\", \"va\", \"va\", \"-\", \"-\"])"
check_jq "the parts are the whole" tx "map($ICMP) | all(
    ((.leg1_us + .external_us + .leg2_us - .rtt_us) | fabs) < 0.01 and
    (([.stages[].delta_us] | add) - .rtt_us | fabs) < 0.01 and .total_us == .rtt_us and
    ((.stages[5].ts_ns - .stages[0].ts_ns) / 1000 - .rtt_us | fabs) < 0.01)"
check_jq "the counters" tx '.[-1] | .started == 200 and .completed == 200 and .events == 200 and
    .timed_out_total == 0 and .unfinished == 0 and .superseded == 0 and .duplicate_replies == 0 and
    .rtt.count == 200 and .leg1.count == 200 and .external.count == 200 and .leg2.count == 200 and
    (.stages | map([.from, .to]) == [["ip_out", "phy_queue"], ["phy_queue", "phy_xmit"],
    ["phy_xmit", "phy_rx"], ["phy_rx", "ip_rcv"], ["ip_rcv", "icmp_rcv"]]) and
    (.stages | all(.hist.count == 200) and (map(.share_pct) | add - 100 | fabs) < 0.1 and
    map(.external) == [false, false, true, false, false])'
jq -s -c --slurpfile s sent.json "(map($ICMP) | map([.icmp_seq, .rtt_us]) | sort) as \$t |
    [\$t, (\$s[0].per_seq | sort)] | transpose | map(select(.[0][0] == .[1][0]) | .[1][1] - .[0][1]) |
    {n: length, min: min, p50: sort[length / 2 | floor]}" tx.json >diff.json
note "nt-send's times minus ours: $(cat diff.json)"
check "pings compared by seq" "$(jq .n diff.json)" == 200
check "ours never longer than nt-send's, us" "$(jq .min diff.json)" '>=' 0
check "median difference, us" "$(jq .p50 diff.json)" '<' 50
p50=$(jq -s "map($ICMP.rtt_us) | sort[100]" tx.json)
note "rtt p50 $p50 us, legs $(jq -s -c "[map($ICMP.leg1_us), map($ICMP.leg2_us) | sort[100]]" tx.json)"
check "median, us" "$p50" '>=' 20000
check "median, us" "$p50" '<' 20100
check_jq "outside at least the delay, legs short" tx "map($ICMP) | (map(.external_us) | min) >= 20000 and
    (map(.leg1_us) | sort[100]) < 50 and (map(.leg2_us) | sort[100]) < 50"
check_jq "histograms agree with the events" tx "(map($ICMP.rtt_us) | sort) as \$v |
    .[-1].rtt | (.p50 / \$v[100] - 1 | fabs) < 0.07 and (.max - \$v[199] | fabs) < 0.01 and
    (.min - \$v[0] | fabs) < 0.01 and (.sum - (\$v | add) | fabs) < 1"

# --- IPv6, fragments, both directions, with stacks; text --------------------------
nt_start both kernel_icmp_rtt -r both
nt_start_text text kernel_icmp_rtt -r both
in_a ping -n -q -c 5 -i 0.05 10.77.0.2 >/dev/null
in_a ping -n -q -c 4 -i 0.05 fd77::2 >/dev/null
in_a ping -n -q -c 3 -i 0.05 -s 8000 10.77.0.2 >/dev/null
in_a ping -n -q -c 2 -i 0.05 -s 8000 fd77::2 >/dev/null
wait_for 5 eval '[ "$(events both ".type == \"event\"")" -ge 28 ]' || true
nt_stop both
nt_stop text
lost_zero both
check_jq "14 pings each way" both "map($ICMP) | (map(select(.direction == \"tx\")) | length) == 14 and
    (map(select(.direction == \"rx\")) | length) == 14 and all(.ended == \"complete\")"
check_jq "by version and length" both "map($ICMP) | group_by(.len_bytes) |
    map([.[0].len_bytes, .[0].protocol, length]) ==
    [[84, \"icmp\", 10], [104, \"icmpv6\", 8], [8028, \"icmp\", 6], [8048, \"icmpv6\", 4]]"
check_jq "stages of the answering side" both "map($ICMP | select(.direction == \"rx\")) |
    all([.stages[].stage] == $RX and .ifname == \"vb\" and .leg2_ifname == \"vb\" and
    (has(\"pid\") or has(\"comm\") | not))"
check_jq "the delay is the peer's qdisc" both "map($ICMP | select(.direction == \"rx\")) |
    (map(.stages[5].delta_us) | min) >= 20000 and (map(.external_us) | min) < 100"
check_jq "an IPv6 session" both "map($ICMP | select(.protocol == \"icmpv6\" and .direction == \"tx\")) |
    all(.src_ip == \"fd77::1\" and .dst_ip == \"fd77::2\" and [.stages[].stage] == $TX)"
check_jq "stacks, but for those that found no place" both "[.[] | $ICMP | .stages[]] as \$all |
    (\$all | map(select(has(\"stack\") | not)) | length) == .[-1].no_stack and .[-1].no_stack < 4 and
    (\$all | map(select(has(\"stack\")) | .stack[0] as \$f | (.stage == \"ip_out\") == (\$f |
    test(\"^__ip6?_local_out\")) and (.stage != \"phy_queue\" or (\$f | test(\"^__dev_queue_xmit\"))) and
    (.stack | length) > 2) | all)"
check_jq "figures of each direction" both '.[-1] | .started == 28 and .completed == 28 and
    .tx.rtt.count == 14 and .rx.rtt.count == 14 and (.stages | length) == 10'
check "blocks in text" "$(grep -c '^[0-9:.]*  [tr]x  .* rtt ' text.txt)" == 28
check "sums in text" "$(grep -c '^    = request .* + reply ' text.txt)" == 28
check "lines wider than the terminal" "$(tail -n +3 text.txt | awk 'length > 100' | wc -l)" == 0
check "blanks at line ends" "$(grep -c ' $' text.txt || true)" == 0

# --- which end is local: any order; and filters ------------------------------------
nt_start_in b rx1 kernel_icmp_rtt -k -r rx -s 10.77.0.1 -d 10.77.0.2
nt_start_in b rx2 kernel_icmp_rtt -k -r rx -s 10.77.0.2 -d 10.77.0.1
nt_start_in a swap kernel_icmp_rtt -k -s 10.77.0.2 -d 10.77.0.0/24 -v
nt_start_in a one kernel_icmp_rtt -k -d 10.77.0.1
nt_start none kernel_icmp_rtt -k -s 10.77.0.2 -v
nt_start expr kernel_icmp_rtt -k 'icmp and greater 100'
nt_start slow kernel_icmp_rtt -k --latency-ms 10000
nt_start_in a dev kernel_icmp_rtt -k -i lo
nt_start three kernel_icmp_rtt -k --count 3
nt_start debug kernel_icmp_rtt -k --debug -s fd77::1
in_a ping -n -q -c 4 -i 0.05 10.77.0.2 >/dev/null
in_a ping -n -q -c 3 -i 0.05 -s 200 10.77.0.2 >/dev/null
for name in rx1 rx2 swap one none expr slow dev debug; do
    nt_stop $name
    lost_zero $name
done
nt_wait three
for name in rx1 rx2 swap one; do
    check_jq "$name" $name "map($ICMP) | length == 7 and all(.src_ip == \"10.77.0.1\" and .ended == \"complete\")"
done
check_jq "no address is local: as given" none "map($ICMP) | length == 0 and .[-1].started == null"
check_ok "and it says so" grep -q 'no address is of this namespace' none.err
check_jq "filter expression" expr "map($ICMP) | length == 3 and all(.len_bytes == 228)"
check_jq "threshold" slow "(map($ICMP) | length) == 0 and (.[-1] | .below_threshold == 7 and
    .completed == 7 and .rtt.count == 7)"
check_jq "another device: the IP stages only" dev "map($ICMP) | length == 7 and
    all([.stages[].stage] == [\"ip_out\", \"ip_rcv\", \"icmp_rcv\"])"
check_jq "count" three "(map($ICMP) | length) == 3 and .[-1].events == 3"
check_jq "debug" debug '.[-1] | .started == 0 and (.debug | map(.hook) == '"$TX"' and
    all(.seen == 0 and .address_mismatch == 7))'
"$NETTRACE" kernel_icmp_rtt -k --format csv --count 2 >csv.out 2>csv.err &
csv=$!
# It prints nothing before the first event.
wait_for 60 eval "in_a ping -n -q -c 1 10.77.0.2 >/dev/null; ! lab_alive $csv" || true
wait $csv
check "csv: a heading and two rows" "$(wc -l <csv.out)" == 3
check "csv: columns" "$(head -n 1 csv.out)" =~ '^time,.*src_ip,dst_ip,.*rtt_us'

# --- figures only --------------------------------------------------------------------
nt_start sum kernel_icmp_rtt --summary
nt_start every kernel_icmp_rtt --interval 0.5 -r both
nt_start_text table kernel_icmp_rtt --interval 1
in_a ping -n -q -c 20 -i 0.1 10.77.0.2 >/dev/null
for name in sum every; do
    nt_stop $name
    lost_zero $name
done
nt_stop table
check_jq "summary" sum "(map($ICMP) | length) == 0 and (.[-1] | .completed == 20 and .events == 20 and
    .rtt.count == 20 and .below_threshold == 0)"
check_jq "the intervals add up" every "(map($ICMP) | length) == 0 and
    (map(select(.type == \"interval\")) | length >= 3 and (map(.completed) | add) == 40 and
    (map(.tx.rtt.count) | add) == 20 and (map(.rx.rtt.count) | add) == 20)"
check_ok "table in text" grep -q '^phy_xmit  *phy_rx  ' table.txt
nt_run csvsum 2 kernel_icmp_rtt --summary --format csv
nt_run countsum 2 kernel_icmp_rtt --summary --count 3
nt_run dir 2 kernel_icmp_rtt -r sideways
