// SPDX-License-Identifier: GPL-2.0
/*
 * From Open vSwitch's output to an internal port up to the transport protocol.
 * Where the switch's own structs are unknown, from netif_rx on.
 */
#include "lib/timeline_backlog.bpf.h"
#include "lib/timeline_l4.bpf.h"

NT_LICENSE;

/* --phy-interface: packets that came in there. */
NT_INLINE bool came_in(const bool direct, struct sk_buff *skb, struct net_device *dev)
{
	if (!(nt_const(NT_CONST_TOOL0) & NT_TL_BY_PHY))
		return true;
	return nt_devset_roles(NT_GET(direct, skb, skb_iif), nt_dev_netns(direct, dev), NT_VLAN_NONE) & NT_TL_PHY;
}

NT_INLINE void begin(void *ctx, const bool direct, struct sk_buff *skb, struct net_device *dev, const enum nt_at at,
		     const __u32 stage)
{
	struct nt_cur *c = nt_cur_get();

	if (!c || !came_in(direct, skb, dev))
		return;
	nt_cur_init(direct, c, skb, at);
	nt_cur_dev(direct, c, dev);
	nt_cur_l3(c);
	if (!nt_tl_followed(c))
		return;
	if (c->bits & NT_PKT_FRAG) {
		nt_tl_frag_later(c);
		return;
	}
	if (!nt_filter(c))
		return;
	nt_cur_l4(c);
	nt_tl_begin(ctx, direct, skb, c, NT_DIR_RX, stage, dev);
}

NT_FUNC(ovs_send, struct vport *vport, struct sk_buff *skb)
{
	struct net_device *dev;

	if (!bpf_core_type_exists(struct vport))
		return 0;
	dev = BPF_CORE_READ(vport, dev);
	if (nt_tl_internal(false, dev, nt_devset_roles(BPF_CORE_READ(dev, ifindex), nt_dev_netns(false, dev), NT_VLAN_NONE)))
		begin(ctx, false, skb, dev, NT_AT_DATA_L2, NT_TL_OVS_SEND);
	return 0;
}

NT_FUNC(internal_recv, struct sk_buff *skb)
{
	nt_tl_pass(ctx, direct, skb, NULL, NT_DIR_RX, NT_TL_INTERNAL_RECV);
	return 0;
}

NT_TP(netif_rx, struct sk_buff *skb)
{
	struct net_device *dev = NT_GET(direct, skb, dev);
	struct nt_timeline *l = nt_track_of(skb);

	if (l)
		nt_tl_stamp(ctx, direct, l, skb, dev, NT_TL_NETIF_RX, bpf_ktime_get_ns());
	else if (!(bpf_core_type_exists(struct vport) && (nt_const(NT_CONST_TOOL0) & NT_TL_FROM_OVS)) &&
		 nt_tl_internal(direct, dev, nt_tl_roles(direct, skb, dev)))
		begin(ctx, direct, skb, dev, NT_AT_DATA_L3, NT_TL_NETIF_RX);
	return 0;
}

NT_FUNC(backlog_enq, struct sk_buff *skb, void *cpu)
{
	struct nt_timeline *l = nt_track_of(skb);

	if (l)
		nt_tl_into_backlog(ctx, direct, l, skb, NULL, (__u32)(__u64)cpu, bpf_ktime_get_ns());
	return 0;
}

NT_FUNC(backlog_deq, struct sk_buff *skb)
{
	struct nt_timeline *l = nt_track_of(skb);

	if (l)
		nt_tl_out_of_backlog(ctx, direct, l, skb, NULL, bpf_ktime_get_ns());
	return 0;
}

NT_TP(internal_rx, struct sk_buff *skb)
{
	nt_tl_pass(ctx, direct, skb, NT_GET(direct, skb, dev), NT_DIR_RX, NT_TL_INTERNAL_RX);
	return 0;
}

/* Connection tracking puts fragments together before, under another skb. */
NT_INLINE void deliver(void *ctx, const bool direct, struct sk_buff *skb, const __u16 eth_type)
{
	struct nt_timeline *l = nt_track_of(skb);

	if (!l)
		l = nt_tl_by_alias(direct, skb, NT_AT_L3, NULL, eth_type, NT_TL_CLONE);
	if (l)
		nt_tl_stamp(ctx, direct, l, skb, NULL, NT_TL_IP_DELIVER, bpf_ktime_get_ns());
}

NT_FUNC(ip_deliver, struct sk_buff *skb)
{
	deliver(ctx, direct, skb, NT_ETH_P_IP);
	return 0;
}

/* ip6_input(skb) */
NT_FUNC(ip6_deliver, struct sk_buff *skb)
{
	deliver(ctx, direct, skb, NT_ETH_P_IPV6);
	return 0;
}
