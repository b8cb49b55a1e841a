/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks of bpf/lib/timeline_host.bpf.h. */
#include <unistd.h>

#include "timeline.h"

bool nt_timeline_has_ovs(const void *opts)
{
	(void)opts;
	return !access("/sys/module/openvswitch", F_OK);
}

#define BEGIN(name, function, what) \
	{ .stem = name, .type = NT_HOOK_FUNC, .targets = function, .need = NT_OPTIONAL, .flags = NT_TL_FILTERS, .loss = what }
static bool wants_ct(const void *opts)
{
	return ((const struct nt_tl_opts *)opts)->enable_ct && nt_timeline_has_ovs(opts);
}

const struct nt_hook nt_timeline_hooks[NT_TL_N_ALL_HOOKS] = {
	{ .stem = "ip_out", .type = NT_HOOK_FUNC, .targets = "__ip_local_out", .need = NT_REQUIRED, .flags = NT_TL_FILTERS },
	BEGIN("ip6_out", "__ip6_local_out", "UDP and ICMPv6 that this host sends by IPv6"),
	BEGIN("ip6_xmit", "ip6_xmit", "netfilter's output chain of TCP over IPv6"),
	BEGIN("ip_output", "ip_output", "packets of raw sockets that bring their own header"),
	BEGIN("ip6_output", "ip6_output", "IPv6's TCP under a filter expression"),
	NT_TL_HOOKS_PATH,
	NT_TL_HOOKS_L4,
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_REQUIRED, .flags = NT_HOOK_EOL },
	/* NT_TL_N_HOOKS are above */
	NT_TL_OVS("ovs_recv", "ovs_vport_receive", NT_TL_NO_STAGE("ovs_recv")),
	{ .stem = "ct_in", .type = NT_HOOK_FUNC, .targets = "ovs_ct_execute", .need = NT_OPTIONAL, .wanted = wants_ct,
	  .loss = "connection tracking in Open vSwitch" },
	{ .stem = "ct_out", .type = NT_HOOK_RET, .targets = "ovs_ct_execute", .need = NT_OPTIONAL, .wanted = wants_ct,
	  .loss = "how long connection tracking in Open vSwitch takes" },
	NT_TL_OVS("internal_recv", "internal_dev_recv", NT_TL_NO_STAGE("internal_recv")),
	{ .stem = "qdisc_deq", .type = NT_HOOK_TP, .targets = "qdisc:qdisc_dequeue", .need = NT_OPTIONAL,
	  .loss = NT_TL_NO_STAGE("qdisc_deq") },
	{ .stem = "phy_xmit", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit", .need = NT_REQUIRED },
};

const struct nt_type_need nt_timeline_types[NT_TL_N_TYPES] = {
	{ .module = "openvswitch", .name = "vport", .if_loaded = true,
	  .loss = "the stage ovs_send, and packets that Open vSwitch hands on as clones" },
};
