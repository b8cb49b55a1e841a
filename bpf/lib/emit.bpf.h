/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events to user space. A wake-up per event costs ~2300 ns, without it ~80: the
 * reader is woken when the buffer has filled to the watermark, and it looks by
 * itself every 50 ms.
 */
#ifndef NT_BPF_EMIT_H
#define NT_BPF_EMIT_H

#include "lib/maps.bpf.h"

/* Becomes a perf event array where the kernel has no ring buffer (before 5.8). */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);	/* --buffer-size sets it */
} nt_events SEC(".maps");

/* The kernel stack of this moment into an event: stack has NT_STACK_MAX places; 0 ends it, as the rest is from
 * an earlier event. */
NT_INLINE void nt_stack_fill(void *ctx, __u64 *stack)
{
	long n = bpf_get_stack(ctx, stack, NT_STACK_MAX * sizeof(__u64), 0);
	__u32 i = n > 0 ? (__u32)n / sizeof(__u64) : 0;

	NT_BARRIER(i);
	if (i < NT_STACK_MAX)
		stack[i] = 0;
}

/* Not counted if it does not fit: for events whose matter is counted elsewhere. */
NT_INLINE long nt_emit_uncounted(void *ctx, void *event, __u64 size)
{
	long err;

	if (nt_const(NT_CONST_RINGBUF)) {
		__u64 avail = bpf_ringbuf_query(&nt_events, BPF_RB_AVAIL_DATA);
		__u64 flags = avail >= nt_const(NT_CONST_WATERMARK) ? BPF_RB_FORCE_WAKEUP
								    : BPF_RB_NO_WAKEUP;

		return bpf_ringbuf_output(&nt_events, event, size, flags);
	}
	/* Before 5.1 this is always 0: user space compares what was sent with what came. */
	err = bpf_perf_event_output(ctx, &nt_events, BPF_F_CURRENT_CPU, event, size);
	if (!err)
		nt_stat_add(NT_STAT_PERF_SENT, 1);
	return err;
}

NT_INLINE void nt_emit(void *ctx, void *event, __u64 size)
{
	if (nt_emit_uncounted(ctx, event, size))
		nt_stat_add(NT_STAT_LOST_BUFFER, 1);
}

#endif
