/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel side and the user side of the tools about shared info share; units, orders as in nt_abi.h. */
#ifndef NETTRACE_NT_ABI_SHINFO_H
#define NETTRACE_NT_ABI_SHINFO_H

#include "nettrace/nt_abi.h"

/* Where a packet was seen: X(id, name in the output). */
#define NT_SHINFO_PLACES(X)							\
	X(NONE, "-")								\
	X(GRO_RECEIVE, "skb_gro_receive")					\
	X(GRO_LIST, "skb_gro_receive_list")					\
	X(REASM, "inet_frag_reasm_finish")					\
	X(MAKE4, "__ip_make_skb")						\
	X(MAKE6, "__ip6_make_skb")						\
	X(SEGMENT_LIST, "skb_segment_list")					\
	X(FRAGMENT4, "ip_do_fragment")						\
	X(FRAGMENT6, "ip6_fragment")						\
	X(EXPAND, "pskb_expand_head")						\
	X(PULL, "__pskb_pull_tail")						\
	X(TRIM, "___pskb_trim")							\
	X(NAPI_GRO, "napi_gro_receive")						\
	X(FORWARD, "ip_forward")						\
	X(GSO, "__skb_gso_segment")						\
	X(GSO_TUNNEL, "skb_udp_tunnel_segment")					\
	X(GSO_INET, "inet_gso_segment")						\
	X(GSO_IPV6, "ipv6_gso_segment")						\
	X(GSO_TCP, "tcp_gso_segment")						\
	X(SEGMENT, "skb_segment")						\
	X(DEV_QUEUE, "net_dev_queue")						\
	X(RECEIVE, "netif_receive_skb")						\
	X(START_XMIT, "net_dev_start_xmit")					\
	X(OFFLOADS, "iptunnel_handle_offloads")					\
	X(PULL_TUNNEL, "__iptunnel_pull_header")				\
	X(VXLAN_RCV, "vxlan_rcv")						\
	X(GRO_UDP4, "udp4_gro_complete")					\
	X(GRO_UDP6, "udp6_gro_complete")					\
	X(GRO_UDP, "udp_gro_complete")						\
	X(GRO_VXLAN, "vxlan_gro_complete")					\
	X(GRO_GRE, "gre_gro_complete")						\
	X(GRO_TCP, "tcp_gro_complete")
#define NT_SHINFO_PLACE(id, name) NT_SHINFO_AT_##id,
enum nt_shinfo_place { NT_SHINFO_PLACES(NT_SHINFO_PLACE) NT_SHINFO_PLACES_N };
#undef NT_SHINFO_PLACE

/* What is known of a packet's shared info, and of the packet as far as it must agree with it. */
struct nt_shinfo {
	__u64 frag_list;	/* address of the first member; 0: there is none */
	__u32 gso_type;		/* SKB_GSO_*, as the kernel numbers them */
	__u16 gso_size, gso_segs;
	__u32 len, data_len;	/* bytes */
	__u8 nr_frags;
	__u8 bits;		/* enum nt_shinfo_bits */
	__be16 inner_protocol;	/* of tunnels */
	__u32 pad;
};
NT_ASSERT_SIZE(struct nt_shinfo, 32);

enum nt_shinfo_bits {
	NT_SHINFO_KNOWN = 1 << 0,	/* the other members are valid */
	NT_SHINFO_CLONED = 1 << 1,
	NT_SHINFO_ENCAP = 1 << 2,	/* skb->encapsulation; of tunnels */
};

#define NT_SHINFO_NOTHING 15	/* in place of the following */
enum nt_shinfo_what {
	NT_SHINFO_CREATE, NT_SHINFO_CLEAR, NT_SHINFO_MODIFY, NT_SHINFO_ACCESS, NT_SHINFO_INCONSISTENT,
	NT_SHINFO_WHATS,
};

