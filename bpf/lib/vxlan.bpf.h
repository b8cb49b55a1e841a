/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VXLAN packets: which call of the VXLAN device a packet is in, what its inner and outer headers
 * say, and what became of it. Filters are about the inner packet and run first; VNI, outer
 * addresses and devices are known only when the call ends.
 */
#ifndef NT_BPF_VXLAN_H
#define NT_BPF_VXLAN_H

#include "lib/calls.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/filter.bpf.h"
#include "lib/rate.bpf.h"
#include "lib/stacks.bpf.h"
#include "lib/tunnel.bpf.h"
#include "nettrace/nt_abi_vxlan.h"

#define NT_VXLAN_UDP_HLEN 8
#define NT_VXLAN_HLEN 8
#define NT_DST_METADATA 0x80
#define NT_TUNNEL_INFO_IPV6 2	/* bit of ip_tunnel_info.mode */
#define NT_AF_INET 2
#define NT_AF_INET6 10

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_vxlan_cfg);
} nt_vxlan_cfg SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct nt_vxlan_peer_key);
	__type(value, struct nt_vxlan_val);
} nt_vxlan_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct nt_vxlan_flow_key);
	__type(value, struct nt_vxlan_val);
} nt_vxlan_flows SEC(".maps");

/* ---- the packet that a caller is at ---- */
enum nt_vxlan_in {
	NT_VXLAN_IN_DEVICE = 1,	/* vxlan_xmit(): one packet, before it is known to whom it goes */
	NT_VXLAN_IN_PEER,	/* vxlan_xmit_one(): to one peer */
	NT_VXLAN_IN_RCV,
};
struct nt_vxlan_call {
	__u64 skb, dev;		/* skb 0: it was handed on */
	__u32 in;		/* enum nt_vxlan_in */
	__u32 headers;		/* bytes of the inner headers, Ethernet to TCP or UDP; 0: not known */
	__u32 done, freed;	/* done: what became of it is in e.what */
	struct nt_vxlan_event e;
};
NT_CALLS(nt_vxlan_calls, struct nt_vxlan_call, 4)

NT_INLINE struct nt_vxlan_cfg *nt_vxlan_cfg_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nt_vxlan_cfg, &zero);
}

/* The innermost call, if it is about this packet. */
NT_INLINE struct nt_vxlan_call *nt_vxlan_call_of(struct sk_buff *skb)
{
	struct nt_vxlan_call *c = nt_vxlan_calls_top();

	return c && c->skb == (__u64)skb ? c : NULL;
}

/* ---- what the filter options of the outer packet say, once it is known ---- */
NT_INLINE bool nt_vxlan_vni_match(const struct nt_vxlan_cfg *cfg, const struct nt_vxlan_event *e)
{
	__u32 i;

	if (!(e->bits & NT_VXLAN_VNI))
		return false;
#pragma unroll
	for (i = 0; i < NT_VXLAN_VNIS; i++) {
		if (i >= cfg->n_vnis)
			break;
		if (cfg->vni[i] == e->vni)
			return true;
	}
	return false;
}

NT_INLINE bool nt_vxlan_dev_match(const struct nt_vxlan_cfg *cfg, __u32 ifindex, __u32 netns)
{
	__u32 i;

	if (!ifindex || cfg->netns != netns)
		return false;
#pragma unroll
	for (i = 0; i < NT_FILTER_DEVS; i++) {
		if (!cfg->ifindex[i])
			break;
		if (cfg->ifindex[i] == ifindex)
			return true;
	}
	return false;
}

NT_INLINE bool nt_vxlan_addr_match(const __u8 *addr, const __u8 *want, const __u8 *mask)
{
	const __u32 *a = (const void *)addr, *w = (const void *)want, *m = (const void *)mask;

	return (a[0] & m[0]) == w[0] && (a[1] & m[1]) == w[1] && (a[2] & m[2]) == w[2] && (a[3] & m[3]) == w[3];
}

NT_INLINE bool nt_vxlan_wanted(const struct nt_vxlan_event *e)
{
	const __u64 by = nt_const(NT_CONST_TOOL0);
	struct nt_vxlan_cfg *cfg;

	if (!(by & (NT_VXLAN_BY_VNI | NT_VXLAN_BY_DEV | NT_VXLAN_BY_SRC | NT_VXLAN_BY_DST)))
		return true;
	cfg = nt_vxlan_cfg_get();
	if (!cfg)
		return false;
	if ((by & NT_VXLAN_BY_VNI) && !nt_vxlan_vni_match(cfg, e))
		return false;
	if ((by & NT_VXLAN_BY_DEV) && !nt_vxlan_dev_match(cfg, e->pkt.flow.ifindex, e->pkt.flow.netns) &&
	    !nt_vxlan_dev_match(cfg, e->lower_ifindex, e->lower_netns))
		return false;
	if ((by & NT_VXLAN_BY_SRC) && (!(e->bits & NT_VXLAN_HEADER) ||
				       !nt_vxlan_addr_match(e->outer_src, cfg->src, cfg->src_mask)))
		return false;
	return !(by & NT_VXLAN_BY_DST) || ((e->bits & NT_VXLAN_PEER) &&
					   nt_vxlan_addr_match(e->outer_dst, cfg->dst, cfg->dst_mask));
}

