/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Timelines: a packet that the filter lets in at its first stage is followed to
 * its last, each stage noting the time. By the address of its skb first; where
 * another skb carries on (clone, copy through an upcall, segment, fragment), by
 * its alias: addresses, ports and numbers of its headers. What comes back to an
 * alias that several packets have is not followed: a wrong match is worse than
 * a missing one. Histograms are of consecutive stages that were met, and of
 * complete ways only, so that they add up to the total.
 */
#ifndef NT_BPF_TIMELINE_H
#define NT_BPF_TIMELINE_H

#include "lib/devset.bpf.h"
#include "lib/drop.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/filter.bpf.h"
#include "lib/echo.bpf.h"
#include "lib/timeline_alias.bpf.h"
#include "lib/timeline_stamp.bpf.h"
#include "lib/track.bpf.h"
#if !NT_TL_LEGS
#include "lib/percpu.bpf.h"
#endif

/* What need not be looked at: of sessions, what is no ICMP, or has none of their addresses. */
#define NT_TL_REJECT(mask, direct, skb, at, eth) \
	(NT_TL_LEGS ? nt_rtt_quick_other(direct, skb, at, eth) : nt_quick_reject_by(mask, direct, skb, at, eth))

NT_TRACKS(struct nt_timeline, 16384);

#if NT_TL_LEGS			/* timeline_legs.bpf.h */
NT_SUBPROG int nt_tl_leg_end(void *ctx, struct nt_timeline *e);
NT_SUBPROG int nt_tl_leg_keep(const struct nt_timeline *e);
#endif

/* ---- ends ---- */
NT_INLINE void nt_tl_count_drop(const struct nt_timeline *e)
{
	struct nt_tl_drop k = { .location = e->location, .reason = e->reason, .upcall_error = e->upcall_error,
				.direction = e->direction, .part = e->part };
	__u64 zero = 0, *n;

	k.after = nt_tl_stop(e, (__u64)e->n - 1)->stage;
	n = nt_row(&nt_tl_drops, &k, &zero);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		nt_stat_add(NT_STAT_TL_NO_ROW, 1);
}

/* A copy of the state is the event; whoever deletes the entry counts the end. Of a drop l has reason and
 * place already. */
NT_SUBPROG int nt_tl_end(void *ctx, __u64 skb, const struct nt_timeline *l, __u32 ended, __u64 now)
{
	struct nt_timeline *e = nt_scratch_get(0);

	if (!e || !l)
		return 0;
	nt_tl_copy(e, l);
	/* from here on out of the map: the verifier would follow all that comes once for each end */
	e->ended = ended;
	if (bpf_map_delete_elem(&nt_tracks, &skb))
		return 0;
	nt_stat_add(NT_STAT_TRACK_ENDED + *(volatile __u32 *)&e->ended, 1);
	nt_tl_alias_remove(e);
	e->ended_ns = now > e->start_ns ? now : e->start_ns;
#if NT_TL_LEGS
	return nt_tl_leg_end(ctx, e);
#else
	if (e->ended == NT_TL_ELSEWHERE)
		return 0;
	if (e->ended == NT_TL_COMPLETE)
		nt_tl_record(e);
	else
		nt_tl_count_drop(e);
	if (nt_const(NT_CONST_TOOL0) & NT_TL_BY_IF)
		nt_tl_count_if(e);
	if (nt_tl_shown(e))
		nt_emit(ctx, e, sizeof(*e));
	return 0;
#endif
}

/* skb:kfree_skb. */
NT_INLINE void nt_tl_freed(void *ctx, struct sk_buff *skb, void *location)
{
	struct nt_timeline *l = nt_track_of(skb);
	__u64 now = bpf_ktime_get_ns();
	struct nt_drop d;

	if (!l)
		return;
	d.location_raw = (__u64)location;
	nt_drop_find_place(ctx, &d);
	l->location = d.location;
	l->reason = nt_drop_reason(ctx);
	nt_tl_end(ctx, (__u64)skb, l, d.class == NT_LOC_BENIGN || d.class == NT_LOC_CHILD ? NT_TL_ELSEWHERE : NT_TL_DROPPED,
		  now);
}

/* Does the skb still carry the packet that its state is of? NAT changes addresses, ports and echo ids; an
 * encapsulated one has other headers. Its memory is used again, and not each end is seen. */
NT_SUBPROG int nt_tl_same(const struct nt_cur *c, const struct nt_timeline *l)
{
	struct nt_timeline *now = nt_scratch_get(1);
	__u32 mask = ~0u;

	if (!c || !l || !now || (l->flags & NT_TL_ENCAPSULATED) || !(l->id_a | l->id_b))
		return 1;
	now->pkt.gso_size = 0;
	if (c->flow.proto != l->pkt.flow.proto || !nt_tl_ids(c, now))
		return 0;
	if (c->bits & NT_PKT_ICMP)
		mask = 0xffff;
	else if (c->flow.proto == 17 && l->pkt.gso_size)
		mask = 0xffff0000;
	return !((now->id_a ^ l->id_a) & mask) && now->id_b == l->id_b;
}

