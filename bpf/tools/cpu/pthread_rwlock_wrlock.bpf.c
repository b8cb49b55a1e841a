// SPDX-License-Identifier: GPL-2.0
/* How long taking a read-write lock of the C library takes, and whether the thread had to wait. */
#include "lib/lock.bpf.h"

NT_LICENSE;

/* Where the function returns to: on the stack (x86), or in the link register. */
NT_INLINE __u64 caller_of(struct pt_regs *regs)
{
	__u64 at = PT_REGS_RET(regs);

#if defined(__TARGET_ARCH_x86)
	if (bpf_probe_read_user(&at, sizeof(at), (void *)at))
		return 0;
#endif
	return at;
}

NT_INLINE int taking(void *ctx, void *lock, __u32 class)
{
	if (nt_current_wanted())
		nt_lock_begin(ctx, (__u64)lock, class, 0, nt_const(NT_CONST_TOOL0) & NT_LOCK_STACK ? caller_of(ctx) : 0);
	return 0;
}

/* The functions return 0 or an errno. */
NT_INLINE int taken(__u64 ret)
{
	if (!nt_current_wanted())
		return 0;
	nt_lock_end(-(__s64)(__s32)ret, false, 0);
	if (!nt_lock_forget())
		nt_stat_add(NT_STAT_UNMATCHED, 1);	/* it was in the call when we came */
	return 0;
}

#define RWLOCK_CALL(stem, class)				\
NT_USER(stem##_enter, void *lock)				\
{								\
	return taking(ctx, lock, class);			\
}								\
NT_USER_RET(stem##_return, __u64 ret)				\
{								\
	return taken(ret);					\
}
RWLOCK_CALL(wr, NT_RWLOCK_WR)
RWLOCK_CALL(rd, NT_RWLOCK_RD)
RWLOCK_CALL(timedwr, NT_RWLOCK_WR)
RWLOCK_CALL(timedrd, NT_RWLOCK_RD)

/* It sleeps inside: the lock was not free. The switch tells, not the futex call: programs on system calls
 * can be preempted from 6.13 on, and others then miss theirs. */
NT_INLINE int switched(void *ctx, const bool direct, bool preempt, struct task_struct *prev,
		       struct task_struct *next)
{
	__u32 tid = NT_GET(direct, prev, pid);
	struct nt_lock_call *c = preempt ? NULL : bpf_map_lookup_elem(&nt_lock_calls, &tid);

	if (c && nt_task_state(direct, prev))
		c->class |= 1;
	return 0;
}

NT_TP_SCHED_SWITCH(switched)

NT_TP(process_exit, struct task_struct *p)
{
	nt_lock_forget();
	return 0;
}
