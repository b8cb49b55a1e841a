/* SPDX-License-Identifier: GPL-2.0 */
/* Timelines: the figures of those that are complete, by pair of stages, by flow and by device; and which are shown. */
#ifndef NT_BPF_TIMELINE_FIGURES_H
#define NT_BPF_TIMELINE_FIGURES_H

#include "lib/devset.bpf.h"
#include "lib/filter.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/rate.bpf.h"
#include "lib/slowest.bpf.h"
#include "nettrace/nt_abi_timeline.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, NT_TL_PAIRS);
	__type(key, struct nt_tl_pair);
	__type(value, struct nt_hist_raw);
} nt_tl_pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NT_TL_FLOWS);
	__type(key, struct nt_flow);
	__type(value, struct nt_hist_raw);
} nt_tl_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NT_TL_DROPS);
	__type(key, struct nt_tl_drop);
	__type(value, __u64);
} nt_tl_drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NT_TL_IF_ROWS);
	__type(key, struct nt_tl_if);
	__type(value, struct nt_tl_if_val);
} nt_tl_ifs SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_tl_if_val);
} nt_tl_if_zero SEC(".maps");

/* What a new histogram begins with: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_hist_raw);
} nt_tl_zero SEC(".maps");

/* ---- stops ---- */
/* The i-th stop of a timeline. The barriers keep the mask where the verifier sees it. */
NT_INLINE const struct nt_tl_stop *nt_tl_stop(const struct nt_timeline *e, __u64 i)
{
	const struct nt_tl_stop *s;

	NT_BARRIER(i);
	i &= NT_TL_STOPS - 1;
	NT_BARRIER(i);
	s = &e->stop[i];
	NT_BARRIER(s);
	return s;
}

/* ---- figures of a complete way ---- */
/* row: direction, and enum nt_tl_part << 8. */
NT_SUBPROG int nt_tl_hist(__u32 row, __u32 from, __u32 to, __u64 ns)
{
	struct nt_tl_pair k = { .direction = row, .from = from, .to = to, .part = row >> 8 };
	struct nt_hist_raw *h = bpf_map_lookup_elem(&nt_tl_pairs, &k), *zero;
	__u32 first = 0;

	if (!h) {
		zero = bpf_map_lookup_elem(&nt_tl_zero, &first);
		h = zero ? nt_row(&nt_tl_pairs, &k, zero) : NULL;
	}
	if (h)
		nt_hist_record(h, ns);
	else
		nt_stat_add(NT_STAT_TL_NO_ROW, 1);
	return 0;
}

NT_INLINE __u64 nt_tl_since(__u64 from, __u64 to)
{
	if (to >= from)
		return to - from;
	nt_stat_add(NT_STAT_TL_SKEW, 1);
	return 0;
}

NT_INLINE void nt_tl_flow(const struct nt_timeline *e, __u64 total)
{
	struct nt_hist_raw *h, *zero;
	struct nt_flow f = e->pkt.flow;
	__u32 first = 0;

	f.ifindex = f.netns = 0;
	f.icmp_seq = 0;
	h = bpf_map_lookup_elem(&nt_tl_flows, &f);
	if (!h) {
		zero = bpf_map_lookup_elem(&nt_tl_zero, &first);
		h = zero ? nt_row(&nt_tl_flows, &f, zero) : NULL;
	}
	if (h)
		nt_hist_record_shared(h, total);
	else
		nt_stat_add(NT_STAT_TL_NO_ROW, 1);
}

/* The time between the two stages of NT_CONST_TOOL2; 0: they were not both met. */
NT_INLINE __u64 nt_tl_between(const struct nt_timeline *e)
{
	const __u64 want = nt_const(NT_CONST_TOOL2);
	__u64 from = 0, to = 0;
	__u32 i;

#pragma unroll
	for (i = 0; i < NT_TL_STOPS; i++) {
		if (i >= e->n)
			break;
		if (e->stop[i].stage == (__u8)(want >> 8))
			from = e->stop[i].ts_ns;
		if (e->stop[i].stage == (__u8)want)
			to = e->stop[i].ts_ns;
	}
	return from && to > from ? to - from : 0;
}

/* From the stop before it to the i-th: a subprogram, so that 15 of them fit a program of 4.19. */
NT_SUBPROG int nt_tl_record_step(const struct nt_timeline *e, __u32 i)
{
	const struct nt_tl_stop *a, *b;

	if (!e || i >= e->n)
		return 0;
	a = nt_tl_stop(e, (__u64)i - 1);
	b = nt_tl_stop(e, i);
	nt_tl_hist(e->direction | e->part << 8, a->stage, b->stage, nt_tl_since(a->ts_ns, b->ts_ns));
	if (b->stage == NT_TL_BACKLOG_DEQ && a->stage == NT_TL_BACKLOG_ENQ && a->cpu != b->cpu)
		nt_stat_add(NT_STAT_TL_CROSS_CPU, 1);
	return 1;
}

NT_SUBPROG int nt_tl_record(const struct nt_timeline *e)
{
	__u32 i;

	if (!e)
		return 0;
#pragma unroll
	for (i = 1; i < NT_TL_STOPS; i++)
		if (!nt_tl_record_step(e, i))
			break;
	nt_tl_hist(e->direction | e->part << 8, NT_TL_TOTAL, NT_TL_TOTAL, e->ended_ns - e->start_ns);
	if (nt_const(NT_CONST_TOOL0) & NT_TL_BY_FLOW)
		nt_tl_flow(e, e->ended_ns - e->start_ns);
	return 0;
}

NT_SUBPROG bool nt_tl_shown(const struct nt_timeline *e)
{
	const __u64 sw = nt_const(NT_CONST_TOOL0), want = nt_const(NT_CONST_TOOL2);
	__u64 total = e->ended_ns - e->start_ns;

	if (!(sw & NT_TL_EVENTS))
		return false;
	if (total < nt_const(NT_CONST_TOOL1) || (want && nt_tl_between(e) < want >> 16)) {
		if (e->ended == NT_TL_COMPLETE)
			nt_stat_add(NT_STAT_TL_BELOW, 1);
		return false;
	}
	if (sw & NT_TL_SLOWEST)
		return nt_among_slowest(total);
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_TL_RATE_LIMITED, 1);
		return false;
	}
	return true;
}

/* ---- by device: what is sent counts at the last one that it was seen at, what is received at the first ---- */
NT_SUBPROG int nt_tl_count_if(const struct nt_timeline *e)
{
	struct nt_tl_if_val *v, *zero;
	const struct nt_tl_stop *s;
	struct nt_tl_if k;
	__u32 first = 0;

	if (!e || !e->n)
		return 0;
	s = nt_tl_stop(e, e->direction == NT_DIR_TX ? (__u64)e->n - 1 : 0);
	k.ifindex = s->ifindex;
	k.netns = s->netns;
	k.direction = e->direction;
	v = bpf_map_lookup_elem(&nt_tl_ifs, &k);
	if (!v) {
		zero = bpf_map_lookup_elem(&nt_tl_if_zero, &first);
		v = zero ? nt_row(&nt_tl_ifs, &k, zero) : NULL;
	}
	if (!v) {
		nt_stat_add(NT_STAT_TL_NO_ROW, 1);
		return 0;
	}
	if (e->ended != NT_TL_COMPLETE) {
		__sync_fetch_and_add(&v->drops, 1);
		return 0;
	}
	__sync_fetch_and_add(&v->packets, 1);
	__sync_fetch_and_add(&v->bytes, e->pkt.len);
	nt_hist_record_shared(&v->hist, e->ended_ns - e->start_ns);
	return 0;
}

#endif
