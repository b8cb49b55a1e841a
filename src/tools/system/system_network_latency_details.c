/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/timeline.h"

static const struct nt_opt opts[] = {
	NT_TL_OPTS,
	{ .name = "phy-interface", .letter = 'i', .type = NT_OPT_IFNAMES, .offset = NT_TL_O(phy), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "uplinks (default: devices on a bus that are up, else those of default routes)" },
	{ .name = "internal-interface", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(internal), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "Open vSwitch's internal ports that have the addresses (default: all)" },
	{ .name = "direction", .letter = 'd', .type = NT_OPT_ENUM, .offset = NT_TL_O(direction),
	  .choices = "tx|rx|both", .def = "both", .flags = NT_OPT_FILTER,
	  .help = "packets that this host sends (tx) or receives (rx)" },
	{ .name = "latency-us", .type = NT_OPT_FLOAT, .offset = NT_TL_O(latency_us), .max = 1e9, .unit = "us",
	  .help = "show packets that took at least so long; the figures have all" },
	{ .name = "stage-us", .type = NT_OPT_STRING, .offset = NT_TL_O(stage_us), .arg = "FROM:TO:US",
	  .help = "show packets that took at least so many us from one stage to another" },
	NT_TL_STACKS_ROW,
	{ .name = "rate", .type = NT_OPT_U32, .offset = NT_TL_O(rate), .def = "1000", .max = 1e9, .unit = "events/s",
	  .help = "show at most so many packets a second, count the rest; 0: no limit" },
	{ .name = "top", .flags = NT_OPT_COMMON, .help = "keep only so many, the slowest, and show them at the end" },
	{ .name = "hist", .type = NT_OPT_FLAG, .offset = NT_TL_O(hist),
	  .help = "draw the distribution of each pair of stages, not only of the whole" },
	{ .name = "legacy-names", .type = NT_OPT_FLAG, .offset = NT_TL_O(legacy_names),
	  .help = "stages as the scripts named them, from TX_S0_ip_layer_entry on" },
	/* letters of the earlier port */
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'D', .flags = NT_OPT_COMMON },
	{ .name = "src-port", .letter = 'S', .flags = NT_OPT_COMMON },
	{ .name = "dst-port", .letter = 'P', .flags = NT_OPT_COMMON },
	{ .name = "protocol", .letter = 'p', .flags = NT_OPT_COMMON, .help = "tcp, udp, icmp (ICMPv6, too) or all" },
	{ .name = "interval", .flags = NT_OPT_COMMON, .help = "print the figures of each period besides the packets" },
};

extern const struct nt_tool nt_tool_system_network_latency_details;
const struct nt_tool nt_tool_system_network_latency_details = {
	NT_TL_TOOL,
	.name = "system_network_latency_details",
	.aliases = "system_network_latency_details.py|system_tcp_udp_latency.py",
	.summary = "each packet of this host, or each slow one, with all its stages between socket and uplink",
	.help =
	"Shows this host's TCP, UDP and ICMP packets with the time from stage to stage:\n"
	"\n"
	"  tx  ip_out, internal_xmit, ovs_process, ovs_upcall, ovs_exec, ovs_send, phy_queue\n"
	"  rx  phy_rx, ovs_hook, ovs_process, ovs_upcall, ovs_exec, ovs_send, backlog_enq, backlog_deq,\n"
	"      ip_rcv, l4_rcv\n"
	"\n"
	"A stage that a packet does not visit is absent. A packet that is dropped on its way is shown with\n"
	"the reason and the place (an upcall that fails with its error: EAGAIN is that ovs-vswitchd's socket\n"
	"is full), one of which nothing more is seen as a timeout. Packets are followed by their buffer's\n"
	"address, and by what their headers say where the buffer changes: clone (a packet tap is open, the\n"
	"switch sends to several ports), reassembled, gso_upcall (the first segment of a larger packet came\n"
	"back from ovs-vswitchd). ambiguous: another packet has the same numbers, so this one is followed by\n"
	"its address only. retrans: TCP sent its first byte before. Packets of this host are shown with the\n"
	"process that sends them; by_softirq: none does (what TCP sends as an acknowledgement comes or a\n"
	"timer ends, and the kernel's own answers).\n"
	"\n"
	"--direction tx: --src-ip is a local address; rx: --dst-ip is. With both, addresses match either way\n"
	"round. The network card and its driver, and how long GRO holds packets, are not in these times.",
	.example = {
		"nettrace system_network_latency_details --latency-us 500 --dst-port 443  # what takes 0.5 ms and more",
		"nettrace system_network_latency_details --direction rx --stage-us backlog_enq:backlog_deq:200"
		"  # waits for the softirq",
	},
	.engine_data = &(const struct nt_tl_desc){ .details = true },
};
