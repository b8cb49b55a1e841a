// SPDX-License-Identifier: GPL-2.0
/*
 * What connection tracking does with packets, and with the entries of its table. nf_conntrack_in()
 * judges a packet and attaches an entry, __nf_conntrack_confirm() puts a new entry into the table;
 * an action ct() of Open vSwitch calls both.
 */
#include "lib/conntrack_calls.bpf.h"

NT_LICENSE;

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

/* ---- into the table ---- */
NT_FUNC(confirm_in, struct sk_buff *skb)
{
	struct nt_ct_call *c = nt_ct_call_push(NT_CT_CONFIRMING);

	if (!c)
		return 0;
	c->skb = (__u64)skb;
	c->nfct = nt_ct_attached(skb);
	nt_ct_stack(ctx, direct, c);
	return 0;
}

NT_FUNC(clash, void *skb)
{
	struct nt_ct_call *c = nt_ct_call_top();

	if (c && c->kind == NT_CT_CONFIRMING)
		c->bits |= NT_CT_CLASHED;
	return 0;
}

/* Of the entry that the packet came with. */
NT_INLINE void confirmed(struct nt_ct_event *e)
{
	struct nt_ct_conn *conn = bpf_map_lookup_elem(&nt_cts, &e->ct);

	if (!conn) {
		e->conn.bits |= NT_CT_EARLIER;
		return;
	}
	if (e->what == NT_CT_CONFIRM)
		conn->confirmed_ns = e->ts_ns;
	conn->bits |= e->conn.bits & NT_CT_MATCHED;
	e->conn = *conn;
}

NT_RET(confirm_out, 1, __u64 ret)
{
	struct nt_ct_call *c = nt_ct_call_pop(NT_CT_CONFIRMING);
	struct nt_ct_event *e;
	__u64 nfct;

	if (!c || !(c->nfct & ~(__u64)NT_CT_INFO_MASK))
		return 0;
	e = nt_ct_event_new(NT_CT_CONFIRM, NT_CT_CONFIRMING);
	if (!e)
		return 0;
	nfct = nt_ct_attached((void *)c->skb);
	event_of_call(e, c);
	e->ret = (__s32)ret;
	e->ctinfo_old = c->nfct & NT_CT_INFO_MASK;
	/* one that lost a clash is gone by now */
	attach(e, nfct);
	if (e->ret != NT_NF_ACCEPT)
		e->what = NT_CT_CONFIRM_FAILED;
	else if ((nfct ^ c->nfct) & ~(__u64)NT_CT_INFO_MASK)
		e->what = NT_CT_CLASH;
	else if (!(e->status & NT_IPS_CONFIRMED))
		return 0;	/* a packet of the other direction: left for later */
	if (nt_const(NT_CONST_PCAP) || nt_ct_has_filter() || nt_ct_shown(e->what))
		nt_ct_packet(e, c);
	confirmed(e);
	nt_ct_ovs_info(e, nt_ct_call_top());
	if (nt_ct_match(e))
		nt_ct_tell(ctx, e);
	return 0;
}

/* ---- an entry lives on ---- */
/* (ct, ctinfo, skb, jiffies, account); since 6.18 (ct, ctinfo, jiffies, bytes). */
NT_FUNC(refresh, struct nf_conn *ct, void *ctinfo, void *skb, void *jiffies)
{
	struct nt_ct_event *e = nt_ct_event_new(NT_CT_UPDATE, NT_CT_REFRESH);
	struct nt_ct_conn *conn;
	__u64 extension = 0, info = 0;

	if (!e)
		return 0;
	bpf_probe_read_kernel(&extension, sizeof(extension), is_pointer(skb) ? &jiffies : &skb);
	bpf_probe_read_kernel(&info, sizeof(info), &ctinfo);
	bpf_probe_read_kernel(&e->ct, sizeof(e->ct), &ct);
	e->extension = extension;
	e->ctinfo = info & NT_CT_INFO_MASK;
	nt_ct_read(e);
	conn = bpf_map_lookup_elem(&nt_cts, &e->ct);
	if (conn)
		e->conn = *conn;
	else
		e->conn.bits = NT_CT_EARLIER;
	if (nt_ct_match(e))
		nt_ct_tell(ctx, e);
	return 0;
}

/* ---- out of the table ---- */
NT_FUNC(early_in, void *net)
{
	nt_ct_call_push(NT_CT_EARLY_DROP);
	return 0;
}

NT_RET(early_out, 2, __u64 ret)
{
	nt_ct_call_pop(NT_CT_EARLY_DROP);
	return 0;
}

NT_FUNC(gc_in, void *work)
{
	nt_ct_call_push(NT_CT_COLLECT);
	return 0;
}

NT_RET(gc_out, 1, __u64 ret)
{
	nt_ct_call_pop(NT_CT_COLLECT);
	return 0;
}

