/* SPDX-License-Identifier: GPL-2.0 */
/* Rate limit of shown events: whole seconds, one budget for all CPUs. */
#ifndef NT_BPF_RATE_H
#define NT_BPF_RATE_H

#include "lib/maps.bpf.h"

struct nt_rate {
	__u64 second;
	__u64 used;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_rate);
} nt_rate SEC(".maps");

/* NT_CONST_TOOL3 is the limit; 0: none. */
NT_INLINE bool nt_rate_limited(void)
{
	const __u64 limit = nt_const(NT_CONST_TOOL3);
	struct nt_rate *r;
	__u32 zero = 0;
	__u64 second;

	if (!limit)
		return false;
	r = bpf_map_lookup_elem(&nt_rate, &zero);
	if (!r)
		return false;
	second = bpf_ktime_get_ns() / 1000000000ULL;
	if (r->second != second) {	/* two CPUs may both reset: a little over the limit, once */
		r->second = second;
		r->used = 0;
	}
	if (r->used >= limit)
		return true;
	__sync_fetch_and_add(&r->used, 1);
	return false;
}

#endif
