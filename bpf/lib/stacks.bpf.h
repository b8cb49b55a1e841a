/* SPDX-License-Identifier: GPL-2.0 */
/* Stacks that are stored once: bpf_get_stackid(). */
#ifndef NT_BPF_STACKS_H
#define NT_BPF_STACKS_H

#include "lib/bpf.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, NT_STACK_MAX * sizeof(__u64));
} nt_stacks SEC(".maps");

#endif
