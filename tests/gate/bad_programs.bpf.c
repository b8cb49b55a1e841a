/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that 4.19 refuses, one broken rule each; and good_* ones that only look bad. */
#include "lib/emit.bpf.h"

#define NOINLINE static __attribute__((noinline))
#define ASM(text) asm volatile(text ::: "r0", "memory")

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} bad_map SEC(".maps");

SEC("kprobe") int bad_length(struct pt_regs *ctx)
{
	ASM(".rept 4100\n\tr0 = 0\n\t.endr");
	return 0;
}

SEC("kprobe") int bad_loop(struct pt_regs *ctx)
{
	ASM("r0 = 3\n\tr0 += -1\n\tif r0 != 0 goto -2");
	return 0;
}

/* Goes back without a loop, as compilers do. */
SEC("kprobe") int good_backward(struct pt_regs *ctx)
{
	ASM("goto +2\n\tr0 = 0\n\tgoto +1\n\tgoto -3\n\tr0 = 1");
	return 0;
}

/* 4.19 looks at the graph before it knows what can run. */
SEC("kprobe") int bad_loop_dead(struct pt_regs *ctx)
{
	ASM("r0 = 0\n\tif r0 == 0 goto +1\n\tif r0 != 1 goto -1");
	return 0;
}

SEC("raw_tp") int bad_helper(__u64 *ctx)
{
	return (int)bpf_jiffies64();
}

/* The branch hangs on a constant that any kernel may get: it can run. */
SEC("raw_tp") int bad_helper_maybe(__u64 *ctx)
{
	return nt_const(NT_CONST_TOOL0) ? (int)bpf_jiffies64() : 0;
}

SEC("raw_tp") int good_helper_dead(__u64 *ctx)
{
	return nt_const(NT_CONST_RINGBUF) ? (int)bpf_jiffies64() : 0;
}

SEC("fentry") int good_fentry(__u64 *ctx)
{
	return (int)bpf_jiffies64();
}

NOINLINE int deep_callee(__u64 *out)
{
	volatile __u64 a[30];

	for (int i = 0; i < 30; i++)
		a[i] = i;
	return (int)(a[*out % 2] + *out);
}

SEC("kprobe") int bad_stack(struct pt_regs *ctx)
{
	volatile __u64 a[40];
	__u64 v = 1;

#pragma unroll
	for (int i = 0; i < 40; i++)
		a[i] = i;
	return deep_callee(&v) + (int)a[3];
}

NT_LICENSE;
