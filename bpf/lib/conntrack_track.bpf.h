/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs at the tracker itself: a packet that is given to it, what its TCP part finds, the kernel's
 * words about an invalid one, and an action ct() of Open vSwitch around all this. A tool that includes
 * this has hooks of these names: track_in, track_out, tcp_in, tcp_out, invalid_ct, invalid_l4, ovs_in,
 * ovs_out.
 */
#ifndef NT_BPF_CONNTRACK_TRACK_H
#define NT_BPF_CONNTRACK_TRACK_H

#include "lib/conntrack_calls.bpf.h"

/* Prototypes changed over time; a kernel address where the other one has a small number tells which
 * it is, also where no BTF does. As a number: the verifier lets nobody calculate with a typed pointer. */
NT_INLINE bool is_pointer(void *arg)
{
	__u64 v = 0;

	bpf_probe_read_kernel(&v, sizeof(v), &arg);
	return v >> 48 == 0xffff;
}

/* ---- a packet is given to the tracker ---- */
NT_INLINE void call_hook(struct nt_ct_call *c, struct nf_hook_state *state)
{
	struct net_device *in = BPF_CORE_READ(state, in), *dev = in ? in : BPF_CORE_READ(state, out);

	c->bits |= NT_CT_HOOK;
	c->hooknum = BPF_CORE_READ(state, hook);
	c->pf = BPF_CORE_READ(state, pf);
	c->netns = BPF_CORE_READ(state, net, ns.inum);
	if (dev)
		c->ifindex = BPF_CORE_READ(dev, ifindex);
}

/* Of an entry that only carries a zone to the tracker. */
NT_INLINE void call_template(struct nt_ct_call *c)
{
	struct nf_conn *tmpl = (void *)(c->nfct & ~(__u64)NT_CT_INFO_MASK);

	if (tmpl && bpf_core_field_exists(tmpl->zone))
		c->zone = BPF_CORE_READ(tmpl, zone.id);
}

NT_INLINE bool is_template(__u64 ct)
{
	return BPF_CORE_READ((struct nf_conn *)ct, status) & NT_IPS_TEMPLATE;
}

/* 4.19: (net, pf, hooknum, skb); since 5.1: (skb, state). */
NT_INLINE int track_begins(void *ctx, const bool direct, struct sk_buff *skb, struct nf_hook_state *state,
			   __u32 pf, __u32 hooknum)
{
	struct nt_ct_call *c = nt_ct_call_push(NT_CT_IN);

	if (!c)
		return 0;
	c->skb = (__u64)skb;
	c->nfct = nt_ct_attached(skb);
	call_template(c);
	nt_ct_stack(ctx, direct, c);
	if (state) {
		call_hook(c, state);
		return 0;
	}
	c->bits |= NT_CT_HOOK;
	c->hooknum = hooknum;
	c->pf = pf;
	return 0;
}

NT_FUNC(track_in, struct sk_buff *skb, struct nf_hook_state *state)
{
	if (direct || is_pointer(state))
		return track_begins(ctx, direct, skb, state, 0, 0);
	return track_begins(ctx, direct, (void *)PT_REGS_PARM4((struct pt_regs *)ctx), NULL, (__u64)state,
			    PT_REGS_PARM3((struct pt_regs *)ctx));
}

NT_INLINE void event_of_call(struct nt_ct_event *e, const struct nt_ct_call *c)
{
	e->bits |= c->bits & (NT_CT_TCP | NT_CT_HOOK | NT_CT_CLASHED);
	e->hooknum = c->hooknum;
	e->pf = c->pf;
	e->netns = c->netns;
	e->zone = c->zone;
	e->tcp_old = c->tcp_old;
	e->tcp_ret = c->tcp_ret;
	e->stack_id = c->stack_id;
	__builtin_memcpy(e->seen, c->seen, sizeof(e->seen));
	__builtin_memcpy(e->reason, c->reason, sizeof(e->reason));
}

NT_INLINE void attach(struct nt_ct_event *e, __u64 nfct)
{
	e->ct = nfct & ~(__u64)NT_CT_INFO_MASK;
	if (nfct)
		e->ctinfo = nfct & NT_CT_INFO_MASK;
	nt_ct_read(e);
}

