// SPDX-License-Identifier: GPL-2.0
/* Probes (UDP to the probe port, on the interface) that this kernel drops, by reason. */
#include "lib/drop.bpf.h"

NT_LICENSE;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} nt_phy_drops SEC(".maps");

NT_TP_SKB(kfree_skb, NT_AT_ANY, struct sk_buff *skb, void *location)
{
	struct nt_drop d;
	__u64 *n, zero = 0;

	if (!nt_drop_wanted(direct, ctx, &d, skb, location) || d.cur->flow.proto != 17)
		return 0;
	n = nt_row(&nt_phy_drops, &d.reason, &zero);
	if (n)
		__sync_fetch_and_add(n, 1);
	return 0;
}
