// SPDX-License-Identifier: GPL-2.0
/* How long threads wait for a CPU: from runnable (woken, or preempted) to running. */
#include "lib/emit.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/task.bpf.h"

NT_LICENSE;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, __u32);
	__type(value, struct nt_sched_thread);
} nt_threads SEC(".maps");

/* What a new thread starts with: never written, too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_sched_thread);
} nt_thread_zero SEC(".maps");

/* Since when the running thread has this CPU; 0: no switch was seen on it yet. */
struct nt_sched_cpu {
	__u64 since_ns;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_sched_cpu);
} nt_sched_cpu SEC(".maps");

NT_INLINE struct nt_sched_thread *thread_of(const bool direct, struct task_struct *p, bool *is_new)
{
	__u32 tid = NT_GET(direct, p, pid), zero = 0;
	struct nt_sched_thread *t = bpf_map_lookup_elem(&nt_threads, &tid);

	*is_new = false;
	if (t)
		return t;
	t = bpf_map_lookup_elem(&nt_thread_zero, &zero);
	if (!t)
		return NULL;
	if (bpf_map_update_elem(&nt_threads, &tid, t, BPF_NOEXIST)) {
		nt_stat_add(NT_STAT_MAP_FULL, 1);
		return NULL;
	}
	t = bpf_map_lookup_elem(&nt_threads, &tid);
	if (!t)
		return NULL;
	*is_new = true;
	t->tgid = NT_GET(direct, p, tgid);
	nt_task_comm(p, t->comm);
	return t;
}

NT_INLINE void write_begin(struct nt_sched_thread *t)
{
	*(volatile __u64 *)&t->seq_writer = t->seq_writer + 1;
}

NT_INLINE void write_end(struct nt_sched_thread *t)
{
	*(volatile __u64 *)&t->seq = t->seq_writer;
}

/* The thread leaves its CPU. */
NT_INLINE void off(const bool direct, struct task_struct *p, const __u64 now, bool queued)
{
	__u64 since = nt_task_wanted(direct, p), exec;
	struct nt_sched_cpu *cpu;
	struct nt_sched_thread *t;
	__u32 zero = 0;
	bool is_new;

	if (!since)
		return;
	t = thread_of(direct, p, &is_new);
	cpu = bpf_map_lookup_elem(&nt_sched_cpu, &zero);
	if (!t || !cpu)
		return;
	write_begin(t);
	if (is_new)	/* it has been running since before it was watched, or since the last switch */
		t->run_since_ns = cpu->since_ns > since ? cpu->since_ns : since;
	/* The kernel's own figure leaves interrupts and stolen time out, if it accounts them. */
	exec = NT_GET(direct, p, se.sum_exec_runtime);
	if (t->exec_ns && exec >= t->exec_ns)
		t->run_ns += exec - t->exec_ns;
	else if (t->run_since_ns && now > t->run_since_ns)
		t->run_ns += now - t->run_since_ns;
	t->run_since_ns = t->wait_since_ns = 0;	/* a first wakeup may have been of a running thread */
	t->switches++;
	nt_task_comm(p, t->comm);	/* may have got another since */
	if (queued) {
		t->preemptions++;
		t->wait_since_ns = now;
		t->cause = NT_SCHED_PREEMPTED;
	}
	write_end(t);
}

NT_INLINE void tell(void *ctx, struct nt_sched_thread *t, struct task_struct *next,
		    struct nt_sched_worst *w, const bool direct)
{
	struct nt_sched_event *e = nt_scratch_get(0);

	if (!e)
		return;
	__builtin_memset(e, 0, __builtin_offsetof(struct nt_sched_event, stack) + sizeof(e->stack[0]));
	e->ts_ns = w->at_ns;
	e->delay_ns = w->delay_ns;
	e->before_ns = w->before_ns;
	e->pid = t->tgid;
	e->tid = NT_GET(direct, next, pid);
	e->cpu = w->cpu;
	e->cause = w->cause;
	e->before_tid = w->before_tid;
	__builtin_memcpy(e->comm, t->comm, 16);
	__builtin_memcpy(e->before_comm, w->before_comm, 16);
	if (w->cause == NT_SCHED_WAKEUP) {
		e->waker_tid = t->waker_tid;
		__builtin_memcpy(e->waker_comm, t->waker_comm, 16);
	}
	if (nt_const(NT_CONST_TOOL0) & NT_SCHED_STACK)
		nt_stack_fill(ctx, e->stack);
	nt_emit(ctx, e, sizeof(*e));
}

