/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel side and the user side share: fixed width, no holes, sizes
 * asserted. Addresses are 16 bytes (IPv4 as ::ffff:a.b.c.d), ports and other
 * header fields in network order, times in ns of CLOCK_MONOTONIC.
 */
#ifndef NETTRACE_NT_ABI_H
#define NETTRACE_NT_ABI_H

#ifdef __bpf__
#include "lib/types.bpf.h"
#else
#include <linux/types.h>
#endif

#define NT_ASSERT_SIZE(type, n) _Static_assert(sizeof(type) == (n), #type " has another size")

/* ---- load-time constants (core/patch.c writes them) ---- */
#define NT_CONST_MARK	0x7e71c05700000000ULL	/* upper half of the immediate */
enum nt_const_id {
	NT_CONST_RINGBUF = 1,	/* 1: events go to a ring buffer, 0: to perf buffers */
	NT_CONST_FILTER,	/* enum nt_filter_bits: tuple fields that are tested */
	NT_CONST_PCAP,		/* 1: a filter expression is appended */
	NT_CONST_TP_ARGS,	/* number of arguments of the program's tracepoint, 0: unknown */
	NT_CONST_TP_PTRS,	/* bit per argument of it: it is a pointer */
	NT_CONST_WATERMARK,	/* bytes in the ring buffer that wake the reader */
	NT_CONST_TOOL0,		/* the tool's own switches */
	NT_CONST_TOOL1,
	NT_CONST_TOOL2,
	NT_CONST_TOOL3,
};

/* Placeholder calls that become calls of the appended filter (or "return 1"). */
#define NT_CALL_PCAP_L2	0x7e700001	/* packet starts at the Ethernet header */
#define NT_CALL_PCAP_L3	0x7e700002	/* packet starts at the IP header */

/* ---- the gate, one a CPU (bpf/lib/bpf.bpf.h) ---- */
#define NT_DEPTH 4		/* task, softirq, hard interrupt, NMI */
struct nt_gate {		/* blocks of scratch memory: whose they are at the moment */
	__u32 busy[NT_DEPTH];	/* programs that have claimed it */
	__u32 owner[NT_DEPTH];	/* task (nt_caller()) whose program has it; 0: none */
	__u32 index[NT_DEPTH];	/* its number, as soon as it was taken once */
	__u64 too_deep;		/* runs that found none */
};

/* ---- counters: per-CPU array nt_stats, one __u64 each ---- */
enum nt_stat {
	NT_STAT_EVENTS,		/* matched the filter, whatever became of them */
	NT_STAT_LOST_BUFFER,
	NT_STAT_MAP_FULL,
	NT_STAT_EVICTED,
	NT_STAT_UNMATCHED,
	NT_STAT_PERF_SENT,	/* events that perf buffers took, as the kernel says */
	NT_STAT_CALLS_BEGUN,	/* of functions whose entry and return belong together (bpf/lib/calls.bpf.h) */
	NT_STAT_CALLS_ENDED,
	NT_STAT_TOOL0,		/* the engine's and the tool's own */
	NT_STAT_MAX = 64,
};

/* ---- tuple filter ---- */
enum nt_filter_bits {
	NT_FILTER_SRC = 1 << 0,
	NT_FILTER_DST = 1 << 1,
	NT_FILTER_SPORT = 1 << 2,
	NT_FILTER_DPORT = 1 << 3,
	NT_FILTER_PROTO = 1 << 4,
	NT_FILTER_ETHTYPE = 1 << 5,
	NT_FILTER_ETHTYPE_OTHER = 1 << 6,	/* none of the named ones */
	NT_FILTER_VLAN = 1 << 7,
	NT_FILTER_DEV = 1 << 8,		/* ifindex is one of nt_tuple.ifindex */
	NT_FILTER_ICMP46 = 1 << 9,	/* proto is icmp: ICMPv6 in IPv6 */
	NT_FILTER_IP6 = 1 << 11,	/* an address is IPv6: ::/0 is no IPv4 address */
	NT_FILTER_ANY = 1 << 10,	/* one matching field is enough (old tun_ring_monitor) */
	NT_FILTER_EITHER_ADDR = 1 << 12,	/* an address may be that of either end */
	NT_FILTER_EITHER_PORT = 1 << 13,	/* so may a port */
};
#define NT_FILTER_EITHER (NT_FILTER_EITHER_ADDR | NT_FILTER_EITHER_PORT)
#define NT_FILTER_L3 (NT_FILTER_SRC | NT_FILTER_DST | NT_FILTER_PROTO)
#define NT_FILTER_L4 (NT_FILTER_SPORT | NT_FILTER_DPORT)
#define NT_FILTER_DEVS 16

