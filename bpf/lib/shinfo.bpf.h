/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets whose shared info is followed by the address of their skb. Each hook is a place: what a packet has
 * there is compared with what it had at the last one. A change is the work of the innermost function that has
 * not returned yet and was given this packet, else of something between two places. What a difference means is
 * told by shinfo_list.bpf.h or shinfo_tunnel.bpf.h, of which a tool includes one.
 */
#ifndef NT_BPF_SHINFO_H
#define NT_BPF_SHINFO_H

#include "lib/calls.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/filter.bpf.h"
#include "lib/packet.bpf.h"
#include "lib/rate.bpf.h"
#include "lib/stacks.bpf.h"
#include "nettrace/nt_abi_shinfo.h"

enum nt_shinfo_how {		/* beside enum nt_shinfo_place */
	NT_SHINFO_LEAVES = 1 << 8,	/* the function returns: the packet may have ended in it */
	NT_SHINFO_ENTERS = 1 << 9,	/* its return will be seen, too */
	NT_SHINFO_MADE = 1 << 10,	/* by the function that returns */
	NT_SHINFO_FRESH = 1 << 11,	/* from a driver, perhaps: another buffer is another packet */
	NT_SHINFO_AT_L2 = 1 << 12,	/* skb->data is the Ethernet header */
	NT_SHINFO_AT_L3 = 1 << 13,	/* skb->data is the IP header */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64);
	__type(value, struct nt_shinfo_track);
} nt_shinfos SEC(".maps");

struct nt_shinfo_call {
	__u64 skb;
	__u64 born_ns;		/* of the track at entry: another one is another packet */
	__u32 place;
	__s32 stack_id;
	__be16 sport, dport;	/* of a packet that is made */
	__u32 pad;
};
NT_CALLS(nt_shinfo_calls, struct nt_shinfo_call, 8)

/* ---- what a tool makes of it ---- */
/* More of the packet's state. */
static void nt_shinfo_read_more(__u64 addr, struct nt_shinfo *s);
/* More of what is inside the packet at c. */
static void nt_shinfo_inside(__u64 addr, struct nt_cur *c, struct nt_shinfo_event *e);
/* What has happened, NT_SHINFO_NOTHING: nothing to tell; place and since are set, as of a change. */
static __u32 nt_shinfo_what(struct nt_shinfo_event *e, __u32 how);
/* What else is wrong with it: rules. */
static int nt_shinfo_check(struct nt_shinfo_event *e);
/* Is there an event about rules, too? It is NT_SHINFO_INCONSISTENT. */
static bool nt_shinfo_broken(const struct nt_shinfo_event *e, const struct nt_shinfo_track *t);
/* Counts an event; true: it may be shown. */
static bool nt_shinfo_count(const struct nt_shinfo_event *e);

/* ---- reading ---- */
NT_SUBPROG int nt_shinfo_read(__u64 addr, struct nt_shinfo *s)
{
	struct sk_buff *skb = (void *)addr;
	struct sk_buff___cloned *bits = (void *)addr;
	struct skb_shared_info *si;

	if (!s)
		return 0;
	si = (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));
	s->frag_list = (__u64)BPF_CORE_READ(si, frag_list);
	s->gso_type = BPF_CORE_READ(si, gso_type);
	s->gso_size = BPF_CORE_READ(si, gso_size);
	s->gso_segs = BPF_CORE_READ(si, gso_segs);
	s->nr_frags = BPF_CORE_READ(si, nr_frags);
	s->len = BPF_CORE_READ(skb, len);
	s->data_len = BPF_CORE_READ(skb, data_len);
	s->bits = NT_SHINFO_KNOWN | (BPF_CORE_READ_BITFIELD_PROBED(bits, cloned) ? NT_SHINFO_CLONED : 0);
	s->inner_protocol = 0;
	s->pad = 0;
	nt_shinfo_read_more(addr, s);
	return 0;
}

