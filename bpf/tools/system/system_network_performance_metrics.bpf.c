// SPDX-License-Identifier: GPL-2.0
/* All that a host's packet meets: the stages of timeline_host.bpf.h, and those between and behind them. */
#define NT_TL_TO_DRIVER

#include "lib/calls.bpf.h"
#include "lib/timeline_host.bpf.h"

NT_LICENSE;

#define BOTH (NT_DIR_RX + 1)

NT_FUNC(ovs_recv, void *vport, struct sk_buff *skb)
{
	nt_tl_pass(ctx, direct, skb, NULL, BOTH, NT_TL_OVS_RECV);
	return 0;
}

/* ---- conntrack in the switch: the return no longer has the skb ---- */
struct ct_call {
	__u64 skb;
};
NT_CALLS(nt_tl_ct, struct ct_call, 2)

NT_FUNC(ct_in, void *net, struct sk_buff *skb)
{
	struct ct_call *call;

	if (!nt_track_of(skb))
		return 0;
	call = nt_tl_ct_push();
	if (call)
		call->skb = (__u64)skb;
	nt_tl_pass(ctx, direct, skb, NULL, BOTH, NT_TL_CT_IN);
	return 0;
}

/* Of a packet that is not followed there is no call; an outer one's is not taken for it: they do not nest. */
NT_RET(ct_out, 4, __u64 ret)
{
	struct ct_call *call = nt_tl_ct_pop();

	if (call)
		nt_tl_pass(ctx, false, (struct sk_buff *)call->skb, NULL, BOTH, NT_TL_CT_OUT);
	return 0;
}

NT_FUNC(internal_recv, struct sk_buff *skb)
{
	nt_tl_pass(ctx, direct, skb, NULL, NT_DIR_RX, NT_TL_INTERNAL_RECV);
	return 0;
}

/* ---- behind the queue: disciplines are emptied in lists ---- */
NT_SUBPROG __u64 dequeued(void *ctx, __u64 skb, __u64 now)
{
	struct nt_timeline *l;

	if (!skb)
		return 0;
	l = bpf_map_lookup_elem(&nt_tracks, &skb);
	if (l && (l->seen & (1u << NT_TL_PHY_QUEUE)))
		nt_tl_stamp(ctx, false, l, (struct sk_buff *)skb, NULL, NT_TL_QDISC_DEQ, now);
	return (__u64)BPF_CORE_READ((struct sk_buff *)skb, next);
}

NT_TP(qdisc_deq, struct Qdisc *q, void *txq, void *packets, struct sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns(), next = (__u64)skb;

#pragma unroll
	for (int i = 0; i < NT_QDISC_BATCH; i++)
		next = dequeued(ctx, next, now);
	return 0;
}

/* A super-packet was cut behind the discipline: its first segment carries on. */
NT_TP(phy_xmit, struct sk_buff *skb, struct net_device *dev)
{
	struct nt_timeline *l = nt_track_of(skb);
	__u64 now = bpf_ktime_get_ns();
	__u32 ended = NT_TL_INSIDE;

	if (!(nt_tl_roles(direct, skb, dev) & NT_TL_PHY))
		return 0;
	if (!l && nt_tl_wants(NT_DIR_TX))
		l = nt_tl_by_alias(direct, skb, NT_AT_DATA_L2, dev, 0, 0);
	if (l && l->direction == NT_DIR_TX && (l->seen & (1u << NT_TL_PHY_QUEUE)))
		ended = nt_tl_leaves(ctx, direct, l, skb, dev, NT_TL_PHY_XMIT, now);
	if (ended != NT_TL_INSIDE)
		nt_tl_end(ctx, (__u64)skb, l, ended, now);
	return 0;
}
