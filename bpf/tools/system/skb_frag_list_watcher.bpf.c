// SPDX-License-Identifier: GPL-2.0
/*
 * Which function makes, takes away or changes a packet's list of further skbs. Functions that may do so are
 * hooked at both ends, others are places that a packet passes.
 */
#include "lib/shinfo_list.bpf.h"
#include "lib/shinfo_hooks.bpf.h"

NT_LICENSE;

/* ---- the list comes about ---- */
NT_SHINFO_BOTH_ENDS(merge, GRO_RECEIVE, p, struct sk_buff *p)
NT_SHINFO_BOTH_ENDS(merge_list, GRO_LIST, p, struct sk_buff *p)
NT_SHINFO_BOTH_ENDS(reassemble, REASM, head, void *queue, struct sk_buff *head)

NT_FUNC(make4_in, void *sk, struct flowi4 *flow)
{
	return nt_shinfo_begin(ctx, NT_SHINFO_AT_MAKE4, (void *)((__u64)flow + bpf_core_field_offset(struct flowi4, uli)));
}

NT_RET(make4_out, 4, __u64 ret)
{
	return nt_shinfo_leave(ctx, NT_SHINFO_AT_MAKE4, ret);
}

NT_FUNC(make6_in, void *sk, void *queue, void *cork)
{
	return nt_shinfo_begin(ctx, NT_SHINFO_AT_MAKE6,
			       (void *)((__u64)cork + bpf_core_field_offset(struct inet_cork_full, fl.u.ip6.uli)));
}

/* It has three arguments from 7.0 or so on, before four. The comments keep the loads apart. */
NT_INLINE __u64 made6(__u64 *ctx)
{
	__u64 ret;

	if (nt_const(NT_CONST_TOOL1) & NT_SHINFO_MAKE6_OF_3) {
		ret = *(volatile __u64 *)&ctx[3];
		asm volatile("# three" : "+r"(ret));
	} else {
		ret = *(volatile __u64 *)&ctx[4];
		asm volatile("# four" : "+r"(ret));
	}
	return ret;
}

NT_RET_BY(make6_out, made6, __u64 ret)
{
	return nt_shinfo_leave(ctx, NT_SHINFO_AT_MAKE6, ret);
}

/* ---- it is taken apart ---- */
NT_SHINFO_BOTH_ENDS(segment_list, SEGMENT_LIST, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(fragment4, FRAGMENT4, skb, void *net, void *sk, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(fragment6, FRAGMENT6, skb, void *net, void *sk, struct sk_buff *skb)
NT_SHINFO_PASSES(segment, SEGMENT, 0, skb, struct sk_buff *skb)

/* ---- it may change ---- */
NT_SHINFO_BOTH_ENDS(expand, EXPAND, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(pull, PULL, skb, struct sk_buff *skb)
NT_SHINFO_BOTH_ENDS(trim, TRIM, skb, struct sk_buff *skb)

/* ---- on the way ---- */
NT_SHINFO_PASSES(gro, NAPI_GRO, NT_SHINFO_FRESH | NT_SHINFO_AT_L3, skb, void *napi, struct sk_buff *skb)
NT_SHINFO_PASSES(forward, FORWARD, 0, skb, struct sk_buff *skb)
NT_SHINFO_PASSES(gso, GSO, 0, skb, struct sk_buff *skb)
NT_SHINFO_PASSES(gso_tunnel, GSO_TUNNEL, 0, skb, struct sk_buff *skb)
NT_SHINFO_PASSES(gso_inet, GSO_INET, 0, skb, struct sk_buff *skb)
NT_SHINFO_PASSES(gso_ipv6, GSO_IPV6, 0, skb, struct sk_buff *skb)
NT_SHINFO_PASSES(gso_tcp, GSO_TCP, 0, skb, struct sk_buff *skb)

NT_TP(dev_queue, struct sk_buff *skb)
{
	return nt_shinfo_see(ctx, (__u64)skb, NT_SHINFO_AT_DEV_QUEUE | NT_SHINFO_AT_L2, NULL);
}
