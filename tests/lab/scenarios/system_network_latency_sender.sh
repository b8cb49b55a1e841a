# Who sends a packet: a process by name and number, or a softirq on top of any, which is nobody's; and the stack of the
# slowest way.
# clock: instructions
# ci: 5.10 6.12
# timeout: 300

need_kprobes
need_cmd python3
topo_pair
SEND=$REPO/build/tests/traffic/nt-send
bg_in b sink "$SEND" tcp-sink --port 5001
wait_for 20 grep -q ready sink.out
nt_start_in a ours system_network_latency_details --phy-interface va --direction tx --rate 0 --stacks
nt_start_in b theirs system_network_latency_details --phy-interface vb --direction tx --rate 0
lab_spawn text txt nsenter --net=/run/netns/a "$NETTRACE" system_network_latency_details --phy-interface va --direction tx --rate 0 --protocol udp
lab_wait_line text "$WORK/text.txt" .
nt_start_in a metrics system_network_performance_metrics --phy-interface va --direction tx --rate 0 --protocol udp
nt_start_in b into system_network_latency_details --phy-interface vb --direction rx --rate 0 --stacks --protocol udp
nt_start_in b waits enqueue_to_iprec_latency_threshold -i vb -t 0.001 --rate 0 --protocol udp
in_a ping -n -q -c 10 -i 0.02 10.77.0.2 >/dev/null
in_a ping -n -q -c 10 -i 0.02 fd77::2 >/dev/null
in_a python3 -c '
import os, socket
print(os.getpid())
for family, to in (socket.AF_INET, "10.77.0.2"), (socket.AF_INET6, "fd77::2"):
    s = socket.socket(family, socket.SOCK_DGRAM)
    for i in range(10):
        s.sendto(b"%020d" % i, (to, 5009))' >pid.out
in_a "$SEND" tcp-send --to 10.77.0.2 --port 5001 --bytes 2000000 >tcp.out
settle a b
for name in ours theirs text metrics into waits; do nt_stop $name; done
for name in ours theirs metrics into waits; do lost_zero $name; done
check_jq "somebody has sent each" ours 'map(select(.type == "event")) | length > 50 and all((.pid > 0) != (.flags | index("by_softirq") != null))'
check_jq "ping" ours 'map(select(.type == "event" and (.protocol | startswith("icmp")) and .pid)) | length == 20 and all(.comm == "ping")'
check_jq "datagrams" ours "map(select(.type == \"event\" and .dst_port == 5009)) | length == 20 and
    all(.pid == $(cat pid.out) and .tid == .pid and .comm == \"python3\")"
check_jq "the sender of a stream, or the softirq that took an acknowledgement" ours 'map(select(.type == "event" and .protocol == "tcp")) |
    (map(select(.pid)) | length > 0 and all(.comm == "nt-send")) and (map(select(.flags | index("by_softirq"))) | length > 0)'
check_jq "answers are nobody's" theirs 'map(select(.type == "event" and (.protocol | startswith("icmp")))) | length >= 20 and
    all((.flags | index("by_softirq")) and .pid == null and .comm == null)'
check_jq "SYN-ACK" theirs 'map(select(.type == "event" and .protocol == "tcp")) | .[0] | .tcp_flags == "SYN|ACK" and (.flags | index("by_softirq"))'
check_jq "another tool" metrics "map(select(.type == \"event\")) | length == 20 and all(.pid == $(cat pid.out))"
check "text" "$(grep -c ", sent by python3 $(cat pid.out)/$(cat pid.out)" text.txt)" == 20

# one() STAGES: the one stage that has a stack, which is the slowest.
one='def one: map(select(.stack)) as $with | (map(.delta_us) | max) as $most | ($with | length) == 1 and $with[0].delta_us == $most;'
check_jq "a stack of each" ours "$one"' map(select(.type == "event")) | all(.stages | one)'
check_jq "what led to the device's queue" ours 'map(select(.type == "event").stages[-1]) | all(.stage == "phy_queue" and
    (.stack | any(startswith("__dev_queue_xmit")) and any(test("^ip6?_finish_output"))))'
check_jq "stacks of what was received" into "$one"' map(select(.type == "event")) | length == 20 and all(.stages | one) and
    all(.stages[] | select(.stack) | .stack | any(test("netif_receive_skb")))'
check_jq "each of its own stage" into 'map(select(.type == "event").stages[] | select(.stack)) |
    all(.stage as $stage | .stack[0:3] | any(test(if $stage == "ip_rcv" then "_rcv_core" else "deliver|^udp" end)))'
check_jq "where the backlog was emptied" waits "$one"' map(select(.type == "event")) | length == 20 and all(.stages | one) and
    all(.stages[] | select(.stack) | .stack | any(startswith("process_backlog")))'
check_jq "none unless asked for" theirs 'map(select(.type == "event").stages[]) | all(.stack == null)'
check "text" "$(awk 'length > 100' text.txt | grep -vc "sent by")" == 0
