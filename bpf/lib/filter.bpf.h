/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The filter, decided before anything is stored: the tuple filter (fields
 * chosen by load-time constant, values in nt_tuple), then the filter
 * expression that the loader appended. A packet that passes is parsed whole.
 */
#ifndef NT_BPF_FILTER_H
#define NT_BPF_FILTER_H

#include "lib/packet.bpf.h"

NT_INLINE bool nt_addr_match(const __u8 *addr, const __u8 *want, const __u8 *mask)
{
	const __u64 *a = (const void *)addr, *w = (const void *)want, *m = (const void *)mask;

	return ((a[0] & m[0]) == w[0]) & ((a[1] & m[1]) == w[1]);
}

/* One tested field: fails the packet, or (any-of filters) remembers a hit. */
#define NT_TEST(bit, cond)				\
	do {						\
		if (mask & (bit)) {			\
			if (cond)			\
				hit = true;		\
			else if (!(mask & NT_FILTER_ANY))	\
				return false;		\
		}					\
	} while (0)

NT_INLINE bool nt_dev_match(const struct nt_tuple *t, const struct nt_cur *c)
{
	__u32 i, ifindex = c->flow.ifindex;

	if (t->netns && c->flow.netns && t->netns != c->flow.netns)
		return false;
#pragma unroll
	for (i = 0; i < NT_FILTER_DEVS; i++) {
		if (!t->ifindex[i])
			break;
		if (t->ifindex[i] == ifindex)
			return true;
	}
	return false;
}

NT_INLINE bool nt_ethtype_other(__u16 t)
{
	return t != NT_ETH_P_ARP && t != NT_ETH_P_RARP && t != NT_ETH_P_IP &&
	       t != NT_ETH_P_IPV6 && t != NT_ETH_P_LLDP && t != NT_ETH_P_PAUSE;
}

NT_INLINE bool nt_proto_match(const __u64 mask, const struct nt_tuple *t, const struct nt_cur *c)
{
	if (!(c->bits & NT_PKT_L3))
		return false;
	if ((mask & NT_FILTER_ICMP46) && c->flow.ip_version == 6)
		return c->flow.proto == 58;
	return c->flow.proto == t->proto;
}

NT_INLINE bool nt_version_match(const __u64 mask, const struct nt_cur *c)
{
	return (c->bits & NT_PKT_L3) && (!(mask & NT_FILTER_IP6) || c->flow.ip_version == 6);
}

NT_INLINE bool nt_vlan_match(const struct nt_tuple *t, const struct nt_cur *c)
{
	return (c->n_vlan > 0 && (c->vlan[0] & 0xfff) == t->vlan) ||
	       (c->n_vlan > 1 && (c->vlan[1] & 0xfff) == t->vlan);
}

NT_INLINE bool nt_port_in(__be16 port, __u16 low, __u16 high)
{
	__u16 p = bpf_ntohs(port);

	return p >= low && p <= high;
}

/* port is the one that the option names, other the one that matches too with NT_FILTER_EITHER_PORT. */
NT_INLINE bool nt_port_match(const __u64 mask, const struct nt_cur *c, __be16 port, __be16 other, __u16 low,
			     __u16 high)
{
	return (c->bits & NT_PKT_PORTS) &&
	       (nt_port_in(port, low, high) || ((mask & NT_FILTER_EITHER_PORT) && nt_port_in(other, low, high)));
}

NT_INLINE bool nt_end_match(const __u64 mask, const struct nt_cur *c, const __u8 *addr, const __u8 *other,
			    const __u8 *want, const __u8 *addr_mask)
{
	return nt_version_match(mask, c) &&
	       (nt_addr_match(addr, want, addr_mask) ||
		((mask & NT_FILTER_EITHER_ADDR) && nt_addr_match(other, want, addr_mask)));
}

/* ---- a first look, which costs one read of packet bytes ---- */

struct nt_quick {
	struct nt_ipv4 ip;
	__be16 sport, dport;
};

/* Reads q where the network header is; false: unknown, or not in the linear part. */
NT_INLINE bool nt_quick_read(const bool direct, struct sk_buff *skb, const enum nt_at at,
			     struct nt_quick *q)
{
	__u64 head = (__u64)NT_GET(direct, skb, head), off = NT_GET(direct, skb, network_header);

	if (at == NT_AT_DATA_L3)	/* network_header may be stale there */
		off = (__u64)NT_GET(direct, skb, data) - head;
	else if (!off || off == 0xffff)
		return false;
	else if (at == NT_AT_DATA_L2 &&		/* not the one behind this Ethernet header */
		 off - ((__u64)NT_GET(direct, skb, data) - head) != NT_ETH_HLEN)
		return false;
	return off + sizeof(*q) <= NT_GET(direct, skb, tail) &&
	       !bpf_probe_read_kernel(q, sizeof(*q), (void *)(head + off));
}

