# Receive calls of known number, length and result, against the program that makes them.
# ci: 6.1
# where: guest host
# clock: instructions
# timeout: 240

# Words on purpose; readers' counts are taken by their names.
# shellcheck disable=SC2034,SC2086 source=tests/lab/recv.sh
. "$LAB_DIR/recv.sh"

# --- one byte each 10 ms ------------------------------------------------------------------------------
# Beside it another program reads files and asks a netlink socket: calls that do not matter. It is not preempted
# by the reader (lost_nothing).
nt_start byte $TOOL $(in_guest || echo $PORTS)
nt_start raw $TOOL $PORTS $DIRECT --attach kprobe -i 0.2
nt_start_text text $TOOL $PORTS $DIRECT -v
reader r0 --bind 10.77.0.2 --port 7000
bg files chrt -f 1 bash -c 'while :; do cat "$BASH" >/dev/null; ip -br link >/dev/null; sleep 0.02; done'
tcp --to 10.77.0.2 --port 7000 --count 100 --size 1
R0=$(done_of r0)
bg_stop files
for name in byte raw text; do nt_stop $name; done
note "$R0"
for name in byte raw; do
    lost_nothing $name
    check_jq "$name: as many calls, bytes and ends as the reader has" $name "$ROW row(7000) | length == 1 and (.[0] | same($R0) and .eof == 1 and .bytes == 100 and
        .protocol == \"tcp\" and .local_ip == \"10.77.0.2\" and .remote_ip == \"10.77.0.1\" and .comm == \"r0\" and .fd > 0 and .ip_version == 4)"
    check_jq "$name: 10 ms each, nearly all without data" $name "$ROW .[-1] | (.total.p50 | near($FROM; $TO)) and (.wait.p50 | near($FROM; $TO)) and
        .sender_pct > $SHARE and .total.count == .calls and .work.count == .calls and .bytes_per_call.max <= 100"
    check_jq "$name: the parts are the whole" $name '.[-1] | (.wait.sum + .wakeup.sum + .work.sum - .total.sum | fabs) < 1 and
        (.total_us - .total.sum | fabs) < 1 and .total_us <= '"$(jq .spent_us <<<"$R0")"' + 1'
    check_jq "$name: nobody else's reads" $name "$ROW .[-1] | (.sockets | length) == 1 and .calls == $(jq .calls <<<"$R0") and
        .syscalls.recvfrom == .calls and ([.syscalls[]] | add) == .calls"
done
in_guest && check_jq "a call for each send, and one for the end; work and waking up are short" byte '.[-1] | .calls == 101 and .wait.count >= 100 and
    .work.p50 < 50 and .wakeup.p50 < 100 and .migrations == 0 and .limited_by == "sender"'
check_jq "intervals add up" raw '([.[] | select(.type == "interval")] | length) >= 4 and
    ([.[] | select(.type == "interval").calls] | add) == .[-1].calls and ([.[] | select(.type == "interval").total.count] | add) == .[-1].calls and
    ([.[] | select(.type == "interval").sockets[].bytes] | add) == .[-1].bytes and ([.[] | select(.type == "interval").eof] | add) == 1'
check_jq "raw tracepoints" raw '(.[0].hooks | map(.via) | unique) == ["raw_tp"]'
in_guest && check "text: the verdict" "$(grep -c '^limited by the sender or the network: ' text.txt)" '>=' 1
check "text: the socket" "$(grep -cE '^r0:[0-9]+ +tcp 10\.77\.0\.2:7000 < 10\.77\.0\.1:[0-9]+ +[0-9]+ +100 .* [a-z]+$' text.txt)" '>=' 1
check "text: not wider than 100" "$(awk 'length > 100' text.txt | wc -l)" == 0

# --- every call, TCP and UDP, IPv4 and IPv6 -------------------------------------------------------------
nt_start calls $TOOL $PORTS $DIRECT
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
lost_nothing calls
for i in 1 2 3 4; do r=R$i; check_jq "reader $i: as it has counted" calls "$ROW row(700$i)[0] | same(${!r})"; done
check_jq "which calls" calls ".[-1].syscalls | .recvmsg == 20 and .recvmmsg == 5 and .read == $(jq .calls <<<"$R3") and .recvfrom == $(jq .calls <<<"$R4") and .readv == 0"
check_jq "families and protocols" calls "$ROW (row(7001)[0] | .protocol == \"udp\" and .ip_version == 4 and .remote_port == 0 and .bytes == 1400) and
    (row(7002)[0] | .protocol == \"udp\" and .ip_version == 6 and .local_ip == \"fd77::2\" and .messages == 20 and .bytes == 1000 and .recv_queue_max_bytes > 1000) and
    (row(7003)[0] | .protocol == \"tcp\" and .ip_version == 6 and .remote_ip == \"fd77::1\" and .bytes == 6000 and .eof == 1)"

# --- results ---------------------------------------------------------------------------------------------
nt_start results $TOOL $PORTS $DIRECT
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
lost_nothing results
for i in 5 6 7 8; do r=R$i; check_jq "reader $i: as it has counted" results "$ROW row(700$i)[0] | same(${!r})"; done
check_jq "timeouts are neither EAGAIN nor errors" results "$ROW row(7005)[0] | .timeouts >= 1 and .again == 0 and .errors == 0"
check_jq "errors by name" results "[.[-1].errnos[] | {(.error): .count}] | add | .ECONNRESET == 1 and .EINTR == 1 and .EAGAIN == $(jq .timeouts <<<"$R5")"
check_jq "MSG_WAITALL: five calls, much work" results "$ROW row(7008)[0] | .calls == 5 and .bytes == 5242880 and .work_us > 80"
in_guest && check_jq "the slowest are those" results '.[-1].slowest | length == 10 and all((.wait_us + .wakeup_us + .work_us - .total_us | fabs) < 0.01) and
    (map(select(.local_port == 7008 and .bytes == 1048576)) | length) == 5 and (map(.wakeup_us + .work_us) | . == (sort | reverse))'

# --- command lines -----------------------------------------------------------------------------------------
for args in "--syscalls recv" "-p 0" "-p 1 --process x" "--port 70000" "--threshold-on x" "--format csv" "extra words"; do
    # shellcheck disable=SC2086
    nt_run wrong 2 $TOOL $args
done
