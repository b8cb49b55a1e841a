// SPDX-License-Identifier: GPL-2.0
/*
 * Packets of chosen devices in the per-CPU backlog: from enqueue_to_backlog to
 * the softirq that takes them out, and on to IP. The skb is one throughout.
 */
#include "lib/timeline_backlog.bpf.h"

NT_LICENSE;

NT_INLINE bool of_device(const bool direct, struct sk_buff *skb)
{
	struct net_device *dev = NT_GET(direct, skb, dev);

	return nt_devset_roles(NT_GET(direct, dev, ifindex), nt_dev_netns(direct, dev), NT_VLAN_NONE);
}

NT_FUNC_SKB(backlog_enq, NT_AT_DATA_L3, struct sk_buff *skb, void *cpu)
{
	struct net_device *dev = NT_GET(direct, skb, dev);
	struct nt_cur *c = nt_cur_get();
	struct nt_timeline *l;

	if (!c || !of_device(direct, skb))
		return 0;
	nt_cur_init(direct, c, skb, NT_AT_DATA_L3);
	nt_cur_dev(direct, c, dev);
	if (!nt_filter(c))
		return 0;
	nt_cur_parse(c);
	nt_tl_begin_without_alias(direct, skb, c, NT_DIR_RX);
	l = nt_track_of(skb);
	if (l)
		nt_tl_into_backlog(ctx, direct, l, skb, dev, (__u32)(__u64)cpu, l->start_ns);
	return 0;
}

NT_FUNC(backlog_deq, struct sk_buff *skb)
{
	struct nt_timeline *l = nt_track_of(skb);
	__u64 now = bpf_ktime_get_ns();

	if (!l)
		return 0;
	nt_tl_out_of_backlog(ctx, direct, l, skb, NULL, now);
	if (!(l->pkt.bits & NT_PKT_L3))		/* it goes to no IP */
		nt_tl_end(ctx, (__u64)skb, l, NT_TL_COMPLETE, now);
	return 0;
}

NT_INLINE void to_ip(void *ctx, const bool direct, struct sk_buff *skb)
{
	struct nt_timeline *l = nt_track_of(skb);
	__u64 now = bpf_ktime_get_ns();

	if (l) {
		nt_tl_stamp(ctx, direct, l, skb, NULL, NT_TL_IP_RCV, now);
		nt_tl_end(ctx, (__u64)skb, l, NT_TL_COMPLETE, now);
	} else if (of_device(direct, skb)) {
		nt_stat_add(NT_STAT_TL_DIRECT, 1);
	}
}

NT_FUNC_SKB(ip_rcv, NT_AT_L3, struct sk_buff *skb)
{
	to_ip(ctx, direct, skb);
	return 0;
}

NT_FUNC_SKB(ip6_rcv, NT_AT_L3, struct sk_buff *skb)
{
	to_ip(ctx, direct, skb);
	return 0;
}

NT_TP(kfree_skb, struct sk_buff *skb, void *location)
{
	nt_tl_freed(ctx, skb, location);
	return 0;
}
