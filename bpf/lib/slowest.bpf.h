/* SPDX-License-Identifier: GPL-2.0 */
/* The least time that user space still keeps among the slowest (src/engine/slowest.h): it raises it as it gets
 * slower ones, and what would not be kept need not be sent. */
#ifndef NT_BPF_SLOWEST_H
#define NT_BPF_SLOWEST_H

#include "lib/bpf.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nt_slowest SEC(".maps");

NT_INLINE bool nt_among_slowest(__u64 time)
{
	__u32 zero = 0;
	__u64 *least = bpf_map_lookup_elem(&nt_slowest, &zero);

	return least && time >= *least;
}

#endif
