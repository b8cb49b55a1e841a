# Connections in known numbers: opened and closed, deleted, timed out, invalid, too many, by zones and marks.
# clock: instructions
# ci: 6.12
# timeout: 900

need_kprobes
need_cmd python3 nft
need_module nf_conntrack nft_ct nf_conntrack_netlink
modprobe -a nf_conntrack nft_ct nf_conntrack_netlink
topo_pair
SYS=/proc/sys/net/netfilter
in_b nft 'add table inet t { chain p { type filter hook prerouting priority 0; ct state new counter; }; }'
has_acct() { has_typed && [ -e /sys/kernel/btf/nf_conntrack ]; }

# --- traffic ------------------------------------------------------------------
# serve: answers a byte on TCP port 5000 and the file "udp" on UDP port 5001; call COUNT VERSION: connections
# that a closes; udp PORT COUNT: datagrams of one socket, then "reply"; hold: one that stays open, until "close".
cat >"$WORK/peer.py" <<'PY'
import os, select, socket, struct, sys, time
what, args = sys.argv[1], sys.argv[2:]
host = {"4": "10.77.0.2", "6": "fd77::2"}
def wait(name):
    while not os.path.exists(name):
        time.sleep(0.02)
if what == "serve":
    listeners = []
    for family, address in ((socket.AF_INET, host["4"]), (socket.AF_INET6, host["6"])):
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, 5000))
        s.listen(64)
        listeners.append(s)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((host["4"], 5001))
    held = []
    print("ready", flush=True)
    while True:
        ready = select.select(listeners + held + [udp], [], [])[0]
        for s in ready:
            if s is udp:
                data, peer = udp.recvfrom(100)
                if data == b"reply":
                    udp.sendto(b"yes", peer)
            elif s in listeners:
                held.append(s.accept()[0])
            else:
                try:
                    if s.recv(100):
                        s.send(b"a")
                        continue
                except ConnectionError:
                    pass
                held.remove(s)
                s.close()
elif what == "call":
    for i in range(int(args[0])):
        s = socket.create_connection((host[args[1]], 5000))
        s.send(b"q")
        s.recv(1)
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
        s.close()
elif what == "udp":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.77.0.1", int(args[0])))
    for i in range(int(args[1])):
        s.sendto(b"x", (host["4"], 5001))
    if "reply" in args:
        s.sendto(b"reply", (host["4"], 5001))
        s.recv(10)
        s.sendto(b"x", (host["4"], 5001))
elif what == "many":
    for port in range(20000, 20000 + int(args[0])):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("10.77.0.1", port))
        s.sendto(b"x", (host["4"], 5001))
        s.close()
elif what == "hold":
    s = socket.socket()
    s.bind(("10.77.0.1", 30000))
    s.connect((host["4"], 5000))
    s.send(b"q")
    s.recv(1)
    print("ready", flush=True)
    wait("close")
    s.close()
elif what == "refused":
    for i in range(int(args[0])):
        s = socket.socket()
        assert s.connect_ex((host["4"], 5999))
        s.close()
elif what == "abort":       # with RST, twice from the same port
    for i in range(2):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.bind(("10.77.0.1", 30001))
        s.connect((host["4"], 5000))
        s.send(b"q")
        s.recv(1)
        s.close()
elif what == "flush":       # as "conntrack -F"
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.bind((0, 0))
    s.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 0x5, 1, 0, 0, 0, 0))
    assert struct.unpack_from("=i", s.recv(1000), 16)[0] == 0
PY
# raw KIND COUNT: packets that no socket would send, from a to b.
cat >"$WORK/raw.py" <<'PY'
import socket, struct, sys
kind, count = sys.argv[1], int(sys.argv[2])
def checksum(b):
    b += bytes(len(b) % 2)
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    n = (n & 0xffff) + (n >> 16)
    return ~(n + (n >> 16)) & 0xffff
