/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel side and the user side of tools about connection tracking share; units, orders as
 * in nt_abi.h. */
#ifndef NETTRACE_NT_ABI_CONNTRACK_H
#define NETTRACE_NT_ABI_CONNTRACK_H

#include "nettrace/nt_abi.h"

/* X(event, what reports count it as) */
#define NT_CT_WHAT_LIST(X)							\
	X(PACKET, packets)	/* given to the tracker, not one of the next three */	\
	X(NEW, new)		/* its first packet: the entry is not in the table yet */	\
	X(INVALID, invalid) X(DROP, dropped)						\
	X(CONFIRM, confirmed) X(CONFIRM_FAILED, confirm_failed)			\
	X(CLASH, clashes)	/* confirmed by joining an entry that another CPU was faster with */	\
	X(UPDATE, updates) X(DELETE, deleted) X(DESTROY, destroyed)		\
	X(OVS, ovs_actions)	/* an action ct() of Open vSwitch */
enum nt_ct_what {
#define NT_CT_ENUM(event, count) NT_CT_##event,
	NT_CT_WHAT_LIST(NT_CT_ENUM)
#undef NT_CT_ENUM
	NT_CT_WHATS
};

enum nt_ct_hook { NT_CT_IN, NT_CT_CONFIRMING, NT_CT_OVS_EXECUTE, NT_CT_EARLY_DROP, NT_CT_REFRESH, NT_CT_DELETING,
		  NT_CT_DESTROYING, NT_CT_COLLECT };

/* Why an entry left the table. */
enum nt_ct_cause { NT_CT_CAUSE_NONE, NT_CT_TIMEOUT, NT_CT_USER, NT_CT_EARLY, NT_CT_RESET, NT_CT_REOPENED,
		   NT_CT_EARLY_GC,	/* by the collector, which the kernel does not count */
		   NT_CT_OTHER, NT_CT_CAUSES };

/* NT_CONST_TOOL0: a bit for each enum nt_ct_what that is shown, and: */
enum nt_ct_switch {
	NT_CT_STACKS = 1 << 16,
	NT_CT_ZONE = 1 << 17,		/* nt_ct_cfg.zone only */
	NT_CT_MARK = 1 << 18,
	NT_CT_RULES = 1 << 19,		/* nt_ct_addrs, nt_ct_ports, nt_ct_protos */
};
/* NT_CONST_TOOL3: events a second. */

enum nt_ct_bits {
	NT_CT_HAS = 1 << 0,		/* there is an entry: status, tuples, zone, mark are valid */
	NT_CT_PKT = 1 << 1,		/* pkt is valid */
	NT_CT_TCP = 1 << 2,		/* the TCP tracker was asked, and let tcp_old, tcp_new, seen, tcp_ret */
	NT_CT_TCP_STATE = 1 << 3,	/* tcp_new is valid */
	NT_CT_TIMEOUT_LEFT = 1 << 4,
	NT_CT_LABELS = 1 << 5,
	NT_CT_ACCT = 1 << 6,		/* the kernel's own numbers of packets and bytes */
	NT_CT_EARLIER = 1 << 7,		/* older than the tool, or not stored: no times */
	NT_CT_IN_OVS = 1 << 8,		/* within an action of Open vSwitch: ovs is valid */
	NT_CT_OVS_INFO = 1 << 9,	/* commit, zone, nat, force, too */
	NT_CT_OVS_KEY = 1 << 10,	/* key_* too: the action is at its end */
	NT_CT_MATCHED = 1 << 11,	/* of nt_ct_conn: a packet matched the filter expression */
	NT_CT_DELETED = 1 << 12,	/* of nt_ct_conn */
	NT_CT_CLASHED = 1 << 13,	/* another entry had the same tuple */
	NT_CT_STORED = 1 << 14,		/* of nt_ct_conn: it began while the tool ran */
	NT_CT_HOOK = 1 << 15,		/* hooknum and pf are valid */
};

#define NT_CT_NO_INFO 8			/* beside enum ip_conntrack_info: nothing is attached to the packet */

struct nt_ct_window {			/* struct ip_ct_tcp_state, host order */
	__u32 end, maxend, maxwin, maxack;
	__u8 scale, flags;
	__u16 pad;
};

#define NT_CT_REASON 96
struct nt_ct_ovs {
	__u16 zone;
	__u8 commit, nat, force;
	__u8 key_state;			/* OVS_CS_F_* */
	__u16 key_zone;
	__u32 key_mark, key_labels[4];
};

struct nt_ct_conn {			/* value of nt_cts, by the entry's address */
	__u64 created_ns, confirmed_ns;
	__u64 packets;			/* seen by the tracker */
	__u32 bits;			/* enum nt_ct_bits */
	__u32 cause;			/* enum nt_ct_cause */
};
NT_ASSERT_SIZE(struct nt_ct_conn, 32);

struct nt_ct_tuple {
	struct nt_flow flow;		/* without a device; of ICMP, icmp_id is valid */
	__u8 icmp_type, icmp_code;
	__u16 pad;
};
NT_ASSERT_SIZE(struct nt_ct_tuple, 56);

struct nt_ct_event {
	__u64 ts_ns;
	__u64 ct;			/* its address */
	__u64 status;			/* IPS_* bits */
	__u64 acct_packets[2], acct_bytes[2];
	struct nt_ct_conn conn;
	__u32 what, hook, bits, cause;
	__u32 ctinfo_old, ctinfo;	/* enum ip_conntrack_info or NT_CT_NO_INFO */
	__s32 ret, tcp_ret;		/* what the hooked function returned, what the TCP tracker did */
	__u32 cpu, pid, tid;
	char comm[16];
	__u32 netns, mark;
	__s32 timeout_left;		/* jiffies */
	__u32 extension;		/* jiffies, NT_CT_UPDATE */
	__u32 labels[4];
	__u16 zone;
	__u8 zone_dir, hooknum, pf, tcp_old, tcp_new, pad;
	__s32 stack_id;			/* in nt_stacks, where stack is not sent; -1: none */
	struct nt_ct_window seen[2];	/* as the packet found them */
	struct nt_ct_ovs ovs;
	char reason[NT_CT_REASON];	/* the kernel's format string, or the text for its %s */
	struct nt_ct_tuple orig, reply;
	struct nt_pkt pkt;
	__u64 stack[NT_STACK_MAX];	/* 0 ends; sent only with NT_CT_STACKS */
};

struct nt_ct_cfg {
	__u32 zone, mark, mark_mask, pad;
	__u64 any_sport, any_dport;	/* rules without a port */
};

/* Rules, OR-ed: bit i of a value is rule i. A flow matches the rules that all its fields agree to. */
#define NT_CT_RULES_MAX 64
struct nt_ct_addr_key {
	__u32 prefixlen;
	__u8 addr[16];
};
struct nt_ct_ends {
	__u64 src, dst;
};

struct nt_ct_stats_key {
	__u32 netns;
	__u16 zone;
	__u8 proto, pad;
};
struct nt_ct_stats {
	__u64 n[NT_CT_WHATS];
	__u64 cause[NT_CT_CAUSES];
};

enum nt_ct_stat {
	NT_STAT_CT_OPENED = NT_STAT_TOOL0,	/* entries of nt_cts made, and deleted */
	NT_STAT_CT_CLOSED,
	NT_STAT_CT_RATE_LIMITED,
};

#endif
