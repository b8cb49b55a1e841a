/* SPDX-License-Identifier: GPL-2.0 */
#include "nettrace/cpu.h"

#define O(member) offsetof(struct nt_cpu_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "cpus", .letter = 'c', .type = NT_OPT_CPUS, .arg = "LIST", .offset = O(cpus), .flags = NT_OPT_FILTER,
	  .help = "CPUs to watch, as 0-3,8; default: all" },
	{ .name = "interval", .letter = 'i', .def = "5", .flags = NT_OPT_COMMON,
	  .help = "report period; 2 when called as fast_cpu_monitor" },
	{ .name = "top", .letter = 'k', .aliases = "topk", .def = "5", .max = 64, .min = 1, .flags = NT_OPT_COMMON,
	  .help = "threads of each CPU" },
	{ .name = "threshold", .letter = 't', .type = NT_OPT_FLOAT, .arg = "PCT", .offset = O(threshold_pct), .max = 100,
	  .unit = "%", .help = "the same as --profile-above, or as --show-above when called as fast_cpu_monitor" },
	{ .name = "profile-above", .type = NT_OPT_FLOAT, .arg = "PCT", .offset = O(profile_above_pct), .max = 100,
	  .unit = "%", .help = "write what code ran on a CPU in an interval in which it was this busy; 0: never" },
	{ .name = "show-above", .type = NT_OPT_FLOAT, .arg = "PCT", .offset = O(show_above_pct), .max = 100,
	  .unit = "%", .help = "show the threads only of CPUs that are this busy; 0: always" },
	{ .name = "log", .letter = 'l', .type = NT_OPT_FLAG, .offset = O(log),
	  .help = "write to cpu_monitor_DATE.log, or fast_cpu_monitor_DATE.log, instead of standard output" },
	{ .name = "log-file", .type = NT_OPT_STRING, .arg = "FILE", .offset = O(log_file),
	  .help = "write there instead of standard output" },
	{ .name = "perf-output", .type = NT_OPT_STRING, .arg = "DIR", .offset = O(profile_dir),
	  .help = "folder of the profiles, made if needed; default: /tmp/cpu_monitor_perf_DATE" },
	{ .name = "max-profiles", .type = NT_OPT_U32, .offset = O(max_profiles), .def = "1000", .min = 1, .max = 1e6,
	  .unit = "files", .help = "no more profiles are written" },
	{ .name = "hz", .type = NT_OPT_U32, .offset = O(hz), .def = "999", .min = 1, .max = 10000,
	  .unit = "Hz", .help = "samples of a busy CPU for the profile" },
	{ .name = "max-entries", .def = "32768", .flags = NT_OPT_COMMON, .help = "threads and CPUs that are kept, by pairs" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "sched_switch", .type = NT_HOOK_TP, .targets = "sched:sched_switch", .need = NT_OPTIONAL,
	  .loss = "on which CPU threads ran (ticks are the last one's), and those that ended" },
	{ .stem = "softirq_entry", .type = NT_HOOK_TP, .targets = "irq:softirq_entry", .need = NT_OPTIONAL,
	  .loss = "what softirqs took of the threads that they interrupted (it counts as the threads')" },
	{ .stem = "softirq_exit", .type = NT_HOOK_TP, .targets = "irq:softirq_exit", .need = NT_OPTIONAL,
	  .loss = "what softirqs took of the threads that they interrupted (it counts as the threads')" },
};

const struct nt_tool nt_tool_cpu_monitor = {
	.name = "cpu_monitor",
	.aliases = "cpu_monitor.sh|cpu_monitor.py|fast_cpu_monitor|fast_cpu_monitor.sh",
	.group = NT_GROUP_CPU,
	.summary = "how busy CPUs are, which threads have them, and what code runs while they are hot",
	.help =
	"Shows for each CPU what /proc/stat says of the interval (usage is all but idle and iowait, so it holds\n"
	"what a hypervisor took; guest time is not in user) and the threads that had most of it. Threads' time\n"
	"is counted at every switch: for the CPU where it was spent, whenever a thread came or ended, and with\n"
	"what still runs at the interval's end. What softirqs took of a thread is not the thread's, unless it is\n"
	"ksoftirqd. A virtual CPU's thread is shown with its VM's name. With --profile-above busy CPUs are\n"
	"sampled; a hot one's stacks go to perf_cpuN_DATE.txt in folded form, which flamegraph.pl reads.\n"
	"Without privilege the threads' time is read from /proc.",
	.example = {
		"nettrace cpu_monitor -c 0 -i 1 -t 90             # one CPU, with a profile when it is 90 % busy",
		"nettrace cpu_monitor -i 2 --show-above 50 -k 3   # all CPUs; three threads of those above 50 %",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_cpu_opts),
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.works_without_bpf = true,
	.state_maps = "nt_cpu_times",
	.engine = &nt_cpu_engine,
	.check = nt_cpu_check,
};
