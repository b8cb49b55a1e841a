/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive calls of threads: what a thread does in one, from its begin to its end, and what calls come to by
 * socket. Whoever sees calls begin and end uses nt_recv_begin(), nt_recv_start(), nt_recv_end() and
 * nt_recv_calls_forget(); the scheduler's hooks tell of the rest.
 */
#ifndef NT_BPF_RECV_H
#define NT_BPF_RECV_H

#include "lib/calls.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/slowest.bpf.h"
#include "lib/sock.bpf.h"
#include "lib/task.bpf.h"
#include "nettrace/nt_abi_recv.h"

NT_LONG_CALLS(nt_recv_calls, struct nt_recv_call, 16384)

/* What threads did before. One that is forgotten begins anew: how busy it was is not known then. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct nt_recv_thread);
} nt_recv_threads SEC(".maps");

#define SOCKETS(name)				\
struct {					\
	__uint(type, BPF_MAP_TYPE_HASH);	\
	__uint(max_entries, 16384);		\
	__type(key, struct nt_recv_key);	\
	__type(value, struct nt_recv_val);	\
} name SEC(".maps")
SOCKETS(nt_recv_socks0);		/* of the intervals of even number */
SOCKETS(nt_recv_socks1);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_recv_sums);
} nt_recv_sums SEC(".maps");
NT_HISTS(nt_hists, NT_RECV_HISTS);

NT_INLINE bool nt_recv_measured(__u32 class)
{
	return nt_const(NT_CONST_TOOL1) & (1ULL << class);
}

/* Calls that are not measured are followed all the same where the rest is: theirs is not the rest. */
NT_INLINE bool nt_recv_followed(__u32 class)
{
	return nt_recv_measured(class) || nt_recv_measured(NT_RECV_OTHER);
}

NT_INLINE __u64 nt_since(__u64 from, __u64 to)
{
	return to > from ? to - from : 0;	/* clocks of two CPUs may differ by some ns */
}

/* ---- a call begins ---- */

/* How long the thread has done something else. */
NT_INLINE void nt_recv_look_back(struct nt_recv_call *c)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct nt_recv_thread *t = bpf_map_lookup_elem(&nt_recv_threads, &tid);
	__u64 from;

	c->busy_ns = ~0ULL;
	if (!t)
		return;
	from = t->poll_end_ns > t->end_ns ? t->poll_end_ns : t->end_ns;
	c->busy_ns = nt_since(from, bpf_ktime_get_ns());
	c->poll_ns = t->poll_ns;
	t->poll_ns = 0;
}

/* NULL: the socket is not meant, or there is no memory. */
NT_INLINE struct nt_recv_call *nt_recv_begin(struct sock *sk, __u32 class)
{
	struct nt_cur *cur = nt_cur_get();
	struct nt_recv_call *c;

	if (!cur)
		return NULL;
	nt_sock_cur(sk, cur);
	if (!nt_tuple_match(cur))
		return NULL;
	c = nt_recv_calls_push();
	if (!c)
		return NULL;
	__builtin_memcpy(&c->flow, &cur->flow, sizeof(c->flow));
	c->class = class;
	c->fd = -1;
	c->wanted = 1;
	c->tgid = bpf_get_current_pid_tgid() >> 32;
	c->cpu = c->cpu_now = bpf_get_smp_processor_id();
	c->queued = nt_sock_recvq(sk);
	nt_recv_look_back(c);
	return c;
}

/* Last: our own work is not the call's. */
NT_INLINE void nt_recv_start(struct nt_recv_call *c)
{
	c->since_ns = bpf_ktime_get_ns();
}

/* ---- between receive calls: poll, select, epoll_wait ---- */
NT_INLINE void nt_recv_poll_begins(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct nt_recv_thread *t = bpf_map_lookup_elem(&nt_recv_threads, &tid);

	if (t)
		t->poll_since_ns = bpf_ktime_get_ns();
}