NT_INLINE __u64 nt_shinfo_head(__u64 addr)
{
	return (__u64)BPF_CORE_READ((struct sk_buff *)addr, head);
}

/* ---- the packet ---- */
/* A packet of this host has no protocol yet where it is made. */
NT_INLINE void nt_shinfo_unnamed(struct nt_cur *c)
{
	__u8 version;

	if (c->eth_type || c->l3 == NT_NO_OFF || nt_read_at(c, c->l3, &version, 1))
		return;
	c->eth_type = version >> 4 == 4 ? NT_ETH_P_IP : version >> 4 == 6 ? NT_ETH_P_IPV6 : 0;
	c->flow.eth_type = bpf_htons(c->eth_type);
}

NT_INLINE void nt_shinfo_dev(struct nt_cur *c, struct sk_buff *skb)
{
	struct dst_entry *dst;

	nt_cur_maybe_dev(false, c, skb);
	if (c->bits & (NT_PKT_DEV | NT_PKT_IIF))
		return;		/* it came from outside: its route's device is another one */
	dst = nt_skb_dst(false, skb);
	if (dst)
		nt_cur_dev(false, c, BPF_CORE_READ(dst, dev));
}

/* The UDP header is written after the packet was made: its ports are the flow's. */
NT_INLINE void nt_shinfo_ports(struct nt_cur *c, const struct nt_shinfo_call *call)
{
	c->l4 = NT_NO_OFF;
	c->eth_type = 0;	/* or the filter parses once more */
	if (c->flow.proto != 17 && c->flow.proto != 136)
		return;
	c->flow.sport = call->sport;
	c->flow.dport = call->dport;
	c->bits |= NT_PKT_PORTS;
}

NT_SUBPROG int nt_shinfo_parse(__u64 addr, __u32 how, const struct nt_shinfo_call *call)
{
	struct nt_cur *c = nt_cur_get();
	struct sk_buff *skb = (void *)addr;

	if (!c)
		return 0;
	if (how & NT_SHINFO_AT_L2)
		nt_cur_init(false, c, skb, NT_AT_DATA_L2);
	else
		nt_cur_init(false, c, skb, how & NT_SHINFO_AT_L3 ? NT_AT_DATA_L3 : NT_AT_ANY);
	nt_shinfo_unnamed(c);
	if (how & NT_SHINFO_AT_L2)
		nt_cur_without_l2(false, c, BPF_CORE_READ(skb, dev));
	nt_shinfo_dev(c, skb);
	nt_cur_l3(c);
	if (call && (how & NT_SHINFO_MADE))
		nt_shinfo_ports(c, call);
	return 0;
}

/* 1: the filter takes it. */
NT_SUBPROG int nt_shinfo_wanted(__u64 addr, __u32 how, const struct nt_shinfo_call *call)
{
	struct nt_cur *c;

	if (!nt_const(NT_CONST_FILTER) && !nt_const(NT_CONST_PCAP))
		return 1;
	nt_shinfo_parse(addr, how, call);
	c = nt_cur_get();
	return c && nt_filter(c) ? 1 : 0;
}

/* Who and what: the members from ts_ns on that are no state. */
NT_SUBPROG int nt_shinfo_packet(__u64 addr, __u32 how, const struct nt_shinfo_call *call, struct nt_shinfo_event *e)
{
	struct nt_cur *c = nt_cur_get();
	__u64 id;

	if (!c || !e)
		return 0;
	e->ts_ns = bpf_ktime_get_ns();
	e->cpu = bpf_get_smp_processor_id();
	id = bpf_get_current_pid_tgid();
	e->pid = id >> 32;
	e->tid = id;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	nt_shinfo_parse(addr, how, call);
	nt_cur_l4(c);
	nt_pkt_fill(c, &e->pkt);
	if (!(c->bits & NT_PKT_DEV))	/* a number alone tells nobody which namespace's device it is */
		e->pkt.flow.ifindex = 0;
	e->pkt.gso_size = e->after.gso_size;
	e->pkt.gso_segs = e->after.gso_segs;
	nt_shinfo_inside(addr, c, e);
	return 0;
}

