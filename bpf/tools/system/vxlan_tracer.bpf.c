// SPDX-License-Identifier: GPL-2.0
/*
 * VXLAN packets as they are encapsulated and decapsulated. Out: vxlan_xmit_one() has the inner
 * frame, __ip_local_out() the same skb with its outer headers complete. In: vxlan_rcv() has the
 * whole packet, gro_cells_receive() the inner one at its device. What reaches neither is lost.
 */
#include "lib/vxlan.bpf.h"

NT_LICENSE;

/* ---- out ---- */
/* The device gets a packet; who it goes to, and to how many, is looked up then. */
NT_FUNC(device_in, struct sk_buff *skb, struct net_device *dev)
{
	struct nt_vxlan_call *c = nt_vxlan_calls_push();

	if (!c)
		return 0;
	c->in = NT_VXLAN_IN_DEVICE;
	c->skb = (__u64)skb;
	c->dev = (__u64)dev;
	nt_vxlan_stack(ctx, &c->e);
	nt_stat_add(NT_STAT_VXLAN_DEVICE, 1);
	return 0;
}

NT_INLINE void set_v4(__u8 *dst, __be32 addr)
{
	dst[10] = dst[11] = 0xff;
	*(__be32 *)&dst[12] = addr;
}

/* VNI and peer before there is a header that says so: of packets that never get one. */
NT_INLINE void from_metadata(struct nt_vxlan_event *e, const bool direct, struct sk_buff *skb)
{
	struct metadata_dst *md = nt_skb_dst(direct, skb);
	__be64 id;

	e->bits |= NT_VXLAN_METADATA;
	if (!md || !(BPF_CORE_READ(md, dst.flags) & NT_DST_METADATA))
		return;
	id = BPF_CORE_READ(md, u.tun_info.key.tun_id);
	e->vni = bpf_be64_to_cpu(id) & 0xffffff;
	e->bits |= NT_VXLAN_VNI | NT_VXLAN_PEER;
	if (BPF_CORE_READ(md, u.tun_info.mode) & NT_TUNNEL_INFO_IPV6)
		BPF_CORE_READ_INTO((struct in6_addr *)e->outer_dst, md, u.tun_info.key.u.ipv6.dst);
	else
		set_v4(e->outer_dst, BPF_CORE_READ(md, u.tun_info.key.u.ipv4.dst));
}

NT_INLINE void from_fdb(struct nt_vxlan_event *e, struct vxlan_rdst *rdst, __be32 default_vni)
{
	__be32 vni = default_vni;
	__u16 family;

	if (bpf_core_type_exists(struct vxlan_rdst)) {
		if (BPF_CORE_READ(rdst, remote_vni))
			vni = BPF_CORE_READ(rdst, remote_vni);
		family = BPF_CORE_READ(rdst, remote_ip.sin.sin_family);
		if (family == NT_AF_INET)
			set_v4(e->outer_dst, BPF_CORE_READ(rdst, remote_ip.sin.sin_addr.s_addr));
		else if (family == NT_AF_INET6)
			BPF_CORE_READ_INTO((struct in6_addr *)e->outer_dst, rdst, remote_ip.sin6.sin6_addr);
		if (family == NT_AF_INET || family == NT_AF_INET6)
			e->bits |= NT_VXLAN_PEER;
	}
	if (!vni)		/* it is the peer's, which we cannot read */
		return;
	e->vni = bpf_ntohl(vni);
	e->bits |= NT_VXLAN_VNI;
}

/* The frame that a VXLAN device is given. */
NT_INLINE bool frame_at_device(const bool direct, struct sk_buff *skb, struct net_device *dev,
			       struct nt_vxlan_call *c)
{
	struct nt_cur *cur = nt_cur_get();

	if (!cur || !nt_vxlan_direction(NT_DIR_TX))
		return false;
	nt_cur_init(direct, cur, skb, NT_AT_DATA_L2);
	nt_cur_without_l2(direct, cur, dev);
	nt_cur_dev(direct, cur, dev);
	if (!nt_vxlan_inner(direct, cur, skb, &c->e))
		return false;
	c->headers = nt_vxlan_headers(cur);
	c->e.direction = NT_DIR_TX;
	return true;
}

NT_FUNC(encap_in, struct sk_buff *skb, struct net_device *dev, void *default_vni, struct vxlan_rdst *rdst)
{
	struct nt_vxlan_call *device = nt_vxlan_calls_top(), *c;

	if (device && device->in != NT_VXLAN_IN_DEVICE)
		device = NULL;
	if (device && device->skb == (__u64)skb)
		device->skb = 0;	/* from now on it is this call's */
	c = nt_vxlan_calls_push();
	if (!c)
		return 0;
	c->in = NT_VXLAN_IN_PEER;
	if (device)
		c->e.stack_id = device->e.stack_id;
	else
		nt_vxlan_stack(ctx, &c->e);
	if (!frame_at_device(direct, skb, dev, c))
		return 0;
	c->skb = (__u64)skb;
	if (rdst)
		from_fdb(&c->e, rdst, (__u64)default_vni);
	else
		from_metadata(&c->e, direct, skb);
	return 0;
}

