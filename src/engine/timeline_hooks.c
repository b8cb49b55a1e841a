/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks of bpf/lib/timeline_host.bpf.h. */
#include <unistd.h>

#include "timeline.h"

bool nt_timeline_has_ovs(const void *opts)
{
	(void)opts;
	return !access("/sys/module/openvswitch", F_OK);
}

#define FILTERS (NT_HOOK_ENTRY | NT_HOOK_BYTES)
#define FUNC(name, function, what) \
	{ .stem = name, .type = NT_HOOK_FUNC, .targets = function, .need = NT_OPTIONAL, .loss = what }
#define BEGIN(name, function, what) \
	{ .stem = name, .type = NT_HOOK_FUNC, .targets = function, .need = NT_OPTIONAL, .flags = FILTERS, .loss = what }
#define OVS(name, function, what) \
	{ .stem = name, .type = NT_HOOK_FUNC, .targets = function, .need = NT_OPTIONAL, \
	  .wanted = nt_timeline_has_ovs, .loss = what }
#define NO_STAGE(name) "the stage " name

static bool wants_ct(const void *opts)
{
	return ((const struct nt_tl_opts *)opts)->enable_ct && nt_timeline_has_ovs(opts);
}

const struct nt_hook nt_timeline_hooks[NT_TL_N_ALL_HOOKS] = {
	{ .stem = "ip_out", .type = NT_HOOK_FUNC, .targets = "__ip_local_out", .need = NT_REQUIRED, .flags = FILTERS },
	BEGIN("ip6_out", "__ip6_local_out", "UDP and ICMPv6 that this host sends by IPv6"),
	BEGIN("ip6_xmit", "ip6_xmit", "netfilter's output chain of TCP over IPv6"),
	BEGIN("ip_output", "ip_output", "packets of raw sockets that bring their own header"),
	BEGIN("ip6_output", "ip6_output", "IPv6's TCP under a filter expression"),
	OVS("internal_xmit", "internal_dev_xmit", NO_STAGE("internal_xmit")),
	{ .stem = "phy_queue", .type = NT_HOOK_TP, .targets = "net:net_dev_queue", .need = NT_REQUIRED },
	{ .stem = "phy_rx", .type = NT_HOOK_TP, .targets = "net:netif_receive_skb", .need = NT_REQUIRED,
	  .flags = FILTERS },
	{ .stem = "ovs_hook", .type = NT_HOOK_FUNC, .targets = "netdev_frame_hook", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_PLAIN, .wanted = nt_timeline_has_ovs, .loss = NO_STAGE("ovs_hook") },
	OVS("ovs_process", "ovs_dp_process_packet", NO_STAGE("ovs_process")),
	OVS("ovs_upcall", "ovs_dp_upcall", "upcalls: packets of unknown flows time out"),
	OVS("ovs_exec", "ovs_flow_key_extract_userspace", "what becomes of packets after an upcall"),
	OVS("ovs_send", "ovs_vport_send", NO_STAGE("ovs_send")),
	FUNC("backlog_enq", "enqueue_to_backlog", NO_STAGE("backlog_enq")),
	FUNC("backlog_deq", "__netif_receive_skb", NO_STAGE("backlog_deq")),
	FUNC("ip_rcv", "ip_rcv_core", NO_STAGE("ip_rcv (IPv4)")),
	FUNC("ip6_rcv", "ip6_rcv_core", NO_STAGE("ip_rcv (IPv6)")),
	FUNC("tcp_rcv", "tcp_v4_rcv", "that TCP over IPv4 arrives"),
	FUNC("udp_rcv", "udp_rcv", "that UDP over IPv4 arrives"),
	FUNC("icmp_rcv", "icmp_rcv", "that ICMP arrives"),
	FUNC("tcp6_rcv", "tcp_v6_rcv", "that TCP over IPv6 arrives"),
	FUNC("udp6_rcv", "udpv6_rcv", "that UDP over IPv6 arrives"),
	FUNC("icmp6_rcv", "icmpv6_rcv", "that ICMPv6 arrives"),
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_REQUIRED, .flags = NT_HOOK_EOL },
	/* NT_TL_N_HOOKS are above */
	OVS("ovs_recv", "ovs_vport_receive", NO_STAGE("ovs_recv")),
	{ .stem = "ct_in", .type = NT_HOOK_FUNC, .targets = "ovs_ct_execute", .need = NT_OPTIONAL, .wanted = wants_ct,
	  .loss = "connection tracking in Open vSwitch" },
	{ .stem = "ct_out", .type = NT_HOOK_RET, .targets = "ovs_ct_execute", .need = NT_OPTIONAL, .wanted = wants_ct,
	  .loss = "how long connection tracking in Open vSwitch takes" },
	OVS("internal_recv", "internal_dev_recv", NO_STAGE("internal_recv")),
	{ .stem = "qdisc_deq", .type = NT_HOOK_TP, .targets = "qdisc:qdisc_dequeue", .need = NT_OPTIONAL,
	  .loss = NO_STAGE("qdisc_deq") },
	{ .stem = "phy_xmit", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit", .need = NT_REQUIRED },
};

const struct nt_type_need nt_timeline_types[NT_TL_N_TYPES] = {
	{ .module = "openvswitch", .name = "vport", .if_loaded = true,
	  .loss = "the stage ovs_send, and packets that Open vSwitch hands on as clones" },
};
