/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drop engine, kernel side: "dropped" means that the tracepoint
 * skb:kfree_skb fired, nothing else. Where it happened is the effective
 * location: the freeing call's return address or, if that lies in a wrapper
 * (kfree_skb_list, purge functions), the first caller that is none.
 */
#ifndef NT_BPF_DROP_H
#define NT_BPF_DROP_H

#include "lib/filter.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_loc_ranges);
} nt_loc_ranges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_drop_cfg);
} nt_drop_cfg SEC(".maps");

struct nt_drop {			/* one drop, being judged */
	struct nt_cur *cur;
	__u64 location, location_raw;
	__u32 reason;
	__u32 class;
};

/*
 * Which kind of place an address is: halving over the sorted ranges. Not static, so the verifier
 * looks at it once and not at every call (5.6+; a number as argument is fine on older ones).
 * Without branches, since 4.19 looks at every call, and 64 ways through each of 16 calls took it
 * seconds: kernel addresses are so close to each other that the sign of a difference tells.
 * The barrier keeps clang from making the sum an "or", of which 4.19's verifier knows nothing.
 */
__attribute__((noinline)) __u32 nt_loc_class(__u64 addr)
{
	struct nt_loc_ranges *r;
	__u64 step, i = 0;
	__u32 zero = 0;

	r = bpf_map_lookup_elem(&nt_loc_ranges, &zero);
	if (!r)
		return NT_LOC_OTHER;
	addr--;		/* a return address may be the first byte behind its function */
#define NT_HALVE(n)								\
	do {									\
		step = (addr - r->start[(i + (n)) & (NT_LOC_RANGES - 1)]) >> 63;	\
		step = (n) & (step - 1);					\
		NT_BARRIER(step);						\
		i += step;							\
	} while (0)
	NT_HALVE(32);
	NT_HALVE(16);
	NT_HALVE(8);
	NT_HALVE(4);
	NT_HALVE(2);
	NT_HALVE(1);
	i &= NT_LOC_RANGES - 1;
	if (r->start[i] > addr || addr >= r->end[i])
		return NT_LOC_OTHER;
	return r->class[i];
}

#define NT_LOC_FRAMES 16

/* The first frame behind location that is no wrapper; location itself if the stack does
 * not show one. */
NT_SUBPROG __u64 nt_loc_caller(void *ctx, __u64 location)
{
	__u64 *stack = nt_scratch_get(1);
	bool found = false;
	__u32 i;
	long n;

	if (!stack)
		return location;
	n = bpf_get_stack(ctx, stack, NT_LOC_FRAMES * sizeof(__u64), 0);
#pragma unroll
	for (i = 0; i < NT_LOC_FRAMES; i++) {
		if ((long)(i * sizeof(__u64)) >= n)
			break;
		if (!found)
			found = stack[i] == location;
		else if (nt_loc_class(stack[i]) != NT_LOC_WRAPPER)
			return stack[i];
	}
	return location;
}

NT_INLINE bool nt_drop_reason_wanted(__u32 reason)
{
	struct nt_drop_cfg *cfg;
	__u32 i, zero = 0;

	cfg = bpf_map_lookup_elem(&nt_drop_cfg, &zero);
	if (!cfg)
		return true;
#pragma unroll
	for (i = 0; i < NT_REASONS; i++) {
		if (i >= cfg->n_reasons)
			break;
		if (cfg->reason[i] == reason)
			return !cfg->exclude;
	}
	return cfg->exclude;
}

/*
 * Older kernels free with kfree_skb() what their ICMP receive functions have delivered: the reply
 * that a raw socket has got (ping; up to 6.1), and each error and neighbour message of IPv6. Drops
 * have other reasons there; before 5.17 nothing tells them apart. User space: nt_drop_delivered().
 */
NT_INLINE bool nt_drop_icmp_delivered(const struct nt_drop *d)
{
	const struct nt_cur *c = d->cur;
	struct nt_drop_cfg *cfg;
	__u32 zero = 0;

	nt_cur_parse(d->cur);
	cfg = bpf_map_lookup_elem(&nt_drop_cfg, &zero);
	if (!cfg || !(c->bits & NT_PKT_ICMP))
		return false;
	if (c->flow.proto == 58 && d->reason == cfg->not_specified)
		return true;
	return (c->bits & NT_PKT_ECHO) && d->reason == cfg->no_socket;
}

/* From d->location_raw the effective location and its class. */
NT_INLINE void nt_drop_find_place(void *ctx, struct nt_drop *d)
{
	d->class = nt_loc_class(d->location_raw);
	d->location = d->location_raw;
	if (d->class == NT_LOC_WRAPPER) {
		d->location = nt_loc_caller(ctx, d->location_raw);
		if (d->location != d->location_raw)
			d->class = nt_loc_class(d->location);
	}
}

NT_INLINE bool nt_drop_place_wanted(void *ctx, struct nt_drop *d)
{
	const __u64 sw = nt_const(NT_CONST_TOOL0);

	nt_drop_find_place(ctx, d);
	if (sw & NT_DROP_LISTED)
		return d->class == NT_LOC_LISTED;
	if (sw & NT_DROP_SHOW_BENIGN)
		return true;
	if (d->class == NT_LOC_CHILD) {
		nt_stat_add(NT_STAT_CHILD, 1);
		return false;
	}
	if (d->class == NT_LOC_BENIGN || (d->class == NT_LOC_ICMP && nt_drop_icmp_delivered(d))) {
		nt_stat_add(NT_STAT_SUPPRESSED, 1);
		return false;
	}
	return true;
}

/* Is this a drop that the user asked for? On true d is filled, headers parsed, counted. */
NT_INLINE bool nt_drop_wanted(const bool direct, void *ctx, struct nt_drop *d,
			      struct sk_buff *skb, void *location)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);
	const bool dev_first = mask & NT_FILTER_DEV;

	d->location_raw = (__u64)location;
	d->reason = nt_drop_reason(ctx);
	if (nt_drop_is_none(d->reason, nt_const(NT_CONST_TOOL2)))
		return false;
	if ((nt_const(NT_CONST_TOOL0) & NT_DROP_REASONS) && !nt_drop_reason_wanted(d->reason))
		return false;
	d->cur = nt_cur_get();
	if (!d->cur)
		return false;
	nt_cur_init(direct, d->cur, skb, NT_AT_ANY);
	if (dev_first)
		nt_cur_maybe_dev(direct, d->cur, skb);
	if (!nt_filter(d->cur))
		return false;
	if (!nt_drop_place_wanted(ctx, d))
		return false;
	if (!dev_first)
		nt_cur_maybe_dev(direct, d->cur, skb);
	nt_cur_parse(d->cur);
	nt_stat_add(NT_STAT_EVENTS, 1);
	return true;
}

#endif
