# Fragments in known numbers: complete, doubled, overlapping, lost, beyond the memory limit, refused.
# clock: instructions
# ci: new
# timeout: 600

need_kprobes
need_cmd python3
topo_pair
# patience SECONDS: how long a queue of b waits for its fragments; of those that begin from now on.
patience() { in_b sh -c "echo $1 >/proc/sys/net/ipv4/ipfrag_time; echo $1 >/proc/sys/net/ipv6/ip6frag_time"; }

# send CASE VERSION COUNT: COUNT datagrams of 1448 bytes from a to b.
send() { in_a python3 "$WORK/send.py" "$@"; }
cat >"$WORK/send.py" <<'PY'
import socket, struct, sys, time
case, version, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("va", 0))
eth = bytes.fromhex("027700000002027700000001") + (b"\x08\x00" if version == 4 else b"\x86\xdd")
src, dst = [socket.inet_pton(socket.AF_INET if version == 4 else socket.AF_INET6,
                             ("10.77.0.%d" if version == 4 else "fd77::%d") % i) for i in (1, 2)]
def checksum(b):
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    n = (n & 0xffff) + (n >> 16)
    return ~(n + (n >> 16)) & 0xffff
def fragment(id, start, end, more):
    data = (struct.pack("!HHHH", 1111, 5000, 1448, 0) + bytes(1440 * 50))[:end] if not start else bytes(end - start)
    if version == 6:
        ip = struct.pack("!IHBB", 6 << 28, 8 + len(data), 44, 64) + src + dst
        ip += struct.pack("!BBHI", 17, 0, start | more, 0x10000 + id)
    else:
        head = ("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), id, start // 8 | more << 13, 64, 17)
        ip = struct.pack(*head, checksum(struct.pack(*head, 0, src, dst)), src, dst)
    s.send(eth + ip + data)
first = {"complete": 1, "backward": 100, "dup": 200, "overlap": 300, "lost": 400, "nomem": 500, "error": 600,
         "middle": 700, "slow": 800, "before": 1100, "far": 1200}[case]
for id in range(first, first + count):
    if case == "complete":
        fragment(id, 0, 728, 1); fragment(id, 728, 1448, 0)
    elif case == "backward":
        fragment(id, 1000, 1448, 0); fragment(id, 504, 1000, 1); fragment(id, 0, 504, 1)
    elif case == "dup":
        fragment(id, 0, 728, 1); fragment(id, 0, 728, 1); fragment(id, 728, 1448, 0)
    elif case == "overlap":
        fragment(id, 0, 728, 1); fragment(id, 360, 1160, 1)
    elif case in ("lost", "before"):
        fragment(id, 0, 728, 1)
    elif case == "middle":
        fragment(id, 0, 728, 1); fragment(id, 1000, 1448, 0)
    elif case == "error":                           # its last byte is before one that it has
        fragment(id, 0, 728, 1); fragment(id, 400, 408, 0)
    elif case == "slow":
        fragment(id, 0, 728, 1); time.sleep(0.05); fragment(id, 728, 1448, 0)
    elif case == "far":
        fragment(id, 0, 728, 1)
        for other in range(20 * id, 20 * id + 10):
            fragment(other, 0, 728, 1); fragment(other, 728, 1448, 0)
        fragment(id, 728, 1448, 0)
    elif case == "nomem":
        fragment(id, 0, 728, 1)
PY

# mib NAME: a counter of b.
mib() {
    in_b cat /proc/net/snmp /proc/net/snmp6 /proc/net/netstat | awk -v want="$1" '
        $1 == want { print $2; exit }
        $1 == prefix { for (i = 2; i <= NF; i++) if ($1 name[i] == want) { print $i; exit } }
        { prefix = $1; for (i = 2; i <= NF; i++) name[i] = $i }'
}

# --- every case, both versions: numbers, and the kernel's counters beside ---------------------
# The tool has 600 s to start, which cost nothing while the guest is idle.
patience 600
send before 4 2                     # whose queues the tool does not see begin
send before 6 2
patience 1
nt_start_in b all trace_ip_defrag --all --rate 0 -i 1000
for version in 4 6; do
    send complete $version 20
    send backward $version 5
    send dup $version 10
    send overlap $version 5
    send middle $version 4
    send lost $version 7
    send error $version 3
    send slow $version 8
done
sleep 660    # timers of ten minutes are up to 17 s late
nt_stop all
lost_zero all
# of one version: 20 + 5 + 10 + 8 complete; fragments 40 + 15 + 20 + 5 + 8 + 7 + 3 + 16
check_jq "numbers of fragments" all '.[-1] | .fragments == 228 and .duplicates == 20 and .overlaps == 10 and
    .errors == 6 and .no_memory == 0'
check_jq "numbers of datagrams" all '.[-1] | .completed == 86 and .timeouts == 26 and .failed == 42 and
    .open_queues == 0 and .reassembly.count == 86'
check_jq "the kernel's counters agree, IPv4" all '.[-1].kernel | .IpReasmOKs == 43 and .IpReasmTimeout == 13 and
    .IpReasmFails == 21 and .IpReasmReqds == 132 and .IpExtReasmOverlaps == 5'
check_jq "the kernel's counters agree, IPv6" all '.[-1].kernel | .Ip6ReasmOKs == 43 and .Ip6ReasmTimeout == 13'
check_jq "an event for each" all 'map(select(.type == "event")) | group_by(.event) |
    map({key: .[0].event, value: length}) | from_entries == {FRAG: 228, DUP: 20, OVERLAP: 10, ERROR: 6,
    COMPLETE: 86, TIMEOUT: 26}'
# an IPv6 queue's key has no protocol
check_jq "whose they are" all 'map(select(.type == "event")) |
    all((.protocol == "udp" or (.began_earlier and .ip_version == 6)) and .user == "local_deliver" and
    (.src_ip == "10.77.0.1" and .dst_ip == "10.77.0.2" and .ip_version == 4 and .ip_id < 2000 or
     .src_ip == "fd77::1" and .dst_ip == "fd77::2" and .ip_version == 6 and .ip_id > 65536)) and
    (map(select(.began_earlier | not)) | all(.ifname == "vb"))'
check_jq "ports, once the first fragment was seen" all 'map(select(.event == "COMPLETE")) |
    all(.src_port == 1111 and .dst_port == 5000)'
check_jq "bytes and fragments of complete ones" all 'map(select(.event == "COMPLETE")) | all(.bytes == 1448 and
    .fragments == (if .ip_id % 65536 >= 100 and .ip_id % 65536 < 200 then 3 else 2 end)) and
    (map(select(.duplicates == 1)) | length) == 20'