src, dst = socket.inet_aton("10.77.0.1"), socket.inet_aton("10.77.0.2")
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("va", 0))
def send(proto, data):
    head = ("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 7, 0, 64, proto)
    ip = struct.pack(*head, checksum(struct.pack(*head, 0, src, dst)), src, dst)
    s.send(bytes.fromhex("0277000000020277000000010800") + ip + data)
def tcp(sport, flags, seq, ack=0, good=True):
    head = struct.pack("!HHIIBBHHH", sport, 5000, seq, ack, 5 << 4, flags, 1000, 0, 0)
    sum = checksum(src + dst + struct.pack("!BBH", 0, 6, 20) + head) if good else 1
    send(6, head[:16] + struct.pack("!H", sum) + head[18:])
for i in range(count):
    if kind == "rst":           # of a connection, far outside of its window
        tcp(30000, 4, 0x10000000 * (i % 2) + 77)
    elif kind == "synack":      # of none
        tcp(31000 + i, 0x12, 1000, 1)
    elif kind == "bad":
        tcp(32000 + i, 2, 1000, good=False)
    elif kind == "echoreply":
        body = struct.pack("!BBHHH", 0, 0, 0, 99, i)
        send(1, body[:2] + struct.pack("!H", checksum(body)) + body[4:])
PY
peer_a() { in_a python3 "$WORK/peer.py" "$@"; }
raw() { in_a python3 "$WORK/raw.py" "$@"; }
flush() { in_b python3 "$WORK/peer.py" flush; }
count() { events "$1" ".event == \"$2\""; }
until_events() { wait_for 30 eval '[ "$(count '"$1 $2"')" -ge '"$3"' ]' || true; }

bg_in b server python3 "$WORK/peer.py" serve
wait_for 60 grep -q ready server.out
flush

# --- the life of connections, both versions ---------------------------------------
nt_start_in b flow trace_conntrack -i 1000
peer_a call 20 4
peer_a call 20 6
flush
until_events flow DESTROY 40
nt_stop flow
lost_zero flow
check_jq "connections" flow '.[-1] | .new == 40 and .confirmed == 40 and .deleted == 40 and .destroyed == 40 and
    .confirm_failed == 0 and .invalid == 0 and .dropped == 0 and .clashes == 0 and .followed == 0'
check_jq "by protocol" flow '.[-1].protocols | length == 1 and (.[0] | .protocol == "tcp" and .new == 40)'
check_jq "an event for each" flow 'map(select(.type == "event")) | group_by(.event) |
    map({key: .[0].event, value: length}) | from_entries == {NEW: 40, CONFIRM: 40, DELETE: 40, DESTROY: 40}'
check_jq "whose they are" flow 'map(select(.type == "event")) | all(.protocol == "tcp" and .zone == 0 and
    .orig.dst_port == 5000 and .reply.src_port == 5000 and .orig.src_port == .reply.dst_port and
    (.orig | .src_ip == "10.77.0.1" and .dst_ip == "10.77.0.2" or .src_ip == "fd77::1" and .dst_ip == "fd77::2")) and
    (map(.ct) | unique | length) <= 40 and (map(select(.event == "NEW" and .ip_version == 6)) | length) == 20'
check_jq "deleted by the user, in their last state" flow 'map(select(.event == "DELETE")) |
    all(.cause == "user" and .tcp_state_new == "TIME_WAIT" and .lifetime_us > 0 and .packets_seen >= 8 and
    (.status | contains(["SEEN_REPLY", "ASSURED", "CONFIRMED"])))'
check_jq "NEW, then CONFIRM, DELETE, DESTROY" flow 'map(select(.type == "event")) | group_by(.orig.src_port, .ip_version) |
    all(map(.event) == ["NEW", "CONFIRM", "DELETE", "DESTROY"])'

# --- why they end -------------------------------------------------------------------
in_b sh -c "echo 1 >$SYS/nf_conntrack_udp_timeout"
nt_start_in b ends trace_conntrack -u -i 1000
peer_a refused 3
peer_a abort
peer_a udp 21000 3
sleep 300                           # the collector comes once in two minutes at least; idle time costs nothing
nt_stop ends
in_b sh -c "echo 30 >$SYS/nf_conntrack_udp_timeout"
lost_zero ends
check_jq "deleted by a RST, and by a new SYN" ends '.[-1].deleted_by | .reset == 3 and .reopened == 1 and .user == 0 and
    .other == 0 and .early_drop == 0 and .early_drop_gc == 0'
