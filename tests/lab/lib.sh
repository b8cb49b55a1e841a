# shellcheck shell=bash
# The library of the lab scenarios; docs/lab.md describes it with an example.
# Sourced before each scenario, which runs with "set -Eeuo pipefail".
#
# Set for the scenario: WORK (its folder, in memory; saved as OUT/KERNEL/NAME),
# NETTRACE, REPO, LAB_DIR, SCENARIO, LAB_WHERE (guest or host), LAB_KERNEL.
# Failed assertions are counted and the scenario goes on; errors stop it.

LAB_FAILED=0
# By a clock of instructions waiting for a file of the host's can take any time, on a busy machine hours
# (seen: a tool's start of 6000 s): limits are so long that the runner's, by the wall's clock, is the one that ends it.
LAB_PATIENCE=1
[ "${LAB_ICOUNT:-0}" = 0 ] || LAB_PATIENCE=3000
LAB_NAMESPACES=()
LAB_CLEANUP=()
declare -A LAB_PID=()

# --- reporting ---------------------------------------------------------------

ok() { echo "ok - $*"; }

# not_ok WHAT [GOT EXPECTED]
not_ok() {
    LAB_FAILED=$((LAB_FAILED + 1))
    if [ $# -ge 3 ]; then
        echo "not ok - $1: got $2, expected $3"
    else
        echo "not ok - $1"
    fi
}

note() { echo "# $*"; }

# Ends the scenario as failed.
die() {
    not_ok "$*"
    exit 1
}

# Ends the scenario as skipped. Call it from the scenario itself, not from a
# subshell.
skip() {
    echo "${*:-no reason given}" >"$WORK/.skip"
    echo "# skip: $*"
    exit 77
}

# Declares that a program refused by the verifier is expected here.
allow_verifier_rejection() { touch "$WORK/.allow_verifier"; }

# Declares that kernel log lines matching this extended regex are expected.
allow_dmesg() { echo "$1" >>"$WORK/.allow_dmesg"; }

lab_on_error() {
    local code=$? line=$1 command=$2
    # A subshell reports to its parent, which comes here as well.
    [ "$BASHPID" = $$ ] || return 0
    not_ok "line $line: '$command' ended with status $code"
}

# defer CMD...: runs CMD when the scenario ends, last one first.
defer() { LAB_CLEANUP+=("$(printf '%q ' "$@")"); }

lab_cleanup() {
    local code=$? i name
    trap - ERR EXIT
    set +e
    for ((i = ${#LAB_CLEANUP[@]} - 1; i >= 0; i--)); do
        eval "${LAB_CLEANUP[i]}"
    done
    for name in "${!LAB_PID[@]}"; do
        kill -TERM "${LAB_PID[$name]}" 2>/dev/null
    done
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null
    for name in "${LAB_NAMESPACES[@]}"; do
        ip netns delete "$name" 2>/dev/null
    done
    [ "$code" = 0 ] && [ "$LAB_FAILED" != 0 ] && code=1
    exit "$code"
}

# The last command of each run: its status is the scenario's.
lab_done() {
    [ "$LAB_FAILED" = 0 ] || note "$LAB_FAILED assertions failed"
    exit $((LAB_FAILED != 0))
}

trap 'lab_on_error "$LINENO" "$BASH_COMMAND"' ERR
trap lab_cleanup EXIT

# --- conditions --------------------------------------------------------------

need_cmd() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null || skip "command $name is missing"
    done
}

# Is module $1 loaded, loadable or built in?
have_module() {
    local name=${1//-/_}
    modprobe -q "$1" 2>/dev/null && return
    [ -d "/sys/module/$name" ] && return
    # Built in without parameters: its init call is still in the symbol table.
    grep -q "__initcall__kmod_${name}__" /proc/kallsyms
}

need_module() {
    local name
    for name in "$@"; do
        have_module "$name" || skip "module $name is missing"
    done
}

# Skips unless programs can be attached to kernel functions here.
need_kprobes() {
    [ -e /sys/kernel/tracing/kprobe_events ] || [ -e /sys/kernel/debug/tracing/kprobe_events ] ||
        skip "this kernel has no kprobes"
}

# Has the kernel BTF of its own? Without (before 5.2 always) it takes no typed programs: no tp_btf,
# fentry or fexit.
has_typed() { [ -e /sys/kernel/btf/vmlinux ]; }
# Can programs be attached to functions by trampolines? On arm64 since 6.4.
have_fentry() { has_typed && { [ "$(uname -m)" != aarch64 ] || kernel_at_least 6.4; }; }

# knows_type NAME MODULE: is the module's type in the BTF that nettrace uses: the kernel's, or a
# file beside nettrace, where modules are in the same one?
knows_type() {
    if has_typed; then [ -e "/sys/kernel/btf/$2" ]; else
        grep -qaw "$1" "${NETTRACE%/*}/nettrace-btf/$(uname -m)/$(uname -r).btf" 2>/dev/null
    fi
}

# kernel_at_least 6.1
kernel_at_least() {
    local major minor
    IFS=.- read -r major minor _ <<<"$(uname -r)"
    ((major > ${1%%.*} || (major == ${1%%.*} && minor >= ${1#*.})))
}

in_guest() { [ "$LAB_WHERE" = guest ]; }

# wait_for SECONDS CMD...: polls until CMD succeeds; fails after SECONDS.
wait_for() {
    local end=$((${EPOCHREALTIME/./} + ${1%.*} * LAB_PATIENCE * 1000000))
    shift
    until "$@"; do
        if ((${EPOCHREALTIME/./} > end)); then
            note "gave up waiting for: $*"
            return 1
        fi
        sleep 0.05
    done
}

# --- topology ----------------------------------------------------------------

# Writes VALUE to each sysctl net.ipv6.conf.{all,default}.NAME of namespace $1:
# no autoconfiguration, no duplicate address detection, no solicitations.
lab_quiet_ipv6() {
    # shellcheck disable=SC2016
    ip netns exec "$1" sh -c '
        cd /proc/sys/net/ipv6/conf
        for dir in all default lo; do
            for set in accept_ra=0 autoconf=0 accept_dad=0 dad_transmits=0 \
                router_solicitations=0 addr_gen_mode=1 use_tempaddr=0 \
                mldv1_unsolicited_report_interval=1 mldv2_unsolicited_report_interval=1; do
                echo "${set#*=}" >"$dir/${set%=*}"
            done
        done' 2>/dev/null || true
}

# ns_add NAME...: namespaces with a quiet IPv6 and lo up, removed at the end.
ns_add() {
    local ns
    for ns in "$@"; do
        ip netns add "$ns"
        LAB_NAMESPACES+=("$ns")
        lab_quiet_ipv6 "$ns"
        ip -n "$ns" link set lo up
    done
}

# in_ns NS CMD...: as "ip netns exec" does it, /sys shows the namespace.
in_ns() {
    local ns=$1
    shift
    ip netns exec "$ns" "$@"
}

in_a() { ip netns exec "$NS_A" "$@"; }
in_b() { ip netns exec "$NS_B" "$@"; }

# Have the packet counters of all devices in the namespaces stopped moving?
lab_counters() {
    local ns
    for ns in "$@"; do
        ip netns exec "$ns" cat /proc/net/dev
    done
}

# Waits until no namespace sends anything any more on its own.
settle() {
    local before now try
    before=$(lab_counters "$@")
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        sleep 0.15
        now=$(lab_counters "$@")
        [ "$now" = "$before" ] && return 0
        before=$now
    done
    note "the namespaces still send after $try checks"
}

# topo_pair [NS_A NS_B]: two namespaces joined by veth va - vb.
#   a: va 02:77:00:00:00:01 10.77.0.1/24 fd77::1/64
#   b: vb 02:77:00:00:00:02 10.77.0.2/24 fd77::2/64
# Neighbours are static, so that nothing is sent but what the test sends.
# LAB_QUEUES=N gives N queues each way, LAB_OFFLOADS=off turns GSO, TSO, GRO
# and checksum offload off.
topo_pair() {
    local queues=${LAB_QUEUES:-1}
    NS_A=${1:-a} NS_B=${2:-b}
    ns_add "$NS_A" "$NS_B"
    ip link add va netns "$NS_A" address 02:77:00:00:00:01 \
        numtxqueues "$queues" numrxqueues "$queues" type veth \
        peer name vb netns "$NS_B" address 02:77:00:00:00:02 \
        numtxqueues "$queues" numrxqueues "$queues"
    lab_end "$NS_A" va 1 2
    lab_end "$NS_B" vb 2 1
    if [ "${LAB_OFFLOADS:-on}" = off ]; then
        offloads_off "$NS_A" va
        offloads_off "$NS_B" vb
    fi
    wait_for 5 lab_is_up "$NS_A" va
    settle "$NS_A" "$NS_B"
}

# Loads nf_tables: the symbols of a module that comes after the start of a tool are unknown to it.
nft_warm() { nft 'add table inet lab_warm; delete table inet lab_warm'; }

# topo_router: a - r - b, r forwards. Neighbours are static.
#   a: va 10.77.1.1 fd77:1::1     r: ra 10.77.1.254 fd77:1::fe
#   b: vb 10.77.2.2 fd77:2::2     r: rb 10.77.2.254 fd77:2::fe
topo_router() {
    NS_A=a NS_B=b
    ns_add a r b
    ip link add va netns a address 02:77:00:00:00:01 type veth peer name ra netns r address 02:77:00:00:00:0a
    ip link add vb netns b address 02:77:00:00:00:02 type veth peer name rb netns r address 02:77:00:00:00:0b
    lab_router_end a va 1 1 0a 1 ra
    lab_router_end b vb 2 2 0b 2 rb
    ip netns exec r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
        echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    wait_for 5 lab_is_up a va
    settle a r b
}

# A host's end and the router's: namespace, device, network, host, router's MAC, own MAC, its device.
lab_router_end() {
    ip -n "$1" -batch - <<END
link set $2 up
address add 10.77.$3.$4/24 dev $2
address add fd77:$3::$4/64 dev $2 nodad
neighbour replace 10.77.$3.254 lladdr 02:77:00:00:00:$5 dev $2 nud permanent
neighbour replace fd77:$3::fe lladdr 02:77:00:00:00:$5 dev $2 nud permanent
route add default via 10.77.$3.254
route add default via fd77:$3::fe dev $2
END
    ip -n r -batch - <<END
link set $7 up
address add 10.77.$3.254/24 dev $7
address add fd77:$3::fe/64 dev $7 nodad
neighbour replace 10.77.$3.$4 lladdr 02:77:00:00:00:0$6 dev $7 nud permanent
neighbour replace fd77:$3::$4 lladdr 02:77:00:00:00:0$6 dev $7 nud permanent
END
}

# topo_queues N [NS_A NS_B]: the same with N queues each way.
topo_queues() {
    local LAB_QUEUES=$1
    shift
    topo_pair "$@"
}

# Addresses one end: namespace, device, own host number, the other's.
lab_end() {
    ip -n "$1" -batch - <<END
link set $2 up
address add 10.77.0.$3/24 dev $2
address add fd77::$3/64 dev $2 nodad
neighbour replace 10.77.0.$4 lladdr 02:77:00:00:00:0$4 dev $2 nud permanent
neighbour replace fd77::$4 lladdr 02:77:00:00:00:0$4 dev $2 nud permanent
END
}

lab_is_up() { ip -n "$1" link show dev "$2" | grep -q LOWER_UP; }

# offloads_off NS DEV
offloads_off() {
    ip netns exec "$1" ethtool -K "$2" gso off tso off gro off tx off rx off >/dev/null 2>&1 ||
        note "not every offload of $2 could be turned off"
}

# netem DEV NS ARGS...: for example "netem va a delay 20ms".
netem() {
    local dev=$1 ns=$2
    shift 2
    need_module sch_netem
    tc -n "$ns" qdisc replace dev "$dev" root netem "$@"
}

# two_queues: a device of two queues, vc (10.78.0.1, sends to 10.78.0.2), in a namespace of its own, c. A discipline
# of several queues gives packets away in batches.
two_queues() {
    ns_add c
    in_ns c ip link add vc numtxqueues 2 type veth peer name vd
    ip -n c link set vc up
    ip -n c link set vd up
    ip -n c address add 10.78.0.1/24 dev vc
    ip -n c neighbour replace 10.78.0.2 lladdr 02:77:00:00:00:02 dev vc nud permanent
    settle c
}

# ping_ms NS ADDRESS PERCENTILE [COUNT] [INTERVAL]: a percentile of the round
# trip in ms. Use 0 (minimum) or 50: under emulation the tail means nothing.
ping_ms() {
    ip netns exec "$1" ping -n -c "${4:-50}" -i "${5:-0.02}" -W 2 "$2" |
        sed -n 's/.* time=\([0-9.]*\) ms.*/\1/p' | sort -n |
        awk -v p="$3" '{ v[NR] = $1 } END { if (!NR) exit 1; i = int(NR * p / 100 + 0.5); print v[i < 1 ? 1 : i] }'
}

# stats_snap NS DEV: remembers the counters of a device.
stats_snap() { ip -n "$1" -s -s -j link show dev "$2" >"$WORK/stats.$1.$2.json"; }

# stats_delta NS DEV PATH: growth since stats_snap of for example rx.packets,
# tx.dropped, rx.errors.
stats_delta() {
    ip -n "$1" -s -s -j link show dev "$2" |
        jq -s --slurpfile was "$WORK/stats.$1.$2.json" \
            ".[0][0].stats64.$3 - \$was[0][0].stats64.$3"
}

# tcp_mib NS NAME: a counter of TCP in a namespace, as RetransSegs.
tcp_mib() { ip netns exec "$1" awk -v want="$2" '/^Tcp:/ { if (!n) { for (i = 2; i <= NF; i++) if ($i == want) n = i } else print $n }' /proc/net/snmp; }

# --- processes ---------------------------------------------------------------

# Starts CMD in the background as NAME with its output in $WORK/NAME.EXT and
# NAME.err. The shell would leave it ignoring SIGINT, hence env.
lab_spawn() {
    local name=$1 ext=$2
    shift 2
    [ -z "${LAB_PID[$name]:-}" ] || die "$name is running already"
    env --default-signal=INT,QUIT "$@" >"$WORK/$name.$ext" 2>"$WORK/$name.err" &
    LAB_PID[$name]=$!
}

# bg NAME CMD...: a helper process; stop it with bg_stop NAME [SIG].
bg() {
    local name=$1
    shift
    lab_spawn "$name" out "$@"
}

bg_in() {
    local ns=$1 name=$2
    shift 2
    lab_spawn "$name" out ip netns exec "$ns" "$@"
}

bg_stop() {
    kill -"${2:-TERM}" "${LAB_PID[$1]}" 2>/dev/null || true
    wait "${LAB_PID[$1]}" 2>/dev/null || true
    unset "LAB_PID[$1]"
}

# The process id of something started here.
pid_of() { echo "${LAB_PID[$1]}"; }

lab_alive() {
    # A dead child stays as a zombie until it is waited for: kill -0 would
    # find it.
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    [[ ${stat##*) } != Z* ]]
}

lab_show_err() {
    local file
    for file in "$WORK/$1.err" "$WORK/$1.json" "$WORK/$1.txt"; do
        [ -s "$file" ] || continue
        echo "# --- $(basename "$file"), last lines"
        tail -n 15 "$file" | cut -c -400 | sed 's/^/# /'
    done
}

# Loads the modules that tools are about, as far as there are any; conntrack, which comes with openvswitch,
# would meddle with later scenarios.
tool_modules() {
    local module
    in_guest || return 0
    for module in tun vhost_net kvm_amd openvswitch nf_conntrack vxlan; do modprobe $module 2>/dev/null || true; done
    defer modprobe -rq openvswitch
}

# Fills the caller's args: what a tool cannot start without.
tool_args() {
    local path="--src-ip 127.0.0.1 --dst-ip 127.0.0.2 --rx-iface lo --tx-iface lo"
    args=([iface_netstat]="-n lo" [drop_monitor_controller]="--interface lo"
        [icmp_drop_detector]=$path [udp_drop_detector]=$path [tcp_drop_detector]=$path
        [phy_net_drop_detector]="-m receiver -i lo" [enqueue_to_iprec_latency]="-i lo")
}

lab_need_nettrace() { [ -x "$NETTRACE" ] || die "there is no $NETTRACE: build the project first"; }

# Waits until grep pattern $3 is in file $2 of process $1.
lab_wait_line() {
    local name=$1 file=$2 pattern=$3 end=$((SECONDS + ${LAB_START_SECONDS:-60} * LAB_PATIENCE))
    until grep -q -- "$pattern" "$file" 2>/dev/null; do
        if ! lab_alive "${LAB_PID[$name]}"; then
            # It may have written the line and ended at once.
            grep -q -- "$pattern" "$file" 2>/dev/null && break
            local code=0
            wait "${LAB_PID[$name]}" || code=$?
            unset "LAB_PID[$name]"
            lab_show_err "$name"
            die "$name starts: got exit status $code before its first line"
        fi
        if ((SECONDS > end)); then
            lab_show_err "$name"
            die "$name starts: got nothing in ${LAB_START_SECONDS:-60} s"
        fi
        sleep 0.05
    done
    ok "$name has started"
}

# nt_start NAME ARGS...: nettrace ARGS --json in the background, until it has
# written its start line. NAME.json has its events, NAME.err its messages.
nt_start() {
    local name=$1
    shift
    lab_need_nettrace
    lab_spawn "$name" json "$NETTRACE" "$@" --json
    lab_wait_line "$name" "$WORK/$name.json" '"type": *"start"'
}

# nt_start_in NS NAME ARGS...: the same in the network namespace NS. Only the
# network changes (nsenter): "ip netns exec" would hide tracefs and bpffs.
nt_start_in() {
    local ns=$1 name=$2
    shift 2
    lab_need_nettrace
    lab_spawn "$name" json nsenter "--net=/run/netns/$ns" "$NETTRACE" "$@" --json
    lab_wait_line "$name" "$WORK/$name.json" '"type": *"start"'
}

# nt_start_text NAME ARGS...: without --json, into NAME.txt, until the first
# line is there.
nt_start_text() {
    local name=$1
    shift
    lab_need_nettrace
    lab_spawn "$name" txt "$NETTRACE" "$@"
    lab_wait_line "$name" "$WORK/$name.txt" '.'
}

# Checks how process $1, which ended with status $2, has left its output.
lab_check_end() {
    local name=$1 code=$2 last
    check "$name exits with status 0" "$code" == 0
    [ "$code" = 0 ] || lab_show_err "$name"
    [ -e "$WORK/$name.json" ] || return 0
    # One pass: stops at the first line that is no JSON, else gives the last
    # line's type. (jq takes a quarter of a second to start under emulation.)
    last=$(jq -rn 'reduce inputs as $line (null; $line) | .type' "$WORK/$name.json" 2>&1) || true
    check "$name: all lines are JSON, the last of type" "$last" == end
}

# Waits up to $2 seconds for process NAME to end; its status is in LAB_CODE.
lab_wait_exit() {
    local name=$1 pid=${LAB_PID[$1]:-} end=$((SECONDS + $2 * LAB_PATIENCE))
    [ -n "$pid" ] || die "$name was not started"
    while lab_alive "$pid"; do
        if ((SECONDS > end)); then
            lab_show_err "$name"
            kill -KILL "$pid"
            unset "LAB_PID[$name]"
            die "$name ends: still running after $2 s"
        fi
        sleep 0.02
    done
    LAB_CODE=0
    wait "$pid" || LAB_CODE=$?
    unset "LAB_PID[$name]"
}

# nt_stop NAME [SIG]: SIGINT, then exit within 10 s with status 0 and, with
# --json, an end line. LAB_STOP_SECONDS changes the 10 s.
nt_stop() {
    local name=$1
    if [ -z "${LAB_PID[$name]:-}" ]; then die "$name was not started"; fi
    kill -"${2:-INT}" "${LAB_PID[$name]}" 2>/dev/null || true
    lab_wait_exit "$name" "${LAB_STOP_SECONDS:-10}"
    lab_check_end "$name" "$LAB_CODE"
}

# nt_wait NAME [SECONDS]: the same for one that ends by itself.
nt_wait() {
    lab_wait_exit "$1" "${2:-60}"
    lab_check_end "$1" "$LAB_CODE"
}

# nt_run NAME EXPECTED_EXIT ARGS...: in the foreground. Output in NAME.out and
# NAME.err.
nt_run() {
    local name=$1 expected=$2 code=0
    shift 2
    lab_need_nettrace
    "$NETTRACE" "$@" >"$WORK/$name.out" 2>"$WORK/$name.err" </dev/null || code=$?
    check "$name: exit status of nettrace $*" "$code" == "$expected"
    [ "$code" = "$expected" ] || lab_show_err "$name"
}

# --- assertions --------------------------------------------------------------

lab_is_integer() { [[ $1 =~ ^-?[0-9]{1,18}$ ]]; }
lab_is_number() { [[ $1 =~ ^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$ ]]; }

lab_compare() {
    local a=$1 op=$2 b=$3
    if [ "$op" = =~ ]; then
        [[ $a =~ $b ]]
    elif lab_is_integer "$a" && lab_is_integer "$b"; then
        case $op in
            ==) [ "$a" -eq "$b" ] ;;
            !=) [ "$a" -ne "$b" ] ;;
            '<') [ "$a" -lt "$b" ] ;;
            '<=') [ "$a" -le "$b" ] ;;
            '>') [ "$a" -gt "$b" ] ;;
            '>=') [ "$a" -ge "$b" ] ;;
            *) return 2 ;;
        esac
    elif lab_is_number "$a" && lab_is_number "$b"; then
        awk -v a="$a" -v b="$b" -v op="$op" 'BEGIN {
            a += 0; b += 0
            if (op == "==") r = a == b; else if (op == "!=") r = a != b
            else if (op == "<") r = a < b; else if (op == "<=") r = a <= b
            else if (op == ">") r = a > b; else if (op == ">=") r = a >= b
            exit !r }'
    else
        case $op in
            ==) [ "$a" = "$b" ] ;;
            !=) [ "$a" != "$b" ] ;;
            *) return 2 ;;
        esac
    fi
}

