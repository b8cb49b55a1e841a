/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Engine of off-CPU time: what threads waited for, summed by thread and stack.
 * The kernel side is bpf/tools/cpu/offcputime_ts.bpf.c; it adds up in one of two
 * maps, user space reads and empties the other, so an interval loses nothing.
 */
#ifndef NETTRACE_OFFCPU_H
#define NETTRACE_OFFCPU_H

#include "nettrace/run.h"

struct nt_offcpu_opts {
	struct nt_strlist pid, tid;
	bool user_threads, kernel_threads, user_stacks, kernel_stacks;
	bool delimited, folded, offsets, waker, include_blocked, ebpf;
	uint32_t stack_entries, min_us, max_us, state;
	bool has_state;			/* check(): --state was given; 0 is a state, too */
	bool has_max;
};

extern const struct nt_engine nt_offcpu_engine;

#endif
