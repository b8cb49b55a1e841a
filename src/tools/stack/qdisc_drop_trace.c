/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/qdisc_drop.h"

#include <unistd.h>

#define O(member) offsetof(struct nt_qdisc_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "interface", .letter = 'i', .flags = NT_OPT_COMMON },
	{ .name = "interval", .letter = 'I', .def = "10", .flags = NT_OPT_COMMON, .help = "report period" },
	{ .name = "verbose", .letter = 'v', .flags = NT_OPT_COMMON,
	  .help = "task and call stack of every drop" },
	{ .name = "drops-only", .type = NT_OPT_FLAG, .offset = O(drops_only),
	  .help = "show drops, not every packet; always so unless --trace-all is given" },
	{ .name = "summary", .type = NT_OPT_FLAG, .offset = O(summary), .help = "tables only, no drop by itself" },
	{ .name = "trace", .letter = 't', .type = NT_OPT_FLAG, .offset = O(trace),
	  .help = "events only, no tables until the end; return codes are not counted" },
	{ .name = "trace-all", .type = NT_OPT_FLAG, .offset = O(trace_all),
	  .help = "show every packet at the queue and at the driver too" },
	{ .name = "rate", .type = NT_OPT_U32, .offset = O(drop.rate), .def = "1000", .max = 4294967295.0,
	  .unit = "events/s", .help = "show at most this many, count the others; 0: no limit" },
};

/* Kernels from 7.1 on say so themselves. */
static bool has_qdisc_drop(const void *o)
{
	(void)o;
	return !access("/sys/kernel/tracing/events/qdisc/qdisc_drop", F_OK) ||
	       !access("/sys/kernel/debug/tracing/events/qdisc/qdisc_drop", F_OK);
}

static bool wants_codes(const void *o)
{
	return !((const struct nt_qdisc_opts *)o)->trace;
}

static bool wants_passages(const void *o)
{
	return ((const struct nt_qdisc_opts *)o)->trace_all;
}

#define USED(kind, function)								\
static bool uses_##kind(const void *o)							\
{											\
	(void)o;									\
	return nt_qdisc_kind_used(#kind);						\
}
NT_QDISC_KINDS(USED)

#define OR_USED(kind, function) || nt_qdisc_kind_used(#kind)
static bool uses_any(const void *o)
{
	(void)o;
	return false NT_QDISC_KINDS(OR_USED);
}

#define ENQUEUE(kind, function)								\
	{ .stem = "enq_" #kind, .type = NT_HOOK_FUNC, .targets = #function, .need = NT_OPTIONAL,	\
	  .wanted = uses_##kind,							\
	  .loss = "that " #kind " is the leaf of a drop, and how long it had the packet" },

static const struct nt_hook hooks[] = {
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb",
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "qdisc_drop", .type = NT_HOOK_TP, .targets = "qdisc:qdisc_drop", .need = NT_OPTIONAL,
	  .wanted = has_qdisc_drop, .loss = "the discipline of drops whose device is gone" },
	{ .stem = "xmit_in", .type = NT_HOOK_FUNC, .targets = "__dev_queue_xmit", .need = NT_OPTIONAL,
	  .wanted = wants_codes, .loss = "what callers of __dev_queue_xmit get back" },
	{ .stem = "xmit_out", .type = NT_HOOK_RET, .targets = "__dev_queue_xmit", .need = NT_OPTIONAL,
	  .wanted = wants_codes, .loss = "what callers of __dev_queue_xmit get back" },
	{ .stem = "driver_rc", .type = NT_HOOK_TP, .targets = "net:net_dev_xmit", .need = NT_OPTIONAL,
	  .wanted = wants_codes, .loss = "what drivers answer" },
	{ .stem = "tx_queue", .type = NT_HOOK_TP, .targets = "net:net_dev_queue", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .wanted = wants_passages,
	  .loss = "packets that reach the queue" },
	{ .stem = "tx_driver", .type = NT_HOOK_TP, .targets = "net:net_dev_start_xmit", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .wanted = wants_passages,
	  .loss = "packets that reach the driver" },
	NT_QDISC_KINDS(ENQUEUE)
	{ .stem = "dequeue", .type = NT_HOOK_TP, .targets = "qdisc:qdisc_dequeue", .wanted = uses_any },
	{ .stem = "consume", .type = NT_HOOK_TP, .targets = "skb:consume_skb", .wanted = uses_any,
	  .flags = NT_HOOK_EOL },
};

const struct nt_tool nt_tool_qdisc_drop_trace = {
	.name = "qdisc_drop_trace",
	.aliases = "qdisc_drop_trace.py",
	.group = NT_GROUP_STACK,
	.summary = "where the transmit path loses packets: device, queue, discipline, reason",
	.help =
	"Shows every packet that is dropped between the stack and the driver, with the queueing discipline of\n"
	"its transmit queue, the inner one that held it (leaf; for kinds in use when the tool starts), how full\n"
	"that was and how long it had the packet. The tables count drops by discipline and put the kernel's own\n"
	"counter (tc -s qdisc) beside: \"unexplained\" is what it counted more. Return codes are those that\n"
	"callers of __dev_queue_xmit and the stack (from drivers) got for the devices watched, whatever packet\n"
	"filter there is. A drop at __rtnl_unlock is what a discipline still held when it was reset.",
	.example = {
		"nettrace qdisc_drop_trace -i eth0                  # every drop of eth0, tables every 10 s",
		"nettrace qdisc_drop_trace --summary -I 1 --json    # once a second, all devices, JSON",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_qdisc_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PORT | NT_TUPLE_PROTO | NT_TUPLE_DEV | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_qdrops|nt_qleaf",
	.engine = &nt_qdisc_drop_engine,
	.check = nt_qdisc_drop_check,
};
