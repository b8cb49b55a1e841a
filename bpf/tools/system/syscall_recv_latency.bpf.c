// SPDX-License-Identifier: GPL-2.0
/*
 * How long threads are in receive calls of IPv4 and IPv6 sockets, and what they do there. The call is
 * seen at raw_syscalls, its socket found by its descriptor; that the thread sleeps for want of data, is
 * woken and has the CPU again is told by the scheduler. So no function of a protocol is hooked: what TCP,
 * UDP, raw sockets, TLS or SCTP call their waiting does not matter.
 */
#include "lib/calls.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/hist.bpf.h"
#include "lib/sock.bpf.h"
#include "lib/syscall.bpf.h"
#include "lib/task.bpf.h"
#include "nettrace/nt_abi_recv.h"

NT_LICENSE;

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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nt_slowest SEC(".maps");

enum {
#if defined(__TARGET_ARCH_x86)
	NR_READ = 0, NR_READV = 19, NR_RECVFROM = 45, NR_RECVMSG = 47, NR_RECVMMSG = 299,
	NR_POLL = 7, NR_SELECT = 23, NR_EPOLL_WAIT = 232, NR_PSELECT6 = 270, NR_PPOLL = 271, NR_EPOLL_PWAIT = 281,
#else
	NR_READ = 63, NR_READV = 65, NR_RECVFROM = 207, NR_RECVMSG = 212, NR_RECVMMSG = 243,
	NR_EPOLL_PWAIT = 22, NR_PSELECT6 = 72, NR_PPOLL = 73,
	NR_POLL = NR_PPOLL, NR_SELECT = NR_PSELECT6, NR_EPOLL_WAIT = NR_EPOLL_PWAIT,	/* it has no others */
#endif
	NR_EPOLL_PWAIT2 = 441,
};

NT_INLINE bool is_poll(__u64 nr)
{
	return nr == NR_POLL || nr == NR_SELECT || nr == NR_EPOLL_WAIT || nr == NR_PSELECT6 || nr == NR_PPOLL ||
	       nr == NR_EPOLL_PWAIT || nr == NR_EPOLL_PWAIT2;
}

NT_INLINE bool is_receive(__u64 nr)
{
	return nr == NR_READ || nr == NR_READV || nr == NR_RECVFROM || nr == NR_RECVMSG || nr == NR_RECVMMSG;
}

NT_INLINE bool is_ours(__u64 nr)
{
	return is_receive(nr) || is_poll(nr);
}

NT_INLINE __u32 class_of(__u64 nr)
{
	if (nr == NR_READ)
		return NT_RECV_READ;
	if (nr == NR_READV)
		return NT_RECV_READV;
	if (nr == NR_RECVFROM)
		return NT_RECV_RECVFROM;
	return nr == NR_RECVMSG ? NT_RECV_RECVMSG : NT_RECV_RECVMMSG;
}

NT_INLINE bool measured(__u32 class)
{
	return nt_const(NT_CONST_TOOL1) & (1ULL << class);
}

/* Calls that are not measured are followed all the same where the rest is: theirs is not the rest. */
NT_INLINE bool followed(__u32 class)
{
	return measured(class) || measured(NT_RECV_OTHER);
}

NT_INLINE __u64 since(__u64 from, __u64 to)
{
	return to > from ? to - from : 0;	/* clocks of two CPUs may differ by some ns */
}

/* ---- a call begins ---- */

/* How long the thread has done something else. */
NT_INLINE void look_back(struct nt_recv_call *c)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct nt_recv_thread *t = bpf_map_lookup_elem(&nt_recv_threads, &tid);
	__u64 from;

	c->busy_ns = ~0ULL;
	if (!t)
		return;
	from = t->poll_end_ns > t->end_ns ? t->poll_end_ns : t->end_ns;
	c->busy_ns = since(from, bpf_ktime_get_ns());
	c->poll_ns = t->poll_ns;
	t->poll_ns = 0;
}

/* NULL: the socket is not meant, or there is no memory. */
NT_INLINE struct nt_recv_call *begin(struct sock *sk, __u32 class)
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
	look_back(c);
	return c;
}

NT_INLINE void poll_begins(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct nt_recv_thread *t = bpf_map_lookup_elem(&nt_recv_threads, &tid);

	if (t)
		t->poll_since_ns = bpf_ktime_get_ns();
}

