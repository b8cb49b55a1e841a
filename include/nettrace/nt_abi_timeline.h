/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared with BPF: timelines of packets on their way through this host
 * (bpf/lib/timeline.bpf.h). A packet is followed by the address of its skb, and
 * by an alias, what its headers say, where the skb changes.
 */
#ifndef NETTRACE_NT_ABI_TIMELINE_H
#define NETTRACE_NT_ABI_TIMELINE_H

#include "nettrace/nt_abi_track.h"

/* In the order in which packets meet them, in both directions. */
#define NT_TL_STAGE_LIST(X)							\
	X(IP_OUT, ip_out) X(INTERNAL_XMIT, internal_xmit)			\
	X(PHY_RX, phy_rx) X(OVS_HOOK, ovs_hook) X(OVS_RECV, ovs_recv)		\
	X(OVS_PROCESS, ovs_process) X(CT_IN, ct_in) X(CT_OUT, ct_out)		\
	X(OVS_UPCALL, ovs_upcall) X(OVS_EXEC, ovs_exec) X(OVS_SEND, ovs_send)	\
	X(INTERNAL_RECV, internal_recv) X(NETIF_RX, netif_rx)			\
	X(NETIF_RX_INTERNAL, netif_rx_internal)					\
	X(BACKLOG_ENQ, backlog_enq) X(BACKLOG_DEQ, backlog_deq)			\
	X(INTERNAL_RX, internal_rx) X(IP_RCV, ip_rcv) X(IP_DELIVER, ip_deliver)	\
	X(L4_RCV, l4_rcv)							\
	X(PHY_QUEUE, phy_queue) X(QDISC_DEQ, qdisc_deq) X(PHY_XMIT, phy_xmit)
#define NT_TL_ENUM(id, name) NT_TL_##id,
enum nt_tl_stage { NT_TL_STAGE_LIST(NT_TL_ENUM) NT_TL_STAGES };
#define NT_TL_TOTAL 31		/* as both stages of a pair: from the first stage to the last */

enum nt_tl_role { NT_TL_PHY = 1, NT_TL_INTERNAL = 2, NT_TL_ROLES = 3 };	/* of devices, in nt_devset */

enum nt_tl_flag {
	NT_TL_CLONE = 1 << 0,		/* found again by its alias under another address */
	NT_TL_REASSEMBLED = 1 << 1,
	NT_TL_RETRANS = 1 << 2,		/* TCP: its first byte was sent before */
	NT_TL_AMBIGUOUS = 1 << 3,	/* another packet has the same alias: followed by address only */
	NT_TL_GSO_UPCALL = 1 << 4,	/* a segment of it went through the upcall */
	NT_TL_ENCAPSULATED = 1 << 5,	/* by a tunnel of this host */
	NT_TL_FRAGMENTED = 1 << 6,
	NT_TL_BY_INTERRUPT = 1 << 7,	/* sent by a softirq, in no task's name */
};

enum nt_tl_end {
	NT_TL_INSIDE,			/* not ended */
	NT_TL_COMPLETE,
	NT_TL_DROPPED,			/* skb:kfree_skb, or consumed after an upcall that failed */
	NT_TL_ELSEWHERE,		/* sent by a device that is no uplink, delivered here, forwarded, freed by
					 * who had it: not on the way that is looked at */
	NT_TL_ENDS,
};
enum nt_tl_stat {
	NT_STAT_TL_NO_ALIAS = NT_STAT_TRACK_ENDED + NT_TL_ENDS,	/* no room: followed by address only */
	NT_STAT_TL_AMBIGUOUS,
	NT_STAT_TL_FRAGMENTS,		/* later fragments of packets that were followed */
	NT_STAT_TL_GSO,			/* super-packets among those started */
	NT_STAT_TL_CROSS_CPU,		/* of those through the backlog: put in by one CPU, taken out by another */
	NT_STAT_TL_SKEW,		/* negative differences, taken as 0 */
	NT_STAT_TL_NO_ROW,		/* a pair of stages or a drop that had no room to be counted in */
	NT_STAT_TL_CUT,			/* stages behind the last that a timeline has room for */
	NT_STAT_TL_BELOW,		/* complete, under the threshold: in the figures, not shown */
	NT_STAT_TL_RATE_LIMITED,	/* above it, but more than --rate a second */
	NT_STAT_TL_DIRECT,		/* of the devices, but not by the backlog */
	NT_STAT_TL_NO_STACK,		/* stacks that found no place */
	/* sessions of two packets */
	NT_STAT_RTT_STARTED, NT_STAT_RTT_COMPLETED, NT_STAT_RTT_DROPPED, NT_STAT_RTT_ELSEWHERE,
	NT_STAT_RTT_SUPERSEDED,
	NT_STAT_RTT_DUPLICATE,		/* replies that came again */
	NT_STAT_RTT_UPCALLS,		/* of those completed: with an upcall of Open vSwitch */
};

