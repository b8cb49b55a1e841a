/* SPDX-License-Identifier: GPL-2.0 */
/* Programs of the tools about shared info: of functions by name of the argument that is the packet, and of ends. */
#ifndef NT_BPF_SHINFO_HOOKS_H
#define NT_BPF_SHINFO_HOOKS_H

#include "lib/shinfo.bpf.h"

/* A function that is given a packet, and its return. */
#define NT_SHINFO_BOTH_ENDS(stem, place, skb, args...)					\
NT_FUNC(stem##_in, ##args)								\
{											\
	return nt_shinfo_enter(ctx, (__u64)(skb), NT_SHINFO_AT_##place);		\
}											\
NT_RET(stem##_out, 2, __u64 ret)							\
{											\
	return nt_shinfo_leave(ctx, NT_SHINFO_AT_##place, 0);				\
}

/* One that a packet passes; how: enum nt_shinfo_how. */
#define NT_SHINFO_PASSES(stem, place, how, skb, args...)				\
NT_FUNC(stem, ##args)									\
{											\
	return nt_shinfo_see(ctx, (__u64)(skb), NT_SHINFO_AT_##place | (how), NULL);	\
}

/* ---- the end ---- */
NT_TP(dropped, struct sk_buff *skb)
{
	return nt_shinfo_end((__u64)skb);
}

NT_TP(consumed, struct sk_buff *skb)
{
	return nt_shinfo_end((__u64)skb);
}

NT_FUNC(freed, struct sk_buff *skb)
{
	return nt_shinfo_end((__u64)skb);
}

/* Received data that was read, and what another CPU is to free: no tracepoint tells. */
NT_FUNC(deferred, struct sk_buff *skb)
{
	return nt_shinfo_end((__u64)skb);
}

NT_FUNC(partly_freed, struct sk_buff *skb)
{
	return nt_shinfo_end((__u64)skb);
}

#endif
