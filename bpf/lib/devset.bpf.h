/* SPDX-License-Identifier: GPL-2.0 */
/* Devices that user space has given roles: sides of a path, uplinks, internal ports. */
#ifndef NT_BPF_DEVSET_H
#define NT_BPF_DEVSET_H

#include "lib/packet.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NT_DEVSET_MAX);
	__type(key, struct nt_devset_key);
	__type(value, __u32);
} nt_devset SEC(".maps");

/* Roles of a device for a packet with this outermost tag (NT_VLAN_NONE: without): the tag tells VLANs
 * of one device apart. */
NT_SUBPROG __u32 nt_devset_roles(__u32 ifindex, __u32 netns, __u32 tag)
{
	struct nt_devset_key k = { .ifindex = ifindex, .netns = netns, .vlan = NT_VLAN_NONE };
	__u32 roles = 0, *found = bpf_map_lookup_elem(&nt_devset, &k);

	if (found)
		roles = *found;
	if (tag == NT_VLAN_NONE)
		return roles;
	k.vlan = tag;
	found = bpf_map_lookup_elem(&nt_devset, &k);
	return found ? roles | *found : roles;
}

/* Outermost tag of a packet that was read. */
NT_INLINE __u32 nt_cur_vlan(const struct nt_cur *c)
{
	return c->n_vlan ? c->vlan[0] & 0xfff : NT_VLAN_NONE;
}

/* The same for a packet that was read, and the device it was seen at. */
NT_INLINE __u32 nt_devset_roles_of(const struct nt_cur *c)
{
	return nt_devset_roles(c->flow.ifindex, c->flow.netns, nt_cur_vlan(c));
}

#endif
