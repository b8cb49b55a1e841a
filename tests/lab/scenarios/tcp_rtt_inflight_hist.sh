# RTT, in flight and window of streams behind netem, against the socket's own TCP_INFO, ss and the MIB counters.
# ci: 6.1
# clock: instructions
# timeout: 400

need_cmd ss python3
need_module sch_netem
TOOL=tcp_rtt_inflight_hist
topo_pair
. "$LAB_DIR/stream.sh"
netem va a delay 20ms limit 10000
netem vb b delay 20ms limit 10000

# The window is that of the receiver's buffer; the sink's socket is IPv6, its ends are v4-mapped.
bg_in b sink "$SEND" tcp-sink --port 5001 --rcvbuf 262144
wait_for 10 grep -q ready sink.out

# --- 40 ms, a window of the receiver ------------------------------------------------------------------
nt_start sender $TOOL -l 10.77.0.1 -R 5001 -i 0.5
nt_start raw $TOOL -l 10.77.0.2 -r 10.77.0.0/31 -R 5001 -i 1000 --attach kprobe --2d -b    # exchanged: it matches
nt_start receiver $TOOL -l 10.77.0.2 -i 1000
nt_start every $TOOL --laddr 10.77.0.2/32 --lport 5001 -i 1000 --all-segments
nt_start acks $TOOL -l 10.77.0.0/24 -R 5000-5001 -i 1000 --acks-only
nt_start tenth $TOOL -R 5001 -i 1000 --sample-rate 10
nt_start none $TOOL -l 10.77.0.1 -R 5002 -i 1000
stream plain --to 10.77.0.2 --bytes 24000000
in_a ss -tinH dport = 5001 >ss.txt
for name in sender raw receiver every acks tenth none; do nt_stop $name; done
stream_end plain
for name in sender raw receiver every acks tenth none; do lost_zero $name; done
note "$(tail -n 1 plain.out)"
note "$(tr -s '\n\t' ' ' <ss.txt)"
check_jq "smoothed RTT of 40 ms" sender '.[-1].srtt | .p50 >= 40000 and .p50 < 41500 and .min >= 40000'
check_jq "a single RTT for each acknowledgement" sender '.[-1] | .rtt.count >= 100 and .rtt.min >= 40000 and .rtt.p50 < 41500
    and .rtt.count + .acks_without_rtt <= .segments_seen + 1'    # that of the SYN, too
check_jq "in flight: the receiver's window, in segments of the MSS" sender ".[-1] | .inflight_bytes.max <= 524288 and
    .inflight_bytes.p50 > 100000 and .inflight_bytes.max == .inflight.max * $(info plain mss) and .inflight.max == .packets_out.max"
check_jq "bandwidth: what the stream had" sender "(.[-1].bandwidth.p50 / ($(info plain bytes) * 8e-6 / $(info plain seconds))) | . > 0.9 and . < 1.15"
check_jq "held back by the receiver, once started" sender '.[-1].limited | .rwnd > 0.7 * (.none + .cwnd + .rwnd + .sndbuf)'
check_jq "one connection, its ends and its last state as TCP_INFO has it" sender ".[-1] | .connections == 1 and (.top[0] |
    .src_ip == \"10.77.0.1\" and .dst_ip == \"10.77.0.2\" and .dst_port == 5001 and .samples > 100 and .retransmitted_segments == 0 and
    .last.cwnd_segments <= $(info plain cwnd) and .last.cwnd_segments * 1.07 + 2 >= $(info plain cwnd) and .last.mss_bytes == $(info plain mss)
    and (.last.srtt_us - $(info plain rtt_us) | fabs) < 2600 and .rtt_min_us <= $(info plain min_rtt_us) + 1000)"
check "ss agrees about the RTT" "$(sed -n 's/.* rtt:\([0-9]*\)\..*/\1/p' ss.txt)" '>=' 40
check "ss agrees about the window" "$(sed -n 's/.* cwnd:\([0-9]*\) .*/\1/p' ss.txt)" == "$(info plain cwnd)"
check_jq "intervals add up" sender '(map(select(.type == "interval")) | (map(.samples) | add), (map(.rtt.count) | add), (map(.cwnd.count) | add)) as $n |
    $n == .[-1].samples or $n == .[-1].rtt.count' # each of the three
check_jq "rows add up, too" sender '([.[] | select(.type == "interval") | .top[].samples] | add) == .[-1].top[0].samples and
    .[-1].top[0].samples == .[-1].samples'
