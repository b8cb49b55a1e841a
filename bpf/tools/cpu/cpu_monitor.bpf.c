// SPDX-License-Identifier: GPL-2.0
/* How long each thread had each CPU. */
#include "lib/task.bpf.h"

NT_LICENSE;

/* Never allocated at run time: the tracepoint holds a run queue lock. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct nt_cpu_key);
	__type(value, struct nt_cpu_time);
} nt_cpu_times SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_cpu_now);
} nt_cpu_now SEC(".maps");

/* By the clock since the switch-in, without softirqs. What ran before the first switch has run since the gate
 * was opened. */
NT_INLINE __u64 wall(const struct nt_cpu_now *c, __u64 now)
{
	__u64 since = c->since_ns, softirq = c->softirq_ns - c->softirq_before_ns;
	struct nt_task_cfg *cfg;

	if (!since) {
		cfg = nt_task_cfg_get();
		since = cfg ? cfg->start_ns : now;
	}
	return now > since + softirq ? now - since - softirq : 0;
}

/*
 * The slice that ends. Kernels that do not account interrupts by themselves (most) have softirqs in the
 * thread's time. Where the kernel skipped this program at a switch, another thread is recorded and
 * nothing is known.
 */
NT_INLINE __u64 slice(const struct nt_cpu_now *c, __u64 start, __u32 tid, __u64 exec, __u64 now)
{
	__u64 most = wall(c, now);

	if (!c->since_ns)
		return most;
	if (c->tid != tid || c->start_ns != start || exec <= c->exec_ns)
		return 0;
	exec -= c->exec_ns;
	return exec < most ? exec : most;
}

NT_INLINE void off(const bool direct, struct task_struct *p, const struct nt_cpu_now *c, __u64 now)
{
	struct nt_cpu_key key = { .start_ns = NT_GET(direct, p, start_time), .tid = NT_GET(direct, p, pid),
				  .cpu = bpf_get_smp_processor_id() };
	__u64 ran = slice(c, key.start_ns, key.tid, NT_GET(direct, p, se.sum_exec_runtime), now);
	struct nt_cpu_time fresh = { 0 }, *t = nt_row(&nt_cpu_times, &key, &fresh);

	if (!t)
		return;
	t->run_ns += ran;
	t->off_ns = now;
	t->switches++;
	t->tgid = NT_GET(direct, p, tgid);
	nt_task_comm(p, t->comm);	/* may have got another since */
}

NT_INLINE int switched(void *ctx, const bool direct, bool preempt, struct task_struct *prev,
		       struct task_struct *next)
{
	const __u64 now = bpf_ktime_get_ns();
	struct nt_cpu_now *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&nt_cpu_now, &zero);
	if (!c || c->skip)
		return 0;
	if (NT_GET(direct, prev, pid))
		off(direct, prev, c, now);
	else if (!c->tid)	/* idle tasks share an id */
		c->idle_ns += wall(c, now);
	*(volatile __u64 *)&c->since_writer = now;
	c->exec_ns = NT_GET(direct, next, se.sum_exec_runtime);
	c->softirq_before_ns = c->softirq_ns;
	c->softirq_since_ns = 0;	/* a real-time kernel's: it goes on as the thread's time */
	c->start_ns = NT_GET(direct, next, start_time);
	c->tid = NT_GET(direct, next, pid);
	c->tgid = NT_GET(direct, next, tgid);
	*(volatile __u64 *)&c->since_ns = now;
	nt_stat_add(NT_STAT_EVENTS, 1);
	return 0;
}

NT_TP_SCHED_SWITCH(switched)

/* ksoftirqd's time is a thread's. */
NT_INLINE bool in_ksoftirqd(void)
{
	__u64 comm[2] = { 0 };

	bpf_get_current_comm(comm, sizeof(comm));
	return comm[0] == 0x71726974666f736b;	/* "ksoftirq" */
}

NT_TP(softirq_entry, void *vector)
{
	struct nt_cpu_now *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&nt_cpu_now, &zero);
	if (c && !c->skip)
		c->softirq_since_ns = in_ksoftirqd() ? 0 : bpf_ktime_get_ns();
	return 0;
}

NT_TP(softirq_exit, void *vector)
{
	struct nt_cpu_now *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&nt_cpu_now, &zero);
	if (!c || !c->softirq_since_ns)
		return 0;
	c->softirq_ns += bpf_ktime_get_ns() - c->softirq_since_ns;
	c->softirq_since_ns = 0;
	return 0;
}
