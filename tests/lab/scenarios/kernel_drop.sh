# Counts by place, reason and flow: every interval, every table and the end agree with what was sent.
# ci: 5.10 new
# where: guest host
# timeout: 600

need_cmd nft
TRAFFIC=$REPO/build/tests/traffic
topo_pair
has_reasons() { kernel_at_least 5.17; }
send() { in_a "$TRAFFIC/nt-send" "$@"; }

in_b nft 'add table inet t
    add chain inet t i { type filter hook input priority 0; }
    add rule inet t i udp dport 5001 drop'
bg_in b full "$TRAFFIC/nt-send" rcvbuf --bind 10.77.0.2 --port 5002 --hold 100
wait_for 10 grep -q ready full.out

# Within b and its device, so that other namespaces of a shared machine do not disturb.
TOOL=kernel_drop_stack_stats_summary
nt_start_in b all $TOOL -n vb -i 1 --by reason,location,dev,netns
nt_start_in b flows $TOOL -n vb -i 100 --group-by fivetuple --top 5000
nt_start_in b small $TOOL -n vb -i 100 --group-by fivetuple --max-entries 64 udp port 10
nt_start_in b stacks $TOOL -n vb -i 100 --group-by stack --attach kprobe --top 100
nt_start_in b cumulative $TOOL -n vb -i 1 --cumulative
lab_spawn text txt nsenter --net=/run/netns/b "$NETTRACE" $TOOL -n vb -i 1 --by reason,location --top 5000
lab_wait_line text text.txt "^$TOOL on"

# 1000 of each, several at a time.
SENDERS=()
send udp --to fd77::2 --port 9 --count 1000 & SENDERS+=($!)
send udp --to 10.77.0.2 --port 5001 --count 1000 & SENDERS+=($!)
send udp --to 10.77.0.2 --port 5002 --count 1000 --size 100 & SENDERS+=($!)
send tcp-connect --to 10.77.0.2 --port 5003 --count 1000 & SENDERS+=($!)
wait "${SENDERS[@]}"
send badsum --to 10.77.0.2 --dev va --dst-mac 02:77:00:00:00:02 --proto ip --port 5004 --count 1000
send badsum --to 10.77.0.2 --dev va --dst-mac 02:77:00:00:00:02 --proto udp --port 5006 --count 1000
send udp --to 10.77.0.2 --port 9 --sport 20000 --flows 200 --count 1000
send udp --to 10.77.0.2 --port 10 --sport 21000 --flows 1000 --count 1000
sleep 1.2
for name in all flows small stacks cumulative text; do nt_stop $name; done
bg_stop full INT
received=$(tail -n 1 full.out | jq .received)
RCVBUF=$((1000 - received))
TOTAL=$((7000 + RCVBUF))

# --- sums ---------------------------------------------------------------------------
for name in all flows stacks cumulative; do lost_zero $name; done
check_jq "the end" all ".[-1] | .drops == $TOTAL and .total_drops == $TOTAL and .packets == $TOTAL and .child == 0"
check_jq "intervals add up" all "map(select(.type == \"interval\")) | (map(.drops) | add) == $TOTAL and
    (map(.packets) | add) == $TOTAL and .[-1].total_drops == $TOTAL and length >= 2 and
    (map(.cycle) == [range(1; length + 1)])"
check_jq "bytes add up" all '(map(select(.type == "interval").bytes) | add) == .[-1].bytes and .[-1].bytes > 0'
check_jq "cumulative intervals never fall, the last is the end" cumulative "map(select(.type == \"interval\").drops) |
    . == sort and .[-1] == $TOTAL"
check_jq "rows add up to each interval" flows 'map(select(.rows)) | all((.rows | map(.count) | add // 0) == .drops)'
check_jq "rows by stack add up" stacks ".[-1] | .drops == $TOTAL and (.rows | map(.count) | add) == $TOTAL and
    .stacks_not_stored == 0"
check_jq "by raw tracepoint" stacks '.[0].hooks[0].via == "raw_tp"'

