/* SPDX-License-Identifier: GPL-2.0 */
/* As nt_abi.h: what programs about threads and their tools share. */
#ifndef NETTRACE_NT_ABI_TASK_H
#define NETTRACE_NT_ABI_TASK_H

#include "nettrace/nt_abi.h"

/* ---- threads (lib/task.bpf.h) ---- */
#define NT_TASK_NAMES 8
struct nt_task_cfg {
	__u64 start_ns;			/* when the gate was opened */
	__u32 sample;			/* number of the running sample: maxima are of one sample */
	__u32 n_names;
	char name[NT_TASK_NAMES][16];	/* comms whose processes are wanted, padded with 0 */
};
enum nt_task_switch {			/* bits of NT_CONST_TOOL0 in programs about threads */
	NT_TASK_BY_TGID = 1 << 0,	/* nt_tasks holds process ids */
	NT_TASK_BY_TID = 1 << 1,	/* nt_tasks holds thread ids */
	NT_TASK_USER = 1 << 2,		/* no kernel threads */
	NT_TASK_KERNEL = 1 << 3,	/* kernel threads only */
	NT_TASK_FIRST_TOOL = 8,		/* bits from here on are the tool's */
};

/* ---- scheduling latency ---- */
enum nt_sched_cause { NT_SCHED_NONE, NT_SCHED_WAKEUP, NT_SCHED_PREEMPTED };
struct nt_sched_worst {			/* the longest delay of a sample */
	__u64 delay_ns, at_ns;
	__u64 before_ns;		/* how long the thread before it had run on that CPU */
	__u32 before_tid, cpu;
	char before_comm[16];
	__u32 sample;
	__u32 cause;			/* enum nt_sched_cause */
};
struct nt_sched_thread {		/* one thread, by its tid */
	__u64 seq;			/* changed last by a writer */
	__u64 run_ns;			/* finished slices: CPU time as the kernel accounts it */
	__u64 exec_ns;			/* the kernel's CPU time at the last switch-in, 0: not known */
	__u64 run_since_ns;		/* 0: not on a CPU */
	__u64 wait_since_ns;		/* 0: not waiting for one */
	__u64 switches, wakeups, preemptions, migrations;
	__u32 tgid;
	__u32 cause;			/* of the wait */
	__u32 exited;
	__u32 waker_tid;		/* of the last wakeup */
	char comm[16], waker_comm[16];
	struct nt_sched_worst worst, worst_sample;
	struct nt_hist_raw delay;	/* ns from runnable to running */
	__u64 seq_writer;		/* changed first: equal to seq when a copy is consistent */
};
struct nt_sched_event {			/* a delay above the threshold */
	__u64 ts_ns, delay_ns, before_ns;
	__u32 pid, tid, cpu, cause;
	__u32 before_tid, waker_tid;
	char comm[16], before_comm[16], waker_comm[16];
	__u64 stack[NT_STACK_MAX];	/* of the thread before it; 0 ends */
};
/* NT_CONST_TOOL1: threshold in ns, ~0: no events. */
enum {
	NT_SCHED_WAKING = 1 << NT_TASK_FIRST_TOOL,	/* from sched_waking on */
	NT_SCHED_STACK = 2 << NT_TASK_FIRST_TOOL,
};

/* ---- off-CPU time ---- */
struct nt_off {				/* a thread that is off its CPU, by its tid */
	__u64 since_ns, runnable_ns;	/* runnable_ns 0: no wakeup was seen */
	__s32 kernel_stack, user_stack;	/* ids in nt_stacks, negative: none */
	__u32 state;			/* 0: runnable (preempted) */
	__u32 tgid;
	char comm[16], waker[16];
};
NT_ASSERT_SIZE(struct nt_off, 64);
struct nt_off_key {
	__u32 tid, tgid;
	__s32 kernel_stack, user_stack;
	__u32 state, pad;
	char comm[16], waker[16];	/* waker with --waker only */
};
NT_ASSERT_SIZE(struct nt_off_key, 56);
struct nt_off_val {
	__u64 total_ns, count, max_ns;
	__u64 queued_ns;		/* part of the total between wakeup and switch-in */
};
#define NT_NO_STACK (-1)		/* not asked for, or a kernel thread's user stack */
/* Least and greatest wait in ns: NT_CONST_TOOL1, NT_CONST_TOOL2; states: NT_CONST_TOOL3, ~0: any. */
enum {
	NT_OFF_KERNEL_STACK = 1 << NT_TASK_FIRST_TOOL,
	NT_OFF_USER_STACK = 2 << NT_TASK_FIRST_TOOL,
	NT_OFF_WAKER = 4 << NT_TASK_FIRST_TOOL,
};
enum nt_off_stat { NT_STAT_OFF_NO_KERNEL = NT_STAT_TOOL0, NT_STAT_OFF_NO_USER };

