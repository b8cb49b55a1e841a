/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What became of a key that has no entry: its end comes again (a duplicate), or
 * its start found the map full (it is in lost.map_full already, its end is not
 * "without a start"). By hash, in sets from which the oldest falls out: good
 * enough for counters that do not enter the equation of started and ended
 * passages.
 */
#ifndef NT_BPF_PAST_H
#define NT_BPF_PAST_H

#include "lib/bpf.bpf.h"

#define NT_PAST_SETS 16384
#define NT_PAST_WAYS 4
enum nt_past_fate { NT_PAST_UNKNOWN, NT_PAST_REFUSED, NT_PAST_DONE };
struct nt_past_one {
	__u32 hash;
	__u16 fate;
	__u16 ifindex;		/* where it ended: stacked devices are no duplicates */
};
struct nt_past_set {
	struct nt_past_one way[NT_PAST_WAYS];	/* youngest first */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NT_PAST_SETS);
	__type(key, __u32);
	__type(value, struct nt_past_set);
} nt_past SEC(".maps");

NT_INLINE __u32 nt_past_hash(const void *key, const __u32 size)
{
	const __u32 *w = key;
	__u32 i, h = 2166136261u;

#pragma unroll
	for (i = 0; i < size / 4; i++) {
		h = (h ^ w[i]) * 16777619u;
		h ^= h >> 15;
	}
	return h;
}

NT_INLINE void nt_past_bury(__u32 hash, enum nt_past_fate fate, __u32 ifindex)
{
	__u32 i, slot = hash % NT_PAST_SETS;
	struct nt_past_set *set = bpf_map_lookup_elem(&nt_past, &slot);

	if (!set)
		return;
#pragma unroll
	for (i = NT_PAST_WAYS - 1; i; i--)
		set->way[i] = set->way[i - 1];
	set->way[0] = (struct nt_past_one){ .hash = hash, .fate = fate, .ifindex = ifindex };
}

NT_INLINE enum nt_past_fate nt_past_fate_of(__u32 hash, __u32 ifindex, bool *same_device)
{
	__u32 i, slot = hash % NT_PAST_SETS;
	struct nt_past_set *set = bpf_map_lookup_elem(&nt_past, &slot);

	if (!set)
		return NT_PAST_UNKNOWN;
#pragma unroll
	for (i = 0; i < NT_PAST_WAYS; i++) {
		if (set->way[i].fate == NT_PAST_UNKNOWN || set->way[i].hash != hash)
			continue;
		*same_device = set->way[i].ifindex == (__u16)ifindex;
		return set->way[i].fate;
	}
	return NT_PAST_UNKNOWN;
}

#endif
