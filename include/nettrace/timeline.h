/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Timeline engine: packets of this host on their way between its IP layer and
 * its uplinks. Figures for each pair of stages that follow each other, or each
 * packet with all its stages. Every packet that began is in one counter:
 * complete, dropped, elsewhere, timed out, ended unseen, inside, without room.
 */
#ifndef NETTRACE_TIMELINE_H
#define NETTRACE_TIMELINE_H

#include "nettrace/drop.h"

enum nt_tl_direction { NT_TL_ONLY_TX, NT_TL_ONLY_RX, NT_TL_BOTH };

struct nt_tl_opts {			/* option struct of every tool on this engine */
	struct nt_drop_opts drop;	/* first, unset: places are judged as by the drop tools */
	struct nt_strlist phy, internal;
	struct nt_strlist either;	/* internal ports or uplinks, by what they are */
	uint32_t direction;		/* enum nt_tl_direction */
	uint32_t timeout_ms, rate;
	double latency_us;
	const char *stage_us;		/* FROM:TO:US */
	bool strict_ports, legacy_names, by_flow, hist;
	bool enable_ct, summary;	/* tools with columns */
	bool stacks;			/* of the slowest way between two stages; tools about legs: no_stacks */
	double latency_ms;		/* tools about two legs, from here on */
	struct nt_strlist old_phy[2];	/* more uplinks, as an older script took them */
	bool no_stacks, debug;
	bool reversed[2];		/* no option: what check() found out about the addresses */
};

struct nt_tl_desc {
	bool details;			/* an event for each packet; else figures */
	bool backlog;			/* a tool about the per-CPU backlog: its depth, and which CPUs */
	bool columns;			/* stages with queue, length and hash; figures by device with --summary */
	bool legs;			/* sessions: an echo request and its reply */
	bool by_packet;			/* legs: each packet says itself what session it is of: no Open vSwitch, no
					 * drops, devices by the filter only, any hook may be missing */
	const char *phy_option;		/* whose devices have the role NT_TL_PHY; NULL: --phy-interface */
};

extern const struct nt_engine nt_timeline_engine;

/* For a tool's check(): devices are resolved, directions and ports decided. */
int nt_timeline_check(struct nt_run *r, struct nt_err *err);

/* Is Open vSwitch loaded? For .wanted of its hooks. */
bool nt_timeline_has_ovs(const void *opts);

/* For a tool's check() of those about the backlog: devices, and events by threshold. */
int nt_timeline_backlog_check(struct nt_run *r, struct nt_err *err);

/* For a tool's check() of those about two legs: devices, and which of the addresses is the initiator. */
int nt_timeline_legs_check(struct nt_run *r, struct nt_err *err);

#define NT_TL_STACKS_ROW \
	{ .name = "stacks", .type = NT_OPT_FLAG, .offset = NT_TL_O(stacks), \
	  .help = "kernel stack at the end of each packet's slowest way from stage to stage" }

/* Rows of hooks that tools share. */
#define NT_TL_FILTERS (NT_HOOK_ENTRY | NT_HOOK_BYTES)
#define NT_TL_NO_STAGE(name) "the stage " name
#define NT_TL_FUNC(name, function, what) \
	{ .stem = name, .type = NT_HOOK_FUNC, .targets = function, .need = NT_OPTIONAL, .loss = what }
#define NT_TL_OVS(name, function, what) \
	{ .stem = name, .type = NT_HOOK_FUNC, .targets = function, .need = NT_OPTIONAL, \
	  .wanted = nt_timeline_has_ovs, .loss = what }
