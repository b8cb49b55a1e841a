# A buffer that is too small: what is not shown is counted, to the packet.
# ci: 5.10 new
# where: guest host
# timeout: 400

TRAFFIC=$REPO/build/tests/traffic
topo_pair

N=20000
# flood NAME: N drops for the running tool NAME, which is stopped while they come.
flood() {
    kill -STOP "$(pid_of "$1")"
    in_a "$TRAFFIC/nt-send" udp --to 10.77.0.2 --port 9 --size 18 --rate 0 --count $((N / 2))
    kill -CONT "$(pid_of "$1")"
    in_a "$TRAFFIC/nt-send" udp --to 10.77.0.2 --port 9 --size 18 --rate 0 --count $((N / 2))
}
buffer_lost() { jq -r 'select(.type == "end").lost | [.buffer, .map_full, .evicted, .probe_missed, .unmatched] | join(" ")' "$1.json"; }

for kind in ring perf; do
    extra=()
    [ $kind = ring ] || extra=(--perf-buffer)
    nt_start_in b $kind eth_drop -i vb --rate 0 --buffer-size 4096 "${extra[@]}" 'udp port 9'
    flood $kind
    nt_stop $kind
    shown=$(grep -c '"type":"event"' $kind.json)
    read -r lost others <<<"$(buffer_lost $kind)"
    check "$kind: some are lost" "$lost" '>' 0
    check "$kind: some are shown" "$shown" '>' 0
    check "$kind: shown and lost" $((shown + lost)) == $N
    check "$kind: other losses" "$others" == "0 0 0 0"
    check "$kind: events of the end line" "$(jq -r 'select(.type == "end").events' $kind.json)" == "$shown"
    check "$kind: totals" "$(jq -r 'select(.type == "end").totals | map(.count) | add' $kind.json)" == "$shown"

    lab_spawn text$kind txt nsenter --net=/run/netns/b "$NETTRACE" eth_drop -i vb --rate 0 --buffer-size 4096 \
        "${extra[@]}" -n 'udp port 9'
    lab_wait_line text$kind text$kind.txt '^eth_drop on'
    flood text$kind
    nt_stop text$kind
    shown=$(grep -c ' udp .* port 9 ttl ' text$kind.txt)
    lost=$(sed -n 's/^warning: \([0-9,]*\) events did not fit the buffer.*/\1/p' text$kind.txt | tail -n 1 | tr -d ,)
    check "$kind, text: shown and lost" $((shown + ${lost:-0})) == $N
done

# Beyond --rate: counted, not shown, and not lost.
nt_start_in b limit eth_drop -i vb --rate 100 'udp port 9'
in_a "$TRAFFIC/nt-send" udp --to 10.77.0.2 --port 9 --rate 0 --count 5000
nt_stop limit
lost_zero limit
check_jq "limited" limit '(map(select(.type == "event")) | length) as $shown | .[-1] |
    $shown < 5000 and $shown == .events and .rate_limited + .events == 5000 and .matched == 5000'
