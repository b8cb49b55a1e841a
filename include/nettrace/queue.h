/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queue engine: a ring between a producer and a consumer, by device and queue.
 * Events for packets that were dropped, found the ring full, or came at a given
 * occupancy; a table of all queues per --interval and at the end.
 */
#ifndef NETTRACE_QUEUE_H
#define NETTRACE_QUEUE_H

#include "nettrace/run.h"

enum nt_queue_match { NT_QUEUE_MATCH_ALL, NT_QUEUE_MATCH_ANY };

struct nt_queue_opts {			/* option struct of every tool on a tap's ring */
	struct nt_strlist devs;		/* names and globs */
	uint32_t queue, threshold;	/* threshold in percent, 0: none */
	uint32_t match;			/* enum nt_queue_match */
	uint32_t rate;			/* events a second, 0: no limit */
	bool all, wait;
};

extern const struct nt_engine nt_queue_engine;

/* Devices by name exist, filters are joined as asked. For a tool's check(). */
int nt_queue_check(struct nt_run *r, struct nt_err *err);
bool nt_queue_wants_wait(const void *opts);	/* struct nt_queue_opts */

/* ---- between the engine's files ---- */
struct nt_queue_snapshot {		/* what the kernel counted since the start */
	struct nt_queue_count *queue;
	size_t n, cap;
	struct nt_queue_drops *drops;
	size_t n_drops, cap_drops;
};

/* Reads the counters. 0 or -errno; what could not be read is missing. */
int nt_queue_read(struct nt_run *r, struct nt_queue_snapshot *s);
void nt_queue_free(struct nt_queue_snapshot *s);
/* The table and, in JSON, its sums. since NULL: all of now; else what came since then, with the
 * extremes of the kernel's interval id. */
void nt_queue_report(struct nt_run *r, const struct nt_queue_snapshot *now,
		     const struct nt_queue_snapshot *since, uint32_t interval_id);
/* Of a drop: the kernel's name, or ours where the kernel has none. */
const char *nt_queue_reason(struct nt_run *r, uint32_t reason);

#endif