struct nt_tuple {			/* values; which are tested says NT_CONST_FILTER */
	__u8 src[16], src_mask[16];
	__u8 dst[16], dst_mask[16];
	__u16 sport_low, sport_high;	/* host order */
	__u16 dport_low, dport_high;
	__u32 proto;
	__u16 eth_type;			/* host order */
	__u16 vlan;
	__u32 ifindex[NT_FILTER_DEVS];	/* 0 ends */
	__u32 netns;			/* inode of the namespace that ifindex belongs to */
	__u32 pad;
};
NT_ASSERT_SIZE(struct nt_tuple, 152);

/* ---- packets ---- */
struct nt_flow {			/* map key: no holes, unused members 0 */
	__u8 saddr[16], daddr[16];	/* network order, v4-mapped */
	__be16 sport, dport;		/* TCP, UDP, SCTP */
	__be16 icmp_id, icmp_seq;	/* echo request and reply */
	__u8 proto, ip_version;		/* ip_version 0: not IP */
	__be16 eth_type;		/* after VLAN tags */
	__u32 ifindex;
	__u32 netns;
};
NT_ASSERT_SIZE(struct nt_flow, 52);

enum nt_pkt_bits {
	NT_PKT_L2 = 1 << 0,		/* Ethernet header present: MACs valid */
	NT_PKT_L3 = 1 << 1,		/* IP header read */
	NT_PKT_PORTS = 1 << 2,
	NT_PKT_TCP = 1 << 3,
	NT_PKT_ICMP = 1 << 4,
	NT_PKT_ECHO = 1 << 5,
	NT_PKT_ARP = 1 << 6,
	NT_PKT_FRAG = 1 << 7,		/* fragment offset not 0: no ports */
	NT_PKT_TRUNC = 1 << 8,		/* header beyond the linear part */
	NT_PKT_DEV = 1 << 9,		/* ifindex from skb->dev */
	NT_PKT_IIF = 1 << 10,		/* ifindex from skb->skb_iif */
	NT_PKT_TAG = 1 << 11,		/* outermost VLAN tag was beside the packet (skb) */
	NT_PKT_GSO = 1 << 12,
	NT_PKT_UDP = 1 << 13,
};
#define NT_VLAN_NONE 0xffff

struct nt_arp {
	__be16 op;
	__u8 sender_mac[6], target_mac[6];
	__u8 sender_ip[4], target_ip[4];
};

struct nt_pkt {
	struct nt_flow flow;
	__u32 bits;			/* enum nt_pkt_bits */
	__u32 len;			/* bytes from the Ethernet header (where there is one), without FCS */
	__u16 gso_segs, gso_size;
	__u8 dst_mac[6], src_mac[6];
	__u16 vlan[2];			/* ids, outermost first; NT_VLAN_NONE ends */
	__be16 vlan_proto[2];
	__u8 vlan_prio[2];
	__u8 ttl, tos;
	__be16 ip_id, frag_off;
	__u8 tcp_flags, icmp_type, icmp_code, pad;
	__be32 tcp_seq, tcp_ack;
	struct nt_arp arp;
	__u16 pad2;
};
NT_ASSERT_SIZE(struct nt_pkt, 128);

/* ---- histogram ---- */
#define NT_HIST_SUB_BITS	4			/* 16 sub-buckets per power of two */
#define NT_HIST_SUB		(1 << NT_HIST_SUB_BITS)
#define NT_HIST_MAX_BITS	40			/* values of 2^40 (18 minutes in ns) and above share the last slot */
#define NT_HIST_SLOTS		((NT_HIST_MAX_BITS - NT_HIST_SUB_BITS + 1) * NT_HIST_SUB)

struct nt_hist_raw {			/* value of a per-CPU array map */
	__u64 count;
	__u64 sum;
	__u64 max;
	__u64 min_inv;			/* ~min: zero-initialised means "no value yet" */
	__u64 slot[NT_HIST_SLOTS];
};
NT_ASSERT_SIZE(struct nt_hist_raw, 32 + 8 * NT_HIST_SLOTS);

/* ---- drop engine ---- */
enum nt_drop_stat {
	NT_STAT_SUPPRESSED = NT_STAT_TOOL0,	/* benign locations */
	NT_STAT_CHILD,		/* fragments freed with their parent: no packets of their own */
	NT_STAT_NO_STACK,	/* stack table full or collided */
	NT_STAT_INSERTED,	/* new entries of the aggregation map */
	NT_STAT_PACKETS,	/* GSO segments counted singly */
	NT_STAT_BYTES,
	NT_STAT_RATE_LIMITED,	/* counted, not shown */
};

