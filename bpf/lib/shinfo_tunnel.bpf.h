/* SPDX-License-Identifier: GPL-2.0 */
/* Shared info as the gso_types of tunnels: who puts them on a packet, who takes them off, what leaves with them. */
#ifndef NT_BPF_SHINFO_TUNNEL_H
#define NT_BPF_SHINFO_TUNNEL_H

#include "lib/shinfo.bpf.h"

/* Of the device, above enum nt_shinfo_how: NT_TUNNEL_FROM_*. */
#define NT_TUNNEL_FROM_SHIFT 16
#define NT_VIRTIO_NET 0x6e5f6f6974726976ULL	/* "virtio_n", little endian */
#define NT_TUN 0x006e7574U			/* "tun" */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nt_tunnel_key);
	__type(value, struct nt_tunnel_val);
} nt_tunnel_counts SEC(".maps");

/* The first event of a packet with such a type: whatever is not shown. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_shinfo_event);
} nt_tunnel_first SEC(".maps");

/* ---- devices that packets come from with what somebody else says of them ---- */
NT_INLINE __u32 nt_tunnel_driver(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	__u64 name = 0;
	__u32 kind = 0;

	if (!dev)
		return 0;
	bpf_probe_read_kernel(&kind, sizeof(kind), BPF_CORE_READ(dev, rtnl_link_ops, kind));
	if (kind == NT_TUN)
		return NT_TUNNEL_FROM_TUN;
	bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(dev, dev.parent, driver, name));
	return name == NT_VIRTIO_NET ? NT_TUNNEL_FROM_VIRTIO : 0;
}

/* ---- the state ---- */
NT_INLINE void nt_shinfo_read_more(__u64 addr, struct nt_shinfo *s)
{
	struct sk_buff___encapsulation *bits = (void *)addr;

	s->inner_protocol = BPF_CORE_READ((struct sk_buff *)addr, inner_protocol);
	if (BPF_CORE_READ_BITFIELD_PROBED(bits, encapsulation))
		s->bits |= NT_SHINFO_ENCAP;
}

NT_INLINE void nt_shinfo_inside(__u64 addr, struct nt_cur *c, struct nt_shinfo_event *e)
{
}

NT_INLINE int nt_shinfo_check(struct nt_shinfo_event *e)
{
	return 0;
}

NT_INLINE bool nt_shinfo_broken(const struct nt_shinfo_event *e, const struct nt_shinfo_track *t)
{
	return false;
}

/* ---- events ---- */
NT_INLINE __u32 nt_shinfo_what(struct nt_shinfo_event *e, __u32 how)
{
	const __u64 both = nt_const(NT_CONST_TOOL2);
	const __u32 types = both;
	__u32 what, leaves = e->seen_at == NT_SHINFO_AT_START_XMIT;

	e->rules = nt_tunnel_marks(&e->before, &e->after, types, both >> 32, how >> NT_TUNNEL_FROM_SHIFT, leaves);
	what = nt_tunnel_what(&e->before, &e->after, types, e->rules, e->place, leaves);
	if (what == NT_TUNNEL_VIRTIO_RX || what == NT_TUNNEL_SEEN || (what == NT_TUNNEL_TX && !(e->rules & NT_TUNNEL_ADDED)))
		nt_shinfo_here(e);
	return what;
}

NT_INLINE void nt_tunnel_remember(const struct nt_shinfo_event *e)
{
	__u32 zero = 0;

	if (!(e->rules & (NT_TUNNEL_ADDED | NT_TUNNEL_FOUND)) || bpf_map_lookup_elem(&nt_tunnel_first, &zero))
		return;
	bpf_map_update_elem(&nt_tunnel_first, &zero, e, BPF_NOEXIST);
}

NT_INLINE bool nt_shinfo_count(const struct nt_shinfo_event *e)
{
	struct nt_tunnel_key key = { e->place, e->what, e->pkt.flow.ifindex, e->pkt.flow.netns };
	struct nt_tunnel_val none = { 0 }, *v = nt_row(&nt_tunnel_counts, &key, &none);

	if (v) {
		__sync_fetch_and_add(&v->count, 1);
		if (e->rules & NT_TUNNEL_ADDED)
			__sync_fetch_and_add(&v->added, 1);
		if (e->rules & NT_TUNNEL_MISMATCH)
			__sync_fetch_and_add(&v->mismatches, 1);
	}
	nt_stat_add(NT_STAT_EVENTS, 1);
	nt_tunnel_remember(e);
	if (!(nt_const(NT_CONST_TOOL0) & NT_SHINFO_CHANGES))
		return true;
	return e->rules & NT_TUNNEL_ADDED || (e->what != NT_TUNNEL_VIRTIO_RX && e->what != NT_TUNNEL_TX);
}

#endif
