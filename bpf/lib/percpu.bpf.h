/* SPDX-License-Identifier: GPL-2.0 */
/* Data that the kernel keeps for each CPU, by kallsyms; and whether a program runs for a task or on top of one. */
#ifndef NT_BPF_PERCPU_H
#define NT_BPF_PERCPU_H

#include "lib/maps.bpf.h"
#include "nettrace/nt_abi_timeline.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_percpu);
} nt_percpu SEC(".maps");

NT_INLINE struct nt_percpu *nt_percpu_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nt_percpu, &zero);
}

/* Where a CPU's copy of a symbol is; 0: not known. */
NT_INLINE __u64 nt_percpu_at(const struct nt_percpu *p, __u64 symbol, __u32 cpu)
{
	__u64 offset = 0;

	if (!symbol || !p->offsets || bpf_probe_read_kernel(&offset, sizeof(offset), (void *)(p->offsets + 8ULL * cpu)))
		return 0;
	return symbol + offset;
}

enum nt_context { NT_CONTEXT_UNKNOWN, NT_CONTEXT_TASK, NT_CONTEXT_INTERRUPT };

/* A task's count, on arm64. */
NT_INLINE bool nt_preempt_count_of_task(__u32 *count)
{
	struct task_struct___preempt *t = (void *)bpf_get_current_task();

	if (!bpf_core_field_exists(t->thread_info.preempt_count))
		return false;
	*count = BPF_CORE_READ(t, thread_info.preempt_count);
	return true;
}

/* Bits of preempt_count (include/linux/preempt.h): softirqs are served (8), and not merely held off (9 to 15);
 * hard interrupts (16 to 19), NMIs (20 and up). PREEMPT_RT serves softirqs in tasks. */
NT_INLINE enum nt_context nt_context(void)
{
	struct nt_percpu *p = nt_percpu_get();
	__u32 count = 0;
	__u64 at = 0;

	if (!p)
		return NT_CONTEXT_UNKNOWN;
	if (!nt_preempt_count_of_task(&count)) {
		if (p->preempt_count)
			at = p->preempt_count;
		else if (p->hot && bpf_core_field_exists(((struct pcpu_hot *)0)->preempt_count))	/* 6.2 to 6.14 */
			at = p->hot + bpf_core_field_offset(struct pcpu_hot, preempt_count);
		at = nt_percpu_at(p, at, bpf_get_smp_processor_id());
		if (!at || bpf_probe_read_kernel(&count, sizeof(count), (void *)at))
			return NT_CONTEXT_UNKNOWN;
	}
	return count & 0x00ff0100 ? NT_CONTEXT_INTERRUPT : NT_CONTEXT_TASK;
}

#endif