enum nt_shinfo_rule {
	NT_SHINFO_NO_DATA = 1 << 0,	/* data_len, but neither fragments nor list */
	NT_SHINFO_LENGTHS = 1 << 1,	/* linear part, fragments and list are not len */
	NT_SHINFO_NO_LIST = 1 << 2,	/* segmentation wants a list that is not there */
	NT_SHINFO_MEMBER = 1 << 3,	/* a member's linear part is not gso_size, in a packet from outside */
};
#define NT_GSO_BY_FRAGS 0xffff
#define NT_SHINFO_RULES 4

/* first_linear: bytes in the linear part of the list's first member if another follows, else 0: the last
 * one may be shorter. */
static inline __attribute__((always_inline)) __u32
nt_shinfo_rules(const struct nt_shinfo *s, __u32 first_linear, __u32 dodgy, __u32 fraglist)
{
	__u32 rules = 0;

	if (s->data_len && !s->nr_frags && !s->frag_list)
		rules |= NT_SHINFO_NO_DATA;
	if (!s->frag_list && s->gso_size && ((s->gso_type & fraglist) || s->gso_size == NT_GSO_BY_FRAGS))
		rules |= NT_SHINFO_NO_LIST;
	if (s->frag_list && (s->gso_type & dodgy) && s->gso_size && s->gso_size != NT_GSO_BY_FRAGS &&
	    first_linear && first_linear != s->gso_size)
		rules |= NT_SHINFO_MEMBER;
	return rules;
}

#define NT_SHINFO_HISTORY 8
struct nt_shinfo_track {	/* by address of the skb */
	__u64 born_ns, seen_ns;
	__u64 head;		/* address of its buffer */
	__u64 history;		/* enum nt_shinfo_place, the last one in the lowest byte */
	struct nt_shinfo s;
	__u32 told;		/* enum nt_shinfo_rule */
	__u32 pad;
};
NT_ASSERT_SIZE(struct nt_shinfo_track, 72);

struct nt_shinfo_event {
	__u64 ts_ns, skb;
	__u64 history;		/* without this place */
	struct nt_shinfo before, after;
	__u32 what;		/* enum nt_shinfo_what; of tunnels enum nt_tunnel_what */
	__u32 place;		/* that changed it, or where it was seen */
	__u32 seen_at;		/* where that was noticed */
	__u32 since;		/* of a change between two places: the earlier; else 0 */
	__u32 rules;		/* enum nt_shinfo_rule; of tunnels enum nt_tunnel_mark */
	__u32 cpu, pid, tid;
	char comm[16];
	__s32 stack_id;
	__u32 vni;
	__u32 inner_bits;	/* enum nt_pkt_bits; 0: no VXLAN, or not looked for */
	struct nt_flow inner;
	struct nt_pkt pkt;
};
NT_ASSERT_SIZE(struct nt_shinfo_event, 24 + 64 + 32 + 16 + 12 + 52 + 128);

/* ---- tunnels: which packets have gso_types of tunnels ---- */
enum nt_tunnel_what {
	NT_TUNNEL_SET, NT_TUNNEL_CLEAR, NT_TUNNEL_VIRTIO_RX, NT_TUNNEL_GRO_COMPLETE, NT_TUNNEL_DECAP, NT_TUNNEL_TX,
	NT_TUNNEL_SEEN,		/* had them when it was first seen, at a place where packets do not begin */
	NT_TUNNEL_WHATS,
};

enum nt_tunnel_mark {
	NT_TUNNEL_ADDED = 1 << 0,	/* got a type, or came from a driver with it */
	NT_TUNNEL_FOUND = 1 << 1,	/* had it when it was first seen */
	NT_TUNNEL_MISMATCH = 1 << 2,	/* leaves with a type, but without skb->encapsulation */
	NT_TUNNEL_FROM_VIRTIO = 1 << 3,
	NT_TUNNEL_FROM_TUN = 1 << 4,
};

/* types: SKB_GSO_* that are looked for; of_tunnels: all of tunnels, which need skb->encapsulation; driver:
 * NT_TUNNEL_FROM_* of the device, where a packet may come from it; leaves: it is given to a device. */