/* ---- events ---- */
/* Counts an event, and shows it if it is to be shown. */
NT_SUBPROG int nt_shinfo_tell(void *ctx, struct nt_shinfo_event *e)
{
	if (!e || !nt_shinfo_count(e) || !(nt_const(NT_CONST_TOOL0) >> (e->what & 15) & 1))
		return 0;
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_SHINFO_RATE_LIMITED, 1);
		return 0;
	}
	nt_emit(ctx, e, sizeof(*e));
	return 0;
}

NT_INLINE __s32 nt_shinfo_stack(void *ctx)
{
	__s32 id;

	if (!(nt_const(NT_CONST_TOOL0) & NT_SHINFO_STACKS))
		return -1;
	id = bpf_get_stackid(ctx, &nt_stacks, 0);
	if (id < 0)
		nt_stat_add(NT_STAT_SHINFO_NO_STACK, 1);
	return id;
}

/* Whose work a change is. */
NT_INLINE void nt_shinfo_whose(struct nt_shinfo_event *e, __u32 how)
{
	struct nt_shinfo_call *c;

	e->seen_at = e->place = how & 0xff;
	if (how & NT_SHINFO_LEAVES)
		return;
	c = nt_shinfo_calls_top();
	if (c && c->skb == e->skb)
		e->place = c->place;
	else
		e->since = e->history & 0xff;
}

/* An event about a packet where it is, not about a change. */
NT_INLINE void nt_shinfo_here(struct nt_shinfo_event *e)
{
	e->place = e->seen_at;
	e->since = 0;
}

/* What has happened, and whose work it is: what, place, since. */
NT_SUBPROG int nt_shinfo_judge(struct nt_shinfo_event *e, __u32 how)
{
	if (!e)
		return 0;
	nt_shinfo_whose(e, how);
	e->what = nt_shinfo_what(e, how);
	return 0;
}

/* ---- following ---- */
/* What is known of the packet; NULL: it is not followed. */
NT_INLINE struct nt_shinfo_track *nt_shinfo_of(__u64 addr, __u32 how, const struct nt_shinfo_call *call)
{
	struct nt_shinfo_track *t = bpf_map_lookup_elem(&nt_shinfos, &addr), fresh;

	if (t && (how & NT_SHINFO_MADE ||
		  (how & NT_SHINFO_FRESH && t->head != nt_shinfo_head(addr)))) {
		bpf_map_delete_elem(&nt_shinfos, &addr);	/* an end that we did not see */
		t = NULL;
	}
	if (t || (how & NT_SHINFO_LEAVES && !(how & NT_SHINFO_MADE)))
		return t;
	if (!nt_shinfo_wanted(addr, how, call))
		return NULL;
	__builtin_memset(&fresh, 0, sizeof(fresh));
	fresh.born_ns = bpf_ktime_get_ns();
	if (how & NT_SHINFO_MADE)
		fresh.s.bits = NT_SHINFO_KNOWN;
	if (bpf_map_update_elem(&nt_shinfos, &addr, &fresh, BPF_NOEXIST))
		nt_stat_add(NT_STAT_MAP_FULL, 1);
	else
		nt_stat_add(NT_STAT_SHINFO_PACKETS, 1);
	return bpf_map_lookup_elem(&nt_shinfos, &addr);
}

NT_INLINE void nt_shinfo_keep(struct nt_shinfo_track *t, const struct nt_shinfo_event *e, __u32 how)
{
	t->s = e->after;
	t->seen_ns = bpf_ktime_get_ns();
	t->head = nt_shinfo_head(e->skb);
	if ((t->history & 0xff) != (how & 0xff))
		t->history = t->history << 8 | (how & 0xff);
}

