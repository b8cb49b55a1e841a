/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <string.h>

#include "nettrace/offcpu.h"
#include "nettrace/task.h"

#define O(member) offsetof(struct nt_offcpu_opts, member)

static const struct nt_opt opts[] = {
	{ .name = "pid", .letter = 'p', .type = NT_OPT_STRLIST, .arg = "PID,...", .offset = O(pid),
	  .flags = NT_OPT_FILTER, .help = "threads of these processes" },
	{ .name = "tid", .letter = 't', .type = NT_OPT_STRLIST, .arg = "TID,...", .offset = O(tid),
	  .flags = NT_OPT_FILTER, .help = "these threads" },
	{ .name = "user-threads-only", .letter = 'u', .type = NT_OPT_FLAG, .offset = O(user_threads),
	  .flags = NT_OPT_FILTER, .help = "no kernel threads" },
	{ .name = "kernel-threads-only", .letter = 'k', .type = NT_OPT_FLAG, .offset = O(kernel_threads),
	  .flags = NT_OPT_FILTER, .help = "kernel threads only" },
	{ .name = "user-stacks-only", .letter = 'U', .type = NT_OPT_FLAG, .offset = O(user_stacks),
	  .help = "the stacks' user part only" },
	{ .name = "kernel-stacks-only", .letter = 'K', .type = NT_OPT_FLAG, .offset = O(kernel_stacks),
	  .help = "the stacks' kernel part only" },
	{ .name = "delimited", .letter = 'd', .type = NT_OPT_FLAG, .offset = O(delimited),
	  .help = "a separator between kernel and user part" },
	{ .name = "folded", .letter = 'f', .type = NT_OPT_FLAG, .offset = O(folded),
	  .help = "one line a stack, outermost frame first, as flame graphs want it" },
	{ .name = "offset", .letter = 's', .type = NT_OPT_FLAG, .offset = O(offsets),
	  .help = "offsets within functions" },
	{ .name = "stack-storage-size", .letter = 'S', .type = NT_OPT_U32, .offset = O(stack_entries),
	  .def = "16384", .min = 1, .max = 1e7, .unit = "stacks", .help = "different stacks that are kept" },
	{ .name = "min-block-time", .letter = 'm', .type = NT_OPT_U32, .offset = O(min_us), .def = "1",
	  .min = 1, .max = 4294967295.0, .unit = "us", .help = "least wait that counts" },
	{ .name = "max-block-time", .letter = 'M', .type = NT_OPT_U32, .offset = O(max_us), .min = 1,
	  .max = 4294967295.0, .unit = "us", .help = "longest wait that counts (default: any)" },
	{ .name = "state", .type = NT_OPT_U32, .offset = O(state), .arg = "MASK", .unit = "",
	  .flags = NT_OPT_FILTER,
	  .help = "waits in these states: bits of the kernel's task states, 0 for runnable (preempted)" },
	{ .name = "interval", .letter = 'I', .flags = NT_OPT_COMMON,
	  .help = "report and begin anew each interval (default: one report at the end)" },
	{ .name = "waker", .type = NT_OPT_FLAG, .offset = O(waker), .help = "rows by the thread that woke, too" },
	{ .name = "include-blocked", .type = NT_OPT_FLAG, .offset = O(include_blocked),
	  .help = "waits that have not ended, with the time until the report" },
	{ .name = "top", .def = "1000", .flags = NT_OPT_COMMON, .help = "stacks of a report, those with most time" },
	{ .name = "max-entries", .def = "16384", .flags = NT_OPT_COMMON,
	  .help = "different stacks of threads in an interval" },
	{ .name = "ebpf", .type = NT_OPT_FLAG, .offset = O(ebpf), .flags = NT_OPT_HIDDEN,
	  .help = "accepted and ignored: there is nothing else" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "sched_switch", .type = NT_HOOK_TP, .targets = "sched:sched_switch", .flags = NT_HOOK_ENTRY },
	{ .stem = "sched_wakeup", .type = NT_HOOK_TP, .targets = "sched:sched_wakeup", .need = NT_OPTIONAL,
	  .loss = "time on the run queue is not told apart from time blocked, wakers are unknown" },
};

