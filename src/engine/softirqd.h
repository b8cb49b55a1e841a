/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the engine of ksoftirqd_sched_latency. */
#ifndef NETTRACE_ENGINE_SOFTIRQD_H
#define NETTRACE_ENGINE_SOFTIRQD_H

#include "nettrace/nt_abi_softirq.h"
#include "nettrace/softirqd.h"

struct nt_softirqd_row {		/* a thread: since the start in a snapshot, of a span in a difference */
	uint32_t tid;
	int32_t cpu;			/* -1: none */
	char comm[16];
	uint64_t wakeups, wakeups_again, runs, preemptions, run_ns, over;
	struct nt_sched_worst worst;
	struct nt_hist wake, preempted;
};
struct nt_softirqd_culprit_row {
	struct nt_softirqd_culprit key;
	struct nt_softirqd_blame blame;
};
struct nt_softirqd_vec_row {
	uint64_t runs, in_thread;
	struct nt_hist hist;		/* ns from raise to run */
};
struct nt_softirqd_shot {
	struct nt_softirqd_row *row;
	struct nt_softirqd_culprit_row *culprit;
	size_t n, n_culprits;
	struct nt_softirqd_vec_row vec[NT_SOFTIRQS];
};

struct nt_softirqd_priv {
	struct nt_softirqd_row *thread;	/* those that are watched: tid, cpu, comm */
	size_t n;
	bool *cpu;			/* wanted ones of n_cpus */
	size_t n_cpus;
	struct nt_task_cfg cfg;
	struct nt_softirqd_shot last;	/* at the last interval report */
	struct nt_stream *stream;
	unsigned int reports;
};

/* softirqd_show.c */
int nt_softirqd_stream_open(struct nt_run *r);
void nt_softirqd_show(struct nt_run *r, const struct nt_softirqd_shot *s);
void nt_softirqd_show_event(struct nt_run *r, const struct nt_sched_event *e);

#endif