/* A subprogram of its own, so that the verifier need not know what led to it. */
NT_SUBPROG int nt_shinfo_report(void *ctx, __u32 how, const struct nt_shinfo_call *call, struct nt_shinfo_event *e,
				struct nt_shinfo_track *t)
{
	if (!e || !t)
		return 0;
	e->stack_id = call ? call->stack_id : nt_shinfo_stack(ctx);
	nt_shinfo_packet(e->skb, how, call, e);
	if (e->what != NT_SHINFO_NOTHING)
		nt_shinfo_tell(ctx, e);
	if (!nt_shinfo_broken(e, t))
		return 0;
	t->told |= e->rules;
	e->what = NT_SHINFO_INCONSISTENT;
	nt_shinfo_tell(ctx, e);
	return 0;
}

/* A packet is at a place. how: enum nt_shinfo_place and enum nt_shinfo_how. */
NT_SUBPROG int nt_shinfo_see(void *ctx, __u64 addr, __u32 how, const struct nt_shinfo_call *call)
{
	struct nt_shinfo_event *e = nt_scratch_get(0);
	struct nt_shinfo_track *t;

	if (!e || !addr)
		return 0;
	t = nt_shinfo_of(addr, how, call);
	if (!t || (call && call->born_ns && call->born_ns != t->born_ns))
		return 0;
	__builtin_memset(e, 0, offsetof(struct nt_shinfo_event, pkt));
	e->skb = addr;
	e->before = t->s;
	e->history = t->history;
	nt_shinfo_read(addr, &e->after);
	nt_shinfo_judge(e, how);
	nt_shinfo_check(e);
	nt_shinfo_keep(t, e, how);
	if (!nt_shinfo_broken(e, t) && e->what == NT_SHINFO_NOTHING)
		return 0;
	return nt_shinfo_report(ctx, how, call, e, t);
}

NT_INLINE bool nt_shinfo_pair(const __u32 place)
{
	return nt_const(NT_CONST_TOOL1) >> place & 1;
}

/* A function begins with a packet. */
NT_INLINE int nt_shinfo_enter(void *ctx, __u64 skb, const __u32 place)
{
	struct nt_shinfo_track *t;
	struct nt_shinfo_call *c;

	nt_shinfo_see(ctx, skb, place | (nt_shinfo_pair(place) ? NT_SHINFO_ENTERS : 0), NULL);
	t = bpf_map_lookup_elem(&nt_shinfos, &skb);
	if (!nt_shinfo_pair(place))
		return 0;
	c = nt_shinfo_calls_push();
	if (!c)
		return 0;
	c->skb = t ? skb : 0;
	c->born_ns = t ? t->born_ns : 0;
	c->place = place;
	c->stack_id = t ? nt_shinfo_stack(ctx) : -1;
	return 0;
}

/* A function begins that makes a packet: whose ports are those of the flow, which it clears at its end. */
NT_INLINE int nt_shinfo_begin(void *ctx, const __u32 place, union flowi_uli *flow)
{
	struct nt_shinfo_call *c = nt_shinfo_pair(place) ? nt_shinfo_calls_push() : NULL;

	if (!c)
		return 0;
	c->place = place;
	c->sport = BPF_CORE_READ(flow, ports.sport);
	c->dport = BPF_CORE_READ(flow, ports.dport);
	c->stack_id = nt_shinfo_stack(ctx);
	return 0;
}

/* It returns; made: the packet that it made, 0: it makes none. */
NT_INLINE int nt_shinfo_leave(void *ctx, const __u32 place, __u64 made)
{
	struct nt_shinfo_call *c = nt_shinfo_calls_top();

	if (!nt_shinfo_pair(place) || !c || c->place != place)
		return 0;
	nt_shinfo_calls_pop();
	if (made)
		nt_shinfo_see(ctx, made, place | NT_SHINFO_LEAVES | NT_SHINFO_MADE, c);
	else if (c->skb)
		nt_shinfo_see(ctx, c->skb, place | NT_SHINFO_LEAVES, c);
	return 0;
}

NT_INLINE int nt_shinfo_end(__u64 skb)
{
	bpf_map_delete_elem(&nt_shinfos, &skb);
	return 0;
}

#endif
