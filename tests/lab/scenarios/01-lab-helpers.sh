# Tests the process and assertion helpers with a stand-in for nettrace.
# ci: 6.1
# where: guest host
# timeout: 90

# The stand-in: says start, one event each 50 ms, end at SIGINT. It starts no
# process while it runs: a bash that waits for a child can lose a SIGINT.
cat >"$WORK/fake" <<'FAKE'
#!/bin/bash
links=$(sed -n 's/^ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev | sort | tr '\n' ' ')
exec 9<> <(:)
case $1 in
    dies) echo "cannot attach" >&2; exit 3 ;;
    usage) exit 2 ;;
    short) echo '{"type":"start"}'; echo '{"type":"end","lost":{"ring":0,"map":0}}'; exit 0 ;;
    loses) echo '{"type":"start"}'; echo '{"type":"end","lost":{"ring":7}}'; exit 0 ;;
    deaf) trap '' INT ;;
    bad) trap 'exit 4' INT ;;
    *) trap 'echo "{\"type\":\"end\",\"lost\":{\"ring\":0}}"; exit 0' INT ;;
esac
echo "{\"type\":\"start\",\"tool\":\"fake\",\"links\":\"$links\"}"
while :; do
    read -rt 0.05 -u 9
    echo "{\"type\":\"drop\",\"n\":$((++n))}"
done
FAKE
chmod +x "$WORK/fake"
NETTRACE=$WORK/fake

# verdict CMD...: in a scenario of its own; prints its output and "status N".
verdict() {
    (
        trap - ERR
        trap 'echo "status $? failed $LAB_FAILED"' EXIT
        LAB_FAILED=0
        "$@"
    ) 2>&1 || true
}

# Assertions hold and fail as they should.
while read -r a op b; do
    check "$a $op $b holds" "$(verdict check x "$a" "$op" "$b" | tail -n 1)" == "status 0 failed 0"
done <<'HOLD'
1 == 1
1 != 2
10 > 9
9 < 10
2.5 <= 2.50
-3 < 0.5
abc == abc
abc =~ ^a.c$
HOLD
while read -r a op b; do
    check "$a $op $b fails" "$(verdict check x "$a" "$op" "$b" | tail -n 1)" == "status 0 failed 1"
done <<'FAIL'
1 == 2
10 < 9
2.5 > 2.50
abc > 1
null >= 0
abc == abd
FAIL
check "a failed check says what it got" "$(verdict check what 1 == 2 | head -n 1)" == "not ok - what: got '1', expected == '2'"

# Processes.
nt_start one any --option
wait_for 5 sh -c "[ \"\$(wc -l <'$WORK/one.json')\" -gt 3 ]" || die "no events arrive"
check "events while it runs" "$(events one '.type == "drop"')" '>' 1
nt_stop one
check "start lines" "$(events one '.type == "start"')" == 1
check_jq "events are numbered" one 'map(select(.type == "drop").n) | . == [range(1; length + 1)]'
check "jq_get" "$(jq_get one '.[0].tool')" == fake
lost_zero one

topo_pair
nt_start_in a inside any
check "it sees the devices of a" "$(jq -r '.links' <<<"$(head -n 1 "$WORK/inside.json")")" =~ 'va'
nt_stop inside TERM >"$WORK/term.txt" 2>&1 || true
LAB_FAILED=0
check_ok "SIGTERM without an end line is noticed" grep -q '^not ok - inside' "$WORK/term.txt"

nt_start two short
nt_wait two
nt_run three 2 usage
nt_start_text four any
nt_stop four

# What must not pass.
check "a failed start is reported" "$(verdict nt_start x dies | grep -c '^not ok - x starts: got exit status 3')" == 1
check "its message is shown" "$(verdict nt_start y dies | grep -c 'cannot attach')" == 1
late() { LAB_STOP_SECONDS=1; nt_start deaf deaf; nt_stop deaf; }
check "a process that does not stop" "$(verdict late | grep -c '^not ok - deaf ends: still running')" == 1
wrong() { nt_start bad bad; nt_stop bad; }
check "a wrong exit status" "$(verdict wrong | grep -c "^not ok - bad exits with status 0: got '4'")" == 1
losing() { nt_start lossy loses; nt_wait lossy; lost_zero lossy; }
check "lost events" "$(verdict losing | grep -c "^not ok - lost by lossy: got 'lost.ring=7'")" == 1
silent() { LAB_START_SECONDS=1; lab_spawn s json sleep 5; lab_wait_line s "$WORK/s.json" start; }
check "a start line that does not come" "$(verdict silent | grep -c '^not ok - s starts: got nothing in 1 s')" == 1

# Several queues.
ip netns delete a
ip netns delete b
topo_queues 4 c d
queues() { in_ns c sh -c 'ls -d /sys/class/net/va/queues/tx-* | wc -l'; }
check "transmit queues" "$(queues)" == 4
check_ok "c reaches d" in_a ping -n -q -c 2 -i 0.05 -W 2 10.77.0.2
