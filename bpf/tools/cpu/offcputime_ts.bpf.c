// SPDX-License-Identifier: GPL-2.0
/* What threads wait for: time off the CPU by thread and stacks. */
#include "lib/stacks.bpf.h"
#include "lib/task.bpf.h"

NT_LICENSE;

/* All preallocated: sched_switch holds a run queue lock. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct nt_off);
} nt_off SEC(".maps");

#define OFF_COUNTS(name)			\
struct {					\
	__uint(type, BPF_MAP_TYPE_HASH);	\
	__uint(max_entries, 16384);		\
	__type(key, struct nt_off_key);		\
	__type(value, struct nt_off_val);	\
} name SEC(".maps")
OFF_COUNTS(nt_counts0);		/* of the intervals of even number */
OFF_COUNTS(nt_counts1);

NT_INLINE bool state_wanted(__u64 state)
{
	const __u64 mask = nt_const(NT_CONST_TOOL3);

	if (mask == ~0ULL)
		return true;
	return mask ? (state & mask) != 0 : state == 0;
}

NT_INLINE __s32 stack_of(void *ctx, const __u64 flags, const __u32 lost)
{
	long id = bpf_get_stackid(ctx, &nt_stacks, flags);

	if (id < 0)		/* full, or another stack has the same hash */
		nt_stat_add(lost, 1);
	return id;
}

NT_INLINE void leaves(void *ctx, const bool direct, bool preempt, struct task_struct *p, const __u64 now)
{
	const __u64 how = nt_const(NT_CONST_TOOL0);
	__u64 state = preempt ? 0 : nt_task_state(direct, p);
	__u32 tid = NT_GET(direct, p, pid);
	struct nt_off o = { .since_ns = now, .kernel_stack = NT_NO_STACK, .user_stack = NT_NO_STACK };

	/* A dead thread never comes back. */
	if (!nt_task_wanted(direct, p) || !state_wanted(state) || (state & NT_TASK_DEAD))
		return;
	o.state = state;
	o.tgid = NT_GET(direct, p, tgid);
	if (!state)
		o.runnable_ns = now;
	nt_task_comm(p, o.comm);
	if (how & NT_OFF_KERNEL_STACK)
		o.kernel_stack = stack_of(ctx, 0, NT_STAT_OFF_NO_KERNEL);
	if ((how & NT_OFF_USER_STACK) && !(NT_GET(direct, p, flags) & NT_PF_KTHREAD))
		o.user_stack = stack_of(ctx, BPF_F_USER_STACK, NT_STAT_OFF_NO_USER);
	if (bpf_map_update_elem(&nt_off, &tid, &o, BPF_ANY))
		nt_stat_add(NT_STAT_MAP_FULL, 1);
}

NT_INLINE struct nt_off_val *count_of(void *counts, struct nt_off_key *k)
{
	struct nt_off_val zero = { 0 };

	return nt_row(counts, k, &zero);
}

NT_INLINE void add(const struct nt_off *o, __u32 tid, const __u64 now)
{
	struct nt_task_cfg *c = nt_task_cfg_get();
	struct nt_off_key k = { .tid = tid };
	struct nt_off_val *v;
	__u64 time = now - o->since_ns;

	k.tgid = o->tgid;
	k.kernel_stack = o->kernel_stack;
	k.user_stack = o->user_stack;
	k.state = o->state;
	__builtin_memcpy(k.comm, o->comm, 16);
	if (nt_const(NT_CONST_TOOL0) & NT_OFF_WAKER)
		__builtin_memcpy(k.waker, o->waker, 16);
	v = c && (c->sample & 1) ? count_of(&nt_counts1, &k) : count_of(&nt_counts0, &k);
	if (!v)
		return;
	/* A thread is on one CPU at a time: nobody else writes here. */
	v->total_ns += time;
	v->count++;
	if (time > v->max_ns)
		v->max_ns = time;
	if (o->runnable_ns && now > o->runnable_ns)
		v->queued_ns += now - o->runnable_ns;
	nt_stat_add(NT_STAT_EVENTS, 1);
}

NT_INLINE void comes(const bool direct, struct task_struct *p, const __u64 now)
{
	__u32 tid = NT_GET(direct, p, pid);
	struct nt_off *o;
	__u64 time;

	if (!tid)
		return;
	o = bpf_map_lookup_elem(&nt_off, &tid);
	if (!o)
		return;
	time = now > o->since_ns ? now - o->since_ns : 0;
	if (time >= nt_const(NT_CONST_TOOL1) && time <= nt_const(NT_CONST_TOOL2))
		add(o, tid, now);
	bpf_map_delete_elem(&nt_off, &tid);
}

NT_INLINE int switched(void *ctx, const bool direct, bool preempt, struct task_struct *prev,
		       struct task_struct *next)
{
	const __u64 now = bpf_ktime_get_ns();

	leaves(ctx, direct, preempt, prev, now);
	comes(direct, next, now);
	return 0;
}

NT_TP_SCHED_SWITCH(switched)

NT_INLINE int woken(const bool direct, struct task_struct *p)
{
	__u32 tid = NT_GET(direct, p, pid);
	struct nt_off *o = bpf_map_lookup_elem(&nt_off, &tid);

	if (!o || o->runnable_ns)
		return 0;
	o->runnable_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(o->waker, sizeof(o->waker));
	return 0;
}

NT_TP(sched_wakeup, struct task_struct *p)
{
	return woken(direct, p);
}
