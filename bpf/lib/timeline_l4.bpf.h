/* SPDX-License-Identifier: GPL-2.0 */
/* The last stages of what is received, by IP and its transport protocols; and packets that are freed on the way. */
#ifndef NT_BPF_TIMELINE_L4_H
#define NT_BPF_TIMELINE_L4_H

#include "lib/timeline_dev.bpf.h"

NT_FUNC(ip_rcv, struct sk_buff *skb)
{
	nt_tl_pass(ctx, direct, skb, NULL, NT_DIR_RX, NT_TL_IP_RCV);
	return 0;
}

NT_FUNC(ip6_rcv, struct sk_buff *skb)
{
	nt_tl_pass(ctx, direct, skb, NULL, NT_DIR_RX, NT_TL_IP_RCV);
	return 0;
}

#if !NT_TL_LEGS
NT_INLINE void nt_tl_delivered(void *ctx, const bool direct, struct sk_buff *skb, const __u16 eth_type)
{
	struct nt_timeline *l = nt_track_of(skb);
	__u64 now = bpf_ktime_get_ns();
	__u32 ended = NT_TL_COMPLETE;
	struct nt_cur *c;
	bool same = true;

	if (l) {
		c = nt_cur_get();
		if (!c)
			return;
		nt_cur_init(direct, c, skb, NT_AT_L3);
		c->eth_type = eth_type;
		nt_cur_parse_all(c);
		same = nt_tl_same(c, l);
	} else if (nt_tl_wants(NT_DIR_RX)) {
		l = nt_tl_by_alias(direct, skb, NT_AT_L3, NULL, eth_type, NT_TL_CLONE);
	}
	if (!l)
		return;
	if (!same)
		nt_stat_add(NT_STAT_UNMATCHED, 1);
	if (!same || l->direction != NT_DIR_RX) {	/* another packet; or sent to ourselves */
		ended = NT_TL_ELSEWHERE;
	} else {
		if (l->flags & NT_TL_FRAGMENTED)
			l->flags |= NT_TL_REASSEMBLED;
		nt_tl_stamp(ctx, direct, l, skb, NULL, NT_TL_L4_RCV, now);
	}
	nt_tl_end(ctx, (__u64)skb, l, ended, now);
}

#endif

#define NT_TL_L4(stem, eth)				\
NT_FUNC(stem, struct sk_buff *skb)			\
{							\
	nt_tl_delivered(ctx, direct, skb, eth);		\
	return 0;					\
}
NT_TL_L4(icmp_rcv, NT_ETH_P_IP)
NT_TL_L4(icmp6_rcv, NT_ETH_P_IPV6)
#if !NT_TL_LEGS
NT_TL_L4(tcp_rcv, NT_ETH_P_IP)
NT_TL_L4(udp_rcv, NT_ETH_P_IP)
NT_TL_L4(tcp6_rcv, NT_ETH_P_IPV6)
NT_TL_L4(udp6_rcv, NT_ETH_P_IPV6)
#endif

NT_TP(kfree_skb, struct sk_buff *skb, void *location)
{
	nt_tl_freed(ctx, skb, location);
	return 0;
}

#endif
