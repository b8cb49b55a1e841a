/* SPDX-License-Identifier: GPL-2.0 */
/* Timelines: a stage notes its time, and as asked its stack; of sessions (NT_TL_LEGS) with --debug how many packets. */
#ifndef NT_BPF_TIMELINE_STAMP_H
#define NT_BPF_TIMELINE_STAMP_H

#include "lib/stacks.bpf.h"
#include "lib/timeline_figures.bpf.h"

/* The task in whose name its packet is sent: the current one. */
NT_INLINE void nt_tl_task(struct nt_timeline *l)
{
	__u64 id = bpf_get_current_pid_tgid();

	l->pid = id >> 32;
	l->tid = id;
	bpf_get_current_comm(l->comm, sizeof(l->comm));
}

NT_INLINE __s32 nt_tl_stack(void *ctx)
{
	__s32 id = bpf_get_stackid(ctx, &nt_stacks, 0);

	if (id < 0)
		nt_stat_add(NT_STAT_TL_NO_STACK, 1);
	return id < 0 ? -1 : id;
}

#if NT_TL_LEGS
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

	s->stack = nt_const(NT_CONST_TOOL0) & NT_TL_STACKS ? nt_tl_stack(ctx) : -1;
	if (nt_const(NT_CONST_TOOL0) & NT_TL_DEBUG) {
		d = bpf_map_lookup_elem(&nt_tl_debug, &row);
		if (d)
			__sync_fetch_and_add(&d->seen, 1);
	}
}
#else
#define nt_tl_copy(to, from) __builtin_memcpy(to, from, sizeof(struct nt_timeline))

/* Which way took longest is known at the end only: the stack is that of the longest one so far. since: the stop
 * before. */
NT_INLINE void nt_tl_stack_of_slowest(void *ctx, struct nt_timeline *l, __u64 since, __u64 now)
{
	__u64 took = now > since ? now - since : 0;

	if (took <= l->slowest_ns)
		return;
	l->slowest_ns = took > ~0u ? ~0u : took;
	l->stack = nt_tl_stack(ctx);
}
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
#else
	if ((nt_const(NT_CONST_TOOL0) & NT_TL_STACKS) && i)
		nt_tl_stack_of_slowest(ctx, l, nt_tl_stop(l, i - 1)->ts_ns, now);
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