/* Of sessions of two packets: what a figure is about. */
enum nt_tl_part { NT_TL_WHOLE, NT_TL_LEG1, NT_TL_LEG2, NT_TL_EXTERNAL };

#define NT_TL_STOPS 16			/* a power of two */
#define NT_TL_NO_DEPTH 0xffffffffu
struct nt_tl_stop {
	__u64 ts_ns;
	__u32 ifindex, netns;		/* 0: the hook knows no device */
	__u32 len;			/* skb->len there */
	union {
		__u32 hash;		/* skb->hash; 0: none yet */
		__s32 stack;		/* of legs: stack id, -1: none */
	};
	__u16 cpu, queue;		/* queue: skb->queue_mapping */
	__u8 stage, pad[3];
};
NT_ASSERT_SIZE(struct nt_tl_stop, 32);

struct nt_timeline {			/* state of a packet, and the event of its end */
	__u64 start_ns;			/* first, as in all that are followed (nt_abi_track.h) */
	__u64 ended_ns, location;
	__u32 reason, ended;		/* enum nt_tl_end */
	__u32 id_a, id_b;		/* of the alias */
	__u32 seen;			/* bit per stage */
	__u32 flags;			/* enum nt_tl_flag */
	__u32 direction;		/* NT_DIR_TX, NT_DIR_RX */
	__u32 n;			/* stops */
	__u32 ovs_passes;
	__u32 left_ifindex, left_netns;	/* was queued at this device, which is no uplink; 0: at none */
	__u32 tid, pid;			/* who sent it; 0: not known, or in no task's context */
	char comm[16];
	__u32 backlog;			/* packets that were in its CPU's backlog when it came; NT_TL_NO_DEPTH */
	__u32 qlen;			/* packets in the uplink's discipline when it came; NT_TL_NO_DEPTH */
	__u16 part;			/* enum nt_tl_part */
	__u16 upcall_error;		/* errno of an upcall that failed, above 0 */
	__u32 slowest_ns;		/* with stacks: the longest time between two stops; 4.29 s stand for more */
	__s32 stack;			/* id of the stack at its end, -1: none; legs have one for each stop */
	struct nt_pkt pkt;
	struct nt_tl_stop stop[NT_TL_STOPS];	/* in the order of their times */
};
NT_ASSERT_SIZE(struct nt_timeline, 112 + 128 + 32 * NT_TL_STOPS);

struct nt_tl_alias_key {		/* what stays while the skb changes; no holes */
	__u8 saddr[16], daddr[16];
	__be16 sport, dport;
	__u32 id_a, id_b;
	__u8 proto, ip_version;
	__u16 pad;
};
NT_ASSERT_SIZE(struct nt_tl_alias_key, 48);

struct nt_tl_alias {
	__u64 skb, start_ns;
	__u64 ambiguous;
};

struct nt_tl_frag {			/* of whose first fragment a timeline is kept */
	__u8 saddr[16], daddr[16];
	__u32 id, proto;
};
NT_ASSERT_SIZE(struct nt_tl_frag, 40);

#define NT_TL_PAIRS 64			/* at most so many are counted */
#define NT_TL_FLOWS 512
#define NT_TL_DROPS 256
struct nt_tl_pair {			/* key of a histogram, ns */
	__u8 direction, from, to;
	__u8 part;			/* enum nt_tl_part; the direction is that of its packets */
};
struct nt_tl_drop {			/* key of a counter */
	__u64 location;
	__u32 reason;
	__u16 upcall_error;
	__u8 direction, after, part, pad[7];
};
NT_ASSERT_SIZE(struct nt_tl_drop, 24);

struct nt_tl_cpus {			/* key of a histogram, ns from backlog_enq to backlog_deq */
	__u32 from, to;			/* who put it in, who took it out */
};
#define NT_TL_CPU_ROWS 256