/* Between IP and the uplink, both ways. */
#define NT_TL_HOOKS_PATH \
	NT_TL_OVS("internal_xmit", "internal_dev_xmit", NT_TL_NO_STAGE("internal_xmit")), \
	{ .stem = "phy_queue", .type = NT_HOOK_TP, .targets = "net:net_dev_queue", .need = NT_REQUIRED }, \
	{ .stem = "phy_rx", .type = NT_HOOK_TP, .targets = "net:netif_receive_skb", .need = NT_REQUIRED, \
	  .flags = NT_TL_FILTERS }, \
	{ .stem = "ovs_hook", .type = NT_HOOK_FUNC, .targets = "netdev_frame_hook", .need = NT_OPTIONAL, \
	  .flags = NT_HOOK_PLAIN, .wanted = nt_timeline_has_ovs, .loss = NT_TL_NO_STAGE("ovs_hook") }, \
	NT_TL_OVS("ovs_process", "ovs_dp_process_packet", NT_TL_NO_STAGE("ovs_process")), \
	NT_TL_OVS("ovs_upcall", "ovs_dp_upcall", "upcalls: packets of unknown flows time out"), \
	{ .stem = "ovs_upcall_ret", .type = NT_HOOK_RET, .targets = "ovs_dp_upcall", .need = NT_OPTIONAL, \
	  .wanted = nt_timeline_has_ovs, .loss = "why upcalls fail: their packets time out" }, \
	NT_TL_OVS("ovs_exec", "ovs_flow_key_extract_userspace", "what becomes of packets after an upcall"), \
	NT_TL_OVS("ovs_send", "ovs_vport_send", NT_TL_NO_STAGE("ovs_send")), \
	NT_TL_FUNC("backlog_enq", "enqueue_to_backlog", NT_TL_NO_STAGE("backlog_enq")), \
	NT_TL_FUNC("backlog_deq", "__netif_receive_skb", NT_TL_NO_STAGE("backlog_deq")), \
	NT_TL_FUNC("ip_rcv", "ip_rcv_core", NT_TL_NO_STAGE("ip_rcv (IPv4)")), \
	NT_TL_FUNC("ip6_rcv", "ip6_rcv_core", NT_TL_NO_STAGE("ip_rcv (IPv6)"))
/* The last stage of what is received. */
#define NT_TL_HOOKS_L4 \
	NT_TL_FUNC("tcp_rcv", "tcp_v4_rcv", "that TCP over IPv4 arrives"), \
	NT_TL_FUNC("udp_rcv", "udp_rcv", "that UDP over IPv4 arrives"), \
	NT_TL_FUNC("icmp_rcv", "icmp_rcv", "that ICMP arrives"), \
	NT_TL_FUNC("tcp6_rcv", "tcp_v6_rcv", "that TCP over IPv6 arrives"), \
	NT_TL_FUNC("udp6_rcv", "udpv6_rcv", "that UDP over IPv6 arrives"), \
	NT_TL_FUNC("icmp6_rcv", "icmpv6_rcv", "that ICMPv6 arrives")

/* The hooks of this host's path, with and without Open vSwitch. */
#define NT_TL_N_HOOKS 25
#define NT_TL_N_ALL_HOOKS 31	/* and those between and behind them */
extern const struct nt_hook nt_timeline_hooks[NT_TL_N_ALL_HOOKS];
#define NT_TL_N_TYPES 1
extern const struct nt_type_need nt_timeline_types[NT_TL_N_TYPES];

/* Rows that the tools share. */
#define NT_TL_O(member) offsetof(struct nt_tl_opts, member)
#define NT_TL_OPTS \
	{ .name = "timeout-ms", .type = NT_OPT_U32, .offset = NT_TL_O(timeout_ms), .def = "1000", .min = 1, \
	  .max = 3600000, .unit = "ms", .help = "give a packet up that has not ended by then" }, \
	{ .name = "strict-ports", .type = NT_OPT_FLAG, .offset = NT_TL_O(strict_ports), .flags = NT_OPT_FILTER, \
	  .help = "--src-port is the source's and --dst-port the destination's; else either end may have it" }, \
	{ .name = "max-entries", .def = "16384", .flags = NT_OPT_COMMON, \
	  .help = "packets that can be on their way at a time" }

/* What every tool on this engine says of itself; opts is its array of rows. */
#define NT_TL_TOOL NT_TL_TOOL_WITH(NT_TL_N_HOOKS, nt_timeline_check)
#define NT_TL_TOOL_WITH(hooks_, check_) \
	.group = NT_GROUP_SYSTEM, .opts = opts, .n_opts = NT_COUNT(opts), .opts_size = sizeof(struct nt_tl_opts), \
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_EXPR, \
	.hooks = nt_timeline_hooks, .n_hooks = (hooks_), .types = nt_timeline_types, \
	.n_types = NT_TL_N_TYPES, .state_maps = "nt_tracks|nt_aliases", .engine = &nt_timeline_engine, \
	.check = (check_)

#endif
