/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/drop.h"

#define O(member) offsetof(struct nt_drop_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "type", .letter = 't', .flags = NT_OPT_COMMON },
	{ .name = "protocol", .letter = 'p', .flags = NT_OPT_COMMON },
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "src-port", .letter = 'S', .flags = NT_OPT_COMMON },
	{ .name = "dst-port", .letter = 'D', .flags = NT_OPT_COMMON },
	{ .name = "vlan-id", .letter = 'V', .flags = NT_OPT_COMMON },
	{ .name = "interface", .letter = 'i', .flags = NT_OPT_COMMON },
	{ .name = "no-stack-trace", .letter = 'n', .type = NT_OPT_FLAG, .offset = O(no_stack),
	  .help = "collect no stacks" },
	{ .name = "disable-normal-filter", .letter = 'N', .type = NT_OPT_FLAG, .offset = O(show_benign),
	  .help = "show normal ends of life (sockets that close, packet taps) too" },
	{ .name = "normal-list", .type = NT_OPT_STRING, .arg = "FILE", .offset = O(normal_list),
	  .help = "functions whose frees are normal, one a line, instead of the built-in list" },
	{ .name = "reason", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(reason),
	  .help = "drop reasons to show" },
	{ .name = "exclude-reason", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(exclude_reason),
	  .help = "drop reasons to leave out" },
	{ .name = "location", .type = NT_OPT_STRLIST, .arg = "LIST", .offset = O(location),
	  .help = "functions whose drops are shown" },
	{ .name = "rate", .type = NT_OPT_U32, .offset = O(rate), .def = "1000", .max = 4294967295.0,
	  .unit = "events/s", .help = "show at most this many, count the others; 0: no limit" },
	{ .name = "deferred", .type = NT_OPT_FLAG, .offset = O(deferred),
	  .help = "for frees that interrupt context left to softirq, show who dropped the packet" },
	{ .name = "pcap", .type = NT_OPT_STRING, .arg = "FILE", .offset = O(pcap),
	  .help = "write the dropped packets as pcapng, with reason and place as comments" },
	{ .name = "snaplen", .type = NT_OPT_U32, .offset = O(snaplen), .def = "128", .min = 1,
	  .max = NT_SNAP_MAX, .unit = "bytes", .help = "bytes of a packet in the file and with --verbose" },
};

static bool deferred(const void *o)
{
	return ((const struct nt_drop_opts *)o)->deferred;
}

static const struct nt_hook hooks[] = {
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "free_irq", .type = NT_HOOK_FUNC, .targets = "dev_kfree_skb_irq_reason|__dev_kfree_skb_irq",
	  .need = NT_OPTIONAL, .wanted = deferred, .loss = "who dropped packets that were freed later by softirq" },
};

const struct nt_tool nt_tool_eth_drop = {
	.name = "eth_drop",
	.aliases = "eth_drop.py",
	.group = NT_GROUP_STACK,
	.summary = "every packet this host drops: what was in it, which function dropped it, why",
	.help =
	"Shows each packet that the kernel drops (the tracepoint skb:kfree_skb) with its Ethernet, VLAN, IP and\n"
	"transport headers, the reason, the function that gave it up and the call stack. The task that is named\n"
	"is the one that ran on the CPU at that moment (current), rarely the owner of the packet. Normal ends\n"
	"of life are left out but counted. Filters on address, port or protocol reject packets without them.",
	.example = {
		"nettrace eth_drop -p udp -D 53                  # dropped DNS queries",
		"nettrace eth_drop -i eth0 --pcap d.pcapng 'vlan 100 and tcp'   # keep the packets too",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_drop_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_ETHTYPE | NT_TUPLE_VLAN |
		 NT_TUPLE_DEV | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.engine = &nt_drop_events_engine,
	.check = nt_drop_check,
};
