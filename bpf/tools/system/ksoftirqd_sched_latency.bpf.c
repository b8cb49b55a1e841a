// SPDX-License-Identifier: GPL-2.0
/*
 * How long ksoftirqd waits for its CPU once softirq work is left to it. Which
 * threads those are is user space's business (nt_softirqds); kernel threads
 * that are not among them and tasks cost one look at their flags, or one lookup.
 */
#include "lib/emit.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/task.bpf.h"
#include "nettrace/nt_abi_softirq.h"

NT_LICENSE;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct nt_softirqd);
} nt_softirqds SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nt_softirqd_culprit);
	__type(value, struct nt_softirqd_blame);
} nt_culprits SEC(".maps");

/* Since when the running thread has this CPU; 0: no switch was seen on it yet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nt_cpu_since SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_SOFTIRQS);
	__type(key, __u32);
	__type(value, struct nt_softirq_vec);
} nt_softirq_vecs SEC(".maps");
NT_HISTS(nt_hists, NT_SOFTIRQS);	/* ns from raise to run, by vector */

NT_INLINE struct nt_softirqd *softirqd_of(const bool direct, struct task_struct *p)
{
	__u32 tid;

	if (!(NT_GET(direct, p, flags) & NT_PF_KTHREAD))
		return NULL;
	tid = NT_GET(direct, p, pid);
	return bpf_map_lookup_elem(&nt_softirqds, &tid);
}

/* ---- a delay has ended ---- */
NT_INLINE void blame(const struct nt_sched_worst *w)
{
	struct nt_softirqd_blame zero = { 0 }, *b;
	struct nt_softirqd_culprit k;

	k.tid = w->before_tid;
	k.cpu = w->cpu;
	__builtin_memcpy(k.comm, w->before_comm, sizeof(k.comm));
	b = nt_row(&nt_culprits, &k, &zero);
	if (!b)
		return;
	__sync_fetch_and_add(&b->delays, 1);
	__sync_fetch_and_add(&b->delay_ns, w->delay_ns);
	nt_max(&b->max_ns, w->delay_ns);
}

NT_INLINE void tell(void *ctx, const bool direct, struct task_struct *next, const struct nt_sched_worst *w)
{
	struct nt_sched_event *e = nt_scratch_get(0);

	if (!e)
		return;
	__builtin_memset(e, 0, __builtin_offsetof(struct nt_sched_event, stack));
	e->ts_ns = w->at_ns;
	e->delay_ns = w->delay_ns;
	e->before_ns = w->before_ns;
	e->pid = NT_GET(direct, next, tgid);
	e->tid = NT_GET(direct, next, pid);
	e->cpu = w->cpu;
	e->cause = w->cause;
	e->before_tid = w->before_tid;
	nt_task_comm(next, e->comm);
	__builtin_memcpy(e->before_comm, w->before_comm, 16);
	nt_emit(ctx, e, __builtin_offsetof(struct nt_sched_event, stack));
}

NT_INLINE void delayed(void *ctx, const bool direct, struct nt_softirqd *s, struct task_struct *prev,
		       struct task_struct *next, const __u64 now)
{
	struct nt_task_cfg *c = nt_task_cfg_get();
	bool woken = s->wake_ns;
	__u64 from = woken ? s->wake_ns : s->preempt_ns, *since;
	struct nt_sched_worst w = { .delay_ns = now > from ? now - from : 0, .at_ns = now };
	__u32 zero = 0;

