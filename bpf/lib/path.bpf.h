/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Path engine, kernel side: a record for each packet of the filter, in either
 * direction, that is received or sent by a device of one of the two sides, or
 * dropped anywhere. What belongs together, and what is lost, user space decides
 * (src/engine/path*.c): it needs lists (TCP ranges, fragments), and a record
 * costs less than an entry of a hash map (80 ns against 350 ns).
 */
#ifndef NT_BPF_PATH_H
#define NT_BPF_PATH_H

#include "lib/devset.bpf.h"
#include "lib/drop.bpf.h"
#include "lib/emit.bpf.h"

#define NT_CHECKSUM_PARTIAL 3	/* the device is to fill the checksum in */

NT_INLINE __u8 nt_path_proto(__u8 ip_version)
{
	__u8 proto = nt_const(NT_CONST_TOOL0);

	return proto == 1 && ip_version == 6 ? 58 : proto;
}

/* A first look, as nt_quick_reject(): another protocol, or other addresses both ways. */
NT_INLINE bool nt_path_reject(const bool direct, struct sk_buff *skb, const enum nt_at at)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);
	__be16 type = NT_GET(direct, skb, protocol);
	struct nt_tuple *t;
	struct nt_quick q;
	__u32 zero = 0;

	if (type == bpf_htons(NT_ETH_P_IPV6))
		return !(mask & NT_FILTER_IP6);
	if (type != bpf_htons(NT_ETH_P_IP))	/* 0, ETH_P_ALL: see nt_cur_unnamed() */
		return type && type != bpf_htons(NT_ETH_P_ALL) && !nt_is_vlan(bpf_ntohs(type));
	if (mask & NT_FILTER_IP6)
		return true;
	if (!nt_quick_read(direct, skb, at, &q) || q.ip.vihl >> 4 != 4)
		return false;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t || q.ip.protocol != nt_path_proto(4))
		return true;
	if (nt_quick_addr(q.ip.saddr, t->src, t->src_mask) &&
	    nt_quick_addr(q.ip.daddr, t->dst, t->dst_mask))
		return false;
	if (nt_const(NT_CONST_TOOL1) & NT_PATH_ONE_WAY)
		return true;
	return !nt_quick_addr(q.ip.saddr, t->dst, t->dst_mask) ||
	       !nt_quick_addr(q.ip.daddr, t->src, t->src_mask);
}

/* Ports of the filter in one orientation; a fragment without ports may be anybody's. */
NT_INLINE bool nt_path_ports(const struct nt_cur *c, const struct nt_tuple *t, __be16 sport,
			     __be16 dport)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);

	if (c->bits & NT_PKT_FRAG)
		return true;
	if ((mask & NT_FILTER_SPORT) && !nt_port_match(mask, c, sport, dport, t->sport_low, t->sport_high))
		return false;
	return !(mask & NT_FILTER_DPORT) || nt_port_match(mask, c, dport, sport, t->dport_low, t->dport_high);
}

enum nt_path_way { NT_PATH_NO_WAY, NT_PATH_FORWARD, NT_PATH_BACK, NT_PATH_EITHER };

/* ICMP tells by its type which way it goes; else both may match (overlapping prefixes). */
NT_INLINE __u32 nt_path_way(const struct nt_cur *c, const struct nt_tuple *t)
{
	__u32 way = 0;

	if (nt_addr_match(c->flow.saddr, t->src, t->src_mask) &&
	    nt_addr_match(c->flow.daddr, t->dst, t->dst_mask) &&
	    nt_path_ports(c, t, c->flow.sport, c->flow.dport))
		way = NT_PATH_FORWARD;
	if (!(nt_const(NT_CONST_TOOL1) & NT_PATH_ONE_WAY) &&
	    nt_addr_match(c->flow.daddr, t->src, t->src_mask) &&
	    nt_addr_match(c->flow.saddr, t->dst, t->dst_mask) &&
	    nt_path_ports(c, t, c->flow.dport, c->flow.sport))
		way |= NT_PATH_BACK;
	if (c->bits & NT_PKT_ECHO)
		way &= c->icmp_type == 8 || c->icmp_type == 128 ? NT_PATH_FORWARD : NT_PATH_BACK;
	return way;
}

