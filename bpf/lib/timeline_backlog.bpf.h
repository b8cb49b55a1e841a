/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The per-CPU backlog on a packet's way: how many were before it, which CPU put
 * it in and which took it out. Not on it are packets of a NIC's NAPI without RPS.
 */
#ifndef NT_BPF_TIMELINE_BACKLOG_H
#define NT_BPF_TIMELINE_BACKLOG_H

#include "lib/timeline.bpf.h"

NT_HISTS(nt_tl_depths, 1);		/* packets */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NT_TL_CPU_ROWS);
	__type(key, struct nt_tl_cpus);
	__type(value, struct nt_hist_raw);
} nt_tl_cpus SEC(".maps");

/* Packets in a CPU's backlog: those that wait and those that its softirq has taken over. */
NT_INLINE __u32 nt_backlog_depth(__u32 cpu)
{
	struct nt_percpu *p = nt_percpu_get();
	struct softnet_data *sd = p ? (void *)nt_percpu_at(p, p->softnet, cpu) : NULL;

	if (!sd)
		return NT_TL_NO_DEPTH;
	return BPF_CORE_READ(sd, input_pkt_queue.qlen) + BPF_CORE_READ(sd, process_queue.qlen);
}

/* At enqueue_to_backlog, of a packet that is followed. */
NT_INLINE void nt_tl_into_backlog(void *ctx, const bool direct, struct nt_timeline *l, struct sk_buff *skb,
				  struct net_device *dev, __u32 cpu, __u64 now)
{
	__u32 first = 0;
	struct nt_hist_raw *h = bpf_map_lookup_elem(&nt_tl_depths, &first);

	if (l->seen & (1u << NT_TL_BACKLOG_ENQ))
		return;
	l->backlog = nt_backlog_depth(cpu);
	if (h && l->backlog != NT_TL_NO_DEPTH)
		nt_hist_record(h, l->backlog);
	nt_tl_stamp(ctx, direct, l, skb, dev, NT_TL_BACKLOG_ENQ, now);
}

NT_SUBPROG int nt_tl_count_cpus(const struct nt_timeline *l, __u64 now)
{
	struct nt_tl_cpus k = { .to = bpf_get_smp_processor_id() };
	struct nt_hist_raw *h, *zero;
	const struct nt_tl_stop *s;
	__u32 first = 0;

	if (!l || !l->n)
		return 0;
	s = nt_tl_stop(l, (__u64)l->n - 1);		/* nothing lies between */
	k.from = s->cpu;
	h = bpf_map_lookup_elem(&nt_tl_cpus, &k);
	if (!h) {
		zero = bpf_map_lookup_elem(&nt_tl_zero, &first);
		h = zero ? nt_row(&nt_tl_cpus, &k, zero) : NULL;
	}
	if (h)
		nt_hist_record_shared(h, nt_tl_since(s->ts_ns, now));
	else
		nt_stat_add(NT_STAT_TL_NO_ROW, 1);
	return 0;
}

/* At __netif_receive_skb: packets that did not come by the backlog pass there, too. */
NT_INLINE void nt_tl_out_of_backlog(void *ctx, const bool direct, struct nt_timeline *l, struct sk_buff *skb,
				    struct net_device *dev, __u64 now)
{
	if (!(l->seen & (1u << NT_TL_BACKLOG_ENQ)) || (l->seen & (1u << NT_TL_BACKLOG_DEQ)))
		return;
	nt_tl_count_cpus(l, now);
	nt_tl_stamp(ctx, direct, l, skb, dev, NT_TL_BACKLOG_DEQ, now);
}

#endif
