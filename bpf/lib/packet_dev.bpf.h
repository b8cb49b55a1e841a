/* SPDX-License-Identifier: GPL-2.0 */
/* The device of a packet: part of packet.bpf.h, which includes it. */
#ifndef NT_BPF_PACKET_DEV_H
#define NT_BPF_PACKET_DEV_H

NT_INLINE __u32 nt_dev_netns(const bool direct, struct net_device *dev)
{
	struct net *net = NT_GET(direct, dev, nd_net.net);

	return BPF_CORE_READ(net, ns.inum);
}

/* For hooks where skb->dev (or the dev argument) is a device for certain. */
NT_INLINE void nt_cur_dev(const bool direct, struct nt_cur *c, struct net_device *dev)
{
	c->flow.ifindex = NT_GET(direct, dev, ifindex);
	c->flow.netns = nt_dev_netns(direct, dev);
	c->bits |= NT_PKT_DEV;
}

/* For NT_AT_DATA_L2: tunnels and tun devices transmit packets that begin with their IP header. */
NT_INLINE void nt_cur_without_l2(const bool direct, struct nt_cur *c, struct net_device *dev)
{
	__u16 type = NT_GET(direct, dev, type);

	if (type == NT_ARPHRD_ETHER || type == NT_ARPHRD_LOOPBACK)
		return;
	c->l2 = NT_NO_OFF;
	c->l3 = c->data;
	c->bits &= ~NT_PKT_L2;
}

/*
 * For drops: skb->dev shares its place with rbnode (TCP out-of-order, defrag,
 * netem and fq queues) and dev_scratch (UDP receive queue), so it is taken for
 * a device only if it looks like one; else the ifindex that the packet came in
 * by. All reads are by address: the pointer may be anything.
 */
NT_INLINE void nt_cur_maybe_dev(const bool direct, struct nt_cur *c, struct sk_buff *skb)
{
	/* never direct: the verifier lets nobody do arithmetic on a typed pointer */
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	__u64 addr = (__u64)dev;
	__u32 ifindex;
	char first = 0;

	if (addr >> 48 == 0xffff && !(addr & 7)) {
		ifindex = BPF_CORE_READ(dev, ifindex);
		bpf_probe_read_kernel(&first, 1, &dev->name);
		if (ifindex >= 1 && ifindex <= 1 << 24 && first > ' ' && first < 127) {
			c->flow.ifindex = ifindex;
			c->flow.netns = nt_dev_netns(false, dev);
			c->bits |= NT_PKT_DEV;
			if (BPF_CORE_READ(dev, type) != NT_ARPHRD_ETHER)
				c->bits &= ~NT_PKT_L2;
			return;
		}
	}
	ifindex = NT_GET(direct, skb, skb_iif);
	if (ifindex) {
		c->flow.ifindex = ifindex;
		c->bits |= NT_PKT_IIF;
	}
}

#endif
