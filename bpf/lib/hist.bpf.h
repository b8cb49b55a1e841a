/* SPDX-License-Identifier: GPL-2.0 */
/* Histograms in the kernel: log-linear, per CPU (rule in nt_abi.h and hist.h). */
#ifndef NT_BPF_HIST_H
#define NT_BPF_HIST_H

#include "lib/maps.bpf.h"

#define NT_HISTS(name, n)				\
struct {						\
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);	\
	__uint(max_entries, n);				\
	__type(key, __u32);				\
	__type(value, struct nt_hist_raw);		\
} name SEC(".maps")

NT_INLINE __u32 nt_log2(__u64 v)
{
	__u32 r = 0, shift;

	shift = (v > 0xffffffffULL) << 5; v >>= shift; r |= shift;
	shift = (v > 0xffff) << 4; v >>= shift; r |= shift;
	shift = (v > 0xff) << 3; v >>= shift; r |= shift;
	shift = (v > 0xf) << 2; v >>= shift; r |= shift;
	shift = (v > 0x3) << 1; v >>= shift; r |= shift;
	return r | (__u32)(v >> 1);
}

NT_INLINE __u32 nt_hist_slot(__u64 v)
{
	__u32 e, slot;

	if (v < NT_HIST_SUB)
		return v;
	if (v >= 1ULL << NT_HIST_MAX_BITS)
		return NT_HIST_SLOTS - 1;
	e = nt_log2(v);
	slot = (e - NT_HIST_SUB_BITS + 1) * NT_HIST_SUB +
	       ((v >> (e - NT_HIST_SUB_BITS)) & (NT_HIST_SUB - 1));
	return slot;
}

NT_INLINE void nt_hist_record(struct nt_hist_raw *h, __u64 v)
{
	__u32 slot = nt_hist_slot(v);

	/* Per CPU, but an interrupt's program may record between a load and its store. */
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->sum, v);
	if (v > h->max)
		h->max = v;
	if (~v > h->min_inv)
		h->min_inv = ~v;
	/* clang drops a mask that it can prove from the log2, the verifier cannot follow:
	 * the bound stands behind a barrier. */
	NT_BARRIER(slot);
	if (slot < NT_HIST_SLOTS)
		__sync_fetch_and_add(&h->slot[slot], 1);
}

/* In a map that CPUs share. */
NT_INLINE void nt_hist_record_shared(struct nt_hist_raw *h, __u64 v)
{
	nt_hist_record(h, v);
	nt_max(&h->max, v);
	nt_max(&h->min_inv, ~v);
}

#endif
