/* SPDX-License-Identifier: GPL-2.0 */
/* As nt_abi.h: what the kernel side and the user side of ksoftirqd_sched_latency share. */
#ifndef NETTRACE_NT_ABI_SOFTIRQ_H
#define NETTRACE_NT_ABI_SOFTIRQ_H

#include "nettrace/nt_abi_task.h"

struct nt_softirqd {			/* a thread that does softirq work, by its tid */
	__u32 cpu;			/* it belongs to this one */
	__u32 seen;			/* a hook of it was met: what it does is known from there on */
	__u64 wake_ns;			/* woken, not on its CPU yet; 0: no */
	__u64 preempt_ns;		/* put off its CPU with work left; 0: no */
	__u64 run_since_ns;		/* on its CPU; 0: no */
	__u64 wakeups;			/* of it while it slept */
	__u64 wakeups_again;		/* while it waited or ran */
	__u64 runs;			/* times that it got its CPU */
	__u64 preemptions;
	__u64 run_ns;			/* slices that ended */
	__u64 over;			/* delays of at least the threshold */
	struct nt_sched_worst worst, worst_sample;
	struct nt_hist_raw wake;	/* ns from wakeup to CPU */
	struct nt_hist_raw preempted;	/* ns from preemption to CPU */
};

struct nt_softirqd_culprit {		/* key: who had the CPU during long delays */
	__u32 tid, cpu;
	char comm[16];
};
struct nt_softirqd_blame {
	__u64 delays, delay_ns, max_ns;
};

#define NT_SOFTIRQS 10			/* include/linux/interrupt.h: HI to RCU */
struct nt_softirq_vec {			/* per CPU */
	__u64 raised_ns;		/* not run yet; 0: no */
	__u64 runs, in_thread;		/* in_thread: by such a thread, not behind an interrupt */
};

/* NT_CONST_TOOL1: threshold in ns. */
#endif