NT_INLINE int entered(const bool direct, struct pt_regs *regs, __u64 nr)
{
	struct nt_recv_call *c;
	struct sock *sk;
	__u32 class;
	__u64 fd;

	if (nt_syscall_compat() || !nt_current_wanted())
		return 0;
	if (is_poll(nr)) {
		poll_begins();
		return 0;
	}
	class = class_of(nr);
	if (!followed(class))
		return 0;
	fd = (__u32)NT_SYSCALL_ARG0(direct, regs);
	sk = nt_sock_of_fd(fd);
	c = sk ? begin(sk, class) : NULL;
	if (!c)
		return 0;
	c->fd = fd;
	if (class == NT_RECV_RECVMMSG)
		c->messages = NT_SYSCALL_ARG1(direct, regs);
	if (class == NT_RECV_READ || class == NT_RECV_RECVFROM)
		c->wanted = NT_SYSCALL_ARG2(direct, regs) != 0;
	c->since_ns = bpf_ktime_get_ns();	/* last: our own work is not the call's */
	return 0;
}

/* Most reads are of files and pipes. They are sent away before anything else: short programs also disturb each
 * other less on kernels that may preempt them, where one that is under way makes the next be missed. */
NT_INLINE bool not_received(const bool direct, struct pt_regs *regs, __u64 nr)
{
	return !is_ours(nr) || (is_receive(nr) && !nt_sock_of_fd((__u32)NT_SYSCALL_ARG0(direct, regs)));
}

NT_TP_(sys_enter, not_received(true, (void *)ctx[0], ctx[1]), not_received(false, (void *)ctx[0], ctx[1]),
       struct pt_regs *regs, void *nr)
{
	return entered(direct, regs, (__u64)nr);
}

/* ---- what the thread does in it ---- */
#define NT_TASK_INTERRUPTIBLE 1
#define NT_TASK_WAKING 0x200

/* Only data, a signal or a timeout end an interruptible sleep in these calls; that for the socket's lock or a page
 * is none. Woken on the way to its sleep, the thread is runnable (or about to be) when it leaves its CPU. */
NT_INLINE __u32 phase_off(const bool direct, bool preempt, struct task_struct *p)
{
	__u64 state = nt_task_state(direct, p);

	if (preempt)
		return NT_RECV_OFF;
	if (state & NT_TASK_INTERRUPTIBLE)
		return NT_RECV_WAITS;
	return !state || (state & NT_TASK_WAKING) ? NT_RECV_WOKEN : NT_RECV_OFF;
}

NT_INLINE void leaves_cpu(const bool direct, bool preempt, struct task_struct *p)
{
	struct nt_recv_call *c = nt_recv_calls_of(NT_GET(direct, p, pid));

	if (!c)
		return;
	c->mark_ns = bpf_ktime_get_ns();
	*(volatile __u32 *)&c->phase = phase_off(direct, preempt, p);	/* after the mark: another CPU may wake it */
}

