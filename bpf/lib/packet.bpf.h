/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packet parsing, once for all tools: from an skb to a cursor (where the
 * headers lie, the flow) and from the cursor to the view that events carry.
 * Only the linear part is read; a header beyond it sets NT_PKT_TRUNC.
 */
#ifndef NT_BPF_PACKET_H
#define NT_BPF_PACKET_H

#include "lib/bpf.bpf.h"
#include "lib/maps.bpf.h"

#define NT_NO_OFF	0xffffffffu
#define NT_AF_INET	2
#define NT_AF_INET6	10
#define NT_ETH_HLEN	14
#define NT_VLAN_HLEN	4
#define NT_ETH_P_ALL	0x0003
#define NT_ETH_P_IP	0x0800
#define NT_ETH_P_ARP	0x0806
#define NT_ETH_P_RARP	0x8035
#define NT_ETH_P_8021Q	0x8100
#define NT_ETH_P_IPV6	0x86dd
#define NT_ETH_P_8021AD	0x88a8
#define NT_ETH_P_PAUSE	0x8808
#define NT_ETH_P_LLDP	0x88cc
#define NT_ARPHRD_ETHER	1
#define NT_ARPHRD_LOOPBACK 772	/* has an Ethernet header */

enum nt_at {			/* where a hook's skb stands */
	NT_AT_ANY,		/* unknown (a drop): header offsets if they are set and sane */
	NT_AT_L3,		/* network_header is set: IP layer hooks */
	NT_AT_DATA_L3,		/* skb->data is the L3 header: net:netif_receive_skb, whose
				 * network_header may be stale */
	NT_AT_DATA_L2,		/* skb->data is the Ethernet header: transmit hooks below IP */
};

struct nt_cur {			/* offsets count from skb->head */
	__u64 head;
	__u32 l2, l3, l4;	/* NT_NO_OFF: not there */
	__u32 data, tail;	/* [head, head + tail) is readable */
	__u32 bits;		/* enum nt_pkt_bits */
	__u32 len;		/* wire length from l2, else from l3 */
	__u32 tag;		/* accelerated tag: proto << 16 | tci; 0 if none */
	__u16 vlan[2];		/* tci, outermost first; bits of n_vlan count */
	__u16 vlan_proto[2];	/* host order */
	__u16 n_vlan;
	__u16 eth_type;		/* host order, after tags */
	__be16 ip_id, frag_off;
	__u32 frag;		/* IPv6 fragment header; 0: there is none */
	__u8 ttl, tos, icmp_type, icmp_code;
	struct nt_flow flow __attribute__((aligned(8)));	/* addresses are compared by 8 bytes */
};

/*
 * The cursor lies in a map, not on the stack: the verifier follows every value
 * on the stack, and the product of what a parser may find (tags, versions,
 * extension headers) would cost it 200 ms; map memory it does not follow.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_DEPTH);
	__type(key, __u32);
	__type(value, struct nt_cur);
} nt_cur SEC(".maps");

NT_INLINE struct nt_cur *nt_cur_get(void)
{
	__u32 depth = nt_depth();

	return bpf_map_lookup_elem(&nt_cur, &depth);
}

struct nt_ipv4 {
	__u8 vihl, tos;
	__be16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__be16 check;
	__u8 saddr[4], daddr[4];
};

struct nt_ipv6 {
	__u8 vtc, flow[3];
	__be16 payload_len;
	__u8 nexthdr, hop_limit;
	__u8 saddr[16], daddr[16];
};

NT_INLINE int nt_read_at(const struct nt_cur *c, __u32 off, void *dst, __u32 size)
{
	if (off + size > c->tail)
		return -1;
	return bpf_probe_read_kernel(dst, size, (void *)(c->head + off));
}

/* The tag that the device or the stack keeps beside the packet: proto << 16 | tci. */
NT_INLINE __u32 nt_skb_tag(const bool direct, struct sk_buff *skb)
{
	__u32 tci = NT_GET(direct, skb, vlan_tci);
	__u32 proto = bpf_ntohs(NT_GET(direct, skb, vlan_proto));

	if (bpf_core_field_exists(((struct sk_buff___vlan_all *)0)->vlan_all)) {
		if (!proto && !tci)
			return 0;
	} else if (bpf_core_field_exists(((struct sk_buff___vlan_present *)0)->vlan_present)) {
		struct sk_buff___vlan_present *s = (void *)skb;

		if (!(direct ? BPF_CORE_READ_BITFIELD(s, vlan_present)
			     : BPF_CORE_READ_BITFIELD_PROBED(s, vlan_present)))
			return 0;
	} else if (!(tci & 0x1000)) {	/* up to 4.19: VLAN_TAG_PRESENT in the tci */
		return 0;
	} else {
		tci &= ~0x1000u;
	}
	return proto << 16 | tci;
}