# --- rankings, rows ---------------------------------------------------------------------
rank() { jq -r "select(.type == \"end\").by_$2[] | select(.name | test(\"$3\")).count" all.json; }
check "by location: TCP" "$(rank all location '^tcp_v4_rcv$')" == 1000
check "by location: IP checksum" "$(rank all location '^ip_rcv_core')" == 1000
check "by location: nft" "$(rank all location '^(nf_hook_slow|nft_do_chain)')" == 1000
check "by location: small buffer" "$(rank all location '^udp_queue_rcv_(one_)?skb')" == "$RCVBUF"
check "by device" "$(rank all dev '^vb$')" == "$TOTAL"
if has_reasons; then
    check "by reason: NO_SOCKET" "$(rank all reason '^NO_SOCKET$')" == 4000
    check "by reason: NETFILTER_DROP" "$(rank all reason '^NETFILTER_DROP$')" == 1000
    check "by reason: SOCKET_RCVBUFF" "$(rank all reason '^SOCKET_RCVBUFF$')" == "$RCVBUF"
    check "by reason: IP_CSUM" "$(rank all reason '^IP_CSUM$')" == 1000
    check "by reason: UDP_CSUM" "$(rank all reason '^UDP_CSUM$')" == 1000
fi
check_jq "200 ports of 5" flows '.[-1].rows | map(select(.flow.dst_port == 9 and .flow.ip_version == 4)) |
    length == 200 and all(.count == 5 and .packets == 5 and .bytes == 710 and .ifname == "vb" and .flow.protocol == "udp" and
    .flow.src_ip == "10.77.0.1" and .flow.dst_ip == "10.77.0.2" and .first_ns <= .last_ns and .pct > 0) and
    (map(.flow.src_port) | sort) == [range(20000; 20200)]'
check_jq "1000 ports of 1" flows '.[-1].rows | map(select(.flow.dst_port == 10)) | length == 1000 and all(.count == 1)'
check_jq "one IPv6 flow" flows '.[-1].rows | map(select(.flow.ip_version == 6)) | length == 1 and
    (.[0] | .count == 1000 and .bytes == 162000 and .flow.src_ip == "fd77::1" and .flow.dst_port == 9)'
check_jq "no stacks by flow" flows 'all(.[]; all(.rows[]?; .stack == []))'
check_jq "no flows by stack" stacks 'all(.[]; all(.rows[]?; has("flow") | not))'
check_jq "a table that is too small: totals stay exact" small '.[-1] | .drops == 1000 and .lost.evicted > 0 and
    (.rows | length) > 0 and .lost.buffer == 0 and .lost.map_full == 0 and .lost.probe_missed == 0 and
    .lost.evicted + .rows_total <= 1000 and .lost.evicted + .rows_total >= 990'

# --- the kernel's counters ------------------------------------------------------------------
check_jq "counters that rose" flows ".[-1].counters | map({(.counter): .rise}) | add |
    .UdpNoPorts == 2000 and .Udp6NoPorts == 1000 and .UdpRcvbufErrors == $RCVBUF and .UdpInCsumErrors == 1000 and
    .IpExtInCsumErrors == 1000"
if has_reasons; then
    check_jq "and are explained" flows ".[-1].counters | map({(.counter): .explained}) | add |
        .UdpNoPorts == 2000 and .Udp6NoPorts == 1000 and .UdpRcvbufErrors == $RCVBUF and .UdpInCsumErrors == 1000 and
        .IpExtInCsumErrors == 1000"
else
    check_jq "nothing is explained without reasons" flows '.[-1].counters | all(has("explained") | not)'
fi

# --- text -------------------------------------------------------------------------------------
check "text: sum" "$(sed -n '/ended after/,$p' text.txt | sed -n 's/^drops \([0-9,]*\), since start.*/\1/p' | tr -d ,)" == "$TOTAL"
check "text: intervals" "$(sed -n 's/^report [0-9]*: drops \([0-9,]*\),.*/\1/p' text.txt | tr -d , | awk '{ n += $1 } END { print n }')" == "$TOTAL"
check "text: rows" "$(sed -n '/ended after/,$p' text.txt | awk '/^ *[0-9]+ +[0-9,]+ +[0-9.]+% / { gsub(",", "", $2); n += $2 } END { print n }')" == "$TOTAL"
check "text: by location as in JSON" \
    "$(sed -n '/ended after/,$p' text.txt | sed -n '/^drops by location/,/^kernel counters/p' | awk '$NF ~ /^[0-9,]+$/ { gsub(",", "", $NF); print $NF }' | sort -n | tr '\n' ' ')" == \
    "$(jq -r 'select(.type == "end").by_location[].count' all.json | sort -n | tr '\n' ' ')"