/* A delay has ended: keep the longest of all and of the sample, and tell of long ones. */
NT_INLINE void delayed(void *ctx, const bool direct, struct nt_sched_thread *t,
		       struct task_struct *prev, struct task_struct *next, const __u64 now)
{
	struct nt_task_cfg *c = nt_task_cfg_get();
	/* The clocks of two CPUs may differ by some ns. */
	__u64 delay = now > t->wait_since_ns ? now - t->wait_since_ns : 0;
	struct nt_sched_worst w = { .delay_ns = delay, .at_ns = now, .cause = t->cause };
	struct nt_sched_cpu *cpu;
	__u32 zero = 0;

	nt_hist_record(&t->delay, delay);
	cpu = bpf_map_lookup_elem(&nt_sched_cpu, &zero);
	if (!c || !cpu)
		return;
	w.sample = c->sample;
	if (delay <= t->worst.delay_ns && t->worst_sample.sample == w.sample &&
	    delay <= t->worst_sample.delay_ns && delay < nt_const(NT_CONST_TOOL1))
		return;
	w.cpu = bpf_get_smp_processor_id();
	w.before_ns = cpu->since_ns ? now - cpu->since_ns : 0;
	w.before_tid = NT_GET(direct, prev, pid);
	nt_task_comm(prev, w.before_comm);
	if (delay > t->worst.delay_ns)
		t->worst = w;
	if (t->worst_sample.sample != w.sample || delay > t->worst_sample.delay_ns)
		t->worst_sample = w;
	if (delay >= nt_const(NT_CONST_TOOL1))
		tell(ctx, t, next, &w, direct);
}

/* The thread gets a CPU. */
NT_INLINE void on(void *ctx, const bool direct, struct task_struct *prev, struct task_struct *next,
		  const __u64 now)
{
	struct nt_sched_thread *t;
	bool is_new;

	if (!nt_task_wanted(direct, next))
		return;
	t = thread_of(direct, next, &is_new);
	if (!t)
		return;
	write_begin(t);
	if (t->wait_since_ns)
		delayed(ctx, direct, t, prev, next, now);
	else if (!is_new && !t->run_since_ns)	/* user space adds some that wait as running */
		nt_stat_add(NT_STAT_UNMATCHED, 1);
	t->wait_since_ns = 0;
	t->run_since_ns = now;
	t->exec_ns = NT_GET(direct, next, se.sum_exec_runtime);
	write_end(t);
	nt_stat_add(NT_STAT_EVENTS, 1);
}

NT_INLINE int switched(void *ctx, const bool direct, bool preempt, struct task_struct *prev,
		       struct task_struct *next)
{
	const __u64 now = bpf_ktime_get_ns();
	struct nt_sched_cpu *cpu;
	__u32 zero = 0;

	off(direct, prev, now, preempt || !nt_task_state(direct, prev));
	on(ctx, direct, prev, next, now);
	cpu = bpf_map_lookup_elem(&nt_sched_cpu, &zero);
	if (cpu)
		cpu->since_ns = now;
	return 0;
}

NT_TP_SCHED_SWITCH(switched)

NT_INLINE int woken(const bool direct, struct task_struct *p)
{
	struct nt_sched_thread *t;
	bool is_new;

	if (!nt_task_wanted(direct, p))
		return 0;
	t = thread_of(direct, p, &is_new);
	/* Queued already, or running: the first time counts. */
	if (!t || t->wait_since_ns || t->run_since_ns)
		return 0;
	write_begin(t);
	t->wakeups++;
	t->wait_since_ns = bpf_ktime_get_ns();
	t->cause = NT_SCHED_WAKEUP;
	t->waker_tid = bpf_get_current_pid_tgid();
	bpf_get_current_comm(t->waker_comm, sizeof(t->waker_comm));
	write_end(t);
	return 0;
}

NT_TP(sched_waking, struct task_struct *p)
{
	return woken(direct, p);
}

NT_TP(sched_wakeup, struct task_struct *p)
{
	return woken(direct, p);
}

NT_TP(sched_wakeup_new, struct task_struct *p)
{
	return woken(direct, p);
}

NT_TP(migrate_task, struct task_struct *p)
{
	__u32 tid = NT_GET(direct, p, pid);
	struct nt_sched_thread *t = bpf_map_lookup_elem(&nt_threads, &tid);

	if (t)
		__sync_fetch_and_add(&t->migrations, 1);
	return 0;
}

NT_TP(process_exit, struct task_struct *p)
{
	__u32 tid = NT_GET(direct, p, pid);
	struct nt_sched_thread *t = bpf_map_lookup_elem(&nt_threads, &tid);

	/* It still runs for a while; user space removes it once it is off its CPU. */
	if (t)
		t->exited = 1;
	return 0;
}

NT_TP_TASK_NAMES()