NT_INLINE void gets_cpu(const bool direct, struct task_struct *p)
{
	struct nt_recv_call *c = nt_recv_calls_of(NT_GET(direct, p, pid));
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 time;

	if (!c)
		return;
	time = since(c->mark_ns, bpf_ktime_get_ns());
	if (c->phase == NT_RECV_OFF)
		c->off_ns += time;
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

NT_INLINE int switched(void *ctx, const bool direct, bool preempt, struct task_struct *prev,
		       struct task_struct *next)
{
	leaves_cpu(direct, preempt, prev);
	gets_cpu(direct, next);
	return 0;
}

NT_TP_SCHED_SWITCH(switched)

/* In the waker's context, so right behind the arrival of data; sched_wakeup may come from another CPU later. */
NT_TP(sched_waking, struct task_struct *p)
{
	struct nt_recv_call *c = nt_recv_calls_of(NT_GET(direct, p, pid));
	__u64 now;

	if (!c)
		return 0;
	now = bpf_ktime_get_ns();
	if (c->phase == NT_RECV_WAITS) {
		c->wait_ns += since(c->mark_ns, now);
		c->mark_ns = now;
		c->phase = NT_RECV_WOKEN;
	} else if (c->phase == NT_RECV_RUNS) {
		c->woken_ns = now;
	}
	return 0;
}

/* ---- a call ends ---- */
struct parts {
	__u64 total, work;
};

NT_INLINE __u64 measure(const __u64 which, const struct nt_recv_call *c, const struct parts *p)
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
NT_INLINE __u32 message_bytes(__u64 array, __u32 i)
{
	__u32 len = 0;

	bpf_probe_read_user(&len, sizeof(len), (void *)(array + 64 * i + 56));
	return len;
}

NT_SUBPROG __u64 messages_bytes(__u64 array, __s64 n)
{
	__u64 bytes = 0;

#pragma unroll
	for (int i = 0; i < NT_RECV_MMSG; i++)
		if (i < n)
			bytes += message_bytes(array, i);
	return bytes;
}

NT_INLINE void record(__u32 hist, __u64 v)
{
	struct nt_hist_raw *h = bpf_map_lookup_elem(&nt_hists, &hist);

	if (h)
		nt_hist_record(h, v);
}

/* A subprogram: it is written once for both exits, and the verifier looks at it once. */
NT_SUBPROG int record_all(const struct nt_recv_event *e)
{
	const struct nt_recv_call *c;

	if (!e)
		return 0;
	c = &e->call;
	record(NT_RECV_TOTAL, e->total_ns);
	if (c->wait_ns)
		record(NT_RECV_WAIT, c->wait_ns);
	if (c->wakeup_ns)
		record(NT_RECV_WAKEUP, c->wakeup_ns);
	record(NT_RECV_WORK, e->work_ns);
	if (c->busy_ns != ~0ULL)
		record(NT_RECV_BUSY, c->busy_ns);
	if (e->bytes)
		record(NT_RECV_BYTES, e->bytes);
	record(NT_RECV_QUEUED, c->queued);
	return 0;
}

NT_INLINE bool is_again(__s64 ret)
{
	return ret == -11 /* EAGAIN */;
}

NT_INLINE void count(struct nt_recv_counts *n, const struct nt_recv_event *e)
{
	const struct nt_recv_call *c = &e->call;

	__sync_fetch_and_add(&n->calls, 1);
	__sync_fetch_and_add(&n->bytes, e->bytes);
	__sync_fetch_and_add(&n->total_ns, e->total_ns);
	__sync_fetch_and_add(&n->wait_ns, c->wait_ns);
	__sync_fetch_and_add(&n->wakeup_ns, c->wakeup_ns);
	__sync_fetch_and_add(&n->off_ns, c->off_ns);
	__sync_fetch_and_add(&n->poll_ns, c->poll_ns);
	__sync_fetch_and_add(&n->queued_bytes, c->queued);
	__sync_fetch_and_add(&n->migrations, c->migrations);
	if (c->queued) {
		__sync_fetch_and_add(&n->late, 1);
		if (c->busy_ns != ~0ULL)
			__sync_fetch_and_add(&n->late_ns, c->busy_ns);
	}
	if (e->ret < 0) {
		if (!is_again(e->ret))
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

NT_INLINE void count_error(struct nt_recv_sums *s, __s64 ret)
{
	__u64 e = -ret;

	if (e >= 512 && e <= 516)		/* ERESTART...: the program sees EINTR, or the call begins anew */
		e = 4;
	NT_BARRIER(e);
	if (e < NT_RECV_ERRNOS)
		__sync_fetch_and_add(&s->error[e], 1);
}

NT_SUBPROG int count_socket(const struct nt_recv_event *e)
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
	count(&v->n, e);
	nt_max(&v->delay_max_ns, e->work_ns + e->call.wakeup_ns);
	nt_max(&v->queued_max, e->call.queued);
	v->fd = e->call.fd;
	v->tid = e->tid;
	__builtin_memcpy(v->comm, e->comm, 16);
	return 0;
}

NT_INLINE void tell(void *ctx, struct nt_recv_event *e)
{
	const __u64 on = nt_const(NT_CONST_TOOL3);
	struct parts p = { .total = e->total_ns, .work = e->work_ns };
	__u32 zero = 0;
	__u64 *least;

	e->over = measure(on & 0xff, &e->call, &p) >= nt_const(NT_CONST_TOOL2);
	least = bpf_map_lookup_elem(&nt_slowest, &zero);
	if (e->over)
		nt_emit(ctx, e, sizeof(*e));
	else if (least && measure(on >> 8, &e->call, &p) > *least)
		nt_emit_uncounted(ctx, e, sizeof(*e));
}

NT_INLINE void remember(__u32 tid, __u64 now)
{
	struct nt_recv_thread *t = bpf_map_lookup_elem(&nt_recv_threads, &tid), fresh = { .end_ns = now };

	if (t)
		t->end_ns = now;
	else
		bpf_map_update_elem(&nt_recv_threads, &tid, &fresh, BPF_ANY);
}

NT_INLINE void end(void *ctx, struct nt_recv_call *c, __s64 ret, const __u64 now)
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
	e->total_ns = since(c->since_ns, now);
	idle = c->wait_ns + c->wakeup_ns;
	e->work_ns = since(idle, e->total_ns);
	e->bytes = ret > 0 ? ret : 0;
	if (c->class == NT_RECV_RECVMMSG) {
		e->bytes = messages_bytes(c->messages, ret);
		if (ret > NT_RECV_MMSG)
			__sync_fetch_and_add(&s->unsized, ret - NT_RECV_MMSG);
	}
	e->tid = bpf_get_current_pid_tgid();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	nt_stat_add(NT_STAT_EVENTS, 1);
	count(&s->n, e);
	class = c->class;
	NT_BARRIER(class);
	if (class < NT_RECV_CLASSES)
		__sync_fetch_and_add(&s->class[class], 1);
	if (ret < 0)
		count_error(s, ret);
	record_all(e);
	count_socket(e);
	tell(ctx, e);
	remember(e->tid, now);
}

NT_INLINE void poll_ends(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct nt_recv_thread *t = bpf_map_lookup_elem(&nt_recv_threads, &tid);

	if (!t || !t->poll_since_ns)
		return;
	t->poll_end_ns = bpf_ktime_get_ns();
	t->poll_ns += since(t->poll_since_ns, t->poll_end_ns);
	t->poll_since_ns = 0;
}

/* A call whose beginning was not seen: is it one that we would have measured? */
NT_INLINE void without_begin(const bool direct, struct pt_regs *regs, __u32 class)
{
	struct sock *sk = measured(class) ? nt_sock_of_fd((__u32)NT_SYSCALL_ARG0(direct, regs)) : NULL;
	struct nt_cur *cur = nt_cur_get();

	if (!sk || !cur)
		return;
	nt_sock_cur(sk, cur);
	if (nt_tuple_match(cur))
		nt_stat_add(NT_STAT_UNMATCHED, 1);
}

NT_INLINE int left(void *ctx, const bool direct, struct pt_regs *regs, __u64 nr, __s64 ret)
{
	const __u64 now = bpf_ktime_get_ns();
	struct nt_recv_call *c;

	if (nt_syscall_compat() || !nt_current_wanted())
		return 0;
	if (is_poll(nr)) {
		poll_ends();
		return 0;
	}
	c = nt_recv_calls_top();
	if (!c) {
		without_begin(direct, regs, class_of(nr));
		return 0;
	}
	if (measured(c->class))
		end(ctx, c, ret, now);
	nt_recv_calls_forget();
	return 0;
}

/* A call ends even if its descriptor was closed meanwhile. */
NT_INLINE bool not_left(const bool direct, struct pt_regs *regs)
{
	__u64 nr = nt_syscall_nr(direct, regs);

	if (!is_receive(nr))
		return !is_poll(nr);
	return !nt_recv_calls_top() && !nt_sock_of_fd((__u32)NT_SYSCALL_ARG0(direct, regs));
}

NT_TP_(sys_exit, not_left(true, (void *)ctx[0]), not_left(false, (void *)ctx[0]), struct pt_regs *regs, void *ret)
{
	return left(ctx, direct, regs, nt_syscall_nr(direct, regs), (__s64)ret);
}

/* ---- past the system calls ---- */
NT_INLINE int receive(struct socket *sock)
{
	struct nt_recv_call *c;
	struct sock *sk;

	if (!nt_current_wanted() || nt_recv_calls_top())
		return 0;
	sk = BPF_CORE_READ(sock, sk);
	c = nt_sock_is_inet(sk) ? begin(sk, NT_RECV_OTHER) : NULL;
	if (c)
		c->since_ns = bpf_ktime_get_ns();
	return 0;
}

/* io_uring first tries without waiting: what that does not get is no call of the program. */
NT_INLINE int received(void *ctx, __s64 ret)
{
	const __u64 now = bpf_ktime_get_ns();
	struct nt_recv_call *c = nt_recv_calls_top();

	if (!c || c->class != NT_RECV_OTHER)
		return 0;
	if (!is_again(ret))
		end(ctx, c, ret, now);
	nt_recv_calls_forget();
	return 0;
}

NT_FUNC(inet_recv, struct socket *sock)
{
	return receive(sock);
}

NT_FUNC(inet6_recv, struct socket *sock)
{
	return receive(sock);
}

NT_RET(inet_recv_end, 4, __u64 ret)
{
	return received(ctx, (__s32)ret);
}

NT_RET(inet6_recv_end, 4, __u64 ret)
{
	return received(ctx, (__s32)ret);
}

NT_TP(process_exit, struct task_struct *p)
{
	__u32 tid = bpf_get_current_pid_tgid();

	nt_recv_calls_forget();
	bpf_map_delete_elem(&nt_recv_threads, &tid);
	return 0;
}

NT_TP_TASK_NAMES()