/* Is it the tool's protocol? Reads it into c. */
NT_INLINE bool nt_path_is_ours(struct nt_cur *c)
{
	if (c->eth_type != NT_ETH_P_IP && c->eth_type != NT_ETH_P_IPV6)
		return false;
	nt_cur_l3(c);
	if (!(c->bits & NT_PKT_L3) || c->flow.proto != nt_path_proto(c->flow.ip_version))
		return false;
	nt_cur_l4(c);
	if (c->bits & NT_PKT_ICMP)
		return c->bits & NT_PKT_ECHO;
	/* only UDP is followed by fragments that have no header */
	return (c->bits & NT_PKT_PORTS) ||
	       ((c->bits & NT_PKT_FRAG) && nt_const(NT_CONST_TOOL0) == 17);
}

/* Where the transport header lies, and what the IP header says about length and fragment. The
 * length is not skb->len: short frames still have their padding when they are received. */
NT_INLINE __u32 nt_path_ipv4(const struct nt_cur *c, struct nt_path_event *e, __u32 *total)
{
	__u8 vihl = 0x45;
	__be16 len = 0;

	nt_read_at(c, c->l3, &vihl, sizeof(vihl));
	nt_read_at(c, c->l3 + 2, &len, sizeof(len));
	if (len)
		*total = bpf_ntohs(len);
	e->ip_id = bpf_ntohs(c->ip_id);
	e->frag_off = (bpf_ntohs(c->frag_off) & 0x1fff) * 8;
	if (bpf_ntohs(c->frag_off) & 0x2000)
		e->bits |= NT_PATH_MF;
	if (e->frag_off || (e->bits & NT_PATH_MF))
		e->bits |= NT_PATH_FRAG;
	return (vihl & 15) * 4;
}

/* A fragment header is looked for behind the fixed header, where hosts put it. */
NT_INLINE __u32 nt_path_ipv6(const struct nt_cur *c, struct nt_path_event *e, __u32 *total)
{
	struct { __u8 next, reserved; __be16 off; __be32 id; } frag;
	__be16 len = 0;
	__u8 next = 0;

	nt_read_at(c, c->l3 + 4, &len, sizeof(len));
	nt_read_at(c, c->l3 + 6, &next, sizeof(next));
	if (len)
		*total = bpf_ntohs(len) + sizeof(struct nt_ipv6);
	if (next != 44 || nt_read_at(c, c->l3 + sizeof(struct nt_ipv6), &frag, sizeof(frag)))
		return c->l4 != NT_NO_OFF ? c->l4 - c->l3 : sizeof(struct nt_ipv6);
	e->ip_id = bpf_ntohl(frag.id);
	e->frag_off = bpf_ntohs(frag.off) & 0xfff8;
	e->bits |= NT_PATH_FRAG | (bpf_ntohs(frag.off) & 1 ? NT_PATH_MF : 0);
	return sizeof(struct nt_ipv6) + sizeof(frag);
}

NT_INLINE void nt_path_l4(const bool direct, struct sk_buff *skb, const struct nt_cur *c,
			  struct nt_path_event *e)
{
	struct { __be32 seq, ack; __u8 off, flags; __be16 window, check; } tcp;
	struct { __be16 len, check; } udp;
	struct sk_buff___ip_summed *s = (void *)skb;

	if (c->bits & NT_PKT_TCP) {
		if (nt_read_at(c, c->l4 + 4, &tcp, 14)) {
			nt_stat_add(NT_STAT_PATH_TRUNC, 1);
			return;
		}
		e->tcp_seq = bpf_ntohl(tcp.seq);
		e->tcp_ack = bpf_ntohl(tcp.ack);
		e->tcp_flags = tcp.flags;
		e->tcp_hlen = (tcp.off >> 4) * 4;
		e->l4_check = tcp.check;
	} else if (c->bits & NT_PKT_PORTS) {
		if (nt_read_at(c, c->l4 + 4, &udp, sizeof(udp)))
			return;
		e->udp_len = bpf_ntohs(udp.len);
		e->l4_check = udp.check;
	}
	if ((direct ? BPF_CORE_READ_BITFIELD(s, ip_summed)
		    : BPF_CORE_READ_BITFIELD_PROBED(s, ip_summed)) != NT_CHECKSUM_PARTIAL)
		e->bits |= NT_PATH_CSUM;
}

NT_INLINE void nt_path_fill(const bool direct, struct sk_buff *skb, const struct nt_cur *c,
			    struct nt_path_event *e)
{
	__u32 total = c->len - (c->l2 != NT_NO_OFF ? c->l3 - c->l2 : 0), headers;