check_jq "which ones" ends 'map(select(.event == "DELETE")) | all(if .cause == "reset" then .orig.dst_port == 5999
    elif .cause == "reopened" then .orig.src_port == 30001 and .tcp_state_new == "CLOSE" else .cause == "timeout" end)'
check_jq "a timeout of a second" ends 'map(select(.event == "DELETE" and .cause == "timeout" and .protocol == "udp")) |
    length == 1 and .[0].lifetime_us >= 1000000 and .[0].packets_seen == 3'
check_jq "each packet extends it" ends 'map(select(.event == "UPDATE" and .protocol == "udp")) | length == 3 and
    all(.timeout_new_s == 1)'
flush

# --- INVALID, and why -----------------------------------------------------------------
in_b nft 'add table inet i { chain p { type filter hook prerouting priority 10; ct state invalid drop; }; }'
bg_in a holder python3 "$WORK/peer.py" hold
wait_for 60 grep -q ready holder.out
nt_start_in b invalid trace_conntrack --mode packet --invalid-only --stack false
nt_start_in b counted trace_conntrack -i 1000
# These packets have no entry whose other direction could match: the rule itself has to.
echo '[{"src_ip": "10.77.0.2", "dst_ip": "10.77.0.1", "dst_port": 30000}]' >turned.txt
nt_start_in b turned trace_conntrack --mode packet --invalid-only --stack false --filters-file turned.txt
raw rst 10
raw synack 2
raw bad 2
raw echoreply 2
until_events invalid INVALID 16
for name in invalid counted turned; do nt_stop $name; done
touch close
in_b nft delete table inet i
lost_zero invalid
lost_zero counted
jq -r 'select(.event == "INVALID") | "# \(.protocol) \(.src_port) \(.reason)"' invalid.json | sort | uniq -c
check_jq "invalid, as the kernel counts" invalid '.[-1] | .invalid == 16 and .kernel.invalid == 16 and .new == 0'
check_jq "counted in flow mode, too" counted '.[-1] | .invalid == 16 and .kernel.invalid == 16 and .events == 0'
check_jq "no other events" invalid 'map(select(.type == "event")) | length == 16 and all(.event == "INVALID" and
    .verdict == "invalid" and .ctinfo == "-" and .hook == "nf_conntrack_in" and .netfilter_hook == "PRE_ROUTING" and
    .ifname == "vb" and .src_ip == "10.77.0.1" and (has("stack") | not))'
check_jq "a rule matches in both directions" turned 'map(select(.type == "event")) | length == 10 and
    all(.event == "INVALID" and .src_port == 30000)'
check_jq "outside of the window" invalid 'map(select(.src_port == 30000)) | length == 10 and
    all(.tcp_flags == "RST" and .tcp_state_old == "ESTABLISHED" and (.reason | test("rst|SEQ|RST"; "i")) and
    .window.orig.td_maxwin_bytes > 0 and .window.reply.td_end > 0)'
check_jq "no connection begins so" invalid 'map(select(.src_port != null and .src_port >= 31000 and .src_port < 32000)) |
    length == 2 and all(.tcp_flags == "SYN|ACK" and .tcp_state_old == "NONE" and (.reason | test("SYN.ACK begins no connection")))'
check_jq "bad checksums" invalid 'map(select(.src_port != null and .src_port >= 32000)) |
    length == 2 and all(.reason | test("checksum"))'
check_jq "no request" invalid 'map(select(.protocol == "icmp")) | length == 2 and all(.reason | test("reply|request"))'
flush

# --- packets of one connection ----------------------------------------------------------
nt_start_in b packets trace_conntrack.py -p udp
peer_a udp 23000 5 reply
until_events packets PACKET 7
nt_stop packets
lost_zero packets
check_jq "what each packet is" packets 'map(select(.hook == "nf_conntrack_in") | [.event, .ctinfo, .netfilter_hook]) ==
    [["NEW", "NEW", "PRE_ROUTING"], (range(5) | ["PACKET", "NEW", "PRE_ROUTING"]),
    ["PACKET", "ESTABLISHED_REPLY", "LOCAL_OUT"], ["PACKET", "ESTABLISHED", "PRE_ROUTING"]]'