static inline __attribute__((always_inline)) __u32
nt_tunnel_marks(const struct nt_shinfo *before, const struct nt_shinfo *after, __u32 types, __u32 of_tunnels,
		__u32 driver, __u32 leaves)
{
	__u32 known = before->bits & NT_SHINFO_KNOWN, marks = 0;

	if (after->gso_type & ~before->gso_type & types)
		marks = known || driver ? NT_TUNNEL_ADDED : NT_TUNNEL_FOUND;
	if (!known && after->gso_type)
		marks |= driver;
	if (leaves && (after->gso_type & types & of_tunnels) && !(after->bits & NT_SHINFO_ENCAP))
		marks |= NT_TUNNEL_MISMATCH;
	return marks;
}

/* What has happened to a packet's types, if it is the work of place; enum nt_tunnel_what. */
static inline __attribute__((always_inline)) __u32
nt_tunnel_what(const struct nt_shinfo *before, const struct nt_shinfo *after, __u32 types, __u32 marks, __u32 place,
	       __u32 leaves)
{
	if (leaves && (after->gso_type & types))
		return NT_TUNNEL_TX;
	if (marks & (NT_TUNNEL_FROM_VIRTIO | NT_TUNNEL_FROM_TUN))
		return NT_TUNNEL_VIRTIO_RX;
	if (marks & NT_TUNNEL_FOUND)
		return NT_TUNNEL_SEEN;
	if (marks & NT_TUNNEL_ADDED)
		return place >= NT_SHINFO_AT_GRO_UDP4 && place <= NT_SHINFO_AT_GRO_TCP ? NT_TUNNEL_GRO_COMPLETE
											: NT_TUNNEL_SET;
	if (before->gso_type & ~after->gso_type & types)
		return place == NT_SHINFO_AT_PULL_TUNNEL || place == NT_SHINFO_AT_VXLAN_RCV ? NT_TUNNEL_DECAP
											     : NT_TUNNEL_CLEAR;
	return NT_SHINFO_NOTHING;
}

struct nt_tunnel_key {
	__u32 place;		/* enum nt_shinfo_place */
	__u32 what;		/* enum nt_tunnel_what */
	__u32 ifindex, netns;	/* 0: not known */
};
struct nt_tunnel_val {		/* packets */
	__u64 count, added, mismatches;
};

#define NT_SHINFO_PORTS 8
struct nt_shinfo_cfg {
	__u16 port[NT_SHINFO_PORTS];	/* of VXLAN, network order, 0 ends */
};

/* NT_CONST_TOOL0: bit for each enum nt_shinfo_what that is shown, and these. NT_CONST_TOOL1: bit for each place
 * of which entry and return are hooked. NT_CONST_TOOL2: SKB_GSO_DODGY | SKB_GSO_FRAGLIST << 32; of tunnels
 * SKB_GSO_* that are looked for | those of tunnels << 32.
 * NT_CONST_TOOL3: events a second. */
#define NT_SHINFO_MAKE6_OF_3 (1ULL << 63)	/* NT_CONST_TOOL1: __ip6_make_skb() has three arguments */
enum nt_shinfo_switch {
	NT_SHINFO_STACKS = 1 << 16,
	NT_SHINFO_DEEP = 1 << 17,	/* walk fragments and list */
	NT_SHINFO_GSO_ONLY = 1 << 18,
	NT_SHINFO_INNER = 1 << 19,
	NT_SHINFO_CHANGES = 1 << 20,	/* hide VIRTIO_RX and TX of packets whose tunnel types do not change there */
};

enum nt_shinfo_stat {
	NT_STAT_SHINFO_RATE_LIMITED = NT_STAT_TOOL0,
	NT_STAT_SHINFO_NO_STACK,
	NT_STAT_SHINFO_PACKETS,		/* followed */
	NT_STAT_SHINFO_LONG,		/* lists that were not walked to the end */
};

#endif