NT_INLINE bool nt_is_vlan(__u16 eth_type)
{
	return eth_type == NT_ETH_P_8021Q || eth_type == NT_ETH_P_8021AD;
}

NT_INLINE void nt_cur_tags(struct nt_cur *c)
{
	struct { __be16 tci, proto; } tag;
	__u32 i;

	if (c->tag) {
		c->vlan[0] = c->tag;
		c->vlan_proto[0] = c->tag >> 16;
		c->n_vlan = 1;
		c->bits |= NT_PKT_TAG;
	}
	/* Tags inside the packet: then skb->protocol is the tag's. With an Ethernet header
	 * the first one lies behind it; without, at l3 (receive path, header pulled). */
	if (!nt_is_vlan(c->eth_type))
		return;
	if (c->l2 != NT_NO_OFF)
		c->l3 = c->l2 + NT_ETH_HLEN;
#pragma unroll
	for (i = 0; i < 2; i++) {
		if (!nt_is_vlan(c->eth_type) || nt_read_at(c, c->l3, &tag, sizeof(tag)))
			break;
		if (c->n_vlan < 2) {
			c->vlan[c->n_vlan & 1] = bpf_ntohs(tag.tci);
			c->vlan_proto[c->n_vlan & 1] = c->eth_type;
			c->n_vlan++;
		}
		c->eth_type = bpf_ntohs(tag.proto);
		c->l3 += NT_VLAN_HLEN;
	}
}

/* What a packet socket sends without naming a protocol: before 5.1 skb->protocol is what the socket
 * has, 0 or ETH_P_ALL. The frame tells. */
NT_INLINE void nt_cur_unnamed(struct nt_cur *c)
{
	__be16 type;

	if (c->l2 == NT_NO_OFF || (c->eth_type && c->eth_type != NT_ETH_P_ALL))
		return;
	if (!nt_read_at(c, c->l2 + NT_ETH_HLEN - sizeof(type), &type, sizeof(type)))
		c->eth_type = bpf_ntohs(type);
}

/* Finds the headers; reads no packet byte unless it has VLAN tags inside or no protocol is set. */
NT_INLINE void nt_cur_init(const bool direct, struct nt_cur *c, struct sk_buff *skb,
			   const enum nt_at at)
{
	__u32 mac = NT_GET(direct, skb, mac_header);
	__u32 net = NT_GET(direct, skb, network_header);
	__u32 tags;

	__builtin_memset(c, 0, sizeof(*c));
	c->head = (__u64)NT_GET(direct, skb, head);
	c->data = (__u64)NT_GET(direct, skb, data) - c->head;
	c->tail = NT_GET(direct, skb, tail);
	c->len = NT_GET(direct, skb, len);
	c->eth_type = bpf_ntohs(NT_GET(direct, skb, protocol));
	c->l2 = NT_NO_OFF;
	c->l3 = net;
	c->l4 = NT_NO_OFF;

	if (at == NT_AT_DATA_L2) {
		c->l2 = c->data;
		if (net <= c->data || net - c->data > NT_ETH_HLEN + 2 * NT_VLAN_HLEN)
			c->l3 = c->data + NT_ETH_HLEN;
	} else if (at != NT_AT_L3) {
		if (at == NT_AT_DATA_L3)
			c->l3 = c->data;
		else if (!net || net == 0xffff)
			c->l3 = mac != 0xffff ? mac + NT_ETH_HLEN : NT_NO_OFF;
		tags = c->l3 - mac;
		/* A stale mac_header (a clone that was sent before) does not fit l3. */
		if (mac != 0xffff && c->l3 != NT_NO_OFF && mac < c->l3 &&
		    (tags == NT_ETH_HLEN || tags == NT_ETH_HLEN + NT_VLAN_HLEN ||
		     tags == NT_ETH_HLEN + 2 * NT_VLAN_HLEN))
			c->l2 = mac;
	}
	c->tag = nt_skb_tag(direct, skb);
	nt_cur_unnamed(c);
	nt_cur_tags(c);
	if (c->l2 != NT_NO_OFF)
		c->len += c->data - c->l2;
	else if (c->l3 != NT_NO_OFF)
		c->len += c->data - c->l3;
	c->flow.eth_type = bpf_htons(c->eth_type);
	if (c->l2 != NT_NO_OFF)
		c->bits |= NT_PKT_L2;
}

NT_INLINE void nt_v4_mapped(__u8 dst[16], const __u8 src[4])
{
	__builtin_memset(dst, 0, 10);
	dst[10] = dst[11] = 0xff;
	__builtin_memcpy(dst + 12, src, 4);
}