check_jq "confirmed once" packets 'map(select(.event == "CONFIRM")) | length == 1 and all(.verdict == "accept" and
    .hook == "__nf_conntrack_confirm" and (.status | contains(["CONFIRMED"])))'
check_jq "packets and devices" packets 'map(select(.hook == "nf_conntrack_in")) | all(.len_bytes >= 29 and .ifname == "vb" and
    (.src_port == 23000 or .dst_port == 23000)) and (map(.src_ip) | unique) == ["10.77.0.1", "10.77.0.2"]'
check_jq "the time that is left" packets 'map(select(.ctinfo == "NEW" and .event == "PACKET").timeout_left_s) |
    min >= 25 and max <= 30'
check_jq "stacks" packets 'map(select(.netfilter_hook == "PRE_ROUTING")) | all(.stack | any(test("^ip_rcv")))'
check_jq "stacks without the tracing itself" packets 'map(select(.type == "event")) |
    all(.stack[0] | test("bpf|trampoline|ftrace|kprobe|rethook|fprobe") | not)'
flush

# --- more than the table takes -------------------------------------------------------------
echo 512 >/sys/module/nf_conntrack/parameters/hashsize
echo 100 >$SYS/nf_conntrack_max
nt_start_in b full trace_conntrack -i 1000
peer_a many 250
nt_stop full
echo 65536 >$SYS/nf_conntrack_max
lost_zero full
jq -c 'select(.type == "end") | [.new, .dropped, .deleted_by, .kernel]' full.json
check_jq "a full table" full '.[-1] | .packets == 250 and .new + .dropped == 250 and .dropped > 0 and
    .deleted_by.early_drop > 0 and .deleted_by.early_drop + .deleted_by.early_drop_gc == .deleted and
    .deleted + .dropped >= 150 and .kernel.entries == .new - .deleted and .kernel.entries <= 100'
check_jq "the kernel agrees" full '.[-1] | .dropped == .kernel.drop and .deleted_by.early_drop == .kernel.early_drop'
flush

# --- filters -----------------------------------------------------------------------------------
in_b nft 'add table inet z { chain p { type filter hook prerouting priority -350; udp dport 5001 ct zone set 7; }; }' &&
    zone=7 || zone=0
in_b nft 'add table inet m { chain p { type filter hook prerouting priority 0; udp dport 5001 ct mark set 0x125; }; }'
cat >rules.txt <<'JSON'
[ {"src_ip": "fd77::/64", "protocol": "tcp", "dst_port": 5000},
  {"dst_ip": "10.77.0.1", "src_ip": "10.77.0.2", "src_port": "5001", "protocol": 17},
  {"dst_port": 9, "protocol": "all"} ]
JSON
nt_start_in b back trace_conntrack -i 1000 -s 10.77.0.2 -S 5000 -d 10.77.0.1
nt_start_in b none trace_conntrack -i 1000 -s 10.77.0.1 -S 5000
nt_start_in b six trace_conntrack -i 1000 ip6 and tcp port 5000
nt_start_in b rules trace_conntrack -i 1000 --mode flow --filters-file rules.txt
nt_start_in b both trace_conntrack -i 1000 --mode flow --filters-file rules.txt -p tcp
nt_start_in b zone trace_conntrack -i 1000 --zone $zone -p udp
nt_start_in b other trace_conntrack -i 1000 --zone 9
nt_start_in b mark trace_conntrack -i 1000 --mark 0x5/0xf
peer_a call 3 4
peer_a call 2 6
peer_a udp 24000 1
flush
until_events rules DESTROY 3
for name in back none six rules both zone other mark; do nt_stop $name; lost_zero $name; done
check_jq "the reverse direction" back '.[-1] | .new == 3 and .deleted == 3 and .protocols[0].protocol == "tcp"'
check_jq "ports go with their addresses" none '.[-1] | .new == 0 and .packets == 0'
check_jq "an expression" six '.[-1] | .new == 2 and .deleted == 2 and .destroyed == 2'
check_jq "any of the rules" rules '.[-1] | .new == 3 and .deleted == 3 and .destroyed == 3'
check_jq "which ones" rules 'map(select(.event == "NEW")) | all(.ip_version == 6 or .protocol == "udp")'
check_jq "rules and options" both '.[-1] | .new == 2 and .destroyed == 2'
check_jq "a zone" zone '.[-1] | .new == 1 and .destroyed == 1 and (.zones | length == 1 and .[0].zone == '$zone')'
check_jq "a zone's events" zone 'map(select(.type == "event")) | all(.zone == '$zone' and .orig.src_port == 24000)'
check_jq "another zone" other '.[-1] | .packets == 0'
# the mark is set behind the tracker, before it is confirmed
check_jq "a mark" mark '.[-1] | .new == 0 and .confirmed == 1 and .deleted == 1 and .destroyed == 1'
check_jq "its value" mark 'map(select(.type == "event")) | all(.mark == 293)'
echo '[{"src_ip": "10.0.0.0/33"}]' >bad.txt
nt_run bad 2 trace_conntrack --filters-file bad.txt
check_ok "which rule is bad" grep -q 'bad rules: bad.txt: line 1: no address or prefix: 10.0.0.0/33' bad.err
in_b nft 'delete table inet z; delete table inet m'

