# Lists of skbs in known numbers: large datagrams, fragments put together, GRO by list; a TCP stream with none.
# ci: 6.12
# timeout: 600

need_kprobes
need_cmd python3 ethtool nft
topo_router
nft_warm
N=20
LAB_START_SECONDS=240    # thirty programs, which a busy machine takes long to verify
# function NAME FUNCTION EVENT: that number in the end record
number() { jq_get "$1" "[.[-1].functions[] | select(.function == \"$2\").$3] | add // 0"; }
cat >"$WORK/udp.py" <<'PY'
import socket, sys
role, count, size, segment = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
hosts = sys.argv[5:]
def make(host):
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
if role == "server":
    s = [make(host) for host in hosts]
    for each, host in zip(s, hosts):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        each.bind((host, 5000))
        each.settimeout(60)
    print("ready", flush=True)
    for each in s:
        for i in range(count):
            assert len(each.recv(65536)) == size
    print("done", flush=True)
else:
    for host in hosts:
        s = make(host)
        s.bind(("::" if ":" in host else "", 4000))
        if segment:
            s.setsockopt(17, 103, segment)      # UDP_SEGMENT
        for i in range(count):
            s.sendto(bytes(size), (host, 5000))
PY
# datagrams COUNT SIZE HOST...: from a to b, until all are there
datagrams() {
    local count=$1 size=$2
    shift 2
    bg_in b server python3 "$WORK/udp.py" server "$count" "$size" 0 "$@"
    wait_for 30 grep -q ready server.out
    in_a python3 "$WORK/udp.py" client "$count" "$size" 0 "$@"
    wait_for 30 grep -q done server.out
    lab_wait_exit server 10
}

ethtool_in() { in_ns "$1" ethtool -K "$2" "${@:3}" >/dev/null; }

# --- large datagrams: made with a list, sent as fragments, put together again by connection tracking ----------
ethtool_in a va sg off
in_b nft 'add table inet t; add chain inet t c { type filter hook prerouting priority 0; }; add rule inet t c ct state invalid drop'
nt_start_in a large skb_frag_list_watcher --rate 0 --dst-port 5000 -t
datagrams $N 8000 10.77.2.2 fd77:2::2
nt_stop large
lost_zero large
in_b nft delete table inet t
check "IPv4: made with a list" "$(number large __ip_make_skb create)" == $N
check "IPv4: sent without" "$(number large ip_do_fragment clear)" == $N
check "IPv6: made with a list" "$(number large __ip6_make_skb create)" == $N
check "IPv6: sent without" "$(number large ip6_fragment clear)" == $N
check "put together, both versions" "$(number large inet_frag_reasm_finish create)" == $((2 * N))
check_jq "as they are made" large 'map(select(.function == "__ip_make_skb" or .function == "__ip6_make_skb")) | all(
    .event == "CREATE" and .before.frag_list == null and (.after.frag_list | startswith("0x")) and
    .after.len_bytes == (if .ip_version == 4 then 8028 else 8048 end) and .after.nr_frags == 0 and .ifname == "va" and
    .protocol == "udp" and .src_port == 4000 and .dst_port == 5000 and .comm == "python3" and .rules == [] and
    (.stack | any(test("^udp(v6)?_sendmsg")))) and (group_by(.ip_version) | map([.[0].src_ip, .[0].dst_ip, length])) ==
    [["10.77.1.1", "10.77.2.2", '$N'], ["fd77:1::1", "fd77:2::2", '$N']]'
check_jq "as they are cut" large 'map(select(.event == "CLEAR")) | length == '$((2 * N))' and
    all(.after.frag_list == null and (.before.frag_list | startswith("0x")) and .before.len_bytes > 8000 and
    .after.len_bytes <= 1514 and .after.data_len_bytes == 0 and .seen_at == "net_dev_queue" and .ifname == "va")'
check_jq "as they are put together" large 'map(select(.function == "inet_frag_reasm_finish" and .event == "CREATE")) |
    group_by(.ip_version) | map([.[0].ip_version, length]) == [[4, '$N'], [6, '$N']]'
check_jq "nothing is inconsistent" large '.[-1].inconsistent == 0 and .[-1].long_lists == 0'

# --- a TCP stream, and in the same run GRO by list, which is taken apart where it goes on; as text ---------------------
ethtool_in a va sg on gso on tso on
cat >"$WORK/tcp.py" <<'PY'
import socket, sys
if sys.argv[1] == "server":
    s = socket.create_server(("10.77.2.2", 5001))
    print("ready", flush=True)
    c = s.accept()[0]
    while c.recv(1 << 16):
        pass
else:
    c = socket.create_connection(("10.77.2.2", 5001))
    c.sendall(bytes(2000000))
    c.shutdown(socket.SHUT_WR)
    c.recv(1)