/* The lower 32 bits decide for IPv4; an IPv6 filter's may match, then the long way says no. */
NT_INLINE bool nt_quick_addr(const __u8 *addr, const __u8 *want, const __u8 *mask)
{
	return (*(__u32 *)addr & *(__u32 *)&mask[12]) == *(__u32 *)&want[12];
}

NT_INLINE bool nt_quick_end(const __u64 mask, const __u8 *addr, const __u8 *other, const __u8 *want,
			    const __u8 *addr_mask)
{
	return nt_quick_addr(addr, want, addr_mask) ||
	       ((mask & NT_FILTER_EITHER_ADDR) && nt_quick_addr(other, want, addr_mask));
}

NT_INLINE bool nt_quick_port(const __u64 mask, __be16 port, __be16 other, __u16 low, __u16 high)
{
	return nt_port_in(port, low, high) || ((mask & NT_FILTER_EITHER_PORT) && nt_port_in(other, low, high));
}

/*
 * Most packets are IPv4 without options, and most of those that a filter
 * rejects have another protocol, address or port. True only if nt_tuple_match()
 * would reject too by the fields of mask; whatever this does not know is left to
 * that. eth_type 0: that of the skb.
 */
NT_INLINE bool nt_quick_reject_by(const __u64 mask, const bool direct, struct sk_buff *skb, const enum nt_at at,
				  const __u16 eth_type)
{
	struct nt_tuple *t;
	struct nt_quick q;
	__u32 zero = 0;

	if (!(mask & (NT_FILTER_L3 | NT_FILTER_L4)) || (mask & NT_FILTER_ANY))
		return false;
	if ((eth_type ? eth_type != NT_ETH_P_IP : NT_GET(direct, skb, protocol) != bpf_htons(NT_ETH_P_IP)) ||
	    !nt_quick_read(direct, skb, at, &q) || q.ip.vihl != 0x45)
		return false;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t)
		return false;
	if ((mask & NT_FILTER_PROTO) && q.ip.protocol != t->proto)
		return true;
	if ((mask & NT_FILTER_SRC) && !nt_quick_end(mask, q.ip.saddr, q.ip.daddr, t->src, t->src_mask))
		return true;
	if ((mask & NT_FILTER_DST) && !nt_quick_end(mask, q.ip.daddr, q.ip.saddr, t->dst, t->dst_mask))
		return true;
	if (!(mask & NT_FILTER_L4))
		return false;
	if (q.ip.frag_off & bpf_htons(0x1fff))
		return true;		/* no ports */
	if ((mask & NT_FILTER_SPORT) && !nt_quick_port(mask, q.sport, q.dport, t->sport_low, t->sport_high))
		return true;
	return (mask & NT_FILTER_DPORT) && !nt_quick_port(mask, q.dport, q.sport, t->dport_low, t->dport_high);
}

NT_INLINE bool nt_quick_reject(const bool direct, struct sk_buff *skb, const enum nt_at at)
{
	return nt_quick_reject_by(nt_const(NT_CONST_FILTER), direct, skb, at, 0);
}

/*
 * The same for tools that follow sessions: protocol is the IPv4 one that they
 * are about, and the filter's addresses may be at either end. eth_type 0: that
 * of the skb; a tool that counts what it rejects does not call this.
 */
NT_INLINE bool nt_quick_other(const bool direct, struct sk_buff *skb, const enum nt_at at,
			      const __u16 eth_type, const __u8 protocol)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);
	__u16 type = eth_type ? eth_type : bpf_ntohs(NT_GET(direct, skb, protocol));
	struct nt_tuple *t;
	struct nt_quick q;
	__u32 zero = 0;

	if ((type != NT_ETH_P_IP && type != NT_ETH_P_IPV6) || !nt_quick_read(direct, skb, at, &q))
		return false;
	if (type == NT_ETH_P_IPV6) {
		__u8 next = ((__u8 *)&q)[6];	/* no extension header: TCP or UDP */

		return next == 6 || next == 17;
	}
	if (q.ip.vihl != 0x45)
		return false;
	if (q.ip.protocol != protocol)
		return true;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t)
		return false;
	if ((mask & NT_FILTER_SRC) && !nt_quick_addr(q.ip.saddr, t->src, t->src_mask) &&
	    !nt_quick_addr(q.ip.daddr, t->src, t->src_mask))
		return true;
	return (mask & NT_FILTER_DST) && !nt_quick_addr(q.ip.saddr, t->dst, t->dst_mask) &&
	       !nt_quick_addr(q.ip.daddr, t->dst, t->dst_mask);
}