/* ---- beginning ---- */
/* The address has a state already: of a packet whose end was not seen. Still on its way (true) is one that a
 * tunnel of this host has just wrapped, and one that is received again by way of an ifb. */
NT_INLINE bool nt_tl_supersede(const bool direct, struct sk_buff *skb, const struct nt_cur *c, const __u32 direction)
{
	struct nt_timeline *old = nt_track_of(skb), *e;
	__u64 key = (__u64)skb;

	if (!old)
		return false;
	if (direction == NT_DIR_RX && old->seen == 1u << NT_TL_PHY_RX && nt_tl_same(c, old))
		return true;
	if (direct ? BPF_CORE_READ_BITFIELD((struct sk_buff___encapsulation *)skb, encapsulation)
		   : BPF_CORE_READ_BITFIELD_PROBED((struct sk_buff___encapsulation *)skb, encapsulation)) {
		old->flags |= NT_TL_ENCAPSULATED;
		return true;
	}
	e = nt_scratch_get(1);
	if (!e)
		return false;
	nt_tl_copy(e, old);
	if (bpf_map_delete_elem(&nt_tracks, &key))
		return false;
	nt_tl_alias_remove(e);
#if NT_TL_LEGS
	nt_tl_leg_keep(e);		/* its session times out, and is counted then */
#else
	if (e->left_ifindex) {
		nt_stat_add(NT_STAT_TRACK_ENDED + NT_TL_ELSEWHERE, 1);
	} else {
		nt_stat_add(NT_STAT_EVICTED, 1);
		nt_stat_add(NT_STAT_TRACK_SUPERSEDED, 1);
	}
#endif
	return false;
}

#define NT_TCP_FIN 1
#define NT_TCP_SYN 2
#define NT_TCP_ACK 16
/* Was the segment's first byte, or its SYN or FIN, sent before? The socket has not counted this one yet. Probes
 * repeat a number, too, but carry nothing; a SYN with ACK has no socket of its own. */
NT_INLINE bool nt_tl_retransmitted(const bool direct, struct sk_buff *skb, const struct nt_cur *c, __u32 seq)
{
	struct tcp_sock *tcp = (void *)NT_GET(direct, skb, sk);
	struct { __u8 off, flags; } h = { 0, 0 };
	bool payload;

	if (!(c->bits & NT_PKT_TCP) || !tcp || nt_read_at(c, c->l4 + 12, &h, sizeof(h)) ||
	    (h.flags & (NT_TCP_SYN | NT_TCP_ACK)) == (NT_TCP_SYN | NT_TCP_ACK))
		return false;
	payload = NT_GET(direct, skb, len) + c->data > c->l4 + (h.off >> 4) * 4;
	return (payload || (h.flags & (NT_TCP_SYN | NT_TCP_FIN))) && (__s32)(seq - BPF_CORE_READ(tcp, snd_nxt)) < 0;
}

/* A state in scratch memory. The filter let the packet in, and c is parsed. */
NT_INLINE struct nt_timeline *nt_tl_new(const bool direct, struct sk_buff *skb, const struct nt_cur *c,
					const __u32 direction)
{
	struct nt_timeline *l = nt_scratch_get(0);

	if (!l)
		return NULL;
	__builtin_memset(l, 0, offsetof(struct nt_timeline, stop));	/* nt_tl_stamp() fills the stops */
	l->start_ns = bpf_ktime_get_ns();
	l->direction = direction;
	l->backlog = l->qlen = NT_TL_NO_DEPTH;
	l->stack = -1;
	nt_pkt_fill(c, &l->pkt);
	nt_skb_gso(direct, skb, &l->pkt.gso_size, &l->pkt.gso_segs);
	if (l->pkt.gso_size)
		nt_stat_add(NT_STAT_TL_GSO, 1);
	if (!NT_TL_LEGS)
		nt_stat_add(NT_STAT_EVENTS, 1);
	return l;
}

#if !NT_TL_LEGS
/* Who sends it: a task, or a softirq on top of any. */
NT_INLINE void nt_tl_sender(struct nt_timeline *l)
{
	enum nt_context context = nt_context();

	if (context == NT_CONTEXT_INTERRUPT)
		l->flags |= NT_TL_BY_INTERRUPT;
	if (context == NT_CONTEXT_TASK)
		nt_tl_task(l);
}
#else
#define nt_tl_sender(l)		/* of a session: nt_tl_task(), at its first stage */
#endif