NT_INLINE void nt_recv_poll_ends(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct nt_recv_thread *t = bpf_map_lookup_elem(&nt_recv_threads, &tid);

	if (!t || !t->poll_since_ns)
		return;
	t->poll_end_ns = bpf_ktime_get_ns();
	t->poll_ns += nt_since(t->poll_since_ns, t->poll_end_ns);
	t->poll_since_ns = 0;
}

/* ---- what the thread does in a call ---- */
#define NT_TASK_INTERRUPTIBLE 1
#define NT_TASK_WAKING 0x200

/* Only data, a signal or a timeout end an interruptible sleep in these calls; that for the socket's lock or a page
 * is none. Woken on the way to its sleep, the thread is runnable (or about to be) when it leaves its CPU. */
NT_INLINE __u32 nt_recv_phase_off(const bool direct, bool preempt, struct task_struct *p)
{
	__u64 state = nt_task_state(direct, p);

	if (preempt)
		return NT_RECV_PREEMPTED;
	if (state & NT_TASK_INTERRUPTIBLE)
		return NT_RECV_WAITS;
	return !state || (state & NT_TASK_WAKING) ? NT_RECV_WOKEN : NT_RECV_BLOCKED;
}

NT_INLINE void nt_recv_leaves_cpu(const bool direct, bool preempt, struct task_struct *p)
{
	struct nt_recv_call *c = nt_recv_calls_of(NT_GET(direct, p, pid));

	if (!c)
		return;
	c->mark_ns = bpf_ktime_get_ns();
	/* After the mark: another CPU may wake it. */
	*(volatile __u32 *)&c->phase = nt_recv_phase_off(direct, preempt, p);
}

NT_INLINE void nt_recv_gets_cpu(const bool direct, struct task_struct *p)
{
	struct nt_recv_call *c = nt_recv_calls_of(NT_GET(direct, p, pid));
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 time;

	if (!c)
		return;
	time = nt_since(c->mark_ns, bpf_ktime_get_ns());
	if (c->phase == NT_RECV_PREEMPTED)
		c->preempted_ns += time;
	else if (c->phase == NT_RECV_BLOCKED)
		c->blocked_ns += time;
	else if (c->phase == NT_RECV_WOKEN || (c->phase == NT_RECV_WAITS && c->woken_ns))
		c->wakeup_ns += time;	/* WAITS: the wakeup came just before the switch */
	else if (c->phase == NT_RECV_WAITS)
		c->wait_ns += time;
	c->phase = NT_RECV_RUNS;
	c->woken_ns = 0;
	if (cpu != c->cpu_now)
		c->migrations++;
	c->cpu_now = cpu;
}

/* In the waker's context, so right behind the arrival of data. */
NT_INLINE void nt_recv_woken(__u32 tid)
{
	struct nt_recv_call *c = nt_recv_calls_of(tid);
	__u64 now;

	if (!c)
		return;
	now = bpf_ktime_get_ns();
	if (c->phase == NT_RECV_WAITS) {
		c->wait_ns += nt_since(c->mark_ns, now);
		c->mark_ns = now;
		c->phase = NT_RECV_WOKEN;
	} else if (c->phase == NT_RECV_RUNS) {
		c->woken_ns = now;
	}
}

/* ---- a call ends ---- */
/* Not of an older call, whose return was missed? */
NT_INLINE bool nt_recv_is_of(const struct nt_recv_call *c, __u32 class, __u64 fd)
{
	return c->class == class && c->fd == (__s32)fd;
}

struct nt_recv_parts {
	__u64 total, work;
};

NT_INLINE __u64 nt_recv_value(const __u64 which, const struct nt_recv_call *c, const struct nt_recv_parts *p)
{
	if (which == NT_RECV_ON_WAIT)
		return c->wait_ns;
	if (which == NT_RECV_ON_WAKEUP)
		return c->wakeup_ns;
	if (which == NT_RECV_ON_WORK)
		return p->work;
	return which == NT_RECV_ON_DELAY ? p->work + c->wakeup_ns : p->total;
}

