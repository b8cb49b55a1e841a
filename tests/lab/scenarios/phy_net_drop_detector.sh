# Probes lost in known numbers between the hosts, in either kernel, at the socket: what each verdict says.
# ci: 5.10
# where: guest host
# timeout: 300

need_cmd nft python3
ns_add a b c
# a - c - b, c routes: to a and b it is the network. It has no link-local address to ask neighbours from.
ip link add va netns a address 02:78:00:00:00:01 type veth peer name ca netns c address 02:78:00:00:00:0a
ip link add vb netns b address 02:78:00:00:00:02 type veth peer name cb netns c address 02:78:00:00:00:0b
ip -n a -batch - <<END
link set va up
address add 10.78.1.1/24 dev va
address add fd78:1::1/64 dev va nodad
route add default via 10.78.1.254
route add default via fd78:1::fe
neighbour replace 10.78.1.254 lladdr 02:78:00:00:00:0a dev va nud permanent
neighbour replace fd78:1::fe lladdr 02:78:00:00:00:0a dev va nud permanent
END
ip -n b -batch - <<END
link set vb up
address add 10.78.2.1/24 dev vb
address add fd78:2::1/64 dev vb nodad
route add default via 10.78.2.254
route add default via fd78:2::fe
neighbour replace 10.78.2.254 lladdr 02:78:00:00:00:0b dev vb nud permanent
neighbour replace fd78:2::fe lladdr 02:78:00:00:00:0b dev vb nud permanent
END
ip -n c -batch - <<END
link set ca up
link set cb up
address add 10.78.1.254/24 dev ca
address add 10.78.2.254/24 dev cb
address add fd78:1::fe/64 dev ca nodad
address add fd78:2::fe/64 dev cb nodad
neighbour replace fd78:1::1 lladdr 02:78:00:00:00:01 dev ca nud permanent
neighbour replace fd78:2::1 lladdr 02:78:00:00:00:02 dev cb nud permanent
END
in_ns c sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
wait_for 5 in_ns a ping -c 1 -W 1 10.78.2.1 >/dev/null
wait_for 5 in_ns a ping -c 1 -W 1 fd78:2::1 >/dev/null
reason() { if kernel_at_least 5.17; then echo "$1"; else echo -; fi; }

# drop NS HOOK MODULUS: one of MODULUS probes; their number is in the counter.
drop() {
    in_ns "$1" nft "add table inet t
        add chain inet t h { type filter hook $2 priority 0; }
        add rule inet t h udp dport 5555 @th,64,32 0x50485944 numgen inc mod $3 == 0 counter drop"
}
dropped() { in_ns "$1" nft -j list table inet t | jq '[.. | .counter? // empty | .packets][0]'; }
no_drop() { in_ns "$1" nft delete table inet t; }
# probe NAME ARGS...: a test of one second, 500 probes.
probe() {
    nt_start_in a "$1" phy_net_drop_detector -m sender -i va -d 1 -r 500 "${@:2}"
    nt_wait "$1" 60
    lost_zero "$1"
}

nt_start_in b receiver phy_net_drop_detector -m receiver -i vb

probe none --peer 10.78.2.1
check_jq "nothing lost" none '.[-1] | .verdict == "NO_DROP" and .sent == 500 and .received == 500 and .not_received == 0 and
    .receiver.out_of_order == 0 and .receiver.duplicates == 0 and .receiver.lowest_seq == 0 and .receiver.highest_seq == 499'
probe none6 --peer fd78:2::1 -s 1000
check_jq "nothing lost, IPv6" none6 '.[-1] | .verdict == "NO_DROP" and .sent == 500 and .received == 500'

drop c forward 50
probe network --peer 10.78.2.1
N=$(dropped c)
check "dropped by the network" "$N" == 10
check_jq "lost in the network" network ".[-1] | .verdict == \"PHYSICAL_NETWORK_DROP\" and .not_received == $N and
    .loss_pct == 2 and .receiver.longest_loss_run == 1 and .sender.kernel_drops == {} and .receiver.kernel_drops == {}"
probe threshold --peer fd78:2::1 --loss-threshold 5
check_jq "below the threshold" threshold '.[-1] | .verdict == "NO_DROP" and .not_received == 10'
no_drop c

