# Receive calls of known number, length and cause, against the program that makes them.
# where: guest host
# clock: instructions
# timeout: 240

SEND=$REPO/build/tests/traffic/nt-send RECV=$REPO/build/tests/traffic/nt-recv
TOOL=syscall_recv_latency
lab_need_nettrace
topo_pair
PORTS="--port 7000-7099"
# A busy host: times get longer, never shorter; the calls of one send may become those of two.
MOST=$(in_guest && echo 10200 || echo 1000000)

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

# --- one byte each 10 ms ------------------------------------------------------------------------------
# Beside it another program reads files and pipes: 1000 read calls that do not matter.
nt_start byte $TOOL $PORTS
nt_start raw $TOOL $PORTS --attach kprobe -i 0.2
nt_start_text text $TOOL $PORTS -v
reader r0 --bind 10.77.0.2 --port 7000
files() { dd if=/dev/zero bs=100 count=500 2>/dev/null | dd of=/dev/null bs=100 2>/dev/null; }
bg files bash -c "while :; do $(declare -f files); files; done"
tcp --to 10.77.0.2 --port 7000 --count 100 --size 1
R0=$(done_of r0)
bg_stop files
for name in byte raw text; do nt_stop $name; done
note "$R0"
for name in byte raw; do
    lost_zero $name
    check_jq "$name: as many calls, bytes and ends as the reader has" $name "$ROW row(7000) | length == 1 and (.[0] | same($R0) and .eof == 1 and .bytes == 100 and
        .protocol == \"tcp\" and .local_ip == \"10.77.0.2\" and .remote_ip == \"10.77.0.1\" and .comm == \"r0\" and .fd > 0 and .ip_version == 4)"
    check_jq "$name: 10 ms each, nearly all without data" $name "$ROW .[-1] | (.total.p50 | near(9000; $MOST)) and (.wait.p50 | near(9000; $MOST)) and
        .no_data_pct > 90 and .limited_by == \"sender\" and .total.count == .calls and .work.count == .calls and .bytes_per_call.max <= 100"
    check_jq "$name: the parts are the whole" $name '.[-1] | (.wait.sum + .wakeup.sum + .work.sum - .total.sum | fabs) < 1 and
        (.total_us - .total.sum | fabs) < 1 and .total_us <= '"$(jq .spent_us <<<"$R0")"' + 1'
    check_jq "$name: nobody else's reads" $name "$ROW .[-1] | (.sockets | length) == 1 and .calls == $(jq .calls <<<"$R0") and
        .syscalls.recvfrom == .calls and ([.syscalls[]] | add) == .calls"
done
in_guest && check_jq "a call for each send, and one for the end; work and waking up are short" byte '.[-1] | .calls == 101 and .wait.count >= 100 and
    .work.p50 < 50 and .wakeup.p50 < 100 and .work.max < 500 and .migrations == 0'
check_jq "intervals add up" raw '([.[] | select(.type == "interval")] | length) >= 4 and
    ([.[] | select(.type == "interval").calls] | add) == .[-1].calls and ([.[] | select(.type == "interval").total.count] | add) == .[-1].calls and
    ([.[] | select(.type == "interval").sockets[].bytes] | add) == .[-1].bytes and ([.[] | select(.type == "interval").eof] | add) == 1'
check_jq "raw tracepoints" raw '(.[0].hooks | map(.via) | unique | map(select(. != "kprobe" and . != "kretprobe"))) == ["raw_tp"]'
check "text: the verdict" "$(grep -c '^limited by the sender or the network: ' text.txt)" '>=' 1
check "text: the socket" "$(grep -cE '^r0:[0-9]+ +tcp 10\.77\.0\.2:7000 < 10\.77\.0\.1:[0-9]+ +[0-9]+ +100 .* sender' text.txt)" '>=' 1
check "text: not wider than 100" "$(awk 'length > 100' text.txt | wc -l)" == 0