/* ---- numbers ---- */
NT_INLINE void nt_vxlan_add(struct nt_vxlan_val *v, const struct nt_vxlan_event *e, __u64 segments)
{
	if (!v)
		return;
	if (e->what == NT_VXLAN_DROPPED) {
		__sync_fetch_and_add(&v->dropped, 1);
		return;
	}
	__sync_fetch_and_add(&v->packets, 1);
	__sync_fetch_and_add(&v->segments, segments);
	__sync_fetch_and_add(&v->bytes, e->pkt.len);
}

NT_INLINE void nt_vxlan_count_peer(const struct nt_vxlan_event *e, const struct nt_vxlan_val *zero, __u64 segments)
{
	struct nt_vxlan_peer_key k;

	__builtin_memset(&k, 0, sizeof(k));
	if (e->direction == NT_DIR_RX)
		__builtin_memcpy(k.peer, e->outer_src, 16);
	else if (e->bits & NT_VXLAN_PEER)
		__builtin_memcpy(k.peer, e->outer_dst, 16);
	k.vni = e->vni;
	k.has_vni = (e->bits & NT_VXLAN_VNI) != 0;
	k.direction = e->direction;
	k.ifindex = e->pkt.flow.ifindex;
	k.netns = e->pkt.flow.netns;
	if (!k.ifindex) {
		k.ifindex = e->lower_ifindex;
		k.netns = e->lower_netns;
	}
	nt_vxlan_add(nt_row(&nt_vxlan_peers, &k, zero), e, segments);
}

NT_INLINE void nt_vxlan_count_flow(const struct nt_vxlan_event *e, const struct nt_vxlan_val *zero, __u64 segments)
{
	struct nt_vxlan_flow_key k;

	__builtin_memset(&k, 0, sizeof(k));
	k.flow = e->pkt.flow;
	k.flow.icmp_seq = 0;
	k.flow.ifindex = k.flow.netns = 0;
	k.vni = e->vni;
	k.has_vni = (e->bits & NT_VXLAN_VNI) != 0;
	k.direction = e->direction;
	nt_vxlan_add(nt_row(&nt_vxlan_flows, &k, zero), e, segments);
}

NT_INLINE void nt_vxlan_stat(__u32 first, __u32 count, __u64 n)
{
	nt_stat_add(first + count, n);
}

NT_SUBPROG int nt_vxlan_count(const struct nt_vxlan_event *e)
{
	struct nt_vxlan_val zero = { .packets = 0 };
	__u32 first;
	__u64 segments;

	if (!e)
		return 0;
	first = NT_STAT_VXLAN0 + (e->direction == NT_DIR_RX ? NT_VXLAN_COUNTS : 0);
	segments = e->pkt.gso_segs ? e->pkt.gso_segs : 1;
	if (e->what == NT_VXLAN_DROPPED) {
		nt_vxlan_stat(first, NT_VXLAN_N_DROPPED, 1);
	} else if (e->what == NT_VXLAN_LOCAL) {
		nt_vxlan_stat(first, NT_VXLAN_N_LOCAL, 1);
	} else {
		nt_vxlan_stat(first, NT_VXLAN_PACKETS, 1);
		nt_vxlan_stat(first, NT_VXLAN_SEGMENTS, segments);
		nt_vxlan_stat(first, NT_VXLAN_BYTES, e->pkt.len);
	}
	if (e->bits & NT_VXLAN_OVER_MTU)
		nt_vxlan_stat(first, NT_VXLAN_N_OVER_MTU, 1);
	nt_stat_add(NT_STAT_EVENTS, 1);
	nt_vxlan_count_peer(e, &zero, segments);
	if (nt_const(NT_CONST_TOOL0) & NT_VXLAN_FLOWS)
		nt_vxlan_count_flow(e, &zero, segments);
	return 0;
}

/* It is known what became of the packet. */
NT_INLINE void nt_vxlan_tell(void *ctx, struct nt_vxlan_event *e)
{
	const __u64 tool = nt_const(NT_CONST_TOOL0);

	if (!nt_vxlan_wanted(e))
		return;
	nt_vxlan_count(e);
	if (!(tool & NT_VXLAN_EVENTS) || ((tool & NT_VXLAN_ONLY_DROPS) && e->what != NT_VXLAN_DROPPED))
		return;
	if (nt_rate_limited()) {
		nt_stat_add(NT_STAT_VXLAN_RATE_LIMITED, 1);
		return;
	}
	nt_emit(ctx, e, sizeof(*e));
}

