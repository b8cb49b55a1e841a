/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the lock engine: what is read (lock.c), how it is shown (lock_show.c). */
#ifndef NT_ENGINE_LOCK_H
#define NT_ENGINE_LOCK_H

#include "nettrace/lock.h"
#include "nettrace/task.h"
#include "nettrace/usyms.h"

struct nt_lock_row {
	struct nt_lock_key key;
	struct nt_lock_val val;
	uint64_t waiting, longest_ns;	/* threads that are in such a call now */
};
struct nt_lock_rows {
	struct nt_lock_row *row;	/* by key, until nt_lock_by_time() */
	size_t n, cap;
};
struct nt_lock_path {			/* a code path to a lock */
	struct nt_lock_stack_key key;
	struct nt_lock_stack_val val;
};
struct nt_lock_paths {
	struct nt_lock_path *path;	/* by key */
	size_t n, cap;
};

/* What a report is about. */
struct nt_lock_report {
	struct nt_lock_rows rows;
	struct nt_lock_paths paths;
	struct nt_hist hist[NT_LOCK_CLASSES];
};

struct nt_lock_priv {
	struct nt_task_cfg cfg;
	struct nt_ids ids;
	struct nt_usyms *usyms;
	struct nt_lock_report now, all;	/* of the interval, and what went before it */
	struct nt_hist before[NT_LOCK_CLASSES];
	uint64_t reports;
};

const struct nt_lock_desc *nt_lock_desc_of(const struct nt_run *r);
/* Adds the figures of one to the other. */
void nt_lock_join_path(struct nt_lock_path *to, const struct nt_lock_path *from);
/* Fields of the open record, or the text report; reorders the rows. */
void nt_lock_show(struct nt_run *r, struct nt_lock_report *rep);

#endif
