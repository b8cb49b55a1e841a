/* SPDX-License-Identifier: GPL-2.0 */
#include <string.h>

#include "nettrace/lock.h"
#include "nettrace/nt_abi_task.h"

struct opts {
	struct nt_lock_opts lock;
	uint32_t op;
};

static const struct nt_opt rows[] = {
	NT_LOCK_OPTS("us"),
	{ .name = "op", .type = NT_OPT_ENUM, .offset = offsetof(struct opts, op), .choices = "wait|wake|pi|requeue|all",
	  .def = "wait", .help = "calls that are measured" },
};

static const struct nt_hook hooks[] = {
	{ .stem = "sys_enter", .type = NT_HOOK_TP, .targets = "raw_syscalls:sys_enter", .flags = NT_HOOK_ENTRY },
	{ .stem = "sys_exit", .type = NT_HOOK_TP, .targets = "raw_syscalls:sys_exit" },
	{ .stem = "process_exit", .type = NT_HOOK_TP, .targets = "sched:sched_process_exit", .need = NT_OPTIONAL,
	  .loss = "a thread that dies in a call is shown as waiting until its number is used again" },
};

static const struct nt_lock_desc desc = {
	.classes = "wait|wake|pi|requeue",
	.waiting = 1 << NT_FUTEX_WAIT | 1 << NT_FUTEX_PI,
	.title = "time in futex calls",
};

/* The script's own ways: every call, in milliseconds. */
static bool is_script(const struct nt_run *r)
{
	const char *dot = strrchr(nt_run_called_as(r), '.');

	return dot && !strcmp(dot, ".bt");
}

static int check(struct nt_run *r, struct nt_err *err)
{
	enum { ALL = NT_FUTEX_REQUEUE + 1 };
	struct opts *o = nt_run_opts_rw(r);

	if (is_script(r) && !nt_run_given(r, "op"))
		o->op = ALL;
	if (is_script(r) && !nt_run_given(r, "unit"))
		o->lock.unit = NT_LOCK_MS;
	o->lock.classes = o->op == ALL ? (1u << ALL) - 1 : 1u << o->op;
	return nt_lock_check(r, err);
}

extern const struct nt_tool nt_tool_futex;
const struct nt_tool nt_tool_futex = {
	.name = "futex",
	.aliases = "futex.bt|futex.py",
	.summary = "how long threads wait in futex calls, at which lock, and who wakes them",
	.help =
	"Measures every futex call from its beginning to its return: how long mutexes, condition variables,\n"
	"semaphores and barriers of user space made threads wait. A row is a lock (its address) of a process:\n"
	"calls, time, how many timed out, how many threads wait there now, and who woke the last one; for locks\n"
	"with priority inheritance the owner. A call that had begun before the tool is counted as unmatched, not\n"
	"measured. Locks that were free never enter the kernel and do not show. As futex.bt all operations are\n"
	"measured and the histogram is in milliseconds.",
	.example = {
		"nettrace futex -p 4711 --stack --duration 10   # which locks that process waits for, and from where",
		"nettrace futex --op all --interval 1           # all processes, every second",
	},
	NT_LOCK_TOOL,
};
