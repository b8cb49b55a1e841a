/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/timeline.h"

#define O(member) offsetof(struct nt_tl_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "direction", .letter = 'r', .type = NT_OPT_ENUM, .offset = O(direction),
	  .choices = "tx|rx|both", .def = "tx", .flags = NT_OPT_FILTER,
	  .help = "pings that this host sends (tx), or that it answers (rx)" },
	{ .name = "latency-ms", .letter = 'l', .type = NT_OPT_FLOAT, .offset = O(latency_ms),
	  .max = 1e6, .unit = "ms",
	  .help = "show sessions that took at least so long; the histograms have all" },
	{ .name = "timeout-ms", .type = NT_OPT_U32, .offset = O(timeout_ms), .def = "5000",
	  .min = 1, .max = 3600000, .unit = "ms",
	  .help = "give a session up that has not ended by then" },
	{ .name = "disable-kernel-stacks", .letter = 'k', .type = NT_OPT_FLAG,
	  .offset = O(no_stacks), .help = "no kernel stack for each stage" },
	{ .name = "summary", .type = NT_OPT_FLAG, .offset = O(summary),
	  .help = "no line for each session, figures only; --interval implies it" },
	{ .name = "debug", .type = NT_OPT_FLAG, .offset = O(debug),
	  .help = "count at each hook what was left out, and why" },
	/* spellings of the script */
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON,
	  .help = "address or prefix of one end; the local one is found by itself" },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON,
	  .help = "address or prefix of the other end" },
	{ .name = "interface", .letter = 'i', .aliases = "phy-interface", .flags = NT_OPT_COMMON,
	  .help = "devices at which the stages phy_* count; the IP stages know no device" },
	{ .name = "interval", .flags = NT_OPT_COMMON,
	  .help = "print figures of each period instead of sessions" },
	{ .name = "max-entries", .def = "8192", .flags = NT_OPT_COMMON,
	  .help = "sessions that can be under way at a time" },
};

#define NO_STAGE(name) "the stage " name " and its share of the time"

static const struct nt_hook hooks[] = {
	{ .stem = "ip_out", .type = NT_HOOK_FUNC, .targets = "__ip_local_out", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .loss = NO_STAGE("ip_out") },
	{ .stem = "ip6_out", .type = NT_HOOK_FUNC, .targets = "__ip6_local_out", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .loss = NO_STAGE("ip_out (IPv6)") },
	{ .stem = "phy_queue", .type = NT_HOOK_TP, .targets = "net:net_dev_queue",
	  .need = NT_REQUIRED, .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "phy_xmit", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit",
	  .need = NT_OPTIONAL, .loss = NO_STAGE("phy_xmit") },
	{ .stem = "phy_rx", .type = NT_HOOK_TP, .targets = "net:netif_receive_skb",
	  .need = NT_REQUIRED, .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "ip_rcv", .type = NT_HOOK_FUNC, .targets = "ip_rcv_core", .need = NT_OPTIONAL,
	  .loss = NO_STAGE("ip_rcv") },
	{ .stem = "ip6_rcv", .type = NT_HOOK_FUNC, .targets = "ip6_rcv_core", .need = NT_OPTIONAL,
	  .loss = NO_STAGE("ip_rcv (IPv6)") },
	{ .stem = "icmp_rcv", .type = NT_HOOK_FUNC, .targets = "icmp_rcv", .need = NT_OPTIONAL,
	  .loss = NO_STAGE("icmp_rcv") },
	{ .stem = "icmp6_rcv", .type = NT_HOOK_FUNC, .targets = "icmpv6_rcv", .need = NT_OPTIONAL,
	  .loss = NO_STAGE("icmp_rcv (IPv6)") },
};

extern const struct nt_tool nt_tool_kernel_icmp_rtt;
const struct nt_tool nt_tool_kernel_icmp_rtt = {
	.name = "kernel_icmp_rtt",
	.aliases = "kernel_icmp_rtt.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "how long a ping takes: this host's kernel out and in, and what is outside",
	.help =
	"Follows each ICMP or ICMPv6 echo request and its reply through the kernel's stages:\n"
	"\n"
	"  ip_out     the IP layer sends it (filter rules, routing, neighbour lie behind)\n"
	"  phy_queue  it is given to a device, in front of the queueing discipline\n"
	"  phy_xmit   it is given to the device's driver\n"
	"  phy_rx     the driver has handed it to the stack; interrupt and GRO are before that\n"
	"  ip_rcv     the IP layer receives it\n"
	"  icmp_rcv   it is delivered: behind it is the ping process, or the kernel that answers\n"
	"\n"
	"A ping of this host (tx) goes out in the first three and comes back in the others; outside is\n"
	"the wire, the peer, and both NICs with their drivers. A ping that comes in (rx) takes them the\n"
	"other way round; between icmp_rcv and ip_out this host makes the answer.\n"
	"\n"
	"A session that has not ended after --timeout-ms is shown with the last stage it reached: was the\n"
	"request sent, did the reply come back, was it lost inside? With rx, requests that this host\n"
	"only forwards begin too and time out: give the address that is pinged.\n"
	"\n"
	"Which of --src-ip and --dst-ip is the local end is found out, if one of them is an address of\n"
	"this namespace; else --src-ip is the end that pings. Lengths count from the IP header.",
	.example = {
		"nettrace kernel_icmp_rtt -d 192.0.2.1 -k  # pings to that host, without stacks",
		"nettrace kernel_icmp_rtt -r both --interval 10  # all pings, a table every 10 s",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_tl_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_DEV | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_rtts",
	.engine = &nt_timeline_engine,
	.engine_data = &(const struct nt_tl_desc){ .details = true, .legs = true, .by_packet = true },
	.check = nt_timeline_legs_check,
};
