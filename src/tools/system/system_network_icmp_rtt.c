/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/timeline.h"

static const struct nt_opt opts[] = {
	{ .name = "phy-interface", .letter = 'i', .type = NT_OPT_IFNAMES, .offset = NT_TL_O(phy), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "uplinks (default: devices on a bus that are up, else those of default routes)" },
	{ .name = "interface", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(either), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "as --internal-interface, if it is such a port, else as --phy-interface" },
	{ .name = "phy-iface1", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(old_phy[0]), .arg = "NAME",
	  .flags = NT_OPT_FILTER, .help = "an uplink besides (of an older script)" },
	{ .name = "phy-iface2", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(old_phy[1]), .arg = "NAME",
	  .flags = NT_OPT_FILTER, .help = "another one" },
	{ .name = "internal-interface", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(internal), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "Open vSwitch's internal ports that have the addresses (default: all)" },
	{ .name = "direction", .letter = 'r', .type = NT_OPT_ENUM, .offset = NT_TL_O(direction), .choices = "tx|rx|both",
	  .def = "tx", .flags = NT_OPT_FILTER, .help = "pings that this host sends (tx), or that it answers (rx)" },
	{ .name = "latency-ms", .letter = 'l', .type = NT_OPT_FLOAT, .offset = NT_TL_O(latency_ms), .max = 1e6,
	  .unit = "ms", .help = "show sessions that took at least so long; the histograms have all" },
	{ .name = "timeout-ms", .type = NT_OPT_U32, .offset = NT_TL_O(timeout_ms), .def = "5000", .min = 1,
	  .max = 3600000, .unit = "ms", .help = "give a session up that has not ended by then" },
	{ .name = "disable-kernel-stacks", .letter = 'k', .type = NT_OPT_FLAG, .offset = NT_TL_O(no_stacks),
	  .help = "no kernel stack for each stage" },
	{ .name = "summary", .type = NT_OPT_FLAG, .offset = NT_TL_O(summary),
	  .help = "no line for each session, figures only; --interval implies it" },
	{ .name = "debug", .type = NT_OPT_FLAG, .offset = NT_TL_O(debug),
	  .help = "count at each stage what was seen, and what was left out, and why" },
	/* spellings of the script and of the port */
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON,
	  .help = "address or prefix of one end; the local one is found by itself" },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON, .help = "address or prefix of the other end" },
	{ .name = "interval", .letter = 'I', .flags = NT_OPT_COMMON,
	  .help = "print figures of each period instead of sessions" },
	{ .name = "max-entries", .def = "4096", .flags = NT_OPT_COMMON, .help = "sessions that can be under way at a time" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "ip_out", .type = NT_HOOK_FUNC, .targets = "__ip_local_out", .need = NT_REQUIRED,
	  .flags = NT_TL_FILTERS },
	{ .stem = "ip6_out", .type = NT_HOOK_FUNC, .targets = "__ip6_local_out", .need = NT_OPTIONAL,
	  .flags = NT_TL_FILTERS, .loss = "pings by IPv6" },
	NT_TL_HOOKS_PATH,
	{ .stem = "icmp_rcv", .type = NT_HOOK_FUNC, .targets = "icmp_rcv", .need = NT_REQUIRED },
	NT_TL_FUNC("icmp6_rcv", "icmpv6_rcv", "that pings by IPv6 arrive: they time out"),
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_REQUIRED, .flags = NT_HOOK_EOL },
};

extern const struct nt_tool nt_tool_system_network_icmp_rtt;
const struct nt_tool nt_tool_system_network_icmp_rtt = {
	.name = "system_network_icmp_rtt",
	.aliases = "system_network_icmp_rtt.py|icmp_rtt_latency|icmp_rtt_latency.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "how long a ping takes on a host with Open vSwitch: IP, switch, upcalls, uplink, and outside",
	.help =
	"Follows each ICMP or ICMPv6 echo request and its reply through the kernel, also where the host's\n"
	"address is on an internal port of Open vSwitch:\n"
	"\n"
	"  out  ip_out, internal_xmit, ovs_process, ovs_upcall, ovs_exec, ovs_send, phy_queue\n"
	"  in   phy_rx, ovs_hook, ovs_process, ovs_upcall, ovs_exec, ovs_send, backlog_enq, backlog_deq,\n"
	"       ip_rcv, l4_rcv\n"
	"\n"
	"A stage that a packet does not visit is absent: without the switch ip_out and phy_queue, phy_rx,\n"
	"ip_rcv and l4_rcv remain, and only the first packet of a flow has ovs_upcall and ovs_exec, between\n"
	"which ovs-vswitchd decides. A ping of this host (tx) goes out with the request and comes in with\n"
	"the reply; outside is the uplink's queue, the wire and the peer. A ping that comes in (rx) takes\n"
	"them the other way round; between l4_rcv and ip_out this host makes the answer.\n"
	"\n"
	"A session that has not ended after --timeout-ms is shown with the last stage it reached, one whose\n"
	"packet this host drops with the reason and the place, or the error of an upcall that fails (EAGAIN:\n"
	"ovs-vswitchd's socket is full).\n"
	"\n"
	"Which of --src-ip and --dst-ip is the local end is found out, if one of them is an address of\n"
	"this namespace; else --src-ip is the end that pings. Lengths count from the IP header.",
	.example = {
		"nettrace system_network_icmp_rtt -d 192.0.2.1 -k  # pings to that host, without stacks",
		"nettrace system_network_icmp_rtt -r both -i eth0 --interval 10  # all pings, a table every 10 s",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_tl_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.types = nt_timeline_types,
	.n_types = NT_TL_N_TYPES,
	.state_maps = "nt_rtts",
	.engine = &nt_timeline_engine,
	.engine_data = &(const struct nt_tl_desc){ .details = true, .legs = true },
	.check = nt_timeline_legs_check,
};
