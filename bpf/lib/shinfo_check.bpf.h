/* SPDX-License-Identifier: GPL-2.0 */
/* Does what a packet says of its data fit together? */
#ifndef NT_BPF_SHINFO_CHECK_H
#define NT_BPF_SHINFO_CHECK_H

#include "lib/maps.bpf.h"
#include "nettrace/nt_abi_shinfo.h"

#define NT_SHINFO_FRAGS 17
#define NT_SHINFO_MEMBERS 64

/* Bytes in the linear part of a list's member, 0 if none follows it. */
NT_INLINE __u32 nt_shinfo_first_linear(__u64 member)
{
	struct sk_buff *m = (void *)member;

	if (!m || !BPF_CORE_READ(m, next))
		return 0;
	return BPF_CORE_READ(m, len) - BPF_CORE_READ(m, data_len);
}

/* In map memory: the verifier would follow every value on the stack. */
struct nt_shinfo_walk {
	__u64 next, sum;
	__u64 differs, last_differs;	/* from mss; of members that others follow, and of the last one */
	__u32 mss, more;
};

/*
 * One member of the list, or none. Without a branch, and a subprogram: it is called 64 times, and the verifier
 * looks at each. Addresses are negative; >> 63 makes a mask of that.
 */
NT_SUBPROG int nt_shinfo_member(struct nt_shinfo_walk *w)
{
	struct sk_buff *m = (void *)w->next;
	__s64 there = w->next, linear;
	__u32 len;

	len = BPF_CORE_READ(m, len);
	linear = len - BPF_CORE_READ(m, data_len);
	w->next = (__u64)BPF_CORE_READ(m, next);
	w->sum += len;
	w->differs |= w->last_differs & there >> 63;
	w->last_differs = (linear ^ w->mss) & -linear >> 63;	/* none in the linear part is right, too */
	return 0;
}

/* Four of them. */
NT_SUBPROG int nt_shinfo_members(struct nt_shinfo_walk *w)
{
	if (!w || !w->next)
		return 0;
	nt_shinfo_member(w);
	nt_shinfo_member(w);
	nt_shinfo_member(w);
	nt_shinfo_member(w);
	return 0;
}

/* Where the length of the first fragment lies in the shared info, and how far the next one's is away. */
NT_INLINE __u32 nt_shinfo_frag_at(__u32 *step)
{
	__u32 first;

	if (bpf_core_field_exists(((struct skb_shared_info *)0)->frags[0].len)) {
		first = bpf_core_field_offset(struct skb_shared_info, frags[0].len);
		*step = bpf_core_field_offset(struct skb_shared_info, frags[1].len) - first;
	} else if (bpf_core_field_exists(((struct skb_shared_info___bvec *)0)->frags[0].bv_len)) {
		first = bpf_core_field_offset(struct skb_shared_info___bvec, frags[0].bv_len);
		*step = bpf_core_field_offset(struct skb_shared_info___bvec, frags[1].bv_len) - first;
	} else {
		first = bpf_core_field_offset(struct skb_shared_info___size, frags[0].size);
		*step = bpf_core_field_offset(struct skb_shared_info___size, frags[1].size) - first;
	}
	return first;
}

/* Adds fragments and list up. */
NT_SUBPROG int nt_shinfo_sum(struct nt_shinfo_event *e, struct nt_shinfo_walk *w)
{
	struct sk_buff *skb;
	__u32 i, step, len;
	__u64 at;

	if (!e || !w)
		return 0;
	skb = (void *)e->skb;
	at = (__u64)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end) + nt_shinfo_frag_at(&step);
#pragma unroll
	for (i = 0; i < NT_SHINFO_FRAGS; i++) {
		if (i >= e->after.nr_frags)
			break;
		len = 0;
		bpf_probe_read_kernel(&len, sizeof(len), (void *)at);
		w->sum += len;
		at += step;
	}
#pragma unroll
	for (i = 0; i < NT_SHINFO_MEMBERS / 4; i++)
		nt_shinfo_members(w);
	w->more = w->next || e->after.nr_frags > NT_SHINFO_FRAGS;
	return 0;
}

/* What does not fit together: e->rules. */
NT_SUBPROG int nt_shinfo_check(struct nt_shinfo_event *e)
{
	const __u64 types = nt_const(NT_CONST_TOOL2);
	__u32 dodgy = types, fraglist = types >> 32;
	struct nt_shinfo_walk *w;

	if (!e)
		return 0;
	e->rules = nt_shinfo_rules(&e->after, e->after.gso_type & dodgy ? nt_shinfo_first_linear(e->after.frag_list) : 0,
				   dodgy, fraglist);
	if (!(nt_const(NT_CONST_TOOL0) & NT_SHINFO_DEEP) || !e->after.data_len)
		return 0;
	w = nt_scratch_get(1);
	if (!w)
		return 0;
	__builtin_memset(w, 0, sizeof(*w));
	w->next = e->after.frag_list;
	if ((e->after.gso_type & dodgy) && e->after.gso_size != NT_GSO_BY_FRAGS)
		w->mss = e->after.gso_size;
	nt_shinfo_sum(e, w);
	if (w->mss && w->differs)
		e->rules |= NT_SHINFO_MEMBER;
	if (w->more)
		nt_stat_add(NT_STAT_SHINFO_LONG, 1);
	else if ((__u32)w->sum != e->after.data_len)
		e->rules |= NT_SHINFO_LENGTHS;
	return 0;
}

#endif
