/* SPDX-License-Identifier: GPL-2.0 */
/* Timelines: a stage notes its time. Of sessions (NT_TL_LEGS) also the stack, and with --debug how many packets. */
#ifndef NT_BPF_TIMELINE_STAMP_H
#define NT_BPF_TIMELINE_STAMP_H

#include "lib/timeline_figures.bpf.h"

#if NT_TL_LEGS
#include "lib/stacks.bpf.h"

/* Legs are copied so often that the instructions for it must be there once only. */
NT_SUBPROG int nt_tl_copy(struct nt_timeline *to, const struct nt_timeline *from)
{
	if (to && from)
		__builtin_memcpy(to, from, sizeof(*to));
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NT_TL_STAGES);
	__type(key, __u32);
	__type(value, struct nt_tl_debug);
} nt_tl_debug SEC(".maps");

NT_INLINE void nt_tl_reject(const __u32 stage, const enum nt_rtt_reject why)
{
	__u32 row = stage;
	struct nt_tl_debug *d;

	if (!(nt_const(NT_CONST_TOOL0) & NT_TL_DEBUG))
		return;
	d = bpf_map_lookup_elem(&nt_tl_debug, &row);
	if (d)
		__sync_fetch_and_add(&d->reject[why], 1);
}

NT_INLINE void nt_tl_stamp_leg(void *ctx, struct nt_tl_stop *s, const __u32 stage)
{
	__u32 row = stage;
	struct nt_tl_debug *d;

	s->stack = -1;
	if (nt_const(NT_CONST_TOOL0) & NT_TL_STACKS) {
		s->stack = bpf_get_stackid(ctx, &nt_stacks, 0);
		if (s->stack < 0)
			nt_stat_add(NT_STAT_RTT_NO_STACK, 1);
	}
	if (nt_const(NT_CONST_TOOL0) & NT_TL_DEBUG) {
		d = bpf_map_lookup_elem(&nt_tl_debug, &row);
		if (d)
			__sync_fetch_and_add(&d->seen, 1);
	}
}
#else
#define nt_tl_copy(to, from) __builtin_memcpy(to, from, sizeof(struct nt_timeline))
#endif

/* The next stop, with its time. NULL: the stage was met before (recirculation in OVS, stacked devices), or there
 * is no room for more, which is counted. */
NT_INLINE struct nt_tl_stop *nt_tl_stop_new(void *ctx, struct nt_timeline *l, const __u32 stage, __u64 now)
{
	bool again = l->seen & (1u << stage);
	struct nt_tl_stop *s;
	__u64 i;

	if (stage == NT_TL_OVS_PROCESS)
		l->ovs_passes++;
	if (again)
		return NULL;
	l->seen |= 1u << stage;
	i = l->n;
	if (i >= NT_TL_STOPS) {
		nt_stat_add(NT_STAT_TL_CUT, 1);
		return NULL;
	}
	s = (struct nt_tl_stop *)nt_tl_stop(l, i);
	s->ts_ns = now;
	s->stage = stage;
	s->cpu = bpf_get_smp_processor_id();
	s->ifindex = s->netns = s->len = s->hash = 0;
	s->queue = 0;
#if NT_TL_LEGS
	nt_tl_stamp_leg(ctx, s, stage);
#endif
	l->n++;
	return s;
}

NT_INLINE void nt_tl_stamp(void *ctx, const bool direct, struct nt_timeline *l, struct sk_buff *skb,
			   struct net_device *dev, const __u32 stage, __u64 now)
{
	struct nt_tl_stop *s = nt_tl_stop_new(ctx, l, stage, now);

	if (!s)
		return;
	if (dev) {
		s->ifindex = NT_GET(direct, dev, ifindex);
		s->netns = nt_dev_netns(direct, dev);
	}
	if (nt_const(NT_CONST_TOOL0) & NT_TL_DETAIL) {
		s->len = NT_GET(direct, skb, len);
		s->hash = NT_GET(direct, skb, hash);
		s->queue = NT_GET(direct, skb, queue_mapping);
	}
}

#endif
