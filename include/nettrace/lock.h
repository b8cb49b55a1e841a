/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Engine of calls at locks: how long threads are in them, by process, lock and
 * class of call. The kernel side is bpf/lib/lock.bpf.h; it adds up in one of two
 * maps, user space reads and empties the other, so an interval loses nothing.
 */
#ifndef NETTRACE_LOCK_H
#define NETTRACE_LOCK_H

#include "nettrace/run.h"

struct nt_lock_opts {
	struct nt_strlist pid;
	uint32_t unit;			/* of the histogram in text: enum nt_lock_unit */
	double min_us;
	bool stack;
	bool by_path;			/* check(): text is about code paths, not locks */
	unsigned int classes;		/* check(): bit of each class that is measured */
};
enum nt_lock_unit { NT_LOCK_US, NT_LOCK_MS };

struct nt_lock_desc {			/* nt_tool.engine_data */
	const char *classes;		/* words in the order of their numbers, '|' between */
	unsigned int waiting;		/* bits of the classes whose calls wait for others */
	unsigned int contended;		/* bits of the classes that had to wait; 0: it is not known */
	const char *title;		/* of the histogram: "time in futex calls" */
	/* In prepare(), with the processes that are meant: names files for hooks in user space. */
	int (*files)(struct nt_run *r, const uint32_t *pid, size_t n, struct nt_err *err);
};

extern const struct nt_engine nt_lock_engine;

/* Rows that the tools share; they are in struct nt_lock_opts at the beginning of the tool's own. */
#define NT_LOCK_O(member) offsetof(struct nt_lock_opts, member)
#define NT_LOCK_OPTS(default_unit) \
	{ .name = "pid", .letter = 'p', .type = NT_OPT_STRLIST, .arg = "PID,...", .offset = NT_LOCK_O(pid), \
	  .flags = NT_OPT_FILTER, .help = "these processes (default: all)" }, \
	{ .name = "unit", .type = NT_OPT_ENUM, .offset = NT_LOCK_O(unit), .choices = "us|ms", .def = default_unit, \
	  .help = "of the histogram in text" }, \
	{ .name = "min-us", .type = NT_OPT_FLOAT, .offset = NT_LOCK_O(min_us), .def = "0", .max = 1e12, \
	  .unit = "us", .help = "least time that counts" }, \
	{ .name = "stack", .type = NT_OPT_FLAG, .offset = NT_LOCK_O(stack), \
	  .help = "by which code paths locks are taken: user stacks (frame pointers needed)" }, \
	{ .name = "interval", .flags = NT_OPT_COMMON, \
	  .help = "report and begin anew each interval (default: one report at the end)" }, \
	{ .name = "top", .def = "20", .flags = NT_OPT_COMMON, .help = "locks of a report, those with most time" }, \
	{ .name = "max-entries", .def = "16384", .flags = NT_OPT_COMMON, .help = "different locks in an interval" }

/* What every tool on this engine says of itself; rows, hooks, desc and check are its own. */
#define NT_LOCK_TOOL \
	.group = NT_GROUP_CPU, .opts = rows, .n_opts = NT_COUNT(rows), .opts_size = sizeof(struct opts), \
	.hooks = hooks, .n_hooks = NT_COUNT(hooks), .state_maps = "nt_locks0|nt_locks1", \
	.engine = &nt_lock_engine, .engine_data = &desc, .check = check

/* For a tool's check(). */
int nt_lock_check(struct nt_run *r, struct nt_err *err);

#endif