NT_INLINE __u32 judge(const struct nt_ct_event *e)
{
	if (e->ret != NT_NF_ACCEPT)
		return NT_CT_DROP;
	if (e->ctinfo == NT_CT_NO_INFO)
		return NT_CT_INVALID;
	if (e->ct && !(e->status & NT_IPS_CONFIRMED) &&
	    (e->ctinfo == NT_CT_INFO_NEW || e->ctinfo == NT_CT_INFO_RELATED))
		return NT_CT_NEW;
	return NT_CT_PACKET;
}

/* One more packet of it. An action ct() may give an entry that is not confirmed to the tracker again. */
NT_INLINE void packet_of(struct nt_ct_event *e)
{
	struct nt_ct_conn *conn = bpf_map_lookup_elem(&nt_cts, &e->ct);
	__u32 matched = e->conn.bits & NT_CT_MATCHED;

	if (e->what == NT_CT_NEW) {
		e->conn.created_ns = e->ts_ns;
		e->conn.bits |= NT_CT_STORED;
		conn = nt_ct_open(e->ct, &e->conn);
	} else if (!conn && matched) {		/* so that what comes later is known to be meant */
		e->conn.bits |= NT_CT_EARLIER;
		conn = nt_ct_open(e->ct, &e->conn);
	}
	if (!conn) {
		e->conn.bits |= NT_CT_EARLIER;
		return;
	}
	conn->packets++;
	conn->bits |= matched;
	e->conn = *conn;
}

/* Has it got its entry already? As a packet of the loopback device the second time. */
NT_INLINE bool tracked_before(const struct nt_ct_call *c)
{
	__u64 ct = c->nfct & ~(__u64)NT_CT_INFO_MASK;

	return ct && !is_template(ct);
}

NT_RET(track_out, 2, __u64 ret)
{
	struct nt_ct_call *c = nt_ct_call_pop(NT_CT_IN);
	struct nt_ct_event *e;
	__u64 nfct;

	if (!c || tracked_before(c))
		return 0;
	e = nt_ct_event_new(0, NT_CT_IN);
	if (!e)
		return 0;
	nfct = nt_ct_attached((void *)c->skb);
	event_of_call(e, c);
	e->ret = (__s32)ret;
	if (c->nfct)
		e->ctinfo_old = c->nfct & NT_CT_INFO_MASK;
	attach(e, nfct);
	e->what = judge(e);
	if (nt_const(NT_CONST_PCAP) || nt_ct_has_filter() || !e->ct || nt_ct_shown(e->what))
		nt_ct_packet(e, c);
	if (e->ct)
		packet_of(e);
	nt_ct_ovs_info(e, nt_ct_call_top());
	if (!e->ct && (e->bits & NT_CT_OVS_INFO))
		e->zone = e->ovs.zone;
	if (nt_ct_match(e))
		nt_ct_tell(ctx, e);
	return 0;
}

/* ---- the TCP tracker, within ---- */
NT_INLINE void window_of(struct nt_ct_window *w, struct ip_ct_tcp_state *s)
{
	w->end = BPF_CORE_READ(s, td_end);
	w->maxend = BPF_CORE_READ(s, td_maxend);
	w->maxwin = BPF_CORE_READ(s, td_maxwin);
	w->maxack = BPF_CORE_READ(s, td_maxack);
	w->scale = BPF_CORE_READ(s, td_scale);
	w->flags = BPF_CORE_READ(s, flags);
}

NT_FUNC(tcp_in, struct nf_conn *ct)
{
	struct nt_ct_call *c = nt_ct_call_top();

	if (!c || c->kind != NT_CT_IN)
		return 0;
	c->bits |= NT_CT_TCP;
	c->in_tcp = 1;
	if (!(BPF_CORE_READ(ct, status) & NT_IPS_CONFIRMED))
		return 0;	/* before 5.14 its state is what the memory had before */
	c->tcp_old = BPF_CORE_READ(ct, proto.tcp.state);
	window_of(&c->seen[0], &ct->proto.tcp.seen[0]);
	window_of(&c->seen[1], &ct->proto.tcp.seen[1]);
	return 0;
}

NT_RET(tcp_out, 5, __u64 ret)
{
	struct nt_ct_call *c = nt_ct_call_top();

	if (!c || !c->in_tcp)
		return 0;
	c->in_tcp = 0;
	c->tcp_ret = (__s32)ret;
	return 0;
}

