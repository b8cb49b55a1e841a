# Lists of skbs in known numbers: large datagrams, fragments put together, GRO by list; a TCP stream with none.
# ci: 6.12
# timeout: 300

need_kprobes
need_cmd python3 ethtool nft
topo_router
nft_warm
N=20
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

# --- large datagrams: made with a list, sent as fragments --------------------------------------------
ethtool_in() { in_ns "$1" ethtool -K "$2" "${@:3}" >/dev/null; }
ethtool_in a va sg off
nt_start_in a made skb_frag_list_watcher --check deep --rate 0 -s 10.77.1.1
nt_start_in a six skb_frag_list_watcher --check deep --rate 0 -d fd77:2::2 --dst-port 5000 -t
nt_start_in a dev skb_frag_list_watcher --exclude-access --rate 0 -i va
nt_start_in a none skb_frag_list_watcher --rate 0 --dst-port 5001 udp
datagrams $N 8000 10.77.2.2 fd77:2::2
for name in made six dev none; do nt_stop $name; lost_zero $name; done
check "IPv4: made with a list" "$(number made __ip_make_skb create)" == $N
check "IPv4: sent without" "$(number made ip_do_fragment clear)" == $N
check_jq "nothing is inconsistent" made '.[-1].inconsistent == 0 and .[-1].long_lists == 0'
check_jq "IPv4: as they are made" made 'map(select(.function == "__ip_make_skb")) | length == '$N' and all(
    .event == "CREATE" and .before.frag_list == null and (.after.frag_list | startswith("0x")) and
    .after.len_bytes == 8028 and .after.nr_frags == 0 and .after.data_len_bytes == 8028 - 1500 and .ifname == "va" and
    .protocol == "udp" and .src_ip == "10.77.1.1" and .dst_ip == "10.77.2.2" and .src_port == 4000 and
    .dst_port == 5000 and .comm == "python3" and .rules == [])'
check_jq "IPv4: as they are cut" made 'map(select(.function == "ip_do_fragment" and .event == "CLEAR")) |
    all(.after.frag_list == null and (.before.frag_list | startswith("0x")) and .before.len_bytes == 8028 and
    .after.len_bytes <= 1514 and .after.data_len_bytes == 0 and .seen_at == "net_dev_queue" and .ifname == "va")'
check "IPv6: made with a list" "$(number six __ip6_make_skb create)" == $N
check "IPv6: sent without" "$(number six ip6_fragment clear)" == $N
check_jq "IPv6: ports, stacks" six 'map(select(.function == "__ip6_make_skb")) | all(.dst_ip == "fd77:2::2" and
    .src_port == 4000 and .dst_port == 5000 and (.stack | any(test("^udpv6_sendmsg"))))'
check "by device: IPv4" "$(number dev __ip_make_skb create) $(number dev ip_do_fragment clear)" == "$N $N"
check "by device: IPv6" "$(number dev __ip6_make_skb create) $(number dev ip6_fragment clear)" == "$N $N"
check_jq "without ACCESS" dev 'all(.event != "ACCESS")'
check_jq "another port" none '.[-1] | .create == 0 and .clear == 0 and .events == 0'

# --- fragments that connection tracking puts together ---------------------------------------------------
in_b nft 'add table inet t; add chain inet t c { type filter hook prerouting priority 0; }; add rule inet t c ct state invalid drop'
nt_start_in b reassembled skb_frag_list_watcher --check deep --rate 0
datagrams $N 8000 10.77.2.2 fd77:2::2
nt_stop reassembled
lost_zero reassembled
in_b nft delete table inet t
check "put together, both versions" "$(number reassembled inet_frag_reasm_finish create)" == $((2 * N))
check_jq "what they are" reassembled 'map(select(.function == "inet_frag_reasm_finish" and .event == "CREATE")) |
    group_by(.ip_version) | map([.[0].ip_version, length]) == [[4, '$N'], [6, '$N']]'
check_jq "nothing is inconsistent" reassembled '.[-1].inconsistent == 0'

# --- a TCP stream -----------------------------------------------------------------------------------------
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
nt_start stream skb_frag_list_watcher --check deep --rate 0 -p tcp
in_a python3 "$WORK/tcp.py" client
settle a b
nt_stop stream
lost_zero stream
lab_wait_exit tcp_server 10
check_jq "TCP: nothing is inconsistent" stream '.[-1] | .inconsistent == 0 and .create == .clear and .packets > 20'

# --- GRO by list, taken apart where it goes on; pulled until nothing is left (veth has GRO from 5.13 on) ------
if kernel_at_least 5.13; then
    ethtool_in a va tx-udp-segmentation off tso off
    ethtool_in r ra gro on rx-gro-list on
    ethtool_in r rb tx-gso-list off
    settle a r b
    nt_start_in r list skb_frag_list_watcher --check deep --rate 0
    bg_in b server python3 "$WORK/udp.py" server $((10 * N)) 1000 0 10.77.2.2
    wait_for 30 grep -q ready server.out
    in_a python3 "$WORK/udp.py" client $N 10000 1000 10.77.2.2
    wait_for 30 grep -q done server.out
    lab_wait_exit server 10
    nt_stop list
    lost_zero list
    check "GRO makes lists" "$(number list skb_gro_receive_list create)" == $N
    check "and adds to them" "$(number list skb_gro_receive_list modify)" == $((8 * N))
    check "they are taken apart" "$(number list skb_segment_list clear)" == $N
    check "forwarded with them" "$(number list ip_forward access)" == $N
    check_jq "GSO of lists" list 'map(select(.function == "skb_segment_list" and .event == "CLEAR")) | all(
        .before.gso_type | test("FRAGLIST")) and all(.before.gso_segs == 10 and .before.gso_size_bytes == 1000)'
    check_jq "nothing is inconsistent" list '.[-1].inconsistent == 0'

    if have_module act_pedit && have_module cls_matchall; then
        tc -n r qdisc add dev ra clsact
        tc -n r filter add dev ra ingress matchall action pedit munge offset 224 u32 set 0 pipe action drop
        nt_start_in r pulled skb_frag_list_watcher --rate 0 --exclude-access
        nt_start_text wrong skb_frag_list_watcher -g -v
        in_a python3 "$WORK/udp.py" client $N 200 100 10.77.2.2
        settle a r b
        nt_stop pulled
        nt_stop wrong
        lost_zero pulled
        check "a pull uses lists up" "$(number pulled __pskb_pull_tail clear)" == $N
        check_jq "that does not fit together" pulled '.[-1].inconsistent == '$N' and (map(select(.event == "INCONSISTENT")) |
            length == '$N' and all(.function == "__pskb_pull_tail" and .after.gso_size_bytes == 100 and
            .rules == ["to be segmented by its frag_list, which is not there"] and
            (.history | any(. == "skb_gro_receive_list"))))'
        check "text: the rule" "$(grep -c '^    to be segmented by its frag_list' wrong.txt)" == $N
        check "text: lines fit" "$(awk 'length > 100' wrong.txt | wc -l)" == 0
        head -n 30 wrong.txt
        grep -A 14 INCONSISTENT wrong.txt | head -n 16
        tail -n 12 wrong.txt
    fi
fi

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