enum nt_loc_class {
	NT_LOC_OTHER,
	NT_LOC_WRAPPER,		/* frees for somebody else: the caller is the place */
	NT_LOC_CHILD,		/* skb_release_data */
	NT_LOC_BENIGN,		/* normal ends of life */
	NT_LOC_LISTED,		/* named by --location */
	NT_LOC_DEFERRED,	/* net_tx_action: frees what hard-irq code parked */
	NT_LOC_ICMP,		/* older icmp receive functions: free what they delivered, too */
};

#define NT_LOC_RANGES 64	/* a power of two: searched by halving */
struct nt_loc_ranges {
	__u64 start[NT_LOC_RANGES];	/* ascending; unused ones ~0 */
	__u64 end[NT_LOC_RANGES];	/* exclusive */
	__u8 class[NT_LOC_RANGES];
};
NT_ASSERT_SIZE(struct nt_loc_ranges, 17 * NT_LOC_RANGES);

#define NT_REASONS 16
struct nt_drop_cfg {
	__u32 reason[NT_REASONS];
	__u32 n_reasons;
	__u32 exclude;			/* reasons are to be left out, not to be kept */
	__u32 no_socket, not_specified;	/* ids of this kernel; 0: it has no reasons */
};

enum nt_drop_switch {			/* bits of NT_CONST_TOOL0 in drop programs */
	NT_DROP_REASONS = 1 << 0,	/* test nt_drop_cfg */
	NT_DROP_LISTED = 1 << 1,	/* keep NT_LOC_LISTED only */
	NT_DROP_SHOW_BENIGN = 1 << 2,
	NT_DROP_BY_STACK = 1 << 3,
	NT_DROP_BY_FLOW = 1 << 4,
	NT_DROP_STACK = 1 << 5,		/* collect the stack into the event */
	NT_DROP_VERBOSE = 1 << 6,
	NT_DROP_DEFERRED = 1 << 7,
};
/* NT_CONST_TOOL1: packet bytes in an event (snap length); NT_CONST_TOOL2: SKB_CONSUMED of this
 * kernel or ~0; NT_CONST_TOOL3: most events a second on each CPU, 0: no limit. */

#define NT_STACK_MAX 32
#define NT_SNAP_MAX 512

struct nt_skb_info {			/* --verbose */
	__u32 len, data_len;
	__u16 mac_off, network_off, transport_off, queue_mapping;
	__u32 mark, users;
};

struct nt_drop_event {
	__u64 ts_ns;
	__u64 location, location_raw;	/* return addresses */
	__u32 reason, cpu;
	__u32 pid, tid;
	char comm[16];
	struct nt_skb_info skb;
	__u32 caplen;
	struct nt_pkt pkt;
	__u64 stack[NT_STACK_MAX];	/* 0 ends */
	__u8 bytes[NT_SNAP_MAX];	/* caplen are valid, from the first known header */
};

struct nt_drop_key {
	__u64 location;			/* effective */
	__s32 stack_id;			/* -1: none */
	__u32 reason;
	struct nt_flow flow;		/* ifindex and netns always; the rest when grouped by flow */
	__u32 pad;
};
NT_ASSERT_SIZE(struct nt_drop_key, 72);

struct nt_drop_val {
	__u64 count, packets, bytes;
	__u64 first_ns, last_ns;
	__u64 location_raw;
};

/* ---- queueing disciplines ---- */
/*
 * X(kind, function): every classful or classless kind whose enqueue() can be hooked. mq and
 * mqprio hand each transmit queue a discipline of its own and enqueue nothing.
 */
#define NT_QDISC_KINDS(X)							\
	X(pfifo_fast, pfifo_fast_enqueue) X(pfifo, pfifo_enqueue)		\
	X(bfifo, bfifo_enqueue) X(pfifo_head_drop, pfifo_tail_enqueue)		\
	X(fq_codel, fq_codel_enqueue) X(fq, fq_enqueue) X(htb, htb_enqueue)	\
	X(tbf, tbf_enqueue) X(prio, prio_enqueue) X(netem, netem_enqueue)	\
	X(cake, cake_enqueue) X(sfq, sfq_enqueue) X(red, red_enqueue)		\
	X(codel, codel_qdisc_enqueue) X(hfsc, hfsc_enqueue)			\
	X(drr, drr_enqueue) X(ets, ets_qdisc_enqueue)				\
	X(dualpi2, dualpi2_qdisc_enqueue) X(pie, pie_qdisc_enqueue)		\
	X(choke, choke_enqueue) X(blackhole, blackhole_enqueue)

