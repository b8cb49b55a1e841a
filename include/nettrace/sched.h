/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Engine of scheduling latency: per thread, how long it ran and how long it
 * waited for a CPU, sample by sample. The kernel side
 * (bpf/tools/cpu/sched_latency_monitor.bpf.c) only ever adds up; a sample is
 * the difference of two snapshots.
 */
#ifndef NETTRACE_SCHED_H
#define NETTRACE_SCHED_H

#include "nettrace/run.h"

struct nt_sched_opts {			/* the tool's option struct begins with it */
	struct nt_strlist process;	/* names or ids */
	uint64_t period_ns;		/* measured span; at --interval or above: without gaps */
	uint32_t threshold_us;		/* with has_threshold: delays from this on are events */
	bool has_threshold, all, from_waking, stack;
};

extern const struct nt_engine nt_sched_engine;

/* hooks[].wanted */
bool nt_sched_wants_waking(const void *opts);
bool nt_sched_wants_names(const void *opts);

#endif
