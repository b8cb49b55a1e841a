/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <string.h>

#include "nettrace/sched.h"

struct opts {
	struct nt_sched_opts sched;
	const char *log;
	bool to_stdout;
};
#define O(member) offsetof(struct opts, member)

static const struct nt_opt opts[] = {
	{ .name = "process", .letter = 'p', .type = NT_OPT_STRLIST, .arg = "NAME|PID,...", .offset = O(sched.process),
	  .def = "ovs-vswitchd", .flags = NT_OPT_FILTER,
	  .help = "processes, by name of the thread group leader or executable, or by id; all their threads" },
	{ .name = "all", .type = NT_OPT_FLAG, .offset = O(sched.all), .flags = NT_OPT_FILTER,
	  .help = "all threads of this machine" },
	{ .name = "period", .letter = 't', .type = NT_OPT_DURATION, .offset = O(sched.period_ns), .def = "1",
	  .min = 0.01, .max = 1e9, .unit = "s", .help = "measured span of a sample" },
	{ .name = "interval", .letter = 'i', .def = "1", .flags = NT_OPT_COMMON,
	  .help = "distance of the beginnings of samples; up to the period: without gaps" },
	{ .name = "log", .letter = 'l', .type = NT_OPT_STRING, .arg = "FILE", .offset = O(log),
	  .help = "write the samples to FILE, - is standard output; called as sched_latency_monitor.sh "
		  "it is sched_latency.log" },
	{ .name = "stdout", .type = NT_OPT_FLAG, .offset = O(to_stdout), .help = "the same as --log -" },
	{ .name = "threshold", .type = NT_OPT_U32, .arg = "US", .offset = O(sched.threshold_us), .unit = "us",
	  .help = "also show each delay from this on, and what ran on the CPU before it" },
	{ .name = "stack", .type = NT_OPT_FLAG, .offset = O(sched.stack),
	  .help = "with --threshold: the kernel stack of the thread that ran before" },
	{ .name = "from-waking", .type = NT_OPT_FLAG, .offset = O(sched.from_waking),
	  .help = "delays begin where the waker asks for it, so with the way to another CPU" },
	{ .name = "max-entries", .def = "2048", .flags = NT_OPT_COMMON, .help = "threads that are kept" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "sched_switch", .type = NT_HOOK_TP, .targets = "sched:sched_switch", .flags = NT_HOOK_ENTRY },
	{ .stem = "sched_wakeup", .type = NT_HOOK_TP, .targets = "sched:sched_wakeup" },
	{ .stem = "sched_wakeup_new", .type = NT_HOOK_TP, .targets = "sched:sched_wakeup_new" },
	{ .stem = "sched_waking", .type = NT_HOOK_TP, .targets = "sched:sched_waking",
	  .wanted = nt_sched_wants_waking },
	{ .stem = "migrate_task", .type = NT_HOOK_TP, .targets = "sched:sched_migrate_task", .need = NT_OPTIONAL,
	  .loss = "migrations between CPUs are not counted" },
	{ .stem = "process_exit", .type = NT_HOOK_TP, .targets = "sched:sched_process_exit", .need = NT_OPTIONAL,
	  .flags = NT_HOOK_EOL, .loss = "threads that ended keep their place in the map" },
	{ .stem = "process_fork", .type = NT_HOOK_TP, .targets = "sched:sched_process_fork", .need = NT_OPTIONAL,
	  .wanted = nt_sched_wants_names, .loss = "new processes of the name are seen an interval late" },
	{ .stem = "process_exec", .type = NT_HOOK_TP, .targets = "sched:sched_process_exec", .need = NT_OPTIONAL,
	  .wanted = nt_sched_wants_names, .loss = "processes that get the name by exec are seen an interval late" },
};

static bool called_as_script(const struct nt_run *r)
{
	size_t n = strlen(nt_run_called_as(r));

	return n > 3 && !strcmp(nt_run_called_as(r) + n - 3, ".sh");
}

static int check(struct nt_run *r, struct nt_err *err)
{
	struct opts *o = nt_run_opts_rw(r);
	struct nt_common_opts *c = nt_run_common(r);

	o->sched.has_threshold = nt_run_given(r, "threshold");
	if (o->sched.stack && !o->sched.has_threshold)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				  "--stack has nothing to show: without --threshold: give --threshold US");
	if (o->sched.all && nt_run_given(r, "process"))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				  "contradicting options: --all and --process: give one of them");
	if (o->log && c->output)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL,
				  "contradicting options: --log and --output: give one of them");
	if (!o->log && called_as_script(r) && !o->to_stdout && !c->output)
		o->log = "sched_latency.log";
	if (o->log && strcmp(o->log, "-") && !o->to_stdout)
		c->output = o->log;
	if (o->sched.period_ns < c->interval_ns)
		nt_run_set_first_interval(r, o->sched.period_ns);
	return 0;
}

const struct nt_tool nt_tool_sched_latency_monitor = {
	.name = "sched_latency_monitor",
	.aliases = "sched_latency_monitor.sh|sched_latency_monitor.py",
	.group = NT_GROUP_CPU,
	.summary = "how long the threads of a process wait for a CPU, sample by sample",
	.help =
	"Measures for every thread of the processes how long it was runnable before it ran: from its wakeup, or\n"
	"from its preemption, to its switch-in. Wakeups count wherever they come from. Each sample shows run\n"
	"time, switches and delays of the active threads, the longest delay, when it was, and which thread had\n"
	"the CPU before. Processes that appear later are taken up; run time includes the slice that still runs.",
	.example = {
		"nettrace sched_latency_monitor -p ovs-vswitchd -i 5 -t 5   # every 5 s, without gaps",
		"nettrace sched_latency_monitor -p qemu-system-x86,vhost --threshold 2000 # each wait from 2 ms on",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct opts),
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_threads",
	.engine = &nt_sched_engine,
	.check = check,
};
