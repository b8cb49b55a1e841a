/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions whose packets are followed by the address of their skb. A request
 * that the filter lets in begins one, and its own timeline as any other packet's;
 * a reply is followed if there is a session that waits for it. The session keeps
 * each leg as it began, and as it was when it ended.
 */
#ifndef NT_BPF_TIMELINE_LEGS_H
#define NT_BPF_TIMELINE_LEGS_H

#include "lib/timeline_dev.bpf.h"
#include "lib/timeline_rtt.bpf.h"

/* ---- the end of a session ---- */
NT_INLINE bool nt_tl_leg_key(struct nt_echo_key *k, const struct nt_timeline *e)
{
	bool request = nt_echo_is_request(e->pkt.icmp_type);

	nt_echo_key_fill(k, &e->pkt.flow, request,
			 request == (e->direction == NT_DIR_TX) ? NT_DIR_TX : NT_DIR_RX);
	return request;
}

NT_INLINE void nt_rtt_dropped(void *ctx, struct nt_rtt *s, const struct nt_timeline *e)
{
	nt_stat_add(NT_STAT_RTT_DROPPED, 1);
	nt_tl_count_drop(e);
	if ((nt_const(NT_CONST_TOOL0) & NT_TL_EVENTS))
		nt_emit_uncounted(ctx, s, sizeof(*s));
}

/* A leg of a session has ended; its entry in nt_tracks is gone. */
NT_SUBPROG int nt_tl_leg_end(void *ctx, struct nt_timeline *e)
{
	struct nt_echo_key k;
	struct nt_rtt *s;
	bool first;

	if (!e)
		return 0;
	first = nt_tl_leg_key(&k, e);
	s = bpf_map_lookup_elem(&nt_rtts, &k);
	if (!s || (first ? s->leg[0].start_ns : s->leg[1].start_ns) != e->start_ns)
		return 0;	/* timed out, or sent again */
	e->part = first ? NT_TL_LEG1 : NT_TL_LEG2;
	if (first) {
		nt_tl_copy(&s->leg[0], e);
		if (e->ended == NT_TL_COMPLETE)
			return 0;
		if (e->ended == NT_TL_ELSEWHERE && k.direction == NT_DIR_TX) {	/* not by an uplink, but answered */
			s->leg[0].ended_ns = nt_tl_stop(e, (__u64)e->n - 1)->ts_ns;
			return 0;
		}
	} else if (e->ended == NT_TL_ELSEWHERE) {
		s->leg[1].start_ns = 0;		/* forwarded: it may come again, for this host */
		return 0;
	} else {
		nt_tl_copy(&s->leg[1], e);
	}
	s = nt_rtt_take(s, &k, e->ended_ns, e->ended == NT_TL_COMPLETE ? NT_RTT_COMPLETE : NT_RTT_DROPPED);
	if (!s)
		return 0;
	nt_tl_bury(&k, e->ended == NT_TL_ELSEWHERE ? NT_PAST_REFUSED : NT_PAST_DONE, 0);
	if (e->ended == NT_TL_ELSEWHERE) {
		nt_stat_add(NT_STAT_RTT_ELSEWHERE, 1);
		return 0;
	}
	if (e->ended != NT_TL_COMPLETE) {
		nt_rtt_dropped(ctx, s, e);
		return 0;
	}
	nt_rtt_completed(ctx, s);
	return 0;
}

/* A timeline whose skb's address is used again: how far it came is all that will be known of it. */
NT_SUBPROG int nt_tl_leg_keep(const struct nt_timeline *e)
{
	struct nt_echo_key k;
	struct nt_rtt *s;
	bool first;

	if (!e)
		return 0;
	nt_stat_add(NT_STAT_TRACK_SUPERSEDED, 1);
	first = nt_tl_leg_key(&k, e);
	s = bpf_map_lookup_elem(&nt_rtts, &k);
	if (s && first && s->leg[0].start_ns == e->start_ns)
		nt_tl_copy(&s->leg[0], e);
	if (s && !first && s->leg[1].start_ns == e->start_ns)
		nt_tl_copy(&s->leg[1], e);
	return 0;
}

/* ---- the first leg ---- */
NT_SUBPROG int nt_rtt_new(const struct nt_echo_key *k, const struct nt_timeline *l, __u64 skb)
{
	struct nt_rtt *s = nt_scratch_get(1);

	if (!k || !l || !s)
		return 0;
	s->start_ns = l->start_ns;
	s->ended_ns = 0;
	s->key = *k;
	s->ended = s->pad = 0;
	nt_tl_copy(&s->leg[0], l);
	__builtin_memset(&s->leg[1], 0, offsetof(struct nt_timeline, stop));
	if (!bpf_map_update_elem(&nt_rtts, k, s, BPF_NOEXIST))
		return 0;
	nt_stat_add(NT_STAT_MAP_FULL, 1);
	nt_tl_bury(k, NT_PAST_REFUSED, 0);
	nt_tl_alias_remove(&s->leg[0]);
	bpf_map_delete_elem(&nt_tracks, &skb);
	return 0;
}

