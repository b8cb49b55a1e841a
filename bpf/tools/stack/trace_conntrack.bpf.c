// SPDX-License-Identifier: GPL-2.0
/*
 * What connection tracking does with packets, and with the entries of its table. nf_conntrack_in()
 * judges a packet and attaches an entry (conntrack_track.bpf.h), __nf_conntrack_confirm() puts a new
 * entry into the table; how it gets out of it is here, too.
 */
#include "lib/conntrack_track.bpf.h"

NT_LICENSE;

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
