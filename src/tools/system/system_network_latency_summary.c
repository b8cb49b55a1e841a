/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/timeline.h"

static const struct nt_opt opts[] = {
	NT_TL_OPTS,
	{ .name = "phy-interface", .letter = 'I', .type = NT_OPT_IFNAMES, .offset = NT_TL_O(phy), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "uplinks (default: devices on a bus that are up, else those of default routes)" },
	{ .name = "internal-interface", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(internal), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "Open vSwitch's internal ports that have the addresses (default: all)" },
	{ .name = "direction", .letter = 'r', .type = NT_OPT_ENUM, .offset = NT_TL_O(direction),
	  .choices = "tx|rx|both", .def = "both", .flags = NT_OPT_FILTER,
	  .help = "packets that this host sends (tx) or receives (rx)" },
	{ .name = "by-flow", .type = NT_OPT_FLAG, .offset = NT_TL_O(by_flow),
	  .help = "the whole time of each flow, too, worst first" },
	{ .name = "hist", .type = NT_OPT_FLAG, .offset = NT_TL_O(hist),
	  .help = "draw the distribution of each pair of stages, not only of the whole" },
	{ .name = "legacy-names", .type = NT_OPT_FLAG, .offset = NT_TL_O(legacy_names),
	  .help = "stages as the scripts named them, from TX_S0_ip_layer_entry on" },
	/* letters of the earlier port */
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "src-port", .letter = 'S', .flags = NT_OPT_COMMON },
	{ .name = "dst-port", .letter = 'D', .flags = NT_OPT_COMMON },
	{ .name = "protocol", .letter = 'p', .flags = NT_OPT_COMMON, .help = "tcp, udp, icmp (ICMPv6, too) or all" },
	{ .name = "interval", .letter = 'i', .def = "5", .flags = NT_OPT_COMMON },
};

extern const struct nt_tool nt_tool_system_network_latency_summary;
const struct nt_tool nt_tool_system_network_latency_summary = {
	NT_TL_TOOL,
	.name = "system_network_latency_summary",
	.aliases = "system_network_latency_summary.py",
	.summary = "where packets of this host spend their time between sockets and uplink, as distributions",
	.help =
	"Follows this host's TCP, UDP and ICMP packets from stage to stage and shows for each pair of stages\n"
	"that follow each other how long it took:\n"
	"\n"
	"  tx  ip_out, internal_xmit, ovs_process, ovs_upcall, ovs_exec, ovs_send, phy_queue\n"
	"  rx  phy_rx, ovs_hook, ovs_process, ovs_upcall, ovs_exec, ovs_send, backlog_enq, backlog_deq,\n"
	"      ip_rcv, l4_rcv\n"
	"\n"
	"A stage that packets do not visit is absent: without Open vSwitch a sent packet has ip_out and\n"
	"phy_queue. Pairs marked async have a queue or a program between them: ovs_upcall to ovs_exec is\n"
	"ovs-vswitchd, backlog_enq to backlog_deq the softirq. Pairs are of packets that came to their end,\n"
	"so they add up to the total; the others are counted: dropped (after which stage, why), timed out,\n"
	"elsewhere (sent by a device that is no uplink, delivered to this host itself, forwarded). An upcall\n"
	"that fails tells its error: EAGAIN is that ovs-vswitchd's socket is full.\n"
	"\n"
	"--direction tx: --src-ip is a local address; rx: --dst-ip is. With both, addresses match either way\n"
	"round. The network card and its driver, and how long GRO holds packets, are not in these times.",
	.example = {
		"nettrace system_network_latency_summary --direction tx --dst-ip 10.0.0.9 --protocol tcp"
		"  # what is sent there, every 5 s",
		"nettrace system_network_latency_summary --phy-interface eth0 --by-flow --interval 10"
		"  # all, with the worst flows",
	},
	.engine_data = &(const struct nt_tl_desc){ .details = false },
};
