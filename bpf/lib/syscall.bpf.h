/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls by raw_syscalls:sys_enter and sys_exit: the calls' own tracepoints need an option that
 * many kernels lack, these are everywhere. Their programs see every call of the machine, so the number
 * is looked at first (NT_TP_).
 */
#ifndef NT_BPF_SYSCALL_H
#define NT_BPF_SYSCALL_H

#include "lib/bpf.bpf.h"

/* The number, as sys_exit's registers still have it. */
NT_INLINE __u64 nt_syscall_nr(const bool direct, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return NT_GET(direct, regs, orig_ax);
#else
	return NT_GET(direct, regs, user_regs.regs[8]);
#endif
}

/* A call of a 32-bit process? It has numbers of its own. */
NT_INLINE bool nt_syscall_compat(void)
{
	struct task_struct *t = (void *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(t, thread_info.status) & 2;		/* TS_COMPAT */
#else
	return BPF_CORE_READ(t, thread_info.flags) & (1UL << 22);	/* TIF_32BIT */
#endif
}

/* Arguments 0 to 2. The registers keep them until the return; arm64's first is kept beside them. */
#if defined(__TARGET_ARCH_x86)
#define NT_SYSCALL_ARG0(direct, regs) NT_GET(direct, regs, di)
#define NT_SYSCALL_ARG1(direct, regs) NT_GET(direct, regs, si)
#define NT_SYSCALL_ARG2(direct, regs) NT_GET(direct, regs, dx)
#define NT_SYSCALL_ARG0_COMPAT(direct, regs) ((__u32)NT_GET(direct, regs, bx))
#define NT_SYSCALL_ARG1_COMPAT(direct, regs) ((__u32)NT_GET(direct, regs, cx))
#else
#define NT_SYSCALL_ARG0(direct, regs) NT_GET(direct, regs, orig_x0)
#define NT_SYSCALL_ARG1(direct, regs) NT_GET(direct, regs, user_regs.regs[1])
#define NT_SYSCALL_ARG2(direct, regs) NT_GET(direct, regs, user_regs.regs[2])
#define NT_SYSCALL_ARG0_COMPAT(direct, regs) NT_SYSCALL_ARG0(direct, regs)
#define NT_SYSCALL_ARG1_COMPAT(direct, regs) NT_SYSCALL_ARG1(direct, regs)
#endif

#endif
