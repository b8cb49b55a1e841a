/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Engine of ksoftirqd_sched_latency: threads that do softirq work, and how long
 * each waits for its CPU when work is left to it.
 */
#ifndef NETTRACE_SOFTIRQD_H
#define NETTRACE_SOFTIRQD_H

#include "nettrace/run.h"

struct nt_softirqd_opts {
	struct nt_strlist cpus;		/* none: all */
	uint32_t threshold_us;
	bool vectors, napi;
};

extern const struct nt_engine nt_softirqd_engine;

int nt_softirqd_check(struct nt_run *r, struct nt_err *err);
/* hooks[].wanted */
bool nt_softirqd_wants_vectors(const void *opts);

/* The text of /proc/PID/stat: is it a kernel thread that does softirq work? *cpu is the one it belongs to,
 * -1 of a NAPI thread, which belongs to none (only if napi). comm has room for 16 bytes. */
bool nt_softirqd_is(const char *stat, bool napi, char *comm, int *cpu);

#endif