struct nt_tl_if {			/* key of what a device had */
	__u32 ifindex, netns, direction;
};
struct nt_tl_if_val {
	__u64 packets, bytes, drops;
	struct nt_hist_raw hist;	/* ns, first to last stage */
};
#define NT_TL_IF_ROWS 128

/* ---- two legs: an echo request on its way, and its reply ---- */
struct nt_echo_key {
	__u8 initiator[16], target[16];
	__be16 id, seq;
	__u8 ip_version;
	__u8 direction;			/* NT_DIR_TX: this host pings */
	__u16 pad;
};
NT_ASSERT_SIZE(struct nt_echo_key, 40);

enum nt_rtt_end { NT_RTT_COMPLETE, NT_RTT_TIMEOUT, NT_RTT_SUPERSEDED, NT_RTT_UNFINISHED, NT_RTT_DROPPED };
struct nt_rtt {				/* state of a session, and the event of its end */
	__u64 start_ns, ended_ns;
	struct nt_echo_key key;
	__u32 ended, pad;		/* enum nt_rtt_end */
	struct nt_timeline leg[2];	/* start_ns 0: not begun; as it began, until .ended is not NT_TL_INSIDE */
};
NT_ASSERT_SIZE(struct nt_rtt, 64 + 2 * (240 + 32 * NT_TL_STOPS));

enum nt_rtt_reject {
	NT_RTT_REJECT_PROTOCOL, NT_RTT_REJECT_TYPE, NT_RTT_REJECT_PARSE, NT_RTT_REJECT_ADDRESS,
	NT_RTT_REJECT_DEVICE, NT_RTT_REJECT_STATE, NT_RTT_REJECTS,
};
struct nt_tl_debug {			/* --debug, by stage */
	__u64 seen;			/* packets of the sessions */
	__u64 reject[NT_RTT_REJECTS];	/* others, where packets are read */
};

/* NT_CONST_TOOL2 of tools that read each packet: the hooks that are there, a bit each in the order in which a
 * ping of this host meets them; those of IPv6 from NT_RTT_HOOKS_V6 on. */
enum nt_rtt_hook {
	NT_RTT_IP_OUT, NT_RTT_PHY_QUEUE, NT_RTT_PHY_XMIT,
	NT_RTT_LEG2, NT_RTT_PHY_RX = NT_RTT_LEG2, NT_RTT_IP_RCV, NT_RTT_ICMP_RCV,
	NT_RTT_HOOKS,
};
#define NT_RTT_HOOKS_V6 8

/* Per-CPU data of the kernel, by kallsyms; 0: unknown. */
struct nt_percpu {
	__u64 offsets;			/* __per_cpu_offset */
	__u64 softnet;			/* softnet_data */
	__u64 preempt_count, hot;	/* __preempt_count, or pcpu_hot that holds it */
};

/* NT_CONST_TOOL0: enum nt_tl_switch; NT_CONST_TOOL1: threshold of the total in ns; NT_CONST_TOOL2: of
 * one pair of stages: ns << 16 | from << 8 | to, 0: none; NT_CONST_TOOL3: most events a second. */
enum nt_tl_switch {
	NT_TL_TX = 1 << 0,
	NT_TL_RX = 1 << 1,
	NT_TL_EVENTS = 1 << 2,
	NT_TL_SLOWEST = 1 << 3,		/* of them, what is slower than nt_slowest */
	NT_TL_DETAIL = 1 << 4,		/* fill len, hash, queue of stops */
	NT_TL_BY_FLOW = 1 << 5,
	NT_TL_BY_IF = 1 << 9,
	NT_TL_FROM_OVS = 1 << 10,	/* to internal ports: packets begin at ovs_send, not at netif_rx */
	NT_TL_INTERNAL_NAMED = 1 << 8,	/* internal ports are those of NT_TL_INTERNAL, else all of Open vSwitch */
	NT_TL_BY_PHY = 1 << 7,		/* of those that came in by a device of NT_TL_PHY */
	NT_TL_ANY_DEVICE = 1 << 6,	/* no uplinks are known: every device is one, but loopback */
	NT_TL_ECHO_TX = 1 << 16,	/* sessions of pings that this host sends ... */
	NT_TL_ECHO_RX = 1 << 17,	/* ... and of those that it answers */
	NT_TL_REVERSED_TX = 1 << 18,	/* the filter's src is the target, dst the initiator */
	NT_TL_REVERSED_RX = 1 << 19,
	NT_TL_STACKS = 1 << 20,
	NT_TL_DEBUG = 1 << 21,
};

#endif
