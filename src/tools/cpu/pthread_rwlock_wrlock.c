/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <string.h>

#include "nettrace/lock.h"
#include "nettrace/nt_abi_task.h"

enum { OPS_WR, OPS_RD, OPS_ALL };

struct opts {
	struct nt_lock_opts lock;
	uint32_t ops;
	const char *lib;
	const char *word[1];		/* the script's PID */
};

static const struct nt_opt rows[] = {
	NT_LOCK_OPTS("us"),
	{ .name = "ops", .type = NT_OPT_ENUM, .offset = offsetof(struct opts, ops), .choices = "wr|rd|all",
	  .def = "wr", .help = "calls for writing, for reading, or both" },
	{ .name = "lib", .type = NT_OPT_STRING, .offset = offsetof(struct opts, lib), .arg = "PATH",
	  .help = "the library (default: every file with the function that a process has mapped)" },
};

static bool wants_wr(const void *opts)
{
	return ((const struct opts *)opts)->ops != OPS_RD;
}

static bool wants_rd(const void *opts)
{
	return ((const struct opts *)opts)->ops != OPS_WR;
}

#define WR "pthread_rwlock_wrlock|__pthread_rwlock_wrlock"
#define RD "pthread_rwlock_rdlock|__pthread_rwlock_rdlock"
static const struct nt_hook hooks[] = {
	{ .stem = "wr_enter", .type = NT_HOOK_USER, .targets = WR, .flags = NT_HOOK_ENTRY, .wanted = wants_wr },
	{ .stem = "wr_return", .type = NT_HOOK_USER_RET, .targets = WR, .wanted = wants_wr },
	{ .stem = "rd_enter", .type = NT_HOOK_USER, .targets = RD, .flags = NT_HOOK_ENTRY, .wanted = wants_rd },
	{ .stem = "rd_return", .type = NT_HOOK_USER_RET, .targets = RD, .wanted = wants_rd },
	{ .stem = "timedwr_enter", .type = NT_HOOK_USER, .targets = "pthread_rwlock_timedwrlock", .need = NT_OPTIONAL,
	  .loss = "calls for writing that may time out", .wanted = wants_wr },
	{ .stem = "timedwr_return", .type = NT_HOOK_USER_RET, .targets = "pthread_rwlock_timedwrlock",
	  .need = NT_OPTIONAL, .loss = "calls for writing that may time out", .wanted = wants_wr },
	{ .stem = "timedrd_enter", .type = NT_HOOK_USER, .targets = "pthread_rwlock_timedrdlock", .need = NT_OPTIONAL,
	  .loss = "calls for reading that may time out", .wanted = wants_rd },
	{ .stem = "timedrd_return", .type = NT_HOOK_USER_RET, .targets = "pthread_rwlock_timedrdlock",
	  .need = NT_OPTIONAL, .loss = "calls for reading that may time out", .wanted = wants_rd },
	{ .stem = "sched_switch", .type = NT_HOOK_TP, .targets = "sched:sched_switch", .need = NT_OPTIONAL,
	  .loss = "whether a call had to wait: all show as if the lock had been free" },
	{ .stem = "process_exit", .type = NT_HOOK_TP, .targets = "sched:sched_process_exit", .need = NT_OPTIONAL,
	  .loss = "a thread that dies in a call is shown as waiting until its number is used again" },
};

static int files(struct nt_run *r, const uint32_t *pid, size_t n, struct nt_err *err)
{
	const struct opts *o = nt_run_opts(r);

	if (o->lib)
		return nt_run_user_file(r, o->lib, n == 1 ? pid[0] : 0);
	return nt_run_user_search(r, pid, n, wants_wr(o) ? WR : RD, err);
}

static const struct nt_lock_desc desc = {
	.classes = "wr|wr-wait|rd|rd-wait",
	.waiting = 1 << NT_RWLOCK_WR_WAIT | 1 << NT_RWLOCK_RD_WAIT,
	.contended = 1 << NT_RWLOCK_WR_WAIT | 1 << NT_RWLOCK_RD_WAIT,
	.title = "time to take read-write locks",
	.files = files,
};

static int check(struct nt_run *r, struct nt_err *err)
{
	struct opts *o = nt_run_opts_rw(r);

	if (nt_run_n_words(r) > 1)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "too many words: %s: give one process id",
				  nt_run_word(r, 1));
	if (nt_run_n_words(r) && o->lock.pid.n)
		return nt_err_set(err, NT_EXIT_USAGE, EINVAL, "contradicting options: --pid and %s: give one of them",
				  nt_run_word(r, 0));
	if (nt_run_n_words(r)) {
		o->word[0] = nt_run_word(r, 0);
		o->lock.pid = (struct nt_strlist){ o->word, 1 };
		nt_run_consume_words(r);
	}
	if (strstr(nt_run_called_as(r), "stack"))
		o->lock.stack = o->lock.by_path = true;
	o->lock.classes = (wants_wr(o) ? 1 << NT_RWLOCK_WR | 1 << NT_RWLOCK_WR_WAIT : 0) |
			  (wants_rd(o) ? 1 << NT_RWLOCK_RD | 1 << NT_RWLOCK_RD_WAIT : 0);
	return nt_lock_check(r, err);
}

extern const struct nt_tool nt_tool_pthread_rwlock_wrlock;
const struct nt_tool nt_tool_pthread_rwlock_wrlock = {
	.name = "pthread_rwlock_wrlock",
	.aliases = "pthread_rwlock_wrlock.bt|pthread_rwlock_wrlock.py|pthread_rwlock_wrlock-stack|pthread_rwlock_wrlock-stack.bt",
	.summary = "how long taking a read-write lock takes, which locks are contended, and from where",
	.help =
	"Measures pthread_rwlock_wrlock() and its timed form (--ops: rdlock, too) in the C library of every\n"
	"process, or of those of --pid: glibc, musl, or a program that has it linked in; libraries in containers\n"
	"are found, too, but not those that nobody has mapped when the tool starts. Calls that had to wait\n"
	"(wr-wait) are apart from those that found the lock free: these take less than a microsecond by\n"
	"themselves, what is shown is the cost of looking. A number behind the options is a process id. As\n"
	"pthread_rwlock_wrlock-stack the calling code paths are shown.",
	.example = {
		"nettrace pthread_rwlock_wrlock -p 4711 --duration 10 # which locks make that process wait, how long",
		"nettrace pthread_rwlock_wrlock --stack -p 4711 --ops all # from where they are taken",
	},
	NT_LOCK_TOOL,
};
