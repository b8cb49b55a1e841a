# Receive calls: who keeps whom waiting, filters, the edges of a run, a real-time task, calls past these.
# ci: new
# where: guest host
# clock: instructions
# timeout: 240

# Words on purpose; readers' counts are taken by their names.
# shellcheck disable=SC2034,SC2086 source=tests/lab/recv.sh
. "$LAB_DIR/recv.sh"

# --- who is the slow one ---------------------------------------------------------------------------------
nt_start sides $TOOL $PORTS $DIRECT
nt_start_text sidestext $TOOL --port 7010 $DIRECT
reader r10 --bind 10.77.0.2 --port 7010 --pause-us 50000
tcp --to 10.77.0.2 --port 7010 --count 100 --size 1000
R10=$(done_of r10)
reader r11 --bind 10.77.0.2 --port 7011 --proto udp --poll --count 50
udp --to 10.77.0.2 --port 7011 --count 50 --rate 100 --size 10
R11=$(done_of r11)
nt_stop sides
nt_stop sidestext
check_jq "a slow application: data wait 50 ms for it" sides "$ROW row(7010)[0] | same($R10) and .limited_by == \"application\" and .application_pct > $SHARE and
    .calls_with_data_waiting >= .calls - 3 and .recv_queue_max_bytes >= 4000 and .application_us > 45000 * (.calls - 4)"
check_jq "one that polls waits for data there" sides "$ROW row(7011)[0] | same($R11) and .calls == 50 and .again == 0 and .wait_us == 0 and .poll_us > 300000 and
    .sender_pct > $SHARE and .calls_with_data_waiting == 50"
check "text says who" "$(grep -c '^limited by the application: ' sidestext.txt)" '>=' 1

# --- filters ---------------------------------------------------------------------------------------------
nt_start f1 $TOOL --port 7012 $DIRECT
nt_start f2 $TOOL --laddr fd77::/16 --raddr fd77::1 $DIRECT
nt_start f3 $TOOL $PORTS $DIRECT --protocol udp --laddr 10.77.0.2
nt_start f4 $TOOL --rport 6012 --syscalls read,recvmmsg
cp "$RECV" ntlate
nt_start f5 $TOOL --process ntlate,nosuch $DIRECT
RECV=$WORK/ntlate reader late --bind 10.77.0.2 --port 7012 --call read
nt_start f6 $TOOL --pid "$(pid_of late)" $DIRECT
bg_in a send12 "$SEND" tcp --to 10.77.0.2 --port 7012 --sport 6012 --count 10
reader r13 --bind fd77::2 --port 7013
tcp --to fd77::2 --port 7013 --count 4
reader r14 --bind 10.77.0.2 --port 7014 --proto udp --count 6
udp --to 10.77.0.2 --port 7014 --count 6
LATE=$(done_of late) R13=$(done_of r13) R14=$(done_of r14)
for name in f1 f2 f3 f4 f5 f6; do nt_stop $name; done
only f1 7012 "$LATE"
only f2 7013 "$R13"
only f3 7014 "$R14"
only f4 7012 "$LATE"
only f5 7012 "$LATE"
only f6 7012 "$LATE"

# --- calls at the edges of the run -------------------------------------------------------------------------
reader r15 --bind 10.77.0.2 --port 7015 --proto udp
waits_in_call r15
nt_start edge $TOOL --port 7015 $DIRECT -i 0.2
udp --to 10.77.0.2 --port 7015 --count 3
wait_for 20 eval '[ "$(jq -Rn "[inputs | fromjson? | select(.type == \"interval\").calls] | add" edge.json)" = 2 ]'
nt_stop edge
check_jq "a call that had begun before, one that has not ended" edge '.[-1] | .calls == 2 and .lost.unmatched == 1 and (.lost | del(.unmatched, .probe_missed) | add) == 0 and
    .open.calls == 1 and .open.waiting == 1 and .open.longest_us > 0'
bg_stop r15

in_guest || exit 0

# --- behind a real-time task: 5 of 10 ms -------------------------------------------------------------------
nt_start fifo $TOOL $PORTS $DIRECT --high-latency-threshold 2000 --threshold-on wakeup
nt_start_text fifotext $TOOL $PORTS $DIRECT -t 2000 --threshold-on wakeup
reader r16 --bind 10.77.0.2 --port 7016
bg hog "$REPO/build/tests/traffic/nt-task" --do duty --run-us 5000 --period-us 10000 --count 1000 --fifo 50 --name hog \
    --wait-file go-hog
wait_for 20 grep -q ready hog.out
touch go-hog
sleep 0.2
in_a chrt -f 60 "$SEND" tcp --to 10.77.0.2 --port 7016 --count 70 --interval-us 7300 >/dev/null
R16=$(done_of r16)
# Copies that the hog interrupts, where the kernel lets it: at its own places, or at any.
reader r19 --bind 10.77.0.2 --port 7019 --size 4194304 --waitall --count 30
bg_in a send19 "$SEND" tcp --to 10.77.0.2 --port 7019 --count 30 --size 4194304 --interval-us 13700
R19=$(done_of r19)
bg_stop hog
nt_stop fifo
nt_stop fifotext
lost_nothing fifo
check_jq "woken, and up to 5 ms without a CPU" fifo "$ROW (row(7016)[0] | same($R16)) and ([.[] | select(.type == \"event\" and .comm == \"r16\").wakeup_us] |
    length >= 10 and max > 4000 and (sort | .[length * 9 / 10 | floor]) < 5600)"
note "preempted for $(jq_get fifo '.[-1].sockets[] | select(.local_port == 7019).preempted_us') us"
check_jq "preempted and blocked are parts of the work" fifo "$ROW row(7019)[0] | same($R19) and .preempted_us + .blocked_us <= .work_us"
check_jq "each of 2 ms is shown" fifo '[.[] | select(.type == "event")] as $e | ($e | length) >= 10 and all($e[]; .wakeup_us >= 2000 and
    (.comm | test("r1[69]")) and .syscall == "recvfrom") and ([.[-1].wakeup.buckets[] | select(.[0] >= 2048) | .[2]] | add) <= ($e | length) and
    ([.[-1].wakeup.buckets[] | select(.[1] >= 1984) | .[2]] | add) >= ($e | length)'
check "text: a heading and two lines each" "$(grep -cE '^[0-9:.]{12}  r16:[0-9]+ ' fifotext.txt)" '>=' 10

# --- past these system calls ---------------------------------------------------------------------------------
nt_start other $TOOL $PORTS
nt_start direct $TOOL $PORTS --syscalls recvmsg
reader r17 --bind 10.77.0.2 --port 7017 --proto udp --call recv32 --count 8
udp --to 10.77.0.2 --port 7017 --count 8 --rate 100 --size 30
R17=$(done_of r17)
reader r18 --bind 10.77.0.2 --port 7018 --call uring
tcp --to 10.77.0.2 --port 7018 --count 9 --size 40
R18=$(done_of r18)
nt_stop other
nt_stop direct
check_jq "32-bit calls: seen as they come to the socket" other "$ROW (row(7017)[0] | same($R17) and .bytes == 240) and .[-1].syscalls.other == 8 + ($R18).calls and
    (.[-1].wait.p50 | near(9800; 10600))"
check_jq "io_uring: its receives, not its attempts" other "$ROW row(7018)[0] | same($R18) and .bytes == 360 and .eof == 1 and .again == 0 and .wait_us == 0"
check_jq "not, if they are not asked for" direct '.[-1].calls == 0 and .[-1].lost.unmatched == 0'
