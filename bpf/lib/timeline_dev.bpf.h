/* SPDX-License-Identifier: GPL-2.0 */
/* Timelines: what a device is to a packet's way, and stages that are a mere passage. */
#ifndef NT_BPF_TIMELINE_DEV_H
#define NT_BPF_TIMELINE_DEV_H

#include "lib/timeline.bpf.h"

#define NT_OVS_KIND 0x697773766e65706fULL	/* "openvswi", little endian */

NT_INLINE bool nt_tl_wants(const __u32 direction)
{
	return nt_const(NT_CONST_TOOL0) & (direction == NT_DIR_TX ? NT_TL_TX : NT_TL_RX);
}

/* An internal port of Open vSwitch: a named one, or any if none is named. */
NT_INLINE bool nt_tl_internal(const bool direct, struct net_device *dev, __u32 roles)
{
	struct rtnl_link_ops *ops;
	const char *name;
	__u64 kind = 0;

	if ((roles & NT_TL_ROLES) || (nt_const(NT_CONST_TOOL0) & NT_TL_INTERNAL_NAMED))
		return roles & NT_TL_INTERNAL;
	ops = (void *)NT_GET(direct, dev, rtnl_link_ops);
	name = BPF_CORE_READ(ops, kind);
	bpf_probe_read_kernel(&kind, sizeof(kind), name);
	return kind == NT_OVS_KIND;
}

NT_INLINE __u32 nt_tl_roles_of(const bool direct, struct net_device *dev, __u32 tag)
{
	if ((nt_const(NT_CONST_TOOL0) & NT_TL_ANY_DEVICE) && NT_GET(direct, dev, type) != NT_ARPHRD_LOOPBACK)
		return nt_tl_internal(direct, dev, 0) ? NT_TL_INTERNAL : NT_TL_PHY;
	return nt_devset_roles(NT_GET(direct, dev, ifindex), nt_dev_netns(direct, dev), tag);
}

NT_INLINE __u32 nt_tl_roles(const bool direct, struct sk_buff *skb, struct net_device *dev)
{
	__u32 tag = nt_skb_tag(direct, skb);

	return nt_tl_roles_of(direct, dev, tag ? tag & 0xfff : NT_VLAN_NONE);
}

/* A stage of packets that are followed, in one direction or (2) in both. */
NT_INLINE void nt_tl_pass(void *ctx, const bool direct, struct sk_buff *skb, struct net_device *dev,
			  const __u32 direction, const __u32 stage)
{
	struct nt_timeline *l = nt_track_of(skb);

	if (l && (direction > NT_DIR_RX || l->direction == direction))
		nt_tl_stamp(ctx, direct, l, skb, dev, stage, bpf_ktime_get_ns());
}

#endif