# check WHAT ACTUAL OP EXPECTED: OP is == != < <= > >= on numbers, == and != on
# strings, =~ for a regular expression. Something that is no number never
# passes a numeric comparison.
check() {
    [ $# = 4 ] || die "check needs 4 arguments, got $#: $*"
    if lab_compare "$2" "$3" "$4"; then
        ok "$1 ($2)"
    else
        not_ok "$1" "'$2'" "$3 '$4'"
    fi
}

# check_ok WHAT CMD... and check_fails WHAT CMD...: by the command's status.
check_ok() {
    local what=$1 code=0
    shift
    "$@" || code=$?
    if [ $code = 0 ]; then ok "$what"; else not_ok "$what" "status $code of '$*'" 0; fi
}

check_fails() {
    local what=$1 code=0
    shift
    "$@" || code=$?
    if [ $code != 0 ]; then ok "$what"; else not_ok "$what" "success of '$*'" "a failure"; fi
}

# FILE as given, or the JSON output of process NAME.
lab_json() {
    if [ -e "$1" ]; then echo "$1"; elif [ -e "$WORK/$1" ]; then echo "$WORK/$1"; else echo "$WORK/$1.json"; fi
}

# check_jq WHAT FILE EXPR: EXPR on the array of all lines is true.
check_jq() {
    local file out
    file=$(lab_json "$2")
    if out=$(jq -s -e -c "$3" "$file" 2>&1); then
        ok "$1"
    else
        not_ok "$1" "$(head -c 300 <<<"$out")" "true from: $3"
    fi
}

# jq_get FILE FILTER: raw output of FILTER on the array of all lines.
jq_get() { jq -s -r -c "$2" "$(lab_json "$1")"; }

# events NAME CONDITION: number of lines for which the jq CONDITION holds. A
# half written last line of a running process does not count.
events() {
    jq -Rn "reduce (inputs | fromjson? | select(${2:-true})) as \$line (0; . + 1)" "$(lab_json "$1")"
}

# lost_zero NAME [MISSED]: every counter with "lost" in its path in the end line is 0 (but lost_out: packets that
# TCP believes to be lost). Where a softirq can run on top of a program and meet the same one, which the kernel
# then skips and counts, up to MISSED such are allowed.
lost_zero() {
    local lost
    lost=$(tail -n 1 "$(lab_json "$1")" | jq -r --argjson allowed "${2:-0}" '
        [paths(numbers) as $p | ($p | map(tostring) | join(".")) as $name
            | select($name | test("lost(?!_out)")) | "\($name)=\(getpath($p))"]
        | if length == 0 then "no lost counters in the last line"
          else map(select(endswith("=0") or (startswith("lost.probe_missed=") and
              (split("=")[1] | tonumber) <= $allowed) | not)) | if . == [] then "nothing" else join(" ") end end' 2>&1) || true
    check "lost by $1" "$lost" == nothing
}