/* ---- CPU time by thread and CPU ---- */
struct nt_cpu_key {
	__u64 start_ns;			/* of the thread: ids are used again */
	__u32 tid, cpu;
};
NT_ASSERT_SIZE(struct nt_cpu_key, 16);
struct nt_cpu_time {			/* finished slices */
	__u64 run_ns;			/* CPU time as the kernel accounts it, without softirqs */
	__u64 off_ns;			/* end of the last one */
	__u64 switches;
	__u32 tgid, pad;
	char comm[16];
};
NT_ASSERT_SIZE(struct nt_cpu_time, 48);
struct nt_cpu_now {			/* who has a CPU; one for each */
	__u64 since_ns;			/* written last; 0: no switch was seen yet */
	__u64 exec_ns, start_ns;	/* of the thread, at its switch-in */
	__u64 softirq_before_ns;	/* softirq_ns at that time */
	__u32 tid, tgid;
	__u64 since_writer;		/* written first: equal to since_ns when a copy is consistent */
	__u64 softirq_ns;		/* time in softirqs that ran on top of a thread or while idle, not in ksoftirqd */
	__u64 softirq_since_ns;		/* 0: in none */
	__u64 idle_ns;			/* finished slices of the idle task, without softirqs */
	__u64 skip;			/* user space: this CPU is not watched */
};
NT_ASSERT_SIZE(struct nt_cpu_now, 80);

/* ---- calls that take a lock or wait at one (lib/lock.bpf.h) ---- */
#define NT_LOCK_CLASSES 4		/* what a tool tells apart: its own numbers, and bits of NT_CONST_TOOL1 */
struct nt_lock_call {			/* a thread that is in such a call, by its tid */
	__u64 since_ns;
	__u64 addr;			/* of the lock in its process */
	__u32 tgid;
	__u32 class;
	__s32 stack;			/* id in nt_stacks; negative: none */
	__u32 owner_tid;		/* as the lock word says; 0: it does not */
	__u64 caller;			/* of the function that was hooked; 0: not known, or a system call */
	char comm[16];
};
NT_ASSERT_SIZE(struct nt_lock_call, 56);
struct nt_lock_key {
	__u64 addr;
	__u32 tgid;
	__u32 class;
};
struct nt_lock_val {
	__u64 calls, total_ns, max_ns;
	__u64 timeouts, again, interrupted, failed;	/* by the call's result */
	__u64 woken;			/* threads, by calls that wake */
	__u32 last_tid;
	__u32 peer_tid;			/* owner, or who woke last; 0: not known */
	char comm[16];			/* of the last thread */
	char peer_comm[16];		/* "" for an owner */
};
NT_ASSERT_SIZE(struct nt_lock_val, 104);
struct nt_lock_stack_key {
	struct nt_lock_key lock;
	__u64 caller;
	__s32 stack;
	__u32 pad;
};
NT_ASSERT_SIZE(struct nt_lock_stack_key, 32);
struct nt_lock_stack_val {
	__u64 calls, total_ns, max_ns;
};
struct nt_lock_waker {
	__u32 tid;
	__u32 pad;
	char comm[16];
};
/* NT_CONST_TOOL1: classes that are measured; NT_CONST_TOOL2: least time in ns. */
enum { NT_LOCK_STACK = 1 << NT_TASK_FIRST_TOOL };
enum nt_lock_stat {
	NT_STAT_LOCK_BELOW = NT_STAT_TOOL0,	/* calls shorter than the least time */
	NT_STAT_LOCK_NO_STACK,
};
enum nt_rwlock_class {			/* calls that had to wait have the odd number */
	NT_RWLOCK_WR, NT_RWLOCK_WR_WAIT, NT_RWLOCK_RD, NT_RWLOCK_RD_WAIT,
};
enum nt_futex_class { NT_FUTEX_WAIT, NT_FUTEX_WAKE, NT_FUTEX_PI, NT_FUTEX_REQUEUE };

#endif
