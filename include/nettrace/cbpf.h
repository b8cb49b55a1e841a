/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Classic BPF to eBPF: turns a packet filter as libpcap emits it into one eBPF
 * subprogram that any kernel from 4.19 on accepts inside a tracing program.
 *
 * Calling convention of the result (one bpf-to-bpf call target):
 *	r1	kernel address of the first packet byte, as a scalar
 *	r2	number of readable bytes from there (u32; the linear part)
 *	r3	length of the packet on the wire (u32), for "len", "less", "greater"
 *	r0	out: 0 means reject, anything else accept
 * r6..r9 are preserved by the kernel's call, r1..r5 are clobbered. At most
 * NT_CBPF_STACK_BYTES bytes of stack are used.
 *
 * Semantics are those of the classic interpreter (libpcap's bpf_filter(), which
 * agrees with the kernel's net/core/filter.c on everything that is not a kernel
 * extension): a load that is not wholly inside the readable bytes ends the
 * program with 0, and so does a division or modulus by zero in X; A, X and the
 * scratch memory start as zero; a shift by 32 or more gives 0. A read that
 * faults also ends the program with 0.
 */
#ifndef NETTRACE_CBPF_H
#define NETTRACE_CBPF_H

#include <stddef.h>

/* Only named here: <linux/bpf.h> and <pcap/bpf.h> clash over struct bpf_insn. */
struct sock_filter;	/* <linux/filter.h> */
struct bpf_insn;	/* <linux/bpf.h>, never libpcap's */

#define NT_CBPF_STACK_BYTES	96
#define NT_CBPF_MAX_INSNS	4096	/* classic limit, BPF_MAXINSNS */

/* Helper numbers for read_helper (UAPI, enum bpf_func_id). */
#define NT_READ_HELPER_LEGACY	4	/* bpf_probe_read, before 5.5 */
#define NT_READ_HELPER_KERNEL	113	/* bpf_probe_read_kernel, 5.5 and later */

/*
 * Converts the N instructions at F; loads go through the helper READ_HELPER.
 * Writes at most CAP instructions to OUT; with OUT NULL it only counts (CAP is
 * then ignored). Nothing is kept, F is not changed.
 *
 * Returns the number of eBPF instructions, or
 *	-EINVAL		not a valid program: unknown opcode, jump out of range or
 *			backwards, end without a return, constant division by zero,
 *			scratch slot out of range
 *	-EOPNOTSUPP	a kernel extension load (SKF_AD_OFF, SKF_NET_OFF, SKF_LL_OFF)
 *	-E2BIG		more than NT_CBPF_MAX_INSNS in, more than CAP out, or a jump
 *			longer than an eBPF instruction can express
 *	-ENOMEM		no memory for the working tables
 */
int nt_cbpf_convert(const struct sock_filter *f, size_t n, unsigned int read_helper,
		    struct bpf_insn *out, size_t cap);

#endif