# --- every call, TCP and UDP, IPv4 and IPv6 -------------------------------------------------------------
nt_start calls $TOOL $PORTS
reader r1 --bind 10.77.0.2 --port 7001 --proto udp --call recvmsg --count 20
udp --to 10.77.0.2 --port 7001 --count 20 --rate 500 --size 70
reader r2 --bind fd77::2 --port 7002 --proto udp --call recvmmsg --messages 4 --size 4000 --count 5 --wait-file go2
udp --to fd77::2 --port 7002 --count 20 --rate 0 --size 50
touch go2
reader r3 --bind fd77::2 --port 7003 --call read
tcp --to fd77::2 --port 7003 --count 20 --size 300 --interval-us 2000
reader r4 --bind 10.77.0.2 --port 7004 --again 7 --zero 3
bg_in a send4 "$SEND" tcp --to 10.77.0.2 --port 7004 --count 1 --interval-us 300000 --size 5
R1=$(done_of r1) R2=$(done_of r2) R3=$(done_of r3) R4=$(done_of r4)
nt_stop calls
lost_zero calls
for i in 1 2 3 4; do r=R$i; check_jq "reader $i: as it has counted" calls "$ROW row(700$i)[0] | same(${!r})"; done
check_jq "which calls" calls ".[-1].syscalls | .recvmsg == 20 and .recvmmsg == 5 and .read == $(jq .calls <<<"$R3") and .recvfrom == $(jq .calls <<<"$R4") and .readv == 0"
check_jq "families and protocols" calls "$ROW (row(7001)[0] | .protocol == \"udp\" and .ip_version == 4 and .remote_port == 0 and .bytes == 1400) and
    (row(7002)[0] | .protocol == \"udp\" and .ip_version == 6 and .local_ip == \"fd77::2\" and .messages == 20 and .bytes == 1000 and .recv_queue_max_bytes > 1000) and
    (row(7003)[0] | .protocol == \"tcp\" and .ip_version == 6 and .remote_ip == \"fd77::1\" and .bytes == 6000 and .eof == 1)"

# --- results ---------------------------------------------------------------------------------------------
nt_start results $TOOL $PORTS
reader r5 --bind 10.77.0.2 --port 7005 --timeout-us 50000 --count 1 --call read
bg_in a send5 "$SEND" tcp --to 10.77.0.2 --port 7005 --count 1 --interval-us 220000
R5=$(done_of r5)
reader r6 --bind 10.77.0.2 --port 7006
tcp --to 10.77.0.2 --port 7006 --count 3 --reset
R6=$(done_of r6)
reader r7 --bind 10.77.0.2 --port 7007 --proto udp
waits_in_call r7
kill -INT "$(pid_of r7)"
R7=$(done_of r7)
# A mebibyte at a time: the call gathers it.
reader r8 --bind 10.77.0.2 --port 7008 --size 1048576 --waitall --count 5
tcp --to 10.77.0.2 --port 7008 --count 5 --size 1048576 --interval-us 20000
R8=$(done_of r8)
nt_stop results
lost_zero results
for i in 5 6 7 8; do r=R$i; check_jq "reader $i: as it has counted" results "$ROW row(700$i)[0] | same(${!r})"; done
check_jq "timeouts are neither EAGAIN nor errors" results "$ROW row(7005)[0] | .timeouts >= 3 and .again == 0 and .errors == 0"
check_jq "errors by name" results "[.[-1].errnos[] | {(.error): .count}] | add | .ECONNRESET == 1 and .EINTR == 1 and .EAGAIN == $(jq .timeouts <<<"$R5")"
check_jq "MSG_WAITALL: five calls, much work" results "$ROW row(7008)[0] | .calls == 5 and .bytes == 5242880 and .work_us > 80"
in_guest && check_jq "the slowest are those" results '.[-1].slowest[0:5] | all(.local_port == 7008 and .bytes == 1048576 and (.wait_us + .wakeup_us + .work_us - .total_us | fabs) < 0.01)'

# --- who is the slow one ---------------------------------------------------------------------------------
nt_start sides $TOOL $PORTS
nt_start_text sidestext $TOOL --port 7010
reader r10 --bind 10.77.0.2 --port 7010 --pause-us 50000
tcp --to 10.77.0.2 --port 7010 --count 100 --size 1000
R10=$(done_of r10)
reader r11 --bind 10.77.0.2 --port 7011 --proto udp --poll --count 50
udp --to 10.77.0.2 --port 7011 --count 50 --rate 100 --size 10
R11=$(done_of r11)
nt_stop sides
nt_stop sidestext
check_jq "a slow application: data wait 50 ms for it" sides "$ROW row(7010)[0] | same($R10) and .limited_by == \"application\" and .application_pct > 80 and
    .calls_with_data_waiting >= .calls - 3 and .recv_queue_max_bytes >= 4000 and .application_us > 45000 * (.calls - 4)"
check_jq "one that polls waits for data there" sides "$ROW row(7011)[0] | same($R11) and .calls == 50 and .again == 0 and .wait_us == 0 and .poll_us > 400000 and
    .limited_by == \"sender\" and .no_data_pct > 80 and .calls_with_data_waiting == 50"
check "text says who" "$(grep -c '^limited by the application: ' sidestext.txt)" '>=' 1

# --- filters ---------------------------------------------------------------------------------------------
nt_start f1 $TOOL --port 7012
nt_start f2 $TOOL --laddr fd77::/16 --raddr fd77::1 --port 7000-7099
nt_start f3 $TOOL $PORTS --protocol udp --laddr 10.77.0.2
nt_start f4 $TOOL --rport 6012 --syscalls read,recvmmsg
cp "$RECV" ntlate
nt_start f5 $TOOL --process ntlate,nosuch
RECV=$WORK/ntlate reader late --bind 10.77.0.2 --port 7012 --call read
nt_start f6 $TOOL --pid "$(pid_of late)"
bg_in a send12 "$SEND" tcp --to 10.77.0.2 --port 7012 --sport 6012 --count 10
reader r13 --bind fd77::2 --port 7013
tcp --to fd77::2 --port 7013 --count 4
reader r14 --bind 10.77.0.2 --port 7014 --proto udp --count 6
udp --to 10.77.0.2 --port 7014 --count 6
LATE=$(done_of late) R13=$(done_of r13) R14=$(done_of r14)
for name in f1 f2 f3 f4 f5 f6; do nt_stop $name; done
only() { check_jq "$1: only that socket" "$1" "$ROW .[-1] | (.sockets | length) == 1 and .calls == ($3).calls and (.sockets[0] | .local_port == $2 and same($3))"; }
only f1 7012 "$LATE"
only f2 7013 "$R13"
only f3 7014 "$R14"
only f4 7012 "$LATE"
only f5 7012 "$LATE"
only f6 7012 "$LATE"

# --- calls at the edges of the run -------------------------------------------------------------------------
reader r15 --bind 10.77.0.2 --port 7015 --proto udp
waits_in_call r15
nt_start edge $TOOL --port 7015 -i 0.2
udp --to 10.77.0.2 --port 7015 --count 3
wait_for 20 eval '[ "$(jq -Rn "[inputs | fromjson? | select(.type == \"interval\").calls] | add" edge.json)" = 2 ]'
nt_stop edge
check_jq "a call that had begun before, one that has not ended" edge '.[-1] | .calls == 2 and .lost.unmatched == 1 and (.lost | del(.unmatched) | add) == 0 and
    .open.calls == 1 and .open.waiting == 1 and .open.longest_us > 0'
bg_stop r15

# --- command lines -----------------------------------------------------------------------------------------
for args in "--syscalls recv" "-p 0" "-p 1 --process x" "--port 70000" "--threshold-on x" "--format csv" "extra words"; do
    # shellcheck disable=SC2086
    nt_run wrong 2 $TOOL $args
done
in_guest || exit 0

# --- behind a real-time task: 5 of 10 ms -------------------------------------------------------------------
nt_start fifo $TOOL $PORTS --high-latency-threshold 2000 --threshold-on wakeup
nt_start_text fifotext $TOOL $PORTS -t 2000 --threshold-on wakeup
reader r16 --bind 10.77.0.2 --port 7016
bg hog "$REPO/build/tests/traffic/nt-task" --do duty --run-us 5000 --period-us 10000 --count 100 --fifo 50 --name hog
in_a chrt -f 60 "$SEND" tcp --to 10.77.0.2 --port 7016 --count 70 --interval-us 7300 >/dev/null
R16=$(done_of r16)
bg_stop hog
nt_stop fifo
nt_stop fifotext
lost_zero fifo
check_jq "woken, and up to 5 ms without a CPU" fifo "$ROW (row(7016)[0] | same($R16)) and (.[-1] | .wakeup.max > 4000 and .wakeup.max < 5600 and .wakeup.p50 < 5600)"
check_jq "each of 2 ms is shown" fifo '[.[] | select(.type == "event")] as $e | ($e | length) >= 10 and all($e[]; .wakeup_us >= 2000 and .wakeup_us < 5600 and
    .comm == "r16" and .local_port == 7016 and .syscall == "recvfrom") and ([.[-1].wakeup.buckets[] | select(.[0] >= 2048) | .[2]] | add) <= ($e | length) and
    ([.[-1].wakeup.buckets[] | select(.[1] >= 1984) | .[2]] | add) >= ($e | length)'
check "text: a heading and two lines each" "$(grep -cE '^[0-9:.]{12}  r16:[0-9]+ ' fifotext.txt)" '>=' 10

# --- past these system calls ---------------------------------------------------------------------------------
nt_start other $TOOL $PORTS
nt_start direct $TOOL $PORTS --syscalls recvmsg
reader r17 --bind 10.77.0.2 --port 7017 --proto udp --call recv32 --count 8
udp --to 10.77.0.2 --port 7017 --count 8 --rate 100 --size 30
R17=$(done_of r17)
nt_stop other
nt_stop direct
check_jq "32-bit calls: seen as they come to the socket" other "$ROW (row(7017)[0] | same($R17) and .bytes == 240) and .[-1].syscalls.other == 8 and
    (.[-1].wait.p50 | near(8000; 10200))"
check_jq "not, if they are not asked for" direct '.[-1].calls == 0 and .[-1].lost.unmatched == 0'
