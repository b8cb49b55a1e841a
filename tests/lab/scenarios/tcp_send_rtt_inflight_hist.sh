# Segments sent against data_segs_out of the socket, exactly, also under loss; what held the sender back.
# ci: 6.1
# clock: instructions
# timeout: 400

need_cmd ss
need_kprobes
need_module sch_netem
TOOL=tcp_send_rtt_inflight_hist
topo_pair
. "$LAB_DIR/stream.sh"
netem va a delay 20ms limit 10000

bg_in b sink "$SEND" tcp-sink --port 5001
bg_in b narrow "$SEND" tcp-sink --port 5002 --rcvbuf 16384
for name in sink narrow; do wait_for 10 grep -q ready $name.out; done

# --- large packets and small ones ----------------------------------------------------------------------
nt_start auto $TOOL -l 10.77.0.1 -i 0.5
nt_start raw $TOOL -r 10.77.0.2 -i 1000 --attach kprobe --2d -b
nt_start tenth $TOOL -R 5001 -i 1000 -s 10
nt_start receiver $TOOL -l 10.77.0.2 -i 1000
stream large --to 10.77.0.2 --port 5001 --bytes 5000000
in_a ss -tinH dport = 5001 >ss.txt
ip -n a link set va gso_max_segs 1
stream small --to 10.77.0.2 --port 5001 --bytes 1000000
for name in auto raw tenth receiver; do nt_stop $name; done
stream_end large
stream_end small
ip -n a link set va gso_max_segs 65535
for name in auto raw tenth receiver; do lost_zero $name; done
note "$(tail -n 1 large.out)"
note "$(tail -n 1 small.out)"
check "ss and TCP_INFO agree" "$(sed -n 's/.* data_segs_out:\([0-9]*\) .*/\1/p' ss.txt)" == "$(info large data_segs_out)"
check_jq "segments are data_segs_out, bytes bytes_sent" auto ".[-1] | .segments_sent == $(($(info large data_segs_out) + $(info small data_segs_out))) and
    .bytes_sent == 6000000 and .retransmitted.segments == 0 and .skbs_sent_again == 0 and .without_srtt == 0 and .samples == .skbs_sent"
check_jq "by connection, too" auto ".[-1].top | sort_by(.bytes_sent) | map([.segments_sent, .bytes_sent]) ==
    [[$(info small data_segs_out), 1000000], [$(info large data_segs_out), 5000000]]"
check_jq "packets of many segments, and of one" auto '.[-1].top | sort_by(.bytes_sent) | (.[0] | .skbs_sent == .segments_sent) and
    (.[1] | .skbs_sent < .segments_sent / 5)'
check_jq "smoothed RTT of 20 ms" auto '.[-1] | .srtt.min >= 20000 and .srtt.p50 < 21000 and .rtt.min >= 20000 and .rtt.p50 < 21500'
check_jq "never more than the window" auto '.[-1] | .inflight.max <= .cwnd.max and .inflight.min == 0'
check "intervals add up" "$(jq_get auto '[.[] | select(.type == "interval")] | [map(.segments_sent), map(.samples), map(.rtt.count), map(.bytes_sent)] | map(add)')" == \
    "$(jq_get auto '.[-1] | [.segments_sent, .samples, .rtt.count, .bytes_sent]')"
check_jq "kprobes" raw '.[0].hooks | map(.via) == ["kprobe", "kprobe", "raw_tp"]'
check "kprobes: the same" "$(jq_get raw '.[-1] | [.segments_sent, .skbs_sent, .bytes_sent, .samples, .inflight.sum, .cwnd.sum]')" == \
    "$(jq_get auto '.[-1] | [.segments_sent, .skbs_sent, .bytes_sent, .samples, .inflight.sum, .cwnd.sum]')"
check_jq "one of ten: all are counted" tenth ".[-1] | .segments_sent == $(jq_get auto '.[-1].segments_sent') and .not_sampled == .skbs_seen - ((.skbs_seen + 9) / 10 | floor)
    and .samples + .not_sampled == .skbs_seen and .srtt.count == .samples"
check_jq "the other end sends nothing" receiver '.[-1] | .segments_sent == 0 and .samples == 0'

# --- what held it back ------------------------------------------------------------------------------------
nt_start rwnd $TOOL -R 5002 -i 1000
nt_start app $TOOL -R 5001 -i 1000
stream narrow1 --to fd77::2 --port 5002 --bytes 400000
stream slow --to fd77::2 --port 5001 --bytes 200000 --chunk 1000 --rate 100000
nt_stop rwnd
nt_stop app
stream_end narrow1
stream_end slow
nt_start_text text $TOOL -R 5001 -i 1000
stream little --to fd77::2 --port 5001 --bytes 1000000
nt_stop text
stream_end little
for name in rwnd app; do
    lost_zero $name
    note "$name: $(jq_get $name '.[-1] | [.samples, .limited]')"
done
check_jq "the receiver's window" rwnd ".[-1] | .limited.rwnd > 0.7 * .samples and .top[0].src_ip == \"fd77::1\" and .segments_sent == $(info narrow1 data_segs_out)"
check_jq "nothing: it has no more" app ".[-1] | .limited.none > 0.9 * .samples and .segments_sent == $(info slow data_segs_out) and .skbs_sent == 200
    and .bytes_sent == 200000"
check "text: what was sent" "$(grep -cE '^sent: [0-9,]+ segments in [0-9,]+ packets, .*iB \([0-9.]+ Mbit/s\)$' text.txt)" == 1
check "text: not wider than 100" "$(awk 'length > 100' text.txt | wc -l)" == 0

# --- loss -----------------------------------------------------------------------------------------------------
ip -n a link set va gso_max_segs 1
netem va a delay 5ms loss 5% limit 10000
nt_start lossy $TOOL -l 10.77.0.1 -i 1000
before=$(retrans_segs)
stream holes --to 10.77.0.2 --port 5001 --bytes 2000000
retrans=$(retrans_segs)
nt_stop lossy
netem va a delay 5ms
stream_end holes
lost_zero lossy
note "$(tail -n 1 holes.out)"
# A SYN that is sent again has no data.
check_jq "under loss: every segment" lossy ".[-1] | .segments_sent == $(info holes data_segs_out) and .bytes_sent == $(info holes bytes_sent) and
    .retransmitted.segments == $((retrans - before)) and .retransmitted.segments >= 20 and .segments_sent_again <= .retransmitted.segments and
    .retransmitted.segments - .segments_sent_again <= 3 and .retransmitted.retrans_out_max_segments > 0 and .top[0].segments_sent_again == .segments_sent_again"
check "the socket's own count" "$(info holes total_retrans)" == "$((retrans - before))"
