# What TCP connections say of themselves: every figure as ss has it at that moment, and a finding where its cause
# was made: loss, a receiver that does not read, a small send buffer, a full accept queue.
# ci: 5.10
# where: guest host
# timeout: 240

need_cmd ss python3 nstat
python3 -c "import json, re, socket, threading" 2>/dev/null || skip "modules of python3 are missing"    # arm64 guests
topo_pair
ip -n a link set va gso_max_segs 1    # TCP builds no larger packets: one that is lost is a segment
tcp() { python3 "$LAB_DIR/tcp.py" "$@"; }
# client NAME COMMAND ARGS...: in a, until it has done its work.
client() {
    local name=$1
    shift
    bg_in a "$name" python3 "$LAB_DIR/tcp.py" "$@"
    wait_for 60 grep -q done "$name.out"
}
# look NS NAME ARGS...: one look, and its end.
look() {
    local ns=$1 name=$2 code=0
    shift 2
    in_ns "$ns" "$NETTRACE" tcp_connection_analyzer --json "$@" >"$name.json" 2>"$name.err" || code=$?
    check "$name: exit status" "$code" == 0
}
SS() { in_ns "$1" ss -tinopmHO state established; }
# ss leaves the state out where one is asked for.
ss_file() { SS "$1" | sed 's/^/ESTAB /' >"$2"; }
one() { echo "[.[] | select(.type == \"interval\")][-1].connections"; }
C=$(one)
found() { echo "any($C[]; $1 and any(.findings[]; .name == \"$2\" and .severity == \"$3\"))"; }
lab_need_nettrace

bg_in b server python3 "$LAB_DIR/tcp.py" server
wait_for 60 grep -q ready server.out

# --- idle connections: IPv4, IPv6, v4-mapped ---------------------------------------------
client four client 10.77.0.2 7001 50000
client six client fd77::2 7001 70000
client mapped client ::ffff:10.77.0.2 7001 90000
quiet() { [ -z "$(SS a | grep -o 'timer:(on')$(SS b | grep -o 'timer:(on')" ]; }
wait_for 20 quiet
for ns in a b; do
    for try in 1 2 3; do    # between the two looks a timer may end: the third time none is left
        look $ns "idle$ns"
        ss_file $ns "idle$ns.ss"
        tcp compare "idle$ns.ss" "idle$ns.json" >"idle$ns.diff"
        ! grep -q ' 0 differences' "idle$ns.diff" || break
        note "try $try in $ns"
    done
    sed 's/^\([^#]\)/# \1/' "idle$ns.diff"
    check "$ns: every figure is ss's" "$(tail -n 1 "idle$ns.diff")" == "3 connections, enough figures, 0 differences"
    lost_zero "idle$ns"
done
PORT4=$(cut -d ' ' -f 2 four.out)
check_jq "clients, with what they sent" idlea "$C | all(.role == \"client\" and all(.findings[]; .severity != \"critical\")) and (map(.acked_bytes) | sort) ==
    [50009, 70009, 90009] and (map([.ip_version, .v4_mapped]) | sort) == [[4, false], [4, true], [6, false]]"
check_jq "servers, with what they got" idleb "$C | all(.role == \"server\") and (map(.received_bytes) | sort) == [50008, 70008, 90008] and
    (map([.ip_version, .v4_mapped]) | sort) == [[4, true], [4, true], [6, false]]"
check_jq "bandwidth times delay" idlea "$C | all((.bdp_bytes - 25e9 / 8 * .rtt_us / 1e6 | fabs) <= 1 and .recommended_window_bytes == 4 * .bdp_bytes)"
check_jq "no hooks, nothing missing" idlea '.[0].hooks == [] and .[0].missing_hooks == [] and .[-1].connections == 3'

