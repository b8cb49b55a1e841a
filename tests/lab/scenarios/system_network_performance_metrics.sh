# All that a packet meets: the qdisc's wait and length, drops as tc counts them, the driver, conntrack in Open vSwitch.
# clock: instructions
# ci: 6.1
# timeout: 900

need_kprobes
need_cmd python3
need_module sch_netem sch_tbf
modprobe -a sch_netem sch_tbf
topo_pair
TOOL=system_network_performance_metrics
# shellcheck source=tests/lab/timeline.sh
. "$LAB_DIR/timeline.sh"
cat >"$WORK/send.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[2])):
    s.sendto(b"%020d" % i + bytes(980), ("10.77.0.2", int(sys.argv[1])))
PY
send() { in_a python3 "$WORK/send.py" "$@"; }

# --- a delay of 5 ms in the uplink's discipline ----------------------------------------------
netem va a delay 5ms
nt_start_in a slow $TOOL --phy-interface va --direction tx --rate 0
nt_start_in a figures $TOOL -i va -I 1000
stats_snap a va
in_a ping -n -q -c 20 -i 0.02 10.77.0.2 >/dev/null
in_a ping -n -q -c 10 -i 0.02 fd77::2 >/dev/null
settle a b
nt_stop slow
nt_stop figures
for name in slow figures; do lost_zero $name; adds_up $name; done
check_jq "every stage of each" slow 'map(select(.type == "event")) | length == 30 and all(.ended == "complete" and
    (.stages | map(.stage)) == ["ip_out", "phy_queue", "qdisc_deq", "phy_xmit"] and .stages[1].ifname == "va" and .qlen == 0)'
check_jq "5 ms in the discipline" slow 'map(select(.type == "event")) | all(.qdisc_sojourn_us >= 5000 and .qdisc_sojourn_us < 5300)'
check_jq "and in no other stage" slow '.[-1].stages | length == 3 and all(if .to == "qdisc_deq" then .async and .hist.min >= 5000
    else .hist.p50 < 200 end)'
check_jq "lengths" slow 'map(select(.type == "event" and .ip_version == 4)) | length == 20 and
    all(.stages | map(.len_bytes) == [84, 98, 98, 98])'
check_jq "by device" figures ".[-1].devices | map([.ifname, .direction, .packets, .drops]) | sort ==
    [[\"va\", \"rx\", 30, 0], [\"va\", \"tx\", $(stats_delta a va tx.packets), 0]]"
in_a tc qdisc del dev va root

# --- a bucket of 1 Mbit/s with room for ten ------------------------------------------------------
in_a tc qdisc add dev va root tbf rate 1mbit burst 1100 limit 10500
nt_start_in a bucket $TOOL --phy-interface va --direction tx --rate 0
send 5001 40
wait_for 20 eval '[ "$(in_a tc -s -j qdisc show dev va | jq ".[0].backlog")" = 0 ]' || true
settle a b
nt_stop bucket
lost_zero bucket
adds_up bucket
tail=$(in_a tc -s -j qdisc show dev va | jq '.[0].drops')
check "tc dropped some" "$tail" '>' 5
check_jq "dropped in the discipline: $tail" bucket ".[-1] | .completed == 40 - $tail and .dropped_total == $tail and
    (.dropped | length == 1 and (.[0] | .after == \"phy_queue\" and .count == $tail))"
check_jq "each with those that were before it" bucket 'map(select(.type == "event")) | (map(.qlen) | max) >= 8 and
    (map(select(.ended == "complete")) | map(.qlen) | .[0:5] == [0, 0, 1, 2, 3] or .[0:5] == [0, 1, 2, 3, 4])'
check_jq "1042 bytes take 8.3 ms" bucket 'map(select(.type == "event" and .ended == "complete")) | .[3:9] | map(.stages[3].ts_ns) |
    [.[1:], .[:-1]] | transpose | map(.[0] - .[1]) | all(. > 8200000 and . < 8500000)'
in_a tc qdisc del dev va root

# --- batches, here of 40 ms: each packet of one is seen to leave the discipline ------------------------
two_queues
netem vc c delay 20ms slot 40ms
nt_start_in c batch $TOOL --phy-interface vc --direction tx --rate 0
in_ns c "$REPO/build/tests/traffic/nt-send" udp --to 10.78.0.2 --port 9 --count 60 --rate 0 >/dev/null
batch_seen() { [ "$(events batch '.type == "event"')" -ge 60 ]; }
wait_for 20 batch_seen
nt_stop batch
lost_zero batch
adds_up batch
check_jq "all left it, for 20 to 60 ms" batch 'map(select(.type == "event")) | length == 60 and all(.qdisc_sojourn_us >= 19700 and
    .qdisc_sojourn_us < 65000) and (map(.stages[] | select(.stage == "qdisc_deq").ts_ns) | group_by(.) | map(length) | max) > 1'

# --- Open vSwitch, with connection tracking ---------------------------------------------------------
if have_module openvswitch && have_module nf_conntrack; then
    modprobe -a openvswitch nf_conntrack
    ip -n a address flush dev va
    in_a python3 "$LAB_DIR/ovs.py" dp br0 va
    ip -n a link set br0 address 02:77:00:00:00:01
    lab_end a br0 1 2
    ovs() { in_a python3 "$LAB_DIR/ovs.py" "$@"; }
    ovs flow br0 in_port=0 type=0x0800 -- ct=5,commit recirc=7
    ovs flow br0 in_port=0 recirc=7 type=0x0800 -- output=1
    ovs flow br0 in_port=1 type=0x0800 -- ct=5 recirc=8
    ovs flow br0 in_port=1 recirc=8 type=0x0800 -- output=0
    settle a b
    nt_start_in a switch $TOOL --phy-interface va --enable-ct
    in_a ping -n -q -c 10 -i 0.02 10.77.0.2 >/dev/null
    settle a b
    nt_stop switch
    lost_zero switch
    adds_up switch
    SEND=
    if knows_type vport openvswitch; then SEND='"ovs_send",'; fi
    check_jq "every stage of what is sent" switch "map(select(.type == \"event\" and .direction == \"tx\")) | length == 10 and
        all((.stages | map(.stage) | map(select(. != \"qdisc_deq\"))) == [\"ip_out\", \"internal_xmit\", \"ovs_recv\",
        \"ovs_process\", \"ct_in\", \"ct_out\", $SEND \"phy_queue\", \"phy_xmit\"] and .ct_us > 0 and .ovs_passes == 2)"
    check_jq "every stage of what is received" switch "map(select(.type == \"event\" and .direction == \"rx\")) | length == 10 and
        all((.stages | map(.stage)) == [\"phy_rx\", \"ovs_hook\", \"ovs_recv\", \"ovs_process\", \"ct_in\", \"ct_out\",
        $SEND \"internal_recv\", \"backlog_enq\", \"backlog_deq\", \"internal_rx\", \"ip_rcv\", \"l4_rcv\"])"
fi
