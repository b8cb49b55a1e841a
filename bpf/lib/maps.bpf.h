/* SPDX-License-Identifier: GPL-2.0 */
/* Maps that every object has, and the counters. */
#ifndef NT_BPF_MAPS_H
#define NT_BPF_MAPS_H

#include "lib/bpf.bpf.h"

/* Counters of enum nt_stat: totals stay right whatever happens to entries and events. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_STAT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} nt_stats SEC(".maps");

/* Values of the tuple filter; which of them are tested is a load-time constant. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_tuple);
} nt_tuple SEC(".maps");

/* Scratch memory, two blocks for each depth: events are built here, they do not fit the stack. */
#define NT_SCRATCH_SIZE 2048
struct nt_scratch {
	__u8 byte[NT_SCRATCH_SIZE];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * NT_DEPTH);
	__type(key, __u32);
	__type(value, struct nt_scratch);
} nt_scratch SEC(".maps");

/* 0: events, 1: rebuilt headers for the filter expression. Never NULL in practice. */
NT_INLINE void *nt_scratch_get(__u32 i)
{
	i += 2 * nt_depth();
	return bpf_map_lookup_elem(&nt_scratch, &i);
}

NT_INLINE void nt_stat_add(__u32 stat, __u64 n)
{
	__u64 *v = bpf_map_lookup_elem(&nt_stats, &stat);

	/* Per CPU, but a program on another hook may interrupt this one. */
	if (v)
		__sync_fetch_and_add(v, n);
}

/* The value of a key; made from init if there is none. NULL: the map is full, which is counted. */
NT_INLINE void *nt_row(void *map, const void *key, const void *init)
{
	void *v = bpf_map_lookup_elem(map, key);

	if (v)
		return v;
	bpf_map_update_elem(map, key, init, BPF_NOEXIST);
	v = bpf_map_lookup_elem(map, key);
	if (!v)
		nt_stat_add(NT_STAT_MAP_FULL, 1);
	return v;
}

/* Several CPUs may write to a row: after three tries a greater one has come each time. */
NT_INLINE void nt_max(__u64 *max, __u64 v)
{
#pragma unroll
	for (int i = 0; i < 3; i++)
		if (*(volatile __u64 *)max < v)
			*(volatile __u64 *)max = v;
}

#endif
