/* SPDX-License-Identifier: GPL-2.0 */
/* Shared info as the list of further skbs: who makes it, takes it away, changes it; and does it fit? */
#ifndef NT_BPF_SHINFO_LIST_H
#define NT_BPF_SHINFO_LIST_H

#include "lib/shinfo.bpf.h"
#include "lib/shinfo_check.bpf.h"
#include "lib/tunnel.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_SHINFO_PLACES_N * NT_SHINFO_WHATS);
	__type(key, __u32);
	__type(value, __u64);
} nt_shinfo_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_shinfo_cfg);
} nt_shinfo_cfg SEC(".maps");

NT_INLINE void nt_shinfo_read_more(__u64 addr, struct nt_shinfo *s)
{
}

/* ---- what is inside ---- */
NT_INLINE bool nt_shinfo_is_vxlan(const struct nt_cur *c)
{
	struct nt_shinfo_cfg *cfg;
	__u32 i, zero = 0;

	if (!(c->bits & NT_PKT_PORTS) || c->flow.proto != 17 || c->l4 == NT_NO_OFF)
		return false;
	cfg = bpf_map_lookup_elem(&nt_shinfo_cfg, &zero);
	if (!cfg)
		return false;
#pragma unroll
	for (i = 0; i < NT_SHINFO_PORTS; i++)
		if (cfg->port[i] && cfg->port[i] == c->flow.dport)
			return true;
	return false;
}

NT_INLINE void nt_shinfo_inside(__u64 addr, struct nt_cur *c, struct nt_shinfo_event *e)
{
	__u32 off = c->l4 + 8;
	__be32 h[2];

	if (!(nt_const(NT_CONST_TOOL0) & NT_SHINFO_INNER) || !nt_shinfo_is_vxlan(c) || nt_read_at(c, off, h, sizeof(h)))
		return;
	e->vni = bpf_ntohl(h[1]) >> 8;
	nt_cur_inside(false, c, (void *)addr, off + sizeof(h), 0);
	nt_cur_l3(c);
	nt_cur_l4(c);
	e->inner = c->flow;
	e->inner_bits = c->bits;
}

/* ---- events ---- */
NT_INLINE bool nt_shinfo_hidden(const struct nt_shinfo_event *e)
{
	return (nt_const(NT_CONST_TOOL0) & NT_SHINFO_GSO_ONLY) && !e->before.gso_size && !e->after.gso_size;
}

NT_INLINE bool nt_shinfo_count(const struct nt_shinfo_event *e)
{
	__u32 key = e->place * NT_SHINFO_WHATS + e->what;
	__u64 *n;

	if (nt_shinfo_hidden(e))
		return false;
	n = bpf_map_lookup_elem(&nt_shinfo_counts, &key);
	if (n)
		__sync_fetch_and_add(n, 1);
	nt_stat_add(NT_STAT_EVENTS, 1);
	return true;
}

NT_INLINE bool nt_shinfo_same(const struct nt_shinfo *a, const struct nt_shinfo *b)
{
	return a->frag_list == b->frag_list && a->gso_size == b->gso_size && a->gso_type == b->gso_type &&
	       a->nr_frags == b->nr_frags && a->data_len == b->data_len;
}

/* A difference in list and GSO fields. */
NT_INLINE __u32 nt_shinfo_difference(const struct nt_shinfo_event *e, __u32 how)
{
	const struct nt_shinfo *a = &e->before, *b = &e->after;

	if (!a->frag_list && !b->frag_list)
		return NT_SHINFO_NOTHING;
	if (!a->frag_list && (a->bits & NT_SHINFO_KNOWN))
		return NT_SHINFO_CREATE;
	if (!b->frag_list)
		return NT_SHINFO_CLEAR;
	if ((a->bits & NT_SHINFO_KNOWN) && !nt_shinfo_same(a, b))
		return NT_SHINFO_MODIFY;
	return how & NT_SHINFO_ENTERS ? NT_SHINFO_NOTHING : NT_SHINFO_ACCESS;
}

NT_INLINE __u32 nt_shinfo_what(struct nt_shinfo_event *e, __u32 how)
{
	__u32 what = nt_shinfo_difference(e, how);

	if (what == NT_SHINFO_ACCESS)
		nt_shinfo_here(e);
	return what;
}

NT_INLINE bool nt_shinfo_broken(const struct nt_shinfo_event *e, const struct nt_shinfo_track *t)
{
	return e->rules & ~t->told;
}

#endif
