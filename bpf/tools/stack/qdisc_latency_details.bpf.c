// SPDX-License-Identifier: GPL-2.0
/*
 * How long packets wait at a transmit queue: from net:net_dev_queue over the
 * discipline's dequeue to the driver, or to their end. Tracepoints only.
 */
#include "lib/drop.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/qdisc.bpf.h"
#include "lib/slowest.bpf.h"
#include "lib/track.bpf.h"

NT_LICENSE;

#define NOQUEUE 0x0065756575716f6eULL	/* "noqueue" and its end, little endian */

NT_TRACKS(struct nt_qlat, 65536);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct nt_qlat_key);
	__type(value, struct nt_qlat_val);
} nt_qlat_rows SEC(".maps");

/* What a new row begins with: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_qlat_val);
} nt_qlat_zero SEC(".maps");

/* Segments that a packet was cut into on this CPU and that have not reached the driver yet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nt_segments SEC(".maps");

NT_INLINE bool without_queue(const struct nt_qlat *l)
{
	return *(const __u64 *)l->qdisc.kind == NOQUEUE;
}

/* ---- the row that a packet counts in ---- */
NT_INLINE struct nt_qlat_val *row_of(const struct nt_qlat *l)
{
	struct nt_qlat_val *v, *zero;
	struct nt_qlat_key k;
	__u32 first = 0;

	__builtin_memcpy(k.kind, l->qdisc.kind, sizeof(k.kind));
	k.handle = l->qdisc.handle;
	k.parent = l->qdisc.parent;
	k.ifindex = l->pkt.flow.ifindex;
	k.netns = l->pkt.flow.netns;
	k.txq = l->txq;
	k.pad = 0;
	v = bpf_map_lookup_elem(&nt_qlat_rows, &k);
	if (v)
		return v;
	zero = bpf_map_lookup_elem(&nt_qlat_zero, &first);
	return zero ? nt_row(&nt_qlat_rows, &k, zero) : NULL;
}

NT_INLINE __u64 since(__u64 from, __u64 to)
{
	return to > from ? to - from : 0;
}

NT_SUBPROG int count(const struct nt_qlat *l)
{
	struct nt_qlat_val *v;
	__u32 outcome, path;

	if (!l)
		return 0;
	v = row_of(l);
	if (!v) {
		nt_stat_add(NT_STAT_QLAT_NO_ROW, 1);
		return 0;
	}
	outcome = l->outcome & (NT_QLAT_OUTCOMES - 1);
	path = l->path;
	__sync_fetch_and_add(&v->outcome[outcome], 1);
	if (path < NT_QLAT_PATHS)
		__sync_fetch_and_add(&v->path[path], 1);
	__sync_fetch_and_add(&v->requeues, l->requeues);
	__sync_fetch_and_add(&v->bytes, l->pkt.len);
	if (l->dequeued_ns)
		nt_hist_record_shared(&v->hist[NT_QLAT_WAIT], since(l->queued_ns, l->dequeued_ns));
	if (outcome == NT_QLAT_SENT)
		nt_hist_record_shared(&v->hist[NT_QLAT_DRIVER],
			       since(l->dequeued_ns ? l->dequeued_ns : l->queued_ns, l->ended_ns));
	if (outcome == NT_QLAT_DROPPED)
		nt_hist_record_shared(&v->hist[NT_QLAT_LOST], since(l->queued_ns, l->ended_ns));
	return 0;
}

NT_INLINE bool shown(const struct nt_qlat *l)
{
	const __u64 sw = nt_const(NT_CONST_TOOL0);
	__u64 whole = since(l->queued_ns, l->ended_ns);

	if (!(sw & NT_QLAT_EVENTS) || whole < nt_const(NT_CONST_TOOL1))
		return false;
	return !(sw & NT_QLAT_SLOWEST) || nt_among_slowest(whole);
}

/* ---- begin ---- */
NT_TP_SKB(tx_queue, NT_AT_DATA_L2, struct sk_buff *skb)
{
	struct net_device *dev = NT_GET(direct, skb, dev);
	struct nt_qlat *l = nt_scratch_get(0);
	struct nt_cur *cur = nt_cur_get();

	if (!cur || !l)
		return 0;
	nt_cur_init(direct, cur, skb, NT_AT_DATA_L2);
	nt_cur_without_l2(direct, cur, dev);
	nt_cur_dev(direct, cur, dev);
	if (!nt_filter(cur))
		return 0;
	nt_cur_parse(cur);
	__builtin_memset(l, 0, sizeof(*l));
	l->queued_ns = bpf_ktime_get_ns();
	l->cpu_queued = bpf_get_smp_processor_id();
	l->txq = NT_GET(direct, skb, queue_mapping);
	nt_qdisc_root(&l->qdisc, dev, l->txq);
	nt_pkt_fill(cur, &l->pkt);
	nt_skb_gso(direct, skb, &l->pkt.gso_size, &l->pkt.gso_segs);
	nt_track_start(skb, l);
	return 0;
}

