# shellcheck shell=bash
# What the scenarios of qdisc_latency_details share.

SEND=$REPO/build/tests/traffic/nt-send
topo_pair
va_tc() { tc -n a "$@"; }
send() { in_a "$SEND" udp --to 10.77.0.2 --port 9 "$@" >/dev/null; }
EVENT='map(select(.type == "event"))'
# Every packet that came has one end, or is still there.
whole() {
    check_jq "$1: every packet is accounted for" "$1" '.[-1] | .started == .sent + .dropped + .consumed + .inside +
        .timed_out + .superseded + .lost.map_full and .without_row == 0 and
        (.queues | map(.sent + .dropped + .consumed) | add // 0) == .sent + .dropped + .consumed and
        all(.queues[]; .queued + .bypass + .noqueue == .sent + .dropped + .consumed)'
}
# was NAME N: it lost nothing, and N packets came.
was() {
    lost_zero "$1"
    whole "$1"
    check_jq "$1: as many as were sent" "$1" ".[-1].started == $2"
}
ended() {
    nt_stop "$1"
    was "$@"
}
wait_events() { wait_for 20 eval "[ \"\$(events $1 '.type == \"event\"')\" -ge $2 ]" || true; }
