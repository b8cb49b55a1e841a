# A tap that nobody reads takes txqueuelen frames and drops the rest.
# timeout: 240

need_module tun
TRAFFIC=$REPO/build/tests/traffic
has_reasons() { kernel_at_least 5.17; }
has_ring() { knows_type tun_struct tun; }

# tap NAME ARGS...: nt-tap, ready to send; go NAME sends and waits for the result.
tap() {
    local name=$1
    shift
    rm -f "go.$name"
    bg "$name" "$TRAFFIC/nt-tap" --name "$name" --wait-file "go.$name" --hold-file "end.$name" "$@"
    wait_for 20 grep -q ready "$name.out"
}
go() {
    touch "go.$1"
    wait_for 30 grep -q tx_dropped "$1.out"
}
gone() {
    touch "end.$1"
    wait_for 10 eval "! lab_alive $(pid_of "$1")"
    bg_stop "$1"
}

# --- 64 slots, 100 frames of two flows: 64 and 36 -----------------------------
modprobe tun
tap tap0 --qlen 64 --frames 100 --two-flows --drain
nt_start every tun_ring_monitor --device tap0 --all
nt_start two tun_ring_monitor -d 'ta*' -P 5001
nt_start_text text tun_ring_monitor -d tap0
go tap0
check "frames that the tap took" "$(jq .read tap0.out 2>/dev/null || tail -n 1 tap0.out | jq .read)" == 64
nt_stop every
nt_stop two
nt_stop text
gone tap0
lost_zero every
lost_zero two

check_jq "64 accepted, 36 dropped" every 'map(select(.type == "event")) |
    length == 100 and (map(select(.verdict == "drop")) | length) == 36 and
    (map(select(.verdict == "ok")) | length) == 64 and
    .[63].verdict == "ok" and .[64].verdict == "drop"'
check_jq "the packets themselves" every 'map(select(.type == "event")) | all(.ifname == "tap0" and
    .queue == 0 and .protocol == "udp" and .src_ip == "192.0.2.1" and .dst_ip == "192.0.2.2" and
    .src_port == 40000 and .len_bytes == 142 and .ip_version == 4 and .comm == "nt-tap") and
    (map(.dst_port) | unique) == [5000, 5001]'
check_jq "the queue" every '.[-1] | .packets == 100 and .drops == 36 and .bytes == 14200 and
    .events == 100 and (.queues | length) == 1 and (.queues[0] | .packets == 100 and .drops == 36 and
    .drop_pct == 36 and .ifname == "tap0" and .queue == 0)'
if has_reasons; then
    check_jq "reason of events" every 'map(select(.verdict == "drop").reason) | unique == ["FULL_RING"]'
    check_jq "reason in the table" every '.[-1].queues[0].drops_by_reason ==
        [{"reason": "FULL_RING", "count": 36}]'
elif has_ring; then
    check_jq "the state of the ring is the reason" every \
        'map(select(.verdict == "drop").reason) | unique == ["full_ring"]'
else
    check_jq "no reason" every 'map(select(.verdict == "drop").reason) | unique == ["-"]'
fi
if has_ring; then
    # Frame i meets i packets, or 64.
    check_jq "what each packet met" every 'map(select(.type == "event")) |
        [.[].ring_queued] == [range(64), range(36) * 0 + 64] and all(.ring_size == 64 and
        .ring_stale == 0 and .ring_free == 64 - .ring_queued and .num_queues == 1) and
        .[99].occupancy_pct == 100'
    check_jq "occupancy" every '.[-1].queues[0] | .ring_known and .ring_size == 64 and
        .queued_min == 0 and .queued_avg == 43.2 and .queued_max == 64 and
        .occupancy_pct == {"min": 0, "avg": 67.5, "p50": 76, "p99": 100, "max": 100}'
    check_jq "bursts" every '.[-1].queues[0] | .burst_max == 36 and
        .suggested_txqueuelen == 100 and .full_us > 0'
else
    check_jq "no ring figures, and it says so" every '.[-1].queues[0] |
        .ring_known == false and (has("ring_size") or has("occupancy_pct") or has("full_us") | not)'
    check_jq "none in events" every 'all(has("ring_size") or has("occupancy_pct") | not)'
fi

# The second flow's share: 32 of the accepted, 18 of the dropped.
check_jq "one flow of two" two 'map(select(.type == "event")) | length == 18 and
    all(.verdict == "drop" and .dst_port == 5001)'
check_jq "its queue" two '.[-1] | .packets == 50 and .drops == 18 and .events == 18'