check_jq "what overlaps" all 'map(select(.event == "OVERLAP")) | all(.offset_bytes == 360 and .end_bytes == 1160 and
    .more_fragments and .bytes == 728 and .fragments == 1)'
check_jq "what is missing in the middle" all 'map(select(.event == "TIMEOUT" and .ip_id % 65536 >= 700 and
    .ip_id % 65536 < 800)) | length == 8 and all(.missing_bytes == 272 and .last_seen and
    .missing == [{from: 728, to: 1000}] and .fragments == 2)'
check_jq "what is missing at the end" all 'map(select(.event == "TIMEOUT" and .ip_id % 65536 >= 400 and
    .ip_id % 65536 < 500)) | length == 14 and all(.missing_bytes == 0 and (.last_seen | not) and
    .missing == [{from: 728}] and .bytes == 728 and .fragments == 1)'
check_jq "queues that were there before" all 'map(select(.event == "TIMEOUT" and .began_earlier)) | length == 4 and
    all(.ip_id % 65536 >= 1100 and .bytes == 728 and .fragments == null and .missing == [])'
check_jq "refused ones" all 'map(select(.event == "ERROR")) | all(.offset_bytes == 400 and .end_bytes == 408 and
    .bytes == 728 and .code == -22)'
# the timer wheel is at most 32 ms late at one second (250 Hz)
check_jq "time until the timeout" all 'map(select(.event == "TIMEOUT" and (.began_earlier | not)).age_us) |
    min >= 999000 and (sort | .[length / 2 | floor]) <= 1050000'
check_jq "time of reassembly: 50 ms" all 'map(select(.event == "COMPLETE" and .ip_id % 65536 >= 800).reassembly_us) |
    length == 16 and min >= 50000 and (sort | .[length / 2 | floor]) <= 52500'

