# Read-write locks that are held for a known time, taken a known number of times from known places.
# ci: 5.10
# clock: instructions
# timeout: 300

TASK=$REPO/build/tests/traffic/nt-task
lab_need_nettrace
for name in ntrw ntother; do cp "$TASK" $name; done
done_of() { wait_for 60 grep -q threads "$1.out"; tail -n 1 "$1.out"; }
task() {
    bg "$1" ./"$1" --wait-file "go-$1" --hold-file bye "${@:2}"
    wait_for 20 grep -q ready "$1.out"
}
ROWS='def rows($class): .[-1].locks | map(select(.comm == "ntrw" and .op == $class));'

# --- 100 times 10 ms, and 1000 times free; another process that is not meant ------------------------
task ntrw --do rwlock --count 100 --hold-us 10000 --uncontended 1000
task ntother --do rwlock --count 10 --hold-us 1000
PID=$(pid_of ntrw)
nt_start all pthread_rwlock_wrlock --top 100000
nt_start pid pthread_rwlock_wrlock -p "$PID" --stack
nt_start parts pthread_rwlock_wrlock --ops all --top 100000 --interval 0.2
nt_start long pthread_rwlock_wrlock --min-us 5000
nt_start read pthread_rwlock_wrlock --ops rd -p "$PID"
nt_start lib pthread_rwlock_wrlock --lib "$PWD/ntrw"
nt_start_text text pthread_rwlock_wrlock
ln -s "$NETTRACE" pthread_rwlock_wrlock-stack.bt
lab_spawn script out ./pthread_rwlock_wrlock-stack.bt "$PID"
lab_wait_line script script.out '^pthread_rwlock_wrlock on'
touch go-ntrw
RW=$(done_of ntrw)
touch go-ntother
done_of ntother >/dev/null
for name in all pid parts long read lib; do
    nt_stop $name
    lost_zero $name
done
nt_stop text
bg_stop script
touch bye
note "$RW"
for name in all pid lib; do
    # The second thread waits for the first; the first may have to wait for the second's unlock now and then.
    check_jq "$name: 100 waits of 10 ms" $name "$ROWS rows(\"wr-wait\") | length == 1 and (.[0] | .waits >= 100 and
        .waits <= 103 and .contended and .max_us >= 9900 and .max_us < 15000 and .total_us >= 990000 and
        .total_us < 1040000 and .pid == $PID)"
    check_jq "$name: 1100 that found it free" $name "$ROWS rows(\"wr\") | length == 1 and (.[0] | .waits >= 1097 and
        .waits <= 1100 and (.contended | not) and .avg_us < 50)"
done
check_jq "all of them are in the histogram" all '.[-1] | .waits == ([.locks[].waits] | add) and
    ([.locks[] | select(.comm == "ntrw").waits] | add) == 1200 and ([.locks[] | select(.comm == "ntother").waits] | add) == 20'
check_jq "the median of the waits" all '.[-1].ops | map(select(.op == "wr-wait"))[0].histogram |
    .p50 >= 9500 and .p50 <= 10500'
check_jq "that process alone" pid '.[-1].locks | all(.comm == "ntrw")'
check_jq "by file: the copy alone" lib '.[-1].locks | all(.comm == "ntrw")'
check_jq "three places, each as often as it was called" pid ".[-1] | (.stacks | map(.waits)) == [1000, 100, 100] and
    (.stacks | map(.stack[1] | sub(\"[+].*\"; \"\")) | .[0] == \"lock_free_one\" and
        (.[1:] | sort) == [\"lock_contended\", \"lock_free_one\"]) and
    all(.stacks[]; .comm == \"ntrw\" and .pid == $PID) and ([.locks[].stacks[].waits] | add) == 1200"
check_jq "only long ones" long '.[-1] | .below_min >= 1100 and (.locks | all(.op == "wr-wait" and .waits >= 100))'
check_jq "nothing was read" read '.[-1] | .waits == 0 and .locks == []'
check_jq "intervals add up" parts '([.[] | select(.type == "interval").waits] | add) == .[-1].waits and
    ([.[-1].locks[] | select(.comm == "ntrw").waits] | add) == 1200'
check "text: the row" "$(grep -cE '^ntrw:[0-9]+ +0x[0-9a-f]+ +wr-wait +10[0-3] +1\.[0-9]+ s ' text.txt)" == 1
check "text: not wider than 100" "$(awk 'length > 100' text.txt | wc -l)" == 0
check "the script's form shows code paths" "$(grep -c 'lock_free_one.*\[ntrw\]' script.out) $(grep -c 'lock_contended.*\[ntrw\]' script.out)" \
    =~ '^[1-9] [1-9]$'

# --- a library, in a process that begins later -------------------------------------------------------
nt_start late pthread_rwlock_wrlock
python3 - <<'PY'
import ctypes
libc = ctypes.CDLL(None)
lock = ctypes.create_string_buffer(56)
for i in range(7):
    libc.pthread_rwlock_wrlock(lock)
    libc.pthread_rwlock_unlock(lock)
PY
nt_stop late
lost_zero late
check_jq "a process that came later, in the C library" late '[.[-1].locks[] | select(.comm == "python3" and .waits == 7)] | length == 1 and .[0].op == "wr"'

# --- command lines -----------------------------------------------------------------------------------
for args in "--ops x" "-p 0" "1 2" "-p 1 2" "x"; do
    # shellcheck disable=SC2086
    nt_run wrong 2 pthread_rwlock_wrlock $args
done
nt_run none 3 pthread_rwlock_wrlock --lib /etc/passwd