/* More than the underlay takes: then it is cut into IP fragments, or an error comes back. */
NT_INLINE void compare_mtu(struct nt_vxlan_call *c)
{
	struct nt_vxlan_event *e = &c->e;

	e->segment_len = e->outer_len;
	if (e->pkt.gso_size)
		e->segment_len = c->headers ? e->outer_len - e->pkt.len + c->headers + e->pkt.gso_size : 0;
	if (e->lower_mtu && e->segment_len > e->lower_mtu)
		e->bits |= NT_VXLAN_OVER_MTU;
}

/* The same skb with its outer headers, complete but for length and checksum. */
NT_INLINE int sent(const bool direct, struct sk_buff *skb, const __u16 eth_type)
{
	struct nt_vxlan_call *c = nt_vxlan_call_of(skb);
	struct nt_cur *cur = nt_cur_get();
	struct dst_entry *dst;
	__u32 off;

	if (!c || !cur || c->in != NT_VXLAN_IN_PEER || c->done)
		return 0;
	nt_cur_inside(direct, cur, skb, NT_GET(direct, skb, network_header), eth_type);
	nt_cur_l3(cur);
	nt_cur_l4(cur);
	off = nt_vxlan_outer(&c->e, cur);
	if (!off || !nt_vxlan_header(&c->e, cur, off))
		return 0;
	c->done = 1;
	c->e.what = NT_VXLAN_SENT;
	c->e.outer_len = cur->len;
	dst = nt_skb_dst(direct, skb);
	if (dst)
		nt_vxlan_lower(&c->e, BPF_CORE_READ(dst, dev));
	compare_mtu(c);
	return 0;
}

/* Most packets are in no tunnel: those are let go before anything else happens. */
#define NO_TUNNEL(direct, skb) (!NT_GET(direct, (struct sk_buff *)(skb), inner_protocol))

NT_FUNC_(ip_out, NO_TUNNEL(true, ctx[2]), NO_TUNNEL(false, PT_REGS_PARM3(ctx)), void *net, void *sk,
	 struct sk_buff *skb)
{
	return sent(direct, skb, NT_ETH_P_IP);
}

NT_FUNC_(ip6_out, NO_TUNNEL(true, ctx[2]), NO_TUNNEL(false, PT_REGS_PARM3(ctx)), void *net, void *sk,
	 struct sk_buff *skb)
{
	return sent(direct, skb, NT_ETH_P_IPV6);
}

/* The peer is this host: straight to the other device. */
NT_FUNC(bypass, struct sk_buff *skb)
{
	struct nt_vxlan_call *c = nt_vxlan_call_of(skb);

	if (!c || c->in != NT_VXLAN_IN_PEER || c->done)
		return 0;
	c->done = 1;
	c->e.what = NT_VXLAN_LOCAL;
	return 0;
}

NT_INLINE void ends(void *ctx, struct nt_vxlan_call *c)
{
	if (!(c->e.bits & NT_VXLAN_OURS))
		return;
	if (!c->done)
		c->e.what = NT_VXLAN_DROPPED;
	nt_vxlan_tell(ctx, &c->e);
}

NT_RET(encap_out, 5, __u64 ret)
{
	struct nt_vxlan_call *c = nt_vxlan_calls_pop();

	if (c && c->in == NT_VXLAN_IN_PEER)
		ends(ctx, c);
	return 0;
}

NT_RET(device_out, 2, __u64 ret)
{
	struct nt_vxlan_call *c = nt_vxlan_calls_pop();

	if (c && c->in == NT_VXLAN_IN_DEVICE && c->freed)
		ends(ctx, c);
	return 0;
}

/* ---- in ---- */
/* skb->data is the outer UDP header. */
NT_FUNC(decap_in, void *sk, struct sk_buff *skb)
{
	struct nt_vxlan_call *c = nt_vxlan_calls_push();
	__u64 head = (__u64)NT_GET(direct, skb, head);
	__u32 off, net = NT_GET(direct, skb, network_header);
	struct nt_cur *cur = nt_cur_get();

	if (!c)
		return 0;
	c->in = NT_VXLAN_IN_RCV;
	if (!cur || !nt_vxlan_direction(NT_DIR_RX))
		return 0;
	nt_cur_inside(direct, cur, skb, net, bpf_ntohs(NT_GET(direct, skb, protocol)));
	nt_cur_l3(cur);
	nt_cur_l4(cur);
	c->e.outer_len = cur->len;
	nt_vxlan_outer(&c->e, cur);
	off = (__u64)NT_GET(direct, skb, data) - head + NT_VXLAN_UDP_HLEN;
	if (!nt_vxlan_header(&c->e, cur, off))
		return 0;
	nt_cur_inside(direct, cur, skb, off + NT_VXLAN_HLEN, nt_vxlan_payload(&c->e));
	if (!nt_vxlan_inner(direct, cur, skb, &c->e))
		return 0;
	nt_vxlan_stack(ctx, &c->e);
	nt_vxlan_lower(&c->e, NT_GET(direct, skb, dev));
	c->skb = (__u64)skb;
	c->e.direction = NT_DIR_RX;
	return 0;
}