check "text: wide lines" "$(awk 'length > 100' text.txt | wc -l)" == 0

# --- so many intervals, one at a time: reading symbols takes a second under emulation ------------------
nt_start_in b timed $TOOL -n vb -i 2 --duration 10
send udp --to 10.77.0.2 --port 9 --count 400 --rate 100
nt_wait timed
nt_start_in b counted $TOOL -n vb -i 1 --count 4
send udp --to 10.77.0.2 --port 9 --count 100
nt_wait counted
check_jq "five intervals in ten seconds" timed 'map(select(.type == "interval")) | length == 5 and
    (map(.drops) | add) == 400 and (map(.seconds) | add) >= 9.9'
check_jq "four intervals asked for" counted 'map(select(.type == "interval")) | length == 4 and (map(.drops) | add) == 100'

# --- old names ------------------------------------------------------------------------------------
for old in $TOOL.py kernel_drop_stack_stats.bt kfree_skb_stack_stats_hist.py kernel_drop_stack_stats_fivetuple.py; do
    ln -s "$NETTRACE" "$old"
done
OLD="nsenter --net=/run/netns/b"
lab_spawn py json $OLD ./$TOOL.py -i 1 -d 4 --name vb --json
lab_spawn bt json $OLD ./kernel_drop_stack_stats.bt vb 1 --duration 4 --json
lab_spawn other json $OLD ./kernel_drop_stack_stats.bt lo 1 --duration 4 --json
lab_spawn five json $OLD ./kernel_drop_stack_stats_fivetuple.py -i 1 -d 4 -n vb --json
for name in py bt other five; do lab_wait_line $name $name.json '"type":"start"'; done
send udp --to 10.77.0.2 --port 9 --sport 20000 --flows 4 --count 40
for name in py bt other five; do nt_wait $name; done
check_jq "as .py: stacks, counting on" py ".[0].tool == \"$TOOL\" and .[0].filter.interface == \"vb\" and
    (.[-2] | .type == \"interval\" and .drops == 40 and (.rows | length) <= 4 and all(.rows[]; has(\"flow\") | not))"
check_jq "as .bt: another device" other '.[-1].drops == 0'
check_jq "as .bt: device and interval" bt ".[0].tool == \"$TOOL\" and .[-1].drops == 40 and (map(select(.type == \"interval\")) | .[-1].drops == 40 and .[-1].rows[0].count == 40)"
check "as .bt: the second word is the interval" \
    "$($OLD ./kernel_drop_stack_stats.bt vb 7 --dry-run --json | jq -r '.options | .interface + " " + .interval')" == "vb 7"
check_jq "as fivetuple" five '.[-1] | .drops == 40 and (.rows | length == 4 and all(.count == 10 and .stack == []))'

# --- queueing disciplines: the place is the caller of the list function ------------------------------
nt_start_in a qdisc $TOOL -i 100 -n va --by location,reason
in_a tc qdisc add dev va root blackhole
send udp --to 10.77.0.2 --port 12 --count 1000
in_a tc qdisc del dev va root
BUCKET=0
if have_module sch_tbf; then
    in_a tc qdisc add dev va root tbf rate 64kbit burst 2000 limit 4000
    send udp --to 10.77.0.2 --port 5001 --count 500 --rate 0
    BUCKET=$(in_a tc -s -j qdisc show dev va root | jq '.[0].drops')
    check "drops by the bucket" "$BUCKET" '>' 100
fi
nt_stop qdisc
lost_zero qdisc
check_jq "qdisc drops" qdisc ".[-1].by_location | map(select(.name == \"__dev_queue_xmit\").count) == [$((1000 + BUCKET))]"
check_jq "nothing else" qdisc ".[-1].drops == $((1000 + BUCKET))"
