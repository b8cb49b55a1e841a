// SPDX-License-Identifier: GPL-2.0
/*
 * The ring between the host stack and a tap's reader: tun_net_xmit's entry
 * takes the ring's state, its return the verdict, skb:kfree_skb between them
 * the reason. Transmit runs with bottom halves off, so one slot a CPU joins
 * the three.
 */
#include "lib/hist.bpf.h"
#include "lib/rate.bpf.h"
#include "lib/ring.bpf.h"

NT_LICENSE;

struct slot {
	__u64 skb;		/* 0: no packet of ours is being transmitted */
	__u32 reason;
	__u32 len;
	struct nt_ring_event event;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot);
} nt_slot SEC(".maps");

NT_HISTS(nt_hists, 1);		/* time from enqueue to the reader */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} nt_waiting SEC(".maps");

NT_INLINE struct slot *slot_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nt_slot, &zero);
}

/* TUN: the packet begins with its IP header. */
NT_INLINE void without_l2(struct nt_cur *c)
{
	c->l2 = NT_NO_OFF;
	c->l3 = c->data;
	c->bits &= ~NT_PKT_L2;
}

NT_INLINE bool watched(const struct nt_cur *c)
{
	struct nt_ring_dev k = { .ifindex = c->flow.ifindex, .netns = c->flow.netns };

	return !(nt_const(NT_CONST_TOOL0) & NT_RING_DEVS) || bpf_map_lookup_elem(&nt_ring_devs, &k);
}

NT_INLINE void enter(const bool direct, struct sk_buff *skb, struct net_device *dev)
{
	const __u64 queue_wanted = nt_const(NT_CONST_TOOL2);
	__u32 queue = NT_GET(direct, skb, queue_mapping);
	struct slot *s = slot_get();
	struct nt_ring_event *e;
	struct nt_cur *c = nt_cur_get();

	if (!s || !c)
		return;
	s->skb = 0;
	if (queue_wanted && queue_wanted - 1 != queue)
		return;
	if (nt_quick_reject(direct, skb, NT_AT_DATA_L2))	/* the slot had to be emptied first */
		return;
	nt_cur_init(direct, c, skb, NT_AT_DATA_L2);
	if (NT_GET(direct, dev, type) != NT_ARPHRD_ETHER)
		without_l2(c);
	nt_cur_dev(direct, c, dev);
	if (!watched(c) || !nt_filter(c))
		return;
	nt_cur_parse(c);
	e = &s->event;
	__builtin_memset(e, 0, sizeof(*e));
	e->queue = queue;
	nt_tun_ring(dev, queue, &e->num_queues, &e->ring);
	if (!e->ring.known)
		nt_stat_add(NT_STAT_RING_UNRESOLVED, 1);
	nt_pkt_fill(c, &e->pkt);
	nt_skb_gso(direct, skb, &e->pkt.gso_size, &e->pkt.gso_segs);
	e->skb = (__u64)skb;
	e->dev = (__u64)dev;
	s->len = c->len;
	s->reason = 0;
	s->skb = (__u64)skb;
	nt_stat_add(NT_STAT_EVENTS, 1);
	if (nt_const(NT_CONST_TOOL0) & NT_RING_WAIT) {
		__u64 now = bpf_ktime_get_ns();

		if (bpf_map_update_elem(&nt_waiting, &s->skb, &now, BPF_ANY))
			nt_stat_add(NT_STAT_MAP_FULL, 1);
	}
}

NT_INLINE bool shown(const struct nt_ring_event *e)
{
	const __u64 threshold = nt_const(NT_CONST_TOOL1);

	if (e->verdict != NT_RING_OK || (nt_const(NT_CONST_TOOL0) & NT_RING_ALL))
		return true;
	return threshold && e->ring.known && e->ring.size &&
	       e->ring.queued * 100 / e->ring.size >= threshold - 1;
}