/* The device test is separate: hooks know the device in different ways. */
NT_INLINE bool nt_tuple_match(struct nt_cur *c)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);
	struct nt_tuple *t;
	bool hit = false;
	__u32 zero = 0;

	if (!mask)
		return true;
	t = bpf_map_lookup_elem(&nt_tuple, &zero);
	if (!t)
		return false;
	if ((mask & NT_FILTER_DEV) && !nt_dev_match(t, c))	/* also of an any-of filter */
		return false;
	NT_TEST(NT_FILTER_ETHTYPE, c->eth_type == t->eth_type);
	NT_TEST(NT_FILTER_ETHTYPE_OTHER, nt_ethtype_other(c->eth_type));
	NT_TEST(NT_FILTER_VLAN, nt_vlan_match(t, c));
	if (mask & (NT_FILTER_L3 | NT_FILTER_L4)) {
		nt_cur_l3(c);
		NT_TEST(NT_FILTER_PROTO, nt_proto_match(mask, t, c));
		NT_TEST(NT_FILTER_SRC, nt_end_match(mask, c, c->flow.saddr, c->flow.daddr, t->src, t->src_mask));
		NT_TEST(NT_FILTER_DST, nt_end_match(mask, c, c->flow.daddr, c->flow.saddr, t->dst, t->dst_mask));
	}
	if (mask & NT_FILTER_L4) {
		nt_cur_l4(c);
		NT_TEST(NT_FILTER_SPORT,
			nt_port_match(mask, c, c->flow.sport, c->flow.dport, t->sport_low, t->sport_high));
		NT_TEST(NT_FILTER_DPORT,
			nt_port_match(mask, c, c->flow.dport, c->flow.sport, t->dport_low, t->dport_high));
	}
	return !(mask & NT_FILTER_ANY) || hit;
}

/* The appended filter, one for each link form: (address, readable bytes, wire length). The
 * loader turns these calls into calls of the appended code, or into "return 1". */
#define NT_PCAP_CALL(addr, caplen, wirelen, insn)					\
({											\
	register __u64 r1 asm("r1") = (addr);						\
	register __u64 r2 asm("r2") = (caplen);						\
	register __u64 r3 asm("r3") = (wirelen);					\
	register __u64 r0 asm("r0");							\
	asm volatile("call %[call]" : "=r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)		\
		     : [call] "i"(insn) : "r4", "r5", "memory");			\
	(__u32)r0;									\
})

#define NT_PCAP_COPY 256	/* headers of a packet whose tag is put back in */

/* An Ethernet packet with its tag beside it: the expression must see the tag where it is on
 * the wire, so the first bytes are laid out again in scratch. */
NT_INLINE bool nt_pcap_tagged(const struct nt_cur *c, __u32 caplen)
{
	__u8 *buf = nt_scratch_get(1);
	__be16 tag[2] = { bpf_htons(c->tag >> 16), bpf_htons((__u16)c->tag) };
	__u64 rest, addr;

	if (!buf || caplen < NT_ETH_HLEN)
		return false;
	rest = (caplen - 12) & 0xffff;
	if (rest > NT_PCAP_COPY)
		rest = NT_PCAP_COPY;
	NT_BARRIER(rest);
	bpf_probe_read_kernel(buf, 12, (void *)(c->head + c->l2));
	__builtin_memcpy(buf + 12, tag, 4);
	if (rest <= NT_PCAP_COPY)
		bpf_probe_read_kernel(buf + 16, rest, (void *)(c->head + c->l2 + 12));
	/* The filter does arithmetic on the address: hand it over as a number, not as the
	 * map value pointer whose bounds the verifier would have to follow. */
	bpf_probe_read_kernel(&addr, sizeof(addr), &buf);
	return NT_PCAP_CALL(addr, rest + 16, c->len + NT_VLAN_HLEN, NT_CALL_PCAP_L2);
}

NT_SUBPROG int nt_pcap_match(const struct nt_cur *c)
{
	__u32 off;

	if (!c)
		return 0;
	off = (c->bits & NT_PKT_L2) ? c->l2 : c->l3;
	if (off > c->tail)
		return 0;
	if (!(c->bits & NT_PKT_L2))
		return NT_PCAP_CALL(c->head + off, c->tail - off, c->len, NT_CALL_PCAP_L3);
	if (c->tag)
		return nt_pcap_tagged(c, c->tail - off);
	return NT_PCAP_CALL(c->head + off, c->tail - off, c->len, NT_CALL_PCAP_L2);
}

/* c is initialised and has its device. On true the headers are parsed. */
NT_INLINE bool nt_filter(struct nt_cur *c)
{
	if (!nt_tuple_match(c))
		return false;
	if (nt_const(NT_CONST_PCAP) && !nt_pcap_match(c))
		return false;
	return true;
}

/* Where no filter ran. */
NT_INLINE void nt_cur_parse_all(struct nt_cur *c)
{
	nt_cur_l3(c);
	nt_cur_l4(c);
}

/* Parses what the filter did not need to look at. */
NT_INLINE void nt_cur_parse(struct nt_cur *c)
{
	const __u64 mask = nt_const(NT_CONST_FILTER);

	if (!(mask & (NT_FILTER_L3 | NT_FILTER_L4)))
		nt_cur_l3(c);
	if (!(mask & NT_FILTER_L4))
		nt_cur_l4(c);
}

#endif
