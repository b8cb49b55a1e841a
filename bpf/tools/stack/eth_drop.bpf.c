// SPDX-License-Identifier: GPL-2.0
/* Every dropped packet as an event: the packet, the place, the stack. */
#include "lib/drop.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/rate.bpf.h"

NT_LICENSE;

/* Frees from hard-irq context are parked and done later by net_tx_action: who parked the
 * skb is remembered by its address until then. */
struct parked {
	__u64 stack[NT_LOC_FRAMES];
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct parked);
} nt_parked SEC(".maps");

NT_INLINE void fill_skb(const bool direct, struct nt_skb_info *i, struct sk_buff *skb)
{
	i->len = NT_GET(direct, skb, len);
	i->data_len = NT_GET(direct, skb, data_len);
	i->mac_off = NT_GET(direct, skb, mac_header);
	i->network_off = NT_GET(direct, skb, network_header);
	i->transport_off = NT_GET(direct, skb, transport_header);
	i->queue_mapping = NT_GET(direct, skb, queue_mapping);
	i->mark = NT_GET(direct, skb, mark);
}

/* Copies the packet's first bytes, from the first known header. */
NT_INLINE void fill_bytes(struct nt_drop_event *e, const struct nt_cur *c)
{
	__u32 off = (c->bits & NT_PKT_L2) ? c->l2 : c->l3;
	__u64 n = nt_const(NT_CONST_TOOL1);	/* 64 bits: the bound must hold for the very
						 * register that the helper gets */

	e->caplen = 0;
	if (!n || off >= c->tail)
		return;
	if (n > c->tail - off)
		n = c->tail - off;
	n &= 0xffff;
	NT_BARRIER(n);
	if (n > NT_SNAP_MAX)
		n = NT_SNAP_MAX;
	if (!bpf_probe_read_kernel(e->bytes, n, (void *)(c->head + off)))
		e->caplen = n;
}

/* A deferred free shows the stack of the code that parked the skb. */
NT_INLINE void fill_parked(struct nt_drop_event *e, struct sk_buff *skb)
{
	__u64 key = (__u64)skb;
	struct parked *p = bpf_map_lookup_elem(&nt_parked, &key);

	if (!p)
		return;
	__builtin_memcpy(e->stack, p->stack, sizeof(p->stack));
	e->stack[NT_LOC_FRAMES] = 0;
	bpf_map_delete_elem(&nt_parked, &key);
}

NT_TP_SKB(kfree_skb, NT_AT_ANY, struct sk_buff *skb, void *location)
{
	const __u64 sw = nt_const(NT_CONST_TOOL0);
	struct nt_drop_event *e;
	struct nt_drop d;
	__u64 id;

	if (!nt_drop_wanted(direct, ctx, &d, skb, location))
		return 0;
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_RATE_LIMITED, 1);
		return 0;
	}
	e = nt_scratch_get(0);
	if (!e)
		return 0;
	id = bpf_get_current_pid_tgid();
	e->ts_ns = bpf_ktime_get_ns();
	e->location = d.location;
	e->location_raw = d.location_raw;
	e->reason = d.reason;
	e->cpu = bpf_get_smp_processor_id();
	e->pid = id >> 32;
	e->tid = id;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	nt_pkt_fill(d.cur, &e->pkt);
	nt_skb_gso(direct, skb, &e->pkt.gso_size, &e->pkt.gso_segs);
	fill_skb(direct, &e->skb, skb);
	e->stack[0] = 0;
	if (sw & NT_DROP_STACK)
		nt_stack_fill(ctx, e->stack);
	if ((sw & NT_DROP_DEFERRED) && d.class == NT_LOC_DEFERRED)
		fill_parked(e, skb);
	fill_bytes(e, d.cur);
	id = sizeof(*e) - NT_SNAP_MAX + e->caplen;
	NT_BARRIER(id);
	if (id > sizeof(*e))
		id = sizeof(*e);
	nt_emit(ctx, e, id);
	return 0;
}

NT_FUNC(free_irq, struct sk_buff *skb)
{
	struct parked *p = nt_scratch_get(1);
	__u64 key = (__u64)skb;

	if (!p || !(nt_const(NT_CONST_TOOL0) & NT_DROP_DEFERRED))
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	bpf_get_stack(ctx, p->stack, sizeof(p->stack), 0);
	bpf_map_update_elem(&nt_parked, &key, p, BPF_ANY);
	return 0;
}
