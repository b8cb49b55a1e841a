// SPDX-License-Identifier: GPL-2.0
/* Asks the filter of bpf/lib about marked frames and writes down its verdicts. */
#include "lib/filter.bpf.h"

#include "filter_probe.h"

NT_LICENSE;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FP_SLOTS);
	__type(key, __u32);
	__type(value, struct fp_slot);
} fp_slots SEC(".maps");

NT_INLINE int judge(const bool direct, struct sk_buff *skb, const enum fp_view view,
		    const enum nt_at at)
{
	__u32 mark = NT_GET(direct, skb, mark);
	__u32 i = (view * FP_KINDS + !direct) * FP_FRAMES + (mark & (FP_FRAMES - 1));
	struct fp_slot *s;
	struct nt_cur *c = nt_cur_get();

	if (mark >> 16 != FP_MARK || !c)
		return 0;
	s = bpf_map_lookup_elem(&fp_slots, &i);
	if (!s)
		return 0;
	nt_cur_init(direct, c, skb, at);
	s->seen++;
	s->len = c->len;
	s->tag = c->tag;
	s->caplen = c->tail - (c->l2 != NT_NO_OFF ? c->l2 : c->l3);
	s->verdict = !nt_quick_reject(direct, skb, at) && nt_filter(c);
	return 0;
}

NT_TP(tx, struct sk_buff *skb, struct net_device *dev)
{
	if (NT_GET(direct, dev, ifindex) != (int)nt_const(NT_CONST_TOOL0))
		return 0;
	return judge(direct, skb, FP_TX, NT_AT_DATA_L2);
}

NT_TP(l3, struct sk_buff *skb, struct net_device *dev)
{
	if (NT_GET(direct, dev, ifindex) != (int)nt_const(NT_CONST_TOOL0))
		return 0;
	return judge(direct, skb, FP_L3, NT_AT_L3);
}

NT_TP(rx, struct sk_buff *skb)
{
	struct net_device *dev = NT_GET(direct, skb, dev);

	if (NT_GET(direct, dev, ifindex) != (int)nt_const(NT_CONST_TOOL1))
		return 0;
	return judge(direct, skb, FP_RX, NT_AT_DATA_L3);
}

NT_TP(drop, struct sk_buff *skb)
{
	return judge(direct, skb, FP_DROP, NT_AT_ANY);
}