# --- filters: what is not asked for is not counted; an expression holds for the whole datagram --
# tcpdump's "udp port" does not look behind an IPv6 fragment header
nt_start_in b port trace_ip_defrag -S -i 1000 "udp port 5000 or ip6[50:2] = 5000"
nt_start_in b other trace_ip_defrag -S -i 1000 udp port 5001
nt_start_in b from trace_ip_defrag -S -i 1000 -s fd77::/64 -p udp
nt_start_in b tcp trace_ip_defrag -S -i 1000 -p tcp
nt_start_in b dev trace_ip_defrag -S -i 1000 --interface lo
for version in 4 6; do
    send backward $version 5
    send overlap $version 2
done
for name in port other from tcp dev; do nt_stop $name; lost_zero $name; done
check_jq "the port of the first fragment, which comes last" port '.[-1] | .completed == 10 and .overlaps == 4 and
    .fragments == 14'
check_jq "another port" other '.[-1] | .completed == 0 and .overlaps == 0 and .fragments == 0 and .failed == 0'
check_jq "an address" from '.[-1] | .completed == 5 and .overlaps == 2 and .fragments == 17'
check_jq "another protocol" tcp '.[-1] | .completed == 0 and .fragments == 0'
check_jq "another device" dev '.[-1] | .completed == 0 and .fragments == 0'
check_jq "no events with --summary" port 'map(select(.type == "event")) | length == 0'

# --- the memory limit ---------------------------------------------------------------------------
LIMITS="/proc/sys/net/ipv4/ipfrag /proc/sys/net/ipv6/ip6frag"
in_b sh -c "for f in $LIMITS; do echo 0 >\${f}_low_thresh; echo 1 >\${f}_high_thresh; done"
nt_start_in b memory trace_ip_defrag --failures-only -v -i 1000
# queues that have ended are freed a little later
wait_for 30 in_b sh -c '! grep -h FRAG /proc/net/sockstat /proc/net/sockstat6 | grep -qv "memory 0$"'
send nomem 4 30
send nomem 6 30
wait_for 30 eval '[ "$(events memory ".event == \"TIMEOUT\"")" -ge 2 ]' || true
nt_stop memory
in_b sh -c "for f in $LIMITS; do echo 4194304 >\${f}_high_thresh; echo 3145728 >\${f}_low_thresh; done"
lost_zero memory
# the first of each version finds nothing in the way
check_jq "no memory" memory '.[-1] | .no_memory == 58 and .failed == 60 and .timeouts == 2 and .fragments == 2'
check_jq "how much there was" memory 'map(select(.event == "NOMEM")) | length == 58 and all(.limit_bytes == 1 and
    .mem_bytes > 1 and .fragments == null)'
# a return probe has taken the place of the frames above it
check_jq "stacks: the receive path, without the tracing itself" memory 'map(select(.event == "NOMEM")) |
    all(.stack[0] | test("^inet_frag_find|^ip_defrag|^ipv6_frag_rcv|^ip_rcv|^ip6_input"))'
check_jq "the kernel agrees" memory '.[-1].kernel | .IpReasmFails == 30 and .IpReasmReqds == 30 and .Ip6ReasmReqds == 30'

# --- too many others in between (IPv4 only): the queue begins anew ----------------------------------
in_b sh -c 'echo 5 >/proc/sys/net/ipv4/ipfrag_max_dist'
nt_start_in b far trace_ip_defrag -i 1000
send far 4 3
wait_for 30 eval '[ "$(events far ".event == \"TIMEOUT\"")" -ge 3 ]' || true
nt_stop far
in_b sh -c 'echo 64 >/proc/sys/net/ipv4/ipfrag_max_dist'
lost_zero far
check_jq "begun anew" far '.[-1] | .errors == 3 and .timeouts == 3 and .failed == 6 and .completed == 30 and
    .fragments == 66 and .open_queues == 0 and .kernel.IpReasmFails == 6 and .kernel.IpReasmOKs == 30'
check_jq "begun anew: what was given up, and what came then" far 'map(select(.type == "event")) |
    all(.fragments == 1 and .missing == (if .event == "ERROR" then [{from: 728}] else [{from: 0, to: 728}] end))'

# --- by kprobes ---------------------------------------------------------------------------------
nt_start_in b kprobes trace_ip_defrag -S --attach kprobe -i 1000
for version in 4 6; do
    send complete $version 5
    send dup $version 3
    send overlap $version 2
    send error $version 2
done
nt_stop kprobes
lost_zero kprobes
check_jq "kprobes: the same numbers" kprobes '.[-1] | .completed == 16 and .duplicates == 6 and .overlaps == 4 and
    .errors == 4 and .failed == 8 and .fragments == 40 and .open_queues == 0'