enum nt_qdisc_bits {
	NT_QDISC_KNOWN = 1,
	NT_QDISC_QLEN = 2,		/* qlen and backlog are valid */
	NT_QDISC_BYPASS = 4,		/* packets may go past it while it is empty (TCQ_F_CAN_BYPASS) */
};
struct nt_qdisc {			/* a discipline and its state */
	char kind[16];
	__u32 handle, parent;		/* major << 16 | minor */
	__u32 limit;			/* packets or bytes, as the kind has it; 0: none here */
	__u32 qlen;			/* packets */
	__u32 backlog_bytes;
	__u32 bits;			/* enum nt_qdisc_bits */
};
NT_ASSERT_SIZE(struct nt_qdisc, 40);

struct nt_qdisc_leaf {			/* the innermost discipline that a packet was given to */
	__u64 enqueued_ns;
	struct nt_qdisc q;		/* as the packet found it */
};

struct nt_qdrop_key {
	__u64 location;			/* effective */
	__u32 ifindex, netns, txq, reason;
	__u32 root_handle, root_parent, leaf_handle, leaf_parent;
	char root_kind[16], leaf_kind[16];	/* "": not known */
};
NT_ASSERT_SIZE(struct nt_qdrop_key, 72);

struct nt_qdrop_val {
	__u64 drops, packets, bytes;
};

enum nt_txrc_of { NT_TXRC_QUEUE_XMIT, NT_TXRC_DRIVER };
struct nt_txrc_key {
	__u32 ifindex, netns;
	__u32 of;			/* enum nt_txrc_of */
	__s32 rc;
};

enum nt_qdisc_stage { NT_QDISC_DROPPED, NT_QDISC_TX_QUEUE, NT_QDISC_TX_DRIVER };
struct nt_qdisc_event {
	__u64 ts_ns, location, location_raw;
	__u64 queued_ns;		/* since the packet was given to the leaf */
	__u32 reason, stage, cpu, txq;
	__u32 pid, tid;
	char comm[16];
	struct nt_qdisc root, leaf;
	struct nt_pkt pkt;
	__u64 stack[NT_STACK_MAX];	/* 0 ends; --verbose */
};
/* NT_CONST_TOOL0: NT_DROP_STACK collects it; NT_CONST_TOOL1: enum nt_qdisc_switch; TOOL2 and TOOL3
 * as in other drop programs. */
enum nt_qdisc_switch { NT_QDISC_EVENTS = 1 };

/* ---- count engine: traffic by device, direction, queue ---- */
#define NT_SIZE_CLASSES 7	/* [0,64) [64,512) [512,2K) [2K,16K) [16K,64K) [64K,inf) and a spare */
#define NT_SIZE_POW2 20		/* powers of two up to 2^19 and above */
struct nt_queue_traffic {
	__u64 packets, segments;
	__u64 bytes;		/* on the wire without FCS; a GSO packet counts its one header */
	__u64 wire_bytes;	/* with a header for each segment */
	__u64 size[NT_SIZE_CLASSES];
	__u64 pow2[NT_SIZE_POW2];
};
/* Row of nt_traffic: (device * 2 + direction) * rows + row, rows = NT_CONST_TOOL0; the last two
 * rows of a direction are "unrecorded" and "beyond the table". */
enum { NT_DIR_TX, NT_DIR_RX };

/* ---- queue engine ---- */
struct nt_ring_key {
	__u32 ifindex, netns;
	__u32 queue;
	__u32 reason;			/* in the drop map; 0 in the queue map */
};

struct nt_ring_dev {			/* key of nt_ring_devs */
	__u32 ifindex, netns;
};

#define NT_OCC_SLOTS 101		/* occupancy in percent */
struct nt_ring_extremes {
	__u32 queued_min_inv, queued_max;	/* ~min: zero-initialised means "no value yet" */
	__u32 burst_max;		/* packets in a row that found the ring full */
	__u32 id;			/* of the interval, as in nt_ring_interval */
};

struct nt_ring_stats {
	__u64 packets, bytes;		/* offered to the queue */
	__u64 drops, full_seen;
	__u64 queued_sum, queued_n;
	__u64 full_since_ns, full_ns, last_full_ns;
	struct nt_ring_extremes all, interval[2];	/* interval: by the id's last bit */
	__u32 burst, ring_size, num_queues;
	__u32 occ[NT_OCC_SLOTS];
};