drop b input 10
probe stack --peer fd78:2::1
check_jq "lost in the receiver's kernel" stack ".[-1] | .verdict == \"RECEIVER_STACK_DROP\" and .not_received == $(dropped b) and
    .not_received == 50 and .receiver.kernel_drops == {\"$(reason NETFILTER_DROP)\": 50}"
no_drop b

tc -n a qdisc add dev va root tbf rate 64kbit burst 3000 limit 3000
probe qdisc --peer 10.78.2.1
DROPS=$(tc -n a -s -j qdisc show dev va | jq '.[0].drops')
check "dropped by the bucket" "$DROPS" '>=' 250
check_jq "lost in the sender's kernel" qdisc ".[-1] | .verdict == \"SENDER_STACK_DROP\" and 
    (.sender.kernel_drops | add) == $DROPS and .not_received <= $DROPS and .not_received >= $DROPS - 3" # control messages
tc -n a qdisc del dev va root
nt_stop receiver
check_jq "the receiver's tests" receiver '(map(select(.type == "test")) | map(.received)) as $r |
    $r[0:3] == [500, 500, 490] and .[-1].tests == 6 and .[-1].events == 6'

# --- a receiver that does not read; then one without BPF at both ends ------------------
nt_start_in b slow phy_net_drop_detector -m receiver -i vb --once --rcvbuf 8192
nt_start_in a overrun phy_net_drop_detector -m sender -i va -d 3 -r 500 --peer 10.78.2.1
sleep 1
kill -STOP "$(pid_of slow)"
sleep 1.5
kill -CONT "$(pid_of slow)"
nt_wait overrun
nt_wait slow
check_jq "the receiver was too slow" overrun '.[-1] | .verdict == "RECEIVER_APP_OVERRUN" and .not_received > 100 and
    .receiver.socket_overflow >= .not_received / 2'

nt_start_in b plain phy_net_drop_detector -m receiver -i vb --once --without kfree_skb
drop c forward 50
probe blind --peer 10.78.2.1 --without kfree_skb
nt_wait plain
check_jq "without BPF" blind '.[-1] | .verdict == "PHYSICAL_NETWORK_DROP" and .not_received == 10 and
    .sender.kernel_drops_known == false and .receiver.kernel_drops_known == false'
check_jq "and it is said" blind '.[0] | .hooks == [] and (.missing_hooks | map(.name)) == ["kfree_skb"]'

# --- the script at the other end -----------------------------------------------------------
cat >script.py <<'END'
import socket, struct, sys, time
def control(kind): return struct.pack("!IB", 0x50485943, kind)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "receiver":
    sock.bind(("10.78.2.1", 5555))
    print("ready", flush=True)
    seen = []
    while True:
        data, peer = sock.recvfrom(2048)
        magic = struct.unpack("!I", data[:4])[0]
        if magic == 0x50485944:
            seen.append(struct.unpack("!I", data[4:8])[0])
        elif data[4] == 1:
            sock.sendto(control(2) + struct.pack("!IIII", len(seen), min(seen), max(seen), 0) +
                        struct.pack("!9Q", *range(9)) + struct.pack("!4Q", 0, 0, 0, 0), peer)
        else:
            sock.sendto(control(5), peer)
else:
    sock.settimeout(5)
    sock.sendto(control(3), ("10.78.2.1", 5555))
    assert sock.recv(100) == control(5)
    for seq in list(range(100)) + [50, 200, 150]:
        sock.sendto(struct.pack("!IIQ", 0x50485944, seq, 0) + bytes(48), ("10.78.2.1", 5555))
    sock.sendto(control(4), ("10.78.2.1", 5555))
    sock.recv(100)
    sock.sendto(control(1), ("10.78.2.1", 5555))
    answer = sock.recv(2000)
    assert answer[:5] == control(2)
    print(*struct.unpack("!IIII", answer[5:21]), flush=True)
END
bg_in b script python3 script.py receiver
wait_for 20 grep -q ready script.out
probe old --peer 10.78.2.1
bg_stop script
check_jq "the script as receiver" old '.[-1] | .not_received == 10 and .receiver.counters.rx_crc_errors == 1 and
    .receiver.counters.tx_fifo_errors == 8 and (.receiver | has("duplicates") | not) and .verdict == "PHYSICAL_NETWORK_DROP"'
no_drop c
nt_start_in b ours phy_net_drop_detector -m receiver -i vb --once --bind 10.78.2.1
check "the script as sender" "$(in_ns a python3 script.py sender)" == "102 0 200 1"
nt_wait ours
check_jq "its test" ours 'map(select(.type == "test")) | length == 1 and (.[0] | .received == 102 and .duplicates == 1 and
    .out_of_order == 1 and .longest_loss_run == 50)'

# --- text; what is wrong -------------------------------------------------------------------------
lab_spawn text txt nsenter --net=/run/netns/b "$NETTRACE" phy_net_drop_detector -m receiver -i vb --once
lab_wait_line text text.txt '^phy_net_drop_detector on'
check_ok "text: sender" in_ns a "$NETTRACE" phy_net_drop_detector -m sender -i va -d 0.5 -r 200 --peer 10.78.2.1 >sender.txt
nt_wait text
check "text: the verdict" "$(grep -c '^verdict: NO_DROP' sender.txt)" == 1
check "text: the receiver" "$(grep -c '^  received 100 (numbers 0 to 99), out of order 0, duplicates 0, longest loss 0' text.txt)" == 1
check "text: wide lines" "$(cat sender.txt text.txt | awk 'length > 100' | wc -l)" == 0
nt_run nopeer 2 phy_net_drop_detector -m sender -i lo
nt_run nomode 2 phy_net_drop_detector -i lo
nt_run alone 1 phy_net_drop_detector -m sender -i lo --peer 127.0.0.1
check "nobody answers: it is said" "$(grep -c 'no answer from the receiver: 127.0.0.1: start nettrace' alone.err)" == 1