/* May a session begin? */
NT_INLINE bool nt_tl_leg1_begins(void *ctx, const struct nt_cur *c, const struct nt_echo_key *k, const __u32 stage)
{
	struct nt_rtt *old = bpf_map_lookup_elem(&nt_rtts, k);

	if (old && stage != NT_TL_IP_OUT && bpf_ktime_get_ns() - old->start_ns < NT_RTT_REPASS_NS)
		return false;
	if (nt_const(NT_CONST_PCAP) && !nt_pcap_match(c))
		return false;
	if (old)
		nt_rtt_supersede(ctx, k, bpf_ktime_get_ns());
	nt_stat_add(NT_STAT_EVENTS, 1);
	nt_stat_add(NT_STAT_RTT_STARTED, 1);
	return true;
}

/* Its first packet's timeline has begun; l: NULL: no room, which is counted. */
NT_INLINE void nt_tl_leg1(struct sk_buff *skb, const struct nt_cur *c, const struct nt_echo_key *k,
			  struct nt_timeline *l, const __u32 stage)
{
	if (!l) {
		nt_tl_bury(k, NT_PAST_REFUSED, 0);
		return;
	}
	l->pkt.len = c->len - (c->l2 != NT_NO_OFF ? c->l3 - c->l2 : 0);
	if (stage == NT_TL_IP_OUT)
		nt_tl_task(l);
	nt_rtt_new(k, l, (__u64)skb);
}

/* ---- the second leg ---- */
/* The request has not been seen at its last stage: what is known of it by now. */
NT_SUBPROG int nt_tl_leg1_abandon(struct nt_rtt *s)
{
	struct nt_timeline *l, *e = nt_scratch_get(1);
	struct nt_tl_alias_key k;
	struct nt_tl_alias *a;
	__u64 skb;

	if (!s || !e)
		return 0;
	nt_tl_alias_key(&k, &s->leg[0].pkt.flow, &s->leg[0]);
	a = bpf_map_lookup_elem(&nt_aliases, &k);
	if (!a || a->start_ns != s->leg[0].start_ns)
		return 0;
	skb = a->skb;
	l = bpf_map_lookup_elem(&nt_tracks, &skb);
	if (!l || l->start_ns != s->leg[0].start_ns)
		return 0;
	nt_tl_copy(&s->leg[0], l);
	bpf_map_delete_elem(&nt_tracks, &skb);
	bpf_map_delete_elem(&nt_aliases, &k);
	return 0;
}

/* A reply without a session: one that came already, or whose request was not let in. */
NT_INLINE void nt_tl_leg2_alone(const struct nt_echo_key *k, const __u32 stage)
{
	bool same;
	enum nt_past_fate fate = nt_past_fate_of(nt_tl_key_hash(k), 0, &same);

	nt_tl_reject(stage, NT_RTT_REJECT_STATE);
	if (fate == NT_PAST_DONE && stage == NT_TL_PHY_RX)
		nt_stat_add(NT_STAT_RTT_DUPLICATE, 1);
	/* where it is certainly this host's, and its request must have been seen */
	if (fate == NT_PAST_UNKNOWN && stage == NT_TL_L4_RCV && !nt_const(NT_CONST_PCAP))
		nt_stat_add(NT_STAT_UNMATCHED, 1);
}

/* Does a session wait for this reply? */
NT_SUBPROG int nt_tl_leg2_begins(const struct nt_echo_key *k, __u32 stage)
{
	struct nt_rtt *s;

	if (!k)
		return 0;
	s = bpf_map_lookup_elem(&nt_rtts, k);
	if (!s) {
		nt_tl_leg2_alone(k, stage);
		return 0;
	}
	if (s->leg[1].start_ns) {
		nt_stat_add(NT_STAT_RTT_DUPLICATE, 1);
		return 0;
	}
	if (s->leg[0].ended == NT_TL_INSIDE) {
		nt_tl_leg1_abandon(s);
		s->leg[0].part = NT_TL_LEG1;
		s->leg[0].ended_ns = nt_tl_stop(&s->leg[0], (__u64)s->leg[0].n - 1)->ts_ns;
	}
	return 1;
}