	__builtin_memset(e, 0, NT_PATH_PASS_SIZE);
	e->ts_ns = bpf_ktime_get_ns();
	e->skb = (__u64)skb;
	e->flow = c->flow;
	e->pkt = c->bits;
	e->cpu = bpf_get_smp_processor_id();
	e->icmp_type = c->icmp_type;
	e->ttl = c->ttl;
	nt_skb_gso(direct, skb, &e->gso_size, &e->gso_segs);
	/* the headers of what GRO and GSO make may not say how long it is (BIG TCP) */
	headers = c->flow.ip_version == 4 ? nt_path_ipv4(c, e, &total) : nt_path_ipv6(c, e, &total);
	e->len = total - headers;
	nt_path_l4(direct, skb, c, e);
}

/* dev NULL: the hook has no device that can be trusted. NULL: the packet does not concern us. */
NT_INLINE struct nt_path_event *nt_path_event(const bool direct, struct sk_buff *skb,
					      struct net_device *dev, const enum nt_at at,
					      const enum nt_path_hook hook)
{
	struct nt_cur *c = nt_cur_get();
	__u32 zero = 0, way, sides = 0;
	struct nt_tuple *t = bpf_map_lookup_elem(&nt_tuple, &zero);
	struct nt_path_event *e;

	if (!c || !t)
		return NULL;
	nt_cur_init(direct, c, skb, at);
	if (dev && at == NT_AT_DATA_L2)
		nt_cur_without_l2(direct, c, dev);
	if (!nt_path_is_ours(c))
		return NULL;
	way = nt_path_way(c, t);
	if (!way)
		return NULL;
	if (hook == NT_PATH_DROP) {
		nt_cur_maybe_dev(direct, c, skb);
	} else {
		nt_cur_dev(direct, c, dev);
		sides = nt_devset_roles_of(c);
		if (!sides)
			return NULL;
	}
	if (way == NT_PATH_EITHER)	/* a side that is entered from outside begins the way */
		way = (hook == NT_PATH_SEND) == !!(sides & NT_PATH_RX) ? NT_PATH_BACK
								       : NT_PATH_FORWARD;
	e = nt_scratch_get(0);
	if (!e)
		return NULL;
	nt_path_fill(direct, skb, c, e);
	e->hook = hook;
	e->sides = sides;
	if (way == NT_PATH_BACK)
		e->bits |= NT_PATH_REPLY;
	if (hook == NT_PATH_DROP || !nt_const(NT_CONST_PCAP) || nt_pcap_match(c))
		e->bits |= NT_PATH_EXPR;
	nt_stat_add(NT_STAT_EVENTS, 1);
	return e;
}

NT_INLINE int nt_path_pass(void *ctx, const bool direct, struct sk_buff *skb,
			   struct net_device *dev, const enum nt_at at, const enum nt_path_hook hook)
{
	struct nt_path_event *e = nt_path_event(direct, skb, dev, at, hook);

	if (e)
		nt_emit(ctx, e, NT_PATH_PASS_SIZE);
	return 0;
}

NT_INLINE int nt_path_drop(__u64 *ctx, const bool direct, struct sk_buff *skb, __u64 location)
{
	__u32 reason = nt_drop_reason(ctx);
	struct nt_path_event *e;

	if (nt_drop_is_none(reason, nt_const(NT_CONST_TOOL2)))
		return 0;
	e = nt_path_event(direct, skb, NULL, NT_AT_ANY, NT_PATH_DROP);
	if (!e)
		return 0;
	e->location = location;
	e->reason = reason;
	e->pad = 0;
	nt_stack_fill(ctx, e->stack);
	nt_emit(ctx, e, sizeof(*e));
	return 0;
}

/* The three programs, the same in each of the tools. */
#define NT_PATH_TP(stem, at, args...) \
	NT_TP_(stem, nt_path_reject(true, (void *)ctx[0], at), \
	       nt_path_reject(false, (void *)ctx[0], at), ##args)

#define NT_PATH_PROGRAMS								\
NT_PATH_TP(receive, NT_AT_DATA_L3, struct sk_buff *skb)					\
{											\
	return nt_path_pass(ctx, direct, skb, NT_GET(direct, skb, dev), NT_AT_DATA_L3,	\
			    NT_PATH_RECEIVE);						\
}											\
NT_PATH_TP(start_xmit, NT_AT_DATA_L2, struct sk_buff *skb, struct net_device *dev)	\
{											\
	return nt_path_pass(ctx, direct, skb, dev, NT_AT_DATA_L2, NT_PATH_SEND);	\
}											\
NT_PATH_TP(kfree_skb, NT_AT_ANY, struct sk_buff *skb, void *location)			\
{											\
	return nt_path_drop(ctx, direct, skb, (__u64)location);				\
}

#endif
