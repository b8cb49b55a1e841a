// SPDX-License-Identifier: GPL-2.0
/* How long threads are in futex calls. */
#include "lib/lock.bpf.h"
#include "lib/syscall.bpf.h"

NT_LICENSE;

enum {
#if defined(__TARGET_ARCH_x86)
	NR_FUTEX = 202,
#else
	NR_FUTEX = 98,
#endif
	NR_FUTEX_32 = 240, NR_FUTEX_TIME64 = 422,	/* of 32-bit processes, x86 and arm alike */
	NR_FUTEX_WAITV = 449, NR_FUTEX_WAKE = 454, NR_FUTEX_WAIT = 455, NR_FUTEX_REQUEUE = 456,
};

NT_INLINE bool is_futex(__u64 nr)
{
	return nr == NR_FUTEX || nr == NR_FUTEX_WAITV || (nr >= NR_FUTEX_WAKE && nr <= NR_FUTEX_REQUEUE) ||
	       nr == NR_FUTEX_32 || nr == NR_FUTEX_TIME64;
}

/* is_futex() may be another call of a process of the other kind. */
NT_INLINE bool is_ours(__u64 nr)
{
	bool compat = nt_syscall_compat();

	if (nr == NR_FUTEX)
		return !compat;
	return nr != NR_FUTEX_32 && nr != NR_FUTEX_TIME64 ? true : compat;
}

/* include/uapi/linux/futex.h, without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME */
enum {
	OP_WAIT, OP_WAKE, OP_FD, OP_REQUEUE, OP_CMP_REQUEUE, OP_WAKE_OP, OP_LOCK_PI, OP_UNLOCK_PI,
	OP_TRYLOCK_PI, OP_WAIT_BITSET, OP_WAKE_BITSET, OP_WAIT_REQUEUE_PI, OP_CMP_REQUEUE_PI, OP_LOCK_PI2,
	OP_MASK = 0x7f,
};
#define TID_MASK 0x3fffffff		/* of the word of a PI futex */

struct args {
	__u64 addr, op;
};

NT_INLINE void read_args(const bool direct, struct pt_regs *regs, struct args *a)
{
	if (nt_syscall_compat()) {
		a->addr = NT_SYSCALL_ARG0_COMPAT(direct, regs);
		a->op = NT_SYSCALL_ARG1_COMPAT(direct, regs);
		return;
	}
	a->addr = NT_SYSCALL_ARG0(direct, regs);
	a->op = NT_SYSCALL_ARG1(direct, regs);
}

NT_INLINE __u32 class_of(__u64 nr, __u64 op)
{
	if (nr == NR_FUTEX_WAKE)
		return NT_FUTEX_WAKE;
	if (nr == NR_FUTEX_REQUEUE)
		return NT_FUTEX_REQUEUE;
	if (nr == NR_FUTEX_WAIT || nr == NR_FUTEX_WAITV)
		return NT_FUTEX_WAIT;
	op &= OP_MASK;
	if (op == OP_WAIT || op == OP_WAIT_BITSET)
		return NT_FUTEX_WAIT;
	if (op == OP_WAKE || op == OP_WAKE_BITSET || op == OP_WAKE_OP || op == OP_FD)
		return NT_FUTEX_WAKE;
	if (op == OP_REQUEUE || op == OP_CMP_REQUEUE)
		return NT_FUTEX_REQUEUE;
	return NT_FUTEX_PI;
}

/* The lock that a call with several is about: the first. */
NT_INLINE __u64 first_of(__u64 waiters)
{
	__u64 addr = 0;

	/* struct futex_waitv: val, uaddr, flags */
	if (bpf_probe_read_user(&addr, sizeof(addr), (void *)(waiters + 8)))
		return waiters;
	return addr;
}

NT_INLINE __u32 owner_of(__u64 addr, __u64 op)
{
	__u32 word = 0;

	op &= OP_MASK;
	if (op != OP_LOCK_PI && op != OP_LOCK_PI2)
		return 0;
	if (bpf_probe_read_user(&word, sizeof(word), (void *)addr))
		return 0;
	return word & TID_MASK;
}

/* Wakes are followed although nobody measures them: they tell who woke. */
NT_INLINE bool followed(__u32 class)
{
	return nt_lock_measured(class) || (class == NT_FUTEX_WAKE && nt_lock_measured(NT_FUTEX_WAIT));
}

/* Is the call one that we follow? Then a and class are filled. */
NT_INLINE bool is_followed(const bool direct, struct pt_regs *regs, __u64 nr, struct args *a, __u32 *class)
{
	if (!nt_current_wanted() || !is_ours(nr))
		return false;
	read_args(direct, regs, a);
	*class = class_of(nr, a->op);
	return followed(*class);
}

NT_INLINE int entered(void *ctx, const bool direct, struct pt_regs *regs, __u64 nr)
{
	struct args a;
	__u32 class;

	if (!is_followed(direct, regs, nr, &a, &class))
		return 0;
	if (nr == NR_FUTEX_WAITV || nr == NR_FUTEX_REQUEUE)
		a.addr = first_of(a.addr);
	nt_lock_begin(ctx, a.addr, class, class == NT_FUTEX_PI ? owner_of(a.addr, a.op) : 0, 0);
	return 0;
}

NT_INLINE int left(const bool direct, struct pt_regs *regs, __u64 nr, __s64 ret)
{
	struct args a;
	__u32 class;

	if (!is_followed(direct, regs, nr, &a, &class))
		return 0;
	nt_lock_end(ret, class == NT_FUTEX_WAKE, NT_FUTEX_WAIT);
	if (!nt_lock_forget() && nt_lock_measured(class))
		nt_stat_add(NT_STAT_UNMATCHED, 1);	/* it was in the call when we came */
	return 0;
}

NT_TP_(sys_enter, !is_futex(ctx[1]), !is_futex(ctx[1]), struct pt_regs *regs, void *nr)
{
	return entered(ctx, direct, regs, (__u64)nr);
}

NT_TP_(sys_exit, !is_futex(nt_syscall_nr(true, (void *)ctx[0])), !is_futex(nt_syscall_nr(false, (void *)ctx[0])),
       struct pt_regs *regs, void *ret)
{
	return left(direct, regs, nt_syscall_nr(direct, regs), (__s64)ret);
}

NT_TP(process_exit, struct task_struct *p)
{
	nt_lock_forget();
	return 0;
}
