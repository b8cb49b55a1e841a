/* SPDX-License-Identifier: GPL-2.0 */
/* Queueing disciplines: the one of a transmit queue, and the innermost that holds a packet. */
#ifndef NT_BPF_QDISC_H
#define NT_BPF_QDISC_H

#include "lib/packet.bpf.h"

#define NT_TCQ_F_CAN_BYPASS 4
#define NT_TCQ_F_CPUSTATS 0x20	/* lockless (pfifo_fast): the counters are per CPU, not in the struct */

NT_INLINE void nt_qdisc_fill(const bool direct, struct nt_qdisc *out, struct Qdisc *q)
{
	const struct Qdisc_ops *ops = NT_GET(direct, q, ops);
	__u32 flags = NT_GET(direct, q, flags);

	bpf_probe_read_kernel(out->kind, sizeof(out->kind), &ops->id);
	out->handle = NT_GET(direct, q, handle);
	out->parent = NT_GET(direct, q, parent);
	out->limit = NT_GET(direct, q, limit);
	out->bits = NT_QDISC_KNOWN | (flags & NT_TCQ_F_CAN_BYPASS ? NT_QDISC_BYPASS : 0);
	out->qlen = out->backlog_bytes = 0;
	if (flags & NT_TCQ_F_CPUSTATS)
		return;
	out->bits |= NT_QDISC_QLEN;
	out->qlen = NT_GET(direct, q, q.qlen);
	out->backlog_bytes = NT_GET(direct, q, qstats.backlog);
}

/* The discipline of the device's transmit queue; false: there is none. By address only. */
NT_INLINE bool nt_qdisc_root(struct nt_qdisc *out, struct net_device *dev, __u32 txq)
{
	struct netdev_queue *queue = BPF_CORE_READ(dev, _tx);
	struct Qdisc *q;

	if (!queue || txq >= BPF_CORE_READ(dev, num_tx_queues))
		return false;
	/* not queue + txq: the compiler would multiply by the size of our cut-down struct */
	queue = (void *)queue + (__u64)txq * bpf_core_type_size(struct netdev_queue);
	q = BPF_CORE_READ(queue, qdisc_sleeping);
	if (!q)
		return false;
	nt_qdisc_fill(false, out, q);
	return true;
}

/* ---- the innermost discipline, by packet ---- */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct nt_qdisc_leaf);
} nt_qleaf SEC(".maps");

/* At the entry of any discipline's enqueue(): the deepest call comes last and wins. */
NT_INLINE int nt_qdisc_enqueue(const bool direct, struct sk_buff *skb, struct Qdisc *q)
{
	struct nt_qdisc_leaf leaf;
	__u64 key = (__u64)skb;

	leaf.enqueued_ns = bpf_ktime_get_ns();
	nt_qdisc_fill(direct, &leaf.q, q);
	if (bpf_map_update_elem(&nt_qleaf, &key, &leaf, BPF_ANY))
		nt_stat_add(NT_STAT_MAP_FULL, 1);
	return 0;
}

/* One packet out of a discipline; the address of the next in its list, 0: none. */
NT_INLINE __u64 nt_qdisc_leave(__u64 key)
{
	if (!key)
		return 0;
	bpf_map_delete_elem(&nt_qleaf, &key);
	return (__u64)BPF_CORE_READ((struct sk_buff *)key, next);
}

/* Packets leave as a list: 9 from a discipline of several queues, as many as BQL lets through from others. Of longer
 * ones the rest is not looked at. */
#define NT_QDISC_BATCH 64

/* The LRU forgets that rest. */
NT_INLINE void nt_qdisc_dequeue(struct sk_buff *skb)
{
	__u64 key = (__u64)skb;

#pragma unroll
	for (int i = 0; i < NT_QDISC_BATCH; i++)
		key = nt_qdisc_leave(key);
}

#endif
