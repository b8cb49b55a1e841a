/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/phy.h"

#define O(member) offsetof(struct nt_phy_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "mode", .letter = 'm', .type = NT_OPT_ENUM, .offset = O(mode), .choices = "sender|receiver",
	  .flags = NT_OPT_REQUIRED, .help = "which end this is" },
	{ .name = "interface", .letter = 'i', .flags = NT_OPT_REQUIRED | NT_OPT_COMMON,
	  .help = "device that the probes use" },
	{ .name = "port", .letter = 'p', .type = NT_OPT_U32, .offset = O(port), .def = "5555", .min = 1,
	  .max = 65535, .unit = "", .help = "UDP port of the receiver" },
	{ .name = "peer", .type = NT_OPT_PREFIX, .arg = "ADDRESS", .offset = O(peer),
	  .help = "the receiver, IPv4 or IPv6; required for the sender" },
	{ .name = "duration", .letter = 'd', .def = "30", .flags = NT_OPT_COMMON,
	  .help = "time of sending; of a receiver: how long it waits for tests, until interrupted if not given" },
	{ .name = "rate", .letter = 'r', .type = NT_OPT_U32, .offset = O(rate), .def = "1000", .min = 1,
	  .max = 60000, .unit = "packets/s", .help = "probes a second" },
	{ .name = "size", .letter = 's', .type = NT_OPT_U32, .offset = O(size), .def = "64", .min = 16,
	  .max = 65000, .unit = "bytes", .help = "UDP payload of a probe" },
	{ .name = "verbose", .letter = 'v', .flags = NT_OPT_COMMON, .help = "counters that did not rise too" },
	{ .name = "loss-threshold", .type = NT_OPT_FLOAT, .offset = O(threshold_pct), .def = "0.01", .max = 100,
	  .arg = "PCT", .unit = "%", .help = "less is no loss" },
	{ .name = "once", .type = NT_OPT_FLAG, .offset = O(once), .help = "the receiver ends after one test" },
	{ .name = "bind", .type = NT_OPT_PREFIX, .arg = "ADDRESS", .offset = O(bind),
	  .help = "own address; default: any, IPv4 and IPv6" },
	{ .name = "rcvbuf", .type = NT_OPT_SIZE, .offset = O(rcvbuf_bytes), .def = "16M", .min = 2048,
	  .max = 1073741824.0, .unit = "bytes", .help = "receive buffer of the socket" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES,
	  .loss = "which probes this kernel drops, and why: the verdict rests on interface counters" },
};

const struct nt_tool nt_tool_phy_net_drop_detector = {
	.name = "phy_net_drop_detector",
	.aliases = "phy_net_drop_detector.py",
	.group = NT_GROUP_STACK,
	.summary = "is loss between two hosts in the network, in a card, or in one of the two kernels?",
	.help =
	"Run it with --mode receiver on one host, then with --mode sender on the other: numbered UDP probes go\n"
	"from here to there, and at the end the sender has the figures of both ends. With privilege each end\n"
	"also counts the probes that its own kernel drops, so that what neither dropped is lost between them.\n"
	"Either end may be the old script. Verdicts: NO_DROP, PHYSICAL_NETWORK_DROP, SENDER_STACK_DROP,\n"
	"RECEIVER_STACK_DROP, RECEIVER_APP_OVERRUN (the receiver's socket was full), INCONCLUSIVE.",
	.example = {
		"nettrace phy_net_drop_detector -m receiver -i eth0 --once        # on one host",
		"nettrace phy_net_drop_detector -m sender -i eth0 --peer 192.0.2.7 -r 5000   # on the other",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_phy_opts),
	.tuple = NT_TUPLE_DEV,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.works_without_bpf = true,
	.engine = &nt_phy_engine,
	.check = nt_phy_check,
};
