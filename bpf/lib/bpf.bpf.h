/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Base of every BPF object: helpers, load-time constants, hook wrappers,
 * reads. No global data anywhere (kernels before 5.2 refuse it).
 */
#ifndef NT_BPF_BPF_H
#define NT_BPF_BPF_H

#include "nettrace/nt_abi.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define NT_INLINE static __always_inline
#define NT_SUBPROG static __noinline

/*
 * A load-time constant: a 64-bit immediate load whose upper half is a marker
 * and whose lower half is the constant's number. The loader (core/patch.c)
 * writes the value before the program goes to the kernel, so the verifier sees
 * a plain constant and prunes what it makes unreachable. volatile keeps the
 * compiler from merging two loads into arithmetic on the marker.
 */
NT_INLINE __u64 nt_const(const __u32 id)
{
	__u64 v;

	asm volatile("%0 = %1 ll" : "=r"(v) : "i"(NT_CONST_MARK | id));
	return v;
}

/* Hides a value's history from the compiler, so that a bounds check stays. */
#define NT_BARRIER(v) asm volatile("" : "+r"(v))

/*
 * Reads a field through a pointer. direct is a compile-time constant: true in
 * fentry and tp_btf programs, where the verifier knows the pointer's type and a
 * plain load is allowed (5.5+); false elsewhere.
 */
#define NT_GET(direct, p, field) ((direct) ? (p)->field : BPF_CORE_READ(p, field))

/* Argument lists: NT_ARGS_CTX(a, b) is "(void *)ctx[0], (void *)ctx[1]". */
#define NT_NARGS_(_0, _1, _2, _3, _4, _5, n, ...) n
#define NT_NARGS(args...) NT_NARGS_(_, ##args, 5, 4, 3, 2, 1, 0)
#define NT_CAT_(a, b) a##b
#define NT_CAT(a, b) NT_CAT_(a, b)
#define NT_CTX1 (void *)ctx[0]
#define NT_CTX2 NT_CTX1, (void *)ctx[1]
#define NT_CTX3 NT_CTX2, (void *)ctx[2]
#define NT_CTX4 NT_CTX3, (void *)ctx[3]
#define NT_CTX5 NT_CTX4, (void *)ctx[4]
#define NT_REGS1 (void *)PT_REGS_PARM1(ctx)
#define NT_REGS2 NT_REGS1, (void *)PT_REGS_PARM2(ctx)
#define NT_REGS3 NT_REGS2, (void *)PT_REGS_PARM3(ctx)
#define NT_REGS4 NT_REGS3, (void *)PT_REGS_PARM4(ctx)
#define NT_REGS5 NT_REGS4, (void *)PT_REGS_PARM5(ctx)
#define NT_ARGS_CTX(args...) NT_CAT(NT_CTX, NT_NARGS(args))
#define NT_ARGS_REGS(args...) NT_CAT(NT_REGS, NT_NARGS(args))

/*
 * The gate: opened once every hook is attached, shut before the summary is
 * read. So nothing is counted half, and the summary does not wait for the
 * kernel to detach. A plain array: its lookup is inlined on every kernel.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} nt_open SEC(".maps");

/*
 * Scratch memory, NT_DEPTH blocks a CPU: an interrupt may run a program of ours
 * while another is at work, and each needs memory of its own. Trampolines
 * (5.12+) and some tracepoints (6.13+) only forbid migration, so another task's
 * program may come in between, too: runs of one task end last in first out,
 * those of different tasks do not. A run takes the first free block above those
 * that its task has; so its block is the highest that its task has. A run that
 * finds none does nothing and is counted as missed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_gate);
} nt_gate SEC(".maps");

NT_INLINE bool nt_is_open(void)
{
	__u32 zero = 0, *open = bpf_map_lookup_elem(&nt_open, &zero);

	return open && *open;
}

NT_INLINE struct nt_gate *nt_gate_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nt_gate, &zero);
}

/* Who is in a function that has not returned yet: the task; idle tasks all have pid 0, so the CPU. */
NT_INLINE __u32 nt_caller(void)
{
	__u32 tid = bpf_get_current_pid_tgid();

	return tid ? tid : 1u << 31 | bpf_get_smp_processor_id();
}