/* Reasons of kernels that have none (before 5.17), told from the ring at entry. */
enum { NT_RING_REASON_FULL = 0x7fffff01, NT_RING_REASON_OTHER };

struct nt_ring_state {			/* a ptr_ring as a producer saw it */
	__u32 size, queued, stale;
	__u32 producer, consumer_head, consumer_tail;
	__u32 full;
	__u32 known;			/* 0: the ring could not be reached (no BTF for tun) */
};

enum nt_ring_verdict { NT_RING_OK, NT_RING_FULL, NT_RING_DROP };

struct nt_ring_event {
	__u64 ts_ns;
	__u32 verdict, reason;
	__u32 queue, num_queues;
	struct nt_ring_state ring;
	__u32 cpu, pid, tid;
	char comm[16];
	__u32 rc;
	__u64 skb, dev;			/* addresses, --verbose */
	struct nt_pkt pkt;
};
/* NT_CONST_TOOL0: enum nt_ring_switch; NT_CONST_TOOL1: threshold in percent + 1, 0: none;
 * NT_CONST_TOOL2: queue + 1, 0: all; NT_CONST_TOOL3: event rate limit. */
enum nt_ring_switch {
	NT_RING_ALL = 1 << 0,		/* an event for every packet */
	NT_RING_WAIT = 1 << 1,		/* time from enqueue to the reader */
	NT_RING_DEVS = 1 << 2,		/* devices in nt_ring_devs only */
};
enum nt_ring_stat { NT_STAT_RING_RATE_LIMITED = NT_STAT_TOOL0, NT_STAT_RING_UNRESOLVED };

/* ---- devices in roles that an engine gives them (bpf/lib/devset.bpf.h) ---- */
#define NT_DEVSET_MAX 64
struct nt_devset_key {
	__u32 ifindex;
	__u32 netns;		/* inode of the namespace that ifindex belongs to */
	__u32 vlan;		/* outermost tag of its packets; NT_VLAN_NONE: any or none */
};
/* The value is a __u32: roles, bits, as a device may have several. */

/* ---- path engine: packets between two sides of a forwarding host ---- */
enum nt_path_side { NT_PATH_RX = 1, NT_PATH_TX = 2 };	/* roles of nt_devset */

enum nt_path_hook { NT_PATH_RECEIVE, NT_PATH_SEND, NT_PATH_DROP };
enum nt_path_bits {
	NT_PATH_REPLY = 1 << 0,		/* addresses are those of the filter, exchanged */
	NT_PATH_EXPR = 1 << 1,		/* matches the filter expression, or there is none */
	NT_PATH_FRAG = 1 << 2,		/* a fragment, also the first one */
	NT_PATH_MF = 1 << 3,		/* more fragments follow */
	NT_PATH_CSUM = 1 << 4,		/* l4_check is filled in for good */
};
/* One packet at one hook. Records of NT_PATH_RECEIVE and _SEND end before location. */
struct nt_path_event {
	__u64 ts_ns, skb;		/* skb: its address */
	struct nt_flow flow;		/* as the packet has it; device of the hook */
	__u32 pkt;			/* enum nt_pkt_bits */
	__u32 bits;			/* enum nt_path_bits */
	__u32 len;			/* bytes behind the IP headers */
	__u32 ip_id;			/* host order; of the fragment header in IPv6, 0 without one */
	__u32 tcp_seq, tcp_ack;		/* host order */
	__u32 cpu;
	__u16 frag_off;			/* bytes */
	__u16 udp_len;			/* host order, of the header */
	__be16 l4_check;
	__u16 gso_size, gso_segs;	/* 0: no GSO */
	__u8 tcp_flags, tcp_hlen;	/* tcp_hlen: bytes */
	__u8 hook, sides;
	__u8 icmp_type, ttl;
	/* NT_PATH_DROP */
	__u64 location;
	__u32 reason;
	__u32 pad;
	__u64 stack[NT_STACK_MAX];	/* 0 ends */
};
NT_ASSERT_SIZE(struct nt_path_event, 112 + 16 + 8 * NT_STACK_MAX);
#define NT_PATH_PASS_SIZE 112	/* of a record that is no drop */
/* NT_CONST_TOOL0: IP protocol (IPv4); NT_CONST_TOOL1: enum nt_path_switch; NT_CONST_TOOL2:
 * SKB_CONSUMED of this kernel or ~0. */
enum nt_path_switch {
	NT_PATH_ONE_WAY = 1 << 0,	/* packets of the opposite direction do not matter */
};
enum nt_path_stat { NT_STAT_PATH_TRUNC = NT_STAT_TOOL0 };	/* headers could not be read */

#endif
