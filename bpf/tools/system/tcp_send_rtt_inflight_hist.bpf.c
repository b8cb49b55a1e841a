// SPDX-License-Identifier: GPL-2.0
/* How connections are doing whenever a segment with data is given to IP. */
#include "lib/tcp.bpf.h"

NT_LICENSE;

NT_TCP_RTT_HOOK
NT_TCP_RETRANSMIT_HOOK

NT_INLINE void sent(struct nt_tcp_conn *v, __u32 segments, __u32 bytes, bool again)
{
	nt_stat_add(NT_STAT_TCP_SKBS, 1);
	nt_stat_add(NT_STAT_TCP_SEGMENTS, segments);
	nt_stat_add(NT_STAT_TCP_BYTES, bytes);
	if (again) {
		nt_stat_add(NT_STAT_TCP_AGAIN_SKBS, 1);
		nt_stat_add(NT_STAT_TCP_AGAIN_SEGMENTS, segments);
	}
	if (!v)
		return;
	__sync_fetch_and_add(&v->skbs, 1);
	__sync_fetch_and_add(&v->segments, segments);
	__sync_fetch_and_add(&v->bytes, bytes);
	if (again)
		__sync_fetch_and_add(&v->again_segments, segments);
}

/*
 * On either function the packet is its payload alone, and is not yet among
 * packets_out unless it was sent before: new data begins at snd_nxt.
 */
NT_FUNC(transmit, struct sock *sk, struct sk_buff *skb)
{
	__u32 bytes = NT_GET(direct, skb, len);
	struct nt_tcp_work *w;
	struct nt_tcp_conn *v;
	__s32 ahead;

	if (!bytes)
		return 0;
	w = nt_tcp_wanted(direct, sk);
	if (!w)
		return 0;
	v = nt_tcp_conn_of(&w->key);
	ahead = BPF_CORE_READ(nt_tcp_cb(skb), seq) - NT_TCP_GET(sk, snd_nxt);
	sent(v, nt_tcp_segments(skb), bytes, ahead < 0);
	if (!nt_tcp_chosen())
		return 0;
	nt_tcp_read(sk, &w->state);
	nt_tcp_sample(v, &w->state);
	return 0;
}
