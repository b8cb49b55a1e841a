# shellcheck shell=bash
# Streams of nt-send from a, for scenarios about TCP's senders; sourced behind topo_pair.
SEND=$REPO/build/tests/traffic/nt-send

# stream NAME ARGS...: to port 5001 unless ARGS say otherwise; NAME.out has its TCP_INFO. It stays connected
# until stream_end.
stream() {
    local name=$1
    shift
    bg_in a "$name" "$SEND" tcp-send --port 5001 --hold 100000 "$@"
    wait_for 60 grep -q ready "$name.out"
}
stream_end() {
    local name=$1 pid=${LAB_PID[$1]}
    kill -TERM "$pid"
    wait_for 20 grep -q data_segs_out "$name.out"
    bg_stop "$name"
}
# info NAME MEMBER: of the stream's last TCP_INFO
info() { tail -n 1 "$1.out" | jq -r ".$2"; }
retrans_segs() { tcp_mib a RetransSegs; }
