/* SPDX-License-Identifier: GPL-2.0 */
/* Threads: which ones are wanted, and what the scheduler's tracepoints say about them. */
#ifndef NT_BPF_TASK_H
#define NT_BPF_TASK_H

#include "lib/maps.bpf.h"
#include "nettrace/nt_abi_task.h"

#define NT_PF_KTHREAD 0x00200000
#define NT_TASK_DEAD 0x80

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_task_cfg);
} nt_task_cfg SEC(".maps");

/* Wanted processes or threads (enum nt_task_switch), and since when (CLOCK_MONOTONIC ns). Never
 * allocated at run time: the scheduler's tracepoints hold a run queue lock. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} nt_tasks SEC(".maps");

NT_INLINE struct nt_task_cfg *nt_task_cfg_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nt_task_cfg, &zero);
}

/* Since when the thread is watched, 0: it is not wanted. Idle tasks never are: they share an id. */
NT_INLINE __u64 nt_task_wanted(const bool direct, struct task_struct *p)
{
	const __u64 how = nt_const(NT_CONST_TOOL0);
	__u32 id = NT_GET(direct, p, pid);
	struct nt_task_cfg *c;
	__u64 *since;

	if (!id)
		return 0;
	if (how & (NT_TASK_USER | NT_TASK_KERNEL)) {
		bool kernel = NT_GET(direct, p, flags) & NT_PF_KTHREAD;

		if (how & (kernel ? NT_TASK_USER : NT_TASK_KERNEL))
			return 0;
	}
	if (how & (NT_TASK_BY_TGID | NT_TASK_BY_TID)) {
		if (how & NT_TASK_BY_TGID)
			id = NT_GET(direct, p, tgid);
		since = bpf_map_lookup_elem(&nt_tasks, &id);
		return since ? *since : 0;
	}
	c = nt_task_cfg_get();
	return c ? c->start_ns : 0;
}

/* The running thread, asked by ids alone. */
NT_INLINE bool nt_current_wanted(void)
{
	const __u64 how = nt_const(NT_CONST_TOOL0);
	__u64 ids = bpf_get_current_pid_tgid();
	__u32 id = how & NT_TASK_BY_TGID ? ids >> 32 : ids;

	return !(how & (NT_TASK_BY_TGID | NT_TASK_BY_TID)) || bpf_map_lookup_elem(&nt_tasks, &id);
}

/* 0: runnable. Read from the task, as sched_switch tells it from 5.18 on only; a preempted thread
 * may have prepared to sleep, but is still on the run queue. */
NT_INLINE __u64 nt_task_state(const bool direct, struct task_struct *p)
{
	struct task_struct___state *old = (void *)p;

	if (bpf_core_field_exists(p->__state))
		return NT_GET(direct, p, __state);
	return direct ? old->state : BPF_CORE_READ(old, state);
}

/* Padded with zeros: before 6.2 the kernel leaves what an older name had behind the end. */
NT_INLINE void nt_task_comm(struct task_struct *p, char *comm)
{
	__builtin_memset(comm, 0, 16);
	bpf_core_read_str(comm, 16, &p->comm);
}

/*
 * sched_switch is (preempt, prev, next) up to 5.17, then (preempt, prev_state, prev, next) in 5.18,
 * then (preempt, prev, next, prev_state): BTF tells which (without it: the first). volatile and the
 * different assembler comments keep the compiler from joining the loads into one at a computed
 * place, which the verifier refuses for a context.
 */
#define NT_TP_SCHED_SWITCH(body)							\
NT_TP(sched_switch, void *preempt)							\
{											\
	volatile __u64 *arg = ctx;							\
	struct task_struct *prev, *next;						\
											\
	if (nt_const(NT_CONST_TP_PTRS) && !(nt_const(NT_CONST_TP_PTRS) & 2)) {		\
		prev = (void *)arg[2];							\
		next = (void *)arg[3];							\
		asm volatile("# prev, next third and fourth" : "+r"(prev), "+r"(next));	\
	} else {									\
		prev = (void *)arg[1];							\
		next = (void *)arg[2];							\
		asm volatile("# prev, next second and third" : "+r"(prev), "+r"(next));	\
	}										\
	return body(ctx, direct, (__u64)preempt & 1, prev, next);			\
}

/* A comm that the user named? Both are padded with zeros. */
NT_INLINE bool nt_task_named(struct task_struct *p)
{
	struct nt_task_cfg *c = nt_task_cfg_get();
	__u64 comm[2];

	if (!c)
		return false;
	nt_task_comm(p, (char *)comm);
#pragma unroll
	for (int i = 0; i < NT_TASK_NAMES; i++) {
		__u64 *name = (__u64 *)c->name[i];

		if (name[0] && name[0] == comm[0] && name[1] == comm[1])
			return true;
	}
	return false;
}

NT_INLINE void nt_task_want(__u32 tgid)
{
	__u64 now = bpf_ktime_get_ns();

	if (bpf_map_update_elem(&nt_tasks, &tgid, &now, BPF_NOEXIST) == -7 /* E2BIG */)
		nt_stat_add(NT_STAT_MAP_FULL, 1);
}

/* New processes of a wanted name are watched from their first moment on; user space looks through
 * /proc now and then and puts right what a name of more than 15 characters left open. */
#define NT_TP_TASK_NAMES()								\
NT_TP(process_fork, struct task_struct *parent, struct task_struct *child)		\
{											\
	__u32 tgid = NT_GET(direct, child, tgid);					\
											\
	if (tgid != (__u32)NT_GET(direct, parent, tgid) && nt_task_named(child))	\
		nt_task_want(tgid);							\
	return 0;									\
}											\
NT_TP(process_exec, struct task_struct *p)						\
{											\
	if (nt_task_named(p))								\
		nt_task_want(NT_GET(direct, p, tgid));					\
	return 0;									\
}

#endif