NT_INLINE bool nt_is_v4_mapped(const __u8 *addr)
{
	const __u32 *a = (const void *)addr;

	return !a[0] & !a[1] & (a[2] == bpf_htonl(0xffff));
}

NT_INLINE void nt_cur_ipv4(struct nt_cur *c)
{
	struct nt_ipv4 ip;

	if (nt_read_at(c, c->l3, &ip, sizeof(ip))) {
		c->bits |= NT_PKT_TRUNC;
		return;
	}
	if (ip.vihl >> 4 != 4)
		return;
	c->bits |= NT_PKT_L3;
	c->flow.ip_version = 4;
	c->flow.proto = ip.protocol;
	nt_v4_mapped(c->flow.saddr, ip.saddr);
	nt_v4_mapped(c->flow.daddr, ip.daddr);
	c->ip_id = ip.id;
	c->frag_off = ip.frag_off;
	c->ttl = ip.ttl;
	c->tos = ip.tos;
	if (ip.frag_off & bpf_htons(0x1fff))
		c->bits |= NT_PKT_FRAG;
	else
		c->l4 = c->l3 + (ip.vihl & 15) * 4;
}

/* Extension headers, RFC 8200 section 4: hop-by-hop, routing, fragment, authentication,
 * destination options; at most six are walked. */
#define NT_IPV6_EXT (1ULL << 0 | 1ULL << 43 | 1ULL << 44 | 1ULL << 51 | 1ULL << 60)
/* One header; false: next is no extension header, or cannot be read. */
NT_INLINE bool nt_cur_ipv6_step(struct nt_cur *c, __u8 *next, __u32 *off)
{
	struct { __u8 next, len; __be16 frag; __be32 id; } ext;

	if (*next > 63 || !(NT_IPV6_EXT >> *next & 1))
		return false;
	if (nt_read_at(c, *off, &ext, sizeof(ext))) {
		c->bits |= NT_PKT_TRUNC;
		return false;
	}
	/* A fragment header's second byte is reserved, 0: its length comes out right. */
	if (*next == 44) {
		c->frag = *off;
		if (ext.frag & bpf_htons(0xfff8))
			c->bits |= NT_PKT_FRAG;
	}
	*off += *next == 51 ? (ext.len + 2) * 4 : (ext.len + 1) * 8;
	*next = ext.next;
	return true;
}

NT_INLINE void nt_cur_ipv6_ext(struct nt_cur *c, __u8 next)
{
	__u32 off = c->l3 + sizeof(struct nt_ipv6);

	(void)(nt_cur_ipv6_step(c, &next, &off) && nt_cur_ipv6_step(c, &next, &off) &&
	       nt_cur_ipv6_step(c, &next, &off) && nt_cur_ipv6_step(c, &next, &off) &&
	       nt_cur_ipv6_step(c, &next, &off) && nt_cur_ipv6_step(c, &next, &off));
	c->flow.proto = next;
	if (!(c->bits & (NT_PKT_FRAG | NT_PKT_TRUNC)))
		c->l4 = off;
}

NT_INLINE void nt_cur_ipv6(struct nt_cur *c)
{
	struct nt_ipv6 ip;

	if (nt_read_at(c, c->l3, &ip, sizeof(ip))) {
		c->bits |= NT_PKT_TRUNC;
		return;
	}
	if (ip.vtc >> 4 != 6)
		return;
	c->bits |= NT_PKT_L3;
	c->flow.ip_version = 6;
	__builtin_memcpy(c->flow.saddr, ip.saddr, 16);
	__builtin_memcpy(c->flow.daddr, ip.daddr, 16);
	c->ttl = ip.hop_limit;
	c->tos = ip.vtc << 4 | ip.flow[0] >> 4;
	nt_cur_ipv6_ext(c, ip.nexthdr);
}

/* Reads the IP header: flow addresses, protocol, l4. A subprogram: it reads memory by
 * address only, so it is the same for every kind of program. */
NT_SUBPROG int nt_cur_l3(struct nt_cur *c)
{
	if (!c || c->l3 == NT_NO_OFF)
		return 0;
	if (c->eth_type == NT_ETH_P_IP)
		nt_cur_ipv4(c);
	else if (c->eth_type == NT_ETH_P_IPV6)
		nt_cur_ipv6(c);
	return 0;
}

NT_INLINE bool nt_is_echo(__u8 proto, __u8 type)
{
	return proto == 1 ? type == 8 || type == 0 : type == 128 || type == 129;
}