/* ---- reading packets ---- */
/* The inner frame lies in the cursor: does the filter take it? Then it goes into the event. */
NT_INLINE bool nt_vxlan_inner(const bool direct, struct nt_cur *cur, struct sk_buff *skb, struct nt_vxlan_event *e)
{
	unsigned char *head = NT_GET(direct, skb, head);
	struct skb_shared_info *si = (void *)(head + NT_GET(direct, skb, end));

	if (!nt_filter(cur)) {
		if (cur->bits & NT_PKT_TRUNC)
			nt_stat_add(NT_STAT_VXLAN_UNREADABLE, 1);
		return false;
	}
	nt_cur_parse(cur);
	nt_pkt_fill(cur, &e->pkt);
	e->ts_ns = bpf_ktime_get_ns();
	e->cpu = bpf_get_smp_processor_id();
	e->bits |= NT_VXLAN_OURS;
	e->data_len = NT_GET(direct, skb, data_len);
	nt_skb_gso(direct, skb, &e->pkt.gso_size, &e->pkt.gso_segs);
	if (e->pkt.gso_size) {
		e->bits |= NT_VXLAN_GSO;
		e->gso_type = BPF_CORE_READ(si, gso_type);
	}
	if (BPF_CORE_READ(si, frag_list))
		e->bits |= NT_VXLAN_FRAG_LIST;
	return true;
}

/* To be called where the outermost hooked function begins: once a return probe has run there is no stack
 * above it any more. */
NT_INLINE void nt_vxlan_stack(void *ctx, struct nt_vxlan_event *e)
{
	if (!(nt_const(NT_CONST_TOOL0) & NT_VXLAN_STACKS))
		return;
	e->stack_id = bpf_get_stackid(ctx, &nt_stacks, 0);
	if (e->stack_id < 0)
		nt_stat_add(NT_STAT_VXLAN_NO_STACK, 1);
}

/* Bytes from the frame's beginning to behind the TCP or UDP header. */
NT_INLINE __u32 nt_vxlan_headers(const struct nt_cur *cur)
{
	__u8 doff;

	if (!(cur->bits & NT_PKT_PORTS))
		return 0;
	if (!(cur->bits & NT_PKT_TCP))
		return cur->l4 + 8 - cur->data;
	if (nt_read_at(cur, cur->l4 + 12, &doff, 1))
		return 0;
	return cur->l4 + (doff >> 4) * 4 - cur->data;
}

/* The VXLAN header at off. False: it cannot be read, which is counted. */
NT_INLINE bool nt_vxlan_header(struct nt_vxlan_event *e, const struct nt_cur *cur, __u32 off)
{
	__be32 h[2];

	if (nt_read_at(cur, off, h, sizeof(h))) {
		nt_stat_add(NT_STAT_VXLAN_UNREADABLE, 1);
		return false;
	}
	e->flags = bpf_ntohl(h[0]);
	e->vni = bpf_ntohl(h[1]) >> 8;
	if (e->flags & NT_VXLAN_F_I)
		e->bits |= NT_VXLAN_VNI;
	if (e->flags & NT_VXLAN_F_GBP) {
		e->bits |= NT_VXLAN_GBP_ID;
		e->gbp = e->flags & 0xffff;
	}
	return true;
}

/* The outer headers, in the cursor from the IP header on, of which all to UDP is parsed; returns where
 * the VXLAN header is, 0: not known. */
NT_INLINE __u32 nt_vxlan_outer(struct nt_vxlan_event *e, const struct nt_cur *cur)
{
	if (!(cur->bits & NT_PKT_PORTS) || cur->flow.proto != 17)
		return 0;
	__builtin_memcpy(e->outer_src, cur->flow.saddr, 16);
	__builtin_memcpy(e->outer_dst, cur->flow.daddr, 16);
	e->outer_sport = cur->flow.sport;
	e->outer_dport = cur->flow.dport;
	e->outer_ttl = cur->ttl;
	e->outer_tos = cur->tos;
	e->bits |= NT_VXLAN_HEADER | NT_VXLAN_PEER;
	return cur->l4 + NT_VXLAN_UDP_HLEN;
}

NT_INLINE void nt_vxlan_lower(struct nt_vxlan_event *e, struct net_device *dev)
{
	if (!dev)
		return;
	e->lower_ifindex = BPF_CORE_READ(dev, ifindex);
	e->lower_netns = nt_dev_netns(false, dev);
	e->lower_mtu = BPF_CORE_READ(dev, mtu);
}

/* What follows the VXLAN header: 0 Ethernet, else the type of IP (GPE). */
NT_INLINE __u16 nt_vxlan_payload(const struct nt_vxlan_event *e)
{
	if (!(e->flags & NT_VXLAN_F_P))
		return 0;
	return (e->flags & 0xff) == 1 ? NT_ETH_P_IP : (e->flags & 0xff) == 2 ? NT_ETH_P_IPV6 : 0;
}

NT_INLINE bool nt_vxlan_direction(const __u32 direction)
{
	return nt_const(NT_CONST_TOOL0) & (direction == NT_DIR_RX ? NT_VXLAN_RX : NT_VXLAN_TX);
}

#endif