NT_INLINE void nt_tl_leg2(const struct nt_echo_key *k, const struct nt_timeline *l)
{
	struct nt_rtt *s = bpf_map_lookup_elem(&nt_rtts, k);

	if (s && l)
		nt_tl_copy(&s->leg[1], l);
}

/* ---- an echo packet where legs begin ---- */
/* c is initialised. */
NT_INLINE bool nt_tl_is_echo(struct nt_cur *c, const __u32 stage)
{
	nt_cur_l3(c);
	if (!nt_tl_followed(c)) {
		nt_tl_reject(stage, NT_RTT_REJECT_PROTOCOL);
		return false;
	}
	if (c->bits & NT_PKT_FRAG) {
		nt_tl_frag_later(c);
		return false;
	}
	nt_cur_l4(c);
	if (c->bits & NT_PKT_ECHO)
		return true;
	nt_tl_reject(stage, c->bits & NT_PKT_ICMP ? NT_RTT_REJECT_TYPE : NT_RTT_REJECT_PARSE);
	return false;
}

NT_INLINE void nt_tl_leg(void *ctx, const bool direct, struct sk_buff *skb, struct nt_cur *c, const __u32 direction,
			 const __u32 stage, struct net_device *dev)
{
	struct nt_echo_key k;
	bool request;

	if (!nt_tl_is_echo(c, stage))
		return;
	request = nt_echo_is_request(c->icmp_type);
	if (!nt_tl_leg_wanted(&k, c, request, direction, stage))
		return;
	if (dev && !(nt_tl_roles_of(direct, dev, nt_cur_vlan(c)) & NT_TL_PHY)) {
		nt_tl_reject(stage, NT_RTT_REJECT_DEVICE);
		return;
	}
	if (nt_tl_supersede(direct, skb, c, direction))
		return;
	if (request ? !nt_tl_leg1_begins(ctx, c, &k, stage) : !nt_tl_leg2_begins(&k, stage))
		return;
	nt_tl_begin_new(ctx, direct, skb, c, direction, stage, dev);
	if (request)
		nt_tl_leg1(skb, c, &k, nt_track_of(skb), stage);
	else
		nt_tl_leg2(&k, nt_track_of(skb));
}

/* ---- delivered: the end of what comes in ---- */
/* A reply that was not seen at an uplink. */
NT_INLINE struct nt_timeline *nt_tl_leg_unseen(void *ctx, const bool direct, struct sk_buff *skb, struct nt_cur *c)
{
	struct nt_timeline *l;
	struct nt_echo_key k;

	if (nt_echo_is_request(c->icmp_type) || !nt_tl_leg_wanted(&k, c, false, NT_DIR_RX, NT_TL_L4_RCV) ||
	    !nt_tl_leg2_begins(&k, NT_TL_L4_RCV))
		return NULL;
	nt_tl_begin_new(ctx, direct, skb, c, NT_DIR_RX, NT_TL_L4_RCV, NULL);
	l = nt_track_of(skb);
	nt_tl_leg2(&k, l);
	return l;
}

NT_INLINE void nt_tl_delivered(void *ctx, const bool direct, struct sk_buff *skb, const __u16 eth_type)
{
	struct nt_timeline *l = nt_track_of(skb);
	struct nt_cur *c = nt_cur_get();
	__u64 now = bpf_ktime_get_ns();
	__u32 ended = NT_TL_COMPLETE;

	if (!c)
		return;
	nt_cur_init(direct, c, skb, NT_AT_L3);
	c->eth_type = eth_type;
	if (!nt_tl_is_echo(c, NT_TL_L4_RCV) && !l)
		return;
	if (l && !nt_tl_same(c, l)) {		/* another packet */
		nt_stat_add(NT_STAT_UNMATCHED, 1);
		ended = NT_TL_ELSEWHERE;
	}
	if (!l && nt_tl_rebind(c, (__u64)skb, NT_TL_CLONE))
		l = nt_track_of(skb);
	if (!l)
		l = nt_tl_leg_unseen(ctx, direct, skb, c);
	if (!l)
		return;
	if (l->direction != NT_DIR_RX)		/* sent to ourselves */
		ended = NT_TL_ELSEWHERE;
	if (l->flags & NT_TL_FRAGMENTED)
		l->flags |= NT_TL_REASSEMBLED;
	if (c->len > l->pkt.len)		/* its first fragment began it */
		l->pkt.len = c->len;
	if (ended == NT_TL_COMPLETE)
		nt_tl_stamp(ctx, direct, l, skb, NULL, NT_TL_L4_RCV, now);
	nt_tl_end(ctx, (__u64)skb, l, ended, now);
}

#endif
