# Waits at mutexes and conditions of known number and length, against the program that waits.
# ci: new
# where: guest host
# clock: instructions
# timeout: 200

TASK=$REPO/build/tests/traffic/nt-task
lab_need_nettrace
for name in nthold ntcond ntstay; do cp "$TASK" $name; done
# A busy host: waits get longer, never shorter. In the guest one may: from 6.13 on these programs can be preempted,
# so that of five tools one may see a call's end some time slices later than the others.
MOST=$(in_guest && echo 1.01 || echo 1.2) LONGEST=$(in_guest && echo 80000 || echo 1000000)
MISSED='.probe_missed == 0'
kernel_at_least 6.13 && MISSED='.probe_missed < 200'
done_of() { wait_for 60 grep -q threads "$1.out"; tail -n 1 "$1.out"; }
task() {
    bg "$1" ./"$1" --wait-file "go-$1" --hold-file bye "${@:2}"
    wait_for 20 grep -q ready "$1.out"
}
stop() {
    nt_stop "$1"
    # Threads of the whole system are in futex calls when the tool comes: their returns are unmatched. From 6.13
    # on these programs can be preempted, and one that would run meanwhile on that CPU is skipped: probe_missed.
    check_jq "lost by $1: nothing else" "$1" '.[-1].lost | .unmatched < 1000 and (del(.unmatched, .probe_missed) | add) == 0
        and '"$MISSED"
}
# Rows of a comm in the end record.
# n is the number, but for calls that were missed.
ROWS='def rows($comm): .[-1].locks | map(select(.comm == $comm));
    .[-1].lost.probe_missed as $missed | def is($n): . <= $n and . + $missed >= $n and . > $n / 2;'

# --- a mutex that the other thread holds for 50 ms, 100 times; a condition that times out ----------
nt_start all futex --op all --top 1000
nt_start raw futex --top 1000 --attach kprobe
nt_start parts futex --top 1000 --interval 0.5
nt_start wake futex --op wake --top 1000
nt_start long futex --min-us 10000 --top 1000
nt_start_text script futex -v --top 1000
ln -s "$NETTRACE" futex.bt
lab_spawn bt out ./futex.bt --top 1000
lab_wait_line bt bt.out '^futex on'
task nthold --do hold --count 100 --hold-us 50000 --uncontended 1000
nt_start hold futex -p "$(pid_of nthold)" --stack
touch go-nthold
HOLD=$(done_of nthold)
task ntcond --do cond --count 50 --sleep-us 20000
nt_start cond futex -p "$(pid_of ntcond)"
touch go-ntcond
COND=$(done_of ntcond)
for name in all raw parts wake long hold cond; do stop $name; done
nt_stop script
bg_stop bt
touch bye
note "$HOLD"
note "$COND"
for name in all raw hold long; do
    check_jq "$name: 100 waits of 50 ms at one lock" $name "$ROWS rows(\"nthold\") | map(select(.op == \"wait\" and
        .timeouts == 0 and (.waits | is(100)))) | length == 1 and (.[0] | .avg_us >= 49800 and .avg_us < 50000 * $MOST and .max_us < $LONGEST and
        .timeouts == 0 and .failed == 0 and .pid == $(pid_of nthold) and .last_tid == ($HOLD).threads[1].tid)"
done
check_jq "the waker is the thread that held it" hold "$ROWS rows(\"nthold\") | map(select(.waits | is(100)))[0] |
    .waker_tid == ($HOLD).threads[0].tid and .waker_comm == \"nthold\""
