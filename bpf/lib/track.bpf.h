/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets that are followed by the address of their skb. A packet that was let
 * in at the first stage is looked up at every later one, without a look at its
 * bytes. Addresses are used again: whoever follows packets also hooks the ends
 * of their lives, and an address that begins again supersedes what was there.
 * Whoever deletes an entry counts its end, so that the kernel and the sweep of
 * user space never both do.
 */
#ifndef NT_BPF_TRACK_H
#define NT_BPF_TRACK_H

#include "lib/filter.bpf.h"
#include "nettrace/nt_abi_track.h"

/* The state begins with the time of the first stage. Not LRU: that would evict in silence. */
#define NT_TRACKS(state, n)				\
struct {						\
	__uint(type, BPF_MAP_TYPE_HASH);		\
	__uint(max_entries, n);				\
	__type(key, __u64);				\
	__type(value, state);				\
} nt_tracks SEC(".maps")

#define nt_track_of(skb)						\
({									\
	__u64 track_key = (__u64)(skb);					\
	bpf_map_lookup_elem(&nt_tracks, &track_key);			\
})

/* False: there is no room for it, or an end that we did not see. */
#define nt_track_start(skb, state)					\
({									\
	__u64 track_key = (__u64)(skb);					\
	nt_stat_add(NT_STAT_TRACKED, 1);				\
	if (!bpf_map_delete_elem(&nt_tracks, &track_key)) {		\
		nt_stat_add(NT_STAT_EVICTED, 1);			\
		nt_stat_add(NT_STAT_TRACK_SUPERSEDED, 1);		\
	}								\
	if (bpf_map_update_elem(&nt_tracks, &track_key, state, BPF_NOEXIST))	\
		nt_stat_add(NT_STAT_MAP_FULL, 1);			\
})

/* Ends it: true for one caller only, who has counted it under ended (the tool's number). */
#define nt_track_end(skb, ended)					\
({									\
	__u64 track_key = (__u64)(skb);					\
	bool track_ours = !bpf_map_delete_elem(&nt_tracks, &track_key);	\
	if (track_ours)							\
		nt_stat_add(NT_STAT_TRACK_ENDED + (ended), 1);		\
	track_ours;							\
})

#endif
