/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/qdisc_latency.h"

#define O(member) offsetof(struct nt_qlat_opts, member)

static const struct nt_opt opts[] = {
	/* letters of the script */
	{ .name = "interface", .letter = 'd', .aliases = "dev", .flags = NT_OPT_COMMON },
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON,
	  .help = "address or prefix of one end, whichever" },
	{ .name = "dst-ip", .letter = 'D', .flags = NT_OPT_COMMON,
	  .help = "address or prefix of the other end" },
	{ .name = "src-port", .letter = 'p', .flags = NT_OPT_COMMON, .help = "port or range of one end, whichever" },
	{ .name = "dst-port", .letter = 'P', .flags = NT_OPT_COMMON, .help = "port or range of the other end" },
	{ .name = "protocol", .letter = 'r', .aliases = "proto", .flags = NT_OPT_COMMON },
	{ .name = "threshold", .type = NT_OPT_FLOAT, .offset = O(threshold_us), .max = 1e9, .unit = "us",
	  .help = "show packets that needed at least so long to the driver; the figures have all" },
	{ .name = "summary", .type = NT_OPT_FLAG, .offset = O(summary),
	  .help = "figures and the slowest packets only; --interval implies it, unless --threshold is given" },
	{ .name = "timeout-ms", .type = NT_OPT_U32, .offset = O(timeout_ms), .def = "60000", .min = 1,
	  .max = 3600000, .unit = "ms", .help = "give a packet up that has not ended by then" },
	{ .name = "top", .flags = NT_OPT_COMMON, .help = "slowest packets that are kept, and rows of tables" },
	{ .name = "max-entries", .def = "65536", .flags = NT_OPT_COMMON,
	  .help = "packets that can be at the queues at a time" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "tx_queue", .type = NT_HOOK_TP, .targets = "net:net_dev_queue",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "dequeue", .type = NT_HOOK_TP, .targets = "qdisc:qdisc_dequeue" },
	{ .stem = "tx_driver", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .flags = NT_HOOK_EOL },
	{ .stem = "consume_skb", .type = NT_HOOK_TP, .targets = "skb:consume_skb", .flags = NT_HOOK_EOL },
};

extern const struct nt_tool nt_tool_qdisc_latency_details;
const struct nt_tool nt_tool_qdisc_latency_details = {
	.name = "qdisc_latency_details",
	.aliases = "qdisc_latency_details.py|qdisc_lateny_details|qdisc_lateny_details.py",
	.group = NT_GROUP_STACK,
	.summary = "how long packets wait in the qdisc and for the driver, and which never came out",
	.help =
	"Follows each packet from its transmit queue to the device's driver, or to its end:\n"
	"\n"
	"  queued   the discipline took it: \"in qdisc\" is the time until it gave it away\n"
	"  bypass   the discipline was empty and let it past: it did not wait\n"
	"  noqueue  the device has no discipline\n"
	"\n"
	"\"to driver\" is the time from there until the driver was given the packet: requeues (the driver was\n"
	"busy), segmentation, the queue's lock. Histograms of the wait are those of queued packets, so a\n"
	"device whose packets all went past looks as it is. A packet that is dropped inside is shown with the\n"
	"time it had been there. A packet larger than the device takes is cut into segments: it ends as\n"
	"consumed, its segments are counted. Copies that a discipline makes (netem, cake, tbf) have no\n"
	"beginning: they are \"unmatched\".\n"
	"\n"
	"Packets are followed by their buffer's address, not by their headers. With --summary or --interval\n"
	"the slowest of each report are shown, --top of them.",
	.example = {
		"nettrace qdisc_latency_details -d eth0 --threshold 1000  # packets that needed 1 ms or more",
		"nettrace qdisc_latency_details --interval 10 --top 5  # every 10 s: tables, the 5 slowest",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_qlat_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_DEV | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_tracks",
	.engine = &nt_qdisc_latency_engine,
	.check = nt_qdisc_latency_check,
};