	nt_hist_record(woken ? &s->wake : &s->preempted, w.delay_ns);
	since = bpf_map_lookup_elem(&nt_cpu_since, &zero);
	if (!c || !since)
		return;
	w.sample = c->sample;
	w.cause = woken ? NT_SCHED_WAKEUP : NT_SCHED_PREEMPTED;
	w.cpu = bpf_get_smp_processor_id();
	w.before_ns = *since ? now - *since : 0;
	w.before_tid = NT_GET(direct, prev, pid);
	nt_task_comm(prev, w.before_comm);
	if (w.delay_ns > s->worst.delay_ns)
		s->worst = w;
	if (s->worst_sample.sample != w.sample || w.delay_ns > s->worst_sample.delay_ns)
		s->worst_sample = w;
	if (w.delay_ns < nt_const(NT_CONST_TOOL1))
		return;
	s->over++;
	blame(&w);
	tell(ctx, direct, next, &w);
}

NT_INLINE void gets_cpu(void *ctx, const bool direct, struct nt_softirqd *s, struct task_struct *prev,
			struct task_struct *next, const __u64 now)
{
	if (s->wake_ns || s->preempt_ns)
		delayed(ctx, direct, s, prev, next, now);
	else if (s->seen)
		nt_stat_add(NT_STAT_UNMATCHED, 1);
	s->seen = 1;
	s->wake_ns = s->preempt_ns = 0;
	s->run_since_ns = now;
	s->runs++;
	nt_stat_add(NT_STAT_EVENTS, 1);
}

NT_INLINE void leaves_cpu(struct nt_softirqd *s, const __u64 now, bool queued)
{
	if (s->run_since_ns && now > s->run_since_ns)
		s->run_ns += now - s->run_since_ns;
	s->seen = 1;
	s->run_since_ns = s->wake_ns = s->preempt_ns = 0;
	if (queued) {
		s->preempt_ns = now;
		s->preemptions++;
	}
}

NT_INLINE int switched(void *ctx, const bool direct, bool preempt, struct task_struct *prev,
		       struct task_struct *next)
{
	struct nt_softirqd *s = softirqd_of(direct, prev);
	const __u64 now = bpf_ktime_get_ns();
	__u32 zero = 0;
	__u64 *since;

	if (s)
		leaves_cpu(s, now, preempt || !nt_task_state(direct, prev));
	s = softirqd_of(direct, next);
	if (s)
		gets_cpu(ctx, direct, s, prev, next, now);
	since = bpf_map_lookup_elem(&nt_cpu_since, &zero);
	if (since)
		*since = now;
	return 0;
}

NT_TP_SCHED_SWITCH(switched)

/* While it runs, or waits already, a wakeup begins no new wait. */
NT_TP(sched_wakeup, struct task_struct *p)
{
	struct nt_softirqd *s = softirqd_of(direct, p);

	if (!s)
		return 0;
	if (s->wake_ns || s->preempt_ns || s->run_since_ns) {
		s->wakeups_again++;
		return 0;
	}
	s->seen = 1;
	s->wakeups++;
	s->wake_ns = bpf_ktime_get_ns();
	return 0;
}

/* ---- --vectors: from raise to run, by kind of work ---- */
NT_INLINE struct nt_softirq_vec *vec_of(__u32 vec)
{
	return bpf_map_lookup_elem(&nt_softirq_vecs, &vec);
}

NT_TP(softirq_raise, void *vec)
{
	struct nt_softirq_vec *v = vec_of((__u64)vec);

	if (v && !v->raised_ns)
		v->raised_ns = bpf_ktime_get_ns();
	return 0;
}

NT_TP(softirq_entry, void *vec)
{
	__u32 nr = (__u64)vec, tid = bpf_get_current_pid_tgid();
	struct nt_softirq_vec *v = vec_of(nr);
	struct nt_hist_raw *h;
	__u64 now;

	if (!v)
		return 0;
	v->runs++;
	if (bpf_map_lookup_elem(&nt_softirqds, &tid))
		v->in_thread++;
	if (!v->raised_ns)
		return 0;
	now = bpf_ktime_get_ns();
	h = bpf_map_lookup_elem(&nt_hists, &nr);
	if (h)
		nt_hist_record(h, now > v->raised_ns ? now - v->raised_ns : 0);
	v->raised_ns = 0;
	return 0;
}