/* Length of message i that recvmmsg() got: struct mmsghdr is msghdr (56 bytes), msg_len, 4 spare bytes. */
NT_INLINE __u32 nt_recv_message_bytes(__u64 array, __u32 i)
{
	__u32 len = 0;

	bpf_probe_read_user(&len, sizeof(len), (void *)(array + 64 * i + 56));
	return len;
}

NT_SUBPROG __u64 nt_recv_messages_bytes(__u64 array, __s64 n)
{
	__u64 bytes = 0;

#pragma unroll
	for (int i = 0; i < NT_RECV_MMSG; i++)
		if (i < n)
			bytes += nt_recv_message_bytes(array, i);
	return bytes;
}

NT_INLINE void nt_recv_record(__u32 hist, __u64 v)
{
	struct nt_hist_raw *h = bpf_map_lookup_elem(&nt_hists, &hist);

	if (h)
		nt_hist_record(h, v);
}

/* A subprogram: it is written once for both exits, and the verifier looks at it once. */
NT_SUBPROG int nt_recv_record_all(const struct nt_recv_event *e)
{
	const struct nt_recv_call *c;

	if (!e)
		return 0;
	c = &e->call;
	nt_recv_record(NT_RECV_TOTAL, e->total_ns);
	if (c->wait_ns)
		nt_recv_record(NT_RECV_WAIT, c->wait_ns);
	if (c->wakeup_ns)
		nt_recv_record(NT_RECV_WAKEUP, c->wakeup_ns);
	nt_recv_record(NT_RECV_WORK, e->work_ns);
	if (c->busy_ns != ~0ULL)
		nt_recv_record(NT_RECV_BUSY, c->busy_ns);
	if (e->bytes)
		nt_recv_record(NT_RECV_BYTES, e->bytes);
	nt_recv_record(NT_RECV_QUEUED, c->queued);
	return 0;
}

NT_INLINE bool nt_recv_is_again(__s64 ret)
{
	return ret == -11 /* EAGAIN */;
}

NT_INLINE void nt_recv_count(struct nt_recv_counts *n, const struct nt_recv_event *e)
{
	const struct nt_recv_call *c = &e->call;

	__sync_fetch_and_add(&n->calls, 1);
	__sync_fetch_and_add(&n->bytes, e->bytes);
	__sync_fetch_and_add(&n->total_ns, e->total_ns);
	__sync_fetch_and_add(&n->wait_ns, c->wait_ns);
	__sync_fetch_and_add(&n->wakeup_ns, c->wakeup_ns);
	__sync_fetch_and_add(&n->preempted_ns, c->preempted_ns);
	__sync_fetch_and_add(&n->blocked_ns, c->blocked_ns);
	__sync_fetch_and_add(&n->poll_ns, c->poll_ns);
	__sync_fetch_and_add(&n->queued_bytes, c->queued);
	__sync_fetch_and_add(&n->migrations, c->migrations);
	if (c->queued) {
		__sync_fetch_and_add(&n->late, 1);
		if (c->busy_ns != ~0ULL)
			__sync_fetch_and_add(&n->late_ns, c->busy_ns);
	}
	if (e->ret < 0) {
		if (!nt_recv_is_again(e->ret))
			__sync_fetch_and_add(&n->errors, 1);
		else if (c->wait_ns)
			__sync_fetch_and_add(&n->timeouts, 1);
		else
			__sync_fetch_and_add(&n->again, 1);
		return;
	}
	__sync_fetch_and_add(&n->messages, c->class == NT_RECV_RECVMMSG ? e->ret : 1);
	if (!e->ret && c->wanted && c->flow.proto == NT_IPPROTO_TCP)
		__sync_fetch_and_add(&n->eof, 1);
}

NT_INLINE void nt_recv_count_error(struct nt_recv_sums *s, __s64 ret)
{
	__u64 e = -ret;

	if (e >= 512 && e <= 516)		/* ERESTART...: the program sees EINTR, or the call begins anew */
		e = 4;
	NT_BARRIER(e);
	if (e < NT_RECV_ERRNOS)
		__sync_fetch_and_add(&s->error[e], 1);
}