/* The blocks of scratch memory that lie below the caller's next one: 0 if it has none. */
NT_INLINE __u32 nt_gate_own(const struct nt_gate *g, __u32 caller)
{
	__u32 i, n = 0;

#pragma unroll
	for (i = 0; i < NT_DEPTH; i++)
		if (g->owner[i] == caller)
			n = i + 1;
	return n;
}

/*
 * Index of this run's scratch memory. It comes out of the map, here and from
 * nt_gate_enter(): with a constant for each block the verifier would follow
 * all of a program once for each, as none of its states were alike.
 */
NT_SUBPROG __u32 nt_depth(void)
{
	struct nt_gate *g = nt_gate_get();
	__u32 i, n, caller;

	if (!g)
		return 0;
	caller = nt_caller();
	n = g->index[0];
#pragma unroll
	for (i = 1; i < NT_DEPTH; i++)
		if (g->owner[i] == caller)
			n = *(volatile __u32 *)&g->index[i];
	return n;
}

/* Takes a block; NT_DEPTH: none is free. Only addition is atomic before 5.12, and without its result: who
 * finds himself alone has the block, of two that meet both may go on to the next. */
NT_SUBPROG __u32 nt_gate_enter(struct nt_gate *g)
{
	__u32 i, first, caller = nt_caller();

	if (!g)
		return NT_DEPTH;
	first = nt_gate_own(g, caller);
#pragma unroll
	for (i = 0; i < NT_DEPTH; i++) {
		if (i < first)
			continue;
		__sync_fetch_and_add(&g->busy[i], 1);
		if (*(volatile __u32 *)&g->busy[i] == 1) {
			g->owner[i] = caller;
			g->index[i] = i;
			return *(volatile __u32 *)&g->index[i];
		}
		__sync_fetch_and_add(&g->busy[i], -1);
	}
	__sync_fetch_and_add(&g->too_deep, 1);
	return NT_DEPTH;
}

/* The barriers keep the mask where the verifier sees it. */
NT_INLINE void nt_gate_leave(struct nt_gate *g, __u64 i)
{
	NT_BARRIER(i);
	i &= NT_DEPTH - 1;
	NT_BARRIER(i);
	g->owner[i] = 0;
	__sync_fetch_and_add(&g->busy[i], -1);
}

#define NT_GATED(reject, call)								\
{											\
	struct nt_gate *gate;								\
	__u32 block;									\
											\
	if (!nt_is_open() || (reject))							\
		return 0;								\
	gate = nt_gate_get();								\
	if (!gate)									\
		return 0;								\
	block = nt_gate_enter(gate);							\
	if (block >= NT_DEPTH)								\
		return 0;								\
	call;										\
	nt_gate_leave(gate, block);							\
	return 0;									\
}

/*
 * Hook wrappers. A hook's body is written once, with pointer arguments and with
 * `ctx` and `direct` (constant after inlining) in scope:
 *
 *	NT_TP(kfree_skb, struct sk_buff *skb, void *location) { ... return 0; }
 *
 * NT_TP makes the programs stem__tp_btf and stem__raw_tp, NT_FUNC stem__fentry
 * and stem__kprobe. NT_RET makes stem__fexit and stem__kretprobe; it sees the
 * return value only (a kretprobe no longer has the arguments), nargs is the
 * number of arguments of the function, behind which fexit finds the value.
 * NT_TP_SKB and NT_FUNC_SKB are for hooks whose first argument is the skb that
 * the filter is about: most of what it rejects is rejected by nt_quick_reject()
 * (filter.bpf.h) before anything else happens.
 * Nothing runs while the gate is shut. Attach targets are the hook table's
 * business (struct nt_hook), not ours.
 */