/* Reads ports, or ICMP type, id and sequence. */
NT_SUBPROG int nt_cur_l4(struct nt_cur *c)
{
	union { __be16 port[4]; __u8 byte[8]; } h;
	__u8 proto;

	if (!c || c->l4 == NT_NO_OFF || !(c->bits & NT_PKT_L3))
		return 0;
	proto = c->flow.proto;
	if (proto != 6 && proto != 17 && proto != 132 && proto != 136 && proto != 1 && proto != 58)
		return 0;
	if (nt_read_at(c, c->l4, &h, sizeof(h))) {
		c->bits |= NT_PKT_TRUNC;
		return 0;
	}
	if (proto == 1 || proto == 58) {
		c->bits |= NT_PKT_ICMP;
		c->icmp_type = h.byte[0];
		c->icmp_code = h.byte[1];
		if (nt_is_echo(proto, h.byte[0])) {
			c->bits |= NT_PKT_ECHO;
			c->flow.icmp_id = h.port[2];
			c->flow.icmp_seq = h.port[3];
		}
		return 0;
	}
	c->bits |= NT_PKT_PORTS;
	if (proto == 6)
		c->bits |= NT_PKT_TCP;
	c->flow.sport = h.port[0];
	c->flow.dport = h.port[1];
	return 0;
}

/* Its route; NULL: none. The lowest bit tells whether it holds a reference (SKB_DST_NOREF). */
NT_INLINE void *nt_skb_dst(const bool direct, struct sk_buff *skb)
{
	return (void *)(NT_GET(direct, skb, _skb_refdst) & ~1UL);
}

/* ---- the view that an event carries ---- */
NT_INLINE void nt_pkt_l4(const struct nt_cur *c, struct nt_pkt *p)
{
	struct { __be32 seq, ack; __u8 off, flags; } tcp;

	if (c->bits & NT_PKT_TCP) {
		if (nt_read_at(c, c->l4 + 4, &tcp, 10)) {
			p->bits = (p->bits | NT_PKT_TRUNC) & ~NT_PKT_TCP;
			return;
		}
		p->tcp_seq = tcp.seq;
		p->tcp_ack = tcp.ack;
		p->tcp_flags = tcp.flags;
	}
	p->icmp_type = c->icmp_type;
	p->icmp_code = c->icmp_code;
}

NT_INLINE void nt_pkt_arp(const struct nt_cur *c, struct nt_pkt *p)
{
	if (c->eth_type != NT_ETH_P_ARP && c->eth_type != NT_ETH_P_RARP)
		return;
	/* RFC 826, Ethernet and IPv4: operation at 6, addresses at 8 (6, 4, 6, 4 bytes) */
	if (nt_read_at(c, c->l3 + 6, &p->arp.op, 2) ||
	    nt_read_at(c, c->l3 + 8, p->arp.sender_mac, 6) ||
	    nt_read_at(c, c->l3 + 14, p->arp.sender_ip, 4) ||
	    nt_read_at(c, c->l3 + 18, p->arp.target_mac, 6) ||
	    nt_read_at(c, c->l3 + 24, p->arp.target_ip, 4))
		p->bits |= NT_PKT_TRUNC;
	else
		p->bits |= NT_PKT_ARP;
}

NT_SUBPROG int nt_pkt_fill(const struct nt_cur *c, struct nt_pkt *p)
{
	if (!c || !p)
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	p->flow = c->flow;
	p->bits = c->bits;
	p->len = c->len;
	p->vlan[0] = p->vlan[1] = NT_VLAN_NONE;
	if (c->n_vlan > 0) {
		p->vlan[0] = c->vlan[0] & 0xfff;
		p->vlan_prio[0] = c->vlan[0] >> 13;
		p->vlan_proto[0] = bpf_htons(c->vlan_proto[0]);
	}
	if (c->n_vlan > 1) {
		p->vlan[1] = c->vlan[1] & 0xfff;
		p->vlan_prio[1] = c->vlan[1] >> 13;
		p->vlan_proto[1] = bpf_htons(c->vlan_proto[1]);
	}
	if (c->bits & NT_PKT_L2) {
		if (nt_read_at(c, c->l2, p->dst_mac, 6) || nt_read_at(c, c->l2 + 6, p->src_mac, 6))
			p->bits &= ~NT_PKT_L2;
	}
	p->ttl = c->ttl;
	p->tos = c->tos;
	p->ip_id = c->ip_id;
	p->frag_off = c->frag_off;
	nt_pkt_l4(c, p);
	nt_pkt_arp(c, p);
	return 0;
}

/* gso_size and gso_segs lie behind the buffer's end (skb_shared_info). */
NT_INLINE void nt_skb_gso(const bool direct, struct sk_buff *skb, __u16 *size, __u16 *segs)
{
	unsigned char *head = NT_GET(direct, skb, head);
	struct skb_shared_info *si = (void *)(head + NT_GET(direct, skb, end));

	*size = BPF_CORE_READ(si, gso_size);
	*segs = *size ? BPF_CORE_READ(si, gso_segs) : 0;
}

#include "lib/packet_dev.bpf.h"

#endif
