// SPDX-License-Identifier: GPL-2.0
/*
 * How long threads are in receive calls of IPv4 and IPv6 sockets, and what they do there. The call is
 * seen at raw_syscalls, its socket found by its descriptor; that the thread sleeps for want of data, is
 * woken and has the CPU again is told by the scheduler. So no function of a protocol is hooked: what TCP,
 * UDP, raw sockets, TLS or SCTP call their waiting does not matter.
 */
#include "lib/recv.bpf.h"
#include "lib/syscall.bpf.h"

NT_LICENSE;

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

/* ---- a call begins ---- */

NT_INLINE int entered(const bool direct, struct pt_regs *regs, __u64 nr)
{
	struct nt_recv_call *c;
	struct sock *sk;
	__u32 class;
	__u64 fd;

	if (nt_syscall_compat() || !nt_current_wanted())
		return 0;
	if (is_poll(nr)) {
		nt_recv_poll_begins();
		return 0;
	}
	class = class_of(nr);
	if (!nt_recv_followed(class))
		return 0;
	fd = (__u32)NT_SYSCALL_ARG0(direct, regs);
	sk = nt_sock_of_fd(fd);
	c = sk ? nt_recv_begin(sk, class) : NULL;
	if (!c)
		return 0;
	c->fd = fd;
	if (class == NT_RECV_RECVMMSG)
		c->messages = NT_SYSCALL_ARG1(direct, regs);
	if (class == NT_RECV_READ || class == NT_RECV_RECVFROM)
		c->wanted = NT_SYSCALL_ARG2(direct, regs) != 0;
	nt_recv_start(c);
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
NT_INLINE int switched(void *ctx, const bool direct, bool preempt, struct task_struct *prev,
		       struct task_struct *next)
{
	nt_recv_leaves_cpu(direct, preempt, prev);
	nt_recv_gets_cpu(direct, next);
	return 0;
}

NT_TP_SCHED_SWITCH(switched)

/* In the waker's context, so right behind the arrival of data; sched_wakeup may come from another CPU later. */
NT_TP(sched_waking, struct task_struct *p)
{
	nt_recv_woken(NT_GET(direct, p, pid));
	return 0;
}

/* ---- a call ends ---- */
/* A call whose beginning was not seen: is it one that we would have measured? */
NT_INLINE void without_begin(const bool direct, struct pt_regs *regs, __u32 class)
{
	struct sock *sk = nt_recv_measured(class) ? nt_sock_of_fd((__u32)NT_SYSCALL_ARG0(direct, regs)) : NULL;
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
		nt_recv_poll_ends();
		return 0;
	}
	c = nt_recv_calls_top();
	if (!c) {
		without_begin(direct, regs, class_of(nr));
		return 0;
	}
	if (!nt_recv_is_of(c, class_of(nr), NT_SYSCALL_ARG0(direct, regs)))
		nt_stat_add(NT_STAT_UNMATCHED, 1);
	else if (nt_recv_measured(c->class))
		nt_recv_end(ctx, c, ret, now);
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
	c = nt_sock_is_inet(sk) ? nt_recv_begin(sk, NT_RECV_OTHER) : NULL;
	if (c)
		nt_recv_start(c);
	return 0;
}

/* io_uring first tries without waiting: what that does not get is no call of the program. */
NT_INLINE int received(void *ctx, __s64 ret)
{
	const __u64 now = bpf_ktime_get_ns();
	struct nt_recv_call *c = nt_recv_calls_top();

	if (!c || c->class != NT_RECV_OTHER)
		return 0;
	if (!nt_recv_is_again(ret))
		nt_recv_end(ctx, c, ret, now);
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
