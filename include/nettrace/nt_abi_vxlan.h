/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel side and the user side of vxlan_tracer share; units, orders as in nt_abi.h. */
#ifndef NETTRACE_NT_ABI_VXLAN_H
#define NETTRACE_NT_ABI_VXLAN_H

#include "nettrace/nt_abi.h"

enum nt_vxlan_what {
	NT_VXLAN_SENT,		/* encapsulated, given to IP */
	NT_VXLAN_DELIVERED,	/* decapsulated, given to the device */
	NT_VXLAN_SEEN,		/* at a device, by UDP port: what becomes of it is not known */
	NT_VXLAN_DROPPED,
	NT_VXLAN_LOCAL,		/* handed to a VXLAN device of this host without encapsulation */
	NT_VXLAN_WHATS,
};

enum nt_vxlan_bits {
	NT_VXLAN_OURS = 1 << 0,		/* its inner packet matches the filter */
	NT_VXLAN_VNI = 1 << 1,		/* vni is known */
	NT_VXLAN_HEADER = 1 << 2,	/* flags and the outer headers were read */
	NT_VXLAN_PEER = 1 << 3,		/* outer destination, also without HEADER */
	NT_VXLAN_METADATA = 1 << 4,	/* who sends said VNI and peer with the packet: OVS, a route, a program */
	NT_VXLAN_OVER_MTU = 1 << 5,	/* as it leaves, more than the underlay's MTU */
	NT_VXLAN_FRAG_LIST = 1 << 6,
	NT_VXLAN_GSO = 1 << 7,		/* gso_type is valid */
	NT_VXLAN_GBP_ID = 1 << 8,	/* gbp is valid */
};

/* First word of the VXLAN header: RFC 7348, and drafts for group policy (GBP) and other payloads (GPE). */
#define NT_VXLAN_F_GBP 0x80000000u
#define NT_VXLAN_F_I 0x08000000u
#define NT_VXLAN_F_P 0x04000000u

struct nt_vxlan_event {
	__u64 ts_ns;
	__u64 location;			/* of a drop; 0: not known */
	__u32 reason;			/* of a drop */
	__u32 what;			/* enum nt_vxlan_what */
	__u32 direction;		/* NT_DIR_TX, NT_DIR_RX */
	__u32 bits;			/* enum nt_vxlan_bits */
	__u32 vni, flags;		/* host order */
	__u32 gbp;
	__u32 cpu;
	__s32 stack_id;
	__u8 outer_src[16], outer_dst[16];
	__be16 outer_sport, outer_dport;
	__u8 outer_ttl, outer_tos;
	__u16 pad;
	__u32 outer_len;		/* bytes from the outer IP header; a GSO packet as a whole */
	__u32 segment_len;		/* the same of each of its segments as sent; 0: not known */
	__u32 lower_ifindex, lower_netns, lower_mtu;	/* underlay; 0: not known */
	__u32 gso_type, data_len;
	struct nt_pkt pkt;		/* inner; its device is the VXLAN one, if it is known */
};
NT_ASSERT_SIZE(struct nt_vxlan_event, 16 + 36 + 40 + 28 + 128);

struct nt_vxlan_peer_key {
	__u8 peer[16];			/* outer address of the other end; 0: not known */
	__u32 vni, ifindex, netns;
	__u16 direction, has_vni;
};
NT_ASSERT_SIZE(struct nt_vxlan_peer_key, 32);

struct nt_vxlan_flow_key {
	struct nt_flow flow;		/* inner, without device */
	__u32 vni;
	__u16 direction, has_vni;
};
NT_ASSERT_SIZE(struct nt_vxlan_flow_key, 60);

struct nt_vxlan_val {
	__u64 packets, segments, bytes;	/* inner frames */
	__u64 dropped;			/* packets; not among the above */
};

#define NT_VXLAN_VNIS 16
#define NT_VXLAN_PORTS 8
struct nt_vxlan_cfg {
	__u32 vni[NT_VXLAN_VNIS];
	__u32 n_vnis;
	__u16 port[NT_VXLAN_PORTS];	/* network order, 0 ends */
	__u32 ifindex[NT_FILTER_DEVS];	/* 0 ends */
	__u32 netns;
	__u8 src[16], src_mask[16], dst[16], dst_mask[16];	/* outer */
};
NT_ASSERT_SIZE(struct nt_vxlan_cfg, 64 + 4 + 16 + 64 + 4 + 64);

/* NT_CONST_TOOL0. NT_CONST_TOOL2: SKB_CONSUMED of this kernel or ~0; NT_CONST_TOOL3: events a second. */
enum nt_vxlan_switch {
	NT_VXLAN_TX = 1 << 0, NT_VXLAN_RX = 1 << 1,
	NT_VXLAN_EVENTS = 1 << 2,
	NT_VXLAN_ONLY_DROPS = 1 << 3,
	NT_VXLAN_FLOWS = 1 << 4,
	NT_VXLAN_STACKS = 1 << 5,
	NT_VXLAN_BY_VNI = 1 << 6, NT_VXLAN_BY_DEV = 1 << 7, NT_VXLAN_BY_SRC = 1 << 8, NT_VXLAN_BY_DST = 1 << 9,
};

enum nt_vxlan_count {			/* of one direction */
	NT_VXLAN_PACKETS, NT_VXLAN_SEGMENTS, NT_VXLAN_BYTES,
	NT_VXLAN_N_DROPPED, NT_VXLAN_N_LOCAL, NT_VXLAN_N_OVER_MTU, NT_VXLAN_COUNTS,
};
enum nt_vxlan_stat {
	NT_STAT_VXLAN0 = NT_STAT_TOOL0,	/* + direction * NT_VXLAN_COUNTS + enum nt_vxlan_count */
	NT_STAT_VXLAN_DEVICE = NT_STAT_VXLAN0 + 2 * NT_VXLAN_COUNTS,	/* packets given to VXLAN devices */
	NT_STAT_VXLAN_RATE_LIMITED,
	NT_STAT_VXLAN_NO_STACK,
	NT_STAT_VXLAN_UNREADABLE,	/* headers beyond the linear part, or none: neither counted nor shown */
};

#endif
