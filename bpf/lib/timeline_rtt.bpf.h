/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions: the timeline of an echo request and that of its reply, two legs. How
 * a packet's leg is found is its tool's business: by the address of the skb
 * (timeline_legs.bpf.h) where much lies between two stages, or by what the packet
 * says of itself (bpf/tools/system/kernel_icmp_rtt.bpf.c).
 */
#ifndef NT_BPF_TIMELINE_RTT_H
#define NT_BPF_TIMELINE_RTT_H

#include "lib/echo.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/past.bpf.h"
#include "lib/timeline_stamp.bpf.h"

#define NT_RTT_REPASS_NS 1000000000ULL	/* a request again at a device within this: a copy of it */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct nt_echo_key);
	__type(value, struct nt_rtt);
} nt_rtts SEC(".maps");

NT_SUBPROG __u32 nt_tl_key_hash(const struct nt_echo_key *k)
{
	return k ? nt_past_hash(k, sizeof(*k)) : 0;
}

/* ifindex: where it ended; 0: it does not matter. */
NT_SUBPROG int nt_tl_bury(const struct nt_echo_key *k, __u32 fate, __u32 ifindex)
{
	nt_past_bury(nt_tl_key_hash(k), fate, ifindex);
	return 0;
}

/* ---- does a packet belong to the sessions that are wanted? ---- */
NT_INLINE bool nt_tl_leg_wanted(struct nt_echo_key *k, const struct nt_cur *c, bool request, const __u32 direction,
				const __u32 stage)
{
	const __u64 sw = nt_const(NT_CONST_TOOL0);
	__u32 of = request == (direction == NT_DIR_TX) ? NT_DIR_TX : NT_DIR_RX;

	if (!(sw & (of == NT_DIR_TX ? NT_TL_ECHO_TX : NT_TL_ECHO_RX)))
		return false;
	nt_echo_key_fill(k, &c->flow, request, of);
	if (nt_echo_wanted(k, sw & (of == NT_DIR_TX ? NT_TL_REVERSED_TX : NT_TL_REVERSED_RX)))
		return true;
	nt_tl_reject(stage, NT_RTT_REJECT_ADDRESS);
	return false;
}

/* ---- the end ---- */
NT_INLINE void nt_rtt_record(const struct nt_rtt *s, __u64 total)
{
	const struct nt_tl_stop *a = nt_tl_stop(&s->leg[0], (__u64)s->leg[0].n - 1), *b = &s->leg[1].stop[0];
	__u32 direction = s->key.direction, outside = direction | NT_TL_EXTERNAL << 8;
	__u64 external = nt_tl_since(a->ts_ns, b->ts_ns);

	nt_tl_hist(outside, a->stage, b->stage, external);
	nt_tl_hist(outside, NT_TL_TOTAL, NT_TL_TOTAL, external);
	nt_tl_hist(direction, NT_TL_TOTAL, NT_TL_TOTAL, total);
	if ((s->leg[0].seen | s->leg[1].seen) & (1u << NT_TL_OVS_UPCALL))
		nt_stat_add(NT_STAT_RTT_UPCALLS, 1);
}

/* s is a copy; its entry is deleted. */
NT_SUBPROG int nt_rtt_complete(void *ctx, struct nt_rtt *s)
{
	__u64 total;

	if (!s)
		return 0;
	total = s->ended_ns - s->start_ns;
	nt_rtt_record(s, total);
	if (!(nt_const(NT_CONST_TOOL0) & NT_TL_EVENTS))
		return 0;
	if (total < nt_const(NT_CONST_TOOL1)) {
		nt_stat_add(NT_STAT_TL_BELOW, 1);
		return 0;
	}
	nt_emit(ctx, s, sizeof(*s));
	return 0;
}

/* s is a copy, its entry is deleted, and both legs have their .part and .ended_ns: figures of each, and the event. */
NT_INLINE void nt_rtt_completed(void *ctx, struct nt_rtt *s)
{
	nt_stat_add(NT_STAT_RTT_COMPLETED, 1);
	nt_tl_record(&s->leg[0]);
	nt_tl_record(&s->leg[1]);
	nt_rtt_complete(ctx, s);
}

/* Copies the session, with this leg, and deletes its entry: whoever does that has ended it. */
NT_INLINE struct nt_rtt *nt_rtt_take(const struct nt_rtt *s, const struct nt_echo_key *k, __u64 now, __u32 ended)
{
	struct nt_rtt *e = nt_scratch_get(1);

	if (!e)
		return NULL;
	e->start_ns = s->start_ns;
	e->ended_ns = now > s->start_ns ? now : s->start_ns;
	e->key = *k;
	e->ended = ended;
	e->pad = 0;
	nt_tl_copy(&e->leg[0], &s->leg[0]);
	nt_tl_copy(&e->leg[1], &s->leg[1]);
	return bpf_map_delete_elem(&nt_rtts, k) ? NULL : e;
}

/* The same key again: the older session will not end any more. */
NT_SUBPROG int nt_rtt_supersede(void *ctx, const struct nt_echo_key *k, __u64 now)
{
	struct nt_rtt *s;

	if (!k)
		return 0;
	s = bpf_map_lookup_elem(&nt_rtts, k);
	if (s)
		s = nt_rtt_take(s, k, now, NT_RTT_SUPERSEDED);
	if (!s)
		return 0;
	nt_stat_add(NT_STAT_EVICTED, 1);
	nt_stat_add(NT_STAT_RTT_SUPERSEDED, 1);
	if (nt_const(NT_CONST_TOOL0) & NT_TL_EVENTS)
		nt_emit_uncounted(ctx, s, sizeof(*s));	/* it is in "evicted" */
	return 0;
}

#endif