# --- filters -----------------------------------------------------------------------------
n() { jq_get "$1" '[.[] | select(.type == "interval")][-1].connections_total'; }
filter() {
    local expected=$1 what=$2
    shift 2
    look b filter "$@"
    check "$what" "$(n filter)" == "$expected"
}
filter 2 "by prefix, v4-mapped too" --remote-ip 10.77.0.0/24
filter 1 "by prefix, IPv6" --remote-ip fd77::/64
filter 1 "by remote port" --remote-port "$PORT4"
filter 3 "by local ports" --local-port 7001-7004 --role server
filter 0 "by role" --role client
filter 0 "both have to match" --local-ip fd77::2 --remote-ip 10.77.0.1

NETEM=$(have_module sch_netem && echo 1 || true)
if [ -n "$NETEM" ]; then
# --- loss ----------------------------------------------------------------------------------
retrans() { in_a nstat -asz TcpRetransSegs | awk '/TcpRetransSegs/ { print $2 }'; }
netem va a loss 6%
BEFORE=$(retrans)
nt_start_in a loss tcp_connection_analyzer --remote-port 7001 --interval 0.5 --show-stats --show-analysis --top 100
client lossy client 10.77.0.2 7001 1200000
PORT=$(cut -d ' ' -f 2 lossy.out)
wait_for 20 quiet
AGAIN=$(($(retrans) - BEFORE))
nt_stop loss
tc -n a qdisc del dev va root
look a after --local-port "$PORT"
check "segments were lost" "$AGAIN" '>=' 10
I='[.[] | select(.type == "interval")]'
check_jq "sent again: as the connection says" after "$C[0].retrans_segs == $AGAIN"
check_jq "interval by interval, too" loss "([$I[].connections[] | select(.local_port == $PORT) | if .since_last then .since_last.retrans_segs
    else .retrans_segs end] | add) == $AGAIN"
check_jq "and the counters' rises" loss "([$I[].stats.TcpRetransSegs // 0] | add) == $AGAIN and ([$I[].analysis.retrans_segs] | add) == $AGAIN"
check_jq "all bytes of it are in the intervals" loss "([$I[].connections[] | select(.local_port == $PORT) | if .since_last then .since_last.acked_bytes
    else .acked_bytes end] | add) == 1200009"
check_jq "so it is found" after "$(found true retransmissions critical) or $(found true retransmissions warning)"
bg_stop lossy

