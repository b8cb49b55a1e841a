# Through Open vSwitch's internal port: every stage, upcalls with a known delay, clones, recirculation, drops.
# clock: instructions
# ci: 6.12
# timeout: 900

need_kprobes
need_cmd python3
need_module openvswitch sch_netem nft_ct
modprobe -a openvswitch sch_netem
ns_add a b
ip link add up0 netns a address 02:77:00:00:00:0f type veth peer name vb netns b address 02:77:00:00:00:02
ip link add mir0 netns a type veth peer name mir1 netns b
for dev in up0 mir0; do ip -n a link set $dev up; done
ip -n b link set mir1 up
NS_A=a NS_B=b
ovs() { in_a python3 "$LAB_DIR/ovs.py" "$@"; }
ovs dp br0 up0 mir0     # ports: br0 is 0, up0 1, mir0 2
ip -n a link set br0 address 02:77:00:00:00:01
lab_end a br0 1 2
lab_end b vb 2 1
settle a b
flows() {   # ACTIONS of what the host sends, of what it receives
    for type in 0x0800 0x86dd; do
        # shellcheck disable=SC2086
        ovs flow br0 in_port=0 type=$type -- $1
        # shellcheck disable=SC2086
        ovs flow br0 in_port=1 type=$type -- $2
    done
}
SUMMARY=system_network_latency_summary
DETAILS=system_network_latency_details
# The switch's own struct is known to kernels with BTF of modules (5.11).
HAS_SEND=false
if knows_type vport openvswitch; then HAS_SEND=true; fi
# shellcheck source=tests/lab/timeline.sh
. "$LAB_DIR/timeline.sh"
pings() { in_a ping -n -q -c "$1" -i "${3:-0.01}" -W 5 "$2" >/dev/null; }

# --- upcalls: nobody has a flow, and user space needs 50 ms ---------------------------------
bg_in a vswitchd python3 "$LAB_DIR/ovs.py" handle br0 50 0=output=1 1=output=0
wait_for 60 grep -q ready vswitchd.out
nt_start_in a miss $SUMMARY --phy-interface up0 --internal-interface br0 -i 1000
nt_start_in a each $DETAILS --phy-interface up0
pings 5 10.77.0.2 0.3     # one at a time: there is one thread that answers
pings 5 fd77::2 0.3
nt_stop miss
nt_stop each
for name in miss each; do lost_zero $name; adds_up $name; done
jq -r 'select(.type == "end") | .stages[] | "# \(.direction) \(.from) > \(.to): \(.hist.count), \(.hist.p50) us"' miss.json
check_jq "all came through" miss '.[-1] | .completed == 20 and .dropped_total == 0 and .timed_out_total == 0'
check_jq "50 ms in the upcall, either way" miss '.[-1].stages | map(select(.from == "ovs_upcall")) | length == 2 and
    all(.to == "ovs_exec" and .async and .hist.count == 10 and .hist.min >= 50000 and .hist.p50 < 55000)'
