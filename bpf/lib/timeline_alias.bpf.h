/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a packet is known by when its skb changes: its alias, made of addresses, ports and the numbers of its
 * headers; and fragments, which are known by the first one's.
 */
#ifndef NT_BPF_TIMELINE_ALIAS_H
#define NT_BPF_TIMELINE_ALIAS_H

#include "lib/filter.bpf.h"
#include "nettrace/nt_abi_timeline.h"

#ifndef NT_TL_LEGS		/* 1: echo packets only, whose sessions are kept (timeline_legs.bpf.h) */
#define NT_TL_LEGS 0
#endif

#define NT_TL_SAME_NS 1000000ULL	/* two segments with one alias within this: no retransmission */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct nt_tl_alias_key);
	__type(value, struct nt_tl_alias);
} nt_aliases SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nt_tl_frag);
	__type(value, __u32);
} nt_tl_frags SEC(".maps");

/* ---- aliases ---- */
NT_INLINE bool nt_tl_followed(const struct nt_cur *c)
{
	__u8 p = c->flow.proto;

	return (c->bits & NT_PKT_L3) && (p == 1 || p == 58 || (!NT_TL_LEGS && (p == 6 || p == 17)));
}

/* Of the first 16 bytes of payload, as far as the packet has whole words: IPv4's id is 0 in datagrams of
 * unconnected sockets that must not be fragmented. */
NT_INLINE __u32 nt_tl_payload(const struct nt_cur *c, __u32 udp_len)
{
	__u32 word, i, h = 2166136261u;

#pragma unroll
	for (i = 0; i < 4; i++) {
		if (udp_len < 8 + 4 * (i + 1) || nt_read_at(c, c->l4 + 8 + 4 * i, &word, sizeof(word)))
			break;
		h = (h ^ word) * 16777619u;
		h ^= h >> 15;
	}
	return i ? h : 0;
}

/* The numbers of the headers that tell a flow's packets apart. A later fragment has none. */
NT_SUBPROG int nt_tl_ids(const struct nt_cur *c, struct nt_timeline *l)
{
	struct { __be32 a, b; } h;

	if (!c || !l)
		return 0;
	l->id_a = l->id_b = 0;
	if (c->l4 == NT_NO_OFF || nt_read_at(c, c->l4 + 4, &h, sizeof(h)))
		return 0;
	if (!NT_TL_LEGS && (c->bits & NT_PKT_TCP)) {	/* sequence and acknowledgement number */
		l->id_a = bpf_ntohl(h.a);
		l->id_b = bpf_ntohl(h.b) ^ bpf_ntohs(c->ip_id);
		return 1;
	}
	if (!NT_TL_LEGS && c->flow.proto == 17) {
		__u32 len = bpf_ntohl(h.a) >> 16;

		l->id_a = (__u32)bpf_ntohs(c->ip_id) << 16 | (l->pkt.gso_size ? 0 : len);
		l->id_b = nt_tl_payload(c, len);
		return 1;
	}
	l->id_a = bpf_ntohl(h.a);		/* ICMP: identifier and sequence of an echo, and its type */
	l->id_b = c->icmp_type + 1;
	return 1;
}

NT_INLINE void nt_tl_alias_key(struct nt_tl_alias_key *k, const struct nt_flow *f, const struct nt_timeline *l)
{
	__builtin_memcpy(k->saddr, f->saddr, 16);
	__builtin_memcpy(k->daddr, f->daddr, 16);
	k->sport = f->sport;
	k->dport = f->dport;
	k->id_a = l->id_a;
	k->id_b = l->id_b;
	k->proto = f->proto;
	k->ip_version = f->ip_version;
	k->pad = 0;
}

/* Another packet with the same alias: both are followed by address only, unless this is the retransmission
 * of a TCP segment. */
NT_INLINE bool nt_tl_alias_taken(struct nt_tl_alias *old, struct nt_timeline *l)
{
	if (l->pkt.flow.proto == 6 && l->start_ns - old->start_ns > NT_TL_SAME_NS)
		return false;
	old->ambiguous = 1;
	l->flags |= NT_TL_AMBIGUOUS;
	nt_stat_add(NT_STAT_TL_AMBIGUOUS, 1);
	return true;
}

NT_SUBPROG int nt_tl_alias_add(struct nt_timeline *l, __u64 skb)
{
	struct nt_tl_alias a = { .skb = skb }, *old;
	struct nt_tl_alias_key k;

	if (!l || !(l->id_a | l->id_b))
		return 0;
	nt_tl_alias_key(&k, &l->pkt.flow, l);
	a.start_ns = l->start_ns;
	old = bpf_map_lookup_elem(&nt_aliases, &k);
	if (old && nt_tl_alias_taken(old, l))
		return 0;
	if (bpf_map_update_elem(&nt_aliases, &k, &a, BPF_ANY))
		nt_stat_add(NT_STAT_TL_NO_ALIAS, 1);
	return 0;
}

/* Unless a younger packet has it by now. */
NT_SUBPROG int nt_tl_alias_remove(const struct nt_timeline *l)
{
	struct nt_tl_alias_key k;
	struct nt_tl_alias *a;

	if (!l || !(l->id_a | l->id_b))
		return 0;
	nt_tl_alias_key(&k, &l->pkt.flow, l);
	a = bpf_map_lookup_elem(&nt_aliases, &k);
	if (a && a->start_ns == l->start_ns)
		bpf_map_delete_elem(&nt_aliases, &k);
	return 0;
}

/* ---- fragments: the first one carries the timeline, the others are counted ---- */
NT_INLINE void nt_tl_frag_key(struct nt_tl_frag *k, const struct nt_cur *c)
{
	__builtin_memcpy(k->saddr, c->flow.saddr, 16);
	__builtin_memcpy(k->daddr, c->flow.daddr, 16);
	k->proto = c->flow.proto;
	k->id = bpf_ntohs(c->ip_id);
	if (c->frag)
		nt_read_at(c, c->frag + 4, &k->id, sizeof(k->id));
}

NT_INLINE bool nt_tl_first_fragment(const struct nt_cur *c)
{
	return !(c->bits & NT_PKT_FRAG) && (c->frag || (c->frag_off & bpf_htons(0x2000)));
}

NT_SUBPROG int nt_tl_frag_note(const struct nt_cur *c)
{
	struct nt_tl_frag k;
	__u32 one = 1;

	if (!c)
		return 0;
	nt_tl_frag_key(&k, c);
	bpf_map_update_elem(&nt_tl_frags, &k, &one, BPF_ANY);
	return 0;
}

NT_SUBPROG int nt_tl_frag_later(const struct nt_cur *c)
{
	struct nt_tl_frag k;

	if (!c)
		return 0;
	nt_tl_frag_key(&k, c);
	if (bpf_map_lookup_elem(&nt_tl_frags, &k))
		nt_stat_add(NT_STAT_TL_FRAGMENTS, 1);
	return 0;
}

#endif