static int words(struct nt_run *r, struct nt_err *err)
{
	size_t n = nt_run_n_words(r);

	if (!n)
		return 0;
	if (n > 1)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "too many words: %s: give one duration in seconds",
				  nt_run_word(r, 1));
	if (nt_parse_duration(nt_run_word(r, 0), 0.001, 1e9, &nt_run_common(r)->duration_ns))
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "bad duration: %s: give seconds above 0",
				  nt_run_word(r, 0));
	nt_run_consume_words(r);
	return 0;
}

static int contradiction(struct nt_err *err, const char *a, const char *b)
{
	return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "contradicting options: --%s and --%s: give one of them", a, b);
}

static int check(struct nt_run *r, struct nt_err *err)
{
	static const char *const who[] = { "pid", "tid", "user-threads-only", "kernel-threads-only" };
	struct nt_offcpu_opts *o = nt_run_opts_rw(r);
	const char *first = NULL;
	struct nt_ids ids = { 0 };
	int rc = words(r, err);

	for (size_t i = 0; !rc && i < NT_COUNT(who); i++) {
		if (!nt_run_given(r, who[i]))
			continue;
		if (first)
			return contradiction(err, first, who[i]);
		first = who[i];
	}
	if (!rc && o->user_stacks && o->kernel_stacks)
		rc = contradiction(err, "user-stacks-only", "kernel-stacks-only");
	if (!rc && o->kernel_threads && o->user_stacks)
		rc = contradiction(err, "kernel-threads-only", "user-stacks-only");
	if (!rc && o->folded && o->offsets)
		rc = contradiction(err, "folded", "offset");
	o->has_state = nt_run_given(r, "state");
	o->has_max = nt_run_given(r, "max-block-time");
	if (!rc && o->has_max && o->max_us < o->min_us)
		rc = nt_err_set(err, NT_EXIT_USAGE, EINVAL,
			"no wait can count: --max-block-time %u is below --min-block-time %u: exchange them",
			o->max_us, o->min_us);
	if (!rc)
		rc = nt_ids_parse(&ids, &o->pid, "pid", err);
	if (!rc)
		rc = nt_ids_parse(&ids, &o->tid, "tid", err);
	nt_ids_free(&ids);
	if (!rc && o->ebpf)
		nt_run_note(r, "nettrace %s: --ebpf is ignored: there is nothing else", nt_run_tool(r)->name);
	return rc;
}

const struct nt_tool nt_tool_offcputime_ts = {
	.name = "offcputime_ts",
	.aliases = "offcputime_ts.py",
	.group = NT_GROUP_CPU,
	.summary = "what threads wait for: time off the CPU by kernel and user stack",
	.help =
	"Adds up, for every thread and stack, the time from leaving the CPU to getting one again: waits of\n"
	"every kind, also for a CPU (runnable, state 0). The stack is the one at the switch-out, the part\n"
	"between wakeup and switch-in is shown too. Rows ascend, the longest time stands last. User stacks\n"
	"need frame pointers in the program; its symbols are read from the files that it has mapped.\n"
	"A number behind the options is the duration in seconds.",
	.example = {
		"nettrace offcputime_ts -p 4711 -d 10            # where that process waits, for 10 s",
		"nettrace offcputime_ts -f -K 30                # folded kernel stacks of all, for a flame graph",
	},
	.opts = opts,
	.n_opts = NT_COUNT(opts),
	.opts_size = sizeof(struct nt_offcpu_opts),
	.hooks = hooks,
	.n_hooks = NT_COUNT(hooks),
	.state_maps = "nt_counts0|nt_counts1",
	.engine = &nt_offcpu_engine,
	.check = check,
};