PY
bg_in b tcp_server python3 "$WORK/tcp.py" server
wait_for 30 grep -q ready tcp_server.out
lab_spawn list txt nsenter --net=/run/netns/r "$NETTRACE" skb_frag_list_watcher --check deep --rate 0 -v --exclude-access
lab_wait_line list "$WORK/list.txt" '^skb_frag_list_watcher'
in_a python3 "$WORK/tcp.py" client
lab_wait_exit tcp_server 10
# veth has GRO from 5.13 on
if kernel_at_least 5.13; then
    ethtool_in a va tx-udp-segmentation off tso off
    ethtool_in r ra gro on rx-gro-list on
    ethtool_in r rb tx-gso-list off
    bg_in b server python3 "$WORK/udp.py" server $((10 * N)) 1000 0 10.77.2.2
    wait_for 30 grep -q ready server.out
    in_a python3 "$WORK/udp.py" client $N 10000 1000 10.77.2.2
    wait_for 30 grep -q done server.out
    lab_wait_exit server 10
    # a list of two that a pull uses up, after which it is missing
    if have_module act_pedit && have_module cls_matchall; then
        tc -n r qdisc add dev ra clsact
        tc -n r filter add dev ra ingress matchall action pedit munge offset 224 u32 set 0 pipe action drop
        in_a python3 "$WORK/udp.py" client $N 200 100 10.77.2.2
        pulled=$N
    fi
fi
settle a r b
nt_stop list
head -n 20 list.txt
grep -A 12 -m 1 INCONSISTENT list.txt || true
tail -n 8 list.txt
# row FUNCTION: its numbers of CREATE, CLEAR, MODIFY, ACCESS, INCONSISTENT
row() { awk -v name="$1" '/^function/ { table = 1 } table && $1 == name { $1 = ""; print substr($0, 2) }' list.txt; }
pulled=${pulled:-0}
check "nothing is lost" "$(grep -c '^warning' list.txt)" == 0
check "TCP: no list" "$(grep -c ': tcp ' list.txt)" == 0
check "lines fit" "$(awk 'length > 100' list.txt | wc -l)" == 0
if kernel_at_least 5.13; then
    check "GRO makes lists, and adds to them" "$(row skb_gro_receive_list)" == "$((N + pulled)) 0 $((8 * N)) 0 0"
    check "GRO tells how to segment them" "$(row ip_forward)" == "0 0 $N 0 0"
    check "they are taken apart" "$(row skb_segment_list)" == "0 $N 0 0 0"
    check "GSO of lists" "$(grep -A 4 ' MODIFY  *ip_forward ' list.txt | grep -c 'gso 10 x 1000 bytes, .*FRAGLIST')" == $N
    check "between two functions" "$(grep -A 1 ' MODIFY  *ip_forward ' list.txt |
        grep -c '^    between skb_gro_receive_list and ip_forward$')" == $N
fi
if [ $pulled != 0 ]; then
    check "a pull uses lists up, and that does not fit together" "$(row __pskb_pull_tail)" == "0 $N $N 0 $N"
    check "the lists" "$(grep -cE ' CLEAR +__pskb_pull_tail +frag_list 0x[0-9a-f]+ -> none$' list.txt)" == $N
    check "the rule" "$(grep -c '^    to be segmented by its frag_list, which is not there$' list.txt)" == $N
    check "the way" "$(grep -A 8 INCONSISTENT list.txt | grep -c '^        skb_gro_receive_list$')" == $N
    tc -n r qdisc del dev ra clsact
fi
check "inconsistent" "$(row all | awk '{ print $5 }')" == $pulled

# --- entries only, under the old name ---------------------------------------------------------------------------
ethtool_in a va sg off
ln -s "$NETTRACE" "$WORK/skb_frag_list_watcher_kprobe_only.py"
lab_spawn old json nsenter --net=/run/netns/a "$WORK/skb_frag_list_watcher_kprobe_only.py" --json -s 10.77.1.1 --rate 0
lab_wait_line old "$WORK/old.json" '"type": *"start"'
datagrams $N 8000 10.77.2.2
nt_stop old
lost_zero old
check_jq "no returns are hooked" old '.[0].hooks | length > 5 and all(.via | test("fexit|kretprobe") | not)'
check_jq "lists come by, and are gone" old 'map(select(.type == "event" and .seen_at == "ip_do_fragment" and .event == "ACCESS")) |
    length == '$N' and all(.before == null)'
check_jq "between two functions" old 'map(select(.event == "CLEAR")) | length == '$N' and
    all(.seen_at == "net_dev_queue" and .since == "ip_do_fragment")'
nt_run badport 2 skb_frag_list_watcher --vxlan-port 0
