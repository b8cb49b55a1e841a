/* SPDX-License-Identifier: GPL-2.0 */
/* Echo sessions of ICMP and ICMPv6: who pings whom, identifier and sequence number. */
#ifndef NT_BPF_ECHO_H
#define NT_BPF_ECHO_H

#include "lib/filter.bpf.h"
#include "nettrace/nt_abi_timeline.h"

NT_INLINE bool nt_echo_is_request(__u8 icmp_type)
{
	return icmp_type == 8 || icmp_type == 128;
}

NT_INLINE void nt_echo_key_fill(struct nt_echo_key *k, const struct nt_flow *f, bool request, __u32 direction)
{
	__builtin_memset(k, 0, sizeof(*k));
	if (request) {
		__builtin_memcpy(k->initiator, f->saddr, 16);
		__builtin_memcpy(k->target, f->daddr, 16);
	} else {
		__builtin_memcpy(k->initiator, f->daddr, 16);
		__builtin_memcpy(k->target, f->saddr, 16);
	}
	k->id = f->icmp_id;
	k->seq = f->icmp_seq;
	k->ip_version = f->ip_version;
	k->direction = direction;
}

/* A first look: certainly no echo packet of these addresses. --debug counts what is rejected, and why. */
NT_INLINE bool nt_rtt_quick_other(const bool direct, struct sk_buff *skb, const enum nt_at at, const __u16 eth_type)
{
	return !(nt_const(NT_CONST_TOOL0) & NT_TL_DEBUG) && nt_quick_other(direct, skb, at, eth_type, 1);
}

/* The filter's addresses are the session's, not the packet's. reversed: its source is the target. */
NT_INLINE bool nt_echo_wanted(const struct nt_echo_key *k, bool reversed)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);
	struct nt_tuple *t;
	__u32 zero = 0;

	if (!(mask & (NT_FILTER_SRC | NT_FILTER_DST)))
		return true;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t)
		return false;
	if ((mask & NT_FILTER_SRC) && !nt_addr_match(reversed ? k->target : k->initiator, t->src, t->src_mask))
		return false;
	return !(mask & NT_FILTER_DST) || nt_addr_match(reversed ? k->initiator : k->target, t->dst, t->dst_mask);
}

#endif
