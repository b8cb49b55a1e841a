/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Latency engine, kernel side. A passage (a packet's way through the stages) is
 * an entry of a preallocated hash under the tool's key; the tool defines the
 * map nt_lat and calls nt_lat_stamp() at each stage and nt_lat_finish() at the
 * last. Differences are taken between consecutive stages that were seen.
 */
#ifndef NT_BPF_LATENCY_H
#define NT_BPF_LATENCY_H

#include "lib/emit.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/past.bpf.h"
#include "lib/stacks.bpf.h"

NT_HISTS(nt_hists, 2 * NT_LAT_HISTS);

/* Not static, so the verifier looks at it once and not at every call (5.6+). */
__attribute__((noinline)) int nt_lat_hist(__u32 which, __u64 ns)
{
	struct nt_hist_raw *h = bpf_map_lookup_elem(&nt_hists, &which);

	if (h)
		nt_hist_record(h, ns);
	return 0;
}

/* First visit of a stage counts; a packet may pass a hook again (stacked devices). */
NT_INLINE void nt_lat_stamp(void *ctx, struct nt_lat *l, __u32 stage, __u64 now, __u32 ifindex,
			    __u32 netns)
{
	stage &= NT_STAGES - 1;
	if (l->seen & (1u << stage))
		return;
	l->ts[stage] = now;
	l->ifindex[stage] = ifindex;
	l->netns[stage] = netns;
	l->cpu[stage] = bpf_get_smp_processor_id();
	l->stack[stage] = -1;
	if (nt_const(NT_CONST_TOOL1) & NT_LAT_STACKS) {
		l->stack[stage] = bpf_get_stackid(ctx, &nt_stacks, 0);
		if (l->stack[stage] < 0)
			nt_stat_add(NT_STAT_LAT_NO_STACK, 1);
	}
	l->seen |= 1u << stage;
}

NT_INLINE __u64 nt_lat_delta(__u64 from, __u64 to)
{
	if (to >= from)
		return to - from;
	nt_stat_add(NT_STAT_CLOCK_SKEW, 1);
	return 0;
}

/* What nt_lat_record() carries from stage to stage: in a map, as the verifier would follow every
 * combination of seen stages on the stack. */
struct nt_lat_walk {
	__u64 first, prev, leg1_end, leg2_start;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_DEPTH);
	__type(key, __u32);
	__type(value, struct nt_lat_walk);
} nt_lat_walk SEC(".maps");

/*
 * Histograms of a complete passage with two legs: stages below leg2 are the
 * first leg, the others the second, what lies between is outside this host.
 * hists is the direction's first histogram. Returns the total.
 */
NT_SUBPROG __u64 nt_lat_record(const struct nt_lat *l, __u32 leg2, __u32 hists)
{
	struct nt_lat_walk *w;
	__u32 i, depth = nt_depth();
	__u64 total;

	w = bpf_map_lookup_elem(&nt_lat_walk, &depth);
	if (!l || !w)
		return 0;
	__builtin_memset(w, 0, sizeof(*w));
#pragma unroll
	for (i = 0; i < NT_STAGES; i++) {
		__u64 ts = l->ts[i];

		if (!(l->seen & (1u << i)))
			continue;
		if (!w->first)
			w->first = ts;
		else
			nt_lat_hist(hists + i, nt_lat_delta(w->prev, ts));
		if (i < leg2)
			w->leg1_end = ts;
		else if (!w->leg2_start)
			w->leg2_start = ts;
		w->prev = ts;
	}
	total = nt_lat_delta(w->first, w->prev);
	nt_lat_hist(hists + NT_LAT_HIST_TOTAL, total);
	if (w->leg1_end && w->leg2_start) {
		nt_lat_hist(hists + NT_LAT_HIST_LEG1, nt_lat_delta(w->first, w->leg1_end));
		nt_lat_hist(hists + NT_LAT_HIST_EXTERNAL, nt_lat_delta(w->leg1_end, w->leg2_start));
		nt_lat_hist(hists + NT_LAT_HIST_LEG2, nt_lat_delta(w->leg2_start, w->prev));
	}
	return total;
}

#endif
