// SPDX-License-Identifier: GPL-2.0
/* Packets lost between the stack and the driver: by which device, queue and discipline. */
#include "lib/calls.bpf.h"
#include "lib/drop.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/qdisc.bpf.h"
#include "lib/rate.bpf.h"

NT_LICENSE;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct nt_qdrop_key);
	__type(value, struct nt_qdrop_val);
} nt_qdrops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nt_txrc_key);
	__type(value, __u64);
} nt_txrc SEC(".maps");

/* qdisc:qdisc_drop fires just before the packet is freed: what it says of it waits here. */
struct marked {
	__u64 skb;
	__u32 reason, pad;
	struct nt_qdisc q;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_DEPTH);
	__type(key, __u32);
	__type(value, struct marked);
} nt_marked SEC(".maps");

/* ---- drops ---- */
NT_INLINE void fill_disciplines(const bool direct, struct nt_qdisc_event *e, struct sk_buff *skb,
				const struct nt_drop *d, const struct nt_qdisc_leaf *leaf)
{
	__u32 depth = nt_depth();
	struct marked *m = bpf_map_lookup_elem(&nt_marked, &depth);

	__builtin_memset(&e->root, 0, sizeof(e->root));
	__builtin_memset(&e->leaf, 0, sizeof(e->leaf));
	e->queued_ns = 0;
	e->txq = NT_GET(direct, skb, queue_mapping);
	if (d->cur->bits & NT_PKT_DEV)
		nt_qdisc_root(&e->root, BPF_CORE_READ(skb, dev), e->txq);
	if (leaf) {
		e->leaf = leaf->q;
		e->queued_ns = e->ts_ns - leaf->enqueued_ns;
	}
	if (m && m->skb == (__u64)skb) {
		e->reason = m->reason;
		if (!(e->root.bits & NT_QDISC_KNOWN))
			e->root = m->q;
		m->skb = 0;
	}
}

NT_INLINE void count(const struct nt_qdisc_event *e)
{
	struct nt_qdrop_key k;
	struct nt_qdrop_val *v, zero = { .drops = 0 };

	__builtin_memset(&k, 0, sizeof(k));
	k.location = e->location;
	k.ifindex = e->pkt.flow.ifindex;
	k.netns = e->pkt.flow.netns;
	k.txq = e->txq;
	k.reason = e->reason;
	k.root_handle = e->root.handle;
	k.root_parent = e->root.parent;
	k.leaf_handle = e->leaf.handle;
	k.leaf_parent = e->leaf.parent;
	__builtin_memcpy(k.root_kind, e->root.kind, sizeof(k.root_kind));
	__builtin_memcpy(k.leaf_kind, e->leaf.kind, sizeof(k.leaf_kind));
	v = nt_row(&nt_qdrops, &k, &zero);
	if (!v)
		return;
	__sync_fetch_and_add(&v->drops, 1);
	__sync_fetch_and_add(&v->packets, e->pkt.gso_segs ? e->pkt.gso_segs : 1);
	__sync_fetch_and_add(&v->bytes, e->pkt.len);
}

NT_INLINE void fill_common(struct nt_qdisc_event *e, const bool direct, struct sk_buff *skb,
			   const struct nt_cur *cur)
{
	__u64 id = bpf_get_current_pid_tgid();

	e->ts_ns = bpf_ktime_get_ns();
	e->cpu = bpf_get_smp_processor_id();
	e->pid = id >> 32;
	e->tid = id;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	nt_pkt_fill(cur, &e->pkt);
	nt_skb_gso(direct, skb, &e->pkt.gso_size, &e->pkt.gso_segs);
	e->stack[0] = 0;
}

NT_INLINE void show(void *ctx, struct nt_qdisc_event *e)
{
	if (!(nt_const(NT_CONST_TOOL1) & NT_QDISC_EVENTS))
		return;
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_RATE_LIMITED, 1);
		return;
	}
	if (nt_const(NT_CONST_TOOL0) & NT_DROP_STACK)
		nt_stack_fill(ctx, e->stack);
	nt_emit(ctx, e, sizeof(*e));
}

/* A drop on the way out: some discipline held the packet, or the reason or the place says so. */
NT_INLINE bool transmit_drop(void *ctx, struct nt_drop *d, bool held)
{
	nt_drop_find_place(ctx, d);
	if (held || d->class == NT_LOC_LISTED)
		return true;
	return nt_const(NT_CONST_TP_ARGS) >= 3 && nt_drop_reason_wanted(d->reason);
}

NT_TP_SKB(kfree_skb, NT_AT_ANY, struct sk_buff *skb, void *location)
{
	struct nt_qdisc_leaf *leaf;
	struct nt_qdisc_event *e;
	__u64 key = (__u64)skb;
	struct nt_drop d;

	d.location_raw = (__u64)location;
	d.reason = nt_drop_reason(ctx);
	if (nt_drop_is_none(d.reason, nt_const(NT_CONST_TOOL2)))
		return 0;
	leaf = bpf_map_lookup_elem(&nt_qleaf, &key);
	d.cur = nt_cur_get();
	e = nt_scratch_get(0);
	if (!d.cur || !e || !transmit_drop(ctx, &d, leaf != NULL))
		return 0;
	nt_cur_init(direct, d.cur, skb, NT_AT_ANY);
	nt_cur_maybe_dev(direct, d.cur, skb);
	if (!nt_filter(d.cur))
		return 0;
	nt_cur_parse(d.cur);
	nt_stat_add(NT_STAT_EVENTS, 1);
	fill_common(e, direct, skb, d.cur);
	e->stage = NT_QDISC_DROPPED;
	e->location = d.location;
	e->location_raw = d.location_raw;
	e->reason = d.reason;
	fill_disciplines(direct, e, skb, &d, leaf);
	count(e);
	show(ctx, e);
	if (leaf)
		bpf_map_delete_elem(&nt_qleaf, &key);
	return 0;
}