/* ---- the kernel's own words, which it has ready whether it logs them or not ---- */
NT_INLINE void keep_reason(const char *text)
{
	struct nt_ct_call *c = nt_ct_call_top();

	if (!c || c->kind != NT_CT_IN || c->reason[0])
		return;
	/* a text near the end of the last page of its section is short */
	if (bpf_probe_read_kernel(c->reason, sizeof(c->reason) - 1, text))
		bpf_probe_read_kernel(c->reason, 32, text);
	c->reason[sizeof(c->reason) - 1] = 0;
}

/* first: what the format begins to be about. */
NT_INLINE int reason(const char *fmt, __u64 first)
{
	struct va_format *va = (void *)first;
	char at[4] = { 0 };

	bpf_probe_read_kernel(at, sizeof(at), fmt);
	if (at[0] == '%' && at[1] == 's')
		fmt = (void *)first;
	else if (at[0] == '%' && at[1] == 'p' && at[2] == 'V')
		fmt = BPF_CORE_READ(va, fmt);
	keep_reason(fmt);
	return 0;
}

/* (skb, ct, fmt, ...); since 5.16 (skb, ct, state, fmt, ...). A state begins with a small number. */
NT_KPROBE(invalid_ct)
{
	char begin = 0;

	bpf_probe_read_kernel(&begin, 1, (void *)PT_REGS_PARM3(ctx));
	if (begin < ' ')
		return reason((void *)PT_REGS_PARM4(ctx), PT_REGS_PARM5(ctx));
	return reason((void *)PT_REGS_PARM3(ctx), PT_REGS_PARM4(ctx));
}

/* The sixth argument of a variadic function. */
#if defined(__TARGET_ARCH_x86)
#define SIXTH(ctx) ((ctx)->r9)
#else
#define SIXTH(ctx) (((struct user_pt_regs *)(ctx))->regs[5])
#endif

/* (skb, net, pf, protocol, fmt, ...); since 5.16 (skb, state, protocol, fmt, ...). */
NT_KPROBE(invalid_l4)
{
	if (is_pointer((void *)PT_REGS_PARM4(ctx)))
		return reason((void *)PT_REGS_PARM4(ctx), PT_REGS_PARM5(ctx));
	return reason((void *)PT_REGS_PARM5(ctx), SIXTH(ctx));
}

/* ---- an action ct() of Open vSwitch ---- */
NT_FUNC(ovs_in, void *net, struct sk_buff *skb, struct sw_flow_key *key, struct ovs_conntrack_info *info)
{
	struct nt_ct_call *c = nt_ct_call_push(NT_CT_OVS_EXECUTE);

	if (!c)
		return 0;
	c->skb = (__u64)skb;
	c->nfct = nt_ct_attached(skb);
	c->key = (__u64)key;
	c->info = (__u64)info;
	c->netns = BPF_CORE_READ((struct net *)net, ns.inum);
	nt_ct_stack(ctx, direct, c);
	return 0;
}

NT_RET(ovs_out, 4, __u64 ret)
{
	struct nt_ct_call *c = nt_ct_call_pop(NT_CT_OVS_EXECUTE);
	struct nt_ct_event *e;
	struct nt_ct_conn *conn;

	if (!c)
		return 0;
	e = nt_ct_event_new(NT_CT_OVS, NT_CT_OVS_EXECUTE);
	if (!e)
		return 0;
	e->ret = (__s32)ret;
	e->netns = c->netns;
	e->stack_id = c->stack_id;
	if (c->nfct)
		e->ctinfo_old = c->nfct & NT_CT_INFO_MASK;
	nt_ct_ovs_info(e, c);
	nt_ct_ovs_key(e, c);
	if (e->ret) {		/* the kernel has freed the packet */
		if (!nt_ct_has_filter() && !nt_const(NT_CONST_PCAP))
			nt_ct_tell(ctx, e);
		return 0;
	}
	attach(e, nt_ct_attached((void *)c->skb));
	if (!e->ct && (e->bits & NT_CT_OVS_INFO))
		e->zone = e->ovs.zone;
	if (nt_const(NT_CONST_PCAP) || nt_ct_has_filter() || !e->ct || nt_ct_shown(NT_CT_OVS))
		nt_ct_packet(e, c);
	conn = bpf_map_lookup_elem(&nt_cts, &e->ct);
	if (conn) {
		conn->bits |= e->conn.bits & NT_CT_MATCHED;
		e->conn = *conn;
	}
	if (nt_ct_match(e))
		nt_ct_tell(ctx, e);
	return 0;
}

#endif
