/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/softirqd.h"

#define O(member) offsetof(struct nt_softirqd_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "cpu", .letter = 'c', .type = NT_OPT_CPUS, .arg = "LIST", .offset = O(cpus), .flags = NT_OPT_FILTER,
	  .help = "CPUs to watch, as 0-3,8; default: all" },
	{ .name = "interval", .letter = 'i', .def = "5", .flags = NT_OPT_COMMON, .help = "report period" },
	{ .name = "duration", .letter = 'd', .flags = NT_OPT_COMMON },
	{ .name = "threshold-us", .type = NT_OPT_U32, .arg = "US", .offset = O(threshold_us), .def = "100",
	  .max = 4294967, .unit = "us", .help = "show each delay from this on, and who had the CPU" },
	{ .name = "vectors", .type = NT_OPT_FLAG, .offset = O(vectors),
	  .help = "also from raise to run of each kind of softirq, and how much of it these threads do" },
	{ .name = "napi", .type = NT_OPT_FLAG, .offset = O(napi),
	  .help = "the threads napi/... and backlog_napi/... too" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "sched_switch", .type = NT_HOOK_TP, .targets = "sched:sched_switch" },
	{ .stem = "sched_wakeup", .type = NT_HOOK_TP, .targets = "sched:sched_wakeup" },
	{ .stem = "softirq_raise", .type = NT_HOOK_TP, .targets = "irq:softirq_raise", .need = NT_OPTIONAL,
	  .wanted = nt_softirqd_wants_vectors, .loss = "how long softirqs wait from raise to run" },
	{ .stem = "softirq_entry", .type = NT_HOOK_TP, .targets = "irq:softirq_entry", .need = NT_OPTIONAL,
	  .wanted = nt_softirqd_wants_vectors, .loss = "how much softirq work is done, and where" },
};

extern const struct nt_tool nt_tool_ksoftirqd_sched_latency;
const struct nt_tool nt_tool_ksoftirqd_sched_latency = {
	.name = "ksoftirqd_sched_latency",
	.aliases = "ksoftirqd_sched_latency.py|ksoftirqd_sched_latency_summary|ksoftirqd_sched_latency_summary.py",
	.group = NT_GROUP_SYSTEM,
	.summary = "how long softirq work that is left to ksoftirqd waits for the CPU",
	.help =
	"When a CPU has more softirq work (network, timers, RCU) than it does behind interrupts, it wakes its\n"
	"thread ksoftirqd/N, which has to wait for the CPU as any other task has. Packets wait with it.\n"
	"\n"
	"  wakeups    of the thread while it slept; each begins a wait\n"
	"  preempted  it was put off its CPU with work left; that is a wait, too\n"
	"  wait       from either of them until the thread has the CPU\n"
	"  over       waits of --threshold-us or more; each is shown, with the task that had the CPU before\n"
	"\n"
	"The threads are found by name among kernel threads, again at each report. A report has the figures\n"
	"since the one before; the last one those since the start.",
	.example = {
		"nettrace ksoftirqd_sched_latency -c 0 --threshold-us 1000  # waits of 1 ms or more on CPU 0",
		"nettrace ksoftirqd_sched_latency --vectors -i 10  # every 10 s, with the kinds of work",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_softirqd_opts),
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.engine = &nt_softirqd_engine,
	.check = nt_softirqd_check,
};