NT_SUBPROG int nt_recv_count_socket(const struct nt_recv_event *e)
{
	struct nt_task_cfg *cfg = nt_task_cfg_get();
	struct nt_recv_val zero, *v;
	struct nt_recv_key k;

	if (!e || !cfg)
		return 0;
	__builtin_memset(&zero, 0, sizeof(zero));
	__builtin_memcpy(k.local, e->call.flow.saddr, 16);
	__builtin_memcpy(k.remote, e->call.flow.daddr, 16);
	k.local_port = e->call.flow.sport;
	k.remote_port = e->call.flow.dport;
	k.proto = e->call.flow.proto;
	k.ip_version = e->call.flow.ip_version;
	k.pad = 0;
	k.tgid = e->call.tgid;
	v = cfg->sample & 1 ? nt_row(&nt_recv_socks1, &k, &zero) : nt_row(&nt_recv_socks0, &k, &zero);
	if (!v)
		return 0;
	nt_recv_count(&v->n, e);
	nt_max(&v->delay_max_ns, e->work_ns + e->call.wakeup_ns);
	nt_max(&v->queued_max, e->call.queued);
	v->fd = e->call.fd;
	v->tid = e->tid;
	__builtin_memcpy(v->comm, e->comm, 16);
	return 0;
}

NT_INLINE void nt_recv_tell(void *ctx, struct nt_recv_event *e)
{
	const __u64 on = nt_const(NT_CONST_TOOL3);
	struct nt_recv_parts p = { .total = e->total_ns, .work = e->work_ns };

	e->over = nt_recv_value(on & 0xff, &e->call, &p) >= nt_const(NT_CONST_TOOL2);
	if (e->over)
		nt_emit(ctx, e, sizeof(*e));
	else if (nt_among_slowest(nt_recv_value(on >> 8, &e->call, &p)))
		nt_emit_uncounted(ctx, e, sizeof(*e));
}

NT_INLINE void nt_recv_remember(__u32 tid, __u64 now)
{
	struct nt_recv_thread *t = bpf_map_lookup_elem(&nt_recv_threads, &tid), fresh = { .end_ns = now };

	if (t)
		t->end_ns = now;
	else
		bpf_map_update_elem(&nt_recv_threads, &tid, &fresh, BPF_ANY);
}

NT_INLINE void nt_recv_end(void *ctx, struct nt_recv_call *c, __s64 ret, const __u64 now)
{
	struct nt_recv_event *e = nt_scratch_get(0);
	struct nt_recv_sums *s;
	__u32 zero = 0, class;
	__u64 idle;

	s = bpf_map_lookup_elem(&nt_recv_sums, &zero);
	if (!e || !s)
		return;
	__builtin_memcpy(&e->call, c, sizeof(e->call));
	e->ts_ns = now;
	e->ret = ret;
	e->total_ns = nt_since(c->since_ns, now);
	idle = c->wait_ns + c->wakeup_ns;
	e->work_ns = nt_since(idle, e->total_ns);
	e->bytes = ret > 0 ? ret : 0;
	if (c->class == NT_RECV_RECVMMSG) {
		e->bytes = nt_recv_messages_bytes(c->messages, ret);
		if (ret > NT_RECV_MMSG)
			__sync_fetch_and_add(&s->unsized, ret - NT_RECV_MMSG);
	}
	e->tid = bpf_get_current_pid_tgid();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	nt_stat_add(NT_STAT_EVENTS, 1);
	nt_recv_count(&s->n, e);
	class = c->class;
	NT_BARRIER(class);
	if (class < NT_RECV_CLASSES)
		__sync_fetch_and_add(&s->class[class], 1);
	if (ret < 0)
		nt_recv_count_error(s, ret);
	nt_recv_record_all(e);
	nt_recv_count_socket(e);
	nt_recv_tell(ctx, e);
	nt_recv_remember(e->tid, now);
}

#endif