NT_TP(qdisc_drop, struct Qdisc *q, void *txq, struct net_device *dev, struct sk_buff *skb, void *reason)
{
	__u32 depth = nt_depth();
	struct marked *m = bpf_map_lookup_elem(&nt_marked, &depth);

	if (!m)
		return 0;
	m->skb = (__u64)skb;
	m->reason = (__u64)reason;
	nt_qdisc_fill(false, &m->q, q);
	return 0;
}

/* ---- which discipline holds a packet ---- */
#define ENQUEUE(kind, function)								\
NT_FUNC(enq_##kind, struct sk_buff *skb, struct Qdisc *q)				\
{											\
	return nt_qdisc_enqueue(direct, skb, q);					\
}
NT_QDISC_KINDS(ENQUEUE)

NT_TP(dequeue, struct Qdisc *q, void *txq, void *packets, struct sk_buff *skb)
{
	nt_qdisc_dequeue(skb);
	return 0;
}

/* A packet that its discipline let end as consumed. */
NT_TP(consume, struct sk_buff *skb)
{
	__u64 key = (__u64)skb;

	bpf_map_delete_elem(&nt_qleaf, &key);
	return 0;
}

/* ---- what callers and drivers answered ---- */
NT_INLINE bool watched(__u32 ifindex, __u32 netns)
{
	__u32 i, zero = 0;
	struct nt_tuple *t;

	if (!(nt_const(NT_CONST_FILTER) & NT_FILTER_DEV))
		return true;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t || (t->netns && t->netns != netns))
		return false;
#pragma unroll
	for (i = 0; i < NT_FILTER_DEVS; i++)
		if (t->ifindex[i] == ifindex)
			return true;
	return false;
}

NT_INLINE void count_rc(__u32 ifindex, __u32 netns, __u32 of, __s32 rc)
{
	struct nt_txrc_key k = { ifindex, netns, of, rc };
	__u64 *n, zero = 0;

	if (!watched(ifindex, netns))
		return;
	n = nt_row(&nt_txrc, &k, &zero);
	if (n)
		__sync_fetch_and_add(n, 1);
}

/* Of __dev_queue_xmit(); tunnels call it again. */
struct call { __u32 ifindex, netns; };
NT_CALLS(nt_calls, struct call, 8)

NT_FUNC(xmit_in, struct sk_buff *skb)
{
	struct net_device *dev = NT_GET(direct, skb, dev);
	struct call *c = nt_calls_push();

	if (!c)
		return 0;
	c->ifindex = NT_GET(direct, dev, ifindex);
	c->netns = nt_dev_netns(direct, dev);
	return 0;
}

NT_RET(xmit_out, 2, __u64 ret)
{
	struct call *c = nt_calls_pop();

	if (c)		/* else it was called before the gate opened */
		count_rc(c->ifindex, c->netns, NT_TXRC_QUEUE_XMIT, ret);
	return 0;
}

NT_TP(driver_rc, struct sk_buff *skb, void *rc, struct net_device *dev)
{
	count_rc(NT_GET(direct, dev, ifindex), nt_dev_netns(direct, dev), NT_TXRC_DRIVER, (__u64)rc);
	return 0;
}

/* ---- every passage (--trace-all) ---- */
NT_INLINE int passage(void *ctx, const bool direct, struct sk_buff *skb, const __u32 stage)
{
	struct nt_cur *cur = nt_cur_get();
	struct nt_qdisc_event *e = nt_scratch_get(0);
	struct net_device *dev = NT_GET(direct, skb, dev);

	if (!cur || !e)
		return 0;
	nt_cur_init(direct, cur, skb, NT_AT_DATA_L2);
	nt_cur_dev(direct, cur, dev);
	if (!nt_filter(cur))
		return 0;
	nt_cur_parse(cur);
	fill_common(e, direct, skb, cur);
	e->stage = stage;
	e->location = e->location_raw = e->queued_ns = 0;
	e->reason = 0;
	__builtin_memset(&e->leaf, 0, sizeof(e->leaf));
	__builtin_memset(&e->root, 0, sizeof(e->root));
	e->txq = NT_GET(direct, skb, queue_mapping);
	nt_qdisc_root(&e->root, dev, e->txq);
	show(ctx, e);
	return 0;
}

NT_TP_SKB(tx_queue, NT_AT_DATA_L2, struct sk_buff *skb)
{
	return passage(ctx, direct, skb, NT_QDISC_TX_QUEUE);
}

NT_TP_SKB(tx_driver, NT_AT_DATA_L2, struct sk_buff *skb)
{
	return passage(ctx, direct, skb, NT_QDISC_TX_DRIVER);
}