/* The last that vxlan_rcv() does with a packet. */
NT_FUNC(delivered, void *cells, struct sk_buff *skb)
{
	struct nt_vxlan_call *c = nt_vxlan_call_of(skb);
	struct net_device *dev;

	if (!c || c->in != NT_VXLAN_IN_RCV)
		return 0;
	dev = NT_GET(direct, skb, dev);
	c->done = 1;
	c->e.what = NT_VXLAN_DELIVERED;
	c->e.pkt.flow.ifindex = NT_GET(direct, dev, ifindex);
	c->e.pkt.flow.netns = nt_dev_netns(direct, dev);
	return 0;
}

NT_RET(decap_out, 2, __u64 ret)
{
	struct nt_vxlan_call *c = nt_vxlan_calls_pop();

	if (c && c->in == NT_VXLAN_IN_RCV)
		ends(ctx, c);
	return 0;
}

/* ---- drops, while one of these functions has the packet ---- */
NT_TP(kfree_skb, struct sk_buff *skb, void *location)
{
	struct nt_vxlan_call *c = nt_vxlan_call_of(skb);
	__u32 reason = nt_drop_reason(ctx);

	if (!c || (c->done && c->in != NT_VXLAN_IN_RCV))
		return 0;	/* what was sent is IP's */
	if (nt_drop_is_none(reason, nt_const(NT_CONST_TOOL2)))
		return 0;
	if (c->in == NT_VXLAN_IN_DEVICE && !frame_at_device(false, skb, (struct net_device *)c->dev, c))
		return 0;
	c->freed = 1;
	c->done = 1;
	c->e.what = NT_VXLAN_DROPPED;
	c->e.reason = reason;
	c->e.location = (__u64)location;
	return 0;
}

/* ---- without these functions: by UDP port, at devices ---- */
NT_INLINE bool is_vxlan_port(const struct nt_cur *cur)
{
	struct nt_vxlan_cfg *cfg = nt_vxlan_cfg_get();
	__u32 i;

	if (!cfg || !(cur->bits & NT_PKT_PORTS) || cur->flow.proto != 17)
		return false;
#pragma unroll
	for (i = 0; i < NT_VXLAN_PORTS; i++)
		if (cfg->port[i] && cfg->port[i] == cur->flow.dport)
			return true;
	return false;
}

/* A bridge, a bond or a VLAN device has devices below: a packet is counted there only. */
NT_INLINE bool lies_on_others(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct list_head *lower = BPF_CORE_READ(dev, adj_list.lower.next);

	return (__u64)lower != (__u64)dev + bpf_core_field_offset(struct net_device, adj_list.lower.next);
}

NT_INLINE int at_device(void *ctx, const bool direct, struct sk_buff *skb, struct net_device *dev, const enum nt_at at,
			const __u32 direction)
{
	struct nt_vxlan_event *e = nt_scratch_get(0);
	struct nt_cur *cur = nt_cur_get();
	__u32 off;

	if (!e || !cur || !nt_vxlan_direction(direction))
		return 0;
	nt_cur_init(direct, cur, skb, at);
	if (at == NT_AT_DATA_L2)
		nt_cur_without_l2(direct, cur, dev);
	nt_cur_l3(cur);
	nt_cur_l4(cur);
	if (!is_vxlan_port(cur))
		return 0;
	__builtin_memset(e, 0, sizeof(*e));
	e->outer_len = cur->len - (cur->bits & NT_PKT_L2 ? cur->l3 - cur->l2 : 0);
	off = nt_vxlan_outer(e, cur);
	if (!off || !nt_vxlan_header(e, cur, off))
		return 0;
	nt_vxlan_lower(e, dev);
	if (!(nt_const(NT_CONST_TOOL0) & NT_VXLAN_BY_DEV) && lies_on_others(skb))
		return 0;
	nt_cur_inside(direct, cur, skb, off + NT_VXLAN_HLEN, nt_vxlan_payload(e));
	if (!nt_vxlan_inner(direct, cur, skb, e))
		return 0;
	nt_vxlan_stack(ctx, e);
	e->direction = direction;
	e->what = NT_VXLAN_SEEN;
	nt_vxlan_tell(ctx, e);
	return 0;
}

NT_TP(port_tx, struct sk_buff *skb, struct net_device *dev)
{
	return at_device(ctx, direct, skb, dev, NT_AT_DATA_L2, NT_DIR_TX);
}

NT_TP(port_rx, struct sk_buff *skb)
{
	return at_device(ctx, direct, skb, NT_GET(direct, skb, dev), NT_AT_DATA_L3, NT_DIR_RX);
}
