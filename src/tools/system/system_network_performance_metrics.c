/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/timeline.h"

static const struct nt_opt opts[] = {
	NT_TL_OPTS,
	{ .name = "phy-interface", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(phy), .arg = "NAME[,NAME]",
	  .aliases = "interface", .letter = 'i', .flags = NT_OPT_FILTER,
	  .help = "uplinks (default: devices on a bus that are up, else those of default routes)" },
	{ .name = "internal-interface", .type = NT_OPT_IFNAMES, .offset = NT_TL_O(internal), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER, .help = "Open vSwitch's internal ports that have the addresses (default: all)" },
	{ .name = "direction", .type = NT_OPT_ENUM, .offset = NT_TL_O(direction), .choices = "tx|rx|both", .def = "both",
	  .flags = NT_OPT_FILTER, .help = "packets that this host sends (tx) or receives (rx)" },
	{ .name = "latency-us", .type = NT_OPT_FLOAT, .offset = NT_TL_O(latency_us), .max = 1e9, .unit = "us",
	  .help = "show packets that took at least so long; the figures have all" },
	{ .name = "stage-us", .type = NT_OPT_STRING, .offset = NT_TL_O(stage_us), .arg = "FROM:TO:US",
	  .help = "show packets that took at least so many us from one stage to another" },
	{ .name = "enable-ct", .type = NT_OPT_FLAG, .offset = NT_TL_O(enable_ct),
	  .help = "the stages ct_in and ct_out: connection tracking in Open vSwitch" },
	{ .name = "summary", .type = NT_OPT_FLAG, .offset = NT_TL_O(summary),
	  .help = "no packets, figures by stage and by device; --interval and --histogram imply it" },
	{ .name = "histogram", .letter = 'H', .aliases = "hist", .type = NT_OPT_FLAG, .offset = NT_TL_O(hist),
	  .help = "draw the distribution of each pair of stages" },
	NT_TL_STACKS_ROW,
	{ .name = "rate", .type = NT_OPT_U32, .offset = NT_TL_O(rate), .def = "1000", .max = 1e9, .unit = "events/s",
	  .help = "show at most so many packets a second, count the rest; 0: no limit" },
	{ .name = "top", .flags = NT_OPT_COMMON, .help = "keep only so many, the slowest, and show them at the end" },
	{ .name = "protocol", .flags = NT_OPT_COMMON, .help = "tcp, udp, icmp (ICMPv6, too) or all" },
	{ .name = "interval", .letter = 'I', .flags = NT_OPT_COMMON, .help = "print the figures of each period" },
};

/* The port's options make it the port's tool: figures, every 5 s. */
static int check(struct nt_run *r, struct nt_err *err)
{
	struct nt_tl_opts *o = nt_run_opts_rw(r);

	if (nt_run_given(r, "interval") || nt_run_given(r, "histogram"))
		o->summary = true;
	if (o->summary && !nt_run_given(r, "interval"))
		nt_run_common(r)->interval_ns = 5000000000ULL;
	return nt_timeline_check(r, err);
}

extern const struct nt_tool nt_tool_system_network_performance_metrics;
const struct nt_tool nt_tool_system_network_performance_metrics = {
	NT_TL_TOOL_WITH(NT_TL_N_ALL_HOOKS, check),
	.name = "system_network_performance_metrics",
	.aliases = "system_network_performance_metrics.py|system_network_perfomance_metrics|"
		   "system_network_perfomance_metrics.py",
	.summary = "all that packets of this host meet: stages with device, queue, CPU, length, and the qdisc",
	.help =
	"Shows this host's TCP, UDP and ICMP packets with all stages, and at each the CPU, device, queue,\n"
	"length and hash:\n"
	"\n"
	"  tx  ip_out, internal_xmit, ovs_recv, ovs_process, ct_in, ct_out, ovs_upcall, ovs_exec, ovs_send,\n"
	"      phy_queue, qdisc_deq, phy_xmit\n"
	"  rx  phy_rx, ovs_hook, ovs_recv, ovs_process, ct_in, ct_out, ovs_upcall, ovs_exec, ovs_send,\n"
	"      internal_recv, backlog_enq, backlog_deq, internal_rx, ip_rcv, l4_rcv\n"
	"\n"
	"A stage that a packet does not visit is absent. What is sent ends at the driver: phy_queue to\n"
	"qdisc_deq is the wait in the discipline, \"in the qdisc\" how many packets it had when this one came.\n"
	"Of a larger packet (GSO) the first segment goes on to the driver. With --summary there are figures\n"
	"instead: pairs of stages, and packets, bytes, drops and times by device.",
	.example = {
		"nettrace system_network_performance_metrics --dst-ip 10.0.0.9 --latency-us 1000  # what takes 1 ms",
		"nettrace system_network_performance_metrics --interval 5  # figures by stage and device",
	},
	.engine_data = &(const struct nt_tl_desc){ .details = true, .columns = true },
};
