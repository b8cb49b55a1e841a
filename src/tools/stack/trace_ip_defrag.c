/* SPDX-License-Identifier: GPL-2.0 */
#include <unistd.h>

#include "nettrace/frag.h"

#define O(member) offsetof(struct nt_frag_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "src-ip", .letter = 's', .flags = NT_OPT_COMMON },
	{ .name = "dst-ip", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "protocol", .letter = 'p', .flags = NT_OPT_COMMON },
	{ .name = "interval", .letter = 'i', .def = "5", .flags = NT_OPT_COMMON, .help = "report period" },
	{ .name = "verbose", .letter = 'v', .flags = NT_OPT_COMMON, .help = "call stack of every event" },
	{ .name = "max-entries", .def = "8192", .flags = NT_OPT_COMMON,
	  .help = "incomplete datagrams that are followed at a time" },
	{ .name = "log-file", .type = NT_OPT_STRING, .arg = "FILE", .offset = O(log_file),
	  .help = "append events and reports to this file too, as text, each line at once" },
	{ .name = "summary", .letter = 'S', .type = NT_OPT_FLAG, .offset = O(summary),
	  .help = "reports only, no event by itself" },
	{ .name = "all", .type = NT_OPT_FLAG, .offset = O(all),
	  .help = "show every fragment and every complete datagram too; the old name does" },
	{ .name = "failures-only", .type = NT_OPT_FLAG, .offset = O(failures_only),
	  .help = "show DUP, OVERLAP, TIMEOUT, NOMEM and ERROR; default except under the old name" },
	{ .name = "rate", .type = NT_OPT_U32, .offset = O(rate), .def = "1000", .max = 4294967295.0,
	  .unit = "events/s", .help = "show at most this many, count the others; 0: no limit" },
};

/* nf_defrag_ipv6 is there only where something tracks IPv6 connections; its sysctl tells, whether
 * it is a module or not. */
static bool has_gather(const void *o)
{
	(void)o;
	return !access("/sys/module/nf_defrag_ipv6", F_OK) ||
	       !access("/proc/sys/net/netfilter/nf_conntrack_frag6_timeout", F_OK);
}

#define FOLLOW(program, kind, function)								\
	{ .stem = program, .type = kind, .targets = function, .need = NT_VARIANT, .group = "queues" }
#define FRAG6_LOSS "IPv6 datagrams that are put together for this host"
#define GATHER_LOSS "IPv6 datagrams that are put together for connection tracking"

static const struct nt_hook hooks[] = {
	{ .stem = "defrag_in", .type = NT_HOOK_FUNC, .targets = "ip_defrag", .need = NT_VARIANT,
	  .group = "queues", .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	FOLLOW("defrag_out", NT_HOOK_RET, "ip_defrag"),
	FOLLOW("find_in", NT_HOOK_FUNC, "inet_frag_find"),
	FOLLOW("find_out", NT_HOOK_RET, "inet_frag_find"),
	FOLLOW("insert_in", NT_HOOK_FUNC, "inet_frag_queue_insert"),
	FOLLOW("insert_out", NT_HOOK_RET, "inet_frag_queue_insert"),
	FOLLOW("finish", NT_HOOK_FUNC, "inet_frag_reasm_finish"),
	FOLLOW("destroy", NT_HOOK_FUNC, "inet_frag_destroy"),
	{ .stem = "kfree_skb", .type = NT_HOOK_TP, .targets = "skb:kfree_skb", .need = NT_VARIANT,
	  .group = "queues", .variant = 1, .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES },
	{ .stem = "expire4", .type = NT_HOOK_FUNC, .targets = "ip_expire", .need = NT_OPTIONAL,
	  .loss = "timeouts of IPv4 datagrams, only that they failed" },
	{ .stem = "frag6_in", .type = NT_HOOK_FUNC, .targets = "ipv6_frag_rcv", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .loss = FRAG6_LOSS },
	{ .stem = "frag6_out", .type = NT_HOOK_RET, .targets = "ipv6_frag_rcv", .need = NT_OPTIONAL,
	  .loss = FRAG6_LOSS },
	{ .stem = "expire6", .type = NT_HOOK_FUNC, .targets = "ip6_frag_expire", .need = NT_OPTIONAL,
	  .loss = "timeouts of IPv6 datagrams, only that they failed" },
	{ .stem = "gather_in", .type = NT_HOOK_FUNC, .targets = "nf_ct_frag6_gather", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_ENTRY | NT_HOOK_BYTES, .wanted = has_gather, .loss = GATHER_LOSS },
	{ .stem = "gather_out", .type = NT_HOOK_RET, .targets = "nf_ct_frag6_gather", .need = NT_OPTIONAL,
	  .wanted = has_gather, .loss = GATHER_LOSS },
	{ .stem = "expire_gather", .type = NT_HOOK_FUNC, .targets = "nf_ct_frag6_expire", .need = NT_OPTIONAL,
	  .wanted = has_gather, .loss = "timeouts of IPv6 datagrams in connection tracking, only that they failed" },
};

const struct nt_tool nt_tool_trace_ip_defrag = {
	.name = "trace_ip_defrag",
	.aliases = "trace_ip_defrag.py",
	.group = NT_GROUP_STACK,
	.summary = "fragmented datagrams that are not put together, and why: loss, overlap, memory",
	.help =
	"Follows the fragments of IPv4 and IPv6 datagrams from their queue's beginning to its end:\n"
	"\n"
	"  FRAG      kept in the queue of its datagram\n"
	"  DUP       the same bytes once more: refused, the datagram may still become complete\n"
	"  OVERLAP   other bytes in the same place: the kernel gives the whole datagram up\n"
	"  COMPLETE  put together, with the time from the first fragment to the last\n"
	"  TIMEOUT   fragments stayed away too long; which bytes are missing\n"
	"  NOMEM     no queue for it: the queues are at their memory limit (ipfrag_high_thresh)\n"
	"  ERROR     refused, or given up, for another reason: lengths that contradict, too large\n"
	"\n"
	"\"for\" says who asked: local_deliver, or connection tracking with its zone (Open vSwitch too).\n"
	"IPv6 in connection tracking is seen if its module is loaded when the tool starts. A filter\n"
	"expression holds for the whole datagram once one of its fragments matches; only the first has\n"
	"ports, and tcpdump's \"udp port\" does not look behind an IPv6 fragment header. Where functions\n"
	"cannot be hooked, single fragments that are freed as duplicates or after a timeout are shown,\n"
	"beside the counters of the kernel.",
	.example = {
		"nettrace trace_ip_defrag                            # what fails, totals every 5 s",
		"nettrace trace_ip_defrag --all -p udp -s 10.0.0.0/8 # every fragment of these senders",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_frag_opts),
	.tuple = NT_TUPLE_ADDR | NT_TUPLE_PROTO | NT_TUPLE_DEV | NT_TUPLE_EXPR,
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_frags",
	.engine = &nt_frag_engine,
	.check = nt_frag_check,
};