/* By a RST to a connection without an answer, or a SYN that takes the place of one that ended. */
NT_INLINE __u32 cause_in_tcp(const struct nt_ct_call *c)
{
	struct nt_cur *cur = nt_cur_get();
	__u8 flags = 0;

	if (!cur)
		return NT_CT_OTHER;
	nt_cur_init(false, cur, (void *)c->skb, NT_AT_L3);
	nt_cur_l3(cur);
	if (nt_read_at(cur, cur->l4 + 13, &flags, 1))
		return NT_CT_OTHER;
	return flags & 4 ? NT_CT_RESET : flags & 2 ? NT_CT_REOPENED : NT_CT_OTHER;
}

NT_INLINE __u32 cause_of(struct nt_ct_event *e, __u32 portid)
{
	const struct nt_ct_call *c = nt_ct_call_top();
	__s32 left;

	if (portid)
		return NT_CT_USER;
	if (c && c->kind == NT_CT_EARLY_DROP)
		return NT_CT_EARLY;
	if (c && c->in_tcp)
		return cause_in_tcp(c);
	if (!nt_ct_timeout_left((void *)e->ct, e->status, &left))
		return c ? NT_CT_TIMEOUT : NT_CT_OTHER;	/* by the collector, or found in the way */
	if (left <= 0)
		return NT_CT_TIMEOUT;
	return c && c->kind == NT_CT_COLLECT ? NT_CT_EARLY_GC : NT_CT_OTHER;
}

/* A subprogram: 5.10 forgets the slot's bounds where registers are short. */
NT_SUBPROG int lived(__u64 us)
{
	struct nt_hist_raw *h;
	__u32 zero = 0;

	h = bpf_map_lookup_elem(&nt_hists, &zero);
	if (h)
		nt_hist_record(h, us);
	return 0;
}

/* An entry is deleted once, whatever way it is seen; e->ct and what nt_ct_read() reads are there. */
NT_INLINE void entry_leaves(void *ctx, struct nt_ct_event *e, __u32 portid)
{
	struct nt_ct_conn *conn = bpf_map_lookup_elem(&nt_cts, &e->ct);

	if (!conn) {
		e->conn.bits = NT_CT_EARLIER;
		conn = nt_ct_open(e->ct, &e->conn);
	}
	e->cause = cause_of(e, portid);
	if (conn) {
		if (conn->bits & NT_CT_DELETED)
			return;
		conn->bits |= NT_CT_DELETED;
		conn->cause = e->cause;
		e->conn = *conn;
	}
	if (!nt_ct_match(e))
		return;
	if (e->conn.bits & NT_CT_STORED)
		lived((e->ts_ns - e->conn.created_ns) / 1000);
	nt_ct_tell(ctx, e);
}

NT_INLINE int deleted(void *ctx, struct nf_conn *ct, void *portid, const bool is_dying)
{
	struct nt_ct_event *e = nt_ct_event_new(NT_CT_DELETE, NT_CT_DELETING);
	__u64 port = 0;

	if (!e)
		return 0;
	bpf_probe_read_kernel(&port, sizeof(port), &portid);
	bpf_probe_read_kernel(&e->ct, sizeof(e->ct), &ct);
	nt_ct_read(e);
	if (is_dying || !(e->status & NT_IPS_DYING))
		entry_leaves(ctx, e, port);
	return 0;
}

/* The part behind the test whether somebody else deletes it: where the compiler made one of it, the
 * kernel's own calls go there, and past the function. */
NT_KPROBE(delete_part)
{
	return deleted(ctx, (void *)PT_REGS_PARM1(ctx), (void *)PT_REGS_PARM2(ctx), true);
}

NT_FUNC(delete, struct nf_conn *ct, void *portid)
{
	return deleted(ctx, ct, portid, false);
}

/* A deletion that was not seen is told first. */
NT_INLINE void deleted_unseen(void *ctx, struct nt_ct_event *e)
{
	struct nt_ct_conn *conn = bpf_map_lookup_elem(&nt_cts, &e->ct);

	if (!conn || !(conn->bits & NT_CT_STORED) || (conn->bits & NT_CT_DELETED) || !conn->confirmed_ns)
		return;
	e->what = NT_CT_DELETE;
	entry_leaves(ctx, e, 0);
	e->what = NT_CT_DESTROY;
	e->cause = 0;
}

NT_FUNC(destroy, struct nf_conn *ct)
{
	struct nt_ct_event *e = nt_ct_event_new(NT_CT_DESTROY, NT_CT_DESTROYING);
	struct nt_ct_conn *conn;

	if (!e)
		return 0;
	bpf_probe_read_kernel(&e->ct, sizeof(e->ct), &ct);
	nt_ct_read(e);
	if (e->status & NT_IPS_TEMPLATE)
		return 0;
	deleted_unseen(ctx, e);
	conn = bpf_map_lookup_elem(&nt_cts, &e->ct);
	if (conn)
		e->conn = *conn;
	else if (!(e->status & NT_IPS_CONFIRMED))
		return 0;	/* made for a packet that turned out to be invalid: never told of */
	else
		e->conn.bits = NT_CT_EARLIER;
	nt_ct_close(e->ct);
	if (nt_ct_match(e))
		nt_ct_tell(ctx, e);
	return 0;
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