# Text: the same figures.
check "DROP lines" "$(grep -c ' DROP ' text.txt)" == 36
check "flows in lines" "$(grep -c 'udp 192.0.2.1:40000 > 192.0.2.2:500[01]' text.txt)" == 36
check "the table's row" "$(grep -A2 '^queues' text.txt | tail -n 1)" =~ '^tap0 +0 +100 +14,200 +36 +36[.]00'
if has_ring; then
    check "ring in lines" "$(grep -c ' DROP .* tap0 .*0/1 .*64/64 .*100.0 ' text.txt)" == 36
    check_ok "advice" grep -q 'txqueuelen of 100 would' text.txt
else
    check_ok "note" grep -q '^no ring figures for 1 of 1 queues' text.txt
fi
check "wide lines" "$(awk 'length > 132' text.txt | wc -l)" == 0

# --- 128 slots, 200 IPv6 frames; an interval each 0.3 s; nothing but tables -----
tap tap1 --qlen 128 --frames 200 --ipv6
nt_start six tun_ring_monitor -d tap1 --interval 0.3 --src-ip 2001:db8::/32 --threshold 90
nt_start other tun_ring_monitor -d tap1 --all --src-ip 10.0.0.0/8
go tap1
wait_for 5 eval '[ "$(events six ".type == \"interval\"")" -ge 3 ]' || true
nt_stop six
nt_stop other
lost_zero six
check_jq "128 accepted, 72 dropped" six '.[-1] | .packets == 200 and .drops == 72'
check_jq "IPv6" six 'map(select(.type == "event")) | all(.ip_version == 6 and .protocol == "udp" and
    .src_ip == "2001:db8::1" and .dst_ip == "2001:db8::2" and .dst_port == 5000)'
check_jq "the intervals add up" six '(map(select(.type == "interval")) | length >= 3 and
    (map(.packets) | add) == 200 and (map(.drops) | add) == 72 and
    (map(select(.packets == 0).queues == []) | all))'
check_jq "another prefix matches nothing" other '.[-1] | .packets == 0 and .queues == [] and .events == 0'
if has_ring; then
    # from 90 % of 128 on: 116 to 127 packets in the ring, then the drops
    check_jq "threshold" six 'map(select(.type == "event" and .verdict == "ok").ring_queued) == [range(116; 128)]'
    check_jq "extremes of intervals" six '[.[] | select(.type == "interval").queues[]] | all(
        .queued_min <= .queued_avg and .queued_avg <= .queued_max)'
    check_jq "most in an interval" six 'map(select(.type == "interval").queues[].queued_max) | max == 128'
fi
gone tap1

# --- four queues, all to the third ---------------------------------------------
tap tap2 --qlen 32 --frames 50 --queues 4 --steer 2
nt_start all tun_ring_monitor -d tap2
nt_start third tun_ring_monitor -d tap2 --queue 2
nt_start first tun_ring_monitor -d tap2 --queue 0 --all
go tap2
nt_stop all
nt_stop third
nt_stop first
check_jq "steered" all '.[-1].queues | length == 1 and (.[0] | .queue == 2 and .packets == 50 and .drops == 18)'
check_jq "queue of events" all 'map(select(.type == "event").queue) | unique == [2] and length == 18'
check_jq "the queue that was asked for" third '.[-1] | .packets == 50 and .drops == 18'
check_jq "the queue that has nothing" first '.[-1] | .packets == 0 and .events == 0'
has_ring && check_jq "number of queues" all '.[-1].queues[0].num_queues == 4'
gone tap2

# --- a reader at a tenth of the sender's pace: slower on a busy machine, too -------
tap tap3 --qlen 32 --frames 150 --interval-us 2000 --read-every-us 20000
nt_start slow tun_ring_monitor -d tap3 --all
nt_start_text table tun_ring_monitor -d tap3 --interval 0.2
go tap3
nt_stop slow
nt_stop table
lost_zero slow
truth=$(tail -n 1 tap3.out)
note "$truth"
check_jq "accepted and dropped as the sender saw it" slow ".[-1] | .packets == 150 and
    .drops == $(jq .send_errors <<<"$truth") and .packets - .drops == $(jq .sent <<<"$truth")"
if has_ring; then
    # Slots that the reader took are given back 16 at a time, so some are full with less.
    check_jq "room or no room" slow 'map(select(.type == "event")) | all(.ring_queued + .ring_stale +
        .ring_free == 32 and (.verdict == "drop") == (.ring_free == 0)) and
        any(.verdict == "drop" and .ring_stale > 0 and .ring_queued < 32)'
    check_jq "time full" slow '. as $all | .[-1].queues[0] | .full_us > 0 and .full_us / 1e6 < $all[-1].seconds'
    check_ok "tables in text" grep -q '^queues' table.txt
fi
gone tap3

# --- wrong names -----------------------------------------------------------------
nt_run noif 2 tun_ring_monitor -d nosuch0
check_ok "it says which" grep -q 'no such interface: nosuch0' noif.err