#define NT_TP_(stem, reject_direct, reject_plain, args...)				\
NT_INLINE int stem##__body(void *ctx, const bool direct, ##args);			\
SEC("tp_btf") int stem##__tp_btf(__u64 *ctx)						\
NT_GATED(reject_direct, stem##__body(ctx, true, NT_ARGS_CTX(args)))			\
SEC("raw_tp") int stem##__raw_tp(__u64 *ctx)						\
NT_GATED(reject_plain, stem##__body(ctx, false, NT_ARGS_CTX(args)))			\
NT_INLINE int stem##__body(void *ctx, const bool direct, ##args)

#define NT_TP(stem, args...) NT_TP_(stem, false, false, ##args)
#define NT_TP_SKB(stem, at, args...) NT_TP_(stem, nt_quick_reject(true, (void *)ctx[0], at), \
					    nt_quick_reject(false, (void *)ctx[0], at), ##args)

#define NT_FUNC_(stem, reject_direct, reject_plain, args...)				\
NT_INLINE int stem##__body(void *ctx, const bool direct, ##args);			\
SEC("fentry") int stem##__fentry(__u64 *ctx)						\
NT_GATED(reject_direct, stem##__body(ctx, true, NT_ARGS_CTX(args)))			\
SEC("kprobe") int stem##__kprobe(struct pt_regs *ctx)					\
NT_GATED(reject_plain, stem##__body(ctx, false, NT_ARGS_REGS(args)))			\
NT_INLINE int stem##__body(void *ctx, const bool direct, ##args)

#define NT_FUNC(stem, args...) NT_FUNC_(stem, false, false, ##args)
#define NT_FUNC_SKB(stem, at, args...) NT_FUNC_(stem, nt_quick_reject(true, (void *)ctx[0], at), \
		nt_quick_reject(false, (void *)PT_REGS_PARM1(ctx), at), ##args)

/* A function of which only a kprobe can be made (NT_HOOK_PLAIN): the body reads PT_REGS_PARM1(ctx) and so on. */
#define NT_KPROBE(stem)									\
NT_INLINE int stem##__body(struct pt_regs *ctx);					\
SEC("kprobe") int stem##__kprobe(struct pt_regs *ctx)					\
NT_GATED(false, stem##__body(ctx))							\
NT_INLINE int stem##__body(struct pt_regs *ctx)

#define NT_RET(stem, nargs, ret)							\
NT_INLINE int stem##__body(void *ctx, const bool direct, ret);				\
SEC("fexit") int stem##__fexit(__u64 *ctx)						\
NT_GATED(false, stem##__body(ctx, true, ctx[nargs]))					\
SEC("kretprobe") int stem##__kretprobe(struct pt_regs *ctx)				\
NT_GATED(false, stem##__body(ctx, false, PT_REGS_RC(ctx)))				\
NT_INLINE int stem##__body(void *ctx, const bool direct, ret)

/* For a function whose number of arguments differs among kernels: get(ctx) finds the value for fexit. */
#define NT_RET_BY(stem, get, ret)							\
NT_INLINE int stem##__body(void *ctx, const bool direct, ret);				\
SEC("fexit") int stem##__fexit(__u64 *ctx)						\
NT_GATED(false, stem##__body(ctx, true, get(ctx)))					\
SEC("kretprobe") int stem##__kretprobe(struct pt_regs *ctx)				\
NT_GATED(false, stem##__body(ctx, false, PT_REGS_RC(ctx)))				\
NT_INLINE int stem##__body(void *ctx, const bool direct, ret)

/* Entry and return of a function of user space: stem__uprobe, stem__uretprobe. */
#define NT_USER(stem, args...)								\
NT_INLINE int stem##__body(void *ctx, const bool direct, ##args);			\
SEC("uprobe") int stem##__uprobe(struct pt_regs *ctx)					\
NT_GATED(false, stem##__body(ctx, false, NT_ARGS_REGS(args)))				\
NT_INLINE int stem##__body(void *ctx, const bool direct, ##args)

#define NT_USER_RET(stem, ret)								\
NT_INLINE int stem##__body(void *ctx, const bool direct, ret);				\
SEC("uretprobe") int stem##__uretprobe(struct pt_regs *ctx)				\
NT_GATED(false, stem##__body(ctx, false, PT_REGS_RC(ctx)))				\
NT_INLINE int stem##__body(void *ctx, const bool direct, ret)

/* Reason of a drop: third argument of skb:kfree_skb since 5.17. On older kernels there is none (0). */
NT_INLINE __u32 nt_drop_reason(__u64 *args)
{
	if (nt_const(NT_CONST_TP_ARGS) < 3)
		return 0;
	return *(volatile __u32 *)&args[2];
}

/* Not dropped yet (0), or consumed: what the reason says of a normal end. consumed: this kernel's number of it. */
NT_INLINE bool nt_drop_is_none(__u32 reason, __u64 consumed)
{
	return nt_const(NT_CONST_TP_ARGS) >= 3 && (reason == 0 || reason == consumed);
}

#define NT_LICENSE char LICENSE[] SEC("license") = "GPL"

#endif
