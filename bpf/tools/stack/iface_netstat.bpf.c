// SPDX-License-Identifier: GPL-2.0
/* Packet sizes and load by queue and direction of chosen devices. */
#include "lib/filter.bpf.h"
#include "lib/hist.bpf.h"

NT_LICENSE;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_queue_traffic);
} nt_traffic SEC(".maps");

/* Position of the device in the list given, or -1. */
NT_INLINE int device_index(const bool direct, struct net_device *dev)
{
	__u32 i, zero = 0, ifindex = NT_GET(direct, dev, ifindex);
	struct nt_tuple *t = bpf_map_lookup_elem(&nt_tuple, &zero);

	if (!t)
		return -1;
#pragma unroll
	for (i = 0; i < NT_FILTER_DEVS; i++) {
		if (t->ifindex[i] == 0)
			return -1;
		if (t->ifindex[i] == ifindex)
			return nt_dev_netns(direct, dev) == t->netns ? (int)i : -1;
	}
	return -1;
}

NT_INLINE __u32 row_of(const bool direct, struct sk_buff *skb, const int dir)
{
	const __u32 rows = nt_const(NT_CONST_TOOL0);
	__u32 q = NT_GET(direct, skb, queue_mapping);

	if (dir == NT_DIR_RX) {		/* the stack keeps the receive queue + 1, 0: not recorded */
		if (!q)
			return rows - 2;
		q--;
	}
	return q < rows - 2 ? q : rows - 1;
}

/* Bytes before the payload, which every segment of a GSO packet carries again. */
NT_INLINE __u32 header_len(struct nt_cur *c)
{
	__u8 off = 0;

	nt_cur_l3(c);
	nt_cur_l4(c);
	if (c->l2 == NT_NO_OFF || c->l4 == NT_NO_OFF)
		return 0;
	if (!(c->bits & NT_PKT_TCP))
		return c->l4 - c->l2 + 8;
	nt_read_at(c, c->l4 + 12, &off, 1);
	return c->l4 - c->l2 + (off >> 4) * 4;
}

NT_INLINE __u32 size_class(__u32 len)
{
	return len < 64 ? 0 : len < 512 ? 1 : len < 2048 ? 2 : len < 16384 ? 3 : len < 65536 ? 4 : 5;
}

NT_INLINE int count(const bool direct, struct sk_buff *skb, struct net_device *dev, const int dir)
{
	struct nt_queue_traffic *t;
	struct nt_cur *c = nt_cur_get();
	__u16 gso, segs;
	__u64 class, bucket;	/* 64 bits: the bound must hold for the very register that indexes */
	__u32 row;
	int d;

	d = device_index(direct, dev);
	if (d < 0 || !c)
		return 0;
	nt_cur_init(direct, c, skb, dir == NT_DIR_TX ? NT_AT_DATA_L2 : NT_AT_DATA_L3);
	nt_cur_dev(direct, c, dev);
	if (!nt_filter(c))
		return 0;
	row = (d * 2 + dir) * (__u32)nt_const(NT_CONST_TOOL0) + row_of(direct, skb, dir);
	t = bpf_map_lookup_elem(&nt_traffic, &row);
	if (!t) {
		nt_stat_add(NT_STAT_MAP_FULL, 1);
		return 0;
	}
	nt_skb_gso(direct, skb, &gso, &segs);
	if (!segs)
		segs = 1;
	__sync_fetch_and_add(&t->packets, 1);
	__sync_fetch_and_add(&t->segments, segs);
	__sync_fetch_and_add(&t->bytes, c->len);
	__sync_fetch_and_add(&t->wire_bytes, c->len + (segs > 1 ? (segs - 1) * header_len(c) : 0));
	class = size_class(c->len);
	NT_BARRIER(class);
	if (class >= NT_SIZE_CLASSES)
		class = NT_SIZE_CLASSES - 1;
	__sync_fetch_and_add(&t->size[class], 1);
	bucket = nt_log2(c->len ? c->len : 1);
	NT_BARRIER(bucket);
	if (bucket >= NT_SIZE_POW2)
		bucket = NT_SIZE_POW2 - 1;
	__sync_fetch_and_add(&t->pow2[bucket], 1);
	nt_stat_add(NT_STAT_EVENTS, 1);
	return 0;
}

NT_TP_SKB(start_xmit, NT_AT_DATA_L2, struct sk_buff *skb, struct net_device *dev)
{
	return count(direct, skb, dev, NT_DIR_TX);
}

NT_TP_SKB(receive, NT_AT_DATA_L3, struct sk_buff *skb)
{
	return count(direct, skb, NT_GET(direct, skb, dev), NT_DIR_RX);
}
