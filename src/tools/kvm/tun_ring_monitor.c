/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/queue.h"

#define O(member) offsetof(struct nt_queue_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "device", .letter = 'd', .type = NT_OPT_STRLIST, .offset = O(devs),
	  .arg = "NAME[,NAME]", .flags = NT_OPT_FILTER,
	  .help = "tun and tap devices: names or globs (vnet*) of this namespace, followed when"
		  " they come again (default: all of every namespace)" },
	{ .name = "queue", .type = NT_OPT_U32, .offset = O(queue), .max = 255, .unit = "queue",
	  .flags = NT_OPT_FILTER, .help = "this transmit queue only (default: all)" },
	{ .name = "match", .type = NT_OPT_ENUM, .offset = O(match), .choices = "all|any",
	  .def = "all", .flags = NT_OPT_FILTER,
	  .help = "whether a packet must match all of the address, port and protocol options or any"
		  " of them; device, queue and expression always count" },
	{ .name = "all", .letter = 'a', .type = NT_OPT_FLAG, .offset = O(all),
	  .help = "an event for every packet, not only for drops and full rings" },
	{ .name = "threshold", .type = NT_OPT_U32, .offset = O(threshold), .arg = "PCT", .unit = "%",
	  .min = 1, .max = 100,
	  .help = "events for packets too that find the ring filled to this part" },
	{ .name = "wait", .type = NT_OPT_FLAG, .offset = O(wait),
	  .help = "measure how long packets stay in the ring until vhost takes them" },
	{ .name = "rate", .type = NT_OPT_U32, .offset = O(rate), .def = "20000", .max = 1e9,
	  .unit = "events/s", .aliases = "max-rate",
	  .help = "show at most so many events a second, count the rest; 0: no limit" },
	/* spellings of the script */
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'D', .flags = NT_OPT_COMMON },
	{ .name = "src-port", .letter = 'p', .flags = NT_OPT_COMMON },
	{ .name = "dst-port", .letter = 'P', .flags = NT_OPT_COMMON },
	{ .name = "protocol", .letter = 'r', .flags = NT_OPT_COMMON },
	{ .name = "interval", .flags = NT_OPT_COMMON,
	  .help = "print the table of queues besides the events" },
	{ .name = "verbose", .letter = 'v', .flags = NT_OPT_COMMON,
	  .help = "more detail: ring indexes and addresses in events" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "xmit", .type = NT_HOOK_FUNC, .targets = "tun_net_xmit", .need = NT_VARIANT,
	  .group = "transmit", .variant = 0, .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "xmit_ret", .type = NT_HOOK_RET, .targets = "tun_net_xmit", .need = NT_VARIANT,
	  .group = "transmit", .variant = 0 },
	{ .stem = "dev_start_xmit", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit",
	  .need = NT_VARIANT, .group = "transmit", .variant = 1,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "dev_xmit", .type = NT_HOOK_TP, .targets = "net:net_dev_xmit",
	  .need = NT_VARIANT, .group = "transmit", .variant = 1 },
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_OPTIONAL,
	  .loss = "the reason of a drop" },
	{ .stem = "do_read", .type = NT_HOOK_FUNC, .targets = "tun_do_read", .need = NT_OPTIONAL,
	  .wanted = nt_queue_wants_wait, .loss = "the time that packets wait in the ring" },
};

static const struct nt_type_need types[] = {
	{ .module = "tun", .name = "tun_struct",
	  .loss = "the ring: how full it is, for how long, and why a packet was dropped before 5.17" },
};

extern const struct nt_tool nt_tool_tun_ring_monitor;
const struct nt_tool nt_tool_tun_ring_monitor = {
	.name = "tun_ring_monitor",
	.aliases = "tun_ring_monitor.py",
	.group = NT_GROUP_KVM,
	.summary = "the ring between host and virtual machine (tap): how full, what is dropped and why",
	.help =
	"Watches the ring that a tun or tap device (vnetN) holds for its reader, vhost or QEMU. It takes\n"
	"txqueuelen packets; one that comes when it is full is dropped. Events are drops, and packets that\n"
	"met a full ring; --all and --threshold show more.\n"
	"\n"
	"Used is what a packet meets as it is sent: packets that the reader has not taken yet. Slots that it\n"
	"took but has not cleared (ring_stale) still block the producer, so a ring can be full with less.\n"
	"Whether a packet was dropped is the kernel's verdict, why is its drop reason (5.17 and later).\n"
	"\n"
	"The table has for each queue how many packets were in the ring (least, mean, most; percentiles in\n"
	"percent), for how long it was full (from a packet that did not fit to the next one that did), and\n"
	"the longest burst of packets that did not fit: so much more txqueuelen would have held it.\n"
	"\n"
	"Kernels without BTF for modules (before 5.11) give packets and drops, but no ring figures, unless\n"
	"a BTF file that knows the module tun is given: see nettrace btf --help.",
	.example = {
		"nettrace tun_ring_monitor -d 'vnet*' --interval 5  # drops, and the queues every 5 s",
		"nettrace tun_ring_monitor -d vnet3 --wait --threshold 80 tcp port 443  "
		"# what meets a ring at 80 %, and for how long it waits",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_queue_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.types = types,
	.n_types = NT_COUNT(types),
	.state_maps = "nt_rings",
	.engine = &nt_queue_engine,
	.check = nt_queue_check,
};