/* The state as it began, in scratch memory. */
NT_INLINE struct nt_timeline *nt_tl_begin_new(void *ctx, const bool direct, struct sk_buff *skb, const struct nt_cur *c,
					      const __u32 direction, const __u32 stage, struct net_device *dev)
{
	struct nt_timeline *l = nt_tl_new(direct, skb, c, direction);

	if (!l)
		return NULL;
	nt_tl_ids(c, l);
	if (!NT_TL_LEGS && direction == NT_DIR_TX && nt_tl_retransmitted(direct, skb, c, l->id_a))
		l->flags |= NT_TL_RETRANS;
	if (direction == NT_DIR_TX && (nt_const(NT_CONST_TOOL0) & NT_TL_DETAIL))
		nt_tl_sender(l);
	if (nt_tl_first_fragment(c)) {
		l->flags |= NT_TL_FRAGMENTED;
		nt_tl_frag_note(c);
	}
	nt_tl_stamp(ctx, direct, l, skb, dev, stage, l->start_ns);
	nt_tl_alias_add(l, (__u64)skb);
	nt_track_start(skb, l);
	return l;
}

NT_INLINE void nt_tl_begin(void *ctx, const bool direct, struct sk_buff *skb, const struct nt_cur *c,
			   const __u32 direction, const __u32 stage, struct net_device *dev)
{
	if (!nt_tl_supersede(direct, skb, c, direction))
		nt_tl_begin_new(ctx, direct, skb, c, direction, stage, dev);
}

/* Of one whose skb is the same to its end. It has no stage yet. */
NT_INLINE void nt_tl_begin_without_alias(const bool direct, struct sk_buff *skb, const struct nt_cur *c,
					 const __u32 direction)
{
	struct nt_timeline *l = nt_tl_new(direct, skb, c, direction);

	if (l)
		nt_track_start(skb, l);
}

/* ---- found again by alias ---- */
/* The state goes on under another address. */
NT_SUBPROG int nt_tl_move(__u64 from, __u64 to, __u32 flag)
{
	struct nt_timeline *l = nt_scratch_get(0), *old = bpf_map_lookup_elem(&nt_tracks, &from);

	if (!l || !old)
		return 0;
	nt_tl_copy(l, old);
	l->flags |= flag;
	if (bpf_map_delete_elem(&nt_tracks, &from))
		return 0;
	if (bpf_map_update_elem(&nt_tracks, &to, l, BPF_ANY))
		nt_stat_add(NT_STAT_MAP_FULL, 1);
	return 1;
}

NT_SUBPROG int nt_tl_rebind(const struct nt_cur *c, __u64 skb, __u32 flag)
{
	struct nt_timeline *l = nt_scratch_get(0), *old;
	struct nt_tl_alias_key k;
	struct nt_tl_alias *a;

	if (!c || !l)
		return 0;
	l->pkt.gso_size = 0;
	if (!nt_tl_ids(c, l))
		return 0;
	nt_tl_alias_key(&k, &c->flow, l);
	a = bpf_map_lookup_elem(&nt_aliases, &k);
	if (!a && c->flow.proto == 17) {	/* a segment of a larger one */
		k.id_a &= 0xffff0000;
		a = bpf_map_lookup_elem(&nt_aliases, &k);
	}
	if (!a || a->ambiguous)
		return 0;
	old = bpf_map_lookup_elem(&nt_tracks, &a->skb);
	if (!old || old->start_ns != a->start_ns)
		return 0;
	if (!nt_tl_move(a->skb, skb, flag))
		return 0;
	a->skb = skb;
	return 1;
}

/* The state of a packet whose skb is unknown. Only what the filter could have let in is looked for. Later
 * fragments meet several stages: one of them asks for their count, with NT_TL_COUNT_LATER in flag. */
#define NT_TL_COUNT_LATER (1u << 31)
NT_INLINE struct nt_timeline *nt_tl_by_alias(const bool direct, struct sk_buff *skb, const enum nt_at at,
					     struct net_device *dev, const __u16 eth_type, const __u32 flag)
{
	struct nt_cur *c = nt_cur_get();

	if (!c || NT_TL_REJECT(nt_const(NT_CONST_FILTER) & ~(__u64)NT_FILTER_L4, direct, skb, at, eth_type))
		return NULL;
	nt_cur_init(direct, c, skb, at);
	if (eth_type)
		c->eth_type = eth_type;
	if (at == NT_AT_DATA_L2 && dev)
		nt_cur_without_l2(direct, c, dev);
	nt_cur_l3(c);
	if (!nt_tl_followed(c))
		return NULL;
	if (c->bits & NT_PKT_FRAG) {
		if (flag & NT_TL_COUNT_LATER)
			nt_tl_frag_later(c);
		return NULL;
	}
	nt_cur_l4(c);
	if (!nt_tl_rebind(c, (__u64)skb, flag & ~NT_TL_COUNT_LATER))
		return NULL;
	if (nt_tl_first_fragment(c))
		nt_tl_frag_note(c);
	return nt_track_of(skb);
}

#endif
