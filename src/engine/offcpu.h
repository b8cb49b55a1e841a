/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the off-CPU engine: what is read (offcpu.c), how it is shown (offcpu_show.c). */
#ifndef NT_ENGINE_OFFCPU_H
#define NT_ENGINE_OFFCPU_H

#include "nettrace/offcpu.h"
#include "nettrace/task.h"
#include "nettrace/usyms.h"

struct nt_offcpu_row {
	struct nt_off_key key;
	struct nt_off_val val;
	bool blocked;			/* still off its CPU: the time until now */
	uint64_t stacks;		/* hash of both stacks as they are shown */
};

/* The stacks of a row as they are shown, innermost first: without the tracepoint's own frames, and
 * up to the first user frame that is in no mapping (a caller without frame pointers: what follows is
 * what happened to be in the register). */
struct nt_offcpu_frames {
	uint64_t k[NT_STACK_MAX], u[NT_STACK_MAX];
	size_t n_k, n_u;
};

struct nt_offcpu_priv {
	struct nt_task_cfg cfg;
	struct nt_ids ids;
	struct nt_usyms *usyms;
	struct nt_offcpu_row *row;	/* ascending by time */
	size_t n, cap;
	uint64_t since_ns;		/* beginning of the interval */
	uint64_t reports, total_ns, waits;
	uint64_t missed_kernel, missed_user;	/* stacks, up to the last report */
};

/* Reads and empties what was added up; the rows are sorted. */
void nt_offcpu_read(struct nt_run *r);
/* Rows of the open record. */
void nt_offcpu_show(struct nt_run *r);
void nt_offcpu_frames(struct nt_run *r, const struct nt_off_key *k, struct nt_offcpu_frames *f);

#endif