# --- the kernel's own numbers of packets and bytes ----------------------------------------------
in_b sh -c "echo 1 >$SYS/nf_conntrack_acct"
nt_start_in b acct trace_conntrack -i 1000
peer_a udp 25000 5 reply
flush
until_events acct DESTROY 1
nt_stop acct
in_b sh -c "echo 0 >$SYS/nf_conntrack_acct"
if has_acct; then
    check_jq "accounting" acct 'map(select(.event == "DELETE")) | length == 1 and all(.orig_packets == 7 and
        .reply_packets == 1 and .orig_bytes == 7 * 29 + 4 and .reply_bytes == 31 and .packets_seen == 8)'
else
    check_jq "no accounting, and it says so" acct '(.[0].missing_types[0] | .module == "nf_conntrack") and
        (map(select(.event == "DELETE")) | all(.packets_seen == 8 and (has("orig_packets") | not)))'
fi

# --- each kind of hook ------------------------------------------------------------------------------
nt_start_in b kprobes trace_conntrack --attach kprobe -i 1000
if has_acct && have_fentry; then
    nt_start_in b fentries trace_conntrack --attach fentry -i 1000
else
    nt_run fentries 3 trace_conntrack --attach fentry
fi
peer_a call 5 4
peer_a call 5 6
flush
until_events kprobes DESTROY 10
nt_stop kprobes
lost_zero kprobes
check_jq "kprobes: the same numbers" kprobes '.[-1] | .new == 10 and .confirmed == 10 and .deleted_by.user == 10 and
    .destroyed == 10'
check_jq "kprobes and no other" kprobes '.[0].hooks | length > 10 and all(.via | test("kprobe|kretprobe"))'
if has_acct && have_fentry; then
    nt_stop fentries
    lost_zero fentries
    check_jq "fentry: the same numbers" fentries '.[-1] | .new == 10 and .confirmed == 10 and .deleted == 10 and
        .destroyed == 10'
    check_jq "fentry and no other" fentries '.[0].hooks | length > 8 and all(.via | test("fentry|fexit"))'
fi

# --- more connections than are followed ---------------------------------------------------------------
nt_start_in b small trace_conntrack -i 1000 --max-entries 16
peer_a many 250
flush
nt_stop small
check_jq "the oldest are forgotten, and it says so" small '.[-1] | .new == 250 and .confirmed == 250 and .deleted == 250 and
    .destroyed == 250 and .lost.evicted > 0'

# --- text ------------------------------------------------------------------------------------------------
ln -s "$NETTRACE" "$WORK/trace_conntrack.py"
nt_start_in b same trace_conntrack -i 1000
lab_spawn text txt nsenter --net=/run/netns/b "$NETTRACE" trace_conntrack -i 1000 -v
lab_wait_line text "$WORK/text.txt" conntrack
# the last: on 5.10 the return probes of one that comes later would hide the stack
lab_spawn script txt nsenter --net=/run/netns/b "$WORK/trace_conntrack.py" -p udp --rel-time
lab_wait_line script "$WORK/script.txt" conntrack
peer_a call 2 4
peer_a udp 26000 2 reply
raw bad 1
flush
until_events same DESTROY 3
for name in script text same; do nt_stop $name; done
head -n 45 script.txt
cat text.txt
check "text: the old name shows packets" "$(grep -c '^ *[0-9.]* vb *PACKET *udp' script.txt)" == 4
check "text: and stacks" "$(grep -c '^ *ip_rcv' script.txt)" '>=' 3
for event in NEW CONFIRM DELETE DESTROY; do
    check "text: $event, as in JSON" "$(grep -c " $event " text.txt)" == "$(count same $event)"