# --- a small send buffer on a long path -------------------------------------------------------
netem vb b delay 100ms    # on the way back: in its own queue the kernel would hold the sender back itself
client small client 10.77.0.2 7001 2000000 40000
SS a | grep -o 'sndbuf_limited:[0-9]*ms([0-9.]*' >small.ss
look a small_look --local-port "$(cut -d ' ' -f 2 small.out)"
tc -n b qdisc del dev vb root
note "$(jq_get small_look "$C[0] | {sndbuf_limited_pct, busy_us, rtt_us, min_rtt_us}")"
check_jq "the send buffer held it back" small_look "$C[0] | .sndbuf_limited_pct as \$p | \$p >= 20 and .min_rtt_us >= 100000 and
    any(.findings[]; .name == \"sndbuf_limited\" and .severity == if \$p >= 50 then \"critical\" else \"warning\" end)"
check_jq "by as much as ss says" small_look "$C[0].sndbuf_limited_pct - $(sed 's/.*(//' small.ss) | fabs < 0.1"
bg_stop small
fi

# --- a receiver that does not read ---------------------------------------------------------------
nt_start_in a rwnd tcp_connection_analyzer --remote-port 7002 --interval 1
client full full 10.77.0.2 7002
wait_for 60 eval 'SS a | grep -q persist'
sleep 1.5
look b unread --local-port 7002
ss_file b unread.ss
look a closed --remote-port 7002
nt_stop rwnd
check_jq "its window is closed" closed "$(found true zero_window critical) and $(found true rwnd_limited critical) and ($C[0] | .timer.name == \"zero_window\")"
check_jq "of the last interval it had nothing else" rwnd "[.[] | select(.type == \"interval\" and .seconds > 0.9)][-1].connections[0] |
    .rwnd_limited_pct > 99 and any(.findings[]; .name == \"rwnd_limited\")"
check_jq "the application does not read" unread "$(found true recv_queue_full critical)"
check_jq "what is unread is ss's" unread "$C[0].recv_queue_bytes == $(awk '/:7002/ { print $2 }' unread.ss) and $C[0].recv_queue_bytes > 10000"

# --- an accept queue, other states ------------------------------------------------------------------
client knocking knock 10.77.0.2 7003 4
wait_for 20 eval '[ "$(in_b ss -tlnH sport = :7003 | awk "{ print \$2 }")" = 2 ]'
client leaving client 10.77.0.2 7004 10
bg_stop leaving
wait_for 20 eval 'in_b ss -tnH state close-wait | grep -q 7004'
look b states --all --top 100
in_b ss -tanH | awk '{ print $1 }' | sort | uniq -c >states.ss
check_jq "the accept queue is full" states "any($C[]; .local_port == 7003 and .role == \"listener\" and .accept_queue == 2 and
    .accept_queue_limit == 1 and any(.findings[]; .name == \"accept_queue_full\" and .severity == \"critical\"))"
check_jq "closed by the peer only" states "$(found '.local_port == 7004' not_closed warning)"
for state in ESTAB:ESTABLISHED LISTEN:LISTEN CLOSE-WAIT:CLOSE_WAIT; do
    check "as many as ss has: ${state#*:}" "$(jq_get states "[$C[] | select(.state == \"${state#*:}\")] | length")" == \
        "$(awk -v s="${state%:*}" '$2 == s { print $1 }' states.ss)"
done

look a asking --all --remote-port 7003 --top 100
check_jq "nobody answers, and nothing is said of times that were not" asking "any($C[]; .state == \"SYN_SENT\" and .retrans_segs >= 0 and
    (has(\"last_acked_ms\") | not)) and any($C[]; .state == \"ESTABLISHED\" and .last_acked_ms < 600000)"

# --- as another user, as text, command lines -----------------------------------------------------------
code=0
in_a setpriv --reuid 65534 --regid 65534 --clear-groups "$NETTRACE" tcp_connection_analyzer --json >user.json 2>user.err || code=$?
check "no privilege is needed" "$code $(cat user.err)" == "0 "
check_jq "figures of all, processes of none" user "$C | length >= 4 and all(.processes == 0 and (has(\"pid\") | not) and .mss_bytes > 0)"
in_a "$NETTRACE" tcp_connection_analyzer -v --all --show-config --show-stats --show-analysis >text.txt
check "text: not wider than 100" "$(awk 'length > 100' text.txt | wc -l)" == 0
check "text: what was found, settings, counters" "$(grep -cE '^  critical  the peer|^settings|^  net.ipv4.tcp_rmem +4096|^  TcpRetransSegs +[1-9]' text.txt)" '>=' 4
ln -s "$NETTRACE" tcp_connection_analyzer.py
in_a ./tcp_connection_analyzer.py --role client --remote-ip 10.77.0.2 --remote-port 7001 --interval 0 --target-bandwidth 1 --json >script.json
check_jq "the script's command line" script "$(n script | sed 's/.*/true/') and .[1].target_bandwidth_gbit_per_s == 1 and .[1].connections_total == 2"
nt_run role 2 tcp_connection_analyzer --role x
nt_run port 2 tcp_connection_analyzer --local-port 70000
nt_run words 2 tcp_connection_analyzer tcp port 80
nt_run csv 2 tcp_connection_analyzer --format csv
nt_run dry 0 tcp_connection_analyzer --dry-run
nt_run doctor 0 doctor tcp_connection_analyzer
check "doctor" "$(grep -cE 'tcp_connection_analyzer +ok$' doctor.out)" == 1
