# shellcheck shell=bash disable=SC2034
# What the scenarios of syscall_recv_latency share.

SEND=$REPO/build/tests/traffic/nt-send RECV=$REPO/build/tests/traffic/nt-recv
TOOL=syscall_recv_latency
lab_need_nettrace
topo_pair
PORTS="--port 7000-7099"
# Without the hooks that only receives past these need: attaching functions takes long under emulation.
DIRECT="--syscalls recvfrom,recvmsg,recvmmsg,read,readv"
# On a busy host sends come late and together, and the reader waits for a CPU: bounds in us and in percent.
FROM=$(in_guest && echo 9500 || echo 1000) TO=$(in_guest && echo 10500 || echo 1000000)
SHARE=$(in_guest && echo 90 || echo 10)

# reader NAME ARGS...: nt-recv in b, until its socket is there.
reader() {
    bg_in b "$1" "$RECV" --name "$1" "${@:2}"
    wait_for 20 grep -q ready "$1.out"
}
tcp() { in_a "$SEND" tcp "$@" >/dev/null; }
udp() { in_a "$SEND" udp "$@" >/dev/null; }
# Does it sleep in recvfrom? x86_64, arm64.
waits_in_call() { wait_for 20 grep -qE '^(45|207) ' "/proc/$(pid_of "$1")/syscall"; }
# What a reader has counted, once it has ended.
done_of() {
    wait_for 60 grep -q calls "$1.out" || die "$1 ends"
    unset "LAB_PID[$1]"
    tail -n 1 "$1.out"
}
# The rows of a socket in the end record; its counts are those of the reader.
ROW='def row($port): .[-1].sockets | map(select(.local_port == $port)); def near($a; $b): . >= $a and . <= $b;
    def same($r): .calls == $r.calls and .bytes == $r.bytes and .eof == $r.eof and .again == $r.again and
        .timeouts == $r.timeouts and .errors == $r.errors + $r.interrupted and .pid == $r.pid;'
only() {
    check_jq "$1: only that socket" "$1" "$ROW .[-1] | (.sockets | length) == 1 and .calls == ($3).calls and (.sockets[0] | .local_port == $2 and same($3))"
}
# From 6.13 on these programs can be preempted, and one that would run meanwhile on that CPU is skipped.
lost_nothing() {
    if kernel_at_least 6.13; then
        check_jq "lost by $1: nothing but others' calls" "$1" '.[-1].lost | .probe_missed < 50000 and (del(.probe_missed) | add) == 0'
    else
        lost_zero "$1"
    fi
}