NT_INLINE void leave(void *ctx, __u32 rc)
{
	struct slot *s = slot_get();
	struct nt_ring_stats *stats;
	struct nt_ring_event *e;
	struct nt_ring_key k;
	__u64 skb;

	if (!s || !s->skb)
		return;
	skb = s->skb;
	s->skb = 0;
	e = &s->event;
	e->ts_ns = bpf_ktime_get_ns();
	e->rc = rc;
	if (rc && !s->reason && e->ring.known)	/* no reasons before 5.17 */
		s->reason = e->ring.full ? NT_RING_REASON_FULL : NT_RING_REASON_OTHER;
	e->reason = s->reason;
	e->verdict = rc ? NT_RING_DROP : e->ring.full ? NT_RING_FULL : NT_RING_OK;
	k.ifindex = e->pkt.flow.ifindex;
	k.netns = e->pkt.flow.netns;
	k.queue = e->queue;
	k.reason = 0;
	stats = nt_ring_stats_of(&k);
	if (stats) {
		struct nt_ring_extremes *interval = nt_ring_interval_of(stats);

		__sync_fetch_and_add(&stats->packets, 1);
		__sync_fetch_and_add(&stats->bytes, s->len);
		stats->num_queues = e->num_queues;
		if (e->ring.full)
			__sync_fetch_and_add(&stats->full_seen, 1);
		nt_ring_occupancy(stats, interval, &e->ring);
		nt_ring_verdict(stats, interval, rc != 0, e->ring.full || !e->ring.known,
				e->ts_ns);
	}
	if (rc) {
		nt_ring_drop(k, s->reason);
		if (nt_const(NT_CONST_TOOL0) & NT_RING_WAIT)
			bpf_map_delete_elem(&nt_waiting, &skb);
	}
	if (!shown(e))
		return;
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_RING_RATE_LIMITED, 1);
		return;
	}
	e->cpu = bpf_get_smp_processor_id();
	skb = bpf_get_current_pid_tgid();
	e->pid = skb >> 32;
	e->tid = skb;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	nt_emit(ctx, e, sizeof(*e));
}

/* kind of the device's rtnl_link_ops is "tun" for TUN and TAP */
NT_INLINE bool is_tun(struct net_device *dev)
{
	const char *kind = BPF_CORE_READ(dev, rtnl_link_ops, kind);
	char k[4] = "";

	bpf_probe_read_kernel(k, sizeof(k), kind);
	return k[0] == 't' && k[1] == 'u' && k[2] == 'n' && !k[3];
}

NT_FUNC(xmit, struct sk_buff *skb, struct net_device *dev)
{
	enter(direct, skb, dev);
	return 0;
}

NT_RET(xmit_ret, 2, __u64 rc)
{
	leave(ctx, rc);
	return 0;
}

/* The tracepoint pair of hosts without kprobes; packets that bypass the qdisc layer
 * (PACKET_QDISC_BYPASS) do not pass it. */
NT_TP(dev_start_xmit, struct sk_buff *skb, struct net_device *dev)
{
	if (is_tun(dev))
		enter(direct, skb, dev);
	return 0;
}

NT_TP(dev_xmit, struct sk_buff *skb, void *rc)
{
	leave(ctx, (__u64)rc);
	return 0;
}

NT_TP(kfree_skb, struct sk_buff *skb, void *location)
{
	struct slot *s = slot_get();

	if (s && s->skb == (__u64)skb && nt_const(NT_CONST_TP_ARGS) >= 3)
		s->reason = *(volatile __u32 *)&((__u64 *)ctx)[2];
	return 0;
}

/* The reader takes an skb: vhost passes it as last argument (bit 0: an XDP frame). */
NT_FUNC(do_read, void *tun, void *tfile, void *to, void *noblock, void *ptr)
{
	__u64 key = (__u64)ptr, now, *since;

	if (!(nt_const(NT_CONST_TOOL0) & NT_RING_WAIT) || !key || (key & 1))
		return 0;
	since = bpf_map_lookup_elem(&nt_waiting, &key);
	if (!since)
		return 0;
	now = bpf_ktime_get_ns();
	if (now > *since) {
		struct nt_hist_raw *h;
		__u32 zero = 0;

		h = bpf_map_lookup_elem(&nt_hists, &zero);
		if (h)
			nt_hist_record(h, now - *since);
	}
	bpf_map_delete_elem(&nt_waiting, &key);
	return 0;
}