check_jq "raw tracepoint and kprobe" raw '.[0].hooks | map(.via) == ["raw_tp", "kprobe", "raw_tp"]'
check "raw: the same samples" "$(jq_get raw '.[-1] | [.samples, .segments_seen, .inflight.sum, .cwnd.max]')" == \
    "$(jq_get sender '.[-1] | [.samples, .segments_seen, .inflight.sum, .cwnd.max]')"
# Before 6.7 the kernel does not tell that it left a kprobe out.
check_jq "raw: the same single RTTs" raw ".[-1].rtt.count - $(jq_get sender '.[-1].rtt.count') | . <= 0 and
    . >= if $(kernel_at_least 6.7 && echo true || echo false) then 0 else -2 end"
check_jq "tables: every sample, in its place" raw '.[-1] | ([.bandwidth_steps.counts[]] | add) == .samples and .bandwidth_steps.counts[0] == .samples and
    ([.rtt_by_inflight[].count] | add) == .samples and ([.rtt_by_inflight[] | select(.srtt_from_us == 32768 and .inflight_from_bytes >= 65536) | .count] | add) > 0.8 * .samples'
check_jq "a receiver learns nothing but the time of its SYN" receiver '.[-1] | .samples == 0 and .segments_seen > 100 and
    .while_nothing_in_flight == .segments_seen and .rtt.count == 1'
check_jq "unless it is wanted" every ".[-1] | .samples + .without_srtt == .segments_seen and .segments_seen == $(jq_get receiver '.[-1].segments_seen')"
check_jq "acknowledgements of something new alone" acks ".[-1] | .samples + .nothing_acknowledged + .while_nothing_in_flight + .without_srtt == .segments_seen and
    .samples > 100 and .segments_seen == $(jq_get sender '.[-1].segments_seen')"
check_jq "one of ten" tenth ".[-1] | .segments_seen == $(jq_get sender '.[-1].segments_seen') and .not_sampled == .segments_seen - ((.segments_seen + 9) / 10 | floor)
    and .samples + .not_sampled + .while_nothing_in_flight == .segments_seen"
check_jq "the port is not that one" none '.[-1] | .samples == 0 and .segments_seen == 0'

# --- IPv6; a text to read -------------------------------------------------------------------------------
nt_start six $TOOL -r fd77::/64 -i 1000
nt_start four $TOOL -r 10.0.0.0/8 -i 1000
nt_start_text text $TOOL -l fd77::1 -i 1000 --bw-hist --2d
nt_start_text script $TOOL -l fd77::1 -i 1000 --raw
stream v6 --to fd77::2 --bytes 1000000
stream_end v6
for name in six four text script; do nt_stop $name; done
lost_zero six
check_jq "IPv6" six ".[-1] | (.top | map(select(.dst_port == 5001)) | .[0] | .src_ip == \"fd77::1\" and .dst_ip == \"fd77::2\" and .samples > 20 and
    .last.mss_bytes == $(info v6 mss)) and .srtt.min >= 40000"
check_jq "and no IPv4" four '.[-1].segments_seen == 0'
check "text: figures" "$(grep -cE '^(smoothed RTT|congestion window) +(us|segments) ' text.txt)" == 2
check "text: the connection" "$(grep -cE '^\[fd77::1\]:[0-9]+ +\[fd77::2\]:5001 ' text.txt)" == 1
check "text: not wider than 100" "$(awk 'length > 100' text.txt | wc -l)" == 0
check "for scripts" "$(cut -d ' ' -f 1 script.txt | grep -cE '^(HIST|STATS|RETRANS)$')" '>' 20

# --- loss: as many as the kernel counts -------------------------------------------------------------------
ip -n a link set va gso_max_segs 1     # netem drops packets as TCP makes them
for loss in 1 5; do
    netem va a delay 5ms loss $loss% limit 10000
    nt_start loss$loss $TOOL -l 10.77.0.1 -i 1000
    before=$(retrans_segs)
    stream lossy$loss --to 10.77.0.2 --bytes 3000000 --mss 1000
    stream_end lossy$loss
    wait_for 60 eval '[ -z "$(in_a ss -tnH state fin-wait-1 dport = 5001)" ]'
    nt_stop loss$loss
    after=$(retrans_segs)
    lost_zero loss$loss
    check_jq "$loss %: retransmitted segments" loss$loss ".[-1] | .retransmitted.segments == $((after - before)) and .retransmitted.segments > 5 and
        .retransmitted.packets <= .retransmitted.segments and .top[0].retransmitted_segments == .retransmitted.segments and
        .retransmitted.lost_out_max_segments > 0"
    check "$loss %: and the socket" "$(info lossy$loss total_retrans)" '<=' $((after - before))
done
