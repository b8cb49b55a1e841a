/* SPDX-License-Identifier: GPL-2.0 */
/* The table of stacks (bpf/lib/stacks.bpf.h), and how a stage's stack is shown. */
#ifndef NETTRACE_ENGINE_STACKS_H
#define NETTRACE_ENGINE_STACKS_H

#include "nettrace/run.h"

struct nt_stack_table {			/* zeroed */
	uint64_t missed;		/* stacks that found no place when the table was emptied ... */
	uint64_t emptied_ns;		/* ... and when that was */
};

/* Empties it when more have found no place (stat counts them): what a softirq interrupted is part of a
 * stack, so that there is no end of different ones. */
void nt_stacks_renew(struct nt_run *r, struct nt_stack_table *t, uint32_t stat);

/* Frames of what began at started_ns, 0 ends them; stack has NT_STACK_MAX + 1 places. Ids from before the table
 * was emptied may be those of other stacks now: they have none. */
void nt_stacks_read(struct nt_run *r, const struct nt_stack_table *t, int32_t id, uint64_t started_ns, uint64_t *stack);

/* Text; frames that the stack above it ends with, too, are shown there only. */
void nt_stack_text(struct nt_run *r, const uint64_t *stack, const uint64_t *above);

#endif
