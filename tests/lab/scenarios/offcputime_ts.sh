# Waits of known number and length, by stack, against the program that waits.
# ci: 5.10
# where: guest host
# clock: instructions
# timeout: 200

# A busy host: sleeps get longer, never shorter.
in_guest || renice -n -20 $$ >/dev/null
SHARE=$(in_guest && echo 0.5 || echo 2)
# A sleeper that is preempted just before it sleeps shows as runnable that time.
MOST=$(in_guest && echo 98 || echo 95)
TASK=$REPO/build/tests/traffic/nt-task
lab_need_nettrace
for name in ntsleep ntspin nthold; do cp "$TASK" $name; done
done_of() { wait_for 60 grep -q threads "$1.out"; tail -n 1 "$1.out"; }
# task NAME ARGS...: its threads wait until go-NAME is there, and stay until bye-NAME.
task() {
    bg "$1" ./"$1" --wait-file "go-$1" --hold-file "bye-$1" "${@:2}"
    wait_for 20 grep -q ready "$1.out"
}

# --- 100 sleeps of 20 ms ------------------------------------------------------------------------
task ntsleep --do sleep --count 100 --sleep-us 20000
TID=$(for t in /proc/"$(pid_of ntsleep)"/task/*; do echo "${t##*/}"; done | grep -vx "$(pid_of ntsleep)")
nt_start whole offcputime_ts -p "$(pid_of ntsleep)"
nt_start parts offcputime_ts -t "$TID" -I 0.5 --attach kprobe
nt_start sums offcputime_ts -t "$TID" -I 0.5 --cumulative
nt_start long offcputime_ts -t "$TID" -m 1000000
nt_start short offcputime_ts -t "$TID" -M 10000 --state 1
nt_start_text text offcputime_ts -t "$TID" -d
nt_start_text folded offcputime_ts -t "$TID" -f -d
touch go-ntsleep
SLEEP=$(done_of ntsleep)
sleep 0.6    # sweeps read the mappings
for name in whole parts sums long short text folded; do nt_stop $name; done
touch bye-ntsleep
note "$SLEEP"
for name in whole parts long short; do lost_zero $name; done
# Rows of the worker thread that slept in the function (it may be preempted there before, too).
ROWS="def rows(\$r; f): [\$r[] | select(.tid == $TID and .state != 0 and (.kernel_stack | any(test(f))))];"
check_jq "100 waits of 20 ms in nanosleep" whole "$ROWS rows(.[-1].rows; \"nanosleep\") |
    (map(.count) | add) >= $MOST and (map(.count) | add) <= 100 and (map(.total_us) | add | . >= 20000 * $MOST and . <= 2000000 * (1 + $SHARE)) and
    all(.[]; .state % 4 == 1 and .comm == \"ntsleep\" and .pid == $(pid_of ntsleep) and .max_us >= 20000 and
        (.runnable_us >= 0 and .runnable_us < .total_us) and (.kernel_stack_missed | not) and (.kernel_stack[0] | test(\"^__schedule\")))"
check_jq "the user part is the program's" whole "$ROWS rows(.[-1].rows; \"nanosleep\") | map(.user_stack[]) |
    any(test(\"nanosleep\")) and any(endswith(\"[ntsleep]\"))"
check_jq "intervals add up to the same" parts "$ROWS [.[] | select(.type == \"interval\") | rows(.rows; \"nanosleep\")[]] |
    (map(.count) | add) >= $MOST and (map(.count) | add) <= 100 and (map(.total_us) | add | . >= 20000 * $MOST and . <= 2000000 * (1 + $SHARE))"
check_jq "several of them, by raw tracepoints" parts '(.[0].hooks | map(.via) | unique) == ["raw_tp"] and
    (map(select(.type == "interval" and (.rows | length > 0))) | length >= 2) and
    ([.[] | select(.type == "interval") | .rows[].total_us] | add) as $sum | .[-1].total_us - $sum | fabs < 1'
check_jq "--cumulative: the last report has all" sums "$ROWS [.[] | select(.type == \"interval\")] |
    (rows(.[-1].rows; \"nanosleep\") | (map(.count) | add) >= $MOST) and
    (map(.rows | map(.count) | add) | . == sort and .[0] < 100)"
check_jq "-m 1000000 hides the sleeps" long "$ROWS rows(.[-1].rows; \"nanosleep\") == []"
check_jq "-M 10000 too" short "$ROWS rows(.[-1].rows; \"nanosleep\") | map(.count) | add // 0 | . <= 5"
check "text: 100 waits, the longest time last" "$(grep ' us in ' text.txt | tail -n 1 | grep -cE '^        [0-9]{7} us in (9[0-9]|100) waits, max ')" == 1
check "text: thread and separator" "$(grep -cE "^    - +ntsleep \($TID\)" text.txt | sed 's/[1-9][0-9]*/some/') $(grep -c '^    --$' text.txt | sed 's/[1-9][0-9]*/some/')" == "some some"
check "text: not wider than 100" "$(awk 'length > 100' text.txt | wc -l)" == 0
check "folded: root first, user part, separator, kernel part" \
    "$(grep -cE '^ntsleep;.*nanosleep.*;-;.*(entry_SYSCALL|do_syscall|el0_svc).*nanosleep.*schedule;__schedule [0-9]+$' folded.txt | sed 's/[1-9][0-9]*/some/')" == some

# --- four threads that want one CPU -----------------------------------------------------------
nt_start spin offcputime_ts --include-blocked -u --waker -U
nt_start run offcputime_ts -u --state 0 -K
bg ntspin ./ntspin --do spin --threads 4 --seconds 2 --cpu 0
SPIN=$(done_of ntspin)
nt_stop run
nt_stop spin
bg_stop ntspin
note "$SPIN"
# Off the CPU is what is not run time: within 5 % and 30 ms (the first and last moments of a thread).
check_jq "spinners wait the rest of their time, runnable" run "[.[-1].rows[] | select(.comm == \"ntspin\")] as \$rows |
    ($SPIN).threads | all(.tid as \$tid | (.seconds * 1e6 - .run_ns / 1e3) as \$off |
        [\$rows[] | select(.tid == \$tid)] | (map(.total_us) | add) as \$sum |
        all(.[]; .state == 0 and (.total_us - .runnable_us | fabs) < 1) and
        (\$sum - \$off | fabs) < 0.05 * \$off + $(in_guest && echo 30000 || echo 300000))"
check_jq "no kernel stacks with -U; no user stacks with -K" spin 'all(.[-1].rows[]; .kernel_stack == [])'
check_jq "no user stacks with -K" run 'all(.[-1].rows[]; .user_stack == [])'
check_jq "who sleeps now is there, and who woke" spin 'any(.[-1].rows[]; .blocked) and any(.[-1].rows[]; .waker_comm != "")'
check_jq "no kernel threads" run '[.[-1].rows[].comm | select(test("^(ksoftirqd|kworker|rcu_)"))] == []'

# --- one that sleeps and is preempted: only its sleeps are asked for --------------------------------
cp "$TASK" ntamong
nt_start among offcputime_ts -u --state 1
bg ntspin ./ntspin --do spin --threads 2 --seconds 1.5 --cpu 0
bg ntamong ./ntamong --do sleep --count 30 --sleep-us 2000 --run-us 15000 --cpu 0
AMONG=$(done_of ntamong)
done_of ntspin >/dev/null
nt_stop among
bg_stop ntspin
bg_stop ntamong
note "$AMONG"
check_jq "30 sleeps, none of the preemptions" among "($AMONG).threads[0] as \$t | \$t.involuntary >= 5 and
    ([.[-1].rows[] | select(.tid == \$t.tid)] | all(.[]; .state % 4 == 1) and (map(.count) | add | . >= 25 and . <= \$t.voluntary + 3))"

# --- a lock that another thread holds ------------------------------------------------------------
nt_start hold offcputime_ts -u -m 5000
bg nthold ./nthold --do hold --count 20 --hold-us 50000
HOLD=$(done_of nthold)
nt_stop hold
check_jq "20 waits of up to 50 ms in futex (and a few at the barriers)" hold "($HOLD).threads[1].tid as \$tid | [.[-1].rows[] | select(.tid == \$tid and
    (.kernel_stack | any(test(\"futex\"))))] | (map(.count) | add | . >= 12 and . <= 26) and
    (map(.total_us) | add | . >= 400000)"

# --- command lines -------------------------------------------------------------------------------
for args in "-p 1 -t 1" "-u -k" "-U -K" "-k -U" "-f -s" "-p 0" "-p x" "-t 1,," "-m 0" "-S 0" "0" "1 2" "-m 9 -M 8" "-1"; do
    # shellcheck disable=SC2086
    nt_run wrong 2 offcputime_ts $args
done
nt_run positional 0 offcputime_ts --ebpf -s 0.1