check_jq "kprobes and no other" kprobes '.[0].hooks | length > 8 and all(.via | test("kprobe|kretprobe"))'

# --- without hooks on functions: single fragments by their drop reasons, and the counters ---------
nt_start_in b reasons trace_ip_defrag --without insert_in -i 1000
send dup 4 3
send dup 6 3
send lost 4 2
send lost 6 2
sleep 2
nt_stop reasons
lost_zero reasons
check_jq "without functions: counters" reasons '.[-1].kernel | .IpReasmOKs == 3 and .Ip6ReasmOKs == 3 and
    .IpReasmTimeout == 2 and .Ip6ReasmTimeout == 2'
if grep -qw FRAG_REASM_TIMEOUT /sys/kernel/tracing/events/skb/kfree_skb/format; then
    check_jq "without functions: fragments" reasons '.[-1].duplicates == 6 and .[-1].timeouts == 4 and
        (map(select(.event == "DUP")) | length == 6 and all(.offset_bytes == 0 and .end_bytes == 728 and
        .src_port == 1111))'
fi

# --- connection tracking asks before the host does; on 5.10 from now on for good ------------------
if have_module nf_conntrack && command -v nft >/dev/null; then
    modprobe nf_defrag_ipv6 2>/dev/null || true
    in_b nft 'add table inet t { chain p { type filter hook prerouting priority 0; ct state new counter; }; }'
    # before defragmentation (-400); a kernel without zones has only zone 0
    in_b nft 'add table inet z { chain p { type filter hook prerouting priority -450; ct zone set 7; }; }' &&
        zone=7 || zone=0
    in_b sh -c 'echo 1 >/proc/sys/net/netfilter/nf_conntrack_frag6_timeout'
    nt_start_in b ct trace_ip_defrag --all --rate 0 -i 1000
    for version in 4 6; do
        send complete $version 5
        send dup $version 5
        send overlap $version 3
        send lost $version 4
        send error $version 2
    done
    wait_for 30 eval '[ "$(events ct ".event == \"TIMEOUT\"")" -ge 10 ]' || true
    in_b nft flush ruleset
    nt_stop ct
    lost_zero ct
    # a refused last fragment leaves an IPv6 queue there: it times out
    check_jq "conntrack: the same numbers" ct '.[-1] | .completed == 20 and .duplicates == 10 and .overlaps == 6 and
        .timeouts == 10 and .failed == 18 and .fragments == 58 and .errors == 4 and .open_queues == 0'
    check_jq "conntrack: who asked" ct 'map(select(.type == "event")) | all(.user == "conntrack_in" and
        .zone == '$zone')'
fi

# --- text, the old name, the log ------------------------------------------------------------------
ln -s "$NETTRACE" "$WORK/trace_ip_defrag.py"
lab_spawn text txt nsenter --net=/run/netns/b "$WORK/trace_ip_defrag.py" -s 10.77.0.1 -i 1000 --log-file "$WORK/log"
lab_wait_line text "$WORK/text.txt" ip_defrag
send complete 4 1
send dup 4 1
send overlap 4 1
send middle 4 1
wait_for 30 grep -q TIMEOUT "$WORK/text.txt" || true
nt_stop text
cat "$WORK/text.txt"
check "text: the old name shows every fragment" "$(grep -c ' FRAG ' "$WORK/text.txt")" == 7
check "text: complete ones" "$(grep -c ' COMPLETE udp 10.77.0.1 port 1111 > 10.77.0.2 port 5000 id ' "$WORK/text.txt")" == 2
check "text: what is missing" "$(grep -c '^    missing 272 bytes: 728 to 1000$' "$WORK/text.txt")" == 1
check "the log has the same" "$(grep -c 'FRAG\|COMPLETE\|DUP\|OVERLAP\|TIMEOUT' "$WORK/log")" == \
    "$(grep -c 'FRAG\|COMPLETE\|DUP\|OVERLAP\|TIMEOUT' "$WORK/text.txt")"
check "the log has the report, and its time" "$(grep -A1 '^[0-9:.]*  since the start$' "$WORK/log" | tail -1)" == \
    "datagrams: 2 completed, 2 failed; 0 open"
check "lines fit" "$(awk 'length > 100' "$WORK/text.txt" | wc -l)" == 0