check_jq "from one place" hold "$ROWS rows(\"nthold\") | map(select(.waits | is(100)))[0].stacks | (map(.waits) | add | is(100)) and
    all(.stack[0] | test(\"lock\"; \"i\"))"
check_jq "only that process; the median; a barrier's few waits beside them" hold '.[-1] | (.locks | all(.comm == "nthold")) and
    .waits >= 90 and .waits <= 110 and .histogram.count == .waits and .histogram.p50 >= 48000 and .histogram.p50 <= 52000'
check_jq "50 timeouts of 20 ms" cond "$ROWS rows(\"ntcond\") | map(select(.timeouts > 0)) | length == 1 and (.[0] |
    (.timeouts | is(50)) and .waits == .timeouts and .avg_us >= 19900 and .avg_us < 20000 * $MOST)"
check_jq "wakes and waits are apart" all "$ROWS (rows(\"nthold\") | map(select(.op == \"wake\" and .woken >= 80)) | length >= 1) and
    (.[-1].ops | map(.op) == [\"wait\", \"wake\", \"pi\", \"requeue\"]) and
    (.[-1] | ([.ops[].histogram.count] | add) == .waits and .waits == .histogram.count)"
check_jq "wakes alone" wake '.[-1] | (.locks | all(.op == "wake")) and (.ops | length) == 1 and
    any(.locks[]; .comm == "nthold" and .woken >= 80)'
check_jq "by raw tracepoints" raw '(.[0].hooks | map(.via) | unique) == ["raw_tp"]'
check_jq "--min-us leaves short ones out" long '.[-1] | .below_min > 0 and .histogram.min >= 9375 and all(.locks[]; .waits == 0 or .max_us >= 10000)'
check_jq "intervals add up" parts '([.[] | select(.type == "interval")] | length) >= 8 and
    ([.[] | select(.type == "interval").waits] | add) == .[-1].waits and
    ([.[] | select(.type == "interval").locks[] | select(.comm == "nthold") | .waits] | add) ==
    ([.[-1].locks[] | select(.comm == "nthold") | .waits] | add)'
check_jq "no time is longer than the run" all '.[-1].histogram.max <= .[-1].seconds * 1e6'
check "text: the row" "$(grep -cE '^nthold:[0-9]+ +0x[0-9a-f]+ +wait +(100|9[0-9]) +[4-6]\.[0-9]+ s ' script.txt)" == 1
check "text: not wider than 100" "$(awk 'length > 100' script.txt | wc -l)" == 0
check "text: histogram in us" "$(grep -cE '^ +us +: count' script.txt) $(grep -c '^time in futex calls: wait$' script.txt)" == "1 1"
check "the script's form: every operation, milliseconds" \
    "$(grep -cE '^ +ms +: count' bt.out | sed 's/[2-9]/some/') $(grep -c '^time in futex calls: wake$' bt.out)" == "some 1"

# --- who waits now -------------------------------------------------------------------------------
nt_start now futex
nt_start_text nowtext futex
task ntstay --do hold --count 1
stop now
nt_stop nowtext
touch go-ntstay
# Two threads wait at the barrier for the third, the main one.
check_jq "threads that wait at this moment" now "$ROWS rows(\"ntstay\") | map(select(.waiting > 0)) | length >= 1 and
    (map(.waiting) | add) == 2 and all(.longest_waiting_us > 0 and .op == \"wait\")"
check "text says so" "$(grep -A 1 '^lock 0x[0-9a-f]* of ntstay:' nowtext.txt | grep -c '^    2 in it now, the longest for ')" == 1

# --- other calls -------------------------------------------------------------------------------------
nt_start calls futex --op all --top 100000
"$REPO/build/tests/traffic/nt-futex" >calls.out
note "$(cat calls.out)"
stop calls
check_jq "a lock with priority inheritance" calls "[.[-1].locks[] | select(.op == \"pi\" and .uaddr == \"$(sed -n '1s/ .*//p' calls.out)\")] |
    length == 1 and .[0].waits == 1"
if kernel_at_least 5.16; then
    check_jq "futex_waitv, by its first lock" calls "[.[-1].locks[] | select(.op == \"wait\" and
        .uaddr == \"$(sed -n '2s/ .*//p' calls.out)\")] | length == 1 and .[0].waits == 1 and .[0].again == 1"
fi

# --- command lines -----------------------------------------------------------------------------------
for args in "--op x" "-p 0" "-p 1,,2" "--unit s" "--min-us -1" "extra words"; do
    # shellcheck disable=SC2086
    nt_run wrong 2 futex $args
done
