/* SPDX-License-Identifier: GPL-2.0 */
#include <string.h>

#include "nettrace/timeline.h"

static const struct nt_opt opts[] = {
	{ .name = "interface", .letter = 'i', .type = NT_OPT_IFNAMES, .offset = NT_TL_O(phy), .arg = "NAME[,NAME]",
	  .flags = NT_OPT_FILTER | NT_OPT_REQUIRED, .help = "devices whose packets are followed" },
	{ .name = "threshold", .letter = 't', .aliases = "threshold-us", .type = NT_OPT_FLOAT,
	  .offset = NT_TL_O(latency_us), .max = 1e9, .unit = "us",
	  .help = "show packets that took at least so long; called *_threshold: 1000, with --stacks, and no reports" },
	NT_TL_STACKS_ROW,
	{ .name = "rate", .type = NT_OPT_U32, .offset = NT_TL_O(rate), .def = "1000", .max = 1e9, .unit = "events/s",
	  .help = "show at most so many packets a second, count the rest; 0: no limit" },
	{ .name = "debug", .type = NT_OPT_FLAG, .offset = NT_TL_O(hist), .help = "draw the distribution of each pair of stages" },
	{ .name = "timeout-ms", .type = NT_OPT_U32, .offset = NT_TL_O(timeout_ms), .def = "5000", .min = 1,
	  .max = 3600000, .unit = "ms", .help = "give a packet up that has not ended by then" },
	{ .name = "strict-ports", .type = NT_OPT_FLAG, .offset = NT_TL_O(strict_ports), .flags = NT_OPT_FILTER,
	  .help = "--src-port is the source's and --dst-port the destination's; else either end may have it" },
	{ .name = "max-entries", .def = "16384", .flags = NT_OPT_COMMON, .help = "packets that can be on their way at a time" },
	/* letters of the earlier port */
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "src-port", .letter = 'S', .flags = NT_OPT_COMMON },
	{ .name = "dst-port", .letter = 'D', .flags = NT_OPT_COMMON },
	{ .name = "protocol", .letter = 'p', .flags = NT_OPT_COMMON },
	{ .name = "interval", .letter = 'I', .def = "5", .flags = NT_OPT_COMMON },
	{ .name = "duration", .letter = 'T', .flags = NT_OPT_COMMON },
};

static const struct nt_hook hooks[] = {
	{ .stem = "backlog_enq", .type = NT_HOOK_FUNC, .targets = "enqueue_to_backlog", .need = NT_REQUIRED,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "backlog_deq", .type = NT_HOOK_FUNC, .targets = "__netif_receive_skb", .need = NT_REQUIRED },
	{ .stem = "ip_rcv", .type = NT_HOOK_FUNC, .targets = "ip_rcv_core", .need = NT_REQUIRED },
	{ .stem = "ip6_rcv", .type = NT_HOOK_FUNC, .targets = "ip6_rcv_core", .need = NT_OPTIONAL,
	  .loss = "that packets of IPv6 arrive: they time out" },
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_REQUIRED, .flags = NT_HOOK_EOL },
};

/* The script by that name showed slow packets only. */
static int check(struct nt_run *r, struct nt_err *err)
{
	struct nt_tl_opts *o = nt_run_opts_rw(r);

	o->direction = NT_TL_ONLY_RX;
	if (strstr(nt_run_called_as(r), "threshold")) {
		o->stacks = true;
		if (!nt_run_given(r, "threshold"))
			o->latency_us = 1000;
		if (!nt_run_given(r, "interval"))
			nt_run_common(r)->interval_ns = 0;
	}
	return nt_timeline_backlog_check(r, err);
}

extern const struct nt_tool nt_tool_enqueue_to_iprec_latency;
const struct nt_tool nt_tool_enqueue_to_iprec_latency = {
	.name = "enqueue_to_iprec_latency",
	.aliases = "enqueue_to_iprec_latency.py|enqueue_to_iprec_latency_summary|enqueue_to_iprec_latency_summary.py|"
		   "enqueue_to_iprec_latency_threshold|enqueue_to_iprec_latency_threshold.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "how long a device's packets wait in the per-CPU backlog, and which ones waited too long",
	.help =
	"Packets of virtual devices (veth, tun, Open vSwitch's internal ports, loopback, tunnels), and of any\n"
	"device with RPS, are put into a CPU's backlog, from where a softirq on that CPU takes them:\n"
	"\n"
	"  backlog_enq to backlog_deq   the softirq (and an interrupt to another CPU), packets before it\n"
	"  backlog_deq to ip_rcv        taps, tc ingress, bridge or switch, up to the IP layer\n"
	"\n"
	"Shown are the times, how many packets were in the backlog before, and which CPU put packets in and\n"
	"which took them out. Packets that find the backlog full (net.core.netdev_max_backlog) are dropped.\n"
	"What comes past the backlog, as packets of a network card do without RPS, is only counted (direct).\n"
	"Packets that are not IP end at backlog_deq.",
	.example = {
		"nettrace enqueue_to_iprec_latency -i lo --interval 10  # figures every 10 s",
		"nettrace enqueue_to_iprec_latency -i lo -t 500 udp port 53  # packets that took 0.5 ms and more",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_tl_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_tracks",
	.engine = &nt_timeline_engine,
	.engine_data = &(const struct nt_tl_desc){ .backlog = true, .phy_option = "--interface" },
	.check = check,
};
