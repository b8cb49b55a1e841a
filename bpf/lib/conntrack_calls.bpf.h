/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls of connection tracking that have not returned yet: what was there before, and what inner
 * functions let know. An action of Open vSwitch calls the tracker, the tracker may delete others; a
 * softirq may run all this on top of a task that is at it.
 */
#ifndef NT_BPF_CONNTRACK_CALLS_H
#define NT_BPF_CONNTRACK_CALLS_H

#include "lib/calls.bpf.h"
#include "lib/conntrack.bpf.h"

struct nt_ct_call {
	__u64 skb, nfct;	/* nfct: what was attached to the packet */
	__u64 key, info;	/* of Open vSwitch */
	__u32 kind;		/* enum nt_ct_hook */
	__u32 bits;		/* enum nt_ct_bits */
	__u32 ifindex, netns;
	__s32 tcp_ret;
	__u16 zone;		/* of a template */
	__u8 hooknum, pf, tcp_old, pad[3];
	__u32 in_tcp;		/* within the TCP tracker now */
	__s32 stack_id;		/* -1: none */
	struct nt_ct_window seen[2];
	char reason[NT_CT_REASON];
};
NT_CALLS(nt_ct_callers, struct nt_ct_call, 8)

/* The innermost call; NULL: there is none. */
NT_INLINE struct nt_ct_call *nt_ct_call_top(void)
{
	return nt_ct_callers_top();
}

/* The one in which the innermost was made. */
NT_INLINE struct nt_ct_call *nt_ct_call_outer(void)
{
	struct nt_ct_callers_stack *c = nt_ct_callers_get();

	return c && c->n > 1 ? nt_ct_callers_at(c, (__u64)c->n - 2) : NULL;
}

NT_INLINE struct nt_ct_call *nt_ct_call_push(const __u32 kind)
{
	struct nt_ct_call *top = nt_ct_callers_push();

	if (!top)
		return NULL;
	top->kind = kind;
	top->stack_id = -1;
	return top;
}

/* The innermost call of this kind returns. One above it has lost its own return. NULL: it began
 * before the gate opened. */
NT_INLINE struct nt_ct_call *nt_ct_call_pop(const __u32 kind)
{
	struct nt_ct_callers_stack *c = nt_ct_callers_get();
	struct nt_ct_call *top;

	if (!c || !c->n)
		return NULL;
	top = nt_ct_callers_at(c, (__u64)c->n - 1);
	if (top->kind == kind)
		return nt_ct_callers_pop_off(c);
	nt_stat_add(NT_STAT_UNMATCHED, 1);
	if (c->n < 2)
		return NULL;
	top = nt_ct_callers_at(c, (__u64)c->n - 2);
	if (top->kind != kind)
		return NULL;
	nt_ct_callers_pop_off(c);
	return nt_ct_callers_pop_off(c);
}

NT_INLINE unsigned long nt_ct_attached(struct sk_buff *skb)
{
	return BPF_CORE_READ((struct sk_buff___nfct *)skb, _nfct);
}

/* Of Open vSwitch's action that the innermost call is within, or is. */
NT_INLINE void nt_ct_ovs_info(struct nt_ct_event *e, const struct nt_ct_call *c)
{
	struct ovs_conntrack_info *info;

	if (!c || c->kind != NT_CT_OVS_EXECUTE)
		return;
	e->bits |= NT_CT_IN_OVS;
	info = (void *)c->info;
	if (!bpf_core_type_exists(struct ovs_conntrack_info))
		return;
	e->bits |= NT_CT_OVS_INFO;
	e->ovs.zone = BPF_CORE_READ(info, zone.id);
	e->ovs.commit = BPF_CORE_READ_BITFIELD_PROBED(info, commit);
	e->ovs.nat = BPF_CORE_READ_BITFIELD_PROBED(info, nat);
	e->ovs.force = BPF_CORE_READ_BITFIELD_PROBED(info, force);
}

NT_INLINE void nt_ct_ovs_key(struct nt_ct_event *e, const struct nt_ct_call *c)
{
	struct sw_flow_key *key = (void *)c->key;

	if (!bpf_core_type_exists(struct sw_flow_key))
		return;
	e->bits |= NT_CT_OVS_KEY;
	e->ovs.key_state = BPF_CORE_READ(key, ct_state);
	e->ovs.key_zone = BPF_CORE_READ(key, ct_zone);
	e->ovs.key_mark = BPF_CORE_READ(key, ct.mark);
	bpf_probe_read_kernel(e->ovs.key_labels, sizeof(e->ovs.key_labels), &key->ct.labels.ct_labels_32);
}

/* A return probe sees no frames above its own: where programs are probes, the stack is taken as the call
 * begins, of packets that match by themselves. */
NT_INLINE void nt_ct_stack(void *ctx, const bool direct, struct nt_ct_call *c)
{
	struct nt_cur *cur = nt_cur_get();

	if (direct || !(nt_const(NT_CONST_TOOL0) & NT_CT_STACKS) || !cur)
		return;
	if (nt_ct_has_filter()) {
		nt_cur_init(false, cur, (struct sk_buff *)c->skb, NT_AT_L3);
		nt_cur_l3(cur);
		nt_cur_l4(cur);
		if (!nt_ct_flow_match(&cur->flow))
			return;
	}
	c->stack_id = bpf_get_stackid(ctx, &nt_stacks, 0);
}

/* What the call's packet is; also tests the expression. */
NT_INLINE void nt_ct_packet(struct nt_ct_event *e, const struct nt_ct_call *c)
{
	struct sk_buff *skb = (void *)c->skb;
	struct nt_cur *cur = nt_cur_get();

	if (!cur)
		return;
	nt_cur_init(false, cur, skb, NT_AT_L3);
	if (c->ifindex) {
		cur->flow.ifindex = c->ifindex;
		cur->flow.netns = c->netns;
		cur->bits |= NT_PKT_DEV;
	} else {
		nt_cur_maybe_dev(false, cur, skb);
	}
	nt_cur_l3(cur);
	nt_cur_l4(cur);
	nt_pkt_fill(cur, &e->pkt);
	e->bits |= NT_CT_PKT;
	if (!e->netns)
		e->netns = cur->flow.netns;
	if (nt_const(NT_CONST_PCAP) && nt_pcap_match(cur))
		e->conn.bits |= NT_CT_MATCHED;
}

#endif