check_jq "and in no other stage" miss '.[-1].stages | map(select(.from != "ovs_upcall")) | length > 6 and all(.hist.p50 < 2000)'
check_jq "stages of what is sent" each "map(select(.type == \"event\" and .direction == \"tx\")) | length == 10 and
    all((.stages | map(.stage)) == [\"ip_out\", \"internal_xmit\", \"ovs_process\", \"ovs_upcall\", \"ovs_exec\",
    (if $HAS_SEND then \"ovs_send\" else empty end), \"phy_queue\"] and .ended == \"complete\" and .total_us >= 50000)"
check_jq "stages of what is received" each "map(select(.type == \"event\" and .direction == \"rx\")) | length == 10 and
    all((.stages | map(.stage)) == [\"phy_rx\", \"ovs_hook\", \"ovs_process\", \"ovs_upcall\", \"ovs_exec\",
    (if $HAS_SEND then \"ovs_send\" else empty end), \"backlog_enq\", \"backlog_deq\", \"ip_rcv\", \"l4_rcv\"])"

# --- an upcall that is never answered ----------------------------------------------------------
kill -STOP "$(pid_of vswitchd)"
nt_start_in a stopped $DETAILS --phy-interface up0 --direction tx --timeout-ms 300
pings 3 10.77.0.2 || true
wait_for 30 eval '[ "$(events stopped ".ended == \"timeout\"")" -ge 3 ]' || true
nt_stop stopped
bg_stop vswitchd KILL
adds_up stopped
check_jq "timed out in the upcall" stopped '.[-1] | .completed == 0 and .timed_out_total == 3 and .lost.evicted == 3 and
    .timed_out == [{direction: "tx", after: "ovs_upcall", count: 3}]'

# --- upcalls that fail: the socket is full, then there is none -----------------------------------
bg_in a full python3 "$LAB_DIR/ovs.py" handle br0 50 0=output=1 1=output=0 room=4608
wait_for 60 grep -q ready full.out
kill -STOP "$(pid_of full)"
nt_start_in a room $DETAILS --phy-interface up0 --direction tx --timeout-ms 300
before=$(ovs lost br0)
pings 30 10.77.0.2 || true
LOST=$(($(ovs lost br0) - before))
wait_for 30 eval '[ "$(events room ".ended == \"timeout\"")" -ge $((30 - LOST)) ]' || true
nt_stop room
bg_stop full KILL
nt_start_in a gone $DETAILS --phy-interface up0 --direction tx
nt_start_in a gone_summary $SUMMARY --phy-interface up0 --direction tx -i 1000
nt_start_in a gone_rtt system_network_icmp_rtt -k -i up0 -r tx -s 10.77.0.1 -d 10.77.0.2
pings 3 10.77.0.2 || true
for name in gone gone_summary gone_rtt; do nt_stop $name; done
for name in room gone gone_summary; do adds_up $name; done
for name in gone gone_summary gone_rtt; do lost_zero $name; done
jq -c 'select(.type == "end") | {dropped, timed_out}' room.json gone.json gone_rtt.json
jq -c 'select(.type == "event" and .ended == "dropped")' room.json gone.json gone_rtt.json | cut -c1-400 | sed -n '1p;$p'
check_jq "as many drops as the switch lost, of 30" room ".[-1] | .timed_out_total + .dropped_total == 30 and
    .timed_out == [{direction: \"tx\", after: \"ovs_upcall\", count: .timed_out_total}] and
    .dropped == [{direction: \"tx\", after: \"ovs_upcall\", upcall_error: \"EAGAIN\", count: $LOST}] and $LOST > 0 and .timed_out_total > 0"
check_jq "each told" room "map(select(.type == \"event\" and .ended == \"dropped\" and .upcall_error == \"EAGAIN\" and
    (.stages | last.stage) == \"ovs_upcall\")) | length == $LOST"
for name in gone gone_summary gone_rtt; do
    check_jq "nobody to ask ($name)" $name '.[-1].dropped | length == 1 and (.[0] | .after == "ovs_upcall" and .count == 3 and
        .upcall_error == "ECONNREFUSED" and (.location | startswith("ovs_dp_process_packet")))'
done

# --- flows: no upcalls; a delay at the internal port's queue; a mirror --------------------------
flows "output=2 output=1" "output=2 output=0"      # the copy of each goes to the mirror first
netem br0 a delay 20ms
nt_start_in a flow $SUMMARY --phy-interface up0 -i 1000
nt_start_in a mirrored $DETAILS --phy-interface up0
pings 20 10.77.0.2
settle a b
nt_stop flow
nt_stop mirrored
for name in flow mirrored; do lost_zero $name; adds_up $name; done
jq -r 'select(.type == "end") | .stages[] | "# \(.direction) \(.from) > \(.to): \(.hist.count), \(.hist.p50) us"' flow.json
check_jq "20 each way" flow '.[-1] | .totals | map([.direction, .hist.count]) == [["tx", 20], ["rx", 20]]'
check_jq "20 ms before the internal port" flow '.[-1].stages | map(select(.from == "ip_out")) | length == 1 and
    (.[0] | .to == "internal_xmit" and .hist.min >= 20000 and .hist.p50 < 20400)'
check_jq "and in no other stage" flow '.[-1].stages | map(select(.from != "ip_out")) | length > 4 and all(.hist.p50 < 1000)'
check_jq "no upcalls" mirrored 'map(select(.type == "event")) | length == 40 and
    all(.stages | all(.stage != "ovs_upcall" and .stage != "ovs_exec"))'
in_a tc qdisc del dev br0 root

# --- the uplink gets the copy, the mirror the packet itself: followed by what its headers say ----
flows "output=1 output=2" "output=0 output=2"
nt_start_in a cloned $DETAILS --phy-interface up0
pings 20 10.77.0.2
pings 5 fd77::2
settle a b
nt_stop cloned
adds_up cloned
lost_zero cloned
if $HAS_SEND; then
    check_jq "clones, both ways" cloned '.[-1].completed == 50 and (map(select(.type == "event" and .ended == "complete")) |
        all(.flags == ["clone"]))'
else
    check_jq "clones, sent ones" cloned 'map(select(.type == "event" and .ended == "complete" and .direction == "tx")) |
        length == 25 and all(.flags == ["clone"])'
fi

# --- twice through the switch, and dropped there ---------------------------------------------------
ovs del br0
ovs dp br0 up0 mir0
ip -n a link set br0 address 02:77:00:00:00:01
lab_end a br0 1 2
flows "recirc=7" "output=0"
ovs flow br0 in_port=0 recirc=7 type=0x0800 -- output=1
nt_start_in a recirculated $DETAILS --phy-interface up0
pings 4 10.77.0.2
pings 1 fd77::2 || true     # no flow for IPv6 behind the recirculation, and nobody to ask
nt_stop recirculated
adds_up recirculated
check_jq "twice through the switch" recirculated 'map(select(.type == "event" and .direction == "tx" and
    .ended == "complete")) | length == 4 and all(.ovs_passes == 2 and (.stages | map(select(.stage == "ovs_process")) |
    length) == 1)'
jq -c 'select(.type == "end") | {dropped, timed_out, lost}' recirculated.json
