# Drops of a bucket, of fifos, of a class's leaf, of netem, of a reset: how many, where, why, and the kernel's own count.
# ci: new
# where: guest host
# timeout: 300

need_cmd jq tc
TRAFFIC=$REPO/build/tests/traffic
topo_pair
send() { in_a "$TRAFFIC/nt-send" udp --size 1000 "$@" >/dev/null; }
va_tc() { tc -n a "$@"; }
# The kernel's own count of a discipline of va.
tc_drops() { va_tc -s -j qdisc show dev va | jq "[.[] | select(.handle == \"$1\")][0].drops"; }
reason() { if kernel_at_least 5.17; then echo QDISC_DROP; else echo -; fi; }
# The leaf is known where functions can be hooked.
LEAF=
if [ -e /sys/kernel/tracing/kprobe_events ] || [ -e /sys/kernel/debug/tracing/kprobe_events ]; then LEAF=yes; fi

# ended NAME KIND COUNT: the tool has stopped, lost nothing, and shows COUNT drops of that discipline,
# as the kernel does.
ended() {
    local name=$1 kind=$2 count=$3
    nt_stop "$name"
    lost_zero "$name"
    check_jq "$name: one row, as many as the kernel counts" "$name" ".[-1] | .drops == $count and (.rows | length) == 1 and
        (.rows[0] | .ifname == \"va\" and .qdisc_kind == \"$kind\" and .drops == $count and .packets == $count
        and .kernel_drops == $count and .unexplained == 0 and (.reasons | map(.drops) | add) == $count)"
    check_jq "$name: an event for each" "$name" "map(select(.type == \"event\")) | length == $count and
        all(.stage == \"dropped\" and .ifname == \"va\" and .txq == 0 and .qdisc_kind == \"$kind\")"
}

# --- a bucket, and its own fifo: of 50 at once few fit ---------------------------
# Rates so low that nothing leaves while the test runs, however slow the machine is.
va_tc qdisc add dev va root handle 1: tbf rate 100bit burst 1600 limit 3000
nt_start_in a tbf qdisc_drop_trace -i va -I 1000 -v
nt_start_in a filter qdisc_drop_trace --trace udp dst port 10
lab_spawn text txt nsenter --net=/run/netns/a "$NETTRACE" qdisc_drop_trace -i va
lab_wait_line text text.txt '^qdisc_drop_trace on'
send --to 10.77.0.2 --port 9 --count 50
check "drops of the bucket, as tc has them" "$(tc_drops 1:)" == 47
wait_for 5 grep -q 'length 1042' text.txt || true
ended tbf tbf 47
nt_stop filter
nt_stop text
check_jq "nothing of another port, and no comparison" filter '.[-1].drops == 0 and .[-1].rows == [] and
    (map(select(.type == "event")) | length) == 0'
check_jq "the packets, the reason and the stack" tbf "map(select(.type == \"event\")) | all(.src_ip == \"10.77.0.1\" and
    .dst_port == 9 and .len_bytes == 1042 and .protocol == \"udp\" and .qdisc_handle == \"1:\" and .qdisc_parent == \"root\"
    and (.reason | IN(\"$(reason)\", \"OVERLIMIT\", \"GENERIC\")) and .location == \"__dev_queue_xmit\" and .stack[0] == .location_raw)"
check "text: 47 drops" "$(grep -c 'udp 10.77.0.1 .* port 9 length 1042' text.txt)" == 47
check "text: the row" "$(grep -cE '^va +0  tbf 1: +47 +47 +48,974 +47 +0$' text.txt)" == 1
check "text: wide lines" "$(awk 'length > 100' text.txt | wc -l)" == 0
if [ "$LEAF" ]; then
    check_jq "the bucket's fifo" tbf 'map(select(.type == "event")) | all(.leaf_kind == "bfifo" and .leaf_parent == "1:1"
        and .limit == 3000 and .limit_unit == "bytes" and .qlen == 2 and .backlog_bytes == 2084 and .sojourn_us < 50000)'
    check_jq "what callers got" tbf '.[-1].rc.queue_xmit | .DROP == 47 and .SUCCESS == 3'
    check "text: the leaf" "$(grep -c 'bfifo of 1:1 held 2 packets, 2084 bytes, limit 3000 bytes, this one for ' text.txt)" == 47
fi
va_tc qdisc del dev va root

# --- a class whose leaf is a short fifo, IPv6, counted only ------------------------
va_tc qdisc add dev va root handle 1: htb default 10
va_tc class add dev va parent 1: classid 1:10 htb rate 100bit burst 1600 cburst 1600
va_tc qdisc add dev va parent 1:10 handle 20: pfifo limit 5
nt_start_in a htb qdisc_drop_trace -i va --interval 0.5 --summary
send --to fd77::2 --port 9 --count 60
wait_for 5 eval '[ "$(events htb ".type == \"interval\" and .drops > 0")" -ge 1 ]' || true
HTB=$(tc_drops 1:)
check "the leaf lets few pass" "$HTB" '>=' 53
nt_stop htb
lost_zero htb
check_jq "htb: as many as the kernel counts" htb ".[-1].rows | length == 1 and (.[0] | .qdisc_kind == \"htb\" and
    .drops == $HTB and .kernel_drops == $HTB and .unexplained == 0 and .bytes == 1062 * $HTB)"
check_jq "htb: intervals add up" htb "(map(select(.type == \"interval\").drops) | add) == $HTB and
    (map(select(.type == \"event\")) | length) == 0"
[ -z "$LEAF" ] || check_jq "htb: the leaf is named" htb '.[-1].rows[0].reasons | length == 1 and
    (.[0] | .leaf_kind == "pfifo" and .leaf_handle == "20:" and .leaf_parent == "1:10")'

# One drop of a GSO packet is as many packets as it has segments.
GSO=$(tc_drops 1:)
nt_start_in a gso qdisc_drop_trace -i va --summary
in_a python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(17, 103, 500)    # UDP_SEGMENT
for i in range(20):
    s.sendto(bytes(4750), ("10.77.0.2", 9))
PY
GSO=$(($(tc_drops 1:) - GSO))
nt_stop gso
lost_zero gso
check_jq "gso: 10 packets a drop" gso ".[-1].rows | length == 1 and (.[0] | .drops == $GSO and .drops == 20 and
    .packets == 200 and .bytes == 20 * 4792)"

# --- what is queued when the device goes down ----------------------------------------
nt_start_in a down qdisc_drop_trace -i va --trace
HELD=$(va_tc -s -j qdisc show dev va | jq '[.[] | select(.handle == "20:")][0].qlen')
check "packets wait" "$HELD" '>=' 4
ip -n a link set va down
wait_for 5 eval '[ "$(events down ".type == \"event\"")" -ge "$HELD" ]' || true
nt_stop down
check_jq "down: all that waited are dropped at the reset" down "map(select(.type == \"event\")) | length == $HELD and
    all(.ifname == \"va\" and .qdisc_kind == \"htb\" and .src_ip == \"fd77::1\")"
check_jq "down: tables at the end alone, without codes" down ".[-1].drops == $HELD and .[-1].rc.driver == {} and
    (map(select(.type == \"interval\")) | length) == 0"
va_tc qdisc del dev va root
ip -n a link set va up
lab_end a va 1 2 2>/dev/null || true

# --- every passage -------------------------------------------------------------------
nt_start_in a all qdisc_drop_trace -i va --trace-all --drops-only
send --to 10.77.0.2 --port 9 --count 7
wait_for 5 eval '[ "$(events all ".stage == \"tx_driver\" and .dst_port == 9")" -ge 7 ]' || true
nt_stop all
check_jq "all: at the queue and at the driver" all '[.[] | select(.dst_port == 9).stage] | group_by(.) |
    map([.[0], length]) == [["tx_driver", 7], ["tx_queue", 7]]'
check_jq "all: no drop, the driver took them" all '.[-1] | .drops == 0 and .rc.driver.OK >= 7'
nt_run both 2 qdisc_drop_trace --summary --trace
nt_run csv 2 qdisc_drop_trace --format csv

# --- disciplines that only guests have -------------------------------------------------
in_guest && have_module sch_netem || exit 0
va_tc qdisc add dev va root handle 3: netem loss 100%
nt_start_in a netem qdisc_drop_trace -i va
send --to 10.77.0.2 --port 9 --count 100
wait_for 5 eval '[ "$(events netem ".type == \"event\"")" -ge 100 ]' || true
ended netem netem 100
check_jq "netem: its callers think it was sent" netem '.[-1].rc | .queue_xmit.SUCCESS == 100 and .driver == {}'
check_jq "netem: the discipline itself is the leaf" netem '.[-1].rows[0].reasons | all(.leaf_kind == "netem" and
    .leaf_handle == "3:")'
va_tc qdisc del dev va root

# fq_codel over its limit drops from the head of the fattest flow: what had waited, not what came.
have_module sch_fq_codel || exit 0
va_tc qdisc add dev va root handle 1: tbf rate 100kbit burst 1600 limit 3000
va_tc qdisc add dev va parent 1: handle 5: fq_codel limit 10
nt_start_in a codel qdisc_drop_trace -i va
send --to 10.77.0.2 --port 9 --count 20
sleep 0.3
send --to 10.77.0.2 --port 9 --count 80
wait_for 5 eval '[ "$(events codel ".type == \"event\"")" -ge 80 ]' || true
CODEL=$(tc_drops 1:)
check "fq_codel drops" "$CODEL" '>=' 80
ended codel tbf "$CODEL"
check_jq "codel: some had waited for 0.3 s" codel 'map(select(.type == "event")) | all(.leaf_kind == "fq_codel" and
    .leaf_handle == "5:") and (map(.sojourn_us) | max) > 290000'