/* ---- on the way: a list, as disciplines are emptied in batches ---- */
NT_INLINE __u64 dequeued(__u64 skb, __u64 now)
{
	struct nt_qlat *l;

	if (!skb)
		return 0;
	l = bpf_map_lookup_elem(&nt_tracks, &skb);
	if (l && l->dequeued_ns)
		l->requeues++;
	else if (l)
		l->dequeued_ns = now;
	return (__u64)BPF_CORE_READ((struct sk_buff *)skb, next);
}

#define DEQUEUED4(s) dequeued(dequeued(dequeued(dequeued(s, now), now), now), now)
#define DEQUEUED16(s) DEQUEUED4(DEQUEUED4(DEQUEUED4(DEQUEUED4(s))))
NT_TP(dequeue, struct Qdisc *q, void *txq, void *packets, struct sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns(), next = (__u64)skb;

	next = DEQUEUED16(next);
	next = DEQUEUED16(next);
	next = DEQUEUED16(next);
	(void)DEQUEUED16(next);
	return 0;
}

/* ---- ends ---- */
/* Which way it went, as far as its end tells: a discipline that lets nobody past it had it. */
NT_INLINE enum nt_qlat_path path_of(const struct nt_qlat *l, const __u32 outcome)
{
	if (without_queue(l))
		return NT_QLAT_NOQUEUE;
	if (l->dequeued_ns)
		return NT_QLAT_QUEUED;
	if (outcome == NT_QLAT_SENT)
		return NT_QLAT_BYPASS;
	if (outcome == NT_QLAT_CONSUMED && (l->qdisc.bits & NT_QDISC_BYPASS))
		return NT_QLAT_BYPASS;
	return NT_QLAT_QUEUED;
}

NT_INLINE void end(void *ctx, struct sk_buff *skb, const struct nt_qlat *l, const __u32 outcome, __u32 reason,
		   __u64 location)
{
	struct nt_qlat *e = nt_scratch_get(0);

	if (!e)
		return;
	__builtin_memcpy(e, l, sizeof(*e));
	e->ended_ns = bpf_ktime_get_ns();
	if (!nt_track_end(skb, outcome))
		return;
	e->cpu_ended = bpf_get_smp_processor_id();
	e->outcome = outcome;
	e->path = path_of(e, outcome);
	e->reason = reason;
	e->location = location;
	nt_stat_add(NT_STAT_EVENTS, 1);
	count(e);
	if (shown(e))
		nt_emit(ctx, e, sizeof(*e));
}

/*
 * At the driver without a beginning. Behind the discipline a packet is cut into segments, which go to
 * the driver at once. Others are copies or parts that a discipline made (netem, cake, tbf), or were
 * queued before we came: they are unmatched, if the filter lets them in.
 */
NT_INLINE void without_begin(const bool direct, struct sk_buff *skb, struct net_device *dev)
{
	struct nt_cur *cur = nt_cur_get();
	__u32 zero = 0;
	__u64 *segments = bpf_map_lookup_elem(&nt_segments, &zero);

	if (!cur || !segments || nt_quick_reject(direct, skb, NT_AT_DATA_L2))
		return;
	nt_cur_init(direct, cur, skb, NT_AT_DATA_L2);
	nt_cur_without_l2(direct, cur, dev);
	nt_cur_dev(direct, cur, dev);
	if (!nt_filter(cur))
		return;
	if (*segments) {
		*segments -= 1;
		nt_stat_add(NT_STAT_QLAT_SEGMENTS, 1);
		return;
	}
	nt_stat_add(NT_STAT_UNMATCHED, 1);
}

NT_TP(tx_driver, struct sk_buff *skb, struct net_device *dev)
{
	struct nt_qlat *l = nt_track_of(skb);

	if (l)
		end(ctx, skb, l, NT_QLAT_SENT, 0, 0);
	else
		without_begin(direct, skb, dev);
	return 0;
}

NT_TP(kfree_skb, struct sk_buff *skb, void *location)
{
	struct nt_qlat *l = nt_track_of(skb);
	struct nt_drop d;

	if (!l)
		return 0;
	d.location_raw = (__u64)location;
	nt_drop_find_place(ctx, &d);
	end(ctx, skb, l, NT_QLAT_DROPPED, nt_drop_reason(ctx), d.location);
	return 0;
}

NT_TP(consume_skb, struct sk_buff *skb)
{
	struct nt_qlat *l = nt_track_of(skb);
	__u32 zero = 0;
	__u64 *segments;

	if (!l)
		return 0;
	segments = bpf_map_lookup_elem(&nt_segments, &zero);
	if (segments && (l->dequeued_ns || path_of(l, NT_QLAT_CONSUMED) != NT_QLAT_QUEUED))
		*segments = l->pkt.gso_segs;	/* cut behind the discipline, not within */
	end(ctx, skb, l, NT_QLAT_CONSUMED, 0, 0);
	return 0;
}
