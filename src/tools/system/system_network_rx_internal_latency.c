/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/timeline.h"

static const struct nt_opt opts[] = {
	NT_TL_OPTS,
	{ .name = "interface", .letter = 'i', .type = NT_OPT_IFNAMES, .offset = NT_TL_O(either), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "as --internal-interface, if it is such a port, else as --phy-interface" },
	{ .name = "internal-interface", .type = NT_OPT_IFNAMES,
	  .offset = NT_TL_O(internal), .arg = "NAME[,NAME]", .flags = NT_OPT_FILTER,
	  .help = "Open vSwitch's internal ports that have the addresses (default: all)" },
	{ .name = "phy-interface", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(phy), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "packets that came in by these devices only" },
	{ .name = "threshold-us", .letter = 't', .type = NT_OPT_FLOAT, .offset = NT_TL_O(latency_us), .max = 1e9,
	  .unit = "us", .help = "show packets that took at least so long" },
	NT_TL_STACKS_ROW,
	{ .name = "rate", .type = NT_OPT_U32, .offset = NT_TL_O(rate), .def = "1000", .max = 1e9, .unit = "events/s",
	  .help = "show at most so many packets a second, count the rest; 0: no limit" },
	{ .name = "hist", .type = NT_OPT_FLAG, .offset = NT_TL_O(hist),
	  .help = "draw the distribution of each pair of stages, not only of the whole" },
	/* letters of the earlier port */
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "src-port", .letter = 'S', .flags = NT_OPT_COMMON },
	{ .name = "dst-port", .letter = 'D', .flags = NT_OPT_COMMON },
	{ .name = "protocol", .letter = 'p', .flags = NT_OPT_COMMON, .help = "tcp, udp, icmp (ICMPv6, too) or all" },
	{ .name = "interval", .letter = 'I', .def = "5", .flags = NT_OPT_COMMON },
};

#define OVS_ENTRY(name, function, what) \
	{ .stem = name, .type = NT_HOOK_FUNC, .targets = function, .need = NT_OPTIONAL, \
	  .wanted = nt_timeline_has_ovs, .flags = NT_TL_FILTERS, .loss = what }

static const struct nt_hook hooks[] = {
	OVS_ENTRY("ovs_send", "ovs_vport_send", "the stage ovs_send: packets begin at netif_rx"),
	OVS_ENTRY("internal_recv", "internal_dev_recv", "the stage internal_recv"),
	{ .stem = "netif_rx", .type = NT_HOOK_TP, .targets = "net:netif_rx", .need = NT_REQUIRED,
	  .flags = NT_TL_FILTERS },
	{ .stem = "backlog_enq", .type = NT_HOOK_FUNC, .targets = "enqueue_to_backlog", .need = NT_REQUIRED },
	NT_TL_FUNC("backlog_deq", "__netif_receive_skb", "the stage backlog_deq, and which CPU it was"),
	{ .stem = "internal_rx", .type = NT_HOOK_TP, .targets = "net:netif_receive_skb", .need = NT_REQUIRED },
	NT_TL_FUNC("ip_rcv", "ip_rcv_core", "the stage ip_rcv (IPv4)"),
	NT_TL_FUNC("ip6_rcv", "ip6_rcv_core", "the stage ip_rcv (IPv6)"),
	NT_TL_FUNC("ip_deliver", "ip_local_deliver", "the stage ip_deliver (IPv4)"),
	NT_TL_FUNC("ip6_deliver", "ip6_input", "the stage ip_deliver (IPv6)"),
	NT_TL_HOOKS_L4,
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_REQUIRED, .flags = NT_HOOK_EOL },
};

static int check(struct nt_run *r, struct nt_err *err)
{
	((struct nt_tl_opts *)nt_run_opts_rw(r))->direction = NT_TL_ONLY_RX;
	return nt_timeline_backlog_check(r, err);
}

extern const struct nt_tool nt_tool_system_network_rx_internal_latency;
const struct nt_tool nt_tool_system_network_rx_internal_latency = {
	.name = "system_network_rx_internal_latency",
	.aliases = "system_network_rx_internal_latency.py|system_network_rx_internal_latency_details|"
		   "system_network_rx_internal_latency_details.py|system_network_rx_internal_port_latency_details|"
		   "system_network_rx_internal_port_latency_details.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "what holds received packets between Open vSwitch's internal port and the socket's protocol",
	.help =
	"Follows packets that Open vSwitch hands to an internal port of this host:\n"
	"\n"
	"  ovs_send, internal_recv, netif_rx   the switch's output, still on the CPU that received the packet\n"
	"  backlog_enq, backlog_deq            the per-CPU backlog: the softirq, packets before it\n"
	"  internal_rx, ip_rcv                 taps and tc ingress of the port\n"
	"  ip_deliver, l4_rcv                  netfilter's prerouting and routing; input and reassembly\n"
	"\n"
	"Beside the times: how many packets were in the backlog before, and which CPU put packets in and\n"
	"which took them out. Packets that did not arrive are counted with the stage after which they were\n"
	"dropped or seen no more. With kernels whose BTF does not know the switch (before 5.11) packets begin\n"
	"at netif_rx.",
	.example = {
		"nettrace system_network_rx_internal_latency --interval 5  # figures every 5 s",
		"nettrace system_network_rx_internal_latency -p tcp -D 6789 -t 1000  # what took 1 ms and more",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_tl_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.types = nt_timeline_types,
	.n_types = NT_TL_N_TYPES,
	.state_maps = "nt_tracks|nt_aliases",
	.engine = &nt_timeline_engine,
	.engine_data = &(const struct nt_tl_desc){ .backlog = true },
	.check = check,
};
