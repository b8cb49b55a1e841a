/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queue engine, kernel side: the ptr_ring between the host stack and a tap's
 * reader, and figures by device and queue. On kernels whose BTF does not know
 * tun (5.10: modules have none) the ring cannot be reached; verdicts, drops and
 * packets are still right, which nt_ring_state.known tells.
 */
#ifndef NT_BPF_RING_H
#define NT_BPF_RING_H

#include "lib/emit.bpf.h"
#include "lib/filter.bpf.h"

#define NT_NETDEV_ALIGN 32	/* private area of a net_device before 6.10 */
#define NT_TUN_QUEUES 256	/* MAX_TAP_QUEUES */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nt_ring_key);
	__type(value, struct nt_ring_stats);
} nt_rings SEC(".maps");

struct {			/* drops by reason */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct nt_ring_key);
	__type(value, __u64);
} nt_ring_drops SEC(".maps");

struct {			/* devices of --device; user space follows their indexes */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nt_ring_dev);
	__type(value, __u32);
} nt_ring_devs SEC(".maps");

struct {			/* counts the intervals of the report */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} nt_ring_interval SEC(".maps");

NT_INLINE struct tun_struct *nt_tun_of(struct net_device *dev)
{
	struct net_device___priv *d = (void *)dev;
	struct tun_struct *tun;

	if (!bpf_core_type_exists(struct tun_struct))
		return NULL;
	if (bpf_core_field_exists(d->priv))
		tun = (void *)dev + bpf_core_field_offset(d->priv);
	else
		tun = (void *)dev + ((bpf_core_type_size(struct net_device) + NT_NETDEV_ALIGN - 1) &
				     ~(NT_NETDEV_ALIGN - 1));
	return BPF_CORE_READ(tun, dev) == dev ? tun : NULL;
}

/* The unread packets of a ptr_ring; consumed slots that still hold a stale pointer
 * (consumer_tail to consumer_head) block the producer but are no packets. */
NT_INLINE void nt_ring_read(struct ptr_ring *ring, struct nt_ring_state *s)
{
	void **queue = BPF_CORE_READ(ring, queue);
	void *at_head = NULL, *at_producer = NULL;

	s->size = BPF_CORE_READ(ring, size);
	s->producer = BPF_CORE_READ(ring, producer);
	s->consumer_head = BPF_CORE_READ(ring, consumer_head);
	s->consumer_tail = BPF_CORE_READ(ring, consumer_tail);
	if (!s->size || !queue)
		return;
	bpf_probe_read_kernel(&at_head, sizeof(at_head), queue + s->consumer_head);
	bpf_probe_read_kernel(&at_producer, sizeof(at_producer), queue + s->producer);
	s->full = at_producer != NULL;
	s->stale = (s->consumer_head - s->consumer_tail + s->size) % s->size;
	if (!at_head)
		s->queued = 0;
	else if (s->producer == s->consumer_head)
		s->queued = s->size;
	else
		s->queued = (s->producer - s->consumer_head + s->size) % s->size;
	s->known = 1;
}

NT_INLINE void nt_tun_ring(struct net_device *dev, __u32 queue, __u32 *num_queues,
			   struct nt_ring_state *s)
{
	struct tun_struct *tun = nt_tun_of(dev);
	struct tun_file *tfile = NULL;

	if (!tun)
		return;
	*num_queues = BPF_CORE_READ(tun, numqueues);
	if (queue >= *num_queues || queue >= NT_TUN_QUEUES)
		return;			/* a real drop: the queue was detached (DEV_READY) */
	bpf_probe_read_kernel(&tfile, sizeof(tfile),
			      (void *)tun + bpf_core_field_offset(tun->tfiles) +
			      queue * sizeof(void *));
	if (tfile)
		nt_ring_read(&tfile->tx_ring, s);
}

NT_INLINE struct nt_ring_stats *nt_ring_stats_of(const struct nt_ring_key *k)
{
	struct nt_ring_stats *s = bpf_map_lookup_elem(&nt_rings, k), *zero;

	if (s)
		return s;
	zero = nt_scratch_get(1);
	if (!zero)
		return NULL;
	__builtin_memset(zero, 0, sizeof(*zero));
	return nt_row(&nt_rings, k, zero);
}

/* Extremes cannot be told from two snapshots, so those of an interval begin anew when user space
 * counts it up; the last interval's stay until it has read them. */
NT_INLINE struct nt_ring_extremes *nt_ring_interval_of(struct nt_ring_stats *s)
{
	__u32 zero = 0, *id = bpf_map_lookup_elem(&nt_ring_interval, &zero);
	struct nt_ring_extremes *x;

	x = id && (*id & 1) ? &s->interval[1] : &s->interval[0];
	if (id && x->id != *id) {
		__builtin_memset(x, 0, sizeof(*x));
		x->id = *id;
	}
	return x;
}

NT_INLINE void nt_ring_extreme(struct nt_ring_extremes *x, __u32 queued)
{
	if (~queued > x->queued_min_inv)
		x->queued_min_inv = ~queued;
	if (queued > x->queued_max)
		x->queued_max = queued;
}

NT_INLINE void nt_ring_occupancy(struct nt_ring_stats *s, struct nt_ring_extremes *interval,
				 const struct nt_ring_state *r)
{
	__u64 pct;	/* 64 bits: the check and the index are then one register */

	if (!r->known || !r->size)
		return;
	s->ring_size = r->size;
	__sync_fetch_and_add(&s->queued_sum, r->queued);
	__sync_fetch_and_add(&s->queued_n, 1);
	nt_ring_extreme(&s->all, r->queued);
	nt_ring_extreme(interval, r->queued);
	pct = (__u64)r->queued * 100 / r->size;
	NT_BARRIER(pct);
	if (pct >= NT_OCC_SLOTS)
		pct = NT_OCC_SLOTS - 1;
	__sync_fetch_and_add(&s->occ[pct], 1);
}

/* Time full: from the first packet that did not fit to the next that did. Drops for another
 * reason (a filter) tell nothing about the ring. */
NT_INLINE void nt_ring_verdict(struct nt_ring_stats *s, struct nt_ring_extremes *interval,
			       bool dropped, bool full, __u64 now)
{
	__u64 since;

	if (dropped) {
		__sync_fetch_and_add(&s->drops, 1);
		if (!full)
			return;
		if (!s->full_since_ns)
			s->full_since_ns = now;
		s->last_full_ns = now;
		if (++s->burst > s->all.burst_max)
			s->all.burst_max = s->burst;
		if (s->burst > interval->burst_max)
			interval->burst_max = s->burst;
		return;
	}
	s->burst = 0;
	since = s->full_since_ns;
	if (since) {
		s->full_since_ns = 0;
		s->full_ns += now - since;
	}
}

NT_INLINE void nt_ring_drop(struct nt_ring_key k, __u32 reason)
{
	__u64 *n, zero = 0;

	k.reason = reason;
	n = nt_row(&nt_ring_drops, &k, &zero);
	if (n)
		__sync_fetch_and_add(n, 1);
}

#endif
