// SPDX-License-Identifier: GPL-2.0
/* Drops counted by place, reason, device and, as asked, stack and flow. */
#include "lib/drop.bpf.h"
#include "lib/stacks.bpf.h"

NT_LICENSE;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10240);
	__type(key, struct nt_drop_key);
	__type(value, struct nt_drop_val);
} nt_drops SEC(".maps");

NT_INLINE void key_fill(void *ctx, struct nt_drop_key *k, const struct nt_drop *d)
{
	const __u64 sw = nt_const(NT_CONST_TOOL0);

	__builtin_memset(k, 0, sizeof(*k));
	k->location = d->location;
	k->reason = d->reason;
	k->stack_id = -1;
	if (sw & NT_DROP_BY_FLOW) {
		k->flow = d->cur->flow;
		k->flow.icmp_seq = 0;	/* a ping is one flow */
	} else {
		k->flow.ifindex = d->cur->flow.ifindex;
		k->flow.netns = d->cur->flow.netns;
	}
	if (sw & NT_DROP_BY_STACK) {
		k->stack_id = bpf_get_stackid(ctx, &nt_stacks, 0);
		if (k->stack_id < 0) {
			k->stack_id = -1;
			nt_stat_add(NT_STAT_NO_STACK, 1);
		}
	}
}

NT_INLINE void count(struct nt_drop_key *k, const struct nt_drop *d, __u64 packets)
{
	struct nt_drop_val *v, zero = { .first_ns = 0 };
	__u64 now = bpf_ktime_get_ns();

	v = bpf_map_lookup_elem(&nt_drops, k);
	if (!v) {
		zero.first_ns = now;
		zero.location_raw = d->location_raw;
		/* NOEXIST, then add: two CPUs that meet here lose no count. */
		if (!bpf_map_update_elem(&nt_drops, k, &zero, BPF_NOEXIST))
			nt_stat_add(NT_STAT_INSERTED, 1);
		v = bpf_map_lookup_elem(&nt_drops, k);
		if (!v) {
			nt_stat_add(NT_STAT_MAP_FULL, 1);
			return;
		}
	}
	__sync_fetch_and_add(&v->count, 1);
	__sync_fetch_and_add(&v->packets, packets);
	__sync_fetch_and_add(&v->bytes, d->cur->len);
	v->last_ns = now;
}

NT_TP_SKB(kfree_skb, NT_AT_ANY, struct sk_buff *skb, void *location)
{
	struct nt_drop_key k;
	struct nt_drop d;
	__u16 size, segs;

	if (!nt_drop_wanted(direct, ctx, &d, skb, location))
		return 0;
	nt_skb_gso(direct, skb, &size, &segs);
	if (!segs)
		segs = 1;
	nt_stat_add(NT_STAT_PACKETS, segs);
	nt_stat_add(NT_STAT_BYTES, d.cur->len);
	key_fill(ctx, &k, &d);
	count(&k, &d, segs);
	return 0;
}