done
check "text: who deleted" "$(grep -c '^    by user, lived .* packets' text.txt)" == 3
check "text: totals" "$(grep -c '^tcp  *[0-9]* *2 *2 *0 *0 *2 *2 *1 *0$' text.txt)" == 1
check "lines fit" "$(grep -v '^ *[a-z_0-9.]*+0x\|\[' script.txt text.txt | awk 'length > 120' | wc -l)" == 0

# --- Open vSwitch -------------------------------------------------------------------------------------------
have_module openvswitch && command -v modprobe >/dev/null && ovs_here=1 || ovs_here=
if [ -z "$ovs_here" ]; then
    note "no openvswitch here"
    lab_done
fi
modprobe openvswitch
defer modprobe -rq openvswitch
ns_add c d o
for end in c:1:2 d:2:1; do
    IFS=: read -r ns own peer <<<"$end"
    ip link add "v$ns" netns "$ns" address 02:78:00:00:00:0$own type veth peer name "o$ns" netns o
    ip -n o link set "o$ns" up
    ip -n "$ns" -batch - <<END
link set v$ns up
address add 10.78.0.$own/24 dev v$ns
neighbour replace 10.78.0.$peer lladdr 02:78:00:00:00:0$peer dev v$ns nud permanent
END
done
ovs() { in_ns o python3 "$LAB_DIR/ovs.py" "$@"; }
ovs dp dp0 oc od
defer in_ns o python3 "$LAB_DIR/ovs.py" del dp0
ovs flow dp0 in_port=1 -- ct=5 recirc=1
ovs flow dp0 in_port=2 -- ct=5 recirc=1
ovs flow dp0 in_port=1 recirc=1 state=new,trk -- ct=5,commit output=2
ovs flow dp0 in_port=1 recirc=1 state=est,trk -- output=2
ovs flow dp0 in_port=2 recirc=1 state=est,trk -- output=1
nt_start_in o ovs trace_conntrack --mode packet -p icmp --zone 5
nt_start_in o life trace_conntrack --zone 5 -i 1000
in_ns c ping -n -q -c 3 -i 0.05 10.78.0.2 >ping.out
in_ns o python3 "$WORK/peer.py" flush
until_events life DESTROY 1
nt_stop ovs
nt_stop life
lost_zero ovs
lost_zero life
check "pings through the datapath" "$(grep -o '[0-9]* received' ping.out)" == "3 received"
check_jq "OVS: one connection" life '.[-1] | .new == 1 and .confirmed == 1 and .deleted == 1 and .destroyed == 1 and
    .ovs_actions == 7'
check_jq "OVS: its actions" ovs 'map(select(.event == "OVS")) | length == 7 and all(.zone == 5 and .verdict == "accept" and
    .protocol == "icmp" and .hook == "ovs_ct_execute" and .orig.icmp_type == 8)'
if knows_type ovs_conntrack_info openvswitch; then
    check_jq "OVS: what they ask for, and what comes of it" ovs '[.[] | select(.event == "OVS") | [.ovs.commit,
        .ovs.ct_state]] == [[false, "+new+trk"], [true, "+new+trk"], [false, "+est+rpl+trk"], [false, "+est+trk"],
        [false, "+est+rpl+trk"], [false, "+est+trk"], [false, "+est+rpl+trk"]]'
    check_jq "OVS: zones" ovs 'map(select(.event == "OVS").ovs) | all(.zone == 5 and .ct_zone == 5 and .nat == 0)'
    check_jq "OVS: the tracker within" ovs 'map(select(.event == "NEW")) | length == 1 and all(.ovs.zone == 5)'
else
    check_jq "OVS: what is not known, and it says so" ovs '(.[0].missing_types | any(.module == "openvswitch")) and
        (map(select(.event == "OVS").ovs) | all(. == {}))'
fi
