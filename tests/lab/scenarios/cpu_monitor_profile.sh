# Profiles of hot CPUs, what the tool itself needs, figures without hooks, and command lines.
# ci: 6.1
# where: guest host
# clock: instructions
# timeout: 240

in_guest || renice -n -20 $$ >/dev/null
TASK=$REPO/build/tests/traffic/nt-task
lab_need_nettrace
for name in ntspin ntmany ntticks; do cp "$TASK" $name; done    # the comm from exec on

# --- what the thresholds do -----------------------------------------------------------------------------
nt_start prof cpu_monitor -c 0 -i 1 -k 64 --profile-above 60 --perf-output profiles
nt_start fast fast_cpu_monitor -c 0 -i 1 -t 60
./ntspin --do spin --cpu 0 --seconds 2.2 >/dev/null
sleep 2.2
nt_stop prof
nt_stop fast
COLD=$(in_guest || echo 'true or')    # a busy host is never cold
check_jq "a profile if, and only if, the CPU was that busy" prof '[.[] | select(.type == "interval") | .cpus[]] |
    all(.[]; (.profile != null) == (.usage_pct >= 60)) and any(.[]; .profile) and '"$COLD"' any(.[]; .profile == null)'
check_jq "as many files" prof ".[-1].profiles == $(find profiles -name 'perf_cpu0_*.txt' | wc -l) and
    (.[-1].cpus | map(.hot_intervals) | add) == .[-1].profiles"
read -r file samples < <(jq_get prof '[.[] | select(.type == "interval") | .cpus[] | select(.profile)] |
    max_by(.samples) | "\(.profile) \(.samples)"')
check "its stacks add up to the samples" "$(grep -v '^#' "$file" | awk '{ n += $NF } END { print n }')" == "$samples"
if in_guest; then
    check "samples of a second at 999 Hz, of $samples" "$samples" '>' 980
    check "the function on top" "$(awk '/^# +[0-9]/ { print ($3 > 95), $4; exit }' "$file")" == "1 spin_until"
    check "the stack on top" "$(grep -v '^#' "$file" | awk '{ print $1; exit }')" =~ '^ntspin;.*spin_until$'
fi
check_jq "fast: threads only of CPUs that were that busy" fast '[.[] | select(.type == "interval") | .cpus[]] |
    all(.[]; (.threads != []) == (.usage_pct >= 60)) and any(.[]; .threads != []) and '"$COLD"' any(.[]; .threads == [])'

# --- 2000 threads -------------------------------------------------------------------------------------
if in_guest; then
    sysctl -q kernel.bpf_stats_enabled=1
    for i in {1..32}; do
        bg "many$i" ./ntmany --do sleep --threads 64 --count 30 --sleep-us 1000000 --wait-file go --hold-file bye
    done
    nt_start cost cpu_monitor
    touch go
    wait_for 60 grep -q '"interval"' cost.json    # what happens at the start only
    used() {
        awk '{ n += $1 } END { print n }' "/proc/$(pid_of cost)/schedstat"
        awk '/^run_time_ns/ { n += $2 } END { print n + 0 }' /proc/"$(pid_of cost)"/fdinfo/*
    }
    mapfile -t a < <(used)
    begin=${EPOCHREALTIME/./}
    sleep 6
    mapfile -t b < <(used)
    spent=$((${EPOCHREALTIME/./} - begin))
    nt_stop cost
    touch bye
    check_jq "2000 threads slept and woke up" cost '.[-1].events > 30000'
    note "own time $(((b[0] - a[0]) / 1000)) us, of its programs in others' $(((b[1] - a[1]) / 1000)) us, in $spent us"
    check "the tool needs less than 1 % of a CPU, thousandths of a %" "$(((b[0] - a[0] + b[1] - a[1]) * 100 / spent))" '<' 1000
fi

# --- ticks, command lines -----------------------------------------------------------------------------
nt_start ticks cpu_monitor --without sched_switch -i 1
bg ntticks ./ntticks --do spin --cpu 0 --seconds 2.4 --hold-file bye2    # what has ended is lost
wait_for 60 grep -q threads ntticks.out
nt_stop ticks
touch bye2
check_jq "ticks: the kernel's CPU time in steps of 10 ms" ticks "$(jq -c .threads[0] ntticks.out) as \$t |
    (\$t.run_ns / 1e6 - ([.[] | select(.type == \"interval\") | .span_ms as \$s | .cpus[].threads[] | select(.tid == \$t.tid) |
    .pct * \$s / 100] | add) | fabs) < 30 and all(.[] | select(.type == \"interval\") | .cpus[].threads[]; .pct <= 100)"
check_jq "which is said" ticks 'all(.[] | select(.type == "interval"); .threads_by == "ticks") and
    (.[0].missing_hooks | map(.name)) == ["sched_switch"]'

ln -s "$NETTRACE" fast_cpu_monitor.sh
ln -s "$NETTRACE" cpu_monitor.sh
./fast_cpu_monitor.sh -c 0 -k 2 -l --count 1 -i 0.2 >script.out
check "the fast script's log" "$(grep -c '^cpu_monitor on' fast_cpu_monitor_20*.log) $(wc -c <script.out)" == "1 0"
./cpu_monitor.sh --log-file mine --count 2 -i 0.2 >script.out
check "a log of one's own" "$(grep -c '^CPU  usage' mine) $(wc -c <script.out)" == "2 0"
./cpu_monitor.sh --log --count 1 -i 0.2
check "the script's log" "$(grep -c '^cpu_monitor on' cpu_monitor_20*.log)" == 1
./fast_cpu_monitor.sh -t 12.5 --dry-run --json >fast-plan.json
check_jq "the script's defaults" fast-plan.json '.[0].options | (.interval | tonumber) == 2 and .["show-above"] == "12.5" and
    .["profile-above"] == null and .top == "5"'
nt_run plan 0 cpu_monitor --threshold 12.5 --topk 3 --perf-output x --log-file y --dry-run --json
check_fails "a dry run makes no folder" test -e x
check_jq "and the other's" y '.[0].options | .["profile-above"] == "12.5" and .["show-above"] == null and .top == "3" and
    (.interval | tonumber) == 5'
nt_run nocpu 2 cpu_monitor -c 4096
nt_run nolist 2 cpu_monitor -c 1-
nt_run above 2 cpu_monitor -t 101
nt_run zero 2 cpu_monitor -k 0
nt_run twice 2 cpu_monitor -l -o z
